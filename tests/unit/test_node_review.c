/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stories that once went wrong, found by reading: wakes that were spent on who could not use them, waits that
 * nobody ended, the child of a fork. covers L8 S4 S6
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "caller.h"
#include "node_fixture.h"

#define MS INT64_C(1000000)

/* ---- Waits ---------------------------------------------------------------------------------- */

struct wait {
    a3m_socket socket;
    size_t size;
};

static int wait_link_or_none(void *arg)
{
    return a3m_socket_wait_link_or_none(((struct wait *)arg)->socket, NULL, A3M_FOREVER);
}

static int send_size(void *arg)
{
    static const uint8_t bytes[100];
    const struct wait *wait = arg;
    return a3m_send_bytes(wait->socket, bytes, wait->size, A3M_FOREVER);
}

static void test_wait_or_none_link_to_a_silent_peer_is_cancelled_returns(void **arg)
{
    (void)arg;
    struct caller caller;
    a3m_link link;
    a3m_node idle = test_node_idle("idle", "udp://127.0.0.1:0");
    a3m_node node = test_node("node");
    struct wait wait = {.socket = test_socket(node, &a3m_push, NULL)};
    assert_int_equal(a3m_socket_link(wait.socket, test_url(idle, "sink"), &link), A3M_OK);
    caller_start(&caller, wait_link_or_none, &wait);
    caller_await_sleep(&caller);
    assert_int_equal(a3m_link_end(link), A3M_OK);
    assert_int_equal(caller_join(&caller), A3M_ENOLINK);
    (void)a3m_node_close(node, A3M_NOW, NULL);
    test_close(idle);
}

static void test_wait_or_none_silent_peer_and_no_attempts_left_returns(void **arg)
{
    (void)arg;
    a3m_node idle = test_node_idle("idle", "udp://127.0.0.1:0");
    a3m_node node = test_node("node");
    a3m_socket push = test_socket(node, &a3m_push, NULL);
    assert_int_equal(a3m_socket_set(push, A3M_OPT_LINK_RETRY_MIN, MS), A3M_OK);
    assert_int_equal(a3m_socket_set(push, A3M_OPT_LINK_ATTEMPTS, 2), A3M_OK);
    assert_int_equal(a3m_socket_link(push, test_url(idle, "sink"), NULL), A3M_OK);
    assert_int_equal(a3m_socket_wait_link_or_none(push, NULL, SOON), A3M_ENOLINK);
    (void)a3m_node_close(node, A3M_NOW, NULL);
    test_close(idle);
}

static void test_send_wake_spent_on_a_message_too_large_goes_on(void **arg)
{
    (void)arg;
    struct caller large, small;
    a3m_node server = test_node("server");
    a3m_node client = test_node("client");
    a3m_socket pull = test_socket(server, &a3m_pull, "sink");
    struct wait first = {test_socket(client, &a3m_push, NULL), 100};
    struct wait second = {first.socket, 1};
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_MAX_MESSAGE, 10), A3M_OK);
    caller_start(&large, send_size, &first);
    caller_await_sleep(&large);
    caller_start(&small, send_size, &second);
    caller_await_sleep(&small);
    assert_int_equal(a3m_socket_link(first.socket, test_url(server, "sink"), NULL), A3M_OK);
    assert_int_equal(caller_join(&large), A3M_EMSGSIZE);
    assert_int_equal(caller_join(&small), A3M_OK);
    a3m_msg *msg;
    assert_int_equal(a3m_recv_until(pull, &msg, SOON), A3M_OK);
    a3m_msg_free(msg);
    test_close(client);
    test_close(server);
}

static void test_send_too_large_says_so_without_credit(void **arg)
{
    (void)arg;
    static const uint8_t bytes[100];
    a3m_node server = test_node("server");
    a3m_node client = test_node("client");
    a3m_socket pull = test_socket(server, &a3m_pull, "sink");
    a3m_socket push = test_socket(client, &a3m_push, NULL);
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_MAX_MESSAGE, 10), A3M_OK);
    test_link(push, test_url(server, "sink"));
    assert_int_equal(a3m_send_bytes(push, bytes, 1, SOON), A3M_OK);
    assert_int_equal(a3m_send_bytes(push, bytes, 1, A3M_NOW), A3M_ENOCREDIT);
    assert_int_equal(a3m_send_bytes(push, bytes, 100, A3M_NOW), A3M_EMSGSIZE);
    test_close(client);
    test_close(server);
}

/* ---- The rest ------------------------------------------------------------------------------- */

static void test_reply_request_of_another_socket_is_told(void **arg)
{
    (void)arg;
    a3m_msg *request;
    a3m_msg *reply = test_msg("!");
    a3m_node node = test_node("node");
    a3m_socket rep = test_socket(node, &a3m_rep, "one");
    a3m_socket other = test_socket(node, &a3m_rep, "two");
    a3m_socket req = test_socket(node, &a3m_req, NULL);
    test_link(req, "node/one");
    assert_int_equal(a3m_send_until(req, test_msg("?"), SOON), A3M_OK);
    assert_int_equal(a3m_recv_until(rep, &request, SOON), A3M_OK);
    assert_int_equal(a3m_reply(other, request, reply, SOON), A3M_ESTATE);
    assert_int_equal(a3m_reply(rep, request, reply, SOON), A3M_OK);
    a3m_msg_free(request);
    test_expect(req, "!");
    test_close(node);
}

static bool child_lives(a3m_node parents)
{
    a3m_node node;
    a3m_socket pull, push;
    a3m_link link;
    a3m_msg *msg;
    return a3m_node_new(&node, "child", "udp://127.0.0.1:0", NULL) == A3M_OK &&
           a3m_node_start(node) == A3M_OK && a3m_socket_open(&pull, node, &a3m_pull, "sink") == A3M_OK &&
           a3m_socket_open(&push, node, &a3m_push, NULL) == A3M_OK &&
           a3m_socket_link(push, "child/sink", &link) == A3M_OK &&
           a3m_send_bytes(push, "m", 1, SOON) == A3M_OK && a3m_recv_until(pull, &msg, SOON) == A3M_OK &&
           a3m_node_start(parents) == A3M_EFORKED && a3m_node_close(node, SOON, NULL) == A3M_OK;
}

static void test_fork_child_makes_nodes_of_its_own(void **arg)
{
    (void)arg;
#if defined(__SANITIZE_THREAD__) || defined(A3M_TSAN)
    skip(); /* ThreadSanitizer lets no child of a process with threads make threads */
#endif
    a3m_node node = test_node("parent");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(child_lives(node) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    test_close(node);
}

/* Whether a port can be had again while a child lives that was forked when a node was bound to it. */
static bool port_is_free(void)
{
    char address[A3M_LINK_ADDRESS_SIZE];
    int hold[2], status;
    a3m_node node = test_node("parent");
    assert_int_equal(a3m_node_address(node, address, sizeof(address)), A3M_OK);
    assert_int_equal(pipe(hold), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char byte;
        (void)close(hold[1]);
        _exit(read(hold[0], &byte, 1) == 0 ? 0 : 1); /* lives until the parent lets go */
    }
    (void)close(hold[0]);
    test_close(node);
    bool is_free = a3m_node_new(&node, "again", address, NULL) == A3M_OK;
    if (is_free) {
        test_close(node);
    }
    (void)close(hold[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return is_free;
}

/* The child holds no descriptor of the parent's node. Another process may take the port meanwhile, but not each time. */
static void test_fork_port_is_free_when_the_parent_closes(void **arg)
{
    (void)arg;
    bool is_free = false;
    for (int i = 0; i < 5 && !is_free; i++) {
        is_free = port_is_free();
    }
    assert_true(is_free);
}

/* Closing without a deadline must not wait for a peer that never was. */
static void test_close_for_ever_peer_that_never_was_returns(void **arg)
{
    (void)arg;
    a3m_link link;
    a3m_close_report report = {.size = sizeof(report)};
    a3m_node nowhere = test_node("nowhere");
    const char *url = test_url(nowhere, "sink");
    test_close(nowhere);
    a3m_node node = test_node("node");
    a3m_socket push = test_socket(node, &a3m_push, NULL);
    assert_int_equal(a3m_socket_link(push, url, &link), A3M_OK);
    assert_int_equal(a3m_socket_link(push, "unknown/sink", &link), A3M_OK);
    assert_int_equal(a3m_socket_link(push, "node/none", &link), A3M_OK);
    assert_int_equal(a3m_node_close(node, A3M_FOREVER, &report), A3M_OK);
    assert_int_equal(report.links_unfinished, 0);
}

/* Calls leave while the node closes: the last one wakes who closes, who then frees what the wake needs. */
static int get_info(void *arg)
{
    a3m_link link = *(const a3m_link *)arg;
    a3m_link_info info = {.size = sizeof(info)};
    int result;
    while ((result = a3m_link_get_info(link, &info)) == A3M_OK) {}
    return result;
}

static void test_close_calls_leave_as_the_node_goes(void **arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        struct caller callers[2];
        a3m_node node = test_node("node");
        test_socket(node, &a3m_pull, "sink");
        a3m_link link = test_link(test_socket(node, &a3m_push, NULL), "node/sink");
        for (int c = 0; c < 2; c++) {
            caller_start(&callers[c], get_info, &link);
        }
        test_close(node);
        for (int c = 0; c < 2; c++) {
            assert_int_equal(caller_join(&callers[c]), A3M_EHANDLE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait_or_none_link_to_a_silent_peer_is_cancelled_returns),
        cmocka_unit_test(test_wait_or_none_silent_peer_and_no_attempts_left_returns),
        cmocka_unit_test(test_send_wake_spent_on_a_message_too_large_goes_on),
        cmocka_unit_test(test_send_too_large_says_so_without_credit),
        cmocka_unit_test(test_reply_request_of_another_socket_is_told),
        cmocka_unit_test(test_fork_child_makes_nodes_of_its_own),
        cmocka_unit_test(test_fork_port_is_free_when_the_parent_closes),
        cmocka_unit_test(test_close_for_ever_peer_that_never_was_returns),
        cmocka_unit_test(test_close_calls_leave_as_the_node_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
