/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For authors of socket types. REQ, REP, PUSH and PULL are written on this
 * header and a3m/a3m.h alone; an application's own type is made in the same way:
 * fill an a3m_socket_type and pass it to a3m_socket_open.
 *
 * The framework (the socket's *base*) keeps links, handshakes, credit, queues
 * and waiting; the type decides what may be sent where, and what happens to a
 * message that arrives.
 *
 * Threads: a call of the application runs `send` and `recv` on the caller's
 * thread with no lock held. Hooks marked [locked] run with the socket's lock
 * held, on whatever thread runs the engine: they may not block, call functions
 * of this library but those marked [locked] here, or work for long.
 */
#ifndef A3M_SOCKET_TYPE_H
#define A3M_SOCKET_TYPE_H

#include <a3m/a3m.h>

A3M_BEGIN_DECLS

typedef struct a3m_base a3m_base;

/* What `arrived` did with a message. */
typedef enum a3m_arrival {
    A3M_ARRIVAL_QUEUE = 0, /* nothing: it goes to the receive queue */
    A3M_ARRIVAL_TAKEN,     /* the type owns it; calls a3m_base_taken when the application has it */
    A3M_ARRIVAL_DROP,      /* the base frees it, counts it as dropped and returns its credit */
} a3m_arrival;

struct a3m_socket_type {
    size_t size;              /* sizeof(a3m_socket_type) */
    const char *name;         /* at most 31 bytes of printable ASCII; told to the peer: "REQ" */
    const char *const *peers; /* names of the types it can be linked with, ended by NULL */
    size_t state_size;        /* bytes of the type's own state; zeroed before `open` */

    /* Makes the state. May be NULL. A negative code makes a3m_socket_open fail with it. */
    int (*open)(a3m_base *base, void *state);
    /* The socket closes: calls that wait are being woken. [locked] May be NULL. */
    void (*closing)(a3m_base *base, void *state);
    /* Nobody can reach the state any more: free what it holds. May be NULL. */
    void (*fini)(a3m_base *base, void *state);

    /*
     * A link came up; nothing will arrive on it any more (`reason`: an error code, or 0). Between its end
     * and link_down what the peer sent before still arrives, so that a peer that does not answer keeps a link that
     * was ended until the node gives it up (a3m_node_config.peer_timeout). [locked] May be NULL.
     */
    void (*link_up)(a3m_base *base, void *state, a3m_link link);
    void (*link_down)(a3m_base *base, void *state, a3m_link link, int reason);

    /* A message arrived, in its link's order if the peer keeps it (A3M_OPT_ORDERED). [locked] NULL: everything is queued. */
    a3m_arrival (*arrived)(a3m_base *base, void *state, a3m_msg *msg);

    /* Called by the functions of the same name; NULL: A3M_ENOTSUP. Contracts as in a3m/socket.h. */
    int (*send)(a3m_base *base, void *state, a3m_msg *msg, a3m_time deadline);
    int (*recv)(a3m_base *base, void *state, a3m_msg **msg, a3m_time deadline);
    /*
     * The same, but A3M_ENOLINK as soon as no link is up or coming up (and, to receive, no message is there).
     * NULL: A3M_ENOTSUP.
     */
    int (*send_or_none)(a3m_base *base, void *state, a3m_msg *msg, a3m_time deadline);
    int (*recv_or_none)(a3m_base *base, void *state, a3m_msg **msg, a3m_time deadline);
    /* Faster forms for many; NULL: made of the above. */
    int (*send_many)(a3m_base *base, void *state, a3m_msg *const *msgs, size_t n, a3m_time deadline);
    int (*recv_many)(a3m_base *base, void *state, a3m_msg **msgs, size_t max, a3m_time deadline);

    /*
     * Whether something is awaited of the link's peer: then it is asked for a sign of life, and link_down tells
     * that it restarted (A3M_ERESTARTED) although nothing is sent to it. Asked after a message went on the link,
     * once in A3M_OPT_HEARTBEAT. [locked] NULL: never.
     */
    bool (*awaits)(a3m_base *base, void *state, a3m_link link);

    /*
     * What pollers are shown (a3m/poller.h): A3M_POLL_IN while a receive would return at once, A3M_POLL_OUT
     * while a send would. [locked] A type whose `arrived` takes messages has to have it, and to call
     * a3m_base_raise and a3m_base_lower. NULL: a3m_base_events.
     */
    uint32_t (*events)(a3m_base *base, void *state);

    /* What the type sends needs no order, as each message stands for itself: A3M_OPT_ORDERED is 0 until it is set. */
    bool unordered;
    /*
     * Whether applications may go around the type: A3M_DIRECT_SEND for a3m_link_send and reservations, which
     * end in a3m_base_send_to; A3M_DIRECT_RECV for a3m_link_recv, which ends in a3m_base_recv_from. 0: A3M_ENOTSUP.
     */
    unsigned direct;
};

enum {
    A3M_DIRECT_SEND = 1,
    A3M_DIRECT_RECV = 2,
};

/*
 * For functions that a type adds: finds the base and state behind a handle,
 * which stay valid until a3m_base_leave. A3M_EHANDLE, A3M_EFORKED, A3M_ECLOSED,
 * A3M_ENOTSUP (a socket of another type).
 */
A3M_API int a3m_base_enter(a3m_socket socket, const a3m_socket_type *type, a3m_base **base, void **state);
A3M_API void a3m_base_leave(a3m_base *base);

A3M_API a3m_socket a3m_base_socket(const a3m_base *base);

/* The socket's lock. Wake-ups asked for while it is held are carried out by unlock. */
A3M_API void a3m_base_lock(a3m_base *base);
A3M_API void a3m_base_unlock(a3m_base *base);

/* ---- Sending: each takes `msg` over on success only ----------------------- */

/* On a link that has credit, in turn. Errors as a3m_send_until. */
A3M_API int a3m_base_send(a3m_base *base, a3m_msg *msg, a3m_time deadline);
/* The same, and says on which; with `or_none`, A3M_ENOLINK when no link is up or coming up. */
A3M_API int a3m_base_send_any(a3m_base *base, a3m_msg *msg, a3m_link *used, bool or_none, a3m_time deadline);
/* On one link. A3M_ENOLINK (it is not up), A3M_ELINKDOWN (it ended while the call waited). */
A3M_API int a3m_base_send_to(a3m_base *base, a3m_link link, a3m_msg *msg, a3m_time deadline);
A3M_API int a3m_base_send_many(a3m_base *base, a3m_msg *const *msgs, size_t n, a3m_time deadline);

/* ---- Receiving: from the receive queue, its links in turn ------------------ */

A3M_API int a3m_base_recv(a3m_base *base, a3m_msg **msg, a3m_time deadline);
/* The same, but A3M_ENOLINK when no message is there and, with `or_none`, no link is up or coming up. */
A3M_API int a3m_base_recv_any(a3m_base *base, a3m_msg **msg, bool or_none, a3m_time deadline);
/* From one link. A3M_ENOLINK (it is gone), A3M_ELINKDOWN (it has ended, and all of it was received). */
A3M_API int a3m_base_recv_from(a3m_base *base, a3m_link link, a3m_msg **msg, a3m_time deadline);
A3M_API int a3m_base_recv_many(a3m_base *base, a3m_msg **msgs, size_t max, a3m_time deadline);

/* The application has a message that `arrived` took: returns its credit. [locked] */
A3M_API void a3m_base_taken(a3m_base *base, const a3m_msg *msg);

/* ---- Waiting --------------------------------------------------------------- */

/* What threads wait for under the socket's lock; zeroed is empty. Must be empty when it goes away. */
typedef struct a3m_cond {
    struct a3mi_list *next, *prev; /* the library's */
    uint32_t keys, exact;
} a3m_cond;

/*
 * Lets the lock go, sleeps until the condition is woken or the deadline passes,
 * and takes the lock again. [locked] May wake for no reason: check in a loop. 0,
 * A3M_ETIMEDOUT, A3M_ECLOSED, A3M_EDEADLK, A3M_EINTR. While it sleeps, the caller's
 * thread may carry the node's traffic.
 */
A3M_API int a3m_base_wait(a3m_base *base, a3m_cond *cond, a3m_time deadline);

/* Wakes up to `n` threads, the longest waiting first; they run once the lock is let go. [locked] */
A3M_API void a3m_base_wake(a3m_base *base, a3m_cond *cond, unsigned n);

/* ---- Polling --------------------------------------------------------------- */

/* What the base's own queue and links make possible: A3M_POLL_IN, A3M_POLL_OUT. [locked] */
A3M_API uint32_t a3m_base_events(const a3m_base *base);
/*
 * As a3m_base_wait, until one of `events` is raised for this thread. It takes turns with others that wait for
 * it, pollers included. [locked] An error passes on a wake that was meant for this thread.
 */
A3M_API int a3m_base_wait_events(a3m_base *base, uint32_t events, a3m_time deadline);
/*
 * Something became possible: `events`, enough for `n` of those who take turns. To be said each time, also
 * when it was possible before: edges are made of it. After the type's state changed: a poller looks at the hook
 * `events` at once. [locked]
 */
A3M_API void a3m_base_raise(a3m_base *base, uint32_t events, unsigned n);
/* Something was used up of what `events` says, so that the hook of that name may say less than before. [locked] */
A3M_API void a3m_base_lower(a3m_base *base, uint32_t events);

A3M_END_DECLS

#endif
