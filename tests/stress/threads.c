/* SPDX-License-Identifier: Apache-2.0 */
#include "threads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crash.h"

void threads_start(pthread_t *thread, void *(*main)(void *), void *arg)
{
    crash_tell_of_threads();
    assert_int_equal(pthread_create(thread, NULL, main, arg), 0);
}

struct timespec threads_deadline(time_t seconds)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += getenv("A3M_LONG") != NULL ? 3600 : seconds;
    return until;
}

void threads_join(pthread_t *threads, size_t n)
{
    struct timespec until = threads_deadline(100);
    for (size_t i = 0; i < n; i++) {
        if (pthread_timedjoin_np(threads[i], NULL, &until) != 0) {
            (void)fprintf(stderr, "a thread hangs\n");
            abort();
        }
    }
}
