/* SPDX-License-Identifier: Apache-2.0 */
/* Drawing plans (node_plan.h): nodes, sockets and links first, then work and faults in a mix. */
#include "node_plan.h"

#define PAIRS_MAX            4
#define COUNT_OF(array)      (sizeof(array) / sizeof((array)[0]))
#define ANY_OF(draw, array)  ((array)[below((draw), COUNT_OF(array))])
#define ADD(draw, verb, ...) sim_plan_add((draw)->plan, (draw)->at, (verb), (const int64_t[]){__VA_ARGS__})

struct pair {
    int64_t from, from_app, to, to_app; /* the one that sends first */
};

struct draw {
    struct sim_plan *plan;
    struct a3mi_rng rng;
    /* Of their own: what else is drawn stays what it was without. */
    struct a3mi_rng orders, credits, doors, receipts, stalls;
    int64_t at;
    struct pair pairs[PAIRS_MAX];
    size_t pair_count;
    int64_t types[SIM_NODES][SIM_HUB]; /* -1: none */
    size_t large;                      /* messages of a megabyte so far */
    bool doorless, asking, stalling;
};

static uint64_t below(struct draw *draw, uint64_t n)
{
    return a3mi_rng_below(&draw->rng, n);
}

static bool one_in(struct draw *draw, uint64_t n)
{
    return below(draw, n) == 0;
}

static int64_t any_node(struct draw *draw)
{
    return (int64_t)below(draw, draw->plan->options.nodes);
}

static int64_t other_node(struct draw *draw, int64_t node)
{
    return (node + 1 + (int64_t)below(draw, draw->plan->options.nodes - 1)) % draw->plan->options.nodes;
}

/* ---- Sockets and links ----------------------------------------------------------------- */

static void draw_options(struct draw *draw)
{
    static const uint32_t windows[] = {0, 0, 1, 2, 3, 8, 20, 100};
    static const int64_t lingers[] = {20, 100, 500, 2000};
    static const uint32_t memories[] = {0, 0, 0, 10000, 40000, 200000};
    static const int64_t retries[] = {0, 0, 100, 500};
    draw->plan->options = (struct sim_options){
        .nodes = 2 + (uint32_t)(one_in(draw, 3) ? 1 + below(draw, 2) : 0),
        .window = ANY_OF(draw, windows),
        .linger = ANY_OF(draw, lingers) * SIM_MS,
        .lazy = one_in(draw, 2),
        .mtu = one_in(draw, 4) ? 1200 : 0,
        .retry_max = ANY_OF(draw, retries) * SIM_MS,
        .memory = ANY_OF(draw, memories),
        .peer_timeout = one_in(draw, 5) ? 3 * SIM_S : 0,
    };
}

/* Each type's default half the time, and either by choice. */
static void draw_order(struct draw *draw, int64_t node, int64_t app)
{
    uint64_t what = a3mi_rng_below(&draw->orders, 4);
    if (what < 2) {
        ADD(draw, "order", node, app, (int64_t)what);
    }
}

/* A socket of that type on the node: one that is there, or a new one; -1: there is no room. */
static int64_t draw_socket(struct draw *draw, int64_t node, int64_t type)
{
    static const int64_t messages[] = {0, 0, 0, 1, 2, 5, 100};
    static const int64_t bytes[] = {0, 0, 0, 100, 2000, 20000};
    int64_t first = (int64_t)below(draw, SIM_HUB);
    for (int64_t i = 0; i < SIM_HUB; i++) {
        int64_t app = (first + i) % SIM_HUB;
        if (draw->types[node][app] == type && one_in(draw, 2)) {
            return app;
        }
        if (draw->types[node][app] < 0) {
            draw->types[node][app] = type;
            ADD(draw, "open", node, app, type, ANY_OF(draw, messages), ANY_OF(draw, bytes));
            draw_order(draw, node, app);
            return app;
        }
    }
    return -1;
}

static void link_pair(struct draw *draw, const struct pair *pair)
{
    uint64_t who = below(draw, 4); /* three in four: one end asks */
    if (who != 1) {
        ADD(draw, "link", pair->from, pair->from_app, pair->to, pair->to_app, one_in(draw, 4));
    }
    if (who <= 1) {
        ADD(draw, "link", pair->to, pair->to_app, pair->from, pair->from_app, one_in(draw, 4));
    }
}

static void draw_pair(struct draw *draw)
{
    bool requests = one_in(draw, 3);
    struct pair pair = {.from = any_node(draw)};
    pair.to = one_in(draw, 20) ? pair.from : other_node(draw, pair.from);
    pair.from_app = draw_socket(draw, pair.from, requests ? SIM_REQ : SIM_PUSH);
    pair.to_app = draw_socket(draw, pair.to, requests ? SIM_REP : SIM_PULL);
    if (pair.from_app >= 0 && pair.to_app >= 0) {
        draw->pairs[draw->pair_count++] = pair;
        link_pair(draw, &pair);
    }
}

/* ---- Work --------------------------------------------------------------------------------- */

static void draw_send(struct draw *draw)
{
    static const int64_t sizes[] = {20, 20, 64, 64, 500, 500, 1300, 5000, 20000};
    const struct pair *pair = &draw->pairs[below(draw, draw->pair_count)];
    if (one_in(draw, 60) && draw->large++ == 0) {
        ADD(draw, "send", pair->from, pair->from_app, 1, 1 << 20);
        return;
    }
    int64_t size = ANY_OF(draw, sizes);
    int64_t count = 1 + (int64_t)below(draw, size > 2000 ? 4 : one_in(draw, 5) ? 100 : 12);
    ADD(draw, "send", pair->from, pair->from_app, count, size);
}

static void draw_work(struct draw *draw)
{
    const struct pair *pair = &draw->pairs[below(draw, draw->pair_count)];
    bool sender = one_in(draw, 2);
    int64_t node = sender ? pair->from : pair->to;
    int64_t app = sender ? pair->from_app : pair->to_app;
    int64_t peer = sender ? pair->to : pair->from;
    int64_t peer_app = sender ? pair->to_app : pair->from_app;
    switch (below(draw, 16)) {
    case 0: ADD(draw, "unlink", node, app, peer, peer_app); return;
    case 1:
    case 2: link_pair(draw, pair); return;
    case 3: ADD(draw, "pause", pair->to, pair->to_app, one_in(draw, 2)); return;
    case 4: ADD(draw, "pace", pair->to, pair->to_app, (int64_t)below(draw, 5000)); return;
    case 5:
        if (one_in(draw, 3)) {
            ADD(draw, "close", node, app);
            return;
        }
        ADD(draw, "open", node, app, draw->types[node][app], 0, 0);
        return;
    default: draw_send(draw); return;
    }
}

/* What a receiver grants changes, up or down, and senders set credit aside. */
static void draw_credit(struct draw *draw)
{
    static const int64_t messages[] = {0, 1, 2, 5, 20, 1000};
    static const int64_t bytes[] = {0, 1, 100, 2000, 20000, 1 << 20};
    static const int64_t sizes[] = {20, 64, 500, 5000, 20000};
    struct a3mi_rng *rng = &draw->credits;
    const struct pair *pair = &draw->pairs[a3mi_rng_below(rng, draw->pair_count)];
    switch (a3mi_rng_below(rng, 10)) {
    case 0:
    case 1:
        ADD(draw, "credit", pair->to, pair->to_app, messages[a3mi_rng_below(rng, 6)],
            bytes[a3mi_rng_below(rng, 6)]);
        return;
    case 2:
        ADD(draw, "credit", pair->from, pair->from_app, messages[a3mi_rng_below(rng, 6)],
            bytes[a3mi_rng_below(rng, 6)]);
        return;
    case 3:
    case 4:
        ADD(draw, "reserve", pair->from, pair->from_app, 1 + (int64_t)a3mi_rng_below(rng, 4),
            sizes[a3mi_rng_below(rng, 5)]);
        return;
    default: return;
    }
}

/* A socket asks for receipts, or does not any more: in every other plan. */
static void draw_receipts(struct draw *draw)
{
    struct a3mi_rng *rng = &draw->receipts;
    const struct pair *pair = &draw->pairs[a3mi_rng_below(rng, draw->pair_count)];
    if (draw->asking && a3mi_rng_below(rng, 4) == 0) {
        ADD(draw, "receipts", pair->from, pair->from_app, a3mi_rng_below(rng, 4) > 0);
    }
}

/* Doors open and shut, and links are ended by force: in every other plan. */
static void draw_door(struct draw *draw)
{
    struct a3mi_rng *rng = &draw->doors;
    const struct pair *pair = &draw->pairs[a3mi_rng_below(rng, draw->pair_count)];
    bool sender = a3mi_rng_below(rng, 2) == 0;
    int64_t node = sender ? pair->from : pair->to;
    int64_t app = sender ? pair->from_app : pair->to_app;
    switch (draw->doorless ? 99 : a3mi_rng_below(rng, 12)) {
    case 0: ADD(draw, "door", node, app, (int64_t)a3mi_rng_below(rng, SIM_DOOR_SHUT + 1)); return;
    case 1:
        ADD(draw, "abort", node, app, sender ? pair->to : pair->from, sender ? pair->to_app : pair->from_app);
        return;
    default: return;
    }
}

/* A socket is closed, and another one has its name at once, with links to and from the same peer. */
static void draw_successor(struct draw *draw)
{
    struct a3mi_rng *rng = &draw->stalls;
    const struct pair *pair = &draw->pairs[a3mi_rng_below(rng, draw->pair_count)];
    bool sender = a3mi_rng_below(rng, 2) == 0;
    int64_t node = sender ? pair->from : pair->to;
    int64_t app = sender ? pair->from_app : pair->to_app;
    int64_t peer = sender ? pair->to : pair->from;
    int64_t peer_app = sender ? pair->to_app : pair->from_app;
    uint64_t asks = a3mi_rng_below(rng, 4);
    ADD(draw, "close", node, app);
    ADD(draw, "open", node, app, draw->types[node][app], 0, 0);
    if ((asks & 1) != 0) {
        ADD(draw, "link", peer, peer_app, node, app, 0);
    }
    if ((asks & 2) != 0) {
        ADD(draw, "link", node, app, peer, peer_app, 0);
    }
}

/* What a node's application does is heard of later: in every other plan, for about as long as plans pause. */
static void draw_stall(struct draw *draw)
{
    static const int64_t most[] = {100, 5000, 5000, 200000, 200000, 2000000};
    struct a3mi_rng *rng = &draw->stalls;
    int64_t node = (int64_t)a3mi_rng_below(rng, draw->plan->options.nodes);
    uint64_t within = (uint64_t)most[a3mi_rng_below(rng, COUNT_OF(most))];
    if (draw->stalling && a3mi_rng_below(rng, 3) == 0) {
        ADD(draw, "stall", node, 1 + (int64_t)a3mi_rng_below(rng, within));
        if (a3mi_rng_below(rng, 3) == 0) {
            draw_successor(draw);
        }
    }
}

/* ---- Faults --------------------------------------------------------------------------------- */

static void draw_path_fault(struct draw *draw)
{
    static const int64_t chances[] = {5, 20, 100, 300, 600};
    static const int64_t delays[] = {0, 50, 500, 5000, 50000, 300000};
    static const int64_t rates[] = {0, 20000, 200000, 2000000, 100000000};
    int64_t a = any_node(draw), b = other_node(draw, a);
    int64_t chance = ANY_OF(draw, chances);
    int64_t us = ANY_OF(draw, delays);
    switch (below(draw, 12)) {
    case 0: ADD(draw, "delay", a, b, us, (int64_t)below(draw, (uint64_t)us + 1)); return;
    case 1: ADD(draw, "rate", a, b, ANY_OF(draw, rates), 3000 + (int64_t)below(draw, 60000)); return;
    case 2:
    case 3: ADD(draw, "loss", a, b, chance); return;
    case 4: ADD(draw, "burst", a, b, chance / 5 + 1, 20 + (int64_t)below(draw, 400)); return;
    case 5: ADD(draw, "repeat", a, b, chance, us * 4); return;
    case 6: ADD(draw, "reorder", a, b, chance, us * 2); return;
    case 7: ADD(draw, "corrupt", a, b, chance); return;
    case 8: ADD(draw, "truncate", a, b, chance / 2); return;
    case 9: ADD(draw, "drop", a, b, (int64_t)below(draw, 1 << 16)); return;
    case 10: ADD(draw, "cut", a, b, !one_in(draw, 3)); return;
    default:
        ADD(draw, "cut", a, b, 1);
        ADD(draw, "cut", b, a, 1);
        return;
    }
}

static void draw_node_fault(struct draw *draw)
{
    int64_t node = any_node(draw);
    switch (below(draw, 10)) {
    case 0: ADD(draw, "freeze", node, 1 + (int64_t)below(draw, one_in(draw, 4) ? 20000 : 300)); return;
    case 1:
    case 2:
        ADD(draw, "move", node);
        if (one_in(draw, 2)) {
            ADD(draw, "notice", node);
        }
        return;
    case 3: ADD(draw, "return", node); return;
    case 4: ADD(draw, "nat", node, one_in(draw, 2)); return;
    case 5: ADD(draw, "leave", node, (int64_t)below(draw, 500)); return;
    case 6:
    case 7: ADD(draw, "start", node); return;
    default: ADD(draw, "kill", node); return;
    }
}

static int64_t draw_pause(struct draw *draw)
{
    switch (below(draw, 12)) {
    case 0: return (int64_t)below(draw, 8000000);
    case 1:
    case 2: return (int64_t)below(draw, 400000);
    case 3:
    case 4:
    case 5: return 0;
    case 6:
    case 7: return (int64_t)below(draw, 400);
    default: return (int64_t)below(draw, 20000);
    }
}

void sim_plan_draw(struct sim_plan *plan, uint64_t seed)
{
    struct draw draw = {.plan = plan};
    *plan = (struct sim_plan){.seed = seed};
    a3mi_rng_init(&draw.rng, seed ^ 0x706c616eu);
    a3mi_rng_init(&draw.orders, seed ^ 0x6f726472u);
    a3mi_rng_init(&draw.credits, seed ^ 0x63726564u);
    a3mi_rng_init(&draw.doors, seed ^ 0x646f6f72u);
    a3mi_rng_init(&draw.receipts, seed ^ 0x72656370u);
    a3mi_rng_init(&draw.stalls, seed ^ 0x7374616cu);
    draw.stalling = a3mi_rng_below(&draw.stalls, 2) == 0;
    draw.doorless = a3mi_rng_below(&draw.doors, 2) == 0;
    draw.asking = a3mi_rng_below(&draw.receipts, 2) == 0;
    for (int i = 0; i < SIM_NODES * SIM_HUB; i++) {
        draw.types[i / SIM_HUB][i % SIM_HUB] = -1;
    }
    draw_options(&draw);
    for (uint64_t n = 1 + below(&draw, PAIRS_MAX); n > 0; n--) {
        draw_pair(&draw);
    }
    /* Some plans are calm: what then is lost or repeated is of nobody's restart. */
    uint64_t node_faults = one_in(&draw, 2) ? 0 : 1 + below(&draw, 3);
    for (uint64_t n = 4 + below(&draw, 36); n > 0 && draw.pair_count > 0; n--) {
        uint64_t what = below(&draw, 10);
        draw.at += draw_pause(&draw);
        draw_stall(&draw);
        if (what < node_faults) {
            draw_node_fault(&draw);
        } else if (what < 5) {
            draw_path_fault(&draw);
        } else {
            draw_work(&draw);
        }
        draw_credit(&draw);
        draw_door(&draw);
        draw_receipts(&draw);
    }
}
