/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command: one row of the dispatch table. Each is defined in its own file.
 */
#ifndef A3M_CLI_COMMAND_H
#define A3M_CLI_COMMAND_H

#include "options.h"
#include "status.h"

struct cli_command {
    const char *name;
    unsigned bit;         /* CLI_REP … */
    const char *summary;  /* a few words */
    const char *synopsis; /* what follows "a3m NAME "; '\n' separates forms */
    const char *about;    /* some lines, ending in a newline */
    const char *examples; /* some lines, ending in a newline */
    enum cli_status (*run)(const struct cli_options *options);
};

extern const struct cli_command cli_command_rep;
extern const struct cli_command cli_command_req;
extern const struct cli_command cli_command_push;
extern const struct cli_command cli_command_pull;

/* All of them, NULL at the end. */
extern const struct cli_command *const cli_commands[];

#endif
