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

void bench_campaign_run(struct bench_campaign *campaign)
{
    for (size_t r = 0; r < campaign->args->runs; r++) {
        for (size_t i = 0; i < campaign->n; i++) {
            struct bench_cell *cell = &campaign->cells[i];
            struct bench_run *run = &cell->runs[r];
            progress(campaign, r, cell);
            run->ok = bench_pair_run(&cell->plan, &run->server, &run->client);
            campaign->failed += !run->ok;
        }
    }
    if (isatty(STDERR_FILENO)) {
        (void)fputs("\r\033[K", stderr);
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
