/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Congestion control by a model of the path: the bandwidth that it delivers and
 * the round trip it has when no queue stands. After BBRv3, draft-ietf-ccwg-bbr-04;
 * its names are in brackets.
 *
 *   STARTUP ──full──► DRAIN ──empty──► DOWN ──empty──► CRUISE ──time──► REFILL ──round──► UP ─┐
 *                                       ▲                                                   │
 *                                       └───────────────────── queue, loss ─────────────────┘
 *   every 5 s without a new smallest round trip: PROBE_RTT, then DOWN
 *
 * Two things differ. A loss counts as a sign of too much only while a queue is
 * seen, which is to say that the round trips of a whole round are longer than the
 * smallest by a thirty-second, and more is in flight than fills the path, as late
 * timers make round trips long too; so a loss by chance is not answered. And what is
 * lost although less is sent than the path delivers, which is measured in DOWN,
 * is sent in addition: otherwise a path that loses one packet in five would be
 * used to four fifths of the four fifths that it can deliver. So a path that
 * loses at random is used to its full, which is what this controller is chosen for.
 */
#include "core/congestion.h"

#define MILLION         UINT64_C(1000000)
#define INITIAL_PACKETS 10u
#define MINIMUM_PACKETS 4u

#define FULL_ROUNDS       3u
#define RTT_PROBE_AFTER   INT64_C(5000000000)  /* [ProbeRTTInterval] */
#define RTT_KEPT          INT64_C(10000000000) /* [MinRTTFilterLen] */
#define RTT_PROBE_FOR     INT64_C(200000000)   /* [ProbeRTTDuration] */
#define CYCLE_LEAST       INT64_C(2000000000)
#define CYCLE_SPREAD      UINT64_C(1000000000)
#define CYCLE_ROUNDS      63u /* as often as Reno would lose, on a path that holds so many packets */
#define LOSS_PER_CENT     2u  /* [LossThresh] */
#define BETA_TENTHS       7u
#define HEADROOM_PER_CENT 85u
#define RATE_MARGIN       99u /* per cent: a little less than the path delivers [PacingMarginPercent] */
#define QUEUE_SHARE       32
#define LOSS_UNIT         1024u
#define LOSS_MOST         (LOSS_UNIT / 2)
#define CLEAR_AFTER       2u /* rounds in DOWN, until nothing is heard of what UP sent */
#define CLEAR_ROUNDS      2u /* that are counted then */
#define BANDWIDTH_MAX     (UINT64_C(1) << 44)
#define ROUND_TRIP_MAX_US UINT64_C(1000000)

/* Per cent of the bandwidth, and of the bandwidth-delay product. */
static const struct gain {
    uint32_t rate, window;
} gains[] = {
    [A3MI_BBR_STARTUP] = {277, 200},  [A3MI_BBR_DRAIN] = {50, 200},   [A3MI_BBR_DOWN] = {90, 200},
    [A3MI_BBR_CRUISE] = {100, 200},   [A3MI_BBR_REFILL] = {100, 200}, [A3MI_BBR_UP] = {125, 225},
    [A3MI_BBR_PROBE_RTT] = {100, 50},
};

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

/* The most that was delivered of late. */
static uint64_t max_bw(const struct a3mi_bbr *bbr)
{
    return max_u64(bbr->bw[0], bbr->bw[1]);
}

static uint64_t bandwidth(const struct a3mi_bbr *bbr)
{
    return min_u64(max_bw(bbr), bbr->bw_bound);
}

/* Bytes in flight that fill the path and no queue. */
static uint64_t bdp(const struct a3mi_bbr *bbr)
{
    if (bbr->min_rtt == INT64_MAX) {
        return 0;
    }
    return min_u64(bandwidth(bbr), BANDWIDTH_MAX) *
           min_u64((uint64_t)bbr->min_rtt / 1000, ROUND_TRIP_MAX_US) / MILLION;
}

/* What must be sent for so much to arrive. */
static uint64_t with_loss(const struct a3mi_bbr *bbr, uint64_t n)
{
    return n / (LOSS_UNIT - bbr->loss) * LOSS_UNIT;
}

static uint64_t with_headroom(const struct a3mi_bbr *bbr)
{
    return bbr->in_flight_high == UINT64_MAX ? UINT64_MAX : bbr->in_flight_high / 100 * HEADROOM_PER_CENT;
}

/* What the phase would have in flight; three packets more, which wait for acknowledgements in pairs. */
static uint64_t target_window(const struct a3mi_cc *cc)
{
    const struct a3mi_bbr *bbr = &cc->of.bbr;

    return max_u64(bdp(bbr) / 100 * gains[bbr->phase].window + 3 * (uint64_t)cc->packet, minimum(cc));
}

static void enter(struct a3mi_bbr *bbr, enum a3mi_bbr_phase phase, int64_t now)
{
    bbr->phase = phase;
    bbr->phase_at = now;
    bbr->phase_rounds = bbr->rounds;
}

/* ---- The model ---------------------------------------------------------------------- */

/* A queue stands: the round trips of this round are longer than the path is. */
static bool sees_queue(const struct a3mi_bbr *bbr)
{
    return bbr->round_rtt != INT64_MAX && bbr->round_rtt > bbr->min_rtt + bbr->min_rtt / QUEUE_SHARE;
}

/* What of so many bytes is lost at random, and half as much again. */
static uint64_t random_loss(const struct a3mi_bbr *bbr, uint64_t sent)
{
    return sent / LOSS_UNIT * (bbr->loss + bbr->loss / 2);
}

/*
 * More was lost than is at random, while a queue stood. Where less was sent than fills the path, the queue that is
 * seen is another's, or none.
 */
static bool is_by_queue(const struct a3mi_bbr *bbr, const struct a3mi_cc_ack *ack)
{
    uint64_t sent = ack->rate.in_flight;

    return sent >= bdp(bbr) && sees_queue(bbr) && ack->rate.lost > random_loss(bbr, sent);
}

/* What was sent then was too much [IsInflightTooHigh]: more of it was lost than is at random, by half. */
static bool is_too_much(const struct a3mi_cc *cc, const struct a3mi_cc_ack *ack)
{
    const struct a3mi_bbr *bbr = &cc->of.bbr;
    uint64_t sent = ack->rate.in_flight;

    return ack->rate.lost > 2 * (uint64_t)cc->packet && is_by_queue(bbr, ack) &&
           ack->rate.lost > sent / 100 * LOSS_PER_CENT + random_loss(bbr, sent);
}

static void note_rtt(struct a3mi_bbr *bbr, int64_t rtt, int64_t now)
{
    if (rtt <= 0) {
        return;
    }
    bbr->round_rtt = rtt < bbr->round_rtt ? rtt : bbr->round_rtt;
    if (bbr->phase == A3MI_BBR_DOWN && bbr->rounds > bbr->phase_rounds) {
        bbr->clear_rtt = rtt > bbr->clear_rtt ? rtt : bbr->clear_rtt;
    }
    if (rtt < bbr->probe_rtt_min) {
        bbr->probe_rtt_min = rtt;
        bbr->probe_rtt_at = now;
    }
    if (bbr->probe_rtt_min < bbr->min_rtt || now - bbr->min_rtt_at > RTT_KEPT) {
        bbr->min_rtt = bbr->probe_rtt_min;
        bbr->min_rtt_at = bbr->probe_rtt_at;
    }
}

/*
 * Losses while neither probing nor slower by choice: less until the next probe, but not less than what
 * arrived [AdaptLowerBounds].
 */
static void bound(struct a3mi_cc *cc)
{
    struct a3mi_bbr *bbr = &cc->of.bbr;

    if (bbr->phase != A3MI_BBR_CRUISE || !bbr->round_lossy) {
        return;
    }
    bbr->bw_bound = max_u64(bbr->round_bw, bandwidth(bbr) / 10 * BETA_TENTHS);
    bbr->in_flight_bound = max_u64(bbr->round_bytes,
                                   min_u64(cc->window, bbr->in_flight_bound) / 10 * BETA_TENTHS);
}

static void begin_round(struct a3mi_cc *cc)
{
    struct a3mi_bbr *bbr = &cc->of.bbr;

    bound(cc);
    bbr->clear_queue |= bbr->phase == A3MI_BBR_DOWN && bbr->rounds > bbr->phase_rounds && sees_queue(bbr);
    bbr->rounds++;
    bbr->round_bw = 0;
    bbr->round_bytes = 0;
    bbr->round_rtt = INT64_MAX;
    bbr->round_lossy = false;
    if (bbr->feedback && bbr->phase != A3MI_BBR_UP) {
        bbr->feedback = false;
        bbr->bw[1] = bbr->bw[0];
        bbr->bw[0] = 0;
    }
}

/* DOWN, and what probing sent has gone: less is sent than the path delivers. */
static bool is_clear(const struct a3mi_bbr *bbr)
{
    return bbr->phase == A3MI_BBR_DOWN && bbr->rounds - bbr->phase_rounds >= CLEAR_AFTER;
}

/* Takes the share lost in this DOWN into the mean: a quarter of it. Where others made a queue, nothing is known. */
static void note_loss(struct a3mi_bbr *bbr)
{
    uint64_t sent = bbr->clear_bytes + bbr->clear_lost;
    bool queue = bbr->clear_queue || bbr->clear_rtt > bbr->min_rtt + bbr->min_rtt / 4;
    uint64_t share = sent > 0 && !queue ? bbr->clear_lost * LOSS_UNIT / sent : 0;

    bbr->loss = (uint32_t)min_u64((3 * bbr->loss + share + 2) / 4, LOSS_MOST);
}

static void note_delivery(struct a3mi_cc *cc, const struct a3mi_cc_ack *ack)
{
    struct a3mi_bbr *bbr = &cc->of.bbr;
    uint64_t rate = ack->rate.rate;

    bbr->round_bytes += ack->bytes;
    bbr->clear_bytes += is_clear(bbr) ? ack->bytes : 0;
    bbr->round_bw = max_u64(bbr->round_bw, rate);
    bbr->round_lossy |= is_by_queue(bbr, ack);
    if (rate > 0 && (!ack->rate.idle || rate >= max_bw(bbr))) {
        bbr->bw[0] = max_u64(bbr->bw[0], rate);
    }
}

/* Whether the bandwidth did not grow by a quarter in three round trips. */
static bool is_full(struct a3mi_bbr *bbr, const struct a3mi_cc_ack *ack)
{
    if (ack->rate.round && !ack->rate.idle) {
        if (max_bw(bbr) >= bbr->full_bw + bbr->full_bw / 4) {
            bbr->full_bw = max_bw(bbr);
            bbr->full_rounds = 0;
        } else {
            bbr->full_rounds++;
        }
    }
    return bbr->full_rounds >= FULL_ROUNDS;
}

/* ---- Phases --------------------------------------------------------------------------- */

/* Spreads the beginnings of cycles, so that two flows do not probe in step. */
static int64_t spread(int64_t now)
{
    uint64_t z = ((uint64_t)now ^ ((uint64_t)now >> 30)) * 0xbf58476d1ce4e5b9u;

    return (int64_t)((z ^ (z >> 27)) % CYCLE_SPREAD);
}

static void enter_down(struct a3mi_bbr *bbr, int64_t now)
{
    enter(bbr, A3MI_BBR_DOWN, now);
    bbr->cycle_at = now;
    bbr->clear_bytes = 0;
    bbr->clear_lost = 0;
    bbr->clear_rtt = 0;
    bbr->clear_queue = false;
    bbr->cycle_ns = CYCLE_LEAST + spread(now);
    bbr->cycle_rounds = bbr->rounds;
}

static bool is_time_to_probe(const struct a3mi_cc *cc, int64_t now)
{
    const struct a3mi_bbr *bbr = &cc->of.bbr;

    return now - bbr->cycle_at >= bbr->cycle_ns ||
           bbr->rounds - bbr->cycle_rounds >= min_u64(max_u64(bdp(bbr) / cc->packet, 8), CYCLE_ROUNDS);
}

static void enter_up(struct a3mi_bbr *bbr, int64_t now)
{
    enter(bbr, A3MI_BBR_UP, now);
    bbr->full_bw = max_bw(bbr);
    bbr->full_rounds = 0;
}

static void leave_up(struct a3mi_bbr *bbr, int64_t now)
{
    bbr->feedback = true;
    enter_down(bbr, now);
}

static void go_up(struct a3mi_cc *cc, const struct a3mi_cc_ack *ack)
{
    struct a3mi_bbr *bbr = &cc->of.bbr;
    bool long_enough = ack->now - bbr->phase_at >= bbr->min_rtt;

    if (is_too_much(cc, ack)) {
        bbr->in_flight_high = max_u64(ack->rate.in_flight, bdp(bbr) / 10 * BETA_TENTHS);
        leave_up(bbr, ack->now);
        return;
    }
    if (bbr->in_flight_high != UINT64_MAX &&
        ack->in_flight + ack->bytes >= bbr->in_flight_high - cc->packet) {
        bbr->in_flight_high += ack->bytes;
    }
    if (is_full(bbr, ack) || (long_enough && ack->in_flight >= with_loss(bbr, bdp(bbr)) / 4 * 5)) {
        leave_up(bbr, ack->now);
    }
}

static void startup(struct a3mi_cc *cc, const struct a3mi_cc_ack *ack)
{
    struct a3mi_bbr *bbr = &cc->of.bbr;
    bool over = is_too_much(cc, ack);

    if (over) {
        bbr->in_flight_high = max_u64(bdp(bbr), ack->rate.in_flight / 2);
    }
    if (is_full(bbr, ack) || over) {
        bbr->full = true;
        enter(bbr, A3MI_BBR_DRAIN, ack->now);
    }
}

static void probe_rtt(struct a3mi_cc *cc, const struct a3mi_cc_ack *ack)
{
    struct a3mi_bbr *bbr = &cc->of.bbr;

    if (bbr->floor_since == INT64_MAX && ack->in_flight <= target_window(cc)) {
        bbr->floor_since = ack->now;
        bbr->phase_rounds = bbr->rounds;
        bbr->probe_rtt_min = INT64_MAX;
    }
    if (bbr->floor_since == INT64_MAX || ack->now - bbr->floor_since < RTT_PROBE_FOR ||
        bbr->rounds == bbr->phase_rounds) {
        return;
    }
    bbr->probe_rtt_at = ack->now;
    bbr->bw_bound = UINT64_MAX;
    bbr->in_flight_bound = UINT64_MAX;
    if (bbr->full) {
        enter_down(bbr, ack->now);
    } else {
        enter(bbr, A3MI_BBR_STARTUP, ack->now);
    }
}

/* Until the queue has gone; and where there were losses, until it is known how many there are without one. */
static void go_down(struct a3mi_cc *cc, const struct a3mi_cc_ack *ack)
{
    struct a3mi_bbr *bbr = &cc->of.bbr;
    bool counted = bbr->rounds - bbr->phase_rounds >= CLEAR_AFTER + CLEAR_ROUNDS;

    if (!is_time_to_probe(cc, ack->now) &&
        (ack->in_flight > min_u64(bdp(bbr), with_headroom(bbr)) || (bbr->cycle_lost > 0 && !counted))) {
        return;
    }
    if (counted || bbr->cycle_lost == 0) {
        note_loss(bbr);
    }
    bbr->cycle_lost = 0;
    enter(bbr, A3MI_BBR_CRUISE, ack->now);
}

static void cruise(struct a3mi_cc *cc, const struct a3mi_cc_ack *ack)
{
    struct a3mi_bbr *bbr = &cc->of.bbr;

    if (is_time_to_probe(cc, ack->now)) {
        bbr->bw_bound = UINT64_MAX;
        bbr->in_flight_bound = UINT64_MAX;
        enter(bbr, A3MI_BBR_REFILL, ack->now);
    }
}

static void next_phase(struct a3mi_cc *cc, const struct a3mi_cc_ack *ack)
{
    struct a3mi_bbr *bbr = &cc->of.bbr;

    if (bbr->phase != A3MI_BBR_PROBE_RTT && ack->now - bbr->probe_rtt_at > RTT_PROBE_AFTER) {
        bbr->floor_since = INT64_MAX;
        enter(bbr, A3MI_BBR_PROBE_RTT, ack->now);
    }
    switch (bbr->phase) {
    case A3MI_BBR_STARTUP: startup(cc, ack); break;
    case A3MI_BBR_DRAIN:
        if (ack->in_flight <= bdp(bbr)) {
            enter_down(bbr, ack->now);
        }
        break;
    case A3MI_BBR_DOWN: go_down(cc, ack); break;
    case A3MI_BBR_CRUISE: cruise(cc, ack); break;
    case A3MI_BBR_REFILL:
        if (bbr->rounds > bbr->phase_rounds) {
            enter_up(bbr, ack->now);
        }
        break;
    case A3MI_BBR_UP: go_up(cc, ack); break;
    case A3MI_BBR_PROBE_RTT: probe_rtt(cc, ack); break;
    }
}

/* ---- Window and rate ---------------------------------------------------------------------- */

static uint64_t window_bound(const struct a3mi_bbr *bbr)
{
    bool spare = bbr->phase == A3MI_BBR_CRUISE || bbr->phase == A3MI_BBR_PROBE_RTT;

    return min_u64(spare ? with_headroom(bbr) : bbr->in_flight_high, bbr->in_flight_bound);
}

static void set_window(struct a3mi_cc *cc, uint64_t acked)
{
    const struct a3mi_bbr *bbr = &cc->of.bbr;
    uint64_t target = target_window(cc);

    if (bbr->full) {
        cc->window = min_u64(cc->window + acked, target);
    } else if (cc->window < target || bbr->full_bw == 0) {
        cc->window += acked;
    }
    cc->window = max_u64(min_u64(cc->window, window_bound(bbr)), minimum(cc));
}

static void set_rate(struct a3mi_cc *cc)
{
    const struct a3mi_bbr *bbr = &cc->of.bbr;
    uint64_t rate = bandwidth(bbr) / 10000 * gains[bbr->phase].rate * RATE_MARGIN;

    if (bbr->phase != A3MI_BBR_DOWN) {
        rate = with_loss(bbr, rate);
    }
    /* Until the path is known to be full, a low sample is no reason to be slower. */
    if (bbr->full || rate > cc->rate) {
        cc->rate = rate;
    }
}

static void bbr_acked(struct a3mi_cc *cc, const struct a3mi_cc_ack *ack)
{
    struct a3mi_bbr *bbr = &cc->of.bbr;

    if (bbr->probe_rtt_at == INT64_MIN) {
        bbr->probe_rtt_at = ack->now;
        bbr->min_rtt_at = ack->now;
    }
    if (ack->rate.round) {
        begin_round(cc);
    }
    note_rtt(bbr, ack->rtt, ack->now);
    note_delivery(cc, ack);
    if (bbr->min_rtt == INT64_MAX) {
        return;
    }
    next_phase(cc, ack);
    set_window(cc, ack->bytes);
    set_rate(cc);
}

/* For how many there are at random; too many for the queue are seen in the samples of acknowledgements. */
static void bbr_lost(struct a3mi_cc *cc, int64_t sent_at, int64_t now)
{
    struct a3mi_bbr *bbr = &cc->of.bbr;

    (void)sent_at, (void)now;
    bbr->cycle_lost += cc->packet;
    bbr->clear_lost += is_clear(bbr) ? cc->packet : 0;
}

static void bbr_spurious(struct a3mi_cc *cc, int64_t lost_at)
{
    (void)cc, (void)lost_at;
}

/* The model stays; what is in flight begins small and grows by what arrives. */
static void bbr_collapsed(struct a3mi_cc *cc)
{
    cc->window = minimum(cc);
}

static void bbr_reset(struct a3mi_cc *cc, uint32_t packet)
{
    cc->packet = packet;
    cc->window = (uint64_t)INITIAL_PACKETS * packet;
    cc->rate = 0;
    cc->slow_start = true;
    cc->of.bbr = (struct a3mi_bbr){
        .bw_bound = UINT64_MAX,
        .in_flight_bound = UINT64_MAX,
        .in_flight_high = UINT64_MAX,
        .min_rtt = INT64_MAX,
        .probe_rtt_min = INT64_MAX,
        .probe_rtt_at = INT64_MIN,
        .round_rtt = INT64_MAX,
        .floor_since = INT64_MAX,
    };
}

const struct a3mi_cc_ops a3mi_cc_bbr = {
    .name = "bbr",
    .reset = bbr_reset,
    .acked = bbr_acked,
    .lost = bbr_lost,
    .spurious = bbr_spurious,
    .collapsed = bbr_collapsed,
};
