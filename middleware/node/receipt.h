/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts (a3m/receipt.h), at both ends of a link. Private to this folder.
 *
 * The sender's end: with the message that is put into the outbox its receipt goes over to the link, which keeps two
 * lists of them, each in the order of the messages' numbers:
 *
 *      put ──► sent ── acknowledged ──► accepted ── TAKEN ──► told
 *                │  (told, unless TAKEN is asked for)  │
 *                └────────── the link ends ────────────┴────► told
 *
 * Which of them a TAKEN is about is looked up by number, or by walking the lists, whichever is shorter; as a peer says
 * it once of each message, all that it ever says costs no more than the messages that were sent to it.
 *
 * What is to be told to a callback goes through one queue of the node, and is told after a turn: by one thread at a
 * time, so that the order is that of what happened.
 *
 * The receiver's end: the numbers of messages that were taken and ask for it, as ranges, until the engine says them
 * to the peer (control message TAKEN). While control messages wait to be sent to that peer the link waits in the
 * node's line, and what is taken meanwhile joins what is there: a peer that does not take what it asked for costs no
 * more than that.
 */
#ifndef A3MI_NODE_RECEIPT_H
#define A3MI_NODE_RECEIPT_H

#include <pthread.h>

#include "base/fifo.h"
#include "base/list.h"
#include "base/message.h"
#include "proto/control.h"

struct a3mi_link;
struct a3mi_node;
struct a3mi_turn;
struct a3m_base;

/* What is done after a turn, on the thread that ran it, no lock held; in the order of adding. */
struct a3mi_after {
    struct a3mi_after *next;
    void (*run)(struct a3mi_node *node, struct a3mi_after *after);
};

/* ---- The sender's end (receipt.c) -------------------------------------------- */

/* Of a link. [socket] */
struct a3mi_receipts {
    struct a3mi_list sent, accepted;
    size_t count;                /* in both */
    struct a3mi_buckets waiting; /* those that ask for TAKEN, by number */
    uint64_t said;               /* messages of this life that the peer said were taken */
};

/* Of a node: what callbacks are to be told. Zeroed, but for the lock. */
struct a3mi_tidings {
    pthread_mutex_t lock; /* a leaf */
    struct a3mi_fifo queue;
    bool noted;               /* `after` is, or will be, run */
    bool telling;             /* a thread is in a callback, and looks again */
    _Atomic uint32_t waiting; /* [atomic: relaxed] whether the queue is not empty, for who has no lock */
    struct a3mi_after after;
};

/* [engine] At the end of a turn: has them told after it. */
void a3mi_tidings_turn(struct a3mi_node *node, struct a3mi_turn *turn);
/* Tells all, here; no lock held, nobody else may. */
void a3mi_tidings_tell(struct a3mi_node *node);

void a3mi_receipts_init(struct a3mi_receipts *receipts);
/* None is in it. */
void a3mi_receipts_fini(struct a3mi_receipts *receipts);
/* [socket] The message, numbered so in this life of the link, is in the outbox. */
void a3mi_receipts_put(struct a3mi_link *link, a3m_msg *msg, uint64_t number);
/* [socket] All messages below this number are acknowledged. */
void a3mi_receipts_accept(struct a3mi_link *link, uint64_t end);
/* [socket] The peer says what was taken. False: of messages that were never sent, or twice; nothing is told. */
bool a3mi_receipts_take(struct a3mi_link *link, const struct a3mi_control *control);
/* [socket] The link is over: of what is not acknowledged, messages below this number were transmitted. */
void a3mi_receipts_end(struct a3mi_link *link, uint64_t transmitted);
/* [socket] A message that was taken over, and will not be sent. */
void a3mi_receipt_drop(struct a3m_base *socket, a3m_msg *msg, int reason);

/* ---- The receiver's end (taken.c) --------------------------------------------- */

/*
 * Ranges that wait to be said. Messages are taken nearly in order, and then these are few; beyond so many, with what was
 * not taken between each two and a peer that lets control messages wait, messages are not noted: their sender learns at
 * the end of the link that nothing is known.
 */
#define A3MI_TAKEN_MOST 4096u

/* Of a link: what was taken and not said yet. [socket] */
struct a3mi_taken {
    struct a3mi_numbers *v;   /* in the order of taking; NULL: none was ever asked for */
    size_t count, room;       /* no more than A3MI_TAKEN_MOST */
    bool merged;              /* nothing was put in since they were put in order */
    bool full;                /* nothing more is noted until some of it was said */
    struct a3mi_list in_line; /* [engine] of the node's links that wait to say it; counted */
};

/* [socket] The application took a message of the link's present life. True: there is something to be said. */
bool a3mi_taken_note(struct a3mi_taken *taken, const a3m_msg *msg);
/* [engine] [socket] Says it, or gets in line. */
void a3mi_taken_say(struct a3mi_link *link, int64_t now);
/* [engine] In a turn: those in line say it, if they may. */
void a3mi_taken_turn(struct a3mi_node *node, int64_t now);
/* [socket] Forgets it: the link is over. */
void a3mi_taken_clear(struct a3mi_taken *taken);

#endif
