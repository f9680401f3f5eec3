/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a node: what joins reader, association, transport, sockets and
 * links. Private to this folder.
 *
 * Locks, outermost first (docs/locks.md):
 *   [engine]  the reader's engine lock: association, links' channels and machine
 *   [socket]  one per socket: its queues, waiters, and what applications see of its links
 *   [names]   the node's table of sockets; under it socket locks, but none of those above
 *   [window]  who waits for room in the outbox; a leaf
 *   [idle]    the node's count of handles; a leaf
 *
 * Lifetime: a node is counted by its handle, its sockets, and whoever closes it;
 * a socket by its handle, the node's table and its links; a link by its handle,
 * its socket's list and the engine. Memory goes with the last count, the engine
 * and its threads when the node closes.
 */
#ifndef A3MI_NODE_H
#define A3MI_NODE_H

#include <pthread.h>
#include <stdatomic.h>

#include <a3m/a3m.h>
#include <a3m/socket_type.h>
#include <a3m/transport.h>

#include "base/agenda.h"
#include "base/buckets.h"
#include "base/fifo.h"
#include "base/list.h"
#include "base/map.h"
#include "base/message.h"
#include "base/name.h"
#include "base/rng.h"
#include "core/assoc.h"
#include "core/backoff.h"
#include "core/link_machine.h"
#include "node/event_log.h"
#include "node/flow.h"
#include "node/link.h"
#include "node/receipt.h"
#include "node/registry.h"
#include "node/window.h"
#include "proto/control.h"
#include "runtime/clock.h"
#include "runtime/pollable.h"
#include "runtime/reader.h"

/* A socket is its base: one struct, by either name. */
#define a3mi_socket a3m_base

/* Packets of one engine turn, in each direction. */
#define A3MI_TURN_PACKETS 64
/* Outbox entries of one turn; a turn ends earlier when its time is up. */
#define A3MI_TURN_ENTRIES 1024

/* What an entry of the outbox is (struct a3mi_outbox_node.kind). */
enum a3mi_command {
    A3MI_CMD_MESSAGE = 0, /* an a3m_msg, numbered, for its link's channel */
    A3MI_CMD_LINK,        /* a new link: ask for it */
    A3MI_CMD_UNLINK,      /* end a link, behind what was sent on it */
    A3MI_CMD_CREDIT,      /* a link has credit to return */
    A3MI_CMD_SCHEDULE,    /* a message is to be sent later, or not any more */
};

/* ---- Timed events: the reader thread's queue -------------------------------- */

/* An event that fires once on the reader thread, with the engine lock held. [engine] */
struct a3mi_event {
    struct a3mi_agenda_node timer;
    void (*fire)(struct a3mi_event *event, int64_t now);
};

struct a3mi_node;

/* ---- Links ------------------------------------------------------------------ */

struct a3mi_link {
    _Atomic uint32_t refs;
    uint64_t handle;                 /* [const] */
    struct a3mi_socket *socket;      /* [const] counted */
    struct a3mi_outbox_node command; /* CMD_LINK */
    struct a3mi_outbox_node unlink;  /* CMD_UNLINK */
    struct a3mi_outbox_node credit;  /* CMD_CREDIT */

    /* [engine] */
    struct a3mi_peer *peer; /* held; NULL before and after */
    uint64_t incarnation;   /* of the peer, while up */
    uint64_t asked;         /* the peer's incarnation that the last request went to; 0: not known yet */
    struct a3mi_list on_peer;
    struct a3mi_bucketed by_pair; /* in node->pairs while it has a peer */
    uint64_t number;              /* this attempt's; in the node's table; 0: none */
    uint64_t peer_number;
    uint64_t crossed;    /* the peer's request that crossed ours, which it is to answer; 0: none */
    uint64_t crossed_by; /* the incarnation that made it */
    struct a3mi_tx tx;
    struct a3mi_rx rx;
    bool rx_attached;
    struct a3mi_backoff backoff, backoff_before; /* before: as it was when the attempt under way began */
    struct a3mi_event retry;                     /* the LinkRetryEvent */
    int64_t armed_interval;                      /* what the last attempt waits for */
    struct a3mi_event heartbeat;                 /* heartbeat.c */
    bool heartbeat_armed;
    uint64_t end_count; /* FINISHING: messages the peer said it sent */
    uint64_t drained;   /* messages taken out of the outbox, in all its lives */
    uint64_t stale;     /* messages put into the outbox by the lives before this one: given up, and counted */
    bool released;      /* CLOSED: the engine's count goes when the outbox holds none of its messages */
    struct a3mi_fifo batch; /* messages of this turn, not yet handed to the socket */
    uint64_t early_bytes;   /* in `batch` before the link is up */
    bool early_violated;    /* more came than was granted */
    struct a3mi_list in_batch;
    struct a3mi_list in_finishing;

    /* [engine and socket to change, either to read] */
    enum a3mi_link_state state;

    /* [socket] */
    struct a3mi_list on_socket;
    struct a3mi_bucketed by_wish; /* in socket->wishes while it is there */
    struct a3mi_list sendable;    /* in the socket's list of links that could take a message */
    struct a3mi_list readable;    /* in the socket's list of links with messages */
    struct a3mi_fifo inbox;
    struct a3mi_link *alias; /* counted: another link turned out to be the same */
    bool incoming;   /* [engine and socket to change] the peer alone asked for it, as far as is known */
    bool wanted;     /* so did this end since; the engine has not seen it yet */
    bool told_up;    /* the type's link_up was called, link_down not yet */
    bool ended;      /* as applications see it: CLOSED, or being cancelled */
    bool unlinking;  /* CMD_UNLINK was sent */
    bool dismissed;  /* CLOSED: leaves its socket once `inbox` is empty */
    bool retired;    /* its handle is */
    bool unanswered; /* REQUESTING: an interval passed without an answer */
    bool counted;    /* in the socket's links_up and links_coming */
    int reason;      /* last refusal, or why it ended */
    uint32_t attempts;
    int64_t next_attempt;
    struct a3mi_name peer_node; /* len 0: not known yet */
    struct a3mi_name peer_tag;
    struct a3m_addr peer_addr;           /* as given by the application; kind NONE: by node id */
    struct a3m_addr found_at;            /* where the peer was when the link came up last; kind NONE: never */
    struct a3mi_identity *identity;      /* counted; from when it is up */
    struct a3mi_identity *next_identity; /* for its next life; NULL: not prepared */
    struct a3mi_pollable pollable;       /* who waits for the link: its credit, its state, its messages */

    uint32_t life;                     /* counts detachments: messages of earlier lives are not sent */
    uint64_t pushed;                   /* messages put into the outbox, in all its lives */
    uint64_t settled;                  /* of these: acknowledged, or given up; in their order */
    struct a3mi_list drains;           /* calls that wait for some of them (drain.c) */
    struct a3mi_list scheduled;        /* messages whose time has come, and that wait (schedule.c) */
    uint64_t sent, sent_bytes;         /* of this life: numbered and put into the outbox */
    uint64_t reserved, reserved_bytes; /* credit given to calls that have not used it yet (credit.h) */
    struct a3mi_list credit_line;      /* calls that wait for credit of this link */
    struct a3mi_list room_line; /* calls that have credit of this link, and wait for room in the outbox */
    bool general_next;          /* of the two lines, the socket's is served next */
    uint64_t limit_messages, limit_bytes; /* the peer's grant, absolute */
    uint64_t peer_capacity_bytes;         /* what a grant is worth when all was taken */
    uint32_t peer_epoch;                  /* of the newest grant of this life; 0: the offer */
    uint64_t peer_max_message;
    struct a3mi_metadata metadata, peer_metadata; /* this end's, and what the peer told */
    bool metadata_untold;                         /* this end's came after its last request or acceptance */
    char *text;                                   /* of the last refusal; NULL: none */
    _Atomic int64_t
        silent_since; /* [atomic: relaxed] the peer of this life acknowledges nothing; 0: it does */
    int blocked;      /* why nothing can be sent, as far as the link knows (blocked.c) */
    int64_t blocked_since;
    uint64_t acknowledged;
    uint64_t received, received_bytes; /* of this life */
    uint64_t beyond;                   /* most bytes of one received that no credit was needed for */
    uint64_t taken, taken_bytes;       /* by this end's application */
    bool violated;                     /* the peer sent more than it was granted */
    uint64_t capacity_messages, capacity_bytes;
    uint64_t told_messages, told_bytes; /* limits told to the peer last */
    uint64_t most_messages, most_bytes; /* the highest told in this life: what came within these is taken */
    uint64_t least_capacity_bytes;      /* the lowest in this life */
    bool capacity_changed;              /* the peer is to be told */
    uint64_t offered_messages, offered_bytes; /* in the last request or acceptance */
    uint32_t epoch;
    bool credit_queued; /* `credit` is in the outbox */
    struct a3mi_receipts receipts;
    struct a3mi_taken taken_unsaid; /* of this life */
};

/* ---- Sockets ---------------------------------------------------------------- */

struct a3mi_options {
    int64_t values[A3M_OPT_LAST_];
};

/* The base of a socket; a3m_base to authors of types. */
struct a3m_base {
    _Atomic uint32_t refs;
    uint64_t handle;              /* [const] */
    struct a3mi_node *node;       /* [const] counted */
    const a3m_socket_type *type;  /* [const] */
    void *state;                  /* [const] the type's */
    struct a3mi_name tag;         /* [const] */
    struct a3mi_mapb_node by_tag; /* [names] */
    struct a3mi_list on_node;     /* [names] */
    bool named;                   /* [names] in the table */

    pthread_mutex_t lock;
    struct a3mi_wakes wakes; /* [socket] carried out at unlock */
    bool credit_pushed;      /* [socket] by a3m_base_taken; carried at a3m_base_unlock */
    struct a3mi_options options;
    a3m_accept_fn accept; /* NULL: nobody is asked */
    void *accept_arg;
    bool closed;
    bool opened; /* [const] the type's `open` succeeded */
    struct a3mi_list links;
    struct a3mi_buckets wishes; /* the same, by what was asked for */
    struct a3mi_list sendable;
    struct a3mi_list readable;
    struct a3mi_list scheduled; /* messages whose time has come, and that wait (schedule.c) */
    size_t inbox_count;
    size_t inbox_promised;         /* of these: for receives that were woken, and have not run yet */
    size_t receives_behind;        /* that wait at a link whose messages are for others, in the fair order */
    size_t links_up, links_coming; /* coming: requesting or retrying */
    struct a3mi_pollable pollable; /* who waits for the socket: messages, any link with credit, ... */
    struct a3mi_list credit_line;  /* calls that wait for credit of any link (credit.h) */
    uint64_t last_ticket;
    struct a3mi_map64 reservations; /* number → what reserve.c keeps */
    uint64_t last_reservation;
    uint64_t unread, undelivered, unknown, dropped, window_waits;
    struct a3mi_event_log event_log; /* what became of its links (event_log.h) */
    uint64_t untold;                 /* given up, and no drain has said so */
    int untold_reason;

    struct a3mi_list in_batch; /* [engine] */
    struct a3mi_list batch;    /* [engine] links with messages of this turn */
};

/* ---- Nodes ------------------------------------------------------------------ */

struct a3mi_node {
    struct a3mi_list on_process; /* [node.c: all_lock] */
    _Atomic uint32_t refs;
    uint64_t handle; /* [const] */
    struct a3mi_name id;
    uint64_t incarnation;
    a3m_node_config config;
    const a3m_transport_ops *transport; /* [const] */
    void *transport_self;
    struct a3m_addr address;
    struct a3mi_reader *reader;

    /* [engine] */
    struct a3mi_assoc *assoc;
    struct a3mi_rng rng;
    struct a3mi_map64 links;   /* number → link */
    struct a3mi_buckets pairs; /* links that have a peer, by both sockets */
    uint64_t next_number;
    struct a3mi_agenda events;
    struct a3mi_list schedules; /* messages to be sent later (schedule.h) */
    struct a3mi_list batch;     /* sockets with messages of this turn */
    struct a3mi_list finishing; /* links that may be finished by this turn */
    struct a3mi_list taken;     /* links that wait to tell their peers what was taken */
    struct a3mi_list unheard;   /* peers that are to be told which requests were not looked at (unheard.h) */
    struct a3mi_turn *turn;
    bool write_blocked;
    struct a3m_packet_in in[A3MI_TURN_PACKETS];
    struct a3m_packet_out out[A3MI_TURN_PACKETS];
    uint64_t odd_controls, credit_violations;
    uint64_t peers_silent;                   /* given up */
    uint64_t requests_unanswered;            /* as too much waits for the peer already */
    uint64_t lost_unknown, lost_undelivered; /* of links that ended, for the report */
    uint64_t unread;
    int64_t last_report; /* of a duplicate id */
    bool closing;
    struct a3mi_parker *closer; /* woken when everything is finished */

    struct a3mi_parker bell; /* of no thread: waking it has the reader thread look at the outbox */

    /* [names] */
    pthread_mutex_t names_lock;
    struct a3mi_mapb names;
    struct a3mi_list sockets;
    uint64_t next_auto_tag;
    bool closed;

    _Atomic uint64_t
        outbox_bytes; /* [atomic: window.c] messages not yet wholly in units, and what each costs */
    _Atomic uint64_t unit_bytes;        /* [atomic: window.c] of units, as the last turn left them */
    pthread_mutex_t window_lock;        /* a leaf */
    struct a3mi_list window_line;       /* [window] calls that wait for room (window.h) */
    _Atomic uint32_t window_line_count; /* [window to change; atomic: relaxed] */
    _Atomic uint32_t window_waiting; /* [atomic] there is room again, and who waits for it may not know yet */
    _Atomic uint32_t window_filled;  /* [atomic] the outbox became full, and pollers may not know yet */
    _Atomic int64_t window_since;    /* [atomic: relaxed] when it last became full */
    _Atomic uint64_t links_up;
    _Atomic uint64_t scheduled_dropped; /* [atomic] */
    _Atomic uint64_t bad_resolutions;   /* [atomic] answers of the resolver that are no address */
    _Atomic uint64_t discarded;         /* [atomic] messages in receive queues of closed sockets */

    pthread_mutex_t idle_lock; /* a leaf */
    uint32_t live_handles;     /* [idle] of node, sockets and links: calls may be inside */
    struct a3mi_parker *idle;  /* [idle] woken when live_handles reaches 0 */
    struct a3mi_list guests;   /* [idle] threads that wait in a poller and may read this node's network */
    bool no_guests;            /* [idle] it is closing */

    struct a3mi_tidings tidings; /* receipts that callbacks are to be told */
};

/* ---- node.c, socket.c, link.c: counts --------------------------------------- */

void a3mi_node_unref(struct a3mi_node *node);
void a3mi_socket_ref(struct a3mi_socket *socket);
void a3mi_socket_unref(struct a3mi_socket *socket);
void a3mi_link_ref(struct a3mi_link *link);
void a3mi_link_unref(struct a3mi_link *link);
/* Handles of sockets and links, counted so that closing can wait for the calls that are inside. */
void a3mi_node_handle_made(struct a3mi_node *node);
void a3mi_node_handle_retired(struct a3mi_node *node);

/* ---- socket.c: locking and names -------------------------------------------- */

/* Finds the socket of a public call; a3mi_socket_leave ends it. A3M_ECLOSED when it is closing. */
int a3mi_socket_enter(a3m_socket handle, struct a3mi_socket **socket);
void a3mi_socket_leave(struct a3mi_socket *socket);
void a3mi_socket_lock(struct a3mi_socket *socket);
/* Lets go, then wakes whom it must. Not with the engine lock held. */
void a3mi_socket_unlock(struct a3mi_socket *socket);
/* The same within a turn: the turn wakes them when the engine lock is let go. */
void a3mi_socket_unlock_turn(struct a3mi_socket *socket, struct a3mi_turn *turn);
/* The socket with this tag, counted; NULL. */
struct a3mi_socket *a3mi_node_find_socket(struct a3mi_node *node, const struct a3mi_name *tag);
/* Begins to close: see a3m_socket_close. The caller holds a count. */
void a3mi_socket_begin_close(struct a3mi_socket *socket);
int64_t a3mi_socket_option(const struct a3mi_socket *socket, a3m_option option);

/* ---- options.c --------------------------------------------------------------- */

void a3mi_options_init(struct a3mi_options *options);
int a3mi_options_set(struct a3mi_options *options, a3m_option option, int64_t value);
int a3mi_options_get(const struct a3mi_options *options, a3m_option option, int64_t *value);

/* ---- wait.c: waiting at a socket ---------------------------------------------- */

/* [socket] Wakes who waits at the socket, or at one link, for one of `keys`: up to `n` of those that take turns; how many. */
size_t a3mi_socket_wake(struct a3mi_socket *socket, uint32_t keys, size_t n);
size_t a3mi_link_wake(struct a3mi_link *link, uint32_t keys, size_t n);
/* What a thread waits for. */
struct a3mi_wait_for {
    struct a3mi_waitq *queue; /* [socket] */
    uint32_t keys;
    bool exclusive; /* it uses up what it waits for: only as many are woken as can be served */
};
/*
 * [socket] Lets the lock go, sleeps, takes it again. 0 when woken (for whatever
 * reason), A3M_ECLOSED, A3M_ETIMEDOUT, A3M_EDEADLK, A3M_EINTR. `woken` (may be
 * NULL): whether a wake was meant for this thread, and must be passed on when
 * the thread leaves without what it waited for.
 */
int a3mi_socket_wait(struct a3mi_socket *socket, const struct a3mi_wait_for *what, a3m_time deadline,
                     bool *woken);
/* Of calls that need the engine, which is busy with the hook that they come from: A3M_EDEADLK there, else 0. */
int a3mi_may_enter(void);
/* [socket] The same in two steps, for who waits for more than a queue: whether it may wait; 0, or why not. */
int a3mi_socket_may_wait(struct a3mi_socket *socket, a3m_time deadline);
/* [socket] Sleeps until the waiter, which is in a queue, is taken off it; it is in none afterwards. 0, A3M_ETIMEDOUT, A3M_EINTR. */
int a3mi_socket_park(struct a3mi_socket *socket, struct a3mi_waiter *waiter, a3m_time deadline);
/* Sends that are being bundled by this thread (a3m_send_many) go out now. */
void a3mi_hold_begin(struct a3mi_node *node);
void a3mi_hold_end(struct a3mi_node *node);
/* What is sent in between is not bundled. */
struct a3mi_hold {
    struct a3mi_node *node; /* NULL: nothing is bundled */
    bool pushed;
};
struct a3mi_hold a3mi_hold_suspend(void);
void a3mi_hold_resume(struct a3mi_hold hold);
/* After a push into the outbox, no lock held: carries it, unless this thread bundles. */
void a3mi_node_carry(struct a3mi_node *node);
/* The same for a message of this size, which may be held while this thread sends densely. */
void a3mi_node_carry_message(struct a3mi_node *node, size_t size);

/* ---- pollables.c ---------------------------------------------------------------- */

void a3mi_socket_pollable_init(struct a3mi_socket *socket);
void a3mi_link_pollable_init(struct a3mi_link *link);
/* [socket] What its queues, links and credit make possible, whatever its type. */
uint32_t a3mi_socket_base_events(const struct a3mi_socket *socket);
/* [socket] A message was taken (A3MI_KEY_IN) or sent (OUT): at the link, and so at the socket. */
void a3mi_link_consumed(struct a3mi_link *link, uint32_t key);
/* [socket] Less may be possible at the link, and so at the socket, than before. */
void a3mi_link_lowered(struct a3mi_link *link);

/* ---- reserve.c ------------------------------------------------------------------- */

/* [socket] The socket closes: nothing can be sent any more, and so nothing is given back. */
void a3mi_reservations_drop(struct a3mi_socket *socket);

/* ---- engine.c: the turn ---------------------------------------------------------- */

extern const struct a3mi_reader_ops a3mi_engine_ops;
extern const struct a3mi_assoc_hooks a3mi_engine_hooks;
/* [engine] Cannot fail: a link or a message that waits for it would wait for ever. */
void a3mi_event_set(struct a3mi_node *node, struct a3mi_event *event, int64_t at);
void a3mi_event_cancel(struct a3mi_node *node, struct a3mi_event *event);

/* ---- node.c, close.c ------------------------------------------------------------- */

/* [engine] Another live node uses an id: counted, and told to the application after the turn. */
void a3mi_node_report_duplicate(struct a3mi_node *node, const struct a3mi_name *id,
                                const struct a3m_addr *where);
/* What was given up, in all. */
struct a3mi_given_up {
    uint64_t undelivered, unknown, unread;
};
/* [engine] */
struct a3mi_given_up a3mi_node_given_up(const struct a3mi_node *node);
/* [engine] A peer was given up by policy, for A3M_ESILENT or A3M_ENOMEM; `lost` with it. */
void a3mi_node_report_given_up(struct a3mi_node *node, const struct a3mi_peer *peer, int why, uint64_t links,
                               const struct a3mi_given_up *lost);
/* [engine] Adds to what is done after the turn. */
void a3mi_turn_add_after(struct a3mi_turn *turn, struct a3mi_after *after);
/* After a turn, no lock held. */
void a3mi_node_after(struct a3mi_node *node, void *what);
/* The node closes: threads that wait in pollers leave it. */
void a3mi_node_dismiss_guests(struct a3mi_node *node);
/* [engine] Wakes who closes the node, once everything is finished. */
void a3mi_node_check_closed(struct a3mi_node *node, struct a3mi_turn *turn);

/* [engine] Takes everything out of the outbox. */
void a3mi_engine_drain(struct a3mi_node *node, struct a3mi_turn *turn);
/* [engine] Sends what there is to send, acknowledgements included. */
void a3mi_engine_flush(struct a3mi_node *node, struct a3mi_turn *turn);

#endif
