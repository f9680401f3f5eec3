/* SPDX-License-Identifier: Apache-2.0 */
/* When sends are held, in a time that the test makes. covers X3 N8 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/density.h"

#define US 1000

struct sender {
    struct a3mi_density density;
    int64_t now;
};

/* Sends `gap` after the last send ended; to carry takes 3 us, to hold 0.1 us. */
static enum a3mi_density_verdict send_after(struct sender *s, int64_t gap, size_t bytes)
{
    s->now += gap;
    enum a3mi_density_verdict verdict = a3mi_density_judge(&s->density, bytes, s->now);
    s->now += verdict == A3MI_DENSITY_CARRY ? 3 * US : US / 10;
    a3mi_density_sent(&s->density, s->now);
    return verdict;
}

/* Until the next one would be held. */
static struct sender dense_sender(void)
{
    struct sender s = {.now = 1000 * US};
    assert_int_equal(send_after(&s, 0, 64), A3MI_DENSITY_CARRY); /* the first: a long time after none */
    for (int i = 1; i < A3MI_DENSITY_RUN; i++) {
        assert_int_equal(send_after(&s, 100, 64), A3MI_DENSITY_CARRY);
    }
    return s;
}

static void test_density_sends_now_and_then_are_carried_each(void **state)
{
    (void)state;
    struct sender s = {.now = 1000 * US};
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(send_after(&s, A3MI_DENSITY_GAP_NS + 1, 64), A3MI_DENSITY_CARRY);
    }
}

static void test_density_one_gap_in_eight_is_enough_to_be_carried(void **state)
{
    (void)state;
    struct sender s = {.now = 1000 * US};
    for (int i = 0; i < 1000; i++) {
        int64_t gap = i % A3MI_DENSITY_RUN == 0 ? A3MI_DENSITY_GAP_NS + 1 : 0;
        assert_int_equal(send_after(&s, gap, 64), A3MI_DENSITY_CARRY);
    }
}

static void test_density_the_ninth_in_a_row_begins_a_bundle(void **state)
{
    (void)state;
    struct sender s = dense_sender();
    assert_int_equal(send_after(&s, 100, 64), A3MI_DENSITY_BEGINS);
    assert_int_equal(send_after(&s, 100, 64), A3MI_DENSITY_HOLD);
}

static void test_density_bytes_end_a_bundle_and_the_next_begins(void **state)
{
    (void)state;
    struct sender s = dense_sender();
    const size_t each = A3MI_DENSITY_BYTES / 4 - A3MI_DENSITY_MESSAGE;
    for (int round = 0; round < 10; round++) {
        assert_int_equal(send_after(&s, 100, each), A3MI_DENSITY_BEGINS);
        assert_int_equal(send_after(&s, 100, each), A3MI_DENSITY_HOLD);
        assert_int_equal(send_after(&s, 100, each), A3MI_DENSITY_HOLD);
        assert_int_equal(send_after(&s, 100, each), A3MI_DENSITY_CARRY);
    }
}

static void test_density_a_large_message_is_never_held(void **state)
{
    (void)state;
    struct sender s = dense_sender();
    for (int i = 0; i < 10; i++) {
        assert_int_equal(send_after(&s, 100, A3MI_DENSITY_BYTES), A3MI_DENSITY_CARRY);
    }
}

static void test_density_age_ends_a_bundle(void **state)
{
    (void)state;
    struct sender s = dense_sender();
    assert_int_equal(send_after(&s, 100, 0), A3MI_DENSITY_BEGINS);
    int64_t began = s.density.since;
    enum a3mi_density_verdict verdict;
    do {
        verdict = send_after(&s, 900, 0);
        assert_true(s.now - began <= A3MI_DENSITY_AGE_NS + 4 * US);
    } while (verdict == A3MI_DENSITY_HOLD);
    assert_int_equal(verdict, A3MI_DENSITY_CARRY);
}

static void test_density_a_gap_ends_a_bundle(void **state)
{
    (void)state;
    struct sender s = dense_sender();
    assert_int_equal(send_after(&s, 100, 64), A3MI_DENSITY_BEGINS);
    assert_int_equal(send_after(&s, A3MI_DENSITY_GAP_NS + 1, 64), A3MI_DENSITY_CARRY);
    assert_int_equal(send_after(&s, 100, 64), A3MI_DENSITY_CARRY); /* and it takes eight again */
}

static void test_density_break_says_what_is_held(void **state)
{
    (void)state;
    struct sender s = dense_sender();
    assert_false(a3mi_density_break(&s.density));
    s = dense_sender();
    assert_int_equal(send_after(&s, 100, 64), A3MI_DENSITY_BEGINS);
    assert_true(a3mi_density_break(&s.density));
    assert_false(a3mi_density_break(&s.density));
    assert_int_equal(send_after(&s, 100, 64), A3MI_DENSITY_CARRY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_density_sends_now_and_then_are_carried_each),
        cmocka_unit_test(test_density_one_gap_in_eight_is_enough_to_be_carried),
        cmocka_unit_test(test_density_the_ninth_in_a_row_begins_a_bundle),
        cmocka_unit_test(test_density_bytes_end_a_bundle_and_the_next_begins),
        cmocka_unit_test(test_density_a_large_message_is_never_held),
        cmocka_unit_test(test_density_age_ends_a_bundle),
        cmocka_unit_test(test_density_a_gap_ends_a_bundle),
        cmocka_unit_test(test_density_break_says_what_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
