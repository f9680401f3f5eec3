/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The histogram's arithmetic. With S = 2^6, the values below S have a bucket
 * each; beyond, the values from 2^e to 2^(e+1) - 1 share S buckets of 2^(e-6):
 *
 *      index(v) = (e - 5) * S + (the 6 bits of v below its highest one)
 */
#include "base/hist.h"

#include <string.h>

#define SUB_BUCKETS (1u << A3MI_HIST_SUB_BITS)

static unsigned bucket_of(uint64_t ns)
{
    if (ns >> A3MI_HIST_MAX_BITS != 0) {
        return A3MI_HIST_BUCKETS - 1;
    }
    if (ns < SUB_BUCKETS) {
        return (unsigned)ns;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - A3MI_HIST_SUB_BITS;

    return shift * SUB_BUCKETS + (unsigned)(ns >> shift);
}

/* The largest value of a bucket. */
static uint64_t bucket_end(unsigned i)
{
    if (i < 2 * SUB_BUCKETS) {
        return i;
    }
    unsigned shift = i / SUB_BUCKETS - 1;
    uint64_t mantissa = i % SUB_BUCKETS + SUB_BUCKETS;

    return ((mantissa + 1) << shift) - 1;
}

static void add_to_sum(struct a3mi_hist *h, uint64_t low, uint64_t high)
{
    h->sum_low += low;
    h->sum_high += high + (h->sum_low < low);
}

void a3mi_hist_init(struct a3mi_hist *h)
{
    memset(h, 0, sizeof *h);
    h->min = UINT64_MAX;
}

void a3mi_hist_record(struct a3mi_hist *h, int64_t ns)
{
    uint64_t v = ns > 0 ? (uint64_t)ns : 0;

    h->buckets[bucket_of(v)]++;
    h->count++;
    add_to_sum(h, v, 0);
    h->min = v < h->min ? v : h->min;
    h->max = v > h->max ? v : h->max;
}

/* How many values p percent are, at least 1: the smallest number not below p/100 of the count. */
static uint64_t rank_of(const struct a3mi_hist *h, double p)
{
    double exact = p / 100.0 * (double)h->count;

    if (exact >= (double)h->count) {
        return h->count;
    }
    uint64_t rank = (uint64_t)exact;

    rank += (double)rank < exact;
    return rank > 0 ? rank : 1;
}

uint64_t a3mi_hist_percentile(const struct a3mi_hist *h, double p)
{
    if (h->count == 0) {
        return 0;
    }
    if (!(p > 0)) {
        return h->min;
    }
    uint64_t rank = rank_of(h, p);
    uint64_t seen = 0;
    unsigned i = 0;

    for (;; i++) {
        seen += h->buckets[i];
        if (seen >= rank || i == A3MI_HIST_BUCKETS - 1) {
            break;
        }
    }
    /* The last bucket has no end: what is in it may be as long as the maximum. */
    uint64_t end = i == A3MI_HIST_BUCKETS - 1 ? h->max : bucket_end(i);

    return end < h->max ? end : h->max;
}

void a3mi_hist_merge(struct a3mi_hist *into, const struct a3mi_hist *from)
{
    for (unsigned i = 0; i < A3MI_HIST_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
    into->count += from->count;
    add_to_sum(into, from->sum_low, from->sum_high);
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
}

double a3mi_hist_mean(const struct a3mi_hist *h)
{
    double sum = (double)h->sum_high * 0x1.0p64 + (double)h->sum_low;

    return h->count > 0 ? sum / (double)h->count : 0;
}
