/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages in one direction between two processes over loopback, as fast as it
 * goes: A3M (one by one, and in batches), libzmq, and bare UDP, which loses
 * what the receiver does not keep up with. docs/performance.md says how to read
 * it. Exits with 1 when a measurement failed, whatever the speed.
 */
#include <stdlib.h>

#include "bench/campaign.h"
#include "bench/peer.h"
#include "bench/role.h"
#include "bench/table.h"

static const char *const peers[] = {"a3m-single", "a3m-batch", "zmq-flow", "zmq-long", "udp-flow"};
/* Only when they are named. */
static const char *const others[] = {"a3m-accepted", "a3m-taken"};

/* Messages received in a second. */
static double rate(const struct bench_run *run)
{
    int64_t ns = run->server.end.wall_ns - run->client.begin.wall_ns;
    return (double)run->server.messages * 1e9 / (double)ns;
}

/* Processor seconds of both processes for a million messages received. */
static double cpu(const struct bench_run *run)
{
    double used = (double)(run->client.end.cpu_ns - run->client.begin.cpu_ns) +
                  (double)(run->server.end.cpu_ns - run->server.begin.cpu_ns);
    return used / 1e3 / (double)run->server.messages;
}

static double lost_percent(const struct bench_run *run)
{
    double sent = (double)run->client.messages;
    return 100 * (sent - (double)run->server.messages) / sent;
}

static void plan(struct bench_campaign *campaign, const struct bench_args *args)
{
    for (size_t s = 0; s < args->n_sizes; s++) {
        for (int pin = 0; pin < BENCH_PIN_COUNT_; pin++) {
            for (size_t i = 0; args->pins[pin] && i < sizeof(peers) / sizeof(peers[0]); i++) {
                (void)bench_campaign_add(campaign, bench_peer_find(peers[i]), args->sizes[s],
                                         (enum bench_pin)pin);
            }
            for (size_t i = 0;
                 args->pins[pin] && args->peers != NULL && i < sizeof(others) / sizeof(others[0]); i++) {
                (void)bench_campaign_add(campaign, bench_peer_find(others[i]), args->sizes[s],
                                         (enum bench_pin)pin);
            }
        }
    }
}

static void print_row(struct bench_table *table, const struct bench_campaign *campaign,
                      const struct bench_cell *cell)
{
    size_t good;
    struct bench_spread rates = bench_cell_spread(campaign, cell, rate, &good);
    bench_table_cell(table, "%zu", cell->plan.size);
    bench_table_cell(table, "%s", bench_pin_name(cell->pin));
    bench_table_cell(table, "%s", cell->plan.peer->title);
    if (good > 0) {
        bench_table_cell(table, "%.0f", rates.median / 1e3);
        bench_table_cell(table, "%.0f", rates.min / 1e3);
        bench_table_cell(table, "%.0f", rates.max / 1e3);
        bench_table_cell(table, "%.0f", rates.median * (double)cell->plan.size / 1e6);
        bench_table_cell(table, "%.2f", bench_cell_spread(campaign, cell, cpu, NULL).median);
        bench_table_cell(table, "%.1f", bench_cell_spread(campaign, cell, lost_percent, NULL).median);
    } else {
        for (int i = 0; i < 6; i++) {
            bench_table_cell(table, "-");
        }
    }
    bench_table_cell(table, "%zu", good);
}

static void print(const struct bench_campaign *campaign)
{
    static const char *const titles[] = {"size", "pinned",      "transport", "k msg/s", "lowest", "highest",
                                         "MB/s", "cpu s/M msg", "lost %",    "runs",    NULL};
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
        .sizes = {64, 1024, 16384},
        .n_sizes = 3,
    };
    bench_role_take(argc, argv);
    bench_args_parse(&args, argc, argv, "messages one way, side by side");
    bench_campaign_init(&campaign, &args);
    plan(&campaign, &args);
    bench_campaign_run(&campaign);
    bench_campaign_print_host(&campaign);
    print(&campaign);
    bench_campaign_fini(&campaign);
    return campaign.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
