/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls in line for room in the outbox. With room for k messages and w calls, min(k, w) return, in the order in
 * which they came, and no other thread wakes: in both disciplines, for calls for one link, for any, of two sockets.
 * covers F5 F6 F7 P10
 */
#include "room_line.h"

#include <stdio.h>

/* ---- Room for k messages, w calls ------------------------------------------------------------ */

static void serve_some(bool fair, enum kind kind, int w, int k)
{
    struct world world = make(fair);
    struct waiter waiters[MOST];
    int served = k < w ? k : w;
    fill(&world);
    for (int i = 0; i < w; i++) {
        waiters[i] = of_kind(kind, i);
        stand(&world, &waiters[i], 4, A3M_FOREVER);
    }
    await_all_asleep();
    uint64_t sleeps = test_stats(world.from).waiter_sleeps;
    unsigned woken = make_room(&world, (int64_t)(k - 1) * COST + 1);
    expect_first(waiters, w, served);
    assert_int_equal(woken, served);
    assert_int_equal(test_stats(world.from).waiter_sleeps, sleeps); /* nobody that woke went back to sleep */
    assert_int_equal(reserved_in_all(&world), w - served);
    (void)printf("%s, %s, room for %d, %d calls: %d returned, %u woken\n", fair ? "fair" : "unfair",
                 kind_names[kind], k, w, served, woken);
    (void)make_room(&world, LIMIT);
    join_all(waiters, w);
    assert_int_equal(reserved_in_all(&world), 0);
    end(&world);
}

static void test_room_as_many_return_as_there_is_room_for_and_nobody_else_wakes(void **arg)
{
    static const int cases[][2] = {{1, 3}, {3, 3}, {5, 8}, {8, 5}};
    (void)arg;
    for (unsigned fair = 0; fair < 2; fair++) {
        for (enum kind kind = SPECIFIC; kind <= SOCKETS; kind++) {
            for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                serve_some(fair != 0, kind, cases[i][1], cases[i][0]);
            }
        }
    }
}

/* Room is for a message of whatever size while less than the bound is taken: the last one in goes beyond it. */
static void test_room_messages_of_different_size_in_the_order_of_coming(void **arg)
{
    static const size_t sizes[] = {5 * LIMIT, 1000, 4, 3000, 4};
    (void)arg;
    for (unsigned fair = 0; fair < 2; fair++) {
        struct world w = make(fair != 0);
        struct waiter waiters[5] = {{0}};
        fill(&w);
        for (int i = 0; i < 5; i++) {
            waiters[i].specific = i % 2 == 0;
            stand(&w, &waiters[i], sizes[i], A3M_FOREVER);
        }
        await_all_asleep();
        assert_int_equal(make_room(&w, 1),
                         1); /* the large one is not passed, nor does it wait for all of its size */
        expect_first(waiters, 5, 1);
        assert_int_equal(make_room(&w, 0), 0);
        assert_int_equal(make_room(&w, 1000 + 192 + 1), 2);
        expect_first(waiters, 5, 3);
        assert_int_equal(make_room(&w, 3000 + 192), 1);
        expect_first(waiters, 5, 4);
        assert_int_equal(make_room(&w, LIMIT), 1);
        join_all(waiters, 5);
        end(&w);
    }
}

/* Credit that comes while the outbox is full wakes nobody; room then does. */
static void test_room_who_waits_for_credit_first_wakes_once(void **arg)
{
    (void)arg;
    for (unsigned fair = 0; fair < 2; fair++) {
        struct world w = make(fair != 0);
        struct waiter waiters[4] = {{0}};
        struct a3m_link_info info = {.size = sizeof(info)};
        assert_int_equal(a3m_link_get_info(w.links[0], &info), A3M_OK);
        for (int i = 0; i < info.credit_messages; i++) { /* all that there is */
            assert_int_equal(a3m_link_send(w.links[0], a3m_msg_new(0), A3M_NOW), A3M_OK);
            settle(&w);
        }
        for (int i = 0; i < 4; i++) {
            waiters[i].specific = true;
            stand(&w, &waiters[i], 4, A3M_FOREVER);
        }
        fill(&w);
        await_all_asleep();
        uint64_t sleeps = test_stats(w.from).waiter_sleeps;
        set(w.pulls[0], A3M_OPT_CREDIT_MESSAGES, info.credit_messages + 3);
        settle(&w);
        fill(&w);
        await_all_asleep();
        assert_int_equal(returned(waiters, 4), 0);
        assert_int_equal(reserved(w.links[0]), 3);
        assert_int_equal(make_room(&w, COST + 1), 2);
        await_all_asleep();
        assert_int_equal(returned(waiters, 4), 2);
        assert_int_equal(test_stats(w.from).waiter_sleeps, sleeps);
        (void)make_room(&w, LIMIT);
        set(w.pulls[0], A3M_OPT_CREDIT_MESSAGES, info.credit_messages + 10);
        settle(&w);
        join_all(waiters, 4);
        end(&w);
    }
}

/* ---- Who comes while others stand in line -------------------------------------------------------- */

static uint32_t events_of(a3m_pollable what)
{
    a3m_poll_item item = {.what = what, .events = A3M_POLL_OUT};
    assert_true(a3m_poll(&item, 1, A3M_NOW) >= 0);
    return item.revents;
}

/* What a try does and what pollers are told go together. True: sent. */
static bool try_now(const struct world *w, size_t size)
{
    uint32_t events = events_of(a3m_pollable_socket(w->push));
    assert_int_equal(events_of(a3m_pollable_link(w->links[0])), events);
    a3m_msg *msg = a3m_msg_new(size);
    int result = a3m_try_send(w->push, msg);
    if (result != A3M_OK) {
        assert_int_equal(result, A3M_ENOWINDOW);
        a3m_msg_free(msg);
    }
    assert_int_equal(result == A3M_OK, events == A3M_POLL_OUT);
    return result == A3M_OK;
}

static void test_room_who_comes_later_passes_in_the_unfair_order_only(void **arg)
{
    (void)arg;
    for (unsigned fair = 0; fair < 2; fair++) {
        struct world w = make(fair != 0);
        struct waiter waiter = {.other = true};
        assert_true(try_now(&w, 4));
        fill(&w);
        assert_false(try_now(&w, 4));
        stand(&w, &waiter, 4, A3M_FOREVER);
        leave(&w, 1); /* there is room, and nobody was told yet */
        assert_int_equal(try_now(&w, 4), !fair);
        assert_int_equal(tell(&w), fair);
        if (!fair) {
            assert_int_equal(make_room(&w, 1), 1);
        }
        assert_int_equal(caller_join(&waiter.caller), A3M_OK);
        assert_false(try_now(&w, 4));
        (void)make_room(&w, 1);
        assert_true(try_now(&w, LIMIT));
        end(&w);
    }
}

/* A poller is told of what the line leaves, and of nothing else. */
static void test_room_pollers_are_told_of_what_the_line_leaves(void **arg)
{
    (void)arg;
    for (unsigned fair = 0; fair < 2; fair++) {
        struct world w = make(fair != 0);
        struct waiter waiter = {0};
        a3m_poller poller;
        a3m_poll_event ready;
        fill(&w);
        assert_int_equal(a3m_poller_new(&poller, 0), A3M_OK);
        assert_int_equal(a3m_poller_add(poller, a3m_pollable_socket(w.push), A3M_POLL_OUT, NULL), A3M_OK);
        stand(&w, &waiter, 4, A3M_FOREVER);
        assert_int_equal(a3m_poller_wait(poller, &ready, 1, A3M_NOW), 0);
        (void)make_room(&w, 1);
        assert_int_equal(caller_join(&waiter.caller), A3M_OK);
        assert_int_equal(a3m_poller_wait(poller, &ready, 1, A3M_NOW), 0);
        (void)make_room(&w, 1);
        assert_int_equal(a3m_poller_wait(poller, &ready, 1, A3M_NOW), 1);
        assert_int_equal(ready.events, A3M_POLL_OUT);
        assert_int_equal(a3m_poller_close(poller), A3M_OK);
        end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_room_as_many_return_as_there_is_room_for_and_nobody_else_wakes),
        cmocka_unit_test(test_room_messages_of_different_size_in_the_order_of_coming),
        cmocka_unit_test(test_room_who_waits_for_credit_first_wakes_once),
        cmocka_unit_test(test_room_who_comes_later_passes_in_the_unfair_order_only),
        cmocka_unit_test(test_room_pollers_are_told_of_what_the_line_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
