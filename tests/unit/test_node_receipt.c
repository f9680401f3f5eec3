/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery receipts: what is told of a message, and when, however its link ends. Nodes that are never started;
 * this test runs their turns, and so decides what arrives. covers S8
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node_fixture.h"
#include "node_turns.h"
#include "told.h"

enum { ACCEPTED = A3M_RECEIPT_ACCEPTED, TAKEN = A3M_RECEIPT_TAKEN, BOTH = ACCEPTED | TAKEN };

struct world {
    a3m_node a, b;
    struct a3mi_node *in_a, *in_b;
    a3m_socket push, pull;
    a3m_link link;
    int64_t now;
    struct told told;
};

static struct world *make_idle(void)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->now = INT64_C(1000000000);
    world->a = test_node_idle("a", "inproc://receipt-a");
    world->b = test_node_idle("b", "inproc://receipt-b");
    world->in_a = node_inside(world->a);
    world->in_b = node_inside(world->b);
    world->push = test_socket(world->a, &a3m_push, "push");
    world->pull = test_socket(world->b, &a3m_pull, "pull");
    return world;
}

static void settle(struct world *world)
{
    for (int i = 0; i < 60; i++) {
        if (world->in_b != NULL) {
            (void)node_turn_all(world->in_b, world->now);
        }
        (void)node_turn_all(world->in_a, world->now);
        world->now += 1000000;
    }
}

static void link_up(struct world *world)
{
    assert_int_equal(a3m_socket_link(world->push, "inproc://receipt-b/pull", &world->link), A3M_OK);
    settle(world);
    assert_int_equal(a3m_link_wait(world->link, A3M_NOW), A3M_OK);
}

static struct world *make(void)
{
    struct world *world = make_idle();
    link_up(world);
    return world;
}

static void end(struct world *world)
{
    (void)a3m_node_close(world->a, A3M_NOW, NULL);
    if (world->in_b != NULL) {
        (void)a3m_node_close(world->b, A3M_NOW, NULL);
    }
    free(world);
}

static void end_b(struct world *world)
{
    world->in_b = NULL;
    (void)a3m_node_close(world->b, A3M_NOW, NULL);
}

static a3m_msg *asking(struct world *world, unsigned kinds, uint64_t id)
{
    a3m_msg *msg = test_msg("m");
    assert_int_equal(a3m_msg_set_receipt(msg, kinds, id, told_note, &world->told), A3M_OK);
    return msg;
}

static void push(struct world *world, unsigned kinds, uint64_t id)
{
    assert_int_equal(a3m_try_send(world->push, asking(world, kinds, id)), A3M_OK);
}

static void take(struct world *world)
{
    a3m_msg *msg = NULL;
    assert_int_equal(a3m_try_recv(world->pull, &msg), A3M_OK);
    a3m_msg_free(msg);
}

#define TOLD_IS(world, id, text) assert_string_equal(told_of(&(world)->told, (id)), (text))

/* ---- All is well ---------------------------------------------------------------------- */

static void test_receipt_accepted_is_told_when_the_peers_node_has_it(void **arg)
{
    (void)arg;
    struct world *world = make();
    push(world, ACCEPTED, 7);
    (void)node_turn_all(world->in_a, world->now); /* it is under way */
    TOLD_IS(world, 7, "");
    settle(world);
    TOLD_IS(world, 7, "accepted!");
    const a3m_receipt *receipt = &world->told.all[0];
    assert_true(receipt->accepted);
    assert_int_equal(receipt->reason, 0);
    assert_int_equal(receipt->link.v, world->link.v);
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
            assert_int_equal(a3m_send_bytes(world->push, "m", 1, A3M_NOW), A3M_OK);
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
    a3m_socket pull = test_socket(world->a, &a3m_pull, "own");
    a3m_msg *msg = NULL;
    assert_int_equal(a3m_socket_link(world->push, "a/own", NULL), A3M_OK);
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
    a3m_socket on = test_socket(world->b, &a3m_push, "on");
    a3m_socket back = test_socket(world->a, &a3m_pull, "back");
    a3m_msg *msg = NULL;
    assert_int_equal(a3m_socket_link(on, "inproc://receipt-a/back", NULL), A3M_OK);
    settle(world);
    push(world, TAKEN, 1);
    settle(world);
    assert_int_equal(a3m_try_recv(world->pull, &msg), A3M_OK);
    assert_int_not_equal(msg->flags & A3MI_MSG_ASKS_TAKEN, 0);
    assert_int_equal(a3m_try_send(on, msg), A3M_OK);
    settle(world);
    TOLD_IS(world, 1, "taken!");
    assert_int_equal(a3m_try_recv(back, &msg), A3M_OK);
    assert_int_equal(msg->flags & A3MI_MSG_ASKS_TAKEN, 0);
    a3m_msg_free(msg);
    end(world);
}

/* ---- The link ends ---------------------------------------------------------------------- */

static void test_receipt_link_aborted_what_was_not_transmitted_is_undelivered(void **arg)
{
    (void)arg;
    struct world *world = make();
    push(world, BOTH, 1);
    settle(world);
    push(world, BOTH, 2);
    (void)node_turn_all(world->in_a, world->now); /* transmitted; B does not hear it */
    push(world, ACCEPTED, 3);
    push(world, TAKEN, 4);
    assert_int_equal(a3m_link_abort(world->link, NULL), A3M_OK);
    (void)node_turn_all(world->in_a, world->now);
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
    assert_int_equal(a3m_link_end(world->link), A3M_OK);
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
    assert_int_equal(a3m_socket_close(world->pull), A3M_OK);
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
    end_b(world);
    settle(world);
    for (uint64_t i = 0; i < 3; i++) {
        TOLD_IS(world, i, "accepted accepted-unknown!");
    }
    /* It may have been transmitted to a node that was not there any more, or not at all. */
    assert_true(strcmp(told_of(&world->told, 3), "unknown!") == 0 ||
                strcmp(told_of(&world->told, 3), "undelivered!") == 0);
    for (size_t i = 3; i < world->told.count; i++) {
        int reason = world->told.all[i].reason;
        assert_true(reason == A3M_ERESTARTED || reason == A3M_ECLOSED);
    }
    world->b = test_node_idle("b", "inproc://receipt-b");
    world->in_b = node_inside(world->b);
    world->pull = test_socket(world->b, &a3m_pull, "pull");
    world->now += INT64_C(60000000000);
    settle(world);
    if (a3m_link_wait(world->link, A3M_NOW) !=
        A3M_OK) { /* the peer said that it closes, and the link ended */
        link_up(world);
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
    (void)a3m_node_close(world->a, A3M_NOW, NULL);
    TOLD_IS(world, 1, "accepted accepted-unknown!");
    assert_true(strcmp(told_of(&world->told, 2), "unknown!") == 0 ||
                strcmp(told_of(&world->told, 2), "undelivered!") == 0);
    (void)a3m_node_close(world->b, A3M_NOW, NULL);
    free(world);
}

static void test_receipt_scheduled_message_that_is_dropped_is_undelivered(void **arg)
{
    (void)arg;
    struct world *world = make();
    a3m_time at = {world->now + 1000000};
    assert_int_equal(a3m_link_send_at(world->link, asking(world, BOTH, 1), at, NULL), A3M_OK);
    assert_int_equal(a3m_send_at(world->push, asking(world, BOTH, 2), (a3m_time){INT64_MAX - 1}, NULL),
                     A3M_OK);
    assert_int_equal(a3m_link_end(world->link), A3M_OK);
    settle(world);
    TOLD_IS(world, 1, "undelivered!");
    TOLD_IS(world, 2, "");
    assert_int_equal(world->told.all[0].link.v, 0);
    assert_int_not_equal(world->told.all[0].reason, 0);
    (void)a3m_node_close(world->a, A3M_NOW, NULL);
    TOLD_IS(world, 2, "undelivered!");
    (void)a3m_node_close(world->b, A3M_NOW, NULL);
    free(world);
}

/* ---- As events -------------------------------------------------------------------------- */

static void test_receipt_without_a_callback_is_an_event(void **arg)
{
    (void)arg;
    struct world *world = make();
    assert_int_equal(a3m_socket_set(world->push, A3M_OPT_EVENTS, 8), A3M_OK);
    for (uint64_t id = 5; id < 7; id++) {
        a3m_msg *msg = test_msg("m");
        assert_int_equal(a3m_msg_set_receipt(msg, BOTH, id, NULL, NULL), A3M_OK);
        assert_int_equal(a3m_try_send(world->push, msg), A3M_OK);
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
        assert_int_equal(a3m_socket_next_event(world->push, &event, A3M_NOW), A3M_OK);
        assert_int_equal(event.kind, A3M_EVENT_RECEIPT);
        assert_int_equal(event.receipt.id, expected[i].id);
        assert_int_equal(event.receipt.kind, expected[i].kind);
        assert_int_equal(event.link.v, world->link.v);
        assert_string_equal(event.peer_node, "b");
        assert_string_equal(event.peer_tag, "pull");
    }
    assert_int_equal(a3m_socket_next_event(world->push, &event, A3M_NOW), A3M_EAGAIN);
    end(world); /* what is left of message 6 is told to nobody, and freed */
}

static void test_receipt_as_an_event_of_a_socket_without_events_is_none(void **arg)
{
    (void)arg;
    struct world *world = make();
    a3m_msg *msg = test_msg("m");
    assert_int_equal(a3m_msg_set_receipt(msg, BOTH, 1, NULL, NULL), A3M_OK);
    assert_int_equal(a3m_try_send(world->push, msg), A3M_OK);
    settle(world);
    take(world);
    settle(world);
    end(world);
}

/* ---- What a caller may do, and what a peer may say ------------------------------------------ */

static void test_receipt_asking(void **arg)
{
    (void)arg;
    struct world *world = make_idle();
    a3m_msg *msg = asking(world, BOTH, 1);
    assert_int_equal(a3m_msg_set_receipt(msg, A3M_RECEIPT_UNKNOWN, 1, told_note, NULL), A3M_EINVAL);
    assert_int_equal(a3m_try_send(world->push, msg), A3M_ENOLINK);
    link_up(world);
    assert_int_equal(a3m_msg_set_receipt(msg, ACCEPTED, 2, told_note, &world->told),
                     A3M_OK); /* the last one counts */
    assert_int_equal(a3m_try_send(world->push, msg), A3M_OK);
    msg = asking(world, BOTH, 3);
    assert_int_equal(a3m_msg_set_receipt(msg, 0, 0, NULL, NULL), A3M_OK);
    assert_int_equal(a3m_try_send(world->push, msg), A3M_OK);
    a3m_msg_free(asking(world, BOTH, 4));
    settle(world);
    take(world);
    settle(world);
    TOLD_IS(world, 2, "accepted!");
    assert_int_equal(world->told.count, 1);
    end(world);
}

static struct a3mi_link *only_link(struct a3mi_node *node)
{
    size_t it = 0;
    uint64_t number;
    void *value = NULL;
    assert_true(a3mi_map64_next(&node->links, &it, &number, &value));
    return value;
}

static void say_taken(struct world *world, uint64_t first, uint64_t end)
{
    struct a3mi_link *link = only_link(world->in_a);
    struct a3mi_control control = {.kind = A3MI_CONTROL_TAKEN,
                                   .author_link = link->peer_number,
                                   .addressee_link = link->number,
                                   .ranges = {{first, end}},
                                   .range_count = 1};
    uint8_t bytes[A3MI_CONTROL_MAX];
    size_t size = a3mi_control_encode(&control, bytes, sizeof(bytes));
    struct a3mi_turn turn = {.now = world->now};
    assert_true(size > 0);
    world->in_a->turn = &turn;
    a3mi_link_on_control(world->in_a, link->peer, link->incarnation, bytes, size, world->now);
    world->in_a->turn = NULL;
    settle(world);
}

static void test_receipt_peer_says_it_of_messages_never_sent_or_told_already(void **arg)
{
    (void)arg;
    struct world *world = make();
    push(world, BOTH, 1);
    push(world, ACCEPTED, 2);
    settle(world);
    say_taken(world, 0, 3);
    assert_int_equal(test_stats(world->a).bad_control, 1);
    TOLD_IS(world, 1, "accepted");
    say_taken(world, 0, 2); /* a lie, but of its own */
    TOLD_IS(world, 1, "accepted taken!");
    TOLD_IS(world, 2, "accepted!");
    say_taken(world, 0, 1); /* of no message twice */
    assert_int_equal(test_stats(world->a).bad_control, 2);
    take(world);
    settle(world);
    assert_int_equal(world->told.count, 3);
    assert_int_equal(test_stats(world->a).bad_control, 3);
    end(world);
}

/* One by one from behind, many at once, with messages among them that do not ask: whichever way they are looked for. */
static void test_receipt_taken_is_said_in_any_order(void **arg)
{
    (void)arg;
    enum { N = 300 };
    struct world *world = make();
    for (uint64_t i = 0; i < N; i++) {
        push(world, i % 3 == 0 ? ACCEPTED : i % 3 == 1 ? TAKEN : BOTH, i);
    }
    settle(world);
    world->told.count = 0;
    for (uint64_t i = N - 1; i >= N - 10; i--) {
        say_taken(world, i, i + 1);
    }
    say_taken(world, 3, N / 2);
    say_taken(world, N / 2 + 1, N - 10);
    for (uint64_t i = 0; i < N; i++) {
        bool told = i >= 3 && i != N / 2 && i % 3 != 0;
        TOLD_IS(world, i, told ? "taken!" : "");
    }
    say_taken(world, N / 2, N / 2 + 1);
    say_taken(world, 0, 3);
    TOLD_IS(world, 1, "taken!");
    assert_int_equal(world->told.count, N - N / 3);
    assert_int_equal(test_stats(world->a).bad_control, 0);
    end(world);
}

/* It may, on a link that lets messages overtake one another, or whose acknowledgement was lost. */
static void test_receipt_taken_overtakes_the_acknowledgement_both_are_told_in_order(void **arg)
{
    (void)arg;
    struct world *world = make();
    for (uint64_t i = 0; i < 4; i++) {
        push(world, BOTH, i);
    }
    (void)node_turn_all(world->in_a, world->now);
    world->in_b->turn = NULL;
    struct a3mi_node *b = world->in_b;
    world->in_b = NULL; /* it is deaf for a while */
    say_taken(world, 1, 3);
    TOLD_IS(world, 0, "");
    TOLD_IS(world, 1, "accepted taken!");
    TOLD_IS(world, 2, "accepted taken!");
    TOLD_IS(world, 3, "");
    world->in_b = b;
    settle(world);
    TOLD_IS(world, 0, "accepted");
    TOLD_IS(world, 1, "accepted taken!");
    TOLD_IS(world, 3, "accepted");
    end(world);
}

/* More ranges than go into one control message, noted in any order. */
static void test_receipt_many_ranges_are_all_said(void **arg)
{
    (void)arg;
    struct world *world = make();
    enum { N = 200 };
    for (uint64_t i = 0; i < N; i++) {
        push(world, TAKEN, i);
    }
    settle(world);
    struct a3mi_link *link = only_link(world->in_b);
    a3mi_socket_lock(link->socket);
    for (uint64_t i = 0; i < N / 2; i++) { /* the even ones, from behind */
        a3m_msg msg = {.flags = A3MI_MSG_ASKS_TAKEN, .number = N - 2 - 2 * i};
        assert_true(a3mi_taken_note(&link->taken_unsaid, &msg));
    }
    a3mi_socket_unlock(link->socket);
    struct a3mi_turn turn = {.now = world->now};
    world->in_b->turn = &turn;
    a3mi_socket_lock(link->socket);
    a3mi_taken_say(link, world->now);
    a3mi_socket_unlock(link->socket);
    world->in_b->turn = NULL;
    settle(world);
    for (uint64_t i = 0; i < N; i++) {
        TOLD_IS(world, i, i % 2 == 0 ? "taken!" : "");
    }
    end(world);
}

/* With a message that is not taken between each two, and a peer that is never told: that does not grow for ever. */
static void test_receipt_ranges_that_wait_are_bounded(void **arg)
{
    (void)arg;
    struct world *world = make();
    struct a3mi_link *link = only_link(world->in_b);
    struct a3mi_taken taken = {.v = NULL};
    a3m_msg msg = {.flags = A3MI_MSG_ASKS_TAKEN};
    for (uint64_t i = 0; i < 10 * (uint64_t)A3MI_TAKEN_MOST; i++) {
        msg.number = 2 * i;
        (void)a3mi_taken_note(&taken, &msg);
    }
    assert_int_equal(taken.room, A3MI_TAKEN_MOST);
    assert_true(taken.full);
    a3mi_taken_clear(&taken);
    /* What fits together again stays few. */
    for (uint64_t i = 0; i < 10 * (uint64_t)A3MI_TAKEN_MOST; i++) {
        msg.number = i ^ 1;
        (void)a3mi_taken_note(&taken, &msg);
    }
    assert_false(taken.full);
    assert_true(taken.room <= 64);
    a3mi_taken_clear(&taken);
    /* Once some was said there is room for more. */
    a3mi_socket_lock(link->socket);
    for (uint64_t i = 0; i < A3MI_TAKEN_MOST + 1; i++) {
        msg.number = 2 * i;
        (void)a3mi_taken_note(&link->taken_unsaid, &msg);
    }
    assert_true(link->taken_unsaid.full);
    struct a3mi_turn turn = {.now = world->now};
    world->in_b->turn = &turn;
    a3mi_taken_say(link, world->now);
    world->in_b->turn = NULL;
    assert_false(link->taken_unsaid.full);
    size_t count = link->taken_unsaid.count;
    msg.number = 8 * (uint64_t)A3MI_TAKEN_MOST;
    (void)a3mi_taken_note(&link->taken_unsaid, &msg);
    assert_int_equal(link->taken_unsaid.count, count + 1);
    a3mi_socket_unlock(link->socket);
    settle(world);
    end(world);
}

/* By every call that sends: what these take over they tell of, what they refuse they do not. */
static void test_receipt_by_every_way_to_send(void **arg)
{
    (void)arg;
    struct world *world = make();
    a3m_msg *many[] = {asking(world, BOTH, 1), test_msg("m"), asking(world, TAKEN, 2)};
    a3m_credit credit;
    assert_int_equal(a3m_send_many(world->push, many, 3, A3M_NOW), 3);
    assert_int_equal(a3m_link_send(world->link, asking(world, BOTH, 3), A3M_NOW), A3M_OK);
    assert_int_equal(a3m_send_or_none(world->push, asking(world, BOTH, 4), A3M_NOW), A3M_OK);
    assert_int_equal(a3m_socket_reserve(world->push, 10, &credit, NULL, A3M_NOW), A3M_OK);
    a3m_msg *reserved = asking(world, BOTH, 5);
    assert_int_equal(a3m_send_reserved(world->push, credit, reserved), A3M_OK);
    reserved = asking(world, BOTH, 6);
    assert_int_equal(a3m_send_reserved(world->push, credit, reserved), A3M_ENOENT); /* it was used */
    a3m_msg_free(reserved);
    assert_int_equal(a3m_send_at(world->push, asking(world, BOTH, 7), (a3m_time){world->now + 1}, NULL),
                     A3M_OK);
    settle(world);
    a3m_scheduled scheduled;
    a3m_msg *back = NULL;
    a3m_time late = {INT64_MAX - 1};
    assert_int_equal(a3m_send_at(world->push, asking(world, BOTH, 8), late, &scheduled), A3M_OK);
    assert_int_equal(a3m_scheduled_cancel(scheduled, &back), A3M_OK);
    settle(world);
    TOLD_IS(world, 8, "");
    assert_int_equal(a3m_try_send(world->push, back), A3M_OK); /* it still asks */
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
        cmocka_unit_test(test_receipt_link_aborted_what_was_not_transmitted_is_undelivered),
        cmocka_unit_test(test_receipt_link_ended_with_messages_untaken_they_are_unknown_and_can_be_taken),
        cmocka_unit_test(test_receipt_receiver_closes_its_socket_what_it_took_is_told),
        cmocka_unit_test(test_receipt_peer_gone_and_another_one_come),
        cmocka_unit_test(test_receipt_node_closes_everything_is_told_by_then),
        cmocka_unit_test(test_receipt_scheduled_message_that_is_dropped_is_undelivered),
        cmocka_unit_test(test_receipt_without_a_callback_is_an_event),
        cmocka_unit_test(test_receipt_as_an_event_of_a_socket_without_events_is_none),
        cmocka_unit_test(test_receipt_asking),
        cmocka_unit_test(test_receipt_peer_says_it_of_messages_never_sent_or_told_already),
        cmocka_unit_test(test_receipt_taken_overtakes_the_acknowledgement_both_are_told_in_order),
        cmocka_unit_test(test_receipt_many_ranges_are_all_said),
        cmocka_unit_test(test_receipt_taken_is_said_in_any_order),
        cmocka_unit_test(test_receipt_ranges_that_wait_are_bounded),
        cmocka_unit_test(test_receipt_by_every_way_to_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
