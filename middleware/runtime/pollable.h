/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be waited for and polled: sockets and links, seen by blocking calls,
 * a3m_poll and pollers as a wait queue and the events that are possible now.
 * Embedded in the object, whose lock covers it.
 */
#ifndef A3MI_POLLABLE_H
#define A3MI_POLLABLE_H

#include <stdint.h>

#include "runtime/waitq.h"

struct a3mi_pollable;

struct a3mi_pollable_ops {
    void (*lock)(struct a3mi_pollable *pollable);
    void (*unlock)(struct a3mi_pollable *pollable);
    /* The events that are possible now (A3MI_KEY_EVENTS); HUP: it is over, for good. [its lock] */
    uint32_t (*events)(struct a3mi_pollable *pollable);
    void (*ref)(struct a3mi_pollable *pollable);
    void (*unref)(struct a3mi_pollable *pollable);
};

struct a3mi_pollable {
    const struct a3mi_pollable_ops *ops; /* [const] */
    uint64_t home;                       /* [const] whose traffic makes its events: a node's handle */
    struct a3mi_waitq queue;             /* [its lock] */
    uint64_t taken, sent;         /* [its lock] how often something to read, room to write was used up */
    struct a3mi_pollable *joined; /* [its lock] NULL, or the one, under the same lock, that it stands for */
};

static inline void a3mi_pollable_init(struct a3mi_pollable *pollable, const struct a3mi_pollable_ops *ops,
                                      uint64_t home)
{
    pollable->ops = ops;
    pollable->home = home;
    pollable->taken = pollable->sent = 0;
    pollable->joined = NULL;
    a3mi_waitq_init(&pollable->queue);
}

/* Itself, or the one that it stands for. [its lock] */
static inline struct a3mi_pollable *a3mi_pollable_real(struct a3mi_pollable *pollable)
{
    while (pollable->joined != NULL) {
        pollable = pollable->joined;
    }
    return pollable;
}

/*
 * From here on it stands for another one, which has to live as long. Who waits for it goes on with that one; wakes for
 * what is possible there are the caller's business. [the lock of both]
 */
static inline void a3mi_pollable_join(struct a3mi_pollable *pollable, struct a3mi_pollable *other)
{
    pollable->joined = other;
    a3mi_waitq_move(&a3mi_pollable_real(other)->queue, &pollable->queue);
}

/* Waits there. [its lock] */
static inline void a3mi_pollable_enqueue(struct a3mi_pollable *pollable, struct a3mi_waitq_entry *entry)
{
    a3mi_waitq_add(&a3mi_pollable_real(pollable)->queue, entry);
}

/* Less may be possible than before: who must know exactly is told. [its lock] */
static inline void a3mi_pollable_lower(struct a3mi_pollable *pollable, struct a3mi_wakes *wakes)
{
    if (pollable->queue.exact != 0) {
        a3mi_waitq_lower(&pollable->queue, pollable->ops->events(pollable), wakes);
    }
}

/* Something was used up of what `keys` (IN, OUT) say. [its lock] */
static inline void a3mi_pollable_consume(struct a3mi_pollable *pollable, uint32_t keys,
                                         struct a3mi_wakes *wakes)
{
    pollable->taken += (keys & A3MI_KEY_IN) != 0;
    pollable->sent += (keys & A3MI_KEY_OUT) != 0;
    a3mi_pollable_lower(pollable, wakes);
}

/* How often what `keys` say was used up. [its lock] */
static inline uint64_t a3mi_pollable_consumed(struct a3mi_pollable *pollable, uint32_t keys)
{
    pollable = a3mi_pollable_real(pollable);
    return ((keys & A3MI_KEY_IN) != 0 ? pollable->taken : 0) +
           ((keys & A3MI_KEY_OUT) != 0 ? pollable->sent : 0);
}

#endif
