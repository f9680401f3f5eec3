/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A priority queue of timers: an intrusive 4-ary min-heap. It knows instants as
 * plain nanoseconds and no clock. Nodes with the same instant come out in the
 * order in which they were set, so that a run can be repeated. The array is the
 * heap's, the nodes are the caller's and must not move or go away while they are
 * in it. No locks: one thread at a time.
 */
#ifndef A3MI_HEAP_H
#define A3MI_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros is a node in no heap. Both fields are the heap's to write. */
struct a3mi_timer_node {
    int64_t at;   /* nanoseconds; what it was last set to */
    uint32_t pos; /* 0: not in the heap */
};

struct a3mi_heap_entry {
    int64_t at;
    uint64_t seq; /* breaks ties: number of the a3mi_heap_set */
    struct a3mi_timer_node *node;
};

struct a3mi_heap {
    struct a3mi_heap_entry *entries; /* NULL: nothing set yet; entries[i] is the node with pos i + 1 */
    uint32_t count;
    uint32_t capacity;
    uint64_t next_seq;
};

/* Makes an empty heap; does not allocate. */
void a3mi_heap_init(struct a3mi_heap *h);

/* Frees the array; nodes still in it are left as in no heap. */
void a3mi_heap_fini(struct a3mi_heap *h);

/*
 * Inserts a node, or moves it when it is in the heap already: either way it is
 * then behind all others of the same instant, unless it had this instant
 * before, which keeps its place. O(log n). 0; A3M_ENOMEM with nothing changed
 * (only when it is inserted).
 */
int a3mi_heap_set(struct a3mi_heap *h, struct a3mi_timer_node *node, int64_t at);

/* Takes a node out; harmless when it is not in the heap. O(log n). */
void a3mi_heap_cancel(struct a3mi_heap *h, struct a3mi_timer_node *node);

/* The node that is due first, which stays in the heap; NULL when there is none. O(1). */
static inline struct a3mi_timer_node *a3mi_heap_min(const struct a3mi_heap *h)
{
    return h->count > 0 ? h->entries[0].node : NULL;
}

/* Whether a node is in the heap. */
static inline bool a3mi_timer_armed(const struct a3mi_timer_node *node)
{
    return node->pos != 0;
}

#endif
