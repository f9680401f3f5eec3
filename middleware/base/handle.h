/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thread-safe table of handles: numbers that stand for objects, and that are
 * recognised when their object is gone. Low 32 bits index, high 32 bits
 * generation, never 0. get and put are one atomic operation each on a word of
 * the slot, without lock; add, and the end of an object, take a mutex for a few
 * instructions. Slots lie in chunks that stay where they are until fini, so any
 * number may be asked for at any time. The table owns its slots, not the objects.
 *
 * Life of a slot:  free → add → open, refs ≥ 0 → retire → closed, refs ≥ 0
 *                  → last reference put: last(obj) → free, next generation
 */
#ifndef A3MI_HANDLE_H
#define A3MI_HANDLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 *  63            32  31  30             0
 * ┌────────────────┬───┬─────────────────┐
 * │   generation   │ C │   references    │    C: closed; also set while the slot is free
 * └────────────────┴───┴─────────────────┘
 */
#define A3MI_HANDLE_CLOSED    ((uint64_t)1 << 31)
#define A3MI_HANDLE_REFS_MASK (A3MI_HANDLE_CLOSED - 1)

/* A cache line each, so that busy handles do not slow one another down. */
struct a3mi_handle_slot {
    _Alignas(64) _Atomic uint64_t word; /* [atomic: acquire when refs go up, acq_rel when down] */
    _Atomic unsigned kind;              /* [atomic: relaxed; written before word is released] */
    uint32_t index;                     /* [const] */
    void *obj;                          /* [const while open or referenced] */
    void (*last)(void *obj);            /* [written by who closes, read by who drops the last reference] */
    struct a3mi_handle_slot *next_free; /* [table] */
};

/* Chunk k has 64 << k slots: 26 chunks are 2^32 - 64 slots. */
#define A3MI_HANDLE_CHUNK_BITS 6
#define A3MI_HANDLE_CHUNKS     26

struct a3mi_handles {
    _Atomic(struct a3mi_handle_slot *) chunks[A3MI_HANDLE_CHUNKS]; /* [atomic: release, acquire] */
    pthread_mutex_t lock;                                          /* [table] */
    struct a3mi_handle_slot *free_list;                            /* [table] */
    uint32_t slots;                                                /* [table] in all chunks */
    uint32_t fresh;                                                /* [table] index of the first never used */
};

/* 0; A3M_ENOMEM, A3M_EOS. */
int a3mi_handles_init(struct a3mi_handles *t);

/* Frees the slots, and forgets the objects. No other thread may use the table any more. */
void a3mi_handles_fini(struct a3mi_handles *t);

/*
 * Makes a handle for `obj`, open and without references. Any thread. `kind` tells
 * sorts of objects apart. 0 when there is no memory.
 */
uint64_t a3mi_handles_add(struct a3mi_handles *t, void *obj, unsigned kind);

/*
 * From now on no get succeeds. When the last reference is put, last(obj) is
 * called, once, by the thread that puts it, with no lock held: here and now if
 * there is none. Then the index may be used again. `last` may use the table, but
 * not fini it; NULL is accepted. Any thread. 0; A3M_EHANDLE when the handle is
 * stale or retired already: of several threads that try, one succeeds.
 */
int a3mi_handles_retire(struct a3mi_handles *t, uint64_t handle, void (*last)(void *obj));

/* [internal] The rest of put: the last reference to a closed slot is gone. */
void a3mi_handles_finish(struct a3mi_handles *t, struct a3mi_handle_slot *slot);

/* [internal] The slot that a handle's index names, or NULL. */
static inline struct a3mi_handle_slot *a3mi_handles_slot(struct a3mi_handles *t, uint64_t handle)
{
    uint64_t i = (uint32_t)handle + ((uint64_t)1 << A3MI_HANDLE_CHUNK_BITS);
    unsigned chunk = 63u - (unsigned)__builtin_clzll(i) - A3MI_HANDLE_CHUNK_BITS;

    if (chunk >= A3MI_HANDLE_CHUNKS) {
        return NULL;
    }
    struct a3mi_handle_slot *slots = atomic_load_explicit(&t->chunks[chunk], memory_order_acquire);

    return slots != NULL ? &slots[i - ((uint64_t)1 << (A3MI_HANDLE_CHUNK_BITS + chunk))] : NULL;
}

/*
 * The object of a handle, which cannot come to its end before the put that
 * belongs to this get; NULL when the handle is stale, retired, or of another
 * kind. Any thread; never blocks.
 *
 * The kind read before the exchange belongs to the generation that the exchange
 * proves to be current: it is written only while no reference can be had.
 */
static inline void *a3mi_handles_get(struct a3mi_handles *t, uint64_t handle, unsigned kind)
{
    struct a3mi_handle_slot *slot = a3mi_handles_slot(t, handle);

    if (slot == NULL) {
        return NULL;
    }
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);

    do {
        if (word >> 32 != handle >> 32 || (word & A3MI_HANDLE_CLOSED) != 0 ||
            atomic_load_explicit(&slot->kind, memory_order_relaxed) != kind) {
            return NULL;
        }
    } while (!atomic_compare_exchange_weak_explicit(&slot->word, &word, word + 1, memory_order_acq_rel,
                                                    memory_order_acquire));
    return slot->obj;
}

/* Drops a reference that get raised. May call the `last` of a retired handle. Any thread. */
static inline void a3mi_handles_put(struct a3mi_handles *t, uint64_t handle)
{
    struct a3mi_handle_slot *slot = a3mi_handles_slot(t, handle);
    uint64_t word = atomic_fetch_sub_explicit(&slot->word, 1, memory_order_acq_rel) - 1;

    if ((word & (A3MI_HANDLE_CLOSED | A3MI_HANDLE_REFS_MASK)) == A3MI_HANDLE_CLOSED) {
        a3mi_handles_finish(t, slot);
    }
}

#endif
