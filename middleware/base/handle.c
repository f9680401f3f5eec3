/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slow side of the handle table. Lock order: the table's mutex is a leaf; no
 * foreign code runs under it. A slot's word changes by atomic operations only;
 * its other fields are written by the one thread that may:
 *
 *      add     takes the slot off the free list     → writes obj, kind, releases word
 *      retire  is the one that closed the slot,
 *              and holds a reference                → writes last, drops the reference
 *      finish  dropped the last reference           → reads obj and last, frees the slot
 */
#include "base/handle.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"

#define FIRST_CHUNK ((uint32_t)1 << A3MI_HANDLE_CHUNK_BITS)

int a3mi_handles_init(struct a3mi_handles *t)
{
    int error = pthread_mutex_init(&t->lock, NULL);

    if (error != 0) {
        return a3mi_fail(error == ENOMEM ? A3M_ENOMEM : A3M_EOS, "pthread_mutex_init: error %d", error);
    }
    for (unsigned i = 0; i < A3MI_HANDLE_CHUNKS; i++) {
        atomic_init(&t->chunks[i], NULL);
    }
    t->free_list = NULL;
    t->slots = 0;
    t->fresh = 0;
    return 0;
}

void a3mi_handles_fini(struct a3mi_handles *t)
{
    for (unsigned i = 0; i < A3MI_HANDLE_CHUNKS; i++) {
        free(atomic_load_explicit(&t->chunks[i], memory_order_relaxed));
        atomic_init(&t->chunks[i], NULL);
    }
    pthread_mutex_destroy(&t->lock);
}

/* Appends the next chunk, twice as large as the last one. */
static bool add_chunk_locked(struct a3mi_handles *t)
{
    unsigned chunk = 31u - (unsigned)__builtin_clz(t->slots / FIRST_CHUNK + 1);
    size_t n = (size_t)FIRST_CHUNK << chunk;

    if (chunk >= A3MI_HANDLE_CHUNKS || n > SIZE_MAX / sizeof(struct a3mi_handle_slot)) {
        return false;
    }
    struct a3mi_handle_slot *slots = aligned_alloc(_Alignof(struct a3mi_handle_slot),
                                                   n * sizeof(struct a3mi_handle_slot));

    if (slots == NULL) {
        return false;
    }
    /* Generation 0, which no handle has. */
    for (size_t i = 0; i < n; i++) {
        atomic_init(&slots[i].word, A3MI_HANDLE_CLOSED);
        atomic_init(&slots[i].kind, 0);
        slots[i].index = t->slots + (uint32_t)i;
    }
    atomic_store_explicit(&t->chunks[chunk], slots, memory_order_release);
    t->slots += (uint32_t)n;
    return true;
}

static struct a3mi_handle_slot *take_slot_locked(struct a3mi_handles *t)
{
    struct a3mi_handle_slot *slot = t->free_list;

    if (slot != NULL) {
        t->free_list = slot->next_free;
        return slot;
    }
    if (t->fresh == t->slots && !add_chunk_locked(t)) {
        return NULL;
    }
    return a3mi_handles_slot(t, t->fresh++);
}

uint64_t a3mi_handles_add(struct a3mi_handles *t, void *obj, unsigned kind)
{
    pthread_mutex_lock(&t->lock);
    struct a3mi_handle_slot *slot = take_slot_locked(t);
    pthread_mutex_unlock(&t->lock);

    if (slot == NULL) {
        return 0;
    }
    uint64_t generation = (atomic_load_explicit(&slot->word, memory_order_relaxed) >> 32) + 1;

    slot->obj = obj;
    slot->last = NULL;
    atomic_store_explicit(&slot->kind, kind, memory_order_relaxed);
    atomic_store_explicit(&slot->word, generation << 32, memory_order_release);
    return generation << 32 | slot->index;
}

int a3mi_handles_retire(struct a3mi_handles *t, uint64_t handle, void (*last)(void *obj))
{
    struct a3mi_handle_slot *slot = a3mi_handles_slot(t, handle);

    if (slot == NULL) {
        return a3mi_fail_plain(A3M_EHANDLE);
    }
    uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire);

    do {
        if (word >> 32 != handle >> 32 || (word & A3MI_HANDLE_CLOSED) != 0) {
            return a3mi_fail_plain(A3M_EHANDLE);
        }
    } while (!atomic_compare_exchange_weak_explicit(&slot->word, &word, (word | A3MI_HANDLE_CLOSED) + 1,
                                                    memory_order_acq_rel, memory_order_acquire));
    slot->last = last;
    a3mi_handles_put(t, handle);
    return 0;
}

void a3mi_handles_finish(struct a3mi_handles *t, struct a3mi_handle_slot *slot)
{
    uint64_t generation = atomic_load_explicit(&slot->word, memory_order_relaxed) >> 32;

    if (slot->last != NULL) {
        slot->last(slot->obj);
    }
    if (generation == UINT32_MAX) {
        return; /* another one would wrap: this index has served */
    }
    pthread_mutex_lock(&t->lock);
    slot->next_free = t->free_list;
    t->free_list = slot;
    pthread_mutex_unlock(&t->lock);
}
