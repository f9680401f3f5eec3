/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fuzzer's bytes are the schedule: what two or three nodes of the simulated
 * world (tests/sim) do, and the fate of every packet. The world's book and
 * checks are the oracle; at the end everything heals and must come to rest.
 *
 * Byte by byte: three for the options and the seed, then actions; a byte of 0x80 and up
 * decides the fate of the packet that comes next, so that a run of them stands
 * between two actions for the packets that the first one sends.
 */
#include <stdio.h>

#include "base/addr.h"
#include "core_book.h"
#include "core_world.h"
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ACTIONS_MAX 60
#define FATES_MAX   64
#define SEED        1

struct schedule {
    struct world w;
    struct fuzz_input in;
    uint8_t fates[FATES_MAX]; /* of the packets that come next */
    unsigned first_fate, fates_count;
};

/* ---- Packets ------------------------------------------------------------------------ */

/* The faults of the network are set for each packet as it comes: certain, or none. */
static bool decide(void *arg, uint32_t from, uint32_t to, const uint8_t *bytes, size_t size)
{
    struct schedule *s = arg;
    struct core_net_faults *f = &s->w.net.faults;
    uint8_t fate = 0;

    (void)from;
    (void)to;
    (void)bytes;
    (void)size;
    if (s->first_fate < s->fates_count) {
        fate = s->fates[s->first_fate++];
    }
    *f = (struct core_net_faults){.delay = WORLD_MS};
    switch (fate % 8) {
    case 1: return false;
    case 2: f->repeat = 1000; break;
    case 3: f->damage = 1000; break;
    case 4: f->delay = (int64_t)(fate >> 3) * 3 * WORLD_MS; break;
    case 5: f->delay = (int64_t)(fate >> 3) * 700 * WORLD_MS; break;
    case 6:
        f->repeat = 1000;
        f->jitter = (int64_t)(1 + (fate >> 3)) * 200 * WORLD_MS;
        break;
    default: break;
    }
    return true;
}

static void take_fates(struct schedule *s)
{
    s->first_fate = s->fates_count = 0;
    while (s->fates_count < FATES_MAX && s->in.left > 0 && *s->in.p >= 0x80) {
        s->fates[s->fates_count++] = fuzz_u8(&s->in) & 0x7f;
    }
}

/* ---- Actions ------------------------------------------------------------------------ */

static void readdress(struct world *w, uint32_t node, uint32_t address)
{
    for (uint32_t i = 0; i < w->options.nodes; i++) {
        if (w->nodes[i].address == address) {
            return;
        }
    }
    world_readdress(w, node, address);
}

static void act(struct schedule *s)
{
    struct world *w = &s->w;
    uint8_t what = fuzz_u8(&s->in), where = fuzz_u8(&s->in), much = fuzz_u8(&s->in);
    uint32_t a = where % w->options.nodes;
    uint32_t b = where / 4 % w->options.nodes;
    uint32_t slot = where / 16 % w->options.slots;

    take_fates(s);
    switch (what % 16) {
    case 0: world_restart(w, a, (much & 1) != 0); return;
    case 1:
        readdress(w, a, 1 + much % 8u);
        if ((much & 8) != 0) {
            world_moved(w, a);
        }
        return;
    case 2: w->net.cut[w->nodes[a].address][w->nodes[b].address] ^= true; return;
    case 3: world_unlink(w, a, b, slot); return;
    case 4: world_credit(w, a, b, slot); return;
    case 5: world_run(w, much * WORLD_S / 8); return;
    case 6: world_run(w, much * 10 * WORLD_MS); return;
    case 7: world_run(w, much * WORLD_MS); return;
    case 8: world_run(w, much * WORLD_MS / 50); return;
    case 9: (void)world_send(w, a, b, slot, much, false); return;
    case 10: (void)world_send(w, a, b, slot, 1 + much % 8u, true); return;
    case 11: world_poke(w); return;
    case 12: world_ask(w, a, b, slot); return;
    case 13:
        if (w->options.stored) {
            (void)world_rollback(w, a);
        }
        return;
    case 14:
        w->whole_max = much == 0 ? 0 : 1250 + (size_t)much;
        w->black_hole = (where & 0x80) != 0 ? 1500 : 0;
        return;
    default: (void)world_send(w, a, b, slot, 1 + much % 4u, false); return;
    }
}

static struct world_options take_options(struct fuzz_input *in)
{
    static const uint32_t windows[] = {1, 2, 3, 8, 20, 100, 0, 0};
    static const int64_t lingers[] = {20 * WORLD_MS, 100 * WORLD_MS, 500 * WORLD_MS, 2 * WORLD_S};
    uint8_t shape = fuzz_u8(in), flags = fuzz_u8(in);

    return (struct world_options){
        .nodes = 2 + shape % 2u,
        .window = windows[shape / 2 % 8],
        .linger = lingers[shape / 16 % 4],
        .slots = 1 + shape / 64 % 2u,
        .peer_timeout = (flags & 1) != 0 ? 3 * WORLD_S : 0,
        .by_address = (flags & 2) != 0,
        .refuse = (flags & 4) != 0 ? 100 : 0,
        .lazy_flush = (flags & 8) != 0,
        .stored = (flags & 16) != 0,
        .mtu = (flags & 32) != 0 ? 9000 : 0,
    };
}

static void heal(struct world *w)
{
    w->net.filter = NULL;
    w->net.faults = (struct core_net_faults){.delay = WORLD_MS, .jitter = WORLD_MS / 10};
    memset(w->net.cut, 0, sizeof(w->net.cut));
    w->black_hole = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct schedule s;

    memset(&s, 0, sizeof(s));
    s.in = (struct fuzz_input){data, size};
    struct world_options options = take_options(&s.in);

    world_init(&s.w, SEED + fuzz_u8(&s.in), &options);
    s.w.event_limit = 300000;
    s.w.net.filter = decide;
    s.w.net.filter_arg = &s;
    for (unsigned i = 0; i < ACTIONS_MAX && s.in.left > 0; i++) {
        act(&s);
    }
    heal(&s.w);
    world_poke(&s.w);
    world_settle(&s.w, 300 * WORLD_S);
    world_vanish(&s.w, 300 * WORLD_S);
    world_expect_conformance(&s.w);
    world_fini(&s.w);
    return 0;
}
