/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closing: what the report says, that it is bounded by its deadline, and what becomes of handles. The calls that
 * are under way: test_node_close_calls.c; what the peers see: test_node_close_peer.c. covers N8 L8
 */
#include "test_node_close.h"

#include "caller.h"

/* A process that vanishes: forked before there are nodes. */
static struct far far;

static void assert_all_zero(const a3m_close_report *report)
{
    assert_int_equal(report->undelivered, 0);
    assert_int_equal(report->unknown, 0);
    assert_int_equal(report->unread, 0);
    assert_int_equal(report->links_unfinished, 0);
}

/* ---- The report ------------------------------------------------------------------- */

static void test_close_all_acknowledged_and_taken_report_is_zero(void **arg)
{
    (void)arg;
    a3m_close_report report;
    a3m_node from = test_node("from");
    a3m_node to = test_node("to");
    a3m_socket pull = test_socket(to, &a3m_pull, "sink");
    a3m_socket push = test_socket(from, &a3m_push, NULL);
    test_link(push, test_url(to, "sink"));
    push_and_drain(push, 100);
    for (int i = 0; i < 100; i++) {
        test_expect(pull, "m");
    }
    assert_int_equal(close_node(from, SOON, &report), A3M_OK);
    assert_all_zero(&report);
    assert_int_equal(close_node(to, SOON, &report), A3M_OK);
    assert_all_zero(&report);
}

static void test_close_messages_under_way_are_delivered_first(void **arg)
{
    (void)arg;
    a3m_close_report report;
    a3m_node from = test_node("from");
    a3m_node to = test_node("to");
    a3m_socket pull = test_socket(to, &a3m_pull, "sink");
    a3m_socket push = test_socket(from, &a3m_push, NULL);
    test_link(push, test_url(to, "sink"));
    for (int i = 0; i < 300; i++) {
        assert_int_equal(a3m_send_bytes(push, "m", 1, SOON), A3M_OK);
    }
    assert_int_equal(close_node(from, SOON, &report), A3M_OK);
    assert_all_zero(&report);
    for (int i = 0; i < 300; i++) {
        test_expect(pull, "m");
    }
    test_close(to);
}

static void unread(bool socket_first)
{
    a3m_close_report report;
    a3m_node from = test_node("from");
    a3m_node to = test_node("to");
    a3m_socket pull = test_socket(to, &a3m_pull, "sink");
    a3m_socket push = test_socket(from, &a3m_push, NULL);
    test_link(push, test_url(to, "sink"));
    push_and_drain(push, 10);
    for (int i = 0; i < 3; i++) {
        test_expect(pull, "m");
    }
    if (socket_first) {
        assert_int_equal(a3m_socket_close(pull), A3M_OK);
    }
    assert_int_equal(close_node(to, SOON, &report), A3M_OK);
    assert_int_equal(report.unread, 7);
    assert_int_equal(report.undelivered + report.unknown + report.links_unfinished, 0);
    test_close(from);
}

static void test_close_messages_not_taken_are_counted_as_unread(void **arg)
{
    (void)arg;
    unread(false);
}

static void test_close_socket_closed_before_its_messages_are_counted_as_unread(void **arg)
{
    (void)arg;
    unread(true);
}

static void test_close_peer_vanished_bounded_and_counted(void **arg)
{
    (void)arg;
    static uint8_t bytes[1000];
    enum { N = 500 };
    a3m_close_report report;
    a3m_node node = test_node("near");
    a3m_socket push = test_socket(node, &a3m_push, NULL);
    test_link(push, far_url(&far, "sink"));
    far_kill(&far);
    for (int i = 0; i < N; i++) {
        assert_int_equal(a3m_send_bytes(push, bytes, sizeof(bytes), SOON), A3M_OK);
    }
    a3m_time begin = a3m_now();
    assert_int_equal(close_node(node, a3m_in(a3m_ms(300)), &report), A3M_ETIMEDOUT);
    int64_t took = a3m_now().ns - begin.ns;
    assert_true(took >= a3m_ms(300).ns && took < a3m_seconds(10).ns);
    assert_int_equal(report.undelivered + report.unknown, N);
    assert_true(report.unknown > 0);     /* the first packets went out */
    assert_true(report.undelivered > 0); /* the rest waited for an acknowledgement */
    assert_int_equal(report.links_unfinished, 1);
    assert_int_equal(report.unread, 0);
}

static void nobody_there(const char *own, const char *peer)
{
    a3m_close_report report;
    a3m_node node = test_node_at("asker", own);
    a3m_socket push = test_socket(node, &a3m_push, NULL);
    a3m_link link;
    assert_int_equal(a3m_socket_link(push, peer, &link), A3M_OK);
    assert_int_equal(a3m_link_wait(link, a3m_in(a3m_ms(20))), A3M_ETIMEDOUT);
    a3m_time begin = a3m_now();
    assert_int_equal(close_node(node, a3m_in(a3m_ms(200)), &report), A3M_OK);
    assert_true(a3m_now().ns - begin.ns < a3m_seconds(10).ns);
    assert_all_zero(&report); /* there never was a link, and nothing was sent */
}

static void test_close_peer_that_never_was_bounded(void **arg)
{
    (void)arg;
    nobody_there("inproc://close-asker", "inproc://close-nobody/sink");
}

static void test_close_peer_not_started_bounded(void **arg)
{
    (void)arg;
    a3m_node idle = test_node_idle("idle", "udp://127.0.0.1:0");
    test_socket(idle, &a3m_pull, "sink");
    nobody_there("udp://127.0.0.1:0", test_url(idle, "sink"));
    test_close(idle);
}

/* ---- Handles ------------------------------------------------------------------------ */

static void test_close_twice_second_is_told(void **arg)
{
    (void)arg;
    char tag[8];
    a3m_node node = test_node("node");
    a3m_socket socket = test_socket(node, &a3m_pull, "sink");
    assert_int_equal(a3m_socket_close(socket), A3M_OK);
    assert_int_equal(a3m_socket_close(socket), A3M_EHANDLE);
    assert_int_equal(a3m_socket_tag(socket, tag, sizeof(tag)), A3M_EHANDLE);
    test_close(node);
    assert_int_equal(a3m_node_close(node, A3M_FOREVER, NULL), A3M_EHANDLE);
    assert_int_equal(a3m_socket_open(&socket, node, &a3m_pull, NULL), A3M_EHANDLE);
}

static void test_close_ends_the_handles_of_sockets_and_links(void **arg)
{
    (void)arg;
    a3m_link_info info = {.size = sizeof(info)};
    a3m_node node = test_node("node");
    a3m_socket pull = test_socket(node, &a3m_pull, "sink");
    a3m_socket push = test_socket(node, &a3m_push, NULL);
    a3m_link link = test_link(push, "node/sink");
    test_close(node);
    assert_int_equal(a3m_socket_close(pull), A3M_EHANDLE);
    assert_int_equal(a3m_send_bytes(push, "m", 1, A3M_NOW), A3M_EHANDLE);
    assert_int_equal(a3m_link_end(link), A3M_EHANDLE);
    assert_int_equal(a3m_link_get_info(link, &info), A3M_EHANDLE);
}

static void test_close_tag_free_again_at_once(void **arg)
{
    (void)arg;
    a3m_node node = test_node("node");
    for (int i = 0; i < 100; i++) {
        a3m_socket pull = test_socket(node, &a3m_pull, "sink");
        a3m_socket push = test_socket(node, &a3m_push, "source");
        test_link(push, "node/sink");
        assert_int_equal(a3m_socket_close(pull), A3M_OK);
        assert_int_equal(a3m_socket_close(push), A3M_OK);
    }
    test_close(node);
}

static int close_forever(void *arg)
{
    return a3m_node_close(*(const a3m_node *)arg, A3M_FOREVER, NULL);
}

static void test_close_by_two_threads_at_once_one_does_it(void **arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        struct caller other;
        a3m_node node = test_node("node");
        test_socket(node, &a3m_pull, "sink");
        test_link(test_socket(node, &a3m_push, NULL), "node/sink");
        caller_start(&other, close_forever, &node);
        int mine = close_forever(&node);
        int others = caller_join(&other);
        assert_true((mine == A3M_OK) != (others == A3M_OK));
        int loser = mine == A3M_OK ? others : mine;
        assert_true(loser == A3M_ECLOSED || loser == A3M_EHANDLE);
    }
}

static void test_close_never_started_at_once(void **arg)
{
    (void)arg;
    a3m_close_report report;
    a3m_node node = test_node_idle("idle", "udp://127.0.0.1:0");
    a3m_socket push = test_socket(node, &a3m_push, "source");
    test_socket(node, &a3m_pull, "sink");
    a3m_link link;
    assert_int_equal(a3m_socket_link(push, "udp://127.0.0.1:9/sink", &link), A3M_OK);
    assert_int_equal(a3m_socket_link(push, "idle/sink", NULL), A3M_OK);
    assert_int_equal(a3m_link_end(link), A3M_OK);
    assert_int_equal(close_node(node, A3M_FOREVER, &report), A3M_OK);
    assert_all_zero(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_all_acknowledged_and_taken_report_is_zero),
        cmocka_unit_test(test_close_messages_under_way_are_delivered_first),
        cmocka_unit_test(test_close_messages_not_taken_are_counted_as_unread),
        cmocka_unit_test(test_close_socket_closed_before_its_messages_are_counted_as_unread),
        cmocka_unit_test(test_close_peer_vanished_bounded_and_counted),
        cmocka_unit_test(test_close_peer_that_never_was_bounded),
        cmocka_unit_test(test_close_peer_not_started_bounded),
        cmocka_unit_test(test_close_twice_second_is_told),
        cmocka_unit_test(test_close_ends_the_handles_of_sockets_and_links),
        cmocka_unit_test(test_close_tag_free_again_at_once),
        cmocka_unit_test(test_close_by_two_threads_at_once_one_does_it),
        cmocka_unit_test(test_close_never_started_at_once),
    };
    far_start(&far, far_body);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    far_kill(&far);
    return failed;
}
