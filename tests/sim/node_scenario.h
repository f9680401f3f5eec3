/* SPDX-License-Identifier: Apache-2.0 */
/* What scenarios of whole nodes begin and end with, in short words. */
#ifndef NODE_SCENARIO_H
#define NODE_SCENARIO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node_shrink.h"

enum { A, B, C, D };

#define SEED 20

static inline void check(const struct sim *sim)
{
    if (sim->failed) {
        sim_dump(sim, stderr);
        fail_msg("%s", sim->failure);
    }
}

static inline void finish(struct sim *sim)
{
    sim_finish(sim);
    check(sim);
    sim_fini(sim);
}

/* PUSH 0 of A, linked with PULL 0 of B. */
static inline void push_pull(struct sim *sim, const struct sim_options *options)
{
    sim_init(sim, SEED, options);
    sim_open(sim, A, 0, SIM_PUSH, 0, 0);
    sim_open(sim, B, 0, SIM_PULL, 0, 0);
    sim_link(sim, A, 0, B, 0, false);
    sim_run(sim, 10 * SIM_MS);
    check(sim);
}

/* A plan, as sim_campaign --shrink prints it. */
static inline void play(const char *text)
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

static inline struct sim_path *path(struct sim *sim, uint32_t from, uint32_t to)
{
    return &sim->net.paths[from][to];
}

static inline uint64_t delivered(const struct sim *sim, uint32_t from)
{
    return sim->nodes[from].owner->delivered;
}

static inline a3m_node_stats stats_of(const struct sim *sim, uint32_t node)
{
    a3m_node_stats stats = {.size = sizeof(stats)};
    assert_int_equal(a3m_node_get_stats(sim->nodes[node].handle, &stats), A3M_OK);
    return stats;
}

#endif
