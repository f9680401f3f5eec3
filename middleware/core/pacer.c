/* SPDX-License-Identifier: Apache-2.0 */
/* Pacing (core/pacer.h): a bucket of bytes that fills at the rate. */
#include "core/pacer.h"

#define SECOND INT64_C(1000000000)

void a3mi_pacer_init(struct a3mi_pacer *pacer)
{
    *pacer = (struct a3mi_pacer){.at = INT64_MIN};
}

static int64_t scaled(int64_t a, int64_t b, int64_t divisor)
{
    return (int64_t)((__int128)a * b / divisor);
}

static void refill(struct a3mi_pacer *pacer, int64_t now)
{
    if (pacer->at == INT64_MIN || now - pacer->at >= SECOND) {
        pacer->allowance = pacer->full;
        pacer->at = now;
        return;
    }
    int64_t more = scaled(now - pacer->at, pacer->rate, SECOND);

    if (more > 0) {
        pacer->allowance = pacer->allowance + more < pacer->full ? pacer->allowance + more : pacer->full;
        pacer->at = now;
    }
}

void a3mi_pacer_set(struct a3mi_pacer *pacer, uint64_t window, int64_t rtt, uint32_t packet, int64_t now)
{
    if (rtt < A3MI_PACER_OFF_BELOW) {
        pacer->rate = 0;
        return;
    }
    int64_t bytes = window < (uint64_t)1 << 40 ? (int64_t)window : (int64_t)1 << 40;
    int64_t burst = (int64_t)A3MI_PACER_BURST_PACKETS * packet;

    if (pacer->rate > 0) {
        refill(pacer, now);
    } else {
        pacer->at = INT64_MIN;
    }
    pacer->rate = scaled(bytes + bytes / 4, SECOND, rtt);
    if (pacer->rate < packet) {
        pacer->rate = packet;
    }
    pacer->full = scaled(pacer->rate, A3MI_PACER_BURST_NS, SECOND);
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

    return now + scaled(need, SECOND, pacer->rate) + 1;
}
