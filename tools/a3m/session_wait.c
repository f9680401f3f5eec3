/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The waits of a session. A wait that has no end of its own is cut into slices;
 * after each it is checked whether any link is left that could end it.
 */
#include "session.h"

#include "duration.h"
#include "report.h"
#include "signals.h"

enum { SLICE_MS = 500, NOTICE_MS = 1000 };

static a3m_time sooner(a3m_time a, a3m_time b)
{
    return a.ns < b.ns ? a : b;
}

static bool passed(a3m_time deadline)
{
    return deadline.ns <= a3m_now().ns;
}

/* A3M_ENOLINK when no link is up, coming up, or can come from outside. */
static int check_links(const struct cli_session *s)
{
    a3m_link link;
    if (s->bound) {
        return 0;
    }
    return a3m_socket_wait_link_or_none(s->socket, &link, A3M_NOW) == A3M_ENOLINK ? A3M_ENOLINK : 0;
}

static a3m_time slice_of(const struct cli_session *s, a3m_time deadline)
{
    return s->bound ? deadline : sooner(deadline, a3m_in(a3m_ms(SLICE_MS)));
}

/*
 * What to do after a sliced call returned `code`: 0 to call again, else what to
 * return to the caller.
 */
static int after_slice(const struct cli_session *s, int code, a3m_time deadline)
{
    switch (code) {
    case A3M_EINTR: return cli_signals_stopped() ? A3M_EINTR : 0;
    case A3M_ETIMEDOUT:
    case A3M_EAGAIN:
    case A3M_ENOCREDIT:
    case A3M_ENOWINDOW:
    case A3M_ENOLINK: {
        int none = check_links(s);
        if (none != 0) {
            return none;
        }
        return passed(deadline) ? A3M_ETIMEDOUT : 0;
    }
    default: return code;
    }
}

int cli_session_recv_many(struct cli_session *s, a3m_msg **msgs, size_t max, a3m_time deadline)
{
    for (;;) {
        if (cli_signals_stopped()) {
            return A3M_EINTR;
        }
        int code = a3m_recv_many(s->socket, msgs, max, slice_of(s, deadline));
        if (code < 0) {
            code = after_slice(s, code, deadline);
        }
        if (code != 0) {
            return code;
        }
    }
}

int cli_session_send_many(struct cli_session *s, a3m_msg *const *msgs, size_t n, a3m_time deadline)
{
    for (;;) {
        if (cli_signals_stopped()) {
            return A3M_EINTR;
        }
        int code = a3m_send_many(s->socket, msgs, n, slice_of(s, deadline));
        if (code < 0) {
            code = after_slice(s, code, deadline);
        }
        if (code != 0) {
            return code;
        }
    }
}

int cli_session_request(struct cli_session *s, a3m_msg *msg, a3m_request *request, a3m_time deadline)
{
    for (;;) {
        if (cli_signals_stopped()) {
            return A3M_EINTR;
        }
        int code = a3m_request_send(s->socket, msg, request, slice_of(s, deadline));
        if (code == 0) {
            return 0;
        }
        code = after_slice(s, code, deadline);
        if (code != 0) {
            return code;
        }
    }
}

/* Whether a link that ended for this reason ended because its peer wanted it so. */
static bool is_orderly(int reason)
{
    return reason == 0 || reason == A3M_ECLOSED || reason == A3M_ECANCELED;
}

/* What became of the link to options->links.items[i] so far, as text. */
static const char *describe(const struct cli_session *s, size_t i, a3m_link_info *info)
{
    *info = (a3m_link_info){.size = sizeof *info};
    if (a3m_link_get_info(s->links[i], info) != 0) {
        return "ended";
    }
    if (info->state == A3M_LINK_ENDED && is_orderly(info->reason)) {
        return "ended by the peer";
    }
    return info->reason != 0 ? a3m_strerror(info->reason) : "no answer";
}

/* Says, by `say`, what each link that is waited for has come to. */
static void tell_waiting(const struct cli_session *s, void (*say)(const char *, ...), const char *how,
                         const char *yet)
{
    if (s->n_links == 0) {
        say("%s: no peer has linked to this one%s", how, yet);
    }
    for (size_t i = 0; i < s->n_links; i++) {
        a3m_link_info info;
        const char *what = describe(s, i, &info);
        say("%s: no link to %s%s: %s after %u request%s", how, s->options->links.items[i], yet, what,
            (unsigned)info.attempts, info.attempts == 1 ? "" : "s");
    }
}

bool cli_session_ended_in_order(const struct cli_session *s)
{
    for (size_t i = 0; i < s->n_links; i++) {
        a3m_link_info info;
        (void)describe(s, i, &info);
        if (!is_orderly(info.reason)) {
            return false;
        }
    }
    return true;
}

enum cli_status cli_session_report_links(struct cli_session *s)
{
    enum cli_status status = CLI_OTHER;
    for (size_t i = 0; i < s->n_links; i++) {
        a3m_link_info info;
        const char *what = describe(s, i, &info);
        cli_error("link to %s: %s", s->options->links.items[i], what);
        status = cli_status_worse(status, cli_status_of(info.reason));
    }
    return status;
}

static int wait_for_any(const struct cli_session *s, a3m_time deadline)
{
    for (;;) {
        a3m_link link;
        int code = s->bound ? a3m_socket_wait_link(s->socket, &link, deadline)
                            : a3m_socket_wait_link_or_none(s->socket, &link, deadline);
        if (code != A3M_EINTR || cli_signals_stopped()) {
            return code;
        }
    }
}

enum cli_status cli_session_wait_link(struct cli_session *s, a3m_time deadline)
{
    if (s->linked) {
        return CLI_DONE;
    }
    a3m_duration limit = s->options->link_timeout;
    if (limit.ns >= 0) {
        deadline = a3m_in(limit);
    }
    int code = wait_for_any(s, sooner(deadline, a3m_in(a3m_ms(NOTICE_MS))));
    if (code == A3M_ETIMEDOUT && !passed(deadline)) {
        tell_waiting(s, cli_notice, "waiting", " yet");
        code = wait_for_any(s, deadline);
    }
    switch (code) {
    case 0: s->linked = true; return CLI_DONE;
    case A3M_EINTR: return CLI_OTHER;
    case A3M_ENOLINK: return cli_session_report_links(s);
    case A3M_ETIMEDOUT: tell_waiting(s, cli_error, "timed out", ""); return CLI_TIMED_OUT;
    default: return cli_failed(code, "cannot wait for a link");
    }
}

enum cli_status cli_session_wait_link_if_asked(struct cli_session *s)
{
    return s->options->link_timeout.ns < 0 ? CLI_DONE : cli_session_wait_link(s, A3M_FOREVER);
}
