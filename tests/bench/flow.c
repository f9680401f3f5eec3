/* SPDX-License-Identifier: Apache-2.0 */
/* One way; see flow.h. */
#include "bench/flow.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/fail.h"

/* From here on the sender sleeps from one message to the next; below, it computes. */
enum { SLEEP_NS = 500000 };

static void spin_until(int64_t t)
{
    while (bench_clock_wall() < t) {}
}

static void pause_until(const struct bench_plan *plan, int64_t t)
{
    struct timespec wake = {.tv_sec = t / 1000000000, .tv_nsec = t % 1000000000};
    if (plan->pace_ns < SLEEP_NS) {
        spin_until(t);
    } else {
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL) != 0) {}
    }
}

/* Sends messages of one kind for a while; returns how many. */
static uint64_t send_for(const struct bench_plan *plan, void *end, char *bytes, enum bench_mark_kind kind,
                         int64_t duration_ns)
{
    unsigned n = plan->pace_ns > 0 ? 1 : BENCH_BATCH;
    uint64_t sent = 0;
    int64_t now = bench_clock_wall();
    int64_t until = now + duration_ns;
    bench_mark_write(bytes, kind, 0);
    for (; now < until; now = bench_clock_wall()) {
        plan->peer->send(end, bytes, plan->size, n);
        sent += n;
        if (plan->pace_ns > 0) {
            pause_until(plan, now + plan->pace_ns);
        }
    }
    return sent;
}

/* Says that it was the last message, again and again where that may get lost, until the receiver has seen it. */
static void finish(const struct bench_plan *plan, void *end, char *bytes, uint64_t sent, int done_fd)
{
    struct pollfd done = {.fd = done_fd, .events = POLLIN};
    bench_mark_write(bytes, BENCH_MARK_END, sent);
    do {
        plan->peer->send(end, bytes, plan->size, 1);
    } while (poll(&done, 1, plan->peer->lossy ? 1 : -1) == 0);
}

void bench_flow_send(const struct bench_plan *plan, void *end, int done_fd, struct bench_report *report)
{
    char *bytes = calloc(1, plan->size);
    if (bytes == NULL) {
        bench_fail("no memory");
    }
    (void)send_for(plan, end, bytes, BENCH_MARK_WARM, plan->duration_ns / 10);
    bench_gauge_read(&report->begin, plan->peer, end);
    report->messages = send_for(plan, end, bytes, BENCH_MARK_DATA, plan->duration_ns);
    finish(plan, end, bytes, report->messages, done_fd);
    bench_gauge_read(&report->end, plan->peer, end);
    free(bytes);
}

void bench_flow_receive(const struct bench_plan *plan, void *end, struct bench_report *report)
{
    struct bench_tally tally = {.size = plan->size};
    bool begun = false;
    while (!tally.ended) {
        unsigned n = plan->peer->recv(end, &tally);
        if (tally.begun && !begun) {
            begun = true;
            bench_gauge_read(&report->begin, plan->peer, end);
        }
        if (plan->work_ns > 0) {
            spin_until(bench_clock_wall() + plan->work_ns * n);
        }
    }
    bench_gauge_read(&report->end, plan->peer, end);
    report->messages = tally.messages;
    if (tally.wrong > 0) {
        bench_fail("%s: %" PRIu64 " messages that nobody sent", plan->peer->name, tally.wrong);
    }
    if (tally.messages != tally.sent && !plan->peer->lossy) {
        bench_fail("%s: %" PRIu64 " messages sent, %" PRIu64 " received", plan->peer->name, tally.sent,
                   tally.messages);
    }
}
