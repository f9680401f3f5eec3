/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader with a trivial engine on one end of a socket pair: who reads the
 * network when, who is woken, and that nothing is left lying. covers N3 N8 N11
 */
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "support/runtime_fake.h"

/* Until the condition holds, for at most ten seconds. */
#define EVENTUALLY(condition)                                \
    do {                                                     \
        int64_t until_ = a3mi_clock_now() + 10000 * FAKE_MS; \
        while (!(condition) && a3mi_clock_now() < until_) {  \
            (void)sched_yield();                             \
        }                                                    \
        assert_true(condition);                              \
    } while (0)

struct fixture {
    struct fake fake;
    int ends[2]; /* the engine's, the peer's */
};

static int64_t in_ms(int64_t ms)
{
    return a3mi_clock_now() + ms * FAKE_MS;
}

static void set_up(struct fixture *fx, struct a3mi_reader_config config)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fx->ends), 0);
    assert_int_equal(fake_init(&fx->fake, fx->ends[0], config), 0);
}

static void set_up_started(struct fixture *fx, struct a3mi_reader_config config)
{
    set_up(fx, config);
    assert_int_equal(a3mi_reader_start(fx->fake.reader), 0);
}

static void tear_down(struct fixture *fx)
{
    fake_fini(&fx->fake);
    (void)close(fx->ends[0]);
    (void)close(fx->ends[1]);
}

static void peer_sends(const struct fixture *fx, int n)
{
    for (int i = 0; i < n; i++) {
        assert_int_equal(send(fx->ends[1], "x", 1, 0), 1);
    }
}

/* ---- Without waiting callers -------------------------------------------------- */

static void test_reader_push_before_start_is_carried_at_start(void **state)
{
    struct fixture fx;
    char byte[64];

    (void)state;
    set_up(&fx, fake_config());
    fake_send(&fx.fake, 3);
    assert_int_equal(fx.fake.sent, 0);
    assert_false(a3mi_reader_started(fx.fake.reader));
    assert_int_equal(a3mi_reader_start(fx.fake.reader), 0);
    assert_int_equal(recv(fx.ends[1], byte, sizeof byte, 0), 3);
    assert_true(a3mi_reader_started(fx.fake.reader));
    assert_int_equal(a3mi_reader_start(fx.fake.reader), A3M_ESTATE);
    tear_down(&fx);
}

static void test_reader_send_is_carried_by_the_sender_itself(void **state)
{
    struct fixture fx;
    char byte[64];

    (void)state;
    set_up_started(&fx, fake_config());
    EVENTUALLY(fake_stats(&fx.fake).turns >= 2); /* those of the start */
    uint64_t wakeups = fake_stats(&fx.fake).reader_wakeups;
    for (int i = 0; i < 100; i++) {
        fake_send(&fx.fake, 1);
        assert_int_equal(recv(fx.ends[1], byte, sizeof byte, MSG_DONTWAIT), 1);
    }
    assert_int_equal(fake_stats(&fx.fake).reader_wakeups, wakeups);
    tear_down(&fx);
}

static void test_reader_nobody_waits_the_thread_receives(void **state)
{
    struct fixture fx;

    (void)state;
    set_up_started(&fx, fake_config());
    EVENTUALLY(fake_stats(&fx.fake).turns >= 2);
    peer_sends(&fx, 100);
    EVENTUALLY(fx.fake.received == 100);
    assert_true(fake_stats(&fx.fake).reader_rx_wakeups > 0);
    assert_true(fx.fake.flushes > 0);
    tear_down(&fx);
}

static void test_reader_signal_runs_a_turn(void **state)
{
    struct fixture fx;

    (void)state;
    set_up_started(&fx, fake_config());
    for (uint64_t i = 1; i <= 100; i++) {
        uint64_t turns = fake_stats(&fx.fake).turns;
        a3mi_reader_signal(fx.fake.reader);
        EVENTUALLY(fake_stats(&fx.fake).turns > turns);
    }
    tear_down(&fx);
}

static void test_reader_after_runs_once_the_turn_is_over(void **state)
{
    struct fixture fx;

    (void)state;
    set_up_started(&fx, fake_config());
    EVENTUALLY(fake_stats(&fx.fake).turns >= 2);
    atomic_store(&fx.fake.after, &fx);
    fake_send(&fx.fake, 1);
    assert_int_equal(fx.fake.afters, 1);
    tear_down(&fx);
}

struct entered {
    struct fixture *fx;
    struct fake_message *message;
    struct a3mi_parker parker;
    int runs;
};

static void inside(void *arg, struct a3mi_turn *turn)
{
    struct entered *e = arg;

    e->runs++;
    a3mi_wakes_add(&turn->wakes, &e->parker);
    if (e->message != NULL) {
        /* As another thread would, which then finds the lock held. */
        a3mi_reader_push(e->fx->fake.reader, &e->message->node);
        a3mi_reader_kick(e->fx->fake.reader);
    }
}

static void test_reader_enter_owes_what_a_turn_owes(void **state)
{
    struct fixture fx;
    struct entered e = {.fx = &fx, .message = calloc(1, sizeof(struct fake_message))};
    char byte[64];

    (void)state;
    set_up_started(&fx, fake_config());
    EVENTUALLY(fake_stats(&fx.fake).turns >= 2);
    a3mi_parker_init(&e.parker);
    e.message->size = 7;
    a3mi_reader_enter(fx.fake.reader, inside, &e);
    assert_int_equal(e.runs, 1);
    assert_true(a3mi_parker_take(&e.parker));
    assert_int_equal(recv(fx.ends[1], byte, sizeof byte, MSG_DONTWAIT), 7);
    a3mi_parker_fini(&e.parker);
    tear_down(&fx);
}

static void test_reader_enter_before_start_only_runs_the_function(void **state)
{
    struct fixture fx;
    struct entered e = {.fx = &fx};

    (void)state;
    set_up(&fx, fake_config());
    a3mi_parker_init(&e.parker);
    a3mi_reader_enter(fx.fake.reader, inside, &e);
    assert_int_equal(e.runs, 1);
    assert_int_equal(fake_stats(&fx.fake).turns, 0);
    assert_int_equal(a3mi_reader_wait(fx.fake.reader, &e.parker, INT64_MAX, false), 0);
    a3mi_parker_fini(&e.parker);
    tear_down(&fx);
}

/* ---- Deadlines ------------------------------------------------------------------ */

static void test_reader_protocol_deadline_runs_a_turn(void **state)
{
    struct fixture fx;

    (void)state;
    set_up_started(&fx, fake_config());
    for (uint64_t i = 1; i <= 20; i++) {
        atomic_store(&fx.fake.deadline, a3mi_clock_now() + 300000);
        fake_send(&fx.fake, 1); /* its turn tells the reader */
        EVENTUALLY(fx.fake.deadlines == i);
    }
    assert_true(fake_stats(&fx.fake).reader_timer_wakeups > 0);
    tear_down(&fx);
}

static void test_reader_event_deadline_runs_on_the_thread_only(void **state)
{
    struct fixture fx;

    (void)state;
    set_up_started(&fx, fake_config());
    for (uint64_t i = 1; i <= 20; i++) {
        atomic_store(&fx.fake.event_deadline, a3mi_clock_now() + (i % 2 == 0 ? 0 : 200000));
        fake_send(&fx.fake, 1);
        EVENTUALLY(fx.fake.events == i);
    }
    assert_int_equal(fx.fake.events_elsewhere, 0);
    tear_down(&fx);
}

static void test_reader_deadline_that_moves_away_wakes_nobody(void **state)
{
    struct fixture fx;
    int64_t until;

    (void)state;
    set_up_started(&fx, fake_config());
    EVENTUALLY(fake_stats(&fx.fake).turns >= 2);
    uint64_t before = fake_stats(&fx.fake).reader_timer_wakeups;
    uint64_t turns = fake_stats(&fx.fake).turns;
    int64_t worst = 0;
    int64_t last = a3mi_clock_now();
    until = in_ms(60);
    for (int64_t now = last; now < until; now = a3mi_clock_now()) {
        /* 10 ms away at each turn: it would have gone off six times by the end. */
        atomic_store(&fx.fake.deadline, now + 10 * FAKE_MS);
        a3mi_reader_kick(fx.fake.reader);
        worst = now - last > worst ? now - last : worst;
        last = now;
    }
    uint64_t wakeups = fake_stats(&fx.fake).reader_timer_wakeups - before;
    printf("%llu turns, longest pause %lld us, %llu wake-ups\n",
           (unsigned long long)(fake_stats(&fx.fake).turns - turns), (long long)worst / 1000,
           (unsigned long long)wakeups);
    if (worst < 400000) { /* else this thread was kept from running */
        assert_int_equal(wakeups, 0);
    }
    atomic_store(&fx.fake.deadline, INT64_MAX);
    tear_down(&fx);
}

/* ---- Waiting -------------------------------------------------------------------- */

static void test_reader_wait_deadline_passes_times_out(void **state)
{
    struct fixture fx;

    (void)state;
    set_up_started(&fx, fake_config());
    int64_t deadline = in_ms(3);
    assert_int_equal(fake_recv(&fx.fake, deadline, false), A3M_ETIMEDOUT);
    assert_true(a3mi_clock_now() >= deadline);
    assert_int_equal(fake_recv(&fx.fake, 0, false), A3M_ETIMEDOUT);
    tear_down(&fx);
}

static void test_reader_wait_one_thread_reads_for_itself(void **state)
{
    struct fixture fx;
    struct a3mi_reader_config config = fake_config();

    (void)state;
    config.lease_ns = 100000 * FAKE_MS;
    set_up_started(&fx, config);
    EVENTUALLY(fake_stats(&fx.fake).turns >= 2);
    assert_int_equal(fake_recv(&fx.fake, in_ms(1), false),
                     A3M_ETIMEDOUT); /* takes the role, leaves it on lease */
    uint64_t wakeups = fake_stats(&fx.fake).reader_wakeups;
    peer_sends(&fx, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
    }
    assert_int_equal(fake_stats(&fx.fake).reader_wakeups, wakeups);
    assert_int_equal(fake_stats(&fx.fake).waiter_sleeps, 0);
    assert_int_equal(fake_stats(&fx.fake).role_transfers, 1);
    tear_down(&fx);
}

static void test_reader_wait_lease_over_the_thread_reads_again(void **state)
{
    struct fixture fx;

    (void)state;
    set_up_started(&fx, fake_config());
    for (uint64_t i = 1; i <= 5; i++) {
        assert_int_equal(fake_recv(&fx.fake, in_ms(1), false), A3M_ETIMEDOUT);
        assert_true(fake_stats(&fx.fake).role_transfers >= 2 * i - 1);
        peer_sends(&fx, 1);
        EVENTUALLY(fx.fake.received == i); /* nobody waits, nobody calls */
        EVENTUALLY(fake_stats(&fx.fake).role_transfers == 2 * i);
        assert_true(fake_stats(&fx.fake).reader_lease_wakeups >= i);
        assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
    }
    tear_down(&fx);
}

static void test_reader_wait_not_lent_the_thread_wakes_it(void **state)
{
    struct fixture fx;
    struct a3mi_reader_config config = fake_config();

    (void)state;
    config.lend = false;
    set_up_started(&fx, config);
    for (int i = 0; i < 20; i++) {
        peer_sends(&fx, 1);
        assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
    }
    assert_int_equal(fake_stats(&fx.fake).role_transfers, 0);
    assert_int_equal(fake_stats(&fx.fake).leader_sleeps, 0);
    assert_int_equal(fake_recv(&fx.fake, in_ms(2), false), A3M_ETIMEDOUT);
    tear_down(&fx);
}

static void test_reader_wait_without_lease_gives_back_at_once(void **state)
{
    struct fixture fx;
    struct a3mi_reader_config config = fake_config();

    (void)state;
    config.lease_ns = 0;
    config.spin_ns = 0;
    set_up_started(&fx, config);
    for (int i = 0; i < 20; i++) {
        peer_sends(&fx, 2);
        assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
        assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
        uint64_t received = fx.fake.received;
        peer_sends(&fx, 1);
        EVENTUALLY(fx.fake.received == received + 1);
        assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
    }
    tear_down(&fx);
}

static void test_reader_wait_protocol_deadline_passes_while_leading(void **state)
{
    struct fixture fx;

    (void)state;
    set_up_started(&fx, fake_config());
    for (uint64_t i = 1; i <= 5; i++) {
        int64_t at = in_ms(2);
        atomic_store(&fx.fake.deadline, at);
        assert_int_equal(fake_recv(&fx.fake, at + 3 * FAKE_MS, false), A3M_ETIMEDOUT);
        assert_int_equal(fx.fake.deadlines, i);
    }
    tear_down(&fx);
}

/* ---- Several wait ------------------------------------------------------------------ */

enum { WAITERS = 4 };

struct waiter {
    struct fake *fake;
    uint64_t messages;
    int result;
    bool eintr;
    _Atomic bool done;
    _Atomic uint64_t taken;
    pthread_t thread;
};

static void *wait_for_messages(void *arg)
{
    struct waiter *w = arg;

    for (uint64_t i = 0; i < w->messages && w->result == 0; i++) {
        w->result = fake_recv(w->fake, INT64_MAX, w->eintr);
        (void)atomic_fetch_add(&w->taken, 1);
    }
    atomic_store(&w->done, true);
    return NULL;
}

static void start_waiter(struct waiter *w, struct fake *fake, uint64_t messages)
{
    *w = (struct waiter){.fake = fake, .messages = messages};
    assert_int_equal(pthread_create(&w->thread, NULL, wait_for_messages, w), 0);
}

static void test_reader_wait_four_threads_hand_the_role_on(void **state)
{
    struct fixture fx;
    struct waiter w[WAITERS];
    uint64_t each = 500;

    (void)state;
    set_up_started(&fx, fake_config());
    for (int i = 0; i < WAITERS; i++) {
        start_waiter(&w[i], &fx.fake, each);
    }
    EVENTUALLY(fake_stats(&fx.fake).waiter_sleeps >= WAITERS - 1); /* one leads, the others stand in line */
    for (uint64_t sent = 0; sent < WAITERS * each; sent++) {
        peer_sends(&fx, 1); /* blocks when the socket is full */
    }
    for (int i = 0; i < WAITERS; i++) {
        (void)pthread_join(w[i].thread, NULL);
        assert_int_equal(w[i].result, 0);
        assert_int_equal(w[i].taken, each);
    }
    assert_int_equal(fx.fake.received, WAITERS * each);
    assert_true(fake_stats(&fx.fake).role_transfers >= WAITERS);
    tear_down(&fx);
}

static void test_reader_wait_leader_leaves_next_in_line_leads(void **state)
{
    struct fixture fx;
    struct waiter w[WAITERS];

    (void)state;
    set_up_started(&fx, fake_config());
    for (int i = 0; i < WAITERS; i++) {
        start_waiter(&w[i], &fx.fake, 1);
    }
    EVENTUALLY(fake_stats(&fx.fake).waiter_sleeps >= WAITERS - 1);
    uint64_t rx = fake_stats(&fx.fake).reader_rx_wakeups;
    for (int i = 0; i < WAITERS; i++) {
        uint64_t received = fx.fake.received;
        peer_sends(&fx, 1);
        EVENTUALLY(fx.fake.received == received + 1);
    }
    for (int i = 0; i < WAITERS; i++) {
        (void)pthread_join(w[i].thread, NULL);
    }
    assert_int_equal(fake_stats(&fx.fake).reader_rx_wakeups, rx); /* never read by the thread in between */
    tear_down(&fx);
}

/* ---- Waking a leader ---------------------------------------------------------------- */

static void put_message(void *arg, struct a3mi_turn *turn)
{
    struct fake *f = arg;

    (void)pthread_mutex_lock(&f->lock);
    f->queued++;
    fake_wake_locked(f, &turn->wakes, 1);
    (void)pthread_mutex_unlock(&f->lock);
}

static void test_reader_wait_leader_asleep_is_woken_by_a_thread(void **state)
{
    struct fixture fx;
    struct waiter w;

    (void)state;
    struct a3mi_reader_config config = fake_config();
    config.spin_ns = 0;
    set_up_started(&fx, config);
    start_waiter(&w, &fx.fake, 200);
    EVENTUALLY(fake_stats(&fx.fake).leader_sleeps > 0);
    for (uint64_t i = 0; i < 200; i++) {
        a3mi_reader_enter(fx.fake.reader, put_message, &fx.fake);
        EVENTUALLY(w.taken == i + 1);
    }
    (void)pthread_join(w.thread, NULL);
    assert_true(fake_stats(&fx.fake).wakes > 0);
    tear_down(&fx);
}

static void on_signal(int number)
{
    (void)number;
}

static void test_reader_wait_signal_with_eintr_interrupts_leader_and_line(void **state)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    struct fixture fx;
    struct waiter w[2];

    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    set_up_started(&fx, fake_config());
    for (int i = 0; i < 2; i++) {
        w[i] = (struct waiter){.fake = &fx.fake, .messages = 1, .eintr = true};
        assert_int_equal(pthread_create(&w[i].thread, NULL, wait_for_messages, &w[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        while (!atomic_load(&w[i].done)) {
            (void)pthread_kill(w[i].thread, SIGUSR1);
            (void)sched_yield();
        }
        (void)pthread_join(w[i].thread, NULL);
        assert_int_equal(w[i].result, A3M_EINTR);
    }
    (void)sigaction(SIGUSR1, &before, NULL);
    tear_down(&fx);
}

static void test_reader_wait_signal_without_eintr_waits_on(void **state)
{
    struct sigaction action = {.sa_handler = on_signal}, before;
    struct fixture fx;
    struct waiter w;

    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    set_up_started(&fx, fake_config());
    start_waiter(&w, &fx.fake, 1);
    for (int i = 0; i < 200; i++) {
        (void)pthread_kill(w.thread, SIGUSR1);
        (void)sched_yield();
    }
    peer_sends(&fx, 1);
    (void)pthread_join(w.thread, NULL);
    assert_int_equal(w.result, 0);
    (void)sigaction(SIGUSR1, &before, NULL);
    tear_down(&fx);
}

/* ---- Handlers on a leader ------------------------------------------------------- */

static struct fixture *in_handler;

/* Blocks until a message has come that this thread does not read. */
static void wait_for_another(struct fake *f)
{
    uint64_t received = atomic_load(&f->received);

    peer_sends(in_handler, 1);
    EVENTUALLY(atomic_load(&f->received) > received);
}

static void test_reader_wait_handler_blocks_the_leader_the_thread_reads(void **state)
{
    struct fixture fx;

    (void)state;
    set_up_started(&fx, fake_config());
    in_handler = &fx;
    fx.fake.handler = wait_for_another;
    for (uint64_t i = 1; i <= 10; i++) {
        assert_int_equal(fake_recv(&fx.fake, in_ms(1), false), A3M_ETIMEDOUT); /* on lease: it will lead */
        atomic_store(&fx.fake.after, &fx);
        peer_sends(&fx, 1);
        assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
        EVENTUALLY(fx.fake.afters == i && fx.fake.received == 2 * i);
        assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
    }
    tear_down(&fx);
}

/*
 * Waits once more on the thread that is waiting already, for something else than
 * it, until a message was read. Only this thread can have read it.
 */
static void wait_inside(struct fake *f)
{
    struct a3mi_parker parker;
    uint64_t received = atomic_load(&f->received);
    int64_t until = in_ms(10000);

    if (a3mi_reader_on_thread(f->reader)) {
        return; /* there it would be refused */
    }
    a3mi_parker_init(&parker);
    peer_sends(in_handler, 1);
    while (atomic_load(&f->received) == received && a3mi_clock_now() < until) {
        assert_int_equal(a3mi_reader_wait(f->reader, &parker, in_ms(1), false), A3M_ETIMEDOUT);
    }
    a3mi_parker_fini(&parker);
}

static void test_reader_wait_handler_waits_on_the_leader_reads_the_network(void **state)
{
    struct fixture fx;
    struct a3mi_reader_config config = fake_config();

    (void)state;
    config.lease_ns = 100000 * FAKE_MS; /* the thread does not come to help */
    set_up_started(&fx, config);
    in_handler = &fx;
    fx.fake.handler = wait_inside;
    EVENTUALLY(fake_stats(&fx.fake).turns >= 2);
    assert_int_equal(fake_recv(&fx.fake, in_ms(1), false), A3M_ETIMEDOUT);
    for (uint64_t i = 1; i <= 10; i++) {
        atomic_store(&fx.fake.after, &fx);
        assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0); /* what came while the handler waited */
        assert_int_equal(fx.fake.afters, i);
        assert_int_equal(fx.fake.received, i);
    }
    tear_down(&fx);
}

/* ---- Cancellation ----------------------------------------------------------------- */

/* Not inlined: AddressSanitizer dislikes locals of the frame in which a thread ends by cancellation. */
static void __attribute__((noinline)) send_and_wait(struct fake *f)
{
    fake_send(f, 1); /* sendto is a cancellation point */
    (void)fake_recv(f, a3mi_clock_now() + 20000, false);
}

static void *send_until_cancelled(void *arg)
{
    struct fixture *fx = arg;

    for (;;) {
        send_and_wait(&fx->fake);
        pthread_testcancel();
    }
    return NULL;
}

static void test_reader_cancelled_thread_leaves_no_lock_and_no_role_behind(void **state)
{
    struct fixture fx;
    pthread_t thread;
    void *result;
    char bytes[64];

    (void)state;
    set_up_started(&fx, fake_config());
    for (int i = 0; i < 50; i++) {
        uint64_t sent = fx.fake.sent;
        assert_int_equal(pthread_create(&thread, NULL, send_until_cancelled, &fx), 0);
        EVENTUALLY(fx.fake.sent > sent + (uint64_t)i % 3);
        assert_int_equal(pthread_cancel(thread), 0);
        assert_int_equal(pthread_join(thread, &result), 0);
        assert_ptr_equal(result, PTHREAD_CANCELED);
        while (recv(fx.ends[1], bytes, sizeof bytes, MSG_DONTWAIT) > 0) {}
        fake_send(&fx.fake, 2);
        EVENTUALLY(recv(fx.ends[1], bytes, sizeof bytes, MSG_DONTWAIT | MSG_PEEK) == 2);
        while (recv(fx.ends[1], bytes, sizeof bytes, MSG_DONTWAIT) > 0) {}
        peer_sends(&fx, 1);
        assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
    }
    tear_down(&fx);
}

/* ---- A full transport ----------------------------------------------------------------- */

/* The fake wants to write, and stops wanting in the turn after the next; the socket is writable throughout. */
static void want_write_once(struct fixture *fx)
{
    uint64_t turns = fake_stats(&fx->fake).turns;

    atomic_store(&fx->fake.want_write, true);
    a3mi_reader_kick(fx->fake.reader);
    EVENTUALLY(fake_stats(&fx->fake).turns >= turns + 2); /* one of them because it is writable */
    atomic_store(&fx->fake.want_write, false);
    a3mi_reader_kick(fx->fake.reader);
}

static void test_reader_want_write_whoever_waits_turns_when_writable(void **state)
{
    struct fixture fx;
    struct waiter w;

    (void)state;
    set_up_started(&fx, fake_config());
    EVENTUALLY(fake_stats(&fx.fake).turns >= 2);
    want_write_once(&fx); /* the thread has the role */
    peer_sends(&fx, 1);
    assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
    want_write_once(&fx); /* on lease, or just over */
    uint64_t sleeps = fake_stats(&fx.fake).leader_sleeps;
    start_waiter(&w, &fx.fake, 1);
    EVENTUALLY(fake_stats(&fx.fake).leader_sleeps > sleeps);
    want_write_once(&fx); /* held */
    peer_sends(&fx, 1);
    (void)pthread_join(w.thread, NULL);
    tear_down(&fx);
}

/* ---- The host process ------------------------------------------------------------------ */

static void test_reader_stop_with_the_role_leased_stops(void **state)
{
    struct fixture fx;

    (void)state;
    for (int i = 0; i < 20; i++) {
        set_up_started(&fx, fake_config());
        peer_sends(&fx, 1);
        assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
        a3mi_reader_stop(fx.fake.reader);
        assert_false(a3mi_reader_started(fx.fake.reader));
        a3mi_reader_stop(fx.fake.reader);
        assert_int_equal(a3mi_reader_start(fx.fake.reader), A3M_ESTATE);
        tear_down(&fx);
    }
}

static void test_reader_thread_blocks_all_signals(void **state)
{
    struct fixture fx;
    sigset_t mask;
    FILE *f;
    char path[64], line[256];
    DIR *tasks = NULL;
    const struct dirent *entry;
    int found = 0;

    (void)state;
    set_up_started(&fx, fake_config());
    EVENTUALLY(fake_stats(&fx.fake).turns >= 2);
    tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    while ((entry = readdir(tasks)) != NULL) {
        (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", entry->d_name);
        f = fopen(path, "r");
        if (f == NULL) {
            continue;
        }
        bool ours = fgets(line, sizeof line, f) != NULL && strcmp(line, "fake\n") == 0;
        (void)fclose(f);
        if (!ours) {
            continue;
        }
        (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/status", entry->d_name);
        f = fopen(path, "r");
        assert_non_null(f);
        while (fgets(line, sizeof line, f) != NULL) {
            if (strncmp(line, "SigBlk:", 7) == 0) {
                unsigned long long blocked = strtoull(line + 7, NULL, 16);
                for (int s = 1; s < 32; s++) {
                    assert_true(s == SIGKILL || s == SIGSTOP || (blocked >> (s - 1) & 1) != 0);
                }
                found++;
            }
        }
        (void)fclose(f);
    }
    (void)closedir(tasks);
    assert_int_equal(found, 1);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGTERM)); /* the creator's own is as before */
    tear_down(&fx);
}

static void test_reader_on_thread_is_true_there_only(void **state)
{
    struct fixture fx;

    (void)state;
    set_up_started(&fx, fake_config());
    assert_false(a3mi_reader_on_thread(fx.fake.reader));
    atomic_store(&fx.fake.event_deadline, 1);
    a3mi_reader_signal(fx.fake.reader);
    EVENTUALLY(fx.fake.events == 1); /* counted by a3mi_reader_on_thread */
    assert_int_equal(fx.fake.events_elsewhere, 0);
    tear_down(&fx);
}

static int open_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++) {
        struct pollfd p = {.fd = fd};
        n += poll(&p, 1, 0) == 1 && (p.revents & POLLNVAL) != 0 ? 0 : 1;
    }
    return n;
}

static void test_reader_after_fork_abandon_leaves_the_parent_alone(void **state)
{
    struct fixture fx;
    int before = open_descriptors();

    (void)state;
    set_up_started(&fx, fake_config());
    EVENTUALLY(fake_stats(&fx.fake).turns >= 2);
    pid_t child = fork();
    if (child == 0) {
        a3mi_reader_abandon(fx.fake.reader);
        (void)close(fx.ends[0]);
        (void)close(fx.ends[1]);
        _exit(open_descriptors() <= before + 2 ? 0 : 1); /* libuv's process-wide signal pipe may stay */
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    peer_sends(&fx, 1);
    EVENTUALLY(fx.fake.received == 1);
    assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
    peer_sends(&fx, 1);
    assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
    tear_down(&fx);
}

static void test_reader_new_without_descriptors_says_so(void **state)
{
    enum { LIMIT = 128 };
    struct fixture fx;
    struct rlimit before, low;
    int hoard[LIMIT] = {0};
    int n = 0;
    int failed = 0;
    int rc;

    (void)state;
    set_up(&fx, fake_config()); /* libuv's first loop opens more than a later one */
    tear_down(&fx);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fx.ends), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = (struct rlimit){.rlim_cur = LIMIT, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (n < LIMIT && (hoard[n] = dup(0)) >= 0) {
        n++;
    }
    while ((rc = fake_init(&fx.fake, fx.ends[0], fake_config())) != 0) {
        assert_int_equal(rc, A3M_EMFILE);
        assert_true(n > 0); /* else a failure has leaked what was freed for it */
        (void)close(hoard[--n]);
        failed++;
    }
    assert_true(failed >= 5); /* each descriptor it needs was missing once */
    while (n > 0) {
        (void)close(hoard[--n]);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    tear_down(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_push_before_start_is_carried_at_start),
        cmocka_unit_test(test_reader_send_is_carried_by_the_sender_itself),
        cmocka_unit_test(test_reader_nobody_waits_the_thread_receives),
        cmocka_unit_test(test_reader_signal_runs_a_turn),
        cmocka_unit_test(test_reader_after_runs_once_the_turn_is_over),
        cmocka_unit_test(test_reader_enter_owes_what_a_turn_owes),
        cmocka_unit_test(test_reader_enter_before_start_only_runs_the_function),
        cmocka_unit_test(test_reader_protocol_deadline_runs_a_turn),
        cmocka_unit_test(test_reader_event_deadline_runs_on_the_thread_only),
        cmocka_unit_test(test_reader_deadline_that_moves_away_wakes_nobody),
        cmocka_unit_test(test_reader_wait_deadline_passes_times_out),
        cmocka_unit_test(test_reader_wait_one_thread_reads_for_itself),
        cmocka_unit_test(test_reader_wait_lease_over_the_thread_reads_again),
        cmocka_unit_test(test_reader_wait_not_lent_the_thread_wakes_it),
        cmocka_unit_test(test_reader_wait_without_lease_gives_back_at_once),
        cmocka_unit_test(test_reader_wait_protocol_deadline_passes_while_leading),
        cmocka_unit_test(test_reader_wait_four_threads_hand_the_role_on),
        cmocka_unit_test(test_reader_wait_leader_leaves_next_in_line_leads),
        cmocka_unit_test(test_reader_wait_leader_asleep_is_woken_by_a_thread),
        cmocka_unit_test(test_reader_wait_signal_with_eintr_interrupts_leader_and_line),
        cmocka_unit_test(test_reader_wait_signal_without_eintr_waits_on),
        cmocka_unit_test(test_reader_wait_handler_blocks_the_leader_the_thread_reads),
        cmocka_unit_test(test_reader_wait_handler_waits_on_the_leader_reads_the_network),
        cmocka_unit_test(test_reader_cancelled_thread_leaves_no_lock_and_no_role_behind),
        cmocka_unit_test(test_reader_want_write_whoever_waits_turns_when_writable),
        cmocka_unit_test(test_reader_stop_with_the_role_leased_stops),
        cmocka_unit_test(test_reader_thread_blocks_all_signals),
        cmocka_unit_test(test_reader_on_thread_is_true_there_only),
        cmocka_unit_test(test_reader_after_fork_abandon_leaves_the_parent_alone),
        cmocka_unit_test(test_reader_new_without_descriptors_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
