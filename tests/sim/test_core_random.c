/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random schedules for the exactly-once layer: each seed draws a network, nodes
 * and some dozens of events, then everything heals and must come to rest. A
 * breach prints its seed; A3M_SIM_SEED=n runs that one alone, A3M_LONG=1 more
 * of them.
 * covers core
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "core_book.h"
#include "core_world.h"

#define SEEDS         2000u
#define LONG_SEEDS    60000u
#define SEEDS_SECONDS 60 /* stops early on a machine that is too slow, never below a tenth */

struct totals {
    uint64_t messages, events, packets, lost, channels, left, rollbacks, overtaken;
};

static uint64_t draw(struct world *w, uint64_t n)
{
    return a3mi_rng_below(&w->rng, n);
}

static struct world_options draw_options(struct a3mi_rng *rng)
{
    static const uint32_t windows[] = {1, 2, 3, 8, 20, 100, 0};
    static const uint64_t memories[] = {0, 0, 10000, 40000, 200000};
    static const int64_t lingers[] = {20 * WORLD_MS, 100 * WORLD_MS, 500 * WORLD_MS, 2 * WORLD_S};

    return (struct world_options){
        .nodes = 2 + (uint32_t)a3mi_rng_below(rng, 2),
        .window = windows[a3mi_rng_below(rng, sizeof(windows) / sizeof(windows[0]))],
        .linger = lingers[a3mi_rng_below(rng, 4)],
        .peer_timeout = a3mi_rng_below(rng, 5) == 0 ? 3 * WORLD_S : 0,
        .by_address = a3mi_rng_below(rng, 2) == 0,
        .slots = 1 + (uint32_t)a3mi_rng_below(rng, WORLD_SLOTS),
        .refuse = a3mi_rng_below(rng, 4) == 0 ? 100 : 0,
        .lazy_flush = a3mi_rng_below(rng, 2) == 0,
        .stored = a3mi_rng_below(rng, 3) == 0,
        .mtu = a3mi_rng_below(rng, 3) == 0 ? 9000 : 0,
        .memory = memories[a3mi_rng_below(rng, sizeof(memories) / sizeof(memories[0]))],
    };
}

static void draw_faults(struct world *w)
{
    static const uint32_t losses[] = {0, 10, 50, 200, 400, 600};
    struct core_net_faults *f = &w->net.faults;

    w->whole_max = draw(w, 2) == 0 ? 0 : 1300 + draw(w, 200);
    w->black_hole = draw(w, 6) == 0 ? 1500 : 0;
    f->loss = losses[draw(w, 6)];
    f->repeat = draw(w, 3) == 0 ? 300 : 0;
    f->damage = draw(w, 4) == 0 ? 50 : 0;
    f->delay = (int64_t)draw(w, 3) * 10 * WORLD_MS + 20000;
    f->jitter = (int64_t)draw(w, 3) * 20 * WORLD_MS;
    f->late = draw(w, 3) == 0 ? 50 : 0;
    f->late_max = (int64_t)draw(w, 20) * WORLD_S + 1;
}

static void heal(struct world *w)
{
    w->net.faults = (struct core_net_faults){.delay = WORLD_MS, .jitter = WORLD_MS / 10};
    w->black_hole = 0;
    for (unsigned i = 0; i < CORE_NET_ADDRS; i++) {
        for (unsigned j = 0; j < CORE_NET_ADDRS; j++) {
            w->net.cut[i][j] = false;
        }
    }
}

/* A node gets an address that no other has: often one that somebody had before. */
static void readdress(struct world *w, uint32_t node)
{
    uint32_t address = 1 + (uint32_t)draw(w, 8);

    for (uint32_t i = 0; i < w->options.nodes; i++) {
        if (w->nodes[i].address == address) {
            return;
        }
    }
    world_readdress(w, node, address);
}

static void act(struct world *w)
{
    uint32_t a = (uint32_t)draw(w, w->options.nodes);
    uint32_t b = (uint32_t)draw(w, w->options.nodes);
    uint32_t slot = (uint32_t)draw(w, w->options.slots);

    if (w->options.stored && draw(w, 6) == 0) {
        (void)world_rollback(w, a);
        return;
    }
    switch (draw(w, 20)) {
    case 0: world_restart(w, a, draw(w, 2) == 0); return;
    case 1: draw_faults(w); return;
    case 2: w->net.cut[w->nodes[a].address][w->nodes[b].address] ^= true; return;
    case 3:
        readdress(w, a);
        if (draw(w, 2) == 0) {
            world_moved(w, a); /* also when it did not */
        }
        return;
    case 4: world_unlink(w, a, b, slot); return;
    case 5:
    case 6: world_credit(w, a, b, slot); return;
    case 8:
    case 9: world_ask(w, a, b, slot); return;
    case 7: world_send(w, a, b, slot, 1 + (uint32_t)draw(w, 200), false); return;
    default: world_send(w, a, b, slot, 1 + (uint32_t)draw(w, 6), true); return;
    }
}

static int64_t draw_pause(struct world *w)
{
    switch (draw(w, 10)) {
    case 0: return (int64_t)draw(w, 12) * WORLD_S;
    case 1:
    case 2: return (int64_t)draw(w, 600) * WORLD_MS;
    case 3:
    case 4: return 0;
    default: return (int64_t)draw(w, 20) * WORLD_MS;
    }
}

static void run_seed(uint64_t seed, struct totals *totals)
{
    struct a3mi_rng rng;
    struct world w;

    a3mi_rng_init(&rng, seed ^ 0xa3a3a3a3u);
    struct world_options options = draw_options(&rng);

    world_init(&w, seed, &options);
    draw_faults(&w);
    uint64_t actions = 5 + draw(&w, 40);

    for (uint64_t i = 0; i < actions; i++) {
        act(&w);
        world_run(&w, draw_pause(&w));
    }
    heal(&w);
    world_poke(&w);
    world_settle(&w, 300 * WORLD_S);
    world_vanish(&w, 300 * WORLD_S);
    world_expect_conformance(&w);
    totals->messages += w.book->messages;
    totals->events += w.events;
    totals->packets += w.net.sent;
    totals->lost += w.net.lost;
    totals->channels += w.book->count;
    totals->left += w.book->left_channels;
    totals->overtaken += w.book->overtaken;
    totals->rollbacks += w.rollbacks;
    world_fini(&w);
}

static void test_core_random_schedules_keep_the_invariants(void **state)
{
    (void)state;
    struct totals totals = {0};
    const char *one = getenv("A3M_SIM_SEED");
    uint64_t seeds = getenv("A3M_LONG") != NULL ? LONG_SEEDS : SEEDS;
    uint64_t first = 1;
    uint64_t done = 0;
    time_t start = time(NULL);

    if (one != NULL) {
        first = strtoull(one, NULL, 0);
        seeds = 1;
    }
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        run_seed(seed, &totals);
        done++;
        if (getenv("A3M_LONG") == NULL && done >= seeds / 10 && time(NULL) - start > SEEDS_SECONDS) {
            break;
        }
    }
    print_message("%llu seeds: %llu messages, %llu packets (%llu lost), %llu events, %llu channels (%llu "
                  "left), %llu rollbacks, %llu overtaken\n",
                  (unsigned long long)done, (unsigned long long)totals.messages,
                  (unsigned long long)totals.packets, (unsigned long long)totals.lost,
                  (unsigned long long)totals.events, (unsigned long long)totals.channels,
                  (unsigned long long)totals.left, (unsigned long long)totals.rollbacks,
                  (unsigned long long)totals.overtaken);
    assert_true(one != NULL || totals.overtaken > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_random_schedules_keep_the_invariants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
