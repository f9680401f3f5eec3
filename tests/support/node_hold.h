/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As a thread that stops in the middle of a push to a node's outbox, between its exchange and its store
 * (runtime/outbox.h): what is pushed behind it cannot be reached, and the engine goes on without.
 */
#ifndef A3M_TEST_NODE_HOLD_H
#define A3M_TEST_NODE_HOLD_H

#include "node/node.h"

/* A push under way. It must live until a turn took it, after it was released. */
struct node_hold {
    struct a3mi_node *node; /* NULL: none */
    struct a3mi_outbox_node entry;
    struct a3mi_outbox_node *before;
};

void node_hold(struct node_hold *hold, struct a3mi_node *node);
/* Nothing when there is none. */
void node_release(struct node_hold *hold);

#endif
