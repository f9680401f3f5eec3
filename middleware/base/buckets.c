/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buckets.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 16, PER_BUCKET = 2 };

void a3mi_buckets_init(struct a3mi_buckets *buckets)
{
    *buckets = (struct a3mi_buckets){0};
    a3mi_list_init(&buckets->one);
}

void a3mi_buckets_fini(struct a3mi_buckets *buckets)
{
    free(buckets->v);
    buckets->v = NULL;
    buckets->capacity = 0;
}

static struct a3mi_list *at(struct a3mi_list *v, size_t capacity, uint64_t hash)
{
    return &v[(size_t)hash & (capacity - 1)];
}

struct a3mi_list *a3mi_buckets_at(struct a3mi_buckets *buckets, uint64_t hash)
{
    return buckets->v != NULL ? at(buckets->v, buckets->capacity, hash) : &buckets->one;
}

/* From a bucket to those of a new table, in their order. */
static void spread(struct a3mi_list *from, struct a3mi_list *v, size_t capacity)
{
    struct a3mi_list *it;

    while ((it = a3mi_list_pop_front(from)) != NULL) {
        const struct a3mi_bucketed *node = a3mi_container_of(it, struct a3mi_bucketed, list);

        a3mi_list_push_back(at(v, capacity, node->hash), it);
    }
}

static void grow(struct a3mi_buckets *buckets)
{
    size_t capacity = buckets->capacity > 0 ? buckets->capacity * 2 : FIRST_CAPACITY;
    assert(capacity >= FIRST_CAPACITY);
    struct a3mi_list *v = malloc(capacity * sizeof(*v));

    if (v == NULL) {
        return;
    }
    for (size_t i = 0; i < capacity; i++) {
        a3mi_list_init(&v[i]);
    }
    spread(&buckets->one, v, capacity);
    for (size_t i = 0; i < buckets->capacity; i++) {
        spread(&buckets->v[i], v, capacity);
    }
    free(buckets->v);
    buckets->v = v;
    buckets->capacity = capacity;
}

void a3mi_buckets_add(struct a3mi_buckets *buckets, struct a3mi_bucketed *node, uint64_t hash)
{
    size_t have = buckets->capacity > 0 ? buckets->capacity : 1;

    if (buckets->count >= PER_BUCKET * have) {
        grow(buckets);
    }
    node->hash = hash;
    a3mi_list_push_back(a3mi_buckets_at(buckets, hash), &node->list);
    buckets->count++;
}

void a3mi_buckets_remove(struct a3mi_buckets *buckets, struct a3mi_bucketed *node)
{
    if (a3mi_list_linked(&node->list)) {
        a3mi_list_remove(&node->list);
        buckets->count--;
    }
}
