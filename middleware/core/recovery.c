/* SPDX-License-Identifier: Apache-2.0 */
/* Loss detection (core/recovery.h). */
#include "core/recovery.h"

#define MAX_STEPS       16u
#define CALM_RECOVERIES 16u

void a3mi_recovery_init(struct a3mi_recovery *recovery)
{
    *recovery = (struct a3mi_recovery){.window_steps = 1, .arrived_at = INT64_MIN, .lost_from = INT64_MAX};
}

void a3mi_recovery_echo(struct a3mi_recovery *recovery, uint64_t number, int64_t rtt, int64_t now)
{
    if (recovery->newest != 0 && recovery->newest_sent > recovery->arrived_at) {
        recovery->arrived_at = recovery->newest_sent;
    }
    recovery->newest_sent = now - rtt;
    recovery->newest = number;
    recovery->newest_rtt = rtt;
}

/* RFC 8985, 6.2 step 4: quarters of the smallest round trip, one smoothed round trip at most. */
static int64_t reordering_window(const struct a3mi_recovery *recovery, const struct a3mi_rtt *rtt)
{
    int64_t window = rtt->min / 4 * (int64_t)recovery->window_steps;

    return window < rtt->smoothed ? window : rtt->smoothed;
}

int64_t a3mi_recovery_lost_at(const struct a3mi_recovery *recovery, const struct a3mi_rtt *rtt,
                              uint64_t number, int64_t sent_at)
{
    if (number >= recovery->newest) {
        return INT64_MAX;
    }
    return sent_at + recovery->newest_rtt + reordering_window(recovery, rtt);
}

void a3mi_recovery_spurious(struct a3mi_recovery *recovery, uint64_t number, uint64_t last)
{
    recovery->calm = 0;
    if (number > recovery->widened_at && recovery->window_steps < MAX_STEPS) {
        recovery->window_steps++;
        recovery->widened_at = last;
    }
}

void a3mi_recovery_arrived(struct a3mi_recovery *recovery, uint64_t number, int64_t sent_at)
{
    /* The newest one may be the probe that ended a silence: it does not stand between what was lost before. */
    if (number < recovery->newest && sent_at > recovery->arrived_at) {
        recovery->arrived_at = sent_at;
    }
}

static void count_recovery(struct a3mi_recovery *recovery, uint64_t number, uint64_t last)
{
    if (number <= recovery->recovery_end) {
        return;
    }
    recovery->recovery_end = last;
    if (recovery->window_steps > 1 && ++recovery->calm >= CALM_RECOVERIES) {
        recovery->calm = 0;
        recovery->window_steps = 1;
    }
}

bool a3mi_recovery_lost(struct a3mi_recovery *recovery, const struct a3mi_rtt *rtt, uint64_t number,
                        int64_t sent_at, uint64_t last)
{
    count_recovery(recovery, number, last);
    if (sent_at <= recovery->arrived_at || !rtt->sampled) {
        return false;
    }
    if (recovery->lost_from <= recovery->arrived_at || recovery->lost_from > sent_at) {
        recovery->lost_from = sent_at;
    }
    if (sent_at - recovery->lost_from < a3mi_rtt_persistent(rtt)) {
        return false;
    }
    recovery->arrived_at = sent_at; /* it was told: the next begins behind it */
    return true;
}
