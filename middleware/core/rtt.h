/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The estimate of a path's round trip: RFC 9002, section 5, and the probe
 * time-out of section 6.2.1. Nanoseconds. Pure, no locks.
 */
#ifndef A3MI_RTT_H
#define A3MI_RTT_H

#include <stdbool.h>
#include <stdint.h>

/* The longest that a receiver holds an acknowledgement back; both ends know it. */
#define A3MI_MAX_ACK_DELAY INT64_C(5000000)
/* Of a path that nothing is known about: OPEN is repeated after three times this. */
#define A3MI_RTT_INITIAL INT64_C(50000000)
/* No shorter time-out is told apart from the noise of timers (kGranularity). */
#define A3MI_RTT_GRANULARITY INT64_C(1000000)
/* Time-outs grow up to this. */
#define A3MI_PTO_MAX INT64_C(2000000000)

struct a3mi_rtt {
    bool sampled;
    int64_t latest, smoothed, variation, min;
};

/* A path that nothing is known about. */
void a3mi_rtt_init(struct a3mi_rtt *rtt);

/* A sample, and how long the receiver says that it held the acknowledgement back. Both are at least 0. */
void a3mi_rtt_sample(struct a3mi_rtt *rtt, int64_t latest, int64_t ack_delay);

/* The probe time-out after `backoffs` that were in vain, A3MI_PTO_MAX at most. */
int64_t a3mi_rtt_pto(const struct a3mi_rtt *rtt, uint32_t backoffs);

/* How long everything must be lost for congestion to be persistent (RFC 9002, 7.6.1). */
int64_t a3mi_rtt_persistent(const struct a3mi_rtt *rtt);

#endif
