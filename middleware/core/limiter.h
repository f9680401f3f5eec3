/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often strangers are answered: so many times a second and address. A small
 * table of counts by the address's hash; addresses that fall together share.
 * Pure, no locks, fixed memory.
 */
#ifndef A3MI_LIMITER_H
#define A3MI_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#include <a3m/transport.h>

#define A3MI_LIMITER_SLOTS 256u

struct a3mi_limiter {
    uint64_t seed;    /* secret, so that nobody shares a slot on purpose */
    uint32_t allowed; /* answers a second and slot */
    struct {
        int64_t second;
        uint32_t count;
    } slots[A3MI_LIMITER_SLOTS];
};

void a3mi_limiter_init(struct a3mi_limiter *limiter, uint64_t seed, uint32_t allowed);

/* Whether one more answer may go there; counts it. */
bool a3mi_limiter_allows(struct a3mi_limiter *limiter, const struct a3m_addr *to, int64_t now);

#endif
