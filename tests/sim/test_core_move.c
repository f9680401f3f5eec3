/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node that moves and knows it tells its peers (core/move.h). What is said
 * here with few packets and within a second takes a silent receiver eight
 * seconds without it, and a link at rest for ever. covers N6 X2 core
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "core/move.h"
#include "core/packet.h"
#include "core_world.h"

/* What was sent, by type; the first few of some types are lost. */
struct tap {
    uint32_t lose; /* bits */
    unsigned lose_at_most;
    unsigned seen[16], all;
};

static bool tap_filter(void *arg, uint32_t from, uint32_t to, const uint8_t *bytes, size_t size)
{
    struct tap *tap = arg;
    unsigned type = bytes[1] & 15u;

    (void)from;
    (void)to;
    (void)size;
    tap->seen[type]++;
    tap->all++;
    if ((tap->lose & 1u << type) != 0 && tap->lose_at_most > 0) {
        tap->lose_at_most--;
        return false;
    }
    return true;
}

/* Two nodes with a link, and 1 ms between them. */
static void begin(struct world *w, struct tap *tap, uint64_t seed)
{
    struct world_options options = {.nodes = 2, .slots = 1, .linger = 2 * WORLD_S};

    world_init(w, seed, &options);
    *tap = (struct tap){0};
    w->net.filter = tap_filter;
    w->net.filter_arg = tap;
    w->net.faults.delay = WORLD_MS;
    world_settle(w, WORLD_S);
}

static void finish(struct world *w)
{
    w->net.faults.loss = 0;
    assert_int_equal(w->nodes[0].ended + w->nodes[1].ended, 0);
    world_poke(w);
    world_settle(w, 100 * WORLD_S);
    world_vanish(w, 100 * WORLD_S);
    world_expect_conformance(w);
    world_fini(w);
}

static uint64_t records(struct world *w)
{
    struct a3mi_assoc_stats a, b;

    a3mi_assoc_get_stats(w->nodes[0].assoc, &a);
    a3mi_assoc_get_stats(w->nodes[1].assoc, &b);
    return a.senders + a.receivers + b.senders + b.receivers;
}

/* Until no record is left; the link stays up. */
static void rest(struct world *w)
{
    world_run(w, 60 * WORLD_S);
    assert_int_equal(records(w), 0);
}

static void move(struct world *w, uint32_t node, uint32_t address)
{
    world_readdress(w, node, address);
    world_moved(w, node);
}

/* How long until node 0 has `n` messages of node 1 and the other way round; fails after `limit`. */
static int64_t await(struct world *w, uint64_t from_0, uint64_t from_1, int64_t limit)
{
    int64_t begun = w->now;

    while (world_accepted(w, 0, 1) < from_0 || world_accepted(w, 1, 0) < from_1) {
        assert_true(w->now - begun < limit);
        world_run(w, 5 * WORLD_MS);
    }
    return w->now - begun;
}

static void test_move_of_a_receiver_in_the_midst_of_messages_is_followed_at_once(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 1);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(world_send(&w, 0, 1, 0, 2000, false), 2000);
        world_run(&w, WORLD_MS / 2);
        move(&w, 1, 10 + i);
        (void)await(&w, 2000 * (i + 1), 0, 200 * WORLD_MS);
        world_run(&w, 30 * WORLD_S);
    }
    finish(&w);
}

static void test_move_of_a_receiver_with_losses_is_followed_in_seconds(void **state)
{
    (void)state;

    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct world w;
        struct tap tap;

        begin(&w, &tap, seed);
        w.net.faults.loss = 50;
        assert_int_equal(world_send(&w, 0, 1, 0, 1000, false), 1000);
        world_run(&w, WORLD_MS);
        move(&w, 1, 10);
        (void)await(&w, 1000, 0, 5 * WORLD_S);
        finish(&w);
    }
}

static void test_move_of_a_sender_in_the_midst_of_messages_is_followed_at_once(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 2);
    assert_int_equal(world_send(&w, 0, 1, 0, 2000, false), 2000);
    world_run(&w, WORLD_MS / 2);
    move(&w, 0, 10);
    (void)await(&w, 2000, 0, 200 * WORLD_MS);
    finish(&w);
}

static void test_move_while_the_link_is_at_rest_is_told_and_the_first_message_arrives(void **state)
{
    (void)state;

    for (uint32_t mover = 0; mover < 2; mover++) {
        struct world w;
        struct tap tap;

        begin(&w, &tap, 3);
        rest(&w);
        move(&w, mover, 10);
        world_run(&w, WORLD_S);
        assert_int_equal(world_send(&w, 0, 1, 0, 1, false), 1);
        assert_int_equal(world_send(&w, 1, 0, 0, 1, false), 1);
        (void)await(&w, 1, 1, 20 * WORLD_MS);
        rest(&w);
        finish(&w);
    }
}

/* Records are left, and nothing is under way. */
static void test_move_of_an_idle_sender_is_told_although_its_first_packets_are_lost(void **state)
{
    (void)state;
    static const uint8_t types[] = {A3MI_PACKET_DATA, A3MI_PACKET_ACK, A3MI_PACKET_CHALLENGE,
                                    A3MI_PACKET_RESPONSE};

    for (unsigned i = 0; i < sizeof(types); i++) {
        struct world w;
        struct tap tap;

        begin(&w, &tap, 4);
        assert_int_equal(world_send(&w, 0, 1, 0, 1, false), 1);
        world_run(&w, 100 * WORLD_MS);
        assert_true(records(&w) > 0);
        tap.lose = 1u << types[i];
        tap.lose_at_most = 3;
        move(&w, 0, 10);
        world_run(&w, 1500 * WORLD_MS); /* less than the linger */
        assert_int_equal(tap.lose_at_most, 0);
        assert_int_equal(world_send(&w, 1, 0, 0, 1, false), 1);
        (void)await(&w, 1, 1, 20 * WORLD_MS);
        finish(&w);
    }
}

static void test_move_of_both_at_once_one_told_by_hand_goes_on(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 5);
    assert_int_equal(world_send(&w, 0, 1, 0, 500, false), 500);
    assert_int_equal(world_send(&w, 1, 0, 0, 500, false), 500);
    world_run(&w, WORLD_MS / 2);
    move(&w, 0, 10);
    move(&w, 1, 11);
    world_run(&w, 10 * WORLD_S);
    assert_true(world_accepted(&w, 0, 1) < 500); /* neither knows where the other one is */
    world_point(&w, 0, 1);
    (void)await(&w, 500, 500, WORLD_S);
    finish(&w);
}

static void test_move_back_and_forth_makes_no_storm(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 6);
    rest(&w);
    tap.all = 0;
    for (unsigned i = 0; i < 60000; i++) { /* a minute */
        world_moved(&w, 1);
        world_run(&w, WORLD_MS);
    }
    /* Rounds after 0, 0.1, 0.3, 0.7, … 6.3, 12.7 s, and then one in 10 s: 11 or 12, of some packets each. */
    assert_in_range(tap.all, 11, 200);
    rest(&w);
    tap.all = 0;
    move(&w, 1, 10); /* after some quiet it is told at once again */
    world_run(&w, A3MI_MOVE_SETTLE + 20 * WORLD_MS);
    assert_in_range(tap.all, 4, 20);
    finish(&w);
}

static void test_move_that_was_none_ends_nothing_and_loses_nothing(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 7);
    for (unsigned i = 0; i < 100; i++) {
        (void)world_send(&w, 0, 1, 0, 20, true);
        world_moved(&w, i % 2);
        world_run(&w, 150 * WORLD_MS);
    }
    (void)await(&w, 2000, 0, 5 * WORLD_S);
    assert_int_equal(tap.seen[A3MI_PACKET_CHALLENGE], 0);
    finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_move_of_a_receiver_in_the_midst_of_messages_is_followed_at_once),
        cmocka_unit_test(test_move_of_a_receiver_with_losses_is_followed_in_seconds),
        cmocka_unit_test(test_move_of_a_sender_in_the_midst_of_messages_is_followed_at_once),
        cmocka_unit_test(test_move_while_the_link_is_at_rest_is_told_and_the_first_message_arrives),
        cmocka_unit_test(test_move_of_an_idle_sender_is_told_although_its_first_packets_are_lost),
        cmocka_unit_test(test_move_of_both_at_once_one_told_by_hand_goes_on),
        cmocka_unit_test(test_move_back_and_forth_makes_no_storm),
        cmocka_unit_test(test_move_that_was_none_ends_nothing_and_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
