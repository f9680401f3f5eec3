/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A collection of round-trip times and its quantiles. Exact up to
 * CLI_LATENCY_SAMPLES of them; of more, a random sample of that size is kept
 * (Vitter, "Random sampling with a reservoir", 1985, algorithm R), while
 * number, minimum and maximum stay exact. Not thread-safe.
 */
#ifndef A3M_CLI_LATENCY_H
#define A3M_CLI_LATENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/time.h>

#define CLI_LATENCY_SAMPLES ((size_t)1 << 20)

struct cli_latency {
    int64_t *samples; /* nanoseconds */
    size_t kept, room;
    uint64_t count;
    int64_t min, max;
    uint64_t random;
    bool sorted;
};

void cli_latency_init(struct cli_latency *latency);
void cli_latency_fini(struct cli_latency *latency);

void cli_latency_add(struct cli_latency *latency, a3m_duration sample);

/* The smallest sample that at least `percent` of all do not exceed (nearest rank). 0 when there is none. */
a3m_duration cli_latency_quantile(struct cli_latency *latency, double percent);

/* "round trip min 12.1 p50 13.0 p90 15.2 p99 30.1 max 41.0 µs"; "" when there is no sample. */
void cli_latency_format(struct cli_latency *latency, char *buf, size_t size);

#endif
