/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accept hooks and links ended by force, in simulated nodes. The plans of the campaign have both as well ("door",
 * "abort"). covers L7 L12
 */
#include "node_scenario.h"

static const struct a3mi_link *first_link(const struct sim *sim, uint32_t node, uint32_t index)
{
    struct a3mi_list *it = a3mi_list_first(&sim->nodes[node].apps[index].base->links);
    return it != NULL ? a3mi_container_of(it, struct a3mi_link, on_socket) : NULL;
}

/* A PUSH of A and a PULL of B, whose door is shut; nobody has asked yet. */
static void shut_door(struct sim *sim)
{
    sim_init(sim, SEED, &(struct sim_options){0});
    sim_open(sim, A, 0, SIM_PUSH, 0, 0);
    sim_open(sim, B, 0, SIM_PULL, 0, 0);
    sim_door(sim, B, 0, SIM_DOOR_SHUT);
}

static void test_shut_door_ends_the_wish_at_both_ends_until_it_is_open(void **arg)
{
    (void)arg;
    struct sim sim;
    shut_door(&sim);
    path(&sim, A, B)->loss = 300;
    path(&sim, B, A)->loss = 300;
    sim_link(&sim, A, 0, B, 0, false);
    sim_run(&sim, 20 * SIM_S);
    check(&sim);
    assert_int_equal(sim.answers[SIM_DOOR_SHUT], 1);
    assert_int_equal(first_link(&sim, A, 0)->reason, A3M_EREFUSED);
    assert_string_equal(first_link(&sim, A, 0)->text, "never by n1/s0");
    assert_null(first_link(&sim, B, 0));
    assert_true(sim_door_refused(&sim.nodes[A].apps[0], &sim.nodes[A].apps[0].wishes[0]));
    sim_door(&sim, B, 0, SIM_DOOR_OPEN);
    sim_link(&sim, A, 0, B, 0, false);
    sim_send(&sim, A, 0, 5, 100);
    sim_run(&sim, 20 * SIM_S);
    assert_int_equal(delivered(&sim, A), 5);
    const struct a3mi_link *link = first_link(&sim, A, 0);
    assert_memory_equal(link->peer_metadata.bytes, "answer ", 7);
    assert_memory_equal(first_link(&sim, B, 0)->peer_metadata.bytes, "n0/s0 asks ", 11);
    finish(&sim);
}

static void test_shut_door_stays_shut_to_the_end_and_nothing_is_left(void **arg)
{
    (void)arg;
    struct sim sim;
    shut_door(&sim);
    sim_link(&sim, A, 0, B, 0, true);
    sim_send(&sim, A, 0, 5, 100);
    finish(&sim);
}

static void test_door_for_later_is_asked_until_it_opens(void **arg)
{
    (void)arg;
    struct sim sim;
    sim_init(&sim, SEED, &(struct sim_options){.retry_max = 200 * SIM_MS});
    sim_open(&sim, A, 0, SIM_REQ, 0, 0);
    sim_open(&sim, B, 0, SIM_REP, 0, 0);
    sim_door(&sim, B, 0, SIM_DOOR_LATER);
    sim_link(&sim, A, 0, B, 0, false);
    sim_send(&sim, A, 0, 3, 100);
    sim_run(&sim, 5 * SIM_S);
    check(&sim);
    assert_true(sim.answers[SIM_DOOR_LATER] > 10);
    assert_int_equal(delivered(&sim, A), 0);
    sim_door(&sim, B, 0, SIM_DOOR_OPEN);
    sim_run(&sim, SIM_S);
    assert_int_equal(delivered(&sim, A), 3);
    finish(&sim);
}

static void cut_in_the_midst(uint32_t who)
{
    uint64_t abandoned = 0;
    for (int64_t us = 0; us < 3000; us += 100) {
        struct sim sim;
        push_pull(&sim, &(struct sim_options){.window = 20});
        path(&sim, A, B)->loss = 200;
        sim_send(&sim, A, 0, 200, 1000);
        sim_run(&sim, us * SIM_US);
        sim_abort(&sim, who, 0, who == A ? B : A, 0);
        check(&sim);
        assert_int_equal(sim.aborts, 1);
        abandoned += sim.abandoned;
        finish(&sim);
    }
    assert_true(who == A ? abandoned > 0 : abandoned == 0); /* B has sent nothing */
}

static void test_abort_by_the_sender_in_the_midst_of_data_the_books_are_exact(void **arg)
{
    (void)arg;
    cut_in_the_midst(A);
}

static void test_abort_by_the_receiver_in_the_midst_of_data_the_books_are_exact(void **arg)
{
    (void)arg;
    cut_in_the_midst(B);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shut_door_ends_the_wish_at_both_ends_until_it_is_open),
        cmocka_unit_test(test_shut_door_stays_shut_to_the_end_and_nothing_is_left),
        cmocka_unit_test(test_door_for_later_is_asked_until_it_opens),
        cmocka_unit_test(test_abort_by_the_sender_in_the_midst_of_data_the_books_are_exact),
        cmocka_unit_test(test_abort_by_the_receiver_in_the_midst_of_data_the_books_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
