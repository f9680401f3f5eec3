/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery receipts of simulated nodes: whatever becomes of packets, links and nodes, each message that asked has
 * its last word once, and it is true. The plans of the campaign ask as well ("receipts"). covers S8
 */
#include "node_scenario.h"

enum { ACCEPTED, TAKEN, NEITHER };

/* Messages that were asked about, of each three: accepted, taken, both. */
static void send_asking(struct sim *sim, uint32_t count)
{
    sim_receipts(sim, A, 0, true);
    sim_send(sim, A, 0, count, 300);
}

static void test_receipts_all_are_told_through_loss_and_in_any_order(void **arg)
{
    (void)arg;
    for (int ordered = 0; ordered < 2; ordered++) {
        struct sim sim;
        sim_init(&sim, SEED, &(struct sim_options){0});
        sim_open(&sim, A, 0, SIM_PUSH, 0, 0);
        sim_order(&sim, A, 0, ordered != 0);
        sim_open(&sim, B, 0, SIM_PULL, 0, 0);
        path(&sim, A, B)->loss = 100;
        path(&sim, B, A)->loss = 100;
        path(&sim, A, B)->delay = path(&sim, B, A)->delay = 5 * SIM_MS;
        path(&sim, A, B)->reorder = 100;
        path(&sim, A, B)->reorder_by = 3 * SIM_MS;
        sim_link(&sim, A, 0, B, 0, false);
        sim_pace(&sim, B, 0, 200 * SIM_US);
        send_asking(&sim, 3000);
        sim_run(&sim, 20 * SIM_S);
        check(&sim);
        assert_int_equal(delivered(&sim, A), 3000);
        assert_true((sim.overtaken > 0) == (ordered == 0));
        assert_int_equal(sim.receipts[ACCEPTED], 2000);
        assert_int_equal(sim.receipts[TAKEN], 2000);
        assert_int_equal(sim.receipts[NEITHER], 0);
        assert_int_equal(sim.nodes[A].owner->receipts, 0);
        finish(&sim);
    }
}

/* What was accepted and is not taken waits; then its receiver is no more. */
static void test_receipts_of_what_a_receiver_took_with_it(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    sim_pause(&sim, B, 0, true);
    send_asking(&sim, 30);
    sim_run(&sim, SIM_S);
    assert_int_equal(sim.receipts[ACCEPTED], 20);
    assert_int_equal(sim.receipts[TAKEN], 0);
    assert_int_equal(sim.nodes[A].owner->receipts, 20);
    sim_kill(&sim, B);
    sim_start(&sim, B);
    sim_run(&sim, 20 * SIM_S);
    check(&sim);
    assert_int_equal(sim.receipts[NEITHER], 20);
    assert_int_equal(sim.nodes[A].owner->receipts, 0);
    finish(&sim);
}

/* Its receiver takes one now and then, and leaves in order: what it took by then is told as taken. */
static void test_receipts_of_a_receiver_that_leaves(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){0});
    sim_pace(&sim, B, 0, 10 * SIM_MS);
    path(&sim, B, A)->loss = 200;
    send_asking(&sim, 300);
    sim_run(&sim, SIM_S);
    uint64_t taken = delivered(&sim, A);
    assert_in_range(taken, 90, 110);
    (void)sim_close_node(&sim, B, 5 * SIM_S, NULL);
    sim_run(&sim, 10 * SIM_S);
    check(&sim);
    assert_int_equal(sim.nodes[A].owner->receipts, 0);
    assert_in_range(sim.receipts[TAKEN], taken * 2 / 3 - 1, taken * 2 / 3 + 1); /* two in three ask for it */
    finish(&sim);
}

/* A link that is ended by force over a path that lets nothing through: what was not transmitted is undelivered. */
static void test_receipts_of_an_abort(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){.window = 3});
    path(&sim, A, B)->cut = true;
    send_asking(&sim, 200);
    sim_run(&sim, 50 * SIM_MS);
    sim_abort(&sim, A, 0, B, 0);
    sim_run(&sim, SIM_MS);
    check(&sim);
    assert_int_equal(sim.receipts[NEITHER], 200);
    assert_true(sim.nodes[A].inside->lost_undelivered > 150);
    assert_true(sim.nodes[A].inside->lost_unknown > 0);
    finish(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receipts_all_are_told_through_loss_and_in_any_order),
        cmocka_unit_test(test_receipts_of_what_a_receiver_took_with_it),
        cmocka_unit_test(test_receipts_of_a_receiver_that_leaves),
        cmocka_unit_test(test_receipts_of_an_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
