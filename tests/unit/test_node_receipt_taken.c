/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a peer says which messages its application took: in ranges, in any order, late, early, or falsely. Nodes that are
 * never started; this test runs their turns, and says for B what it likes. covers S8
 */
#include "receipt_world.h"

/* ---- What is heard --------------------------------------------------------------------------- */

/* A hears that the messages of these numbers were taken: from first, before end. */
static void say_taken(struct world *world, uint64_t first, uint64_t end)
{
    const struct a3mi_link *link = node_only_link(world->pair.in_a);
    const struct a3mi_control control = {.kind = A3MI_CONTROL_TAKEN,
                                         .author_link = link->peer_number,
                                         .addressee_link = link->number,
                                         .ranges = {{first, end}},
                                         .range_count = 1};
    node_hear(world->pair.in_a, link, &control, world->pair.now);
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
    assert_int_equal(test_stats(world->pair.a).bad_control, 1);
    TOLD_IS(world, 1, "accepted");
    say_taken(world, 0, 2); /* a lie, but of its own */
    TOLD_IS(world, 1, "accepted taken!");
    TOLD_IS(world, 2, "accepted!");
    say_taken(world, 0, 1); /* of no message twice */
    assert_int_equal(test_stats(world->pair.a).bad_control, 2);
    take(world);
    settle(world);
    assert_int_equal(world->told.count, 3);
    assert_int_equal(test_stats(world->pair.a).bad_control, 3);
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
    assert_int_equal(test_stats(world->pair.a).bad_control, 0);
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
    turn_a(world);
    struct a3mi_node *b = world->pair.in_b;
    world->pair.in_b = NULL; /* it is deaf for a while */
    say_taken(world, 1, 3);
    TOLD_IS(world, 0, "");
    TOLD_IS(world, 1, "accepted taken!");
    TOLD_IS(world, 2, "accepted taken!");
    TOLD_IS(world, 3, "");
    world->pair.in_b = b;
    settle(world);
    TOLD_IS(world, 0, "accepted");
    TOLD_IS(world, 1, "accepted taken!");
    TOLD_IS(world, 3, "accepted");
    end(world);
}

/* ---- What is said ---------------------------------------------------------------------------- */

/* B says in a turn what it has noted. The link's socket is locked. */
static void say_noted_locked(struct world *world, struct a3mi_link *link)
{
    struct a3mi_turn turn = {.now = world->pair.now};
    world->pair.in_b->turn = &turn;
    a3mi_taken_say(link, world->pair.now);
    world->pair.in_b->turn = NULL;
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
    struct a3mi_link *link = node_only_link(world->pair.in_b);
    a3mi_socket_lock(link->socket);
    for (uint64_t i = 0; i < N / 2; i++) { /* the even ones, from behind */
        a3m_msg msg = {.flags = A3MI_MSG_ASKS_TAKEN, .number = N - 2 - 2 * i};
        assert_true(a3mi_taken_note(&link->taken_unsaid, &msg));
    }
    say_noted_locked(world, link);
    a3mi_socket_unlock(link->socket);
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
    struct a3mi_link *link = node_only_link(world->pair.in_b);
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
    say_noted_locked(world, link);
    assert_false(link->taken_unsaid.full);
    size_t count = link->taken_unsaid.count;
    msg.number = 8 * (uint64_t)A3MI_TAKEN_MOST;
    (void)a3mi_taken_note(&link->taken_unsaid, &msg);
    assert_int_equal(link->taken_unsaid.count, count + 1);
    a3mi_socket_unlock(link->socket);
    settle(world);
    end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receipt_peer_says_it_of_messages_never_sent_or_told_already),
        cmocka_unit_test(test_receipt_taken_is_said_in_any_order),
        cmocka_unit_test(test_receipt_taken_overtakes_the_acknowledgement_both_are_told_in_order),
        cmocka_unit_test(test_receipt_many_ranges_are_all_said),
        cmocka_unit_test(test_receipt_ranges_that_wait_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
