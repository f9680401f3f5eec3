/* SPDX-License-Identifier: Apache-2.0 */
/* The latency histogram (base/hist.h). */
#include "test_base_random.h"

#include <stdbool.h>

#include "base/hist.c" /* NOLINT(bugprone-suspicious-include) */

static void test_hist_fresh_is_all_zero(void **state)
{
    (void)state;
    struct a3mi_hist h;

    a3mi_hist_init(&h);
    assert_int_equal(a3mi_hist_count(&h), 0);
    assert_int_equal(a3mi_hist_min(&h), 0);
    assert_int_equal(a3mi_hist_max(&h), 0);
    assert_true(a3mi_hist_mean(&h) == 0);
    assert_int_equal(a3mi_hist_percentile(&h, 50), 0);
    assert_int_equal(a3mi_hist_percentile(&h, 100), 0);
}

static void test_hist_one_value_is_every_percentile(void **state)
{
    (void)state;
    static const double p[] = {-1, 0, 0.001, 50, 99.9, 100, 200};
    struct a3mi_hist h;

    a3mi_hist_init(&h);
    a3mi_hist_record(&h, 123456789);
    for (size_t i = 0; i < sizeof p / sizeof p[0]; i++) {
        assert_int_equal(a3mi_hist_percentile(&h, p[i]), 123456789);
    }
    assert_true(a3mi_hist_mean(&h) == 123456789.0);
}

/* Buckets follow one another without gap or overlap, and none is wider than 1/64 of what is in it. */
static void test_hist_buckets_partition_the_range(void **state)
{
    (void)state;
    uint64_t begin = 0;

    for (unsigned i = 0; i < A3MI_HIST_BUCKETS; i++) {
        uint64_t end = bucket_end(i);

        assert_int_equal(bucket_of(begin), i);
        assert_int_equal(bucket_of(end), i);
        assert_true((end - begin) * 64 <= begin);
        begin = end + 1;
    }
    assert_int_equal(begin, (uint64_t)1 << 40);
}

static void test_hist_small_values_are_exact(void **state)
{
    (void)state;
    struct a3mi_hist h;

    a3mi_hist_init(&h);
    for (int64_t v = 1; v <= 100; v++) {
        a3mi_hist_record(&h, v);
    }
    assert_int_equal(a3mi_hist_percentile(&h, 0), 1);
    assert_int_equal(a3mi_hist_percentile(&h, 1), 1);
    assert_int_equal(a3mi_hist_percentile(&h, 50), 50);
    assert_int_equal(a3mi_hist_percentile(&h, 99), 99);
    assert_int_equal(a3mi_hist_percentile(&h, 99.5), 100);
    assert_true(a3mi_hist_mean(&h) == 50.5);
}

static void test_hist_outliers_are_counted_and_kept_exactly(void **state)
{
    (void)state;
    struct a3mi_hist h;

    a3mi_hist_init(&h);
    a3mi_hist_record(&h, -5);
    a3mi_hist_record(&h, INT64_MAX);
    a3mi_hist_record(&h, INT64_MAX);
    a3mi_hist_record(&h, INT64_MAX);
    assert_int_equal(a3mi_hist_count(&h), 4);
    assert_int_equal(a3mi_hist_min(&h), 0);
    assert_int_equal(a3mi_hist_max(&h), INT64_MAX);
    assert_int_equal(a3mi_hist_percentile(&h, 25), 0);
    assert_int_equal(a3mi_hist_percentile(&h, 50), INT64_MAX);
    /* The sum does not fit in 64 bits. */
    assert_true(a3mi_hist_mean(&h) == (double)INT64_MAX * 3 / 4);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Random times of all magnitudes, against the sorted list; recorded in two parts that are merged. */
static void test_hist_random_times_match_sorted_list(void **state)
{
    (void)state;
    enum { N = 5000 };
    static int64_t v[N];
    static struct a3mi_hist a, b;
    struct a3mi_rng r;
    double sum = 0;

    test_random_init(&r, __func__);
    a3mi_hist_init(&a);
    a3mi_hist_init(&b);
    for (size_t i = 0; i < N; i++) {
        v[i] = (int64_t)(a3mi_rng_u64(&r) >> (24 + a3mi_rng_below(&r, 40)));
        sum += (double)v[i];
        a3mi_hist_record(i % 3 == 0 ? &a : &b, v[i]);
    }
    a3mi_hist_merge(&a, &b);
    qsort(v, N, sizeof v[0], by_value);
    assert_int_equal(a3mi_hist_count(&a), N);
    assert_int_equal(a3mi_hist_min(&a), v[0]);
    assert_int_equal(a3mi_hist_max(&a), v[N - 1]);
    assert_true(a3mi_hist_mean(&a) > sum / N * 0.999999 && a3mi_hist_mean(&a) < sum / N * 1.000001);
    for (size_t rank = 1; rank <= N; rank++) {
        /* A little below rank/N, so that rounding cannot reach the next rank. */
        double p = 100.0 * ((double)rank - 0.5) / N;
        uint64_t exact = (uint64_t)v[rank - 1], told = a3mi_hist_percentile(&a, p);

        assert_true(told >= exact && (told - exact) * 64 <= exact);
    }
}

static void test_hist_merge_with_empty_changes_nothing(void **state)
{
    (void)state;
    static struct a3mi_hist a, b;

    a3mi_hist_init(&a);
    a3mi_hist_init(&b);
    a3mi_hist_record(&a, 10);
    a3mi_hist_merge(&a, &b);
    assert_int_equal(a3mi_hist_count(&a), 1);
    assert_int_equal(a3mi_hist_min(&a), 10);
    a3mi_hist_merge(&b, &a);
    assert_int_equal(a3mi_hist_min(&b), 10);
    assert_int_equal(a3mi_hist_max(&b), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hist_fresh_is_all_zero),
        cmocka_unit_test(test_hist_one_value_is_every_percentile),
        cmocka_unit_test(test_hist_buckets_partition_the_range),
        cmocka_unit_test(test_hist_small_values_are_exact),
        cmocka_unit_test(test_hist_outliers_are_counted_and_kept_exactly),
        cmocka_unit_test(test_hist_random_times_match_sorted_list),
        cmocka_unit_test(test_hist_merge_with_empty_changes_nothing),
    };

    return cmocka_run_group_tests_name("hist", tests, NULL, NULL);
}
