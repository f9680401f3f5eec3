/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of a node: the engine lock, the outbox, the reader thread with its
 * libuv loop, the node's descriptors and timers, and the reader role.
 *
 *   reader thread  the thread that a3mi_reader_start makes
 *   reader role    waiting for the network; one thread of the process has it
 *   engine lock    covers one bounded engine turn; never held while sleeping
 *
 * Who holds the engine lock runs `turn`. That may be the reader thread, an
 * application thread that just sent (it tries the lock, and carries what is in
 * the outbox), or an application thread that waits and took the reader role: it
 * reads the network itself instead of being woken by the reader thread, because
 * a wake-up costs tens of microseconds and a turn costs one.
 *
 * It knows nothing of peers, links and sockets.
 */
#ifndef A3MI_READER_H
#define A3MI_READER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/outbox_node.h"

#include "runtime/parker.h"

enum {
    A3MI_TURN_RECEIVE = 1u << 0, /* receive from the transport as well */
    A3MI_TURN_FLUSH = 1u << 1,   /* the caller is about to sleep: acknowledgements go now */
    A3MI_TURN_EVENTS = 1u << 2,  /* on the reader thread: timed events that are due run */
};

/* What a turn leaves. */
struct a3mi_turn {
    unsigned flags;          /* in: A3MI_TURN_… */
    int64_t now;             /* in: ns, read once for the turn */
    bool more;               /* out: the budget ended it, there is more to do */
    bool received;           /* out: at least one packet was there */
    bool want_write;         /* out: the transport's queue is full; turn again when it is writable */
    int64_t deadline;        /* out: when protocol timers want a turn; INT64_MAX: never */
    int64_t event_deadline;  /* out: when timed events want the reader thread; INT64_MAX: never */
    struct a3mi_wakes wakes; /* out: threads to wake after the lock is let go */
    void *after;             /* out: passed to `after`, NULL: nothing to do */
};

struct a3mi_reader_ops {
    /*
     * One engine turn: at most 64 packets or 50 us. [engine lock held] Drains
     * the outbox (a3mi_reader_outbox_pop), receives if told to, runs timers
     * that are due, sends. May not block, may take socket locks.
     */
    void (*turn)(void *arg, struct a3mi_turn *turn);
    /* `notice_fd` was readable: takes in what is there. [engine lock held] A turn follows. */
    void (*notice)(void *arg, int64_t now);
    /* Runs after the engine lock is let go, with turn.after, when that is not NULL. */
    void (*after)(void *arg, void *what);
    /*
     * `turn` reaches no cancellation point (pthreads(7)), or switches
     * cancellation off around them. Otherwise the reader does, at 24 ns a turn.
     */
    bool cancel_safe;
};

struct a3mi_reader_config {
    int transport_fd;
    bool has_notice;  /* whether there is a second descriptor, watched by the thread whoever has the role */
    int notice_fd;    /* readable: see `notice` */
    int64_t lease_ns; /* 1 ms */
    int64_t spin_ns;  /* 50 us; 0: never spin */
    bool bundle;      /* whether a3mi_reader_carry may hold dense sends */
    bool lend;        /* whether waiting callers may take the reader role */
    char name[16];    /* of the thread */
    int cpu;          /* -1: any */
    int priority;     /* SCHED_FIFO; 0: none */
};

/* All only grow. [atomic: relaxed] */
struct a3mi_reader_stats {
    uint64_t turns;
    uint64_t reader_wakeups, reader_rx_wakeups, reader_timer_wakeups, reader_lease_wakeups;
    uint64_t leader_sleeps, waiter_sleeps, wakes, role_transfers;
};

struct a3mi_reader;

/* A3M_EMFILE, A3M_ENOMEM, A3M_EOS. The transport's descriptor stays the caller's. */
int a3mi_reader_new(struct a3mi_reader **reader, const struct a3mi_reader_config *config,
                    const struct a3mi_reader_ops *ops, void *arg);
/* Starts the thread: it blocks all signals. A3M_ESTATE, A3M_EACCES (priority), A3M_ENOMEM, A3M_EOS. */
int a3mi_reader_start(struct a3mi_reader *reader);
bool a3mi_reader_started(const struct a3mi_reader *reader);
/* Stops and joins the thread. Nobody may be in a3mi_reader_wait any more. Not on the reader thread. */
void a3mi_reader_stop(struct a3mi_reader *reader);
/* After stop (or without start). The outbox must be empty. */
void a3mi_reader_free(struct a3mi_reader *reader);
/* In the child after fork: closes descriptors, touches no shared epoll set, joins nothing, frees nothing else. */
void a3mi_reader_abandon(struct a3mi_reader *reader);

/* Whether the calling thread may not wait: it is the reader thread, in a hook, or has been forbidden to. */
bool a3mi_reader_on_thread(const struct a3mi_reader *reader);
/*
 * The calling thread begins, or ends, to run code of the application inside of a turn: there it must not wait for anything,
 * nor call a3mi_reader_enter (of any node: two hooks could wait for one another's).
 */
void a3mi_reader_set_in_hook(bool inside);
bool a3mi_reader_in_hook(void);
void a3mi_reader_get_stats(const struct a3mi_reader *reader, struct a3mi_reader_stats *stats);

/*
 * Puts a node into the outbox: wait-free, one atomic exchange and one store.
 * Called while the caller holds the lock that orders what it sends.
 */
void a3mi_reader_push(struct a3mi_reader *reader, struct a3mi_outbox_node *node);
/* [engine lock] The oldest, or NULL when the outbox is empty or its next node is still being linked. */
struct a3mi_outbox_node *a3mi_reader_pop(struct a3mi_reader *reader);

/*
 * After a push, with no lock held: fence, try the engine lock, and run turns
 * until the outbox is empty or the budget of one send (a few turns) is used
 * up; then the reader thread is signalled. When somebody else holds the lock,
 * that thread carries the message: after unlocking it fences and looks again.
 * Before a3mi_reader_start it does nothing: the outbox is drained at the start.
 */
void a3mi_reader_kick(struct a3mi_reader *reader);

/*
 * A kick for a message of `bytes` that was pushed, unless the calling thread sends
 * densely: then later, by a further call, by the thread's next wait, or within 40
 * us of its last call, 500 us at the end of a long stream (runtime/bundle.c).
 * False: not yet.
 */
bool a3mi_reader_carry(struct a3mi_reader *reader, size_t bytes);

/* Carries what the calling thread's a3mi_reader_carry held. No lock held. */
void a3mi_reader_carry_held(struct a3mi_reader *reader);

/* Makes the reader thread run a turn soon (eventfd; nothing when one is under way already). Any thread. */
void a3mi_reader_signal(struct a3mi_reader *reader);

/* Runs `fn` with the engine lock held (waits for it), then what the lock's holder owes (wakes, outbox). Any thread, no lock held. */
void a3mi_reader_enter(struct a3mi_reader *reader, void (*fn)(void *arg, struct a3mi_turn *turn), void *arg);

/*
 * Sleeps until the parker is signalled (0) or the deadline passes
 * (A3M_ETIMEDOUT); takes the reader role if it is to be had, and then runs
 * turns. With `eintr`, A3M_EINTR when a signal handler ran while it slept.
 * The signal is taken. Not on the reader thread, no lock held.
 */
int a3mi_reader_wait(struct a3mi_reader *reader, struct a3mi_parker *parker, int64_t deadline, bool eintr);

/*
 * The same, and 0 also when one of the watched descriptors is ready. A3M_EMFILE,
 * A3M_ENOMEM, A3M_EOS (no eventfd for this thread). `reader` NULL: of no node;
 * the thread parks. `watch` NULL: none.
 */
int a3mi_reader_wait_watching(struct a3mi_reader *reader, struct a3mi_parker *parker,
                              const struct a3mi_watch *watch, int64_t deadline, bool eintr);

/* The same, of some node. */
bool a3mi_reader_on_any_thread(void);
/*
 * The calling thread is as if it were the reader thread, from now on, until it is told NULL or what this returned:
 * for handlers that others wait for.
 */
const struct a3mi_reader *a3mi_reader_forbid_waits(const struct a3mi_reader *reader);

/*
 * Called by operations that did not have to wait: when the calling process has
 * the role on lease and the network was not looked at for a while, looks at it
 * now, and keeps the lease alive. A few ns otherwise. When calls come at least
 * every 30 us while the reader thread has the role, takes the role on lease.
 */
void a3mi_reader_touch(struct a3mi_reader *reader);

#endif
