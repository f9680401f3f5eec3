/* SPDX-License-Identifier: Apache-2.0 */
#include "node_pair.h"

void node_pair_open_b(struct node_pair *pair)
{
    pair->b = test_node_idle("b", NODE_PAIR_B);
    pair->in_b = node_inside(pair->b);
    pair->pull = test_socket(pair->b, &a3m_pull, "pull");
}

void node_pair_make(struct node_pair *pair)
{
    *pair = (struct node_pair){.a = test_node_idle("a", NODE_PAIR_A), .now = INT64_C(1000000000)};
    pair->in_a = node_inside(pair->a);
    pair->push = test_socket(pair->a, &a3m_push, "push");
    node_pair_open_b(pair);
}

void node_pair_link(struct node_pair *pair)
{
    assert_int_equal(a3m_socket_link(pair->push, NODE_PAIR_B "/pull", &pair->link), A3M_OK);
    node_pair_settle(pair);
    assert_int_equal(a3m_link_wait(pair->link, A3M_NOW), A3M_OK);
}

void node_pair_make_linked(struct node_pair *pair)
{
    node_pair_make(pair);
    node_pair_link(pair);
}

void node_pair_run(struct node_pair *pair, int ms)
{
    for (int i = 0; i < ms; i++) {
        if (pair->in_b != NULL) {
            (void)node_turn_all(pair->in_b, pair->now);
        }
        if (pair->in_a != NULL) {
            (void)node_turn_all(pair->in_a, pair->now);
        }
        pair->now += 1000000;
    }
}

void node_pair_settle(struct node_pair *pair)
{
    node_pair_run(pair, 60);
}

void node_pair_close_a(struct node_pair *pair)
{
    pair->in_a = NULL;
    (void)a3m_node_close(pair->a, A3M_NOW, NULL);
}

void node_pair_close_b(struct node_pair *pair)
{
    pair->in_b = NULL;
    (void)a3m_node_close(pair->b, A3M_NOW, NULL);
}

void node_pair_end(struct node_pair *pair)
{
    if (pair->in_a != NULL) {
        node_pair_close_a(pair);
    }
    if (pair->in_b != NULL) {
        node_pair_close_b(pair);
    }
}

struct a3mi_link *node_only_link(struct a3mi_node *node)
{
    size_t it = 0;
    uint64_t number;
    void *value = NULL;
    assert_true(a3mi_map64_next(&node->links, &it, &number, &value));
    assert_int_equal(a3mi_map64_count(&node->links), 1);
    return value;
}

void node_hear(struct a3mi_node *node, const struct a3mi_link *link, const struct a3mi_control *control,
               int64_t now)
{
    uint8_t bytes[A3MI_CONTROL_MAX];
    size_t size = a3mi_control_encode(control, bytes, sizeof(bytes));
    struct a3mi_turn turn = {.now = now};
    assert_true(size > 0);
    a3mi_wakes_init(&turn.wakes);
    node->turn = &turn;
    a3mi_link_on_control(node, link->peer, link->incarnation, bytes, size, now);
    node->turn = NULL;
    (void)a3mi_wakes_run(&turn.wakes);
}
