/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The units of a sender by seq, from the oldest unacknowledged one to the newest:
 * a circle of pointers that grows eightfold when it is full, up to A3MI_RING_MAX,
 * and is as small as it was when it is made again. What it may grow to is the
 * peer's to say: no more units are numbered than the peer grants. Its memory is
 * from slabs of the association, by size. Private to core.
 */
#ifndef A3MI_RING_H
#define A3MI_RING_H

#include "core/state.h"

/* Units at first, and at most; powers of two. */
#define A3MI_RING     4096u
#define A3MI_RING_MAX (A3MI_RING << 3 * (A3MI_RING_SIZES - 1))

struct a3mi_unit;

struct a3mi_ring {
    struct a3mi_unit **v;
    uint64_t *waiting; /* one bit a unit: whether it is unacknowledged; behind `v` */
    uint32_t size;
};

/* False: no memory. */
bool a3mi_ring_init(struct a3mi_assoc *assoc, struct a3mi_ring *ring);
void a3mi_ring_fini(struct a3mi_assoc *assoc, struct a3mi_ring *ring);

/* Makes room for one more, where those from `first` up to, not including, `end` are in it. False: there is none. */
bool a3mi_ring_make_room(struct a3mi_assoc *assoc, struct a3mi_ring *ring, uint64_t first, uint64_t end);

/* The unit with this seq; NULL: acknowledged. Only from the oldest unacknowledged one to the newest. */
static inline struct a3mi_unit *a3mi_ring_get(const struct a3mi_ring *ring, uint64_t seq)
{
    return ring->v[seq & (ring->size - 1)];
}

/* Puts a unit in, or, NULL, takes it out. There is room. */
static inline void a3mi_ring_set(struct a3mi_ring *ring, uint64_t seq, struct a3mi_unit *unit)
{
    uint32_t i = (uint32_t)(seq & (ring->size - 1));
    uint64_t bit = UINT64_C(1) << (i & 63);

    ring->v[i] = unit;
    ring->waiting[i >> 6] = unit != NULL ? ring->waiting[i >> 6] | bit : ring->waiting[i >> 6] & ~bit;
}

/* The first unacknowledged one from `seq` on, `end` when there is none before. */
uint64_t a3mi_ring_next(const struct a3mi_ring *ring, uint64_t seq, uint64_t end);

void a3mi_ring_slabs_init(struct a3mi_assoc *assoc);
void a3mi_ring_slabs_fini(struct a3mi_assoc *assoc);

#endif
