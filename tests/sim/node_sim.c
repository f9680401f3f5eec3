/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated world: its nodes, and the passing of time (node_sim.h). */
#include "node_sim.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURNS_MAX   UINT64_C(3000000) /* of a whole run: more is a node that never rests */
#define ROUNDS_MAX  100000            /* of one node at one instant */
#define FIRST_AT    (INT64_C(1000) * SIM_S)
#define PEER_FORMAT "n%u"

void sim_fail(struct sim *sim, const char *format, ...)
{
    if (sim->failed) {
        return;
    }
    sim->failed = true;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(sim->failure, sizeof(sim->failure), format, args);
    va_end(args);
}

/* ---- Turns -------------------------------------------------------------------------- */

static bool turn(struct sim_node *node, unsigned flags)
{
    struct sim *sim = node->sim;
    struct a3mi_turn turn = {.flags = flags | A3MI_TURN_RECEIVE | A3MI_TURN_EVENTS, .now = sim->now};
    node->dirty = false;
    if (node->stalled_until <= sim->now) {
        node->stalled_until = 0;
    }
    a3mi_wakes_init(&turn.wakes);
    node->turning = true;
    a3mi_engine_ops.turn(node->inside, &turn);
    node->turning = false;
    (void)a3mi_wakes_run(&turn.wakes);
    if (turn.after != NULL) {
        a3mi_engine_ops.after(node->inside, turn.after);
    }
    node->wake_at = turn.deadline < turn.event_deadline ? turn.deadline : turn.event_deadline;
    sim->turns++;
    return turn.more;
}

/* What the reader thread does when it wakes up: turns while there is something to do, then one that flushes. */
static void run_node(struct sim_node *node)
{
    struct sim *sim = node->sim;
    unsigned flags = sim->options.lazy ? 0 : A3MI_TURN_FLUSH;
    int rounds = 0;
    bool more;
    do {
        more = turn(node, flags);
        for (uint32_t i = 0; i < SIM_APPS; i++) {
            sim_app_run(&node->apps[i]);
        }
        more |= node->dirty || sim->net.ends[node->index].waiting > 0;
        if (!more && flags == 0) {
            flags = A3MI_TURN_FLUSH;
            more = true;
        }
    } while (more && ++rounds < ROUNDS_MAX && !sim->failed);
    if (node->wake_at <= sim->now) {
        node->wake_at = sim->now + 1;
    }
    if (rounds == ROUNDS_MAX || sim->turns > TURNS_MAX) {
        sim_fail(sim, "node %u does not come to rest", node->index);
    }
}

/* When it wants to run; INT64_MAX: never. */
static int64_t node_next(const struct sim_node *node)
{
    int64_t next = node->dirty ? 0 : node->wake_at;
    if (!node->alive) {
        return INT64_MAX;
    }
    if (node->stalled_until > 0 && node->stalled_until < next) {
        next = node->stalled_until;
    }
    for (uint32_t i = 0; i < SIM_APPS; i++) {
        const struct sim_app *app = &node->apps[i];
        if (app->open && app->take_every > 0 && app->base->inbox_count > 0 && !app->paused &&
            app->take_at < next) {
            next = app->take_at;
        }
    }
    return next > node->frozen_until ? next : node->frozen_until;
}

void sim_step(struct sim *sim, int64_t limit)
{
    int64_t next = sim_net_next(&sim->net);
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        int64_t at = node_next(&sim->nodes[i]);
        next = at < next ? at : next;
    }
    next = next > sim->now ? next : sim->now;
    sim->now = next < limit ? next : limit;
    sim->net.now = sim->now;
    if (next > limit || sim->failed) {
        if (limit == INT64_MAX) {
            sim_fail(sim, "somebody waits for ever");
        }
        return;
    }
    uint32_t got = sim_net_arrive(&sim->net, sim->now);
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        struct sim_node *node = &sim->nodes[i];
        node->dirty |= node->alive && (got & 1u << i) != 0;
        if (node->alive && node_next(node) <= sim->now) {
            run_node(node);
        }
    }
}

void sim_run(struct sim *sim, int64_t ns)
{
    int64_t end = sim->now + ns;
    while (sim->now < end && !sim->failed) {
        sim_step(sim, end);
    }
    sim_check_always(sim);
}

void sim_settle(struct sim *sim, int64_t limit)
{
    const char *why = "";
    int64_t end = sim->now + limit;
    int64_t look = SIM_MS;
    while (!sim->failed && !sim_settled(sim, &why)) {
        if (sim->now >= end) {
            sim_fail(sim, "not settled after %lld ms: %s", (long long)(limit / SIM_MS), why);
            return;
        }
        sim_run(sim, look);
        sim_ask_again(sim);
        look = look < SIM_S ? look * 2 : look;
    }
}

static uint64_t records(const struct sim_node *node)
{
    struct a3mi_assoc_stats stats;
    if (!node->alive) {
        return 0;
    }
    a3mi_assoc_get_stats(node->inside->assoc, &stats);
    return stats.senders + stats.receivers;
}

void sim_vanish(struct sim *sim, int64_t limit)
{
    int64_t end = sim->now + limit;
    for (uint32_t i = 0; i < sim->options.nodes && !sim->failed;) {
        if (records(&sim->nodes[i]) == 0) {
            i++;
        } else if (sim->now >= end) {
            sim_fail(sim, "node %u keeps %llu records after %lld ms without traffic", i,
                     (unsigned long long)records(&sim->nodes[i]), (long long)(limit / SIM_MS));
        } else {
            sim_run(sim, SIM_S / 4);
            i = 0;
        }
    }
}

/* ---- Nodes ----------------------------------------------------------------------------- */

static void open_apps(struct sim_node *node)
{
    for (uint32_t i = 0; i < SIM_APPS; i++) {
        if (node->apps[i].wanted) {
            sim_app_reopen(&node->apps[i]);
        }
    }
}

static void on_report(void *arg, int code, const char *text)
{
    struct sim_node *node = arg;
    if (code != A3M_EDUPLICATE) {
        node->reports++;
        node->report_code = code;
        (void)snprintf(node->report_text, sizeof(node->report_text), "%s", text);
    }
}

void sim_start(struct sim *sim, uint32_t index)
{
    struct sim_node *node = &sim->nodes[index];
    char id[16], address[32];
    if (node->alive || node->closing) {
        return;
    }
    a3m_node_config config = {.size = sizeof(config),
                              .linger = {sim->options.linger},
                              .peer_timeout = {sim->options.peer_timeout},
                              .outbox_bytes = sim->options.outbox_bytes,
                              .memory_ceiling = sim->options.memory_ceiling,
                              .report = on_report,
                              .report_arg = node};
    uint64_t seed[] = {sim->seed, index, ++node->lives};
    uint64_t mixed = seed[0] * 1000003 + seed[1] * 1009 + seed[2];
    a3mi_rng_init(&sim->draw, mixed);
    (void)snprintf(id, sizeof(id), PEER_FORMAT, index);
    (void)snprintf(address, sizeof(address), "sim://%u", sim_net_address(index));
    int result = a3m_node_new(&node->handle, id, address, &config);
    if (result != A3M_OK) {
        fprintf(stderr, "seed %" PRIu64 ": node %s at %s: %s\n", sim->seed, id, address, a3m_error_detail());
        abort();
    }
    void *obj;
    result = a3mi_registry_get(node->handle.v, A3MI_KIND_NODE, &obj);
    assert(result == A3M_OK);
    (void)result;
    a3mi_registry_put(node->handle.v);
    node->inside = obj;
    node->alive = true;
    node->dirty = true;
    node->wake_at = INT64_MAX;
    node->frozen_until = 0;
    node->stalled_until = 0;
    node->owner = sim_book_owner(&sim->book, index);
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        (void)snprintf(id, sizeof(id), PEER_FORMAT, i);
        (void)snprintf(address, sizeof(address), "sim://%u", sim->net.ends[i].address);
        if (i != index) {
            result = a3m_node_set_peer(node->handle, id, address);
            assert(result == A3M_OK);
        }
    }
    open_apps(node);
}

static void end_apps(struct sim_node *node)
{
    for (uint32_t i = 0; i < SIM_APPS; i++) {
        if (node->apps[i].open) {
            node->owner->dropped += node->apps[i].base->dropped;
            sim_app_over(&node->apps[i]);
        }
    }
}

void sim_kill(struct sim *sim, uint32_t index)
{
    struct sim_node *node = &sim->nodes[index];
    if (!node->alive || node->closing) {
        return;
    }
    sim_book_expose(&sim->book);
    end_apps(node);
    node->owner->over = true;
    node->alive = false;
    node->inside = NULL;
    sim->net.ends[index].open = false; /* what closing would say is not heard */
    int result = a3m_node_close(node->handle, A3M_NOW, NULL);
    assert(result == A3M_OK || result == A3M_ETIMEDOUT);
    (void)result;
}

int sim_close_node(struct sim *sim, uint32_t index, int64_t within, a3m_close_report *report)
{
    struct sim_node *node = &sim->nodes[index];
    a3m_close_report own = {.size = sizeof(own)};
    if (!node->alive || node->closing) {
        return A3M_ECLOSED;
    }
    end_apps(node);
    node->closing = true;
    int result = a3m_node_close(node->handle, (a3m_time){sim->now + within}, &own);
    node->owner->undelivered = own.undelivered;
    node->owner->unknown = own.unknown;
    node->owner->unread = own.unread + node->owner->dropped;
    node->alive = false;
    node->closing = false;
    node->inside = NULL;
    if (report != NULL) {
        *report = own;
    }
    return result;
}

void sim_notice(struct sim *sim, uint32_t index)
{
    struct sim_node *node = &sim->nodes[index];
    if (index < sim->options.nodes && node->alive) {
        a3mi_engine_ops.notice(node->inside, sim->now);
        node->dirty = true;
    }
}

void sim_freeze(struct sim *sim, uint32_t index, int64_t ns)
{
    sim->nodes[index].frozen_until = sim->now + ns;
}

void sim_stall(struct sim *sim, uint32_t index, int64_t ns)
{
    sim->nodes[index].stalled_until = sim->now + ns;
}

/* ---- Life --------------------------------------------------------------------------------- */

void sim_init(struct sim *sim, uint64_t seed, const struct sim_options *options)
{
    memset(sim, 0, sizeof(*sim));
    sim->seed = seed;
    sim->options = *options;
    sim->now = FIRST_AT;
    sim->options.nodes = options->nodes > 0 ? options->nodes : 2;
    assert(sim->options.nodes <= SIM_NODES);
    sim_net_init(&sim->net, seed);
    sim->net.now = sim->now;
    sim->net.mtu = options->mtu > 0 ? options->mtu : sim->net.mtu;
    sim_current = sim;
    sim_net_current = &sim->net;
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        struct sim_node *node = &sim->nodes[i];
        node->sim = sim;
        node->index = i;
        for (uint32_t j = 0; j < SIM_APPS; j++) {
            node->apps[j].node = node;
            node->apps[j].index = j;
        }
        sim_start(sim, i);
        sim_open(sim, i, SIM_HUB, SIM_PULL, 0, 0);
    }
}

void sim_fini(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        sim_kill(sim, i);
        for (uint32_t j = 0; j < SIM_APPS; j++) {
            free(sim->nodes[i].apps[j].replies);
            free(sim->nodes[i].apps[j].order.seen);
        }
    }
    sim_book_fini(&sim->book);
    sim_net_fini(&sim->net);
    sim_net_current = NULL;
    sim_current = NULL;
}
