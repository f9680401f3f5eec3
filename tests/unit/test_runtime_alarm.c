/* SPDX-License-Identifier: Apache-2.0 */
/* When an alarm is set, and when it is left alone; when spinning is worth it. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <a3m/time.h>

#include "runtime/alarm.h"
#include "runtime/clock.h"
#include "runtime/patience.h"

#define US 1000ll
#define MS 1000000ll

static bool goes_off_within(const struct a3mi_alarm *alarm, int ms)
{
    struct pollfd p = {.fd = alarm->fd, .events = POLLIN};

    return poll(&p, 1, ms) == 1;
}

static void test_alarm_set_goes_off_at_its_time_and_once(void **state)
{
    struct a3mi_alarm alarm;

    (void)state;
    assert_int_equal(a3mi_alarm_open(&alarm), 0);
    assert_false(goes_off_within(&alarm, 0));
    a3mi_alarm_set(&alarm, a3mi_clock_now() + 3600000 * MS);
    assert_false(a3mi_alarm_drain(&alarm));
    int64_t at = a3mi_clock_now() + 2 * MS;
    a3mi_alarm_set(&alarm, at);
    assert_true(goes_off_within(&alarm, 10000));
    assert_true(a3mi_clock_now() >= at);
    assert_true(a3mi_alarm_drain(&alarm));
    assert_false(a3mi_alarm_drain(&alarm));
    assert_false(goes_off_within(&alarm, 0));
    a3mi_alarm_close(&alarm);
    a3mi_alarm_close(&alarm);
}

static void test_alarm_in_the_past_goes_off_at_once(void **state)
{
    struct a3mi_alarm alarm;
    const int64_t past[] = {a3mi_clock_now() - 1, 1, 0, -1, INT64_MIN};

    (void)state;
    assert_int_equal(a3mi_alarm_open(&alarm), 0);
    for (size_t i = 0; i < sizeof past / sizeof past[0]; i++) {
        a3mi_alarm_set(&alarm, past[i]);
        assert_true(goes_off_within(&alarm, 10000));
        a3mi_alarm_set(&alarm, INT64_MAX);
        assert_false(goes_off_within(&alarm, 0));
    }
    a3mi_alarm_close(&alarm);
}

static void test_alarm_wanted_earlier_is_set_later_is_left(void **state)
{
    struct a3mi_alarm alarm;
    int64_t now = a3mi_clock_now();

    (void)state;
    assert_int_equal(a3mi_alarm_open(&alarm), 0);
    a3mi_alarm_want(&alarm, INT64_MAX, now);
    assert_int_equal(alarm.at, INT64_MAX);
    a3mi_alarm_want(&alarm, now + 100 * MS, now);
    assert_int_equal(alarm.at, now + 100 * MS);
    a3mi_alarm_want(&alarm, now + 200 * MS, now);
    assert_int_equal(alarm.at, now + 100 * MS);
    a3mi_alarm_want(&alarm, now + 50 * MS, now);
    assert_int_equal(alarm.at, now + 50 * MS);
    a3mi_alarm_close(&alarm);
}

static void test_alarm_about_to_go_off_in_vain_is_pushed_out(void **state)
{
    struct a3mi_alarm alarm;
    int64_t now = a3mi_clock_now();

    (void)state;
    assert_int_equal(a3mi_alarm_open(&alarm), 0);
    a3mi_alarm_set(&alarm, now + 2 * MS);
    a3mi_alarm_want(&alarm, now + 3 * MS, now); /* not worth it yet */
    assert_int_equal(alarm.at, now + 2 * MS);
    a3mi_alarm_want(&alarm, now + 300 * MS, now);
    assert_int_equal(alarm.at, now + 300 * MS);
    a3mi_alarm_set(&alarm, now + 2 * MS);
    a3mi_alarm_want(&alarm, INT64_MAX, now);
    assert_int_equal(alarm.at, INT64_MAX);
    a3mi_alarm_close(&alarm);
}

static void test_alarm_that_moves_away_never_goes_off_and_is_seldom_set(void **state)
{
    struct a3mi_alarm alarm;
    const int64_t delays[] = {100 * US, MS, 10 * MS, 200 * MS};

    (void)state;
    assert_int_equal(a3mi_alarm_open(&alarm), 0);
    for (size_t d = 0; d < sizeof delays / sizeof delays[0]; d++) {
        int64_t begin = a3mi_clock_now() + 3600000 * MS;
        int sets = 0;
        a3mi_alarm_set(&alarm, begin + delays[d]);
        for (int64_t now = begin; now < begin + 100 * delays[d]; now += delays[d] / 100) {
            int64_t before = alarm.at;
            assert_true(alarm.at > now);
            a3mi_alarm_want(&alarm, now + delays[d], now);
            assert_true(alarm.at <= now + delays[d]);
            sets += alarm.at != before ? 1 : 0;
        }
        assert_true(sets <= 201); /* at most each half of the delay */
    }
    a3mi_alarm_close(&alarm);
}

static void test_alarm_went_off_forgets_unless_set_anew(void **state)
{
    struct a3mi_alarm alarm;
    int64_t now = a3mi_clock_now();

    (void)state;
    assert_int_equal(a3mi_alarm_open(&alarm), 0);
    a3mi_alarm_set(&alarm, now - 1);
    a3mi_alarm_went_off(&alarm, now);
    assert_int_equal(alarm.at, INT64_MAX);
    a3mi_alarm_set(&alarm, now + MS);
    a3mi_alarm_went_off(&alarm, now);
    assert_int_equal(alarm.at, now + MS);
    a3mi_alarm_close(&alarm);
}

/* ---- Patience ------------------------------------------------------------------ */

static void slept(struct a3mi_patience *p, int64_t ns)
{
    a3mi_patience_slept(p, ns, ns + a3mi_patience_spin(p, 0));
}

static void test_patience_nothing_comes_stops_spinning(void **state)
{
    struct a3mi_patience p;

    (void)state;
    a3mi_patience_init(&p, 50 * US, MS);
    for (int i = 0; i < A3MI_PATIENCE_FULL; i++) {
        assert_int_equal(a3mi_patience_spin(&p, 0), 50 * US);
        slept(&p, 500 * US);
    }
    assert_int_equal(a3mi_patience_spin(&p, 0), 0);
    slept(&p, 500 * US);
    assert_int_equal(a3mi_patience_spin(&p, 0), 0);
    assert_false(p.slept_long);
    slept(&p, 2 * MS);
    assert_true(p.slept_long);
}

static void test_patience_traffic_comes_back_spins_again(void **state)
{
    struct a3mi_patience p;

    (void)state;
    a3mi_patience_init(&p, 50 * US, MS);
    for (int i = 0; i < 10; i++) {
        slept(&p, 100 * MS);
    }
    assert_int_equal(a3mi_patience_spin(&p, 0), 0);
    slept(&p, 60 * US);
    assert_int_equal(a3mi_patience_spin(&p, 0), 50 * US);
    slept(&p, 200 * US);
    a3mi_patience_paid(&p);
    slept(&p, 200 * US);
    slept(&p, 200 * US);
    assert_int_equal(a3mi_patience_spin(&p, 0), 50 * US); /* full again in between */
}

static void test_patience_always_just_too_late_spins_seldom(void **state)
{
    struct a3mi_patience p;
    int spins = 0;

    (void)state;
    a3mi_patience_init(&p, 50 * US, MS);
    for (int i = 0; i < 1000; i++) {
        spins += a3mi_patience_spin(&p, 0) != 0 ? 1 : 0;
        slept(&p, 80 * US);
    }
    assert_true(spins < 80);
}

static void test_patience_never_spins_when_told_so(void **state)
{
    struct a3mi_patience p;

    (void)state;
    a3mi_patience_init(&p, 0, MS);
    a3mi_patience_paid(&p);
    assert_int_equal(a3mi_patience_spin(&p, 0), 0);
}

static void test_patience_look_in_vain_yields_first_for_a_while(void **state)
{
    struct a3mi_patience p;

    (void)state;
    a3mi_patience_init(&p, 50 * US, MS);
    assert_false(a3mi_patience_yields(&p, 0));
    a3mi_patience_in_vain(&p);
    for (int i = 0; i < A3MI_PATIENCE_YIELDS; i++) {
        assert_true(a3mi_patience_yields(&p, 0));
    }
    assert_false(a3mi_patience_yields(&p, 0));
}

/* ---- The clock ------------------------------------------------------------------ */

static void test_clock_public_and_internal_agree_and_do_not_go_back(void **state)
{
    (void)state;
    int64_t a = a3mi_clock_now();
    int64_t b = a3m_now().ns;
    int64_t c = a3m_in(a3m_ms(5)).ns;
    assert_true(a > 0 && b >= a && c >= b + 5 * MS);
    assert_int_equal(a3m_in((a3m_duration){INT64_MAX}).ns, A3M_FOREVER.ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alarm_set_goes_off_at_its_time_and_once),
        cmocka_unit_test(test_alarm_in_the_past_goes_off_at_once),
        cmocka_unit_test(test_alarm_wanted_earlier_is_set_later_is_left),
        cmocka_unit_test(test_alarm_about_to_go_off_in_vain_is_pushed_out),
        cmocka_unit_test(test_alarm_that_moves_away_never_goes_off_and_is_seldom_set),
        cmocka_unit_test(test_alarm_went_off_forgets_unless_set_anew),
        cmocka_unit_test(test_patience_nothing_comes_stops_spinning),
        cmocka_unit_test(test_patience_traffic_comes_back_spins_again),
        cmocka_unit_test(test_patience_always_just_too_late_spins_seldom),
        cmocka_unit_test(test_patience_never_spins_when_told_so),
        cmocka_unit_test(test_patience_look_in_vain_yields_first_for_a_while),
        cmocka_unit_test(test_clock_public_and_internal_agree_and_do_not_go_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
