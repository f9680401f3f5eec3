/* SPDX-License-Identifier: Apache-2.0 */
/*
 * a3m push: sends lines, a file or a text, and ends when all of it has been
 * acknowledged, or (--taken) taken. Lines are sent in batches; a batch goes when it is full, and
 * whenever the next line is not there yet.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <a3m/a3m.h>

#include "command.h"
#include "file.h"
#include "lines.h"
#include "receipts.h"
#include "report.h"
#include "session.h"
#include "signals.h"

enum { BATCH = 256, BATCH_BYTES = 256 * 1024, GRACE_SECONDS = 2 };

struct push {
    struct cli_session session;
    const struct cli_options *options;
    a3m_msg *whole; /* what --file or --data says; NULL with --lines */
    a3m_msg *batch[BATCH];
    size_t n;     /* messages in the batch */
    size_t bytes; /* in these */
    uint64_t sent;
    struct cli_receipts receipts; /* with --taken */
};

static void drop_batch(struct push *p, size_t from)
{
    for (size_t i = from; i < p->n; i++) {
        a3m_msg_free(p->batch[i]);
    }
    p->n = 0;
    p->bytes = 0;
}

/* Says why the messages from `from` on in the batch cannot be sent. */
static enum cli_status judge_unsent(struct push *p, size_t from, int code)
{
    uint64_t next = p->sent + 1;
    switch (code) {
    case A3M_EINTR: cli_error("interrupted before message %" PRIu64, next); return CLI_OTHER;
    case A3M_ETIMEDOUT: cli_error("timed out: no room to send message %" PRIu64, next); return CLI_TIMED_OUT;
    case A3M_ENOLINK:
        cli_error("no link is left to send message %" PRIu64, next);
        return cli_session_report_links(&p->session);
    default:
        return cli_failed(code, "cannot send message %" PRIu64 " (%zu bytes)", next,
                          a3m_msg_size(p->batch[from]));
    }
}

static enum cli_status flush(struct push *p)
{
    if (p->n == 0) {
        return CLI_DONE;
    }
    enum cli_status status = cli_session_wait_link(&p->session, cli_options_deadline(p->options->timeout));
    size_t done = 0;
    while (done < p->n && status == CLI_DONE) {
        int n = cli_session_send_many(&p->session, p->batch + done, p->n - done,
                                      cli_options_deadline(p->options->timeout));
        if (n < 0) {
            status = judge_unsent(p, done, n);
        } else {
            done += (size_t)n;
            p->sent += (uint64_t)n;
        }
    }
    drop_batch(p, done);
    return status;
}

static enum cli_status add(struct push *p, a3m_msg *msg)
{
    if (msg == NULL) {
        cli_error("no memory for message %" PRIu64, p->sent + p->n + 1);
        return CLI_OTHER;
    }
    enum cli_status status = p->options->taken ? cli_receipts_ask(&p->receipts, msg) : CLI_DONE;
    if (status != CLI_DONE) {
        a3m_msg_free(msg);
        return status;
    }
    p->batch[p->n++] = msg;
    p->bytes += a3m_msg_size(msg);
    return p->n == BATCH || p->bytes >= BATCH_BYTES ? flush(p) : CLI_DONE;
}

static enum cli_status push_lines(struct push *p)
{
    struct cli_lines lines;
    cli_lines_init(&lines, p->options->zero ? '\0' : '\n');
    enum cli_status status = CLI_DONE;
    enum cli_lines_result result = CLI_LINES_OK;
    while (status == CLI_DONE && result != CLI_LINES_END && !cli_signals_stopped()) {
        const char *line;
        size_t size;
        result = cli_lines_next(&lines, p->n == 0, &line, &size);
        switch (result) {
        case CLI_LINES_OK: status = add(p, a3m_msg_copy(line, size)); break;
        case CLI_LINES_WAIT:
        case CLI_LINES_END: status = flush(p); break;
        case CLI_LINES_INTR: break;
        case CLI_LINES_TOO_LONG:
        case CLI_LINES_FAILED:
            cli_error("cannot read standard input: %s", cli_lines_explain(&lines, result));
            status = cli_status_worse(flush(p), CLI_OTHER);
            break;
        }
    }
    cli_lines_fini(&lines);
    if (status == CLI_DONE && result != CLI_LINES_END) {
        cli_error("interrupted after %" PRIu64 " message%s; %zu read and not sent", p->sent,
                  p->sent == 1 ? "" : "s", p->n);
        status = CLI_OTHER;
    }
    return status;
}

/* Before a node is made: a file that cannot be read is nobody else's business. */
static enum cli_status load(struct push *p)
{
    const char *text = p->options->data;
    int error = 0;
    if (p->options->file != NULL) {
        error = cli_file_read(p->options->file, &p->whole);
    } else if (text != NULL) {
        p->whole = a3m_msg_copy(text, strlen(text));
        error = p->whole == NULL ? ENOMEM : 0;
    }
    if (error == EINTR) {
        return CLI_OTHER;
    }
    if (error != 0) {
        cli_error("cannot read '%s': %s", text == NULL ? p->options->file : text,
                  error == EFBIG ? "larger than a message can be (1 GiB)" : strerror(error));
        return CLI_OTHER;
    }
    return CLI_DONE;
}

static enum cli_status push_whole(struct push *p)
{
    enum cli_status status = add(p, p->whole);
    return status == CLI_DONE ? flush(p) : status;
}

/* Waits for the acknowledgements of what was sent, not long when the command was interrupted. */
static enum cli_status drain(struct push *p)
{
    a3m_time deadline = cli_options_deadline(p->options->timeout);
    bool hurry = false;
    for (;;) {
        if (!hurry && cli_signals_stopped()) {
            hurry = true;
            cli_signals_calm();
            deadline = a3m_in(a3m_seconds(GRACE_SECONDS));
        }
        int code = a3m_socket_drain(p->session.socket, deadline);
        switch (code) {
        case 0: return CLI_DONE;
        case A3M_EINTR: break;
        case A3M_ERESTARTED:
        case A3M_ESILENT:
        case A3M_ECLOSED:
        case A3M_ECANCELED:
        case A3M_ENOLINK: return CLI_DONE; /* closing the node tells how many, and what became of them */
        case A3M_ETIMEDOUT: cli_error("timed out waiting for acknowledgements"); return CLI_TIMED_OUT;
        default: return cli_failed(code, "waiting for acknowledgements");
        }
    }
}

static enum cli_status check_source(const struct cli_options *options)
{
    int sources = (options->lines ? 1 : 0) + (options->file != NULL ? 1 : 0) +
                  (options->data != NULL ? 1 : 0);
    if (sources != 1) {
        return cli_usage("say what to send: one of --lines, --file PATH and --data TEXT");
    }
    if (options->zero && !options->lines) {
        return cli_usage("--zero is about --lines, which is not given");
    }
    return CLI_DONE;
}

/* With a socket: sends, and waits for what is to be waited for. */
static enum cli_status push(struct push *p)
{
    enum cli_status status = p->options->lines ? push_lines(p) : push_whole(p);
    drop_batch(p, 0);
    status = cli_status_worse(status, drain(p));
    if (p->options->taken && status != CLI_TIMED_OUT) {
        a3m_time deadline = cli_options_deadline(p->options->timeout);
        status = cli_status_worse(status, cli_receipts_wait(&p->receipts, p->sent, deadline));
    }
    return cli_session_close(&p->session, status);
}

static enum cli_status run(const struct cli_options *options)
{
    enum cli_status status = check_source(options);
    struct push p = {.options = options};
    if (status == CLI_DONE) {
        status = load(&p);
    }
    if (status == CLI_DONE && options->taken) {
        status = cli_receipts_init(&p.receipts);
    }
    if (status == CLI_DONE) {
        status = cli_session_open(&p.session, options, &a3m_push);
    }
    if (status != CLI_DONE) {
        a3m_msg_free(p.whole);
        return status;
    }
    if (!options->taken) {
        return push(&p);
    }
    status = push(&p);
    status = cli_status_worse(status, cli_receipts_judge(&p.receipts));
    cli_receipts_fini(&p.receipts);
    return status;
}

const struct cli_command cli_command_push = {
    .name = "push",
    .bit = CLI_PUSH,
    .summary = "send lines, a file or a text",
    .synopsis = "--link PEER... --lines | --file PATH | --data TEXT [OPTION]...\n"
                "--bind URL [--socket TAG] --lines | --file PATH | --data TEXT [OPTION]...",
    .about = "Sends messages to 'a3m pull' and other PULL sockets: each to one of its links.\n"
             "Ends when all of them have been acknowledged, or, with --taken, received by\n"
             "who reads there.\n",
    .examples = "  seq 1000 | a3m push --link udp://127.0.0.1:7102/sink --lines\n"
                "  a3m push --link udp://127.0.0.1:7102/sink --file image.iso\n",
    .run = run,
};
