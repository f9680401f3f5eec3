/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast a path delivers: the samples of draft-ietf-ccwg-bbr, section 4.5 (first
 * draft-cheng-iccrg-delivery-rate-estimation), one for each acknowledgement. Each
 * transmission is stamped with what had been delivered when it was sent; when it is
 * acknowledged, what was delivered since, over the time that took, is the rate.
 * Bytes and nanoseconds. Pure, no locks.
 */
#ifndef A3MI_RATE_H
#define A3MI_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Of one transmission. */
struct a3mi_rate_stamp {
    uint64_t delivered, lost; /* until it was sent */
    int64_t delivered_at;     /* when `delivered` was right */
    int64_t first_sent_at;    /* of the transmission acknowledged last by then */
    uint64_t in_flight;       /* with it */
    bool idle;                /* the sender had less to send than would have been let go */
};

/* Of one acknowledgement. */
struct a3mi_rate_sample {
    uint64_t rate;      /* bytes a second; 0: too short to say */
    uint64_t in_flight; /* when the newest transmission acknowledged was sent, with it */
    uint64_t lost;      /* between that and now */
    bool idle;          /* the rate was what the sender had to send: the path may do better */
    bool round;         /* the first one of a round trip */
};

struct a3mi_rate {
    uint64_t delivered, lost; /* so far */
    int64_t delivered_at;
    int64_t first_sent_at;
    uint64_t idle_until; /* until that is delivered; 0: not idle */
    uint64_t round_end;  /* a transmission sent after this was delivered begins a round trip */

    /* Of the acknowledgement being read. */
    bool some;
    int64_t sent_at;
    struct a3mi_rate_stamp newest;
};

void a3mi_rate_init(struct a3mi_rate *rate);

/* A transmission goes; `in_flight` are the bytes out before it, `bytes` its own. */
void a3mi_rate_sent(struct a3mi_rate *rate, struct a3mi_rate_stamp *stamp, uint64_t in_flight, uint32_t bytes,
                    int64_t now);

/* There was nothing more to send, with `in_flight` bytes out. */
void a3mi_rate_idle(struct a3mi_rate *rate, uint64_t in_flight);

/* A transmission, sent at `sent_at`, arrived, as an acknowledgement says that came now. */
void a3mi_rate_acked(struct a3mi_rate *rate, const struct a3mi_rate_stamp *stamp, int64_t sent_at,
                     uint32_t bytes, int64_t now);

static inline void a3mi_rate_lost(struct a3mi_rate *rate, uint32_t bytes)
{
    rate->lost += bytes;
}

/* The acknowledgement is read: its sample. An interval below `min_rtt` says nothing. */
struct a3mi_rate_sample a3mi_rate_take(struct a3mi_rate *rate, int64_t min_rtt);

#endif
