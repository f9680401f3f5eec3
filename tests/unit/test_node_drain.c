/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draining: of the messages sent before, of each link for itself, and what it
 * says when some were given up. Two nodes that are never started; this test runs
 * their turns, and decides what arrives. covers S2 X1 L11
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node_pair.h"

/* A's socket has a link to each of two sockets of B. */
static void make(struct node_pair *pair)
{
    a3m_link link;
    node_pair_make_linked(pair);
    (void)test_socket(pair->b, &a3m_pull, "other");
    assert_int_equal(a3m_socket_link(pair->push, NODE_PAIR_B "/other", &link), A3M_OK);
    node_pair_settle(pair);
    assert_int_equal(a3m_link_wait(link, A3M_NOW), A3M_OK);
}

static void send_one(struct node_pair *pair)
{
    assert_int_equal(a3m_send_bytes(pair->push, "m", 1, A3M_NOW), A3M_OK);
}

struct drainer {
    pthread_t thread;
    a3m_socket socket;
    int result;
    char detail[256];
};

static void *drain(void *arg)
{
    struct drainer *self = arg;
    self->result = a3m_socket_drain(self->socket, SOON);
    (void)snprintf(self->detail, sizeof(self->detail), "%s", a3m_error_detail());
    return NULL;
}

static size_t marks(struct a3mi_node *node)
{
    size_t it = 0, n = 0;
    uint64_t number;
    void *value;
    while (a3mi_map64_next(&node->links, &it, &number, &value)) {
        struct a3mi_link *link = value;
        a3mi_socket_lock(link->socket);
        n += !a3mi_list_empty(&link->drains);
        a3mi_socket_unlock(link->socket);
    }
    return n;
}

/* Starts a drain and waits until it has marked `links` links. */
static void start(struct drainer *self, struct node_pair *pair, size_t links)
{
    *self = (struct drainer){.socket = pair->push};
    assert_int_equal(pthread_create(&self->thread, NULL, drain, self), 0);
    while (marks(pair->in_a) < links) {
        (void)sched_yield();
    }
}

static void join(struct drainer *self)
{
    assert_int_equal(pthread_join(self->thread, NULL), 0);
}

static void test_drain_nothing_sent_returns_at_once(void **arg)
{
    (void)arg;
    struct node_pair pair;
    make(&pair);
    assert_int_equal(a3m_socket_drain(pair.push, A3M_NOW), A3M_OK);
    node_pair_end(&pair);
}

static void test_drain_not_acknowledged_says_how_many(void **arg)
{
    (void)arg;
    struct node_pair pair;
    make(&pair);
    for (int i = 0; i < 5; i++) {
        send_one(&pair);
    }
    assert_int_equal(a3m_socket_drain(pair.push, A3M_NOW), A3M_ETIMEDOUT);
    assert_string_equal(a3m_error_detail(), "5 messages are not acknowledged yet");
    node_pair_settle(&pair);
    assert_int_equal(a3m_socket_drain(pair.push, A3M_NOW), A3M_OK);
    node_pair_end(&pair);
}

static void test_drain_waits_for_every_link_and_not_for_what_is_sent_later(void **arg)
{
    (void)arg;
    struct node_pair pair;
    struct drainer first;
    make(&pair);
    send_one(&pair);
    send_one(&pair); /* one on each link */
    start(&first, &pair, 2);
    for (int i = 0; i < 100; i++) {
        send_one(&pair); /* not its business */
    }
    node_pair_settle(&pair);
    join(&first);
    assert_int_equal(first.result, A3M_OK);
    node_pair_end(&pair);
}

static void test_drain_link_ends_what_was_given_up_is_told(void **arg)
{
    (void)arg;
    struct node_pair pair;
    struct drainer drainer;
    a3m_close_report report = {.size = sizeof(report)};
    make(&pair);
    for (int i = 0; i < 6; i++) {
        send_one(&pair);
    }
    start(&drainer, &pair, 2);
    node_pair_close_b(&pair); /* it has received nothing yet */
    node_pair_settle(&pair);
    join(&drainer);
    assert_true(drainer.result == A3M_ERESTARTED || drainer.result == A3M_ECLOSED);
    assert_string_equal(drainer.detail, "6 messages were given up with their link");
    assert_int_equal(a3m_socket_drain(pair.push, A3M_NOW), A3M_OK); /* told once */
    (void)a3m_node_close(pair.a, A3M_NOW, &report);
    assert_int_equal(report.undelivered + report.unknown, 6);
}

static void test_drain_link_ended_before_the_call_what_was_given_up_is_told(void **arg)
{
    (void)arg;
    struct node_pair pair;
    make(&pair);
    for (int i = 0; i < 6; i++) {
        send_one(&pair);
    }
    node_pair_close_b(&pair); /* it has received nothing yet */
    node_pair_settle(&pair);
    int result = a3m_socket_drain(pair.push, A3M_NOW);
    assert_true(result == A3M_ERESTARTED || result == A3M_ECLOSED);
    assert_string_equal(a3m_error_detail(), "6 messages were given up with their link");
    assert_int_equal(a3m_socket_drain(pair.push, A3M_NOW), A3M_OK); /* told once */
    node_pair_end(&pair);
}

static void test_drain_all_was_acknowledged_a_link_that_ends_then_is_no_loss(void **arg)
{
    (void)arg;
    struct node_pair pair;
    struct drainer drainer;
    make(&pair);
    send_one(&pair);
    send_one(&pair);
    start(&drainer, &pair, 2);
    node_pair_settle(&pair);
    send_one(&pair); /* sent later, and lost */
    node_pair_close_b(&pair);
    node_pair_settle(&pair);
    join(&drainer);
    assert_int_equal(drainer.result, A3M_OK);
    node_pair_end(&pair);
}

static void test_drain_socket_closes_it_returns(void **arg)
{
    (void)arg;
    struct node_pair pair;
    struct drainer drainer;
    make(&pair);
    send_one(&pair);
    start(&drainer, &pair, 1);
    assert_int_equal(a3m_socket_close(pair.push), A3M_OK);
    join(&drainer);
    assert_int_equal(drainer.result, A3M_ECLOSED);
    node_pair_end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drain_nothing_sent_returns_at_once),
        cmocka_unit_test(test_drain_not_acknowledged_says_how_many),
        cmocka_unit_test(test_drain_waits_for_every_link_and_not_for_what_is_sent_later),
        cmocka_unit_test(test_drain_link_ends_what_was_given_up_is_told),
        cmocka_unit_test(test_drain_link_ended_before_the_call_what_was_given_up_is_told),
        cmocka_unit_test(test_drain_all_was_acknowledged_a_link_that_ends_then_is_no_loss),
        cmocka_unit_test(test_drain_socket_closes_it_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
