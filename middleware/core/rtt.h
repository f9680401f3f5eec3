/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The estimate of a path's round trip: RFC 9002, section 5, and the probe
 * time-out of section 6.2.1. The smallest is that of the last minutes, in two
 * halves (RFC 8985, 6.2 step 1 asks for a windowed minimum; five minutes as Linux
 * has it), so that a path that became longer is not measured by what it was.
 * Nanoseconds. Pure, no locks.
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
/* How long a smallest round trip counts: from half of this to all of it. */
#define A3MI_RTT_WINDOW INT64_C(300000000000)
/* Time-outs grow up to this. */
#define A3MI_PTO_MAX INT64_C(2000000000)

struct a3mi_rtt {
    bool sampled;
    int64_t latest, smoothed, variation, min;
    int64_t low[2];    /* smallest of this half of the window, and of the one before */
    int64_t low_since; /* when this half began */
};

/* A path that nothing is known about. */
void a3mi_rtt_init(struct a3mi_rtt *rtt);

/* A sample, and how long the receiver says that it held the acknowledgement back. Both are at least 0. */
void a3mi_rtt_sample(struct a3mi_rtt *rtt, int64_t latest, int64_t ack_delay, int64_t now);
/* Congestion was persistent: the next sample is the smallest (RFC 9002, 5.2). */
void a3mi_rtt_forget_min(struct a3mi_rtt *rtt);

/*
 * The probe time-out after `backoffs` that were in vain, A3MI_PTO_MAX at most. `at_once`: the receiver does not
 * hold back the acknowledgement of what was sent last, so no time is left for that; but 6 ms at least,
 * as a receiver that waits for its turn on a processor must not be taken for a loss.
 */
int64_t a3mi_rtt_pto(const struct a3mi_rtt *rtt, uint32_t backoffs, bool at_once);

/* How long everything must be lost for congestion to be persistent (RFC 9002, 7.6.1). */
int64_t a3mi_rtt_persistent(const struct a3mi_rtt *rtt);

#endif
