/* SPDX-License-Identifier: Apache-2.0 */
/* Request and reply; see call.h. */
#include "bench/call.h"

#include <stdlib.h>

#include "bench/clock.h"
#include "bench/fail.h"
#include "bench/samples.h"

/* No transport answers faster than this; samples beyond the capacity that follows would end the measurement early. */
enum { FASTEST_NS = 500 };

static void warm_up(const struct bench_plan *plan, void *end, char *bytes)
{
    bench_mark_write(bytes, BENCH_MARK_WARM, 0);
    int64_t until = bench_clock_wall() + plan->duration_ns / 10;
    while (bench_clock_wall() < until) {
        plan->peer->call(end, bytes, plan->size);
    }
}

static void measure(const struct bench_plan *plan, void *end, char *bytes, struct bench_samples *samples)
{
    bench_mark_write(bytes, BENCH_MARK_DATA, 0);
    int64_t before = bench_clock_wall();
    int64_t until = before + plan->duration_ns;
    while (before < until && !bench_samples_full(samples)) {
        plan->peer->call(end, bytes, plan->size);
        int64_t after = bench_clock_wall();
        bench_samples_add(samples, after - before);
        before = after;
    }
}

void bench_call_measure(const struct bench_plan *plan, void *end, struct bench_report *report)
{
    struct bench_samples samples;
    bench_samples_init(&samples, (size_t)(plan->duration_ns / FASTEST_NS) + 1);
    char *bytes = calloc(1, plan->size);
    if (bytes == NULL) {
        bench_fail("no memory");
    }
    warm_up(plan, end, bytes);
    bench_gauge_read(&report->begin, plan->peer, end);
    measure(plan, end, bytes, &samples);
    bench_gauge_read(&report->end, plan->peer, end);
    bench_mark_write(bytes, BENCH_MARK_END, samples.n);
    plan->peer->call(end, bytes, plan->size);

    bench_samples_sort(&samples);
    report->messages = samples.n;
    report->p50_us = bench_samples_us(&samples, 0.5);
    report->p90_us = bench_samples_us(&samples, 0.9);
    report->p99_us = bench_samples_us(&samples, 0.99);
    free(bytes);
    bench_samples_fini(&samples);
}

void bench_call_serve(const struct bench_plan *plan, void *end, struct bench_report *report)
{
    for (;;) {
        struct bench_mark mark = plan->peer->echo(end);
        if (mark.kind == BENCH_MARK_DATA && report->messages++ == 0) {
            bench_gauge_read(&report->begin, plan->peer, end);
        }
        if (mark.kind == BENCH_MARK_END) {
            break;
        }
    }
    bench_gauge_read(&report->end, plan->peer, end);
}
