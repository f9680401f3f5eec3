/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trivial engine for tests and benchmarks of the runtime: one "socket" with a
 * queue that only counts, on a descriptor that carries datagrams. It does what a
 * node does, in the same order: messages go through the outbox and out in a
 * turn, what arrives is queued under the socket lock, and as many waiters are
 * woken as can be served.
 */
#ifndef RUNTIME_FAKE_H
#define RUNTIME_FAKE_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <a3m/errors.h>

#include "base/error.h"
#include "base/list.h"
#include "runtime/clock.h"
#include "runtime/reader.h"

#define FAKE_MS 1000000ll

enum { FAKE_BATCH = 16 };

struct fake_message {
    struct a3mi_outbox_node node;
    uint32_t size;
    uint8_t bytes[64];
};

struct fake_waiter {
    struct a3mi_list list;
    struct a3mi_parker parker;
};

struct fake {
    struct a3mi_reader *reader;
    int fd;
    void (*handler)(struct fake *fake); /* called after a turn that took `after`; NULL: none */

    pthread_mutex_t lock;     /* the socket's */
    struct a3mi_list waiters; /* [lock] */
    uint64_t queued;          /* [lock] */

    /* What turns do, to be set by a test. [atomic] */
    _Atomic int64_t deadline, event_deadline; /* when due, they move to never */
    _Atomic bool want_write;
    _Atomic bool fails; /* in something that the turn does besides */
    _Atomic(void *) after;

    /* What was seen. [atomic] */
    _Atomic uint64_t sent, received, deadlines, events, events_elsewhere, afters, flushes;
};

static inline void fake_wake_locked(struct fake *f, struct a3mi_wakes *wakes, uint64_t n)
{
    for (; n > 0 && !a3mi_list_empty(&f->waiters); n--) {
        struct a3mi_list *first = a3mi_list_pop_front(&f->waiters);
        a3mi_wakes_add(wakes, &a3mi_container_of(first, struct fake_waiter, list)->parker);
    }
}

static inline void fake_receive(struct fake *f, struct a3mi_turn *turn)
{
    struct mmsghdr messages[FAKE_BATCH]; /* no buffers: only the number of datagrams matters */

    memset(messages, 0, sizeof messages);
    int got = recvmmsg(f->fd, messages, FAKE_BATCH, MSG_DONTWAIT, NULL);
    if (got <= 0) {
        return;
    }
    uint64_t n = (uint64_t)got;
    turn->received = true;
    turn->more = n == FAKE_BATCH;
    (void)atomic_fetch_add(&f->received, n);
    (void)pthread_mutex_lock(&f->lock);
    f->queued += n;
    fake_wake_locked(f, &turn->wakes, n);
    (void)pthread_mutex_unlock(&f->lock);
}

static inline void fake_timers(struct fake *f, struct a3mi_turn *turn)
{
    int64_t at = atomic_load(&f->deadline);

    if (at <= turn->now && atomic_compare_exchange_strong(&f->deadline, &at, INT64_MAX)) {
        (void)atomic_fetch_add(&f->deadlines, 1);
    }
    at = atomic_load(&f->event_deadline);
    if ((turn->flags & A3MI_TURN_EVENTS) != 0 && at <= turn->now &&
        atomic_compare_exchange_strong(&f->event_deadline, &at, INT64_MAX)) {
        (void)atomic_fetch_add(a3mi_reader_on_thread(f->reader) ? &f->events : &f->events_elsewhere, 1);
    }
    turn->deadline = atomic_load(&f->deadline);
    turn->event_deadline = atomic_load(&f->event_deadline);
}

static inline void fake_turn(void *arg, struct a3mi_turn *turn)
{
    struct fake *f = arg;
    struct a3mi_outbox_node *node;

    for (int n = 0; n < 64 && (node = a3mi_reader_pop(f->reader)) != NULL; n++) {
        struct fake_message *m = a3mi_container_of(node, struct fake_message, node);
        (void)send(f->fd, m->bytes, m->size, MSG_DONTWAIT);
        (void)atomic_fetch_add(&f->sent, 1);
        free(m);
        turn->more = n == 63;
    }
    if (atomic_load(&f->fails)) {
        (void)a3mi_fail(A3M_EOS, "of the turn");
    }
    if ((turn->flags & A3MI_TURN_RECEIVE) != 0) {
        fake_receive(f, turn);
    }
    if ((turn->flags & A3MI_TURN_FLUSH) != 0) {
        (void)atomic_fetch_add(&f->flushes, 1);
    }
    fake_timers(f, turn);
    turn->want_write = atomic_load(&f->want_write);
    turn->after = atomic_exchange(&f->after, NULL);
}

static inline void fake_after(void *arg, void *what)
{
    struct fake *f = arg;

    (void)what;
    if (f->handler != NULL) {
        f->handler(f);
    }
    (void)atomic_fetch_add(&f->afters, 1); /* it is over */
}

static inline struct a3mi_reader_config fake_config(void)
{
    return (struct a3mi_reader_config){
        .lease_ns = FAKE_MS, .spin_ns = 50000, .lend = true, .name = "fake", .cpu = -1};
}

/* On `fd`, which stays the caller's. 0 or an error. */
static inline int fake_init(struct fake *f, int fd, struct a3mi_reader_config config)
{
    static const struct a3mi_reader_ops ops = {.turn = fake_turn, .after = fake_after};

    memset(f, 0, sizeof *f);
    f->fd = fd;
    (void)pthread_mutex_init(&f->lock, NULL);
    a3mi_list_init(&f->waiters);
    atomic_init(&f->deadline, INT64_MAX);
    atomic_init(&f->event_deadline, INT64_MAX);
    config.transport_fd = fd;
    return a3mi_reader_new(&f->reader, &config, &ops, f);
}

static inline void fake_fini(struct fake *f)
{
    a3mi_reader_stop(f->reader);
    a3mi_reader_free(f->reader);
    (void)pthread_mutex_destroy(&f->lock);
}

/* Sends a datagram of `size` bytes (at most 64) through the outbox. */
static inline void fake_send(struct fake *f, uint32_t size)
{
    struct fake_message *m = calloc(1, sizeof *m);

    if (m == NULL) {
        abort();
    }
    m->size = size;
    (void)pthread_mutex_lock(&f->lock);
    a3mi_reader_push(f->reader, &m->node);
    (void)pthread_mutex_unlock(&f->lock);
    a3mi_reader_kick(f->reader);
}

/* Takes one message; waits for it until the deadline (ns). 0, A3M_ETIMEDOUT, A3M_EINTR. */
static inline int fake_recv(struct fake *f, int64_t deadline, bool eintr)
{
    struct fake_waiter waiter;
    bool waited = false;
    int rc = 0;

    (void)pthread_mutex_lock(&f->lock);
    while (f->queued == 0 && rc == 0) {
        a3mi_parker_init(&waiter.parker);
        a3mi_list_push_back(&f->waiters, &waiter.list);
        (void)pthread_mutex_unlock(&f->lock);
        rc = a3mi_reader_wait(f->reader, &waiter.parker, deadline, eintr);
        waited = true;
        (void)pthread_mutex_lock(&f->lock);
        a3mi_list_remove(&waiter.list);
        (void)pthread_mutex_unlock(&f->lock);
        a3mi_parker_fini(&waiter.parker);
        (void)pthread_mutex_lock(&f->lock);
    }
    if (f->queued != 0) {
        f->queued--;
        rc = 0;
    }
    (void)pthread_mutex_unlock(&f->lock);
    if (!waited) {
        a3mi_reader_touch(f->reader);
    }
    return rc;
}

static inline struct a3mi_reader_stats fake_stats(const struct fake *f)
{
    struct a3mi_reader_stats stats;

    a3mi_reader_get_stats(f->reader, &stats);
    return stats;
}

#endif
