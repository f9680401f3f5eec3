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

/* The smaller of two halves, the older of which goes when the newer one is over. */
static void note_low(struct a3mi_rtt *rtt, int64_t latest, int64_t now)
{
    int64_t age = now - rtt->low_since;

    if (!rtt->sampled || age >= A3MI_RTT_WINDOW) {
        rtt->low[0] = INT64_MAX;
    }
    if (!rtt->sampled || age >= A3MI_RTT_WINDOW / 2) {
        rtt->low[1] = rtt->low[0];
        rtt->low[0] = INT64_MAX;
        rtt->low_since = now;
    }
    rtt->low[0] = min64(rtt->low[0], latest);
    rtt->min = min64(rtt->low[0], rtt->low[1]);
}

void a3mi_rtt_forget_min(struct a3mi_rtt *rtt)
{
    rtt->low[0] = rtt->low[1] = INT64_MAX;
}

void a3mi_rtt_sample(struct a3mi_rtt *rtt, int64_t latest, int64_t ack_delay, int64_t now)
{
    rtt->latest = latest;
    note_low(rtt, latest, now);
    if (!rtt->sampled) {
        rtt->sampled = true;
        rtt->smoothed = latest;
        rtt->variation = latest / 2;
        return;
    }
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

int64_t a3mi_rtt_pto(const struct a3mi_rtt *rtt, uint32_t backoffs, bool at_once)
{
    int64_t pto = rtt->smoothed + max64(4 * rtt->variation, A3MI_RTT_GRANULARITY);

    if (rtt->sampled) {
        pto = at_once ? max64(pto, A3MI_RTT_GRANULARITY + A3MI_MAX_ACK_DELAY) : pto + A3MI_MAX_ACK_DELAY;
    }
    while (backoffs > 0 && pto < A3MI_PTO_MAX) {
        pto *= 2;
        backoffs--;
    }
    return min64(pto, A3MI_PTO_MAX);
}
