/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of instants that cannot fail: an intrusive pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986), all of
 * which is in the caller's nodes. For what must happen though there is no memory; heap.h is faster, and allocates. It
 * knows instants as plain nanoseconds and no clock. Nodes with the same instant come out in the order in which they
 * were set. Nodes must not move or go away while they are in it. No locks: one thread at a time.
 */
#ifndef A3MI_AGENDA_H
#define A3MI_AGENDA_H

#include <stdbool.h>
#include <stdint.h>

/* All zeros is a node in no agenda. */
struct a3mi_agenda_node {
    int64_t at;                      /* nanoseconds; what it was last set to */
    uint64_t seq;                    /* breaks ties */
    struct a3mi_agenda_node *child;  /* the first of those that come later */
    struct a3mi_agenda_node *next;   /* of the same parent */
    struct a3mi_agenda_node *before; /* of the same parent; of its first child the parent; of the root NULL */
    bool in;
};

/* All zeros is an empty one. */
struct a3mi_agenda {
    struct a3mi_agenda_node *first;
    uint64_t next_seq;
};

/*
 * Inserts a node, or moves it when it is in already: either way it is then behind all others of the same instant,
 * unless it had this instant before, which keeps its place. O(log n) on average over the calls, as is cancel.
 */
void a3mi_agenda_set(struct a3mi_agenda *agenda, struct a3mi_agenda_node *node, int64_t at);
/* Takes a node out; harmless when it is in none. */
void a3mi_agenda_cancel(struct a3mi_agenda *agenda, struct a3mi_agenda_node *node);
/* Takes all out. */
void a3mi_agenda_clear(struct a3mi_agenda *agenda);

/* The node that is due first, which stays; NULL when there is none. O(1). */
static inline struct a3mi_agenda_node *a3mi_agenda_first(const struct a3mi_agenda *agenda)
{
    return agenda->first;
}

#endif
