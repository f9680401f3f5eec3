/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two sides of a one-way measurement. The time is from the first message
 * that counts leaving the sender to the last one being with the receiver's
 * application; processor time is that of both processes until then.
 */
#ifndef BENCH_FLOW_H
#define BENCH_FLOW_H

#include "bench/peer.h"
#include "bench/plan.h"

/* Sends for the plan's duration, then waits until `done_fd` says (end of file) that the receiver has it all. */
void bench_flow_send(const struct bench_plan *plan, void *end, int done_fd, struct bench_report *report);

/* Receives until the last message; gives up when one is missing and the peer is not lossy. */
void bench_flow_receive(const struct bench_plan *plan, void *end, struct bench_report *report);

#endif
