/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles (runtime/bundle.c) with a trivial engine: that sends are held at all,
 * and that none is left lying, whatever its thread does next. covers X3 N8
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/runtime_fake.h"

enum { STREAM = 20000 };

struct fixture {
    struct fake fake;
    int ends[2];
};

static void set_up(struct fixture *fx, bool bundle)
{
    struct a3mi_reader_config config = fake_config();
    config.bundle = bundle;
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fx->ends), 0);
    assert_int_equal(fake_init(&fx->fake, fx->ends[0], config), 0);
    assert_int_equal(a3mi_reader_start(fx->fake.reader), 0);
}

static void tear_down(struct fixture *fx)
{
    fake_fini(&fx->fake);
    (void)close(fx->ends[0]);
    (void)close(fx->ends[1]);
}

/* Sends densely until one is held: bundling is at work. Returns how many it sent; on a busy machine it takes more. */
static uint64_t send_until_held(struct fake *f)
{
    for (uint64_t n = 1;; n++) {
        struct fake_message *m = calloc(1, sizeof *m);
        assert_non_null(m);
        m->size = 1;
        a3mi_reader_push(f->reader, &m->node);
        if (!a3mi_reader_carry(f->reader, 1)) {
            return n;
        }
        assert_true(n < 10000000);
    }
}

static void await_sent(const struct fake *f, uint64_t n)
{
    int64_t until = a3mi_clock_now() + 10000 * FAKE_MS;
    while (atomic_load(&f->sent) < n && a3mi_clock_now() < until) {
        (void)sched_yield();
    }
    assert_int_equal(atomic_load(&f->sent), n);
}

static void test_bundle_off_every_send_is_carried_by_its_call(void **state)
{
    (void)state;
    struct fixture fx;
    set_up(&fx, false);
    for (uint64_t n = 1; n <= 100; n++) {
        struct fake_message *m = calloc(1, sizeof *m);
        assert_non_null(m);
        a3mi_reader_push(fx.fake.reader, &m->node);
        assert_true(a3mi_reader_carry(fx.fake.reader, 1));
        await_sent(&fx.fake, n);
    }
    tear_down(&fx);
}

static void test_bundle_thread_goes_off_the_alarm_carries(void **state)
{
    (void)state;
    struct fixture fx;
    set_up(&fx, true);
    uint64_t sent = 0;
    for (int i = 0; i < 50; i++) {
        sent += send_until_held(&fx.fake);
        await_sent(&fx.fake, sent); /* this thread makes no call: only the reader thread can carry it */
    }
    tear_down(&fx);
}

static void test_bundle_thread_waits_its_wait_carries(void **state)
{
    (void)state;
    struct fixture fx;
    set_up(&fx, true);
    uint64_t sent = send_until_held(&fx.fake);
    assert_int_equal(fake_recv(&fx.fake, 0, false), A3M_ETIMEDOUT); /* does not even sleep */
    await_sent(&fx.fake, sent); /* by that call, or by the alarm a moment ago */
    tear_down(&fx);
}

static void test_bundle_of_an_earlier_reader_is_no_bundle_of_the_next(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct fixture fx;
        set_up(&fx, true);
        uint64_t sent = send_until_held(&fx.fake);
        await_sent(&fx.fake, sent);
        tear_down(&fx);
    }
}

static void *stream(void *arg)
{
    struct fake *f = arg;
    for (int i = 0; i < STREAM; i++) {
        struct fake_message *m = calloc(1, sizeof *m);
        if (m == NULL) {
            abort();
        }
        a3mi_reader_push(f->reader, &m->node);
        (void)a3mi_reader_carry(f->reader, 1);
        if (i % 64 == 63) {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void test_bundle_many_threads_all_is_carried(void **state)
{
    (void)state;
    struct fixture fx;
    pthread_t threads[4];
    set_up(&fx, true);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, stream, &fx.fake), 0);
    }
    for (int i = 0; i < 4; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    await_sent(&fx.fake, 4 * STREAM);
    tear_down(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bundle_off_every_send_is_carried_by_its_call),
        cmocka_unit_test(test_bundle_thread_goes_off_the_alarm_carries),
        cmocka_unit_test(test_bundle_thread_waits_its_wait_carries),
        cmocka_unit_test(test_bundle_of_an_earlier_reader_is_no_bundle_of_the_next),
        cmocka_unit_test(test_bundle_many_threads_all_is_carried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
