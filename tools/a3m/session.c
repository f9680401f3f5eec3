/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing; the waits are in session_wait.c.
 */
#include "session.h"

#include <inttypes.h>
#include <stdlib.h>

#include "endpoint.h"
#include "nodeid.h"
#include "report.h"
#include "setting.h"
#include "signals.h"

/* How long the end may take when a peer does not answer. */
enum { CLOSE_MS = 2000 };

/* What the node has to tell apart from any call, such as two nodes with one id. Any of its threads. */
static void on_report(void *arg, int code, const char *text)
{
    (void)arg;
    (void)code;
    cli_error("%s", text);
}

static enum cli_status make_node(struct cli_session *s)
{
    const struct cli_options *options = s->options;
    char made[100];
    const char *id = options->node;
    if (id == NULL) {
        cli_nodeid_make(made, sizeof made);
        id = made;
    }
    a3m_node_config config = {.size = sizeof config, .report = on_report};
    int code = a3m_node_new(&s->node, id, options->bind, &config);
    if (code == 0) {
        code = a3m_node_id(s->node, s->id, sizeof s->id);
    }
    if (code == 0) {
        return CLI_DONE;
    }
    /* The detail text names the address. An id that was made up says nothing to anybody. */
    return options->node == NULL ? cli_failed(code, "cannot make a node")
                                 : cli_failed(code, "cannot make node '%s'", id);
}

static enum cli_status set_peers(struct cli_session *s)
{
    for (size_t i = 0; i < s->options->peers.n; i++) {
        char id[A3M_NAME_MAX + 1];
        const char *url;
        enum cli_status status = cli_endpoint_split_peer(s->options->peers.items[i], id, &url);
        if (status != CLI_DONE) {
            return status;
        }
        int code = a3m_node_set_peer(s->node, id, url);
        if (code != 0) {
            return cli_failed(code, "--peer '%s'", s->options->peers.items[i]);
        }
    }
    return CLI_DONE;
}

static enum cli_status make_socket(struct cli_session *s, const a3m_socket_type *type)
{
    const char *tag = s->options->socket;
    if (tag == NULL && s->bound) {
        tag = cli_report_command(); /* a name that a peer can guess */
    }
    int code = a3m_socket_open(&s->socket, s->node, type, tag);
    if (code != 0) {
        return cli_failed(code, "cannot make socket '%s'", tag == NULL ? "" : tag);
    }
    for (size_t i = 0; i < s->options->settings.n; i++) {
        enum cli_status status = cli_setting_apply(s->socket, s->options->settings.items[i]);
        if (status != CLI_DONE) {
            return status;
        }
    }
    code = a3m_socket_set(s->socket, A3M_OPT_EINTR, 1);
    return code == 0 ? CLI_DONE : cli_failed(code, "cannot set option 'eintr'");
}

static enum cli_status start(struct cli_session *s)
{
    int code = a3m_node_start(s->node);
    if (code != 0) {
        return cli_failed(code, "cannot start node '%s'", s->id);
    }
    if (!s->bound) {
        return CLI_DONE;
    }
    char address[A3M_LINK_ADDRESS_SIZE];
    char tag[A3M_LINK_NAME_SIZE];
    code = a3m_node_address(s->node, address, sizeof address);
    if (code == 0) {
        code = a3m_socket_tag(s->socket, tag, sizeof tag);
    }
    if (code != 0) {
        return cli_failed(code, "cannot tell the address");
    }
    cli_notice("node '%s' at %s, socket '%s'", s->id, address, tag);
    return CLI_DONE;
}

static enum cli_status make_links(struct cli_session *s)
{
    const struct cli_texts *peers = &s->options->links;
    if (peers->n == 0) {
        return CLI_DONE;
    }
    s->links = calloc(peers->n, sizeof *s->links);
    if (s->links == NULL) {
        cli_error("no memory");
        return CLI_OTHER;
    }
    for (size_t i = 0; i < peers->n; i++) {
        int code = a3m_socket_link(s->socket, peers->items[i], &s->links[i]);
        if (code != 0 && code != A3M_EEXIST) {
            return cli_failed(code, "--link '%s'", peers->items[i]);
        }
        s->n_links++;
    }
    return CLI_DONE;
}

enum cli_status cli_session_open(struct cli_session *s, const struct cli_options *options,
                                 const a3m_socket_type *type)
{
    *s = (struct cli_session){.options = options, .bound = options->bind != NULL};
    enum cli_status status = cli_endpoint_check(options);
    if (status == CLI_DONE) {
        status = make_node(s);
    }
    if (status == CLI_DONE) {
        status = set_peers(s);
    }
    if (status == CLI_DONE) {
        status = make_socket(s, type);
    }
    if (status == CLI_DONE) {
        status = start(s);
    }
    if (status == CLI_DONE) {
        status = make_links(s);
    }
    if (status != CLI_DONE && s->node.v != 0) {
        (void)a3m_node_close(s->node, A3M_NOW, NULL);
        free(s->links);
    }
    return status;
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* Messages that the node could not finish: an error where nobody else has told what became of them. */
static enum cli_status judge(const struct cli_session *s, uint64_t n, const char *what,
                             enum cli_status status)
{
    if (n == 0) {
        return CLI_DONE;
    }
    if (s->judged) {
        cli_notice("%" PRIu64 " message%s %s", n, plural(n), what);
        return CLI_DONE;
    }
    cli_error("%" PRIu64 " message%s %s", n, plural(n), what);
    return status;
}

static enum cli_status judge_report(const struct cli_session *s, const a3m_close_report *report)
{
    if (report->unread > 0) {
        cli_notice("%" PRIu64 " message%s received but not taken", report->unread, plural(report->unread));
    }
    enum cli_status undelivered = judge(s, report->undelivered, "not delivered", CLI_OTHER);
    enum cli_status unknown = judge(s, report->unknown, "of unknown outcome: sent, but not acknowledged",
                                    CLI_UNKNOWN);
    return cli_status_worse(undelivered, unknown);
}

enum cli_status cli_session_close(struct cli_session *s, enum cli_status status)
{
    cli_signals_calm();
    a3m_close_report report = {.size = sizeof report};
    int code = a3m_node_close(s->node, a3m_in(a3m_ms(CLOSE_MS)), &report);
    if (code == 0 || code == A3M_ETIMEDOUT) {
        status = cli_status_worse(status, judge_report(s, &report));
    } else {
        status = cli_status_worse(status, cli_failed(code, "cannot close node '%s'", s->id));
    }
    free(s->links);
    return status;
}
