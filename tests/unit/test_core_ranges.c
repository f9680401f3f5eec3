/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of numbers: core/ranges.h.
 * covers core
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "core/ranges.h"

#define CAPACITY 8u
#define SPAN     200u

static void test_ranges_in_order_needs_no_block(void **state)
{
    (void)state;
    struct a3mi_ranges r;

    a3mi_ranges_init(&r);
    for (uint64_t i = 0; i < 1000; i++) {
        assert_false(a3mi_ranges_has(&r, i));
        assert_int_equal(a3mi_ranges_add(&r, i, i + 1), A3MI_RANGES_ADDED);
        assert_true(a3mi_ranges_has(&r, i));
    }
    assert_int_equal(r.next, 1000);
    assert_int_equal(a3mi_ranges_end(&r), 1000);
    assert_int_equal(a3mi_ranges_add(&r, 1001, 1002), A3MI_RANGES_FULL);
    assert_int_equal(a3mi_ranges_add(&r, 999, 1001), A3MI_RANGES_PRESENT);
}

static void test_ranges_full_still_takes_what_extends(void **state)
{
    (void)state;
    struct a3mi_range block[2];
    struct a3mi_ranges r;

    a3mi_ranges_init(&r);
    a3mi_ranges_lend(&r, block, 2);
    assert_int_equal(a3mi_ranges_add(&r, 10, 20), A3MI_RANGES_ADDED);
    assert_int_equal(a3mi_ranges_add(&r, 30, 40), A3MI_RANGES_ADDED);
    assert_int_equal(a3mi_ranges_add(&r, 50, 60), A3MI_RANGES_FULL);
    assert_int_equal(a3mi_ranges_add(&r, 40, 45), A3MI_RANGES_ADDED);
    assert_int_equal(a3mi_ranges_add(&r, 25, 30), A3MI_RANGES_ADDED);
    assert_int_equal(a3mi_ranges_add(&r, 20, 25), A3MI_RANGES_ADDED);
    assert_int_equal(r.count, 1);
    assert_int_equal(a3mi_ranges_add(&r, 0, 10), A3MI_RANGES_ADDED);
    assert_int_equal(r.next, 45);
    assert_int_equal(r.count, 0);
    assert_ptr_equal(a3mi_ranges_take_back(&r), block);
}

static void test_ranges_far_numbers_are_exact(void **state)
{
    (void)state;
    struct a3mi_range block[CAPACITY];
    struct a3mi_ranges r;

    a3mi_ranges_init(&r);
    r.next = UINT64_MAX - 100;
    a3mi_ranges_lend(&r, block, CAPACITY);
    assert_int_equal(a3mi_ranges_add(&r, UINT64_MAX - 1, UINT64_MAX), A3MI_RANGES_ADDED);
    assert_true(a3mi_ranges_has(&r, UINT64_MAX - 1));
    assert_false(a3mi_ranges_has(&r, UINT64_MAX - 2));
    assert_false(a3mi_ranges_has(&r, UINT64_MAX - 100));
}

/* What a set of flags would answer. */
static enum a3mi_ranges_added model_add(bool model[SPAN], uint64_t first, uint64_t end)
{
    bool next[SPAN];
    unsigned ranges = 0;

    memcpy(next, model, sizeof(next));
    for (uint64_t i = first; i < end; i++) {
        if (next[i]) {
            return A3MI_RANGES_PRESENT;
        }
        next[i] = true;
    }
    for (unsigned i = 1; i < SPAN; i++) {
        ranges += next[i] && !next[i - 1];
    }
    if (ranges > CAPACITY) {
        return A3MI_RANGES_FULL;
    }
    memcpy(model, next, sizeof(next));
    return A3MI_RANGES_ADDED;
}

static void expect_same(const struct a3mi_ranges *r, const bool model[SPAN])
{
    uint64_t at = r->next;

    for (unsigned i = 0; i < SPAN; i++) {
        assert_int_equal(a3mi_ranges_has(r, i), model[i]);
    }
    for (uint32_t i = 0; i < r->count; i++) {
        assert_true(r->v[i].first > at && r->v[i].end > r->v[i].first);
        at = r->v[i].end;
    }
}

static void test_ranges_random_additions_agree_with_model(void **state)
{
    (void)state;
    struct a3mi_rng rng;

    a3mi_rng_init(&rng, 7);
    for (unsigned round = 0; round < 300; round++) {
        struct a3mi_range block[CAPACITY];
        struct a3mi_ranges r;
        bool model[SPAN] = {false};

        a3mi_ranges_init(&r);
        a3mi_ranges_lend(&r, block, CAPACITY);
        for (unsigned i = 0; i < 150; i++) {
            uint64_t first = a3mi_rng_below(&rng, SPAN - 10);
            uint64_t end = first + 1 + a3mi_rng_below(&rng, 9);
            enum a3mi_ranges_added expected = model_add(model, first, end);

            assert_int_equal(a3mi_ranges_probe(&r, first, end), expected);
            assert_int_equal(a3mi_ranges_add(&r, first, end), expected);
            expect_same(&r, model);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_in_order_needs_no_block),
        cmocka_unit_test(test_ranges_full_still_takes_what_extends),
        cmocka_unit_test(test_ranges_far_numbers_are_exact),
        cmocka_unit_test(test_ranges_random_additions_agree_with_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
