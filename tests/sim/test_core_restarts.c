/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named schedules with restarts (test_core_named.c): what an incarnation that is
 * over said, and who is proven by what.
 * covers core
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "core/packet.h"
#include "core_book.h"
#include "core_links.h"
#include "core_tap.h"

/* ---- Restarts ----------------------------------------------------------------------------- */

static void test_core_both_restarted_old_packets_mean_nothing(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 10, 2, 0);
    tap.keep = UINT32_MAX;
    (void)world_send(&w, 0, 1, 0, 20, false);
    (void)world_send(&w, 1, 0, 0, 20, false);
    world_run(&w, 10 * WORLD_MS);
    world_restart(&w, 0, false);
    world_restart(&w, 1, false);
    world_settle(&w, 10 * WORLD_S);
    tap_replay(&tap, 2);
    (void)world_send(&w, 0, 1, 0, 7, false);
    world_settle(&w, 10 * WORLD_S);
    assert_int_equal(world_accepted(&w, 0, 1), 7);
    assert_int_equal(world_accepted(&w, 1, 0), 0);
    world_finish(&w);
}

static void test_core_open_meant_for_a_dead_incarnation_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 11, 2, 0);
    world_run(&w, 20 * WORLD_S);
    world_restart(&w, 1, false);
    assert_int_equal(world_send(&w, 0, 1, 0, 5, false), 5);
    uint32_t channel = w.nodes[0].links[1][0].tx_channel;

    world_settle(&w, 10 * WORLD_S);
    assert_true(tap.seen[A3MI_PACKET_REFUSE] > 0);
    assert_true(w.nodes[0].ended > 0);
    /* Nothing was transmitted, and that is certain. */
    assert_int_equal(book_channel(w.book, channel)->unsent, 5);
    assert_int_equal(world_accepted(&w, 0, 1), 0);
    world_finish(&w);
}

static void test_core_late_packets_of_a_dead_incarnation_end_nothing(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 12, 2, 0);
    tap.keep = TAP_BIT(A3MI_PACKET_OPEN) | TAP_BIT(A3MI_PACKET_DATA);
    (void)world_send(&w, 0, 1, 0, 20, false);
    world_run(&w, 10 * WORLD_MS);
    world_restart(&w, 0, false);
    world_settle(&w, 10 * WORLD_S);
    uint64_t ended = w.nodes[1].ended;

    tap.keep = 0;
    for (unsigned i = 0; i < 5; i++) {
        (void)world_send(&w, 0, 1, 0, 3, false);
        tap_replay(&tap, 1);
        world_run(&w, 100 * WORLD_MS);
    }
    world_settle(&w, 10 * WORLD_S);
    assert_int_equal(world_accepted(&w, 0, 1), 15);
    assert_int_equal(w.nodes[1].ended, ended);
    assert_int_equal(w.nodes[1].duplicates, 0);
    world_finish(&w);
}

static void test_core_restart_at_every_step_keeps_the_invariants(void **state)
{
    (void)state;
    for (uint64_t step = 0; step < 60; step++) {
        for (unsigned who = 0; who < 4; who++) {
            struct world w;
            struct tap tap;

            tap_begin(&w, &tap, 13, 2, 3);
            (void)world_send(&w, 0, 1, 0, 9, true);
            (void)world_send(&w, 1, 0, 0, 9, true);
            world_run(&w, (int64_t)step * 37 * 1000);
            world_restart(&w, who & 1u, (who & 2u) != 0);
            world_finish(&w);
        }
    }
}

/* The acknowledgement of the last messages is lost, and its author leaves: what it says then tells it again. */
static void test_core_last_acknowledgement_lost_its_author_leaves_is_known(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 21, 2, 0);
    const struct book_channel *ch = book_channel(w.book, w.nodes[1].links[0][0].tx_channel);

    tap.lose = TAP_BIT(A3MI_PACKET_ACK);
    (void)world_send(&w, 1, 0, 0, 5, false);
    world_run(&w, 3 * WORLD_MS);
    assert_int_equal(world_accepted(&w, 1, 0), 5);
    assert_true(ch->acknowledged < ch->sent);
    world_restart(&w, 0, true);
    world_run(&w, 20 * WORLD_MS);
    assert_false(ch->tx_open);
    assert_int_equal(ch->acknowledged, ch->sent);
    assert_int_equal(ch->unknown + ch->unsent, 0);
    tap.lose = 0;
    world_finish(&w);
}

/* ---- Late proofs -------------------------------------------------------------------------- */

/* An incarnation that was seen after r was drawn is not ended by a late proof under r. */
static void test_core_late_proof_of_a_dead_incarnation_ends_nothing(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;
    struct world_options options = {.nodes = 2, .slots = 1, .linger = 200 * WORLD_MS};

    world_init(&w, 18, &options);
    tap_init(&tap, &w);
    world_settle(&w, WORLD_S);
    world_run(&w, 20 * WORLD_S);
    tap.lose = UINT32_MAX;
    (void)world_send(&w, 1, 0, 0, 3, false); /* node 1 is opening: its s is drawn */
    tap.lose = 0;
    tap.keep = TAP_BIT(A3MI_PACKET_DATA);
    tap.lose = TAP_BIT(A3MI_PACKET_DATA);
    (void)world_send(&w, 0, 1, 0, 3, false); /* node 1 draws an r; node 0's DATA is held up */
    world_run(&w, 2 * WORLD_MS);
    assert_true(tap.kept_count > 0);
    tap.lose = 0;
    tap.keep = 0;
    world_restart(&w, 0, false);
    world_settle(&w, 30 * WORLD_S);
    uint64_t ended = w.nodes[1].ended;

    tap_replay(&tap, 2);
    world_run(&w, WORLD_S);
    assert_int_equal(w.nodes[1].ended, ended);
    world_finish(&w);
}

/* Node 1 tells node 0 something that is meant for whichever incarnation is there, no link needed. */
static void say_note(struct world *w)
{
    struct world_node *node = &w->nodes[1];
    struct a3m_addr addr = a3mi_addr_sim(w->nodes[0].address);
    struct a3mi_peer *peer = a3mi_assoc_peer(node->assoc, &w->nodes[0].id);
    uint8_t bytes[LINKS_NOTE_SIZE];

    assert_non_null(peer);
    a3mi_peer_set_addr(node->assoc, peer, &addr, w->now);
    assert_int_equal(
        a3mi_assoc_control(node->assoc, peer, 0, bytes, links_note(node, bytes, sizeof(bytes)), w->now), 0);
    a3mi_peer_release(node->assoc, peer);
    world_pump(node);
}

/*
 * A record made before the peer restarted is proven after its next incarnation was met: the proof says that
 * the old one was alive after r was drawn, and nothing about the new one, which is older news for nobody.
 */
static void test_core_late_proof_does_not_end_a_later_incarnation(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;
    struct world_options options = {.nodes = 2, .slots = 1, .linger = 200 * WORLD_MS};

    world_init(&w, 21, &options);
    tap_init(&tap, &w);
    tap.lose = TAP_BIT(A3MI_PACKET_OPEN);
    world_run(&w, WORLD_MS); /* node 0 asks for whoever is there: s is drawn */
    tap.lose = TAP_BIT(A3MI_PACKET_DATA);
    tap.keep = TAP_BIT(A3MI_PACKET_DATA);
    say_note(&w);
    world_run(&w, WORLD_MS); /* after it r is drawn for node 1, whose DATA is held up */
    assert_int_equal(tap.kept_count, 1);
    assert_int_equal(world_records(&w, 0, false), 1);
    tap.keep = 0;
    tap.lose = 0;
    memset(tap.seen, 0, sizeof(tap.seen));
    world_restart(&w, 1, false);
    while (tap.seen[A3MI_PACKET_ACCEPT] == 0) {
        world_run(&w, WORLD_MS / 20); /* node 0 asks again, and is about to meet the new incarnation */
    }
    tap.lose = TAP_BIT(A3MI_PACKET_OPEN);
    world_run(&w, WORLD_MS);
    uint64_t ended = w.nodes[0].ended;

    assert_int_equal(world_records(&w, 0, false), 1);
    tap_replay(&tap, 1);
    world_run(&w, 10 * WORLD_MS);
    assert_int_equal(w.nodes[0].ended, ended);
    tap.lose = 0;
    world_finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_both_restarted_old_packets_mean_nothing),
        cmocka_unit_test(test_core_open_meant_for_a_dead_incarnation_is_refused),
        cmocka_unit_test(test_core_late_packets_of_a_dead_incarnation_end_nothing),
        cmocka_unit_test(test_core_restart_at_every_step_keeps_the_invariants),
        cmocka_unit_test(test_core_last_acknowledgement_lost_its_author_leaves_is_known),
        cmocka_unit_test(test_core_late_proof_of_a_dead_incarnation_ends_nothing),
        cmocka_unit_test(test_core_late_proof_does_not_end_a_later_incarnation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
