/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A parker: what one blocked call of one thread sleeps on. Lives on that
 * thread's stack for the length of the call.
 *
 * A wake is remembered: waking a parker whose thread does not sleep costs one
 * atomic exchange and no system call, and its next sleep returns at once. That
 * is why wake-ups are collected under locks and carried out after them
 * (struct a3mi_wakes).
 *
 * Lifetime: whoever wakes a parker must have taken it off its wait queue first,
 * and the sleeper does not return before every such wake has been carried out
 * (`pending` counts them).
 */
#ifndef A3MI_PARKER_H
#define A3MI_PARKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct a3mi_parker {
    _Atomic uint32_t state;  /* [atomic] idle, signalled, asleep on the futex, asleep on the network */
    _Atomic int32_t pending; /* [atomic] wakes collected and not yet carried out */
    int network_fd;          /* the eventfd that ends a sleep on the network */
    struct a3mi_list role;   /* [role lock] in the list of those who wait without the reader role */
    struct a3mi_parker *next_wake; /* in a struct a3mi_wakes */
};

void a3mi_parker_init(struct a3mi_parker *parker);
/* Waits for pending wakes to be carried out (a few instructions of another thread at most). */
void a3mi_parker_fini(struct a3mi_parker *parker);

/* Takes the signal: true when it was signalled since the last take. */
bool a3mi_parker_take(struct a3mi_parker *parker);

/* Wakes collected under locks, to be carried out after them. A plain singly linked list, no allocation. */
struct a3mi_wakes {
    struct a3mi_parker *first;
};

static inline void a3mi_wakes_init(struct a3mi_wakes *wakes)
{
    wakes->first = NULL;
}

/* Collects; a parker that is in some list of wakes already is left there (its wake is coming). */
void a3mi_wakes_add(struct a3mi_wakes *wakes, struct a3mi_parker *parker);

/* Wakes them; returns how many threads were asleep (each cost a system call). No lock may be held. */
unsigned a3mi_wakes_run(struct a3mi_wakes *wakes);

#endif
