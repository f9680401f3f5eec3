/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a reader, shared by reader.c (life, thread, loop), turns.c (who
 * runs turns, and what it owes afterwards) and lead.c (waiting threads).
 *
 * [engine] marks what the engine lock guards, [holder] what belongs to the
 * holder of the reader role (state passes from one to the next with the role),
 * [thread] what only the reader thread touches.
 */
#ifndef A3MI_READER_PARTS_H
#define A3MI_READER_PARTS_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "runtime/alarm.h"
#include "runtime/outbox.h"
#include "runtime/patience.h"
#include "runtime/reader.h"
#include "runtime/role.h"
#include "runtime/turnlock.h"

/* Turns that a thread runs in a row because there is more to do, before it hands on. */
#define A3MI_READER_ROUNDS 4
enum a3mi_reader_phase { A3MI_READER_NEW, A3MI_READER_RUNNING, A3MI_READER_STOPPED };

/* What the thread waits for, as data of its epoll set. */
enum a3mi_reader_source {
    A3MI_SOURCE_TRANSPORT,
    A3MI_SOURCE_DEADLINE,
    A3MI_SOURCE_LEASE,
    A3MI_SOURCE_SIGNAL,
    A3MI_SOURCE_BUNDLE,
    A3MI_SOURCE_NOTICE,
};

struct a3mi_reader_counters {
    _Atomic uint64_t turns;                                             /* [engine] */
    _Atomic uint64_t wakeups, rx_wakeups, timer_wakeups, lease_wakeups; /* [thread] */
    _Atomic uint64_t leader_sleeps;                                     /* [holder] */
    _Atomic uint64_t waiter_sleeps, wakes;                              /* [atomic] */
};

struct a3mi_reader {
    struct a3mi_outbox outbox;
    alignas(64) struct a3mi_turnlock lock;

    alignas(64) struct a3mi_reader_ops ops; /* [const] */
    void *arg;                              /* [const] */
    struct a3mi_reader_config config;       /* [const] */
    int epfd;                               /* [const] the private set */
    int signal_fd;                          /* [const] ends the thread's sleep */
    int leader_fd;                          /* [const] ends a leader's sleep */
    _Atomic bool started;                   /* [atomic] turns may be run */

    alignas(64) struct a3mi_alarm deadline; /* [engine] */
    int64_t next_deadline, next_event;      /* [engine] what the last turn said */
    bool more;                              /* [engine] likewise */
    _Atomic int64_t received_at; /* [engine; read by all] ns; the last turn that looked at the network */

    struct a3mi_role role;
    struct a3mi_patience patience; /* [holder] */
    bool leader_rung;              /* [holder] leader_fd is readable, and means nothing any more */

    alignas(64) _Atomic uint32_t
        touch_left; /* [atomic: relaxed; a lost update does no harm] calls until the clock is read */
    _Atomic uint32_t touch_stride; /* likewise */
    _Atomic int64_t touched_at;    /* likewise */

    alignas(64) _Atomic bool bundle_armed; /* [atomic] the alarm of bundles is set */
    _Atomic int64_t bundle_since; /* [atomic: relaxed] ns; when the last bundle began; 0: carried since */
    _Atomic int64_t bundle_fired; /* [atomic: relaxed] ns; when the alarm went off last */
    _Atomic int64_t bundle_for;   /* [atomic: relaxed] ns; what it was set for last */
    struct a3mi_alarm bundle;     /* [const] its descriptor */
    uint64_t serial;              /* [const] no other reader of this process has it */

    alignas(64) _Atomic uint32_t
        signalled;               /* [atomic] the thread was told to run a turn and did not begin one yet */
    _Atomic uint32_t stop;       /* [atomic] */
    _Atomic uint32_t phase;      /* [atomic] enum a3mi_reader_phase */
    _Atomic uintptr_t thread_id; /* [atomic] pthread_self() of the thread; 0: none */
    pthread_t thread;
    int64_t asleep_since; /* [thread] ns; 0: its first sleep is to come */
    uv_loop_t loop;       /* [thread] */
    uv_poll_t poll;       /* [thread] */

    struct a3mi_reader_counters counters;
};

/* Of a counter that has one writer at a time. */
static inline void a3mi_reader_count(_Atomic uint64_t *counter)
{
    uint64_t n = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, n + 1, memory_order_relaxed);
}

static inline bool a3mi_reader_running(const struct a3mi_reader *reader)
{
    return atomic_load_explicit(&reader->started, memory_order_acquire);
}

/* ---- bundle.c ----------------------------------------------------------------- */

int a3mi_reader_bundle_open(struct a3mi_reader *reader);
/* [thread] The alarm of bundles went off; a turn follows. */
void a3mi_reader_bundle_went_off(struct a3mi_reader *reader, int64_t now);

/* ---- turns.c ----------------------------------------------------------------- */

/* On whose thread turns run; decides who keeps the deadline. */
enum a3mi_runner {
    A3MI_RUNNER_PASSING, /* it will not wait: the alarm has to keep the deadline */
    A3MI_RUNNER_LEADER,  /* it keeps the deadline itself, or the alarm of its lease does */
    A3MI_RUNNER_SLEEPER, /* a leader about to sleep, for long as it seems: the alarm shall not go off in vain */
};

struct a3mi_outcome {
    int64_t now;      /* ns; of the last turn */
    int64_t deadline; /* of protocol timers */
    bool received;
    bool more;                       /* more to do, which nobody else has to look after */
    void *after[A3MI_READER_ROUNDS]; /* for a3mi_reader_after */
    unsigned afters;
};

/*
 * [engine; let go at the end] Runs a turn, and further ones without RECEIVE as
 * long as there is something in the outbox or the last one could not finish
 * (at most A3MI_READER_ROUNDS). Wakes threads. The caller goes on with
 * a3mi_reader_after.
 */
void a3mi_reader_run(struct a3mi_reader *reader, unsigned flags, enum a3mi_runner runner,
                     struct a3mi_outcome *outcome);

/*
 * What comes after the turns: handlers, which may take their time, and may do
 * what an application does. No lock may be held, and not the reader role.
 */
void a3mi_reader_after(struct a3mi_reader *reader, struct a3mi_outcome *outcome);

/* Takes the engine lock, waiting for it, and runs. */
void a3mi_reader_turn(struct a3mi_reader *reader, unsigned flags, enum a3mi_runner runner,
                      struct a3mi_outcome *outcome);

#endif
