/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers do nothing but what POSIX lists as safe in them: store a flag, set a
 * timer, raise. The reader thread of a node blocks all signals, so they come to
 * the main thread.
 */
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

static volatile sig_atomic_t stopped;
static timer_t ticker; /* made before any handler can run */

static void on_stop(int number)
{
    if (stopped) {
        (void)signal(number, SIG_DFL);
        (void)raise(number);
        return;
    }
    stopped = 1;
    static const struct itimerspec every_20_ms = {{0, 20000000}, {0, 1000000}};
    int saved = errno;
    (void)timer_settime(ticker, 0, &every_20_ms, NULL);
    errno = saved;
}

/* Only there to interrupt a system call. */
static void on_tick(int number)
{
    (void)number;
}

static int handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler}; /* no SA_RESTART */
    (void)sigemptyset(&action.sa_mask);
    return sigaction(number, &action, NULL) == 0 ? 0 : errno;
}

/* nohup(1) ignores SIGHUP for us, and that is meant to last. */
static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int cli_signals_init(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    if (timer_create(CLOCK_MONOTONIC, &event, &ticker) != 0) {
        return errno;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    int error = handle(SIGALRM, on_tick);
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof stops / sizeof stops[0] && error == 0; i++) {
        if (stops[i] != SIGHUP || !is_ignored(SIGHUP)) {
            error = handle(stops[i], on_stop);
        }
    }
    return error;
}

bool cli_signals_stopped(void)
{
    return stopped != 0;
}

void cli_signals_calm(void)
{
    static const struct itimerspec never = {{0, 0}, {0, 0}};
    (void)timer_settime(ticker, 0, &never, NULL);
}
