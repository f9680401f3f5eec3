/* SPDX-License-Identifier: Apache-2.0 */
/* One figure over several runs: its median, and how far the runs lie apart. */
#ifndef BENCH_SPREAD_H
#define BENCH_SPREAD_H

#include <stddef.h>

struct bench_spread {
    double median, min, max;
};

/* Sorts `values`. All 0 when there is none. */
struct bench_spread bench_spread_of(double *values, size_t n);

#endif
