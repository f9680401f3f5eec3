/* SPDX-License-Identifier: Apache-2.0 */
/* Interleaved repetition; see campaign.h. */
#include "bench/campaign.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/fail.h"
#include "bench/pair.h"
#include "bench/peer.h"

void bench_campaign_init(struct bench_campaign *campaign, const struct bench_args *args)
{
    *campaign = (struct bench_campaign){.args = args};
}

void bench_campaign_fini(struct bench_campaign *campaign)
{
    for (size_t i = 0; i < campaign->n; i++) {
        free(campaign->cells[i].runs);
    }
}

struct bench_cell *bench_campaign_add(struct bench_campaign *campaign, const struct bench_peer *peer,
                                      size_t size, enum bench_pin pin)
{
    struct bench_cell cell = {.plan = {.peer = peer, .size = size}, .pin = pin};
    cell.plan.duration_ns = campaign->args->duration_ns;
    if (peer == NULL || !bench_args_want_peer(campaign->args, peer->name) ||
        !bench_pin_cpus(pin, &cell.plan.server_cpu, &cell.plan.client_cpu)) {
        return NULL;
    }
    cell.runs = calloc(campaign->args->runs, sizeof(cell.runs[0]));
    if (cell.runs == NULL || campaign->n == BENCH_CAMPAIGN_CELLS) {
        bench_fail("no room for another measurement");
    }
    campaign->cells[campaign->n] = cell;
    return &campaign->cells[campaign->n++];
}

static void progress(const struct bench_campaign *campaign, size_t run, const struct bench_cell *cell)
{
    if (isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r\033[Krun %zu of %zu: %s, %zu bytes, %s", run + 1, campaign->args->runs,
                      cell->plan.peer->name, cell->plan.size, bench_pin_name(cell->pin));
    }
}

/* Measures, again and again if need be, until nobody disturbs it or the patience is over. */
static void run_one(const struct bench_cell *cell, struct bench_run *run, int64_t deadline)
{
    for (;;) {
        struct bench_host host;
        bool quiet = bench_host_await_quiet(deadline);
        bench_host_begin(&host);
        run->ok = bench_pair_run(&cell->plan, &run->server, &run->client);
        run->disturbed = bench_host_noise(&host) > BENCH_HOST_NOISY;
        if (!quiet || !run->disturbed) {
            return;
        }
    }
}

void bench_campaign_run(struct bench_campaign *campaign)
{
    int64_t patience = campaign->args->patience_ns;
    bench_host_begin(&campaign->begin);
    int64_t deadline = patience > 0 ? campaign->begin.wall_ns + patience : 0;
    for (size_t r = 0; r < campaign->args->runs; r++) {
        for (size_t i = 0; i < campaign->n; i++) {
            struct bench_cell *cell = &campaign->cells[i];
            progress(campaign, r, cell);
            run_one(cell, &cell->runs[r], deadline);
            campaign->failed += !cell->runs[r].ok;
        }
    }
    if (isatty(STDERR_FILENO)) {
        (void)fputs("\r\033[K", stderr);
    }
}

void bench_campaign_print_host(const struct bench_campaign *campaign)
{
    FILE *to = campaign->args->csv ? stderr : stdout;
    size_t disturbed = 0;
    for (size_t i = 0; i < campaign->n; i++) {
        for (size_t r = 0; r < campaign->args->runs; r++) {
            disturbed += campaign->cells[i].runs[r].disturbed;
        }
    }
    bench_host_print(&campaign->begin, to);
    if (disturbed > 0) {
        (void)fprintf(to, "# NOISY: %zu of %zu runs were disturbed; take these figures as provisional\n",
                      disturbed, campaign->n * campaign->args->runs);
    }
}

struct bench_spread bench_cell_spread(const struct bench_campaign *campaign, const struct bench_cell *cell,
                                      bench_figure *figure, size_t *n)
{
    size_t good = 0;
    double values[BENCH_ARGS_RUNS_MAX];
    for (size_t r = 0; r < campaign->args->runs; r++) {
        if (cell->runs[r].ok) {
            values[good++] = figure(&cell->runs[r]);
        }
    }
    if (n != NULL) {
        *n = good;
    }
    return bench_spread_of(values, good);
}
