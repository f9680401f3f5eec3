/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a reader, its thread and its loop. libuv runs the loop and watches
 * one descriptor, the private epoll set, which holds the transport (while the
 * thread has the reader role), the alarm of deadlines, the alarm of the lease,
 * the transport's notices, and the eventfd of a3mi_reader_signal. A bare uv_poll_t on the transport would
 * stop itself with UV_EBADF at the first transmit stamp (POLLERR without POLLPRI).
 */
#include "runtime/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/error.h"

#include "runtime/clock.h"
#include "runtime/eventfd.h"
#include "runtime/reader_parts.h"

/* Turns of the thread in a row before it lets the loop turn round. */
#define TURNS_IN_A_ROW 64

static _Thread_local bool is_reader_thread;
/* Of whom this thread may not wait for anything at the moment; NULL: of nobody. */
static _Thread_local const struct a3mi_reader *no_waits_on;
static _Thread_local bool in_hook; /* of the application, inside of a turn */

/* ---- The thread -------------------------------------------------------------- */

static void drain_signal(struct a3mi_reader *reader)
{
    a3mi_eventfd_drain(reader->signal_fd);
    /* Before the turn, so that who signals from here on gets another one. */
    (void)atomic_exchange(&reader->signalled, 0);
}

static unsigned lease_went_off(struct a3mi_reader *reader)
{
    a3mi_reader_count(&reader->counters.lease_wakeups);
    return a3mi_role_expire(&reader->role, a3mi_clock_now()) ? (unsigned)A3MI_TURN_RECEIVE : 0;
}

static void deadline_went_off(struct a3mi_reader *reader)
{
    a3mi_reader_count(&reader->counters.timer_wakeups);
    (void)a3mi_alarm_drain(&reader->deadline);
    a3mi_turnlock_take(&reader->lock);
    a3mi_alarm_went_off(&reader->deadline, a3mi_clock_now());
    a3mi_turnlock_unlock(&reader->lock); /* the turn that follows looks at the outbox */
}

static void notice_came(struct a3mi_reader *reader)
{
    a3mi_turnlock_take(&reader->lock);
    reader->ops.notice(reader->arg, a3mi_clock_now());
    a3mi_turnlock_unlock(&reader->lock); /* the turn that follows looks at the outbox */
}

/* Takes in why the thread woke up; returns what its turns shall do besides. */
static unsigned causes(struct a3mi_reader *reader)
{
    struct epoll_event events[8];
    unsigned flags = A3MI_TURN_EVENTS;
    int n = epoll_wait(reader->epfd, events, 8, 0);

    for (int i = 0; i < n; i++) {
        switch ((enum a3mi_reader_source)events[i].data.u64) {
        case A3MI_SOURCE_TRANSPORT:
            a3mi_reader_count(&reader->counters.rx_wakeups);
            flags |= A3MI_TURN_RECEIVE;
            break;
        case A3MI_SOURCE_DEADLINE: deadline_went_off(reader); break;
        case A3MI_SOURCE_LEASE: flags |= lease_went_off(reader); break;
        case A3MI_SOURCE_SIGNAL: drain_signal(reader); break;
        case A3MI_SOURCE_NOTICE: notice_came(reader); break;
        case A3MI_SOURCE_BUNDLE:
            a3mi_reader_count(&reader->counters.timer_wakeups);
            a3mi_reader_bundle_went_off(reader, a3mi_clock_now());
            break;
        }
    }
    if (atomic_load(&reader->role.want_write) && a3mi_role_reclaim(&reader->role)) {
        flags |= A3MI_TURN_RECEIVE;
    }
    return flags;
}

static bool stopping(const struct a3mi_reader *reader)
{
    return atomic_load_explicit(&reader->stop, memory_order_acquire) != 0;
}

/* Whether the thread keeps the role for good, so that it is the one to spin. */
static bool spins(const struct a3mi_reader *reader)
{
    return !reader->config.lend && reader->config.spin_ns > 0;
}

/* Turns while there is something to do, and for as long as it is worth to spin. */
static void turns(struct a3mi_reader *reader, unsigned flags)
{
    struct a3mi_outcome outcome;
    int64_t quiet_since = 0;
    int64_t yield_at = 0; /* 0: it did not yield before this turn */
    bool yielded = false;

    for (int busy = 0; busy < TURNS_IN_A_ROW && !stopping(reader);) {
        a3mi_reader_turn(reader, flags, A3MI_RUNNER_PASSING, &outcome);
        a3mi_reader_after(reader, &outcome);
        if (yield_at != 0 && a3mi_patience_yielded(&reader->patience, outcome.now - yield_at, outcome.now)) {
            yielded = false;
        }
        yield_at = 0;
        if (outcome.received && yielded) {
            a3mi_patience_paid(&reader->patience);
        }
        if (outcome.received || outcome.more || quiet_since == 0) {
            quiet_since = outcome.now;
            yielded = false;
            busy++;
        }
        if (outcome.received || outcome.more) {
            if (a3mi_role_now(&reader->role) != A3MI_ROLE_READER) {
                flags &= ~(unsigned)A3MI_TURN_RECEIVE;
            }
            continue;
        }
        if (!spins(reader) ||
            outcome.now - quiet_since >= a3mi_patience_spin(&reader->patience, outcome.now)) {
            return;
        }
        flags |= A3MI_TURN_RECEIVE;
        yielded = true;
        yield_at = outcome.now;
        (void)sched_yield();
    }
}

/* All that there is to do, and a last turn that flushes. */
static void work(struct a3mi_reader *reader, unsigned flags)
{
    struct a3mi_outcome outcome;

    turns(reader, flags);
    a3mi_reader_turn(reader, flags | A3MI_TURN_FLUSH, A3MI_RUNNER_PASSING, &outcome);
    if (outcome.more) {
        a3mi_reader_signal(reader);
    }
    a3mi_reader_after(reader, &outcome);
    reader->asleep_since = outcome.now;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct a3mi_reader *reader = poll->data;

    (void)status;
    (void)events;
    a3mi_reader_count(&reader->counters.wakeups);
    if (spins(reader)) {
        int64_t slept = a3mi_clock_now() - reader->asleep_since;
        a3mi_patience_slept(&reader->patience, slept, slept);
    }
    work(reader, causes(reader));
    if (stopping(reader)) {
        uv_stop(&reader->loop);
    }
}

static void *thread_main(void *arg)
{
    struct a3mi_reader *reader = arg;
    int cancel;

    is_reader_thread = true;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    (void)pthread_setname_np(pthread_self(), reader->config.name[0] != '\0' ? reader->config.name : "a3m");
    atomic_store(&reader->thread_id, (uintptr_t)pthread_self());
    /* What was pushed before the start is carried now. */
    work(reader, A3MI_TURN_RECEIVE | A3MI_TURN_EVENTS);
    (void)uv_run(&reader->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- Start and stop ----------------------------------------------------------- */

/* 0 or an errno. */
static int set_attributes(pthread_attr_t *attr, const struct a3mi_reader_config *config)
{
    if (config->cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)config->cpu, &set);
        int rc = pthread_attr_setaffinity_np(attr, sizeof set, &set);
        if (rc != 0) {
            return rc;
        }
    }
    if (config->priority == 0) {
        return 0;
    }
    struct sched_param param = {.sched_priority = config->priority};
    int rc = pthread_attr_setinheritsched(attr, PTHREAD_EXPLICIT_SCHED);
    if (rc == 0) {
        rc = pthread_attr_setschedpolicy(attr, SCHED_FIFO);
    }
    return rc != 0 ? rc : pthread_attr_setschedparam(attr, &param);
}

/* With all signals blocked in it: they are the application's. 0 or an errno. */
static int create_thread(struct a3mi_reader *reader)
{
    pthread_attr_t attr;
    sigset_t all, before;

    int rc = pthread_attr_init(&attr);
    if (rc != 0) {
        return rc;
    }
    rc = set_attributes(&attr, &reader->config);
    if (rc == 0) {
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        rc = pthread_create(&reader->thread, &attr, thread_main, reader);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_attr_destroy(&attr);
    return rc;
}

int a3mi_reader_start(struct a3mi_reader *reader)
{
    uint32_t phase = A3MI_READER_NEW;

    if (!atomic_compare_exchange_strong(&reader->phase, &phase, A3MI_READER_RUNNING)) {
        return a3mi_fail(A3M_ESTATE, "the reader was started before");
    }
    atomic_store(&reader->started, true);
    a3mi_fence(); /* a pusher that did not see it has pushed by now, and the thread begins with a turn */
    int rc = create_thread(reader);
    if (rc == 0) {
        return 0;
    }
    atomic_store(&reader->started, false);
    atomic_store(&reader->phase, A3MI_READER_NEW);
    return a3mi_fail_os(rc, "reader thread");
}

bool a3mi_reader_started(const struct a3mi_reader *reader)
{
    return a3mi_reader_running(reader);
}

void a3mi_reader_stop(struct a3mi_reader *reader)
{
    uint32_t phase = A3MI_READER_RUNNING;

    if (!atomic_compare_exchange_strong(&reader->phase, &phase, A3MI_READER_STOPPED)) {
        return;
    }
    atomic_store(&reader->stop, 1);
    (void)atomic_exchange(&reader->signalled, 0); /* whatever is under way: signal again */
    a3mi_reader_signal(reader);
    (void)pthread_join(reader->thread, NULL);
    atomic_store(&reader->thread_id, 0);
    atomic_store(&reader->started, false);
}

bool a3mi_reader_on_thread(const struct a3mi_reader *reader)
{
    return in_hook || no_waits_on == reader ||
           atomic_load_explicit(&reader->thread_id, memory_order_relaxed) == (uintptr_t)pthread_self();
}

bool a3mi_reader_on_any_thread(void)
{
    return in_hook || is_reader_thread || no_waits_on != NULL;
}

const struct a3mi_reader *a3mi_reader_forbid_waits(const struct a3mi_reader *reader)
{
    const struct a3mi_reader *before = no_waits_on;

    no_waits_on = reader;
    return before;
}

void a3mi_reader_set_in_hook(bool inside)
{
    in_hook = inside;
}

bool a3mi_reader_in_hook(void)
{
    return in_hook;
}

/* ---- Life --------------------------------------------------------------------- */

static int watch(const struct a3mi_reader *reader, int fd, enum a3mi_reader_source source)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = source};

    if (epoll_ctl(reader->epfd, EPOLL_CTL_ADD, fd, &ev) != 0) {
        return a3mi_fail_os(errno, "epoll_ctl");
    }
    return 0;
}

/* The private set, its eventfds, the alarms of deadlines and of bundles; what was opened is found in the struct. */
static int open_set(struct a3mi_reader *reader)
{
    reader->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (reader->epfd < 0) {
        return a3mi_fail_os(errno, "epoll_create1");
    }
    int rc = a3mi_eventfd_open(&reader->signal_fd);
    if (rc == 0) {
        rc = a3mi_eventfd_open(&reader->leader_fd);
    }
    if (rc == 0) {
        rc = a3mi_alarm_open(&reader->deadline);
    }
    if (rc == 0) {
        rc = a3mi_reader_bundle_open(reader);
    }
    if (rc == 0) {
        rc = watch(reader, reader->signal_fd, A3MI_SOURCE_SIGNAL);
    }
    if (rc == 0) {
        rc = watch(reader, reader->bundle.fd, A3MI_SOURCE_BUNDLE);
    }
    return rc == 0 ? watch(reader, reader->deadline.fd, A3MI_SOURCE_DEADLINE) : rc;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

static void close_set(struct a3mi_reader *reader)
{
    close_fd(&reader->epfd);
    close_fd(&reader->signal_fd);
    close_fd(&reader->leader_fd);
    a3mi_alarm_close(&reader->deadline);
    a3mi_alarm_close(&reader->bundle);
}

/*
 * What uv_loop_init opens: epoll set, signal pipe, eventfd. When it runs out of
 * descriptors on the way, libuv 1.44 leaks the first, and a process that tries
 * again and again would lose them all. So see first whether there are enough.
 */
static int try_descriptors(const struct a3mi_reader *reader)
{
    int fds[4];
    int n = 0;
    int rc = 0;

    while (rc == 0 && n < 4) {
        int fd = fcntl(reader->epfd, F_DUPFD_CLOEXEC, 0);
        if (fd >= 0) {
            fds[n++] = fd;
        } else {
            rc = a3mi_fail_os(errno, "descriptors for an event loop");
        }
    }
    while (n > 0) {
        (void)close(fds[--n]);
    }
    return rc;
}

static int open_loop(struct a3mi_reader *reader)
{
    int rc = try_descriptors(reader);

    if (rc != 0) {
        return rc;
    }
    rc = uv_loop_init(&reader->loop);
    if (rc != 0) {
        return a3mi_fail_os(-rc, "uv_loop_init"); /* its codes are negative errno values */
    }
    rc = uv_poll_init(&reader->loop, &reader->poll, reader->epfd);
    if (rc == 0) {
        reader->poll.data = reader;
        rc = uv_poll_start(&reader->poll, UV_READABLE, on_readable);
        if (rc == 0) {
            return 0;
        }
        uv_close((uv_handle_t *)&reader->poll, NULL);
        (void)uv_run(&reader->loop, UV_RUN_DEFAULT);
    }
    (void)uv_loop_close(&reader->loop);
    return a3mi_fail_os(-rc, "uv_poll");
}

static void close_loop(struct a3mi_reader *reader)
{
    uv_close((uv_handle_t *)&reader->poll, NULL);
    (void)uv_run(&reader->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&reader->loop);
}

static void init(struct a3mi_reader *reader, const struct a3mi_reader_config *config,
                 const struct a3mi_reader_ops *ops, void *arg)
{
    memset(reader, 0, sizeof *reader);
    a3mi_outbox_init(&reader->outbox);
    a3mi_turnlock_init(&reader->lock);
    reader->ops = *ops;
    reader->arg = arg;
    reader->config = *config;
    reader->epfd = -1;
    reader->signal_fd = -1;
    reader->leader_fd = -1;
    reader->deadline = (struct a3mi_alarm){.fd = -1, .at = INT64_MAX};
    reader->bundle = (struct a3mi_alarm){.fd = -1, .at = INT64_MAX};
    reader->next_deadline = INT64_MAX;
    reader->next_event = INT64_MAX;
    a3mi_patience_init(&reader->patience, config->spin_ns, config->lease_ns);
}

/* What a3mi_reader_new opens, besides memory. */
static int open_all(struct a3mi_reader *reader)
{
    int rc = open_set(reader);

    if (rc != 0) {
        goto fail_set;
    }
    rc = a3mi_role_init(&reader->role, reader->epfd, reader->config.transport_fd, A3MI_SOURCE_TRANSPORT,
                        reader->config.lease_ns);
    if (rc != 0) {
        goto fail_set;
    }
    rc = watch(reader, reader->role.lease.fd, A3MI_SOURCE_LEASE);
    if (rc == 0 && reader->config.has_notice) {
        rc = watch(reader, reader->config.notice_fd, A3MI_SOURCE_NOTICE);
    }
    if (rc != 0) {
        goto fail_role;
    }
    rc = open_loop(reader);
    if (rc != 0) {
        goto fail_role;
    }
    return 0;

fail_role:
    a3mi_role_fini(&reader->role);
fail_set:
    close_set(reader);
    return rc;
}

int a3mi_reader_new(struct a3mi_reader **reader, const struct a3mi_reader_config *config,
                    const struct a3mi_reader_ops *ops, void *arg)
{
    struct a3mi_reader *made = aligned_alloc(alignof(struct a3mi_reader), sizeof *made);

    if (made == NULL) {
        return a3mi_fail(A3M_ENOMEM, "no memory for a reader");
    }
    init(made, config, ops, arg);
    int rc = open_all(made);
    if (rc != 0) {
        free(made);
        return rc;
    }
    *reader = made;
    return 0;
}

void a3mi_reader_free(struct a3mi_reader *reader)
{
    close_loop(reader);
    a3mi_role_fini(&reader->role);
    close_set(reader);
    free(reader);
}

void a3mi_reader_abandon(struct a3mi_reader *reader)
{
    /*
     * The child's copies only: no epoll_ctl and no uv_close, since the sets
     * behind the descriptors are still the parent's. libuv's own are its epoll
     * set and the eventfd of its uv_async_t.
     */
    int backend = uv_backend_fd(&reader->loop);

    close_fd(&backend);
    close_fd(&reader->loop.async_io_watcher.fd);
    a3mi_alarm_close(&reader->role.lease);
    close_set(reader);
    atomic_store(&reader->started, false);
}

void a3mi_reader_get_stats(const struct a3mi_reader *reader, struct a3mi_reader_stats *stats)
{
    const struct a3mi_reader_counters *c = &reader->counters;

    *stats = (struct a3mi_reader_stats){
        .turns = atomic_load_explicit(&c->turns, memory_order_relaxed),
        .reader_wakeups = atomic_load_explicit(&c->wakeups, memory_order_relaxed),
        .reader_rx_wakeups = atomic_load_explicit(&c->rx_wakeups, memory_order_relaxed),
        .reader_timer_wakeups = atomic_load_explicit(&c->timer_wakeups, memory_order_relaxed),
        .reader_lease_wakeups = atomic_load_explicit(&c->lease_wakeups, memory_order_relaxed),
        .leader_sleeps = atomic_load_explicit(&c->leader_sleeps, memory_order_relaxed),
        .waiter_sleeps = atomic_load_explicit(&c->waiter_sleeps, memory_order_relaxed),
        .wakes = atomic_load_explicit(&c->wakes, memory_order_relaxed),
        .role_transfers = atomic_load_explicit(&reader->role.transfers, memory_order_relaxed),
    };
}
