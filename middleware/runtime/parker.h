/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A parker: what one blocked call of one thread sleeps on. Lives on that
 * thread's stack for the length of the call.
 *
 * A wake is remembered: waking a parker whose thread does not sleep costs one
 * atomic exchange and no system call, and its next sleep returns at once. That
 * is why wake-ups are collected under locks and carried out after them
 * (struct a3mi_wakes).
 *
 * Lifetime: whoever wakes a parker must have taken it off its wait queue first,
 * and the sleeper does not return before every such wake has been carried out
 * (`pending` counts them).
 */
#ifndef A3MI_PARKER_H
#define A3MI_PARKER_H

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct a3mi_parker {
    _Atomic uint32_t state; /* [atomic] idle, signalled, asleep on the futex, asleep on the network */
    _Atomic int32_t
        pending; /* [atomic] wakes collected and not yet carried out; odd: in a struct a3mi_wakes */
    _Atomic int network_fd; /* [atomic: published by state] the eventfd that ends a sleep on the network */
    struct a3mi_list role;  /* [role lock] in the list of those who wait without the reader role */
    struct a3mi_parker *next_wake;            /* in a struct a3mi_wakes */
    void (*rung)(struct a3mi_parker *parker); /* [const] NULL, or called in place of waking a thread */
};

void a3mi_parker_init(struct a3mi_parker *parker);
/* Waits for pending wakes to be carried out (a few instructions of another thread at most). */
void a3mi_parker_fini(struct a3mi_parker *parker);

/* Takes the signal: true when it was signalled since the last take. */
bool a3mi_parker_take(struct a3mi_parker *parker);

/*
 * Sleeps until the parker is signalled (0; the signal is taken) or the deadline
 * (ns, INT64_MAX: never) passes: A3M_ETIMEDOUT. With `eintr`, A3M_EINTR when a
 * signal handler ran meanwhile. For who never reads the network: a poller that
 * spans nodes. Not a cancellation point. No lock may be held.
 */
int a3mi_parker_sleep(struct a3mi_parker *parker, int64_t deadline, bool eintr);

/* Descriptors that end a wait besides. */
struct a3mi_watch {
    struct pollfd *fds; /* the first A3MI_WATCH_SPARE belong to whoever sleeps; `n` more follow */
    unsigned n;
};
#define A3MI_WATCH_SPARE 2

/* Whether one of them is ready now. Cancellation is switched off by the caller, here and below. */
bool a3mi_watch_ready(const struct a3mi_watch *watch);

/*
 * One sleep of a thread that lay down (A3MI_PARKER_NETWORK, network_fd its own eventfd) and watches
 * descriptors: 0 for any reason, A3M_ETIMEDOUT, A3M_EINTR. 
 */
int a3mi_watch_sleep(const struct a3mi_watch *watch, int own_fd, int64_t deadline);

/* Wakes collected under locks, to be carried out after them. A plain singly linked list, no allocation. */
struct a3mi_wakes {
    struct a3mi_parker *first;
};

static inline void a3mi_wakes_init(struct a3mi_wakes *wakes)
{
    wakes->first = NULL;
}

/* Collects; a parker that is in some list of wakes already is left there (its wake is coming). */
void a3mi_wakes_add(struct a3mi_wakes *wakes, struct a3mi_parker *parker);

/* Wakes them; returns how many threads were asleep (each cost a system call). No lock may be held. */
unsigned a3mi_wakes_run(struct a3mi_wakes *wakes);

/* ---- For the reader (runtime/) only ------------------------------------------ */

enum a3mi_parker_state {
    A3MI_PARKER_IDLE = 0,
    A3MI_PARKER_SIGNALLED, /* woken since the last take */
    A3MI_PARKER_FUTEX,     /* asleep, or about to be, on `state` */
    A3MI_PARKER_NETWORK,   /* likewise, on descriptors, `network_fd` among them */
};

/* Says how its thread is about to sleep: false when it was signalled, and then it must not sleep. */
bool a3mi_parker_lie_down(struct a3mi_parker *parker, enum a3mi_parker_state how);
/* After the sleep, whatever ended it. Does not take the signal. */
void a3mi_parker_get_up(struct a3mi_parker *parker);
/* Between the two: sleeps on the futex. 0, A3M_ETIMEDOUT, A3M_EINTR, or 0 without a reason. */
int a3mi_parker_doze(struct a3mi_parker *parker, int64_t deadline);
/*
 * Ends a sleep without signalling: its thread looks again at what it looked at
 * after it lay down. Returns how it slept: the caller then owes the system call
 * (a3mi_parker_rouse), which it may make when the parker is gone already.
 */
enum a3mi_parker_state a3mi_parker_nudge(struct a3mi_parker *parker);
void a3mi_parker_rouse(struct a3mi_parker *parker, enum a3mi_parker_state slept, int network_fd);

#endif
