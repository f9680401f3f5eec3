/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the two processes of a measurement run. Unpinned, everything that
 * blocks is bimodal (docs/performance.md), so both cases are measured apart.
 */
#ifndef BENCH_PIN_H
#define BENCH_PIN_H

#include <stdbool.h>

enum bench_pin {
    BENCH_PIN_SAME,  /* all threads of both processes on one processor */
    BENCH_PIN_SPLIT, /* each process, with all its threads, on a processor of its own */
    BENCH_PIN_FREE,  /* wherever the scheduler puts them */
    BENCH_PIN_COUNT_
};

/* "same", "split", "free": static storage. */
const char *bench_pin_name(enum bench_pin pin);
/* False when no mode is called that. */
bool bench_pin_parse(const char *name, enum bench_pin *pin);

/*
 * The processors of the mode: the first, or first two, that this process may
 * use; -1: any. False when there are not enough.
 */
bool bench_pin_cpus(enum bench_pin pin, int *server, int *client);

/* Ties the calling thread, and the threads it makes later, to a processor; -1: does nothing. Gives up on failure. */
void bench_pin_self(int cpu);

#endif
