/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rare side of the engine lock: who has to have it, and finds it held.
 *
 *     taker                           holder
 *     blocked += 1                    word = 0
 *     (a locked instruction: fences)  fence
 *     futex: word is 1? sleep         blocked != 0? wake one
 */
#include "runtime/turnlock.h"

#include <sched.h>

#include "runtime/futex.h"

/* How often a taker yields before it sleeps: longer than the usual turn, shorter than two wake-ups. */
#define YIELDS 64

void a3mi_turnlock_wake(struct a3mi_turnlock *lock)
{
    a3mi_futex_wake(&lock->word);
}

void a3mi_turnlock_take(struct a3mi_turnlock *lock)
{
    for (int i = 0; i < YIELDS; i++) {
        if (a3mi_turnlock_try(lock)) {
            return;
        }
        (void)sched_yield();
    }
    (void)atomic_fetch_add(&lock->blocked, 1);
    while (!a3mi_turnlock_try(lock)) {
        (void)a3mi_futex_wait(&lock->word, 1, INT64_MAX);
    }
    (void)atomic_fetch_sub(&lock->blocked, 1);
}
