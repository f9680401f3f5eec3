/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One buffer, which grows to the longest line. Each byte is searched once:
 * `searched` remembers how far the search came in a line that is still
 * incomplete.
 */
#include "lines.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <a3m/message.h>

enum { FIRST_ROOM = 64 * 1024 };

void cli_lines_init(struct cli_lines *lines, char delimiter)
{
    *lines = (struct cli_lines){.delimiter = delimiter};
}

void cli_lines_fini(struct cli_lines *lines)
{
    free(lines->buf);
    lines->buf = NULL;
}

/* Gives out `size` bytes, and drops `delimiters` behind them. */
static enum cli_lines_result give(struct cli_lines *l, size_t size, size_t delimiters, const char **line,
                                  size_t *out)
{
    *line = l->buf + l->begin;
    *out = size;
    l->begin += size + delimiters;
    l->searched = 0;
    return CLI_LINES_OK;
}

/* Makes room behind `end`: moves what is there to the front, or grows. */
static enum cli_lines_result make_room(struct cli_lines *l)
{
    if (l->begin > 0) {
        l->end -= l->begin;
        memmove(l->buf, l->buf + l->begin, l->end);
        l->begin = 0;
    }
    if (l->room - l->end >= FIRST_ROOM / 2) {
        return CLI_LINES_OK;
    }
    if (l->end > A3M_MESSAGE_CEILING) {
        return CLI_LINES_TOO_LONG;
    }
    size_t room = l->room == 0 ? FIRST_ROOM : l->room * 2;
    char *buf = realloc(l->buf, room);
    if (buf == NULL) {
        l->error = ENOMEM;
        return CLI_LINES_FAILED;
    }
    l->buf = buf;
    l->room = room;
    return CLI_LINES_OK;
}

/* Reads what is there. CLI_LINES_OK also when that was the end. */
static enum cli_lines_result fill(struct cli_lines *l, bool wait)
{
    /* Polled first, so that a descriptor that is non-blocking is treated like any other. */
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    int n = poll(&ready, 1, wait ? -1 : 0);
    if (n == 0) {
        return CLI_LINES_WAIT;
    }
    enum cli_lines_result result = n < 0 ? CLI_LINES_OK : make_room(l);
    if (result != CLI_LINES_OK) {
        return result;
    }
    ssize_t got = n < 0 ? -1 : read(STDIN_FILENO, l->buf + l->end, l->room - l->end);
    if (got >= 0) {
        l->end += (size_t)got;
        l->at_end = got == 0;
        return CLI_LINES_OK;
    }
    if (errno == EINTR) {
        return CLI_LINES_INTR;
    }
    if (errno == EAGAIN) {
        return wait ? CLI_LINES_OK : CLI_LINES_WAIT;
    }
    l->error = errno;
    return CLI_LINES_FAILED;
}

enum cli_lines_result cli_lines_next(struct cli_lines *l, bool wait, const char **line, size_t *size)
{
    for (;;) {
        size_t held = l->end - l->begin;
        const char *found = NULL;
        if (held > l->searched) {
            found = memchr(l->buf + l->begin + l->searched, l->delimiter, held - l->searched);
            l->searched = held;
        }
        size_t length = found == NULL ? held : (size_t)(found - (l->buf + l->begin));
        if (length > A3M_MESSAGE_CEILING) {
            return CLI_LINES_TOO_LONG;
        }
        if (found != NULL) {
            return give(l, length, 1, line, size);
        }
        if (l->at_end) {
            return held == 0 ? CLI_LINES_END : give(l, held, 0, line, size);
        }
        enum cli_lines_result result = fill(l, wait);
        if (result != CLI_LINES_OK) {
            return result;
        }
    }
}

const char *cli_lines_explain(const struct cli_lines *lines, enum cli_lines_result result)
{
    return result == CLI_LINES_TOO_LONG ? "a line is longer than a message can be (1 GiB)"
                                        : strerror(lines->error);
}
