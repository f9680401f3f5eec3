/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls in line for room in the outbox that end otherwise: who gives up, is interrupted, is closed, or loses its
 * link, leaves what it had to those behind. covers F6 F9 F10
 */
#include "room_line.h"

#include <pthread.h>
#include <signal.h>

static void test_room_deadline_gives_the_credit_back_and_the_next_is_served(void **arg)
{
    (void)arg;
    for (unsigned fair = 0; fair < 2; fair++) {
        struct world w = make(fair != 0);
        struct waiter waiters[3] = {{.specific = true}, {0}, {.specific = true}};
        fill(&w);
        stand(&w, &waiters[0], 4, a3m_in(a3m_ms(200)));
        stand(&w, &waiters[1], 4, A3M_FOREVER);
        stand(&w, &waiters[2], 4, A3M_FOREVER);
        assert_int_equal(caller_join(&waiters[0].caller), A3M_ETIMEDOUT);
        await_all_asleep();
        assert_int_equal(reserved_in_all(&w), 2);
        assert_int_equal(make_room(&w, 1), 1);
        expect_first(&waiters[1], 2, 1);
        (void)make_room(&w, LIMIT);
        join_all(&waiters[1], 2);
        end(&w);
    }
}

/* Each that gives up as room comes about is served or not, and no room is lost. */
static void serve_while_some_give_up(bool fair, int64_t patience_us)
{
    struct world w = make(fair);
    struct waiter hasty[3] = {{0}}, waiters[3] = {{0}};
    int ok = 0;
    fill(&w);
    a3m_time deadline = a3m_in(a3m_ms(5));
    for (int i = 0; i < 3; i++) {
        hasty[i] = (struct waiter){.world = &w, .specific = i == 0, .size = 4, .deadline = deadline};
        caller_start(&hasty[i].caller, wait_to_send, &hasty[i]);
    }
    for (int i = 0; i < 3; i++) {
        waiters[i] = (struct waiter){.world = &w, .specific = i == 1, .size = 4, .deadline = A3M_FOREVER};
        caller_start(&waiters[i].caller, wait_to_send, &waiters[i]);
    }
    while (a3m_now().ns < deadline.ns + patience_us * 1000) {}
    (void)make_room(&w, 3 * COST + 1); /* for 4 */
    for (int i = 0; i < 3; i++) {
        int result = caller_join(&hasty[i].caller);
        assert_true(result == A3M_OK || result == A3M_ETIMEDOUT);
        ok += result == A3M_OK;
    }
    expect_returned(waiters, 3, 4 - ok < 3 ? 4 - ok : 3);
    (void)make_room(&w, LIMIT);
    join_all(waiters, 3);
    assert_int_equal(reserved_in_all(&w), 0);
    end(&w);
}

static void test_room_while_calls_time_out_none_is_lost(void **arg)
{
    static const int64_t patience[] = {-300, -100, -50, -20, 0, 20, 50};
    (void)arg;
    for (size_t i = 0; i < 4 * sizeof(patience) / sizeof(patience[0]); i++) {
        serve_while_some_give_up(i % 2 != 0, patience[i / 4]);
    }
}

static void test_room_a_socket_that_closes_leaves_it_to_the_others(void **arg)
{
    (void)arg;
    for (unsigned fair = 0; fair < 2; fair++) {
        struct world w = make(fair != 0);
        struct waiter waiters[4] = {{.other = true}, {0}, {.other = true, .specific = true}, {0}};
        fill(&w);
        for (int i = 0; i < 4; i++) {
            stand(&w, &waiters[i], 4, A3M_FOREVER);
        }
        assert_int_equal(a3m_socket_close(w.other), A3M_OK);
        assert_int_equal(caller_join(&waiters[0].caller), A3M_ECLOSED);
        assert_int_equal(caller_join(&waiters[2].caller), A3M_ECLOSED);
        await_all_asleep();
        assert_int_equal(make_room(&w, COST + 1), 2);
        assert_int_equal(caller_join(&waiters[1].caller), A3M_OK);
        assert_int_equal(caller_join(&waiters[3].caller), A3M_OK);
        end(&w);
    }
}

/* Room was given, and before the thread runs its socket closes, or its link ends: the next one has it. */
static void test_room_given_to_a_call_that_cannot_use_it_goes_to_the_next(void **arg)
{
    (void)arg;
    for (unsigned closes = 0; closes < 2; closes++) {
        for (int i = 0; i < 20; i++) {
            struct world w = make(i % 2 != 0);
            struct waiter first = {.other = true, .specific = true}, second = {0};
            fill(&w);
            stand(&w, &first, 4, A3M_FOREVER);
            stand(&w, &second, 4, A3M_FOREVER);
            (void)make_room(&w, 1);
            assert_int_equal(closes != 0 ? a3m_socket_close(w.other) : a3m_link_end(w.other_link), A3M_OK);
            int result = caller_join(&first.caller);
            if (result == A3M_OK) {
                (void)make_room(&w, 1); /* it was faster */
            } else {
                assert_int_equal(result, closes != 0 ? A3M_ECLOSED : A3M_ELINKDOWN);
            }
            assert_int_equal(caller_join(&second.caller), A3M_OK);
            end(&w);
        }
    }
}

static int close_node(void *arg)
{
    return a3m_node_close(*(a3m_node *)arg, A3M_NOW, NULL);
}

static void test_room_closing_the_node_ends_all(void **arg)
{
    (void)arg;
    struct world w = make(true);
    struct waiter waiters[3] = {{0}, {.specific = true}, {.other = true}};
    struct caller closer;
    fill(&w);
    for (int i = 0; i < 3; i++) {
        stand(&w, &waiters[i], 4, A3M_FOREVER);
    }
    caller_start(&closer, close_node, &w.from);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(caller_join(&waiters[i].caller), A3M_ECLOSED);
    }
    (void)caller_join(&closer);
    (void)a3m_node_close(w.to, A3M_NOW, NULL);
}

/* Calls for that link learn it; those for any keep their place with another one. */
static void test_room_a_link_that_ends(void **arg)
{
    (void)arg;
    for (unsigned fair = 0; fair < 2; fair++) {
        struct world w = make(fair != 0);
        struct waiter waiters[6];
        fill(&w);
        for (int i = 0; i < 6; i++) {
            waiters[i] = of_kind(MIXED, i);
            stand(&w, &waiters[i], 4, A3M_FOREVER);
        }
        assert_int_equal(a3m_link_end(w.links[0]), A3M_OK);
        for (int i = 0; i < 6; i += 2) {
            assert_int_equal(caller_join(&waiters[i].caller), A3M_ELINKDOWN);
        }
        await_all_asleep();
        assert_int_equal(returned(waiters, 6), 3);
        assert_int_equal(reserved(w.links[1]), 3);
        assert_int_equal(make_room(&w, COST + 1), 2);
        (void)make_room(&w, LIMIT);
        for (int i = 1; i < 6; i += 2) {
            assert_int_equal(caller_join(&waiters[i].caller), A3M_OK);
        }
        end(&w);
    }
}

static void test_room_the_last_link_that_ends(void **arg)
{
    (void)arg;
    struct world w = make(true);
    struct waiter waiter = {0};
    a3m_msg *msg = a3m_msg_new(4);
    fill(&w);
    stand(&w, &waiter, 4, A3M_FOREVER);
    assert_int_equal(a3m_link_end(w.links[0]), A3M_OK);
    assert_int_equal(a3m_link_end(w.links[1]), A3M_OK);
    await_all_asleep();
    assert_false(caller_returned(&waiter.caller)); /* another link may come */
    assert_int_equal(make_room(&w, LIMIT), 0);
    assert_int_equal(a3m_send_or_none(w.push, msg, A3M_NOW), A3M_ENOLINK);
    a3m_msg_free(msg);
    settle(&w); /* the ends are told: the sockets may have another link with one another */
    assert_int_equal(a3m_socket_link(w.push, "inproc://room-to/a", NULL), A3M_OK);
    settle(&w);
    assert_int_equal(caller_join(&waiter.caller), A3M_OK);
    end(&w);
}

static void on_signal(int number)
{
    (void)number;
}

static void test_room_a_signal_ends_the_wait_where_the_socket_asks_for_it(void **arg)
{
    (void)arg;
    struct sigaction action = {.sa_handler = on_signal};
    struct world w = make(true);
    struct waiter first = {.specific = true}, second = {.specific = true};
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    set(w.push, A3M_OPT_EINTR, 1);
    fill(&w);
    stand(&w, &first, 4, A3M_FOREVER);
    stand(&w, &second, 4, A3M_FOREVER);
    while (!caller_returned(&first.caller)) {
        assert_int_equal(pthread_kill(first.caller.thread, SIGUSR1), 0);
        (void)sched_yield();
    }
    assert_int_equal(caller_join(&first.caller), A3M_EINTR);
    await_all_asleep();
    assert_int_equal(reserved_in_all(&w), 1);
    assert_int_equal(make_room(&w, 1), 1);
    assert_int_equal(caller_join(&second.caller), A3M_OK);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room_deadline_gives_the_credit_back_and_the_next_is_served),
        cmocka_unit_test(test_room_while_calls_time_out_none_is_lost),
        cmocka_unit_test(test_room_a_socket_that_closes_leaves_it_to_the_others),
        cmocka_unit_test(test_room_given_to_a_call_that_cannot_use_it_goes_to_the_next),
        cmocka_unit_test(test_room_closing_the_node_ends_all),
        cmocka_unit_test(test_room_a_link_that_ends),
        cmocka_unit_test(test_room_the_last_link_that_ends),
        cmocka_unit_test(test_room_a_signal_ends_the_wait_where_the_socket_asks_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
