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

#include "node_fixture.h"
#include "node_turns.h"

struct world {
    a3m_node a, b;
    struct a3mi_node *in_a, *in_b;
    a3m_socket push;
    a3m_socket pulls[2];
    a3m_link links[2];
    int64_t now;
};

static void turn(struct world *world, struct a3mi_node *node)
{
    (void)node_turn_all(node, world->now);
}

static void settle(struct world *world)
{
    for (int i = 0; i < 40; i++) {
        if (world->in_b != NULL) {
            turn(world, world->in_b);
        }
        turn(world, world->in_a);
        world->now += 1000000;
    }
}

/* A's socket with a link to each of two sockets of B. */
static void make(struct world *world)
{
    *world = (struct world){.now = INT64_C(1000000000)};
    world->a = test_node_idle("a", "inproc://drain-a");
    world->b = test_node_idle("b", "inproc://drain-b");
    world->in_a = node_inside(world->a);
    world->in_b = node_inside(world->b);
    world->push = test_socket(world->a, &a3m_push, "push");
    for (int i = 0; i < 2; i++) {
        char url[64], tag[16];
        (void)snprintf(tag, sizeof(tag), "p%d", i);
        (void)snprintf(url, sizeof(url), "inproc://drain-b/%s", tag);
        world->pulls[i] = test_socket(world->b, &a3m_pull, tag);
        assert_int_equal(a3m_socket_link(world->push, url, &world->links[i]), A3M_OK);
    }
    settle(world);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(a3m_link_wait(world->links[i], A3M_NOW), A3M_OK);
    }
}

static void end(struct world *world)
{
    (void)a3m_node_close(world->a, A3M_NOW, NULL);
    (void)a3m_node_close(world->b, A3M_NOW, NULL);
}

static void close_b(struct world *world)
{
    world->in_b = NULL;
    (void)a3m_node_close(world->b, A3M_NOW, NULL);
}

static void send_one(struct world *world)
{
    assert_int_equal(a3m_send_bytes(world->push, "m", 1, A3M_NOW), A3M_OK);
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
static void start(struct drainer *self, struct world *world, size_t links)
{
    *self = (struct drainer){.socket = world->push};
    assert_int_equal(pthread_create(&self->thread, NULL, drain, self), 0);
    while (marks(world->in_a) < links) {
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
    struct world world;
    make(&world);
    assert_int_equal(a3m_socket_drain(world.push, A3M_NOW), A3M_OK);
    end(&world);
}

static void test_drain_not_acknowledged_says_how_many(void **arg)
{
    (void)arg;
    struct world world;
    make(&world);
    for (int i = 0; i < 5; i++) {
        send_one(&world);
    }
    assert_int_equal(a3m_socket_drain(world.push, A3M_NOW), A3M_ETIMEDOUT);
    assert_string_equal(a3m_error_detail(), "5 messages are not acknowledged yet");
    settle(&world);
    assert_int_equal(a3m_socket_drain(world.push, A3M_NOW), A3M_OK);
    end(&world);
}

static void test_drain_waits_for_every_link_and_not_for_what_is_sent_later(void **arg)
{
    (void)arg;
    struct world world;
    struct drainer first;
    make(&world);
    send_one(&world);
    send_one(&world); /* one on each link */
    start(&first, &world, 2);
    for (int i = 0; i < 100; i++) {
        send_one(&world); /* not its business */
    }
    settle(&world);
    join(&first);
    assert_int_equal(first.result, A3M_OK);
    end(&world);
}

static void test_drain_link_ends_what_was_given_up_is_told(void **arg)
{
    (void)arg;
    struct world world;
    struct drainer drainer;
    a3m_close_report report = {.size = sizeof(report)};
    make(&world);
    for (int i = 0; i < 6; i++) {
        send_one(&world);
    }
    start(&drainer, &world, 2);
    close_b(&world); /* it has received nothing yet */
    settle(&world);
    join(&drainer);
    assert_true(drainer.result == A3M_ERESTARTED || drainer.result == A3M_ECLOSED);
    assert_string_equal(drainer.detail, "6 messages were given up with their link");
    assert_int_equal(a3m_socket_drain(world.push, A3M_NOW), A3M_OK); /* told once */
    (void)a3m_node_close(world.a, A3M_NOW, &report);
    assert_int_equal(report.undelivered + report.unknown, 6);
}

static void test_drain_link_ended_before_the_call_what_was_given_up_is_told(void **arg)
{
    (void)arg;
    struct world world;
    make(&world);
    for (int i = 0; i < 6; i++) {
        send_one(&world);
    }
    close_b(&world); /* it has received nothing yet */
    settle(&world);
    int result = a3m_socket_drain(world.push, A3M_NOW);
    assert_true(result == A3M_ERESTARTED || result == A3M_ECLOSED);
    assert_string_equal(a3m_error_detail(), "6 messages were given up with their link");
    assert_int_equal(a3m_socket_drain(world.push, A3M_NOW), A3M_OK); /* told once */
    (void)a3m_node_close(world.a, A3M_NOW, NULL);
}

static void test_drain_all_was_acknowledged_a_link_that_ends_then_is_no_loss(void **arg)
{
    (void)arg;
    struct world world;
    struct drainer drainer;
    make(&world);
    send_one(&world);
    send_one(&world);
    start(&drainer, &world, 2);
    settle(&world);
    send_one(&world); /* sent later, and lost */
    close_b(&world);
    settle(&world);
    join(&drainer);
    assert_int_equal(drainer.result, A3M_OK);
    (void)a3m_node_close(world.a, A3M_NOW, NULL);
}

static void test_drain_socket_closes_it_returns(void **arg)
{
    (void)arg;
    struct world world;
    struct drainer drainer;
    make(&world);
    send_one(&world);
    start(&drainer, &world, 1);
    assert_int_equal(a3m_socket_close(world.push), A3M_OK);
    join(&drainer);
    assert_int_equal(drainer.result, A3M_ECLOSED);
    end(&world);
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
