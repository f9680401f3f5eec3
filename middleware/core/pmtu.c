/* SPDX-License-Identifier: Apache-2.0 */
/* Probing for the size that a path takes (core/pmtu.h). */
#include "core/pmtu.h"

#include <stddef.h>

/* What is worth trying: UDP payloads in frames of 1,500 and of 9,000 bytes, over IPv6 and over IPv4. */
static const uint32_t candidates[] = {1452, 1472, 8952, 8972};

static uint32_t next_above(uint32_t size, uint32_t limit)
{
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        if (candidates[i] > size && candidates[i] <= limit) {
            return candidates[i];
        }
    }
    return 0;
}

void a3mi_pmtu_init(struct a3mi_pmtu *pmtu, uint32_t base, uint32_t limit)
{
    *pmtu = (struct a3mi_pmtu){.size = base, .limit = limit, .next_at = INT64_MIN};
}

void a3mi_pmtu_used(struct a3mi_pmtu *pmtu)
{
    if (pmtu->units < A3MI_PMTU_UNITS) {
        pmtu->units++;
    }
}

/* No larger size is tried for a while. */
static void complete(struct a3mi_pmtu *pmtu, int64_t now)
{
    pmtu->probing = 0;
    pmtu->tries = 0;
    pmtu->next_at = now + A3MI_PMTU_AGAIN;
}

uint32_t a3mi_pmtu_due(struct a3mi_pmtu *pmtu, int64_t now)
{
    if (pmtu->units < A3MI_PMTU_UNITS || now < pmtu->next_at) {
        return 0;
    }
    if (pmtu->tries == A3MI_PMTU_TRIES) {
        complete(pmtu, now);
        return 0;
    }
    if (pmtu->probing == 0) {
        pmtu->probing = next_above(pmtu->size, pmtu->limit);
        if (pmtu->probing == 0) {
            complete(pmtu, now);
        }
    }
    return pmtu->probing;
}

void a3mi_pmtu_probed(struct a3mi_pmtu *pmtu, uint64_t nonce, int64_t now, int64_t pto)
{
    pmtu->nonce = nonce;
    pmtu->tries++;
    pmtu->next_at = now + (pto > A3MI_PMTU_GAP ? pto : A3MI_PMTU_GAP);
}

bool a3mi_pmtu_answered(struct a3mi_pmtu *pmtu, uint64_t nonce)
{
    if (pmtu->probing == 0 || nonce != pmtu->nonce) {
        return false;
    }
    pmtu->size = pmtu->probing;
    pmtu->probing = 0;
    pmtu->tries = 0;
    pmtu->next_at = INT64_MIN; /* the next candidate at once */
    return true;
}

void a3mi_pmtu_black_hole(struct a3mi_pmtu *pmtu, uint32_t base, int64_t now)
{
    pmtu->size = base;
    complete(pmtu, now);
}
