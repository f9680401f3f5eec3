/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulation of whole nodes itself: the same plan gives the same packets,
 * plans can be printed and read, and what must hold is really asked for.
 * covers X1
 */
#include "node_scenario.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_played_twice_the_packets_are_the_same),
        cmocka_unit_test(test_plan_printed_and_read_it_is_the_same),
        cmocka_unit_test(test_plan_with_a_wrong_line_it_says_which),
        cmocka_unit_test(test_message_missing_in_the_book_the_end_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
