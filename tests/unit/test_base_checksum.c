/* SPDX-License-Identifier: Apache-2.0 */
/* Checksum and hash (base/checksum.h). */
#include "test_base_random.h"

#include <string.h>

#include "base/checksum.h"

/* XXH3_64bits of no bytes, as in xxHash's own list of test vectors (cli/xsum_sanity_check.c). */
static void test_hash_of_nothing_matches_reference(void **state)
{
    (void)state;
    assert_int_equal(a3mi_hash64("", 0, 0), 0x2d06800538d394c2);
    assert_int_equal(a3mi_hash64(NULL, 0, 0), 0x2d06800538d394c2);
    assert_int_equal(a3mi_checksum(NULL, 0, 0), 0x38d394c2);
}

/*
 * The values are part of the wire format. One length for each of XXH3's branches
 * (1-3, 4-8, 9-16, 17-128, 129-240, more), each seeded with the one before. The number is from
 * libxxhash 0.8.1.
 */
static void test_hash_values_never_change(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 3, 4, 8, 9, 16, 17, 128, 129, 240, 241, 1024, 1400, 65000};
    static uint8_t b[65000];
    uint64_t all = 0;

    for (size_t i = 0; i < sizeof b; i++) {
        b[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        all = a3mi_hash64(b, lengths[i], all);
    }
    assert_int_equal(all, 0x12640644e79851d1);
}

static void test_checksum_depends_on_every_bit_and_the_seed(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 5, 12, 60, 200, 1400};
    uint8_t b[1400];
    struct a3mi_rng r;

    test_random_init(&r, __func__);
    for (size_t i = 0; i < sizeof b; i++) {
        b[i] = (uint8_t)a3mi_rng_u64(&r);
    }
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
        size_t n = lengths[l];
        uint64_t before = a3mi_hash64(b, n, 5);

        assert_int_not_equal(before, a3mi_hash64(b, n, 6));
        for (size_t bit = 0; bit < n * 8; bit++) {
            b[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_not_equal(before, a3mi_hash64(b, n, 5));
            b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_int_equal(before, a3mi_hash64(b, n, 5));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_of_nothing_matches_reference),
        cmocka_unit_test(test_hash_values_never_change),
        cmocka_unit_test(test_checksum_depends_on_every_bit_and_the_seed),
    };

    return cmocka_run_group_tests_name("checksum", tests, NULL, NULL);
}
