/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lives of one link, in virtual time: what arrives ahead of its acceptance, what of an earlier life must not
 * count in the next, what replaces or joins it, what it begins anew. Where the order of packets matters, the
 * association's events are called by hand, on nodes that are never started. covers L1 L3 L7 L11 F1
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/node.h"
#include "node_fixture.h"

#define MS    INT64_C(1000000)
#define START (INT64_C(1000) * MS)

static void *inside(uint64_t handle, enum a3mi_handle_kind kind)
{
    void *obj;
    assert_int_equal(a3mi_registry_get(handle, kind, &obj), A3M_OK);
    a3mi_registry_put(handle);
    return obj;
}

static void begin(struct a3mi_node *node, struct a3mi_turn *turn, int64_t now)
{
    *turn = (struct a3mi_turn){.flags = A3MI_TURN_RECEIVE | A3MI_TURN_FLUSH | A3MI_TURN_EVENTS, .now = now};
    a3mi_wakes_init(&turn->wakes);
    node->turn = turn;
}

static void end(struct a3mi_node *node, struct a3mi_turn *turn)
{
    node->turn = NULL;
    (void)a3mi_wakes_run(&turn->wakes);
}

static void run(struct a3mi_node *node, int64_t now)
{
    struct a3mi_turn turn;
    begin(node, &turn, now);
    a3mi_engine_ops.turn(node, &turn);
    end(node, &turn);
}

/* A PULL socket that asked for a link, and the PUSH socket that it asked. */
struct pair {
    a3m_node handles[2];
    struct a3mi_node *pull_node, *push_node;
    a3m_socket pull, push;
    struct a3mi_link *link; /* the PULL socket's */
    int64_t now;
};

static void settle(struct pair *pair)
{
    for (int i = 0; i < 12; i++) {
        run(pair->pull_node, pair->now);
        run(pair->push_node, pair->now);
        pair->now += MS / 100;
    }
}

static void make_pair(struct pair *pair, int64_t credit)
{
    a3m_link link;
    pair->now = START;
    pair->handles[0] = test_node_idle("puller", "inproc://review-puller");
    pair->handles[1] = test_node_idle("pusher", "inproc://review-pusher");
    pair->pull_node = inside(pair->handles[0].v, A3MI_KIND_NODE);
    pair->push_node = inside(pair->handles[1].v, A3MI_KIND_NODE);
    pair->pull = test_socket(pair->handles[0], &a3m_pull, "sink");
    pair->push = test_socket(pair->handles[1], &a3m_push, "source");
    assert_int_equal(a3m_socket_set(pair->pull, A3M_OPT_CREDIT_MESSAGES, credit), A3M_OK);
    assert_int_equal(a3m_socket_link(pair->pull, "inproc://review-pusher/source", &link), A3M_OK);
    pair->link = inside(link.v, A3MI_KIND_LINK);
    settle(pair);
    assert_int_equal(pair->link->state, A3MI_LINK_UP);
}

static void end_pair(struct pair *pair)
{
    (void)a3m_node_close(pair->handles[0], A3M_NOW, NULL);
    (void)a3m_node_close(pair->handles[1], A3M_NOW, NULL);
}

/* The PULL socket's node believes that its peer restarted: the link waits to ask again. */
static void lose_peer(struct pair *pair)
{
    struct a3mi_turn turn;
    begin(pair->pull_node, &turn, pair->now);
    a3mi_engine_hooks.peer_ended(pair->pull_node, pair->link->peer, pair->link->incarnation,
                                 A3MI_PEER_RESTARTED);
    end(pair->pull_node, &turn);
    assert_int_equal(pair->link->state, A3MI_LINK_RETRYING);
}

static void ask_again(struct pair *pair)
{
    pair->now += 100 * MS;
    run(pair->pull_node, pair->now);
    assert_int_equal(pair->link->state, A3MI_LINK_REQUESTING);
}

/* A message arrives on the link's index, whatever the link's state. */
static void arrive(struct pair *pair, const char *text)
{
    struct a3mi_turn turn;
    begin(pair->pull_node, &turn, pair->now);
    a3mi_engine_hooks.message(pair->pull_node, &pair->link->rx, test_msg(text));
    end(pair->pull_node, &turn);
    run(pair->pull_node, pair->now);
}

static size_t queued(const struct pair *pair)
{
    return pair->link->socket->inbox_count;
}

static void test_second_life_data_ahead_of_acceptance_waits_for_it(void **arg)
{
    (void)arg;
    struct pair pair;
    make_pair(&pair, 1);
    lose_peer(&pair);
    ask_again(&pair);
    arrive(&pair, "early");
    assert_int_equal(queued(&pair), 0);
    settle(&pair);
    assert_int_equal(pair.link->state, A3MI_LINK_UP);
    assert_int_equal(queued(&pair), 1);
    test_expect(pair.pull, "early");
    assert_int_equal(pair.link->received, 1);
    assert_int_equal(pair.link->taken, 1); /* its credit counts in this life: the sender is not stuck */
    end_pair(&pair);
}

static void test_attempt_lost_what_arrived_on_it_is_not_of_the_next(void **arg)
{
    (void)arg;
    struct pair pair;
    make_pair(&pair, 10);
    lose_peer(&pair);
    ask_again(&pair);
    arrive(&pair, "of the peer that died");
    lose_peer(&pair);
    assert_false(pair.link->rx_attached); /* it was bound to the incarnation that is over */
    ask_again(&pair);
    settle(&pair);
    assert_int_equal(pair.link->state, A3MI_LINK_UP);
    assert_int_equal(queued(&pair), 0);
    a3m_close_report report = {.size = sizeof(report)};
    (void)a3m_node_close(pair.handles[0], A3M_NOW, &report);
    assert_int_equal(report.unread, 1);
    (void)a3m_node_close(pair.handles[1], A3M_NOW, NULL);
}

static void test_credit_of_an_earlier_life_does_not_widen_the_next(void **arg)
{
    (void)arg;
    struct pair pair;
    make_pair(&pair, 4);
    for (int i = 0; i < 4; i++) {
        arrive(&pair, "old");
    }
    lose_peer(&pair);
    ask_again(&pair);
    settle(&pair);
    assert_int_equal(pair.link->state, A3MI_LINK_UP);
    for (int i = 0; i < 4; i++) {
        test_expect(pair.pull, "old");
    }
    settle(&pair);
    assert_int_equal(pair.link->taken, 0);
    assert_int_equal(pair.link->told_messages, 4);
    end_pair(&pair);
}

/* A peer that sends more than it was granted: its link ends, and memory stays bounded. covers X5 F1 */
static void test_credit_exceeded_link_ends_and_the_rest_is_dropped(void **arg)
{
    (void)arg;
    struct pair pair;
    make_pair(&pair, 4);
    for (int i = 0; i < 4; i++) {
        arrive(&pair, "granted");
    }
    assert_int_equal(pair.link->state, A3MI_LINK_UP);
    for (int i = 0; i < 1000; i++) {
        arrive(&pair, "not granted");
    }
    assert_int_equal(queued(&pair), 4);
    assert_true(pair.link->ended);
    assert_int_equal(pair.link->reason, A3M_EPROTO);
    assert_int_equal(pair.pull_node->credit_violations, 1000);
    for (int i = 0; i < 4; i++) {
        test_expect(pair.pull, "granted");
    }
    end_pair(&pair);
}

/* The same before the link is up: the request named the credit, and the index. covers X5 Y2 */
static void test_credit_exceeded_before_the_link_is_up_is_no_way_round(void **arg)
{
    (void)arg;
    struct pair pair;
    make_pair(&pair, 4);
    lose_peer(&pair);
    ask_again(&pair);
    for (int i = 0; i < 1000; i++) {
        arrive(&pair, "not asked for yet");
    }
    assert_int_equal(pair.link->batch.count, 4);
    assert_int_equal(pair.pull_node->credit_violations, 996);
    a3mi_link_ref(pair.link);
    settle(&pair);
    assert_true(pair.link->ended);
    assert_int_equal(pair.link->reason, A3M_EPROTO);
    a3mi_link_unref(pair.link);
    end_pair(&pair);
}

/* A peer asks on and on, and takes no answer: what waits for it is bounded. covers Y2 */
static void test_requests_of_who_takes_no_answers_are_left_unanswered(void **arg)
{
    (void)arg;
    struct pair pair;
    struct a3mi_turn turn;
    struct a3mi_control request = {.kind = A3MI_CONTROL_REQUEST,
                                   .type = "PUSH",
                                   .index = 77,
                                   .credit_messages = 1,
                                   .credit_bytes = 1,
                                   .max_message = 1};
    uint8_t bytes[A3MI_CONTROL_MAX];
    make_pair(&pair, 4);
    (void)a3mi_name_set(&request.author_tag, "x", 1);
    (void)a3mi_name_set(&request.addressee_tag, "nobody", 6);
    begin(pair.pull_node, &turn, pair.now);
    for (uint64_t i = 0; i < 5000; i++) {
        request.author_link = 1000 + i;
        size_t size = a3mi_control_encode(&request, bytes, sizeof(bytes));
        a3mi_engine_hooks.control(pair.pull_node, pair.link->peer, pair.link->incarnation, bytes, size);
    }
    end(pair.pull_node, &turn);
    assert_int_equal(a3mi_peer_control_waiting(pair.link->peer, pair.link->incarnation), 1024);
    assert_int_equal(pair.pull_node->requests_unanswered, 5000 - 1024);
    end_pair(&pair);
}

static void test_replaced_link_what_arrived_before_is_delivered_once(void **arg)
{
    (void)arg;
    struct pair pair;
    struct a3mi_turn turn;
    uint8_t bytes[A3MI_CONTROL_MAX];
    struct a3mi_control request = {.kind = A3MI_CONTROL_REQUEST, .author_link = 99, .index = 7};
    make_pair(&pair, 4);
    strcpy(request.type, "PUSH");
    assert_int_equal(a3mi_name_set(&request.author_tag, "source", 6), A3M_OK);
    assert_int_equal(a3mi_name_set(&request.addressee_tag, "sink", 4), A3M_OK);
    size_t size = a3mi_control_encode(&request, bytes, sizeof(bytes));
    /* In one turn: data of the old link, then the request that replaces it. */
    begin(pair.pull_node, &turn, pair.now);
    a3mi_engine_hooks.message(pair.pull_node, &pair.link->rx, test_msg("old"));
    a3mi_engine_hooks.control(pair.pull_node, pair.link->peer, pair.link->incarnation, bytes, size);
    end(pair.pull_node, &turn);
    assert_int_equal(pair.link->state, A3MI_LINK_UP);
    assert_int_equal(pair.link->peer_number, 99);
    assert_int_equal(queued(&pair), 1);
    assert_int_equal(pair.link->received, 0); /* in this life */
    test_expect(pair.pull, "old");
    end_pair(&pair);
}

static void refuse(void *arg, const a3m_link_request *request, a3m_link_answer *answer)
{
    ++*(int *)arg;
    assert_string_equal(request->peer_node, "puller");
    answer->accept = A3M_REFUSE;
}

/* The peer lost a link that it had asked for, and asks again: that is a new link, and the application is asked. */
static void test_replaced_link_is_accepted_anew(void **arg)
{
    (void)arg;
    struct pair pair;
    int asked = 0;
    make_pair(&pair, 4);
    assert_int_equal(a3m_socket_set_accept(pair.push, refuse, &asked), A3M_OK);
    lose_peer(&pair);
    ask_again(&pair);
    settle(&pair);
    assert_int_equal(asked, 1);
    assert_true(pair.link->ended);
    assert_int_equal(pair.link->reason, A3M_EREFUSED);
    assert_int_equal(a3m_socket_links(pair.push, NULL, 0), 0);
    end_pair(&pair);
}

static void test_joined_link_is_no_sign_of_a_bad_peer(void **arg)
{
    (void)arg;
    struct pair pair;
    a3m_link twin;
    make_pair(&pair, 4);
    assert_int_equal(a3m_socket_link(pair.pull, "pusher/source", &twin), A3M_OK);
    settle(&pair);
    assert_int_equal(a3m_link_wait(twin, A3M_NOW), A3M_OK);
    assert_int_equal(pair.pull_node->odd_controls, 0);
    end_pair(&pair);
}

/* The peer asked for the link, then this end as well: it outlives the peer's restart, as any that this end asked for. */
static void test_joined_link_outlives_its_peer(void **arg)
{
    (void)arg;
    struct pair pair;
    struct a3mi_turn turn;
    a3m_link wish, incoming;
    make_pair(&pair, 4);
    assert_int_equal(a3m_socket_links(pair.push, &incoming, 1), 1);
    assert_int_equal(a3m_socket_link(pair.push, "inproc://review-puller/sink", &wish), A3M_OK);
    settle(&pair);
    struct a3mi_link *link = inside(incoming.v, A3MI_KIND_LINK);
    begin(pair.push_node, &turn, pair.now);
    a3mi_engine_hooks.peer_ended(pair.push_node, link->peer, link->incarnation, A3MI_PEER_RESTARTED);
    end(pair.push_node, &turn);
    assert_int_equal(link->state, A3MI_LINK_RETRYING);
    assert_int_equal(a3m_link_wait(wish, A3M_NOW), A3M_ETIMEDOUT);
    end_pair(&pair);
}

/* A link that was up asks from the smallest interval on, and has all its attempts again. */
static void test_lost_link_begins_its_attempts_anew(void **arg)
{
    (void)arg;
    struct pair pair;
    make_pair(&pair, 4);
    for (int life = 0; life < 4; life++) {
        assert_int_equal(pair.link->attempts, 0);
        lose_peer(&pair);
        assert_int_equal(pair.link->next_attempt - pair.now, 50 * MS);
        ask_again(&pair);
        assert_int_equal(pair.link->attempts, 1);
        assert_int_equal(pair.link->backoff.attempts, 1);
        settle(&pair);
        assert_int_equal(pair.link->state, A3MI_LINK_UP);
    }
    end_pair(&pair);
}

/* A reservation is of the life of its link in which it was made, and no credit of the next one. */
static void test_reservation_of_an_earlier_life_is_gone_in_the_next(void **arg)
{
    (void)arg;
    struct pair pair;
    struct a3mi_turn turn;
    a3m_link wish;
    a3m_credit used, released;
    a3m_msg *msg = test_msg("late");
    make_pair(&pair, 4);
    assert_int_equal(a3m_socket_link(pair.push, "inproc://review-puller/sink", &wish), A3M_OK);
    settle(&pair);
    assert_int_equal(a3m_link_reserve(wish, 10, &used, A3M_NOW), A3M_OK);
    assert_int_equal(a3m_link_reserve(wish, 10, &released, A3M_NOW), A3M_OK);
    struct a3mi_link *link = ((struct a3mi_link *)inside(wish.v, A3MI_KIND_LINK))->alias;
    begin(pair.push_node, &turn, pair.now);
    a3mi_engine_hooks.peer_ended(pair.push_node, link->peer, link->incarnation, A3MI_PEER_RESTARTED);
    end(pair.push_node, &turn);
    pair.now += 100 * MS;
    settle(&pair);
    assert_int_equal(link->state, A3MI_LINK_UP);
    assert_int_equal(a3m_send_reserved(pair.push, used, msg), A3M_ELINKDOWN);
    assert_int_equal(a3m_release(pair.push, released), A3M_OK);
    assert_int_equal(a3m_release(pair.push, used), A3M_ENOENT);
    assert_int_equal(link->reserved, 0);
    assert_int_equal(a3mi_flow_available(link), 4);
    a3m_msg_free(msg);
    end_pair(&pair);
}

/* An answer to a request that is settled since: no event, no reason, and the link stays up. */
static void test_refusal_of_a_request_that_is_settled_says_nothing(void **arg)
{
    (void)arg;
    struct pair pair;
    struct a3mi_turn turn;
    uint8_t bytes[A3MI_CONTROL_MAX];
    a3m_socket_event event = {.size = sizeof(event)};
    make_pair(&pair, 4);
    assert_int_equal(a3m_socket_set(pair.pull, A3M_OPT_EVENTS, 4), A3M_OK);
    const struct a3mi_control late = {.kind = A3MI_CONTROL_REFUSE,
                                      .author_link = pair.link->peer_number,
                                      .addressee_link = pair.link->number,
                                      .refusal = A3MI_REFUSAL_NOT_ACCEPTED,
                                      .text = "too late"};
    size_t size = a3mi_control_encode(&late, bytes, sizeof(bytes));
    begin(pair.pull_node, &turn, pair.now);
    a3mi_engine_hooks.control(pair.pull_node, pair.link->peer, pair.link->incarnation, bytes, size);
    end(pair.pull_node, &turn);
    assert_int_equal(pair.link->state, A3MI_LINK_UP);
    assert_int_equal(pair.link->reason, A3M_OK);
    assert_null(pair.link->text);
    assert_int_equal(a3m_socket_next_event(pair.pull, &event, A3M_NOW), A3M_EAGAIN);
    end_pair(&pair);
}

/* Credit comes back in batches: a quarter of 100 messages is told at once, not one by one. */
static void test_credit_is_returned_in_batches(void **arg)
{
    (void)arg;
    struct pair pair;
    make_pair(&pair, 100);
    for (int i = 0; i < 100; i++) {
        arrive(&pair, "m");
    }
    for (int taken = 1; taken <= 100; taken++) {
        test_expect(pair.pull, "m");
        run(pair.pull_node, pair.now);
        assert_int_equal(pair.link->told_messages, 100 + taken / 25 * 25);
        assert_int_equal(pair.link->epoch, taken / 25);
    }
    end_pair(&pair);
}

/* A node that finds itself at the address that it asks: the request that was under way is no attempt of its own. */
static void test_peer_that_turns_out_to_be_another_costs_no_attempt(void **arg)
{
    (void)arg;
    a3m_link link;
    a3m_socket_event event = {.size = sizeof(event)};
    int refused = 0;
    a3m_node handle = test_node_idle("self", "inproc://lives-self");
    struct a3mi_node *node = inside(handle.v, A3MI_KIND_NODE);
    a3m_socket push = test_socket(handle, &a3m_push, NULL);
    assert_int_equal(a3m_socket_set(push, A3M_OPT_EVENTS, 16), A3M_OK);
    assert_int_equal(a3m_socket_set(push, A3M_OPT_LINK_ATTEMPTS, 3), A3M_OK);
    assert_int_equal(a3m_socket_link(push, "inproc://lives-self/nobody", &link), A3M_OK);
    for (int64_t now = START; a3m_link_wait(link, A3M_NOW) == A3M_ETIMEDOUT; now += MS / 10) {
        run(node, now);
    }
    while (a3m_socket_next_event(push, &event, A3M_NOW) == A3M_OK) {
        refused += event.kind == A3M_EVENT_REFUSED;
    }
    assert_int_equal(refused, 3);
    (void)a3m_node_close(handle, A3M_NOW, NULL);
}

/* A grant arrives, of this epoch; what may be sent by then. */
static uint64_t granted(struct pair *pair, struct a3mi_link *link, uint32_t epoch, uint64_t messages)
{
    struct a3mi_turn turn;
    begin(pair->push_node, &turn, pair->now);
    a3mi_engine_hooks.credit(pair->push_node, &link->rx, epoch, messages, 1 << 20);
    end(pair->push_node, &turn);
    return link->limit_messages;
}

/* Grants may overtake one another: the newest counts, be it the smaller one, also when the number of epochs ran over. */
static void test_grants_that_overtook_one_another_the_newest_counts(void **arg)
{
    (void)arg;
    struct pair pair;
    a3m_link handle;
    make_pair(&pair, 4);
    assert_int_equal(a3m_socket_links(pair.push, &handle, 1), 1);
    struct a3mi_link *link = inside(handle.v, A3MI_KIND_LINK);
    assert_int_equal(link->limit_messages, 4);
    assert_int_equal(granted(&pair, link, 2, 3), 3);
    assert_int_equal(granted(&pair, link, 1, 9), 3);
    assert_int_equal(granted(&pair, link, 2, 9), 3);
    assert_int_equal(granted(&pair, link, UINT32_C(0x80000001), 5), 5);
    assert_int_equal(granted(&pair, link, UINT32_MAX, 7), 7);
    assert_int_equal(granted(&pair, link, 1, 6), 6);
    assert_int_equal(granted(&pair, link, UINT32_MAX, 9), 6);
    end_pair(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_life_data_ahead_of_acceptance_waits_for_it),
        cmocka_unit_test(test_attempt_lost_what_arrived_on_it_is_not_of_the_next),
        cmocka_unit_test(test_credit_of_an_earlier_life_does_not_widen_the_next),
        cmocka_unit_test(test_credit_exceeded_link_ends_and_the_rest_is_dropped),
        cmocka_unit_test(test_credit_exceeded_before_the_link_is_up_is_no_way_round),
        cmocka_unit_test(test_requests_of_who_takes_no_answers_are_left_unanswered),
        cmocka_unit_test(test_replaced_link_what_arrived_before_is_delivered_once),
        cmocka_unit_test(test_replaced_link_is_accepted_anew),
        cmocka_unit_test(test_joined_link_is_no_sign_of_a_bad_peer),
        cmocka_unit_test(test_joined_link_outlives_its_peer),
        cmocka_unit_test(test_lost_link_begins_its_attempts_anew),
        cmocka_unit_test(test_reservation_of_an_earlier_life_is_gone_in_the_next),
        cmocka_unit_test(test_refusal_of_a_request_that_is_settled_says_nothing),
        cmocka_unit_test(test_credit_is_returned_in_batches),
        cmocka_unit_test(test_peer_that_turns_out_to_be_another_costs_no_attempt),
        cmocka_unit_test(test_grants_that_overtook_one_another_the_newest_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
