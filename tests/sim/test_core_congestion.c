/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Congestion control and loss recovery as a whole, in virtual time: senders that
 * always have something to send, over a link with a rate, a delay, a queue that
 * drops at its tail (one bandwidth-delay product, at least 32 packets) and loss
 * (flow_model.h); and requests and replies over such links. Goodput is the bytes of packets whose units were accepted, each
 * unit once, as a share of the link's rate.
 *
 * usage: core_congestion                     the tests; A3M_SEED=n for another seed
 *        core_congestion --table [UNITS [MBIT]]   the table of docs/exactly-once.md: UNITS granted at most, of one
 *                                                 rate only
 * covers X4
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow_model.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INSTRUMENTED 1
#else
#define INSTRUMENTED 0
#endif

#define MBIT UINT64_C(1000000)
#define GBIT UINT64_C(1000000000)

static uint64_t seed = 1;

static void print_seed(void)
{
    const char *text = getenv("A3M_SEED");

    seed = text != NULL ? strtoull(text, NULL, 0) : seed;
    print_message("A3M_SEED=%llu\n", (unsigned long long)seed);
}

/* What the flows reach in `ns`, after `warm`, bits a second. */
static void measure(const struct flow_options *options, int64_t warm, int64_t ns, double out[FLOWS_MAX])
{
    static struct flow_model m;
    uint64_t before[FLOWS_MAX] = {0};

    flow_model_init(&m, options);
    flow_model_run(&m, warm);
    for (uint32_t i = 0; i < options->flows; i++) {
        before[i] = flow_model_goodput(&m, i);
    }
    flow_model_run(&m, ns);
    for (uint32_t i = 0; i < options->flows; i++) {
        out[i] = (double)(flow_model_goodput(&m, i) - before[i]) * 8e9 / (double)ns;
    }
    flow_model_fini(&m);
}

static double measure_one(const struct flow_options *options, int64_t warm, int64_t ns)
{
    double bits[FLOWS_MAX];

    measure(options, warm, ns, bits);
    return bits[0];
}

/* ---- CUBIC's response function ----------------------------------------------------- */

/* Square roots without the mathematics library: Newton's. */
static double root(double x)
{
    double r = x > 1 ? x : 1;

    for (int i = 0; i < 60; i++) {
        r = (r + x / r) / 2;
    }
    return r;
}

/* RFC 9438, 5.1: (C·(3 + β)/(4·(1 - β)))^(1/4)·RTT^(3/4)/p^(3/4), with one loss each 1/p packets. */
static double cubic_window(double rtt, double packets_a_loss)
{
    double x = rtt * packets_a_loss;

    return root(root(0.4 * 3.7 / (4 * 0.3) * x * x * x));
}

/* Reno's, which the Reno-friendly region follows (5.1): (3/2)^(1/2)/p^(1/2). */
static double reno_window(double packets_a_loss)
{
    return root(1.5 * packets_a_loss);
}

/*
 * One packet in so many is lost, as the function assumes; the link is so fast
 * that no queue stands, the grant so large that it never holds back. Units
 * accepted in a round trip are the average window.
 */
static double window_at(const char *congestion, int64_t round_trip, uint64_t packets_a_loss, int64_t warm,
                        int64_t ns)
{
    struct flow_options options = {
        .seed = seed,
        .flows = 1,
        .congestion = congestion,
        .rate = 10 * GBIT,
        .round_trip = round_trip,
        .lose_each = packets_a_loss,
        .window = 16384,
    };

    return measure_one(&options, warm, ns) / 8e9 * (double)round_trip / FLOW_PACKET;
}

static void expect_window(const char *congestion, int64_t round_trip, uint64_t packets_a_loss,
                          double expected, int64_t warm, int64_t ns)
{
    double window = window_at(congestion, round_trip, packets_a_loss, warm, ns);

    print_message("%s, %lld ms, one lost in %llu: %.1f packets, the function says %.1f: %+.1f %%\n",
                  congestion, (long long)(round_trip / FLOW_MS), (unsigned long long)packets_a_loss, window,
                  expected, 100 * (window / expected - 1));
    assert_true(window > 0.8 * expected && window < 1.2 * expected);
}

static void test_cubic_window_follows_the_published_response_function(void **state)
{
    (void)state;
    expect_window("cubic", 100 * FLOW_MS, 3000, cubic_window(0.1, 3000), 50 * FLOW_S, 200 * FLOW_S);
    expect_window("cubic", 200 * FLOW_MS, 3000, cubic_window(0.2, 3000), 50 * FLOW_S, 200 * FLOW_S);
    expect_window("cubic", 100 * FLOW_MS, 10000, cubic_window(0.1, 10000), 100 * FLOW_S, 300 * FLOW_S);
    if (!INSTRUMENTED) {
        expect_window("cubic", 100 * FLOW_MS, 100000, cubic_window(0.1, 100000), 60 * FLOW_S, 240 * FLOW_S);
    }
}

static void test_cubic_window_is_not_below_reno_where_reno_is_faster(void **state)
{
    (void)state;
    expect_window("cubic", 10 * FLOW_MS, 100, reno_window(100), 10 * FLOW_S, 100 * FLOW_S);
    expect_window("cubic", 10 * FLOW_MS, 1000, reno_window(1000), 10 * FLOW_S, 100 * FLOW_S);
    if (!INSTRUMENTED) {
        expect_window("cubic", 20 * FLOW_MS, 100000, reno_window(100000), 40 * FLOW_S, 120 * FLOW_S);
    }
    expect_window("newreno", 10 * FLOW_MS, 1000, reno_window(1000), 10 * FLOW_S, 100 * FLOW_S);
}

/* ---- One flow -------------------------------------------------------------------------- */

static double share_of_link(const char *congestion, uint64_t rate, int64_t round_trip, double loss,
                            int64_t ns)
{
    struct flow_options options = {.seed = seed,
                                   .flows = 1,
                                   .congestion = congestion,
                                   .rate = rate,
                                   .round_trip = round_trip,
                                   .window = 32768,
                                   .loss = loss};
    double share = measure_one(&options, ns / 4, ns) / (double)rate;

    print_message("%s, %llu Mb/s, %.1f ms, loss %.1f %%: %.4f of the link\n", congestion,
                  (unsigned long long)(rate / MBIT), (double)round_trip / (double)FLOW_MS, 100 * loss, share);
    return share;
}

static void test_no_loss_uses_the_link(void **state)
{
    (void)state;
    assert_true(share_of_link("cubic", 100 * MBIT, 10 * FLOW_MS, 0, 20 * FLOW_S) >= 0.95);
    assert_true(share_of_link("newreno", 100 * MBIT, 10 * FLOW_MS, 0, 20 * FLOW_S) >= 0.95);
    assert_true(share_of_link("bbr", 100 * MBIT, 10 * FLOW_MS, 0, 20 * FLOW_S) >= 0.95);
    assert_true(share_of_link("cubic", 10 * MBIT, 10 * FLOW_MS, 0, 20 * FLOW_S) >= 0.95);
}

/* Pacing wakes some four times in 250 µs, and may not cost what it sends by that. */
static void test_no_loss_uses_a_fast_link(void **state)
{
    (void)state;
    if (INSTRUMENTED) {
        skip();
    }
    assert_true(share_of_link("cubic", 10 * GBIT, 100000, 0, FLOW_S / 2) >= 0.95);
    assert_true(share_of_link("cubic", 10 * GBIT, FLOW_MS, 0, FLOW_S / 2) >= 0.95);
    assert_true(share_of_link("bbr", 10 * GBIT, FLOW_MS, 0, FLOW_S / 2) >= 0.95);
}

static void test_bbr_random_loss_costs_little_more_than_what_is_lost(void **state)
{
    (void)state;
    assert_true(share_of_link("bbr", 100 * MBIT, 10 * FLOW_MS, 0.01, 20 * FLOW_S) >= 0.93 * 0.99);
    assert_true(share_of_link("bbr", 100 * MBIT, 10 * FLOW_MS, 0.05, 20 * FLOW_S) >= 0.90 * 0.95);
    assert_true(share_of_link("bbr", 100 * MBIT, 10 * FLOW_MS, 0.2, 20 * FLOW_S) >= 0.80 * 0.80);
}

/* Some 10,000 packets are in flight, and 500 gaps among them: more than rings and ranges begin with. */
static void test_large_product_is_filled(void **state)
{
    (void)state;
    assert_true(share_of_link("bbr", GBIT, 100 * FLOW_MS, 0.05, 4 * FLOW_S) >=
                0.60 * 0.95); /* with its beginning */
    assert_true(share_of_link("cubic", GBIT, 100 * FLOW_MS, 0, 4 * FLOW_S) >= 0.75);
}

/* ---- Requests and replies ----------------------------------------------------------------- */

/*
 * What `outstanding` requests of 1 KiB, each way, come to in a second: 100 Mb/s, 10 ms, a queue of 64 KB as the
 * relay of tests/net has it, and packets of the size that the path was found to take.
 */
static double requests_per_second(const char *congestion, bool unordered, double loss, int64_t jitter)
{
    static struct flow_model m;
    const int64_t seconds = 20;
    const uint32_t outstanding = 256;
    struct flow_options options = {.seed = seed,
                                   .flows = 1,
                                   .congestion = congestion,
                                   .rate = 100 * MBIT,
                                   .round_trip = 10 * FLOW_MS,
                                   .loss = loss,
                                   .jitter = jitter,
                                   .queue = 0.5,
                                   .requests = outstanding,
                                   .unordered = unordered,
                                   .size = 1024,
                                   .path = 1472};

    flow_model_init(&m, &options);
    flow_model_run(&m, 5 * FLOW_S);
    uint64_t before = flow_model_replies(&m, 0);

    flow_model_run(&m, seconds * FLOW_S);
    double rate = (double)(flow_model_replies(&m, 0) - before) / (double)seconds;

    print_message("%s, %u requests of 1 KiB%s, loss %.1f %%, late by up to %.1f ms: %.0f a second\n",
                  congestion, outstanding, unordered ? " without order" : "", 100 * loss,
                  (double)jitter / (double)FLOW_MS, rate);
    assert_int_equal(m.too_large, 0);
    flow_model_fini(&m);
    return rate;
}

/*
 * What is lost each way is not the only loss: on a link that keeps its order, what comes behind it waits for it, and
 * so do the requests that would follow its replies.
 */
static void test_bbr_requests_random_loss_leaves_half_of_what_arrives(void **state)
{
    (void)state;
    double most = requests_per_second("bbr", false, 0, 0);
    double ordered = requests_per_second("bbr", false, 0.05, 0);

    assert_true(most >= 9800);
    assert_true(ordered >= most * 0.95 * 0.95 / 2);
    assert_true(requests_per_second("bbr", false, 0.05, 300000) >= most * 0.95 * 0.95 / 2);
    assert_true(requests_per_second("bbr", true, 0.05, 0) > ordered);
    (void)requests_per_second("bbr", true, 0.05, 300000);
}

/* CUBIC's window follows from the loss (RFC 9438, 5.1), so it has no such bound: it is printed, to be compared. */
static void test_cubic_requests_no_loss_uses_the_link(void **state)
{
    (void)state;
    assert_true(requests_per_second("cubic", false, 0, 0) >= 9800);
    (void)requests_per_second("cubic", false, 0.05, 0);
    (void)requests_per_second("cubic", true, 0.05, 0);
}

/* ---- Two flows ---------------------------------------------------------------------------- */

/* The second begins 5 s after the first. Jain's index of what they reach in `ns` after `warm`. */
static void expect_fair(const char *congestion, int64_t warm, int64_t ns)
{
    struct flow_options options = {
        .seed = seed,
        .flows = 2,
        .congestion = congestion,
        .rate = 100 * MBIT,
        .round_trip = 10 * FLOW_MS,
        .stagger = 5 * FLOW_S,
    };
    double x[FLOWS_MAX];

    measure(&options, warm, ns, x);
    double sum = x[0] + x[1];
    double index = sum * sum / (2 * (x[0] * x[0] + x[1] * x[1]));

    print_message("two %s: %.1f and %.1f Mb/s, Jain's index %.4f over %lld s\n", congestion, x[0] / 1e6,
                  x[1] / 1e6, index, (long long)(ns / FLOW_S));
    assert_true(index >= 0.95);
    assert_true(sum >= 0.93 * (double)options.rate);
}

static void test_two_flows_share_a_link(void **state)
{
    (void)state;
    expect_fair("cubic", 30 * FLOW_S, 60 * FLOW_S);
    expect_fair("newreno", 30 * FLOW_S, 60 * FLOW_S);
    expect_fair("bbr", 30 * FLOW_S, 60 * FLOW_S);
}

/* The rate-based controller and CUBIC on one link of 100 Mb/s; the first begins 5 s before the other. CUBIC's share. */
static double share_of_cubic(bool first, int64_t round_trip, double queue)
{
    struct flow_options options = {
        .seed = seed,
        .flows = 2,
        .congestion = first ? "cubic" : "bbr",
        .others = first ? "bbr" : "cubic",
        .rate = 100 * MBIT,
        .round_trip = round_trip,
        .stagger = 5 * FLOW_S + (int64_t)(seed % 7) * 137 * FLOW_MS,
        .queue = queue,
    };
    double x[FLOWS_MAX];

    measure(&options, 30 * FLOW_S, 60 * FLOW_S, x);
    double cubic = x[first ? 0 : 1], bbr = x[first ? 1 : 0];

    print_message("%lld ms, queue %.2f products: cubic, %s, %.1f Mb/s, bbr %.1f Mb/s\n",
                  (long long)(round_trip / FLOW_MS), queue, first ? "first" : "second", cubic / 1e6,
                  bbr / 1e6);
    assert_true(cubic + bbr >= 0.93 * (double)options.rate);
    return cubic / (cubic + bbr);
}

/* With less of a queue than a product, CUBIC's window falls behind; neither is starved. */
static void test_bbr_and_cubic_share_a_link(void **state)
{
    (void)state;
    static const double queues[] = {0.25, 0.5, 1, 2};

    for (int first = 0; first < 2; first++) {
        for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
            double share = share_of_cubic(first != 0, 10 * FLOW_MS, queues[i]);

            assert_true(share >= (queues[i] < 1 ? 0.15 : 0.3) && share <= 0.7);
        }
        for (size_t i = 1; i < sizeof(queues) / sizeof(queues[0]); i++) {
            assert_true(share_of_cubic(first != 0, 40 * FLOW_MS, queues[i]) >= 0.05);
        }
    }
}

/* ---- Replay --------------------------------------------------------------------------------- */

static void test_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    static struct flow_model m;
    struct flow_options options = {.seed = seed,
                                   .flows = 1,
                                   .congestion = "bbr",
                                   .rate = 100 * MBIT,
                                   .round_trip = 10 * FLOW_MS,
                                   .loss = 0.05};
    uint64_t packets[2], goodput[2];

    for (int i = 0; i < 2; i++) {
        flow_model_init(&m, &options);
        flow_model_run(&m, 3 * FLOW_S);
        packets[i] = m.out.entered;
        goodput[i] = flow_model_goodput(&m, 0);
        flow_model_fini(&m);
    }
    assert_int_equal(packets[0], packets[1]);
    assert_int_equal(goodput[0], goodput[1]);
}

/* ---- The table ---------------------------------------------------------------------------------- */

static const double losses[] = {0, 0.001, 0.01, 0.05, 0.2};
static const int64_t round_trips[] = {100000, 10 * FLOW_MS, 100 * FLOW_MS};
static const uint64_t rates[] = {10 * MBIT, 100 * MBIT, GBIT, 10 * GBIT};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int64_t clamp(int64_t n, int64_t least, int64_t most)
{
    return n < least ? least : n > most ? most : n;
}

/*
 * Long enough for the controller to come to rest, short enough to be calculated: three million packets, one at
 * 10 Gb/s.
 */
static double cell(const char *congestion, uint64_t rate, int64_t round_trip, double loss, uint32_t most)
{
    double bdp = (double)rate / 8e9 * (double)round_trip / FLOW_PACKET;
    struct flow_options options = {.seed = seed,
                                   .flows = 1,
                                   .congestion = congestion,
                                   .rate = rate,
                                   .round_trip = round_trip,
                                   .loss = loss};
    double packets = rate > GBIT ? 1e6 : 3e6;
    int64_t ns = clamp((int64_t)(packets * FLOW_PACKET * 8e9 / (double)rate), 40 * round_trip, 60 * FLOW_S);

    options.window = (uint32_t)clamp((int64_t)(4 * bdp), 2048, most);
    return measure_one(&options, ns, ns) / (double)rate;
}

/* Of all rates, or of one. */
static int print_table(uint32_t most, uint64_t only)
{
    static const char *const controllers[] = {"cubic", "bbr"};

    for (size_t c = 0; c < COUNT(controllers); c++) {
        printf(
            "\n| %s: rate, round trip | 0 %% | 0.1 %% | 1 %% | 5 %% | 20 %% |\n|---|---|---|---|---|---|\n",
            controllers[c]);
        for (size_t r = 0; r < COUNT(rates); r++) {
            for (size_t t = 0; t < COUNT(round_trips) && (only == 0 || only == rates[r]); t++) {
                printf("| %llu Mb/s, %g ms |", (unsigned long long)(rates[r] / MBIT),
                       (double)round_trips[t] / (double)FLOW_MS);
                for (size_t l = 0; l < COUNT(losses); l++) {
                    printf(" %.3f |", cell(controllers[c], rates[r], round_trips[t], losses[l], most));
                    fflush(stdout);
                }
                printf("\n");
            }
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cubic_window_follows_the_published_response_function),
        cmocka_unit_test(test_cubic_window_is_not_below_reno_where_reno_is_faster),
        cmocka_unit_test(test_no_loss_uses_the_link),
        cmocka_unit_test(test_no_loss_uses_a_fast_link),
        cmocka_unit_test(test_bbr_random_loss_costs_little_more_than_what_is_lost),
        cmocka_unit_test(test_bbr_requests_random_loss_leaves_half_of_what_arrives),
        cmocka_unit_test(test_cubic_requests_no_loss_uses_the_link),
        cmocka_unit_test(test_large_product_is_filled),
        cmocka_unit_test(test_two_flows_share_a_link),
        cmocka_unit_test(test_bbr_and_cubic_share_a_link),
        cmocka_unit_test(test_same_seed_gives_the_same_run),
    };

    print_seed();
    if (argc > 1 && strcmp(argv[1], "--table") == 0) {
        return print_table(argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 1u << 18,
                           argc > 3 ? strtoull(argv[3], NULL, 0) * MBIT : 0);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
