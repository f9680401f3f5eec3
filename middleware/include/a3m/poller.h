/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pollers: one thread, or several, waiting for many sockets, links and file
 * descriptors, as with epoll(7). What differs from epoll is written where it does.
 *
 * Events are what is possible without waiting:
 *
 *   A3M_POLL_IN    a receive would return a message (REQ: an outcome); of a socket's events: one is there
 *   A3M_POLL_OUT   a small send would be taken: some link has credit, the outbox has room, and with A3M_OPT_FAIR
 *                  nobody stands in line for them. A large message may find less than it needs.
 *   A3M_POLL_HUP   the socket is closed, the link has ended; always watched
 *   A3M_POLL_ERR   besides HUP: it ended by an error; always watched
 *
 * An event that a pollable never has (IN of a PUSH) never comes. Between the
 * report of an event and what the application does about it another thread may
 * have been faster: use the try forms.
 *
 * Threads: everything here may be called from any thread. Blocking calls on the
 * reader thread of a node return A3M_EDEADLK. While a call waits for pollables
 * of one node, its thread carries the traffic of that node.
 *
 * Errors of all functions: A3M_EHANDLE (stale, or not one), A3M_EFORKED.
 */
#ifndef A3M_POLLER_H
#define A3M_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/errors.h>
#include <a3m/handles.h>
#include <a3m/time.h>
#include <a3m/version.h>

A3M_BEGIN_DECLS

/* Events and flags, with the values that poll(2) and epoll(7) give them. */
#define A3M_POLL_IN  UINT32_C(0x001)
#define A3M_POLL_PRI UINT32_C(0x002) /* of file descriptors only */
#define A3M_POLL_OUT UINT32_C(0x004)
#define A3M_POLL_ERR UINT32_C(0x008)
#define A3M_POLL_HUP UINT32_C(0x010)

/*
 * Of what is ready at the same time in several pollers (or blocking calls), one is told, and each in turn. When
 * adding only; not with ONESHOT, never modified; not for file descriptors. A thread that was told, and waits
 * again without having used up anything, or removes the entry, or closes the poller: the next one is told.
 */
#define A3M_POLL_EXCLUSIVE (UINT32_C(1) << 28)
/* Told once, and silent, HUP and ERR included, until it is modified. */
#define A3M_POLL_ONESHOT (UINT32_C(1) << 30)
/* Told when something new happened; otherwise as long as the event is there. */
#define A3M_POLL_EDGE (UINT32_C(1) << 31)

/* Something that can be polled. Zeroed it stands for nothing. */
typedef struct a3m_pollable {
    uint32_t kind; /* A3M_POLLABLE_… */
    uint64_t v;    /* the handle, or the descriptor */
} a3m_pollable;

enum {
    A3M_POLLABLE_NONE = 0,
    A3M_POLLABLE_SOCKET,
    A3M_POLLABLE_LINK,
    A3M_POLLABLE_FD,
    A3M_POLLABLE_EVENTS,
};

static inline a3m_pollable a3m_pollable_socket(a3m_socket socket)
{
    return (a3m_pollable){A3M_POLLABLE_SOCKET, socket.v};
}

static inline a3m_pollable a3m_pollable_link(a3m_link link)
{
    return (a3m_pollable){A3M_POLLABLE_LINK, link.v};
}

/* The events of a socket (a3m/socket_event.h), apart from its messages: IN, and HUP. */
static inline a3m_pollable a3m_pollable_events(a3m_socket socket)
{
    return (a3m_pollable){A3M_POLLABLE_EVENTS, socket.v};
}

/* A file descriptor that epoll(7) takes: a socket, a pipe, an eventfd, a timerfd. It stays the caller's. */
static inline a3m_pollable a3m_pollable_fd(int fd)
{
    return (a3m_pollable){A3M_POLLABLE_FD, (uint64_t)(int64_t)fd};
}

/* ---- Pollers ---------------------------------------------------------------- */

/* How a poller is made. */
enum {
    A3M_POLLER_EINTR = 1, /* waits return A3M_EINTR after a signal handler ran */
};

/* `flags`: 0 or A3M_POLLER_EINTR. A3M_EINVAL, A3M_ENOMEM. */
A3M_API int a3m_poller_new(a3m_poller *poller, unsigned flags);

/*
 * Watches `what` for `events` and gives `user` back with each report. A poller watches a thing once; several
 * pollers may watch the same. If an event is there already, it is reported.
 *
 * A3M_EINVAL (flags that do not go together, a descriptor that cannot be polled, a poller or its descriptor:
 * pollers are not nested), A3M_EEXIST (watched already), A3M_ECLOSED (the link has ended), A3M_ENOTSUP
 * (EXCLUSIVE for a descriptor), A3M_ENOMEM, A3M_EMFILE.
 */
A3M_API int a3m_poller_add(a3m_poller poller, a3m_pollable what, uint32_t events, void *user);

/*
 * Replaces events and user data, and arms a one-shot entry anew: an event that is there is reported, again if
 * need be. A3M_ENOENT (not watched), A3M_EINVAL (exclusive, or as for add).
 */
A3M_API int a3m_poller_modify(a3m_poller poller, a3m_pollable what, uint32_t events, void *user);

/* Stops watching. A3M_ENOENT: not watched, or removed by itself, as its HUP was reported. */
A3M_API int a3m_poller_remove(a3m_poller poller, a3m_pollable what);

typedef struct a3m_poll_event {
    a3m_pollable what;
    uint32_t events;
    void *user;
} a3m_poll_event;

/*
 * Waits until something is ready, and fills in up to `max` events, oldest first. Returns how many, 0 when the
 * deadline passed (A3M_NOW: looks, and does not wait).
 *
 * A socket or link that ended is reported with A3M_POLL_HUP, once, and is not watched any more; so user data can
 * be released with it. (epoll forgets closed descriptors silently; for descriptors that holds here as well, those
 * of which a duplicate lives included: remove them before they are closed.)
 *
 * With several threads in a wait, an edge-triggered event goes to one; a level-triggered one to more than one
 * as long as nobody used it up. Each ready entry wakes one thread at most, and none while those that were woken
 * have room for it.
 *
 * A3M_EINVAL (max 0), A3M_ECLOSED (the poller was closed), A3M_EDEADLK, A3M_EINTR, A3M_EMFILE, A3M_ENOMEM.
 */
A3M_API int a3m_poller_wait(a3m_poller poller, a3m_poll_event *events, size_t max, a3m_time deadline);

/* Calls that wait return A3M_ECLOSED; nothing is watched any more. Does not block. */
A3M_API int a3m_poller_close(a3m_poller poller);

/*
 * A file descriptor for other event loops, readable exactly while a wait would not have to wait. It is the
 * poller's: do not read or close it. From the first call on each change is carried to it, which costs two
 * system calls for each time that the poller goes from idle to ready and back. A3M_EMFILE, A3M_ENOMEM.
 */
A3M_API int a3m_poller_fd(a3m_poller poller, int *fd);

/* ---- One call --------------------------------------------------------------- */

typedef struct a3m_poll_item {
    a3m_pollable what; /* A3M_POLLABLE_NONE: skipped */
    uint32_t events;   /* IN, OUT (descriptors: PRI); no flags */
    uint32_t revents;  /* set by the call */
} a3m_poll_item;

/*
 * Waits until one of `n` things is ready, as poll(2). Returns how many are; 0 when the deadline passed. For a few
 * things, or once: each call takes time for all of them. A3M_EHANDLE when one of them is closed already (one
 * that closes during the call is reported with HUP), A3M_EINVAL (flags, a bad descriptor), A3M_EDEADLK,
 * A3M_EMFILE, A3M_ENOMEM.
 */
A3M_API int a3m_poll(a3m_poll_item *items, size_t n, a3m_time deadline);

A3M_END_DECLS

#endif
