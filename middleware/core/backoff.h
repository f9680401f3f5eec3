/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interval between attempts: starts at the minimum and, where a maximum is
 * set, doubles after each failure up to it; with no maximum it stays at the
 * minimum. Counts attempts against a limit. Pure: who wants jitter passes it in.
 */
#ifndef A3MI_BACKOFF_H
#define A3MI_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"

struct a3mi_backoff {
    int64_t min_ns; /* > 0 */
    int64_t max_ns; /* 0: none */
    uint32_t limit; /* of attempts; 0: none */
    uint32_t attempts;
    int64_t interval_ns; /* the one that comes next */
};

void a3mi_backoff_init(struct a3mi_backoff *backoff, int64_t min_ns, int64_t max_ns, uint32_t limit);
/* From the start again, as after a link was up. */
void a3mi_backoff_reset(struct a3mi_backoff *backoff);
/* An attempt is made: counts it and returns how long to wait before the next, should it fail. */
int64_t a3mi_backoff_attempt(struct a3mi_backoff *backoff);
/*
 * The interval, longer by a part of it that is drawn evenly from 0 to `percent` (0 to 100), so that a fleet that
 * lost the same peer does not come back in step. Never shorter: nobody asks more often than was allowed. With 0 it
 * is exact, and nothing is drawn. Not past INT64_MAX.
 */
int64_t a3mi_backoff_jitter(int64_t interval_ns, unsigned percent, struct a3mi_rng *rng);
/* Whether no further attempt may be made. */
bool a3mi_backoff_exhausted(const struct a3mi_backoff *backoff);

#endif
