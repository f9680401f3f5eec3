/* SPDX-License-Identifier: Apache-2.0 */
/* Pacing (core/pacer.h): a bucket of bytes that fills at the rate. */
#include "core/pacer.h"

#define SECOND INT64_C(1000000000)

/* Everything is counted in microseconds, so that products of bytes and times fit into 64 bits. */
#define PER_SECOND INT64_C(1000000)
#define RATE_MAX   ((uint64_t)1 << 40)

void a3mi_pacer_init(struct a3mi_pacer *pacer)
{
    *pacer = (struct a3mi_pacer){.at = INT64_MIN};
}

static void refill(struct a3mi_pacer *pacer, int64_t now)
{
    if (pacer->at == INT64_MIN || now - pacer->at >= SECOND) {
        pacer->allowance = pacer->full;
        pacer->at = now;
        return;
    }
    int64_t us = (now - pacer->at) / 1000;
    int64_t allowance = pacer->allowance + us * pacer->rate / PER_SECOND;

    if (allowance > pacer->allowance) {
        pacer->allowance = allowance < pacer->full ? allowance : pacer->full;
        pacer->at += us * 1000;
    }
}

void a3mi_pacer_set(struct a3mi_pacer *pacer, uint64_t rate, int64_t rtt, uint32_t packet, int64_t now)
{
    if (rtt < A3MI_PACER_OFF_BELOW) {
        pacer->rate = 0;
        return;
    }
    int64_t burst = (int64_t)A3MI_PACER_BURST_PACKETS * packet;

    if (pacer->rate > 0) {
        refill(pacer, now);
    } else {
        pacer->at = INT64_MIN;
    }
    pacer->rate = (int64_t)(rate < RATE_MAX ? rate : RATE_MAX);
    if (pacer->rate < packet) {
        pacer->rate = packet;
    }
    pacer->full = pacer->rate / (SECOND / A3MI_PACER_BURST_NS);
    if (pacer->full < burst) {
        pacer->full = burst;
    }
}

int64_t a3mi_pacer_next(struct a3mi_pacer *pacer, int64_t now)
{
    if (pacer->rate == 0) {
        return now;
    }
    refill(pacer, now);
    if (pacer->allowance > 0) {
        return now;
    }
    /* Until a quarter of a burst can go, so that timers do not fire for every packet. */
    int64_t need = pacer->full / 4 - pacer->allowance;

    return now + (need * PER_SECOND / pacer->rate + 1) * 1000;
}
