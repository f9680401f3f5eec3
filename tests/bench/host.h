/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine a campaign ran on, and how quiet it was: what other processes
 * used of its processors meanwhile, and what the hypervisor took (/proc/stat).
 */
#ifndef BENCH_HOST_H
#define BENCH_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Above this share of the machine, a measurement counts as disturbed, and a campaign as noisy. */
#define BENCH_HOST_NOISY 0.05

struct bench_host {
    int64_t wall_ns, busy_ns, stolen_ns, own_ns;
};

/* Notes the state before the campaign. */
void bench_host_begin(struct bench_host *host);

/*
 * The share of the machine (0 to 1) that others had since then: processes that
 * are neither this one nor its ended children, and the hypervisor. To a few
 * hundredths when only half a second has passed.
 */
double bench_host_noise(const struct bench_host *since);

/* Waits until others use next to nothing, but not past `deadline` (wall, ns). Whether it became quiet. */
bool bench_host_await_quiet(int64_t deadline);

/* Writes lines beginning with '#': the machine, its load, and whether it was quiet since the begin. */
void bench_host_print(const struct bench_host *begin, FILE *to);

#endif
