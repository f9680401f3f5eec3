/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clocks of a measurement, in nanoseconds: the wall (CLOCK_MONOTONIC,
 * so that two processes of one machine can be compared) and what all threads
 * of this process have used of the processors, user and system together.
 */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t bench_clock_read(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t bench_clock_wall(void)
{
    return bench_clock_read(CLOCK_MONOTONIC);
}

static inline int64_t bench_clock_cpu(void)
{
    return bench_clock_read(CLOCK_PROCESS_CPUTIME_ID);
}

#endif
