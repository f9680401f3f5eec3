/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that make blocking calls, one of which runs at a time, as the test says: a call runs until it sleeps, or
 * returns; a wake is kept until the test carries it out, or lets the deadline pass first, or a signal come. So the
 * order of everything follows from the test alone, also what happens between a wake and the thread's own
 * steps after it. The linker puts the functions of stage.c in place of the library's (--wrap).
 *
 * One stage at a time. Everything is called by the main thread, while no call runs.
 */
#ifndef A3M_TEST_STAGE_H
#define A3M_TEST_STAGE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>

#include "runtime/parker.h"

enum stage_state { STAGE_IDLE, STAGE_ASLEEP, STAGE_RUNS };

struct stage_actor {
    enum stage_state state;
    struct a3mi_parker *parker; /* ASLEEP: what it sleeps on */
    bool woken;                 /* ASLEEP: a wake came, and waits */
    int result;                 /* IDLE: of its last call */
    /* stage.c's own */
    pthread_t thread;
    sem_t go;
    int (*call)(void *arg);
    void *arg;
    int answer;
    bool late; /* the deadline of its call has passed */
    bool over;
};

/* `n` actors, which do nothing yet; the array is borrowed until stage_close. Aborts when there is no memory for threads. */
void stage_open(struct stage_actor **all, size_t n);
/* All of them are idle. */
void stage_close(void);

/* An idle one makes this call. Returns when it sleeps, or is over. */
void stage_call(struct stage_actor *actor, int (*call)(void *arg), void *arg);
/*
 * One that sleeps goes on: A3M_OK, by its wake (it has one); A3M_ETIMEDOUT, A3M_EINTR: for that, and a wake
 * that it has was too late. Returns when it sleeps again, or is over.
 */
void stage_resume(struct stage_actor *actor, int why);

#endif
