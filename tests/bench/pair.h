/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pair of processes, server and client, that carry out one plan. Both are
 * fresh: nothing is left of an earlier measurement, and one that crashes or
 * hangs takes nothing else with it.
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <stdbool.h>

#include "bench/plan.h"

/*
 * Runs a plan to its end; a pair that takes 20 s longer than planned is killed.
 * False when it failed: the reason is on standard error.
 */
bool bench_pair_run(const struct bench_plan *plan, struct bench_report *server, struct bench_report *client);

#endif
