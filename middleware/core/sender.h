/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S, the sending end of a half-connection (docs/wire.md): opens it, numbers
 * units, sends them until they are acknowledged, and closes it when it has been
 * idle for a while. Private to core.
 *
 *             send, control, credit
 *   (none) ───────────────────────► OPENING ──ACCEPT──► OPEN ──idle──► CLOSE, (none)
 *                                    ▲  │                │
 *                                    │  └─REFUSE         └─RESET unknown, another incarnation: (none), peer_ended
 *                                    └── RESET nothing accepted: under a new s ──┘
 */
#ifndef A3MI_SENDER_H
#define A3MI_SENDER_H

#include "core/channel.h"
#include "core/congestion.h"
#include "core/pacer.h"
#include "core/path.h"
#include "core/peer.h"
#include "core/pmtu.h"
#include "core/recovery.h"
#include "core/ring.h"

/* A peer that is owed an answer for so long, and for three probe time-outs, counts as silent. Nothing ends by it. */
#define A3MI_SILENT_AFTER INT64_C(1000000000)

enum a3mi_sender_state {
    A3MI_SENDER_OPENING,
    A3MI_SENDER_OPEN,
};

struct a3mi_sender {
    struct a3mi_list on_peer;
    struct a3mi_list active; /* in assoc->active */
    struct a3mi_alarm alarm;
    struct a3mi_peer *peer;
    enum a3mi_sender_state state;
    bool ended;        /* on its way out: only tx_detach may find it */
    bool counted;      /* in assoc->unfinished */
    bool accepted_any; /* something was acknowledged */
    bool ping_due, open_due;
    bool afresh;          /* its OPEN says so; until a first unit is acknowledged */
    bool greets;          /* the next unit goes even if it is empty: to be heard, and acknowledged */
    bool limited;         /* window or pacer hold more back */
    bool jumped;          /* a unit with control messages went before what goes again, whose turn it is now */
    uint64_t s, order;    /* ours: on the wire, and the clock value behind it */
    uint64_t r;           /* the peer's; OPEN only */
    uint64_t incarnation; /* of the peer; 0: not known yet */
    struct a3mi_path path;
    struct a3mi_pmtu pmtu;

    uint64_t limit;                     /* units below may be sent */
    uint64_t acked, next;               /* all below `acked` are; `next` is the seq of the next unit */
    struct a3mi_ring ring;              /* units from acked to next */
    struct a3mi_list sent;              /* units in flight, by transmission number */
    struct a3mi_list lost;              /* units to send again */
    uint64_t in_flight;                 /* bytes */
    uint64_t held;                      /* bytes of frames, from acked to next */
    uint64_t first_number, last_number; /* transmission numbers used under this s */
    struct a3mi_recovery recovery;
    struct a3mi_cc cc;
    struct a3mi_rate rate;
    struct a3mi_pacer pacer;
    int64_t loss_at; /* when the oldest in flight counts as lost; INT64_MAX */
    uint32_t probes; /* packets that go whatever the window says */

    struct a3mi_tx control; /* index 0 */
    struct a3mi_ready ready;

    int64_t opened_at, open_interval; /* last OPEN, and how long until the next */
    int64_t sent_at;                  /* last DATA or PING */
    int64_t idle_since;
    int64_t heard_at; /* last sign of life while unfinished */
    int64_t asked_at; /* for one, and none came since; INT64_MIN: not asked */
    bool silent;      /* for so long that it was told */
    bool has_cookie;
    uint8_t cookie[A3MI_COOKIE_SIZE];
};

/* Whether control messages or grants wait, which go before all else. */
static inline bool a3mi_sender_is_urgent(const struct a3mi_sender *s)
{
    return !a3mi_fifo_empty(&s->control.queue) || !a3mi_list_empty(&s->ready.grants);
}

/* Whether messages wait, or a unit must go because its OPEN has news, or for its own sake. */
static inline bool a3mi_sender_has_new(const struct a3mi_sender *s)
{
    return a3mi_sender_is_urgent(s) || !a3mi_list_empty(&s->ready.channels) || (s->afresh && s->next == 0) ||
           s->greets;
}

static inline bool a3mi_sender_unfinished(const struct a3mi_sender *s)
{
    return s->acked != s->next || a3mi_sender_has_new(s);
}

/* The largest packet on its path, without the room for the tag. */
static inline uint32_t a3mi_sender_packet(const struct a3mi_sender *s)
{
    return s->pmtu.size - A3MI_PACKET_TAG;
}

/*
 * Whether a new unit may be numbered. The limit counts units of the base size,
 * as that is what the receiver's memory was reckoned in: of larger ones only as
 * many bytes.
 */
static inline bool a3mi_sender_may_number(const struct a3mi_sender *s)
{
    return a3mi_sender_has_new(s) && s->next < s->limit && s->next - s->acked < A3MI_RING_MAX &&
           (s->next == s->acked ||
            s->held + s->pmtu.size <= (s->limit - s->acked) * (uint64_t)A3MI_PACKET_BASE);
}

/* ---- Life (sender.c) ------------------------------------------------------------ */

/* The one towards an incarnation of a peer; NULL. `ended`: also one on its way out. */
struct a3mi_sender *a3mi_sender_find(struct a3mi_peer *peer, uint64_t incarnation, bool ended);
/*
 * The one that takes what is meant for an incarnation (0: whichever is there),
 * made if need be. One that is opening towards an unknown incarnation is bound.
 * NULL: no memory.
 */
struct a3mi_sender *a3mi_sender_obtain(struct a3mi_assoc *assoc, struct a3mi_peer *peer,
                                       uint64_t incarnation);
/* One towards an incarnation, under the s of a clock value that was drawn before. NULL: no memory. */
struct a3mi_sender *a3mi_sender_restore(struct a3mi_assoc *assoc, struct a3mi_peer *peer,
                                        uint64_t incarnation, uint64_t order);
/* It is found out which incarnation it sends to. */
void a3mi_sender_name(struct a3mi_assoc *assoc, struct a3mi_sender *sender, uint64_t incarnation);
/* It is bound to an incarnation from now on. */
void a3mi_sender_bind(struct a3mi_assoc *assoc, struct a3mi_sender *sender, uint64_t incarnation);
/* While opening by address: takes a new s when a later one was drawn since, as who is there may have accepted that. */
void a3mi_sender_renew_unheard(struct a3mi_assoc *assoc, struct a3mi_sender *sender);
/* Starts again under a new s: nothing of it was accepted. */
void a3mi_sender_reopen(struct a3mi_assoc *assoc, struct a3mi_sender *sender);
/* Frees it; what it held of channels is forgotten. Says nothing to anybody. */
void a3mi_sender_free(struct a3mi_assoc *assoc, struct a3mi_sender *sender);
/* CLOSE, and frees it. */
void a3mi_sender_close(struct a3mi_assoc *assoc, struct a3mi_sender *sender);
/* Ends what was made with its incarnation, itself included, and calls the hook peer_ended. */
void a3mi_sender_end(struct a3mi_assoc *assoc, struct a3mi_sender *sender, enum a3mi_peer_end why);
/* A channel is detached: its parts go. */
void a3mi_sender_forget(struct a3mi_sender *sender, const struct a3mi_tx *tx);
/* Another path: what is known of the old one says nothing. Asks the peer to answer from there. */
void a3mi_sender_move(struct a3mi_assoc *assoc, struct a3mi_sender *sender, const struct a3m_addr *addr);

/* ---- What to do, and when (sender_due.c) ------------------------------------------- */

/* A channel has something to send: it is in line from now on. */
void a3mi_sender_add(struct a3mi_assoc *assoc, struct a3mi_sender *sender, struct a3mi_tx *tx);
/* After anything changed: whether it can send now, and when it has something to do. */
void a3mi_sender_refresh(struct a3mi_assoc *assoc, struct a3mi_sender *sender);
/* Whether it has a packet to send now. *paced: when, if it only waits for the pacer; INT64_MAX. */
bool a3mi_sender_may_send(struct a3mi_assoc *assoc, struct a3mi_sender *sender, int64_t *paced);
/* Asks the peer for a sign of life, unless something else does that already. May end it. */
void a3mi_sender_ask(struct a3mi_assoc *assoc, struct a3mi_sender *sender);
/* A sign of life of its peer. */
void a3mi_sender_heard(struct a3mi_assoc *assoc, struct a3mi_sender *sender);
/* Its alarm. May end it. */
void a3mi_sender_alarm(struct a3mi_assoc *assoc, struct a3mi_alarm *alarm);

/* ---- Packets in (sender_input.c) -------------------------------------------------- */

void a3mi_sender_accept(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                        const struct a3mi_packet *packet, size_t asked);
void a3mi_sender_retry(struct a3mi_assoc *assoc, const struct a3mi_packet *packet);
void a3mi_sender_refuse(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                        const struct a3mi_packet *packet);
void a3mi_sender_probe(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                       const struct a3mi_packet *packet, size_t asked);
void a3mi_sender_reset(struct a3mi_assoc *assoc, const struct a3mi_packet *packet);

/* ---- Acknowledgements (sender_ack.c) ----------------------------------------------- */

/* One that arrived in a packet with this transmission number. */
void a3mi_sender_ack(struct a3mi_assoc *assoc, const struct a3m_addr *from, uint64_t number,
                     const struct a3mi_ack *ack);
/* All units below `seq` were accepted, says the last word of a receiver that is gone. */
void a3mi_sender_accepted_below(struct a3mi_assoc *assoc, struct a3mi_sender *sender, uint64_t seq);
/* Moves units that count as lost by now to `lost`. Returns when the next one will; INT64_MAX. */
int64_t a3mi_sender_detect(struct a3mi_assoc *assoc, struct a3mi_sender *sender);

/* ---- Packets out (sender_output.c) -------------------------------------------------- */

/* Builds the next packet. False: it has nothing to send now. */
bool a3mi_sender_build(struct a3mi_assoc *assoc, struct a3mi_sender *sender, struct a3m_packet_out *out,
                       struct a3mi_sent *sent);
/* A packet of it could not be sent: the unit goes again. */
void a3mi_sender_unsent(struct a3mi_assoc *assoc, struct a3mi_sender *sender, uint64_t seq);

#endif
