/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which transmissions are lost: RACK (RFC 8985) with transmission numbers in
 * the place of its pairs of time and sequence. The receiver echoes the newest
 * transmission that it has seen; an older one counts as lost once a round trip
 * and the reordering window have passed since it was sent. The window is a
 * quarter of the smallest round trip, and grows when a loss turns out to have
 * been none. Times in nanoseconds. Pure, no locks.
 */
#ifndef A3MI_RECOVERY_H
#define A3MI_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/rtt.h"

struct a3mi_recovery {
    uint64_t newest;       /* transmission number; 0: none known to have arrived */
    int64_t newest_rtt;    /* its round trip */
    uint32_t window_steps; /* quarters of the smallest round trip, at least 1 */
    uint32_t calm;     /* losses in a row that were real; back to 1 step after 16 (RFC 8985, 6.2 step 4) */
    uint32_t backoffs; /* probe time-outs since something was acknowledged */
};

void a3mi_recovery_init(struct a3mi_recovery *recovery);

/* The receiver echoes transmission `number`, newer than all before, `rtt` after it was sent. */
void a3mi_recovery_echo(struct a3mi_recovery *recovery, uint64_t number, int64_t rtt);

/* When transmission `number`, sent at `sent_at`, counts as lost; INT64_MAX: not by what is known. */
int64_t a3mi_recovery_lost_at(const struct a3mi_recovery *recovery, const struct a3mi_rtt *rtt,
                              uint64_t number, int64_t sent_at);

/* A loss turned out to be none: it was only late. */
void a3mi_recovery_spurious(struct a3mi_recovery *recovery);

/* A loss was answered by a retransmission. */
void a3mi_recovery_lost(struct a3mi_recovery *recovery);

#endif
