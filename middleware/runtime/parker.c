/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parkers and lists of wakes. The word `state` decides every race:
 *
 *     sleeper                             waker
 *     (queued under the queue's lock)     (took it off the queue)
 *     IDLE -> FUTEX, else it is           state <- SIGNALLED, and what was there?
 *     signalled: do not sleep             FUTEX: futex wake; NETWORK: write the eventfd
 *     futex: state still FUTEX? sleep     IDLE: its thread is awake, and done
 *
 * Both change it by atomic exchange, so that one of them is first: either the
 * sleeper sees the signal, or the waker sees the sleep. A sleep on the network
 * that begins after the eventfd was written ends at once, since it is level
 * triggered.
 *
 * The waker's last access to a parker is the decrement of `pending`; the futex
 * wake that follows uses the address only (runtime/futex.h), so that a sleeper
 * need not wait for a system call that woke it.
 */
#include "runtime/parker.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <time.h>

#include "base/error.h"

#include "runtime/clock.h"
#include "runtime/eventfd.h"
#include "runtime/futex.h"

/* `pending`: this much for being in a list of wakes, and twice as much for a wake under way. */
enum { LISTED = 1, UNDER_WAY = 2 };

void a3mi_parker_init(struct a3mi_parker *parker)
{
    atomic_init(&parker->state, A3MI_PARKER_IDLE);
    atomic_init(&parker->pending, 0);
    atomic_init(&parker->network_fd, -1);
    a3mi_list_init(&parker->role);
    parker->next_wake = NULL;
    parker->rung = NULL;
}

void a3mi_parker_fini(struct a3mi_parker *parker)
{
    /* The waker may be on this very processor: let it run. */
    while (atomic_load_explicit(&parker->pending, memory_order_acquire) != 0) {
        (void)sched_yield();
    }
}

bool a3mi_parker_take(struct a3mi_parker *parker)
{
    if (atomic_load_explicit(&parker->state, memory_order_relaxed) != A3MI_PARKER_SIGNALLED) {
        return false;
    }
    /* Not a store: it has to see what a second waker did before its signal, which merges with the first. */
    (void)atomic_exchange(&parker->state, A3MI_PARKER_IDLE);
    return true;
}

bool a3mi_parker_lie_down(struct a3mi_parker *parker, enum a3mi_parker_state how)
{
    uint32_t idle = A3MI_PARKER_IDLE;

    return atomic_compare_exchange_strong(&parker->state, &idle, (uint32_t)how);
}

void a3mi_parker_get_up(struct a3mi_parker *parker)
{
    uint32_t how = atomic_load_explicit(&parker->state, memory_order_relaxed);

    while (how != A3MI_PARKER_SIGNALLED && how != A3MI_PARKER_IDLE &&
           !atomic_compare_exchange_weak(&parker->state, &how, A3MI_PARKER_IDLE)) {}
}

int a3mi_parker_doze(struct a3mi_parker *parker, int64_t deadline)
{
    switch (a3mi_futex_wait(&parker->state, A3MI_PARKER_FUTEX, deadline)) {
    case -ETIMEDOUT: return A3M_ETIMEDOUT;
    case -EINTR: return A3M_EINTR;
    default: return 0;
    }
}

int a3mi_parker_sleep(struct a3mi_parker *parker, int64_t deadline, bool eintr)
{
    int result = 0;

    while (!a3mi_parker_take(parker)) {
        if (result == A3M_ETIMEDOUT || (result == A3M_EINTR && eintr)) {
            return a3mi_fail_plain(result);
        }
        if (a3mi_parker_lie_down(parker, A3MI_PARKER_FUTEX)) {
            result = a3mi_parker_doze(parker, deadline);
            a3mi_parker_get_up(parker);
        }
    }
    return 0;
}

/* ---- Descriptors watched besides ---------------------------------------------------- */

bool a3mi_watch_ready(const struct a3mi_watch *watch)
{
    return poll(watch->fds + A3MI_WATCH_SPARE, watch->n, 0) > 0;
}

int a3mi_watch_sleep(const struct a3mi_watch *watch, int own_fd, int64_t deadline)
{
    int64_t left = deadline == INT64_MAX ? INT64_MAX : deadline - a3mi_clock_now();
    struct timespec ts = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};

    if (left <= 0) {
        return A3M_ETIMEDOUT;
    }
    watch->fds[0] = (struct pollfd){.fd = own_fd, .events = POLLIN};
    watch->fds[1] = (struct pollfd){.fd = -1};
    int n = ppoll(watch->fds, watch->n + A3MI_WATCH_SPARE, deadline == INT64_MAX ? NULL : &ts, NULL);
    if (n > 0 && watch->fds[0].revents != 0) {
        a3mi_eventfd_drain(own_fd); /* who rings it does so before this thread can leave its wait */
    }
    if (n == 0) {
        return A3M_ETIMEDOUT;
    }
    return n < 0 && errno == EINTR ? A3M_EINTR : 0;
}

enum a3mi_parker_state a3mi_parker_nudge(struct a3mi_parker *parker)
{
    uint32_t how = atomic_load(&parker->state);

    while (how == A3MI_PARKER_FUTEX || how == A3MI_PARKER_NETWORK) {
        if (atomic_compare_exchange_weak(&parker->state, &how, A3MI_PARKER_IDLE)) {
            return (enum a3mi_parker_state)how;
        }
    }
    return A3MI_PARKER_IDLE;
}

void a3mi_parker_rouse(struct a3mi_parker *parker, enum a3mi_parker_state slept, int network_fd)
{
    if (slept == A3MI_PARKER_FUTEX) {
        a3mi_futex_wake(&parker->state);
    } else if (slept == A3MI_PARKER_NETWORK) {
        a3mi_eventfd_write(network_fd);
    }
}

void a3mi_wakes_add(struct a3mi_wakes *wakes, struct a3mi_parker *parker)
{
    if ((atomic_fetch_or(&parker->pending, LISTED) & LISTED) != 0) {
        return;
    }
    parker->next_wake = wakes->first;
    wakes->first = parker;
}

/* True when its thread was asleep. */
static bool wake(struct a3mi_parker *parker)
{
    /*
     * It leaves the list before it is signalled: who adds it to another list
     * from here on wants a wake of its own, as the thread may have taken this
     * one before it could see what that wake is about.
     */
    (void)atomic_fetch_add(&parker->pending, UNDER_WAY - LISTED);
    enum a3mi_parker_state slept = (enum a3mi_parker_state)atomic_exchange(&parker->state,
                                                                           A3MI_PARKER_SIGNALLED);
    if (parker->rung != NULL) {
        parker->rung(parker);
    }
    if (slept == A3MI_PARKER_NETWORK) {
        /* First, as the thread may close the descriptor once it is free to go. */
        a3mi_parker_rouse(parker, slept, parker->network_fd);
    }
    (void)atomic_fetch_sub_explicit(&parker->pending, UNDER_WAY, memory_order_release);
    /* From here on the parker may be gone. */
    if (slept == A3MI_PARKER_FUTEX) {
        a3mi_parker_rouse(parker, slept, -1);
    }
    return slept == A3MI_PARKER_FUTEX || slept == A3MI_PARKER_NETWORK;
}

/* First collected, first woken. */
static struct a3mi_parker *reversed(struct a3mi_parker *parker)
{
    struct a3mi_parker *first = NULL;

    while (parker != NULL) {
        struct a3mi_parker *next = parker->next_wake;
        parker->next_wake = first;
        first = parker;
        parker = next;
    }
    return first;
}

unsigned a3mi_wakes_run(struct a3mi_wakes *wakes)
{
    unsigned slept = 0;
    struct a3mi_parker *parker = reversed(wakes->first);

    a3mi_wakes_init(wakes);
    while (parker != NULL) {
        struct a3mi_parker *next = parker->next_wake;
        slept += wake(parker) ? 1 : 0;
        parker = next;
    }
    return slept;
}
