/* SPDX-License-Identifier: Apache-2.0 */
/* What the processes of a measurement do; see role.h. */
#include "bench/role.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/call.h"
#include "bench/fail.h"
#include "bench/flow.h"
#include "bench/peer.h"
#include "bench/pin.h"

enum { ARG_ROLE = 2, ARG_PEER, ARG_SIZE, ARG_DURATION, ARG_PACE, ARG_WORK, ARG_CPU, ARG_ADDRESS, ARGS };

void bench_role_exec(const struct bench_plan *plan, const char *address)
{
    char numbers[ARGS][24];
    const char *args[ARGS + 1] = {"/proc/self/exe", "--role"};
    const int64_t values[ARGS] = {
        [ARG_SIZE] = (int64_t)plan->size,
        [ARG_DURATION] = plan->duration_ns,
        [ARG_PACE] = plan->pace_ns,
        [ARG_WORK] = plan->work_ns,
        [ARG_CPU] = address == NULL ? plan->server_cpu : plan->client_cpu,
    };
    for (int i = ARG_SIZE; i <= ARG_CPU; i++) {
        (void)snprintf(numbers[i], sizeof(numbers[i]), "%" PRId64, values[i]);
        args[i] = numbers[i];
    }
    args[ARG_ROLE] = address == NULL ? "server" : "client";
    args[ARG_PEER] = plan->peer->name;
    args[ARG_ADDRESS] = address == NULL ? "-" : address;
    (void)execv(args[0], (char *const *)(uintptr_t)args); /* execv changes nothing, C cannot say so */
    bench_fail_errno("exec");
}

static void say(const void *what, size_t size)
{
    if (write(BENCH_ROLE_REPORT_FD, what, size) != (ssize_t)size) {
        bench_fail_errno("report");
    }
}

static void serve(const struct bench_plan *plan)
{
    char address[BENCH_ADDRESS] = {0};
    struct bench_report report = {0};
    char byte;
    void *end = plan->peer->listen(plan, address);
    say(address, sizeof(address));
    if (plan->peer->call != NULL) {
        bench_call_serve(plan, end, &report);
    } else {
        bench_flow_receive(plan, end, &report);
    }
    say(&report, sizeof(report));
    (void)shutdown(BENCH_ROLE_DONE_FD, SHUT_WR);
    /* The one who asks leaves first: no answer of ours is on its way any more. */
    while (read(BENCH_ROLE_DONE_FD, &byte, 1) < 0 && errno == EINTR) {}
    plan->peer->close(end);
}

static void ask(const struct bench_plan *plan, const char *address)
{
    struct bench_report report = {0};
    void *end = plan->peer->connect(plan, address);
    if (plan->peer->call != NULL) {
        bench_call_measure(plan, end, &report);
    } else {
        bench_flow_send(plan, end, BENCH_ROLE_DONE_FD, &report);
    }
    say(&report, sizeof(report));
    plan->peer->close(end);
    (void)close(BENCH_ROLE_DONE_FD);
}

static int64_t number(const char *text)
{
    return strtoll(text, NULL, 10);
}

void bench_role_take(int argc, char **argv)
{
    if (argc != ARGS || strcmp(argv[1], "--role") != 0) {
        return;
    }
    struct bench_plan plan = {
        .peer = bench_peer_find(argv[ARG_PEER]),
        .size = (size_t)number(argv[ARG_SIZE]),
        .duration_ns = number(argv[ARG_DURATION]),
        .pace_ns = number(argv[ARG_PACE]),
        .work_ns = number(argv[ARG_WORK]),
    };
    if (plan.peer == NULL || plan.size < BENCH_MARK_SIZE) {
        bench_fail("not a role: %s of %s bytes", argv[ARG_PEER], argv[ARG_SIZE]);
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);     /* nobody would read the report */
    bench_pin_self((int)number(argv[ARG_CPU])); /* before there is any other thread */
    if (strcmp(argv[ARG_ROLE], "server") == 0) {
        serve(&plan);
    } else {
        ask(&plan, argv[ARG_ADDRESS]);
    }
    exit(EXIT_SUCCESS);
}
