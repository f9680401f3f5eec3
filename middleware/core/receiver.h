/* SPDX-License-Identifier: Apache-2.0 */
/*
 * R, the receiving end of a half-connection (docs/wire.md): accepts each unit
 * once and acknowledges it. Kept per peer and incarnation, at most one proven
 * and one not yet proven. Private to core.
 *
 *           OPEN                     first DATA
 *   (none) ──────► unproven ──────────────────────► proven ──CLOSE──► (none)
 *                   │  time, pressure                 │
 *                   └──────► (none)                   └─ newer one of its sender proven: (none)
 */
#ifndef A3MI_RECEIVER_H
#define A3MI_RECEIVER_H

#include "core/channel.h"
#include "core/path.h"
#include "core/peer.h"

/* A proven record that hears nothing for this long asks whether its sender is still there. */
#define A3MI_PROBE_AFTER INT64_C(8000000000)
/* Between unanswered ones: doubles from the first to the second. */
#define A3MI_PROBE_MIN INT64_C(1000000000)
#define A3MI_PROBE_MAX INT64_C(60000000000)
/* Units that are acknowledged at the next output: filled ones, and others. */
#define A3MI_ACK_FILLED   2u
#define A3MI_ACK_UNFILLED 8u

enum a3mi_ack_state {
    A3MI_ACK_NONE,
    A3MI_ACK_WAIT, /* in assoc->ack_wait */
    A3MI_ACK_NOW,  /* in assoc->ack_now */
};

/* A unit whose frames were taken in part: there was no room for the rest, which is taken when it comes again. */
struct a3mi_resume {
    bool set;
    uint64_t seq;
    uint32_t frames; /* taken */
};

struct a3mi_receiver {
    struct a3mi_list on_peer;
    struct a3mi_list in_acks;  /* assoc->ack_now or ack_wait */
    struct a3mi_list unproven; /* assoc->unproven */
    struct a3mi_list starved;  /* assoc->starved */
    int64_t starved_at;        /* since when, or when it got something last */
    uint64_t held;             /* bytes that it and its ranges count as */
    struct a3mi_alarm alarm;
    struct a3mi_peer *peer;
    uint64_t incarnation; /* of the peer */
    uint64_t s, order;    /* the peer's */
    uint64_t r, clock;    /* ours: on the wire, and the clock value behind it */
    bool proven;
    bool afresh;               /* its OPEN said so */
    bool blocked;              /* its sender must learn first that we ended everything: nothing is accepted */
    uint8_t ack_state;         /* enum a3mi_ack_state */
    uint16_t filled, unfilled; /* units since the last acknowledgement */
    uint32_t rotation;         /* which ranges are told first, when there are too many */
    struct a3mi_path path;

    struct a3mi_ranges have; /* units */
    uint64_t limit;
    uint64_t last_seq; /* received last */
    uint64_t newest;   /* transmission number of DATA or PING */
    uint32_t newest_time;
    int64_t newest_at;
    int64_t ack_by; /* with ACK_WAIT */

    int64_t heard_at;
    int64_t probed_at; /* INT64_MIN: not since heard_at */
    int64_t probe_interval;

    struct a3mi_rx control;       /* index 0 */
    struct a3mi_resume resume[2]; /* of the lowest unit missing, of another */
};

/* ---- Life (receiver.c) --------------------------------------------------------- */

/* A new one, unproven. NULL: no memory. */
struct a3mi_receiver *a3mi_receiver_new(struct a3mi_assoc *assoc, struct a3mi_peer *peer,
                                        uint64_t incarnation, uint64_t s, uint64_t order,
                                        const struct a3m_addr *from);
/* One that is proven, under the r of a clock value that was drawn before; what it has is filled in. NULL: no memory. */
struct a3mi_receiver *a3mi_receiver_restore(struct a3mi_assoc *assoc, struct a3mi_peer *peer,
                                            uint64_t incarnation, uint64_t s, uint64_t order, uint64_t clock);
/*
 * Deletes it. `done`: its sender is, and will not ask for what was accepted;
 * otherwise a proven one is remembered in assoc->dropped.
 */
void a3mi_receiver_free(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver, bool done);
/*
 * Its first DATA is there: its sender was alive after r was drawn. Ends what
 * that ends. False: the peer's id is used twice, and the record is gone.
 */
bool a3mi_receiver_prove(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver,
                         const struct a3m_addr *from);
/* Counts it, as large as it is now, as memory held for its peer. */
void a3mi_receiver_weigh(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver);
/* Sends a PROBE. */
void a3mi_receiver_probe(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver);
/* Says that the record is there. */
void a3mi_receiver_accept(struct a3mi_assoc *assoc, const struct a3mi_receiver *receiver,
                          const struct a3m_addr *to, uint32_t time, size_t asked);

/* ---- Packets in (receiver_input.c) ----------------------------------------------- */

void a3mi_receiver_open(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                        const struct a3mi_packet *packet, size_t asked);
void a3mi_receiver_data(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                        const struct a3mi_packet *packet, size_t asked);
void a3mi_receiver_ping(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                        const struct a3mi_packet *packet, size_t asked);
void a3mi_receiver_close(struct a3mi_assoc *assoc, const struct a3mi_packet *packet);
void a3mi_receiver_alive(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                         const struct a3mi_packet *packet);

/* ---- Acknowledgements (receiver_ack.c) -------------------------------------------- */

/* An acknowledgement is due at the next output. */
void a3mi_receiver_ack_now(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver);
/* One is due by then; company may come before. */
void a3mi_receiver_ack_wait(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver);
/* Fills it in, with up to `ranges` of them; it is not due any more. */
void a3mi_receiver_ack_fill(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver, struct a3mi_ack *ack,
                            unsigned ranges);
/* The one whose acknowledgement could ride towards an incarnation of a peer; NULL. */
struct a3mi_receiver *a3mi_receiver_owing(const struct a3mi_peer *peer, uint64_t incarnation);

#endif
