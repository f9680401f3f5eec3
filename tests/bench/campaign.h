/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A campaign: many measurements, each repeated. The repetitions interleave
 * (ABCDABCD…), so that a change of the machine's mood meets all of them alike.
 */
#ifndef BENCH_CAMPAIGN_H
#define BENCH_CAMPAIGN_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/args.h"
#include "bench/host.h"
#include "bench/pin.h"
#include "bench/plan.h"
#include "bench/spread.h"

enum { BENCH_CAMPAIGN_CELLS = 128 };

struct bench_run {
    bool ok;
    bool disturbed; /* others used the machine meanwhile (BENCH_HOST_NOISY) */
    struct bench_report server, client;
};

/* One measurement, and its repetitions. */
struct bench_cell {
    struct bench_plan plan;
    enum bench_pin pin;
    const void *tag; /* of the bench's own */
    struct bench_run *runs;
};

struct bench_campaign {
    const struct bench_args *args;
    size_t n, failed; /* cells; runs that failed */
    struct bench_host begin;
    struct bench_cell cells[BENCH_CAMPAIGN_CELLS];
};

void bench_campaign_init(struct bench_campaign *campaign, const struct bench_args *args);
void bench_campaign_fini(struct bench_campaign *campaign);

/*
 * Adds a cell; its plan's duration and processors are filled in. NULL when the
 * arguments leave it out, or there are too few processors, or `peer` is NULL
 * (not in this build).
 */
struct bench_cell *bench_campaign_add(struct bench_campaign *campaign, const struct bench_peer *peer,
                                      size_t size, enum bench_pin pin);

/* Carries it out. Says where it is on standard error when that is a terminal. */
void bench_campaign_run(struct bench_campaign *campaign);

/*
 * Writes lines beginning with '#': the machine, and how quiet it was; to standard
 * error when the table is for programs.
 */
void bench_campaign_print_host(const struct bench_campaign *campaign);

/* A figure of one run. */
typedef double bench_figure(const struct bench_run *run);

/* The figure over all runs of the cell that went well; `n` (may be NULL): how many those were. */
struct bench_spread bench_cell_spread(const struct bench_campaign *campaign, const struct bench_cell *cell,
                                      bench_figure *figure, size_t *n);

#endif
