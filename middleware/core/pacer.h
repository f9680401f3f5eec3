/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets packets go at a rate instead of a window at once (RFC 9002, 7.7), in bursts of
 * 10 packets or 250 µs of rate, whichever is more, as timers cannot do finer
 * (docs/design). Off for round trips below 200 µs. Nanoseconds, bytes. Pure.
 */
#ifndef A3MI_PACER_H
#define A3MI_PACER_H

#include <stdint.h>

#define A3MI_PACER_OFF_BELOW     INT64_C(200000)
#define A3MI_PACER_BURST_NS      INT64_C(250000)
#define A3MI_PACER_BURST_PACKETS 10u

struct a3mi_pacer {
    int64_t at;        /* when `allowance` was right */
    int64_t allowance; /* bytes that may go at once; below 0 after a burst */
    int64_t full;      /* what the allowance grows to */
    int64_t rate;      /* bytes a second; 0: no limit */
};

/* Full, without limit. */
void a3mi_pacer_init(struct a3mi_pacer *pacer);

/* Goes on at `rate` bytes a second, on a path with this round trip, in packets of up to `packet` bytes. */
void a3mi_pacer_set(struct a3mi_pacer *pacer, uint64_t rate, int64_t rtt, uint32_t packet, int64_t now);

/* When the next packet may go: `now`, or later. */
int64_t a3mi_pacer_next(struct a3mi_pacer *pacer, int64_t now);

static inline void a3mi_pacer_sent(struct a3mi_pacer *pacer, uint32_t bytes)
{
    pacer->allowance -= bytes;
}

#endif
