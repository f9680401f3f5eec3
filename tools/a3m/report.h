/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the command says on standard error: lines that begin with "a3m CMD: ".
 * Each line goes out with one write, so that lines of several commands on one
 * terminal do not mix; bytes that would steer a terminal are shown as '?'.
 * Once cli_report_begin was called, any thread may speak.
 */
#ifndef A3M_CLI_REPORT_H
#define A3M_CLI_REPORT_H

#include <stdbool.h>

#include "status.h"

#define CLI_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/* Sets the command's name after "a3m" ("" for none), borrowed, and whether notices are left out. */
void cli_report_begin(const char *name, bool without_notices);

/* The name that was set. */
const char *cli_report_command(void);

/* Something went wrong: always said. */
void cli_error(const char *fmt, ...) CLI_PRINTF(1, 2);

/* Something to know: not said with --quiet. */
void cli_notice(const char *fmt, ...) CLI_PRINTF(1, 2);

/* The command line is wrong. Returns CLI_USAGE. */
enum cli_status cli_usage(const char *fmt, ...) CLI_PRINTF(1, 2);

/*
 * The library call that was made last failed with `code`: says what was to be
 * done, the error and its detail text. Returns the exit code.
 */
enum cli_status cli_failed(int code, const char *fmt, ...) CLI_PRINTF(2, 3);

#endif
