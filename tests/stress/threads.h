/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of a test, and a deadline for their end: one that hangs aborts the program, with a core that shows where. One that
 * crashes says so (crash.h).
 */
#ifndef A3M_TEST_THREADS_H
#define A3M_TEST_THREADS_H

#include <pthread.h>
#include <stddef.h>
#include <time.h>

/* Fails the test on any error. */
void threads_start(pthread_t *thread, void *(*main)(void *), void *arg);

/* Waits for all of them. */
void threads_join(pthread_t *threads, size_t n);

/* `seconds` from now, much later in a long campaign (A3M_LONG); of CLOCK_REALTIME, as pthreads has it. */
struct timespec threads_deadline(time_t seconds);

#endif
