/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limit of answers to strangers (core/limiter.h). */
#include "core/limiter.h"

#include "base/addr.h"
#include "base/checksum.h"

#define SECOND INT64_C(1000000000)

void a3mi_limiter_init(struct a3mi_limiter *limiter, uint64_t seed, uint32_t allowed)
{
    *limiter = (struct a3mi_limiter){.seed = seed, .allowed = allowed};
}

bool a3mi_limiter_allows(struct a3mi_limiter *limiter, const struct a3m_addr *to, int64_t now)
{
    uint64_t hash = a3mi_hash64(to, 2 + (size_t)to->len, limiter->seed);
    unsigned slot = (unsigned)(hash % A3MI_LIMITER_SLOTS);
    int64_t second = now / SECOND;

    if (limiter->slots[slot].second != second) {
        limiter->slots[slot].second = second;
        limiter->slots[slot].count = 0;
    }
    if (limiter->slots[slot].count >= limiter->allowed) {
        return false;
    }
    limiter->slots[slot].count++;
    return true;
}
