/* SPDX-License-Identifier: Apache-2.0 */
#include "caller.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "node_fixture.h"

static void *run(void *arg)
{
    struct caller *caller = arg;
    atomic_store(&caller->tid, gettid());
    caller->result = caller->call(caller->arg);
    atomic_store(&caller->returned, true);
    return NULL;
}

void caller_start(struct caller *caller, int (*call)(void *arg), void *arg)
{
    caller->call = call;
    caller->arg = arg;
    atomic_init(&caller->tid, 0);
    atomic_init(&caller->returned, false);
    assert_int_equal(pthread_create(&caller->thread, NULL, run, caller), 0);
}

/* As in /proc: 'S' sleeps, 'R' runs; 'X' when it is gone. */
static char state_of(pid_t tid)
{
    char path[64];
    char text[256] = "";
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 'X';
    }
    ssize_t n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    const char *name_end = n > 0 ? strrchr(text, ')') : NULL;
    return name_end != NULL && name_end[1] == ' ' ? name_end[2] : 'X';
}

bool caller_returned(struct caller *caller)
{
    return atomic_load(&caller->returned);
}

void caller_await_sleep(struct caller *caller)
{
    a3m_time deadline = SOON;
    for (;;) {
        pid_t tid = atomic_load(&caller->tid);
        if (caller_returned(caller)) {
            (void)pthread_join(caller->thread, NULL);
            fail_msg("the call did not block: %s", a3m_strerror(caller->result));
        }
        if (tid != 0 && state_of(tid) == 'S') {
            return;
        }
        if (a3m_now().ns > deadline.ns) {
            fail_msg("the call neither sleeps nor returns");
        }
        (void)sched_yield();
    }
}

int caller_join(struct caller *caller)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 40; /* twice the deadline of what must happen */
    if (pthread_timedjoin_np(caller->thread, NULL, &until) != 0) {
        (void)fprintf(stderr, "a call hangs\n");
        abort();
    }
    return caller->result;
}
