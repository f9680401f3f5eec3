/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named schedules for the exactly-once layer: each a case that a wrong rule
 * would get wrong (docs/wire.md). A tap sees every packet, can lose it, and
 * keeps copies that are put back later.
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
#include "core_world.h"

#define KEPT 256

#define BIT(type) (1u << (type))

struct kept {
    uint32_t from, to;
    size_t size;
    uint8_t bytes[1500];
};

/* What happens to packets on their way; types are bits. */
struct tap {
    struct world *world;
    uint32_t lose; /* these are lost */
    uint32_t keep; /* copies of these are kept */
    unsigned lose_at_most;
    unsigned seen[16];
    struct kept kept[KEPT];
    unsigned kept_count;
};

static bool tap_filter(void *arg, uint32_t from, uint32_t to, const uint8_t *bytes, size_t size)
{
    struct tap *tap = arg;
    unsigned type = bytes[1] & 15u;

    tap->seen[type]++;
    if ((tap->keep & BIT(type)) != 0 && tap->kept_count < KEPT) {
        struct kept *kept = &tap->kept[tap->kept_count++];

        *kept = (struct kept){.from = from, .to = to, .size = size};
        memcpy(kept->bytes, bytes, size);
    }
    if ((tap->lose & BIT(type)) != 0 && tap->lose_at_most > 0) {
        tap->lose_at_most--;
        return false;
    }
    return true;
}

static void tap_init(struct tap *tap, struct world *w)
{
    memset(tap, 0, sizeof(*tap));
    tap->world = w;
    tap->lose_at_most = UINT32_MAX;
    w->net.filter = tap_filter;
    w->net.filter_arg = tap;
}

/* Puts back everything that was kept, `times` times, and keeps it. */
static void tap_replay(struct tap *tap, unsigned times)
{
    struct world *w = tap->world;
    uint32_t keep = tap->keep;

    tap->keep = 0;
    for (unsigned i = 0; i < tap->kept_count * times; i++) {
        const struct kept *kept = &tap->kept[i % tap->kept_count];

        core_net_send(&w->net, kept->from, kept->to, kept->bytes, kept->size, w->now);
    }
    tap->keep = keep;
}

static void begin(struct world *w, struct tap *tap, uint64_t seed, uint32_t nodes, uint32_t window)
{
    struct world_options options = {.nodes = nodes, .slots = 1, .linger = 200 * WORLD_MS, .window = window};

    world_init(w, seed, &options);
    tap_init(tap, w);
    world_settle(w, WORLD_S);
}

static void finish(struct world *w)
{
    world_poke(w);
    world_settle(w, 100 * WORLD_S);
    world_vanish(w, 100 * WORLD_S);
    world_expect_conformance(w);
    world_fini(w);
}

static uint64_t records(struct world *w, uint32_t node, bool senders)
{
    struct a3mi_assoc_stats stats;

    a3mi_assoc_get_stats(w->nodes[node].assoc, &stats);
    return senders ? stats.senders : stats.receivers;
}

/* ---- Without trouble --------------------------------------------------------------- */

static void test_core_clean_network_everything_arrives_and_nothing_stays(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 1, 2, 0);
    assert_int_equal(world_send(&w, 0, 1, 0, 100, false), 100);
    assert_int_equal(world_send(&w, 1, 0, 0, 100, true), 100);
    world_settle(&w, WORLD_S);
    assert_int_equal(world_accepted(&w, 0, 1), 100);
    assert_int_equal(world_accepted(&w, 1, 0), 100);
    assert_int_equal(w.nodes[0].ended + w.nodes[1].ended, 0);
    finish(&w);
}

static void test_core_idle_link_costs_no_packets(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 1, 2, 0);
    world_run(&w, 30 * WORLD_S);
    assert_int_equal(records(&w, 0, true) + records(&w, 0, false), 0);
    memset(tap.seen, 0, sizeof(tap.seen));
    world_run(&w, 3600 * WORLD_S);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(tap.seen[i], 0);
    }
    finish(&w);
}

/* ---- The published bug: Exon, and its neighbours --------------------------------------- */

/* Three bursts of five, idle in between for longer than the linger, so that each has its own half-connection. */
static void three_bursts(struct world *w, struct tap *tap, uint32_t lose_after_first, bool replay)
{
    for (unsigned burst = 0; burst < 3; burst++) {
        assert_int_equal(world_send(w, 0, 1, 0, 5, false), 5);
        tap->lose = burst == 0 ? lose_after_first : 0;
        world_run(w, 2 * WORLD_S);
        tap->lose = 0;
        assert_int_equal(records(w, 0, true), 0);
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

    begin(&w, &tap, 3, 2, 0);
    three_bursts(&w, &tap, BIT(A3MI_PACKET_CLOSE), false);
    finish(&w);
}

static void test_core_exon_close_repeated_later_harms_nothing(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 4, 2, 0);
    tap.keep = BIT(A3MI_PACKET_CLOSE);
    three_bursts(&w, &tap, 0, true);
    finish(&w);
}

static void test_core_exon_close_behind_the_next_open_harms_nothing(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 5, 2, 0);
    tap.keep = BIT(A3MI_PACKET_CLOSE);
    three_bursts(&w, &tap, BIT(A3MI_PACKET_CLOSE), true);
    finish(&w);
}

/* ---- Packets of an old life ---------------------------------------------------------------- */

static void test_core_open_delayed_past_its_life_is_no_obstacle(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 6, 2, 0);
    tap.keep = BIT(A3MI_PACKET_OPEN);
    three_bursts(&w, &tap, 0, true);
    /* Long after everything is over a record comes, unproven, and goes: its acceptance is turned down, */
    world_run(&w, 20 * WORLD_S);
    tap_replay(&tap, 1);
    world_run(&w, WORLD_S);
    assert_int_equal(records(&w, 1, false), 0);
    /* or, when that is lost, in its time. */
    tap.lose = BIT(A3MI_PACKET_CLOSE);
    tap_replay(&tap, 1);
    world_run(&w, WORLD_S);
    assert_true(records(&w, 1, false) > 0);
    world_run(&w, 20 * WORLD_S);
    assert_int_equal(records(&w, 1, false), 0);
    tap.lose = 0;
    finish(&w);
}

static void test_core_everything_replayed_is_accepted_once(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 7, 2, 0);
    tap.keep = UINT32_MAX;
    three_bursts(&w, &tap, 0, true);
    tap_replay(&tap, 3);
    world_run(&w, 20 * WORLD_S);
    assert_int_equal(world_accepted(&w, 0, 1), 15);
    assert_int_equal(w.nodes[0].ended + w.nodes[1].ended, 0);
    finish(&w);
}

static void test_core_accept_of_an_old_life_in_a_new_one_is_turned_down(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 8, 2, 0);
    world_run(&w, 2 * WORLD_S);
    tap.keep = BIT(A3MI_PACKET_ACCEPT);
    (void)world_send(&w, 0, 1, 0, 5, false);
    world_run(&w, 2 * WORLD_S);
    assert_true(tap.kept_count > 0);
    /* The next half-connection is opening while the old ACCEPT comes back. */
    tap.lose = BIT(A3MI_PACKET_ACCEPT);
    (void)world_send(&w, 0, 1, 0, 5, false);
    tap.lose = 0;
    tap_replay(&tap, 1);
    world_settle(&w, 10 * WORLD_S);
    assert_int_equal(world_accepted(&w, 0, 1), 10);
    assert_int_equal(w.nodes[0].ended + w.nodes[1].ended, 0);
    finish(&w);
}

static void test_core_probe_crossing_close_ends_cleanly(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 9, 2, 0);
    world_run(&w, 20 * WORLD_S);
    tap.keep = BIT(A3MI_PACKET_CLOSE) | BIT(A3MI_PACKET_PROBE);
    tap.lose = BIT(A3MI_PACKET_CLOSE);
    (void)world_send(&w, 0, 1, 0, 5, false);
    /* The closing words are lost; after a while the receiver asks, and is told. */
    world_run(&w, 5 * WORLD_S);
    assert_int_equal(records(&w, 0, true), 0);
    assert_int_equal(records(&w, 1, false), 1);
    tap.lose = 0;
    world_run(&w, 5 * WORLD_S);
    assert_true(tap.seen[A3MI_PACKET_PROBE] > 0);
    assert_int_equal(records(&w, 1, false), 0);
    /* Both again, while a new half-connection is in use. */
    (void)world_send(&w, 0, 1, 0, 5, false);
    tap_replay(&tap, 2);
    world_settle(&w, 10 * WORLD_S);
    assert_int_equal(world_accepted(&w, 0, 1), 10);
    finish(&w);
}

/* ---- Restarts ---------------------------------------------------------------------------------- */

static void test_core_both_restarted_old_packets_mean_nothing(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 10, 2, 0);
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
    finish(&w);
}

static void test_core_open_meant_for_a_dead_incarnation_is_refused(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 11, 2, 0);
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
    finish(&w);
}

static void test_core_late_packets_of_a_dead_incarnation_end_nothing(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 12, 2, 0);
    tap.keep = BIT(A3MI_PACKET_OPEN) | BIT(A3MI_PACKET_DATA);
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
    finish(&w);
}

static void test_core_restart_at_every_step_keeps_the_invariants(void **state)
{
    (void)state;
    for (uint64_t step = 0; step < 60; step++) {
        for (unsigned who = 0; who < 4; who++) {
            struct world w;
            struct tap tap;

            begin(&w, &tap, 13, 2, 3);
            (void)world_send(&w, 0, 1, 0, 9, true);
            (void)world_send(&w, 1, 0, 0, 9, true);
            world_run(&w, (int64_t)step * 37 * 1000);
            world_restart(&w, who & 1u, (who & 2u) != 0);
            finish(&w);
        }
    }
}

/* ---- Limits ----------------------------------------------------------------------------------- */

static void test_core_window_of_one_renewal_lost_goes_on(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 14, 2, 1);
    for (unsigned i = 0; i < 20; i++) {
        tap.lose = BIT(A3MI_PACKET_ACK);
        tap.lose_at_most = 1 + i % 3;
        (void)world_send(&w, 0, 1, 0, 5, true);
        world_settle(&w, 30 * WORLD_S);
    }
    assert_int_equal(world_accepted(&w, 0, 1), 100);
    finish(&w);
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
    finish(&w);
}

/* ---- Addresses ---------------------------------------------------------------------------------- */

static void test_core_stranger_at_an_old_address_does_no_harm(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 15, 3, 0);
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
    finish(&w);
}

static void test_core_stranger_that_is_asked_for_the_old_one_does_not_answer(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 17, 3, 0);
    world_run(&w, 20 * WORLD_S);
    uint32_t old = w.nodes[1].address;

    /* Node 0 has accepted what node 1 sent, which does not know it yet when it is cut off. */
    tap.lose = BIT(A3MI_PACKET_ACK);
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
    assert_int_equal(records(&w, 0, false), 1);
    w.net.cut[20][w.nodes[0].address] = w.net.cut[w.nodes[0].address][20] = false;
    world_settle(&w, 60 * WORLD_S);
    assert_int_equal(world_accepted(&w, 1, 0), 5);
    assert_int_equal(w.nodes[0].ended + w.nodes[1].ended, 0);
    finish(&w);
}

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
    tap.keep = BIT(A3MI_PACKET_DATA);
    tap.lose = BIT(A3MI_PACKET_DATA);
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
    finish(&w);
}

static void test_core_peer_that_moves_is_followed_after_a_challenge(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 16, 2, 0);
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
    finish(&w);
}

/* ---- Order, and what was dropped ---------------------------------------------------------------- */

/* An OPEN of a half-connection that is over does not take the place of the record that the next one waits for. */
static void test_core_late_open_does_not_displace_the_next_record(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 19, 2, 0);
    world_run(&w, 20 * WORLD_S);
    tap.keep = BIT(A3MI_PACKET_OPEN);
    (void)world_send(&w, 0, 1, 0, 5, false);
    world_run(&w, 2 * WORLD_S);
    assert_int_equal(records(&w, 0, true), 0);
    assert_int_equal(tap.kept_count, 1);
    /* Accepted, but not proven yet: what was sent is lost. */
    tap.keep = 0;
    tap.lose = BIT(A3MI_PACKET_DATA);
    (void)world_send(&w, 0, 1, 0, 5, false);
    world_run(&w, 2 * WORLD_MS);
    memset(tap.seen, 0, sizeof(tap.seen));
    tap_replay(&tap, 2);
    world_run(&w, 2 * WORLD_MS);
    tap.lose = 0;
    world_settle(&w, 10 * WORLD_S);
    assert_int_equal(tap.seen[A3MI_PACKET_RESET], 0);
    assert_int_equal(world_accepted(&w, 0, 1), 10);
    finish(&w);
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

    tap.keep = BIT(A3MI_PACKET_ACCEPT);
    tap.lose = BIT(A3MI_PACKET_ACK);
    (void)world_send(&w, 0, 1, 0, 5, false);
    uint32_t channel = w.nodes[0].links[1][0].tx_channel;

    world_run(&w, 10 * WORLD_MS);
    assert_int_equal(book_channel(w.book, channel)->accepted, 5);
    w.net.cut[a][b] = true;
    for (unsigned i = 0; i < 14; i++) {
        tap_replay(&tap, 1);
        world_run(&w, WORLD_S);
    }
    assert_int_equal(records(&w, 0, true), 1);
    assert_int_equal(records(&w, 1, false), 0);
    w.net.cut[a][b] = false;
    tap.lose = 0;
    tap.kept_count = 0;
    tap.keep = BIT(A3MI_PACKET_RESET);
    world_run(&w, 3 * WORLD_S);
    assert_true(says_unknown(&tap));
    assert_int_equal(book_channel(w.book, channel)->accepted, 5);
    assert_int_equal(book_channel(w.book, channel)->unknown, 5);
    finish(&w);
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
    tap.lose = BIT(A3MI_PACKET_OPEN);
    world_run(&w, WORLD_MS); /* node 0 asks for whoever is there: s is drawn */
    tap.lose = BIT(A3MI_PACKET_DATA);
    tap.keep = BIT(A3MI_PACKET_DATA);
    say_note(&w);
    world_run(&w, WORLD_MS); /* after it r is drawn for node 1, whose DATA is held up */
    assert_int_equal(tap.kept_count, 1);
    assert_int_equal(records(&w, 0, false), 1);
    tap.keep = 0;
    tap.lose = 0;
    memset(tap.seen, 0, sizeof(tap.seen));
    world_restart(&w, 1, false);
    while (tap.seen[A3MI_PACKET_ACCEPT] == 0) {
        world_run(&w, WORLD_MS / 20); /* node 0 asks again, and is about to meet the new incarnation */
    }
    tap.lose = BIT(A3MI_PACKET_OPEN);
    world_run(&w, WORLD_MS);
    uint64_t ended = w.nodes[0].ended;

    assert_int_equal(records(&w, 0, false), 1);
    tap_replay(&tap, 1);
    world_run(&w, 10 * WORLD_MS);
    assert_int_equal(w.nodes[0].ended, ended);
    tap.lose = 0;
    finish(&w);
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

    begin(&w, &tap, 22, 2, 0);
    world_run(&w, 20 * WORLD_S);
    tap.keep = BIT(A3MI_PACKET_OPEN);
    tap.lose = BIT(A3MI_PACKET_DATA);
    (void)world_send(&w, 0, 1, 0, 5, false);
    world_run(&w, 15 * WORLD_S);
    assert_int_equal(records(&w, 0, true), 1);
    assert_int_equal(records(&w, 1, false), 0);
    assert_int_equal(tap.kept_count, 1);
    tap.lose = 0;
    world_settle(&w, 10 * WORLD_S);
    assert_true(tap.seen[A3MI_PACKET_RESET] > 0);
    assert_true(tap.kept_count > 1);
    assert_true(s_of(&tap.kept[0]) != s_of(&tap.kept[1]));
    assert_int_equal(world_accepted(&w, 0, 1), 5);
    tap.keep = 0;
    tap_replay(&tap, 2);
    finish(&w);
}

/* The acknowledgement of the last messages is lost, and its author leaves: what it says then tells it again. */
static void test_core_last_acknowledgement_lost_its_author_leaves_is_known(void **state)
{
    (void)state;
    struct world w;
    struct tap tap;

    begin(&w, &tap, 21, 2, 0);
    const struct book_channel *ch = book_channel(w.book, w.nodes[1].links[0][0].tx_channel);

    tap.lose = BIT(A3MI_PACKET_ACK);
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
    finish(&w);
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
        cmocka_unit_test(test_core_both_restarted_old_packets_mean_nothing),
        cmocka_unit_test(test_core_open_meant_for_a_dead_incarnation_is_refused),
        cmocka_unit_test(test_core_late_packets_of_a_dead_incarnation_end_nothing),
        cmocka_unit_test(test_core_restart_at_every_step_keeps_the_invariants),
        cmocka_unit_test(test_core_window_of_one_renewal_lost_goes_on),
        cmocka_unit_test(test_core_limit_held_back_by_memory_renewal_lost_goes_on),
        cmocka_unit_test(test_core_stranger_at_an_old_address_does_no_harm),
        cmocka_unit_test(test_core_stranger_that_is_asked_for_the_old_one_does_not_answer),
        cmocka_unit_test(test_core_late_proof_of_a_dead_incarnation_ends_nothing),
        cmocka_unit_test(test_core_peer_that_moves_is_followed_after_a_challenge),
        cmocka_unit_test(test_core_late_open_does_not_displace_the_next_record),
        cmocka_unit_test(test_core_record_that_was_dropped_after_accepting_answers_unknown),
        cmocka_unit_test(test_core_late_proof_does_not_end_a_later_incarnation),
        cmocka_unit_test(test_core_record_that_expired_unproven_is_opened_again_under_a_new_s),
        cmocka_unit_test(test_core_last_acknowledgement_lost_its_author_leaves_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
