/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a link tells about itself: where its peer is, why it ended and after how
 * many requests, how long its handle is good, and which links are listed. What came
 * by it can be received when it is over.
 * covers L3 L7 L13 L14
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node_fixture.h"

struct pair {
    a3m_node from, to;
    a3m_socket push, pull;
    char from_address[A3M_LINK_ADDRESS_SIZE], to_address[A3M_LINK_ADDRESS_SIZE];
};

static struct pair make_pair(void)
{
    struct pair p = {.from = test_node("from"), .to = test_node("to")};
    p.pull = test_socket(p.to, &a3m_pull, "sink");
    p.push = test_socket(p.from, &a3m_push, "source");
    assert_int_equal(a3m_node_address(p.from, p.from_address, sizeof(p.from_address)), A3M_OK);
    assert_int_equal(a3m_node_address(p.to, p.to_address, sizeof(p.to_address)), A3M_OK);
    return p;
}

static void end_pair(const struct pair *p)
{
    test_close(p->from);
    test_close(p->to);
}

static a3m_link_info info_of(a3m_link link)
{
    a3m_link_info info = {.size = sizeof(info)};
    assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
    return info;
}

static a3m_link ask(a3m_socket socket, const char *peer)
{
    a3m_link link;
    assert_int_equal(a3m_socket_link(socket, peer, &link), A3M_OK);
    return link;
}

static void test_info_both_ends_know_where_the_other_is(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    a3m_link incoming;
    assert_int_equal(a3m_node_set_peer(p.from, "to", p.to_address), A3M_OK);
    a3m_link link = ask(p.push, "to/sink");
    assert_int_equal(a3m_link_wait(link, SOON), A3M_OK);
    assert_string_equal(info_of(link).peer_address, p.to_address);
    assert_int_equal(a3m_socket_wait_link(p.pull, &incoming, SOON), A3M_OK);
    assert_string_equal(info_of(incoming).peer_address, p.from_address);
    assert_string_equal(info_of(incoming).peer_node, "from");
    assert_string_equal(info_of(incoming).peer_tag, "source");
    assert_true(info_of(incoming).incoming);
    end_pair(&p);
}

static void test_info_not_up_yet_shows_where_it_is_asked_for(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    assert_string_equal(info_of(ask(p.push, "udp://127.0.0.1:9/sink")).peer_address, "udp://127.0.0.1:9");
    assert_string_equal(info_of(ask(p.push, "nowhere/sink")).peer_address, "");
    end_pair(&p);
}

/* Asks once, and expects the link to end for `code`, with a detail that has each of `say`. */
static void expect_end(a3m_socket socket, const char *peer, int code, const char *const say[2])
{
    a3m_link link = ask(socket, peer);
    assert_int_equal(a3m_link_wait(link, SOON), code);
    for (int i = 0; i < 2; i++) {
        if (strstr(a3m_error_detail(), say[i]) == NULL) {
            fail_msg("'%s' does not say '%s'", a3m_error_detail(), say[i]);
        }
    }
    assert_int_equal(info_of(link).state, A3M_LINK_ENDED);
    assert_int_equal(info_of(link).reason, code);
    assert_int_equal(a3m_link_end(link), A3M_OK);
}

static void test_ended_says_of_which_peer_and_what_to_do(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    const char *sink = test_url(p.to, "sink");
    /* The handle of a link that ended by itself is good until it is ended. */
    assert_int_equal(a3m_socket_set(p.push, A3M_OPT_LINK_ATTEMPTS, 1), A3M_OK);
    assert_int_equal(a3m_socket_set(p.push, A3M_OPT_LINK_RETRY_MIN, a3m_ms(300).ns), A3M_OK);
    expect_end(p.push, test_url(p.to, "nobody"), A3M_ENOTREADY,
               (const char *const[]){"to/nobody: no such socket", "given up after 1 request"});
    expect_end(p.push, "udp://127.0.0.1:9/sink", A3M_ESILENT,
               (const char *const[]){"udp://127.0.0.1:9/sink", "given up after 1 request"});
    expect_end(p.push, "nowhere/sink", A3M_ENOADDR,
               (const char *const[]){"nowhere/sink: say where", "given up after 1 request"});
    assert_int_equal(a3m_socket_set(p.pull, A3M_OPT_INCOMING, 0), A3M_OK);
    expect_end(p.push, sink, A3M_EREFUSED, (const char *const[]){"to/sink", "takes no links"});
    a3m_socket req = test_socket(p.from, &a3m_req, NULL);
    expect_end(req, sink, A3M_EINCOMPATIBLE, (const char *const[]){"to/sink", "types of the two sockets"});
    end_pair(&p);
}

static void test_listed_until_it_is_ended_or_asked_for_again(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    const char *sink = test_url(p.to, "sink");
    assert_int_equal(a3m_socket_set(p.pull, A3M_OPT_INCOMING, 0), A3M_OK);
    a3m_link first = ask(p.push, sink);
    assert_int_equal(a3m_link_wait(first, SOON), A3M_EREFUSED);
    assert_int_equal(a3m_socket_links(p.push, NULL, 0), 1);
    a3m_link second = ask(p.push, sink); /* not A3M_EEXIST */
    assert_int_equal(a3m_link_wait(second, SOON), A3M_EREFUSED);
    assert_int_equal(a3m_socket_links(p.push, NULL, 0), 1);
    a3m_link_info info = {.size = sizeof(info)};
    assert_int_equal(a3m_link_get_info(first, &info), A3M_EHANDLE);
    assert_int_equal(a3m_link_end(second), A3M_OK);
    assert_int_equal(a3m_socket_links(p.push, NULL, 0), 0);
    assert_int_equal(a3m_link_get_info(second, &info), A3M_EHANDLE);
    end_pair(&p);
}

/* Asked for by address and by node id: one link, and either handle ends it. */
static void test_two_handles_of_one_link_either_ends_it(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    for (int i = 0; i < 4; i++) {
        a3m_link links[2] = {test_link(p.push, test_url(p.to, "sink")), test_link(p.push, "to/sink")};
        assert_int_equal(a3m_socket_links(p.push, NULL, 0), 1);
        assert_int_equal(info_of(links[1]).state, A3M_LINK_UP);
        a3m_link by = links[i % 2];
        assert_int_equal(i < 2 ? a3m_link_end(by) : a3m_link_abort(by, NULL), A3M_OK);
        assert_int_equal(a3m_socket_wait_link_or_none(p.push, NULL, SOON), A3M_ENOLINK);
        int code = a3m_link_wait(links[(i + 1) % 2], SOON);
        assert_true(code == A3M_ECANCELED || code == A3M_EHANDLE);
        (void)a3m_link_end(links[(i + 1) % 2]); /* of a handle whose link is over */
    }
    end_pair(&p);
}

/* ---- What came by a link that is over -------------------------------------------------------- */

static void await_state(a3m_link link, a3m_link_state state)
{
    for (a3m_time until = SOON; info_of(link).state != state && a3m_now().ns < until.ns;) {
        (void)a3m_poll(NULL, 0, a3m_in(a3m_ms(1)));
    }
    assert_int_equal(info_of(link).state, state);
}

/* A link that the peer asked for, by which two messages came. */
static a3m_link make_incoming(const struct pair *p)
{
    a3m_link incoming;
    (void)test_link(p->push, test_url(p->to, "sink"));
    assert_int_equal(a3m_socket_wait_link(p->pull, &incoming, SOON), A3M_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(a3m_send_bytes(p->push, "x", 1, SOON), A3M_OK);
    }
    return incoming;
}

static void test_ended_by_the_peer_what_came_by_it_is_received_by_it(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    a3m_link incoming = make_incoming(&p);
    a3m_msg *msg;
    assert_int_equal(a3m_socket_close(p.push), A3M_OK);
    await_state(incoming, A3M_LINK_ENDED);
    assert_int_equal(info_of(incoming).reason, A3M_ECLOSED);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(a3m_socket_links(p.pull, NULL, 0), 1);
        assert_int_equal(a3m_link_recv(incoming, &msg, SOON), A3M_OK);
        test_msg_is(msg, "x");
    }
    assert_int_equal(a3m_link_recv(incoming, &msg, SOON), A3M_EHANDLE);
    assert_int_equal(a3m_socket_links(p.pull, NULL, 0), 0);
    end_pair(&p);
}

static void test_ended_by_this_end_what_came_by_it_is_received_by_it(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    a3m_link incoming = make_incoming(&p);
    a3m_msg *msg;
    assert_int_equal(a3m_socket_drain(p.push, SOON), A3M_OK);
    assert_int_equal(a3m_link_end(incoming), A3M_OK);
    await_state(incoming, A3M_LINK_ENDED);
    assert_int_equal(a3m_link_recv(incoming, &msg, SOON), A3M_OK);
    test_msg_is(msg, "x");
    test_expect(p.pull, "x"); /* or by the socket */
    a3m_link_info info = {.size = sizeof(info)};
    assert_int_equal(a3m_link_get_info(incoming, &info), A3M_EHANDLE);
    end_pair(&p);
}

/* A node that closes waits for all handles: those of such links, too, go with their socket. */
static void test_ended_with_messages_that_nobody_receives_closes_with_its_socket(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    a3m_link incoming = make_incoming(&p);
    a3m_link_info info = {.size = sizeof(info)};
    a3m_close_report report = {.size = sizeof(report)};
    assert_int_equal(a3m_socket_drain(p.push, SOON), A3M_OK);
    assert_int_equal(a3m_link_end(incoming), A3M_OK);
    await_state(incoming, A3M_LINK_ENDED);
    assert_int_equal(a3m_socket_close(p.pull), A3M_OK);
    assert_int_equal(a3m_link_get_info(incoming, &info), A3M_EHANDLE);
    assert_int_equal(a3m_node_close(p.to, SOON, &report), A3M_OK);
    assert_int_equal(report.unread, 2);
    test_close(p.from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info_both_ends_know_where_the_other_is),
        cmocka_unit_test(test_info_not_up_yet_shows_where_it_is_asked_for),
        cmocka_unit_test(test_ended_says_of_which_peer_and_what_to_do),
        cmocka_unit_test(test_listed_until_it_is_ended_or_asked_for_again),
        cmocka_unit_test(test_two_handles_of_one_link_either_ends_it),
        cmocka_unit_test(test_ended_by_the_peer_what_came_by_it_is_received_by_it),
        cmocka_unit_test(test_ended_by_this_end_what_came_by_it_is_received_by_it),
        cmocka_unit_test(test_ended_with_messages_that_nobody_receives_closes_with_its_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
