/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bad input: each gets its code and a text that says what to do, and harms
 * nothing. covers N1 N5 Y3
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "node_fixture.h"

static void expect_new(const char *id, const char *address, int code, const char *says)
{
    a3m_node node;
    int result = a3m_node_new(&node, id, address, NULL);
    if (result != code || strstr(a3m_error_detail(), says) == NULL) {
        fail_msg("node '%.20s' at '%s': %d (%s), expected %d (...%s...)", id != NULL ? id : "(null)",
                 address != NULL ? address : "(null)", result, a3m_error_detail(), code, says);
    }
}

static void test_node_id_bounds(void **arg)
{
    (void)arg;
    char id[300];
    a3m_node node;
    memset(id, 'n', sizeof(id));
    id[255] = '\0';
    assert_int_equal(a3m_node_new(&node, id, "udp://127.0.0.1:0", NULL), A3M_OK);
    assert_int_equal(a3m_node_close(node, A3M_NOW, NULL), A3M_OK);
    id[255] = 'n';
    id[256] = '\0';
    expect_new(id, "udp://127.0.0.1:0", A3M_EINVAL, "255");
    expect_new("", "udp://127.0.0.1:0", A3M_EINVAL, "empty");
    expect_new(NULL, "udp://127.0.0.1:0", A3M_EINVAL, "id");
    expect_new("a/b", "udp://127.0.0.1:0", A3M_EINVAL, "/");
    expect_new("\xff\xfe", "udp://127.0.0.1:0", A3M_EINVAL, "UTF-8");
}

static void test_addresses_say_what_is_wrong(void **arg)
{
    (void)arg;
    expect_new("n", "127.0.0.1:7000", A3M_EINVAL, "udp://");
    expect_new("n", "tcp://127.0.0.1:7000", A3M_EINVAL, "tcp");
    expect_new("n", "udp://127.0.0.1", A3M_EINVAL, "port");
    expect_new("n", "udp://127.0.0.1:70000", A3M_EINVAL, "65535");
    expect_new("n", "udp://127.0.0.1:0/tag", A3M_EINVAL, "tag");
    expect_new("n", "udp://[::1:7000", A3M_EINVAL, "]");
    expect_new("n", "", A3M_EINVAL, "");
    expect_new("n", "udp://192.0.2.1:0", A3M_EADDRNOTAVAIL, "192.0.2.1");
}

static void expect_config(const a3m_node_config *config, int code, const char *detail)
{
    a3m_node node = {0};
    int result = a3m_node_new(&node, "n", "inproc://config", config);
    if (result != code || (code != A3M_OK && strstr(a3m_error_detail(), detail) == NULL)) {
        fail_msg("%d (%s), not %d", result, a3m_error_detail(), code);
    }
    if (result == A3M_OK) {
        test_close(node);
    }
}

static void test_congestion_controllers_are_known_by_name(void **arg)
{
    (void)arg;
    static const char *const good[] = {NULL, "", "cubic", "newreno", "bbr"};
    static const char *const wrong[] = {"reno", "cubi", "cubic2", "BBR", " "};
    a3m_node_config config = {.size = sizeof(config)};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        config.congestion = good[i];
        expect_config(&config, A3M_OK, NULL);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        config.congestion = wrong[i];
        expect_config(&config, A3M_EINVAL, "\"cubic\", \"newreno\" or \"bbr\"");
    }
}

static void test_window_has_a_limit(void **arg)
{
    (void)arg;
    a3m_node_config config = {.size = sizeof(config), .window = 262144};
    expect_config(&config, A3M_OK, NULL);
    config.window++;
    expect_config(&config, A3M_EINVAL, "262144");
}

static void test_peer_has_no_more_links_than_one_may_ask_for(void **arg)
{
    (void)arg;
    a3m_node_config config = {.size = sizeof(config), .max_peer_links = 2};
    a3m_node server;
    a3m_node client = test_node("client");
    a3m_link third;
    assert_int_equal(a3m_node_new(&server, "server", "udp://127.0.0.1:0", &config), A3M_OK);
    assert_int_equal(a3m_node_start(server), A3M_OK);
    (void)test_socket(server, &a3m_pull, "sink");
    (void)test_link(test_socket(client, &a3m_push, "a"), test_url(server, "sink"));
    (void)test_link(test_socket(client, &a3m_push, "b"), test_url(server, "sink"));
    a3m_socket push = test_socket(client, &a3m_push, "c");
    assert_int_equal(a3m_socket_set(push, A3M_OPT_LINK_ATTEMPTS, 1), A3M_OK);
    assert_int_equal(a3m_socket_link(push, test_url(server, "sink"), &third), A3M_OK);
    assert_int_equal(a3m_link_wait(third, SOON), A3M_ENOTREADY);
    /* The limit is for others: sockets of the same node may have as many as they like. */
    const char *const own[] = {"d", "e", "f", "g"};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        (void)test_link(test_socket(server, &a3m_push, own[i]), "server/sink");
    }
    test_close(client);
    test_close(server);
}

static void test_port_in_use_says_so(void **arg)
{
    (void)arg;
    char address[128];
    a3m_node first = test_node("first");
    assert_int_equal(a3m_node_address(first, address, sizeof(address)), A3M_OK);
    expect_new("second", address, A3M_EADDRINUSE, "in use");
    test_close(first);
}

static void test_tags_bounds(void **arg)
{
    (void)arg;
    char tag[300];
    a3m_socket socket;
    a3m_node node = test_node("node");
    memset(tag, 't', sizeof(tag));
    tag[256] = '\0';
    assert_int_equal(a3m_socket_open(&socket, node, &a3m_rep, tag), A3M_EINVAL);
    tag[255] = '\0';
    assert_int_equal(a3m_socket_open(&socket, node, &a3m_rep, tag), A3M_OK);
    assert_int_equal(a3m_socket_open(&socket, node, &a3m_rep, tag), A3M_EEXIST);
    assert_int_equal(a3m_socket_open(&socket, node, &a3m_rep, ""), A3M_EINVAL);
    assert_int_equal(a3m_socket_open(&socket, node, &a3m_rep, "$stats"), A3M_EINVAL);
    assert_int_equal(a3m_socket_open(&socket, node, NULL, "x"), A3M_EINVAL);
    test_close(node);
}

static void test_peers_say_what_is_wrong(void **arg)
{
    (void)arg;
    static const char *const wrong[] = {
        "",      "echo",           "udp://127.0.0.1:7000", "udp://127.0.0.1/echo",
        "/echo", "server/",        "udp://:7000/echo",     "udp://127.0.0.1:7000/",
        "a/b/c", "inproc://x/echo"};
    a3m_node node = test_node("node");
    a3m_socket req = test_socket(node, &a3m_req, NULL);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int result = a3m_socket_link(req, wrong[i], NULL);
        if (result != A3M_EINVAL || a3m_error_detail()[0] == '\0') {
            fail_msg("peer '%s': %d (%s)", wrong[i], result, a3m_error_detail());
        }
    }
    assert_int_equal(a3m_socket_link(req, NULL, NULL), A3M_EINVAL);
    test_close(node);
}

static void test_unknown_node_retries_and_says_why(void **arg)
{
    (void)arg;
    a3m_node server = test_node("server");
    a3m_node client = test_node("client");
    a3m_socket req = test_socket(client, &a3m_req, NULL);
    a3m_link link;
    a3m_link_info info = {.size = sizeof(info)};
    char address[128];
    test_socket(server, &a3m_rep, "echo");
    assert_int_equal(a3m_socket_link(req, "server/echo", &link), A3M_OK);
    assert_int_equal(a3m_link_wait(link, a3m_in(a3m_ms(100))), A3M_ETIMEDOUT);
    assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
    assert_int_equal(info.reason, A3M_ENOADDR);
    assert_int_equal(a3m_node_address(server, address, sizeof(address)), A3M_OK);
    assert_int_equal(a3m_node_set_peer(client, "server", address), A3M_OK);
    assert_int_equal(a3m_link_wait(link, SOON), A3M_OK);
    test_close(client);
    test_close(server);
}

static void test_garbage_datagrams_are_counted_and_harm_nothing(void **arg)
{
    (void)arg;
    a3m_node server = test_node("server");
    a3m_node client = test_node("client");
    a3m_socket rep = test_socket(server, &a3m_rep, "echo");
    a3m_socket req = test_socket(client, &a3m_req, NULL);
    test_link(req, test_url(server, "echo"));
    char address[128];
    struct sockaddr_in to = {.sin_family = AF_INET};
    assert_int_equal(a3m_node_address(server, address, sizeof(address)), A3M_OK);
    to.sin_port = htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    uint32_t seed = 1;
    for (int i = 0; i < 200; i++) {
        uint8_t bytes[1500];
        size_t size = (size_t)(i * 7) % sizeof(bytes);
        for (size_t k = 0; k < size; k++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[k] = (uint8_t)(seed >> 24);
        }
        if (size > 1 && i % 2 == 0) {
            bytes[0] = 1; /* the right version */
        }
        assert_int_equal(sendto(fd, bytes, size, 0, (struct sockaddr *)&to, sizeof(to)), size);
    }
    close(fd);
    a3m_msg *asked, *reply;
    a3m_request request;
    assert_int_equal(a3m_request_send(req, test_msg("still there?"), &request, SOON), A3M_OK);
    assert_int_equal(a3m_recv_until(rep, &asked, SOON), A3M_OK);
    assert_int_equal(a3m_reply(rep, asked, test_msg("yes"), SOON), A3M_OK);
    a3m_msg_free(asked);
    assert_int_equal(a3m_request_wait(req, request, &reply, SOON), A3M_OK);
    test_msg_is(reply, "yes");
    a3m_node_stats stats = test_stats(server);
    assert_true(stats.bad_version + stats.bad_checksum + stats.bad_packet >= 190);
    test_close(client);
    test_close(server);
}

struct reports {
    _Atomic int count;
    int code;
    char text[600];
};

static void on_report(void *arg, int code, const char *text)
{
    struct reports *reports = arg;
    reports->code = code;
    snprintf(reports->text, sizeof(reports->text), "%s", text);
    reports->count++;
}

static void test_two_nodes_with_one_id_are_told(void **arg)
{
    (void)arg;
    struct reports reports = {0};
    a3m_node_config config = {.size = sizeof(config), .report = on_report, .report_arg = &reports};
    a3m_node first, second;
    assert_int_equal(a3m_node_new(&first, "same", "udp://127.0.0.1:0", &config), A3M_OK);
    assert_int_equal(a3m_node_start(first), A3M_OK);
    second = test_node("same");
    a3m_socket req = test_socket(second, &a3m_req, NULL);
    test_socket(first, &a3m_rep, "echo");
    a3m_link link;
    assert_int_equal(a3m_socket_link(req, test_url(first, "echo"), &link), A3M_OK);
    a3m_time limit = SOON;
    while ((reports.count == 0 || test_stats(second).duplicate_id == 0) && a3m_now().ns < limit.ns) {
        (void)a3m_link_wait(link, a3m_in(a3m_ms(20)));
    }
    assert_true(reports.count > 0);
    assert_int_equal(reports.code, A3M_EDUPLICATE);
    assert_non_null(strstr(reports.text, "'same'"));
    assert_true(test_stats(first).duplicate_id > 0);
    assert_true(test_stats(second).duplicate_id > 0);
    (void)a3m_node_close(second, a3m_in(a3m_ms(100)), NULL);
    (void)a3m_node_close(first, a3m_in(a3m_ms(100)), NULL);
}

static void test_stale_handles_are_errors(void **arg)
{
    (void)arg;
    a3m_node node = test_node("node");
    a3m_socket old = test_socket(node, &a3m_push, "x");
    assert_int_equal(a3m_socket_close(old), A3M_OK);
    a3m_socket fresh = test_socket(node, &a3m_push, "x");
    assert_true(old.v != fresh.v);
    assert_int_equal(a3m_socket_close(old), A3M_EHANDLE);
    assert_int_equal(a3m_try_send(old, NULL), A3M_EHANDLE);
    assert_int_equal(a3m_socket_close((a3m_socket){0}), A3M_EHANDLE);
    assert_int_equal(a3m_socket_close((a3m_socket){node.v}), A3M_EHANDLE);
    assert_int_equal(a3m_socket_close(fresh), A3M_OK);
    test_close(node);
    assert_int_equal(a3m_node_close(node, A3M_NOW, NULL), A3M_EHANDLE);
}

static void test_forked_child_is_told(void **arg)
{
    (void)arg;
    a3m_node node = test_node("node");
    a3m_socket push = test_socket(node, &a3m_push, "x");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool good = a3m_try_send(push, NULL) == A3M_EFORKED &&
                    a3m_node_close(node, A3M_NOW, NULL) == A3M_EFORKED;
        _exit(good ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    test_close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node_id_bounds),
        cmocka_unit_test(test_addresses_say_what_is_wrong),
        cmocka_unit_test(test_congestion_controllers_are_known_by_name),
        cmocka_unit_test(test_window_has_a_limit),
        cmocka_unit_test(test_peer_has_no_more_links_than_one_may_ask_for),
        cmocka_unit_test(test_port_in_use_says_so),
        cmocka_unit_test(test_tags_bounds),
        cmocka_unit_test(test_peers_say_what_is_wrong),
        cmocka_unit_test(test_unknown_node_retries_and_says_why),
        cmocka_unit_test(test_garbage_datagrams_are_counted_and_harm_nothing),
        cmocka_unit_test(test_two_nodes_with_one_id_are_told),
        cmocka_unit_test(test_stale_handles_are_errors),
        cmocka_unit_test(test_forked_child_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
