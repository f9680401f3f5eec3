/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUBIC, RFC 9438 (core/congestion.h), with HyStart++ for its slow start
 * (core/hystart.h). Sections are named where they are followed. C = 0.4,
 * β = 0.7, α = 3(1 - β)/(1 + β) = 9/17. Integers only: times of the cubic are in
 * units of 1/1024 s, so that its third power needs a shift and no division.
 */
#include <stddef.h>

#include "core/congestion.h"

#define INITIAL_PACKETS 10u
#define MINIMUM_PACKETS 2u

/* A distance from the plateau beyond which the window is bounded otherwise: 1,024 s. */
#define DISTANCE_MAX (INT64_C(1) << 20)
/* A window, or the difference of two, whose multiples below fit into 64 bits. */
#define BYTES_MAX ((uint64_t)UINT32_MAX)

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t minimum(const struct a3mi_cc *cc)
{
    return (uint64_t)MINIMUM_PACKETS * cc->packet;
}

/* The greatest integer whose third power is not above n. */
static uint64_t cube_root(uint64_t n)
{
    uint64_t root = 0;

    for (int bit = 21; bit >= 0; bit--) {
        uint64_t next = root | (UINT64_C(1) << bit);

        if (next <= 2642245 && next * next * next <= n) {
            root = next;
        }
    }
    return root;
}

/* ns in units of 1/1024 s. */
static int64_t ticks(int64_t ns)
{
    return (int64_t)((uint64_t)ns / 1000 * 1024 / 1000000);
}

/* K of (2): the third root of (w_max - window)/C, in packets and seconds. */
static int64_t plateau_after(const struct a3mi_cc *cc, uint64_t w_max)
{
    if (w_max <= cc->window) {
        return 0;
    }
    uint64_t below = min_u64(w_max - cc->window, BYTES_MAX);

    return (int64_t)cube_root((below * 5 << 29) / cc->packet);
}

/* W_cubic of (1), `t` after congestion avoidance began. */
static uint64_t w_cubic(const struct a3mi_cc *cc, int64_t t)
{
    const struct a3mi_cubic_epoch *epoch = &cc->of.cubic.epoch;
    int64_t distance = ticks(t) - epoch->k;
    bool below = distance < 0;

    distance = below ? -distance : distance;
    distance = distance < DISTANCE_MAX ? distance : DISTANCE_MAX;
    uint64_t cube = (uint64_t)distance * (uint64_t)distance * (uint64_t)distance;
    uint64_t bytes = ((cube >> 10) * (2 * (uint64_t)cc->packet / 5)) >> 20;

    if (below) {
        return epoch->w_max > bytes ? epoch->w_max - bytes : 0;
    }
    return epoch->w_max + bytes;
}

/* ---- Growing -------------------------------------------------------------------- */

/* 4.10, RFC 9406: by what arrived, a quarter of it in CSS. */
static void slow_start(struct a3mi_cc *cc, const struct a3mi_cc_ack *ack)
{
    struct a3mi_cubic *cubic = &cc->of.cubic;
    struct a3mi_hystart *hystart = &cubic->hystart;

    /* Only the first one: later ones know where to end. */
    if (cubic->epoch.threshold == UINT64_MAX) {
        if (ack->rate.round) {
            a3mi_hystart_round(hystart);
        }
        if (ack->rtt > 0) {
            a3mi_hystart_sample(hystart, ack->rtt);
        }
    }
    cc->window += a3mi_hystart_in_css(hystart) ? ack->bytes / A3MI_CSS_GROWTH_DIVISOR : ack->bytes;
    if (a3mi_hystart_done(hystart) && cubic->epoch.threshold == UINT64_MAX) {
        cubic->epoch.threshold = cc->window;
        cubic->epoch.w_max = cc->window;
    }
}

/* Congestion avoidance begins (4.2; 4.8 after a collapse; 4.10 without a loss). */
static void begin_epoch(struct a3mi_cc *cc, int64_t now)
{
    struct a3mi_cubic *cubic = &cc->of.cubic;

    cubic->epoch.begin = now;
    if (cubic->after_collapse || cubic->epoch.w_max < cc->window) {
        cubic->epoch.w_max = cc->window;
        cubic->after_collapse = false;
    }
    cubic->epoch.k = plateau_after(cc, cubic->epoch.w_max);
    cubic->epoch.w_est = cc->window;
    cubic->growth = 0;
    cubic->est_growth = 0;
}

/* 4.3, (4): what Reno would have; α is 1 once it has caught up with the window before the event. */
static void grow_estimate(struct a3mi_cc *cc, uint64_t bytes)
{
    struct a3mi_cubic *cubic = &cc->of.cubic;
    bool caught_up = cubic->epoch.w_est >= cubic->epoch.prior;
    uint64_t share = caught_up ? bytes * cc->packet : bytes * cc->packet / 17 * 9;

    cubic->est_growth += share;
    cubic->epoch.w_est += cubic->est_growth / cc->window;
    cubic->est_growth %= cc->window;
}

static void avoid(struct a3mi_cc *cc, const struct a3mi_cc_ack *ack)
{
    struct a3mi_cubic *cubic = &cc->of.cubic;

    if (cubic->epoch.begin == INT64_MIN) {
        begin_epoch(cc, ack->now);
    }
    int64_t t = ack->now - cubic->epoch.begin;

    grow_estimate(cc, ack->bytes);
    if (w_cubic(cc, t) < cubic->epoch.w_est) {
        cc->window = max_u64(cc->window, cubic->epoch.w_est);
        return;
    }
    /* 4.4, 4.5: towards where the cubic is a round trip from now, by 3/2 in it at most. */
    uint64_t target = min_u64(w_cubic(cc, t + ack->smoothed), cc->window + cc->window / 2);

    if (target > cc->window) {
        cubic->growth += min_u64(target - cc->window, BYTES_MAX) * min_u64(ack->bytes, BYTES_MAX);
        uint64_t more = cubic->growth / cc->window;

        cubic->growth -= more * cc->window;
        cc->window += more;
    }
}

static void cubic_acked(struct a3mi_cc *cc, const struct a3mi_cc_ack *ack)
{
    struct a3mi_cubic *cubic = &cc->of.cubic;
    int64_t since = ack->now - cubic->last_ack;

    cubic->last_ack = ack->now;
    /* A window that was not used says nothing about the path, and no time passes for it (4.2, 5.8). */
    if (!ack->limited) {
        cubic->epoch.begin += cubic->epoch.begin != INT64_MIN ? since : 0;
        return;
    }
    if (ack->bytes == 0 || ack->sent_at <= cubic->recovery_at || cc->window >= BYTES_MAX) {
        return;
    }
    if (cc->window < cubic->epoch.threshold) {
        slow_start(cc, ack);
    } else {
        avoid(cc, ack);
    }
    cc->slow_start = cc->window < cubic->epoch.threshold && !a3mi_hystart_in_css(&cubic->hystart);
}

/* ---- Shrinking -------------------------------------------------------------------- */

/* 4.6, 4.7. Windows that were not used do not grow, so the window stands for what is in flight. */
static void cubic_lost(struct a3mi_cc *cc, int64_t sent_at, int64_t now)
{
    struct a3mi_cubic *cubic = &cc->of.cubic;

    if (sent_at <= cubic->recovery_at) {
        cubic->undo_losses += cubic->undo_losses > 0;
        return;
    }
    cubic->undo = cubic->epoch;
    cubic->undo_window = cc->window;
    cubic->undo_losses = 1;
    cubic->recovery_at = now;

    bool shrinking = cc->window < cubic->epoch.w_max;

    cubic->epoch.prior = cc->window;
    cubic->epoch.w_max = shrinking ? cc->window / 20 * 17 : cc->window; /* (1 + β)/2: fast convergence */
    cubic->epoch.begin = INT64_MIN;
    cc->window = max_u64(cc->window / 10 * 7, minimum(cc));
    cubic->epoch.threshold = cc->window;
    cc->slow_start = false;
}

/* 4.9.2: when every loss of the event was none, there was no event. */
static void cubic_spurious(struct a3mi_cc *cc, int64_t lost_at)
{
    struct a3mi_cubic *cubic = &cc->of.cubic;

    if (cubic->undo_losses == 0 || lost_at < cubic->recovery_at) {
        return;
    }
    if (--cubic->undo_losses > 0) {
        return;
    }
    cubic->epoch = cubic->undo;
    cc->window = max_u64(cc->window, cubic->undo_window);
    cubic->recovery_at = INT64_MIN;
}

/* 4.8, as RFC 9002, 7.6 has it. */
static void cubic_collapsed(struct a3mi_cc *cc)
{
    struct a3mi_cubic *cubic = &cc->of.cubic;

    cc->window = minimum(cc);
    cc->slow_start = true;
    cubic->epoch.begin = INT64_MIN;
    cubic->recovery_at = INT64_MIN;
    cubic->after_collapse = true;
    cubic->undo_losses = 0;
    cubic->hystart.css_base = INT64_MAX;
}

static void cubic_reset(struct a3mi_cc *cc, uint32_t packet)
{
    cc->packet = packet;
    cc->window = (uint64_t)INITIAL_PACKETS * packet;
    cc->rate = 0;
    cc->slow_start = true;
    cc->of.cubic = (struct a3mi_cubic){
        .epoch = {.threshold = UINT64_MAX, .begin = INT64_MIN},
        .recovery_at = INT64_MIN,
    };
    a3mi_hystart_init(&cc->of.cubic.hystart);
}

const struct a3mi_cc_ops a3mi_cc_cubic = {
    .name = "cubic",
    .reset = cubic_reset,
    .acked = cubic_acked,
    .lost = cubic_lost,
    .spurious = cubic_spurious,
    .collapsed = cubic_collapsed,
};
