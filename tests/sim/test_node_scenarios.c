/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole nodes on a simulated network, in virtual time: a scenario for each fault
 * of network and nodes. Each ends with sim_finish:
 * everything heals, every message is accounted for, both ends of every link
 * agree, credit is back, no record is left, and nodes close. The other shapes of
 * traffic are in test_node_traffic.c, what the campaign found in test_node_found.c.
 * covers X1 X2 L11
 */
#include "node_scenario.h"

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
        path(&sim, i == 0 ? A : B, i == 0 ? B : A)->repeat_within = 2 *
                                                                    SIM_S; /* long past the record's life */
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

/* PUSH 0 of A, linked with PULL 0 of B, which grants so many bytes, by a link that keeps its order or does not. */
static void push_pull_of(struct sim *sim, bool ordered, int64_t credit_bytes)
{
    sim_init(sim, SEED, &(struct sim_options){0});
    sim_open(sim, A, 0, SIM_PUSH, 0, 0);
    sim_order(sim, A, 0, ordered);
    sim_open(sim, B, 0, SIM_PULL, 0, credit_bytes);
    sim_link(sim, A, 0, B, 0, false);
    sim_run(sim, 10 * SIM_MS);
    check(sim);
}

/* The first of twenty packets is lost: what of the rest is there before it comes again. */
static uint64_t delivered_behind_a_loss(bool ordered)
{
    struct sim sim;
    push_pull_of(&sim, ordered, 0);
    path(&sim, A, B)->delay = 5 * SIM_MS;
    path(&sim, A, B)->drops = 1;
    sim_send(&sim, A, 0, 20, 1300);
    sim_run(&sim, 5500 * SIM_US);
    uint64_t early = delivered(&sim, A);
    sim_run(&sim, SIM_S);
    assert_int_equal(delivered(&sim, A), 20);
    assert_int_equal(sim.overtaken, ordered ? 0 : 1);
    finish(&sim);
    return early;
}

/* covers S7 */
static void test_link_without_order_a_lost_message_does_not_hold_up_those_behind_it(void **arg)
{
    (void)arg;
    assert_int_equal(delivered_behind_a_loss(true), 0);
    assert_true(delivered_behind_a_loss(false) >= 9);
}

/* covers S7 L12 */
static void test_link_without_order_unlinked_what_was_sent_before_is_delivered_first(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull_of(&sim, false, 0);
    path(&sim, A, B)->drops = 0x55;
    sim_send(&sim, A, 0, 20, 1300);
    sim_run(&sim, SIM_US);
    sim_unlink(&sim, A, 0, B, 0);
    sim_run(&sim, SIM_S);
    assert_int_equal(delivered(&sim, A), 20);
    assert_true(sim.overtaken > 0);
    finish(&sim);
}

/* A message larger than what is granted may overtake those before it, which are covered all the same. covers S7 F4 */
static void test_link_without_order_large_messages_overtake_small_ones_within_their_credit(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull_of(&sim, false, 2000);
    path(&sim, A, B)->reorder = 400;
    path(&sim, A, B)->reorder_by = 20 * SIM_MS;
    for (int i = 0; i < 100; i++) {
        sim_send(&sim, A, 0, 2, 200);
        sim_run(&sim, SIM_US); /* a unit of their own */
        sim_send(&sim, A, 0, 1, 5000);
        sim_pause(&sim, B, 0, true); /* nothing is granted again before the late ones are there */
        sim_run(&sim, 50 * SIM_MS);
        sim_pause(&sim, B, 0, false);
        sim_run(&sim, 50 * SIM_MS);
    }
    assert_int_equal(delivered(&sim, A), 300);
    assert_true(sim.overtaken > 0);
    finish(&sim);
}

/* Nothing behind it tells of its loss: a time-out does, without the time that a receiver may hold back what it says. */
static void test_lone_message_lost_comes_again_after_a_round_trip_and_a_millisecond(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    path(&sim, A, B)->delay = path(&sim, B, A)->delay = 5 * SIM_MS;
    for (int i = 0; i < 60; i++) { /* until the round trip is known to be steady */
        sim_send(&sim, A, 0, 1, 64);
        sim_run(&sim, 30 * SIM_MS);
    }
    path(&sim, A, B)->drops = 1;
    sim_send(&sim, A, 0, 1, 64);
    sim_run(&sim, 15900 * SIM_US);
    assert_int_equal(delivered(&sim, A), 60);
    sim_run(&sim, 1100 * SIM_US);
    assert_int_equal(delivered(&sim, A), 61);
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

/* What it takes is counted in the time of a path of 100 us, not in that of the probe. */
static void test_node_that_moves_and_notices_it_is_followed_at_once(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    for (uint32_t i = 0; i < 9; i++) {
        uint64_t before = delivered(&sim, A);
        sim_send(&sim, A, 0, 50, 500);
        sim_run(&sim, 200 * SIM_US);
        if (i % 3 != 1) {
            sim_net_move(&sim.net, B);
            sim_notice(&sim, B);
        } else {
            sim_net_move(&sim.net, A);
            sim_notice(&sim, A);
        }
        sim_run(&sim, 500 * SIM_MS);
        assert_int_equal(delivered(&sim, A), before + 50);
        sim_run(&sim, 30 * SIM_S); /* no record is left */
    }
    finish(&sim);
}

static void test_node_that_moves_at_rest_and_notices_it_is_found(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    for (int i = 0; i < 3; i++) {
        sim_run(&sim, 60 * SIM_S);
        assert_int_equal(stats_of(&sim, A).records_now + stats_of(&sim, B).records_now, 0);
        sim_net_move(&sim.net, B);
        sim_notice(&sim, B);
        sim_run(&sim, SIM_S);
        sim_send(&sim, A, 0, 10, 500);
        sim_run(&sim, 10 * SIM_MS);
        assert_int_equal(delivered(&sim, A), 10 * (i + 1));
    }
    finish(&sim);
}

static void test_both_move_at_once_and_one_is_told_by_hand_they_go_on(void **arg)
{
    (void)arg;
    struct sim sim;
    char id[128], address[32];
    push_pull(&sim, &(struct sim_options){0});
    sim_send(&sim, A, 0, 50, 500);
    sim_run(&sim, 200 * SIM_US);
    sim_net_move(&sim.net, A);
    sim_net_move(&sim.net, B);
    sim_notice(&sim, A);
    sim_notice(&sim, B);
    sim_run(&sim, 20 * SIM_S);
    assert_true(delivered(&sim, A) < 50);
    (void)snprintf(address, sizeof(address), "sim://%u", sim.net.ends[B].address);
    assert_int_equal(a3m_node_id(sim.nodes[B].handle, id, sizeof(id)), 0);
    assert_int_equal(a3m_node_set_peer(sim.nodes[A].handle, id, address), 0);
    sim.nodes[A].dirty = true; /* as its reader would be */
    sim_run(&sim, SIM_S);
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
        cmocka_unit_test(test_link_without_order_a_lost_message_does_not_hold_up_those_behind_it),
        cmocka_unit_test(test_link_without_order_unlinked_what_was_sent_before_is_delivered_first),
        cmocka_unit_test(test_link_without_order_large_messages_overtake_small_ones_within_their_credit),
        cmocka_unit_test(test_lone_message_lost_comes_again_after_a_round_trip_and_a_millisecond),
        cmocka_unit_test(test_bits_flipped_damaged_packets_are_dropped_and_sent_again),
        cmocka_unit_test(test_packets_cut_short_they_are_dropped_and_sent_again),
        cmocka_unit_test(test_acknowledgements_cut_off_for_a_minute_nothing_is_lost_or_repeated),
        cmocka_unit_test(test_partition_of_ten_minutes_the_link_is_still_up_and_delivers),
        cmocka_unit_test(test_sender_moves_the_receiver_follows),
        cmocka_unit_test(test_receiver_moves_while_it_holds_records_the_sender_learns_it),
        cmocka_unit_test(test_node_that_moves_and_notices_it_is_followed_at_once),
        cmocka_unit_test(test_node_that_moves_at_rest_and_notices_it_is_found),
        cmocka_unit_test(test_both_move_at_once_and_one_is_told_by_hand_they_go_on),
        cmocka_unit_test(test_nat_gives_the_sender_another_port_it_goes_on),
        cmocka_unit_test(test_receiver_killed_at_each_step_nothing_is_delivered_twice),
        cmocka_unit_test(test_sender_killed_at_each_step_nothing_is_delivered_twice),
        cmocka_unit_test(test_receiver_stopped_for_a_while_messages_wait_for_it),
        cmocka_unit_test(test_sender_stopped_in_the_midst_it_goes_on),
        cmocka_unit_test(test_node_closed_in_the_midst_of_data_it_waits_until_all_is_delivered),
        cmocka_unit_test(test_node_closed_while_cut_off_the_report_says_what_is_left),
        cmocka_unit_test(test_receiving_node_closed_in_the_midst_of_data_both_sides_account_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
