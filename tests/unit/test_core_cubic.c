/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUBIC and HyStart++ by themselves: core/cubic.c, core/hystart.c. What is
 * expected is computed here from the formulas of RFC 9438 and RFC 9406, in
 * floating point; packets and seconds.
 * covers X4
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/congestion.h"
#include "core/hystart.h"

#define MS     INT64_C(1000000)
#define S      INT64_C(1000000000)
#define PACKET 1384u
#define C      0.4
#define BETA   0.7

static double packets(uint64_t bytes)
{
    return (double)bytes / PACKET;
}

static double cube_root(double x)
{
    double r = 1;

    for (int i = 0; i < 100; i++) {
        r = (2 * r + x / (r * r)) / 3;
    }
    return r;
}

static struct a3mi_cc cubic_of(uint64_t window_packets)
{
    struct a3mi_cc cc;

    a3mi_cc_init(&cc, &a3mi_cc_cubic, PACKET);
    cc.window = window_packets * PACKET;
    return cc;
}

/* One acknowledgement of `n` packets sent just now. */
static void ack(struct a3mi_cc *cc, int64_t now, uint64_t n, int64_t rtt)
{
    struct a3mi_cc_ack told = {
        .now = now, .sent_at = now, .smoothed = rtt, .min_rtt = rtt, .bytes = n * PACKET, .limited = true};

    cc->ops->acked(cc, &told);
}

/* Whole windows are acknowledged, a packet at a time, for `ns`; a window takes `rtt`. */
static int64_t run(struct a3mi_cc *cc, int64_t now, int64_t ns, int64_t rtt)
{
    int64_t until = now + ns;

    while (now < until) {
        int64_t step = rtt / (int64_t)(cc->window / PACKET);

        now += step;
        ack(cc, now, 1, rtt);
    }
    return now;
}

static void expect_near(double value, double expected, double tolerance)
{
    if (value < expected * (1 - tolerance) || value > expected * (1 + tolerance)) {
        fail_msg("%f, not %f", value, expected);
    }
}

/* ---- The window as a function of time: (1), (2) ---------------------------------- */

static void test_cubic_window_follows_the_cubic_through_both_regions(void **state)
{
    (void)state;
    struct a3mi_cc cc = cubic_of(1000);
    int64_t begin = 10 * S;
    double k = cube_root(1000 * (1 - BETA) / C);

    cc.ops->lost(&cc, begin - 1, begin);
    expect_near(packets(cc.window), 700, 0.001);
    /* Congestion avoidance begins with the first acknowledgement behind the loss. 100 ms: faster than Reno. */
    int64_t now = begin;

    for (int second = 1; second <= 15; second++) {
        now = run(&cc, now, begin + second * S - now, 100 * MS);
        double t = second - k;

        /* Before K, about 9.1 s, it is concave and below 1,000; behind, convex. */
        expect_near(packets(cc.window), 1000 + C * t * t * t, 0.01);
    }
    assert_true(k > 9 && k < 9.2);
}

static void test_cubic_growth_in_a_round_trip_is_half_the_window_at_most(void **state)
{
    (void)state;
    struct a3mi_cc cc = cubic_of(20);
    int64_t now = run(&cc, 10 * S, 0, 100 * MS);

    cc.ops->lost(&cc, now, now + 1);
    now = run(&cc, now + 2, 100 * MS, 100 * MS);
    /* A minute in which nothing was acknowledged, though the window was full: the cubic is far above. */
    now += 60 * S;
    uint64_t before = cc.window;

    for (uint64_t i = 0; i < before / PACKET; i++) {
        ack(&cc, now, 1, 100 * MS);
    }
    assert_true(cc.window > before + before / 3);
    assert_true(cc.window <= before * 33 / 20); /* e^(1/2), as the bound moves with the window */
}

/* 4.3: three times the window of Reno's 9/17 packets a round trip, on a path too short for the cubic. */
static void test_cubic_reno_friendly_region_grows_as_reno(void **state)
{
    (void)state;
    struct a3mi_cc cc = cubic_of(100);
    int64_t now = 10 * S;

    cc.ops->lost(&cc, now - 1, now);
    now = run(&cc, now, 20 * MS, MS); /* 20 round trips of 1 ms */
    expect_near(packets(cc.window), 70 + 20 * 9.0 / 17, 0.01);
    /* From the window before the loss on by one packet each: 30 packets more took 57 round trips. */
    now = run(&cc, now, 37 * MS, MS);
    expect_near(packets(cc.window), 100, 0.01);
    (void)run(&cc, now, 20 * MS, MS);
    expect_near(packets(cc.window), 120, 0.02);
}

/* ---- Losses: 4.6, 4.7 -------------------------------------------------------------- */

static void test_cubic_one_event_shrinks_once_by_beta(void **state)
{
    (void)state;
    struct a3mi_cc cc = cubic_of(100);

    cc.ops->lost(&cc, 100, 200);
    cc.ops->lost(&cc, 150, 210);
    cc.ops->lost(&cc, 200, 220);
    expect_near(packets(cc.window), 70, 0.001);
    cc.ops->lost(&cc, 201, 300);
    expect_near(packets(cc.window), 49, 0.001);
}

static void test_cubic_fast_convergence_lowers_the_plateau(void **state)
{
    (void)state;
    struct a3mi_cc cc = cubic_of(1000);

    cc.ops->lost(&cc, 100, 200);
    expect_near(packets(cc.of.cubic.epoch.w_max), 1000, 0.001);
    /* Lost again below that: there is less room than there was. */
    cc.ops->lost(&cc, 300, 400);
    expect_near(packets(cc.of.cubic.epoch.w_max), 700 * (1 + BETA) / 2, 0.001);
}

static void test_cubic_never_below_two_packets(void **state)
{
    (void)state;
    struct a3mi_cc cc = cubic_of(10);

    for (int64_t t = 0; t < 100; t += 2) {
        cc.ops->lost(&cc, t + 1, t + 1);
    }
    assert_int_equal(cc.window, 2 * PACKET);
    cc.ops->collapsed(&cc);
    assert_int_equal(cc.window, 2 * PACKET);
    assert_true(cc.slow_start);
}

/* 4.8: slow start up to β of what was there, then K is 0. */
static void test_cubic_after_a_collapse_begins_at_the_plateau(void **state)
{
    (void)state;
    struct a3mi_cc cc = cubic_of(1000);
    int64_t now = 10 * S;

    cc.ops->lost(&cc, now - 1, now);
    cc.ops->collapsed(&cc);
    for (now++; packets(cc.window) < 700; now += MS) {
        uint64_t before = cc.window;

        ack(&cc, now, 1, 100 * MS);
        assert_int_equal(cc.window, before + PACKET);
    }
    ack(&cc, now, 1, 100 * MS);
    assert_int_equal(cc.of.cubic.epoch.k, 0);
    expect_near(packets(cc.of.cubic.epoch.w_max), 700, 0.01);
}

/* ---- What is no loss: 4.9.2 ------------------------------------------------------------ */

static void test_cubic_event_that_was_none_is_undone(void **state)
{
    (void)state;
    struct a3mi_cc cc = cubic_of(1000);
    int64_t now = run(&cc, 10 * S, 0, 100 * MS);

    cc.ops->lost(&cc, now, now + 10);
    cc.ops->lost(&cc, now + 1, now + 20);
    cc.ops->spurious(&cc, now + 10);
    expect_near(packets(cc.window), 700, 0.001); /* the other may be one */
    cc.ops->spurious(&cc, now + 20);
    assert_int_equal(cc.window, 1000 * PACKET);
    assert_true(cc.of.cubic.epoch.threshold == UINT64_MAX);
}

static void test_cubic_event_with_one_loss_stays(void **state)
{
    (void)state;
    struct a3mi_cc cc = cubic_of(1000);

    cc.ops->lost(&cc, 100, 200);
    cc.ops->lost(&cc, 150, 210);
    cc.ops->spurious(&cc, 210);
    cc.ops->lost(&cc, 300, 400);
    expect_near(packets(cc.window), 490, 0.001);
    /* One of an earlier event takes nothing back. */
    cc.ops->spurious(&cc, 200);
    expect_near(packets(cc.window), 490, 0.001);
}

/* ---- Windows that are not used: 4.2, 5.8 --------------------------------------------------- */

static void test_cubic_time_without_need_does_not_count(void **state)
{
    (void)state;
    struct a3mi_cc cc = cubic_of(1000);
    int64_t now = 10 * S;

    cc.ops->lost(&cc, now - 1, now);
    now = run(&cc, now, S, 100 * MS);
    uint64_t before = cc.window;

    for (int i = 0; i < 3000; i++) {
        now += 10 * MS;
        struct a3mi_cc_ack told = {
            .now = now, .sent_at = now, .smoothed = 100 * MS, .bytes = PACKET, .limited = false};

        cc.ops->acked(&cc, &told);
    }
    assert_int_equal(cc.window, before);
    (void)run(&cc, now, S, 100 * MS);
    double t = 2 - cube_root(1000 * (1 - BETA) / C);

    expect_near(packets(cc.window), 1000 + C * t * t * t, 0.01);
}

/* ---- HyStart++, RFC 9406 ---------------------------------------------------------------------- */

static void round_of(struct a3mi_hystart *h, int64_t rtt)
{
    a3mi_hystart_round(h);
    for (unsigned i = 0; i < A3MI_HYSTART_SAMPLES; i++) {
        a3mi_hystart_sample(h, rtt + (int64_t)i);
    }
}

/* The threshold: an eighth of the round trip, from 4 to 16 ms. */
static void test_hystart_longer_round_trips_begin_css(void **state)
{
    (void)state;
    static const struct {
        int64_t rtt, more;
    } cases[] = {{1 * MS, 4 * MS}, {40 * MS, 5 * MS}, {80 * MS, 10 * MS}, {400 * MS, 16 * MS}};

    for (unsigned i = 0; i < 4; i++) {
        struct a3mi_hystart h;

        a3mi_hystart_init(&h);
        round_of(&h, cases[i].rtt);
        round_of(&h, cases[i].rtt + cases[i].more - 1);
        assert_false(a3mi_hystart_in_css(&h));
        a3mi_hystart_init(&h);
        round_of(&h, cases[i].rtt);
        round_of(&h, cases[i].rtt + cases[i].more);
        assert_true(a3mi_hystart_in_css(&h));
        assert_false(a3mi_hystart_done(&h));
    }
}

static void test_hystart_few_samples_say_nothing(void **state)
{
    (void)state;
    struct a3mi_hystart h;

    a3mi_hystart_init(&h);
    round_of(&h, 10 * MS);
    a3mi_hystart_round(&h);
    for (unsigned i = 0; i + 1 < A3MI_HYSTART_SAMPLES; i++) {
        a3mi_hystart_sample(&h, 100 * MS);
    }
    assert_false(a3mi_hystart_in_css(&h));
    a3mi_hystart_sample(&h, 100 * MS);
    assert_true(a3mi_hystart_in_css(&h));
}

static void test_hystart_five_rounds_of_css_end_slow_start(void **state)
{
    (void)state;
    struct a3mi_hystart h;

    a3mi_hystart_init(&h);
    round_of(&h, 10 * MS);
    round_of(&h, 20 * MS);
    for (unsigned i = 0; i < A3MI_CSS_ROUNDS; i++) {
        assert_false(a3mi_hystart_done(&h));
        round_of(&h, 20 * MS);
    }
    assert_true(a3mi_hystart_done(&h));
}

static void test_hystart_shorter_round_trips_end_css(void **state)
{
    (void)state;
    struct a3mi_hystart h;

    a3mi_hystart_init(&h);
    round_of(&h, 10 * MS);
    round_of(&h, 20 * MS);
    assert_true(a3mi_hystart_in_css(&h));
    round_of(&h, 11 * MS);
    assert_false(a3mi_hystart_in_css(&h));
}

/* A round of a window: twice the window in slow start, 5/4 in CSS, and congestion avoidance after five. */
static void test_cubic_slow_start_ends_by_css(void **state)
{
    (void)state;
    struct a3mi_cc cc = cubic_of(10);
    int64_t now = 10 * S;
    double expected = 10;

    for (unsigned round = 0; round < 12; round++) {
        int64_t rtt = round < 5 ? 20 * MS : 40 * MS;
        uint64_t n = cc.window / PACKET;
        struct a3mi_cc_ack told = {
            .sent_at = now, .rtt = rtt, .smoothed = rtt, .bytes = PACKET, .limited = true};

        for (uint64_t i = 0; i < n; i++) {
            told.now = now += 1000;
            told.sent_at = now;
            told.rate.round = i == 0;
            cc.ops->acked(&cc, &told);
        }
        expected *= round <= 4 ? 2 : 1.25;
        if (round == 5) {
            /* Eight samples are needed before it is seen. */
            assert_true(a3mi_hystart_in_css(&cc.of.cubic.hystart));
        } else if (round < 5) {
            expect_near(packets(cc.window), expected, 0.01);
        } else if (round < 10) {
            expect_near(packets(cc.window), expected, 0.03);
        }
    }
    assert_true(cc.of.cubic.epoch.threshold != UINT64_MAX);
    assert_true(cc.of.cubic.epoch.begin != INT64_MIN);
    assert_false(cc.slow_start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cubic_window_follows_the_cubic_through_both_regions),
        cmocka_unit_test(test_cubic_growth_in_a_round_trip_is_half_the_window_at_most),
        cmocka_unit_test(test_cubic_reno_friendly_region_grows_as_reno),
        cmocka_unit_test(test_cubic_one_event_shrinks_once_by_beta),
        cmocka_unit_test(test_cubic_fast_convergence_lowers_the_plateau),
        cmocka_unit_test(test_cubic_never_below_two_packets),
        cmocka_unit_test(test_cubic_after_a_collapse_begins_at_the_plateau),
        cmocka_unit_test(test_cubic_event_that_was_none_is_undone),
        cmocka_unit_test(test_cubic_event_with_one_loss_stays),
        cmocka_unit_test(test_cubic_time_without_need_does_not_count),
        cmocka_unit_test(test_hystart_longer_round_trips_begin_css),
        cmocka_unit_test(test_hystart_few_samples_say_nothing),
        cmocka_unit_test(test_hystart_five_rounds_of_css_end_slow_start),
        cmocka_unit_test(test_hystart_shorter_round_trips_end_css),
        cmocka_unit_test(test_cubic_slow_start_ends_by_css),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
