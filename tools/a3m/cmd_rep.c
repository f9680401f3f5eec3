/* SPDX-License-Identifier: Apache-2.0 */
/*
 * a3m rep: answers requests: with themselves, with a fixed text, or with lines
 * of standard input. A requester that went away does not end it.
 */
#include <inttypes.h>
#include <string.h>

#include <a3m/a3m.h>

#include "command.h"
#include "duration.h"
#include "lines.h"
#include "output.h"
#include "report.h"
#include "session.h"
#include "signals.h"

enum { BATCH = 64, REPLY_SECONDS = 10 };

struct rep {
    struct cli_session session;
    const struct cli_options *options;
    struct cli_output output; /* with --lines, as the next */
    struct cli_lines lines;
    int64_t count; /* 0: without end */
    int64_t replied;
};

/* With --lines: shows the request and takes the next line for its reply. *reply stays NULL when there is none. */
static enum cli_status ask_person(struct rep *r, const a3m_msg *request, a3m_msg **reply)
{
    (void)cli_output_write(&r->output, a3m_msg_data(request), a3m_msg_size(request));
    (void)cli_output_write(&r->output, "\n", 1);
    if (cli_output_flush(&r->output) != 0) {
        return CLI_OTHER;
    }
    const char *line;
    size_t size;
    enum cli_lines_result result;
    do {
        result = cli_lines_next(&r->lines, true, &line, &size);
    } while (result == CLI_LINES_INTR && !cli_signals_stopped());
    switch (result) {
    case CLI_LINES_OK: *reply = a3m_msg_copy(line, size); return CLI_DONE;
    case CLI_LINES_END:
        cli_error("standard input ended before a reply to request %" PRId64, r->replied + 1);
        return CLI_OTHER;
    case CLI_LINES_WAIT:
    case CLI_LINES_INTR:
        cli_error("interrupted before a reply to request %" PRId64, r->replied + 1);
        return CLI_OTHER;
    case CLI_LINES_TOO_LONG:
    case CLI_LINES_FAILED:
        cli_error("cannot read standard input: %s", cli_lines_explain(&r->lines, result));
        return CLI_OTHER;
    }
    return CLI_OTHER;
}

static enum cli_status make_reply(struct rep *r, const a3m_msg *request, a3m_msg **reply)
{
    enum cli_status status = CLI_DONE;
    *reply = NULL;
    if (r->options->echo) {
        *reply = a3m_msg_dup(request);
    } else if (r->options->data != NULL) {
        *reply = a3m_msg_copy(r->options->data, strlen(r->options->data));
    } else {
        status = ask_person(r, request, reply);
    }
    if (status == CLI_DONE && *reply == NULL) {
        cli_error("no memory for a reply of %zu bytes", a3m_msg_size(request));
        return CLI_OTHER;
    }
    return status;
}

/*
 * Sends a reply. That it cannot be delivered is the requester's misfortune, and
 * no reason to end.
 */
static void send_reply(struct rep *r, a3m_msg *request, a3m_msg *reply)
{
    a3m_duration limit = r->options->timeout.ns < 0 ? a3m_seconds(REPLY_SECONDS) : r->options->timeout;
    a3m_time deadline = a3m_in(limit);
    int code;
    do {
        code = a3m_reply(r->session.socket, request, reply, deadline);
    } while (code == A3M_EINTR && a3m_now().ns < deadline.ns);
    if (code == 0) {
        r->replied++;
        return;
    }
    if (code == A3M_ENOLINK) {
        cli_notice("a requester ('%s') left before its reply", a3m_msg_peer_node(request));
    } else {
        (void)cli_failed(code, "cannot reply to '%s'", a3m_msg_peer_node(request));
    }
    a3m_msg_free(reply);
}

static enum cli_status answer(struct rep *r, a3m_msg **requests, int n)
{
    enum cli_status status = CLI_DONE;
    for (int i = 0; i < n; i++) {
        a3m_msg *reply = NULL;
        if (status == CLI_DONE) {
            status = make_reply(r, requests[i], &reply);
        }
        if (reply != NULL) {
            send_reply(r, requests[i], reply);
        }
        a3m_msg_free(requests[i]);
    }
    return status;
}

/* What it means that no request comes any more. */
static enum cli_status judge_end(struct rep *r, int code)
{
    char limit[48];
    switch (code) {
    case A3M_EINTR:
        if (r->count == 0) {
            return CLI_DONE;
        }
        cli_error("interrupted after %" PRId64 " of %" PRId64 " replies", r->replied, r->count);
        return CLI_OTHER;
    case A3M_ETIMEDOUT:
        cli_duration_format(r->options->timeout, limit, sizeof limit);
        cli_error("timed out: no request for %s, after %" PRId64, limit, r->replied);
        return CLI_TIMED_OUT;
    case A3M_ENOLINK:
        if (r->count == 0 && cli_session_ended_in_order(&r->session)) {
            return CLI_DONE;
        }
        cli_error("no link is left after %" PRId64 " repl%s", r->replied, r->replied == 1 ? "y" : "ies");
        return cli_session_report_links(&r->session);
    default: return cli_failed(code, "cannot receive");
    }
}

static size_t batch_size(const struct rep *r)
{
    if (r->options->lines) {
        return 1; /* the next request is asked for when this one has its reply */
    }
    int64_t left = r->count - r->replied;
    return r->count == 0 || left > BATCH ? BATCH : (size_t)left;
}

static enum cli_status serve(struct rep *r)
{
    enum cli_status status = CLI_DONE;
    while (status == CLI_DONE && (r->count == 0 || r->replied < r->count)) {
        a3m_msg *requests[BATCH];
        int n = cli_session_recv_many(&r->session, requests, batch_size(r),
                                      cli_options_deadline(r->options->timeout));
        if (n < 0) {
            return judge_end(r, n);
        }
        status = answer(r, requests, n);
    }
    return status;
}

static enum cli_status run(const struct cli_options *options)
{
    int kinds = (options->echo ? 1 : 0) + (options->data != NULL ? 1 : 0) + (options->lines ? 1 : 0);
    if (kinds != 1) {
        return cli_usage("say what to reply: one of --echo, --data TEXT and --lines");
    }
    struct rep r = {.options = options, .count = options->count < 0 ? 0 : options->count};
    enum cli_status status = cli_output_init(&r.output);
    if (status != CLI_DONE) {
        return status;
    }
    cli_lines_init(&r.lines, '\n');
    status = cli_session_open(&r.session, options, &a3m_rep);
    if (status == CLI_DONE) {
        r.session.judged = r.count == 0; /* a server that goes on for long sees clients die */
        status = cli_session_wait_link_if_asked(&r.session);
        if (status == CLI_DONE) {
            status = serve(&r);
        }
        status = cli_status_worse(status, cli_output_finish(&r.output));
        status = cli_session_close(&r.session, status);
    }
    cli_lines_fini(&r.lines);
    cli_output_fini(&r.output);
    return status;
}

const struct cli_command cli_command_rep = {
    .name = "rep",
    .bit = CLI_REP,
    .summary = "answer requests",
    .synopsis = "--bind URL [--socket TAG] --echo | --data TEXT | --lines [OPTION]...\n"
                "--link PEER... --echo | --data TEXT | --lines [OPTION]...",
    .about = "Answers requests of 'a3m req' and other REQ sockets. Ends after --count replies,\n"
             "when interrupted, or, without --bind, when the last link has ended.\n",
    .examples = "  a3m rep --bind udp://127.0.0.1:7101 --socket echo --echo\n"
                "  a3m rep --node clock --bind udp://[::]:0 --socket day --data Monday --count 1\n",
    .run = run,
};
