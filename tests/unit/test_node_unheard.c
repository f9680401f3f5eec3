/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that a node does not look at, as too many answers wait for their author already: the author is told,
 * and asks again. Nodes that are never started; this test runs their turns. covers L2 L7 L11 Y2
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/unheard.h"
#include "node_fixture.h"
#include "node_turns.h"

enum { LINKS = 5 };

struct world {
    a3m_node a, b;
    struct a3mi_node *in_a, *in_b;
    a3m_socket push;
    int64_t now;
};

static void settle(struct world *world)
{
    for (int i = 0; i < 400; i++) {
        if (world->in_b != NULL) {
            (void)node_turn_all(world->in_b, world->now);
        }
        (void)node_turn_all(world->in_a, world->now);
        world->now += 1000000;
    }
}

static a3m_link ask(struct world *world, int i)
{
    a3m_link link;
    char url[64];
    (void)snprintf(url, sizeof(url), "inproc://unheard-b/p%d", i);
    assert_int_equal(a3m_socket_link(world->push, url, &link), A3M_OK);
    return link;
}

/* Two nodes with one link, of a socket of A to socket p0 of B; B has p1 and so on as well. */
static void make(struct world *world)
{
    *world = (struct world){.now = INT64_C(1000000000)};
    world->a = test_node_idle("a", "inproc://unheard-a");
    world->b = test_node_idle("b", "inproc://unheard-b");
    world->in_a = node_inside(world->a);
    world->in_b = node_inside(world->b);
    world->push = test_socket(world->a, &a3m_push, "push");
    for (int i = 0; i < LINKS; i++) {
        char tag[16];
        (void)snprintf(tag, sizeof(tag), "p%d", i);
        (void)test_socket(world->b, &a3m_pull, tag);
    }
    a3m_link link = ask(world, 0);
    settle(world);
    assert_int_equal(a3m_link_wait(link, A3M_NOW), A3M_OK);
}

static void end(struct world *world)
{
    (void)a3m_node_close(world->a, A3M_NOW, NULL);
    if (world->in_b != NULL) {
        (void)a3m_node_close(world->b, A3M_NOW, NULL);
    }
}

/* One that is up. */
static struct a3mi_link *some_link(struct a3mi_node *node)
{
    size_t it = 0;
    uint64_t number;
    void *value = NULL;
    do {
        assert_true(a3mi_map64_next(&node->links, &it, &number, &value));
    } while (((struct a3mi_link *)value)->state != A3MI_LINK_UP);
    return value;
}

/* As many answers wait at B for A as may: of links that A does not know, so that they mean nothing to it. */
static void fill_with_answers(struct world *world)
{
    struct a3mi_link *link = some_link(world->in_b);
    struct a3mi_control answer = {.kind = A3MI_CONTROL_ENDED, .addressee_link = 999999};
    uint8_t bytes[A3MI_CONTROL_MAX];
    size_t size = a3mi_control_encode(&answer, bytes, sizeof(bytes));
    struct a3mi_turn turn = {.now = world->now};
    world->in_b->turn = &turn;
    for (unsigned i = 0; i < A3MI_REQUESTS_WAITING; i++) {
        assert_int_equal(
            a3mi_assoc_control(world->in_b->assoc, link->peer, link->incarnation, bytes, size, world->now),
            A3M_OK);
    }
    world->in_b->turn = NULL;
    assert_true(a3mi_peer_control_waiting(link->peer, link->incarnation) >= A3MI_REQUESTS_WAITING);
}

static a3m_link_info info_of(a3m_link link)
{
    a3m_link_info info = {.size = sizeof(info)};
    assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
    return info;
}

static void test_unheard_requests_are_made_again(void **arg)
{
    (void)arg;
    struct world world;
    a3m_link links[LINKS];
    make(&world);
    fill_with_answers(&world);
    for (int i = 1; i < LINKS; i++) {
        links[i] = ask(&world, i);
    }
    (void)node_turn_all(world.in_a, world.now);
    (void)node_turn(world.in_b, A3MI_TURN_RECEIVE, world.now);
    assert_int_equal(test_stats(world.b).requests_unanswered, LINKS - 1);
    for (int i = 1; i < LINKS; i++) {
        assert_int_equal(info_of(links[i]).state, A3M_LINK_REQUESTING);
    }
    settle(&world);
    for (int i = 1; i < LINKS; i++) {
        assert_int_equal(a3m_link_wait(links[i], A3M_NOW), A3M_OK);
    }
    assert_int_equal(test_stats(world.b).requests_unanswered, LINKS - 1);
    assert_true(a3mi_list_empty(&world.in_b->unheard));
    end(&world);
}

/* Given up meanwhile by its maker: there is nothing at the peer to be ended, and nothing to wait for. */
static void test_unheard_request_was_cancelled_meanwhile(void **arg)
{
    (void)arg;
    struct world world;
    make(&world);
    fill_with_answers(&world);
    a3m_link link = ask(&world, 1);
    a3m_link stays = ask(&world, 2);
    (void)node_turn_all(world.in_a, world.now);
    (void)node_turn(world.in_b, A3MI_TURN_RECEIVE, world.now);
    assert_int_equal(a3m_link_end(link), A3M_OK);
    settle(&world);
    assert_int_not_equal(a3m_link_wait(link, A3M_NOW), A3M_OK);
    assert_int_equal(a3m_link_wait(stays, A3M_NOW), A3M_OK);
    assert_int_equal(a3mi_map64_count(&world.in_a->links), 2);
    assert_int_equal(a3mi_map64_count(&world.in_b->links), 2);
    end(&world);
}

static void say_unheard(struct world *world, uint64_t first, uint64_t end)
{
    struct a3mi_link *link = some_link(world->in_a);
    const struct a3mi_control control = {
        .kind = A3MI_CONTROL_UNHEARD, .ranges = {{first, end}}, .range_count = 1};
    uint8_t bytes[A3MI_CONTROL_MAX];
    size_t size = a3mi_control_encode(&control, bytes, sizeof(bytes));
    struct a3mi_turn turn = {.now = world->now};
    world->in_a->turn = &turn;
    a3mi_link_on_control(world->in_a, link->peer, link->incarnation, bytes, size, world->now);
    world->in_a->turn = NULL;
}

/* Of requests never made, of all of them at once, again and again: once it is taken for what it says, and then for odd. */
static void test_unheard_said_of_anything(void **arg)
{
    (void)arg;
    struct world world;
    a3m_link links[LINKS];
    make(&world);
    for (int i = 1; i < LINKS; i++) {
        links[i] = ask(&world, i);
    }
    (void)node_turn(world.in_a, 0, world.now); /* made, and not heard yet */
    uint64_t last = world.in_a->next_number;
    say_unheard(&world, 0, last + 2);
    assert_int_equal(test_stats(world.a).bad_control, 1);
    assert_int_equal(info_of(links[1]).state, A3M_LINK_REQUESTING);
    say_unheard(&world, 0, last); /* all but the last one; the link that is up does not care */
    for (int i = 1; i < LINKS; i++) {
        assert_int_equal(info_of(links[i]).state, i < LINKS - 1 ? A3M_LINK_RETRYING : A3M_LINK_REQUESTING);
    }
    say_unheard(&world, 0, last + 1);
    say_unheard(&world, last - 1, last);
    assert_int_equal(test_stats(world.a).bad_control, 3);
    assert_int_equal(info_of(links[LINKS - 1]).state, A3M_LINK_REQUESTING);
    say_unheard(&world, last, last + 1);
    assert_int_equal(info_of(links[LINKS - 1]).state, A3M_LINK_RETRYING);
    for (int i = 0; i < 10; i++) {
        settle(&world);
    }
    for (int i = 1; i < LINKS; i++) {
        assert_int_equal(a3m_link_wait(links[i], A3M_NOW), A3M_OK);
    }
    end(&world);
}

/* What was noted of a peer goes with it, and with the node. */
static void test_unheard_peer_is_gone(void **arg)
{
    (void)arg;
    struct world world;
    for (int closes_first = 0; closes_first < 2; closes_first++) {
        make(&world);
        fill_with_answers(&world);
        (void)ask(&world, 1);
        (void)node_turn_all(world.in_a, world.now);
        (void)node_turn(world.in_b, A3MI_TURN_RECEIVE, world.now);
        assert_false(a3mi_list_empty(&world.in_b->unheard));
        if (closes_first != 0) {
            (void)a3m_node_close(world.a, A3M_NOW, NULL);
            (void)node_turn_all(world.in_b, world.now);
            assert_true(a3mi_list_empty(&world.in_b->unheard));
            (void)a3m_node_close(world.b, A3M_NOW, NULL);
        } else {
            (void)a3m_node_close(world.b, A3M_NOW, NULL);
            (void)a3m_node_close(world.a, A3M_NOW, NULL);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unheard_requests_are_made_again),
        cmocka_unit_test(test_unheard_request_was_cancelled_meanwhile),
        cmocka_unit_test(test_unheard_said_of_anything),
        cmocka_unit_test(test_unheard_peer_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
