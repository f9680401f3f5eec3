/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole nodes on a simulated network, in virtual time: one scenario for each
 * fault, for each shape of traffic, and for each failure that the campaign found
 * (its shortest plan, as sim_campaign --shrink prints it). Each ends with
 * sim_finish: everything heals, every message is accounted for, both ends of
 * every link agree, credit is back, no record is left, and nodes close.
 * covers X1 X2 L1 L11
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node_shrink.h"

enum { A, B, C, D };

#define SEED 20

static void check(const struct sim *sim)
{
    if (sim->failed) {
        sim_dump(sim, stderr);
        fail_msg("%s", sim->failure);
    }
}

static void finish(struct sim *sim)
{
    sim_finish(sim);
    check(sim);
    sim_fini(sim);
}

/* PUSH 0 of A, linked with PULL 0 of B. */
static void push_pull(struct sim *sim, const struct sim_options *options)
{
    sim_init(sim, SEED, options);
    sim_open(sim, A, 0, SIM_PUSH, 0, 0);
    sim_open(sim, B, 0, SIM_PULL, 0, 0);
    sim_link(sim, A, 0, B, 0, false);
    sim_run(sim, 10 * SIM_MS);
    check(sim);
}

static struct sim_path *path(struct sim *sim, uint32_t from, uint32_t to)
{
    return &sim->net.paths[from][to];
}

static uint64_t delivered(const struct sim *sim, uint32_t from)
{
    return sim->nodes[from].owner->delivered;
}

static a3m_node_stats stats_of(const struct sim *sim, uint32_t node)
{
    a3m_node_stats stats = {.size = sizeof(stats)};
    assert_int_equal(a3m_node_get_stats(sim->nodes[node].handle, &stats), A3M_OK);
    return stats;
}

/* ---- Faults of the network ---------------------------------------------------------------- */

static void test_no_fault_every_message_arrives_and_no_record_is_left(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    sim_send(&sim, A, 0, 1000, 200);
    sim_run(&sim, 100 * SIM_MS);
    assert_int_equal(delivered(&sim, A), 1000);
    sim_vanish(&sim, 10 * SIM_S);
    check(&sim);
    assert_int_equal(stats_of(&sim, A).records_now, 0);
    assert_int_equal(stats_of(&sim, B).records_now, 0);
    assert_int_equal(stats_of(&sim, A).retransmitted, 0);
    finish(&sim);
}

static void test_delay_and_jitter_messages_arrive_in_order(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    path(&sim, A, B)->delay = 150 * SIM_MS;
    path(&sim, A, B)->jitter = 100 * SIM_MS;
    path(&sim, B, A)->delay = 30 * SIM_MS;
    sim_send(&sim, A, 0, 500, 700);
    sim_run(&sim, 149 * SIM_MS);
    assert_int_equal(delivered(&sim, A), 0);
    sim_run(&sim, 5 * SIM_S);
    assert_int_equal(delivered(&sim, A), 500);
    finish(&sim);
}

static void test_narrow_path_with_a_short_queue_everything_gets_through(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    path(&sim, A, B)->rate = 100000;
    path(&sim, A, B)->queue = 8000;
    sim_send(&sim, A, 0, 200, 1000);
    sim_run(&sim, SIM_S);
    assert_true(delivered(&sim, A) < 110); /* what the path takes in a second */
    sim_run(&sim, 9 * SIM_S);
    assert_int_equal(delivered(&sim, A), 200);
    assert_true(sim.net.lost > 0);
    finish(&sim);
}

static void test_loss_of_a_third_both_ways_every_message_arrives(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    path(&sim, A, B)->loss = 333;
    path(&sim, B, A)->loss = 333;
    sim_send(&sim, A, 0, 300, 900);
    sim_run(&sim, 20 * SIM_S);
    assert_int_equal(delivered(&sim, A), 300);
    assert_true(stats_of(&sim, A).retransmitted > 0);
    finish(&sim);
}

static void test_packets_3_4_and_7_lost_they_are_sent_again(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    path(&sim, A, B)->drops = 1u << 2 | 1u << 3 | 1u << 6;
    sim_send(&sim, A, 0, 10, 1200); /* each fills a packet */
    sim_run(&sim, SIM_S);
    assert_int_equal(delivered(&sim, A), 10);
    assert_int_equal(sim.net.lost, 3);
    assert_true(stats_of(&sim, A).retransmitted >= 3);
    finish(&sim);
}

static void test_loss_in_bursts_every_message_arrives(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    path(&sim, A, B)->burst_enter = 30;
    path(&sim, A, B)->burst_leave = 100;
    sim_send(&sim, A, 0, 500, 1200);
    sim_run(&sim, 20 * SIM_S);
    assert_int_equal(delivered(&sim, A), 500);
    assert_true(sim.net.lost > 0);
    finish(&sim);
}

static void test_every_packet_repeated_nothing_is_delivered_twice(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){.linger = 20 * SIM_MS});
    for (int i = 0; i < 2; i++) {
        path(&sim, i == 0 ? A : B, i == 0 ? B : A)->repeat = 1000;
        path(&sim, i == 0 ? A : B, i == 0 ? B : A)->repeat_within = 2 * SIM_S; /* long past the record's life */
    }
    for (int i = 0; i < 20; i++) {
        sim_send(&sim, A, 0, 10, 300);
        sim_run(&sim, 200 * SIM_MS);
    }
    sim_run(&sim, 5 * SIM_S);
    assert_int_equal(delivered(&sim, A), 200);
    assert_true(stats_of(&sim, B).duplicates + stats_of(&sim, B).stray > 0);
    finish(&sim);
}

static void test_packets_overtaken_messages_arrive_in_order(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    path(&sim, A, B)->reorder = 400;
    path(&sim, A, B)->reorder_by = 20 * SIM_MS;
    sim_send(&sim, A, 0, 400, 1000);
    sim_run(&sim, 10 * SIM_S);
    assert_int_equal(delivered(&sim, A), 400);
    finish(&sim);
}

static void test_bits_flipped_damaged_packets_are_dropped_and_sent_again(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    path(&sim, A, B)->corrupt = 300;
    path(&sim, B, A)->corrupt = 300;
    sim_send(&sim, A, 0, 300, 1000);
    sim_run(&sim, 20 * SIM_S);
    assert_int_equal(delivered(&sim, A), 300);
    assert_true(stats_of(&sim, B).bad_checksum > 0);
    finish(&sim);
}

static void test_packets_cut_short_they_are_dropped_and_sent_again(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    path(&sim, A, B)->truncate = 300;
    sim_send(&sim, A, 0, 300, 1000);
    sim_run(&sim, 20 * SIM_S);
    assert_int_equal(delivered(&sim, A), 300);
    assert_true(stats_of(&sim, B).bad_checksum + stats_of(&sim, B).bad_packet > 0);
    finish(&sim);
}

static void test_acknowledgements_cut_off_for_a_minute_nothing_is_lost_or_repeated(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    path(&sim, B, A)->cut = true;
    sim_send(&sim, A, 0, 100, 500);
    sim_run(&sim, 60 * SIM_S);
    assert_true(delivered(&sim, A) > 0); /* that way was open */
    path(&sim, B, A)->cut = false;
    sim_run(&sim, 60 * SIM_S);
    assert_int_equal(delivered(&sim, A), 100);
    finish(&sim);
}

static void test_partition_of_ten_minutes_the_link_is_still_up_and_delivers(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    path(&sim, A, B)->cut = path(&sim, B, A)->cut = true;
    sim_send(&sim, A, 0, 100, 500);
    sim_run(&sim, 600 * SIM_S);
    assert_int_equal(delivered(&sim, A), 0);
    path(&sim, A, B)->cut = path(&sim, B, A)->cut = false;
    sim_run(&sim, 120 * SIM_S);
    assert_int_equal(delivered(&sim, A), 100);
    assert_int_equal(stats_of(&sim, A).links_now, 1);
    finish(&sim);
}

/* ---- Addresses ------------------------------------------------------------------------------ */

static void test_sender_moves_the_receiver_follows(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    for (int i = 0; i < 10; i++) {
        sim_send(&sim, A, 0, 50, 500);
        sim_run(&sim, 200 * SIM_US); /* in the midst of it */
        sim_net_move(&sim.net, A);
        sim_run(&sim, 5 * SIM_S);
        assert_int_equal(delivered(&sim, A), 50 * (i + 1));
    }
    finish(&sim);
}

static void test_receiver_moves_while_it_holds_records_the_sender_learns_it(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    sim_send(&sim, A, 0, 50, 500);
    sim_run(&sim, 200 * SIM_US);
    sim_net_move(&sim.net, B); /* A sends to where nobody is, until B probes it */
    sim_run(&sim, 120 * SIM_S);
    assert_int_equal(delivered(&sim, A), 50);
    finish(&sim);
}

static void test_nat_gives_the_sender_another_port_it_goes_on(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    sim.net.ends[A].nat = true;
    for (int i = 0; i < 5; i++) {
        sim_send(&sim, A, 0, 50, 500);
        sim_run(&sim, 150 * SIM_US);
        sim_net_move(&sim.net, A); /* and what B says to the old port, or unasked to the new one, is lost */
        sim_run(&sim, 10 * SIM_S);
        assert_int_equal(delivered(&sim, A), 50 * (i + 1));
    }
    finish(&sim);
}

/* ---- Nodes that die, stop and close ------------------------------------------------------------ */

/* The whole of a link's life, with a node killed after each of its steps. */
static void kill_at_each_step(uint32_t victim)
{
    for (int steps = 0; steps < 60; steps++) {
        struct sim sim;
        sim_init(&sim, SEED, &(struct sim_options){.linger = 20 * SIM_MS});
        sim_open(&sim, A, 0, SIM_PUSH, 0, 0);
        sim_open(&sim, B, 0, SIM_PULL, 0, 0);
        sim_link(&sim, A, 0, B, 0, false);
        sim_send(&sim, A, 0, 20, 1000);
        for (int i = 0; i < steps; i++) {
            sim_step(&sim, sim.now + SIM_S);
        }
        sim_kill(&sim, victim);
        sim_run(&sim, 50 * SIM_MS);
        sim_start(&sim, victim);
        sim_send(&sim, A, 0, 20, 1000);
        sim_run(&sim, 100 * SIM_MS);
        finish(&sim);
    }
}

static void test_receiver_killed_at_each_step_nothing_is_delivered_twice(void **arg)
{
    (void)arg;
    kill_at_each_step(B);
}

static void test_sender_killed_at_each_step_nothing_is_delivered_twice(void **arg)
{
    (void)arg;
    kill_at_each_step(A);
}

static void test_receiver_stopped_for_a_while_messages_wait_for_it(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    for (int64_t ms = 1; ms <= 100000; ms *= 10) {
        sim_freeze(&sim, B, ms * SIM_MS);
        sim_send(&sim, A, 0, 100, 500);
        sim_run(&sim, ms * SIM_MS + 60 * SIM_S);
    }
    assert_int_equal(delivered(&sim, A), 600);
    finish(&sim);
}

static void test_sender_stopped_in_the_midst_it_goes_on(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    path(&sim, A, B)->loss = 300;
    sim_send(&sim, A, 0, 200, 1000);
    sim_run(&sim, 2 * SIM_MS);
    sim_freeze(&sim, A, 30 * SIM_S); /* every timer of it is due when it wakes up */
    sim_run(&sim, 60 * SIM_S);
    assert_int_equal(delivered(&sim, A), 200);
    finish(&sim);
}

static void test_node_closed_in_the_midst_of_data_it_waits_until_all_is_delivered(void **arg)
{
    (void)arg;
    struct sim sim;
    a3m_close_report report;
    push_pull(&sim, &(struct sim_options){0});
    path(&sim, A, B)->loss = 200;
    path(&sim, B, A)->loss = 200;
    sim_send(&sim, A, 0, 300, 1000);
    sim_run(&sim, SIM_MS);
    const struct sim_owner *closed = sim.nodes[A].owner;
    assert_true(closed->delivered < closed->sent);
    assert_int_equal(sim_close_node(&sim, A, 60 * SIM_S, &report), A3M_OK);
    assert_int_equal(report.undelivered + report.unknown, 0);
    assert_int_equal(closed->delivered, closed->sent);
    finish(&sim);
}

static void test_node_closed_while_cut_off_the_report_says_what_is_left(void **arg)
{
    (void)arg;
    struct sim sim;
    a3m_close_report report;
    push_pull(&sim, &(struct sim_options){.window = 8});
    path(&sim, A, B)->cut = true;
    sim_send(&sim, A, 0, 100, 1000);
    sim_run(&sim, SIM_MS);
    assert_int_equal(sim_close_node(&sim, A, SIM_S, &report), A3M_ETIMEDOUT);
    assert_int_equal(report.undelivered + report.unknown, 100);
    assert_true(report.undelivered > 0); /* beyond the window: never transmitted, and it says so */
    finish(&sim);
}

static void test_receiving_node_closed_in_the_midst_of_data_both_sides_account_for_all(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    sim_send(&sim, A, 0, 300, 1000);
    sim_run(&sim, 300 * SIM_US);
    assert_int_equal(sim_close_node(&sim, B, 10 * SIM_S, NULL), A3M_OK);
    sim_start(&sim, B);
    finish(&sim);
}

/* ---- Links ---------------------------------------------------------------------------------------- */

static void test_both_ends_ask_at_once_one_link_comes_up(void **arg)
{
    (void)arg;
    for (int by_address = 0; by_address < 4; by_address++) {
        struct sim sim;
        sim_init(&sim, SEED, &(struct sim_options){0});
        sim_open(&sim, A, 0, SIM_PUSH, 0, 0);
        sim_open(&sim, B, 0, SIM_PULL, 0, 0);
        sim_link(&sim, A, 0, B, 0, (by_address & 1) != 0);
        sim_link(&sim, B, 0, A, 0, (by_address & 2) != 0);
        sim_send(&sim, A, 0, 10, 100);
        sim_run(&sim, SIM_S);
        assert_int_equal(delivered(&sim, A), 10);
        assert_int_equal(stats_of(&sim, A).links_now, 1);
        assert_int_equal(stats_of(&sim, B).links_now, 1);
        finish(&sim);
    }
}

static void unlinked_in_the_midst(uint32_t who)
{
    for (int64_t us = 0; us < 1200; us += 50) {
        struct sim sim;
        push_pull(&sim, &(struct sim_options){0});
        path(&sim, A, B)->loss = 200;
        sim_send(&sim, A, 0, 200, 1000);
        sim_run(&sim, us * SIM_US);
        sim_unlink(&sim, who, 0, who == A ? B : A, 0);
        sim_run(&sim, 5 * SIM_S);
        const struct sim_owner *sender = sim.nodes[A].owner;
        assert_int_equal(sender->delivered, sender->sent); /* what was sent before is delivered */
        finish(&sim);
    }
}

static void test_sender_unlinks_in_the_midst_of_data_what_was_sent_arrives(void **arg)
{
    (void)arg;
    unlinked_in_the_midst(A);
}

static void test_receiver_unlinks_in_the_midst_of_data_what_was_sent_arrives(void **arg)
{
    (void)arg;
    unlinked_in_the_midst(B);
}

static void test_socket_closed_and_opened_again_the_link_comes_back(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    sim_send(&sim, A, 0, 100, 1000);
    sim_run(&sim, 300 * SIM_US);
    sim_close_socket(&sim, B, 0);
    sim_run(&sim, 3 * SIM_S);
    sim_open(&sim, B, 0, SIM_PULL, 0, 0);
    sim_link(&sim, A, 0, B, 0, false); /* the peer's END ended it */
    sim_send(&sim, A, 0, 100, 1000);
    sim_run(&sim, 3 * SIM_S);
    assert_true(delivered(&sim, A) >= 100);
    finish(&sim);
}

/* ---- Shapes of traffic --------------------------------------------------------------------------- */

static void test_push_to_three_pulls_over_bad_paths_each_message_goes_to_one(void **arg)
{
    (void)arg;
    struct sim sim;
    sim_init(&sim, SEED, &(struct sim_options){.nodes = 4});
    sim_open(&sim, A, 0, SIM_PUSH, 0, 0);
    for (uint32_t i = B; i <= D; i++) {
        sim_open(&sim, i, 0, SIM_PULL, 10, 0);
        sim_open(&sim, i, 1, SIM_PULL, 0, 0);
        sim_link(&sim, A, 0, i, 0, false);
        sim_link(&sim, i, 1, A, 0, false);
        path(&sim, A, i)->loss = 100 * i;
        path(&sim, i, A)->reorder = 300;
        path(&sim, i, A)->reorder_by = 5 * SIM_MS;
    }
    sim_send(&sim, A, 0, 2000, 300);
    sim_run(&sim, 30 * SIM_S);
    assert_int_equal(delivered(&sim, A), 2000);
    finish(&sim);
}

static void test_requests_of_three_nodes_over_bad_paths_each_gets_its_reply(void **arg)
{
    (void)arg;
    struct sim sim;
    sim_init(&sim, SEED, &(struct sim_options){.nodes = 4});
    sim_open(&sim, D, 0, SIM_REP, 5, 0);
    sim_open(&sim, D, 1, SIM_REP, 0, 0);
    for (uint32_t i = A; i <= C; i++) {
        sim_open(&sim, i, 0, SIM_REQ, 3, 0);
        sim_link(&sim, i, 0, D, 0, false);
        sim_link(&sim, D, 1, i, 0, true);
        path(&sim, i, D)->loss = 200;
        path(&sim, D, i)->corrupt = 200;
        sim_send(&sim, i, 0, 200, 400);
    }
    sim_run(&sim, 60 * SIM_S);
    for (uint32_t i = A; i <= C; i++) {
        assert_int_equal(sim.nodes[i].apps[0].answered, 200);
        assert_int_equal(delivered(&sim, i), 200);
    }
    assert_int_equal(delivered(&sim, D), 600); /* the replies */
    finish(&sim);
}

static void test_server_killed_amid_requests_each_has_an_outcome(void **arg)
{
    (void)arg;
    struct sim sim;
    sim_init(&sim, SEED, &(struct sim_options){0});
    sim_open(&sim, A, 0, SIM_REQ, 0, 0);
    sim_open(&sim, B, 0, SIM_REP, 0, 0);
    sim_link(&sim, A, 0, B, 0, false);
    sim_run(&sim, 10 * SIM_MS);
    path(&sim, B, A)->delay = 5 * SIM_MS;
    sim_send(&sim, A, 0, 100, 400);
    sim_run(&sim, SIM_MS);
    sim_kill(&sim, B);
    sim_run(&sim, SIM_S);
    sim_start(&sim, B);
    sim_run(&sim, 30 * SIM_S);
    assert_int_equal(sim.nodes[A].apps[0].asked, 100);
    assert_int_equal(sim.nodes[A].apps[0].answered, 100);
    finish(&sim);
}

static void test_credit_for_one_message_a_stream_gets_through(void **arg)
{
    (void)arg;
    struct sim sim;
    sim_init(&sim, SEED, &(struct sim_options){0});
    sim_open(&sim, A, 0, SIM_PUSH, 0, 0);
    sim_open(&sim, B, 0, SIM_PULL, 1, 0);
    sim_link(&sim, A, 0, B, 0, false);
    path(&sim, B, A)->loss = 300; /* grants are lost, too */
    sim_pace(&sim, B, 0, SIM_MS);
    sim_send(&sim, A, 0, 100, 500);
    sim_run(&sim, 60 * SIM_S);
    assert_int_equal(delivered(&sim, A), 100);
    finish(&sim);
}

static void test_credit_of_100_bytes_messages_of_all_sizes_get_through(void **arg)
{
    (void)arg;
    struct sim sim;
    sim_init(&sim, SEED, &(struct sim_options){0});
    sim_open(&sim, A, 0, SIM_PUSH, 0, 0);
    sim_open(&sim, B, 0, SIM_PULL, 0, 100);
    sim_link(&sim, A, 0, B, 0, false);
    for (uint32_t size = 20; size < 100000; size *= 3) {
        sim_send(&sim, A, 0, 5, size);
    }
    sim_run(&sim, 30 * SIM_S);
    assert_int_equal(delivered(&sim, A), 40);
    finish(&sim);
}

static void test_receiver_takes_nothing_the_sender_stops_at_its_credit(void **arg)
{
    (void)arg;
    struct sim sim;
    sim_init(&sim, SEED, &(struct sim_options){0});
    sim_open(&sim, A, 0, SIM_PUSH, 0, 0);
    sim_open(&sim, B, 0, SIM_PULL, 5, 0);
    sim_link(&sim, A, 0, B, 0, false);
    sim_pause(&sim, B, 0, true);
    sim_send(&sim, A, 0, 20, 100);
    sim_run(&sim, 10 * SIM_S);
    assert_int_equal(sim.nodes[A].owner->sent, 5);
    sim_pause(&sim, B, 0, false);
    sim_run(&sim, 10 * SIM_S);
    assert_int_equal(delivered(&sim, A), 20);
    finish(&sim);
}

static void test_window_of_one_unit_its_renewal_lost_the_stream_goes_on(void **arg)
{
    (void)arg;
    for (uint32_t window = 1; window <= 3; window++) {
        struct sim sim;
        push_pull(&sim, &(struct sim_options){.window = window});
        path(&sim, B, A)->loss = 500;
        sim_send(&sim, A, 0, 50, 1200);
        sim_run(&sim, 300 * SIM_S);
        assert_int_equal(delivered(&sim, A), 50);
        finish(&sim);
    }
}

static void test_a_megabyte_beside_small_messages_small_ones_do_not_wait_for_it(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    sim_open(&sim, A, 1, SIM_PUSH, 0, 0);
    sim_open(&sim, B, 1, SIM_PULL, 0, 0);
    sim_link(&sim, A, 1, B, 1, false);
    sim_run(&sim, 10 * SIM_MS);
    path(&sim, A, B)->rate = 1000000;
    sim_send(&sim, A, 0, 2, 1 << 20); /* more than two seconds of the path */
    sim_run(&sim, 5 * SIM_MS);
    sim_send(&sim, A, 1, 20, 100);
    sim_run(&sim, 900 * SIM_MS);
    assert_int_equal(delivered(&sim, A), 20);
    sim_run(&sim, 10 * SIM_S);
    assert_int_equal(delivered(&sim, A), 22);
    finish(&sim);
}

/* ---- The simulation itself -------------------------------------------------------------------------- */

static void test_plan_played_twice_the_packets_are_the_same(void **arg)
{
    (void)arg;
    uint64_t hashes = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct sim_plan plan;
        struct sim_outcome first, second;
        sim_plan_draw(&plan, seed);
        sim_outcome_of(&plan, &first, NULL);
        sim_outcome_of(&plan, &second, NULL);
        assert_true(first.hash == second.hash);
        assert_int_equal(first.turns, second.turns);
        assert_true(first.hash != hashes);
        hashes = first.hash;
        sim_plan_fini(&plan);
    }
}

static void test_plan_printed_and_read_it_is_the_same(void **arg)
{
    (void)arg;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct sim_plan plan, again;
        char *text = NULL;
        size_t size = 0;
        int line;
        sim_plan_draw(&plan, seed);
        FILE *out = open_memstream(&text, &size);
        assert_non_null(out);
        sim_plan_print(&plan, out, "", "");
        assert_int_equal(fclose(out), 0);
        assert_true(sim_plan_read(&again, text, &line));
        assert_int_equal(again.count, plan.count);
        assert_memory_equal(again.events, plan.events, plan.count * sizeof(plan.events[0]));
        assert_int_equal(again.seed, plan.seed);
        sim_plan_fini(&plan);
        sim_plan_fini(&again);
        free(text);
    }
}

static void test_plan_with_a_wrong_line_it_says_which(void **arg)
{
    (void)arg;
    static const struct {
        const char *text;
        int line;
    } cases[] = {
        {"0 kill 1\n", 1},
        {"plan 1 2 0 0 0 0 0\n0 kill 2\n", 2}, /* there are two nodes: 0 and 1 */
        {"plan 1 2 0 0 0 0 0\n\n0 explode 1\n", 3},
        {"plan 1 2 0 0 0 0 0\n5 kill 1\n4 start 1\n", 3}, /* back in time */
        {"plan 1 9 0 0 0 0 0\n", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_plan plan;
        int line = 0;
        assert_false(sim_plan_read(&plan, cases[i].text, &line));
        assert_int_equal(line, cases[i].line);
        sim_plan_fini(&plan);
    }
}

/* A check that never fails is none: a world in which a message was invented must not pass. */
static void test_message_missing_in_the_book_the_end_fails(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    sim_send(&sim, A, 0, 10, 100);
    sim_run(&sim, SIM_S);
    sim.nodes[A].owner->sent++;
    sim_finish(&sim);
    assert_true(sim.failed);
    sim_fini(&sim);
}

/* ---- What the campaign found --------------------------------------------------------------------------- */

static void play(const char *text)
{
    struct sim_plan plan;
    struct sim sim;
    int line = 0;
    if (!sim_plan_read(&plan, text, &line)) {
        fail_msg("line %d is not one of a plan", line);
    }
    sim_plan_play(&plan, &sim);
    sim_plan_fini(&plan);
    check(&sim);
    sim_fini(&sim);
}

/*
 * A's request was under way to B's new incarnation when A learned that the old one was over, and A forgot it:
 * B took it, and A took B's request, as two links; then A ended the one that it did not know, and was left with an
 * end of the other.
 */
static void test_request_under_way_when_the_old_incarnation_ends_it_is_not_forgotten(void **arg)
{
    (void)arg;
    play("plan 21 2 0 100 0 0 500\n"
         "0 open 0 2 2 100 100\n"
         "0 open 1 3 3 0 2000\n"
         "0 link 0 2 1 3 0\n"
         "0 link 1 3 0 2 0\n"
         "310364 leave 1 53\n"
         "1233084 cut 0 1 1\n");
    play("plan 15 2 100 100 1 0 100\n"
         "0 open 1 0 3 0 0\n"
         "0 link 1 0 0 0 0\n"
         "5438630 leave 1 221\n"
         "5838154 delay 1 0 50 28\n");
}

/* B asked by address for a link that it was ending: its request came before its END, and A dropped what was under way. */
static void test_link_asked_for_again_while_it_is_ended_what_was_sent_arrives(void **arg)
{
    (void)arg;
    play("plan 8149 2 100 500 0 1200 0\n"
         "0 open 1 3 2 2 20000\n"
         "0 open 0 1 3 1 0\n"
         "0 link 0 1 1 3 0\n"
         "714312 send 1 3 1 10000\n"
         "714312 nat 0 1\n"
         "13339406 link 1 3 0 1 1\n"
         "13339406 unlink 1 3 0 1\n");
}

/* The END of a request that was cancelled spoke of messages of the link's earlier life: B waited for them for ever. */
static void test_request_of_a_second_life_cancelled_the_peer_waits_for_nothing(void **arg)
{
    (void)arg;
    play("plan 42757 2 0 500 1 1200 500\n"
         "0 open 0 3 0 1 0\n"
         "0 open 1 1 1 100 100\n"
         "0 link 0 3 1 1 0\n"
         "3418 nat 0 1\n"
         "10442 leave 1 119\n"
         "46117 send 0 3 1 1\n"
         "1121691 unlink 0 3 1 1\n");
}

/*
 * A cancelled a request that B's old incarnation had; the END went to the new one, whose own request A held for one
 * that crossed, and ignored: B asked for ever.
 */
static void test_request_cancelled_while_the_peer_restarts_the_peers_own_is_heard(void **arg)
{
    (void)arg;
    play("plan 75238 2 0 20 0 0 100\n"
         "0 open 0 3 0 100 2000\n"
         "0 open 1 1 1 0 20000\n"
         "0 link 0 3 1 1 0\n"
         "0 link 1 1 0 3 1\n"
         "0 move 0\n"
         "19296 cut 1 0 1\n"
         "4419968 unlink 0 3 1 1\n"
         "8590884 kill 1\n");
}

/* A's socket closed while both asked: its refusal met a link that was up by then, and was counted as a violation. */
static void test_crossing_request_refused_by_a_closed_socket_is_no_violation(void **arg)
{
    (void)arg;
    play("plan 45292 3 0 20 0 0 0\n"
         "0 open 2 1 0 5 100\n"
         "0 open 0 3 1 5 20000\n"
         "0 link 2 1 0 3 1\n"
         "0 link 0 3 2 1 0\n"
         "292 send 2 1 1 1\n"
         "292 close 0 3\n"
         "13490870 loss 2 0 600\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_fault_every_message_arrives_and_no_record_is_left),
        cmocka_unit_test(test_delay_and_jitter_messages_arrive_in_order),
        cmocka_unit_test(test_narrow_path_with_a_short_queue_everything_gets_through),
        cmocka_unit_test(test_loss_of_a_third_both_ways_every_message_arrives),
        cmocka_unit_test(test_packets_3_4_and_7_lost_they_are_sent_again),
        cmocka_unit_test(test_loss_in_bursts_every_message_arrives),
        cmocka_unit_test(test_every_packet_repeated_nothing_is_delivered_twice),
        cmocka_unit_test(test_packets_overtaken_messages_arrive_in_order),
        cmocka_unit_test(test_bits_flipped_damaged_packets_are_dropped_and_sent_again),
        cmocka_unit_test(test_packets_cut_short_they_are_dropped_and_sent_again),
        cmocka_unit_test(test_acknowledgements_cut_off_for_a_minute_nothing_is_lost_or_repeated),
        cmocka_unit_test(test_partition_of_ten_minutes_the_link_is_still_up_and_delivers),
        cmocka_unit_test(test_sender_moves_the_receiver_follows),
        cmocka_unit_test(test_receiver_moves_while_it_holds_records_the_sender_learns_it),
        cmocka_unit_test(test_nat_gives_the_sender_another_port_it_goes_on),
        cmocka_unit_test(test_receiver_killed_at_each_step_nothing_is_delivered_twice),
        cmocka_unit_test(test_sender_killed_at_each_step_nothing_is_delivered_twice),
        cmocka_unit_test(test_receiver_stopped_for_a_while_messages_wait_for_it),
        cmocka_unit_test(test_sender_stopped_in_the_midst_it_goes_on),
        cmocka_unit_test(test_node_closed_in_the_midst_of_data_it_waits_until_all_is_delivered),
        cmocka_unit_test(test_node_closed_while_cut_off_the_report_says_what_is_left),
        cmocka_unit_test(test_receiving_node_closed_in_the_midst_of_data_both_sides_account_for_all),
        cmocka_unit_test(test_both_ends_ask_at_once_one_link_comes_up),
        cmocka_unit_test(test_sender_unlinks_in_the_midst_of_data_what_was_sent_arrives),
        cmocka_unit_test(test_receiver_unlinks_in_the_midst_of_data_what_was_sent_arrives),
        cmocka_unit_test(test_socket_closed_and_opened_again_the_link_comes_back),
        cmocka_unit_test(test_push_to_three_pulls_over_bad_paths_each_message_goes_to_one),
        cmocka_unit_test(test_requests_of_three_nodes_over_bad_paths_each_gets_its_reply),
        cmocka_unit_test(test_server_killed_amid_requests_each_has_an_outcome),
        cmocka_unit_test(test_credit_for_one_message_a_stream_gets_through),
        cmocka_unit_test(test_credit_of_100_bytes_messages_of_all_sizes_get_through),
        cmocka_unit_test(test_receiver_takes_nothing_the_sender_stops_at_its_credit),
        cmocka_unit_test(test_window_of_one_unit_its_renewal_lost_the_stream_goes_on),
        cmocka_unit_test(test_a_megabyte_beside_small_messages_small_ones_do_not_wait_for_it),
        cmocka_unit_test(test_plan_played_twice_the_packets_are_the_same),
        cmocka_unit_test(test_plan_printed_and_read_it_is_the_same),
        cmocka_unit_test(test_plan_with_a_wrong_line_it_says_which),
        cmocka_unit_test(test_message_missing_in_the_book_the_end_fails),
        cmocka_unit_test(test_request_under_way_when_the_old_incarnation_ends_it_is_not_forgotten),
        cmocka_unit_test(test_link_asked_for_again_while_it_is_ended_what_was_sent_arrives),
        cmocka_unit_test(test_request_of_a_second_life_cancelled_the_peer_waits_for_nothing),
        cmocka_unit_test(test_request_cancelled_while_the_peer_restarts_the_peers_own_is_heard),
        cmocka_unit_test(test_crossing_request_refused_by_a_closed_socket_is_no_violation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
