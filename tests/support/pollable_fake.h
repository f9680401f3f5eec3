/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pollable without a node: what can be read is a number, what can be written a
 * yes or no. Does what sockets do, in the same order: change, wake or lower with
 * the lock held, carry wakes out after it.
 */
#ifndef A3M_TEST_POLLABLE_FAKE_H
#define A3M_TEST_POLLABLE_FAKE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "runtime/poller.h"

struct fake_pollable {
    struct a3mi_pollable pollable;
    pthread_mutex_t lock;
    unsigned in;                                     /* [lock] */
    bool out;                                        /* [lock] */
    bool over;                                       /* [lock] HUP */
    bool failed;                                     /* [lock] ERR besides */
    _Atomic int refs;                                /* those of pollers */
    void (*before_lock)(struct fake_pollable *fake); /* NULL, or called when a poller is about to lock it */
};

void fake_pollable_init(struct fake_pollable *fake);
/* Nobody may refer to it any more: aborts otherwise. */
void fake_pollable_fini(struct fake_pollable *fake);

/* `n` more to read, told as one arrival of many. */
void fake_pollable_raise(struct fake_pollable *fake, unsigned n);
/* Takes one; false when there is none. */
bool fake_pollable_take(struct fake_pollable *fake);
void fake_pollable_set_out(struct fake_pollable *fake, bool out);
/* Wakes for OUT that is not there, as sockets do to let senders look again. */
void fake_pollable_false_alarm(struct fake_pollable *fake);
void fake_pollable_end(struct fake_pollable *fake, bool failed);

/* Of no node: threads only park. */
extern const struct a3mi_poller_host fake_poller_host;

#endif
