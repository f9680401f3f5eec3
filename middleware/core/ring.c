/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of units (core/ring.h). */
#include "core/ring.h"

#include <string.h>

static struct a3mi_slab *slab_of(struct a3mi_assoc *assoc, uint32_t size)
{
    unsigned i = 0;

    while ((A3MI_RING << 3 * i) < size) {
        i++;
    }
    return &assoc->ring_slabs[i];
}

void a3mi_ring_slabs_init(struct a3mi_assoc *assoc)
{
    for (unsigned i = 0; i < A3MI_RING_SIZES; i++) {
        size_t size = (size_t)A3MI_RING << 3 * i;

        a3mi_slab_init(&assoc->ring_slabs[i], size * sizeof(struct a3mi_unit *) + size / 8, 1, 0);
    }
}

void a3mi_ring_slabs_fini(struct a3mi_assoc *assoc)
{
    for (unsigned i = 0; i < A3MI_RING_SIZES; i++) {
        a3mi_slab_fini(&assoc->ring_slabs[i]);
    }
}

static bool init(struct a3mi_assoc *assoc, struct a3mi_ring *ring, uint32_t size)
{
    ring->size = size;
    ring->v = a3mi_slab_get(slab_of(assoc, size));
    if (ring->v == NULL) {
        return false;
    }
    ring->waiting = (uint64_t *)(ring->v + size);
    memset(ring->waiting, 0, size / 8);
    return true;
}

bool a3mi_ring_init(struct a3mi_assoc *assoc, struct a3mi_ring *ring)
{
    return init(assoc, ring, A3MI_RING);
}

void a3mi_ring_fini(struct a3mi_assoc *assoc, struct a3mi_ring *ring)
{
    a3mi_slab_put(slab_of(assoc, ring->size), ring->v);
    ring->v = NULL;
}

bool a3mi_ring_make_room(struct a3mi_assoc *assoc, struct a3mi_ring *ring, uint64_t first, uint64_t end)
{
    if (end - first < ring->size) {
        return true;
    }
    if (ring->size == A3MI_RING_MAX) {
        return false;
    }
    struct a3mi_ring grown;

    if (!init(assoc, &grown, ring->size << 3)) {
        return false;
    }
    for (uint64_t seq = first; seq != end; seq++) {
        a3mi_ring_set(&grown, seq, a3mi_ring_get(ring, seq));
    }
    a3mi_ring_fini(assoc, ring);
    *ring = grown;
    return true;
}

uint64_t a3mi_ring_next(const struct a3mi_ring *ring, uint64_t seq, uint64_t end)
{
    while (seq < end) {
        uint32_t i = (uint32_t)(seq & (ring->size - 1));
        uint64_t word = ring->waiting[i >> 6] >> (i & 63);

        if (word != 0) {
            seq += (unsigned)__builtin_ctzll(word);
            return seq < end ? seq : end;
        }
        seq += 64 - (i & 63);
    }
    return end;
}
