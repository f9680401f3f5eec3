/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credit of a link: reservations, capacity that changes while the link is up, a receiver that stops. What the
 * receiver was sent is never taken for more than it granted, in whatever order reserved credit is used.
 * covers F1 F2 F3 F4 F8 L14 X5
 */
#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "asleep.h"
#include "caller.h"
#include "node/node.h"
#include "node_fixture.h"

#define OK(call) assert_int_equal((call), A3M_OK)

/* A PUSH linked with a PULL that granted `messages` and `bytes`. */
struct flow {
    a3m_node from, to;
    a3m_socket push, pull;
    a3m_link link, back; /* the sender's, the receiver's */
};

static void open_flow(struct flow *flow, int64_t messages, int64_t bytes)
{
    flow->from = test_node("from");
    flow->to = test_node("to");
    flow->push = test_socket(flow->from, &a3m_push, NULL);
    flow->pull = test_socket(flow->to, &a3m_pull, "sink");
    OK(a3m_socket_set(flow->pull, A3M_OPT_CREDIT_MESSAGES, messages));
    OK(a3m_socket_set(flow->pull, A3M_OPT_CREDIT_BYTES, bytes));
    flow->link = test_link(flow->push, test_url(flow->to, "sink"));
    OK(a3m_socket_wait_link(flow->pull, &flow->back, SOON));
}

/* Nothing was taken for a violation, and the link is as it was. */
static void close_flow(struct flow *flow)
{
    assert_int_equal(test_stats(flow->to).bad_credit, 0);
    test_close(flow->from);
    (void)a3m_node_close(flow->to, SOON, NULL);
}

static a3m_link_info info_of(a3m_link link)
{
    a3m_link_info info = {.size = sizeof(info)};
    OK(a3m_link_get_info(link, &info));
    return info;
}

/* Waits until the sender's credit is this. */
static void await_credit(const struct flow *flow, int64_t messages, int64_t bytes)
{
    a3m_time deadline = SOON;
    a3m_link_info info = info_of(flow->link);
    while ((info.credit_messages != messages || info.credit_bytes != bytes) && a3m_now().ns < deadline.ns) {
        (void)sched_yield();
        info = info_of(flow->link);
    }
    assert_int_equal(info.credit_messages, messages);
    assert_int_equal(info.credit_bytes, bytes);
}

static a3m_msg *sized(size_t size)
{
    a3m_msg *msg = a3m_msg_new(size);
    assert_non_null(msg);
    memset(a3m_msg_data(msg), 'x', size);
    return msg;
}

static void take(const struct flow *flow, size_t size)
{
    a3m_msg *msg = NULL;
    OK(a3m_recv_until(flow->pull, &msg, SOON));
    assert_int_equal(a3m_msg_size(msg), size);
    a3m_msg_free(msg);
}

static int send_refused(const struct flow *flow, size_t size)
{
    a3m_msg *msg = sized(size);
    int result = a3m_link_send(flow->link, msg, A3M_NOW);
    assert_int_not_equal(result, A3M_OK);
    a3m_msg_free(msg);
    return result;
}

static int use_refused(const struct flow *flow, a3m_credit credit, size_t size)
{
    a3m_msg *msg = sized(size);
    int result = a3m_send_reserved(flow->push, credit, msg);
    assert_int_not_equal(result, A3M_OK);
    a3m_msg_free(msg);
    return result;
}

/* A send that waits. */
struct sender {
    struct flow *flow;
    size_t size;
    struct caller caller;
};

static int send_main(void *arg)
{
    struct sender *self = arg;
    a3m_msg *msg = a3m_msg_new(self->size);
    int result = a3m_send_until(self->flow->push, msg, SOON);
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

static void start_sender(struct sender *sender, struct flow *flow, size_t size)
{
    *sender = (struct sender){.flow = flow, .size = size};
    caller_start(&sender->caller, send_main, sender);
    caller_await_sleep(&sender->caller);
}

/* ---- Reservations ---------------------------------------------------------------------------- */

static void test_reservation_is_used_once_or_given_back_once(void **arg)
{
    (void)arg;
    struct flow flow;
    a3m_credit one, two, three;
    a3m_link used = {0};
    open_flow(&flow, 2, 1000);
    OK(a3m_socket_reserve(flow.push, 10, &one, &used, A3M_NOW));
    assert_int_equal(used.v, flow.link.v);
    OK(a3m_link_reserve(flow.link, 20, &two, A3M_NOW));
    a3m_link_info info = info_of(flow.link);
    assert_int_equal(info.reserved_messages, 2);
    assert_int_equal(info.reserved_bytes, 30);
    assert_int_equal(info.credit_messages, 0);
    assert_int_equal(info.credit_bytes, 970);
    assert_int_equal(a3m_link_reserve(flow.link, 1, &three, A3M_NOW), A3M_ENOCREDIT);
    assert_int_equal(send_refused(&flow, 1), A3M_ENOCREDIT);

    assert_int_equal(use_refused(&flow, one, 11), A3M_EMSGSIZE); /* and it stays */
    OK(a3m_send_reserved(flow.push, one, sized(10)));
    assert_int_equal(use_refused(&flow, one, 10), A3M_ENOENT);
    assert_int_equal(a3m_release(flow.push, one), A3M_ENOENT);
    OK(a3m_release(flow.push, two));
    assert_int_equal(a3m_release(flow.push, two), A3M_ENOENT);
    assert_int_equal(use_refused(&flow, two, 1), A3M_ENOENT);
    assert_int_equal(a3m_release(flow.push, (a3m_credit){0}), A3M_ENOENT);
    assert_int_equal(a3m_release(flow.push, (a3m_credit){999}), A3M_ENOENT);
    assert_int_equal(a3m_link_reserve(flow.link, 1, NULL, A3M_NOW), A3M_EINVAL);
    await_credit(&flow, 1, 990);
    assert_int_equal(info_of(flow.link).reserved_messages, 0);
    take(&flow, 10);
    close_flow(&flow);
}

/* A peer says that it takes messages of any size: what is set aside stays within what a message can have. */
static void test_reservation_larger_than_any_message_is_refused(void **arg)
{
    (void)arg;
    struct flow flow;
    a3m_credit credit;
    void *obj;
    open_flow(&flow, 10, 1000);
    assert_int_equal(a3mi_registry_get(flow.link.v, A3MI_KIND_LINK, &obj), A3M_OK);
    struct a3mi_link *link = obj;
    a3mi_socket_lock(link->socket);
    link->peer_max_message = UINT64_MAX;
    a3mi_socket_unlock(link->socket);
    a3mi_registry_put(flow.link.v);
    assert_int_equal(a3m_socket_reserve(flow.push, A3M_MESSAGE_CEILING + 1, &credit, NULL, A3M_NOW),
                     A3M_EMSGSIZE);
    assert_int_equal(a3m_link_reserve(flow.link, SIZE_MAX, &credit, A3M_NOW), A3M_EMSGSIZE);
    assert_int_equal(info_of(flow.link).reserved_messages, 0);
    OK(a3m_socket_reserve(flow.push, A3M_MESSAGE_CEILING, &credit, NULL, A3M_NOW));
    OK(a3m_release(flow.push, credit));
    close_flow(&flow);
}

static void test_reservation_on_another_socket_is_none(void **arg)
{
    (void)arg;
    struct flow flow;
    a3m_credit credit;
    open_flow(&flow, 2, 1000);
    a3m_socket other = test_socket(flow.from, &a3m_push, NULL);
    OK(a3m_link_reserve(flow.link, 10, &credit, A3M_NOW));
    assert_int_equal(a3m_release(other, credit), A3M_ENOENT);
    assert_int_equal(a3m_socket_reserve(flow.pull, 1, &credit, NULL, A3M_NOW), A3M_ENOTSUP);
    assert_int_equal(a3m_socket_reserve(flow.push, A3M_MESSAGE_CEILING + 1, &credit, NULL, A3M_NOW),
                     A3M_EMSGSIZE);
    assert_int_equal(a3m_socket_reserve(flow.push, SIZE_MAX, &credit, NULL, A3M_NOW), A3M_EMSGSIZE);
    assert_int_equal(a3m_link_reserve(flow.back, 1, &credit, A3M_NOW), A3M_ENOTSUP);
    close_flow(&flow);
}

static void test_reservation_given_back_wakes_the_next(void **arg)
{
    (void)arg;
    struct flow flow;
    struct sender sender;
    a3m_credit credit;
    open_flow(&flow, 1, 1000);
    OK(a3m_link_reserve(flow.link, 10, &credit, A3M_NOW));
    start_sender(&sender, &flow, 10);
    OK(a3m_release(flow.push, credit));
    assert_int_equal(caller_join(&sender.caller), A3M_OK);
    take(&flow, 10);
    close_flow(&flow);
}

/* What of its bytes a message leaves is the next one's. */
static void test_reservation_used_by_a_smaller_message_the_rest_is_the_next_ones(void **arg)
{
    (void)arg;
    struct flow flow;
    struct sender sender;
    a3m_credit credit;
    open_flow(&flow, 10, 1000);
    OK(a3m_link_reserve(flow.link, 900, &credit, A3M_NOW));
    start_sender(&sender, &flow, 500);
    OK(a3m_send_reserved(flow.push, credit, sized(100)));
    assert_int_equal(caller_join(&sender.caller), A3M_OK);
    take(&flow, 100);
    take(&flow, 500);
    close_flow(&flow);
}

static void test_reservation_ends_with_its_link(void **arg)
{
    (void)arg;
    struct flow flow;
    a3m_credit used, released;
    open_flow(&flow, 2, 1000);
    OK(a3m_link_reserve(flow.link, 10, &used, A3M_NOW));
    OK(a3m_link_reserve(flow.link, 10, &released, A3M_NOW));
    OK(a3m_link_end(flow.link));
    assert_int_equal(use_refused(&flow, used, 10), A3M_ELINKDOWN);
    assert_int_equal(use_refused(&flow, used, 10), A3M_ENOENT);
    OK(a3m_release(flow.push, released));
    assert_int_equal(a3m_release(flow.push, released), A3M_ENOENT);
    close_flow(&flow);
}

/* Left behind by who made them. */
static void test_reservation_goes_with_its_socket(void **arg)
{
    (void)arg;
    struct flow flow;
    a3m_credit credit;
    open_flow(&flow, 2, 1000);
    OK(a3m_link_reserve(flow.link, 10, &credit, A3M_NOW));
    OK(a3m_link_reserve(flow.link, 10, &credit, A3M_NOW));
    close_flow(&flow);
}

static void test_reservation_is_honoured_after_a_cut(void **arg)
{
    (void)arg;
    struct flow flow;
    a3m_credit credits[8];
    open_flow(&flow, 10, 1000);
    OK(a3m_link_send(flow.link, sized(10), A3M_NOW));
    OK(a3m_link_send(flow.link, sized(10), A3M_NOW));
    for (int i = 0; i < 8; i++) {
        OK(a3m_link_reserve(flow.link, 100, &credits[i], A3M_NOW));
    }
    OK(a3m_link_set_credit(flow.back, 1, 15)); /* below what was sent */
    await_credit(&flow, 1 - 2 - 8, 15 - 20 - 800);
    for (int i = 0; i < 8; i++) {
        OK(a3m_send_reserved(flow.push, credits[i], sized(100)));
    }
    assert_int_equal(send_refused(&flow, 1), A3M_ENOCREDIT);
    take(&flow, 10);
    take(&flow, 10);
    for (int i = 0; i < 8; i++) {
        take(&flow, 100);
    }
    await_credit(&flow, 1, 15);
    assert_int_equal(info_of(flow.link).state, A3M_LINK_UP);
    close_flow(&flow);
}

/* Credit was given to a small message first, then to a large one that goes beyond the grant. */
static void test_reservations_used_in_another_order_are_no_violation(void **arg)
{
    (void)arg;
    struct flow flow;
    a3m_credit small, large;
    open_flow(&flow, 10, 1000);
    OK(a3m_socket_set(flow.pull, A3M_OPT_CREDIT_BATCH, 1));
    OK(a3m_link_reserve(flow.link, 100, &small, A3M_NOW));
    OK(a3m_link_reserve(flow.link, 5000, &large, A3M_NOW));
    OK(a3m_send_reserved(flow.push, large, sized(5000)));
    OK(a3m_send_reserved(flow.push, small, sized(100)));
    take(&flow, 5000);
    take(&flow, 100);
    await_credit(&flow, 10, 1000);
    assert_int_equal(info_of(flow.link).state, A3M_LINK_UP);
    close_flow(&flow);
}

/* ---- Capacity ------------------------------------------------------------------------------------ */

static void test_capacity_raised_and_lowered_while_messages_flow(void **arg)
{
    static const struct {
        uint64_t messages, bytes;
    } steps[] = {{100, 100000}, {3, 300}, {1, 1}, {50, 10}, {2, 100000}, {1000, 50}, {4, 4000}};
    (void)arg;
    struct flow flow;
    uint64_t sent = 0, taken = 0, bytes_sent = 0, bytes_taken = 0;
    open_flow(&flow, 10, 1000);
    OK(a3m_socket_set(flow.pull, A3M_OPT_CREDIT_BATCH, 1));
    for (size_t i = 0; i < 3 * sizeof(steps) / sizeof(steps[0]); i++) {
        uint64_t messages = steps[i % 7].messages, bytes = steps[i % 7].bytes;
        size_t size = i % 3 == 0 ? 0 : 20;
        OK(a3m_link_set_credit(flow.back, messages, bytes));
        await_credit(&flow, (int64_t)(taken + messages - sent), (int64_t)(bytes_taken + bytes - bytes_sent));
        a3m_msg *msg = sized(size);
        while (a3m_link_send(flow.link, msg, A3M_NOW) == A3M_OK) {
            sent++;
            bytes_sent += size;
            msg = sized(size);
        }
        a3m_msg_free(msg);
        a3m_link_info info = info_of(flow.link);
        assert_int_equal(info.sent, sent);
        /* Some are taken, so that some are left for the next step. */
        for (uint64_t left = (sent - taken) / 2; left > 0; left--) {
            a3m_msg *got;
            OK(a3m_recv_until(flow.pull, &got, SOON));
            taken++;
            bytes_taken += a3m_msg_size(got);
            a3m_msg_free(got);
        }
    }
    assert_true(sent > 200);
    close_flow(&flow);
}

/* Less than was sent: nothing goes until it was taken, and then as much as there is now. */
static void test_capacity_below_what_was_sent_is_worked_off_first(void **arg)
{
    (void)arg;
    struct flow flow;
    struct sender sender;
    open_flow(&flow, 10, 1000);
    for (int i = 0; i < 10; i++) {
        OK(a3m_link_send(flow.link, sized(10), A3M_NOW));
    }
    OK(a3m_link_set_credit(flow.back, 2, 1000));
    await_credit(&flow, -8, 900);
    start_sender(&sender, &flow, 10);
    for (int i = 0; i < 8; i++) {
        take(&flow, 10);
    }
    await_all_asleep();
    assert_false(caller_returned(&sender.caller));
    take(&flow, 10);
    assert_int_equal(caller_join(&sender.caller), A3M_OK);
    take(&flow, 10);
    take(&flow, 10);
    assert_int_equal(test_stats(flow.to).bad_credit, 0);
    close_flow(&flow);
}

/* By option: all links, and those to come. */
static void test_capacity_by_option_changes_all_links(void **arg)
{
    (void)arg;
    struct flow flow;
    open_flow(&flow, 10, 1000);
    OK(a3m_socket_set(flow.pull, A3M_OPT_CREDIT_MESSAGES, 20));
    OK(a3m_socket_set(flow.pull, A3M_OPT_CREDIT_BYTES, 500));
    await_credit(&flow, 20, 500);
    assert_int_equal(info_of(flow.back).capacity_messages, 20);
    assert_int_equal(a3m_link_set_credit(flow.back, 0, 1), A3M_EINVAL);
    assert_int_equal(a3m_link_set_credit(flow.back, 1, 0), A3M_EINVAL);
    close_flow(&flow);
}

/* Changed between a request and its answer, at either end, whoever asks, also when both do. */
static void test_capacity_changed_during_the_handshake(void **arg)
{
    (void)arg;
    for (int i = 0; i < 30; i++) {
        struct flow flow = {.from = test_node("from"), .to = test_node("to")};
        flow.push = test_socket(flow.from, &a3m_push, "source");
        flow.pull = test_socket(flow.to, &a3m_pull, "sink");
        OK(a3m_socket_set(flow.pull, A3M_OPT_CREDIT_BATCH, 1));
        if (i % 3 != 1) {
            OK(a3m_socket_link(flow.pull, test_url(flow.from, "source"), NULL));
        }
        if (i % 3 != 0) {
            OK(a3m_socket_link(flow.push, test_url(flow.to, "sink"), NULL));
        }
        OK(a3m_socket_set(flow.pull, A3M_OPT_CREDIT_MESSAGES, 1 + i % 5));
        for (int k = 0; k < i; k++) {
            (void)sched_yield();
        }
        OK(a3m_socket_set(flow.pull, A3M_OPT_CREDIT_BYTES, 100));
        OK(a3m_socket_wait_link(flow.push, &flow.link, SOON));
        OK(a3m_socket_wait_link(flow.pull, &flow.back, SOON));
        await_credit(&flow, 1 + i % 5, 100);
        OK(a3m_link_send(flow.link, sized(5000), SOON));
        take(&flow, 5000);
        await_credit(&flow, 1 + i % 5, 100);
        close_flow(&flow);
    }
}

/* A message that was small beside the capacity is large beside what it is now, and goes all the same. */
static void test_capacity_lowered_below_a_message_it_goes(void **arg)
{
    (void)arg;
    for (int64_t percent = 1; percent <= 100; percent += 33) {
        struct flow flow;
        struct sender sender;
        open_flow(&flow, 1000, 100000);
        OK(a3m_socket_set(flow.pull, A3M_OPT_CREDIT_BATCH, percent));
        OK(a3m_link_send(flow.link, sized(60000), A3M_NOW));
        start_sender(&sender, &flow, 60000);
        OK(a3m_link_set_credit(flow.back, 1000, 1000));
        take(&flow, 60000);
        assert_int_equal(caller_join(&sender.caller), A3M_OK);
        for (int i = 0; i < 20; i++) {
            take(&flow, 60000);
            OK(a3m_send_until(flow.push, sized(60000), SOON));
        }
        take(&flow, 60000);
        close_flow(&flow);
    }
}

/* Returned only when all of it was taken: large messages need bytes that are returned before. */
static void test_credit_returned_late_stops_no_large_message(void **arg)
{
    (void)arg;
    struct flow flow;
    open_flow(&flow, 1000, 1000);
    OK(a3m_socket_set(flow.pull, A3M_OPT_CREDIT_BATCH, 100));
    for (int i = 0; i < 20; i++) {
        OK(a3m_send_until(flow.push, sized(300 + (size_t)i * 97 % 500), SOON));
        take(&flow, 300 + (size_t)i * 97 % 500);
    }
    close_flow(&flow);
}

/* ---- A receiver that stops -------------------------------------------------------------------------- */

static void test_receiver_stops_its_sender_waits_at_the_grant_and_others_go_on(void **arg)
{
    (void)arg;
    struct flow flow;
    open_flow(&flow, 7, 1 << 20);
    a3m_socket other = test_socket(flow.to, &a3m_pull, "other");
    OK(a3m_socket_set(other, A3M_OPT_CREDIT_MESSAGES, 3));
    test_link(flow.push, test_url(flow.to, "other"));
    for (int i = 0; i < 7; i++) {
        OK(a3m_link_send(flow.link, sized(1), A3M_NOW));
    }
    assert_int_equal(send_refused(&flow, 1), A3M_ENOCREDIT);
    for (int i = 0; i < 1000; i++) {
        OK(a3m_send_until(flow.push, sized(2), SOON));
        a3m_msg *msg;
        OK(a3m_recv_until(other, &msg, SOON));
        assert_int_equal(a3m_msg_size(msg), 2);
        a3m_msg_free(msg);
    }
    assert_int_equal(info_of(flow.link).sent, 7);
    assert_int_equal(info_of(flow.back).received, 7);
    struct sender sender;
    for (int i = 0; i < 3; i++) {
        OK(a3m_send_until(flow.push, sized(2), SOON));
    }
    start_sender(&sender, &flow, 1);
    take(&flow, 1);
    assert_int_equal(caller_join(&sender.caller), A3M_OK);
    close_flow(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reservation_is_used_once_or_given_back_once),
        cmocka_unit_test(test_reservation_larger_than_any_message_is_refused),
        cmocka_unit_test(test_reservation_on_another_socket_is_none),
        cmocka_unit_test(test_reservation_given_back_wakes_the_next),
        cmocka_unit_test(test_reservation_used_by_a_smaller_message_the_rest_is_the_next_ones),
        cmocka_unit_test(test_reservation_ends_with_its_link),
        cmocka_unit_test(test_reservation_goes_with_its_socket),
        cmocka_unit_test(test_reservation_is_honoured_after_a_cut),
        cmocka_unit_test(test_reservations_used_in_another_order_are_no_violation),
        cmocka_unit_test(test_capacity_raised_and_lowered_while_messages_flow),
        cmocka_unit_test(test_capacity_below_what_was_sent_is_worked_off_first),
        cmocka_unit_test(test_capacity_by_option_changes_all_links),
        cmocka_unit_test(test_capacity_changed_during_the_handshake),
        cmocka_unit_test(test_capacity_lowered_below_a_message_it_goes),
        cmocka_unit_test(test_credit_returned_late_stops_no_large_message),
        cmocka_unit_test(test_receiver_stops_its_sender_waits_at_the_grant_and_others_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
