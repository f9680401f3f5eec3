/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random operations on several pollers and pollables, on one thread, against a
 * model that knows no lists: what each entry must, may and must not report, and
 * whether each poller's descriptor is readable. A seed that fails is printed;
 * A3M_SEED=n runs it alone.
 * covers P1 P2 P3 P4 P6 P7 P8 P12
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "support/pollable_fake.h"

enum { POLLERS = 3, THINGS = 5, STEPS = 60, SEEDS = 10000 };

/* ---- The model ------------------------------------------------------------------------------ */

struct entry {
    bool watched;
    uint32_t events, flags;
    bool spent; /* a one-shot that went off */
    /*
     * In the ready list: what raised it (an arrival, being added or modified) has not been reported. An exclusive
     * one may or may not have been told: then both are right.
     */
    bool must, may;
    unsigned order; /* when it became ready: reports of a wait come in this order */
    bool has_order;
};

struct world {
    uint64_t seed;
    struct a3mi_rng rng;
    struct a3mi_poller *pollers[POLLERS];
    bool closed[POLLERS];
    int fds[POLLERS]; /* -1: not asked for */
    struct fake_pollable things[THINGS];
    bool over[THINGS];
    struct entry entries[POLLERS][THINGS];
    unsigned clock, step;
    const char *what;
};

static uint32_t possible(const struct world *w, int x)
{
    const struct fake_pollable *thing = &w->things[x];
    if (thing->over) {
        return A3M_POLL_HUP | (thing->failed ? A3M_POLL_ERR : 0);
    }
    return (thing->in > 0 ? A3M_POLL_IN : 0) | (thing->out ? A3M_POLL_OUT : 0);
}

/* What an entry would report, if it were looked at. */
static uint32_t due(const struct world *w, int p, int x)
{
    const struct entry *e = &w->entries[p][x];
    return !e->watched || e->spent ? 0 : possible(w, x) & (e->events | A3M_POLL_ERR | A3M_POLL_HUP);
}

static void wrong(const struct world *w, const char *why, int p, int x)
{
    fail_msg("seed %llu, step %u (%s), poller %d, thing %d: %s", (unsigned long long)w->seed, w->step,
             w->what, p, x, why);
}

/* An entry is put into the ready list, if it is not in it. */
static void model_ready(struct world *w, int p, int x, bool certain)
{
    struct entry *e = &w->entries[p][x];
    if (due(w, p, x) == 0) {
        return;
    }
    if (!e->must && !e->may) {
        e->order = w->clock;
        e->has_order = certain;
    }
    e->must |= certain;
    e->may = true;
}

/* Something arrived at a thing: every ordinary entry hears of it; of the exclusive ones, with nobody asleep, all. */
static void model_wake(struct world *w, int x, uint32_t keys)
{
    for (int p = 0; p < POLLERS; p++) {
        const struct entry *e = &w->entries[p][x];
        if (e->watched && ((e->events | A3M_POLL_HUP | A3M_POLL_ERR) & keys) != 0) {
            model_ready(w, p, x, true);
        }
    }
}

/* Where less is possible than before, an entry that was ready may have left the list, and need not have. */
static void model_lower(struct world *w, int x)
{
    for (int p = 0; p < POLLERS; p++) {
        struct entry *e = &w->entries[p][x];
        if (due(w, p, x) == 0 && (e->must || e->may)) {
            /* Without a descriptor it stays until it is looked at; when it is ready again by then, it is reported. */
            e->must = false;
            e->may = w->fds[p] < 0;
            e->has_order = false;
        }
    }
}

/* ---- Operations ------------------------------------------------------------------------------- */

static uint32_t draw(struct world *w, uint32_t n)
{
    return (uint32_t)a3mi_rng_below(&w->rng, n);
}

static a3m_pollable name_of(int x)
{
    return (a3m_pollable){A3M_POLLABLE_SOCKET, (uint64_t)x + 1};
}

static uint32_t draw_events(struct world *w)
{
    return draw(w, 2) != 0 ? A3M_POLL_IN : A3M_POLL_OUT;
}

static uint32_t draw_flags(struct world *w, bool adding)
{
    static const uint32_t flags[] = {0,
                                     A3M_POLL_EDGE,
                                     A3M_POLL_ONESHOT,
                                     A3M_POLL_EDGE | A3M_POLL_ONESHOT,
                                     A3M_POLL_EXCLUSIVE,
                                     A3M_POLL_EXCLUSIVE | A3M_POLL_EDGE};
    return flags[draw(w, adding ? 6 : 4)];
}

static void arm(struct world *w, int p, int x, uint32_t events, uint32_t flags)
{
    struct entry *e = &w->entries[p][x];
    bool was_ready = e->must || e->may;
    bool had_order = e->has_order;
    unsigned order = e->order;
    *e = (struct entry){.watched = true, .events = events, .flags = flags};
    model_ready(w, p, x, true);
    if (was_ready && e->must) {
        e->has_order = had_order; /* it keeps its place */
        e->order = order;
    }
}

static void do_add(struct world *w, int p, int x)
{
    w->what = "add";
    uint32_t events = draw(w, 3) == 0 ? A3M_POLL_IN | A3M_POLL_OUT : draw_events(w);
    uint32_t flags = draw_flags(w, true);
    int wanted = w->closed[p]               ? A3M_ECLOSED
                 : w->entries[p][x].watched ? A3M_EEXIST
                 : w->over[x]               ? A3M_ECLOSED
                                            : A3M_OK;
    if (a3mi_poller_add(w->pollers[p], name_of(x), &w->things[x].pollable, events | flags,
                        &w->entries[p][x]) != wanted) {
        wrong(w, "result", p, x);
    }
    if (wanted == A3M_OK) {
        arm(w, p, x, events, flags);
    }
}

static void do_modify(struct world *w, int p, int x)
{
    w->what = "modify";
    struct entry *e = &w->entries[p][x];
    uint32_t events = draw_events(w);
    uint32_t flags = draw_flags(w, draw(w, 8) == 0);
    int wanted = !e->watched                                      ? A3M_ENOENT
                 : ((e->flags | flags) & A3M_POLL_EXCLUSIVE) != 0 ? A3M_EINVAL
                                                                  : A3M_OK;
    if (a3mi_poller_modify(w->pollers[p], name_of(x), events | flags, e) != wanted) {
        wrong(w, "result", p, x);
    }
    if (wanted == A3M_OK) {
        arm(w, p, x, events, flags);
    }
}

/* An exclusive entry that leaves, or comes back, hands on: another exclusive one may be told. */
static void model_hand_on(struct world *w, int x)
{
    for (int p = 0; p < POLLERS; p++) {
        if ((w->entries[p][x].flags & A3M_POLL_EXCLUSIVE) != 0) {
            model_ready(w, p, x, false);
        }
    }
}

static void forget(struct world *w, int p, int x)
{
    bool exclusive = (w->entries[p][x].flags & A3M_POLL_EXCLUSIVE) != 0;
    w->entries[p][x] = (struct entry){0};
    if (exclusive) {
        model_hand_on(w, x);
    }
}

static void do_remove(struct world *w, int p, int x)
{
    w->what = "remove";
    bool watched = w->entries[p][x].watched;
    if (a3mi_poller_remove(w->pollers[p], name_of(x)) != (watched ? A3M_OK : A3M_ENOENT)) {
        wrong(w, "result", p, x);
    }
    forget(w, p, x);
}

static void do_raise(struct world *w, int x)
{
    w->what = "raise";
    if (!w->over[x]) {
        fake_pollable_raise(&w->things[x], 1 + draw(w, 3));
        model_wake(w, x, A3M_POLL_IN);
    }
}

static void do_take(struct world *w, int x)
{
    w->what = "take";
    (void)fake_pollable_take(&w->things[x]);
    model_lower(w, x);
}

static void do_out(struct world *w, int x)
{
    w->what = "out";
    if (w->over[x]) {
        return;
    }
    bool out = draw(w, 2) != 0;
    fake_pollable_set_out(&w->things[x], out);
    if (out) {
        model_wake(w, x, A3M_POLL_OUT);
    } else {
        model_lower(w, x);
    }
}

static void do_false_alarm(struct world *w, int x)
{
    w->what = "false alarm";
    if (!w->over[x]) {
        fake_pollable_false_alarm(&w->things[x]);
        model_wake(w, x, A3M_POLL_OUT);
    }
}

static void do_end(struct world *w, int x)
{
    w->what = "end";
    if (!w->over[x]) {
        w->over[x] = true;
        fake_pollable_end(&w->things[x], draw(w, 2) != 0);
        model_wake(w, x, A3M_POLL_HUP);
    }
}

static void do_fd(struct world *w, int p)
{
    w->what = "fd";
    if (a3mi_poller_fd(w->pollers[p], &w->fds[p]) != (w->closed[p] ? A3M_ECLOSED : A3M_OK)) {
        wrong(w, "result", p, -1);
    }
    for (int x = 0; x < THINGS && !w->closed[p]; x++) {
        if (due(w, p, x) == 0) {
            w->entries[p][x].must = w->entries[p][x].may = false;
        }
    }
}

static void do_close(struct world *w, int p)
{
    w->what = "close";
    a3mi_poller_close(w->pollers[p]);
    w->closed[p] = true;
    for (int x = 0; x < THINGS; x++) {
        forget(w, p, x);
    }
}

/* ---- Waits ---------------------------------------------------------------------------------------- */

/* What this thread was given exclusively, it left. */
static void model_come_back(struct world *w)
{
    for (int x = 0; x < THINGS; x++) {
        model_hand_on(w, x);
    }
}

static void check_report(struct world *w, int p, const a3m_poll_event *event)
{
    int x = (int)event->what.v - 1;
    struct entry *e = &w->entries[p][x];
    if (event->user != e) {
        wrong(w, "user data", p, x);
    }
    if (!e->watched || event->events == 0 || event->events != due(w, p, x)) {
        wrong(w, "events", p, x);
    }
    if (!e->may) {
        wrong(w, "reported, and nothing happened", p, x);
    }
}

/* After its report. */
static void model_reported(struct world *w, int p, int x)
{
    struct entry *e = &w->entries[p][x];
    bool over = (due(w, p, x) & A3M_POLL_HUP) != 0;
    bool stays = (e->flags & (A3M_POLL_EDGE | A3M_POLL_ONESHOT)) == 0;
    if (over) {
        forget(w, p, x);
        return;
    }
    e->spent |= (e->flags & A3M_POLL_ONESHOT) != 0;
    e->must = e->may = stays;
    e->order = ++w->clock;
    e->has_order = stays;
}

/* All that must be reported was, as far as there was room; and the oldest of it. */
static void check_left(struct world *w, int p, const bool reported[THINGS], unsigned newest, bool full)
{
    for (int x = 0; x < THINGS; x++) {
        const struct entry *e = &w->entries[p][x];
        if (!reported[x] && e->must && due(w, p, x) != 0) {
            if (!full) {
                wrong(w, "ready, and not reported", p, x);
            }
            if (e->has_order && e->order < newest) {
                wrong(w, "older than what was reported", p, x);
            }
        }
        if (!full && !reported[x]) {
            w->entries[p][x].must = w->entries[p][x].may = false; /* it was looked at, and was not ready */
        }
    }
}

static void do_wait(struct world *w, int p)
{
    a3m_poll_event events[THINGS];
    bool reported[THINGS] = {false};
    unsigned newest = 0;
    int max = 1 + (int)draw(w, THINGS);
    w->what = "wait";
    model_come_back(w);
    int n = a3mi_poller_wait(w->pollers[p], events, (size_t)max, 0, false);
    if (w->closed[p]) {
        if (n != A3M_ECLOSED) {
            wrong(w, "result", p, -1);
        }
        return;
    }
    if (n < 0 || n > max) {
        wrong(w, "result", p, -1);
    }
    for (int i = 0; i < n; i++) {
        check_report(w, p, &events[i]);
        int x = (int)events[i].what.v - 1;
        if (reported[x]) {
            wrong(w, "reported twice", p, x);
        }
        reported[x] = true;
        const struct entry *e = &w->entries[p][x];
        if (e->has_order && e->order < newest) {
            wrong(w, "out of order", p, x);
        }
        newest = e->has_order ? e->order : newest;
    }
    check_left(w, p, reported, newest, n == max);
    for (int i = 0; i < n; i++) {
        model_reported(w, p, (int)events[i].what.v - 1);
    }
}

/* ---- After each step -------------------------------------------------------------------------------- */

static void check_fd(struct world *w, int p)
{
    struct pollfd pfd = {.fd = w->fds[p], .events = POLLIN};
    if (w->fds[p] < 0 || w->closed[p]) {
        return;
    }
    bool readable = poll(&pfd, 1, 0) == 1;
    bool must = false;
    bool may = false;
    for (int x = 0; x < THINGS; x++) {
        must |= w->entries[p][x].must && due(w, p, x) != 0;
        may |= w->entries[p][x].may && due(w, p, x) != 0;
    }
    if (must && !readable) {
        wrong(w, "ready, and its descriptor is not readable", p, -1);
    }
    if (!may && readable) {
        wrong(w, "its descriptor is readable, and nothing is ready", p, -1);
    }
}

static void step(struct world *w)
{
    int p = (int)draw(w, POLLERS);
    int x = (int)draw(w, THINGS);
    w->clock++;
    switch (draw(w, 40)) {
    case 0: do_close(w, p); break;
    case 1: do_end(w, x); break;
    case 2: do_fd(w, p); break;
    case 3: do_false_alarm(w, x); break;
    case 4:
    case 5: do_remove(w, p, x); break;
    case 6:
    case 7:
    case 8:
    case 9: do_modify(w, p, x); break;
    case 10:
    case 11:
    case 12:
    case 13:
    case 14:
    case 15:
    case 16: do_add(w, p, x); break;
    case 17:
    case 18:
    case 19:
    case 20:
    case 21: do_out(w, x); break;
    case 22:
    case 23:
    case 24:
    case 25:
    case 26: do_take(w, x); break;
    case 27:
    case 28:
    case 29:
    case 30: do_raise(w, x); break;
    default: do_wait(w, p); break;
    }
    for (int i = 0; i < POLLERS; i++) {
        check_fd(w, i);
    }
}

static void run_seed(uint64_t seed)
{
    struct world w = {.seed = seed};
    a3mi_rng_init(&w.rng, seed);
    for (int p = 0; p < POLLERS; p++) {
        assert_int_equal(a3mi_poller_new(&w.pollers[p], &fake_poller_host), A3M_OK);
        w.fds[p] = -1;
    }
    for (int x = 0; x < THINGS; x++) {
        fake_pollable_init(&w.things[x]);
    }
    for (w.step = 0; w.step < STEPS; w.step++) {
        step(&w);
    }
    for (int p = 0; p < POLLERS; p++) {
        a3mi_poller_close(w.pollers[p]);
        a3mi_poller_free(w.pollers[p]);
    }
    for (int x = 0; x < THINGS; x++) {
        fake_pollable_fini(&w.things[x]);
    }
}

static void test_poller_random_operations_as_the_model(void **arg)
{
    (void)arg;
    const char *one = getenv("A3M_SEED");
    uint64_t seeds = getenv("A3M_LONG") != NULL ? 100 * SEEDS : SEEDS;
    if (one != NULL) {
        run_seed(strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        run_seed(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_poller_random_operations_as_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
