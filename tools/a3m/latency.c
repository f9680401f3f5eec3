/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples in an array that doubles up to its bound. Without memory to grow, the
 * size it has becomes the bound: a summary of fewer samples beats none.
 */
#include "latency.h"

#include <stdio.h>
#include <stdlib.h>

void cli_latency_init(struct cli_latency *latency)
{
    *latency = (struct cli_latency){.random = UINT64_C(0x9e3779b97f4a7c15)};
}

void cli_latency_fini(struct cli_latency *latency)
{
    free(latency->samples);
    cli_latency_init(latency);
}

/* xorshift64*; any fixed seed does, the samples bring the randomness. */
static uint64_t next_random(struct cli_latency *latency)
{
    uint64_t x = latency->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    latency->random = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

static void grow(struct cli_latency *latency)
{
    if (latency->room >= CLI_LATENCY_SAMPLES) {
        return;
    }
    size_t room = latency->room == 0 ? 1024 : latency->room * 2;
    int64_t *samples = realloc(latency->samples, room * sizeof *samples);
    if (samples != NULL) {
        latency->samples = samples;
        latency->room = room;
    }
}

void cli_latency_add(struct cli_latency *latency, a3m_duration sample)
{
    latency->min = latency->count == 0 || sample.ns < latency->min ? sample.ns : latency->min;
    latency->max = latency->count == 0 || sample.ns > latency->max ? sample.ns : latency->max;
    latency->count++;
    if (latency->kept == latency->room && latency->kept + 1 == latency->count) {
        grow(latency);
    }
    if (latency->kept < latency->room) {
        latency->samples[latency->kept++] = sample.ns;
        latency->sorted = false;
        return;
    }
    uint64_t place = next_random(latency) % latency->count;
    if (place < latency->kept) {
        latency->samples[place] = sample.ns;
        latency->sorted = false;
    }
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

a3m_duration cli_latency_quantile(struct cli_latency *latency, double percent)
{
    if (latency->kept == 0) {
        return a3m_ns(0);
    }
    if (!latency->sorted) {
        qsort(latency->samples, latency->kept, sizeof latency->samples[0], compare);
        latency->sorted = true;
    }
    double exact = percent / 100.0 * (double)latency->kept;
    size_t rank = (size_t)exact;
    rank += (double)rank < exact ? 1 : 0;
    rank = rank < 1 ? 1 : rank;
    return a3m_ns(latency->samples[(rank > latency->kept ? latency->kept : rank) - 1]);
}

static double in_us(int64_t ns)
{
    return (double)ns / 1e3;
}

void cli_latency_format(struct cli_latency *latency, char *buf, size_t size)
{
    if (latency->count == 0) {
        (void)snprintf(buf, size, "%s", "");
        return;
    }
    (void)snprintf(buf, size, "round trip min %.1f p50 %.1f p90 %.1f p99 %.1f max %.1f \xc2\xb5s",
                   in_us(latency->min), in_us(cli_latency_quantile(latency, 50).ns),
                   in_us(cli_latency_quantile(latency, 90).ns), in_us(cli_latency_quantile(latency, 99).ns),
                   in_us(latency->max));
}
