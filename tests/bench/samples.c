/* SPDX-License-Identifier: Apache-2.0 */
/* Exact percentiles by sorting; see samples.h. */
#include "bench/samples.h"

#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench/fail.h"

void bench_samples_init(struct bench_samples *samples, size_t capacity)
{
    size_t bytes = capacity * sizeof(samples->ns[0]);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1,
                        0);
    if (memory == MAP_FAILED) {
        bench_fail_errno("memory for samples");
    }
    *samples = (struct bench_samples){.ns = memory, .capacity = capacity};
}

void bench_samples_fini(struct bench_samples *samples)
{
    (void)munmap(samples->ns, samples->capacity * sizeof(samples->ns[0]));
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void bench_samples_sort(struct bench_samples *samples)
{
    qsort(samples->ns, samples->n, sizeof(samples->ns[0]), compare);
}

double bench_samples_us(const struct bench_samples *samples, double share)
{
    if (samples->n == 0) {
        return 0;
    }
    double rank = ceil(share * (double)samples->n);
    size_t index = rank < 1 ? 0 : (size_t)rank - 1;
    return samples->ns[index < samples->n ? index : samples->n - 1] / 1e3;
}
