/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of all commands: their values, and the one table of them that
 * the parser and the help read. Texts are borrowed from argv.
 */
#ifndef A3M_CLI_OPTIONS_H
#define A3M_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <a3m/time.h>

#include "args.h"

/* Bits of the commands. */
enum {
    CLI_REP = 1 << 0,
    CLI_REQ = 1 << 1,
    CLI_PUSH = 1 << 2,
    CLI_PULL = 1 << 3,
    CLI_ALL = (1 << 4) - 1,
    CLI_TOP = 1 << 4, /* "a3m" without a command */
};

struct cli_options {
    const char *node, *bind, *socket;
    struct cli_texts links, peers, settings;
    a3m_duration timeout, link_timeout, interval; /* -1 ns: not given */
    int64_t count;                                /* -1: not given; 0: without end */
    const char *data, *file;
    bool echo, lines, zero, raw, rtt, taken, quiet, help, version;
};

extern const struct cli_arg cli_option_table[];

/* Nothing given. */
void cli_options_init(struct cli_options *options);
void cli_options_fini(struct cli_options *options);

/* `d` from now; A3M_FOREVER when it was not given. */
a3m_time cli_options_deadline(a3m_duration d);

#endif
