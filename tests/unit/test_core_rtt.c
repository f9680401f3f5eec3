/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round trips, loss detection, congestion window and pacing: core/rtt.h,
 * core/recovery.h, core/congestion.h, core/pacer.h.
 * covers core
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/congestion.h"
#include "core/pacer.h"
#include "core/recovery.h"
#include "core/rtt.h"

#define US     INT64_C(1000)
#define MS     INT64_C(1000000)
#define PACKET 1384u

/* ---- RFC 9002, section 5 ------------------------------------------------------ */

static void test_rtt_nothing_known_opens_after_150_ms(void **state)
{
    (void)state;
    struct a3mi_rtt rtt;

    a3mi_rtt_init(&rtt);
    assert_int_equal(a3mi_rtt_pto(&rtt, 0, false), 150 * MS);
    assert_int_equal(a3mi_rtt_pto(&rtt, 1, false), 300 * MS);
    assert_int_equal(a3mi_rtt_pto(&rtt, 4, false), 2000 * MS);
    assert_int_equal(a3mi_rtt_pto(&rtt, UINT32_MAX, false), 2000 * MS);
}

static void test_rtt_first_sample_replaces_the_guess(void **state)
{
    (void)state;
    struct a3mi_rtt rtt;

    a3mi_rtt_init(&rtt);
    a3mi_rtt_sample(&rtt, 40 * MS, 5 * MS, 0);
    assert_int_equal(rtt.smoothed, 40 * MS);
    assert_int_equal(rtt.variation, 20 * MS);
    assert_int_equal(rtt.min, 40 * MS);
    assert_int_equal(a3mi_rtt_pto(&rtt, 0, false), 40 * MS + 80 * MS + A3MI_MAX_ACK_DELAY);
}

static void test_rtt_later_samples_follow_the_rfc(void **state)
{
    (void)state;
    struct a3mi_rtt rtt;

    a3mi_rtt_init(&rtt);
    a3mi_rtt_sample(&rtt, 40 * MS, 0, 0);
    /* 60 − 4 of delay: variation 3/4·20 + 1/4·16 = 19, smoothed 7/8·40 + 1/8·56 = 42. */
    a3mi_rtt_sample(&rtt, 60 * MS, 4 * MS, 0);
    assert_int_equal(rtt.variation, 19 * MS);
    assert_int_equal(rtt.smoothed, 42 * MS);
    /* A delay that would go below the minimum is not taken off: deviation 1. */
    a3mi_rtt_sample(&rtt, 41 * MS, 4 * MS, 0);
    assert_int_equal(rtt.variation, 14500 * US);
    assert_int_equal(rtt.smoothed, 41875 * US);
    /* A delay beyond what was agreed is cut to it. */
    a3mi_rtt_sample(&rtt, 80 * MS, 70 * MS, 0);
    assert_int_equal(rtt.smoothed, (7 * 41875 * US + 75 * MS) / 8);
    assert_int_equal(rtt.min, 40 * MS);
}

static void test_rtt_steady_path_keeps_granularity(void **state)
{
    (void)state;
    struct a3mi_rtt rtt;

    a3mi_rtt_init(&rtt);
    for (unsigned i = 0; i < 200; i++) {
        a3mi_rtt_sample(&rtt, 20 * US, 0, 0);
    }
    assert_int_equal(rtt.smoothed, 20 * US);
    assert_int_equal(a3mi_rtt_pto(&rtt, 0, false), 20 * US + A3MI_RTT_GRANULARITY + A3MI_MAX_ACK_DELAY);
}

/* What is acknowledged at once leaves no time for a delay, but some for a receiver that waits for a processor. */
static void test_rtt_acknowledged_at_once_is_probed_sooner(void **state)
{
    (void)state;
    struct a3mi_rtt rtt;

    a3mi_rtt_init(&rtt);
    assert_int_equal(a3mi_rtt_pto(&rtt, 0, true), 150 * MS);
    for (unsigned i = 0; i < 200; i++) {
        a3mi_rtt_sample(&rtt, 10 * MS, 0, 0);
    }
    assert_int_equal(a3mi_rtt_pto(&rtt, 0, false), 16 * MS);
    assert_int_equal(a3mi_rtt_pto(&rtt, 0, true), 11 * MS);
    assert_int_equal(a3mi_rtt_pto(&rtt, 1, true), 22 * MS);
    for (unsigned i = 0; i < 200; i++) {
        a3mi_rtt_sample(&rtt, 100 * US, 0, 0);
    }
    assert_true(a3mi_rtt_pto(&rtt, 0, true) >= 6 * MS);
}

static void test_rtt_smallest_is_forgotten_with_its_window(void **state)
{
    (void)state;
    struct a3mi_rtt rtt;
    int64_t s = 1000 * MS;

    a3mi_rtt_init(&rtt);
    a3mi_rtt_sample(&rtt, 10 * MS, 0, 7 * s);
    for (int64_t at = 8; at < 157; at++) {
        a3mi_rtt_sample(&rtt, 40 * MS, 0, at * s);
        assert_int_equal(rtt.min, 10 * MS);
    }
    for (int64_t at = 157; at < 307; at++) { /* the second half: the first one still counts */
        a3mi_rtt_sample(&rtt, 40 * MS, 0, at * s);
        assert_int_equal(rtt.min, 10 * MS);
    }
    a3mi_rtt_sample(&rtt, 41 * MS, 0, 307 * s);
    assert_int_equal(rtt.min, 40 * MS);
    a3mi_rtt_sample(&rtt, 5 * MS, 0, 308 * s);
    assert_int_equal(rtt.min, 5 * MS);
    a3mi_rtt_sample(&rtt, 60 * MS, 0, 1000 * s); /* nothing was heard for longer than the window */
    assert_int_equal(rtt.min, 60 * MS);
}

static void test_rtt_smallest_is_forgotten_when_congestion_persists(void **state)
{
    (void)state;
    struct a3mi_rtt rtt;

    a3mi_rtt_init(&rtt);
    a3mi_rtt_sample(&rtt, 10 * MS, 0, 0);
    a3mi_rtt_forget_min(&rtt);
    assert_int_equal(rtt.min, 10 * MS);
    a3mi_rtt_sample(&rtt, 30 * MS, 0, 1000 * MS);
    assert_int_equal(rtt.min, 30 * MS);
}

/* ---- RFC 8985 -------------------------------------------------------------------- */

static struct a3mi_rtt steady(int64_t ns)
{
    struct a3mi_rtt rtt;

    a3mi_rtt_init(&rtt);
    a3mi_rtt_sample(&rtt, ns, 0, 0);
    return rtt;
}

static void test_recovery_older_than_the_echo_is_lost_after_a_quarter_more(void **state)
{
    (void)state;
    struct a3mi_rtt rtt = steady(40 * MS);
    struct a3mi_recovery recovery;

    a3mi_recovery_init(&recovery);
    assert_int_equal(a3mi_recovery_lost_at(&recovery, &rtt, 5, 0), INT64_MAX);
    a3mi_recovery_echo(&recovery, 5, 40 * MS, 50 * MS);
    assert_int_equal(a3mi_recovery_lost_at(&recovery, &rtt, 5, 0), INT64_MAX);
    assert_int_equal(a3mi_recovery_lost_at(&recovery, &rtt, 6, 0), INT64_MAX);
    assert_int_equal(a3mi_recovery_lost_at(&recovery, &rtt, 4, 7 * MS), 57 * MS);
}

static void test_recovery_spurious_losses_widen_the_window_once_a_round_trip(void **state)
{
    (void)state;
    struct a3mi_rtt rtt = steady(40 * MS);
    struct a3mi_recovery recovery;
    uint64_t last = 100;

    a3mi_recovery_init(&recovery);
    a3mi_recovery_echo(&recovery, 5, 40 * MS, 50 * MS);
    a3mi_recovery_spurious(&recovery, 3, 9);
    a3mi_recovery_spurious(&recovery, 4, 9);
    assert_int_equal(a3mi_recovery_lost_at(&recovery, &rtt, 4, 0), 60 * MS);
    for (unsigned i = 0; i < 100; i++) {
        a3mi_recovery_spurious(&recovery, last, last);
        last++;
    }
    /* Never more than a smoothed round trip. */
    assert_int_equal(a3mi_recovery_lost_at(&recovery, &rtt, 4, 0), 80 * MS);
    /* Sixteen recoveries without: losses of one flight are one recovery. */
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(a3mi_recovery_lost_at(&recovery, &rtt, 4, 0), 80 * MS);
        (void)a3mi_recovery_lost(&recovery, &rtt, last, 1000 * MS, last + 9);
        (void)a3mi_recovery_lost(&recovery, &rtt, last + 3, 1000 * MS, last + 12);
        last += 10;
    }
    assert_int_equal(a3mi_recovery_lost_at(&recovery, &rtt, 4, 0), 50 * MS);
}

/* RFC 9002, 7.6: all lost that was sent for three time-outs, 3·(40 + 80 + 5) ms, and nothing between arrived. */
static void test_recovery_everything_lost_for_long_is_persistent(void **state)
{
    (void)state;
    struct a3mi_rtt rtt = steady(40 * MS);
    struct a3mi_recovery recovery;

    assert_int_equal(a3mi_rtt_persistent(&rtt), 375 * MS);
    a3mi_recovery_init(&recovery);
    a3mi_recovery_echo(&recovery, 5, 40 * MS, 50 * MS);
    a3mi_recovery_echo(&recovery, 20, 40 * MS, 1000 * MS);
    assert_false(a3mi_recovery_lost(&recovery, &rtt, 6, 11 * MS, 20));
    assert_false(a3mi_recovery_lost(&recovery, &rtt, 7, 385 * MS, 20));
    assert_true(a3mi_recovery_lost(&recovery, &rtt, 8, 386 * MS, 20));
    assert_false(a3mi_recovery_lost(&recovery, &rtt, 9, 387 * MS, 20));
}

static void test_recovery_something_arrived_between_is_not_persistent(void **state)
{
    (void)state;
    struct a3mi_rtt rtt = steady(40 * MS);
    struct a3mi_recovery recovery;

    a3mi_recovery_init(&recovery);
    a3mi_recovery_echo(&recovery, 20, 40 * MS, 1000 * MS);
    assert_false(a3mi_recovery_lost(&recovery, &rtt, 6, 11 * MS, 20));
    a3mi_recovery_arrived(&recovery, 7, 200 * MS);
    assert_false(a3mi_recovery_lost(&recovery, &rtt, 8, 400 * MS, 20));
    /* The newest that was echoed stands between when a newer one is. */
    a3mi_recovery_echo(&recovery, 30, 40 * MS, 2000 * MS);
    assert_false(a3mi_recovery_lost(&recovery, &rtt, 21, 965 * MS, 30));
}

/* ---- RFC 9002, section 7 ----------------------------------------------------------- */

static void ack(struct a3mi_cc *cc, int64_t sent_at, bool limited)
{
    struct a3mi_cc_ack told = {.now = sent_at + MS, .sent_at = sent_at, .bytes = PACKET, .limited = limited};

    cc->ops->acked(cc, &told);
}

static void test_newreno_slow_start_doubles_when_used(void **state)
{
    (void)state;
    struct a3mi_cc cc;

    a3mi_cc_init(&cc, &a3mi_cc_newreno, PACKET);
    assert_int_equal(cc.window, 10 * PACKET);
    ack(&cc, 1, false);
    assert_int_equal(cc.window, 10 * PACKET);
    for (unsigned i = 0; i < 10; i++) {
        ack(&cc, 1, true);
    }
    assert_int_equal(cc.window, 20 * PACKET);
}

static void test_newreno_one_loss_a_round_trip_halves_once(void **state)
{
    (void)state;
    struct a3mi_cc cc;

    a3mi_cc_init(&cc, &a3mi_cc_newreno, PACKET);
    cc.ops->lost(&cc, 100, 200);
    cc.ops->lost(&cc, 150, 210);
    assert_int_equal(cc.window, 5 * PACKET);
    /* What was sent before the answer to the loss does not let it grow. */
    ack(&cc, 200, true);
    assert_int_equal(cc.window, 5 * PACKET);
    /* Then by one packet a window. */
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(cc.window, 5 * PACKET);
        ack(&cc, 201, true);
    }
    assert_int_equal(cc.window, 6 * PACKET);
    cc.ops->lost(&cc, 201, 300);
    assert_int_equal(cc.window, 3 * PACKET);
}

static void test_newreno_never_below_two_packets(void **state)
{
    (void)state;
    struct a3mi_cc cc;

    a3mi_cc_init(&cc, &a3mi_cc_newreno, PACKET);
    for (int64_t t = 0; t < 100; t += 2) {
        cc.ops->lost(&cc, t + 1, t + 1);
    }
    assert_int_equal(cc.window, 2 * PACKET);
    cc.ops->reset(&cc, PACKET);
    cc.ops->collapsed(&cc);
    assert_int_equal(cc.window, 2 * PACKET);
}

static void test_cc_one_packet_may_always_go(void **state)
{
    (void)state;
    struct a3mi_cc cc;

    a3mi_cc_init(&cc, &a3mi_cc_newreno, PACKET);
    assert_true(a3mi_cc_has_room(&cc, 9 * PACKET));
    assert_false(a3mi_cc_has_room(&cc, 9 * PACKET + 1));
    cc.window = 0;
    assert_true(a3mi_cc_has_room(&cc, 0));
    assert_false(a3mi_cc_has_room(&cc, 1));
}

/* ---- Pacing --------------------------------------------------------------------------- */

static void test_pacer_short_round_trip_is_not_paced(void **state)
{
    (void)state;
    struct a3mi_pacer pacer;

    a3mi_pacer_init(&pacer);
    a3mi_pacer_set(&pacer, 1000 * PACKET, 199 * US, PACKET, 0);
    for (unsigned i = 0; i < 10000; i++) {
        assert_int_equal(a3mi_pacer_next(&pacer, 5), 5);
        a3mi_pacer_sent(&pacer, PACKET);
    }
}

static void test_pacer_long_round_trip_spreads_the_window(void **state)
{
    (void)state;
    struct a3mi_pacer pacer;
    struct a3mi_cc cc;
    int64_t now = 1000 * MS;
    unsigned sent = 0;

    a3mi_pacer_init(&pacer);
    a3mi_cc_init(&cc, &a3mi_cc_newreno, PACKET);
    cc.window = 100 * PACKET;
    assert_int_equal(a3mi_cc_rate(&cc, 100 * MS), 2000 * PACKET);
    cc.slow_start = false;
    assert_int_equal(a3mi_cc_rate(&cc, 100 * MS), 1250 * PACKET);
    a3mi_pacer_set(&pacer, a3mi_cc_rate(&cc, 100 * MS), 100 * MS, PACKET, now);
    while (now < 2000 * MS) {
        int64_t next = a3mi_pacer_next(&pacer, now);

        assert_true(next == now || next > now);
        if (next == now) {
            a3mi_pacer_sent(&pacer, PACKET);
            sent++;
        } else {
            assert_true(next - now < 20 * MS);
            now = next;
        }
    }
    /* 5/4 windows a round trip, ten of them, and the first burst. */
    assert_in_range(sent, 1240, 1270);
}

/* 10 Gb/s, and a timer that is up to 100 µs late: what was missed is caught up. */
static void test_pacer_late_timers_cost_no_throughput(void **state)
{
    (void)state;
    struct a3mi_pacer pacer;
    int64_t now = 1000 * MS;
    uint64_t rate = UINT64_C(1250000000);
    uint64_t sent = 0;

    a3mi_pacer_init(&pacer);
    a3mi_pacer_set(&pacer, rate, 10 * MS, PACKET, now);
    for (unsigned turn = 0; now < 2000 * MS; turn++) {
        int64_t next;

        while ((next = a3mi_pacer_next(&pacer, now)) == now) {
            a3mi_pacer_sent(&pacer, PACKET);
            sent += PACKET;
        }
        now = next + (int64_t)(turn % 11) * 10 * US;
    }
    assert_in_range(sent, rate / 1000 * 999, rate / 1000 * 1001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rtt_nothing_known_opens_after_150_ms),
        cmocka_unit_test(test_rtt_first_sample_replaces_the_guess),
        cmocka_unit_test(test_rtt_later_samples_follow_the_rfc),
        cmocka_unit_test(test_rtt_steady_path_keeps_granularity),
        cmocka_unit_test(test_rtt_acknowledged_at_once_is_probed_sooner),
        cmocka_unit_test(test_rtt_smallest_is_forgotten_with_its_window),
        cmocka_unit_test(test_rtt_smallest_is_forgotten_when_congestion_persists),
        cmocka_unit_test(test_recovery_older_than_the_echo_is_lost_after_a_quarter_more),
        cmocka_unit_test(test_recovery_spurious_losses_widen_the_window_once_a_round_trip),
        cmocka_unit_test(test_recovery_everything_lost_for_long_is_persistent),
        cmocka_unit_test(test_recovery_something_arrived_between_is_not_persistent),
        cmocka_unit_test(test_newreno_slow_start_doubles_when_used),
        cmocka_unit_test(test_newreno_one_loss_a_round_trip_halves_once),
        cmocka_unit_test(test_newreno_never_below_two_packets),
        cmocka_unit_test(test_cc_one_packet_may_always_go),
        cmocka_unit_test(test_pacer_short_round_trip_is_not_paced),
        cmocka_unit_test(test_pacer_long_round_trip_spreads_the_window),
        cmocka_unit_test(test_pacer_late_timers_cost_no_throughput),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
