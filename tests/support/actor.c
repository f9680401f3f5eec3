/* SPDX-License-Identifier: Apache-2.0 */
#include "actor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <a3m/a3m.h>

#include "verdict.h"

void actor_init(struct actor *self, const struct actions *actions, struct a3mi_rng *rng)
{
    self->actions = actions;
    a3mi_rng_init(&self->rng, a3mi_rng_u64(rng));
}

uint32_t actor_draw(struct actor *self, uint32_t n)
{
    return (uint32_t)a3mi_rng_below(&self->rng, n);
}

a3m_time actor_deadline(struct actor *self, a3m_duration longest)
{
    uint32_t chance = actor_draw(self, 100);
    if (chance < 60) {
        return A3M_NOW;
    }
    if (chance < 98) {
        return a3m_in(a3m_us(actor_draw(self, 50)));
    }
    return a3m_in(a3m_us(actor_draw(self, (uint32_t)(longest.ns / 1000) + 1)));
}

static const struct action *draw_action(struct actor *self)
{
    const struct action *it = self->actions->rows;
    uint32_t sum = 0;
    for (size_t i = 0; i < self->actions->n; i++) {
        sum += it[i].weight;
    }
    uint32_t at = actor_draw(self, sum);
    while (at >= it->weight) {
        at -= it->weight;
        it++;
    }
    return it;
}

void actor_act(struct actor *self, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const struct action *action = draw_action(self);
        int result = action->act(self);
        if (!CHECK(self->actions->may_be(result))) {
            (void)fprintf(stderr, "%s: %d, %s\n", action->name, result, a3m_strerror(result));
        }
    }
}

uint64_t actor_total(uint64_t n)
{
    const char *text = getenv("A3M_ACTIONS");
    if (text != NULL) {
        return strtoull(text, NULL, 0);
    }
    return getenv("A3M_LONG") != NULL ? n * 100 : n;
}

/* ---- Rounds ------------------------------------------------------------------------------------- */

struct rounds {
    const struct crew *crew;
    pthread_barrier_t begin, end;
    bool over; /* written between the barriers */
};

struct seat {
    struct rounds *rounds;
    struct actor *actor;
};

static void *seat_main(void *arg)
{
    struct seat *seat = arg;
    struct rounds *rounds = seat->rounds;
    for (;;) {
        (void)pthread_barrier_wait(&rounds->begin);
        if (rounds->over) {
            return NULL;
        }
        actor_act(seat->actor, rounds->crew->per_round);
        (void)pthread_barrier_wait(&rounds->end);
    }
}

static double seconds_since(a3m_time begin)
{
    return (double)(a3m_now().ns - begin.ns) / 1e9;
}

static void print_progress(uint64_t done, uint64_t total, a3m_time begin)
{
    double s = seconds_since(begin);
    (void)printf("%" PRIu64 " of %" PRIu64 " actions in %.1f s, %.0f/s\n", done, total, s, (double)done / s);
    (void)fflush(stdout);
}

static uint64_t run_rounds(struct rounds *rounds)
{
    const struct crew *crew = rounds->crew;
    const double every = 10;
    a3m_time begin = a3m_now();
    double printed = 0;
    uint64_t done = 0;
    bool go_on = true;
    while (go_on && done < crew->total) {
        (void)pthread_barrier_wait(&rounds->begin);
        (void)pthread_barrier_wait(&rounds->end);
        done += (uint64_t)crew->per_round * crew->n;
        go_on = crew->look(crew->arg);
        if (seconds_since(begin) >= printed + every) {
            printed = seconds_since(begin);
            print_progress(done, crew->total, begin);
        }
    }
    print_progress(done, crew->total, begin);
    return done;
}

uint64_t crew_run(const struct crew *crew)
{
    struct rounds rounds = {.crew = crew};
    struct seat *seats = calloc(crew->n, sizeof(*seats));
    if (seats == NULL || pthread_barrier_init(&rounds.begin, NULL, (unsigned)crew->n + 1) != 0 ||
        pthread_barrier_init(&rounds.end, NULL, (unsigned)crew->n + 1) != 0) {
        abort();
    }
    for (size_t i = 0; i < crew->n; i++) {
        seats[i] = (struct seat){&rounds, crew->actors[i]};
        if (pthread_create(&crew->actors[i]->thread, NULL, seat_main, &seats[i]) != 0) {
            abort();
        }
    }
    uint64_t done = run_rounds(&rounds);
    rounds.over = true;
    (void)pthread_barrier_wait(&rounds.begin);
    for (size_t i = 0; i < crew->n; i++) {
        (void)pthread_join(crew->actors[i]->thread, NULL);
    }
    (void)pthread_barrier_destroy(&rounds.begin);
    (void)pthread_barrier_destroy(&rounds.end);
    free(seats);
    return done;
}
