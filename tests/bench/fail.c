/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up; see fail.h. */
#include "bench/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bench_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("bench: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(EXIT_FAILURE);
}

void bench_fail_errno(const char *what)
{
    int error = errno;
    char text[96];
    bench_fail("%s: %s", what, strerror_r(error, text, sizeof(text)));
}
