/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named schedules for the exactly-once layer: each a case that a wrong rule
 * would get wrong (docs/wire.md). A tap sees every packet, can lose it, and
 * keeps copies that are put back later. Those with restarts are in
 * test_core_restarts.c, those with addresses in test_core_addresses.c.
 * covers core
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/packet.h"
#include "core_book.h"
#include "core_tap.h"

/* ---- Without trouble ---------------------------------------------------------------------- */

static void test_core_clean_network_everything_arrives_and_nothing_stays(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 1, 2, 0);
    assert_int_equal(world_send(&w, 0, 1, 0, 100, false), 100);
    assert_int_equal(world_send(&w, 1, 0, 0, 100, true), 100);
    world_settle(&w, WORLD_S);
    assert_int_equal(world_accepted(&w, 0, 1), 100);
    assert_int_equal(world_accepted(&w, 1, 0), 100);
    assert_int_equal(w.nodes[0].ended + w.nodes[1].ended, 0);
    world_finish(&w);
}

static void test_core_idle_link_costs_no_packets(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 1, 2, 0);
    world_run(&w, 30 * WORLD_S);
    assert_int_equal(world_records(&w, 0, true) + world_records(&w, 0, false), 0);
    memset(tap.seen, 0, sizeof(tap.seen));
    world_run(&w, 3600 * WORLD_S);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(tap.seen[i], 0);
    }
    world_finish(&w);
}

/* ---- The published bug: Exon, and its neighbours ------------------------------------------ */

/* Three bursts of five, idle in between for longer than the linger, so that each has its own half-connection. */
static void three_bursts(struct world *w, struct tap *tap, uint32_t lose_after_first, bool replay)
{
    for (unsigned burst = 0; burst < 3; burst++) {
        assert_int_equal(world_send(w, 0, 1, 0, 5, false), 5);
        tap->lose = burst == 0 ? lose_after_first : 0;
        world_run(w, 2 * WORLD_S);
        tap->lose = 0;
        assert_int_equal(world_records(w, 0, true), 0);
        assert_int_equal(world_accepted(w, 0, 1), 5 * (burst + 1));
        if (replay && tap->kept_count > 0) {
            tap_replay(tap, 2);
        }
    }
    world_settle(w, WORLD_S);
    assert_int_equal(world_accepted(w, 0, 1), 15);
}

static void test_core_exon_bug_close_lost_between_bursts_delivers_all(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 3, 2, 0);
    three_bursts(&w, &tap, TAP_BIT(A3MI_PACKET_CLOSE), false);
    world_finish(&w);
}

static void test_core_exon_close_repeated_later_harms_nothing(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 4, 2, 0);
    tap.keep = TAP_BIT(A3MI_PACKET_CLOSE);
    three_bursts(&w, &tap, 0, true);
    world_finish(&w);
}

static void test_core_exon_close_behind_the_next_open_harms_nothing(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 5, 2, 0);
    tap.keep = TAP_BIT(A3MI_PACKET_CLOSE);
    three_bursts(&w, &tap, TAP_BIT(A3MI_PACKET_CLOSE), true);
    world_finish(&w);
}

/* ---- Packets of an old life --------------------------------------------------------------- */

static void test_core_open_delayed_past_its_life_is_no_obstacle(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 6, 2, 0);
    tap.keep = TAP_BIT(A3MI_PACKET_OPEN);
    three_bursts(&w, &tap, 0, true);
    /* Long after everything is over a record comes, unproven, and goes: its acceptance is turned down, */
    world_run(&w, 20 * WORLD_S);
    tap_replay(&tap, 1);
    world_run(&w, WORLD_S);
    assert_int_equal(world_records(&w, 1, false), 0);
    /* or, when that is lost, in its time. */
    tap.lose = TAP_BIT(A3MI_PACKET_CLOSE);
    tap_replay(&tap, 1);
    world_run(&w, WORLD_S);
    assert_true(world_records(&w, 1, false) > 0);
    world_run(&w, 20 * WORLD_S);
    assert_int_equal(world_records(&w, 1, false), 0);
    tap.lose = 0;
    world_finish(&w);
}

static void test_core_everything_replayed_is_accepted_once(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 7, 2, 0);
    tap.keep = UINT32_MAX;
    three_bursts(&w, &tap, 0, true);
    tap_replay(&tap, 3);
    world_run(&w, 20 * WORLD_S);
    assert_int_equal(world_accepted(&w, 0, 1), 15);
    assert_int_equal(w.nodes[0].ended + w.nodes[1].ended, 0);
    world_finish(&w);
}

static void test_core_accept_of_an_old_life_in_a_new_one_is_turned_down(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 8, 2, 0);
    world_run(&w, 2 * WORLD_S);
    tap.keep = TAP_BIT(A3MI_PACKET_ACCEPT);
    (void)world_send(&w, 0, 1, 0, 5, false);
    world_run(&w, 2 * WORLD_S);
    assert_true(tap.kept_count > 0);
    /* The next half-connection is opening while the old ACCEPT comes back. */
    tap.lose = TAP_BIT(A3MI_PACKET_ACCEPT);
    (void)world_send(&w, 0, 1, 0, 5, false);
    tap.lose = 0;
    tap_replay(&tap, 1);
    world_settle(&w, 10 * WORLD_S);
    assert_int_equal(world_accepted(&w, 0, 1), 10);
    assert_int_equal(w.nodes[0].ended + w.nodes[1].ended, 0);
    world_finish(&w);
}

static void test_core_probe_crossing_close_ends_cleanly(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 9, 2, 0);
    world_run(&w, 20 * WORLD_S);
    tap.keep = TAP_BIT(A3MI_PACKET_CLOSE) | TAP_BIT(A3MI_PACKET_PROBE);
    tap.lose = TAP_BIT(A3MI_PACKET_CLOSE);
    (void)world_send(&w, 0, 1, 0, 5, false);
    /* The closing words are lost; after a while the receiver asks, and is told. */
    world_run(&w, 5 * WORLD_S);
    assert_int_equal(world_records(&w, 0, true), 0);
    assert_int_equal(world_records(&w, 1, false), 1);
    tap.lose = 0;
    world_run(&w, 5 * WORLD_S);
    assert_true(tap.seen[A3MI_PACKET_PROBE] > 0);
    assert_int_equal(world_records(&w, 1, false), 0);
    /* Both again, while a new half-connection is in use. */
    (void)world_send(&w, 0, 1, 0, 5, false);
    tap_replay(&tap, 2);
    world_settle(&w, 10 * WORLD_S);
    assert_int_equal(world_accepted(&w, 0, 1), 10);
    world_finish(&w);
}

/* ---- Limits ------------------------------------------------------------------------------- */

static void test_core_window_of_one_renewal_lost_goes_on(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 14, 2, 1);
    for (unsigned i = 0; i < 20; i++) {
        tap.lose = TAP_BIT(A3MI_PACKET_ACK);
        tap.lose_at_most = 1 + i % 3;
        (void)world_send(&w, 0, 1, 0, 5, true);
        world_settle(&w, 30 * WORLD_S);
    }
    assert_int_equal(world_accepted(&w, 0, 1), 100);
    world_finish(&w);
}

/* Between nodes 2 and 1 one unit never arrives; between 1 and 0 acknowledgements may be lost. */
struct squeeze {
    uint64_t missing; /* its seq; UINT64_MAX: whichever is the next */
    bool on;          /* it does not arrive */
    bool lose_acks;
    unsigned acks_lost;
};

static bool squeeze_filter(void *arg, uint32_t from, uint32_t to, const uint8_t *bytes, size_t size)
{
    struct squeeze *squeeze = arg;
    struct a3mi_packet packet;
    struct a3mi_data data;

    if (a3mi_packet_read(bytes, size, &packet) != A3MI_PACKET_OK) {
        return true;
    }
    if (packet.type == A3MI_PACKET_ACK && from == 2 && to == 1 && squeeze->lose_acks) {
        squeeze->acks_lost++;
        return false;
    }
    if (packet.type != A3MI_PACKET_DATA || from != 3 || to != 2 || !squeeze->on ||
        !a3mi_data_read(&packet, &data)) {
        return true;
    }
    squeeze->missing = squeeze->missing == UINT64_MAX ? data.seq : squeeze->missing;
    return data.seq != squeeze->missing;
}

static struct a3mi_assoc_stats stats_of(const struct world *w, uint32_t node)
{
    struct a3mi_assoc_stats stats;

    a3mi_assoc_get_stats(w->nodes[node].assoc, &stats);
    return stats;
}

/*
 * Somebody else's messages, which wait for one that is missing, take the memory of the receiver, so the limit
 * is not raised. The sender is at its limit with everything acknowledged when it is given a little more, and
 * that acknowledgement is lost: only asking helps.
 */
static void test_core_limit_held_back_by_memory_renewal_lost_goes_on(void **state)
{
    (void)state;
    struct world w;
    struct squeeze squeeze = {.missing = UINT64_MAX, .on = true};
    struct world_options options = {
        .nodes = 3, .slots = 1, .linger = 200 * WORLD_MS, .window = 8, .memory = 12000, .peer_memory = 12000};

    world_init(&w, 23, &options);
    w.net.filter_arg = &squeeze;
    world_settle(&w, WORLD_S);
    w.net.filter = squeeze_filter;
    w.nodes[2].links[1][0].tx.unordered = false; /* so what is behind a gap waits */
    book_channel(w.book, w.nodes[2].links[1][0].tx_channel)->unordered = false;
    (void)world_send(&w, 2, 1, 0, 60, false);
    world_run(&w, 200 * WORLD_MS);
    assert_true(stats_of(&w, 1).held >= 9000 && stats_of(&w, 1).held <= 12000);
    assert_int_equal(world_accepted(&w, 2, 1), 0);
    (void)world_send(&w, 0, 1, 0, 300, false);
    world_run(&w, 50 * WORLD_MS);
    uint64_t accepted = world_accepted(&w, 0, 1);

    assert_true(accepted > 0 && accepted < 300);
    squeeze.lose_acks = true;
    world_run(&w, 150 * WORLD_MS);
    squeeze.lose_acks = false;
    assert_true(squeeze.acks_lost >= 1); /* the renewal, and answers to those who ask */
    world_run(&w, 30 * WORLD_S);
    assert_int_equal(world_accepted(&w, 0, 1), 300); /* little by little */
    assert_int_equal(world_accepted(&w, 2, 1), 0);
    squeeze.on = false;
    world_settle(&w, 100 * WORLD_S);
    assert_int_equal(world_accepted(&w, 2, 1), 60);
    world_finish(&w);
}

/* ---- Order, and what was dropped ---------------------------------------------------------- */

/* An OPEN of a half-connection that is over does not take the place of the record that the next one waits for. */
static void test_core_late_open_does_not_displace_the_next_record(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 19, 2, 0);
    world_run(&w, 20 * WORLD_S);
    tap.keep = TAP_BIT(A3MI_PACKET_OPEN);
    (void)world_send(&w, 0, 1, 0, 5, false);
    world_run(&w, 2 * WORLD_S);
    assert_int_equal(world_records(&w, 0, true), 0);
    assert_int_equal(tap.kept_count, 1);
    /* Accepted, but not proven yet: what was sent is lost. */
    tap.keep = 0;
    tap.lose = TAP_BIT(A3MI_PACKET_DATA);
    (void)world_send(&w, 0, 1, 0, 5, false);
    world_run(&w, 2 * WORLD_MS);
    memset(tap.seen, 0, sizeof(tap.seen));
    tap_replay(&tap, 2);
    world_run(&w, 2 * WORLD_MS);
    tap.lose = 0;
    world_settle(&w, 10 * WORLD_S);
    assert_int_equal(tap.seen[A3MI_PACKET_RESET], 0);
    assert_int_equal(world_accepted(&w, 0, 1), 10);
    world_finish(&w);
}

/* Whether the RESET that was kept first says that something may have been accepted. */
static bool says_unknown(const struct tap *tap)
{
    struct a3mi_packet packet;
    struct a3mi_reset reset;

    assert_true(tap->kept_count > 0);
    assert_int_equal(a3mi_packet_read(tap->kept[0].bytes, tap->kept[0].size, &packet), A3MI_PACKET_OK);
    assert_true(a3mi_reset_read(&packet, &reset));
    return reset.kind == A3MI_RESET_UNKNOWN;
}

/*
 * A record that accepted something is given up while its sender waits: who dropped it must not say that
 * nothing was accepted. ACCEPT comes again and again, so that the sender does not give up as well.
 */
static void test_core_record_that_was_dropped_after_accepting_answers_unknown(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;
    struct world_options options = {
        .nodes = 2, .slots = 1, .linger = 200 * WORLD_MS, .peer_timeout = 3 * WORLD_S};

    world_init(&w, 20, &options);
    tap_init(&tap, &w);
    world_settle(&w, WORLD_S);
    world_run(&w, 20 * WORLD_S);
    uint32_t a = w.nodes[0].address, b = w.nodes[1].address;

    tap.keep = TAP_BIT(A3MI_PACKET_ACCEPT);
    tap.lose = TAP_BIT(A3MI_PACKET_ACK);
    (void)world_send(&w, 0, 1, 0, 5, false);
    uint32_t channel = w.nodes[0].links[1][0].tx_channel;

    world_run(&w, 10 * WORLD_MS);
    assert_int_equal(book_channel(w.book, channel)->accepted, 5);
    w.net.cut[a][b] = true;
    for (unsigned i = 0; i < 14; i++) {
        tap_replay(&tap, 1);
        world_run(&w, WORLD_S);
    }
    assert_int_equal(world_records(&w, 0, true), 1);
    assert_int_equal(world_records(&w, 1, false), 0);
    w.net.cut[a][b] = false;
    tap.lose = 0;
    tap.kept_count = 0;
    tap.keep = TAP_BIT(A3MI_PACKET_RESET);
    world_run(&w, 3 * WORLD_S);
    assert_true(says_unknown(&tap));
    assert_int_equal(book_channel(w.book, channel)->accepted, 5);
    assert_int_equal(book_channel(w.book, channel)->unknown, 5);
    world_finish(&w);
}

/* The s of an OPEN that was kept. */
static uint64_t s_of(const struct kept *kept)
{
    struct a3mi_packet packet;
    struct a3mi_open open;

    assert_int_equal(a3mi_packet_read(kept->bytes, kept->size, &packet), A3MI_PACKET_OK);
    assert_true(a3mi_open_read(&packet, &open));
    return open.s;
}

/* Under the old s an ACCEPT, a CLOSE or an OPEN of before would still count. */
static void test_core_record_that_expired_unproven_is_opened_again_under_a_new_s(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    tap_begin(&w, &tap, 22, 2, 0);
    world_run(&w, 20 * WORLD_S);
    tap.keep = TAP_BIT(A3MI_PACKET_OPEN);
    tap.lose = TAP_BIT(A3MI_PACKET_DATA);
    (void)world_send(&w, 0, 1, 0, 5, false);
    world_run(&w, 15 * WORLD_S);
    assert_int_equal(world_records(&w, 0, true), 1);
    assert_int_equal(world_records(&w, 1, false), 0);
    assert_int_equal(tap.kept_count, 1);
    tap.lose = 0;
    world_settle(&w, 10 * WORLD_S);
    assert_true(tap.seen[A3MI_PACKET_RESET] > 0);
    assert_true(tap.kept_count > 1);
    assert_true(s_of(&tap.kept[0]) != s_of(&tap.kept[1]));
    assert_int_equal(world_accepted(&w, 0, 1), 5);
    tap.keep = 0;
    tap_replay(&tap, 2);
    world_finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_clean_network_everything_arrives_and_nothing_stays),
        cmocka_unit_test(test_core_idle_link_costs_no_packets),
        cmocka_unit_test(test_core_exon_bug_close_lost_between_bursts_delivers_all),
        cmocka_unit_test(test_core_exon_close_repeated_later_harms_nothing),
        cmocka_unit_test(test_core_exon_close_behind_the_next_open_harms_nothing),
        cmocka_unit_test(test_core_open_delayed_past_its_life_is_no_obstacle),
        cmocka_unit_test(test_core_everything_replayed_is_accepted_once),
        cmocka_unit_test(test_core_accept_of_an_old_life_in_a_new_one_is_turned_down),
        cmocka_unit_test(test_core_probe_crossing_close_ends_cleanly),
        cmocka_unit_test(test_core_window_of_one_renewal_lost_goes_on),
        cmocka_unit_test(test_core_limit_held_back_by_memory_renewal_lost_goes_on),
        cmocka_unit_test(test_core_late_open_does_not_displace_the_next_record),
        cmocka_unit_test(test_core_record_that_was_dropped_after_accepting_answers_unknown),
        cmocka_unit_test(test_core_record_that_expired_unproven_is_opened_again_under_a_new_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
