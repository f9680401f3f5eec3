/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of the litmus tests of outbox and engine lock, on the code the
 * product runs (runtime/turnlock.h, runtime/outbox.h: all inline, so that a
 * program can leave a fence out of its own copy).
 *
 * Two threads on two processors meet 10^7 times. In each round one pushes a
 * message and tries the lock, the other takes the lock, drains and lets go; both
 * then do what they owe, and nothing else. A round in which a message is left
 * over, with the lock free and nobody about to look, is one stranded message.
 *
 * The window in which the fences matter is a few ns wide. So the pusher aims: it
 * comes a little later when it found the lock held the last time and a little
 * earlier when it was free. And each reads once more what the other is about to
 * write, so that this store has to wait in the other's store buffer until the
 * cache line is back.
 */
#ifndef OUTBOX_LITMUS_H
#define OUTBOX_LITMUS_H

#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/outbox.h"
#include "runtime/turnlock.h"

#define LITMUS_ROUNDS 10000000u

enum { LITMUS_MIDDLE = 150, LITMUS_SPREAD = 32, LITMUS_SKIP = 77 };

struct litmus {
    struct a3mi_outbox outbox;
    alignas(64) struct a3mi_turnlock lock;
    alignas(64) _Atomic uint32_t arrived[2][16]; /* a line each */
    alignas(64) struct a3mi_outbox_node node;
    uint64_t popped, stranded;
    uint32_t rounds;
};

/* Both are here, and neither goes on before. */
static void litmus_meet(struct litmus *l, int me, uint32_t count)
{
    atomic_store_explicit(&l->arrived[me][0], count, memory_order_release);
    for (uint32_t n = 1; atomic_load_explicit(&l->arrived[1 - me][0], memory_order_acquire) < count; n++) {
        if (n % 4096 == 0) {
            (void)sched_yield(); /* the other one's processor is busy with something else */
        }
    }
}

static uint32_t litmus_random(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 16) % below;
}

/* About a ns each. */
static void litmus_dawdle(uint32_t n)
{
    for (; n > 0; n--) {
        __asm__ __volatile__("" ::: "memory");
    }
}

/* What a holder does until nothing is left to do for it: the loop of turns.c without turns. */
static void litmus_hold(struct litmus *l, uint32_t *seed)
{
    enum a3mi_outbox_look where;

    do {
        while (a3mi_outbox_pop(&l->outbox) != NULL) {
            l->popped++;
        }
        if (seed != NULL) {
            litmus_dawdle(LITMUS_MIDDLE + litmus_random(seed, LITMUS_SPREAD));
            (void)atomic_load_explicit(&l->outbox.stub.next, memory_order_relaxed);
            seed = NULL;
        }
        where = a3mi_outbox_settle(&l->outbox);
        a3mi_turnlock_unlock(&l->lock);
    } while (a3mi_outbox_look(&l->outbox, where) && a3mi_turnlock_try(&l->lock));
}

static void *litmus_pusher(void *arg)
{
    struct litmus *l = arg;
    uint32_t seed = 1;
    uint32_t aim = LITMUS_MIDDLE;

    for (uint32_t round = 0; round < l->rounds; round++) {
        litmus_meet(l, 0, 2 * round + 1);
        litmus_dawdle(aim + litmus_random(&seed, LITMUS_SPREAD));
        (void)atomic_load_explicit(&l->lock.word, memory_order_relaxed);
        a3mi_outbox_push(&l->outbox, &l->node);
        a3mi_fence_pusher();
        if (a3mi_turnlock_try(&l->lock)) {
            litmus_hold(l, NULL);
            aim -= aim > 0 ? 1 : 0;
        } else {
            aim += aim < 2 * LITMUS_MIDDLE ? 1 : 0;
        }
        litmus_meet(l, 0, 2 * round + 2);
    }
    return NULL;
}

static void *litmus_holder(void *arg)
{
    struct litmus *l = arg;
    uint32_t seed = 2;
    uint64_t before = 0;

    for (uint32_t round = 0; round < l->rounds; round++) {
        bool held = a3mi_turnlock_try(&l->lock);
        litmus_meet(l, 1, 2 * round + 1);
        if (held) {
            litmus_hold(l, &seed);
        }
        litmus_meet(l, 1, 2 * round + 2);
        /* The other one waits for this thread in its next round: all is quiet. */
        if (l->popped == before) {
            l->stranded++;
            if (a3mi_turnlock_try(&l->lock)) {
                litmus_hold(l, NULL);
            }
        }
        before = l->popped;
    }
    return NULL;
}

/* The processors this process may use; fewer than two: no litmus. */
static unsigned litmus_processors(int cpu[2])
{
    cpu_set_t set;
    unsigned n = 0;

    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 0;
    }
    for (int i = 0; i < CPU_SETSIZE && n < 2; i++) {
        if (CPU_ISSET((size_t)i, &set)) {
            cpu[n++] = i;
        }
    }
    return n;
}

static void litmus_start(pthread_t *thread, int cpu, void *(*run)(void *), struct litmus *l)
{
    pthread_attr_t attr;
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setaffinity_np(&attr, sizeof set, &set);
    if (pthread_create(thread, &attr, run, l) != 0) {
        abort();
    }
    (void)pthread_attr_destroy(&attr);
}

/* Returns the exit status. */
static int litmus_main(const char *what, bool expect_stranded)
{
    static struct litmus l;
    pthread_t threads[2];
    int cpu[2];

#ifdef A3MI_NO_FENCES
    if (expect_stranded) {
        printf("SKIP: under ThreadSanitizer there are no fences to take out\n");
        return LITMUS_SKIP;
    }
#endif
    if (litmus_processors(cpu) < 2) {
        printf("SKIP: one processor only, nothing runs at the same time\n");
        return LITMUS_SKIP;
    }
    const char *rounds = getenv("A3M_LITMUS_ROUNDS");
    l.rounds = rounds != NULL ? (uint32_t)strtoul(rounds, NULL, 10) : LITMUS_ROUNDS;
    a3mi_outbox_init(&l.outbox);
    a3mi_turnlock_init(&l.lock);
    litmus_start(&threads[0], cpu[0], litmus_pusher, &l);
    litmus_start(&threads[1], cpu[1], litmus_holder, &l);
    (void)pthread_join(threads[0], NULL);
    (void)pthread_join(threads[1], NULL);

    printf("%s: %llu of %u messages stranded\n", what, (unsigned long long)l.stranded, l.rounds);
    if (l.popped != l.rounds) {
        printf("FAIL: %llu popped\n", (unsigned long long)l.popped);
        return 1;
    }
    return (l.stranded != 0) == expect_stranded ? 0 : 1;
}

#endif
