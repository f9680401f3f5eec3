/* SPDX-License-Identifier: Apache-2.0 */
/* Parkers: signals are remembered, merge, and are never lost. covers F6 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <a3m/errors.h>
#include <a3m/time.h>

#include "base/list.h"
#include "runtime/clock.h"
#include "runtime/parker.h"

static unsigned wake(struct a3mi_parker *parker)
{
    struct a3mi_wakes wakes;

    a3mi_wakes_init(&wakes);
    a3mi_wakes_add(&wakes, parker);
    return a3mi_wakes_run(&wakes);
}

static void test_parker_wake_before_sleep_returns_at_once(void **state)
{
    struct a3mi_parker parker;

    (void)state;
    a3mi_parker_init(&parker);
    assert_false(a3mi_parker_take(&parker));
    assert_int_equal(wake(&parker), 0); /* nobody slept: no system call */
    assert_int_equal(a3mi_parker_sleep(&parker, INT64_MAX, false), 0);
    assert_false(a3mi_parker_take(&parker));
    a3mi_parker_fini(&parker);
}

static void test_parker_two_wakes_merge(void **state)
{
    struct a3mi_parker parker;

    (void)state;
    a3mi_parker_init(&parker);
    (void)wake(&parker);
    (void)wake(&parker);
    assert_true(a3mi_parker_take(&parker));
    assert_false(a3mi_parker_take(&parker));
    a3mi_parker_fini(&parker);
}

static void test_parker_deadline_passes_times_out(void **state)
{
    struct a3mi_parker parker;
    int64_t deadline = a3mi_clock_now() + 2000000;

    (void)state;
    a3mi_parker_init(&parker);
    assert_int_equal(a3mi_parker_sleep(&parker, deadline, false), A3M_ETIMEDOUT);
    assert_true(a3mi_clock_now() >= deadline);
    assert_int_equal(a3mi_parker_sleep(&parker, 0, false), A3M_ETIMEDOUT);
    assert_int_equal(a3mi_parker_sleep(&parker, -5, false), A3M_ETIMEDOUT);
    a3mi_parker_fini(&parker);
}

static void test_wakes_parker_in_another_list_is_left_there(void **state)
{
    struct a3mi_parker a, b;
    struct a3mi_wakes one, two;

    (void)state;
    a3mi_parker_init(&a);
    a3mi_parker_init(&b);
    a3mi_wakes_init(&one);
    a3mi_wakes_init(&two);
    a3mi_wakes_add(&one, &a);
    a3mi_wakes_add(&two, &b);
    a3mi_wakes_add(&two, &a);
    a3mi_wakes_add(&one, &a);
    (void)a3mi_wakes_run(&two);
    assert_false(a3mi_parker_take(&a));
    assert_true(a3mi_parker_take(&b));
    (void)a3mi_wakes_run(&one);
    assert_true(a3mi_parker_take(&a));
    assert_null(one.first);
    a3mi_parker_fini(&a);
    a3mi_parker_fini(&b);
}

/* ---- Tokens: what a wait queue does with parkers ------------------------------ */

struct tokens {
    pthread_mutex_t lock;
    struct a3mi_list waiters; /* [lock] */
    uint64_t free, taken;     /* [lock] */
    uint64_t each;
};

struct sleeper {
    struct a3mi_list list;
    struct a3mi_parker parker;
};

static void give(struct tokens *t)
{
    struct a3mi_wakes wakes;

    a3mi_wakes_init(&wakes);
    (void)pthread_mutex_lock(&t->lock);
    t->free++;
    struct a3mi_list *first = a3mi_list_pop_front(&t->waiters);
    if (first != NULL) {
        a3mi_wakes_add(&wakes, &a3mi_container_of(first, struct sleeper, list)->parker);
    }
    (void)pthread_mutex_unlock(&t->lock);
    (void)a3mi_wakes_run(&wakes);
}

static void take(struct tokens *t)
{
    struct sleeper s;

    (void)pthread_mutex_lock(&t->lock);
    while (t->free == 0) {
        a3mi_parker_init(&s.parker);
        a3mi_list_push_back(&t->waiters, &s.list);
        (void)pthread_mutex_unlock(&t->lock);
        int rc = a3mi_parker_sleep(&s.parker, INT64_MAX, false);
        a3mi_parker_fini(&s.parker);
        (void)pthread_mutex_lock(&t->lock);
        if (rc != 0) {
            abort();
        }
    }
    t->free--;
    t->taken++;
    (void)pthread_mutex_unlock(&t->lock);
}

static void *giver(void *arg)
{
    struct tokens *t = arg;

    for (uint64_t i = 0; i < t->each; i++) {
        give(t);
        if (i % 7 == 0) {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void *taker(void *arg)
{
    struct tokens *t = arg;

    for (uint64_t i = 0; i < t->each; i++) {
        take(t);
    }
    return NULL;
}

static void test_parker_many_wakers_lose_no_wake(void **state)
{
    enum { PAIRS = 4 };
    struct tokens t = {.lock = PTHREAD_MUTEX_INITIALIZER, .each = 5000};
    pthread_t givers[PAIRS], takers[PAIRS];

    (void)state;
    a3mi_list_init(&t.waiters);
    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(pthread_create(&takers[i], NULL, taker, &t), 0);
        assert_int_equal(pthread_create(&givers[i], NULL, giver, &t), 0);
    }
    for (int i = 0; i < PAIRS; i++) {
        (void)pthread_join(givers[i], NULL);
        (void)pthread_join(takers[i], NULL);
    }
    assert_int_equal(t.taken, PAIRS * t.each);
    assert_int_equal(t.free, 0);
}

/* ---- Signals ------------------------------------------------------------------ */

struct interrupted {
    struct a3mi_parker parker;
    bool eintr;
    int64_t deadline;
    int result;
    _Atomic bool done;
};

static void on_signal(int number)
{
    (void)number;
}

static void *sleep_through(void *arg)
{
    struct interrupted *i = arg;

    i->result = a3mi_parker_sleep(&i->parker, i->deadline, i->eintr);
    atomic_store(&i->done, true);
    return NULL;
}

/* Signals keep coming until the sleep is over. */
static int sleep_under_signals(bool eintr, int64_t deadline)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    struct interrupted i = {.eintr = eintr, .deadline = deadline};
    pthread_t thread;

    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    a3mi_parker_init(&i.parker);
    assert_int_equal(pthread_create(&thread, NULL, sleep_through, &i), 0);
    while (!atomic_load(&i.done)) {
        (void)pthread_kill(thread, SIGUSR1);
        (void)sched_yield();
    }
    (void)pthread_join(thread, NULL);
    a3mi_parker_fini(&i.parker);
    (void)sigaction(SIGUSR1, &before, NULL);
    return i.result;
}

static void test_parker_signal_with_eintr_interrupts(void **state)
{
    (void)state;
    assert_int_equal(sleep_under_signals(true, INT64_MAX), A3M_EINTR);
    assert_int_equal(sleep_under_signals(true, a3m_in(a3m_seconds(100)).ns), A3M_EINTR);
}

static void test_parker_signal_without_eintr_sleeps_on(void **state)
{
    (void)state;
    assert_int_equal(sleep_under_signals(false, a3m_in(a3m_ms(5)).ns), A3M_ETIMEDOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parker_wake_before_sleep_returns_at_once),
        cmocka_unit_test(test_parker_two_wakes_merge),
        cmocka_unit_test(test_parker_deadline_passes_times_out),
        cmocka_unit_test(test_wakes_parker_in_another_list_is_left_there),
        cmocka_unit_test(test_parker_many_wakers_lose_no_wake),
        cmocka_unit_test(test_parker_signal_with_eintr_interrupts),
        cmocka_unit_test(test_parker_signal_without_eintr_sleeps_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
