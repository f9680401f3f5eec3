/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines on standard error. A line is put together in a buffer of its own size
 * limit; what does not fit is cut, never split into a second line.
 */
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <a3m/a3m.h>

static const char *command = "";
static bool quiet;

struct line {
    char text[2048];
    size_t size;
};

void cli_report_begin(const char *name, bool without_notices)
{
    command = name;
    quiet = without_notices;
}

const char *cli_report_command(void)
{
    return command;
}

CLI_PRINTF(2, 0) static void line_vadd(struct line *line, const char *fmt, va_list args)
{
    size_t room = sizeof line->text - 1 - line->size; /* one byte is for the newline */
    int n = vsnprintf(line->text + line->size, room, fmt, args);
    if (n > 0) {
        line->size += (size_t)n < room ? (size_t)n : room - 1;
    }
}

CLI_PRINTF(2, 3) static void line_add(struct line *line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    line_vadd(line, fmt, args);
    va_end(args);
}

static void line_begin(struct line *line)
{
    line->size = 0;
    line_add(line, "a3m%s%s: ", command[0] == '\0' ? "" : " ", command);
}

static void line_end(struct line *line)
{
    for (size_t i = 0; i < line->size; i++) {
        unsigned char c = (unsigned char)line->text[i];
        if (c < 0x20 || c == 0x7f) {
            line->text[i] = '?';
        }
    }
    line->text[line->size++] = '\n';
    size_t done = 0;
    while (done < line->size) {
        ssize_t n = write(STDERR_FILENO, line->text + done, line->size - done);
        if (n < 0 && errno != EINTR) {
            return; /* nowhere left to say so */
        }
        done += n > 0 ? (size_t)n : 0;
    }
}

CLI_PRINTF(1, 0) static void say(const char *fmt, va_list args)
{
    struct line line;
    line_begin(&line);
    line_vadd(&line, fmt, args);
    line_end(&line);
}

void cli_error(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(fmt, args);
    va_end(args);
}

void cli_notice(const char *fmt, ...)
{
    if (quiet) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    say(fmt, args);
    va_end(args);
}

enum cli_status cli_usage(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(fmt, args);
    va_end(args);
    return CLI_USAGE;
}

enum cli_status cli_failed(int code, const char *fmt, ...)
{
    const char *detail = a3m_error_detail();
    struct line line;
    va_list args;
    line_begin(&line);
    va_start(args, fmt);
    line_vadd(&line, fmt, args);
    va_end(args);
    line_add(&line, ": %s", a3m_strerror(code));
    if (detail[0] != '\0') {
        line_add(&line, ": %s", detail);
    }
    line_end(&line);
    return cli_status_of(code);
}
