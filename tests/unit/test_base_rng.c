/* SPDX-License-Identifier: Apache-2.0 */
/* The generator and the permutation (base/rng.h). */
#include "test_base_random.h"

#include <stdbool.h>
#include <string.h>

#include "base/rng.h"

/* First outputs of the authors' splitmix64.c for the seed 1234567. */
static void test_splitmix64_matches_reference(void **state)
{
    (void)state;
    static const uint64_t expected[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                        4593380528125082431u, 16408922859458223821u};
    uint64_t s = 1234567;

    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(a3mi_splitmix64(&s), expected[i]);
    }
}

/* First outputs of the authors' xoshiro256starstar.c from the state 1, 2, 3, 4. */
static void test_rng_matches_reference(void **state)
{
    (void)state;
    static const uint64_t expected[] = {11520u,
                                        0u,
                                        1509978240u,
                                        1215971899390074240u,
                                        1216172134540287360u,
                                        607988272756665600u,
                                        16172922978634559625u,
                                        8476171486693032832u,
                                        10595114339597558777u,
                                        2904607092377533576u};
    struct a3mi_rng r = {.s = {1, 2, 3, 4}};

    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(a3mi_rng_u64(&r), expected[i]);
    }
}

static void test_rng_same_seed_same_sequence(void **state)
{
    (void)state;
    struct a3mi_rng a, b, c;
    bool different = false;

    a3mi_rng_init(&a, 0);
    a3mi_rng_init(&b, 0);
    a3mi_rng_init(&c, 1);
    for (int i = 0; i < 100; i++) {
        uint64_t x = a3mi_rng_u64(&a);

        assert_int_equal(x, a3mi_rng_u64(&b));
        different |= x != a3mi_rng_u64(&c);
    }
    assert_true(different);
}

static void test_rng_below_stays_below(void **state)
{
    (void)state;
    static const uint64_t limits[] = {1, 2, 3, 10, 255, 256, 257, 1u << 31, UINT64_MAX / 2 + 2, UINT64_MAX};
    struct a3mi_rng r;

    test_random_init(&r, __func__);
    for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) {
        for (int i = 0; i < 1000; i++) {
            assert_true(a3mi_rng_below(&r, limits[l]) < limits[l]);
        }
    }
}

/*
 * Chi-squared over 6 bins with 60,000 draws of a fixed seed: 5 degrees of
 * freedom, 20.5 is exceeded once in a thousand seeds.
 */
static void test_rng_below_is_uniform(void **state)
{
    (void)state;
    struct a3mi_rng r;
    long bins[6] = {0};
    double chi2 = 0;

    a3mi_rng_init(&r, 42);
    for (int i = 0; i < 60000; i++) {
        bins[a3mi_rng_below(&r, 6)]++;
    }
    for (int i = 0; i < 6; i++) {
        double d = (double)(bins[i] - 10000);

        chi2 += d * d / 10000;
    }
    assert_true(chi2 < 20.5);
}

static void test_rng_unit_is_in_half_open_interval(void **state)
{
    (void)state;
    struct a3mi_rng r;
    double sum = 0;

    a3mi_rng_init(&r, 7);
    for (int i = 0; i < 100000; i++) {
        double x = a3mi_rng_unit(&r);

        assert_true(x >= 0 && x < 1);
        sum += x;
    }
    assert_true(sum > 49000 && sum < 51000);
}

/* Test vector of ePrint 2013/404, appendix C. */
static void test_perm64_matches_speck64_128_vector(void **state)
{
    (void)state;
    static const uint8_t key[16] = {0x00, 0x01, 0x02, 0x03, 0x08, 0x09, 0x0a, 0x0b,
                                    0x10, 0x11, 0x12, 0x13, 0x18, 0x19, 0x1a, 0x1b};
    struct a3mi_perm64 p;

    a3mi_perm64_init(&p, key);
    assert_int_equal(a3mi_perm64(&p, 0x3b7265747475432d), 0x8c6fa548454e028b);
    assert_int_equal(a3mi_perm64_inverse(&p, 0x8c6fa548454e028b), 0x3b7265747475432d);
}

static void test_perm64_random_numbers_round_trip(void **state)
{
    (void)state;
    struct a3mi_rng r;

    test_random_init(&r, __func__);
    for (int i = 0; i < 1000; i++) {
        struct a3mi_perm64 p;
        uint8_t key[16];
        uint64_t words[2] = {a3mi_rng_u64(&r), a3mi_rng_u64(&r)};
        uint64_t x = a3mi_rng_u64(&r);

        memcpy(key, words, sizeof key);
        a3mi_perm64_init(&p, key);
        assert_int_equal(a3mi_perm64_inverse(&p, a3mi_perm64(&p, x)), x);
        assert_int_equal(a3mi_perm64(&p, a3mi_perm64_inverse(&p, x)), x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splitmix64_matches_reference),
        cmocka_unit_test(test_rng_matches_reference),
        cmocka_unit_test(test_rng_same_seed_same_sequence),
        cmocka_unit_test(test_rng_below_stays_below),
        cmocka_unit_test(test_rng_below_is_uniform),
        cmocka_unit_test(test_rng_unit_is_in_half_open_interval),
        cmocka_unit_test(test_perm64_matches_speck64_128_vector),
        cmocka_unit_test(test_perm64_random_numbers_round_trip),
    };

    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
