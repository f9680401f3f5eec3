/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much may be in flight, and how fast it goes: the interface of congestion
 * controllers. A controller counts bytes of packets, is told of every
 * acknowledgement and every loss, and answers by `window` and `rate`. It owns
 * nothing; what is in flight, the sender counts. Times in nanoseconds, rates in
 * bytes a second. Pure, no locks.
 *
 *   cubic    CUBIC, RFC 9438, with HyStart++, RFC 9406: the default
 *   newreno  NewReno, RFC 9002, section 7
 *   bbr      by a model of the path, draft-ietf-ccwg-bbr: for paths that lose without being full
 */
#ifndef A3MI_CONGESTION_H
#define A3MI_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bbr.h"
#include "core/cubic.h"
#include "core/rate.h"

struct a3mi_cc;

/* What one acknowledgement told. */
struct a3mi_cc_ack {
    int64_t now;
    int64_t sent_at;    /* of the newest transmission among those acknowledged; INT64_MIN: none */
    int64_t rtt;        /* a new sample, less what the receiver held it back; 0: none */
    int64_t min_rtt;    /* the smallest so far, and */
    int64_t smoothed;   /* the smoothed one */
    uint64_t bytes;     /* in flight until now, and acknowledged */
    uint64_t in_flight; /* what is left */
    bool limited;       /* window or pacer held the sender back, not what it had to send */
    struct a3mi_rate_sample rate;
};

struct a3mi_cc_ops {
    const char *name;
    /* Back to the beginning: a new path, where packets have up to `packet` bytes. */
    void (*reset)(struct a3mi_cc *cc, uint32_t packet);
    /* An acknowledgement; losses that it showed were told before. */
    void (*acked)(struct a3mi_cc *cc, const struct a3mi_cc_ack *ack);
    /* A packet sent at `sent_at` was found to be lost at `now`. */
    void (*lost)(struct a3mi_cc *cc, int64_t sent_at, int64_t now);
    /* A loss told at `lost_at` was none: the packet was only late. */
    void (*spurious)(struct a3mi_cc *cc, int64_t lost_at);
    /* Everything was lost for a long time (RFC 9002, 7.6). */
    void (*collapsed)(struct a3mi_cc *cc);
};

struct a3mi_newreno {
    uint64_t threshold;  /* slow start below it */
    uint64_t acked;      /* bytes since the window grew last, in congestion avoidance */
    int64_t recovery_at; /* what was sent before belongs to a loss that was answered */
};

struct a3mi_cc {
    const struct a3mi_cc_ops *ops;
    uint64_t window; /* bytes that may be in flight */
    uint64_t rate;   /* to be paced at; 0: as follows from the window */
    uint32_t packet;
    bool slow_start; /* the window doubles each round trip */
    union {
        struct a3mi_newreno newreno;
        struct a3mi_cubic cubic;
        struct a3mi_bbr bbr;
    } of;
};

extern const struct a3mi_cc_ops a3mi_cc_newreno;
extern const struct a3mi_cc_ops a3mi_cc_cubic;
extern const struct a3mi_cc_ops a3mi_cc_bbr;

/* The controller of that name; NULL: there is none. An empty name or NULL: the default. */
const struct a3mi_cc_ops *a3mi_cc_find(const char *name);

static inline void a3mi_cc_init(struct a3mi_cc *cc, const struct a3mi_cc_ops *ops, uint32_t packet)
{
    *cc = (struct a3mi_cc){.ops = ops};
    ops->reset(cc, packet);
}

/* Whether one more packet may go. One may always, so that nothing stands still. */
static inline bool a3mi_cc_has_room(const struct a3mi_cc *cc, uint64_t in_flight)
{
    return in_flight == 0 || in_flight + cc->packet <= cc->window;
}

/*
 * The rate to pace at, bytes a second: the controller's own, or the window over
 * a round trip with a margin, twice it where the window doubles (RFC 9002, 7.7).
 */
uint64_t a3mi_cc_rate(const struct a3mi_cc *cc, int64_t rtt);

#endif
