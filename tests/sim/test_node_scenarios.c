/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node_sim.h"

static void test_plain(void **arg)
{
    (void)arg;
    struct sim sim;
    sim_init(&sim, 1, &(struct sim_options){.nodes = 2});
    sim_open(&sim, 0, 0, SIM_PUSH, 0, 0);
    sim_open(&sim, 1, 0, SIM_PULL, 0, 0);
    sim_link(&sim, 0, 0, 1, 0, false);
    sim_send(&sim, 0, 0, 100, 200);
    sim_run(&sim, 1000 * SIM_MS);
    sim_finish(&sim);
    if (sim.failed) fail_msg("%s", sim.failure);
    print_message("hash %lx turns %lu msgs %lu\n", sim.net.hash, sim.turns, sim.messages);
    sim_fini(&sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
