/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What many links cost: one socket asks for all of them at once, of as many sockets of another node of this process,
 * over loopback. How long until all are up, how long until all have ended, and what a link takes of memory, both ends
 * with the peer's socket together. --size is their number. Exits with 1 when a measurement failed.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include <a3m/a3m.h>

#include "bench/args.h"
#include "bench/fail.h"
#include "bench/spread.h"
#include "bench/table.h"

enum { RUNS_MAX = BENCH_ARGS_RUNS_MAX, PEER_LINKS = 1 << 20 };

struct result {
    double up_ms, down_ms, bytes;
};

static void must(int code, const char *what)
{
    if (code < 0) {
        bench_fail("%s: %s (%s)", what, a3m_strerror(code), a3m_error_detail());
    }
}

static a3m_node open_node(const char *id)
{
    const a3m_node_config config = {.size = sizeof(config), .max_peer_links = PEER_LINKS};
    a3m_node node;
    must(a3m_node_new(&node, id, "udp://127.0.0.1:0", &config), "a3m_node_new");
    must(a3m_node_start(node), "a3m_node_start");
    return node;
}

static void open_peers(a3m_node node, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        a3m_socket socket;
        char tag[32];
        (void)snprintf(tag, sizeof(tag), "%zu", i);
        must(a3m_socket_open(&socket, node, &a3m_pull, tag), "a3m_socket_open");
    }
}

static double in_use(void)
{
    return (double)mallinfo2().uordblks;
}

static double ms_since(int64_t begin)
{
    return (double)(a3m_now().ns - begin) / 1e6;
}

static struct result measure(size_t n)
{
    struct result result;
    char address[A3M_LINK_ADDRESS_SIZE], peer[A3M_LINK_ADDRESS_SIZE + 32];
    a3m_socket push;
    a3m_node from = open_node("from"), to = open_node("to");
    must(a3m_socket_open(&push, from, &a3m_push, "push"), "a3m_socket_open");
    must(a3m_node_address(to, address, sizeof(address)), "a3m_node_address");
    double before = in_use();
    open_peers(to, n);
    int64_t begin = a3m_now().ns;
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(peer, sizeof(peer), "%s/%zu", address, i);
        must(a3m_socket_link(push, peer, NULL), "a3m_socket_link");
    }
    must(a3m_socket_wait_links(push, n, a3m_in(a3m_seconds(60))), "a3m_socket_wait_links");
    result.up_ms = ms_since(begin);
    result.bytes = (in_use() - before) / (double)n;
    begin = a3m_now().ns;
    must(a3m_node_close(from, a3m_in(a3m_seconds(60)), NULL), "a3m_node_close");
    result.down_ms = ms_since(begin);
    must(a3m_node_close(to, a3m_in(a3m_seconds(60)), NULL), "a3m_node_close");
    return result;
}

static void print_row(struct bench_table *table, size_t n, size_t runs)
{
    double up[RUNS_MAX], down[RUNS_MAX], bytes[RUNS_MAX];
    for (size_t i = 0; i < runs; i++) {
        struct result result = measure(n);
        up[i] = result.up_ms;
        down[i] = result.down_ms;
        bytes[i] = result.bytes;
    }
    struct bench_spread spread = bench_spread_of(up, runs);
    bench_table_row(table, false);
    bench_table_cell(table, "%zu", n);
    bench_table_cell(table, "%.1f", spread.median);
    bench_table_cell(table, "%.1f", spread.min);
    bench_table_cell(table, "%.1f", spread.max);
    bench_table_cell(table, "%.1f", spread.median * 1e3 / (double)n);
    bench_table_cell(table, "%.1f", bench_spread_of(down, runs).median);
    bench_table_cell(table, "%.0f", bench_spread_of(bytes, runs).median);
}

int main(int argc, char **argv)
{
    static const char *const titles[] = {"links",     "ms until up",   "lowest",       "highest",
                                         "us a link", "ms until over", "bytes a link", NULL};
    struct bench_args args = {.runs = 5, .sizes = {100, 1000, 10000, 50000}, .n_sizes = 4};
    struct bench_table table;
    bench_args_parse(&args, argc, argv, "many links at once (only --runs, --size and --csv)");
    bench_table_init(&table, titles, 0);
    for (size_t i = 0; i < args.n_sizes; i++) {
        print_row(&table, args.sizes[i], args.runs);
    }
    bench_table_print(&table, args.csv);
    bench_table_fini(&table);
    return EXIT_SUCCESS;
}
