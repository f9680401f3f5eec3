/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of nodes that are never started: they run the engine's turns
 * themselves, and so decide what is heard, said and due, and when.
 */
#ifndef A3M_TEST_NODE_TURNS_H
#define A3M_TEST_NODE_TURNS_H

#include <cmocka.h>

#include "node/node.h"

/* What is behind a handle. Not held: the test closes the node itself. */
static inline struct a3mi_node *node_inside(a3m_node node)
{
    void *obj;
    assert_int_equal(a3mi_registry_get(node.v, A3MI_KIND_NODE, &obj), A3M_OK);
    a3mi_registry_put(node.v);
    return obj;
}

/* One turn at `now`, with these flags; returns when the node wants the next. */
static inline int64_t node_turn(struct a3mi_node *node, unsigned flags, int64_t now)
{
    struct a3mi_turn turn = {.flags = flags, .now = now};
    a3mi_wakes_init(&turn.wakes);
    a3mi_engine_ops.turn(node, &turn);
    (void)a3mi_wakes_run(&turn.wakes);
    if (turn.after != NULL) {
        a3mi_engine_ops.after(node, turn.after);
    }
    return turn.deadline < turn.event_deadline ? turn.deadline : turn.event_deadline;
}

/* One that hears, says and does all that there is. */
static inline int64_t node_turn_all(struct a3mi_node *node, int64_t now)
{
    return node_turn(node, A3MI_TURN_RECEIVE | A3MI_TURN_FLUSH | A3MI_TURN_EVENTS, now);
}

#endif
