/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard input as lines of any length. Tells when the next line is not there
 * yet, so that the caller can send what it has before it waits. All bytes but
 * the delimiter are kept; a last line needs none. Not thread-safe.
 */
#ifndef A3M_CLI_LINES_H
#define A3M_CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct cli_lines {
    char *buf;
    size_t begin, end, room; /* of what was read and not given out, in `buf` */
    size_t searched;         /* bytes behind `begin` that hold no delimiter */
    char delimiter;
    bool at_end;
    int error; /* an errno, after CLI_LINES_FAILED */
};

enum cli_lines_result {
    CLI_LINES_OK,
    CLI_LINES_WAIT,     /* the next line is not there yet, and waiting was not asked for */
    CLI_LINES_END,      /* no line follows */
    CLI_LINES_INTR,     /* a signal came while waiting */
    CLI_LINES_TOO_LONG, /* the line is longer than a message can be */
    CLI_LINES_FAILED,
};

void cli_lines_init(struct cli_lines *lines, char delimiter);
void cli_lines_fini(struct cli_lines *lines);

/* The next line, borrowed until the next call. Blocks only when `wait` is set. */
enum cli_lines_result cli_lines_next(struct cli_lines *lines, bool wait, const char **line, size_t *size);

/* What CLI_LINES_TOO_LONG or CLI_LINES_FAILED was about, as text. */
const char *cli_lines_explain(const struct cli_lines *lines, enum cli_lines_result result);

#endif
