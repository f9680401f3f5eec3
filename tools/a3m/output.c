/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffered standard output over write(2). stdio is not used, because its
 * functions cannot go on after an interrupted write without loss.
 */
#include "output.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

enum { BUFFER = 64 * 1024 };

enum cli_status cli_output_init(struct cli_output *output)
{
    *output = (struct cli_output){.buf = malloc(BUFFER)};
    if (output->buf == NULL) {
        cli_error("no memory");
        return CLI_OTHER;
    }
    return CLI_DONE;
}

void cli_output_fini(struct cli_output *output)
{
    free(output->buf);
    output->buf = NULL;
}

static void write_all(struct cli_output *output, const char *bytes, size_t size)
{
    while (size > 0 && output->error == 0) {
        ssize_t n = write(STDOUT_FILENO, bytes, size);
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            /* Somebody made the terminal or pipe that we share non-blocking. */
            struct pollfd wait = {.fd = STDOUT_FILENO, .events = POLLOUT};
            (void)poll(&wait, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            output->error = errno;
        }
    }
}

int cli_output_flush(struct cli_output *output)
{
    write_all(output, output->buf, output->used);
    output->used = 0;
    return output->error;
}

int cli_output_write(struct cli_output *output, const void *bytes, size_t size)
{
    if (size > BUFFER - output->used) {
        (void)cli_output_flush(output);
    }
    if (size >= BUFFER) {
        write_all(output, bytes, size);
    } else {
        memcpy(output->buf + output->used, bytes, size);
        output->used += size;
    }
    return output->error;
}

enum cli_status cli_output_finish(struct cli_output *output)
{
    int error = cli_output_flush(output);
    if (error != 0 && error != EPIPE) {
        cli_error("cannot write to standard output: %s", strerror(error));
    }
    return error == 0 ? CLI_DONE : CLI_OTHER;
}
