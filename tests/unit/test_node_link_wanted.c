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

#include "node_pair.h"

/* B's alone, and up. */
static a3m_link asked_by_peer(struct node_pair *pair)
{
    a3m_link link;
    node_pair_make(pair);
    assert_int_equal(a3m_socket_link(pair->pull, NODE_PAIR_A "/push", NULL), A3M_OK);
    node_pair_settle(pair);
    assert_int_equal(a3m_socket_wait_link(pair->push, &link, A3M_NOW), A3M_OK);
    return link;
}

/* B is lost to A, without a word. */
static void lose(struct node_pair *pair)
{
    const struct a3mi_link *link = node_only_link(pair->in_a);
    struct a3mi_turn turn = {.now = pair->now};
    a3mi_wakes_init(&turn.wakes);
    pair->in_a->turn = &turn;
    a3mi_link_on_peer_ended(pair->in_a, link->peer, link->incarnation, A3MI_PEER_SILENT, pair->now);
    pair->in_a->turn = NULL;
    (void)a3mi_wakes_run(&turn.wakes);
}

static void test_link_that_only_the_peer_asked_for_goes_with_it(void **arg)
{
    (void)arg;
    struct node_pair pair;
    a3m_link link = asked_by_peer(&pair);
    a3m_link_info info = {.size = sizeof(info)};
    assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
    assert_true(info.incoming);
    assert_int_equal(*a3mi_peer_tally(node_only_link(pair.in_a)->peer), 1);
    lose(&pair);
    assert_int_equal(a3m_link_get_info(link, &info), A3M_EHANDLE);
    node_pair_end(&pair);
}

static void test_link_that_this_end_asks_for_too_is_asked_for_again(void **arg)
{
    (void)arg;
    for (int seen = 0; seen < 2; seen++) {
        struct node_pair pair;
        a3m_link link = asked_by_peer(&pair);
        a3m_link same;
        a3m_link_info info = {.size = sizeof(info)};
        assert_int_equal(a3m_socket_link(pair.push, "b/pull", &same), A3M_EEXIST);
        assert_int_equal(same.v, link.v);
        assert_int_equal(a3m_socket_link(pair.push, "b/pull", &same), A3M_EEXIST);
        assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
        assert_false(info.incoming);
        if (seen != 0) { /* else the engine does not know of it when it loses the peer */
            node_pair_settle(&pair);
            assert_int_equal(*a3mi_peer_tally(node_only_link(pair.in_a)->peer),
                             0); /* not one of the peer's any more */
        }
        lose(&pair);
        assert_int_equal(*a3mi_peer_tally(node_only_link(pair.in_a)->peer), 0);
        assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
        assert_int_equal(info.state, A3M_LINK_RETRYING);
        pair.now += INT64_C(10000000000);
        node_pair_settle(&pair);
        assert_int_equal(a3m_link_wait(link, A3M_NOW), A3M_OK);
        node_pair_end(&pair);
    }
}

/* Its end is behind it in the outbox: the peer hears of neither. */
static void test_link_given_up_before_it_was_asked_for_is_not_asked_for(void **arg)
{
    (void)arg;
    struct node_pair pair;
    a3m_link link;
    a3m_link_info info = {.size = sizeof(info)};
    node_pair_make(&pair);
    assert_int_equal(a3m_socket_link(pair.push, NODE_PAIR_B "/pull", &link), A3M_OK);
    assert_int_equal(a3m_link_end(link), A3M_OK);
    node_pair_settle(&pair);
    assert_int_equal(a3m_link_get_info(link, &info), A3M_EHANDLE);
    assert_int_equal(test_stats(pair.b).rx_packets, 0);
    assert_int_equal(a3m_socket_link(pair.push, NODE_PAIR_B "/pull", &link), A3M_OK);
    assert_int_equal(a3m_socket_close(pair.push), A3M_OK); /* likewise */
    node_pair_settle(&pair);
    assert_int_equal(test_stats(pair.b).rx_packets, 0);
    assert_int_equal(a3mi_map64_count(&pair.in_a->links), 0);
    node_pair_end(&pair);
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
