/* SPDX-License-Identifier: Apache-2.0 */
/*
 * a3m req: sends requests one after the other, prints their replies, and sums
 * up the round trips. A request that fails is said and counted, and the next one
 * follows; the exit code tells the worst that happened.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <a3m/a3m.h>

#include "command.h"
#include "duration.h"
#include "latency.h"
#include "output.h"
#include "report.h"
#include "session.h"
#include "signals.h"

struct req {
    struct cli_session session;
    const struct cli_options *options;
    struct cli_output output;
    struct cli_latency latency;
    a3m_msg *data;
    int64_t count; /* 0: without end */
    int64_t started, replies, timed_out, unknown, unsent;
    enum cli_status worst;
};

/* Prints a reply. 0 or an errno. */
static int print(struct req *r, const a3m_msg *reply, a3m_duration round_trip)
{
    char text[64] = "\n";
    if (r->options->rtt) {
        (void)snprintf(text, sizeof text, "  round trip %.1f us\n", (double)round_trip.ns / 1e3);
    }
    (void)cli_output_write(&r->output, a3m_msg_data(reply), a3m_msg_size(reply));
    (void)cli_output_write(&r->output, text, strlen(text));
    return cli_output_flush(&r->output);
}

/* Says and counts that the present request was not sent: nobody has it. */
static void judge_unsent(struct req *r, int code)
{
    enum cli_status status = CLI_OTHER;
    char limit[48];
    switch (code) {
    case A3M_ETIMEDOUT:
        cli_duration_format(r->options->timeout, limit, sizeof limit);
        cli_error("request %" PRId64 ": timed out: could not be sent within %s", r->started, limit);
        r->timed_out++;
        r->worst = cli_status_worse(r->worst, CLI_TIMED_OUT);
        return;
    case A3M_EINTR: cli_error("request %" PRId64 ": interrupted before it was sent", r->started); break;
    case A3M_ENOLINK:
        cli_error("request %" PRId64 ": not sent: no link is left", r->started);
        status = cli_session_report_links(&r->session);
        break;
    default: status = cli_failed(code, "request %" PRId64 ": not sent", r->started);
    }
    r->unsent++;
    r->worst = cli_status_worse(r->worst, status);
}

/* Says and counts that the present request was sent, and has no reply: the server may have handled it. */
static void judge_unanswered(struct req *r, int code)
{
    char limit[48];
    switch (code) {
    case A3M_ETIMEDOUT:
        cli_duration_format(r->options->timeout, limit, sizeof limit);
        cli_error("request %" PRId64 ": timed out: no reply within %s", r->started, limit);
        r->timed_out++;
        r->worst = cli_status_worse(r->worst, CLI_TIMED_OUT);
        return;
    case A3M_EINTR: cli_error("request %" PRId64 ": outcome unknown: interrupted", r->started); break;
    default: cli_error("request %" PRId64 ": outcome unknown: %s", r->started, a3m_strerror(code));
    }
    r->unknown++;
    r->worst = cli_status_worse(r->worst, CLI_UNKNOWN);
}

static int wait_reply(struct req *r, a3m_request request, a3m_msg **reply, a3m_time deadline)
{
    int code;
    do {
        code = a3m_request_wait(r->session.socket, request, reply, deadline);
    } while (code == A3M_EINTR && !cli_signals_stopped());
    if (code != 0) {
        (void)a3m_request_cancel(r->session.socket, request);
    }
    return code;
}

/* One request and its reply. Returns whether to go on. */
static bool exchange(struct req *r)
{
    a3m_msg *msg = a3m_msg_dup(r->data);
    a3m_msg *reply = NULL;
    a3m_request request;
    if (msg == NULL) {
        cli_error("no memory");
        r->worst = cli_status_worse(r->worst, CLI_OTHER);
        return false;
    }
    r->started++;
    a3m_time begin = a3m_now();
    a3m_time deadline = cli_options_deadline(r->options->timeout);
    int code = cli_session_request(&r->session, msg, &request, deadline);
    if (code != 0) {
        a3m_msg_free(msg);
        judge_unsent(r, code);
        return code == A3M_ETIMEDOUT;
    }
    code = wait_reply(r, request, &reply, deadline);
    if (code != 0) {
        judge_unanswered(r, code);
        return code != A3M_EINTR;
    }
    a3m_duration round_trip = a3m_ns(a3m_now().ns - begin.ns);
    cli_latency_add(&r->latency, round_trip);
    r->replies++;
    int error = print(r, reply, round_trip);
    a3m_msg_free(reply);
    return error == 0;
}

/* Sleeps until `t`, or until the command is to end. */
static void sleep_until(a3m_time t)
{
    int64_t left;
    while (!cli_signals_stopped() && (left = t.ns - a3m_now().ns) > 0) {
        /* Not clock_nanosleep, behind which ThreadSanitizer keeps signals from their handlers. */
        struct timespec span = {.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000};
        (void)nanosleep(&span, NULL);
    }
}

static void run_requests(struct req *r)
{
    a3m_duration interval = r->options->interval;
    a3m_time next = a3m_now();
    bool go_on = true;
    while (go_on && !cli_signals_stopped() && (r->count == 0 || r->started < r->count)) {
        if (interval.ns > 0 && r->started > 0) {
            /* A request that took longer than the interval delays the next ones; they do not catch up. */
            next = a3m_time_add(next, interval);
            next = next.ns < a3m_now().ns ? a3m_now() : next;
            sleep_until(next);
            if (cli_signals_stopped()) {
                break;
            }
        }
        go_on = exchange(r);
    }
    if (r->count != 0 && r->started < r->count) {
        r->worst = cli_status_worse(r->worst, CLI_OTHER);
    }
}

static void add_count(char *buf, size_t size, int64_t n, const char *what)
{
    size_t used = strlen(buf);
    if (n > 0) {
        (void)snprintf(buf + used, size - used, ", %" PRId64 " %s", n, what);
    }
}

static void summarize(struct req *r)
{
    char counts[160] = "";
    char times[160];
    add_count(counts, sizeof counts, r->timed_out, "timed out");
    add_count(counts, sizeof counts, r->unknown, "of unknown outcome");
    add_count(counts, sizeof counts, r->unsent, "not sent");
    cli_latency_format(&r->latency, times, sizeof times);
    cli_notice("%" PRId64 " request%s, %" PRId64 " repl%s%s%s%s", r->started, r->started == 1 ? "" : "s",
               r->replies, r->replies == 1 ? "y" : "ies", counts, times[0] == '\0' ? "" : "; ", times);
}

static void talk(struct req *r)
{
    r->session.judged = true; /* request by request */
    r->worst = cli_session_wait_link(&r->session, cli_options_deadline(r->options->timeout));
    if (r->worst == CLI_DONE) {
        run_requests(r);
    }
    r->worst = cli_status_worse(r->worst, cli_output_finish(&r->output));
    summarize(r);
}

static enum cli_status run(const struct cli_options *options)
{
    if (options->data == NULL) {
        return cli_usage("say what to send: --data TEXT");
    }
    struct req r = {.options = options, .count = options->count < 0 ? 1 : options->count};
    cli_latency_init(&r.latency);
    r.worst = cli_output_init(&r.output);
    r.data = a3m_msg_copy(options->data, strlen(options->data));
    if (r.data == NULL && r.worst == CLI_DONE) {
        cli_error("no memory");
        r.worst = CLI_OTHER;
    }
    if (r.worst == CLI_DONE) {
        r.worst = cli_session_open(&r.session, options, &a3m_req);
        if (r.worst == CLI_DONE) {
            talk(&r);
            r.worst = cli_session_close(&r.session, r.worst);
        }
    }
    a3m_msg_free(r.data);
    cli_output_fini(&r.output);
    cli_latency_fini(&r.latency);
    return r.worst;
}

const struct cli_command cli_command_req = {
    .name = "req",
    .bit = CLI_REQ,
    .summary = "send requests and print their replies",
    .synopsis = "--link PEER... --data TEXT [OPTION]...\n--bind URL [--socket TAG] --data TEXT [OPTION]...",
    .about = "Sends requests to 'a3m rep' and other REP sockets, one after the other, prints\n"
             "each reply as a line, and at the end the round trips on standard error.\n",
    .examples = "  a3m req --link udp://127.0.0.1:7101/echo --data hello --count 3 --timeout 2s\n"
                "  a3m req --link clock/day --peer clock=udp://[::1]:7101 --data today --rtt\n",
    .run = run,
};
