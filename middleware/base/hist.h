/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A histogram of times in fixed memory (18 KiB): log-linear buckets, 64 in each
 * power of two, so that a percentile is at most 1/64 above the true value, and
 * exact below 128 ns. Design: HdrHistogram, Gil Tene, https://hdrhistogram.org.
 * Nothing is lost: what is 2^40 ns (18 minutes) or longer counts in the last
 * bucket, with minimum, maximum and mean exact. Value type; no locks.
 */
#ifndef A3MI_HIST_H
#define A3MI_HIST_H

#include <stdint.h>

#define A3MI_HIST_SUB_BITS 6  /* 2^6 buckets in each power of two */
#define A3MI_HIST_MAX_BITS 40 /* up to 2^40 ns */
#define A3MI_HIST_BUCKETS  ((A3MI_HIST_MAX_BITS - A3MI_HIST_SUB_BITS + 1) << A3MI_HIST_SUB_BITS)

struct a3mi_hist {
    uint64_t count;
    uint64_t min; /* UINT64_MAX: nothing recorded */
    uint64_t max;
    uint64_t sum_low, sum_high; /* of 128 bits */
    uint64_t buckets[A3MI_HIST_BUCKETS];
};

/* Makes it empty. */
void a3mi_hist_init(struct a3mi_hist *h);

/* Counts one time, in nanoseconds; a negative one (a clock was stepped) counts as 0. */
void a3mi_hist_record(struct a3mi_hist *h, int64_t ns);

/*
 * The time, in nanoseconds, that p percent (0 to 100) of those recorded do not
 * exceed: the upper end of its bucket, but never beyond the maximum. p = 0 is the
 * minimum, p = 100 the maximum. 0 when nothing was recorded.
 */
uint64_t a3mi_hist_percentile(const struct a3mi_hist *h, double p);

/* Adds what `from` has recorded to `into`. */
void a3mi_hist_merge(struct a3mi_hist *into, const struct a3mi_hist *from);

/* The mean in nanoseconds, exact but for the last rounding; 0 when nothing was recorded. */
double a3mi_hist_mean(const struct a3mi_hist *h);

/* The shortest and longest time in nanoseconds, exact; 0 when nothing was recorded. */
static inline uint64_t a3mi_hist_min(const struct a3mi_hist *h)
{
    return h->count > 0 ? h->min : 0;
}

static inline uint64_t a3mi_hist_max(const struct a3mi_hist *h)
{
    return h->max;
}

/* How many times were recorded. */
static inline uint64_t a3mi_hist_count(const struct a3mi_hist *h)
{
    return h->count;
}

#endif
