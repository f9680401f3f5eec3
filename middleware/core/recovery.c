/* SPDX-License-Identifier: Apache-2.0 */
/* Loss detection (core/recovery.h). */
#include "core/recovery.h"

#define MAX_STEPS   16u
#define CALM_LOSSES 16u

void a3mi_recovery_init(struct a3mi_recovery *recovery)
{
    *recovery = (struct a3mi_recovery){.window_steps = 1};
}

void a3mi_recovery_echo(struct a3mi_recovery *recovery, uint64_t number, int64_t rtt)
{
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

void a3mi_recovery_spurious(struct a3mi_recovery *recovery)
{
    recovery->calm = 0;
    if (recovery->window_steps < MAX_STEPS) {
        recovery->window_steps++;
    }
}

void a3mi_recovery_lost(struct a3mi_recovery *recovery)
{
    if (recovery->window_steps > 1 && ++recovery->calm >= CALM_LOSSES) {
        recovery->calm = 0;
        recovery->window_steps = 1;
    }
}
