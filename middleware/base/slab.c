/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slabs. A chunk is a header of one cache line and the objects behind it. Objects
 * that were put are linked through their own first bytes; those of the newest
 * chunk that were never used are only counted, so that their pages stay
 * untouched.
 */
#include "base/slab.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#define poison(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define unpoison(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define poison(p, n)   ((void)(p), (void)(n))
#define unpoison(p, n) ((void)(p), (void)(n))
#endif

struct a3mi_slab_chunk {
    _Alignas(A3MI_SLAB_ALIGN) struct a3mi_slab_chunk *next;
};

struct a3mi_slab_free {
    struct a3mi_slab_free *next;
};

void a3mi_slab_init(struct a3mi_slab *s, size_t object_size, size_t objects_per_chunk, size_t max_objects)
{
    assert(object_size > 0 && object_size <= SIZE_MAX - A3MI_SLAB_ALIGN && objects_per_chunk > 0);
    *s = (struct a3mi_slab){
        .object_size = (object_size + A3MI_SLAB_ALIGN - 1) / A3MI_SLAB_ALIGN * A3MI_SLAB_ALIGN,
        .objects_per_chunk = objects_per_chunk,
        .max_objects = max_objects,
    };
}

void a3mi_slab_fini(struct a3mi_slab *s)
{
    assert(s->used == 0);
    a3mi_slab_fini_abandon(s);
}

void a3mi_slab_fini_abandon(struct a3mi_slab *s)
{
    while (s->chunks != NULL) {
        struct a3mi_slab_chunk *chunk = s->chunks;

        s->chunks = chunk->next;
        unpoison(chunk + 1, s->object_size * s->objects_per_chunk);
        free(chunk);
    }
    s->free_list = NULL;
    s->fresh = 0;
    s->used = 0;
}

static bool add_chunk(struct a3mi_slab *s)
{
    size_t objects, size;

    if (__builtin_mul_overflow(s->object_size, s->objects_per_chunk, &objects) ||
        __builtin_add_overflow(objects, sizeof(struct a3mi_slab_chunk), &size)) {
        return false;
    }
    struct a3mi_slab_chunk *chunk = aligned_alloc(A3MI_SLAB_ALIGN, size);

    if (chunk == NULL) {
        return false;
    }
    chunk->next = s->chunks;
    s->chunks = chunk;
    s->fresh = s->objects_per_chunk;
    poison(chunk + 1, objects);
    return true;
}

static void *take_freed(struct a3mi_slab *s)
{
    struct a3mi_slab_free *obj = s->free_list;

    unpoison(obj, s->object_size);
    s->free_list = obj->next;
    return obj;
}

static void *take_fresh(struct a3mi_slab *s)
{
    char *objects = (char *)(s->chunks + 1);
    char *obj = objects + (s->objects_per_chunk - s->fresh) * s->object_size;

    s->fresh--;
    unpoison(obj, s->object_size);
    return obj;
}

void *a3mi_slab_get(struct a3mi_slab *s)
{
    if (s->max_objects != 0 && s->used == s->max_objects) {
        return NULL;
    }
    if (s->free_list == NULL && s->fresh == 0 && !add_chunk(s)) {
        return NULL;
    }
    s->used++;
    return s->free_list != NULL ? take_freed(s) : take_fresh(s);
}

void a3mi_slab_put(struct a3mi_slab *s, void *obj)
{
    if (obj == NULL) {
        return;
    }
    assert(s->used > 0);
    struct a3mi_slab_free *freed = obj;

    freed->next = s->free_list;
    s->free_list = freed;
    s->used--;
    poison(obj, s->object_size);
}
