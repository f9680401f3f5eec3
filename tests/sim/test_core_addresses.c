/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named schedules with addresses that change or are taken over (test_core_named.c).
 * covers core
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/packet.h"
#include "core_tap.h"

static void test_core_stranger_at_an_old_address_does_no_harm(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 15, 3, 0);
    uint32_t old = w.nodes[1].address;

    (void)world_send(&w, 0, 1, 0, 5, false);
    (void)world_send(&w, 0, 2, 0, 5, false);
    world_readdress(&w, 1, 20);
    world_readdress(&w, 2, old);
    (void)world_send(&w, 1, 0, 0, 5, false);
    world_settle(&w, 60 * WORLD_S);
    assert_int_equal(world_accepted(&w, 0, 1), 5);
    assert_int_equal(world_accepted(&w, 0, 2), 5);
    assert_int_equal(world_accepted(&w, 1, 0), 5);
    assert_int_equal(w.nodes[0].ended + w.nodes[1].ended + w.nodes[2].ended, 0);
    world_finish(&w);
}

static void test_core_stranger_that_is_asked_for_the_old_one_does_not_answer(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 17, 3, 0);
    world_run(&w, 20 * WORLD_S);
    uint32_t old = w.nodes[1].address;

    /* Node 0 has accepted what node 1 sent, which does not know it yet when it is cut off. */
    tap.lose = TAP_BIT(A3MI_PACKET_ACK);
    (void)world_send(&w, 1, 0, 0, 5, false);
    world_run(&w, 10 * WORLD_MS);
    assert_int_equal(world_accepted(&w, 1, 0), 5);
    world_readdress(&w, 1, 20);
    world_readdress(&w, 2, old);
    w.net.cut[20][w.nodes[0].address] = w.net.cut[w.nodes[0].address][20] = true;
    tap.lose = 0;
    memset(tap.seen, 0, sizeof(tap.seen));
    world_run(&w, 30 * WORLD_S);
    assert_true(tap.seen[A3MI_PACKET_PROBE] > 0);
    assert_int_equal(world_records(&w, 0, false), 1);
    w.net.cut[20][w.nodes[0].address] = w.net.cut[w.nodes[0].address][20] = false;
    world_settle(&w, 60 * WORLD_S);
    assert_int_equal(world_accepted(&w, 1, 0), 5);
    assert_int_equal(w.nodes[0].ended + w.nodes[1].ended, 0);
    world_finish(&w);
}

static void test_core_peer_that_moves_is_followed_after_a_challenge(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 16, 2, 0);
    for (uint32_t address = 10; address < 15; address++) {
        world_readdress(&w, 1, address);
        (void)world_send(&w, 1, 0, 0, 5, false);
        world_run(&w, 300 * WORLD_MS);
        (void)world_send(&w, 0, 1, 0, 5, false);
        world_run(&w, 3 * WORLD_S);
    }
    assert_int_equal(world_accepted(&w, 0, 1), 25);
    assert_int_equal(world_accepted(&w, 1, 0), 25);
    assert_true(tap.seen[A3MI_PACKET_CHALLENGE] > 0 && tap.seen[A3MI_PACKET_RESPONSE] > 0);
    assert_int_equal(w.nodes[0].ended + w.nodes[1].ended, 0);
    world_finish(&w);
}

/* Node 1 went and came back; its answer from where it was in between comes last. */
static void test_core_response_from_an_address_that_was_left_moves_nothing(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 23, 2, 0);
    uint32_t old = w.nodes[1].address;

    tap.lose = tap.keep = TAP_BIT(A3MI_PACKET_RESPONSE);
    world_readdress(&w, 1, 20);
    (void)world_send(&w, 1, 0, 0, 5, false);
    world_run(&w, WORLD_MS);
    assert_true(tap.kept_count > 0);
    world_readdress(&w, 1, old);
    tap.lose = tap.keep = 0;
    (void)world_send(&w, 1, 0, 0, 5, false);
    world_settle(&w, 10 * WORLD_S);
    tap_replay(&tap, 1);
    world_run(&w, WORLD_MS);
    (void)world_send(&w, 0, 1, 0, 5, false);
    world_run(&w, 10 * WORLD_MS);
    assert_int_equal(world_accepted(&w, 0, 1), 5);
    world_finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_stranger_at_an_old_address_does_no_harm),
        cmocka_unit_test(test_core_stranger_that_is_asked_for_the_old_one_does_not_answer),
        cmocka_unit_test(test_core_peer_that_moves_is_followed_after_a_challenge),
        cmocka_unit_test(test_core_response_from_an_address_that_was_left_moves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
