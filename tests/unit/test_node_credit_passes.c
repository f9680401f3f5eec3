/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines for credit with two links, one of which serves the call that the other one's credit did not suffice for: who
 * stood behind it has that credit then, and pollers see it. And the two kinds of calls take turns, also where bytes
 * are what is short. The nodes are never started: the test runs their turns.
 * covers F5 F6 F7
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asleep.h"
#include "caller.h"
#include "node_fixture.h"
#include "node_turns.h"

enum { BYTES = 1000 };

struct world {
    a3m_node from, to;
    a3m_socket push, pulls[2];
    a3m_link links[2];
    int64_t now;
};

struct waiter {
    const struct world *world;
    int link; /* -1: any */
    size_t size;
    struct caller caller;
};

static void settle(const struct world *w)
{
    for (int i = 0; i < 12; i++) {
        (void)node_turn_all(node_inside(w->from), w->now);
        (void)node_turn_all(node_inside(w->to), w->now);
    }
}

static void set(a3m_socket socket, a3m_option option, int64_t value)
{
    assert_int_equal(a3m_socket_set(socket, option, value), A3M_OK);
}

static void send_now(a3m_link link, size_t size)
{
    assert_int_equal(a3m_link_send(link, a3m_msg_new(size), A3M_NOW), A3M_OK);
}

/* Two links of so many messages each, and of BYTES. */
static struct world make(bool fair, int64_t messages_a, int64_t messages_b)
{
    struct world w = {.from = test_node_idle("from", "inproc://passes-from"),
                      .to = test_node_idle("to", "inproc://passes-to"),
                      .now = a3m_now().ns};
    w.push = test_socket(w.from, &a3m_push, "push");
    set(w.push, A3M_OPT_FAIR, fair);
    w.pulls[0] = test_socket(w.to, &a3m_pull, "a");
    w.pulls[1] = test_socket(w.to, &a3m_pull, "b");
    set(w.pulls[0], A3M_OPT_CREDIT_MESSAGES, messages_a);
    set(w.pulls[1], A3M_OPT_CREDIT_MESSAGES, messages_b);
    for (int i = 0; i < 2; i++) {
        set(w.pulls[i], A3M_OPT_CREDIT_BYTES, BYTES);
    }
    assert_int_equal(a3m_socket_link(w.push, "inproc://passes-to/a", &w.links[0]), A3M_OK);
    assert_int_equal(a3m_socket_link(w.push, "inproc://passes-to/b", &w.links[1]), A3M_OK);
    settle(&w);
    return w;
}

static void end(struct world *w)
{
    (void)a3m_node_close(w->from, A3M_NOW, NULL);
    (void)a3m_node_close(w->to, A3M_NOW, NULL);
}

static int wait_to_send(void *arg)
{
    struct waiter *self = arg;
    a3m_msg *msg = a3m_msg_new(self->size);
    int result = self->link >= 0 ? a3m_link_send(self->world->links[self->link], msg, SOON)
                                 : a3m_send_until(self->world->push, msg, SOON);
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

static void stand(const struct world *w, struct waiter *waiter, int link, size_t size)
{
    *waiter = (struct waiter){.world = w, .link = link, .size = size};
    caller_start(&waiter->caller, wait_to_send, waiter);
    caller_await_sleep(&waiter->caller);
}

static bool can_send(a3m_link link)
{
    a3m_poll_item item = {.what = a3m_pollable_link(link), .events = A3M_POLL_OUT};
    return a3m_poll(&item, 1, A3M_NOW) == 1;
}

/* ---- Who stood behind ------------------------------------------------------------------------- */

/* The large one needs more than the link b has left, and stands before the small one, which does not. */
static void behind_a_large_one(bool fair, int small_link)
{
    struct world w = make(fair, 1, 10);
    struct waiter large, small;
    send_now(w.links[0], 5);
    send_now(w.links[1], 400);
    if (fair) {
        stand(&w, &large, -1, 900);
        stand(&w, &small, small_link, 10);
    } else { /* the last one is first */
        stand(&w, &small, small_link, 700);
        stand(&w, &large, -1, 900);
        set(w.pulls[1], A3M_OPT_CREDIT_BYTES, BYTES + 130);
        settle(&w);
    }
    await_all_asleep();
    assert_false(caller_returned(&small.caller) && caller_returned(&large.caller));
    set(w.pulls[0], A3M_OPT_CREDIT_MESSAGES, 2);
    settle(&w);
    assert_int_equal(caller_join(&large.caller), A3M_OK);
    assert_int_equal(caller_join(&small.caller), A3M_OK);
    end(&w);
}

static void test_passes_who_stood_behind_has_the_credit_that_is_left_elsewhere(void **arg)
{
    (void)arg;
    behind_a_large_one(true, -1);
    behind_a_large_one(false, -1);
    behind_a_large_one(true, 1);
}

static void test_passes_pollers_see_credit_that_nobody_stands_before_any_more(void **arg)
{
    (void)arg;
    struct world w = make(true, 1, 10);
    struct waiter large;
    a3m_poller poller;
    a3m_poll_event event;
    send_now(w.links[0], 5);
    send_now(w.links[1], 400);
    stand(&w, &large, -1, 900);
    assert_false(can_send(w.links[1]));
    assert_int_equal(a3m_poller_new(&poller, 0), A3M_OK);
    assert_int_equal(a3m_poller_add(poller, a3m_pollable_link(w.links[1]), A3M_POLL_OUT, NULL), A3M_OK);
    assert_int_equal(a3m_poller_wait(poller, &event, 1, A3M_NOW), 0);
    set(w.pulls[0], A3M_OPT_CREDIT_MESSAGES, 2);
    settle(&w);
    assert_int_equal(caller_join(&large.caller), A3M_OK);
    assert_true(can_send(w.links[1]));
    assert_int_equal(a3m_poller_wait(poller, &event, 1, A3M_NOW), 1);
    assert_int_equal(a3m_poller_close(poller), A3M_OK);
    end(&w);
}

/* ---- Whose credit went before it ran ------------------------------------------------------------- */

/* Credit for a message comes by the link a; whom that serves runs when the test says so. */
static struct a3mi_wakes grant_by_a(const struct world *w)
{
    struct a3mi_turn turn = {.flags = A3MI_TURN_RECEIVE, .now = w->now};
    a3mi_wakes_init(&turn.wakes);
    set(w->pulls[0], A3M_OPT_CREDIT_MESSAGES, 2);
    (void)node_turn_all(node_inside(w->to), w->now);
    a3mi_engine_ops.turn(node_inside(w->from), &turn);
    assert_non_null(turn.wakes.first);
    return turn.wakes;
}

/* It was given credit of the link a, which ends before its thread runs: it waits on, before who came after it. */
static void test_passes_fair_call_whose_link_ended_before_it_ran_keeps_its_place(void **arg)
{
    (void)arg;
    struct world w = make(true, 1, 1);
    struct waiter first, second;
    send_now(w.links[0], 5);
    send_now(w.links[1], 5);
    stand(&w, &first, -1, 10);
    stand(&w, &second, -1, 10);
    struct a3mi_wakes wakes = grant_by_a(&w);
    assert_int_equal(a3m_link_end(w.links[0]), A3M_OK);
    (void)a3mi_wakes_run(&wakes);
    await_all_asleep();
    assert_false(caller_returned(&first.caller));
    set(w.pulls[1], A3M_OPT_CREDIT_MESSAGES, 2);
    settle(&w);
    assert_int_equal(caller_join(&first.caller), A3M_OK);
    await_all_asleep();
    assert_false(caller_returned(&second.caller));
    set(w.pulls[1], A3M_OPT_CREDIT_MESSAGES, 3);
    settle(&w);
    assert_int_equal(caller_join(&second.caller), A3M_OK);
    end(&w);
}

/* The same; when it runs there is credit for it, which was not enough for the one behind it. */
static void test_passes_fair_call_that_comes_back_before_a_larger_one_is_served(void **arg)
{
    (void)arg;
    struct world w = make(true, 1, 10);
    struct waiter first, second;
    send_now(w.links[0], 5);
    send_now(w.links[1], 700);
    stand(&w, &first, -1, 400);
    stand(&w, &second, -1, 700);
    struct a3mi_wakes wakes = grant_by_a(&w);
    set(w.pulls[1], A3M_OPT_CREDIT_BYTES,
        BYTES + 200); /* 500 are left: enough for the first, not for the second */
    (void)node_turn_all(node_inside(w.to), w.now);
    (void)node_turn_all(node_inside(w.from), w.now);
    assert_int_equal(a3m_link_end(w.links[0]), A3M_OK);
    (void)a3mi_wakes_run(&wakes);
    assert_int_equal(caller_join(&first.caller), A3M_OK);
    await_all_asleep();
    assert_false(caller_returned(&second.caller));
    set(w.pulls[1], A3M_OPT_CREDIT_BYTES, 5 * BYTES);
    settle(&w);
    assert_int_equal(caller_join(&second.caller), A3M_OK);
    end(&w);
}

/* ---- By turns ---------------------------------------------------------------------------------- */

/* Each message that is taken makes room for one more, and leaves some bytes over. */
static void test_passes_unfair_kinds_take_turns_also_for_bytes(void **arg)
{
    (void)arg;
    struct world w = make(false, 100, 1);
    struct waiter waiters[6]; /* three for the link a, three for any */
    a3m_msg *msg;
    send_now(w.links[1], 5);
    send_now(w.links[0], 700);
    settle(&w);
    for (int i = 0; i < 6; i++) {
        stand(&w, &waiters[i], i < 3 ? 0 : -1, 700);
    }
    for (int served = 2; served <= 6; served += 2) {
        for (int i = 0; i < 2; i++) {
            assert_int_equal(a3m_recv_until(w.pulls[0], &msg, A3M_NOW), A3M_OK);
            a3m_msg_free(msg);
            settle(&w);
            await_all_asleep();
            settle(&w);
        }
        int of_link = 0, of_any = 0;
        for (int i = 0; i < 6; i++) {
            *(i < 3 ? &of_link : &of_any) += caller_returned(&waiters[i].caller);
        }
        assert_int_equal(of_link, served / 2);
        assert_int_equal(of_any, served / 2);
    }
    for (int i = 0; i < 6; i++) {
        assert_int_equal(caller_join(&waiters[i].caller), A3M_OK);
    }
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes_who_stood_behind_has_the_credit_that_is_left_elsewhere),
        cmocka_unit_test(test_passes_pollers_see_credit_that_nobody_stands_before_any_more),
        cmocka_unit_test(test_passes_fair_call_whose_link_ended_before_it_ran_keeps_its_place),
        cmocka_unit_test(test_passes_fair_call_that_comes_back_before_a_larger_one_is_served),
        cmocka_unit_test(test_passes_unfair_kinds_take_turns_also_for_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
