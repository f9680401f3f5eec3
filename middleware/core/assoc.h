/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The association layer of one node: peers, half-connections and channels. It
 * turns messages into packets that may be lost, repeated, reordered and damaged,
 * and back into messages exactly once (docs/wire.md).
 *
 * Pure: no descriptor, clock, thread or randomness of its own. Time (nanoseconds
 * of a monotonic clock) and seed come in as arguments, packets, events and the
 * next deadline come out; the same calls give the same results. One thread at a
 * time: whoever holds the node's engine lock.
 *
 * Ownership: a peer lives while somebody holds it (a3mi_peer_hold) or something
 * is in transit. Channels (a3mi_tx, a3mi_rx) are embedded in the caller's link
 * and detached before they go away.
 */
#ifndef A3MI_ASSOC_H
#define A3MI_ASSOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/message.h>
#include <a3m/transport.h>

#include "base/fifo.h"
#include "base/list.h"
#include "base/map.h"
#include "base/name.h"
#include "core/ranges.h"

struct a3mi_assoc;
struct a3mi_peer;

/* ---- Channels: the two directions of a link, as the engine sees them ------ */

/* The sending side. Attached while the link is up. */
struct a3mi_tx {
    struct a3mi_peer *peer; /* NULL: detached */
    uint64_t incarnation;   /* of the peer, that the link was made with */
    uint32_t index;         /* given by the receiver, not 0 */
    struct a3mi_list ready; /* in the peer's list of channels with something to send */
    struct a3mi_fifo queue; /* of a3m_msg.node: numbered, not yet wholly in units */
    size_t offset;          /* bytes of the first that are in units already */
    uint64_t queued_bytes;
    bool unordered;           /* its messages wait for no earlier one at the receiver; set once attached */
    uint64_t packed;          /* messages wholly in units */
    uint64_t acknowledged;    /* messages acknowledged that no unacknowledged one comes before */
    uint32_t units_in_flight; /* units that hold parts of this channel, unacknowledged */

    /* The association's own. */
    struct a3mi_list on_peer;
    struct a3mi_list parts; /* of units in flight, in the order of packing */
    struct a3mi_list acked; /* in the list of channels with acknowledgements to report */
    struct a3mi_list grant; /* in the peer's list of channels with a grant to send */
    bool credit_waiting;    /* a grant for the other direction, not yet in a unit */
    uint32_t credit_epoch;
    uint64_t credit_messages;
    uint64_t credit_bytes;
};

/* The receiving side. Attached before its index is told to the peer. */
struct a3mi_rx {
    struct a3mi_peer *peer;      /* NULL: detached */
    uint64_t incarnation;        /* of the peer; 0: not known yet, the first data binds it */
    uint32_t index;              /* what the peer puts into its frames */
    struct a3mi_ranges up;       /* numbers of messages handed up; the next in turn is up.next */
    uint64_t max_message;        /* larger ones are a violation */
    struct a3mi_map64 by_number; /* the partial ones */
    struct a3mi_list partial;    /* messages that are incomplete, or wait for an earlier one */
    uint64_t partial_bytes;      /* memory that those take whose turn it is not yet */
    uint32_t partial_count;
};

/* ---- Events --------------------------------------------------------------- */

enum a3mi_peer_end {
    A3MI_PEER_RESTARTED, /* another incarnation of it is there */
    A3MI_PEER_RESET,     /* the same incarnation lost or dropped our records */
    A3MI_PEER_SILENT,    /* the peer timeout passed */
    A3MI_PEER_TOO_MUCH,  /* it held most when all held more than the policy allows */
};

/*
 * Called from within input, tick, output and the senders. They may call
 * a3mi_assoc_control, _credit, _send, the attach and detach functions and
 * a3mi_peer_*, and nothing else of this header.
 */
struct a3mi_assoc_hooks {
    /* A whole message, in its channel's order unless its sender did without. The hook owns it. */
    void (*message)(void *arg, struct a3mi_rx *rx, a3m_msg *msg);
    /* A control message from an incarnation of a peer, in order. Bytes borrowed. */
    void (*control)(void *arg, struct a3mi_peer *peer, uint64_t incarnation, const uint8_t *bytes,
                    size_t size);
    /*
     * The peer's credit for the sending direction of the link that receives at
     * `rx` (the only index both ends know here). Absolute; the caller ignores
     * old epochs.
     */
    void (*credit)(void *arg, struct a3mi_rx *rx, uint32_t epoch, uint64_t messages, uint64_t bytes);
    /* A message is wholly in units: the hook owns it (and frees it). */
    void (*packed)(void *arg, struct a3mi_tx *tx, a3m_msg *msg);
    /* `n` more messages of a channel are acknowledged (accepted by the peer's node), as are all before them. */
    void (*acknowledged)(void *arg, struct a3mi_tx *tx, uint64_t n);
    /*
     * What was made with this incarnation of the peer is over (0: whatever was
     * being opened to an incarnation not known yet): control messages under way
     * are gone, channels must be detached now, by the hook.
     */
    void (*peer_ended)(void *arg, struct a3mi_peer *peer, uint64_t incarnation, enum a3mi_peer_end why);
    /*
     * An incarnation of a peer acknowledges nothing, nor answers what it is asked, since that instant
     * (A3MI_SILENT_AFTER); INT64_MAX: it does again. Changes nothing. May be NULL.
     */
    void (*peer_silent)(void *arg, struct a3mi_peer *peer, uint64_t incarnation, int64_t since);
    /* What was queued to whichever incarnation is there goes to this one. Changes nothing. May be NULL. */
    void (*peer_bound)(void *arg, struct a3mi_peer *peer, uint64_t incarnation);
    /*
     * The peer `from`, known by address only, turned out to be `into`. The caller
     * moves what it keeps; `from` goes away when it is released. Receiving
     * channels of `from` are channels of `into` already; control messages that
     * waited are gone, and nothing of them was transmitted.
     */
    void (*peer_merged)(void *arg, struct a3mi_peer *from, struct a3mi_peer *into);
    /* Another live node uses this node's id (peer NULL), or a peer's id is used by two. */
    void (*duplicate_id)(void *arg, const struct a3mi_name *id, const struct a3m_addr *where);
};

struct a3mi_assoc_config {
    struct a3mi_name id;
    uint64_t incarnation; /* random, not 0 */
    uint8_t key[16];      /* random: of the permutation that hides the clock */
    uint64_t seed;        /* of what need not be secret: jitter, hash seeds */
    size_t mtu;           /* largest packet; at least 1,200 */
    uint32_t window;      /* units granted to a proven sender; 0: 2,048; 262,144 at most */
    int64_t linger;       /* ns; 0: 2 s */
    int64_t peer_timeout; /* ns; 0: none */
    uint64_t memory;      /* bytes for what waits, of all peers (core/memory.h); 0: 256 MiB */
    uint64_t peer_memory; /* and of one; 0: a quarter of that */
    uint64_t
        memory_ceiling; /* with what is being put together: beyond, who holds most is given up; 0: never */
    uint32_t peers_max; /* peers, beyond which no more strangers are taken; 0: 16,384 */
    bool gated;         /* nothing leaves before the state that it speaks of is stored */
    const char *congestion; /* the controller's name (core/congestion.h), not kept; NULL: the default */
};

struct a3mi_assoc_stats {
    uint64_t tx_units, retransmitted, rx_units, duplicates;
    uint64_t bad_version, bad_checksum, bad_packet, bad_frame, stray, duplicate_id;
    uint64_t opens_deferred; /* answered by RETRY, as too many strangers wait */
    uint64_t opens_refused;  /* likewise, as there are as many peers as there may be */
    uint64_t evicted;        /* idle peers without a link that made way for others */
    uint64_t given_up;       /* peers, as they held too much */
    uint64_t orphaned;       /* messages accepted, but for channels that are gone: nobody has them */
    uint64_t held;           /* bytes that wait now, records included */
    uint64_t assembled;      /* bytes of messages whose turn it is, and that are not whole yet */
    uint64_t unit_bytes;     /* of units that are not acknowledged yet */
    uint64_t rx_messages, tx_messages;
    uint64_t peers, senders, receivers; /* records that exist now */
};

/* A3M_ENOMEM, A3M_EINVAL (mtu). `hooks` and `arg` are kept. */
int a3mi_assoc_new(struct a3mi_assoc **out, const struct a3mi_assoc_config *config,
                   const struct a3mi_assoc_hooks *hooks, void *arg);
/* Frees everything, messages that wait included. Channels must have been detached. */
void a3mi_assoc_free(struct a3mi_assoc *assoc);
void a3mi_assoc_get_stats(const struct a3mi_assoc *assoc, struct a3mi_assoc_stats *stats);
/* One of them, at each turn: bytes of units that are not acknowledged. */
uint64_t a3mi_assoc_unit_bytes(const struct a3mi_assoc *assoc);

/* ---- Peers ---------------------------------------------------------------- */

/* The peer with that id, made if need be (this node's own id gives the peer that loops back), held once more. NULL: no memory. */
struct a3mi_peer *a3mi_assoc_peer(struct a3mi_assoc *assoc, const struct a3mi_name *id);
/* The peer at an address: the one known to be there, or one whose id is not known yet. Held once more. */
struct a3mi_peer *a3mi_assoc_peer_at(struct a3mi_assoc *assoc, const struct a3m_addr *addr);
void a3mi_peer_hold(struct a3mi_peer *peer);
/* With the last hold on a peer whose id is not known goes what waits for it: nothing of it was transmitted. */
void a3mi_peer_release(struct a3mi_assoc *assoc, struct a3mi_peer *peer);
/* Control messages that wait for an incarnation of a peer, not yet in units. */
size_t a3mi_peer_control_waiting(struct a3mi_peer *peer, uint64_t incarnation);

/* Sets where to send; moves every record at once, and asks the peer to answer from there. */
void a3mi_peer_set_addr(struct a3mi_assoc *assoc, struct a3mi_peer *peer, const struct a3m_addr *addr,
                        int64_t now);
/*
 * The addresses of this node's machine changed, or a link of it came up: peers are told by packets from the
 * new one, as soon as it has settled, and no more often than is polite (core/move.h).
 */
void a3mi_assoc_moved(struct a3mi_assoc *assoc, int64_t now);
/* NULL while none is known. */
const struct a3m_addr *a3mi_peer_addr(const struct a3mi_peer *peer);
/* NULL while not known. */
const struct a3mi_name *a3mi_peer_id(const struct a3mi_peer *peer);
/* For the caller's own list of what belongs to a peer; initialised empty. */
struct a3mi_list *a3mi_peer_links(struct a3mi_peer *peer);
/* For anything else of the caller's; NULL at first. Not to be left there when the caller holds the peer no more. */
void **a3mi_peer_slot(struct a3mi_peer *peer);
/* For a count of the caller's; 0 at first. */
uint64_t *a3mi_peer_tally(struct a3mi_peer *peer);
/* For another number of the caller's; 0 at first. */
uint64_t *a3mi_peer_mark(struct a3mi_peer *peer);
/* The incarnation that the last control message was queued to; 0: to whichever is there, until `peer_bound`. */
uint64_t a3mi_peer_control_to(const struct a3mi_peer *peer);

/* ---- Sending -------------------------------------------------------------- */

/* `index` came from the peer's `incarnation`. The channel is ordered until tx->unordered is set. */
void a3mi_tx_attach(struct a3mi_assoc *assoc, struct a3mi_tx *tx, struct a3mi_peer *peer,
                    uint64_t incarnation, uint32_t index);

/* What a channel had not finished: messages. */
struct a3mi_tx_rest {
    uint64_t unsent;  /* no byte was transmitted: certainly not delivered */
    uint64_t unknown; /* transmitted in part or whole, not acknowledged */
};
/* Ends a channel: messages that wait are freed. Nothing of it is reported afterwards. */
struct a3mi_tx_rest a3mi_tx_detach(struct a3mi_assoc *assoc, struct a3mi_tx *tx);

/* Queues a message behind those of its channel; takes it. Order of calls is order of numbers, from 0. */
void a3mi_assoc_send(struct a3mi_assoc *assoc, struct a3mi_tx *tx, a3m_msg *msg, int64_t now);

/*
 * Queues a control message (index 0) to a peer: delivered exactly once and in
 * order to one incarnation of it, or lost with a `peer_ended`. `incarnation` 0:
 * to whichever is there. A3M_ENOMEM, A3M_ENOADDR (none known), A3M_ERESTARTED
 * (`incarnation` is known to be over).
 */
int a3mi_assoc_control(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation,
                       const void *bytes, size_t size, int64_t now);

/* Grants credit for a channel that we receive on, whose other direction is `tx`'s peer; only the newest is sent. */
int a3mi_assoc_credit(struct a3mi_assoc *assoc, struct a3mi_tx *tx, uint32_t epoch, uint64_t messages,
                      uint64_t bytes, int64_t now);

/*
 * Asks the incarnation that a channel was attached to for a sign of life, which
 * keeps what is needed to ask it. That it is over, or silent for longer than the
 * peer timeout, is told by peer_ended.
 */
void a3mi_tx_ask(struct a3mi_assoc *assoc, struct a3mi_tx *tx, int64_t now);

/* ---- Receiving ------------------------------------------------------------ */

/* Gives the channel an index that is not in use. A3M_ENOMEM. */
int a3mi_rx_attach(struct a3mi_assoc *assoc, struct a3mi_rx *rx, struct a3mi_peer *peer,
                   uint64_t max_message);
/* Binds it to the incarnation that accepted; data of others is then dropped. */
void a3mi_rx_bind(struct a3mi_rx *rx, uint64_t incarnation);
/* Ends it: what waits there is freed; messages of which all, or their end, was accepted count as orphaned. */
void a3mi_rx_detach(struct a3mi_assoc *assoc, struct a3mi_rx *rx);

/* ---- Running -------------------------------------------------------------- */

/* A packet that arrived. Any bytes are fine: what is wrong is counted and dropped. */
void a3mi_assoc_input(struct a3mi_assoc *assoc, const struct a3m_addr *from, const uint8_t *bytes,
                      size_t size, int64_t now);

/* When a3mi_assoc_tick has something to do; INT64_MAX: never. */
int64_t a3mi_assoc_deadline(const struct a3mi_assoc *assoc);
/*
 * The same, having looked whether what comes within a millisecond is still wanted: most timers are put off
 * without being touched, and who has to wake up for them would do so in vain.
 */
int64_t a3mi_assoc_true_deadline(struct a3mi_assoc *assoc, int64_t now);
void a3mi_assoc_tick(struct a3mi_assoc *assoc, int64_t now);

/* The most packets that one call of output builds. */
#define A3MI_OUTPUT_MAX 256u

/*
 * Builds up to `max` packets (A3MI_OUTPUT_MAX at most) to send now and returns
 * their number; call until it returns less than `max`. With `flush`,
 * acknowledgements that could still wait for company go as well: the caller is
 * about to sleep. The packets' bytes and addresses stay valid until the next
 * call of any function of this header but a3mi_assoc_refused.
 */
size_t a3mi_assoc_output(struct a3mi_assoc *assoc, struct a3m_packet_out *out, size_t max, bool flush,
                         int64_t now);

/* The last `n` packets of the last output could not be sent: they go again later. */
void a3mi_assoc_refused(struct a3mi_assoc *assoc, const struct a3m_packet_out *packets, size_t n);

/* Whether output would build something (without flush). */
bool a3mi_assoc_pending(const struct a3mi_assoc *assoc);

/* Whether anything is unacknowledged, waiting to be sent, or waiting to be acknowledged to a peer. */
bool a3mi_assoc_busy(const struct a3mi_assoc *assoc);

/*
 * Gives up what waits for peers that never answered, and is link control only:
 * `peer_ended` for each of them, with incarnation 0.
 */
void a3mi_assoc_abandon_unreached(struct a3mi_assoc *assoc, int64_t now);

/*
 * The node is going away: every peer is told (CLOSE of what we send, RESET of
 * what we receive), by packets that the next outputs build. No `peer_ended`.
 */
void a3mi_assoc_goodbye(struct a3mi_assoc *assoc, int64_t now);

/* ---- Stored state ---------------------------------------------------------- */

/* Where a snapshot goes: piece by piece, in order. */
struct a3mi_sink {
    void (*put)(void *arg, const void *bytes, size_t size);
    void *arg;
};

/*
 * Writes the whole state, but for what may be lost at any time: small packets
 * that wait, what is known of paths, records whose sender has not shown that it
 * is alive, references (a3mi_peer_hold). Of a gated association it also marks all
 * that it wants to say by now; a3mi_assoc_saved lets that go. Not from a hook;
 * with a gate, hooks are called.
 */
void a3mi_assoc_save(struct a3mi_assoc *assoc, const struct a3mi_sink *sink, int64_t now);
/* The last snapshot is safe: a crash will not go back behind it. */
void a3mi_assoc_saved(struct a3mi_assoc *assoc);

/*
 * Gives the caller's channels back: those of the links that it stored with the
 * snapshot. The association fills them in; NULL: the snapshot is refused. The
 * caller holds the peer for its link.
 */
struct a3mi_restore {
    struct a3mi_tx *(*tx)(void *arg, struct a3mi_peer *peer, uint64_t incarnation, uint32_t index);
    struct a3mi_rx *(*rx)(void *arg, struct a3mi_peer *peer, uint32_t index);
};

/*
 * As a3mi_assoc_new, with the state of a snapshot: its incarnation and key take
 * the place of the configuration's, the id must be the same. `now` goes on from
 * the clock of the one that saved, or begins anew. Only one may go on from a
 * snapshot, and only from the last one that was called safe, or a later one.
 * A3M_EPROTO (not a snapshot, of another version, damaged), A3M_EINVAL, A3M_ENOMEM.
 */
int a3mi_assoc_restore(struct a3mi_assoc **out, const struct a3mi_assoc_config *config,
                       const struct a3mi_assoc_hooks *hooks, void *arg, const struct a3mi_restore *restore,
                       const void *bytes, size_t size, int64_t now);

/* The whole state, for tests: walks every record and asserts the invariants that one node can see. */
void a3mi_assoc_check(const struct a3mi_assoc *assoc);

#endif
