/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: core/frame.h.
 * covers core
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "core/frame.h"

static uint8_t *put_data(uint8_t *p, const struct a3mi_frame *frame, const void *bytes)
{
    uint8_t *at = a3mi_frame_write_data(p, frame);

    assert_int_equal(at - p, a3mi_frame_data_header(frame->flags));
    memcpy(at, bytes, frame->size);
    return at + frame->size;
}

static void test_frame_small_message_costs_three_bytes(void **state)
{
    (void)state;
    assert_int_equal(a3mi_frame_data_header(A3MI_FRAME_NEXT | A3MI_FRAME_WHOLE), 3);
    assert_int_equal(a3mi_frame_data_header(A3MI_FRAME_WHOLE), 15);
    assert_int_equal(a3mi_frame_data_header(A3MI_FRAME_FIRST), 19);
    assert_int_equal(a3mi_frame_data_header(0), 23);
}

static void test_frame_sequence_comes_back(void **state)
{
    (void)state;
    uint8_t unit[200];
    struct a3mi_frame whole = {.flags = A3MI_FRAME_WHOLE, .link = 7, .number = 40, .size = 3};
    struct a3mi_frame next = {.flags = A3MI_FRAME_WHOLE | A3MI_FRAME_NEXT | A3MI_FRAME_PROPS, .size = 2};
    struct a3mi_frame credit = {.credit_link = 9, .epoch = 2, .credit_messages = 3, .credit_bytes = 4};
    struct a3mi_frame first = {.flags = A3MI_FRAME_NEXT | A3MI_FRAME_FIRST, .total = 100, .size = 5};
    struct a3mi_frame last = {
        .flags = A3MI_FRAME_LAST, .link = 8, .number = 1, .offset = 60, .total = 64, .size = 4};
    struct a3mi_frame got = {0};
    struct a3mi_rd rd;
    uint8_t *p = unit;

    p = put_data(p, &whole, "abc");
    p = put_data(p, &next, "de");
    p = a3mi_frame_write_credit(p, &credit);
    p = put_data(p, &first, "fghij");
    p = put_data(p, &last, "klmn");
    memset(p, 0, 20);
    a3mi_rd_init(&rd, unit, (size_t)(p - unit) + 20);

    assert_int_equal(a3mi_frame_read(&rd, &got), A3MI_FRAME_OK);
    assert_true(got.link == 7 && got.number == 40 && got.size == 3 && got.total == 3 && got.offset == 0);
    assert_memory_equal(got.bytes, "abc", 3);
    assert_int_equal(a3mi_frame_read(&rd, &got), A3MI_FRAME_OK);
    assert_true(got.link == 7 && got.number == 41 && got.size == 2);
    assert_true((got.flags & A3MI_FRAME_PROPS) != 0);
    assert_int_equal(a3mi_frame_read(&rd, &got), A3MI_FRAME_OK);
    assert_true(got.kind == A3MI_FRAME_CREDIT && got.credit_link == 9 && got.epoch == 2);
    assert_true(got.credit_messages == 3 && got.credit_bytes == 4);
    assert_int_equal(a3mi_frame_read(&rd, &got), A3MI_FRAME_OK);
    assert_true(got.kind == A3MI_FRAME_DATA && got.link == 7 && got.number == 42 && got.total == 100);
    assert_int_equal(a3mi_frame_read(&rd, &got), A3MI_FRAME_OK);
    assert_true(got.link == 8 && got.number == 1 && got.offset == 60 && got.total == 64 && got.size == 4);
    assert_int_equal(a3mi_frame_read(&rd, &got), A3MI_FRAME_END);
}

static enum a3mi_frame_result read_one(const struct a3mi_frame *frame)
{
    static const uint8_t bytes[100];
    uint8_t unit[200];
    struct a3mi_frame got = {0};
    struct a3mi_rd rd;

    a3mi_rd_init(&rd, unit, (size_t)(put_data(unit, frame, bytes) - unit));
    return a3mi_frame_read(&rd, &got);
}

static void test_frame_nonsense_is_bad(void **state)
{
    (void)state;
    struct a3mi_frame frame = {.flags = A3MI_FRAME_NEXT | A3MI_FRAME_WHOLE, .size = 1};

    assert_int_equal(read_one(&frame), A3MI_FRAME_BAD); /* next of nothing */
    frame = (struct a3mi_frame){.flags = A3MI_FRAME_FIRST, .total = 10, .size = 0};
    assert_int_equal(read_one(&frame), A3MI_FRAME_BAD); /* a piece of nothing */
    frame.size = 10;
    assert_int_equal(read_one(&frame), A3MI_FRAME_BAD); /* the end, not called so */
    frame.size = 11;
    assert_int_equal(read_one(&frame), A3MI_FRAME_BAD); /* beyond the end */
    frame = (struct a3mi_frame){.flags = 0, .offset = 0, .total = 10, .size = 1};
    assert_int_equal(read_one(&frame), A3MI_FRAME_BAD); /* the beginning, not called so */
    frame = (struct a3mi_frame){.flags = A3MI_FRAME_LAST, .offset = 5, .total = 10, .size = 4};
    assert_int_equal(read_one(&frame), A3MI_FRAME_BAD); /* called the end */
    frame = (struct a3mi_frame){.flags = A3MI_FRAME_LAST, .offset = UINT32_MAX, .total = 3, .size = 4};
    assert_int_equal(read_one(&frame), A3MI_FRAME_BAD); /* sums do not wrap */
    frame = (struct a3mi_frame){.flags = A3MI_FRAME_LAST, .offset = 6, .total = 10, .size = 4};
    assert_int_equal(read_one(&frame), A3MI_FRAME_OK);
}

static void test_frame_cut_and_noise_are_read_without_harm(void **state)
{
    (void)state;
    struct a3mi_rng rng;

    a3mi_rng_init(&rng, 3);
    for (unsigned round = 0; round < 100000; round++) {
        size_t size = a3mi_rng_below(&rng, 120);
        uint8_t *unit = malloc(size + 1);
        struct a3mi_frame got = {0};
        struct a3mi_rd rd;
        unsigned frames = 0;

        assert_non_null(unit);
        for (size_t i = 0; i < size; i++) {
            unit[i] = (uint8_t)(a3mi_rng_below(&rng, 2) == 0 ? a3mi_rng_below(&rng, 64)
                                                             : a3mi_rng_below(&rng, 3));
        }
        uint8_t *exact = realloc(unit, size > 0 ? size : 1);

        a3mi_rd_init(&rd, exact, size);
        while (a3mi_frame_read(&rd, &got) == A3MI_FRAME_OK) {
            assert_true(++frames <= size);
        }
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_small_message_costs_three_bytes),
        cmocka_unit_test(test_frame_sequence_comes_back),
        cmocka_unit_test(test_frame_nonsense_is_bad),
        cmocka_unit_test(test_frame_cut_and_noise_are_read_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
