/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that act at random: a table of actions with weights, threads that draw from it, and how long they go on.
 * Every call must return with a code that it may return; another one is a failed CHECK (verdict.h).
 *
 * What an actor needs of its own lies around a struct actor; actions get back to it by a3mi_container_of.
 */
#ifndef A3M_TEST_ACTOR_H
#define A3M_TEST_ACTOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/time.h>

#include "base/rng.h"

struct actor {
    struct a3mi_rng rng;
    const struct actions *actions; /* [const] */
    pthread_t thread;              /* of whoever started it */
};

/* How often it happens, in parts of the sum of all weights. */
struct action {
    const char *name;
    int (*act)(struct actor *self); /* a code of A3M */
    uint32_t weight;
};

struct actions {
    const struct action *rows;
    size_t n;
    bool (*may_be)(int result); /* what the calls may return */
};

/* Its random numbers follow from the next one of `rng`. */
void actor_init(struct actor *self, const struct actions *actions, struct a3mi_rng *rng);

/* Does `n` of its actions. On the actor's thread. */
void actor_act(struct actor *self, uint64_t n);

/* Below n. */
uint32_t actor_draw(struct actor *self, uint32_t n);

/*
 * Often now, mostly within a few tens of microseconds, rarely `longest`: most waits are for what another actor does
 * at once, or for nothing.
 */
a3m_time actor_deadline(struct actor *self, a3m_duration longest);

/* ---- How long ------------------------------------------------------------------------------- */

/* A3M_ACTIONS of the environment, or `n`, or with A3M_LONG a hundred times as many. */
uint64_t actor_total(uint64_t n);

/*
 * Actors in rounds. Between two of them all rest, and the main thread looks (`look`, which returns false when no
 * further round is wanted). Prints the actions done, and how many in a second, every ten seconds and at the end.
 */
struct crew {
    struct actor **actors;
    size_t n;
    uint64_t total;     /* actions, of all actors together; rounded up to whole rounds */
    uint32_t per_round; /* of each actor */
    bool (*look)(void *arg);
    void *arg;
};
/* Returns the actions done. */
uint64_t crew_run(const struct crew *crew);

#endif
