/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine lock: one word, held for one bounded turn, and almost always only
 * tried. Taking it costs one locked instruction, letting it go a plain store.
 *
 * Whoever unlocks owes a look at the outbox afterwards, because a pusher that
 * found the lock held has gone away. Either one sees the other (the race of
 * Dekker's algorithm; drawn in docs/locks.md):
 *
 *     pusher                          holder
 *     link the message (plain store)  word = 0 (plain store)
 *     fence                           fence
 *     look at word: held? go away     look at the outbox: empty? go away
 *
 * Without either fence both stores can sit in their processor's store buffer
 * while both loads read the past, and the message is stranded.
 *
 * Not recursive. Not fair: nobody needs to be, a try that fails is a job handed on.
 */
#ifndef A3MI_TURNLOCK_H
#define A3MI_TURNLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/fence.h"

struct a3mi_turnlock {
    _Atomic uint32_t word; /* [atomic: release by unlock, acquire by try] 1: held */
    _Atomic uint32_t
        blocked; /* [atomic: fence on both sides] threads that sleep, or are about to, on `word` */
};

static inline void a3mi_turnlock_init(struct a3mi_turnlock *lock)
{
    atomic_init(&lock->word, 0);
    atomic_init(&lock->blocked, 0);
}

/* The look comes first: a held lock then costs no locked instruction and no write to its line. */
static inline bool a3mi_turnlock_try(struct a3mi_turnlock *lock)
{
    uint32_t zero = 0;

#ifdef A3MI_NO_FENCES
    return atomic_compare_exchange_strong(&lock->word, &zero, 1);
#else
    return atomic_load_explicit(&lock->word, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong_explicit(&lock->word, &zero, 1, memory_order_acquire,
                                                   memory_order_relaxed);
#endif
}

/* Wakes one of those who sleep on it. */
void a3mi_turnlock_wake(struct a3mi_turnlock *lock);

/* Lets go, fences, and wakes who sleeps on it. What follows in the caller may look at the outbox. */
static inline void a3mi_turnlock_unlock(struct a3mi_turnlock *lock)
{
    atomic_store_explicit(&lock->word, 0, A3MI_FENCED_STORE);
    a3mi_fence_holder();
    if (atomic_load_explicit(&lock->blocked, A3MI_FENCED_LOAD) != 0) {
        a3mi_turnlock_wake(lock);
    }
}

/* Takes it, waiting as long as it takes: a little awake, then asleep. Turns are bounded by 50 us. */
void a3mi_turnlock_take(struct a3mi_turnlock *lock);

#endif
