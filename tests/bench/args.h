/* SPDX-License-Identifier: Apache-2.0 */
/* The command line that all benchmarks have in common. */
#ifndef BENCH_ARGS_H
#define BENCH_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/pin.h"

enum { BENCH_ARGS_RUNS_MAX = 101, BENCH_ARGS_SIZES_MAX = 8 };

struct bench_args {
    size_t runs;
    int64_t duration_ns; /* of one measurement */
    int64_t patience_ns; /* for quiet moments, in all; 0: measures whatever the machine does */
    bool pins[BENCH_PIN_COUNT_];
    size_t sizes[BENCH_ARGS_SIZES_MAX];
    size_t n_sizes;
    const char *peers; /* names with commas between; NULL: all */
    bool csv;
};

/*
 * Changes what the command line says; the caller sets the defaults before. Prints
 * and exits: with 0 after --help, 2 when an argument is not valid.
 */
void bench_args_parse(struct bench_args *args, int argc, char **argv, const char *what);

bool bench_args_want_peer(const struct bench_args *args, const char *name);

#endif
