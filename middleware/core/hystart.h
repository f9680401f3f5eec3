/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HyStart++, RFC 9406: leaves slow start when round trips grow, before anything
 * is lost; for a while by a slower start (conservative slow start, CSS), which
 * ends early when the growth was none. Times in nanoseconds. Pure, no locks.
 */
#ifndef A3MI_HYSTART_H
#define A3MI_HYSTART_H

#include <stdbool.h>
#include <stdint.h>

/* RFC 9406, section 4.3. */
#define A3MI_HYSTART_MIN_THRESHOLD INT64_C(4000000)
#define A3MI_HYSTART_MAX_THRESHOLD INT64_C(16000000)
#define A3MI_HYSTART_DIVISOR       8
#define A3MI_HYSTART_SAMPLES       8u
#define A3MI_CSS_GROWTH_DIVISOR    4u
#define A3MI_CSS_ROUNDS            5u

struct a3mi_hystart {
    int64_t last_min,
        current_min;     /* smallest round trip of the last round and of this one; INT64_MAX: none */
    int64_t css_base;    /* of the round that CSS began with; INT64_MAX: not in CSS */
    uint32_t samples;    /* of this round */
    uint32_t css_rounds; /* begun in CSS */
};

void a3mi_hystart_init(struct a3mi_hystart *h);

/* A round trip began: what is acknowledged from now on was sent after the last one began. */
void a3mi_hystart_round(struct a3mi_hystart *h);

/* A sample of the round trip. */
void a3mi_hystart_sample(struct a3mi_hystart *h, int64_t rtt);

static inline bool a3mi_hystart_in_css(const struct a3mi_hystart *h)
{
    return h->css_base != INT64_MAX;
}

/* Whether slow start is over. */
static inline bool a3mi_hystart_done(const struct a3mi_hystart *h)
{
    return a3mi_hystart_in_css(h) && h->css_rounds >= A3MI_CSS_ROUNDS;
}

#endif
