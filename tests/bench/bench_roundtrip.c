/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request and reply between two processes over loopback, one at a time: A3M,
 * libzmq, and bare UDP, which is what the kernel costs. Percentiles are of the
 * round trips of one run; the table has the medians of the runs. docs/performance.md
 * says how to read it. Exits with 1 when a measurement failed, whatever the speed.
 */
#include <stdlib.h>

#include "bench/campaign.h"
#include "bench/peer.h"
#include "bench/role.h"
#include "bench/table.h"

static const char *const peers[] = {"a3m-call", "zmq-call", "udp-block", "udp-spin"};

static double p50(const struct bench_run *run)
{
    return run->client.p50_us;
}

static double p90(const struct bench_run *run)
{
    return run->client.p90_us;
}

static double p99(const struct bench_run *run)
{
    return run->client.p99_us;
}

/* Processor time of both processes for one round trip, in microseconds. */
static double cpu(const struct bench_run *run)
{
    double used = (double)(run->client.end.cpu_ns - run->client.begin.cpu_ns) +
                  (double)(run->server.end.cpu_ns - run->server.begin.cpu_ns);
    return used / 1e3 / (double)run->client.messages;
}

static void plan(struct bench_campaign *campaign, const struct bench_args *args)
{
    for (size_t s = 0; s < args->n_sizes; s++) {
        for (int pin = 0; pin < BENCH_PIN_COUNT_; pin++) {
            for (size_t i = 0; args->pins[pin] && i < sizeof(peers) / sizeof(peers[0]); i++) {
                (void)bench_campaign_add(campaign, bench_peer_find(peers[i]), args->sizes[s],
                                         (enum bench_pin)pin);
            }
        }
    }
}

static void print_row(struct bench_table *table, const struct bench_campaign *campaign,
                      const struct bench_cell *cell)
{
    size_t good;
    struct bench_spread middle = bench_cell_spread(campaign, cell, p50, &good);
    bench_table_cell(table, "%zu", cell->plan.size);
    bench_table_cell(table, "%s", bench_pin_name(cell->pin));
    bench_table_cell(table, "%s", cell->plan.peer->title);
    if (good > 0) {
        bench_table_cell(table, "%.1f", middle.median);
        bench_table_cell(table, "%.1f", bench_cell_spread(campaign, cell, p90, NULL).median);
        bench_table_cell(table, "%.1f", bench_cell_spread(campaign, cell, p99, NULL).median);
        bench_table_cell(table, "%.1f", middle.min);
        bench_table_cell(table, "%.1f", middle.max);
        bench_table_cell(table, "%.1f", bench_cell_spread(campaign, cell, cpu, NULL).median);
    } else {
        for (int i = 0; i < 6; i++) {
            bench_table_cell(table, "-");
        }
    }
    bench_table_cell(table, "%zu", good);
}

static void print(const struct bench_campaign *campaign)
{
    static const char *const titles[] = {"size",   "pinned", "transport",  "p50 us",
                                         "p90 us", "p99 us", "lowest p50", "highest p50",
                                         "cpu us", "runs",   NULL};
    struct bench_table table;
    bench_table_init(&table, titles, 3);
    for (size_t i = 0; i < campaign->n; i++) {
        const struct bench_cell *cell = &campaign->cells[i];
        bool rule = i > 0 && (cell->pin != cell[-1].pin || cell->plan.size != cell[-1].plan.size);
        bench_table_row(&table, rule);
        print_row(&table, campaign, cell);
    }
    bench_table_print(&table, campaign->args->csv);
    bench_table_fini(&table);
}

int main(int argc, char **argv)
{
    static struct bench_campaign campaign;
    struct bench_args args = {
        .runs = 5,
        .duration_ns = 1000000000,
        .pins = {[BENCH_PIN_SAME] = true, [BENCH_PIN_SPLIT] = true},
        .sizes = {64, 1024},
        .n_sizes = 2,
    };
    bench_role_take(argc, argv);
    bench_args_parse(&args, argc, argv, "request/reply round trips, side by side");
    bench_campaign_init(&campaign, &args);
    plan(&campaign, &args);
    bench_campaign_run(&campaign);
    bench_campaign_print_host(&campaign);
    print(&campaign);
    bench_campaign_fini(&campaign);
    return campaign.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
