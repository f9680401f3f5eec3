/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting threads: one leads (it has the reader role and reads the network
 * itself), the others stand in line on their futex. Leaving, the leader hands
 * the role to the first in line, or keeps it on lease.
 *
 * A leader goes through the same steps again and again: a turn that receives;
 * look at the parker; while something came lately, yield and repeat; else a
 * turn that flushes, lie down, sleep on the transport and on leader_fd.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "base/error.h"

#include "runtime/clock.h"
#include "runtime/eventfd.h"
#include "runtime/reader_parts.h"

/* A lease in use looks at the network this often at least. */
#define TOUCH_NS 250000
/* The clock is read about this often, and at least at every STRIDE_MAXth call. */
#define TOUCH_CLOCK_NS 60000
#define STRIDE_MAX     16

/* One wait of one thread. */
struct wait {
    struct a3mi_parker *parker;
    const struct a3mi_watch *watch; /* NULL: none */
    int own_fd;                     /* with a watch: this thread's eventfd */
    int64_t deadline;               /* ns */
    bool eintr;
    int64_t watched_at;  /* ns; the watched descriptors were looked at last */
    int64_t quiet_since; /* ns; nothing was received since; 0: it just began */
    bool yielded;        /* it has spun since then */
    int64_t yield_at;    /* ns; when the yield under way began; 0: none is */
    struct a3mi_outcome last;
};

/* How often a leader that is busy looks at descriptors that are watched besides. */
#define WATCH_NS 20000

/* What a step leads to, besides 0 (signalled, or a watched descriptor is ready) and errors. */
enum {
    GO_ON = 1, /* the wait is not over */
    LEAVE = 2, /* nor is this one, but there are handlers to run first, without the role */
};

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- A leader ---------------------------------------------------------------- */

/*
 * Sleeps until the network, the parker, a deadline or a signal. GO_ON, 0 when it was signalled or a watched
 * descriptor is ready, or A3M_EINTR.
 */
static int sleep_on_network(struct a3mi_reader *reader, struct wait *wait)
{
    struct pollfd own[A3MI_WATCH_SPARE];
    struct pollfd *fds = wait->watch != NULL ? wait->watch->fds : own;
    unsigned watched = wait->watch != NULL ? wait->watch->n : 0;
    int64_t until = earlier(wait->deadline, wait->last.deadline);
    int result = GO_ON;

    fds[0] = (struct pollfd){.fd = reader->config.transport_fd, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = reader->leader_fd, .events = POLLIN};

    /*
     *     leader                            who wants it awake
     *     state = asleep on the network     signal the parker, or set want_write
     *     signalled? then do not sleep      (exchange, or fence)
     *     want_write? then POLLOUT too      asleep on the network? write leader_fd
     *     ppoll
     */
    if (reader->leader_rung) {
        reader->leader_rung = false;
        a3mi_eventfd_drain(reader->leader_fd); /* before it lies down: nobody rings who is not asleep */
    }
    if (!a3mi_parker_lie_down(wait->parker, A3MI_PARKER_NETWORK)) {
        return GO_ON;
    }
    a3mi_fence();
    if (atomic_load(&reader->role.want_write)) {
        fds[0].events |= POLLOUT;
    }
    a3mi_reader_count(&reader->counters.leader_sleeps);
    int64_t begin = a3mi_clock_now();
    int64_t left = until > begin ? until - begin : 0;
    struct timespec ts = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
    int ready = ppoll(fds, A3MI_WATCH_SPARE + watched, until == INT64_MAX ? NULL : &ts, NULL);
    if (ready < 0 && errno == EINTR && wait->eintr) {
        result = A3M_EINTR;
    }
    a3mi_parker_get_up(wait->parker);

    reader->leader_rung |= ready > 0 &&
                           fds[1].revents != 0; /* silenced later: who was woken has better to do */
    if (ready > (fds[0].revents != 0) + (fds[1].revents != 0) || a3mi_parker_take(wait->parker)) {
        result = 0; /* what woke it was another thread's doing: there is nothing to read for it */
    }
    int64_t now = a3mi_clock_now();
    a3mi_patience_slept(&reader->patience, now - begin, now - wait->quiet_since);
    wait->quiet_since = now;
    wait->yielded = false;
    return result;
}

/* The turn before a sleep, and the sleep. GO_ON, LEAVE or A3M_EINTR. */
static int flush_and_sleep(struct a3mi_reader *reader, struct wait *wait)
{
    bool long_sleep = reader->patience.slept_long;

    a3mi_reader_turn(reader, A3MI_TURN_RECEIVE | A3MI_TURN_FLUSH,
                     long_sleep ? A3MI_RUNNER_SLEEPER : A3MI_RUNNER_LEADER, &wait->last);
    if (wait->last.afters != 0) {
        return LEAVE;
    }
    if (wait->last.received || wait->last.more) {
        wait->quiet_since = wait->last.now;
        return GO_ON;
    }
    if (long_sleep) {
        a3mi_role_hush(&reader->role);
    }
    return sleep_on_network(reader, wait);
}

/* A turn that receives, if nobody else runs one. */
static void try_turn(struct a3mi_reader *reader, struct wait *wait)
{
    if (a3mi_turnlock_try(&reader->lock)) {
        a3mi_reader_run(reader, A3MI_TURN_RECEIVE, A3MI_RUNNER_LEADER, &wait->last);
        return;
    }
    wait->last.received = false;
    wait->last.more = false;
    wait->last.afters = 0;
    wait->last.now = a3mi_clock_now();
}

/* One step of a leader: GO_ON, LEAVE, 0 when signalled, or an error. */
static int lead_step(struct a3mi_reader *reader, struct wait *wait)
{
    try_turn(reader, wait);
    if (wait->yield_at != 0 &&
        a3mi_patience_yielded(&reader->patience, wait->last.now - wait->yield_at, wait->last.now)) {
        wait->yielded = false; /* what came meanwhile does not show that spinning pays */
    }
    wait->yield_at = 0;
    bool signalled = a3mi_parker_take(wait->parker);
    if ((signalled || wait->last.received) && wait->yielded) {
        a3mi_patience_paid(&reader->patience);
        wait->yielded = false;
    }
    if (signalled) {
        return 0;
    }
    if (wait->last.afters != 0) {
        return LEAVE;
    }
    if (wait->watch != NULL && wait->last.now - wait->watched_at >= WATCH_NS) {
        wait->watched_at = wait->last.now;
        if (a3mi_watch_ready(wait->watch)) {
            return 0;
        }
    }
    if (wait->last.now >= wait->deadline) {
        return A3M_ETIMEDOUT;
    }
    if (wait->last.received || wait->last.more) {
        wait->quiet_since = wait->last.now;
        return GO_ON;
    }
    if (wait->quiet_since == 0) {
        wait->quiet_since = wait->last.now;
        if (!wait->yielded) {
            a3mi_patience_in_vain(&reader->patience);
        }
    }
    if (wait->last.now - wait->quiet_since < a3mi_patience_spin(&reader->patience, wait->last.now)) {
        wait->yielded = true;
        wait->yield_at = wait->last.now;
        (void)sched_yield();
        return GO_ON;
    }
    return flush_and_sleep(reader, wait);
}

/* Gives the role up. What the last turn could not finish is finished first, what comes after it afterwards. */
static void resign(struct a3mi_reader *reader, struct wait *wait)
{
    struct a3mi_outcome rest = {.now = wait->last.now};

    if (wait->last.more) {
        a3mi_reader_turn(reader, 0, A3MI_RUNNER_PASSING, &rest);
        if (rest.more) {
            a3mi_reader_signal(reader);
        }
    }
    a3mi_role_leave(&reader->role, rest.now);
    a3mi_reader_after(reader, &wait->last);
    a3mi_reader_after(reader, &rest);
}

/* With the role, which is left at the end. LEAVE when the wait is to begin anew. */
static int lead(struct a3mi_reader *reader, struct wait *wait)
{
    int result;

    atomic_store_explicit(&wait->parker->network_fd, reader->leader_fd, memory_order_relaxed);
    wait->quiet_since = 0;
    int64_t now = a3mi_clock_now();
    wait->yielded = a3mi_patience_yields(&reader->patience, now);
    wait->yield_at = 0;
    if (wait->yielded) {
        wait->yield_at = now;
        (void)sched_yield();
    }
    wait->last = (struct a3mi_outcome){.deadline = INT64_MAX};
    do {
        result = lead_step(reader, wait);
    } while (result == GO_ON);
    if (result == A3M_EINTR && a3mi_parker_take(wait->parker)) {
        result = 0;
    }
    resign(reader, wait);
    return result;
}

/* ---- The others -------------------------------------------------------------- */

static bool lie_down(struct wait *wait)
{
    atomic_store_explicit(&wait->parker->network_fd, wait->own_fd, memory_order_relaxed);
    return a3mi_parker_lie_down(wait->parker, wait->watch != NULL ? A3MI_PARKER_NETWORK : A3MI_PARKER_FUTEX);
}

/* Asleep, without the role. 0 for any reason, A3M_ETIMEDOUT, A3M_EINTR. */
static int doze(struct wait *wait)
{
    return wait->watch != NULL ? a3mi_watch_sleep(wait->watch, wait->own_fd, wait->deadline)
                               : a3mi_parker_doze(wait->parker, wait->deadline);
}

/* One sleep of a thread in line: GO_ON when it was given the role, 0, A3M_ETIMEDOUT, A3M_EINTR. */
static int doze_in_line(struct a3mi_reader *reader, struct wait *wait)
{
    for (;;) {
        int result = 0;
        bool granted = false;

        if (lie_down(wait)) {
            granted = a3mi_role_granted(&reader->role, wait->parker);
            if (!granted) {
                (void)atomic_fetch_add_explicit(&reader->counters.waiter_sleeps, 1, memory_order_relaxed);
                result = doze(wait);
            }
            a3mi_parker_get_up(wait->parker);
        }
        if (a3mi_parker_take(wait->parker) || (wait->watch != NULL && a3mi_watch_ready(wait->watch))) {
            return 0;
        }
        if (granted) {
            return GO_ON;
        }
        if (result == A3M_ETIMEDOUT || (result == A3M_EINTR && wait->eintr)) {
            return result;
        }
    }
}

/* GO_ON when the role is to be had, or is had (*leading). */
static int stand_in_line(struct a3mi_reader *reader, struct wait *wait, bool *leading)
{
    *leading = false;
    if (!a3mi_role_queue(&reader->role, wait->parker)) {
        return GO_ON;
    }
    int result = doze_in_line(reader, wait);
    if (result == GO_ON) {
        *leading = true;
    } else if (a3mi_role_unqueue(&reader->role, wait->parker)) {
        a3mi_role_leave(&reader->role, a3mi_clock_now()); /* given to a thread that goes: pass it on */
    }
    return result;
}

/* Gets the role, or is signalled or out of time in line: GO_ON, 0, A3M_ETIMEDOUT, A3M_EINTR. */
static int get_role(struct a3mi_reader *reader, struct wait *wait)
{
    bool leading = a3mi_role_take(&reader->role, wait->parker);

    while (!leading) {
        int result = stand_in_line(reader, wait, &leading);
        if (result != GO_ON) {
            return result;
        }
        if (!leading) {
            leading = a3mi_role_take(&reader->role, wait->parker);
        }
    }
    return GO_ON;
}

static int wait_with_role(struct a3mi_reader *reader, struct wait *wait)
{
    for (;;) {
        int result = get_role(reader, wait);
        if (result == GO_ON) {
            result = lead(reader, wait);
        }
        if (result != LEAVE) {
            return result;
        }
        /* Handlers were run, by this thread, and took their time. */
        if (a3mi_parker_take(wait->parker)) {
            return 0;
        }
    }
}

/* Never reads the network. `reader` may be NULL. */
static int wait_parked(struct a3mi_reader *reader, struct wait *wait)
{
    if (reader != NULL) {
        (void)atomic_fetch_add_explicit(&reader->counters.waiter_sleeps, 1, memory_order_relaxed);
    }
    for (;;) {
        int result = 0;
        if (lie_down(wait)) {
            result = doze(wait);
            a3mi_parker_get_up(wait->parker);
        }
        if (a3mi_parker_take(wait->parker) || (wait->watch != NULL && a3mi_watch_ready(wait->watch))) {
            return 0;
        }
        if (result == A3M_ETIMEDOUT || (result == A3M_EINTR && wait->eintr)) {
            return result;
        }
    }
}

int a3mi_reader_wait_watching(struct a3mi_reader *reader, struct a3mi_parker *parker,
                              const struct a3mi_watch *watch, int64_t deadline, bool eintr)
{
    struct wait wait = {.parker = parker, .watch = watch, .own_fd = -1, .deadline = deadline, .eintr = eintr};
    int result;
    int cancel;

    if (a3mi_parker_take(parker)) {
        return 0;
    }
    if (reader != NULL) {
        a3mi_reader_carry_held(reader);
    }
    if (deadline <= 0) {
        return a3mi_fail_plain(A3M_ETIMEDOUT);
    }
    if (watch != NULL && (result = a3mi_eventfd_of_thread(&wait.own_fd)) != 0) {
        return result;
    }
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    if (reader != NULL && reader->config.lend && a3mi_reader_running(reader)) {
        result = wait_with_role(reader, &wait);
    } else {
        result = wait_parked(reader, &wait);
    }
    (void)pthread_setcancelstate(cancel, NULL);
    return result == 0 ? 0 : a3mi_fail_plain(result);
}

int a3mi_reader_wait(struct a3mi_reader *reader, struct a3mi_parker *parker, int64_t deadline, bool eintr)
{
    return a3mi_reader_wait_watching(reader, parker, NULL, deadline, eintr);
}

/* ---- The lease in use --------------------------------------------------------- */

/* How many calls make about TOUCH_CLOCK_NS, judged by the last ones. */
static uint32_t stride(int64_t elapsed, uint32_t calls)
{
    int64_t per_call = elapsed / (calls != 0 ? calls : 1);
    int64_t n = per_call > 0 ? TOUCH_CLOCK_NS / per_call : STRIDE_MAX;

    if (n < 1) {
        return 1;
    }
    return n < STRIDE_MAX ? (uint32_t)n : STRIDE_MAX;
}

/* Under a lease: looks at the network if nobody did for a while. */
static void look(struct a3mi_reader *reader, int64_t now)
{
    struct a3mi_outcome outcome;

    if (now - atomic_load_explicit(&reader->received_at, memory_order_relaxed) < TOUCH_NS ||
        !a3mi_turnlock_try(&reader->lock)) {
        return;
    }
    a3mi_reader_run(reader, A3MI_TURN_RECEIVE, A3MI_RUNNER_LEADER, &outcome);
    if (outcome.more) {
        /* There is more in the network, or to send: the next call looks at once. */
        atomic_store_explicit(&reader->received_at, 0, memory_order_relaxed);
        atomic_store_explicit(&reader->touch_left, 1, memory_order_relaxed);
    }
    a3mi_role_renew(&reader->role, now);
    a3mi_reader_after(reader, &outcome);
}

static void touch(struct a3mi_reader *reader)
{
    int64_t now = a3mi_clock_now();
    int64_t before = atomic_load_explicit(&reader->touched_at, memory_order_relaxed);
    uint32_t calls = atomic_load_explicit(&reader->touch_stride, memory_order_relaxed);
    uint32_t next = stride(now - before, calls);

    atomic_store_explicit(&reader->touched_at, now, memory_order_relaxed);
    atomic_store_explicit(&reader->touch_stride, next, memory_order_relaxed);
    atomic_store_explicit(&reader->touch_left, next, memory_order_relaxed);
    if (a3mi_reader_on_thread(reader)) {
        return;
    }
    if (a3mi_role_now(&reader->role) == A3MI_ROLE_LEASED) {
        look(reader, now);
    } else if (next > 1 && calls > 1) {
        /*
         * Calls have come at least every 30 us for a while. The reader thread
         * must have got the role by mishap, and would keep it, being woken for
         * each packet, as long as it keeps this thread from having to wait.
         */
        a3mi_role_claim(&reader->role, now);
    }
}

void a3mi_reader_touch(struct a3mi_reader *reader)
{
    if (a3mi_role_now(&reader->role) == A3MI_ROLE_HELD || !reader->config.lend) {
        return;
    }
    uint32_t left = atomic_load_explicit(&reader->touch_left, memory_order_relaxed);
    if (left > 1) {
        atomic_store_explicit(&reader->touch_left, left - 1, memory_order_relaxed);
        return;
    }
    if (a3mi_reader_running(reader)) {
        touch(reader);
    }
}
