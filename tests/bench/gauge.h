/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is read at the begin and at the end of a measurement, in each of the two
 * processes: the clocks, and how often threads had to be woken, where the
 * transport counts that.
 */
#ifndef BENCH_GAUGE_H
#define BENCH_GAUGE_H

#include <stdint.h>

/* As in a3m_node_stats. */
struct bench_wakes {
    uint64_t reader, reader_rx, reader_timer, reader_lease, leader_sleeps, waiter_sleeps, wakes, transfers;
};

struct bench_gauge {
    int64_t wall_ns, cpu_ns;
    struct bench_wakes wakes;
};

struct bench_peer;

/* `end` is what the peer's listen or connect gave. */
void bench_gauge_read(struct bench_gauge *gauge, const struct bench_peer *peer, void *end);

#endif
