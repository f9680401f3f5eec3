/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery receipts: which messages are told of, what is told when all is well, and when. Nodes that are never started;
 * this test runs their turns, and so decides what arrives. covers S8
 */
#include "receipt_world.h"

/* ---- All is well ----------------------------------------------------------------------------- */

static void test_receipt_accepted_is_told_when_the_peers_node_has_it(void **arg)
{
    (void)arg;
    struct world *world = make();
    push(world, ACCEPTED, 7);
    turn_a(world); /* it is under way */
    TOLD_IS(world, 7, "");
    settle(world);
    TOLD_IS(world, 7, "accepted!");
    const a3m_receipt *receipt = &world->told.all[0];
    assert_true(receipt->accepted);
    assert_int_equal(receipt->reason, 0);
    assert_int_equal(receipt->link.v, world->pair.link.v);
    assert_true(receipt->when.ns > 0);
    take(world);
    settle(world);
    assert_int_equal(world->told.count, 1);
    end(world);
}

static void test_receipt_taken_is_told_when_the_application_has_it(void **arg)
{
    (void)arg;
    struct world *world = make();
    push(world, TAKEN, 1);
    push(world, BOTH, 2);
    settle(world);
    TOLD_IS(world, 1, "");
    TOLD_IS(world, 2, "accepted");
    take(world);
    settle(world);
    TOLD_IS(world, 1, "taken!");
    TOLD_IS(world, 2, "accepted");
    take(world);
    settle(world);
    TOLD_IS(world, 2, "accepted taken!");
    assert_int_equal(world->told.count, 3);
    end(world);
}

static void test_receipt_of_some_messages_says_nothing_of_the_others(void **arg)
{
    (void)arg;
    struct world *world = make();
    for (uint64_t i = 0; i < 200; i++) {
        if (i % 3 == 0) {
            push(world, i % 2 == 0 ? TAKEN : ACCEPTED, i);
        } else {
            assert_int_equal(a3m_send_bytes(world->pair.push, "m", 1, A3M_NOW), A3M_OK);
        }
    }
    settle(world);
    for (int i = 0; i < 100; i++) {
        take(world);
    }
    settle(world);
    for (uint64_t i = 0; i < 200; i++) {
        TOLD_IS(world, i, i % 3 != 0 ? "" : i % 2 != 0 ? "accepted!" : i < 100 ? "taken!" : "");
    }
    end(world);
}

static void test_receipt_of_a_message_within_the_node(void **arg)
{
    (void)arg;
    struct world *world = make_idle();
    a3m_socket pull = test_socket(world->pair.a, &a3m_pull, "own");
    a3m_msg *msg = NULL;
    assert_int_equal(a3m_socket_link(world->pair.push, "a/own", NULL), A3M_OK);
    settle(world);
    push(world, BOTH, 1);
    push(world, BOTH, 2);
    settle(world);
    TOLD_IS(world, 1, "accepted");
    assert_int_equal(a3m_try_recv(pull, &msg), A3M_OK);
    a3m_msg_free(msg);
    settle(world);
    TOLD_IS(world, 1, "accepted taken!");
    TOLD_IS(world, 2, "accepted");
    end(world);
}

/* What is received, and sent on, is asked about by its first sender no more. */
static void test_receipt_is_not_of_a_message_that_is_sent_on(void **arg)
{
    (void)arg;
    struct world *world = make();
    a3m_socket on = test_socket(world->pair.b, &a3m_push, "on");
    a3m_socket back = test_socket(world->pair.a, &a3m_pull, "back");
    a3m_msg *msg = NULL;
    assert_int_equal(a3m_socket_link(on, NODE_PAIR_A "/back", NULL), A3M_OK);
    settle(world);
    push(world, TAKEN, 1);
    settle(world);
    assert_int_equal(a3m_try_recv(world->pair.pull, &msg), A3M_OK);
    assert_int_not_equal(msg->flags & A3MI_MSG_ASKS_TAKEN, 0);
    assert_int_equal(a3m_try_send(on, msg), A3M_OK);
    settle(world);
    TOLD_IS(world, 1, "taken!");
    assert_int_equal(a3m_try_recv(back, &msg), A3M_OK);
    assert_int_equal(msg->flags & A3MI_MSG_ASKS_TAKEN, 0);
    a3m_msg_free(msg);
    end(world);
}

/* ---- What a caller may do -------------------------------------------------------------------- */

static void test_receipt_asking(void **arg)
{
    (void)arg;
    struct world *world = make_idle();
    a3m_msg *msg = asking(world, BOTH, 1);
    assert_int_equal(a3m_msg_set_receipt(msg, A3M_RECEIPT_UNKNOWN, 1, told_note, NULL), A3M_EINVAL);
    assert_int_equal(a3m_try_send(world->pair.push, msg), A3M_ENOLINK);
    node_pair_link(&world->pair);
    assert_int_equal(a3m_msg_set_receipt(msg, ACCEPTED, 2, told_note, &world->told),
                     A3M_OK); /* the last one counts */
    assert_int_equal(a3m_try_send(world->pair.push, msg), A3M_OK);
    msg = asking(world, BOTH, 3);
    assert_int_equal(a3m_msg_set_receipt(msg, 0, 0, NULL, NULL), A3M_OK);
    assert_int_equal(a3m_try_send(world->pair.push, msg), A3M_OK);
    a3m_msg_free(asking(world, BOTH, 4));
    settle(world);
    take(world);
    settle(world);
    TOLD_IS(world, 2, "accepted!");
    assert_int_equal(world->told.count, 1);
    end(world);
}

/* By every call that sends: what these take over they tell of, what they refuse they do not. */
static void test_receipt_by_every_way_to_send(void **arg)
{
    (void)arg;
    struct world *world = make();
    a3m_msg *many[] = {asking(world, BOTH, 1), test_msg("m"), asking(world, TAKEN, 2)};
    a3m_credit credit;
    assert_int_equal(a3m_send_many(world->pair.push, many, 3, A3M_NOW), 3);
    assert_int_equal(a3m_link_send(world->pair.link, asking(world, BOTH, 3), A3M_NOW), A3M_OK);
    assert_int_equal(a3m_send_or_none(world->pair.push, asking(world, BOTH, 4), A3M_NOW), A3M_OK);
    assert_int_equal(a3m_socket_reserve(world->pair.push, 10, &credit, NULL, A3M_NOW), A3M_OK);
    a3m_msg *reserved = asking(world, BOTH, 5);
    assert_int_equal(a3m_send_reserved(world->pair.push, credit, reserved), A3M_OK);
    reserved = asking(world, BOTH, 6);
    assert_int_equal(a3m_send_reserved(world->pair.push, credit, reserved), A3M_ENOENT); /* it was used */
    a3m_msg_free(reserved);
    assert_int_equal(
        a3m_send_at(world->pair.push, asking(world, BOTH, 7), (a3m_time){world->pair.now + 1}, NULL), A3M_OK);
    settle(world);
    a3m_scheduled scheduled;
    a3m_msg *back = NULL;
    a3m_time late = {INT64_MAX - 1};
    assert_int_equal(a3m_send_at(world->pair.push, asking(world, BOTH, 8), late, &scheduled), A3M_OK);
    assert_int_equal(a3m_scheduled_cancel(scheduled, &back), A3M_OK);
    settle(world);
    TOLD_IS(world, 8, "");
    assert_int_equal(a3m_try_send(world->pair.push, back), A3M_OK); /* it still asks */
    for (int i = 0; i < 8; i++) {
        settle(world);
        take(world);
    }
    settle(world);
    for (uint64_t id = 1; id < 9; id++) {
        TOLD_IS(world, id, id == 6 ? "" : id == 2 ? "taken!" : "accepted taken!");
    }
    end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receipt_accepted_is_told_when_the_peers_node_has_it),
        cmocka_unit_test(test_receipt_taken_is_told_when_the_application_has_it),
        cmocka_unit_test(test_receipt_of_some_messages_says_nothing_of_the_others),
        cmocka_unit_test(test_receipt_of_a_message_within_the_node),
        cmocka_unit_test(test_receipt_is_not_of_a_message_that_is_sent_on),
        cmocka_unit_test(test_receipt_asking),
        cmocka_unit_test(test_receipt_by_every_way_to_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
