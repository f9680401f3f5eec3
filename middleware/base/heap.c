/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 4-ary heap: the children of i are 4i+1 to 4i+4, so that a node's four children
 * lie together and the tree is half as deep as a binary one. Entries hold the
 * instants, so that comparing does not touch the nodes.
 */
#include "base/heap.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"

#define ARITY        4u
#define MIN_CAPACITY 16u

static bool before(const struct a3mi_heap_entry *a, const struct a3mi_heap_entry *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void place(struct a3mi_heap *h, uint32_t i, const struct a3mi_heap_entry *entry)
{
    h->entries[i] = *entry;
    entry->node->pos = i + 1;
}

/* Moves the hole at i to where `entry` belongs at i or above, and fills it. */
static void sift_up(struct a3mi_heap *h, uint32_t i, struct a3mi_heap_entry entry)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / ARITY;

        if (!before(&entry, &h->entries[parent])) {
            break;
        }
        place(h, i, &h->entries[parent]);
        i = parent;
    }
    place(h, i, &entry);
}

/* The earliest child of i, or `count` when it has none. 64 bits, as 4i may exceed 32. */
static uint64_t earliest_child(const struct a3mi_heap *h, uint32_t i)
{
    uint64_t first = (uint64_t)i * ARITY + 1;

    if (first >= h->count) {
        return h->count;
    }
    uint64_t end = first + ARITY < h->count ? first + ARITY : h->count;
    uint64_t best = first;

    for (uint64_t c = first + 1; c < end; c++) {
        if (before(&h->entries[c], &h->entries[best])) {
            best = c;
        }
    }
    return best;
}

/* The same downwards. */
static void sift_down(struct a3mi_heap *h, uint32_t i, struct a3mi_heap_entry entry)
{
    for (;;) {
        uint64_t child = earliest_child(h, i);

        if (child >= h->count || !before(&h->entries[child], &entry)) {
            break;
        }
        place(h, i, &h->entries[child]);
        i = (uint32_t)child;
    }
    place(h, i, &entry);
}

/* The place of a node, which must be in this heap and no other. */
static uint32_t place_of(const struct a3mi_heap *h, const struct a3mi_timer_node *node)
{
    assert(h->entries != NULL && node->pos <= h->count && h->entries[node->pos - 1].node == node);
    (void)h;
    return node->pos - 1;
}

/* Fills the hole at i, from which the order may be broken in either direction. */
static void sift(struct a3mi_heap *h, uint32_t i, struct a3mi_heap_entry entry)
{
    if (i > 0 && before(&entry, &h->entries[(i - 1) / ARITY])) {
        sift_up(h, i, entry);
    } else {
        sift_down(h, i, entry);
    }
}

static bool grow(struct a3mi_heap *h)
{
    if (h->capacity > UINT32_MAX / 2) {
        return false;
    }
    uint32_t capacity = h->capacity > 0 ? h->capacity * 2 : MIN_CAPACITY;
    struct a3mi_heap_entry *entries = reallocarray(h->entries, capacity, sizeof *entries);

    if (entries == NULL) {
        return false;
    }
    h->entries = entries;
    h->capacity = capacity;
    return true;
}

void a3mi_heap_init(struct a3mi_heap *h)
{
    *h = (struct a3mi_heap){0};
}

void a3mi_heap_fini(struct a3mi_heap *h)
{
    for (uint32_t i = 0; i < h->count; i++) {
        h->entries[i].node->pos = 0;
    }
    free(h->entries);
    a3mi_heap_init(h);
}

int a3mi_heap_set(struct a3mi_heap *h, struct a3mi_timer_node *node, int64_t at)
{
    if (node->pos != 0 && node->at == at) {
        return 0;
    }
    if (node->pos == 0 && h->count == h->capacity && !grow(h)) {
        return a3mi_fail_plain(A3M_ENOMEM);
    }
    struct a3mi_heap_entry entry = {.at = at, .seq = h->next_seq++, .node = node};

    node->at = at;
    if (node->pos == 0) {
        sift_up(h, h->count++, entry);
    } else {
        sift(h, place_of(h, node), entry);
    }
    return 0;
}

void a3mi_heap_cancel(struct a3mi_heap *h, struct a3mi_timer_node *node)
{
    if (node->pos == 0) {
        return;
    }
    uint32_t hole = place_of(h, node);
    struct a3mi_heap_entry last = h->entries[--h->count];

    node->pos = 0;
    if (last.node != node) {
        sift(h, hole, last);
    }
}
