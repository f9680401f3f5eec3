/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link machine: its whole product [state][event] is walked for what must
 * hold everywhere, and the stories that matter are told step by step.
 * covers L1 L2 L4 L7 L11 L12
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/link_machine.h"

static struct a3mi_link_step step(enum a3mi_link_state state, enum a3mi_link_event event)
{
    return a3mi_link_machine(state, event);
}

static void test_product_every_pair_says_something(void **arg)
{
    (void)arg;
    for (int s = 0; s < A3MI_LINK_STATES; s++) {
        for (int e = 0; e < A3MI_LINK_EVENTS; e++) {
            struct a3mi_link_step got = step((enum a3mi_link_state)s, (enum a3mi_link_event)e);
            if (got.actions == 0) {
                fail_msg("%s on %s: neither acts nor says that it is ignored",
                         a3mi_link_state_name((enum a3mi_link_state)s),
                         a3mi_link_event_name((enum a3mi_link_event)e));
            }
            assert_true((unsigned)got.next < A3MI_LINK_STATES);
        }
    }
}

static void test_product_closed_is_final(void **arg)
{
    (void)arg;
    for (int e = 0; e < A3MI_LINK_EVENTS; e++) {
        struct a3mi_link_step got = step(A3MI_LINK_CLOSED, (enum a3mi_link_event)e);
        assert_int_equal(got.next, A3MI_LINK_CLOSED);
        assert_int_equal(got.actions, A3MI_DO_IGNORE);
    }
}

static void test_product_what_enters_and_leaves_a_state_is_done(void **arg)
{
    (void)arg;
    for (int s = 0; s < A3MI_LINK_STATES; s++) {
        for (int e = 0; e < A3MI_LINK_EVENTS; e++) {
            struct a3mi_link_step got = step((enum a3mi_link_state)s, (enum a3mi_link_event)e);
            int attached_before = s == A3MI_LINK_UP || s == A3MI_LINK_ENDING || s == A3MI_LINK_FINISHING;
            int attached_after = got.next == A3MI_LINK_UP || got.next == A3MI_LINK_ENDING ||
                                 got.next == A3MI_LINK_FINISHING;
            /* channels are attached exactly where they are used */
            assert_int_equal((got.actions & A3MI_DO_ATTACH) != 0, !attached_before && attached_after);
            assert_int_equal((got.actions & A3MI_DO_DETACH) != 0, attached_before && !attached_after);
            /* the type is told exactly once that a link is not up any more */
            assert_int_equal((got.actions & A3MI_DO_TELL_DOWN) != 0,
                             s == A3MI_LINK_UP && got.next != A3MI_LINK_UP);
            /* a link closes exactly when it enters CLOSED */
            assert_int_equal((got.actions & A3MI_DO_CLOSE) != 0,
                             s != A3MI_LINK_CLOSED && got.next == A3MI_LINK_CLOSED);
            /* who waits to retry has a timer */
            if (s != A3MI_LINK_RETRYING && got.next == A3MI_LINK_RETRYING) {
                assert_true((got.actions & A3MI_DO_ARM_TIMER) != 0);
            }
        }
    }
}

static void test_product_losing_the_peer_never_leaves_a_link_half_way(void **arg)
{
    (void)arg;
    for (int s = 0; s < A3MI_LINK_STATES; s++) {
        enum a3mi_link_state lost = step((enum a3mi_link_state)s, A3MI_ON_PEER_LOST).next;
        enum a3mi_link_state gone = step((enum a3mi_link_state)s, A3MI_ON_PEER_GONE).next;
        assert_true(lost == A3MI_LINK_RETRYING || lost == A3MI_LINK_CLOSED);
        assert_true(gone == A3MI_LINK_RETRYING || gone == A3MI_LINK_CLOSED);
    }
}

static void test_crossing_requests_one_end_answers_the_other_goes_on_waiting(void **arg)
{
    (void)arg;
    struct a3mi_link_step answers = step(A3MI_LINK_REQUESTING, A3MI_ON_REQUEST);
    assert_int_equal(answers.next, A3MI_LINK_UP);
    assert_true((answers.actions & A3MI_DO_SEND_ACCEPT) != 0);
    struct a3mi_link_step waits = step(A3MI_LINK_REQUESTING, A3MI_ON_CROSSING);
    assert_int_equal(waits.next, A3MI_LINK_REQUESTING);
    assert_int_equal(waits.actions, A3MI_DO_IGNORE);
}

static void test_request_while_retrying_is_accepted(void **arg)
{
    (void)arg;
    struct a3mi_link_step a = step(A3MI_LINK_RETRYING, A3MI_ON_REQUEST);
    assert_int_equal(a.next, A3MI_LINK_UP);
    assert_true((a.actions & A3MI_DO_SEND_ACCEPT) != 0);
    assert_true((a.actions & A3MI_DO_CANCEL_TIMER) != 0);
}

static void test_cancel_in_flight_the_acceptance_that_follows_is_not_taken(void **arg)
{
    (void)arg;
    struct a3mi_link_step a = step(A3MI_LINK_REQUESTING, A3MI_ON_UNLINK);
    assert_int_equal(a.next, A3MI_LINK_CANCELLING);
    assert_true((a.actions & A3MI_DO_SEND_END) != 0);
    assert_int_equal(step(A3MI_LINK_CANCELLING, A3MI_ON_ACCEPT).next, A3MI_LINK_CANCELLING);
    assert_int_equal(step(A3MI_LINK_CANCELLING, A3MI_ON_CROSSING).next, A3MI_LINK_CANCELLING);
    assert_int_equal(step(A3MI_LINK_CANCELLING, A3MI_ON_ENDED).next, A3MI_LINK_CLOSED);
}

static void test_both_end_at_once_each_end_is_the_answer(void **arg)
{
    (void)arg;
    struct a3mi_link_step a = step(A3MI_LINK_ENDING, A3MI_ON_END);
    assert_int_equal(a.next, A3MI_LINK_FINISHING);
    assert_int_equal(a.actions & A3MI_DO_SEND_ENDED, 0);
    assert_int_equal(step(A3MI_LINK_FINISHING, A3MI_ON_DRAINED).next, A3MI_LINK_CLOSED);
}

static void test_refusals_for_now_retry_and_for_good_end(void **arg)
{
    (void)arg;
    assert_int_equal(step(A3MI_LINK_REQUESTING, A3MI_ON_REFUSE).next, A3MI_LINK_RETRYING);
    assert_int_equal(step(A3MI_LINK_REQUESTING, A3MI_ON_REFUSE_LAST).next, A3MI_LINK_CLOSED);
    assert_int_equal(step(A3MI_LINK_REQUESTING, A3MI_ON_REFUSE_FINAL).next, A3MI_LINK_CLOSED);
    assert_int_equal(step(A3MI_LINK_RETRYING, A3MI_ON_UNLINK).next, A3MI_LINK_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product_every_pair_says_something),
        cmocka_unit_test(test_product_closed_is_final),
        cmocka_unit_test(test_product_what_enters_and_leaves_a_state_is_done),
        cmocka_unit_test(test_product_losing_the_peer_never_leaves_a_link_half_way),
        cmocka_unit_test(test_crossing_requests_one_end_answers_the_other_goes_on_waiting),
        cmocka_unit_test(test_request_while_retrying_is_accepted),
        cmocka_unit_test(test_cancel_in_flight_the_acceptance_that_follows_is_not_taken),
        cmocka_unit_test(test_both_end_at_once_each_end_is_the_answer),
        cmocka_unit_test(test_refusals_for_now_retry_and_for_good_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
