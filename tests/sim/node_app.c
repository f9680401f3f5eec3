/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets of simulated nodes, and what applications do with them (node_sim.h). */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node_sim.h"

#define SENDS_A_RUN 256 /* of one socket, before others have their turn */

static const a3m_socket_type *const types[] = {
    [SIM_PUSH] = &a3m_push, [SIM_PULL] = &a3m_pull, [SIM_REQ] = &a3m_req, [SIM_REP] = &a3m_rep};

static struct sim *sim_of(const struct sim_app *app)
{
    return app->node->sim;
}

/* ---- Opening and closing ------------------------------------------------------------ */

static void ask(struct sim_app *app, const struct sim_wish *wish)
{
    char peer[64];
    if (wish->by_address) {
        (void)snprintf(peer, sizeof(peer), "sim://%u/s%u", sim_net_address(wish->node), wish->app);
    } else {
        (void)snprintf(peer, sizeof(peer), "n%u/s%u", wish->node, wish->app);
    }
    char question[40];
    a3m_link_options options = {.size = sizeof(options), .metadata = question};
    options.metadata_size = sim_door_question(app, question, sizeof(question));
    int result = a3m_socket_link_with(app->socket, peer, &options, NULL);
    if (result != A3M_OK && result != A3M_EEXIST) {
        sim_fail(sim_of(app), "a link to %s cannot be asked for: %s", peer, a3m_strerror(result));
    }
}

static void set(struct sim_app *app, a3m_option option, int64_t value)
{
    if (value > 0 && a3m_socket_set(app->socket, option, value) != A3M_OK) {
        sim_fail(sim_of(app), "option %d cannot be set: %s", (int)option, a3m_error_detail());
    }
}

/* Links that are up stay as they are. */
static void set_order(struct sim_app *app, bool ordered)
{
    if (app->ordered >= 0 && a3m_socket_set(app->socket, A3M_OPT_ORDERED, ordered) != A3M_OK) {
        sim_fail(sim_of(app), "the order cannot be set: %s", a3m_error_detail());
    }
    app->unordered |= !ordered;
    if (app->life != NULL) {
        app->life->unordered |= !ordered;
    }
}

void sim_app_reopen(struct sim_app *app)
{
    char tag[16];
    void *obj;
    (void)snprintf(tag, sizeof(tag), "s%u", app->index);
    int result = a3m_socket_open(&app->socket, app->node->handle, types[app->type], tag);
    assert(result == A3M_OK);
    result = a3mi_registry_get(app->socket.v, A3MI_KIND_SOCKET, &obj);
    assert(result == A3M_OK);
    (void)result;
    a3mi_registry_put(app->socket.v);
    app->base = obj;
    app->open = true;
    app->life = NULL;
    app->unordered = false;
    app->asked = app->answered = 0;
    app->order.count = 0;
    app->take_at = 0;
    app->node->dirty = true;
    set(app, A3M_OPT_CREDIT_MESSAGES, app->credit_messages);
    set(app, A3M_OPT_CREDIT_BYTES, app->credit_bytes);
    set(app, A3M_OPT_LINK_RETRY_MAX, sim_of(app)->options.retry_max);
    sim_door_set(app);
    set_order(app, app->ordered < 0 ? !types[app->type]->unordered : app->ordered > 0);
    for (uint32_t i = 0; i < app->wish_count; i++) {
        ask(app, &app->wishes[i]);
    }
}

void sim_app_over(struct sim_app *app)
{
    app->open = false;
    app->held_count = 0;
    app->base = NULL;
    a3m_msg_free(app->ready);
    app->ready = NULL;
    app->job_count = 0;
    for (size_t i = 0; i < app->reply_count; i++) {
        a3m_msg_free(app->replies[i].request);
        a3m_msg_free(app->replies[i].reply);
    }
    app->reply_count = 0;
}

void sim_open(struct sim *sim, uint32_t node, uint32_t index, enum sim_type type, int64_t credit_messages,
              int64_t credit_bytes)
{
    struct sim_app *app = &sim->nodes[node].apps[index];
    if (!app->wanted || !app->open) {
        app->type = type;
        app->ordered = -1;
        app->door = SIM_DOOR_NONE;
        app->asks = false;
        app->credit_messages = credit_messages;
        app->credit_bytes = credit_bytes;
    }
    app->wanted = true;
    if (app->node->alive && !app->node->closing && !app->open) {
        sim_app_reopen(app);
    }
}

void sim_close_socket(struct sim *sim, uint32_t node, uint32_t index)
{
    struct sim_app *app = &sim->nodes[node].apps[index];
    app->wanted = false;
    if (app->open) {
        app->node->owner->dropped += app->base->dropped;
        (void)a3m_socket_close(app->socket);
        sim_app_over(app);
    }
}

void sim_link(struct sim *sim, uint32_t node, uint32_t index, uint32_t peer, uint32_t peer_app,
              bool by_address)
{
    struct sim_app *app = &sim->nodes[node].apps[index];
    struct sim_wish wish = {peer, peer_app, by_address};
    bool known = false;
    for (uint32_t i = 0; i < app->wish_count; i++) {
        known |= app->wishes[i].node == peer && app->wishes[i].app == peer_app;
    }
    if (!known && app->wish_count < SIM_LINKS) {
        app->wishes[app->wish_count++] = wish;
    }
    if (app->open) {
        ask(app, &wish);
    }
}

/* Whether it is the link with that socket, as far as its own node knows. */
static bool is_link_with(const a3m_link_info *info, uint32_t peer, uint32_t peer_app)
{
    char node[16], tag[16];
    (void)snprintf(node, sizeof(node), "n%u", peer);
    (void)snprintf(tag, sizeof(tag), "s%u", peer_app);
    return strcmp(info->peer_tag, tag) == 0 &&
           (strcmp(info->peer_node, node) == 0 || info->peer_node[0] == '\0');
}

/* What it gave up is in its report, and in what the node counts. */
static void cut(struct sim_app *app, a3m_link link)
{
    struct sim *sim = sim_of(app);
    a3m_abort_report report = {.size = sizeof(report)};
    struct a3mi_given_up before = a3mi_node_given_up(app->node->inside);
    int result = a3m_link_abort(link, &report);
    struct a3mi_given_up after = a3mi_node_given_up(app->node->inside);
    if (result != A3M_OK) {
        sim_fail(sim, "a link cannot be aborted: %s", a3m_strerror(result));
    } else if (after.undelivered - before.undelivered != report.undelivered ||
               after.unknown - before.unknown != report.unknown) {
        sim_fail(sim,
                 "an abort reports %" PRIu64 " undelivered, %" PRIu64 " unknown, its node counts %" PRIu64
                 " and %" PRIu64,
                 report.undelivered, report.unknown, after.undelivered - before.undelivered,
                 after.unknown - before.unknown);
    }
    sim->aborts++;
    sim->abandoned += report.undelivered + report.unknown;
    app->node->dirty = true;
}

static void end_links(struct sim *sim, uint32_t node, uint32_t index, uint32_t peer, uint32_t peer_app,
                      bool by_force)
{
    struct sim_app *app = &sim->nodes[node].apps[index];
    a3m_link links[16];
    for (uint32_t i = 0; i < app->wish_count; i++) {
        if (app->wishes[i].node == peer && app->wishes[i].app == peer_app) {
            app->wishes[i] = app->wishes[--app->wish_count];
            break;
        }
    }
    int n = app->open ? a3m_socket_links(app->socket, links, 16) : 0;
    for (int i = 0; i < n && i < 16; i++) {
        a3m_link_info info = {.size = sizeof(info)};
        if (a3m_link_get_info(links[i], &info) == A3M_OK && is_link_with(&info, peer, peer_app)) {
            if (by_force) {
                cut(app, links[i]);
            } else {
                (void)a3m_link_end(links[i]);
            }
        }
    }
}

void sim_unlink(struct sim *sim, uint32_t node, uint32_t index, uint32_t peer, uint32_t peer_app)
{
    end_links(sim, node, index, peer, peer_app, false);
}

void sim_abort(struct sim *sim, uint32_t node, uint32_t index, uint32_t peer, uint32_t peer_app)
{
    end_links(sim, node, index, peer, peer_app, true);
}

/* ---- What they do ---------------------------------------------------------------------- */

void sim_send(struct sim *sim, uint32_t node, uint32_t index, uint32_t count, uint32_t size)
{
    struct sim_app *app = &sim->nodes[node].apps[index];
    if (app->open && app->job_count < SIM_JOBS && count > 0) {
        app->jobs[app->job_count++] = (struct sim_job){count, size};
        app->node->dirty = true;
    }
}

void sim_order(struct sim *sim, uint32_t node, uint32_t index, bool ordered)
{
    struct sim_app *app = &sim->nodes[node].apps[index];
    app->ordered = ordered;
    if (app->open) {
        set_order(app, ordered);
    }
}

void sim_pause(struct sim *sim, uint32_t node, uint32_t index, bool paused)
{
    sim->nodes[node].apps[index].paused = paused;
    sim->nodes[node].dirty |= sim->nodes[node].alive;
}

void sim_pace(struct sim *sim, uint32_t node, uint32_t index, int64_t every)
{
    sim->nodes[node].apps[index].take_every = every;
    sim->nodes[node].dirty |= sim->nodes[node].alive;
}

void sim_credit(struct sim *sim, uint32_t node, uint32_t index, int64_t messages, int64_t bytes)
{
    struct sim_app *app = &sim->nodes[node].apps[index];
    app->credit_messages = messages > 0 ? messages : app->credit_messages;
    app->credit_bytes = bytes > 0 ? bytes : app->credit_bytes;
    if (app->open) {
        set(app, A3M_OPT_CREDIT_MESSAGES, messages);
        set(app, A3M_OPT_CREDIT_BYTES, bytes);
        app->node->dirty = true;
    }
}

/* The last one of those that are held, which is given back or used up by the caller. */
static struct sim_held unhold(struct sim_app *app, uint32_t i)
{
    struct sim_held held = app->held[i];
    app->held[i] = app->held[--app->held_count];
    return held;
}

void sim_release(struct sim_app *app)
{
    while (app->open && app->held_count > 0) {
        if (a3m_release(app->socket, unhold(app, 0).credit) != A3M_OK) {
            sim_fail(sim_of(app), "a reservation cannot be given back: %s", a3m_error_detail());
        }
        app->node->dirty = true;
    }
}

void sim_reserve(struct sim *sim, uint32_t node, uint32_t index, uint32_t count, uint32_t size)
{
    struct sim_app *app = &sim->nodes[node].apps[index];
    if (!app->open || app->type != SIM_PUSH) {
        return;
    }
    if (app->held_count + count > SIM_HELD) {
        sim_release(app);
    }
    for (uint32_t i = 0; i < count && app->held_count < SIM_HELD; i++) {
        struct sim_held held = {.size = size};
        int result = a3m_socket_reserve(app->socket, size, &held.credit, NULL, A3M_NOW);
        if (result == A3M_OK) {
            app->held[app->held_count++] = held;
        } else if (result != A3M_ENOCREDIT && result != A3M_ENOLINK) {
            sim_fail(sim, "reserving: %s", a3m_strerror(result));
        }
    }
}

/* By a reservation that is large enough; A3M_ENOCREDIT: there is none. Those whose link ended are gone. */
static int send_held(struct sim_app *app, a3m_msg *msg)
{
    for (uint32_t i = 0; i < app->held_count;) {
        if (app->held[i].size < a3m_msg_size(msg)) {
            i++;
            continue;
        }
        int result = a3m_send_reserved(app->socket, unhold(app, i).credit, msg);
        if (result != A3M_ELINKDOWN) {
            return result;
        }
    }
    return A3M_ENOCREDIT;
}

/* A message for the job that is first; NULL: there is none. */
static a3m_msg *next_message(struct sim_app *app)
{
    if (app->ready != NULL || app->job_count == 0) {
        return app->ready;
    }
    if (app->life == NULL) {
        app->life = sim_book_life(&sim_of(app)->book, app->node->owner);
        app->life->unordered = app->unordered;
    }
    struct sim_job *job = &app->jobs[0];
    app->ready = sim_book_message(app->life, job->size);
    sim_receipt_ask(app, app->ready);
    if (--job->count == 0) {
        app->job_count--;
        memmove(job, job + 1, app->job_count * sizeof(*job));
    }
    return app->ready;
}

static void send(struct sim_app *app)
{
    for (int i = 0; i < SENDS_A_RUN && (app->held_count > 0 || !a3mi_list_empty(&app->base->sendable)); i++) {
        a3m_msg *msg = next_message(app);
        if (msg == NULL) {
            return;
        }
        unsigned kinds = msg->receipt != NULL ? msg->receipt->kinds : 0;
        int result = send_held(app, msg);
        if (result == A3M_ENOCREDIT) {
            result = a3m_try_send(app->socket, msg);
        }
        if (result != A3M_OK) {
            if (result != A3M_ENOCREDIT && result != A3M_ENOLINK && result != A3M_ENOWINDOW) {
                sim_fail(sim_of(app), "sending: %s", a3m_strerror(result));
            }
            return;
        }
        app->ready = NULL;
        app->asked++;
        sim_book_sent(app->life);
        sim_receipt_sent(app->life, kinds);
    }
}

static void keep_reply(struct sim_app *app, a3m_msg *request)
{
    if (app->reply_count == app->reply_room) {
        app->reply_room = app->reply_room * 2 + 16;
        app->replies = realloc(app->replies, app->reply_room * sizeof(app->replies[0]));
        assert(app->replies != NULL);
    }
    app->replies[app->reply_count++] = (struct sim_reply){request, sim_book_reply(app->node->owner, request)};
}

static void answer(struct sim_app *app)
{
    size_t kept = 0;
    for (size_t i = 0; i < app->reply_count; i++) {
        struct sim_reply it = app->replies[i];
        int result = a3m_reply(app->socket, it.request, it.reply, A3M_NOW);
        if (result == A3M_ENOCREDIT || result == A3M_ENOWINDOW) {
            app->replies[kept++] = it;
            continue;
        }
        if (result == A3M_OK) {
            app->node->owner->sent++;
        } else if (result == A3M_ENOLINK) {
            a3m_msg_free(it.reply); /* who asked is gone */
        } else {
            sim_fail(sim_of(app), "replying: %s", a3m_strerror(result));
        }
        a3m_msg_free(it.request);
    }
    app->reply_count = kept;
}

static void take(struct sim_app *app)
{
    struct sim *sim = sim_of(app);
    while (app->base->inbox_count > 0 && !app->paused) {
        a3m_msg *msg;
        if (app->take_every > 0 && app->take_at > sim->now) {
            return;
        }
        int result = a3m_try_recv(app->socket, &msg);
        if (result != A3M_OK) {
            sim_fail(sim, "receiving: %s", a3m_strerror(result));
            return;
        }
        app->take_at = sim->now + app->take_every;
        sim_book_delivered(sim, &app->order, msg);
        if (app->type == SIM_REP && !sim->failed) {
            keep_reply(app, msg);
        } else {
            a3m_msg_free(msg);
        }
    }
}

static void take_outcomes(struct sim_app *app)
{
    struct sim *sim = sim_of(app);
    while (app->answered < app->asked) {
        a3m_msg *reply = NULL;
        int result = a3m_try_recv(app->socket, &reply);
        if (result == A3M_EAGAIN) {
            return;
        }
        app->answered++;
        if (result == A3M_OK) {
            sim_book_replied(sim, app->life, reply);
            a3m_msg_free(reply);
        } else if (result != A3M_ERESTARTED && result != A3M_ECLOSED && result != A3M_ECANCELED &&
                   (result != A3M_ESILENT || sim->options.peer_timeout == 0)) {
            sim_fail(sim, "a request ended with: %s", a3m_strerror(result));
        }
    }
}

void sim_app_run(struct sim_app *app)
{
    if (!app->open) {
        return;
    }
    switch (app->type) {
    case SIM_PUSH: send(app); break;
    case SIM_PULL: take(app); break;
    case SIM_REQ:
        send(app);
        take_outcomes(app);
        break;
    case SIM_REP:
        take(app);
        answer(app);
        break;
    }
}
