/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much may be in flight: the interface of congestion controllers, and the
 * first of them, NewReno of RFC 9002, section 7. A controller counts bytes of
 * packets and owns nothing; what is in flight, the sender counts. Times in
 * nanoseconds. Pure, no locks.
 */
#ifndef A3MI_CONGESTION_H
#define A3MI_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

struct a3mi_cc;

struct a3mi_cc_ops {
    const char *name;
    /* Back to the beginning: a new path, where packets have up to `packet` bytes. */
    void (*reset)(struct a3mi_cc *cc, uint32_t packet);
    /* `bytes` sent at `sent_at` arrived. `limited`: the window was what held the sender back. */
    void (*acked)(struct a3mi_cc *cc, uint32_t bytes, int64_t sent_at, bool limited);
    /* A packet sent at `sent_at` was found to be lost at `now`. */
    void (*lost)(struct a3mi_cc *cc, int64_t sent_at, int64_t now);
    /* Everything was lost for several time-outs on end (RFC 9002, 7.6). */
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
    uint32_t packet;
    union {
        struct a3mi_newreno newreno;
    } of;
};

extern const struct a3mi_cc_ops a3mi_cc_newreno;

static inline void a3mi_cc_init(struct a3mi_cc *cc, const struct a3mi_cc_ops *ops, uint32_t packet)
{
    cc->ops = ops;
    ops->reset(cc, packet);
}

/* Whether one more packet may go. One may always, so that nothing stands still. */
static inline bool a3mi_cc_has_room(const struct a3mi_cc *cc, uint64_t in_flight)
{
    return in_flight == 0 || in_flight + cc->packet <= cc->window;
}

#endif
