/* SPDX-License-Identifier: Apache-2.0 */
/* Median, minimum, maximum; see spread.h. */
#include "bench/spread.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

struct bench_spread bench_spread_of(double *values, size_t n)
{
    if (n == 0) {
        return (struct bench_spread){0};
    }
    qsort(values, n, sizeof(values[0]), compare);
    return (struct bench_spread){
        .median = n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2,
        .min = values[0],
        .max = values[n - 1],
    };
}
