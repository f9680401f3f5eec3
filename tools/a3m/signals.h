/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupting the command: the first SIGINT, SIGTERM or SIGHUP asks it to end
 * in order, a second one kills it at once. State of the process.
 *
 * A signal that comes just before a blocking call would be missed by it. So
 * the first one also starts a ticking timer, whose signals interrupt whatever
 * the command blocks in a moment later (the library's sockets have
 * A3M_OPT_EINTR set).
 */
#ifndef A3M_CLI_SIGNALS_H
#define A3M_CLI_SIGNALS_H

#include <stdbool.h>

/* Installs the handlers; SIGPIPE is ignored from here on. 0 or an errno. */
int cli_signals_init(void);

/* Whether the command was asked to end. */
bool cli_signals_stopped(void);

/* Stops the ticking, for calls that are to take their time while the command ends. */
void cli_signals_calm(void);

#endif
