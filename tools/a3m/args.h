/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A parser of command lines, driven by a table: "--name value", "--name=value",
 * single letters for a few, "--" and positional arguments refused with a
 * message. A row names the kind of an option and the member of the caller's
 * structure that its value goes to. It reports what is wrong itself.
 */
#ifndef A3M_CLI_ARGS_H
#define A3M_CLI_ARGS_H

#include <stddef.h>

#include "status.h"

enum cli_arg_kind {
    CLI_ARG_FLAG,     /* bool */
    CLI_ARG_TEXT,     /* const char *, NULL as long as not given */
    CLI_ARG_TEXTS,    /* struct cli_texts: may be given several times */
    CLI_ARG_COUNT,    /* int64_t, 0 and up; the caller sets it to -1 before */
    CLI_ARG_DURATION, /* a3m_duration; the caller sets it to -1 ns before */
};

struct cli_texts {
    const char **items; /* each borrowed from argv */
    size_t n;
};

struct cli_arg {
    const char *name; /* without the dashes; NULL at the table's end */
    char letter;      /* 0: none */
    enum cli_arg_kind kind;
    unsigned commands; /* bits: which commands take it */
    size_t offset;     /* of the member */
    const char *value; /* how the value is called in the help; NULL for a flag */
    const char *help;  /* what it does; '\n' begins a further line */
};

/*
 * Reads argv[1] to argv[argc - 1] into `out`, taking the rows of `table` that
 * have a bit in common with `command`. CLI_DONE or, after a message, CLI_USAGE.
 */
enum cli_status cli_args_parse(const struct cli_arg *table, unsigned command, int argc, char **argv,
                               void *out);

#endif
