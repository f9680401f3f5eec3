/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an association: what its files share. Private to core.
 *
 *   assoc.c      life, statistics, time      peer.c       peers and their incarnations
 *   input.c      packets in                  sender*.c    S: what we send
 *   output.c     packets out                 receiver*.c  R: what we receive
 *   gate.c       packets that wait           snapshot*.c  the state, stored
 *   answer.c     small packets that wait     channel_*.c  messages to frames and back
 *   memory.c     what may wait, and whose it is
 *   loopback.c   the peer that is this node  path.c       addresses of peers that move
 *   move.c       this node's own
 *
 * Whole packets come in and go out one at a time, so nothing here is entered
 * twice: hooks may only call what assoc.h allows them, which changes queues,
 * channels and references, and ends no record.
 */
#ifndef A3MI_STATE_H
#define A3MI_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fifo.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/slab.h"
#include "core/assoc.h"
#include "core/limiter.h"
#include "core/packet.h"

/* Receiver records whose sender has not shown that it is alive; beyond, OPEN is answered by RETRY. */
#define A3MI_PRESSURE 1024u
/* Beyond, the oldest of them goes. */
#define A3MI_UNPROVEN_MAX 16384u
/* Of one incarnation of a peer, from as many addresses: only one of them can be where it is. */
#define A3MI_RIVALS_MAX 4u
/* How long one lasts after its last OPEN. */
#define A3MI_UNPROVEN_LIFE INT64_C(10000000000)
/* Units granted to a sender before it has shown that it is alive: the initial congestion window fits. */
#define A3MI_UNPROVEN_LIMIT 16u
/* Units granted by default. */
#define A3MI_WINDOW 2048u
#define A3MI_LINGER INT64_C(2000000000)
/* Small packets that wait to go out; beyond, answers are dropped as if lost. */
#define A3MI_ANSWERS_MAX 512u
/* Peers, beyond which no more strangers are taken. */
#define A3MI_PEERS_MAX 16384u
/* Peers kept only because they are owed the news that all is ended; beyond, the oldest is a stranger again. */
#define A3MI_DEBTORS_MAX 1024u
/* Answers to strangers, a second and address. */
#define A3MI_STRANGER_RATE 64u

/* Sizes that rings, and blocks of ranges, come in: each eight times the one before. */
#define A3MI_RING_SIZES   3u
#define A3MI_RANGES_SIZES 4u

struct a3mi_cc_ops;
struct a3mi_sender;
struct a3mi_receiver;

/* A timer of a record. In the heap from the making of the record to its end, so that setting it cannot fail. */
struct a3mi_alarm {
    struct a3mi_timer_node node;
    void (*fire)(struct a3mi_assoc *assoc, struct a3mi_alarm *alarm);
};

/* What a packet of the last output was, for a3mi_assoc_refused. */
struct a3mi_sent {
    struct a3mi_answer *answer; /* or NULL: a unit */
    uint64_t s, seq;
    uint64_t acked_r; /* the record whose acknowledgement rode on it; 0: none */
};

struct a3mi_loopback {
    struct a3mi_peer *peer;   /* made when needed */
    struct a3mi_list ready;   /* of a3mi_tx.ready */
    struct a3mi_fifo control; /* of a3m_msg.node */
    struct a3mi_tx *current;  /* the one being served; NULL once it was detached */
};

/* Packets that wait until what they say is stored (core/gate.h). */
struct a3mi_gate {
    struct a3mi_fifo held, marked, released, lent;
    size_t count; /* in all of them */
    struct a3mi_slab slab, large_slab;
};

/* Telling peers where this node is (core/move.h). */
struct a3mi_move {
    struct a3mi_alarm alarm;
    struct a3mi_list untold;    /* of a3mi_peer.untold: this round's */
    int64_t wanted_at, step_at; /* the next round, the next peers of this one; INT64_MAX */
    int64_t begun_at, gap;      /* of the last round, and how long after that the next one may be */
};

struct a3mi_assoc {
    struct a3mi_slab self; /* this struct's own */
    struct a3mi_assoc_config config;
    const struct a3mi_assoc_hooks *hooks;
    void *arg;
    const struct a3mi_cc_ops *congestion; /* of all senders */
    size_t packet_limit;                  /* the same, of what may be probed for */
    size_t packet_max;                    /* bytes of a packet, tag excluded */
    int64_t now;                          /* of the call that is under way */
    bool leaving;                         /* goodbye was said */
    bool acks_late; /* the last output had no room for some of ack_now: they are the first of the next */

    uint64_t ck; /* the clock: the last value given */
    uint64_t
        dropped; /* the highest r, as clock value, that was deleted after accepting although its sender was not done */
    uint64_t opened;      /* the highest clock value behind an s that was accepted */
    uint64_t last_number; /* of a transmission */
    struct a3mi_perm64 perm;
    uint8_t cookie_key[16];
    struct a3mi_rng rng;
    struct a3mi_limiter strangers, versions;

    struct a3mi_mapb peers_by_id, peers_by_addr;
    struct a3mi_list peers;
    struct a3mi_list recent;  /* all peers: who was heard last is the last */
    struct a3mi_list debtors; /* peers kept only because they are owed news, the oldest first */
    size_t debtors_count;
    bool owes_strangers;       /* one that was owed news was forgotten: whoever is not known may be the one */
    struct a3mi_map64 senders; /* s → S */
    struct a3mi_map64 receivers; /* r → R */
    struct a3mi_map64 channels;  /* index → a3mi_rx */
    uint32_t last_index;
    uint32_t cached_index; /* of the unit being read; 0: none */
    struct a3mi_rx *cached_rx;

    struct a3mi_heap alarms;
    struct a3mi_list active;   /* senders with a packet to send */
    struct a3mi_list ack_now;  /* receivers that acknowledge at the next output */
    struct a3mi_list ack_wait; /* receivers whose acknowledgement waits for company */
    struct a3mi_list acked;    /* channels with acknowledgements to report */
    struct a3mi_list unproven; /* receivers, the oldest first */
    struct a3mi_list starved;  /* receivers whose limit waits for memory, the longest waiting first */
    size_t unproven_count;
    size_t unfinished; /* senders with something to send or unacknowledged */

    struct a3mi_fifo answers; /* small packets that wait */
    struct a3mi_fifo spent;   /* those of the last output */
    struct a3mi_list partings, partings_due;
    struct a3mi_sent sent[A3MI_OUTPUT_MAX];
    size_t sent_count;
    uint64_t sent_after; /* what the last output built has greater transmission numbers */

    struct a3mi_loopback loopback;
    struct a3mi_gate gate;
    struct a3mi_move move;

    struct a3mi_slab peer_slab, sender_slab, receiver_slab, unit_slab, large_unit_slab;
    struct a3mi_slab ring_slabs[A3MI_RING_SIZES];     /* core/ring.h */
    struct a3mi_slab ranges_slabs[A3MI_RANGES_SIZES]; /* core/channel.h */
    struct a3mi_slab partial_slab, answer_slab, large_answer_slab, parting_slab;
    struct a3mi_assoc_stats stats;
};

/* The next value of the clock. Its number on the wire is a3mi_assoc_hide(value). */
static inline uint64_t a3mi_assoc_tick_clock(struct a3mi_assoc *assoc)
{
    return ++assoc->ck;
}

static inline uint64_t a3mi_assoc_hide(const struct a3mi_assoc *assoc, uint64_t clock)
{
    return a3mi_perm64(&assoc->perm, clock);
}

static inline uint64_t a3mi_assoc_reveal(const struct a3mi_assoc *assoc, uint64_t id)
{
    return a3mi_perm64_inverse(&assoc->perm, id);
}

static inline uint64_t a3mi_assoc_next_number(struct a3mi_assoc *assoc)
{
    return ++assoc->last_number;
}

/* The time that packets carry: the low 32 bits of microseconds. */
static inline uint32_t a3mi_assoc_time(const struct a3mi_assoc *assoc)
{
    return (uint32_t)((uint64_t)assoc->now / 1000);
}

/* Puts the alarm into the heap, for never. A3M_ENOMEM. */
static inline int a3mi_alarm_init(struct a3mi_assoc *assoc, struct a3mi_alarm *alarm,
                                  void (*fire)(struct a3mi_assoc *, struct a3mi_alarm *))
{
    *alarm = (struct a3mi_alarm){.fire = fire};
    return a3mi_heap_set(&assoc->alarms, &alarm->node, INT64_MAX);
}

/*
 * Makes it fire at `at` at the latest. It may fire earlier: whoever is called
 * looks what is due and sets it again. So most deadlines, which are moved away
 * long before they come, cost nothing.
 */
static inline void a3mi_alarm_by(struct a3mi_assoc *assoc, struct a3mi_alarm *alarm, int64_t at)
{
    if (at < alarm->node.at) {
        (void)a3mi_heap_set(&assoc->alarms, &alarm->node, at);
    }
}

static inline void a3mi_alarm_fini(struct a3mi_assoc *assoc, struct a3mi_alarm *alarm)
{
    a3mi_heap_cancel(&assoc->alarms, &alarm->node);
}

#endif
