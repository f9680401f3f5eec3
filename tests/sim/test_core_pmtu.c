/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The size of packets that a path takes: the search by itself, and two
 * associations over paths of several kinds. covers X3 X4
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/packet.h"
#include "core/pmtu.h"
#include "core_world.h"

/* ---- The search --------------------------------------------------------------- */

/* Runs the search over a path that takes packets of up to `path` bytes; returns where it ends, *probes how many it took. */
static uint32_t search(uint32_t limit, uint32_t path, unsigned *probes)
{
    struct a3mi_pmtu pmtu;
    int64_t now = WORLD_S;
    uint64_t nonce = 0;

    *probes = 0;
    a3mi_pmtu_init(&pmtu, A3MI_PACKET_BASE, limit);
    assert_int_equal(a3mi_pmtu_due(&pmtu, now), 0); /* nothing was sent */
    for (unsigned i = 0; i < A3MI_PMTU_UNITS; i++) {
        a3mi_pmtu_used(&pmtu);
    }
    for (int64_t until = now + 60 * WORLD_S; now < until; now += 10 * WORLD_MS) {
        uint32_t size = a3mi_pmtu_due(&pmtu, now);

        if (size == 0) {
            continue;
        }
        assert_true(size > pmtu.size && size <= limit);
        a3mi_pmtu_probed(&pmtu, ++nonce, now, 5 * WORLD_MS);
        assert_int_equal(a3mi_pmtu_due(&pmtu, now), 0); /* not again at once */
        assert_false(a3mi_pmtu_answered(&pmtu, nonce - 1));
        if (size <= path) {
            assert_true(a3mi_pmtu_answered(&pmtu, nonce));
            assert_false(a3mi_pmtu_answered(&pmtu, nonce)); /* once */
        }
        ++*probes;
    }
    return pmtu.size;
}

static void test_pmtu_search_ends_at_the_largest_size_that_the_path_takes(void **state)
{
    (void)state;
    static const struct {
        uint32_t limit, path, end, probes;
    } cases[] = {
        {1400, 9000, 1400, 0},                   /* the transport takes no more */
        {8972, 1400, 1400, A3MI_PMTU_TRIES},     /* nor does the path */
        {8972, 1452, 1452, 1 + A3MI_PMTU_TRIES}, /* IPv6, 1,500 */
        {8972, 1472, 1472, 2 + A3MI_PMTU_TRIES}, /* IPv4, 1,500 */
        {8972, 8952, 8952, 3 + A3MI_PMTU_TRIES}, /* IPv6, 9,000 */
        {8972, 65507, 8972, 4},                  /* anything */
        {1460, 65507, 1452, 1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned probes;

        assert_int_equal(search(cases[i].limit, cases[i].path, &probes), cases[i].end);
        assert_int_equal(probes, cases[i].probes);
    }
}

static void test_pmtu_search_is_repeated_after_ten_minutes(void **state)
{
    (void)state;
    struct a3mi_pmtu pmtu;
    int64_t now = WORLD_S;

    a3mi_pmtu_init(&pmtu, A3MI_PACKET_BASE, 1472);
    for (unsigned i = 0; i < A3MI_PMTU_UNITS; i++) {
        a3mi_pmtu_used(&pmtu);
    }
    for (uint64_t i = 1; i <= A3MI_PMTU_TRIES; i++, now += WORLD_S) {
        assert_int_equal(a3mi_pmtu_due(&pmtu, now), 1452);
        a3mi_pmtu_probed(&pmtu, i, now, 0);
    }
    assert_int_equal(a3mi_pmtu_due(&pmtu, now), 0);
    assert_int_equal(a3mi_pmtu_due(&pmtu, now + A3MI_PMTU_AGAIN - 1), 0);
    assert_int_equal(a3mi_pmtu_due(&pmtu, now + A3MI_PMTU_AGAIN), 1452);
}

/* ---- Paths ------------------------------------------------------------------------ */

static void begin(struct world *w, size_t whole_max)
{
    struct world_options options = {.nodes = 2, .slots = 1, .mtu = 9000, .linger = WORLD_S};

    world_init(w, 5, &options);
    w->net.faults = (struct core_net_faults){.delay = WORLD_MS};
    w->whole_max = whole_max;
    world_settle(w, 10 * WORLD_S);
}

static void transfer(struct world *w)
{
    for (int i = 0; i < 100; i++) {
        (void)world_send(w, 0, 1, 0, 20, true);
        world_run(w, 20 * WORLD_MS);
    }
}

static void finish(struct world *w)
{
    world_settle(w, 60 * WORLD_S);
    world_vanish(w, 60 * WORLD_S);
    world_expect_conformance(w);
    world_fini(w);
}

static void test_pmtu_large_path_is_used_whole(void **state)
{
    (void)state;
    struct world w;

    begin(&w, 0);
    assert_true(w.largest <= A3MI_PACKET_BASE - A3MI_PACKET_TAG);
    transfer(&w);
    assert_int_equal(w.largest, 8972 - A3MI_PACKET_TAG);
    finish(&w);
}

static void test_pmtu_ordinary_path_is_used_whole_and_not_exceeded(void **state)
{
    (void)state;
    struct world w;

    begin(&w, 1472);
    transfer(&w);
    assert_int_equal(w.largest, 1472 - A3MI_PACKET_TAG);
    finish(&w);
}

static void test_pmtu_path_that_turns_into_a_black_hole_is_left_for_the_base_size(void **state)
{
    (void)state;
    struct world w;

    begin(&w, 0);
    transfer(&w);
    assert_int_equal(w.largest, 8972 - A3MI_PACKET_TAG);
    w.black_hole = w.whole_max = 1500; /* fragments too */
    (void)world_send(&w, 0, 1, 0, 50, true);
    world_run(&w, 20 * WORLD_S);
    w.black_hole = 0; /* what was built arrives in fragments; what is built from now on is small */
    world_settle(&w, 60 * WORLD_S);
    w.largest = 0;
    transfer(&w);
    assert_true(w.largest <= 1472 - A3MI_PACKET_TAG);
    finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pmtu_search_ends_at_the_largest_size_that_the_path_takes),
        cmocka_unit_test(test_pmtu_search_is_repeated_after_ten_minutes),
        cmocka_unit_test(test_pmtu_large_path_is_used_whole),
        cmocka_unit_test(test_pmtu_ordinary_path_is_used_whole_and_not_exceeded),
        cmocka_unit_test(test_pmtu_path_that_turns_into_a_black_hole_is_left_for_the_base_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
