/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forced end of a link: at once, with a report, and orderly for the peer. Two
 * nodes that are never started: this test runs their engine turns, and so decides
 * what was transmitted and what was not.
 * covers L12
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node_fixture.h"
#include "node_turns.h"

#define NOW (INT64_C(1000) * 1000000)

struct world {
    a3m_node from, to;
    a3m_socket push, pull;
    a3m_link link;
};

static void turn(a3m_node node)
{
    (void)node_turn_all(node_inside(node), NOW);
}

static void settle(const struct world *w)
{
    for (int i = 0; i < 12; i++) {
        turn(w->from);
        turn(w->to);
    }
}

static struct world make(void)
{
    struct world w = {.from = test_node_idle("from", "inproc://abort-from"),
                      .to = test_node_idle("to", "inproc://abort-to")};
    w.pull = test_socket(w.to, &a3m_pull, "sink");
    w.push = test_socket(w.from, &a3m_push, NULL);
    assert_int_equal(a3m_socket_link(w.push, "inproc://abort-to/sink", &w.link), A3M_OK);
    return w;
}

static void end(struct world *w)
{
    assert_int_equal(a3m_socket_links(w->pull, NULL, 0), 0);
    assert_int_equal(a3m_socket_links(w->push, NULL, 0), 0);
    assert_int_equal(a3mi_map64_count(&node_inside(w->from)->links), 0);
    assert_int_equal(a3mi_map64_count(&node_inside(w->to)->links), 0);
    assert_int_equal(test_stats(w->to).outbox_bytes_now, 0);
    assert_int_equal(test_stats(w->from).outbox_bytes_now, 0);
    (void)a3m_node_close(w->from, A3M_NOW, NULL);
    (void)a3m_node_close(w->to, A3M_NOW, NULL);
}

static void send_some(const struct world *w, int n, size_t size)
{
    char *bytes = calloc(1, size);
    assert_non_null(bytes);
    for (int i = 0; i < n; i++) {
        assert_int_equal(a3m_send_bytes(w->push, bytes, size, A3M_NOW), A3M_OK);
    }
    free(bytes);
}

static a3m_abort_report cut(a3m_link link)
{
    a3m_abort_report report = {.size = sizeof(report)};
    assert_int_equal(a3m_link_abort(link, &report), A3M_OK);
    return report;
}

/* How many messages the receiver has. */
static int received(const struct world *w)
{
    a3m_msg *msg;
    int n = 0;
    while (a3m_try_recv(w->pull, &msg) == A3M_OK) {
        a3m_msg_free(msg);
        n++;
    }
    return n;
}

static void test_abort_before_it_was_asked_for_nothing_is_left(void **arg)
{
    (void)arg;
    struct world w = make();
    a3m_abort_report wrong = {.size = 1};
    assert_int_equal(a3m_link_abort(w.link, &wrong), A3M_EINVAL);
    a3m_abort_report report = cut(w.link);
    assert_int_equal(report.undelivered + report.unknown, 0);
    settle(&w);
    assert_int_equal(a3m_link_abort(w.link, NULL), A3M_EHANDLE);
    end(&w);
}

static void test_abort_up_with_everything_delivered_loses_nothing(void **arg)
{
    (void)arg;
    struct world w = make();
    settle(&w);
    send_some(&w, 5, 100);
    settle(&w);
    a3m_abort_report report = cut(w.link);
    assert_int_equal(report.undelivered + report.unknown, 0);
    settle(&w);
    assert_int_equal(received(&w), 5);
    end(&w);
}

static void test_abort_up_what_was_given_up_is_reported_and_the_peer_ends(void **arg)
{
    (void)arg;
    struct world w = make();
    settle(&w);
    send_some(&w, 100, 5000); /* more than the first window takes */
    turn(w.from);
    a3m_abort_report report = cut(w.link);
    assert_true(report.undelivered > 0);
    assert_true(report.unknown > 0);
    assert_int_equal(report.undelivered + report.unknown, 100);
    assert_int_equal(a3m_send_bytes(w.push, "x", 1, A3M_NOW), A3M_ENOLINK);
    settle(&w);
    int there = received(&w);
    assert_true((uint64_t)there <= report.unknown);
    assert_true(there > 0);
    assert_int_equal(a3m_socket_drain(w.push, A3M_NOW), A3M_ECANCELED); /* says so as well */
    end(&w);
}

static void test_abort_while_ending_the_promise_is_taken_back(void **arg)
{
    (void)arg;
    struct world w = make();
    settle(&w);
    send_some(&w, 100, 5000);
    assert_int_equal(a3m_link_end(w.link), A3M_OK);
    turn(w.from); /* END says 100 */
    turn(w.to);
    a3m_abort_report report = cut(w.link);
    assert_true(report.undelivered > 0);
    settle(&w);
    assert_true(received(&w) > 0);
    assert_int_equal(test_stats(w.to).bad_control, 0);
    end(&w);
}

static void test_abort_of_the_receiving_end_the_sender_learns_of_it(void **arg)
{
    (void)arg;
    struct world w = make();
    a3m_link incoming;
    settle(&w);
    send_some(&w, 100, 5000);
    turn(w.from);
    assert_int_equal(a3m_socket_links(w.pull, &incoming, 1), 1);
    a3m_abort_report report = cut(incoming);
    assert_int_equal(report.undelivered + report.unknown, 0);
    settle(&w);
    a3m_link_info info = {.size = sizeof(info)};
    assert_int_equal(a3m_link_get_info(w.link, &info), A3M_OK);
    assert_int_equal(info.state, A3M_LINK_ENDED);
    assert_int_equal(info.reason, A3M_ECANCELED);
    assert_int_equal(a3m_link_end(w.link), A3M_OK);
    end(&w);
}

static void test_abort_at_both_ends_at_once(void **arg)
{
    (void)arg;
    struct world w = make();
    a3m_link incoming;
    settle(&w);
    send_some(&w, 3, 100);
    assert_int_equal(a3m_socket_links(w.pull, &incoming, 1), 1);
    (void)cut(w.link);
    (void)cut(incoming);
    settle(&w);
    end(&w);
}

static void test_abort_then_the_same_link_again(void **arg)
{
    (void)arg;
    struct world w = make();
    settle(&w);
    send_some(&w, 100, 5000);
    turn(w.from);
    (void)cut(w.link);
    assert_int_equal(a3m_socket_link(w.push, "inproc://abort-to/sink", &w.link), A3M_OK);
    settle(&w);
    (void)received(&w);
    send_some(&w, 2, 10);
    settle(&w);
    assert_int_equal(received(&w), 2);
    (void)cut(w.link);
    settle(&w);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_abort_before_it_was_asked_for_nothing_is_left),
        cmocka_unit_test(test_abort_up_with_everything_delivered_loses_nothing),
        cmocka_unit_test(test_abort_up_what_was_given_up_is_reported_and_the_peer_ends),
        cmocka_unit_test(test_abort_while_ending_the_promise_is_taken_back),
        cmocka_unit_test(test_abort_of_the_receiving_end_the_sender_learns_of_it),
        cmocka_unit_test(test_abort_at_both_ends_at_once),
        cmocka_unit_test(test_abort_then_the_same_link_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
