/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets and links.
 *
 * A socket is named (node id, tag) and tied to others by links. A link is asked
 * for by one end (or both); the handshake retries while the other end is not
 * there yet. Each link carries the credit its receiver granted; messages of a
 * link arrive exactly once, and in order where A3M_OPT_ORDERED says so (by default
 * of all types but REQ and REP).
 *
 * Every function is thread-safe. Forms: a plain name blocks for as long as it
 * takes; `_until` blocks up to a deadline and then returns A3M_ETIMEDOUT;
 * `try_` does not block, and says with A3M_EAGAIN, A3M_ENOCREDIT, A3M_ENOWINDOW
 * or A3M_ENOLINK why it would have. A deadline of A3M_NOW is the try form.
 *
 * Errors of all functions: A3M_EHANDLE, A3M_EFORKED. Of all that block:
 * A3M_ECLOSED (the socket or node was closed meanwhile), A3M_EDEADLK (called on
 * the reader thread), A3M_EINTR (a signal came, and A3M_OPT_EINTR is set). They
 * are not repeated below.
 */
#ifndef A3M_SOCKET_H
#define A3M_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/errors.h>
#include <a3m/handles.h>
#include <a3m/message.h>
#include <a3m/options.h>
#include <a3m/time.h>
#include <a3m/version.h>

A3M_BEGIN_DECLS

/* Sizes of the texts in a3m_link_info and a3m_socket_event, with their terminators. */
#define A3M_LINK_NAME_SIZE    256
#define A3M_LINK_ADDRESS_SIZE 96
#define A3M_LINK_TEXT_SIZE    256
/* The most bytes that either end may tell the other with a link. */
#define A3M_LINK_METADATA_MAX 1024

/* A type of socket; see a3m/socket_type.h for how they are made. */
typedef struct a3m_socket_type a3m_socket_type;

/* The built-in types. */
A3M_API extern const a3m_socket_type a3m_req;  /* sends requests, receives their replies; links with REP */
A3M_API extern const a3m_socket_type a3m_rep;  /* receives requests, replies to each; links with REQ */
A3M_API extern const a3m_socket_type a3m_push; /* sends each message to one of its links; links with PULL */
A3M_API extern const a3m_socket_type a3m_pull; /* receives from all its links, in turn; links with PUSH */

/*
 * Makes a socket named `tag` on `node`. A `tag` of NULL gives it a unique name
 * that no peer is expected to know. Tags that begin with '$' are reserved.
 *
 * A3M_EINVAL (tag), A3M_EEXIST (tag in use on this node), A3M_ENOMEM, A3M_ECLOSED.
 */
A3M_API int a3m_socket_open(a3m_socket *socket, a3m_node node, const a3m_socket_type *type, const char *tag);

/*
 * Starts to close: no call on it succeeds any more, calls that wait return
 * A3M_ECLOSED, links end once what was sent on them is delivered, and messages
 * not yet received are discarded and counted. Does not block: a3m_node_close
 * waits for the rest.
 */
A3M_API int a3m_socket_close(a3m_socket socket);

/* The socket's tag. A3M_EINVAL when `size` is too small. */
A3M_API int a3m_socket_tag(a3m_socket socket, char *buf, size_t size);

/* Options: see a3m/options.h. A3M_EINVAL (no such option, or out of range), A3M_ESTATE (too late to change). */
A3M_API int a3m_socket_set(a3m_socket socket, a3m_option option, int64_t value);
A3M_API int a3m_socket_get(a3m_socket socket, a3m_option option, int64_t *value);

/*
 * Waits until every message that was sent before has been acknowledged by its
 * peer's node. Blocks. When some were given up instead, because their link
 * ended, now or since the drain before, why it did: A3M_ERESTARTED, A3M_ESILENT, A3M_ENOMEM, A3M_ECLOSED, A3M_ECANCELED,
 * A3M_ENOLINK; the detail text says how many, the report of a3m_node_close what
 * became of them. A3M_ETIMEDOUT, A3M_EINTR, A3M_EDEADLK, A3M_ENOMEM.
 */
A3M_API int a3m_socket_drain(a3m_socket socket, a3m_time deadline);

/* ---- Links ------------------------------------------------------------- */

/*
 * Asks for a link to a peer's socket: "udp://192.0.2.7:7101/echo" (whatever
 * node is at that address) or "server/echo" (the node with that id, at an
 * address given by a3m_node_set_peer or learned from traffic). Returns at once;
 * the handshake goes on, and retries, on the reader thread. A link that exists
 * already, to the same name, is returned with A3M_EEXIST; from then on it is this
 * end's as well, and asked for again when it is lost. `link` may be NULL.
 *
 * A3M_EINVAL (peer: the detail text says what is wrong), A3M_ENOADDR (a name that
 * cannot be resolved; resolving may block), A3M_ENOMEM.
 */
A3M_API int a3m_socket_link(a3m_socket socket, const char *peer, a3m_link *link);

/* How a link is asked for; zeroed but for `size`: as by a3m_socket_link. */
typedef struct a3m_link_options {
    size_t size; /* sizeof(a3m_link_options), set by the caller */
    const void
        *metadata; /* told to the peer with each request, for its accept hook and a3m_link_metadata; copied */
    size_t metadata_size; /* up to A3M_LINK_METADATA_MAX */
} a3m_link_options;

/*
 * The same, with options. When the link exists already (A3M_EEXIST), or turns out later to be one that exists (its
 * address is that of a node that is linked by id, or the peer asked as well), metadata that are given take the place
 * of what this end told with it; a peer that has it up already has an event of that (A3M_EVENT_METADATA). When both
 * ends ask at once, each has what the other gave. Besides: A3M_EINVAL (options).
 */
A3M_API int a3m_socket_link_with(a3m_socket socket, const char *peer, const a3m_link_options *options,
                                 a3m_link *link);

/*
 * What the peer told with the link last: copies up to `size` bytes of it and returns how many there are; 0 for none,
 * or as long as the link has not been up.
 */
A3M_API int a3m_link_metadata(a3m_link link, void *buf, size_t size);

/* A peer asks for a link. Valid during the hook. */
typedef struct a3m_link_request {
    size_t size; /* sizeof(a3m_link_request) */
    const char *peer_node, *peer_tag;
    const char *peer_type; /* "REQ" */
    const void *metadata;
    size_t metadata_size;
} a3m_link_request;

typedef enum a3m_accept {
    A3M_ACCEPT = 0,
    A3M_REFUSE_FOR_NOW, /* the peer asks again: A3M_ENOTREADY */
    A3M_REFUSE,         /* for good: A3M_EREFUSED */
} a3m_accept;

/* Zeroed when the hook is called: accepted, and nothing to say. */
typedef struct a3m_link_answer {
    a3m_accept accept;
    char text[A3M_LINK_TEXT_SIZE]; /* when refused: for people at the peer, in UTF-8 */
    const void
        *metadata; /* when accepted: told to the peer; copied after the hook returned: not on its stack */
    size_t metadata_size; /* up to A3M_LINK_METADATA_MAX; with more the link is refused for now */
} a3m_link_answer;

typedef void (*a3m_accept_fn)(void *arg, const a3m_link_request *request, a3m_link_answer *answer);

/*
 * Asks `accept` about each request of a peer for a link that this end does not want itself; NULL: asks nobody. It
 * is asked once types go together and A3M_OPT_INCOMING allows it; a limit of links may refuse for now what it
 * accepted, and it is asked again then.
 *
 * The hook runs in a turn of the node's engine, on whichever thread carries that: no lock of the socket is held,
 * but the node's traffic waits for it. It must be quick. What waits there (a3m_link_abort, a3m_node_set_peer and
 * a3m_node_get_stats among it) returns A3M_EDEADLK. A call that is under way
 * may go on after the hook was replaced: `arg` must stay valid until the node is closed.
 */
A3M_API int a3m_socket_set_accept(a3m_socket socket, a3m_accept_fn accept, void *arg);

/*
 * Ends a link, or cancels its handshake. What was sent before is delivered first; nothing waits for that here
 * (a3m_socket_drain does). The handle is good until then, perhaps not longer. Of a link that has ended already it
 * ends the handle, which is kept until then so that its reason can be read.
 */
A3M_API int a3m_link_end(a3m_link link);

/* What the forced end of a link gave up; a3m_node_close counts it as well. */
typedef struct a3m_abort_report {
    size_t size;          /* sizeof(a3m_abort_report), set by the caller */
    uint64_t undelivered; /* messages sent on the link that are certainly not delivered */
    uint64_t unknown;     /* not acknowledged: delivered once, or not at all */
} a3m_abort_report;

/*
 * Ends a link at once, also one that is ending and has something to deliver yet: what was not transmitted is given
 * up, what comes from the peer from here on is dropped and counted. What was received stays there to be taken. The
 * peer learns of it, and ends its side once it has what was transmitted. `report` may be NULL. Waits for the engine,
 * not for the peer. A3M_EINVAL (report->size), A3M_EDEADLK (in an accept hook).
 */
A3M_API int a3m_link_abort(a3m_link link, a3m_abort_report *report);

/*
 * Waits until the link is up (0) or has ended: A3M_EREFUSED, A3M_EINCOMPATIBLE, A3M_ECANCELED, A3M_ECLOSED (the peer's
 * socket), or another reason of its end; when the limit of attempts was reached what came of the last one:
 * A3M_ENOTREADY, A3M_ESILENT, A3M_ENOADDR. A3M_ETIMEDOUT (the deadline; the link goes on trying): also with A3M_NOW,
 * here and in the other calls that wait for links.
 */
A3M_API int a3m_link_wait(a3m_link link, a3m_time deadline);

/* Waits until the socket has a link that is up. */
A3M_API int a3m_socket_wait_link(a3m_socket socket, a3m_link *link, a3m_time deadline);

/* The same, but A3M_ENOLINK as soon as no link is up or coming up. */
A3M_API int a3m_socket_wait_link_or_none(a3m_socket socket, a3m_link *link, a3m_time deadline);

typedef enum a3m_link_state {
    A3M_LINK_REQUESTING = 1, /* asked, no answer yet */
    A3M_LINK_RETRYING,       /* refused or unanswered; asks again at `next_attempt` */
    A3M_LINK_UP,
    A3M_LINK_ENDING, /* being ended; what was sent is still being delivered */
    A3M_LINK_ENDED,  /* `reason` says why */
} a3m_link_state;

typedef struct a3m_link_info {
    size_t size; /* sizeof(a3m_link_info), set by the caller */
    a3m_link_state state;
    int reason;            /* why it was refused last, or ended; 0: for no error */
    bool incoming;         /* the peer alone asked for it */
    uint32_t attempts;     /* requests made so far */
    a3m_time next_attempt; /* when retrying */
    char peer_node[A3M_LINK_NAME_SIZE];
    char peer_tag[A3M_LINK_NAME_SIZE];
    /* Where the peer was when the link came up last; before, where it is asked; "": not known, or this node itself. */
    char peer_address[A3M_LINK_ADDRESS_SIZE];
    uint64_t sent, acknowledged; /* messages */
    uint64_t received, taken;
    int64_t credit_messages,
        credit_bytes; /* what may be sent now; below 0 after the receiver lowered its capacity */
    uint64_t reserved_messages, reserved_bytes; /* besides: set aside for calls that have not used it yet */
    uint64_t capacity_messages, capacity_bytes; /* what this end grants its peer at a time */
    /*
     * What holds up the link now: A3M_ENOLINK (not up), A3M_ESILENT (the peer does not answer the request for the
     * link; or the link is up, and the peer has acknowledged nothing of what was sent to it, for a second and
     * three probe time-outs, since it was heard last), A3M_ENOCREDIT, A3M_ENOWINDOW (the node's outbox is full).
     * A3M_OK: something can be sent; a message of more than `credit_bytes` may have to wait all the same. While
     * the peer of a link that is up is silent, sends are taken as long as there are credit and room.
     */
    int blocked;
    a3m_time blocked_since;        /* 0 when it is not */
    char text[A3M_LINK_TEXT_SIZE]; /* what the peer said when it refused last; may be empty */
} a3m_link_info;

A3M_API int a3m_link_get_info(a3m_link link, a3m_link_info *info);

/*
 * Up to `max` of the socket's links; returns how many there are, which may be more. Those that this end asked for
 * and that have ended by themselves are among them until a3m_link_end, or until they are asked for again; all others
 * until what came by them was received.
 */
A3M_API int a3m_socket_links(a3m_socket socket, a3m_link *links, size_t max);

/* Waits until the socket has `n` links that are up. */
A3M_API int a3m_socket_wait_links(a3m_socket socket, size_t n, a3m_time deadline);
/* The same, but A3M_ENOLINK as soon as fewer than `n` are up or coming up. */
A3M_API int a3m_socket_wait_links_or_none(a3m_socket socket, size_t n, a3m_time deadline);

/*
 * Changes what this end grants the peer of one link at a time, up or down, at once. Lowered, it may be below
 * what the peer has sent already, which then waits until that has been taken. (A3M_OPT_CREDIT_MESSAGES and
 * _BYTES change all links of a socket.) A3M_EINVAL.
 */
A3M_API int a3m_link_set_credit(a3m_link link, uint64_t messages, uint64_t bytes);

/* ---- Messages ---------------------------------------------------------- */

/*
 * Sends a message as the type of the socket has it. Takes `msg` over on
 * success, and only then. Waits for a link, for credit and for window.
 * A3M_EMSGSIZE (larger than the peer takes), A3M_ENOTSUP (the type does not send).
 */
A3M_API int a3m_send(a3m_socket socket, a3m_msg *msg);
A3M_API int a3m_try_send(a3m_socket socket, a3m_msg *msg);
A3M_API int a3m_send_until(a3m_socket socket, a3m_msg *msg, a3m_time deadline);

/*
 * Sends up to `n` messages, bundled, and returns how many were taken over, from
 * the first on; an error only when none was. Past the first it does not wait
 * longer than `deadline` either.
 */
A3M_API int a3m_send_many(a3m_socket socket, a3m_msg *const *msgs, size_t n, a3m_time deadline);

/* Receives a message: *msg is the caller's. A3M_ENOTSUP (the type does not receive). */
A3M_API int a3m_recv(a3m_socket socket, a3m_msg **msg);
A3M_API int a3m_try_recv(a3m_socket socket, a3m_msg **msg);
A3M_API int a3m_recv_until(a3m_socket socket, a3m_msg **msg, a3m_time deadline);

/* Waits for one message and returns it with up to `max` - 1 more that are there already. */
A3M_API int a3m_recv_many(a3m_socket socket, a3m_msg **msgs, size_t max, a3m_time deadline);

/*
 * The same, but A3M_ENOLINK as soon as no link is up or coming up (and, to receive, no message is there): for
 * peers that only ask for links and are never asked. A3M_ENOTSUP: a type that cannot say so.
 */
A3M_API int a3m_send_or_none(a3m_socket socket, a3m_msg *msg, a3m_time deadline);
A3M_API int a3m_recv_or_none(a3m_socket socket, a3m_msg **msg, a3m_time deadline);

/*
 * On one link, around the type of its socket. A3M_ENOLINK (to send: it is not up; a receive waits until it is),
 * A3M_ELINKDOWN (it ended meanwhile, or went down to be asked for again, as its peer restarted or is silent; to
 * receive, once everything that came by it was received), A3M_ENOTSUP (REQ; sending on a REP or PULL; receiving on
 * a PUSH). What came by a link that ended can be received: until then its handle is good; after that A3M_EHANDLE
 * says the same of one that the peer asked for. A receive that begins while a link is asked for again waits for its
 * next life.
 */
A3M_API int a3m_link_send(a3m_link link, a3m_msg *msg, a3m_time deadline);
A3M_API int a3m_link_recv(a3m_link link, a3m_msg **msg, a3m_time deadline);

/* Bytes in one call: a3m_msg_copy and a3m_send_until. */
A3M_API int a3m_send_bytes(a3m_socket socket, const void *bytes, size_t size, a3m_time deadline);

/* ---- Later ---------------------------------------------------------------- */

/*
 * Sends a message at a time, or as soon after it as there is a link with credit, on the reader thread; as a3m_send
 * (or a3m_link_send) does. Takes `msg` over on success. Does not block. What cannot be sent by then, because its
 * socket is closed or its link has ended, is dropped, counted (a3m_node_stats.scheduled_dropped) and told
 * (a3m_node_config.report). Of a link that is not up it waits; calls that wait for credit go before it, and
 * those that wait go in the order of their times, the large and the small. What a node had not sent when it
 * closed is among the undelivered ones of its report. `scheduled` may be NULL.
 * A3M_ENOTSUP, A3M_ENOMEM.
 */
A3M_API int a3m_send_at(a3m_socket socket, a3m_msg *msg, a3m_time at, a3m_scheduled *scheduled);
A3M_API int a3m_link_send_at(a3m_link link, a3m_msg *msg, a3m_time at, a3m_scheduled *scheduled);
/* Takes it back: *msg is the caller's again. A3M_EHANDLE (sent or dropped), A3M_ESTATE (being sent right now). */
A3M_API int a3m_scheduled_cancel(a3m_scheduled scheduled, a3m_msg **msg);

/* ---- Credit ------------------------------------------------------------- */

/*
 * Waits until a message of `size` bytes may be sent, on any link (*link says which; may be NULL) or on one, and
 * sets the credit for it aside: nobody else can use it until it is used or given back. It counts as sent to
 * the receiver: one that lowers its capacity afterwards takes the message all the same. It ends with its link.
 *
 * A3M_ENOLINK, A3M_ELINKDOWN, A3M_EMSGSIZE, A3M_ENOTSUP (a type that does not let others send), A3M_ENOMEM; with
 * A3M_NOW A3M_ENOCREDIT.
 */
A3M_API int a3m_socket_reserve(a3m_socket socket, size_t size, a3m_credit *credit, a3m_link *link,
                               a3m_time deadline);
A3M_API int a3m_socket_reserve_or_none(a3m_socket socket, size_t size, a3m_credit *credit, a3m_link *link,
                                       a3m_time deadline);
A3M_API int a3m_link_reserve(a3m_link link, size_t size, a3m_credit *credit, a3m_time deadline);

/*
 * Sends a message of at most the reserved size with it. Does not block. Takes `msg` over on success only.
 * A3M_ENOENT (used, given back, or never made), A3M_EMSGSIZE (the reservation stays), A3M_ELINKDOWN (it is gone).
 */
A3M_API int a3m_send_reserved(a3m_socket socket, a3m_credit credit, a3m_msg *msg);
/* Gives it back: the next that waits has it. A3M_ENOENT. */
A3M_API int a3m_release(a3m_socket socket, a3m_credit credit);

/* ---- Requests (REQ) ----------------------------------------------------- */

/*
 * Sends a request and waits for its reply; many threads may have requests
 * outstanding on one socket, and each gets its own reply. Takes `request` over
 * unless it returns an error before it was sent: *sent (may be NULL) says so.
 *
 * When the link ends before the reply: A3M_ERESTARTED or A3M_ESILENT (the server
 * may or may not have handled it), or the reason of the link's end. At the
 * deadline: A3M_ETIMEDOUT, and a reply that comes later is dropped and counted.
 */
A3M_API int a3m_request_reply(a3m_socket socket, a3m_msg *request, a3m_msg **reply, a3m_time deadline,
                              bool *sent);

/*
 * The same in two steps. a3m_request_wait leaves the request outstanding at its
 * deadline (A3M_ETIMEDOUT) and after A3M_EINTR; with any other outcome it is over.
 * One that is given up must be cancelled. A3M_ENOENT: no such request (any more);
 * A3M_ESTATE: another thread waits for it.
 *
 * Requests sent by a3m_send are answered through a3m_recv: each call returns the
 * reply, or the failure, of one of them, in the order in which they came.
 */
A3M_API int a3m_request_send(a3m_socket socket, a3m_msg *msg, a3m_request *request, a3m_time deadline);
A3M_API int a3m_request_wait(a3m_socket socket, a3m_request request, a3m_msg **reply, a3m_time deadline);
A3M_API int a3m_request_cancel(a3m_socket socket, a3m_request request);

/* ---- Replies (REP) ------------------------------------------------------ */

/*
 * Answers `request`, which a3m_recv gave; it stays the caller's. Takes `reply`
 * over on success. Requests may be answered in any order and from any thread.
 * Waits until `deadline` for credit of the requester, who gives it back as it takes
 * its replies. A3M_ESTATE (`request` is not a request received by this socket, or was
 * answered before), A3M_ENOLINK (its sender is gone), A3M_ELINKDOWN (it went meanwhile),
 * A3M_ENOCREDIT, A3M_ENOWINDOW, A3M_ETIMEDOUT, A3M_ENOTSUP, A3M_ECLOSED, A3M_EDEADLK.
 */
A3M_API int a3m_reply(a3m_socket socket, a3m_msg *request, a3m_msg *reply, a3m_time deadline);

A3M_END_DECLS

#endif
