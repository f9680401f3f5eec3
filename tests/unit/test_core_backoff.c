/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interval between attempts: core/backoff.h.
 * covers L2 L6
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/backoff.h"

#define MS           INT64_C(1000000)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void expect_intervals(struct a3mi_backoff *backoff, const int64_t *expected, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(backoff->interval_ns, expected[i]);
        assert_int_equal(a3mi_backoff_attempt(backoff), expected[i]);
    }
}

static void test_backoff_minimum_only_stays_at_minimum(void **state)
{
    (void)state;
    struct a3mi_backoff backoff;
    a3mi_backoff_init(&backoff, 50 * MS, 0, 0);

    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(backoff.attempts, i);
        assert_int_equal(a3mi_backoff_attempt(&backoff), 50 * MS);
        assert_false(a3mi_backoff_exhausted(&backoff));
    }
}

static void test_backoff_maximum_set_doubles_up_to_it(void **state)
{
    (void)state;
    static const int64_t defaults[] = {50 * MS,   100 * MS,  200 * MS,  400 * MS, 800 * MS,
                                       1600 * MS, 2000 * MS, 2000 * MS, 2000 * MS};
    static const int64_t power[] = {1, 2, 4, 8, 8, 8};
    struct a3mi_backoff backoff;

    a3mi_backoff_init(&backoff, 50 * MS, 2000 * MS, 0);
    expect_intervals(&backoff, defaults, COUNT(defaults));

    /* A maximum that doubling meets exactly, and one that is odd. */
    a3mi_backoff_init(&backoff, 1, 8, 0);
    expect_intervals(&backoff, power, COUNT(power));
    a3mi_backoff_init(&backoff, 2, 5, 0);
    expect_intervals(&backoff, (const int64_t[]){2, 4, 5, 5}, 4);
}

static void test_backoff_maximum_not_above_minimum_stays_at_minimum(void **state)
{
    (void)state;
    struct a3mi_backoff backoff;

    a3mi_backoff_init(&backoff, 70, 70, 0);
    expect_intervals(&backoff, (const int64_t[]){70, 70, 70}, 3);
    a3mi_backoff_init(&backoff, 70, 30, 0);
    expect_intervals(&backoff, (const int64_t[]){70, 70, 70}, 3);
}

static void test_backoff_largest_maximum_saturates(void **state)
{
    (void)state;
    struct a3mi_backoff backoff;
    a3mi_backoff_init(&backoff, 1, INT64_MAX, 0);

    for (unsigned i = 0; i < 63; i++) {
        assert_int_equal(a3mi_backoff_attempt(&backoff), INT64_C(1) << i);
    }
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(a3mi_backoff_attempt(&backoff), INT64_MAX);
    }
}

static void test_backoff_limit_reached_is_exhausted(void **state)
{
    (void)state;
    struct a3mi_backoff backoff;
    a3mi_backoff_init(&backoff, 10, 40, 4);

    static const int64_t expected[] = {10, 20, 40, 40};
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_false(a3mi_backoff_exhausted(&backoff));
        expect_intervals(&backoff, &expected[i], 1);
    }
    assert_true(a3mi_backoff_exhausted(&backoff));
    (void)a3mi_backoff_attempt(&backoff);
    assert_true(a3mi_backoff_exhausted(&backoff));
}

static void test_backoff_limit_of_one_allows_one_attempt(void **state)
{
    (void)state;
    struct a3mi_backoff backoff;
    a3mi_backoff_init(&backoff, 10, 0, 1);

    assert_false(a3mi_backoff_exhausted(&backoff));
    assert_int_equal(a3mi_backoff_attempt(&backoff), 10);
    assert_true(a3mi_backoff_exhausted(&backoff));
}

static void test_backoff_reset_begins_again(void **state)
{
    (void)state;
    struct a3mi_backoff backoff;
    a3mi_backoff_init(&backoff, 10, 80, 3);

    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(backoff.attempts, 0);
        expect_intervals(&backoff, (const int64_t[]){10, 20, 40}, 3);
        assert_true(a3mi_backoff_exhausted(&backoff));
        a3mi_backoff_reset(&backoff);
        assert_false(a3mi_backoff_exhausted(&backoff));
    }
}

static void test_backoff_attempts_counted_to_the_end_do_not_wrap(void **state)
{
    (void)state;
    struct a3mi_backoff backoff;
    a3mi_backoff_init(&backoff, 10, 0, UINT32_MAX);

    backoff.attempts = UINT32_MAX - 1;
    assert_false(a3mi_backoff_exhausted(&backoff));
    (void)a3mi_backoff_attempt(&backoff);
    assert_true(a3mi_backoff_exhausted(&backoff));
    (void)a3mi_backoff_attempt(&backoff);
    assert_int_equal(backoff.attempts, UINT32_MAX);
    assert_true(a3mi_backoff_exhausted(&backoff));
}

static void test_backoff_jitter_none_is_exact_and_draws_nothing(void **state)
{
    (void)state;
    struct a3mi_rng rng, before;
    a3mi_rng_init(&rng, 7);
    before = rng;
    assert_int_equal(a3mi_backoff_jitter(50 * MS, 0, &rng), 50 * MS);
    assert_memory_equal(&rng, &before, sizeof(rng));
}

static void test_backoff_jitter_only_longer_spread_evenly_and_replayed(void **state)
{
    (void)state;
    enum { DRAWS = 10000 };
    struct a3mi_rng rng, again;
    unsigned quarters[4] = {0};
    a3mi_rng_init(&rng, 7);
    a3mi_rng_init(&again, 7);
    for (int i = 0; i < DRAWS; i++) {
        int64_t interval = a3mi_backoff_jitter(1000 * MS, 20, &rng);
        assert_int_equal(interval, a3mi_backoff_jitter(1000 * MS, 20, &again));
        assert_true(interval >= 1000 * MS && interval <= 1200 * MS);
        quarters[interval == 1200 * MS ? 3 : (interval - 1000 * MS) / (50 * MS)]++;
    }
    for (int i = 0; i < 4; i++) {
        assert_in_range(quarters[i], DRAWS / 4 - DRAWS / 40, DRAWS / 4 + DRAWS / 40);
    }
}

static void test_backoff_jitter_of_the_longest_interval_saturates(void **state)
{
    (void)state;
    struct a3mi_rng rng;
    a3mi_rng_init(&rng, 7);
    for (int i = 0; i < 100; i++) {
        assert_true(a3mi_backoff_jitter(INT64_MAX, 100, &rng) == INT64_MAX);
        assert_true(a3mi_backoff_jitter(INT64_MAX / 2 + 1, 100, &rng) > INT64_MAX / 2);
    }
    assert_int_equal(a3mi_backoff_jitter(1, 100, &rng) / 3, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff_minimum_only_stays_at_minimum),
        cmocka_unit_test(test_backoff_maximum_set_doubles_up_to_it),
        cmocka_unit_test(test_backoff_maximum_not_above_minimum_stays_at_minimum),
        cmocka_unit_test(test_backoff_largest_maximum_saturates),
        cmocka_unit_test(test_backoff_limit_reached_is_exhausted),
        cmocka_unit_test(test_backoff_limit_of_one_allows_one_attempt),
        cmocka_unit_test(test_backoff_reset_begins_again),
        cmocka_unit_test(test_backoff_attempts_counted_to_the_end_do_not_wrap),
        cmocka_unit_test(test_backoff_jitter_none_is_exact_and_draws_nothing),
        cmocka_unit_test(test_backoff_jitter_only_longer_spread_evenly_and_replayed),
        cmocka_unit_test(test_backoff_jitter_of_the_longest_interval_saturates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
