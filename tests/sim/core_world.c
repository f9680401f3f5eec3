/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes and time of the simulated world (core_world.h); links are in
 * core_links.c, the book of messages in core_book.c.
 */
#include "core_world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "core/packet.h"
#include "core_book.h"
#include "core_links.h"
#include "core_store.h"

#define BATCH 64
/* How often something is sent on every link while they settle. */
#define POKE (20 * WORLD_S)

_Noreturn void world_fail(const struct world *w, const char *what)
{
    fprintf(stderr, "\nA3M_SIM_SEED=%llu at %lld ns, event %llu: %s\n", (unsigned long long)w->seed,
            (long long)w->now, (unsigned long long)w->events, what);
    for (uint32_t i = 0; i < w->options.nodes; i++) {
        struct a3mi_assoc_stats s = {0};

        if (w->nodes[i].alive) {
            a3mi_assoc_get_stats(w->nodes[i].assoc, &s);
        }
        fprintf(
            stderr,
            "node %u%s: S %llu R %llu tx %llu again %llu rx %llu dup %llu stray %llu bad %llu %llu %llu\n", i,
            w->nodes[i].alive ? "" : " (dead)", (unsigned long long)s.senders,
            (unsigned long long)s.receivers, (unsigned long long)s.tx_units,
            (unsigned long long)s.retransmitted, (unsigned long long)s.rx_units,
            (unsigned long long)s.duplicates, (unsigned long long)s.stray, (unsigned long long)s.bad_packet,
            (unsigned long long)s.bad_checksum, (unsigned long long)s.bad_frame);
        for (uint32_t to = 0; to < w->options.nodes; to++) {
            for (uint32_t slot = 0; slot < w->options.slots; slot++) {
                links_print(&w->nodes[i].links[to][slot]);
            }
        }
    }
    abort();
}

/* ---- Nodes ---------------------------------------------------------------------- */

static bool chance(struct world *w, uint32_t in_1000)
{
    return a3mi_rng_below(&w->rng, 1000) < in_1000;
}

static void fill_key(struct world *w, uint8_t key[16])
{
    for (unsigned i = 0; i < 16; i++) {
        key[i] = (uint8_t)a3mi_rng_u64(&w->rng);
    }
}

static void start(struct world *w, uint32_t index)
{
    struct world_node *node = &w->nodes[index];
    struct a3mi_assoc_config config = {
        .id = node->id,
        .incarnation = a3mi_rng_u64(&w->rng) | 1,
        .seed = a3mi_rng_u64(&w->rng),
        .mtu = w->options.mtu != 0 ? w->options.mtu : 1400,
        .window = w->options.window,
        .linger = w->options.linger,
        .peer_timeout = w->options.peer_timeout,
        .memory = w->options.memory,
        .peer_memory = w->options.peer_memory,
        .gated = w->options.stored,
    };

    fill_key(w, config.key);
    node->incarnation = config.incarnation;
    int result = a3mi_assoc_new(&node->assoc, &config, &links_hooks, node);

    assert(result == 0);
    (void)result;
    node->alive = true;
    links_start(node);
    store_forget(node);
}

bool world_rollback(struct world *w, uint32_t index)
{
    struct world_node *node = &w->nodes[index];

    if (!node->alive || !store_has(node)) {
        return false;
    }
    world_kill(w, index);
    store_restore(node);
    w->rollbacks++;
    world_pump(node);
    return true;
}

void world_kill(struct world *w, uint32_t index)
{
    struct world_node *node = &w->nodes[index];

    if (node->alive) {
        links_stop(node);
        a3mi_assoc_free(node->assoc);
        node->assoc = NULL;
        node->alive = false;
    }
}

void world_restart(struct world *w, uint32_t index, bool goodbye)
{
    struct world_node *node = &w->nodes[index];

    node->was_at |= 1u << node->address;
    if (node->alive && goodbye) {
        a3mi_assoc_goodbye(node->assoc, w->now);
        for (int i = 0; i < 3; i++) {
            world_pump(node);
        }
    }
    world_kill(w, index);
    start(w, index);
    world_pump(node);
}

void world_init(struct world *w, uint64_t seed, const struct world_options *options)
{
    memset(w, 0, sizeof(*w));
    w->seed = seed;
    w->options = *options;
    w->now = WORLD_S;
    w->event_limit = 20000000;
    a3mi_rng_init(&w->rng, seed);
    core_net_init(&w->net, a3mi_rng_u64(&w->rng));
    w->book = malloc(sizeof(*w->book));
    assert(w->book != NULL);
    book_init(w->book);
    for (uint32_t i = 0; i < options->nodes; i++) {
        struct world_node *node = &w->nodes[i];
        char name[16];

        node->world = w;
        node->index = i;
        node->address = i + 1;
        node->store = options->stored ? store_new(w) : NULL;
        (void)snprintf(name, sizeof(name), "node%u", i);
        (void)a3mi_name_set(&node->id, name, strlen(name));
        start(w, i);
    }
    for (uint32_t i = 0; i < options->nodes; i++) {
        world_pump(&w->nodes[i]);
    }
}

void world_fini(struct world *w)
{
    for (uint32_t i = 0; i < w->options.nodes; i++) {
        world_kill(w, i);
        store_free(w->nodes[i].store);
    }
    core_net_fini(&w->net);
    book_fini(w->book);
    free(w->book);
}

void world_readdress(struct world *w, uint32_t node, uint32_t address)
{
    w->nodes[node].was_at |= 1u << w->nodes[node].address;
    w->nodes[node].address = address;
}

void world_moved(struct world *w, uint32_t node)
{
    if (w->nodes[node].alive) {
        a3mi_assoc_moved(w->nodes[node].assoc, w->now);
        world_pump(&w->nodes[node]);
    }
}

void world_point(struct world *w, uint32_t node, uint32_t to)
{
    struct a3m_addr addr = a3mi_addr_sim(w->nodes[to].address);

    a3mi_peer_set_addr(w->nodes[node].assoc, w->nodes[node].links[to][0].peer, &addr, w->now);
    world_pump(&w->nodes[node]);
}

/* ---- Packets ---------------------------------------------------------------------- */

static bool is_too_large(struct world *w, const struct a3m_packet_out *packet)
{
    bool whole = (packet->flags & A3M_PACKET_WHOLE) != 0;

    if (!whole && packet->size > w->largest) {
        w->largest = packet->size;
    }
    return (whole && w->whole_max != 0 && packet->size > w->whole_max) ||
           (w->black_hole != 0 && packet->size > w->black_hole);
}

/* All that one output built holds at once, as the transport will find it. */
static void check_output(struct world_node *node, const struct a3m_packet_out *out, size_t n)
{
    struct a3mi_packet packet;

    for (size_t i = 0; i < n; i++) {
        if (a3mi_packet_read(out[i].bytes, out[i].size, &packet) != A3MI_PACKET_OK) {
            world_fail(node->world, "a packet was built over another one of the same output");
        }
    }
}

/* One round of output; true when there may be more. */
static bool pump_once(struct world_node *node)
{
    struct world *w = node->world;
    struct a3m_packet_out out[BATCH];
    bool flush = !w->options.lazy_flush || chance(w, 500);
    size_t n = a3mi_assoc_output(node->assoc, out, BATCH, flush, w->now);
    size_t taken = n;

    check_output(node, out, n);
    if (n > 0 && chance(w, w->options.refuse)) {
        taken = a3mi_rng_below(&w->rng, n + 1);
    }
    for (size_t i = 0; i < taken; i++) {
        if (is_too_large(w, &out[i])) {
            continue;
        }
        core_net_send(&w->net, node->address, a3mi_addr_sim_number(out[i].to), out[i].bytes, out[i].size,
                      w->now);
    }
    if (taken < n) {
        a3mi_assoc_refused(node->assoc, out + taken, n - taken);
    }
    return n == BATCH || a3mi_assoc_pending(node->assoc);
}

void world_pump(struct world_node *node)
{
    unsigned rounds = 0;

    while (pump_once(node)) {
        if (++rounds > 10000) {
            world_fail(node->world, "output does not come to an end");
        }
    }
    a3mi_assoc_check(node->assoc);
}

static struct world_node *node_at(struct world *w, uint32_t address)
{
    for (uint32_t i = 0; i < w->options.nodes; i++) {
        if (w->nodes[i].alive && w->nodes[i].address == address) {
            return &w->nodes[i];
        }
    }
    return NULL;
}

static void deliver(struct world *w)
{
    struct core_net_packet *packet = core_net_take(&w->net);
    struct world_node *node = node_at(w, packet->to);

    if (node != NULL) {
        struct a3m_addr from = a3mi_addr_sim(packet->from);

        a3mi_assoc_input(node->assoc, &from, packet->bytes, packet->size, w->now);
        world_pump(node);
    }
    free(packet);
}

/* ---- Time ----------------------------------------------------------------------------- */

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_event(const struct world *w)
{
    int64_t at = core_net_next(&w->net);

    for (uint32_t i = 0; i < w->options.nodes; i++) {
        if (w->nodes[i].alive) {
            at = min64(at, a3mi_assoc_deadline(w->nodes[i].assoc));
            at = min64(at, links_deadline(&w->nodes[i]));
            at = min64(at, store_deadline(&w->nodes[i]));
        }
    }
    return at;
}

static void tick(struct world *w)
{
    for (uint32_t i = 0; i < w->options.nodes; i++) {
        struct world_node *node = &w->nodes[i];

        if (!node->alive) {
            continue;
        }
        bool due = links_deadline(node) <= w->now;

        if (a3mi_assoc_deadline(node->assoc) <= w->now) {
            a3mi_assoc_tick(node->assoc, w->now);
            due = true;
        }
        if (due) {
            links_tick(node);
        }
        due |= store_tick(node);
        if (due) {
            world_pump(node);
        }
    }
}

static void step(struct world *w, int64_t at)
{
    w->now = at > w->now ? at : w->now;
    if (++w->events > w->event_limit) {
        world_fail(w, "too many events: something goes round in circles");
    }
    if (core_net_next(&w->net) <= w->now) {
        deliver(w);
    } else {
        tick(w);
    }
}

void world_run(struct world *w, int64_t ns)
{
    int64_t until = w->now + ns;
    int64_t at;

    while ((at = next_event(w)) <= until) {
        step(w, at);
    }
    w->now = until;
}

static bool is_busy(const struct world *w)
{
    for (uint32_t i = 0; i < w->options.nodes; i++) {
        if (w->nodes[i].alive && a3mi_assoc_busy(w->nodes[i].assoc)) {
            return true;
        }
    }
    return false;
}

bool world_settled(const struct world *w)
{
    for (uint32_t i = 0; i < w->options.nodes; i++) {
        if (w->nodes[i].alive && !links_settled(&w->nodes[i])) {
            return false;
        }
    }
    return !is_busy(w);
}

void world_poke(struct world *w)
{
    for (uint32_t from = 0; from < w->options.nodes; from++) {
        for (uint32_t to = 0; to < w->options.nodes; to++) {
            for (uint32_t slot = 0; slot < w->options.slots; slot++) {
                (void)world_send(w, from, to, slot, 1, false);
            }
        }
    }
}

void world_settle(struct world *w, int64_t limit)
{
    int64_t until = w->now + limit;
    int64_t poke_at = w->now + POKE;

    while (!world_settled(w)) {
        if (w->now >= poke_at) {
            world_poke(w);
            poke_at = w->now + POKE;
        }
        int64_t at = min64(next_event(w), w->now + WORLD_S);

        if (at > until) {
            world_fail(w, "it does not settle");
        }
        if (at == w->now + WORLD_S) {
            w->now = at;
        } else {
            step(w, at);
        }
        links_refresh_addresses(w);
    }
}

static uint64_t records(const struct world *w)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < w->options.nodes; i++) {
        struct a3mi_assoc_stats stats;

        if (w->nodes[i].alive) {
            a3mi_assoc_get_stats(w->nodes[i].assoc, &stats);
            n += stats.senders + stats.receivers;
        }
    }
    return n;
}

void world_expect_conformance(struct world *w)
{
    for (uint32_t i = 0; i < w->options.nodes; i++) {
        struct a3mi_assoc_stats stats = {0};

        if (w->nodes[i].alive) {
            a3mi_assoc_get_stats(w->nodes[i].assoc, &stats);
        }
        if (stats.bad_frame + stats.bad_packet > 0) {
            world_fail(w, "a node counts as malformed what others sent, or took a unit twice");
        }
    }
}

void world_vanish(struct world *w, int64_t limit)
{
    int64_t until = w->now + limit;

    while (records(w) > 0) {
        int64_t at = next_event(w);

        if (at > until) {
            world_fail(w, "records stay although nothing is sent");
        }
        step(w, at);
    }
}

void world_finish(struct world *w)
{
    world_poke(w);
    world_settle(w, 100 * WORLD_S);
    world_vanish(w, 100 * WORLD_S);
    world_expect_conformance(w);
    world_fini(w);
}

uint64_t world_records(const struct world *w, uint32_t node, bool senders)
{
    struct a3mi_assoc_stats stats;

    a3mi_assoc_get_stats(w->nodes[node].assoc, &stats);
    return senders ? stats.senders : stats.receivers;
}
