/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two sides of a request/reply measurement: one request at a time, every
 * round trip timed, the next one starts where the last ended.
 */
#ifndef BENCH_CALL_H
#define BENCH_CALL_H

#include "bench/peer.h"
#include "bench/plan.h"

/* The client: warms up, measures for the plan's duration, tells the server that it is over. */
void bench_call_measure(const struct bench_plan *plan, void *end, struct bench_report *report);

/* The server: answers until it is told that it is over. */
void bench_call_serve(const struct bench_plan *plan, void *end, struct bench_report *report);

#endif
