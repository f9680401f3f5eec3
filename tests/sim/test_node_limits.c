/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole nodes whose memory is scarce, whose peers are silent, or that are closed
 * before everything came: what is bounded, and that nothing is missing in the
 * books. docs/memory.md says what bounds what. covers X5 Y2 N8
 */
#include "node_scenario.h"

/* ---- Memory ---------------------------------------------------------------------------- */

/* What B sends waits behind a message that never comes, and takes the memory of A; C's messages go on. */
static void test_memory_taken_by_one_peer_another_goes_on(void **arg)
{
    (void)arg;
    struct sim sim;
    sim_init(&sim, SEED, &(struct sim_options){.nodes = 3, .memory = 100000});
    sim_open(&sim, A, 0, SIM_PULL, 0, 0);
    for (uint32_t i = B; i <= C; i++) {
        sim_open(&sim, i, 0, SIM_PUSH, 0, 0);
        sim_link(&sim, i, 0, A, 0, false);
    }
    sim_run(&sim, 10 * SIM_MS);
    sim_send(&sim, B, 0, 200, 1000);
    path(&sim, B, A)->delay = 20 * SIM_MS;
    path(&sim, B, A)->drops = 1;
    path(&sim, A, B)->cut = true; /* so B does not learn what is missing */
    sim_run(&sim, 25 * SIM_MS);
    uint64_t held = stats_of(&sim, A).held_bytes_now;
    assert_true(held > 8000 && held <= 100000);
    sim_send(&sim, C, 0, 500, 1000);
    sim_run(&sim, 10 * SIM_S);
    assert_int_equal(delivered(&sim, C), 500);
    finish(&sim);
}

/* With less memory than one message takes, whatever is lost: only what is next in turn is taken. */
static void test_memory_for_next_to_nothing_everything_arrives(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){.memory = 4000});
    path(&sim, A, B)->loss = 100;
    sim_send(&sim, A, 0, 20, 30000);
    sim_send(&sim, A, 0, 200, 500);
    sim_run(&sim, 200 * SIM_S);
    assert_int_equal(delivered(&sim, A), 220);
    finish(&sim);
}

/* The outbox bounds all that a sender keeps: what waits, and what a silent peer does not acknowledge. */
static void test_outbox_bounds_what_a_silent_peer_does_not_acknowledge(void **arg)
{
    (void)arg;
    const uint64_t most = 30000;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){.outbox_bytes = most});
    path(&sim, B, A)->cut = true;
    sim_send(&sim, A, 0, 500, 1000);
    sim_run(&sim, 60 * SIM_S);
    a3m_node_stats stats = stats_of(&sim, A);
    assert_true(stats.unit_bytes_now > 0);
    assert_true(stats.outbox_bytes_now + stats.unit_bytes_now <
                2 * most);                      /* a unit takes more than its message */
    assert_true(sim.nodes[A].owner->sent < 40); /* the application waits with the others */
    path(&sim, B, A)->cut = false;
    sim_run(&sim, 200 * SIM_S);
    assert_int_equal(delivered(&sim, A), 500);
    finish(&sim);
}

/* ---- Silent peers ------------------------------------------------------------------------ */

static void test_silent_peer_is_given_up_and_all_that_goes_with_it_is_told(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim,
              &(struct sim_options){.peer_timeout = 5 * SIM_S, .window = 20, .retry_max = 100 * SIM_MS});
    sim_send(&sim, A, 0, 10, 1000);
    sim_run(&sim, SIM_S);
    assert_int_equal(delivered(&sim, A), 10);
    path(&sim, A, B)->cut = path(&sim, B, A)->cut = true;
    sim_send(&sim, A, 0, 40, 1000);
    sim_run(&sim, 4 * SIM_S);
    assert_int_equal(sim.nodes[A].reports, 0);
    sim_run(&sim, 2 * SIM_S);
    const struct a3mi_node *node = sim.nodes[A].inside;
    assert_int_equal(node->lost_unknown + node->lost_undelivered, 40);
    assert_true(node->lost_unknown >= 10 && node->lost_undelivered > 0);
    assert_int_equal(stats_of(&sim, A).peers_silent, 1);
    assert_int_equal(sim.nodes[A].reports, 1);
    assert_int_equal(sim.nodes[A].report_code, A3M_ESILENT);
    assert_non_null(strstr(sim.nodes[A].report_text, "'n1'"));
    assert_non_null(strstr(sim.nodes[A].report_text, "1 links ended"));
    const struct a3mi_link *link = a3mi_container_of(a3mi_list_first(&sim.nodes[A].apps[0].base->links),
                                                     struct a3mi_link, on_socket);
    assert_int_equal(link->reason, A3M_ESILENT);
    assert_true(link->state == A3MI_LINK_RETRYING || link->state == A3MI_LINK_REQUESTING);
    /* The other end had nothing to send: it asks whether its peer is there, and gives it up as well. */
    sim_run(&sim, 60 * SIM_S);
    assert_int_equal(stats_of(&sim, B).peers_silent, 1);
    assert_int_equal(stats_of(&sim, B).links_now, 0);
    path(&sim, A, B)->cut = path(&sim, B, A)->cut = false;
    sim_send(&sim, A, 0, 10, 1000);
    sim_run(&sim, 10 * SIM_S);
    assert_int_equal(delivered(&sim, A), 20);
    finish(&sim);
}

/* ---- By choice ------------------------------------------------------------------------------ */

/* What waits behind a gap is more than the policy allows: the sender is given up, both ends say so, and go on. */
static void test_peer_above_the_ceiling_is_given_up_and_both_ends_tell(void **arg)
{
    (void)arg;
    struct sim sim;
    push_pull(&sim, &(struct sim_options){.memory_ceiling = 20000, .retry_max = 100 * SIM_MS});
    path(&sim, A, B)->delay = 50 * SIM_MS;
    path(&sim, A, B)->drops = 1;
    sim_send(&sim, A, 0, 40, 1000);
    sim_run(&sim, 300 * SIM_MS);
    assert_int_equal(stats_of(&sim, B).peers_over_memory, 1);
    assert_int_equal(sim.nodes[B].reports, 1);
    assert_int_equal(sim.nodes[B].report_code, A3M_ENOMEM);
    assert_true(stats_of(&sim, B).orphaned > 0);
    assert_true(stats_of(&sim, B).held_bytes_now < 20000);
    const struct a3mi_node *node = sim.nodes[A].inside;
    assert_int_equal(node->lost_unknown + node->lost_undelivered, 40);
    assert_true(node->lost_unknown >= stats_of(&sim, B).orphaned);
    sim_send(&sim, A, 0, 5, 1000);
    sim_run(&sim, 10 * SIM_S);
    assert_int_equal(delivered(&sim, A), 5);
    finish(&sim);
}

/* ---- Closing ----------------------------------------------------------------------------- */

/* B accepted what is behind a gap, said so, and is closed before the gap is filled. */
static void test_closed_with_messages_behind_a_gap_they_are_counted_as_unread(void **arg)
{
    (void)arg;
    struct sim sim;
    a3m_close_report report = {.size = sizeof(report)};
    push_pull(&sim, &(struct sim_options){0});
    path(&sim, A, B)->drops = 1;
    sim_send(&sim, A, 0, 8, 1000);
    sim_run(&sim, 150 * SIM_US);
    path(&sim, A, B)->cut = true;
    sim_run(&sim, 10 * SIM_MS);
    assert_int_equal(delivered(&sim, A), 0);
    assert_int_equal(sim_close_node(&sim, B, SIM_S, &report), A3M_ETIMEDOUT);
    assert_int_equal(report.unread, 7);
    path(&sim, A, B)->cut = false;
    sim_start(&sim, B);
    finish(&sim);
}

static void test_closed_with_half_of_a_message_it_is_the_senders_to_count(void **arg)
{
    (void)arg;
    struct sim sim;
    a3m_close_report report = {.size = sizeof(report)};
    push_pull(&sim, &(struct sim_options){0});
    path(&sim, A, B)->rate = 1000000;
    sim_send(&sim, A, 0, 1, 100000);
    sim_run(&sim, 50 * SIM_MS);
    path(&sim, A, B)->cut = true;
    assert_true(stats_of(&sim, B).assembled_bytes_now > 0);
    assert_int_equal(sim_close_node(&sim, B, SIM_S, &report), A3M_ETIMEDOUT);
    assert_int_equal(report.unread, 0);
    path(&sim, A, B)->cut = false;
    sim_start(&sim, B);
    finish(&sim);
}

/* What the campaign's book found when it was made exact again. */
static void test_link_ended_what_comes_for_it_is_counted(void **arg)
{
    (void)arg;
    play("plan 3531 2 0 100 1 1200 100 0\n" /* behind a gap */
         "0 open 0 0 0 5 0\n"
         "0 open 1 3 1 0 2000\n"
         "0 link 1 3 0 0 0\n"
         "0 drop 0 1 50090\n"
         "374648 unlink 1 3 0 0\n"
         "374648 send 0 0 3 500\n"
         "3585436 truncate 0 1 300\n"
         "8344750 cut 1 0 1\n");
    play("plan 15145 2 0 500 1 1200 500 10000\n" /* for a link that is gone */
         "0 open 1 0 0 0 0\n"
         "0 open 0 0 1 1 0\n"
         "0 link 0 0 1 0 0\n"
         "31506 leave 0 385\n"
         "6690599 link 1 0 0 1 0\n"
         "12409863 start 0\n"
         "13573291 send 1 0 1 1\n"
         "13573543 close 1 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_taken_by_one_peer_another_goes_on),
        cmocka_unit_test(test_memory_for_next_to_nothing_everything_arrives),
        cmocka_unit_test(test_outbox_bounds_what_a_silent_peer_does_not_acknowledge),
        cmocka_unit_test(test_silent_peer_is_given_up_and_all_that_goes_with_it_is_told),
        cmocka_unit_test(test_peer_above_the_ceiling_is_given_up_and_both_ends_tell),
        cmocka_unit_test(test_closed_with_messages_behind_a_gap_they_are_counted_as_unread),
        cmocka_unit_test(test_closed_with_half_of_a_message_it_is_the_senders_to_count),
        cmocka_unit_test(test_link_ended_what_comes_for_it_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
