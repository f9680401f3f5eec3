/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery receipts when messages do not get there, or nobody knows: however their link ends, each has its last word.
 * Nodes that are never started; this test runs their turns, and so decides what arrives. covers S8
 */
#include "receipt_world.h"

/* It may have been transmitted to a node that was not there any more, or not at all. */
static void assert_unknown_or_undelivered(const struct world *world, uint64_t id)
{
    const char *told = told_of(&world->told, id);
    assert_true(strcmp(told, "unknown!") == 0 || strcmp(told, "undelivered!") == 0);
}

static void test_receipt_link_aborted_what_was_not_transmitted_is_undelivered(void **arg)
{
    (void)arg;
    struct world *world = make();
    push(world, BOTH, 1);
    settle(world);
    push(world, BOTH, 2);
    turn_a(world); /* transmitted; B does not hear it */
    push(world, ACCEPTED, 3);
    push(world, TAKEN, 4);
    assert_int_equal(a3m_link_abort(world->pair.link, NULL), A3M_OK);
    turn_a(world);
    TOLD_IS(world, 1, "accepted accepted-unknown!");
    TOLD_IS(world, 2, "unknown!");
    TOLD_IS(world, 3, "undelivered!");
    TOLD_IS(world, 4, "undelivered!");
    for (size_t i = 1; i < world->told.count; i++) {
        assert_int_equal(world->told.all[i].reason, A3M_ECANCELED);
    }
    end(world);
}

static void test_receipt_link_ended_with_messages_untaken_they_are_unknown_and_can_be_taken(void **arg)
{
    (void)arg;
    struct world *world = make();
    push(world, TAKEN, 1);
    push(world, BOTH, 2);
    push(world, ACCEPTED, 3);
    settle(world);
    take(world);
    assert_int_equal(a3m_link_end(world->pair.link), A3M_OK);
    settle(world);
    TOLD_IS(world, 1, "taken!");
    TOLD_IS(world, 2, "accepted accepted-unknown!");
    TOLD_IS(world, 3, "accepted!");
    take(world);
    take(world);
    settle(world);
    assert_int_equal(world->told.count, 4);
    end(world);
}

/* What was taken before is said before the end. */
static void test_receipt_receiver_closes_its_socket_what_it_took_is_told(void **arg)
{
    (void)arg;
    struct world *world = make();
    push(world, TAKEN, 1);
    push(world, TAKEN, 2);
    settle(world);
    take(world);
    assert_int_equal(a3m_socket_close(world->pair.pull), A3M_OK);
    settle(world);
    TOLD_IS(world, 1, "taken!");
    TOLD_IS(world, 2, "accepted-unknown!");
    assert_int_equal(world->told.all[1].reason, A3M_ECLOSED);
    end(world);
}

static void test_receipt_peer_gone_and_another_one_come(void **arg)
{
    (void)arg;
    struct world *world = make();
    for (uint64_t i = 0; i < 3; i++) {
        push(world, BOTH, i);
    }
    settle(world);
    push(world, BOTH, 3);
    node_pair_close_b(&world->pair);
    settle(world);
    for (uint64_t i = 0; i < 3; i++) {
        TOLD_IS(world, i, "accepted accepted-unknown!");
    }
    assert_unknown_or_undelivered(world, 3);
    for (size_t i = 3; i < world->told.count; i++) {
        int reason = world->told.all[i].reason;
        assert_true(reason == A3M_ERESTARTED || reason == A3M_ECLOSED);
    }
    node_pair_open_b(&world->pair);
    world->pair.now += INT64_C(60000000000);
    settle(world);
    if (a3m_link_wait(world->pair.link, A3M_NOW) != A3M_OK) {
        node_pair_link(&world->pair); /* the peer said that it closes, and the link ended */
    }
    world->told.count = 0;
    push(world, BOTH, 9); /* numbers begin anew */
    settle(world);
    take(world);
    settle(world);
    TOLD_IS(world, 9, "accepted taken!");
    end(world);
}

static void test_receipt_node_closes_everything_is_told_by_then(void **arg)
{
    (void)arg;
    struct world *world = make();
    push(world, BOTH, 1);
    settle(world);
    push(world, BOTH, 2);
    node_pair_close_a(&world->pair);
    TOLD_IS(world, 1, "accepted accepted-unknown!");
    assert_unknown_or_undelivered(world, 2);
    end(world);
}

static void test_receipt_scheduled_message_that_is_dropped_is_undelivered(void **arg)
{
    (void)arg;
    struct world *world = make();
    a3m_time at = {world->pair.now + 1000000};
    assert_int_equal(a3m_link_send_at(world->pair.link, asking(world, BOTH, 1), at, NULL), A3M_OK);
    assert_int_equal(a3m_send_at(world->pair.push, asking(world, BOTH, 2), (a3m_time){INT64_MAX - 1}, NULL),
                     A3M_OK);
    assert_int_equal(a3m_link_end(world->pair.link), A3M_OK);
    settle(world);
    TOLD_IS(world, 1, "undelivered!");
    TOLD_IS(world, 2, "");
    assert_int_equal(world->told.all[0].link.v, 0);
    assert_int_not_equal(world->told.all[0].reason, 0);
    node_pair_close_a(&world->pair);
    TOLD_IS(world, 2, "undelivered!");
    end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receipt_link_aborted_what_was_not_transmitted_is_undelivered),
        cmocka_unit_test(test_receipt_link_ended_with_messages_untaken_they_are_unknown_and_can_be_taken),
        cmocka_unit_test(test_receipt_receiver_closes_its_socket_what_it_took_is_told),
        cmocka_unit_test(test_receipt_peer_gone_and_another_one_come),
        cmocka_unit_test(test_receipt_node_closes_everything_is_told_by_then),
        cmocka_unit_test(test_receipt_scheduled_message_that_is_dropped_is_undelivered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
