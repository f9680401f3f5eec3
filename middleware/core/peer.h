/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers: nodes known by id, by address, or both; which of their incarnations are
 * known, and which are over. Private to core; the part for callers is in
 * assoc.h.
 *
 * Life: a peer is there while somebody holds it or it has a record.
 */
#ifndef A3MI_PEER_H
#define A3MI_PEER_H

#include "core/rtt.h"
#include "core/state.h"

/* Incarnations of one peer that are remembered; those that ended longest ago are forgotten first. */
#define A3MI_LIVES_MAX 8u

/* How long a node is turned away whose id another one uses. */
#define A3MI_DUPLICATE_LIFE INT64_C(30000000000)

/* An incarnation that proved that it is, or was, alive. */
struct a3mi_life {
    uint64_t incarnation;
    uint64_t first_seen;     /* clock value given last when it was seen first */
    uint64_t ended_at;       /* likewise for its end; 0: not ended */
    uint32_t channels;       /* a3mi_tx attached */
    bool owed;               /* it must learn that we ended what we had made with it, though it lives on */
    int64_t duplicate_until; /* it was alive after its end: turned away until then */
};

struct a3mi_peer {
    struct a3mi_mapb_node by_id, by_addr;
    bool at_addr;         /* in by_addr */
    bool is_self;         /* the peer that loops back */
    bool merged;          /* turned out to be another: waits to be released */
    struct a3mi_name id;  /* len 0: not known yet */
    struct a3m_addr addr; /* where new records are opened; kind NONE: not known */
    uint32_t refs;
    int64_t heard_at;         /* any packet that fits a record of it */
    uint64_t held, assembled; /* memory (core/memory.h) */
    struct a3mi_list all;
    struct a3mi_list recent;    /* in assoc->recent */
    struct a3mi_list untold;    /* in assoc->move.untold */
    struct a3mi_list debtor;    /* in assoc->debtors: kept only for what an incarnation is owed */
    struct a3mi_list links;     /* the caller's */
    void *slot;                 /* the caller's */
    uint64_t tally, mark;       /* the caller's */
    struct a3mi_list txs;       /* a3mi_tx.on_peer: channels attached */
    struct a3mi_list senders;   /* a3mi_sender.on_peer, newest last */
    struct a3mi_list receivers; /* a3mi_receiver.on_peer, newest last */
    struct a3mi_rtt rtt;
    uint32_t ordinal;    /* while a snapshot is written */
    uint64_t control_to; /* what the sender of the last control message was bound to */
    unsigned lives_count;
    struct a3mi_life lives[A3MI_LIVES_MAX];
};

/* The peer with that id, or NULL. */
struct a3mi_peer *a3mi_peer_find(struct a3mi_assoc *assoc, const struct a3mi_name *id);
/* One of which nothing is known yet, not held. NULL: no memory. */
struct a3mi_peer *a3mi_peer_new(struct a3mi_assoc *assoc);
/* The same, made if need be; not held. NULL: no memory. */
struct a3mi_peer *a3mi_peer_obtain(struct a3mi_assoc *assoc, const struct a3mi_name *id);
/* Gives a peer known by address its id, which no other has. A3M_ENOMEM. */
int a3mi_peer_name(struct a3mi_assoc *assoc, struct a3mi_peer *peer, const struct a3mi_name *id);
/* It was heard: it is the last that would have to go. */
void a3mi_peer_heard(struct a3mi_assoc *assoc, struct a3mi_peer *peer);
/*
 * Whether a stranger may become a peer. When there are as many as there may be, one makes way that has no link
 * and was not heard for a while.
 */
bool a3mi_peer_admit(struct a3mi_assoc *assoc);
/* Frees it when nobody holds it and it has no record. */
void a3mi_peer_drop_unused(struct a3mi_assoc *assoc, struct a3mi_peer *peer);
void a3mi_peer_free(struct a3mi_assoc *assoc, struct a3mi_peer *peer);
/* Notes where the peer is, as it proved. */
void a3mi_peer_at(struct a3mi_assoc *assoc, struct a3mi_peer *peer, const struct a3m_addr *addr);
/* Somebody else is at the peer's address: it is not found there any more. */
void a3mi_peer_not_at(struct a3mi_assoc *assoc, struct a3mi_peer *peer);
/*
 * `from` turned out to be this incarnation of `into`, which is at its address
 * then: channels move, the hook is called. Records of `from` have been moved or
 * ended.
 */
void a3mi_peer_merge(struct a3mi_assoc *assoc, struct a3mi_peer *from, struct a3mi_peer *into,
                     uint64_t incarnation);
/* Records of one incarnation (its proven ones) move to an address, and the peer with them. */
void a3mi_peer_move(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation,
                    const struct a3m_addr *addr);

/* ---- Incarnations (life.c) ----------------------------------------------------- */

/* What is known of an incarnation; NULL: nothing. */
struct a3mi_life *a3mi_life_find(struct a3mi_peer *peer, uint64_t incarnation);
/* The same, noted as seen after clock value `first_seen` if it is new; forgets another one when there are too many. */
struct a3mi_life *a3mi_life_note(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation,
                                 uint64_t first_seen);
/* Forgets one. If it was owed news, all that are met for the first time are owed them from now on. */
void a3mi_life_forget(struct a3mi_assoc *assoc, struct a3mi_peer *peer, struct a3mi_life *life);
/* Whether it is known to be over. */
bool a3mi_life_is_over(struct a3mi_peer *peer, uint64_t incarnation);
/* The incarnation that new links should be made with: the newest with channels; 0: none. */
uint64_t a3mi_life_current(const struct a3mi_peer *peer);
/*
 * Ends everything that was made with an incarnation: records, then the hook
 * peer_ended. RESTARTED: it is over for good, and remembered as such. Otherwise
 * it may live on, and must learn of it before anything more is accepted from
 * it: our next OPEN says so.
 */
void a3mi_life_end(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation,
                   enum a3mi_peer_end why);
/* The same, as the incarnation itself asked for by the OPEN that made `spared`, which stays. */
void a3mi_life_end_afresh(struct a3mi_assoc *assoc, struct a3mi_peer *peer, struct a3mi_receiver *spared);
/* Whether it is owed the news that everything ended. */
bool a3mi_life_is_owed(struct a3mi_peer *peer, uint64_t incarnation);
/* `incarnation` was alive after clock value `since`: others, seen before that, are over. */
void a3mi_life_proven(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation, uint64_t since);

#endif
