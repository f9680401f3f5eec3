/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durations of single operations, kept one by one, so that percentiles are
 * exact. All memory is there, and touched, before the measurement begins (the
 * first touch of a page costs as much as half a round trip). One thread.
 */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_samples {
    uint32_t *ns; /* a sample above 4.29 s counts as 4.29 s */
    size_t n, capacity;
};

/* Gives up when there is no memory. */
void bench_samples_init(struct bench_samples *samples, size_t capacity);
void bench_samples_fini(struct bench_samples *samples);

static inline bool bench_samples_full(const struct bench_samples *samples)
{
    return samples->n == samples->capacity;
}

/* Not when it is full. */
static inline void bench_samples_add(struct bench_samples *samples, int64_t ns)
{
    samples->ns[samples->n++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

/* Once, before percentiles are asked for. */
void bench_samples_sort(struct bench_samples *samples);

/* The smallest sample that `share` (0 to 1) of all do not exceed, in microseconds; 0 when there is none. */
double bench_samples_us(const struct bench_samples *samples, double share);

#endif
