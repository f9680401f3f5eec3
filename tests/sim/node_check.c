/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold in the simulated world (node_sim.h). Looks into links, where
 * the public interface says too little: numbers, limits, incarnations.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "node_sim.h"

#define SETTLE_WITHIN (600 * SIM_S)
#define VANISH_WITHIN (600 * SIM_S)
#define CLOSE_WITHIN  (60 * SIM_S)

/* ---- Links ------------------------------------------------------------------------- */

static bool is_up(const struct a3mi_link *link)
{
    return link->state == A3MI_LINK_UP && !link->ended;
}

static struct sim_app *app_named(struct sim *sim, const struct a3mi_name *node, const struct a3mi_name *tag)
{
    /* Names of this simulation's making: n0, s3. */
    unsigned long n = node->len > 1 ? strtoul(node->s + 1, NULL, 10) : SIM_NODES;
    unsigned long s = tag->len > 1 ? strtoul(tag->s + 1, NULL, 10) : SIM_APPS;
    if (n >= sim->options.nodes || s >= SIM_APPS) {
        return NULL;
    }
    return &sim->nodes[n].apps[s];
}

/* The other end of a link that is up; NULL: there is none that agrees. */
static struct a3mi_link *other_end(struct sim *sim, const struct a3mi_link *link)
{
    const struct sim_app *app = app_named(sim, &link->peer_node, &link->peer_tag);
    if (app == NULL || !app->open || link->incarnation != app->node->inside->incarnation) {
        return NULL;
    }
    A3MI_LIST_FOREACH (it, &app->base->links) {
        struct a3mi_link *other = a3mi_container_of(it, struct a3mi_link, on_socket);
        if (is_up(other) && other->number == link->peer_number && other->peer_number == link->number &&
            other->incarnation == link->socket->node->incarnation) {
            return other;
        }
    }
    return NULL;
}

/* NULL: nothing is missing. */
static const char *link_lacks(struct sim *sim, const struct a3mi_link *link)
{
    if (link->alias != NULL || link->state == A3MI_LINK_CLOSED) {
        return NULL;
    }
    if (!is_up(link)) {
        return "a link is neither up nor over";
    }
    const struct a3mi_link *other = other_end(sim, link);
    if (other == NULL) {
        return "a link is up at one end only";
    }
    if (link->acknowledged != link->sent) {
        return "messages are not acknowledged";
    }
    if (other->received != link->sent || other->taken != other->received) {
        return "messages are not taken";
    }
    if (link->limit_messages != other->told_messages || link->limit_bytes != other->told_bytes) {
        return "credit is under way";
    }
    if (!sim_door_told(link, other)) {
        return "what the ends tell is under way";
    }
    return NULL;
}

static bool has_wish(const struct sim_app *app, const struct sim_wish *wish)
{
    A3MI_LIST_FOREACH (it, &app->base->links) {
        const struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_socket);
        const struct sim_app *peer = app_named(app->node->sim, &link->peer_node, &link->peer_tag);
        if (is_up(link) && peer == &app->node->sim->nodes[wish->node].apps[wish->app]) {
            return true;
        }
    }
    return false;
}

/* Whether a link with that socket can ever be up. */
static bool is_sensible(const struct sim *sim, const struct sim_app *app, const struct sim_wish *wish)
{
    static const enum sim_type partners[] = {
        [SIM_PUSH] = SIM_PULL, [SIM_PULL] = SIM_PUSH, [SIM_REQ] = SIM_REP, [SIM_REP] = SIM_REQ};
    const struct sim_app *peer = &sim->nodes[wish->node].apps[wish->app];
    return peer->open && peer->type == partners[app->type];
}

/* ---- Settled -------------------------------------------------------------------------- */

static const char *app_lacks(struct sim *sim, struct sim_app *app)
{
    if (app->base->links_up + app->base->links_coming == 0) {
        app->job_count = 0; /* there is nobody to send to */
        a3m_msg_free(app->ready);
        app->ready = NULL;
    }
    if (app->job_count > 0 || app->ready != NULL) {
        return "messages wait to be sent";
    }
    if (app->base->inbox_count > 0 || app->reply_count > 0) {
        return "messages wait to be taken";
    }
    if (app->type == SIM_REQ && app->answered < app->asked) {
        return "requests have no outcome";
    }
    for (uint32_t i = 0; i < app->wish_count; i++) {
        if (is_sensible(sim, app, &app->wishes[i]) && !has_wish(app, &app->wishes[i]) &&
            !sim_door_refused(app, &app->wishes[i])) {
            return "a link that is wanted is not up";
        }
    }
    A3MI_LIST_FOREACH (it, &app->base->links) {
        const char *lack = link_lacks(sim, a3mi_container_of(it, struct a3mi_link, on_socket));
        if (lack != NULL) {
            return lack;
        }
    }
    return NULL;
}

/* Links end behind what was sent on them, their sockets may be long closed. */
static bool has_ending_links(const struct sim_node *node)
{
    size_t it = 0;
    uint64_t number;
    void *value;
    while (a3mi_map64_next(&node->inside->links, &it, &number, &value)) {
        const struct a3mi_link *link = value;
        if (link->state != A3MI_LINK_UP && link->state != A3MI_LINK_RETRYING) {
            return true;
        }
    }
    return false;
}

bool sim_settled(struct sim *sim, const char **why)
{
    const char *lack = NULL;
    for (uint32_t i = 0; i < sim->options.nodes && lack == NULL; i++) {
        struct sim_node *node = &sim->nodes[i];
        for (uint32_t j = 0; j < SIM_APPS && lack == NULL && node->alive; j++) {
            lack = node->apps[j].open ? app_lacks(sim, &node->apps[j]) : NULL;
        }
        if (lack == NULL && node->alive && has_ending_links(node)) {
            lack = "links are ending";
        }
        if (lack == NULL && node->alive && node->owner->receipts > 0) {
            lack = "receipts are to come";
        }
        if (lack == NULL && node->alive && atomic_load(&node->inside->outbox_bytes) > 0) {
            lack = "the outbox is not empty";
        }
    }
    if (why != NULL) {
        *why = lack;
    }
    return lack == NULL;
}

/* ---- Checks ----------------------------------------------------------------------------- */

static void check_link(struct sim *sim, const struct a3mi_link *link)
{
    sim_door_check_refused(sim, link);
    if (link->state != A3MI_LINK_UP) {
        return;
    }
    if (link->taken > link->received || link->acknowledged > link->sent) {
        sim_fail(sim, "a link has more messages taken than received, or acknowledged than sent");
    }
    if (!link->credit_queued && (link->told_messages > link->taken + link->capacity_messages ||
                                 link->told_bytes > link->taken_bytes + link->capacity_bytes)) {
        sim_fail(sim, "a link grants more than it has room for");
    }
    if (link->received > link->most_messages) {
        sim_fail(sim, "%" PRIu64 " messages arrived with credit for %" PRIu64, link->received,
                 link->most_messages);
    }
    const struct a3mi_link *other = link->ended ? NULL : other_end(sim, link);
    if (other != NULL && link->sent + link->reserved > other->most_messages) {
        sim_fail(sim, "%" PRIu64 " messages were sent or may be with credit for %" PRIu64,
                 link->sent + link->reserved, other->most_messages);
    }
    if (other != NULL && (other->received > link->sent || link->limit_messages > other->most_messages)) {
        sim_fail(sim, "a link has more received than sent, or credit that nobody granted");
    }
}

/* All was taken: less than a quarter of the capacity may not have been granted again. */
static void check_credit_is_back(struct sim *sim, const struct a3mi_link *link)
{
    uint64_t messages = link->taken + link->capacity_messages - link->told_messages;
    uint64_t bytes = link->taken_bytes + link->capacity_bytes - link->told_bytes;
    if (is_up(link) &&
        (messages >= (link->capacity_messages + 3) / 4 || bytes >= (link->capacity_bytes + 3) / 4)) {
        sim_fail(sim, "credit was not returned: %" PRIu64 " messages, %" PRIu64 " bytes", messages, bytes);
    }
}

static void for_links(struct sim *sim, void (*check)(struct sim *sim, const struct a3mi_link *link))
{
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        for (uint32_t j = 0; j < SIM_APPS; j++) {
            const struct sim_app *app = &sim->nodes[i].apps[j];
            if (!app->open) {
                continue;
            }
            A3MI_LIST_FOREACH (it, &app->base->links) {
                check(sim, a3mi_container_of(it, struct a3mi_link, on_socket));
            }
        }
    }
}

void sim_check_always(struct sim *sim)
{
    for_links(sim, check_link);
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        if (sim->nodes[i].alive) {
            a3mi_assoc_check(sim->nodes[i].inside->assoc);
        }
    }
}

/* Only nodes of this library are here: nobody sends what cannot be understood. */
static void check_conduct(struct sim *sim, const struct sim_node *node)
{
    struct a3mi_assoc_stats stats;
    a3mi_assoc_get_stats(node->inside->assoc, &stats);
    uint64_t odd = node->inside->odd_controls;
    if (stats.bad_frame + odd + node->inside->credit_violations + stats.duplicate_id > 0) {
        sim_fail(sim,
                 "node %u counts %" PRIu64 " bad frames, %" PRIu64 " odd controls, %" PRIu64
                 " violations of credit, %" PRIu64 " duplicate ids",
                 node->index, stats.bad_frame, node->inside->odd_controls, node->inside->credit_violations,
                 stats.duplicate_id);
    }
}

/* Replies that came when their requests had an outcome: taken by nobody, as the sockets count. */
static uint64_t dropped_by(const struct sim_node *node)
{
    uint64_t dropped = node->owner->dropped;
    for (uint32_t i = 0; i < SIM_APPS; i++) {
        dropped += node->apps[i].open ? node->apps[i].base->dropped : 0;
    }
    return dropped;
}

void sim_check(struct sim *sim)
{
    sim_check_always(sim);
    for_links(sim, check_credit_is_back);
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (node->alive) {
            struct a3mi_given_up given_up = a3mi_node_given_up(node->inside);
            node->owner->undelivered = given_up.undelivered;
            node->owner->unknown = given_up.unknown;
            node->owner->unread = given_up.unread + dropped_by(node);
            check_conduct(sim, node);
        }
    }
    sim_book_check(sim);
    sim_receipts_check(sim);
}

/* ---- For people ---------------------------------------------------------------------------- */

static void dump_link(FILE *out, const struct a3mi_link *link)
{
    fprintf(out,
            "    link %" PRIu64 "/%" PRIu64 " with %s/%s: state %d%s%s%s, reason %d, sent %" PRIu64
            " of %" PRIu64 ", acknowledged %" PRIu64 ", received %" PRIu64 ", taken %" PRIu64
            ", granted %" PRIu64 ", of incarnation %016" PRIx64 "\n",
            link->number, link->peer_number, link->peer_node.s, link->peer_tag.s, (int)link->state,
            link->ended ? ", ended" : "", link->incoming ? ", incoming" : "",
            link->alias != NULL ? ", alias" : "", link->reason, link->sent, link->limit_messages,
            link->acknowledged, link->received, link->taken, link->told_messages, link->incarnation);
}

void sim_dump(const struct sim *sim, FILE *out)
{
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        const struct sim_node *node = &sim->nodes[i];
        fprintf(out, "node %u: %s", i, node->alive ? "alive" : "dead\n");
        if (!node->alive) {
            continue;
        }
        fprintf(out, ", incarnation %016" PRIx64 ", address %u\n", node->inside->incarnation,
                sim->net.ends[i].address);
        for (uint32_t j = 0; j < SIM_APPS; j++) {
            const struct sim_app *app = &node->apps[j];
            if (!app->open) {
                continue;
            }
            fprintf(out, "  socket s%u, a %s: %u jobs, %zu replies, %" PRIu64 " of %" PRIu64 " outcomes\n", j,
                    app->base->type->name, app->job_count, app->reply_count, app->answered, app->asked);
            A3MI_LIST_FOREACH (it, &app->base->links) {
                dump_link(out, a3mi_container_of(it, struct a3mi_link, on_socket));
            }
        }
    }
}

/* ---- The end ------------------------------------------------------------------------------ */

static void heal_node(struct sim *sim, struct sim_node *node)
{
    sim_net_return(&sim->net, node->index);
    node->frozen_until = 0;
    node->stalled_until = 0;
    node->dirty = true;
    sim_start(sim, node->index);
    for (uint32_t i = 0; i < SIM_APPS; i++) {
        sim_pause(sim, node->index, i, false);
        sim_pace(sim, node->index, i, 0);
        sim_release(&node->apps[i]);
        if (node->apps[i].door == SIM_DOOR_LATER) {
            sim_door(sim, node->index, i, SIM_DOOR_OPEN); /* those that are shut stay so */
        }
    }
}

/* Links that can be up are asked for again, should they have ended; others are given up. */
static void heal_links(struct sim *sim, struct sim_app *app)
{
    for (uint32_t i = 0; i < app->wish_count && app->open;) {
        struct sim_wish wish = app->wishes[i];
        if (is_sensible(sim, app, &wish)) {
            sim_link(sim, app->node->index, app->index, wish.node, wish.app, wish.by_address);
            i++;
        } else {
            sim_unlink(sim, app->node->index, app->index, wish.node, wish.app);
        }
    }
}

/* All but what applications want; who lives in the past learns it. */
static void heal_nodes(struct sim *sim)
{
    sim_net_heal(&sim->net);
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        heal_node(sim, &sim->nodes[i]);
    }
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        struct sim_node *node = &sim->nodes[i];
        sim_open(sim, i, SIM_SPOKE, SIM_PUSH, 0, 0);
        for (uint32_t j = 0; j < sim->options.nodes; j++) {
            char id[16], address[32];
            if (j == i) {
                continue;
            }
            (void)snprintf(id, sizeof(id), "n%u", j);
            (void)snprintf(address, sizeof(address), "sim://%u", sim_net_address(j));
            if (a3m_node_set_peer(node->handle, id, address) != A3M_OK) {
                sim_fail(sim, "set_peer: %s", a3m_error_detail());
            }
            node->dirty = true;
            sim_link(sim, i, SIM_SPOKE, j, SIM_HUB, false);
        }
        sim_send(sim, i, SIM_SPOKE, sim->options.nodes - 1, 100);
    }
}

static void heal_wishes(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->options.nodes * SIM_HUB; i++) {
        heal_links(sim, &sim->nodes[i / SIM_HUB].apps[i % SIM_HUB]);
    }
}

void sim_heal(struct sim *sim)
{
    heal_nodes(sim);
    heal_wishes(sim);
}

/* A link that is up at one end only; NULL: there is none. */
static const struct a3mi_link *half_link(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->options.nodes * SIM_APPS; i++) {
        const struct sim_app *app = &sim->nodes[i / SIM_APPS].apps[i % SIM_APPS];
        if (!app->open) {
            continue;
        }
        A3MI_LIST_FOREACH (it, &app->base->links) {
            const struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_socket);
            if (is_up(link) && other_end(sim, link) == NULL) {
                return link;
            }
        }
    }
    return NULL;
}

/*
 * Both ends come to agree although nobody asks for a link again: to ask mends what was wrong. Not where a silent
 * peer is given up, which learns that when it sends.
 */
static void settle_ends(struct sim *sim)
{
    int64_t end = sim->now + SETTLE_WITHIN;
    const struct a3mi_link *link = NULL;
    while (sim->options.peer_timeout == 0 && !sim->failed && (link = half_link(sim)) != NULL) {
        if (sim->now >= end) {
            sim_fail(sim, "link %" PRIu64 "/%" PRIu64 " is up at one end only", link->number,
                     link->peer_number);
        }
        sim_run(sim, 10 * SIM_MS);
    }
}

/* A few messages from every socket that sends: what was forgotten must not be missed. */
static void send_again(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        for (uint32_t j = 0; j < SIM_HUB; j++) {
            const struct sim_app *app = &sim->nodes[i].apps[j];
            if (app->open && app->wish_count > 0 && (app->type == SIM_PUSH || app->type == SIM_REQ)) {
                sim_send(sim, i, j, 3, 64);
            }
        }
    }
}

static void close_all(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->options.nodes && !sim->failed; i++) {
        int result = sim_close_node(sim, i, CLOSE_WITHIN, NULL);
        if (result != A3M_OK) {
            sim_fail(sim, "closing node %u: %s", i, a3m_strerror(result));
        }
    }
    if (!sim->failed) {
        sim_book_check(sim);
        sim_receipts_check(sim);
    }
}

static void spokes_leave(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        sim->nodes[i].apps[SIM_SPOKE].wish_count = 0;
        sim_close_socket(sim, i, SIM_SPOKE);
    }
}

void sim_ask_again(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        for (uint32_t j = 0; j < SIM_APPS; j++) {
            const struct sim_app *app = &sim->nodes[i].apps[j];
            for (uint32_t k = 0; k < app->wish_count && app->open; k++) {
                if (is_sensible(sim, app, &app->wishes[k]) && !has_wish(app, &app->wishes[k]) &&
                    !sim_door_refused(app, &app->wishes[k])) {
                    sim_link(sim, i, j, app->wishes[k].node, app->wishes[k].app, app->wishes[k].by_address);
                }
            }
        }
    }
}

void sim_finish(struct sim *sim)
{
    heal_nodes(sim);
    settle_ends(sim);
    heal_wishes(sim);
    sim_settle(sim, SETTLE_WITHIN);
    sim_check(sim);
    spokes_leave(sim);
    sim_vanish(sim, VANISH_WITHIN);
    send_again(sim);
    sim_settle(sim, SETTLE_WITHIN);
    sim_check(sim);
    sim_vanish(sim, VANISH_WITHIN);
    close_all(sim);
}
