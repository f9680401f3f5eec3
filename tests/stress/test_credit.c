/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links, waiting and credit, by many threads at random: links asked for by either end, cancelled, ended and aborted,
 * within a node and between two; accept hooks; sends and receives of every form, now and later; reservations made,
 * used, and given back; capacity and options changed; waits that are ended by a signal, by the end of their link or
 * socket, by a poller's; sockets closed. Whenever all threads rest the books balance (credit_check.c), and so they do at the end.
 *
 * A3M_TEST=*inproc* runs one of them. A3M_SEED chooses another run; A3M_ACTIONS how many actions each test has, A3M_LONG a hundred times as many.
 * covers F1 F3 F4 F8 F10 L9 L14 N4
 */
#include <string.h>

#include "crash.h"
#include "credit_arena.h"
#include "lossy.h"
#include "node_fixture.h"
#include "unit/test_base_random.h"
#include "verdict.h"

enum { ACTIONS = 100000, ROUND = 500, LOSSY_ACTIONS = 50000, LOSSY_PER_MILLE = 20 };

static const char *const udp[CREDIT_NODES] = {"udp://127.0.0.1:0", "udp://127.0.0.1:0"};
static const char *const inproc[CREDIT_NODES] = {"inproc://credit-from", "inproc://credit-to"};

static void act_at_random(const char *test, const char *const addresses[CREDIT_NODES], bool exact,
                          uint64_t actions)
{
    static struct credit_arena arena;
    struct actor *actors[CREDIT_ACTORS];
    struct a3mi_rng rng;
    crash_tell(test, test_random_init(&rng, test));
    atomic_store(&lossy_seed, a3mi_rng_u64(&rng));
    credit_open(&arena, addresses, exact, &rng);
    for (uint32_t i = 0; i < CREDIT_ACTORS; i++) {
        actors[i] = &arena.actors[i].actor;
    }
    const struct crew crew = {.actors = actors,
                              .n = CREDIT_ACTORS,
                              .total = actor_total(actions),
                              .per_round = ROUND,
                              .look = credit_look,
                              .arg = &arena};
    (void)crew_run(&crew);
    credit_close(&arena);
}

static void test_credit_by_many_threads_over_udp_is_conserved(void **arg)
{
    (void)arg;
    act_at_random("udp", udp, false, ACTIONS);
}

static void test_credit_by_many_threads_inproc_is_conserved(void **arg)
{
    (void)arg;
    act_at_random("inproc", inproc, false, ACTIONS);
}

static void test_credit_returned_with_each_message_is_exactly_what_is_due(void **arg)
{
    (void)arg;
    act_at_random("exact", inproc, true, ACTIONS);
}

static void test_credit_over_a_network_that_loses_packets_is_conserved(void **arg)
{
    (void)arg;
    atomic_store(&lossy_per_mille, LOSSY_PER_MILLE);
    act_at_random("lossy", inproc, false, LOSSY_ACTIONS);
}

static int over_a_good_network(void **arg)
{
    (void)arg;
    atomic_store(&lossy_per_mille, 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_credit_by_many_threads_over_udp_is_conserved, verdict_forget),
        cmocka_unit_test_setup(test_credit_by_many_threads_inproc_is_conserved, verdict_forget),
        cmocka_unit_test_setup(test_credit_returned_with_each_message_is_exactly_what_is_due, verdict_forget),
        cmocka_unit_test_setup_teardown(test_credit_over_a_network_that_loses_packets_is_conserved,
                                        verdict_forget, over_a_good_network),
    };
    cmocka_set_test_filter(getenv("A3M_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
