/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interval between attempts (core/backoff.h). The table of intervals itself has no
 * jitter: it is doubled from exact values, and a run with the same seed replays.
 */
#include "core/backoff.h"

/* Doubles up to `max`, without overflow. */
static int64_t doubled(int64_t interval, int64_t max)
{
    return interval > max / 2 ? max : interval * 2;
}

void a3mi_backoff_init(struct a3mi_backoff *backoff, int64_t min_ns, int64_t max_ns, uint32_t limit)
{
    *backoff = (struct a3mi_backoff){.min_ns = min_ns, .max_ns = max_ns, .limit = limit};
    a3mi_backoff_reset(backoff);
}

void a3mi_backoff_reset(struct a3mi_backoff *backoff)
{
    backoff->attempts = 0;
    backoff->interval_ns = backoff->min_ns;
}

int64_t a3mi_backoff_attempt(struct a3mi_backoff *backoff)
{
    int64_t interval = backoff->interval_ns;

    if (backoff->attempts < UINT32_MAX) {
        backoff->attempts++;
    }
    /* A maximum below the minimum is none: the two options are set one by one. */
    if (interval < backoff->max_ns) {
        backoff->interval_ns = doubled(interval, backoff->max_ns);
    }
    return interval;
}

int64_t a3mi_backoff_jitter(int64_t interval_ns, unsigned percent, struct a3mi_rng *rng)
{
    /* Divided first: a long interval times 100 overflows; the 99 ns at most that are lost do not matter. */
    int64_t most = percent == 100 ? interval_ns : interval_ns / 100 * percent;

    if (most <= 0) {
        return interval_ns;
    }
    int64_t more = (int64_t)a3mi_rng_below(rng, (uint64_t)most + 1);
    return more > INT64_MAX - interval_ns ? INT64_MAX : interval_ns + more;
}

bool a3mi_backoff_exhausted(const struct a3mi_backoff *backoff)
{
    return backoff->limit != 0 && backoff->attempts >= backoff->limit;
}
