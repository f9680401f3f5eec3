/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two looks at /proc/self/task. A thread that slept at both, and gave up the
 * processor no more often in between, slept all the time between them; so there
 * was an instant at which all slept. A wake makes a thread runnable before the
 * system call that wakes it returns.
 */
#include "asleep.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 256 };

struct look {
    uint64_t n;
    struct {
        int64_t tid;
        uint64_t switches;
    } threads[THREADS];
};

/* False when the thread does not sleep, or is gone. */
static bool look_at(const char *tid, uint64_t *switches)
{
    char path[64];
    char text[4096];
    (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *state = strstr(text, "\nState:\t");
    const char *count = strstr(text, "\nvoluntary_ctxt_switches:\t");
    if (state == NULL || count == NULL || state[8] != 'S') {
        return false;
    }
    *switches = strtoul(count + 26, NULL, 10);
    return true;
}

/* False when somebody is awake. */
static bool look(struct look *out)
{
    long self = syscall(SYS_gettid);
    bool asleep = true;
    struct dirent *entry;
    DIR *dir = opendir("/proc/self/task");
    if (dir == NULL) {
        abort();
    }
    memset(out, 0, sizeof *out);
    while (asleep && (entry = readdir(dir)) != NULL) {
        long tid = strtol(entry->d_name, NULL, 10);
        if (tid > 0 && tid != self) {
            if (out->n == THREADS) {
                abort();
            }
            asleep = look_at(entry->d_name, &out->threads[out->n].switches);
            out->threads[out->n++].tid = tid;
        }
    }
    (void)closedir(dir);
    return asleep;
}

void await_all_asleep(void)
{
    struct look first, second;
    time_t begin = time(NULL);
    do {
        while (!look(&first)) {
            (void)sched_yield();
            if (time(NULL) - begin > 60) {
                (void)fputs("a thread does not come to rest\n", stderr);
                abort();
            }
        }
    } while (!look(&second) || memcmp(&first, &second, sizeof first) != 0);
}
