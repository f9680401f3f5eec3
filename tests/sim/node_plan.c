/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: their verbs, their text, playing them (node_plan.h). Drawing is in node_draw.c. */
#include "node_plan.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What an argument may be. */
enum range {
    NODE,
    APP, /* 0 to 3: those of the simulation itself are out of reach */
    TYPE,
    FLAG,
    CHANCE, /* in 1000 */
    COUNT,
    SIZE, /* bytes */
    US,
    MS,
    MASK,
    RATE, /* bytes a second */
    DOOR,
};

static const int64_t most[] = {
    [NODE] = SIM_NODES - 1,
    [APP] = SIM_HUB - 1,
    [TYPE] = SIM_REP,
    [FLAG] = 1,
    [CHANCE] = 1000,
    [COUNT] = 100000,
    [SIZE] = 16 << 20,
    [US] = INT64_C(100000000),
    [MS] = 1000000,
    [MASK] = INT64_MAX,
    [RATE] = INT64_C(10000000000),
    [DOOR] = SIM_DOOR_SHUT,
};

struct sim_verb {
    const char *name;
    void (*play)(struct sim *sim, const int64_t *a);
    int args;
    uint8_t ranges[SIM_EVENT_ARGS];
};

static uint32_t u32(int64_t value)
{
    return (uint32_t)value;
}

/* ---- Verbs ------------------------------------------------------------------------ */

static struct sim_path *path(struct sim *sim, const int64_t *a)
{
    return &sim->net.paths[a[0]][a[1]];
}

static void play_open(struct sim *sim, const int64_t *a)
{
    sim_open(sim, u32(a[0]), u32(a[1]), (enum sim_type)a[2], a[3], a[4]);
}

static void play_close(struct sim *sim, const int64_t *a)
{
    sim_close_socket(sim, u32(a[0]), u32(a[1]));
}

static void play_link(struct sim *sim, const int64_t *a)
{
    if (a[0] != a[2] || a[1] != a[3]) {
        sim_link(sim, u32(a[0]), u32(a[1]), u32(a[2]), u32(a[3]), a[4] != 0);
    }
}

static void play_unlink(struct sim *sim, const int64_t *a)
{
    sim_unlink(sim, u32(a[0]), u32(a[1]), u32(a[2]), u32(a[3]));
}

static void play_abort(struct sim *sim, const int64_t *a)
{
    sim_abort(sim, u32(a[0]), u32(a[1]), u32(a[2]), u32(a[3]));
}

static void play_door(struct sim *sim, const int64_t *a)
{
    sim_door(sim, u32(a[0]), u32(a[1]), (enum sim_door)a[2]);
}

static void play_send(struct sim *sim, const int64_t *a)
{
    const struct sim_app *app = &sim->nodes[a[0]].apps[a[1]];
    if (app->type == SIM_PUSH || app->type == SIM_REQ) {
        sim_send(sim, u32(a[0]), u32(a[1]), u32(a[2]), u32(a[3]));
    }
}

static void play_order(struct sim *sim, const int64_t *a)
{
    sim_order(sim, u32(a[0]), u32(a[1]), a[2] != 0);
}

static void play_receipts(struct sim *sim, const int64_t *a)
{
    sim_receipts(sim, u32(a[0]), u32(a[1]), a[2] != 0);
}

static void play_credit(struct sim *sim, const int64_t *a)
{
    sim_credit(sim, u32(a[0]), u32(a[1]), a[2], a[3]);
}

static void play_reserve(struct sim *sim, const int64_t *a)
{
    sim_reserve(sim, u32(a[0]), u32(a[1]), u32(a[2]), u32(a[3]));
}

static void play_pause(struct sim *sim, const int64_t *a)
{
    sim_pause(sim, u32(a[0]), u32(a[1]), a[2] != 0);
}

static void play_pace(struct sim *sim, const int64_t *a)
{
    sim_pace(sim, u32(a[0]), u32(a[1]), a[2] * SIM_US);
}

static void play_delay(struct sim *sim, const int64_t *a)
{
    path(sim, a)->delay = a[2] * SIM_US + SIM_US;
    path(sim, a)->jitter = a[3] * SIM_US;
}

static void play_rate(struct sim *sim, const int64_t *a)
{
    path(sim, a)->rate = (uint64_t)a[2];
    path(sim, a)->queue = (uint64_t)a[3];
}

static void play_loss(struct sim *sim, const int64_t *a)
{
    path(sim, a)->loss = u32(a[2]);
}

static void play_burst(struct sim *sim, const int64_t *a)
{
    path(sim, a)->burst_enter = u32(a[2]);
    path(sim, a)->burst_leave = u32(a[3]);
}

static void play_repeat(struct sim *sim, const int64_t *a)
{
    path(sim, a)->repeat = u32(a[2]);
    path(sim, a)->repeat_within = a[3] * SIM_US;
}

static void play_reorder(struct sim *sim, const int64_t *a)
{
    path(sim, a)->reorder = u32(a[2]);
    path(sim, a)->reorder_by = a[3] * SIM_US;
}

static void play_corrupt(struct sim *sim, const int64_t *a)
{
    path(sim, a)->corrupt = u32(a[2]);
}

static void play_truncate(struct sim *sim, const int64_t *a)
{
    path(sim, a)->truncate = u32(a[2]);
}

static void play_cut(struct sim *sim, const int64_t *a)
{
    path(sim, a)->cut = a[2] != 0;
}

static void play_drop(struct sim *sim, const int64_t *a)
{
    path(sim, a)->drops |= (uint64_t)a[2];
}

static void play_heal(struct sim *sim, const int64_t *a)
{
    (void)a;
    sim_net_heal(&sim->net);
}

static void play_move(struct sim *sim, const int64_t *a)
{
    sim_net_move(&sim->net, u32(a[0]));
}

static void play_notice(struct sim *sim, const int64_t *a)
{
    sim_notice(sim, u32(a[0]));
}

static void play_return(struct sim *sim, const int64_t *a)
{
    sim_net_return(&sim->net, u32(a[0]));
}

static void play_nat(struct sim *sim, const int64_t *a)
{
    sim->net.ends[a[0]].nat = a[1] != 0;
}

static void play_kill(struct sim *sim, const int64_t *a)
{
    sim_kill(sim, u32(a[0]));
}

static void play_start(struct sim *sim, const int64_t *a)
{
    if (a[0] < sim->options.nodes) {
        sim_start(sim, u32(a[0]));
    }
}

static void play_leave(struct sim *sim, const int64_t *a)
{
    (void)sim_close_node(sim, u32(a[0]), a[1] * SIM_MS, NULL);
}

static void play_freeze(struct sim *sim, const int64_t *a)
{
    sim_freeze(sim, u32(a[0]), a[1] * SIM_MS);
}

static void play_stall(struct sim *sim, const int64_t *a)
{
    sim_stall(sim, u32(a[0]), a[1] * SIM_US);
}

static const struct sim_verb verbs[] = {
    {"open", play_open, 5, {NODE, APP, TYPE, COUNT, SIZE}},
    {"close", play_close, 2, {NODE, APP}},
    {"link", play_link, 5, {NODE, APP, NODE, APP, FLAG}},
    {"unlink", play_unlink, 4, {NODE, APP, NODE, APP}},
    {"abort", play_abort, 4, {NODE, APP, NODE, APP}},
    {"door", play_door, 3, {NODE, APP, DOOR}},
    {"send", play_send, 4, {NODE, APP, COUNT, SIZE}},
    {"order", play_order, 3, {NODE, APP, FLAG}},
    {"receipts", play_receipts, 3, {NODE, APP, FLAG}},
    {"credit", play_credit, 4, {NODE, APP, COUNT, SIZE}},
    {"reserve", play_reserve, 4, {NODE, APP, COUNT, SIZE}},
    {"pause", play_pause, 3, {NODE, APP, FLAG}},
    {"pace", play_pace, 3, {NODE, APP, US}},
    {"delay", play_delay, 4, {NODE, NODE, US, US}},
    {"rate", play_rate, 4, {NODE, NODE, RATE, SIZE}},
    {"loss", play_loss, 3, {NODE, NODE, CHANCE}},
    {"burst", play_burst, 4, {NODE, NODE, CHANCE, CHANCE}},
    {"repeat", play_repeat, 4, {NODE, NODE, CHANCE, US}},
    {"reorder", play_reorder, 4, {NODE, NODE, CHANCE, US}},
    {"corrupt", play_corrupt, 3, {NODE, NODE, CHANCE}},
    {"truncate", play_truncate, 3, {NODE, NODE, CHANCE}},
    {"cut", play_cut, 3, {NODE, NODE, FLAG}},
    {"drop", play_drop, 3, {NODE, NODE, MASK}},
    {"heal", play_heal, 0, {0}},
    {"move", play_move, 1, {NODE}},
    {"notice", play_notice, 1, {NODE}},
    {"return", play_return, 1, {NODE}},
    {"nat", play_nat, 2, {NODE, FLAG}},
    {"kill", play_kill, 1, {NODE}},
    {"start", play_start, 1, {NODE}},
    {"leave", play_leave, 2, {NODE, MS}},
    {"freeze", play_freeze, 2, {NODE, MS}},
    {"stall", play_stall, 2, {NODE, US}},
};

static const struct sim_verb *verb_named(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

const char *sim_event_name(const struct sim_event *event)
{
    return event->verb->name;
}

/* ---- Making ---------------------------------------------------------------------------- */

void sim_plan_fini(struct sim_plan *plan)
{
    free(plan->events);
    *plan = (struct sim_plan){0};
}

static void push(struct sim_plan *plan, const struct sim_event *event)
{
    if (plan->count == plan->room) {
        plan->room = plan->room * 2 + 32;
        plan->events = realloc(plan->events, plan->room * sizeof(plan->events[0]));
        assert(plan->events != NULL);
    }
    plan->events[plan->count++] = *event;
}

void sim_plan_copy(struct sim_plan *to, const struct sim_plan *from)
{
    *to = (struct sim_plan){.seed = from->seed, .options = from->options};
    for (size_t i = 0; i < from->count; i++) {
        push(to, &from->events[i]);
    }
}

void sim_plan_add(struct sim_plan *plan, int64_t at, const char *verb, const int64_t *args)
{
    struct sim_event event = {.at = at, .verb = verb_named(verb)};
    assert(event.verb != NULL);
    for (int i = 0; i < event.verb->args; i++) {
        assert(args[i] >= 0 && args[i] <= most[event.verb->ranges[i]]);
        event.args[i] = args[i];
    }
    push(plan, &event);
}

/* ---- Text -------------------------------------------------------------------------------- */

void sim_plan_print(const struct sim_plan *plan, FILE *out, const char *prefix, const char *suffix)
{
    const struct sim_options *o = &plan->options;
    fprintf(out, "%splan %" PRIu64 " %u %u %" PRId64 " %d %u %" PRId64 " %u %" PRId64 "%s\n", prefix,
            plan->seed, o->nodes, o->window, o->linger / SIM_MS, o->lazy, o->mtu, o->retry_max / SIM_MS,
            o->memory, o->peer_timeout / SIM_MS, suffix);
    for (size_t i = 0; i < plan->count; i++) {
        const struct sim_event *event = &plan->events[i];
        fprintf(out, "%s%" PRId64 " %s", prefix, event->at, event->verb->name);
        for (int j = 0; j < event->verb->args; j++) {
            fprintf(out, " %" PRId64, event->args[j]);
        }
        fprintf(out, "%s\n", suffix);
    }
}

static bool read_head(struct sim_plan *plan, const char *text)
{
    struct sim_options *o = &plan->options;
    int64_t linger, retry_max, peer_timeout = 0;
    int lazy;
    /* NOLINTNEXTLINE(cert-err34-c): the ranges are checked below */
    int found = sscanf(text, "plan %" SCNu64 " %u %u %" SCNd64 " %d %u %" SCNd64 " %u %" SCNd64, &plan->seed,
                       &o->nodes, &o->window, &linger, &lazy, &o->mtu, &retry_max, &o->memory, &peer_timeout);
    if (found < 7) { /* the last two came later */
        return false;
    }
    o->linger = linger * SIM_MS;
    o->lazy = lazy != 0;
    o->retry_max = retry_max * SIM_MS;
    o->peer_timeout = peer_timeout * SIM_MS;
    return o->nodes >= 2 && o->nodes <= SIM_NODES && linger >= 0 && retry_max >= 0 && peer_timeout >= 0 &&
           (o->mtu == 0 || (o->mtu >= 1200 && o->mtu <= SIM_PACKET_MAX));
}

static bool read_event(struct sim_plan *plan, const char *text)
{
    char name[16];
    struct sim_event event = {0};
    int at = 0;
    /* NOLINTNEXTLINE(cert-err34-c): the ranges are checked below */
    if (sscanf(text, "%" SCNd64 " %15s%n", &event.at, name, &at) != 2 ||
        (event.verb = verb_named(name)) == NULL || event.at < 0) {
        return false;
    }
    for (int i = 0; i < event.verb->args; i++) {
        int used = 0;
        int64_t *value = &event.args[i];
        uint8_t range = event.verb->ranges[i];
        /* NOLINTNEXTLINE(cert-err34-c): likewise */
        if (sscanf(text + at, " %" SCNd64 "%n", value, &used) != 1 || *value < 0 || *value > most[range] ||
            (range == NODE && *value >= plan->options.nodes)) {
            return false;
        }
        at += used;
    }
    if (plan->count > 0 && event.at < plan->events[plan->count - 1].at) {
        return false;
    }
    push(plan, &event);
    return true;
}

bool sim_plan_read(struct sim_plan *plan, const char *text, int *line)
{
    char buf[256];
    bool head = false;
    *plan = (struct sim_plan){0};
    for (*line = 1; *text != '\0'; (*line)++) {
        size_t length = strcspn(text, "\n");
        (void)snprintf(buf, sizeof(buf), "%.*s", (int)length, text);
        text += length + (text[length] != '\0');
        buf[strcspn(buf, "#")] = '\0';
        if (buf[strspn(buf, " \t\r")] == '\0') {
            continue;
        }
        if (!(head ? read_event(plan, buf) : read_head(plan, buf))) {
            return false;
        }
        head = true;
    }
    return head;
}

/* ---- Playing ------------------------------------------------------------------------------ */

void sim_plan_play(const struct sim_plan *plan, struct sim *sim)
{
    sim_init(sim, plan->seed, &plan->options);
    int64_t begin = sim->now;
    for (size_t i = 0; i < plan->count && !sim->failed; i++) {
        const struct sim_event *event = &plan->events[i];
        int64_t at = begin + event->at * SIM_US;
        if (at > sim->now) {
            sim_run(sim, at - sim->now);
        }
        if (!sim->failed) {
            event->verb->play(sim, event->args);
        }
    }
    if (!sim->failed) {
        sim_finish(sim);
    }
}
