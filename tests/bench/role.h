/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roles that a benchmark's program takes when it executes itself:
 *
 *   bench_x --role server|client PEER SIZE DURATION PACE WORK CPU ADDRESS
 *
 * Times are nanoseconds. Descriptor 3 takes what a role has to say: the server
 * its address (BENCH_ADDRESS bytes), then either one a struct bench_report.
 * Descriptor 4 is a stream socket between the two, on which each only says that
 * it has done its part: the server that it has seen the last message, the client
 * that it has closed its end.
 */
#ifndef BENCH_ROLE_H
#define BENCH_ROLE_H

#include "bench/plan.h"

enum { BENCH_ROLE_REPORT_FD = 3, BENCH_ROLE_DONE_FD = 4 };

/* In the child after fork, the two descriptors being in place: becomes the role. `address` NULL: the server. */
_Noreturn void bench_role_exec(const struct bench_plan *plan, const char *address);

/* First thing in main: does not return when the arguments ask for a role. */
void bench_role_take(int argc, char **argv);

#endif
