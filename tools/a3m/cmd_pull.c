/* SPDX-License-Identifier: Apache-2.0 */
/*
 * a3m pull: receives messages and prints them. Output is buffered while
 * messages wait, and flushed before the command waits itself. Never takes more
 * messages than it was asked for: taken means delivered.
 */
#include <inttypes.h>

#include <a3m/a3m.h>

#include "command.h"
#include "duration.h"
#include "output.h"
#include "report.h"
#include "session.h"

enum { BATCH = 256 };

struct pull {
    struct cli_session session;
    const struct cli_options *options;
    struct cli_output output;
    int64_t count; /* 0: without end */
    int64_t taken;
};

static size_t batch_size(const struct pull *p)
{
    int64_t left = p->count - p->taken;
    return p->count == 0 || left > BATCH ? BATCH : (size_t)left;
}

static int receive(struct pull *p, a3m_msg **msgs)
{
    int n = a3m_recv_many(p->session.socket, msgs, batch_size(p), A3M_NOW);
    if (n > 0) {
        return n;
    }
    if (cli_output_flush(&p->output) != 0) {
        return 0;
    }
    return cli_session_recv_many(&p->session, msgs, batch_size(p), cli_options_deadline(p->options->timeout));
}

static void print(struct pull *p, a3m_msg **msgs, int n)
{
    char end = p->options->zero ? '\0' : '\n';
    for (int i = 0; i < n; i++) {
        (void)cli_output_write(&p->output, a3m_msg_data(msgs[i]), a3m_msg_size(msgs[i]));
        if (!p->options->raw) {
            (void)cli_output_write(&p->output, &end, 1);
        }
        a3m_msg_free(msgs[i]);
        p->taken++;
    }
}

/* What it means that no message comes any more. */
static enum cli_status judge_end(struct pull *p, int code)
{
    char limit[48];
    switch (code) {
    case A3M_EINTR:
        if (p->count == 0) {
            return CLI_DONE;
        }
        cli_error("interrupted after %" PRId64 " of %" PRId64 " messages", p->taken, p->count);
        return CLI_OTHER;
    case A3M_ETIMEDOUT:
        cli_duration_format(p->options->timeout, limit, sizeof limit);
        cli_error("timed out: no message for %s, after %" PRId64, limit, p->taken);
        return CLI_TIMED_OUT;
    case A3M_ENOLINK:
        if (p->count == 0 && cli_session_ended_in_order(&p->session)) {
            return CLI_DONE;
        }
        cli_error("no link is left after %" PRId64 " message%s", p->taken, p->taken == 1 ? "" : "s");
        return cli_session_report_links(&p->session);
    default: return cli_failed(code, "cannot receive");
    }
}

static enum cli_status pull_messages(struct pull *p)
{
    a3m_msg *msgs[BATCH];
    int n = 1;
    while (n > 0 && p->output.error == 0 && (p->count == 0 || p->taken < p->count)) {
        n = receive(p, msgs);
        if (n > 0) {
            print(p, msgs, n);
        }
    }
    enum cli_status status = n < 0 ? judge_end(p, n) : CLI_DONE;
    return cli_status_worse(status, cli_output_finish(&p->output));
}

static enum cli_status run(const struct cli_options *options)
{
    if (options->raw && options->zero) {
        return cli_usage("--raw and --zero exclude each other");
    }
    struct pull p = {.options = options, .count = options->count < 0 ? 0 : options->count};
    enum cli_status status = cli_output_init(&p.output);
    if (status != CLI_DONE) {
        return status;
    }
    status = cli_session_open(&p.session, options, &a3m_pull);
    if (status == CLI_DONE) {
        status = cli_session_wait_link_if_asked(&p.session);
        if (status == CLI_DONE) {
            status = pull_messages(&p);
        }
        status = cli_session_close(&p.session, status);
    }
    cli_output_fini(&p.output);
    return status;
}

const struct cli_command cli_command_pull = {
    .name = "pull",
    .bit = CLI_PULL,
    .summary = "receive messages and print them",
    .synopsis = "--bind URL [--socket TAG] [OPTION]...\n--link PEER [--link PEER]... [OPTION]...",
    .about = "Receives messages from 'a3m push' and other PUSH sockets, and prints each as a\n"
             "line. Ends after --count messages, when interrupted, or, without --bind, when\n"
             "the last link has ended.\n",
    .examples = "  a3m pull --bind udp://127.0.0.1:7102 --socket sink\n"
                "  a3m pull --bind udp://127.0.0.1:7102 --socket sink --raw --count 1 >copy\n",
    .run = run,
};
