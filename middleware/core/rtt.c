/* SPDX-License-Identifier: Apache-2.0 */
/* Round trips (core/rtt.h). */
#include "core/rtt.h"

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void a3mi_rtt_init(struct a3mi_rtt *rtt)
{
    *rtt = (struct a3mi_rtt){
        .smoothed = A3MI_RTT_INITIAL,
        .variation = A3MI_RTT_INITIAL / 2,
    };
}

void a3mi_rtt_sample(struct a3mi_rtt *rtt, int64_t latest, int64_t ack_delay)
{
    rtt->latest = latest;
    if (!rtt->sampled) {
        rtt->sampled = true;
        rtt->min = latest;
        rtt->smoothed = latest;
        rtt->variation = latest / 2;
        return;
    }
    rtt->min = min64(rtt->min, latest);
    ack_delay = min64(ack_delay, A3MI_MAX_ACK_DELAY);

    int64_t adjusted = latest >= rtt->min + ack_delay ? latest - ack_delay : latest;
    int64_t deviation = rtt->smoothed > adjusted ? rtt->smoothed - adjusted : adjusted - rtt->smoothed;

    rtt->variation = (3 * rtt->variation + deviation) / 4;
    rtt->smoothed = (7 * rtt->smoothed + adjusted) / 8;
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t a3mi_rtt_persistent(const struct a3mi_rtt *rtt)
{
    return 3 * (rtt->smoothed + max64(4 * rtt->variation, A3MI_RTT_GRANULARITY) + A3MI_MAX_ACK_DELAY);
}

int64_t a3mi_rtt_pto(const struct a3mi_rtt *rtt, uint32_t backoffs)
{
    int64_t pto = rtt->smoothed + max64(4 * rtt->variation, A3MI_RTT_GRANULARITY);

    if (rtt->sampled) {
        pto += A3MI_MAX_ACK_DELAY;
    }
    while (backoffs > 0 && pto < A3MI_PTO_MAX) {
        pto *= 2;
        backoffs--;
    }
    return min64(pto, A3MI_PTO_MAX);
}
