/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole nodes on a simulated network, in virtual time: links that come and go
 * amid data, and shapes of traffic (types, credit, windows, sizes), most of them
 * over bad paths. Each ends with sim_finish, as in test_node_scenarios.c.
 * covers X1 L1 L11
 */
#include "node_scenario.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
