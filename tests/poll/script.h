/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small scripts of polling, run on a backend, and what came of them as a line of
 * text. Words, with digits for pollers (p), things (x), threads (t):
 *
 *     a<p><x><flags>  add: i IN, o OUT, E edge, X exclusive, 1 one-shot
 *     m<p><x><flags>  modify           d<p><x>  remove
 *     t<t><p>[<max>]  the thread begins a wait in the poller (8 reports, if not said)
 *     n<p>[<max>]     a wait that does not wait, by the script's own thread
 *     +<x> -<x>       one more, one less to read
 *     f<x> v<x>       no room, room again, to write
 *     c<x>            the thing closes
 *     r               who has returned since the last r, sorted by poller, and who still sleeps
 *     R               the same with the threads' numbers
 *
 * After each word the script waits until all threads sleep or have returned, so
 * that nothing depends on time. The line says what failed (a!EXISTS), and what n
 * and r saw: n0[0i], r[1:0i,1o 2:0h /3] (poller 1 reported IN of thing 0 and OUT of
 * thing 1 to a thread, poller 2 HUP of thing 0; one sleeps in poller 3).
 */
#ifndef POLL_SCRIPT_H
#define POLL_SCRIPT_H

#include "backend.h"

enum { SCRIPT_LINE = 512, SCRIPT_THREADS = 4 };

/* Starts and ends the threads, which all scripts use. */
void script_setup(void);
void script_teardown(void);

void script_run(const struct backend *backend, const char *kinds, const char *script, char text[SCRIPT_LINE]);

#endif
