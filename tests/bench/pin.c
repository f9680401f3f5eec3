/* SPDX-License-Identifier: Apache-2.0 */
/* Processors for the two processes; see pin.h. */
#include "bench/pin.h"

#include <sched.h>
#include <stddef.h>
#include <string.h>

#include "bench/fail.h"

static const char *const names[BENCH_PIN_COUNT_] = {
    [BENCH_PIN_SAME] = "same",
    [BENCH_PIN_SPLIT] = "split",
    [BENCH_PIN_FREE] = "free",
};

const char *bench_pin_name(enum bench_pin pin)
{
    return names[pin];
}

bool bench_pin_parse(const char *name, enum bench_pin *pin)
{
    for (int i = 0; i < BENCH_PIN_COUNT_; i++) {
        if (strcmp(name, names[i]) == 0) {
            *pin = (enum bench_pin)i;
            return true;
        }
    }
    return false;
}

/* The n-th processor that this process may use, or -1. */
static int usable(int n)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        bench_fail_errno("sched_getaffinity");
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, &set) && n-- == 0) {
            return cpu;
        }
    }
    return -1;
}

bool bench_pin_cpus(enum bench_pin pin, int *server, int *client)
{
    if (pin == BENCH_PIN_FREE) {
        *server = *client = -1;
        return true;
    }
    *client = usable(0);
    *server = pin == BENCH_PIN_SAME ? *client : usable(1);
    return *server >= 0;
}

void bench_pin_self(int cpu)
{
    cpu_set_t set;
    if (cpu < 0) {
        return;
    }
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0) {
        bench_fail_errno("sched_setaffinity");
    }
}
