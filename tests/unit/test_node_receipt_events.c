/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery receipts without a callback: as events of the socket that sent. covers S8
 */
#include "receipt_world.h"

static void test_receipt_without_a_callback_is_an_event(void **arg)
{
    (void)arg;
    struct world *world = make();
    assert_int_equal(a3m_socket_set(world->pair.push, A3M_OPT_EVENTS, 8), A3M_OK);
    for (uint64_t id = 5; id < 7; id++) {
        a3m_msg *msg = test_msg("m");
        assert_int_equal(a3m_msg_set_receipt(msg, BOTH, id, NULL, NULL), A3M_OK);
        assert_int_equal(a3m_try_send(world->pair.push, msg), A3M_OK);
    }
    settle(world);
    take(world);
    settle(world);
    const struct {
        uint64_t id;
        a3m_receipt_kind kind;
    } expected[] = {{5, A3M_RECEIPT_ACCEPTED}, {6, A3M_RECEIPT_ACCEPTED}, {5, A3M_RECEIPT_TAKEN}};
    a3m_socket_event event = {.size = sizeof(event)};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(a3m_socket_next_event(world->pair.push, &event, A3M_NOW), A3M_OK);
        assert_int_equal(event.kind, A3M_EVENT_RECEIPT);
        assert_int_equal(event.receipt.id, expected[i].id);
        assert_int_equal(event.receipt.kind, expected[i].kind);
        assert_int_equal(event.link.v, world->pair.link.v);
        assert_string_equal(event.peer_node, "b");
        assert_string_equal(event.peer_tag, "pull");
    }
    assert_int_equal(a3m_socket_next_event(world->pair.push, &event, A3M_NOW), A3M_EAGAIN);
    end(world); /* what is left of message 6 is told to nobody, and freed */
}

static void test_receipt_as_an_event_of_a_socket_without_events_is_none(void **arg)
{
    (void)arg;
    struct world *world = make();
    a3m_msg *msg = test_msg("m");
    assert_int_equal(a3m_msg_set_receipt(msg, BOTH, 1, NULL, NULL), A3M_OK);
    assert_int_equal(a3m_try_send(world->pair.push, msg), A3M_OK);
    settle(world);
    take(world);
    settle(world);
    end(world);
}

static void test_receipt_events_are_waited_for_by_a_poller(void **arg)
{
    (void)arg;
    enum { MESSAGES = 50 };
    a3m_node a = test_node("a");
    a3m_node b = test_node("b");
    a3m_socket push = test_socket(a, &a3m_push, "push");
    a3m_socket pull = test_socket(b, &a3m_pull, "pull");
    a3m_poller poller;
    a3m_poll_event got;
    (void)test_link(push, test_url(b, "pull"));
    assert_int_equal(a3m_socket_set(push, A3M_OPT_EVENTS, 2 * MESSAGES), A3M_OK);
    assert_int_equal(a3m_poller_new(&poller, 0), A3M_OK);
    assert_int_equal(a3m_poller_add(poller, a3m_pollable_events(push), A3M_POLL_IN, &push), A3M_OK);
    for (uint64_t i = 0; i < MESSAGES; i++) {
        a3m_msg *msg = test_msg("m");
        assert_int_equal(a3m_msg_set_receipt(msg, BOTH, i, NULL, NULL), A3M_OK);
        assert_int_equal(a3m_send_until(push, msg, SOON), A3M_OK);
        test_expect(pull, "m");
    }
    uint64_t accepted = 0;
    uint64_t taken = 0;
    while (taken < MESSAGES) {
        a3m_socket_event event = {.size = sizeof(event)};
        assert_int_equal(a3m_poller_wait(poller, &got, 1, SOON), 1);
        assert_int_equal(a3m_socket_next_event(push, &event, A3M_NOW), A3M_OK);
        assert_int_equal(event.kind, A3M_EVENT_RECEIPT);
        assert_int_equal(event.lost, 0);
        if (event.receipt.kind == A3M_RECEIPT_ACCEPTED) {
            assert_int_equal(event.receipt.id, accepted++);
        } else {
            assert_int_equal(event.receipt.kind, A3M_RECEIPT_TAKEN);
            assert_int_equal(event.receipt.id, taken++);
            assert_true(event.receipt.id < accepted);
        }
    }
    assert_int_equal(a3m_poller_close(poller), A3M_OK);
    test_close(a);
    test_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receipt_without_a_callback_is_an_event),
        cmocka_unit_test(test_receipt_as_an_event_of_a_socket_without_events_is_none),
        cmocka_unit_test(test_receipt_events_are_waited_for_by_a_poller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
