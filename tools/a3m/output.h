/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard output: buffered, flushed by whoever knows that nothing more is at
 * hand. After a failure everything further is dropped and the error kept. Large
 * pieces are written without being copied. Not thread-safe.
 */
#ifndef A3M_CLI_OUTPUT_H
#define A3M_CLI_OUTPUT_H

#include <stddef.h>

#include "status.h"

struct cli_output {
    char *buf;
    size_t used;
    int error; /* an errno; 0: all is well */
};

/* CLI_OTHER, with a message, when there is no memory. */
enum cli_status cli_output_init(struct cli_output *output);
void cli_output_fini(struct cli_output *output);

/* 0, or the errno of this or an earlier failure. Block for as long as whoever reads takes. */
int cli_output_write(struct cli_output *output, const void *bytes, size_t size);
int cli_output_flush(struct cli_output *output);

/*
 * Flushes, and says what failed, now or before; a reader that went away (as
 * head does) ends the command without a word. CLI_OTHER in both cases.
 */
enum cli_status cli_output_finish(struct cli_output *output);

#endif
