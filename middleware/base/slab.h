/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of objects of one size, 64-byte aligned, cut from chunks that are
 * allocated when needed and freed only by fini. What was put last is got first,
 * while it is in the cache. Objects that are not in use are poisoned under
 * AddressSanitizer, so a use after put (and a second put) is reported.
 * No locks: one thread at a time.
 */
#ifndef A3MI_SLAB_H
#define A3MI_SLAB_H

#include <stddef.h>

#define A3MI_SLAB_ALIGN 64

struct a3mi_slab_chunk;
struct a3mi_slab_free;

struct a3mi_slab {
    struct a3mi_slab_free *free_list; /* objects that were put */
    struct a3mi_slab_chunk *chunks;   /* newest first; only the newest has objects never used yet */
    size_t fresh;                     /* objects never used in the newest chunk */
    size_t used;
    size_t object_size;       /* [const] rounded up to the alignment */
    size_t objects_per_chunk; /* [const] */
    size_t max_objects;       /* [const] 0: no limit */
};

/*
 * Makes an empty pool; does not allocate. Sizes are in bytes and objects;
 * `objects_per_chunk` is at least 1, `max_objects` limits how many are in use at
 * once (0: no limit).
 */
void a3mi_slab_init(struct a3mi_slab *s, size_t object_size, size_t objects_per_chunk, size_t max_objects);

/* Frees all memory. Asserts that every object was put. */
void a3mi_slab_fini(struct a3mi_slab *s);

/* Frees all memory, objects in use included. */
void a3mi_slab_fini_abandon(struct a3mi_slab *s);

/* An object, uninitialised, until put; NULL at the limit, or when there is no memory. */
void *a3mi_slab_get(struct a3mi_slab *s);

/* Gives an object of this pool back. NULL is accepted. */
void a3mi_slab_put(struct a3mi_slab *s, void *obj);

/* Objects in use. */
static inline size_t a3mi_slab_used(const struct a3mi_slab *s)
{
    return s->used;
}

#endif
