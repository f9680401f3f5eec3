/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wait queues: who waits for something to become possible at an object. One
 * mechanism for blocking calls, link waits, a3m_poll and pollers (after
 * include/linux/wait.h): an entry says by its keys what it waits for and is told
 * by a callback of its own.
 *
 *     ordinary entries      all of them are woken
 *     exclusive entries     as many as can be served, in turn: one that stays in the
 *                           queue when it was woken goes to the back
 *
 * No lock of its own: the object's lock covers queue and entries, and callbacks
 * run under it. They collect parkers (struct a3mi_wakes), to be woken after it.
 */
#ifndef A3MI_WAITQ_H
#define A3MI_WAITQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

#include "runtime/parker.h"

/*
 * Keys. The low ones are the events of a3m/poller.h (those of poll(2)); the others are for blocking calls
 * alone. HUP and ERR reach every entry.
 */
enum {
    A3MI_KEY_IN = 0x001,
    A3MI_KEY_PRI = 0x002, /* of descriptors only */
    A3MI_KEY_OUT = 0x004,
    A3MI_KEY_ERR = 0x008,
    A3MI_KEY_HUP = 0x010,
    A3MI_KEY_LINK = 0x100,   /* of a socket: a link is up, or none is coming up any more */
    A3MI_KEY_WINDOW = 0x200, /* of a socket: the node's outbox has room */
    A3MI_KEY_STATE = 0x400,  /* of a link: its state changed */
    A3MI_KEY_NONE = 0x800,   /* of a socket: no link is up or coming up any more; of a link: it went down */
    A3MI_KEY_EVENTS = 0x01f, /* those that pollers see */
    A3MI_KEY_ANY = 0xffff
};

struct a3mi_waitq {
    struct a3mi_list entries; /* ordinary ones, then exclusive ones */
    uint32_t keys;            /* at least those that some entry waits for */
    uint32_t exact;           /* entries that are told of what is not possible any more, too */
};

struct a3mi_waitq_entry;

struct a3mi_waitq_ops {
    /*
     * Something is possible. May take the entry, and no other, out of its queue. Returns whether somebody
     * goes on because of it: if not, and the entry is exclusive, the next one is woken in its place.
     */
    bool (*wake)(struct a3mi_waitq_entry *entry, uint32_t keys, struct a3mi_wakes *wakes);
    /* Of what it waits for only `events` is possible now. Called when `exact`; may not take entries out. */
    void (*lower)(struct a3mi_waitq_entry *entry, uint32_t events, struct a3mi_wakes *wakes);
};

struct a3mi_waitq_entry {
    struct a3mi_list list;
    struct a3mi_waitq *queue; /* NULL: in none */
    const struct a3mi_waitq_ops *ops;
    uint32_t keys;
    bool exclusive;
    bool exact;
};

void a3mi_waitq_init(struct a3mi_waitq *queue);

/* Puts an entry with its `ops`, `keys`, `exclusive` and `exact` filled in behind those of its kind. */
void a3mi_waitq_add(struct a3mi_waitq *queue, struct a3mi_waitq_entry *entry);
/* Takes it out; harmless when it is in none. */
void a3mi_waitq_remove(struct a3mi_waitq_entry *entry);
/* Changes what an entry that is in a queue waits for. */
void a3mi_waitq_rekey(struct a3mi_waitq_entry *entry, uint32_t keys);
/* Lets an entry hear of what is not possible any more. */
void a3mi_waitq_set_exact(struct a3mi_waitq_entry *entry);
/* Moves all entries of `from` behind those of `into`. One lock covers both. */
void a3mi_waitq_move(struct a3mi_waitq *into, struct a3mi_waitq *from);

/*
 * Wakes all ordinary entries that wait for one of `keys`, and up to `n` exclusive
 * ones that go on because of it; returns how many of these. Constant time when
 * nobody waits for them.
 */
size_t a3mi_waitq_wake(struct a3mi_waitq *queue, uint32_t keys, size_t n, struct a3mi_wakes *wakes);

/* Wakes one exclusive entry other than this one, for what this one was woken for and has no use for. */
void a3mi_waitq_hand_on(struct a3mi_waitq_entry *from, uint32_t keys, struct a3mi_wakes *wakes);

/* Tells exact entries that only `events` is possible now. */
void a3mi_waitq_lower(struct a3mi_waitq *queue, uint32_t events, struct a3mi_wakes *wakes);

static inline bool a3mi_waitq_waiting(const struct a3mi_waitq *queue, uint32_t keys)
{
    return (queue->keys & keys) != 0;
}

/* ---- A thread that waits, on its stack ---------------------------------------- */

struct a3mi_waiter {
    struct a3mi_waitq_entry entry; /* leaves its queue when it is woken */
    struct a3mi_parker parker;
    bool woken; /* a wake was collected for it: carried out before a3mi_parker_fini returns */
};

void a3mi_waiter_init(struct a3mi_waiter *waiter, uint32_t keys, bool exclusive);

/* Takes it off its queue and collects its wake. Once. */
void a3mi_waiter_take(struct a3mi_waiter *waiter, struct a3mi_wakes *wakes);

#endif
