/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls in line for room in the outbox. With room for k messages and w calls, min(k, w) return, in the order in
 * which they came, and no other thread wakes: in both disciplines, for calls for one link, for any, of two sockets.
 * Who gives up, is closed, or loses its link, leaves what it had to those behind. The nodes are never started: this
 * test runs their turns, and so decides when there is room.
 * covers F5 F6 F7 F9 F10 P10
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "asleep.h"
#include "caller.h"
#include "node_fixture.h"
#include "node_turns.h"

enum { MOST = 8, LIMIT = 10000, COST = 4 + A3MI_MESSAGE_COST };

enum kind { SPECIFIC, GENERAL, MIXED, SOCKETS };

static const char *const kind_names[] = {"for one link", "for any", "for both", "of two sockets"};

struct world {
    a3m_node from, to;
    struct a3mi_node *inside;
    a3m_socket push, other, pulls[2];
    a3m_link links[2], other_link;
    int64_t now;
};

struct waiter {
    const struct world *world;
    bool specific, other;
    size_t size;
    a3m_time deadline;
    struct caller caller;
};

static int wait_to_send(void *arg)
{
    struct waiter *self = arg;
    const struct world *w = self->world;
    a3m_msg *msg = a3m_msg_new(self->size);
    int result = self->specific
                     ? a3m_link_send(self->other ? w->other_link : w->links[0], msg, self->deadline)
                     : a3m_send_until(self->other ? w->other : w->push, msg, self->deadline);
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

static void settle(struct world *w)
{
    for (int i = 0; i < 12; i++) {
        (void)node_turn_all(w->inside, w->now);
        (void)node_turn_all(node_inside(w->to), w->now);
    }
}

static void set(a3m_socket socket, a3m_option option, int64_t value)
{
    assert_int_equal(a3m_socket_set(socket, option, value), A3M_OK);
}

static struct world make(bool fair)
{
    struct world w = {.to = test_node_idle("to", "inproc://room-to"), .now = a3m_now().ns};
    a3m_node_config config = {.size = sizeof(config), .outbox_bytes = LIMIT};
    assert_int_equal(a3m_node_new(&w.from, "from", "inproc://room-from", &config), A3M_OK);
    w.inside = node_inside(w.from);
    w.push = test_socket(w.from, &a3m_push, "push");
    w.other = test_socket(w.from, &a3m_push, "other");
    w.pulls[0] = test_socket(w.to, &a3m_pull, "a");
    w.pulls[1] = test_socket(w.to, &a3m_pull, "b");
    set(w.push, A3M_OPT_FAIR, fair);
    set(w.other, A3M_OPT_FAIR, fair);
    assert_int_equal(a3m_socket_link(w.push, "inproc://room-to/a", &w.links[0]), A3M_OK);
    assert_int_equal(a3m_socket_link(w.push, "inproc://room-to/b", &w.links[1]), A3M_OK);
    assert_int_equal(a3m_socket_link(w.other, "inproc://room-to/a", &w.other_link), A3M_OK);
    settle(&w);
    return w;
}

/* Nobody stands in line any more, and nobody holds anything back. */
static void end(struct world *w)
{
    assert_int_equal(atomic_load(&w->inside->window_line_count), 0);
    assert_true(a3mi_list_empty(&w->inside->window_line));
    (void)a3m_node_close(w->from, A3M_NOW, NULL);
    (void)a3m_node_close(w->to, A3M_NOW, NULL);
}

/* The outbox has as many bytes left; less than none: it is full. Nobody was told yet. */
static void leave(struct world *w, int64_t room)
{
    uint64_t target = (uint64_t)(LIMIT - room);
    uint64_t used = atomic_load(&w->inside->outbox_bytes) + atomic_load(&w->inside->unit_bytes);
    if (target > used) {
        a3mi_window_force(w->inside, target - used);
    } else {
        a3mi_window_return(w->inside, 0, used - target);
    }
}

/* What a turn does at its end. Returns how many threads it woke. */
static unsigned tell(struct world *w)
{
    struct a3mi_turn turn = {0};
    a3mi_wakes_init(&turn.wakes);
    a3mi_window_tell(w->inside, &turn);
    return a3mi_wakes_run(&turn.wakes);
}

static unsigned make_room(struct world *w, int64_t room)
{
    leave(w, room);
    return tell(w);
}

static void fill(struct world *w)
{
    leave(w, 0);
    (void)tell(w);
}

static void stand(struct world *w, struct waiter *waiter, size_t size, a3m_time deadline)
{
    uint32_t before = atomic_load(&w->inside->window_line_count);
    waiter->world = w;
    waiter->size = size;
    waiter->deadline = deadline;
    caller_start(&waiter->caller, wait_to_send, waiter);
    /* Not before: it might sleep on the socket's lock, and another one get in line first. */
    while (a3mi_window_full(w->inside) && atomic_load(&w->inside->window_line_count) == before) {
        (void)sched_yield();
    }
    caller_await_sleep(&waiter->caller);
}

static int returned(struct waiter *waiters, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++) {
        count += caller_returned(&waiters[i].caller);
    }
    return count;
}

/* So many returned, once all is quiet. */
static void expect_returned(struct waiter *waiters, int n, int count)
{
    a3m_time deadline = SOON;
    while (returned(waiters, n) < count && a3m_now().ns < deadline.ns) {
        (void)sched_yield();
    }
    await_all_asleep();
    assert_int_equal(returned(waiters, n), count);
}

/* And they are the first ones. */
static void expect_first(struct waiter *waiters, int n, int count)
{
    expect_returned(waiters, n, count);
    for (int i = 0; i < n; i++) {
        assert_int_equal(caller_returned(&waiters[i].caller), i < count);
    }
}

static void join_all(struct waiter *waiters, int n)
{
    for (int i = 0; i < n; i++) {
        assert_int_equal(caller_join(&waiters[i].caller), A3M_OK);
    }
}

static uint64_t reserved(a3m_link link)
{
    a3m_link_info info = {.size = sizeof(info)};
    assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
    return info.reserved_messages;
}

static uint64_t reserved_in_all(const struct world *w)
{
    return reserved(w->links[0]) + reserved(w->links[1]) + reserved(w->other_link);
}

static struct waiter of_kind(enum kind kind, int i)
{
    return (struct waiter){.specific = kind == SPECIFIC || (kind != GENERAL && i % 2 == 0),
                           .other = kind == SOCKETS && i % 3 == 1};
}

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

/* ---- Calls that end otherwise ------------------------------------------------------------------ */

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
        cmocka_unit_test(test_room_deadline_gives_the_credit_back_and_the_next_is_served),
        cmocka_unit_test(test_room_while_calls_time_out_none_is_lost),
        cmocka_unit_test(test_room_a_socket_that_closes_leaves_it_to_the_others),
        cmocka_unit_test(test_room_given_to_a_call_that_cannot_use_it_goes_to_the_next),
        cmocka_unit_test(test_room_closing_the_node_ends_all),
        cmocka_unit_test(test_room_a_link_that_ends),
        cmocka_unit_test(test_room_the_last_link_that_ends),
        cmocka_unit_test(test_room_a_signal_ends_the_wait_where_the_socket_asks_for_it),
        cmocka_unit_test(test_room_who_comes_later_passes_in_the_unfair_order_only),
        cmocka_unit_test(test_room_pollers_are_told_of_what_the_line_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
