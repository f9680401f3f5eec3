/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader that nobody waits at: who carries what is sent, who reads what comes, and that deadlines are met.
 * covers N3 N8 N11
 */
#include "test_runtime_reader.h"

#include <stdio.h>

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
    set_up_asleep(&fx, fake_config());
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
    set_up_asleep(&fx, fake_config());
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
    set_up_asleep(&fx, fake_config());
    atomic_store(&fx.fake.after, &fx);
    fake_send(&fx.fake, 1);
    assert_int_equal(fx.fake.afters, 1);
    tear_down(&fx);
}

static void test_reader_turn_of_a_call_leaves_its_error_detail(void **state)
{
    struct fixture fx;

    (void)state;
    set_up_asleep(&fx, fake_config());
    (void)a3mi_fail(A3M_EINVAL, "of an earlier call");
    atomic_store(&fx.fake.fails, true);
    fake_send(&fx.fake, 1); /* runs the turn itself */
    assert_int_equal(fx.fake.sent, 1);
    assert_string_equal(a3m_error_detail(), "of an earlier call");
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
    set_up_asleep(&fx, fake_config());
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

    (void)state;
    set_up_asleep(&fx, fake_config());
    uint64_t before = fake_stats(&fx.fake).reader_timer_wakeups;
    uint64_t turns = fake_stats(&fx.fake).turns;
    int64_t worst = 0;
    int64_t last = a3mi_clock_now();
    int64_t until = in_ms(60);
    uint64_t wakeups = 0;
    while (last < until) {
        /* 10 ms away at each turn: it would have gone off six times by the end. */
        atomic_store(&fx.fake.deadline, last + 10 * FAKE_MS);
        a3mi_reader_kick(fx.fake.reader);
        wakeups = fake_stats(&fx.fake).reader_timer_wakeups - before;
        int64_t now = a3mi_clock_now(); /* what was counted came before: a pause that caused it is seen */
        worst = now - last > worst ? now - last : worst;
        last = now;
    }
    printf("%llu turns, longest pause %lld us, %llu wake-ups\n",
           (unsigned long long)(fake_stats(&fx.fake).turns - turns), (long long)worst / 1000,
           (unsigned long long)wakeups);
    if (worst < 400000) { /* else this thread was kept from running */
        assert_int_equal(wakeups, 0);
    }
    atomic_store(&fx.fake.deadline, INT64_MAX);
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
        cmocka_unit_test(test_reader_turn_of_a_call_leaves_its_error_detail),
        cmocka_unit_test(test_reader_enter_owes_what_a_turn_owes),
        cmocka_unit_test(test_reader_enter_before_start_only_runs_the_function),
        cmocka_unit_test(test_reader_protocol_deadline_runs_a_turn),
        cmocka_unit_test(test_reader_event_deadline_runs_on_the_thread_only),
        cmocka_unit_test(test_reader_deadline_that_moves_away_wakes_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
