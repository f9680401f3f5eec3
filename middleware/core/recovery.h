/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which transmissions are lost: RACK (RFC 8985) with transmission numbers in
 * the place of its pairs of time and sequence. The receiver echoes the newest
 * transmission that it has seen; an older one counts as lost once a round trip
 * and the reordering window have passed since it was sent. The window is a
 * quarter of the smallest round trip, and grows by one in each round trip that
 * a loss turns out to have been none. (The RFC begins with no window at all once three
 * later segments arrived and nothing was ever reordered; this begins with a
 * quarter, so that paths that do reorder are not hurt first.)
 *
 * Probe time-outs are those of RFC 9002, 6.2, without the receiver's delay where it
 * has none (core/rtt.h). What is probed is the oldest unit in
 * flight: the probe's transmission number is the newest, so its arrival tells of
 * every loss before, as RFC 8985, 7 needs new data or the last segment for. A
 * probe that takes the place of a lost transmission is told as a loss (7.4).
 * Times in nanoseconds. Pure, no locks.
 */
#ifndef A3MI_RECOVERY_H
#define A3MI_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/rtt.h"

struct a3mi_recovery {
    uint64_t newest;       /* transmission number; 0: none known to have arrived */
    int64_t newest_rtt;    /* its round trip */
    int64_t newest_sent;   /* when it was sent */
    uint32_t window_steps; /* quarters of the smallest round trip, at least 1 */
    uint32_t calm;         /* recoveries since it grew; back to 1 step after 16 (RFC 8985, 6.2 step 4) */
    uint64_t widened_at;   /* the newest transmission when it grew last: it grows once in a round trip */
    uint64_t recovery_end; /* the newest transmission when the last recovery began */
    uint32_t backoffs;     /* probe time-outs since something was acknowledged */
    int64_t arrived_at;    /* when the newest transmission known to have arrived was sent, but for the last */
    int64_t lost_from;     /* when the oldest was sent of those lost since, none between; INT64_MAX: none */
};

void a3mi_recovery_init(struct a3mi_recovery *recovery);

/* The receiver echoes transmission `number`, newer than all before, `rtt` after it was sent. */
void a3mi_recovery_echo(struct a3mi_recovery *recovery, uint64_t number, int64_t rtt, int64_t now);

/* When transmission `number`, sent at `sent_at`, counts as lost; INT64_MAX: not by what is known. */
int64_t a3mi_recovery_lost_at(const struct a3mi_recovery *recovery, const struct a3mi_rtt *rtt,
                              uint64_t number, int64_t sent_at);

/* A loss of transmission `number` turned out to be none: it was only late. `last`: the newest one sent. */
void a3mi_recovery_spurious(struct a3mi_recovery *recovery, uint64_t number, uint64_t last);

/* Transmission `number`, sent at `sent_at`, arrived. */
void a3mi_recovery_arrived(struct a3mi_recovery *recovery, uint64_t number, int64_t sent_at);

/*
 * Transmission `number`, sent at `sent_at`, counts as lost; `last` is the newest one sent. True: so does
 * everything sent for so long that congestion persists (RFC 9002, 7.6.2); told once.
 */
bool a3mi_recovery_lost(struct a3mi_recovery *recovery, const struct a3mi_rtt *rtt, uint64_t number,
                        int64_t sent_at, uint64_t last);

#endif
