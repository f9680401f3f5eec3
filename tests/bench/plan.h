/* SPDX-License-Identifier: Apache-2.0 */
/* One measurement: what two processes do. And what each of them reports about it. */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "bench/gauge.h"

struct bench_peer;

struct bench_plan {
    const struct bench_peer *peer;
    size_t size;                /* of a message, in bytes; at least BENCH_MARK_SIZE */
    int64_t duration_ns;        /* of the measurement; a tenth of it more before, to warm up */
    int64_t pace_ns;            /* one way: from one message to the next; 0: as fast as it goes */
    int64_t work_ns;            /* one way: what the receiver computes for each message */
    int server_cpu, client_cpu; /* -1: any */
};

/* Goes through a pipe in one piece. */
struct bench_report {
    struct bench_gauge begin, end;
    uint64_t messages;             /* that counted: answered, sent, received */
    double p50_us, p90_us, p99_us; /* of a round trip, at the client */
};

#endif
