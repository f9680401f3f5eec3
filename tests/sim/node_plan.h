/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan: what happens to simulated nodes, and when, as a list of events: sockets,
 * links, messages and faults alike. It is drawn from a seed, printed and read as
 * lines of text, and played. An event that makes no sense where it stands (a
 * socket that is not open) does nothing, so that any part of a plan is a plan.
 */
#ifndef NODE_PLAN_H
#define NODE_PLAN_H

#include <stdio.h>

#include "node_sim.h"

#define SIM_EVENT_ARGS 5

struct sim_event {
    int64_t at; /* us since the beginning */
    const struct sim_verb *verb;
    int64_t args[SIM_EVENT_ARGS];
};

struct sim_plan {
    uint64_t seed; /* of the network's draws and the nodes' */
    struct sim_options options;
    struct sim_event *events;
    size_t count, room;
};

void sim_plan_fini(struct sim_plan *plan);
void sim_plan_copy(struct sim_plan *to, const struct sim_plan *from);
/* Adds an event behind the others. The verb's name must be known, and its arguments within their ranges. */
void sim_plan_add(struct sim_plan *plan, int64_t at, const char *verb, const int64_t *args);

/* The name of its verb. */
const char *sim_event_name(const struct sim_event *event);

/* Draws a plan. */
void sim_plan_draw(struct sim_plan *plan, uint64_t seed);

/* As text: a line "plan SEED NODES …", then a line "AT VERB ARG…" per event; `prefix` and `suffix` about each. */
void sim_plan_print(const struct sim_plan *plan, FILE *out, const char *prefix, const char *suffix);
/* Reads that; '#' begins a comment. False, and *line says where it is wrong. */
bool sim_plan_read(struct sim_plan *plan, const char *text, int *line);

/* Makes the world, plays the plan and ends it (sim_finish): sim->failed says how. The caller calls sim_fini. */
void sim_plan_play(const struct sim_plan *plan, struct sim *sim);

#endif
