/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers that wait at a reader: who of them reads the network when, who is woken, and that nothing is left lying.
 * covers N3 N8
 */
#include "test_runtime_reader.h"

#include <pthread.h>
#include <signal.h>

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
    set_up_asleep(&fx, config);
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
    set_up_asleep(&fx, config);
    in_handler = &fx;
    fx.fake.handler = wait_inside;
    assert_int_equal(fake_recv(&fx.fake, in_ms(1), false), A3M_ETIMEDOUT);
    for (uint64_t i = 1; i <= 10; i++) {
        atomic_store(&fx.fake.after, &fx);
        assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0); /* what came while the handler waited */
        assert_int_equal(fx.fake.afters, i);
        assert_int_equal(fx.fake.received, i);
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
    set_up_asleep(&fx, fake_config());
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        cmocka_unit_test(test_reader_want_write_whoever_waits_turns_when_writable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
