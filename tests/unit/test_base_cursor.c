/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded reader and writer (base/cursor.h). */
#include "test_base_random.h"

#include <string.h>

#include "base/cursor.h"

static void test_store_and_load_are_big_endian(void **state)
{
    (void)state;
    static const uint8_t expected[] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t b[9];

    /* At an odd address on purpose. */
    a3mi_store_be16(b + 1, 0x0102);
    assert_memory_equal(b + 1, expected, 2);
    assert_int_equal(a3mi_load_be16(b + 1), 0x0102);
    a3mi_store_be32(b + 1, 0x01020304);
    assert_memory_equal(b + 1, expected, 4);
    assert_int_equal(a3mi_load_be32(b + 1), 0x01020304);
    a3mi_store_be64(b + 1, 0x0102030405060708);
    assert_memory_equal(b + 1, expected, 8);
    assert_int_equal(a3mi_load_be64(b + 1), 0x0102030405060708);
}

static void test_reader_takes_every_width(void **state)
{
    (void)state;
    static const uint8_t b[] = {0xff, 0x01, 0x02, 0xfe, 0xdc, 0xba, 0x98, 1, 2, 3, 4, 5, 6, 7, 8, 'x', 'y'};
    struct a3mi_rd rd;

    a3mi_rd_init(&rd, b, sizeof b);
    assert_int_equal(a3mi_rd_left(&rd), sizeof b);
    assert_int_equal(a3mi_rd_u8(&rd), 0xff);
    assert_int_equal(a3mi_rd_u16(&rd), 0x0102);
    assert_int_equal(a3mi_rd_u32(&rd), 0xfedcba98);
    assert_int_equal(a3mi_rd_u64(&rd), 0x0102030405060708);
    assert_int_equal(a3mi_rd_left(&rd), 2);
    assert_ptr_equal(a3mi_rd_bytes(&rd, 2), b + 15);
    assert_int_equal(a3mi_rd_left(&rd), 0);
    assert_non_null(a3mi_rd_bytes(&rd, 0));
    assert_false(rd.bad);
}

static void test_reader_short_of_bytes_latches(void **state)
{
    (void)state;
    static const uint8_t b[] = {1, 2, 3};
    struct a3mi_rd rd;

    a3mi_rd_init(&rd, b, sizeof b);
    assert_int_equal(a3mi_rd_u32(&rd), 0);
    assert_true(rd.bad);
    assert_int_equal(a3mi_rd_left(&rd), 0);
    assert_int_equal(a3mi_rd_u8(&rd), 0);
    assert_int_equal(a3mi_rd_u16(&rd), 0);
    assert_int_equal(a3mi_rd_u64(&rd), 0);
    assert_null(a3mi_rd_bytes(&rd, 1));
    assert_null(a3mi_rd_bytes(&rd, 0));
}

static void test_reader_length_from_attacker_does_not_wrap(void **state)
{
    (void)state;
    static const uint8_t b[] = {1, 2, 3};
    struct a3mi_rd rd;

    a3mi_rd_init(&rd, b, sizeof b);
    assert_null(a3mi_rd_bytes(&rd, SIZE_MAX));
    assert_true(rd.bad);
}

static void test_reader_of_nothing_is_good_until_read(void **state)
{
    (void)state;
    struct a3mi_rd rd;

    a3mi_rd_init(&rd, NULL, 0);
    assert_non_null(a3mi_rd_bytes(&rd, 0));
    assert_false(rd.bad);
    assert_int_equal(a3mi_rd_u8(&rd), 0);
    assert_true(rd.bad);
}

static void test_writer_fills_exactly(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0xff, 0x01, 0x02, 0xfe, 0xdc, 0xba, 0x98, 1,  2,
                                       3,    4,    5,    6,    7,    8,    'x',  'y'};
    uint8_t b[sizeof expected];
    struct a3mi_wr wr;

    a3mi_wr_init(&wr, b, sizeof b);
    a3mi_wr_u8(&wr, 0xff);
    a3mi_wr_u16(&wr, 0x0102);
    a3mi_wr_u32(&wr, 0xfedcba98);
    a3mi_wr_u64(&wr, 0x0102030405060708);
    assert_int_equal(a3mi_wr_left(&wr), 2);
    a3mi_wr_bytes(&wr, "xy", 2);
    a3mi_wr_bytes(&wr, NULL, 0);
    assert_false(wr.bad);
    assert_int_equal(a3mi_wr_len(&wr), sizeof b);
    assert_int_equal(a3mi_wr_left(&wr), 0);
    assert_memory_equal(b, expected, sizeof b);
}

static void test_writer_short_of_room_latches_and_writes_nothing(void **state)
{
    (void)state;
    uint8_t b[4] = {9, 9, 9, 9};
    struct a3mi_wr wr;

    a3mi_wr_init(&wr, b, 3);
    a3mi_wr_u8(&wr, 1);
    a3mi_wr_u32(&wr, 0);
    assert_true(wr.bad);
    assert_int_equal(a3mi_wr_left(&wr), 0);
    a3mi_wr_u8(&wr, 2); /* would fit, but what comes after an error does not count */
    a3mi_wr_u16(&wr, 2);
    a3mi_wr_u64(&wr, 2);
    a3mi_wr_bytes(&wr, "abc", 3);
    assert_null(a3mi_wr_reserve(&wr, 0));
    assert_int_equal(a3mi_wr_len(&wr), 1);
    assert_memory_equal(b, "\x01\x09\x09\x09", 4);
}

static void test_writer_length_too_large_does_not_wrap(void **state)
{
    (void)state;
    uint8_t b[4];
    struct a3mi_wr wr;

    a3mi_wr_init(&wr, b, sizeof b);
    assert_null(a3mi_wr_reserve(&wr, SIZE_MAX));
    assert_true(wr.bad);
}

static void test_writer_patch_fills_in_lengths(void **state)
{
    (void)state;
    uint8_t b[9];
    struct a3mi_wr wr;

    a3mi_wr_init(&wr, b, sizeof b);
    uint8_t *two = a3mi_wr_reserve(&wr, 2);
    uint8_t *four = a3mi_wr_reserve(&wr, 4);
    a3mi_wr_bytes(&wr, "abc", 3);
    a3mi_wr_patch_u16(two, 0x1234);
    a3mi_wr_patch_u32(four, 0x56789abc);
    assert_memory_equal(b,
                        "\x12\x34\x56\x78\x9a\xbc"
                        "abc",
                        9);
}

/* What is written in any mixture of widths is read back, and reading one more is bad. */
static void test_cursor_random_fields_round_trip(void **state)
{
    (void)state;
    struct a3mi_rng r, again;

    test_random_init(&r, __func__);
    for (long round = test_rounds(2000); round > 0; round--) {
        uint8_t *b = malloc(64);
        struct a3mi_wr wr;
        struct a3mi_rd rd;
        size_t before = 0;

        again = r;
        a3mi_wr_init(&wr, b, 64);
        while (!wr.bad) {
            before = a3mi_wr_len(&wr);
            switch (a3mi_rng_below(&r, 4)) {
            case 0: a3mi_wr_u8(&wr, (uint8_t)a3mi_rng_u64(&r)); break;
            case 1: a3mi_wr_u16(&wr, (uint16_t)a3mi_rng_u64(&r)); break;
            case 2: a3mi_wr_u32(&wr, (uint32_t)a3mi_rng_u64(&r)); break;
            default: a3mi_wr_u64(&wr, a3mi_rng_u64(&r)); break;
            }
        }
        assert_int_equal(a3mi_wr_len(&wr), before);
        a3mi_rd_init(&rd, b, before);
        while (a3mi_rd_left(&rd) > 0) {
            switch (a3mi_rng_below(&again, 4)) {
            case 0: assert_int_equal(a3mi_rd_u8(&rd), (uint8_t)a3mi_rng_u64(&again)); break;
            case 1: assert_int_equal(a3mi_rd_u16(&rd), (uint16_t)a3mi_rng_u64(&again)); break;
            case 2: assert_int_equal(a3mi_rd_u32(&rd), (uint32_t)a3mi_rng_u64(&again)); break;
            default: assert_int_equal(a3mi_rd_u64(&rd), a3mi_rng_u64(&again)); break;
            }
        }
        assert_false(rd.bad);
        free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_and_load_are_big_endian),
        cmocka_unit_test(test_reader_takes_every_width),
        cmocka_unit_test(test_reader_short_of_bytes_latches),
        cmocka_unit_test(test_reader_length_from_attacker_does_not_wrap),
        cmocka_unit_test(test_reader_of_nothing_is_good_until_read),
        cmocka_unit_test(test_writer_fills_exactly),
        cmocka_unit_test(test_writer_short_of_room_latches_and_writes_nothing),
        cmocka_unit_test(test_writer_length_too_large_does_not_wrap),
        cmocka_unit_test(test_writer_patch_fills_in_lengths),
        cmocka_unit_test(test_cursor_random_fields_round_trip),
    };

    return cmocka_run_group_tests_name("cursor", tests, NULL, NULL);
}
