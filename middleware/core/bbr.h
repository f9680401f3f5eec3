/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the rate-based controller (core/bbr.c says what it does). Private to it. */
#ifndef A3MI_BBR_H
#define A3MI_BBR_H

#include <stdbool.h>
#include <stdint.h>

enum a3mi_bbr_phase {
    A3MI_BBR_STARTUP,   /* faster each round trip, until the path does not follow */
    A3MI_BBR_DRAIN,     /* the queue that this made goes */
    A3MI_BBR_DOWN,      /* a little slower than the path, until no queue is left */
    A3MI_BBR_CRUISE,    /* as fast as the path */
    A3MI_BBR_REFILL,    /* the same for a round trip, without what losses forbade */
    A3MI_BBR_UP,        /* faster: is there more? */
    A3MI_BBR_PROBE_RTT, /* little in flight, so that the round trip is seen without any queue */
};

struct a3mi_bbr {
    enum a3mi_bbr_phase phase;
    int64_t phase_at;
    uint64_t rounds;       /* round trips so far */
    uint64_t phase_rounds; /* `rounds` when the phase began */

    /* The model: bytes a second, nanoseconds, bytes. */
    uint64_t bw[2];                     /* the most delivered in this cycle of probing, and in the last one */
    uint64_t bw_bound, in_flight_bound; /* until the next probe, by losses since the last one; UINT64_MAX */
    uint64_t in_flight_high;            /* more is too much; UINT64_MAX */
    int64_t min_rtt, min_rtt_at;
    uint32_t loss;                       /* at random, in 1/1024 of what is sent */
    int64_t probe_rtt_min, probe_rtt_at; /* the smallest since the last PROBE_RTT */

    uint64_t full_bw; /* of STARTUP */
    uint32_t full_rounds;
    bool full;

    int64_t cycle_at; /* when probing was over last, */
    int64_t cycle_ns; /* and how long until it begins again, at most */
    uint64_t cycle_rounds;

    uint64_t cycle_lost;              /* bytes, since probing was over last */
    uint64_t clear_bytes, clear_lost; /* delivered and lost in DOWN, when what probing sent has gone */
    bool clear_queue;                 /* a round of it saw a queue */
    int64_t clear_rtt;                /* the longest round trip of DOWN, but for its first round */
    bool feedback;                    /* what probing found is still arriving */
    int64_t floor_since; /* in PROBE_RTT: since when there is little in flight; INT64_MAX: not yet */

    /* Of this round trip. */
    uint64_t round_bw, round_bytes;
    int64_t round_rtt; /* smallest; INT64_MAX: none */
    bool round_lossy;
};

#endif
