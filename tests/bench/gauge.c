/* SPDX-License-Identifier: Apache-2.0 */
/* Reading clocks and counters; see gauge.h. */
#include "bench/gauge.h"

#include "bench/clock.h"
#include "bench/peer.h"

void bench_gauge_read(struct bench_gauge *gauge, const struct bench_peer *peer, void *end)
{
    *gauge = (struct bench_gauge){0};
    if (peer->wakes != NULL) {
        peer->wakes(end, &gauge->wakes);
    }
    gauge->cpu_ns = bench_clock_cpu();
    gauge->wall_ns = bench_clock_wall();
}
