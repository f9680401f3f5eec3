/* SPDX-License-Identifier: Apache-2.0 */
#include "crash.h"

#include <execinfo.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FRAMES = 64 };

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static char what[256];
static void *first[1];

/* Only what a handler may call. The second time, by the way out, the default does its work. */
static void on_crash(int number)
{
    void *frames[FRAMES];
    static char text[64];
    ssize_t written = write(STDERR_FILENO, what, strlen(what));
    memcpy(text, "signal 00, at:\n", 16);
    text[7] = (char)('0' + number / 10);
    text[8] = (char)('0' + number % 10);
    written += write(STDERR_FILENO, text, strlen(text));
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES), STDERR_FILENO);
    (void)written; /* or not: there is nobody else to tell */
    (void)raise(number);
}

void crash_tell(const char *test, uint64_t seed)
{
    (void)snprintf(what, sizeof(what), "%s: A3M_SEED=%" PRIu64 ": ", test, seed);
    crash_tell_of_threads();
}

void crash_tell_of_threads(void)
{
    const struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};
    (void)fflush(stdout);      /* what comes by a pipe is lost with the process */
    (void)backtrace(first, 1); /* which loads what it needs now, and not in the handler */
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        (void)sigaction(signals[i], &action, NULL);
    }
}
