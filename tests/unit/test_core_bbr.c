/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery rates and the controller by a model of the path, by themselves:
 * core/rate.c, core/bbr.c. Numbers are those of draft-ietf-ccwg-bbr, and of
 * core/bbr.c where that differs.
 * covers X4
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/congestion.h"
#include "core/rate.h"

#define MS     INT64_C(1000000)
#define S      INT64_C(1000000000)
#define PACKET 1000u

static void expect_near(uint64_t value, uint64_t expected, unsigned per_mille)
{
    uint64_t off = value > expected ? value - expected : expected - value;

    if (off * 1000 > expected * per_mille) {
        fail_msg("%llu, not %llu", (unsigned long long)value, (unsigned long long)expected);
    }
}

/* ---- Samples ------------------------------------------------------------------------ */

#define FLIGHT 100

struct sending {
    struct a3mi_rate rate;
    struct a3mi_rate_stamp stamps[FLIGHT];
    int64_t sent_at[FLIGHT];
    unsigned sent, acked;
};

static void send_at(struct sending *s, int64_t now)
{
    a3mi_rate_sent(&s->rate, &s->stamps[s->sent], (uint64_t)(s->sent - s->acked) * PACKET, PACKET, now);
    s->sent_at[s->sent++] = now;
}

static struct a3mi_rate_sample ack_at(struct sending *s, int64_t now, int64_t min_rtt)
{
    a3mi_rate_acked(&s->rate, &s->stamps[s->acked], s->sent_at[s->acked], PACKET, now);
    s->acked++;
    return a3mi_rate_take(&s->rate, min_rtt);
}

/* A packet each ms, acknowledged 10 ms later: 1,000,000 bytes a second. */
static void test_rate_steady_sending_is_measured(void **state)
{
    (void)state;
    struct sending s = {0};
    struct a3mi_rate_sample sample = {0};

    a3mi_rate_init(&s.rate);
    for (int64_t t = 1; t <= 60; t++) {
        send_at(&s, t * MS);
        if (t > 10) {
            sample = ack_at(&s, t * MS, 10 * MS);
        }
    }
    expect_near(sample.rate, 1000000, 1);
    assert_false(sample.idle);
    assert_int_equal(sample.in_flight, 11 * PACKET);
}

/* Acknowledgements that were held up and come all at once do not make the path faster than what was sent. */
static void test_rate_squeezed_acknowledgements_measure_the_sending(void **state)
{
    (void)state;
    struct sending s = {0};
    struct a3mi_rate_sample sample;

    a3mi_rate_init(&s.rate);
    for (int64_t t = 0; t < 20; t++) {
        send_at(&s, S + t * MS);
    }
    for (int i = 0; i < 20; i++) {
        sample = ack_at(&s, S + 30 * MS, 10 * MS);
        assert_true(sample.rate <= 1000000);
    }
}

static void test_rate_shorter_than_the_path_says_nothing(void **state)
{
    (void)state;
    struct sending s = {0};

    a3mi_rate_init(&s.rate);
    send_at(&s, S);
    assert_int_equal(ack_at(&s, S + 5 * MS, 10 * MS).rate, 0);
}

static void test_rate_nothing_to_send_is_marked(void **state)
{
    (void)state;
    struct sending s = {0};

    a3mi_rate_init(&s.rate);
    send_at(&s, S);
    a3mi_rate_idle(&s.rate, PACKET);
    send_at(&s, S + MS); /* what came later was sent by a sender that had been idle */
    assert_false(ack_at(&s, S + 10 * MS, MS).idle);
    assert_true(ack_at(&s, S + 11 * MS, MS).idle);
    send_at(&s, S + 12 * MS); /* everything from then has been delivered: not idle any more */
    assert_false(ack_at(&s, S + 22 * MS, MS).idle);
}

static void test_rate_rounds_are_counted_by_what_was_delivered(void **state)
{
    (void)state;
    struct sending s = {0};
    unsigned rounds = 0;

    a3mi_rate_init(&s.rate);
    for (int64_t t = 1; t <= 60; t++) {
        send_at(&s, t * MS);
        if (t > 10) {
            rounds += ack_at(&s, t * MS, 10 * MS).round;
        }
    }
    /* 50 ms of acknowledgements, a round trip of 10 ms and the packet that waits for it. */
    assert_in_range(rounds, 5, 6);
}

static void test_rate_losses_of_a_flight_are_told(void **state)
{
    (void)state;
    struct sending s = {0};

    a3mi_rate_init(&s.rate);
    send_at(&s, S);
    send_at(&s, S);
    a3mi_rate_lost(&s.rate, PACKET);
    send_at(&s, S + MS);
    assert_int_equal(ack_at(&s, S + 10 * MS, MS).lost, PACKET);
    assert_int_equal(ack_at(&s, S + 10 * MS, MS).lost, PACKET);
    assert_int_equal(ack_at(&s, S + 11 * MS, MS).lost, 0);
}

/* ---- The controller --------------------------------------------------------------------- */

/* A path, and what one round trip on it told. */
struct path {
    struct a3mi_cc cc;
    int64_t now, rtt;
    uint64_t bandwidth; /* what it delivers, at most */
};

static struct path path_of(uint64_t bandwidth, int64_t rtt)
{
    struct path path = {.now = 10 * S, .rtt = rtt, .bandwidth = bandwidth};

    a3mi_cc_init(&path.cc, &a3mi_cc_bbr, PACKET);
    return path;
}

static uint64_t bdp(const struct path *path)
{
    return path->bandwidth * (uint64_t)path->rtt / (uint64_t)S;
}

/* One acknowledgement that ends a round trip, with so much left in flight, and so much lost of the flight. */
static void hear(struct path *path, int64_t rtt, uint64_t in_flight, uint64_t lost)
{
    uint64_t rate = path->cc.rate == 0 || path->cc.rate > path->bandwidth ? path->bandwidth : path->cc.rate;

    /* No more than what may be, but for what a test is about. */
    if (path->cc.of.bbr.phase == A3MI_BBR_PROBE_RTT && in_flight > path->cc.window) {
        in_flight = path->cc.window;
    }
    path->now += rtt;
    assert_true(path->now < 1000 * S);
    struct a3mi_cc_ack told = {
        .now = path->now,
        .sent_at = path->now - rtt,
        .rtt = rtt,
        .min_rtt = path->rtt,
        .smoothed = rtt,
        .bytes = rate * (uint64_t)path->rtt / (uint64_t)S,
        .in_flight = in_flight,
        .limited = true,
        .rate = {.rate = rate, .in_flight = in_flight + lost, .lost = lost, .round = true},
    };

    path->cc.ops->acked(&path->cc, &told);
}

/* Through STARTUP and DRAIN. */
static struct path settled(uint64_t bandwidth, int64_t rtt)
{
    struct path path = path_of(bandwidth, rtt);

    for (int i = 0; i < 5; i++) {
        hear(&path, rtt, 2 * bdp(&path), 0);
    }
    assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_DRAIN);
    hear(&path, rtt, bdp(&path), 0);
    assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_DOWN);
    return path;
}

static void cruising(struct path *path)
{
    hear(path, path->rtt, bdp(path) / 10 * 9, 0);
    assert_int_equal(path->cc.of.bbr.phase, A3MI_BBR_CRUISE);
}

static void test_bbr_startup_paces_at_277_per_cent_until_it_does_not_help(void **state)
{
    (void)state;
    struct path path = path_of(10000000, 10 * MS);

    hear(&path, path.rtt, bdp(&path), 0);
    assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_STARTUP);
    expect_near(path.cc.rate, 10000000 / 100 * 277 / 100 * 99, 1);
    /* Three rounds without a quarter more. */
    for (int i = 0; i < 2; i++) {
        hear(&path, path.rtt, bdp(&path), 0);
        assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_STARTUP);
    }
    hear(&path, path.rtt, 2 * bdp(&path), 0);
    assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_DRAIN);
    expect_near(path.cc.rate, 10000000 / 100 * 99 / 2, 1);
    hear(&path, path.rtt, bdp(&path) + 1, 0);
    assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_DRAIN);
    hear(&path, path.rtt, bdp(&path), 0);
    assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_DOWN);
}

static void test_bbr_growing_bandwidth_keeps_startup(void **state)
{
    (void)state;
    struct path path = path_of(1000000, 10 * MS);

    for (int i = 0; i < 20; i++) {
        hear(&path, path.rtt, bdp(&path), 0);
        assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_STARTUP);
        path.bandwidth += path.bandwidth / 3;
    }
}

static void test_bbr_cruise_has_two_products_and_the_bandwidth(void **state)
{
    (void)state;
    struct path path = settled(10000000, 10 * MS);

    expect_near(path.cc.rate, 10000000 / 10 * 9 / 100 * 99, 1);
    cruising(&path);
    expect_near(path.cc.rate, 10000000 / 100 * 99, 1);
    expect_near(path.cc.window, 2 * bdp(&path) + 3 * PACKET, 1);
}

/* 63 round trips, or 2 to 3 s; a round of REFILL, then a quarter more. */
static void test_bbr_probes_after_63_rounds(void **state)
{
    (void)state;
    struct path path = settled(10000000, 10 * MS);
    int rounds = 1;

    cruising(&path);
    while (path.cc.of.bbr.phase == A3MI_BBR_CRUISE) {
        hear(&path, path.rtt, bdp(&path), 0);
        rounds++;
    }
    assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_REFILL);
    assert_int_equal(rounds, 63);
    hear(&path, path.rtt, bdp(&path), 0);
    assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_UP);
    expect_near(path.cc.rate, 10000000 / 100 * 125 / 100 * 99, 1);
    hear(&path, path.rtt, bdp(&path) + bdp(&path) / 4 + 4, 0);
    assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_DOWN);
}

static void test_bbr_slow_path_probes_after_seconds(void **state)
{
    (void)state;
    struct path path = settled(10000000, 100 * MS);
    int64_t begin = path.now;

    cruising(&path);
    while (path.cc.of.bbr.phase == A3MI_BBR_CRUISE) {
        hear(&path, path.rtt, bdp(&path), 0);
    }
    assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_REFILL);
    assert_in_range(path.now - begin, 2 * S, 3 * S + 100 * MS);
}

static void go_up(struct path *path)
{
    cruising(path);
    while (path->cc.of.bbr.phase != A3MI_BBR_UP) {
        hear(path, path->rtt, bdp(path), 0);
    }
}

/* Round trips are long by chance, too: with less under way than fills the path, that is no queue. */
static void test_bbr_losses_of_less_than_fills_the_path_are_not_answered(void **state)
{
    (void)state;
    struct path path = settled(10000000, 10 * MS);
    uint64_t flight = bdp(&path) / 2;

    go_up(&path);
    hear(&path, path.rtt * 6 / 5, flight - 5 * PACKET, 5 * PACKET);
    assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_UP);
    assert_true(path.cc.of.bbr.in_flight_high == UINT64_MAX);

    path = settled(10000000, 10 * MS);
    cruising(&path);
    for (int i = 0; i < 5; i++) {
        hear(&path, path.rtt * 6 / 5, flight - 5 * PACKET, 5 * PACKET);
        assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_CRUISE);
    }
    assert_true(path.cc.of.bbr.bw_bound == UINT64_MAX && path.cc.of.bbr.in_flight_bound == UINT64_MAX);
}

static void test_bbr_losses_with_a_queue_end_probing(void **state)
{
    (void)state;
    struct path path = settled(10000000, 10 * MS);
    uint64_t flight = bdp(&path) * 6 / 5;

    go_up(&path);
    hear(&path, path.rtt * 6 / 5, flight - 5 * PACKET, 5 * PACKET);
    assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_DOWN);
    assert_int_equal(path.cc.of.bbr.in_flight_high, flight);
    /* From now on with some room below. */
    hear(&path, path.rtt, bdp(&path) / 2, 0);
    for (int i = 0; i < 8 && path.cc.of.bbr.phase == A3MI_BBR_DOWN; i++) {
        hear(&path, path.rtt, bdp(&path) / 2, 0);
    }
    assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_CRUISE);
    assert_true(path.cc.window <= flight / 100 * 85);
}

/* A single loss while a queue stands is another's queue that is full: less until the next probe. */
static void test_bbr_a_loss_with_a_queue_bounds_until_the_next_probe(void **state)
{
    (void)state;
    struct path path = settled(10000000, 10 * MS);

    cruising(&path);
    path.bandwidth = 8000000; /* what the other leaves of it */
    hear(&path, path.rtt * 6 / 5, 125000, PACKET);
    hear(&path, path.rtt, 100000, 0);
    assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_CRUISE);
    expect_near(path.cc.of.bbr.bw_bound, 8000000, 5);
    expect_near(path.cc.rate, 8000000 / 100 * 99, 5);
    while (path.cc.of.bbr.phase == A3MI_BBR_CRUISE) {
        hear(&path, path.rtt, 100000, 0);
    }
    assert_true(path.cc.of.bbr.bw_bound == UINT64_MAX && path.cc.of.bbr.in_flight_bound == UINT64_MAX);
}

static void test_bbr_losses_without_a_queue_change_nothing(void **state)
{
    (void)state;
    struct path path = settled(10000000, 10 * MS);

    cruising(&path);
    for (int i = 0; i < 20; i++) {
        hear(&path, path.rtt, bdp(&path), bdp(&path) / 5);
    }
    assert_int_equal(path.cc.of.bbr.phase, A3MI_BBR_CRUISE);
    expect_near(path.cc.rate, 10000000 / 100 * 99, 1);
    expect_near(path.cc.window, 2 * bdp(&path) + 3 * PACKET, 1);
}

/*
 * Losses while less is sent than the path delivers: so much more is sent. Of each DOWN, three rounds of nine tenths
 * of a product are counted as delivered and two of a tenth as lost, as a round is one acknowledgement here: 6.9 %.
 */
static void test_bbr_losses_at_random_are_made_up_for(void **state)
{
    (void)state;
    struct path path = settled(10000000, 10 * MS);

    for (int cycle = 0; cycle < 20; cycle++) {
        while (path.cc.of.bbr.phase != A3MI_BBR_CRUISE) {
            for (uint64_t n = 0; n < bdp(&path) / 10 / PACKET; n++) {
                path.cc.ops->lost(&path.cc, path.now, path.now);
            }
            hear(&path, path.rtt, bdp(&path) / 2, 0);
        }
        while (path.cc.of.bbr.phase != A3MI_BBR_UP) {
            path.cc.ops->lost(&path.cc, path.now, path.now);
            hear(&path, path.rtt, bdp(&path), 0);
        }
        while (path.cc.of.bbr.phase == A3MI_BBR_UP) {
            hear(&path, path.rtt, 2 * bdp(&path), 0);
        }
    }
    assert_in_range(path.cc.of.bbr.loss, 1024 * 60 / 1000, 1024 * 72 / 1000);
    while (path.cc.of.bbr.phase != A3MI_BBR_CRUISE) {
        hear(&path, path.rtt, bdp(&path) / 2, 0);
    }
    assert_true(path.cc.rate > 10000000 / 100 * 104);
}

/* After 5 s the window is half a product, for 200 ms and a round trip. */
static void test_bbr_looks_for_the_round_trip_each_five_seconds(void **state)
{
    (void)state;
    struct path path = settled(10000000, 10 * MS);
    int64_t since = path.now;

    while (path.cc.of.bbr.phase != A3MI_BBR_PROBE_RTT) {
        hear(&path, path.rtt + MS / 10, bdp(&path), 0);
        assert_true(path.now < since + 6 * S);
    }
    assert_true(path.now > since + 4 * S);
    expect_near(path.cc.window, bdp(&path) / 2 + 3 * PACKET, 5);
    since = path.now;
    while (path.cc.of.bbr.phase == A3MI_BBR_PROBE_RTT) {
        hear(&path, path.rtt, bdp(&path) / 2, 0);
    }
    assert_in_range(path.now - since, 200 * MS, 250 * MS);
}

/* A path that became longer: after 10 s the old round trip is forgotten. */
static void test_bbr_longer_path_is_learned(void **state)
{
    (void)state;
    struct path path = settled(10000000, 10 * MS);
    int64_t since = path.now;

    while (path.now < since + 16 * S) {
        hear(&path, 20 * MS, bdp(&path) / 2, 0);
    }
    assert_int_equal(path.cc.of.bbr.min_rtt, 20 * MS);
}

static void test_bbr_collapse_begins_small_with_the_model_kept(void **state)
{
    (void)state;
    struct path path = settled(10000000, 10 * MS);

    cruising(&path);
    path.cc.ops->collapsed(&path.cc);
    assert_int_equal(path.cc.window, 4 * PACKET);
    hear(&path, path.rtt, 0, 0);
    expect_near(path.cc.rate, 10000000 / 100 * 99, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate_steady_sending_is_measured),
        cmocka_unit_test(test_rate_squeezed_acknowledgements_measure_the_sending),
        cmocka_unit_test(test_rate_shorter_than_the_path_says_nothing),
        cmocka_unit_test(test_rate_nothing_to_send_is_marked),
        cmocka_unit_test(test_rate_rounds_are_counted_by_what_was_delivered),
        cmocka_unit_test(test_rate_losses_of_a_flight_are_told),
        cmocka_unit_test(test_bbr_startup_paces_at_277_per_cent_until_it_does_not_help),
        cmocka_unit_test(test_bbr_growing_bandwidth_keeps_startup),
        cmocka_unit_test(test_bbr_cruise_has_two_products_and_the_bandwidth),
        cmocka_unit_test(test_bbr_probes_after_63_rounds),
        cmocka_unit_test(test_bbr_slow_path_probes_after_seconds),
        cmocka_unit_test(test_bbr_losses_of_less_than_fills_the_path_are_not_answered),
        cmocka_unit_test(test_bbr_losses_with_a_queue_end_probing),
        cmocka_unit_test(test_bbr_a_loss_with_a_queue_bounds_until_the_next_probe),
        cmocka_unit_test(test_bbr_losses_without_a_queue_change_nothing),
        cmocka_unit_test(test_bbr_losses_at_random_are_made_up_for),
        cmocka_unit_test(test_bbr_looks_for_the_round_trip_each_five_seconds),
        cmocka_unit_test(test_bbr_longer_path_is_learned),
        cmocka_unit_test(test_bbr_collapse_begins_small_with_the_model_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
