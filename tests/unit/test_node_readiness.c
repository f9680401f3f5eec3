/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What pollers are told of sending is what a try to send a small message gets: also while somebody stands in line
 * who needs more bytes than there are, in both disciplines, by socket and by link. And a scheduled message that
 * needs more waits for them without being tried over and over.
 * covers F7 N4 P2 P6 P10 P12
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asleep.h"
#include "caller.h"
#include "node_fixture.h"
#include "node_turns.h"

enum { BYTES = 1000, MUCH = 900 }; /* 750 have to be left for a message of so many */

struct world {
    a3m_node from, to;
    a3m_socket push, pulls[2];
    a3m_link links[2];
    int64_t now;
};

static void settle(struct world *w)
{
    for (int i = 0; i < 12; i++) {
        (void)node_turn_all(node_inside(w->from), w->now);
        (void)node_turn_all(node_inside(w->to), w->now);
    }
}

/* Links that have 400 bytes left. */
static struct world make(bool fair, int links)
{
    static const char *const urls[] = {"inproc://ready-to/a", "inproc://ready-to/b"};
    struct world w = {.from = test_node_idle("from", "inproc://ready-from"),
                      .to = test_node_idle("to", "inproc://ready-to"),
                      .now = a3m_now().ns};
    w.push = test_socket(w.from, &a3m_push, NULL);
    assert_int_equal(a3m_socket_set(w.push, A3M_OPT_FAIR, fair), A3M_OK);
    for (int i = 0; i < links; i++) {
        w.pulls[i] = test_socket(w.to, &a3m_pull, urls[i] + sizeof("inproc://ready-to/") - 1);
        assert_int_equal(a3m_socket_set(w.pulls[i], A3M_OPT_CREDIT_BYTES, BYTES), A3M_OK);
        assert_int_equal(a3m_socket_link(w.push, urls[i], &w.links[i]), A3M_OK);
        settle(&w);
        assert_int_equal(a3m_link_send(w.links[i], a3m_msg_new(600), A3M_NOW), A3M_OK);
    }
    settle(&w);
    return w;
}

static void end(struct world *w)
{
    (void)a3m_node_close(w->from, A3M_NOW, NULL);
    (void)a3m_node_close(w->to, A3M_NOW, NULL);
}

static bool shows_out(a3m_pollable what)
{
    a3m_poll_item item = {.what = what, .events = A3M_POLL_OUT};
    assert_true(a3m_poll(&item, 1, A3M_NOW) >= 0);
    return item.revents == A3M_POLL_OUT;
}

static bool can_send(a3m_link link)
{
    a3m_msg *msg = a3m_msg_new(1);
    int result = a3m_link_send(link, msg, A3M_NOW);
    if (result != A3M_OK) {
        assert_int_equal(result, A3M_ENOCREDIT);
        a3m_msg_free(msg);
    }
    return result == A3M_OK;
}

static bool can_send_any(a3m_socket socket)
{
    a3m_msg *msg = a3m_msg_new(1);
    int result = a3m_try_send(socket, msg);
    if (result != A3M_OK) {
        assert_int_equal(result, A3M_ENOCREDIT);
        a3m_msg_free(msg);
    }
    return result == A3M_OK;
}

/* Shown and tried alike. */
static void expect(const struct world *w, int links, const bool *open)
{
    bool any = false;
    for (int i = 0; i < links; i++) {
        assert_int_equal(shows_out(a3m_pollable_link(w->links[i])), open[i]);
        assert_int_equal(can_send(w->links[i]), open[i]);
        any |= open[i];
    }
    assert_int_equal(shows_out(a3m_pollable_socket(w->push)), any);
    assert_int_equal(can_send_any(w->push), any);
}

struct large {
    const struct world *world;
    bool specific;
    a3m_time deadline;
    struct caller caller;
};

static int send_large(void *arg)
{
    struct large *self = arg;
    a3m_msg *msg = a3m_msg_new(MUCH);
    int result = self->specific ? a3m_link_send(self->world->links[0], msg, self->deadline)
                                : a3m_send_until(self->world->push, msg, self->deadline);
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

static void take(struct world *w, int i)
{
    a3m_msg *msg;
    while (a3m_try_recv(w->pulls[i], &msg) == A3M_OK) {
        a3m_msg_free(msg);
    }
    settle(w);
}

static void large_one_first(bool fair, bool specific)
{
    struct world w = make(fair, 2);
    struct large large = {.world = &w, .specific = specific, .deadline = SOON};
    const bool before[] = {true, true};
    const bool meanwhile[] = {!fair, !fair || specific};
    expect(&w, 2, before);
    caller_start(&large.caller, send_large, &large);
    caller_await_sleep(&large.caller);
    expect(&w, 2, meanwhile);
    take(&w, 0);
    assert_int_equal(caller_join(&large.caller), A3M_OK);
    take(&w, 0);
    expect(&w, 2, before);
    end(&w);
}

static void test_ready_to_send_is_what_a_try_gets_while_a_large_one_stands_in_line(void **arg)
{
    (void)arg;
    for (unsigned i = 0; i < 4; i++) {
        large_one_first(i % 2 != 0, i / 2 != 0);
    }
}

static bool readable(int fd)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    assert_true(poll(&item, 1, 0) >= 0);
    return (item.revents & POLLIN) != 0;
}

static int wait_for_event(void *arg)
{
    a3m_poll_event event;
    int n = a3m_poller_wait(*(a3m_poller *)arg, &event, 1, SOON);
    return n == 1 ? (int)event.events : n;
}

/* The descriptor of a poller falls when the line forms; who leaves it unserved has pollers told again. */
static void test_ready_to_send_is_told_again_when_the_large_one_gives_up(void **arg)
{
    (void)arg;
    for (unsigned specific = 0; specific < 2; specific++) {
        struct world w = make(true, 1);
        struct large large = {.world = &w, .specific = specific != 0, .deadline = a3m_in(a3m_ms(300))};
        struct caller waiter;
        a3m_poller poller, watched;
        int fd;
        assert_int_equal(a3m_poller_new(&poller, 0), A3M_OK);
        assert_int_equal(a3m_poller_new(&watched, 0), A3M_OK);
        assert_int_equal(a3m_poller_fd(watched, &fd), A3M_OK);
        assert_int_equal(a3m_poller_add(poller, a3m_pollable_socket(w.push), A3M_POLL_OUT, NULL), A3M_OK);
        assert_int_equal(a3m_poller_add(watched, a3m_pollable_link(w.links[0]), A3M_POLL_OUT, NULL), A3M_OK);
        assert_true(readable(fd));
        caller_start(&large.caller, send_large, &large);
        caller_await_sleep(&large.caller);
        assert_false(readable(fd));
        caller_start(&waiter, wait_for_event, &poller);
        caller_await_sleep(&waiter);
        assert_false(caller_returned(&waiter));
        assert_int_equal(caller_join(&large.caller), A3M_ETIMEDOUT);
        assert_int_equal(caller_join(&waiter), A3M_POLL_OUT);
        assert_true(readable(fd));
        assert_int_equal(a3m_poller_close(poller), A3M_OK);
        assert_int_equal(a3m_poller_close(watched), A3M_OK);
        end(&w);
    }
}

/* Where the order changes, so does who may send. */
static void test_ready_to_send_follows_the_discipline(void **arg)
{
    (void)arg;
    struct world w = make(true, 1);
    struct large large = {.world = &w, .specific = true, .deadline = SOON};
    caller_start(&large.caller, send_large, &large);
    caller_await_sleep(&large.caller);
    assert_false(shows_out(a3m_pollable_socket(w.push)));
    assert_int_equal(a3m_socket_set(w.push, A3M_OPT_FAIR, 0), A3M_OK);
    assert_true(shows_out(a3m_pollable_socket(w.push)));
    assert_true(can_send_any(w.push));
    assert_int_equal(a3m_socket_set(w.push, A3M_OPT_FAIR, 1), A3M_OK);
    assert_false(shows_out(a3m_pollable_link(w.links[0])));
    take(&w, 0);
    assert_int_equal(caller_join(&large.caller), A3M_OK);
    end(&w);
}

/* It is tried when its time has come, and when there is more credit: not in between. */
static void test_scheduled_message_that_needs_more_bytes_is_not_tried_in_vain(void **arg)
{
    (void)arg;
    a3m_node from = test_node("from"), to = test_node("to");
    a3m_socket push = test_socket(from, &a3m_push, NULL), pull = test_socket(to, &a3m_pull, "sink");
    a3m_scheduled scheduled[2];
    a3m_msg *msg;
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_CREDIT_BYTES, BYTES), A3M_OK);
    a3m_link link = test_link(push, test_url(to, "sink"));
    assert_int_equal(a3m_link_send(link, a3m_msg_new(600), SOON), A3M_OK);
    assert_int_equal(a3m_send_at(push, a3m_msg_new(MUCH), a3m_now(), &scheduled[0]), A3M_OK);
    assert_int_equal(a3m_link_send_at(link, a3m_msg_new(MUCH), a3m_now(), &scheduled[1]), A3M_OK);
    await_all_asleep(); /* never, were it tried over and over */
    assert_true(shows_out(a3m_pollable_socket(push)));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(a3m_recv_until(pull, &msg, SOON), A3M_OK);
        assert_int_equal(a3m_msg_size(msg), i == 0 ? 600 : MUCH);
        a3m_msg_free(msg);
    }
    test_close(from);
    test_close(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready_to_send_is_what_a_try_gets_while_a_large_one_stands_in_line),
        cmocka_unit_test(test_ready_to_send_is_told_again_when_the_large_one_gives_up),
        cmocka_unit_test(test_ready_to_send_follows_the_discipline),
        cmocka_unit_test(test_scheduled_message_that_needs_more_bytes_is_not_tried_in_vain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
