/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole nodes, the way applications use them: nodes, sockets, links, messages.
 * covers N1 N2 N7 N8 L1 L2 L8 F1 F2 F10 S1 S2 S7 T12 X3
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "node_fixture.h"

static void request_and_reply(a3m_node server, a3m_node client)
{
    a3m_socket rep = test_socket(server, &a3m_rep, "echo");
    a3m_socket req = test_socket(client, &a3m_req, NULL);
    test_link(req, test_url(server, "echo"));
    for (int i = 0; i < 100; i++) {
        char text[32];
        a3m_request request;
        a3m_msg *asked = NULL;
        a3m_msg *answered = NULL;
        snprintf(text, sizeof(text), "request %d", i);
        assert_int_equal(a3m_request_send(req, test_msg(text), &request, SOON), A3M_OK);
        assert_int_equal(a3m_recv_until(rep, &asked, SOON), A3M_OK);
        assert_string_equal(a3m_msg_peer_node(asked), "client");
        assert_int_equal(a3m_reply(rep, asked, a3m_msg_dup(asked), SOON), A3M_OK);
        assert_int_equal(a3m_reply(rep, asked, asked, SOON), A3M_ESTATE);
        a3m_msg_free(asked);
        assert_int_equal(a3m_request_wait(req, request, &answered, SOON), A3M_OK);
        test_msg_is(answered, text);
        assert_int_equal(a3m_request_wait(req, request, &answered, SOON), A3M_ENOENT);
    }
}

static void test_req_rep_udp_every_request_has_its_reply(void **arg)
{
    (void)arg;
    a3m_node server = test_node("server");
    a3m_node client = test_node("client");
    request_and_reply(server, client);
    test_close(client);
    test_close(server);
}

static void test_req_rep_inproc_every_request_has_its_reply(void **arg)
{
    (void)arg;
    a3m_node server = test_node_at("server", "inproc://basic-server");
    a3m_node client = test_node_at("client", "inproc://basic-client");
    request_and_reply(server, client);
    test_close(client);
    test_close(server);
}

static void push_and_pull(a3m_node from, a3m_node to, const char *url, int n)
{
    a3m_socket pull = test_socket(to, &a3m_pull, "sink");
    a3m_socket push = test_socket(from, &a3m_push, "source");
    test_link(push, url);
    int received = 0;
    for (int sent = 0; received < n;) {
        while (sent < n) {
            uint32_t number = (uint32_t)sent;
            /* With nothing under way nothing will be received: then wait for credit. */
            int result = a3m_send_bytes(push, &number, sizeof(number), sent == received ? SOON : A3M_NOW);
            if (result == A3M_ENOCREDIT) {
                break;
            }
            assert_int_equal(result, A3M_OK);
            sent++;
        }
        a3m_msg *msg;
        assert_int_equal(a3m_recv_until(pull, &msg, SOON), A3M_OK);
        uint32_t number;
        assert_int_equal(a3m_msg_size(msg), sizeof(number));
        memcpy(&number, a3m_msg_data(msg), sizeof(number));
        assert_int_equal(number, received);
        a3m_msg_free(msg);
        received++;
    }
    assert_int_equal(a3m_socket_drain(push, SOON), A3M_OK);
    assert_int_equal(a3m_socket_close(push), A3M_OK);
    assert_int_equal(a3m_socket_close(pull), A3M_OK);
}

static void test_push_pull_all_once_and_in_order(void **arg)
{
    (void)arg;
    a3m_node from = test_node("from");
    a3m_node to = test_node("to");
    push_and_pull(from, to, test_url(to, "sink"), 20000);
    test_close(from);
    test_close(to);
}

static void test_push_pull_one_node_uses_no_packet(void **arg)
{
    (void)arg;
    a3m_node node = test_node("alone");
    push_and_pull(node, node, "alone/sink", 5000);
    assert_int_equal(test_stats(node).tx_packets, 0);
    test_close(node);
}

static void test_push_pull_own_address_ends_up_in_the_node(void **arg)
{
    (void)arg;
    a3m_node node = test_node("alone");
    push_and_pull(node, node, test_url(node, "sink"), 3000);
    test_close(node);
}

/* A UDP socket of the kernel on loopback, and its address as a node takes it. */
static int plain_socket(char *url, size_t size)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(name);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    snprintf(url, size, "udp://127.0.0.1:%u", (unsigned)ntohs(name.sin_port));
    return fd;
}

static void test_set_peer_asks_at_the_new_address_at_once(void **arg)
{
    (void)arg;
    const a3m_node_config config = {.size = sizeof(config), .linger = a3m_seconds(100), .no_lending = true};
    char elsewhere[2][64], home[64];
    a3m_node from, to;
    assert_int_equal(a3m_node_new(&from, "from", "udp://127.0.0.1:0", &config), A3M_OK);
    assert_int_equal(a3m_node_new(&to, "to", "udp://127.0.0.1:0", &config), A3M_OK);
    assert_int_equal(a3m_node_start(from), A3M_OK);
    assert_int_equal(a3m_node_start(to), A3M_OK);
    a3m_socket pull = test_socket(to, &a3m_pull, "sink");
    a3m_socket push = test_socket(from, &a3m_push, "source");
    test_link(push, test_url(to, "sink"));
    assert_int_equal(a3m_send_bytes(push, "x", 1, SOON), A3M_OK);
    test_expect(pull, "x");
    assert_int_equal(a3m_socket_drain(push, SOON), A3M_OK);
    int fds[] = {plain_socket(elsewhere[0], sizeof(elsewhere[0])),
                 plain_socket(elsewhere[1], sizeof(elsewhere[1]))};
    int at_once = 0;
    for (int i = 0; i < 20; i++) {
        struct pollfd asked = {.fd = fds[i % 2], .events = POLLIN};
        char byte;
        uint64_t before = test_stats(from).tx_packets;
        assert_int_equal(a3m_node_set_peer(from, "to", elsewhere[i % 2]), A3M_OK);
        at_once += test_stats(from).tx_packets > before;
        assert_int_equal(poll(&asked, 1, 20000), 1);
        assert_true(recv(fds[i % 2], &byte, 1, 0) == 1);
    }
    assert_true(at_once > 10); /* otherwise the node's thread was at work just then, and did it */
    assert_int_equal(a3m_node_address(to, home, sizeof(home)), A3M_OK);
    assert_int_equal(a3m_node_set_peer(from, "to", home), A3M_OK);
    close(fds[0]);
    close(fds[1]);
    test_close(from);
    test_close(to);
}

static void test_large_message_arrives_identical(void **arg)
{
    (void)arg;
    static const size_t sizes[] = {0, 1, 1300, 1400, 70000, 1u << 20, 9u << 20};
    a3m_node from = test_node("from");
    a3m_node to = test_node("to");
    a3m_socket pull = test_socket(to, &a3m_pull, "sink");
    a3m_socket push = test_socket(from, &a3m_push, NULL);
    test_link(push, test_url(to, "sink"));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        a3m_msg *msg = a3m_msg_new(sizes[i]);
        a3m_msg *got = NULL;
        uint8_t *bytes = a3m_msg_data(msg);
        for (size_t k = 0; k < sizes[i]; k++) {
            bytes[k] = (uint8_t)(k * 31 + (k >> 9));
        }
        a3m_msg *copy = a3m_msg_dup(msg);
        assert_int_equal(a3m_send_until(push, msg, SOON), A3M_OK);
        assert_int_equal(a3m_recv_until(pull, &got, SOON), A3M_OK);
        assert_int_equal(a3m_msg_size(got), sizes[i]);
        assert_true(sizes[i] == 0 || memcmp(a3m_msg_data(got), a3m_msg_data(copy), sizes[i]) == 0);
        a3m_msg_free(got);
        a3m_msg_free(copy);
    }
    test_close(from);
    test_close(to);
}

static void test_requester_first_links_when_the_socket_is_made(void **arg)
{
    (void)arg;
    a3m_node server = test_node("server");
    a3m_node client = test_node("client");
    a3m_socket req = test_socket(client, &a3m_req, NULL);
    a3m_link link;
    a3m_link_info info = {.size = sizeof(info)};
    assert_int_equal(a3m_socket_link(req, test_url(server, "late"), &link), A3M_OK);
    assert_int_equal(a3m_link_wait(link, a3m_in(a3m_ms(300))), A3M_ETIMEDOUT);
    assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
    assert_int_equal(info.reason, A3M_ENOTREADY);
    assert_true(info.attempts >= 2);
    test_socket(server, &a3m_rep, "late");
    assert_int_equal(a3m_link_wait(link, SOON), A3M_OK);
    test_close(client);
    test_close(server);
}

static void test_requester_first_links_when_the_node_starts(void **arg)
{
    (void)arg;
    a3m_node server = test_node_idle("server", "udp://127.0.0.1:0");
    a3m_node client = test_node("client");
    a3m_socket req = test_socket(client, &a3m_req, NULL);
    a3m_socket rep = test_socket(server, &a3m_rep, "early");
    a3m_link link;
    assert_int_equal(a3m_socket_link(req, test_url(server, "early"), &link), A3M_OK);
    assert_int_equal(a3m_link_wait(link, a3m_in(a3m_ms(200))), A3M_ETIMEDOUT);
    assert_int_equal(a3m_node_start(server), A3M_OK);
    assert_int_equal(a3m_link_wait(link, SOON), A3M_OK);
    (void)rep;
    test_close(client);
    test_close(server);
}

static void test_both_ask_one_link_results(void **arg)
{
    (void)arg;
    for (int i = 0; i < 30; i++) {
        a3m_node a = test_node("a");
        a3m_node b = test_node("b");
        a3m_socket push = test_socket(a, &a3m_push, "x");
        a3m_socket pull = test_socket(b, &a3m_pull, "y");
        a3m_link la, lb;
        assert_int_equal(a3m_socket_link(push, test_url(b, "y"), &la), A3M_OK);
        assert_int_equal(a3m_socket_link(pull, test_url(a, "x"), &lb), A3M_OK);
        assert_int_equal(a3m_link_wait(la, SOON), A3M_OK);
        assert_int_equal(a3m_link_wait(lb, SOON), A3M_OK);
        assert_int_equal(a3m_send_until(push, test_msg("hello"), SOON), A3M_OK);
        test_expect(pull, "hello");
        assert_int_equal(a3m_socket_links(push, NULL, 0), 1);
        assert_int_equal(a3m_socket_links(pull, NULL, 0), 1);
        test_close(a);
        test_close(b);
    }
}

static void test_incompatible_types_refused_for_good(void **arg)
{
    (void)arg;
    a3m_node server = test_node("server");
    a3m_node client = test_node("client");
    a3m_socket req = test_socket(client, &a3m_req, NULL);
    test_socket(server, &a3m_pull, "sink");
    a3m_link link;
    assert_int_equal(a3m_socket_link(req, test_url(server, "sink"), &link), A3M_OK);
    assert_int_equal(a3m_link_wait(link, SOON), A3M_EINCOMPATIBLE);
    assert_int_equal(a3m_send_until(req, NULL, A3M_NOW), A3M_EINVAL);
    test_close(client);
    test_close(server);
}

static void test_credit_try_send_stops_at_the_grant(void **arg)
{
    (void)arg;
    a3m_node from = test_node("from");
    a3m_node to = test_node("to");
    a3m_socket pull = test_socket(to, &a3m_pull, "sink");
    a3m_socket push = test_socket(from, &a3m_push, NULL);
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_CREDIT_MESSAGES, 10), A3M_OK);
    test_link(push, test_url(to, "sink"));
    for (int i = 0; i < 10; i++) {
        assert_int_equal(a3m_try_send(push, test_msg("x")), A3M_OK);
    }
    a3m_msg *msg = test_msg("one too many");
    assert_int_equal(a3m_try_send(push, msg), A3M_ENOCREDIT);
    test_expect(pull, "x");
    test_expect(pull, "x");
    test_expect(pull, "x");
    assert_int_equal(a3m_send_until(push, msg, SOON), A3M_OK);
    for (int i = 0; i < 7; i++) {
        test_expect(pull, "x");
    }
    test_expect(pull, "one too many");
    test_close(from);
    test_close(to);
}

static void test_link_end_delivers_what_was_sent_before(void **arg)
{
    (void)arg;
    a3m_node from = test_node("from");
    a3m_node to = test_node("to");
    a3m_socket pull = test_socket(to, &a3m_pull, "sink");
    a3m_socket push = test_socket(from, &a3m_push, NULL);
    a3m_link link = test_link(push, test_url(to, "sink"));
    for (int i = 0; i < 500; i++) {
        assert_int_equal(a3m_send_until(push, test_msg("before"), SOON), A3M_OK);
    }
    assert_int_equal(a3m_link_end(link), A3M_OK);
    assert_int_equal(a3m_try_send(push, NULL), A3M_EINVAL);
    a3m_msg *msg = test_msg("after");
    assert_int_equal(a3m_try_send(push, msg), A3M_ENOLINK);
    a3m_msg_free(msg);
    for (int i = 0; i < 500; i++) {
        test_expect(pull, "before");
    }
    test_close(from);
    test_close(to);
}

static void expect_ordered(a3m_node node, const a3m_socket_type *type, int64_t by_default)
{
    a3m_socket socket = test_socket(node, type, NULL);
    int64_t value = -1;
    assert_int_equal(a3m_socket_get(socket, A3M_OPT_ORDERED, &value), A3M_OK);
    assert_int_equal(value, by_default);
    assert_int_equal(a3m_socket_set(socket, A3M_OPT_ORDERED, 2), A3M_EINVAL);
    assert_int_equal(a3m_socket_set(socket, A3M_OPT_ORDERED, !by_default), A3M_OK);
    assert_int_equal(a3m_socket_get(socket, A3M_OPT_ORDERED, &value), A3M_OK);
    assert_int_equal(value, !by_default);
}

static void test_option_ordered_is_first_as_the_type_has_it(void **arg)
{
    (void)arg;
    a3m_node node = test_node("node");
    expect_ordered(node, &a3m_push, 1);
    expect_ordered(node, &a3m_pull, 1);
    expect_ordered(node, &a3m_req, 0);
    expect_ordered(node, &a3m_rep, 0);
    test_close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_req_rep_udp_every_request_has_its_reply),
        cmocka_unit_test(test_req_rep_inproc_every_request_has_its_reply),
        cmocka_unit_test(test_push_pull_all_once_and_in_order),
        cmocka_unit_test(test_push_pull_one_node_uses_no_packet),
        cmocka_unit_test(test_push_pull_own_address_ends_up_in_the_node),
        cmocka_unit_test(test_set_peer_asks_at_the_new_address_at_once),
        cmocka_unit_test(test_large_message_arrives_identical),
        cmocka_unit_test(test_requester_first_links_when_the_socket_is_made),
        cmocka_unit_test(test_requester_first_links_when_the_node_starts),
        cmocka_unit_test(test_both_ask_one_link_results),
        cmocka_unit_test(test_incompatible_types_refused_for_good),
        cmocka_unit_test(test_credit_try_send_stops_at_the_grant),
        cmocka_unit_test(test_link_end_delivers_what_was_sent_before),
        cmocka_unit_test(test_option_ordered_is_first_as_the_type_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
