/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who wants a link: one that this end asked for as well as the peer is asked for again when it is lost; one that was
 * given up before it was asked for is not asked for. Nodes that are never started; this test runs their turns.
 * covers L11
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node_fixture.h"
#include "node_turns.h"

struct world {
    a3m_node a, b;
    struct a3mi_node *in_a, *in_b;
    a3m_socket push, pull;
    int64_t now;
};

static void make(struct world *world)
{
    *world = (struct world){.now = INT64_C(1000000000)};
    world->a = test_node_idle("a", "inproc://wanted-a");
    world->b = test_node_idle("b", "inproc://wanted-b");
    world->in_a = node_inside(world->a);
    world->in_b = node_inside(world->b);
    world->push = test_socket(world->a, &a3m_push, "push");
    world->pull = test_socket(world->b, &a3m_pull, "pull");
}

static void settle(struct world *world)
{
    for (int i = 0; i < 60; i++) {
        (void)node_turn_all(world->in_b, world->now);
        (void)node_turn_all(world->in_a, world->now);
        world->now += 1000000;
    }
}

static void end(struct world *world)
{
    (void)a3m_node_close(world->a, A3M_NOW, NULL);
    (void)a3m_node_close(world->b, A3M_NOW, NULL);
}

/* B's alone, and up. */
static a3m_link asked_by_peer(struct world *world)
{
    a3m_link link;
    make(world);
    assert_int_equal(a3m_socket_link(world->pull, "inproc://wanted-a/push", NULL), A3M_OK);
    settle(world);
    assert_int_equal(a3m_socket_wait_link(world->push, &link, A3M_NOW), A3M_OK);
    return link;
}

static struct a3mi_link *only_link(struct a3mi_node *node)
{
    size_t it = 0;
    uint64_t number;
    void *value = NULL;
    assert_true(a3mi_map64_next(&node->links, &it, &number, &value));
    assert_int_equal(a3mi_map64_count(&node->links), 1);
    return value;
}

/* B is lost to A, without a word. */
static void lose(struct world *world)
{
    const struct a3mi_link *link = only_link(world->in_a);
    struct a3mi_turn turn = {.now = world->now};
    a3mi_wakes_init(&turn.wakes);
    world->in_a->turn = &turn;
    a3mi_link_on_peer_ended(world->in_a, link->peer, link->incarnation, A3MI_PEER_SILENT, world->now);
    world->in_a->turn = NULL;
    (void)a3mi_wakes_run(&turn.wakes);
}

static void test_link_that_only_the_peer_asked_for_goes_with_it(void **arg)
{
    (void)arg;
    struct world world;
    a3m_link link = asked_by_peer(&world);
    a3m_link_info info = {.size = sizeof(info)};
    assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
    assert_true(info.incoming);
    assert_int_equal(*a3mi_peer_tally(only_link(world.in_a)->peer), 1);
    lose(&world);
    assert_int_equal(a3m_link_get_info(link, &info), A3M_EHANDLE);
    end(&world);
}

static void test_link_that_this_end_asks_for_too_is_asked_for_again(void **arg)
{
    (void)arg;
    for (int seen = 0; seen < 2; seen++) {
        struct world world;
        a3m_link link = asked_by_peer(&world);
        a3m_link same;
        a3m_link_info info = {.size = sizeof(info)};
        assert_int_equal(a3m_socket_link(world.push, "b/pull", &same), A3M_EEXIST);
        assert_int_equal(same.v, link.v);
        assert_int_equal(a3m_socket_link(world.push, "b/pull", &same), A3M_EEXIST);
        assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
        assert_false(info.incoming);
        if (seen != 0) { /* else the engine does not know of it when it loses the peer */
            settle(&world);
            assert_int_equal(*a3mi_peer_tally(only_link(world.in_a)->peer),
                             0); /* not one of the peer's any more */
        }
        lose(&world);
        assert_int_equal(*a3mi_peer_tally(only_link(world.in_a)->peer), 0);
        assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
        assert_int_equal(info.state, A3M_LINK_RETRYING);
        world.now += INT64_C(10000000000);
        settle(&world);
        assert_int_equal(a3m_link_wait(link, A3M_NOW), A3M_OK);
        end(&world);
    }
}

/* Its end is behind it in the outbox: the peer hears of neither. */
static void test_link_given_up_before_it_was_asked_for_is_not_asked_for(void **arg)
{
    (void)arg;
    struct world world;
    a3m_link link;
    a3m_link_info info = {.size = sizeof(info)};
    make(&world);
    assert_int_equal(a3m_socket_link(world.push, "inproc://wanted-b/pull", &link), A3M_OK);
    assert_int_equal(a3m_link_end(link), A3M_OK);
    settle(&world);
    assert_int_equal(a3m_link_get_info(link, &info), A3M_EHANDLE);
    assert_int_equal(test_stats(world.b).rx_packets, 0);
    assert_int_equal(a3m_socket_link(world.push, "inproc://wanted-b/pull", &link), A3M_OK);
    assert_int_equal(a3m_socket_close(world.push), A3M_OK); /* likewise */
    settle(&world);
    assert_int_equal(test_stats(world.b).rx_packets, 0);
    assert_int_equal(a3mi_map64_count(&world.in_a->links), 0);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_that_only_the_peer_asked_for_goes_with_it),
        cmocka_unit_test(test_link_that_this_end_asks_for_too_is_asked_for_again),
        cmocka_unit_test(test_link_given_up_before_it_was_asked_for_is_not_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
