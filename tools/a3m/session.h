/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every command has: one node with one socket and the links that were
 * asked for. Opens them by the options, waits for links, and closes them;
 * reports what fails. For the main thread only.
 *
 * A command that nobody can link to (it has no --bind) has nothing to wait for
 * once all its links have ended for good: its waits then return A3M_ENOLINK.
 */
#ifndef A3M_CLI_SESSION_H
#define A3M_CLI_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include <a3m/a3m.h>

#include "options.h"
#include "status.h"

struct cli_session {
    const struct cli_options *options;
    a3m_node node;
    a3m_socket socket;
    a3m_link *links; /* one for each --link */
    size_t n_links;
    bool bound;  /* peers can link to us */
    bool linked; /* there was a link */
    bool judged; /* the command tells outcomes itself: what the end of the node adds is for information */
    char id[A3M_NAME_MAX + 1];
};

/* Nothing is left open when it fails. */
enum cli_status cli_session_open(struct cli_session *session, const struct cli_options *options,
                                 const a3m_socket_type *type);

/*
 * Waits for a first link, until --link-timeout, or until `deadline` when that
 * was not given. Says now and then what it waits for. When interrupted: CLI_OTHER,
 * without a message.
 */
enum cli_status cli_session_wait_link(struct cli_session *session, a3m_time deadline);

/* The same, if there is a --link-timeout; else returns at once. */
enum cli_status cli_session_wait_link_if_asked(struct cli_session *session);

/*
 * As the functions of the library, but A3M_ENOLINK when nothing can be waited
 * for any more, and A3M_EINTR only when the command is to end.
 */
int cli_session_recv_many(struct cli_session *session, a3m_msg **msgs, size_t max, a3m_time deadline);
int cli_session_send_many(struct cli_session *session, a3m_msg *const *msgs, size_t n, a3m_time deadline);
int cli_session_request(struct cli_session *session, a3m_msg *msg, a3m_request *request, a3m_time deadline);

/* Whether every link has ended, and none by an error. */
bool cli_session_ended_in_order(const struct cli_session *session);

/* Says which links ended and why, after an A3M_ENOLINK. The exit code that follows from it. */
enum cli_status cli_session_report_links(struct cli_session *session);

/*
 * Closes the node, waiting up to two seconds for what is in flight, and says
 * what could not be finished. Returns `status` or a worse one that follows.
 */
enum cli_status cli_session_close(struct cli_session *session, enum cli_status status);

#endif
