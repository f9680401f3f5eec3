/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of two nodes that are never started: A with a PUSH socket, B with a PULL socket. The test runs their
 * turns, here or by node_turns.h, and so decides what is heard, said and due, and when. One pair at a time: the
 * nodes' addresses are always the same. Everything fails the test on any error.
 */
#ifndef A3M_TEST_NODE_PAIR_H
#define A3M_TEST_NODE_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node_fixture.h"
#include "node_turns.h"

/* Where they are: NODE_PAIR_B "/pull" is the URL of B's socket. */
#define NODE_PAIR_A "inproc://pair-a"
#define NODE_PAIR_B "inproc://pair-b"

struct node_pair {
    a3m_node a, b;
    struct a3mi_node *in_a, *in_b; /* what is behind them; NULL: it takes no turns, is deaf and dumb */
    a3m_socket push, pull;
    a3m_link link; /* push's with pull, once there is one: node_pair_link */
    int64_t now;
};

/* Both nodes and their sockets, which are not linked. To be ended by node_pair_end. */
void node_pair_make(struct node_pair *pair);
/* Links push with pull; the link is up. */
void node_pair_link(struct node_pair *pair);
/* Both of these. */
void node_pair_make_linked(struct node_pair *pair);

/* Both hear, say and do all that there is, once a millisecond. */
void node_pair_run(struct node_pair *pair, int ms);
/* For a while in which everything gets there, and is answered. */
void node_pair_settle(struct node_pair *pair);

/* One of the nodes closes at once; the other one has not heard of it yet. */
void node_pair_close_a(struct node_pair *pair);
void node_pair_close_b(struct node_pair *pair);
/* B again, with its socket: another incarnation at the same address. */
void node_pair_open_b(struct node_pair *pair);
/* Closes those that are not closed yet. */
void node_pair_end(struct node_pair *pair);

/* A node's link, of which it has no other. [borrowed: until it ends] */
struct a3mi_link *node_only_link(struct a3mi_node *node);
/* A node hears this link control from the peer of one of its links, in a turn that does nothing else. */
void node_hear(struct a3mi_node *node, const struct a3mi_link *link, const struct a3mi_control *control,
               int64_t now);

#endif
