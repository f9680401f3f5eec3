/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running plans where they can do no harm, and finding the shortest one that
 * still fails: events are left out, in runs of half the length each time
 * (Zeller's delta debugging), then counts and sizes are halved.
 */
#ifndef NODE_SHRINK_H
#define NODE_SHRINK_H

#include "node_plan.h"

struct sim_outcome {
    bool failed;
    char failure[400];
    uint64_t hash; /* of all packets, with their times */
    uint64_t turns, messages, packets, lost;
};

/* In this process: a crash of the library is one of the caller. What failed is dumped, unless `dump` is NULL. */
void sim_outcome_of(const struct sim_plan *plan, struct sim_outcome *out, FILE *dump);
/* In a child: a crash, or a run of more than `seconds`, is a failure like others. */
void sim_outcome_apart(const struct sim_plan *plan, unsigned seconds, struct sim_outcome *out);
/* Makes a plan that fails with `failure` smaller, in place; numbers in that text may change. Returns how many it tried. */
unsigned sim_shrink(struct sim_plan *plan, const char *failure, unsigned seconds);

#endif
