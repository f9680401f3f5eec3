/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call that blocks, in a thread of its own: a test sees that it sleeps, makes
 * happen what shall wake it, and sees what it returns. A call that never returns
 * aborts the program, with a core that shows where it hangs: nothing that it
 * uses could be taken away from it.
 */
#ifndef A3M_TEST_CALLER_H
#define A3M_TEST_CALLER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

struct caller {
    pthread_t thread;
    int (*call)(void *arg);
    void *arg;
    int result;        /* once joined */
    _Atomic pid_t tid; /* 0: not there yet */
    _Atomic bool returned;
};

/* The call must not assert by cmocka, whose jumps are the main thread's. */
void caller_start(struct caller *caller, int (*call)(void *arg), void *arg);

/* Waits until the thread sleeps in the kernel, which it does inside the call only. Fails when the call returned. */
void caller_await_sleep(struct caller *caller);

/* Whether the call is over. */
bool caller_returned(struct caller *caller);

/* Waits for the end of the call: its result. */
int caller_join(struct caller *caller);

#endif
