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
#include "node_pair.h"

enum { LINKS = 5 };

/* Long enough to be told what was not heard, and to ask again. */
static void settle(struct node_pair *pair)
{
    node_pair_run(pair, 400);
}

static a3m_link ask(struct node_pair *pair, int i)
{
    a3m_link link;
    char url[64];
    (void)snprintf(url, sizeof(url), NODE_PAIR_B "/p%d", i);
    assert_int_equal(a3m_socket_link(pair->push, url, &link), A3M_OK);
    return link;
}

/* The nodes have one link; B has sockets p1 and so on as well. */
static void make(struct node_pair *pair)
{
    node_pair_make_linked(pair);
    for (int i = 1; i < LINKS; i++) {
        char tag[16];
        (void)snprintf(tag, sizeof(tag), "p%d", i);
        (void)test_socket(pair->b, &a3m_pull, tag);
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
static void fill_with_answers(struct node_pair *pair)
{
    struct a3mi_link *link = some_link(pair->in_b);
    struct a3mi_control answer = {.kind = A3MI_CONTROL_ENDED, .addressee_link = 999999};
    uint8_t bytes[A3MI_CONTROL_MAX];
    size_t size = a3mi_control_encode(&answer, bytes, sizeof(bytes));
    struct a3mi_turn turn = {.now = pair->now};
    pair->in_b->turn = &turn;
    for (unsigned i = 0; i < A3MI_REQUESTS_WAITING; i++) {
        assert_int_equal(
            a3mi_assoc_control(pair->in_b->assoc, link->peer, link->incarnation, bytes, size, pair->now),
            A3M_OK);
    }
    pair->in_b->turn = NULL;
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
    struct node_pair pair;
    a3m_link links[LINKS];
    make(&pair);
    fill_with_answers(&pair);
    for (int i = 1; i < LINKS; i++) {
        links[i] = ask(&pair, i);
    }
    (void)node_turn_all(pair.in_a, pair.now);
    (void)node_turn(pair.in_b, A3MI_TURN_RECEIVE, pair.now);
    assert_int_equal(test_stats(pair.b).requests_unanswered, LINKS - 1);
    for (int i = 1; i < LINKS; i++) {
        assert_int_equal(info_of(links[i]).state, A3M_LINK_REQUESTING);
    }
    settle(&pair);
    for (int i = 1; i < LINKS; i++) {
        assert_int_equal(a3m_link_wait(links[i], A3M_NOW), A3M_OK);
    }
    assert_int_equal(test_stats(pair.b).requests_unanswered, LINKS - 1);
    assert_true(a3mi_list_empty(&pair.in_b->unheard));
    node_pair_end(&pair);
}

/* Given up meanwhile by its maker: there is nothing at the peer to be ended, and nothing to wait for. */
static void test_unheard_request_was_cancelled_meanwhile(void **arg)
{
    (void)arg;
    struct node_pair pair;
    make(&pair);
    fill_with_answers(&pair);
    a3m_link link = ask(&pair, 1);
    a3m_link stays = ask(&pair, 2);
    (void)node_turn_all(pair.in_a, pair.now);
    (void)node_turn(pair.in_b, A3MI_TURN_RECEIVE, pair.now);
    assert_int_equal(a3m_link_end(link), A3M_OK);
    settle(&pair);
    assert_int_not_equal(a3m_link_wait(link, A3M_NOW), A3M_OK);
    assert_int_equal(a3m_link_wait(stays, A3M_NOW), A3M_OK);
    assert_int_equal(a3mi_map64_count(&pair.in_a->links), 2);
    assert_int_equal(a3mi_map64_count(&pair.in_b->links), 2);
    node_pair_end(&pair);
}

/* A hears that the requests of these numbers were not looked at: from first, before end. */
static void say_unheard(struct node_pair *pair, uint64_t first, uint64_t end)
{
    const struct a3mi_control control = {
        .kind = A3MI_CONTROL_UNHEARD, .ranges = {{first, end}}, .range_count = 1};
    node_hear(pair->in_a, some_link(pair->in_a), &control, pair->now);
}

/* Of requests never made, of all of them at once, again and again: once it is taken for what it says, and then for odd. */
static void test_unheard_said_of_anything(void **arg)
{
    (void)arg;
    struct node_pair pair;
    a3m_link links[LINKS];
    make(&pair);
    for (int i = 1; i < LINKS; i++) {
        links[i] = ask(&pair, i);
    }
    (void)node_turn(pair.in_a, 0, pair.now); /* made, and not heard yet */
    uint64_t last = pair.in_a->next_number;
    say_unheard(&pair, 0, last + 2);
    assert_int_equal(test_stats(pair.a).bad_control, 1);
    assert_int_equal(info_of(links[1]).state, A3M_LINK_REQUESTING);
    say_unheard(&pair, 0, last); /* all but the last one; the link that is up does not care */
    for (int i = 1; i < LINKS; i++) {
        assert_int_equal(info_of(links[i]).state, i < LINKS - 1 ? A3M_LINK_RETRYING : A3M_LINK_REQUESTING);
    }
    say_unheard(&pair, 0, last + 1);
    say_unheard(&pair, last - 1, last);
    assert_int_equal(test_stats(pair.a).bad_control, 3);
    assert_int_equal(info_of(links[LINKS - 1]).state, A3M_LINK_REQUESTING);
    say_unheard(&pair, last, last + 1);
    assert_int_equal(info_of(links[LINKS - 1]).state, A3M_LINK_RETRYING);
    for (int i = 0; i < 10; i++) {
        settle(&pair);
    }
    for (int i = 1; i < LINKS; i++) {
        assert_int_equal(a3m_link_wait(links[i], A3M_NOW), A3M_OK);
    }
    node_pair_end(&pair);
}

/* What was noted of a peer goes with it, and with the node. */
static void test_unheard_peer_is_gone(void **arg)
{
    (void)arg;
    struct node_pair pair;
    for (int closes_first = 0; closes_first < 2; closes_first++) {
        make(&pair);
        fill_with_answers(&pair);
        (void)ask(&pair, 1);
        (void)node_turn_all(pair.in_a, pair.now);
        (void)node_turn(pair.in_b, A3MI_TURN_RECEIVE, pair.now);
        assert_false(a3mi_list_empty(&pair.in_b->unheard));
        if (closes_first != 0) {
            node_pair_close_a(&pair);
            (void)node_turn_all(pair.in_b, pair.now);
            assert_true(a3mi_list_empty(&pair.in_b->unheard));
        } else {
            node_pair_close_b(&pair);
        }
        node_pair_end(&pair);
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
