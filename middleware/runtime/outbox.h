/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox: many push without a lock, the holder of the engine lock pops.
 * Dmitry Vyukov's intrusive MPSC queue (1024cores.net, "Intrusive MPSC
 * node-based queue"): one exchange and one store a push; a stub keeps it from
 * ever being without a node. It owns nothing and allocates nothing.
 *
 *     tail -> [stub] -> [A] -> [B] <- head        pop at the tail, push at the head
 *
 * Between its exchange and its store a pusher has cut the chain: what lies
 * behind cannot be reached. To the drainer that counts as empty, and the pusher
 * itself, having linked its node, fences and tries the lock.
 *
 * The holder's look after unlocking may touch no node (another holder may have
 * popped and freed it), only what lies in this struct. That is the stub's link,
 * when the queue was drained down to the stub, which is so after nearly every
 * turn. Otherwise, when the chain was cut behind a real node, it is the flag
 * `linked`, which every pusher sets and such a drainer clears before it looks
 * at the cut for the last time:
 *
 *     pusher                         drainer
 *     cut node's link = mine         linked = 0 (exchange), fence
 *     linked = 1                     cut node's link: none
 *     fence                          unlock, fence
 *     look at the lock               linked? then try the lock again
 */
#ifndef A3MI_OUTBOX_H
#define A3MI_OUTBOX_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/outbox_node.h"

#include "runtime/fence.h"

struct a3mi_outbox {
    /* A cache line for pushers. */
    alignas(64) _Atomic(struct a3mi_outbox_node *) head; /* [atomic: exchange] the newest */
    struct a3mi_outbox_node stub;
    _Atomic uint32_t linked; /* [atomic: release by pushers, exchange by the drainer] */

    alignas(64) struct a3mi_outbox_node *tail; /* [engine] the oldest, or the stub before it */
};

/* Where to look after the lock was let go. */
enum a3mi_outbox_look {
    A3MI_OUTBOX_LOOK_STUB,   /* drained: at the stub's link */
    A3MI_OUTBOX_LOOK_LINKED, /* cut behind a real node: at `linked` */
    A3MI_OUTBOX_NOT_EMPTY,   /* nowhere: there are nodes to pop */
};

static inline void a3mi_outbox_init(struct a3mi_outbox *q)
{
    atomic_init(&q->stub.next, NULL);
    q->stub.kind = 0;
    atomic_init(&q->head, &q->stub);
    atomic_init(&q->linked, 0);
    q->tail = &q->stub;
}

static inline void a3mi_outbox_link(struct a3mi_outbox *q, struct a3mi_outbox_node *node)
{
    atomic_store_explicit(&node->next, NULL, memory_order_relaxed);
    struct a3mi_outbox_node *prev = atomic_exchange_explicit(&q->head, node, memory_order_acq_rel);
    atomic_store_explicit(&prev->next, node, A3MI_FENCED_STORE);
}

/* Any thread. Who pushes must then fence and try the engine lock (a3mi_reader_kick). */
static inline void a3mi_outbox_push(struct a3mi_outbox *q, struct a3mi_outbox_node *node)
{
    a3mi_outbox_link(q, node);
    atomic_store_explicit(&q->linked, 1, A3MI_FENCED_STORE);
}

static inline struct a3mi_outbox_node *a3mi_outbox_next(const struct a3mi_outbox_node *node)
{
    return atomic_load_explicit(&node->next, A3MI_FENCED_LOAD);
}

/* [engine] The oldest node, which leaves the queue; NULL when there is none, or it cannot be reached yet. */
static inline struct a3mi_outbox_node *a3mi_outbox_pop(struct a3mi_outbox *q)
{
    struct a3mi_outbox_node *tail = q->tail;
    struct a3mi_outbox_node *next = a3mi_outbox_next(tail);

    if (tail == &q->stub) {
        if (next == NULL) {
            return NULL;
        }
        q->tail = next;
        tail = next;
        next = a3mi_outbox_next(tail);
    }
    if (next == NULL) {
        if (tail != atomic_load_explicit(&q->head, memory_order_acquire)) {
            return NULL;
        }
        /* The last one can only leave when there is something behind it. */
        a3mi_outbox_link(q, &q->stub);
        next = a3mi_outbox_next(tail);
        if (next == NULL) {
            return NULL;
        }
    }
    q->tail = next;
    return tail;
}

/* [engine] Before the unlock: where to look after it. */
static inline enum a3mi_outbox_look a3mi_outbox_settle(struct a3mi_outbox *q)
{
    const struct a3mi_outbox_node *tail = q->tail;

    if (tail == &q->stub) {
        return A3MI_OUTBOX_LOOK_STUB;
    }
    if (a3mi_outbox_next(tail) != NULL || tail == atomic_load_explicit(&q->head, memory_order_acquire)) {
        return A3MI_OUTBOX_NOT_EMPTY;
    }
    (void)atomic_exchange(&q->linked, 0);
    a3mi_fence();
    return a3mi_outbox_next(tail) != NULL ? A3MI_OUTBOX_NOT_EMPTY : A3MI_OUTBOX_LOOK_LINKED;
}

/* After unlock and fence, without the lock: whether there may be something to pop, and nobody about to do so. */
static inline bool a3mi_outbox_look(const struct a3mi_outbox *q, enum a3mi_outbox_look where)
{
    switch (where) {
    case A3MI_OUTBOX_LOOK_STUB: return a3mi_outbox_next(&q->stub) != NULL;
    case A3MI_OUTBOX_LOOK_LINKED: return atomic_load_explicit(&q->linked, A3MI_FENCED_LOAD) != 0;
    case A3MI_OUTBOX_NOT_EMPTY: break;
    }
    return true;
}

#endif
