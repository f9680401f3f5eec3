/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often threads are woken, for a thousand messages, on each path of A3M:
 * counted by the nodes themselves (a3m_node_get_stats) between the first and
 * the last message that counts. The aims: a send wakes nobody, and a receiver
 * that computes 5 us for each message has its reader thread woken by fewer than
 * one message in a thousand. Wake-ups by timers count as well: the public
 * counters tell only those for arrived packets apart ("of these rx"). A sender
 * that outruns its receiver sleeps for credit, and has no aim. A missed aim is
 * printed; the exit code is 1 only when a measurement failed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/campaign.h"
#include "bench/peer.h"
#include "bench/role.h"
#include "bench/table.h"

enum side { CLIENT, SERVER };

/* Aims, in wake-ups for a message. */
#define AIM_SEND 0.001
#define AIM_BUSY 0.001

struct situation {
    const char *title, *peer;
    int64_t pace_ns, work_ns;
    double client_aim, server_aim; /* 0: none */
};

static const struct situation situations[] = {
    {"one by one, at full speed", "a3m-single", 0, 0, AIM_SEND, 0},
    {"batches of 64, at full speed", "a3m-batch", 0, 0, AIM_SEND, 0},
    {"one every 20 us", "a3m-single", 20000, 0, AIM_SEND, 0},
    {"one every 2 ms, asleep between", "a3m-single", 2000000, 0, 0, 0},
    {"full speed, receiver works 5 us", "a3m-single", 0, 5000, 0, AIM_BUSY},
    {"every 20 us, receiver works 5 us", "a3m-single", 20000, 5000, AIM_SEND, AIM_BUSY},
    {"requests, one at a time", "a3m-call", 0, 0, 0, 0},
};

struct counts {
    double messages;
    double of[8]; /* in the order of the columns */
};

static void add(struct counts *sum, const struct bench_report *report)
{
    const struct bench_wakes *a = &report->begin.wakes;
    const struct bench_wakes *b = &report->end.wakes;
    sum->messages += (double)report->messages;
    sum->of[0] += (double)(b->reader - a->reader);
    sum->of[1] += (double)(b->reader_rx - a->reader_rx);
    sum->of[2] += (double)(b->reader_timer - a->reader_timer);
    sum->of[3] += (double)(b->reader_lease - a->reader_lease);
    sum->of[4] += (double)(b->leader_sleeps - a->leader_sleeps);
    sum->of[5] += (double)(b->waiter_sleeps - a->waiter_sleeps);
    sum->of[6] += (double)(b->wakes - a->wakes);
    sum->of[7] += (double)(b->transfers - a->transfers);
}

/* Over all runs that went well. */
static struct counts count(const struct bench_campaign *campaign, const struct bench_cell *cell,
                           enum side side)
{
    struct counts sum = {0};
    for (size_t r = 0; r < campaign->args->runs; r++) {
        const struct bench_run *run = &cell->runs[r];
        if (run->ok) {
            add(&sum, side == CLIENT ? &run->client : &run->server);
        }
    }
    return sum;
}

static void print_side(struct bench_table *table, const struct bench_campaign *campaign,
                       const struct bench_cell *cell, enum side side)
{
    const struct situation *situation = cell->tag;
    const char *const names[2][2] = {{"send", "receive"}, {"request", "reply"}};
    double aim = side == CLIENT ? situation->client_aim : situation->server_aim;
    struct counts counts = count(campaign, cell, side);
    bench_table_row(table, side == CLIENT && cell > campaign->cells && cell->pin != cell[-1].pin);
    bench_table_cell(table, "%s", bench_pin_name(cell->pin));
    bench_table_cell(table, "%s", situation->title);
    bench_table_cell(table, "%s", names[cell->plan.peer->call != NULL][side]);
    bench_table_cell(table, "%.1f", counts.messages / 1e3);
    if (counts.messages <= 0) {
        return;
    }
    for (size_t i = 0; i < sizeof(counts.of) / sizeof(counts.of[0]); i++) {
        bench_table_cell(table, "%.2f", 1e3 * counts.of[i] / counts.messages);
    }
    bool met = (counts.of[0] + counts.of[6]) / counts.messages < aim;
    bench_table_cell(table, "%s", aim <= 0 ? "" : met ? "met" : "MISSED");
}

static void print(const struct bench_campaign *campaign)
{
    static const char *const titles[] = {
        "pinned", "situation",     "side",          "k messages", "reader wakes", "of these rx", "timer",
        "lease",  "leader sleeps", "waiter sleeps", "wakes",      "role moves",   "aim",         NULL};
    struct bench_table table;
    bench_table_init(&table, titles, 3);
    for (size_t i = 0; i < campaign->n; i++) {
        print_side(&table, campaign, &campaign->cells[i], CLIENT);
        print_side(&table, campaign, &campaign->cells[i], SERVER);
    }
    if (!campaign->args->csv) {
        (void)puts("counts for 1,000 messages; aim: fewer than 1 of reader wakes and wakes together");
    }
    bench_table_print(&table, campaign->args->csv);
    bench_table_fini(&table);
}

static void plan(struct bench_campaign *campaign, const struct bench_args *args)
{
    for (int pin = 0; pin < BENCH_PIN_COUNT_; pin++) {
        for (size_t i = 0; args->pins[pin] && i < sizeof(situations) / sizeof(situations[0]); i++) {
            const struct situation *situation = &situations[i];
            struct bench_cell *cell = bench_campaign_add(campaign, bench_peer_find(situation->peer),
                                                         args->sizes[0], (enum bench_pin)pin);
            if (cell != NULL) {
                cell->tag = situation;
                cell->plan.pace_ns = situation->pace_ns;
                cell->plan.work_ns = situation->work_ns;
            }
        }
    }
}

int main(int argc, char **argv)
{
    static struct bench_campaign campaign;
    struct bench_args args = {
        .runs = 3,
        .duration_ns = 1000000000,
        .pins = {[BENCH_PIN_SPLIT] = true},
        .sizes = {64},
        .n_sizes = 1,
    };
    bench_role_take(argc, argv);
    bench_args_parse(&args, argc, argv, "how often threads are woken, on each path of A3M");
    bench_campaign_init(&campaign, &args);
    plan(&campaign, &args);
    bench_campaign_run(&campaign);
    bench_campaign_print_host(&campaign);
    print(&campaign);
    bench_campaign_fini(&campaign);
    return campaign.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
