/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <a3m/a3m.h>

#include "base/error.h"
#include "runtime/reader.h"

static struct stage_actor **actors;
static size_t count;
static sem_t back; /* the main thread goes on */
static _Thread_local struct stage_actor *self;

/* The linker's names for both sides of a wrapped function. NOLINTBEGIN(bugprone-reserved-identifier) */
int __wrap_a3mi_reader_wait(struct a3mi_reader *reader, struct a3mi_parker *parker, int64_t deadline,
                            bool eintr);
unsigned __real_a3mi_wakes_run(struct a3mi_wakes *wakes);
unsigned __wrap_a3mi_wakes_run(struct a3mi_wakes *wakes);
/* NOLINTEND(bugprone-reserved-identifier) */

static void expect(bool good, const char *what)
{
    if (!good) {
        (void)fprintf(stderr, "stage: %s\n", what);
        abort();
    }
}

static void await(sem_t *sem)
{
    while (sem_wait(sem) != 0) {
        expect(errno == EINTR, "sem_wait");
    }
}

/* ---- In place of the library's ------------------------------------------------------------------ */

/* The main thread never sleeps. */
int __wrap_a3mi_reader_wait(struct a3mi_reader *reader, struct a3mi_parker *parker, int64_t deadline,
                            bool eintr)
{
    (void)reader;
    (void)deadline;
    (void)eintr;
    if (a3mi_parker_take(parker)) {
        return A3M_OK;
    }
    if (self == NULL) {
        return a3mi_fail_plain(A3M_ETIMEDOUT);
    }
    if (self->late) {
        return a3mi_fail_plain(A3M_ETIMEDOUT);
    }
    self->parker = parker;
    self->woken = false;
    self->state = STAGE_ASLEEP;
    (void)sem_post(&back);
    await(&self->go);
    self->state = STAGE_RUNS;
    self->parker = NULL;
    if (self->answer == A3M_OK) {
        expect(a3mi_parker_take(parker), "a thread goes on that was not woken");
        return A3M_OK;
    }
    return a3mi_fail_plain(self->answer);
}

static struct stage_actor *sleeper(const struct a3mi_parker *parker)
{
    for (size_t i = 0; i < count; i++) {
        if (actors[i]->state == STAGE_ASLEEP && actors[i]->parker == parker) {
            return actors[i];
        }
    }
    return NULL;
}

static unsigned run_one(struct a3mi_parker *parker)
{
    struct a3mi_wakes one = {.first = parker};
    parker->next_wake = NULL;
    return __real_a3mi_wakes_run(&one);
}

/* What is for an actor stays collected, as in a list of wakes that another thread is about to carry out. */
unsigned __wrap_a3mi_wakes_run(struct a3mi_wakes *wakes)
{
    unsigned slept = 0;
    struct a3mi_parker *it = wakes->first;
    a3mi_wakes_init(wakes);
    while (it != NULL) {
        struct a3mi_parker *next = it->next_wake;
        struct stage_actor *actor = sleeper(it);
        if (actor != NULL) {
            actor->woken = true;
        } else {
            slept += run_one(it);
        }
        it = next;
    }
    return slept;
}

/* ---- Actors --------------------------------------------------------------------------------------- */

static void *act(void *arg)
{
    self = arg;
    for (;;) {
        await(&self->go);
        if (self->over) {
            return NULL;
        }
        self->state = STAGE_RUNS;
        self->result = self->call(self->arg);
        self->state = STAGE_IDLE;
        (void)sem_post(&back);
    }
}

void stage_open(struct stage_actor **all, size_t n)
{
    actors = all;
    count = n;
    expect(sem_init(&back, 0, 0) == 0, "sem_init");
    for (size_t i = 0; i < n; i++) {
        all[i]->state = STAGE_IDLE;
        all[i]->over = false;
        expect(sem_init(&all[i]->go, 0, 0) == 0, "sem_init");
        expect(pthread_create(&all[i]->thread, NULL, act, all[i]) == 0, "pthread_create");
    }
}

void stage_close(void)
{
    for (size_t i = 0; i < count; i++) {
        expect(actors[i]->state == STAGE_IDLE, "an actor is not idle");
        actors[i]->over = true;
        (void)sem_post(&actors[i]->go);
        (void)pthread_join(actors[i]->thread, NULL);
        (void)sem_destroy(&actors[i]->go);
    }
    (void)sem_destroy(&back);
    count = 0;
}

void stage_call(struct stage_actor *actor, int (*call)(void *arg), void *arg)
{
    expect(actor->state == STAGE_IDLE, "an actor is not idle");
    actor->call = call;
    actor->arg = arg;
    actor->late = false;
    (void)sem_post(&actor->go);
    await(&back);
}

void stage_resume(struct stage_actor *actor, int why)
{
    expect(actor->state == STAGE_ASLEEP && (actor->woken || why != A3M_OK), "nothing wakes this actor");
    if (actor->woken) {
        actor->woken = false;
        (void)run_one(actor->parker);
    }
    actor->answer = why;
    actor->late |= why == A3M_ETIMEDOUT;
    (void)sem_post(&actor->go);
    await(&back);
}
