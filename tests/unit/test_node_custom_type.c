/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Socket types of an application's own, on the public headers alone: PAIR (pair_type.h), and SIEVE, which takes
 * even numbers, and lets the base drop the odd ones. covers S4 L7 L9 L14 F2
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "caller.h"
#include "node_fixture.h"
#include "pair_type.h"

/* ---- SIEVE ------------------------------------------------------------------------- */

static a3m_arrival sieve_arrived(a3m_base *base, void *state, a3m_msg *msg)
{
    uint32_t number;
    (void)base;
    (void)state;
    memcpy(&number, a3m_msg_data(msg), sizeof(number));
    return number % 2 == 0 ? A3M_ARRIVAL_QUEUE : A3M_ARRIVAL_DROP;
}

static int sieve_recv(a3m_base *base, void *state, a3m_msg **msg, a3m_time deadline)
{
    (void)state;
    return a3m_base_recv(base, msg, deadline);
}

static const char *const sieve_peers[] = {"PUSH", NULL};

/* It calls itself PULL, so that a PUSH takes it for one. */
static const a3m_socket_type sieve_type = {
    .size = sizeof(sieve_type),
    .name = "PULL",
    .peers = sieve_peers,
    .arrived = sieve_arrived,
    .recv = sieve_recv,
};

/* ---- Two linked PAIRs ----------------------------------------------------------------- */

struct ends {
    a3m_node nodes[2];
    a3m_socket sockets[2];
    a3m_link link; /* at the first */
    struct history histories[2];
};

static void make_ends(struct ends *ends, int64_t credit)
{
    static const char *const names[] = {"left", "right"};
    *ends = (struct ends){0};
    for (int i = 0; i < 2; i++) {
        ends->nodes[i] = test_node(names[i]);
        next_history = &ends->histories[i];
        ends->sockets[i] = test_socket(ends->nodes[i], &pair_type, "end");
        assert_int_equal(a3m_socket_set(ends->sockets[i], A3M_OPT_CREDIT_MESSAGES, credit), A3M_OK);
    }
    ends->link = test_link(ends->sockets[0], test_url(ends->nodes[1], "end"));
    assert_int_equal(a3m_socket_wait_link(ends->sockets[1], NULL, SOON), A3M_OK);
}

static void close_ends(struct ends *ends)
{
    for (int i = 0; i < 2; i++) {
        test_close(ends->nodes[i]);
        assert_int_equal(ends->histories[i].closings, 1);
        assert_int_equal(ends->histories[i].finis, 1);
    }
}

static void test_pair_both_ways_in_order(void **arg)
{
    (void)arg;
    char text[16];
    struct ends ends;
    make_ends(&ends, 8);
    for (int i = 0; i < 500; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        for (int to = 0; to < 2; to++) {
            assert_int_equal(a3m_send_until(ends.sockets[1 - to], test_msg(text), SOON), A3M_OK);
        }
        for (int to = 0; to < 2; to++) {
            test_expect(ends.sockets[to], text);
        }
    }
    close_ends(&ends);
}

static void test_pair_range_counts_for_the_link(void **arg)
{
    (void)arg;
    a3m_link_info info = {.size = sizeof(info)};
    struct ends ends;
    make_ends(&ends, 8);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(a3m_send_until(ends.sockets[1], test_msg("m"), SOON), A3M_OK);
    }
    assert_int_equal(a3m_socket_drain(ends.sockets[1], SOON), A3M_OK);
    assert_int_equal(pair_waiting(ends.sockets[0]), 5);
    test_expect(ends.sockets[0], "m");
    assert_int_equal(a3m_link_get_info(ends.link, &info), A3M_OK);
    assert_int_equal(info.received, 5);
    assert_int_equal(info.taken, 1);
    close_ends(&ends); /* fini frees the rest */
}

static int push_one(void *arg)
{
    const struct ends *ends = arg;
    a3m_msg *msg = a3m_msg_copy("m", 1);
    int result = a3m_send(ends->sockets[0], msg);
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

/* Uses up the credit of the second end, and has one more sent by a caller that waits. */
static void block_sender(struct ends *ends, struct caller *caller, int credit)
{
    a3m_msg *msg = test_msg("m");
    make_ends(ends, credit);
    for (int i = 0; i < credit; i++) {
        assert_int_equal(a3m_send_until(ends->sockets[0], a3m_msg_dup(msg), SOON), A3M_OK);
    }
    assert_int_equal(a3m_try_send(ends->sockets[0], msg), A3M_ENOCREDIT);
    a3m_msg_free(msg);
    assert_int_equal(a3m_socket_drain(ends->sockets[0], SOON), A3M_OK);
    caller_start(caller, push_one, ends);
    caller_await_sleep(caller);
}

/* The receiver takes a message and makes no further call: the credit goes out all the same. */
static void test_pair_taken_returns_its_credit_at_once(void **arg)
{
    (void)arg;
    struct ends ends;
    struct caller caller;
    block_sender(&ends, &caller, 4);
    test_expect(ends.sockets[1], "m");
    a3m_time deadline = a3m_in(a3m_seconds(5));
    while (!caller_returned(&caller) && a3m_now().ns < deadline.ns) {
        (void)a3m_socket_wait_link(ends.sockets[0], NULL, A3M_NOW);
    }
    bool at_once = caller_returned(&caller);
    close_ends(&ends);
    assert_int_equal(caller_join(&caller), at_once ? A3M_OK : A3M_ECLOSED);
    assert_true(at_once);
}

static void test_pair_link_ended_who_waits_for_its_credit_is_told(void **arg)
{
    (void)arg;
    struct ends ends;
    struct caller caller;
    block_sender(&ends, &caller, 4);
    assert_int_equal(a3m_socket_close(ends.sockets[1]), A3M_OK);
    assert_int_equal(caller_join(&caller), A3M_ELINKDOWN);
    assert_int_equal(push_one(&ends), A3M_ENOLINK); /* it asks for "or none" */
    close_ends(&ends);
}

static int pull_one(void *arg)
{
    a3m_msg *msg;
    int result = a3m_recv(*(const a3m_socket *)arg, &msg);
    if (result == A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

static void test_pair_own_condition_wakes_each_waiter_for_a_message(void **arg)
{
    (void)arg;
    enum { N = 4 };
    struct caller callers[N];
    struct ends ends;
    make_ends(&ends, 8);
    for (int i = 0; i < N; i++) {
        caller_start(&callers[i], pull_one, &ends.sockets[1]);
    }
    for (int i = 0; i < N; i++) {
        caller_await_sleep(&callers[i]);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(push_one(&ends), A3M_OK);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(caller_join(&callers[i]), A3M_OK);
    }
    assert_int_equal(pair_waiting(ends.sockets[1]), 0);
    close_ends(&ends);
}

static void test_pair_own_condition_deadline_and_close(void **arg)
{
    (void)arg;
    struct caller caller;
    struct ends ends;
    a3m_msg *msg;
    make_ends(&ends, 8);
    assert_int_equal(a3m_try_recv(ends.sockets[1], &msg), A3M_ETIMEDOUT);
    assert_int_equal(a3m_recv_until(ends.sockets[1], &msg, a3m_in(a3m_ms(20))), A3M_ETIMEDOUT);
    caller_start(&caller, pull_one, &ends.sockets[1]);
    caller_await_sleep(&caller);
    assert_int_equal(a3m_socket_close(ends.sockets[1]), A3M_OK);
    assert_int_equal(caller_join(&caller), A3M_ECLOSED);
    close_ends(&ends);
}

/* ---- Links --------------------------------------------------------------------------------- */

static void test_pair_link_ended_both_hear_up_and_down_once(void **arg)
{
    (void)arg;
    struct ends ends;
    make_ends(&ends, 8);
    assert_int_equal(ends.histories[0].ups, 1);
    assert_int_equal(ends.histories[0].up.v, ends.link.v);
    assert_int_equal(ends.histories[1].ups, 1);
    assert_int_equal(ends.histories[0].downs + ends.histories[1].downs, 0);
    assert_int_equal(a3m_link_end(ends.link), A3M_OK);
    close_ends(&ends);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ends.histories[i].ups, 1);
        assert_int_equal(ends.histories[i].downs, 1);
        assert_int_equal(ends.histories[i].down.v, ends.histories[i].up.v);
        assert_int_equal(ends.histories[i].reason, A3M_ECANCELED);
    }
}

static void test_pair_peer_closed_link_down_says_so(void **arg)
{
    (void)arg;
    struct ends ends;
    make_ends(&ends, 8);
    test_close(ends.nodes[1]);
    test_close(ends.nodes[0]);
    assert_int_equal(ends.histories[0].downs, 1);
    assert_int_equal(ends.histories[0].reason, A3M_ECLOSED);
    assert_int_equal(ends.histories[1].downs, 1);
}

static void test_pair_linked_again_hears_up_again(void **arg)
{
    (void)arg;
    struct ends ends;
    make_ends(&ends, 8);
    for (unsigned i = 2; i <= 5; i++) {
        assert_int_equal(a3m_link_end(ends.link), A3M_OK);
        ends.link = test_link(ends.sockets[0], test_url(ends.nodes[1], "end"));
        assert_int_equal(push_one(&ends), A3M_OK);
        test_expect(ends.sockets[1], "m");
    }
    close_ends(&ends);
    assert_int_equal(ends.histories[0].ups, 5);
    assert_int_equal(ends.histories[0].downs, 5);
    assert_int_equal(ends.histories[1].ups, 5);
    assert_int_equal(ends.histories[1].downs, 5);
}

static void expect_incompatible(const a3m_socket_type *asker, const a3m_socket_type *asked)
{
    struct history histories[2] = {0};
    a3m_link link;
    next_history = &histories[0];
    a3m_node left = test_node("left");
    a3m_node right = test_node("right");
    a3m_socket socket = test_socket(left, asker, NULL);
    test_socket(right, asked, "x");
    assert_int_equal(a3m_socket_link(socket, test_url(right, "x"), &link), A3M_OK);
    assert_int_equal(a3m_link_wait(link, SOON), A3M_EINCOMPATIBLE);
    assert_int_equal(a3m_socket_links(socket, NULL, 0), 1); /* it stays, to be asked why */
    test_close(left);
    test_close(right);
    assert_int_equal(histories[0].ups, 0);
}

static void test_pair_with_builtin_types_incompatible(void **arg)
{
    (void)arg;
    expect_incompatible(&a3m_req, &pair_type);
    expect_incompatible(&pair_type, &a3m_req);
    expect_incompatible(&pair_type, &a3m_pull);
    expect_incompatible(&a3m_pull, &sieve_type);
}

/* ---- Dropping ------------------------------------------------------------------------------- */

static int send_numbers(void *arg)
{
    a3m_socket push = *(const a3m_socket *)arg;
    int result = A3M_OK;
    for (uint32_t i = 0; i < 1000 && result == A3M_OK; i++) {
        result = a3m_send_bytes(push, &i, sizeof(i), SOON);
    }
    return result;
}

static void test_sieve_dropped_messages_return_their_credit(void **arg)
{
    (void)arg;
    struct caller caller;
    a3m_node from = test_node("from");
    a3m_node to = test_node("to");
    a3m_socket sieve = test_socket(to, &sieve_type, "sink");
    a3m_socket push = test_socket(from, &a3m_push, NULL);
    assert_int_equal(a3m_socket_set(sieve, A3M_OPT_CREDIT_MESSAGES, 4), A3M_OK);
    test_link(push, test_url(to, "sink"));
    caller_start(&caller, send_numbers, &push);
    for (uint32_t expected = 0; expected < 1000; expected += 2) {
        uint32_t number;
        a3m_msg *msg;
        assert_int_equal(a3m_recv_until(sieve, &msg, SOON), A3M_OK);
        memcpy(&number, a3m_msg_data(msg), sizeof(number));
        assert_int_equal(number, expected);
        a3m_msg_free(msg);
    }
    assert_int_equal(caller_join(&caller), A3M_OK);
    test_close(from);
    test_close(to);
}

/* Nobody receives: what is dropped must not wait for anybody to take it. */
static void test_sieve_all_dropped_sender_never_waits_for_long(void **arg)
{
    (void)arg;
    static const uint32_t odd = 1;
    a3m_node from = test_node("from");
    a3m_node to = test_node("to");
    a3m_socket sieve = test_socket(to, &sieve_type, "sink");
    a3m_socket push = test_socket(from, &a3m_push, NULL);
    assert_int_equal(a3m_socket_set(sieve, A3M_OPT_CREDIT_MESSAGES, 2), A3M_OK);
    test_link(push, test_url(to, "sink"));
    for (int i = 0; i < 300; i++) {
        assert_int_equal(a3m_send_bytes(push, &odd, sizeof(odd), SOON), A3M_OK);
    }
    test_close(from);
    test_close(to);
}

/* ---- What a type may leave out or get wrong ---------------------------------------------------- */

static void test_type_without_send_and_recv_not_supported(void **arg)
{
    (void)arg;
    static const a3m_socket_type mute = {.size = sizeof(mute), .name = "MUTE"};
    a3m_node node = test_node("node");
    a3m_socket socket = test_socket(node, &mute, NULL);
    a3m_msg *msg = test_msg("m");
    assert_int_equal(a3m_send_until(socket, msg, A3M_FOREVER), A3M_ENOTSUP);
    assert_int_equal(a3m_send_many(socket, &msg, 1, A3M_FOREVER), A3M_ENOTSUP);
    a3m_msg_free(msg);
    assert_int_equal(a3m_recv(socket, &msg), A3M_ENOTSUP);
    assert_int_equal(a3m_recv_many(socket, &msg, 1, A3M_FOREVER), A3M_ENOTSUP);
    test_close(node);
}

static void test_type_many_forms_made_of_the_single_ones(void **arg)
{
    (void)arg;
    a3m_msg *msgs[5];
    struct ends ends;
    make_ends(&ends, 8);
    for (int i = 0; i < 5; i++) {
        msgs[i] = test_msg("m");
    }
    assert_int_equal(a3m_send_many(ends.sockets[0], msgs, 5, SOON), 5);
    assert_int_equal(a3m_socket_drain(ends.sockets[0], SOON), A3M_OK);
    assert_int_equal(a3m_recv_many(ends.sockets[1], msgs, 5, SOON), 5);
    for (int i = 0; i < 5; i++) {
        test_msg_is(msgs[i], "m");
    }
    close_ends(&ends);
}

static void test_type_open_fails_socket_does_too(void **arg)
{
    (void)arg;
    struct history history = {0};
    a3m_socket socket;
    a3m_node node = test_node("node");
    next_history = &history;
    open_result = A3M_EACCES;
    assert_int_equal(a3m_socket_open(&socket, node, &pair_type, "end"), A3M_EACCES);
    open_result = A3M_OK;
    test_socket(node, &pair_type, "end"); /* the tag was not taken */
    assert_int_equal(a3m_socket_open(&socket, node, &pair_type, "end"), A3M_EEXIST);
    test_close(node);
    assert_int_equal(history.closings, 1);
    assert_int_equal(history.finis, 2); /* of the one that was opened for nothing, too */
}

static void test_type_malformed_refused(void **arg)
{
    (void)arg;
    a3m_socket_type type = pair_type;
    a3m_socket socket;
    a3m_node node = test_node("node");
    type.size--;
    assert_int_equal(a3m_socket_open(&socket, node, &type, NULL), A3M_EINVAL);
    type = pair_type;
    type.name = "A name of thirty-two bytes, yes.";
    assert_int_equal(a3m_socket_open(&socket, node, &type, NULL), A3M_EINVAL);
    type.name = "";
    assert_int_equal(a3m_socket_open(&socket, node, &type, NULL), A3M_EINVAL);
    assert_int_equal(a3m_socket_open(&socket, node, NULL, NULL), A3M_EINVAL);
    test_close(node);
}

static void test_enter_another_type_not_supported(void **arg)
{
    (void)arg;
    struct history history = {0};
    a3m_request request;
    a3m_node node = test_node("node");
    next_history = &history;
    a3m_socket pair = test_socket(node, &pair_type, NULL);
    a3m_socket pull = test_socket(node, &a3m_pull, NULL);
    assert_int_equal(pair_waiting(pull), A3M_ENOTSUP);
    a3m_msg *msg = test_msg("m");
    assert_int_equal(a3m_request_send(pair, msg, &request, A3M_FOREVER), A3M_ENOTSUP);
    a3m_msg_free(msg);
    assert_int_equal(pair_waiting(pair), 0);
    assert_int_equal(a3m_socket_close(pair), A3M_OK);
    assert_int_equal(pair_waiting(pair), A3M_EHANDLE);
    test_close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pair_both_ways_in_order),
        cmocka_unit_test(test_pair_range_counts_for_the_link),
        cmocka_unit_test(test_pair_taken_returns_its_credit_at_once),
        cmocka_unit_test(test_pair_link_ended_who_waits_for_its_credit_is_told),
        cmocka_unit_test(test_pair_own_condition_wakes_each_waiter_for_a_message),
        cmocka_unit_test(test_pair_own_condition_deadline_and_close),
        cmocka_unit_test(test_pair_link_ended_both_hear_up_and_down_once),
        cmocka_unit_test(test_pair_peer_closed_link_down_says_so),
        cmocka_unit_test(test_pair_linked_again_hears_up_again),
        cmocka_unit_test(test_pair_with_builtin_types_incompatible),
        cmocka_unit_test(test_sieve_dropped_messages_return_their_credit),
        cmocka_unit_test(test_sieve_all_dropped_sender_never_waits_for_long),
        cmocka_unit_test(test_type_without_send_and_recv_not_supported),
        cmocka_unit_test(test_type_many_forms_made_of_the_single_ones),
        cmocka_unit_test(test_type_open_fails_socket_does_too),
        cmocka_unit_test(test_type_malformed_refused),
        cmocka_unit_test(test_enter_another_type_not_supported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
