/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of requests that cross: two nodes that are never started, whose turns the test runs itself, and so decides
 * who has heard what, and when an engine hears of what its application did. A's name is the test's choice: of two
 * ends that ask at once the one with the greater name answers.
 */
#ifndef A3M_TEST_CROSSING_WORLD_H
#define A3M_TEST_CROSSING_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/peer.h"
#include "node_fixture.h"
#include "node_hold.h"
#include "node_turns.h"

struct world {
    a3m_node a, b;
    struct a3mi_node *in_a, *in_b; /* B may be closed: NULL */
    a3m_socket warm;               /* A's, of the first link */
    a3m_socket push;               /* A's */
    a3m_socket pull;               /* B's */
    char x[16];                    /* push, as B names it */
    int64_t now;
    struct node_hold hold; /* of A's outbox */
};

static inline void turn(struct world *world, struct a3mi_node *node, unsigned flags)
{
    (void)node_turn(node, flags | A3MI_TURN_FLUSH | A3MI_TURN_EVENTS, world->now);
}

/* What a node has to say goes out; what was said to it stays on the way. */
static inline void speak(struct world *world, struct a3mi_node *node)
{
    turn(world, node, 0);
}

/* Both hear and answer until there is nothing more to say; a while passes. */
static inline void settle(struct world *world)
{
    for (int i = 0; i < 40; i++) {
        if (world->in_b != NULL) {
            turn(world, world->in_b, A3MI_TURN_RECEIVE);
        }
        turn(world, world->in_a, A3MI_TURN_RECEIVE);
        world->now += 1000000;
    }
}

/* From here on A's engine hears of nothing that A's application does; with `really` false it goes on hearing. */
static inline void hold_up(struct world *world, bool really)
{
    if (really) {
        node_hold(&world->hold, world->in_a);
    }
}

/* As settle; then, if it did not, A's engine hears of everything, and that is settled as well. */
static inline void settle_late(struct world *world)
{
    settle(world);
    if (world->hold.node != NULL) {
        node_release(&world->hold);
        settle(world);
    }
}

/* Sockets x of A and y of B; the nodes know each other already. */
static inline void make(struct world *world, const char *id)
{
    a3m_link link;
    world->hold = (struct node_hold){0};
    world->a = test_node_idle(id, "inproc://crossing-a");
    (void)snprintf(world->x, sizeof(world->x), "%s/x", id);
    world->b = test_node_idle("b", "inproc://crossing-b");
    world->in_a = node_inside(world->a);
    world->in_b = node_inside(world->b);
    world->now = INT64_C(1000000000);
    world->warm = test_socket(world->a, &a3m_push, "warm");
    test_socket(world->b, &a3m_pull, "warm");
    assert_int_equal(a3m_socket_link(world->warm, "inproc://crossing-b/warm", &link), A3M_OK);
    settle(world);
    assert_int_equal(a3m_link_wait(link, A3M_NOW), A3M_OK);
    world->push = test_socket(world->a, &a3m_push, "x");
    world->pull = test_socket(world->b, &a3m_pull, "y");
}

static inline void end(struct world *world)
{
    (void)a3m_node_close(world->a, A3M_NOW, NULL);
    (void)a3m_node_close(world->b, A3M_NOW, NULL);
}

static inline a3m_link ask(a3m_socket socket, const char *peer)
{
    a3m_link link;
    assert_int_equal(a3m_socket_link(socket, peer, &link), A3M_OK);
    return link;
}

/* One link at each end, and a message gets through. */
static inline void assert_linked(struct world *world)
{
    a3m_msg *msg;
    assert_int_equal(a3m_socket_wait_link(world->push, NULL, A3M_NOW), A3M_OK);
    assert_int_equal(a3m_socket_wait_link(world->pull, NULL, A3M_NOW), A3M_OK);
    assert_int_equal(a3m_try_send(world->push, test_msg("m")), A3M_OK);
    settle(world);
    assert_int_equal(a3m_try_recv(world->pull, &msg), A3M_OK);
    test_msg_is(msg, "m");
}

/* And it ends at both. */
static inline void assert_ends(struct world *world, a3m_link link)
{
    assert_int_equal(a3m_link_end(link), A3M_OK);
    settle(world);
    assert_int_equal(a3m_socket_wait_link_or_none(world->push, NULL, A3M_NOW), A3M_ENOLINK);
    assert_int_equal(a3m_socket_wait_link_or_none(world->pull, NULL, A3M_NOW), A3M_ENOLINK);
    assert_int_equal(a3mi_map64_count(&world->in_a->links), 1); /* the one that is warm */
    assert_int_equal(a3mi_map64_count(&world->in_b->links), 1);
}

#endif
