/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread's error detail: the text behind a3m_error_detail() of
 * <a3m/errors.h>. Whoever finds out that something fails writes it, once, and
 * returns the code; callers above hand the code on. No locks, no allocation.
 */
#ifndef A3MI_ERROR_H
#define A3MI_ERROR_H

#include <stdbool.h>

#include <a3m/errors.h>

/* Bytes of the longest detail text, final NUL included; longer ones are cut. */
#define A3MI_ERROR_DETAIL_SIZE 512

/*
 * Makes a text the calling thread's detail, replacing the one before, and
 * returns `code`. a3m_error_detail() may be among the arguments, so that a
 * caller can put its own words around a text from below. Keeps errno.
 */
int a3mi_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same with nothing to say: the detail becomes "", and the one of an earlier failure does not linger. */
int a3mi_fail_plain(int code);

/*
 * With true: what the calling thread fails in from here on is of something else than the call that it is in (an engine
 * turn that it runs in passing), and has a detail of its own. Put back by what this returned. Costs two stores.
 */
bool a3mi_detail_aside(bool aside);

/*
 * What the operating system refused, `err` being an errno value: the detail says
 * "what: why". Returns A3M_EMFILE, A3M_ENOMEM, A3M_EACCES or A3M_EOS.
 */
int a3mi_fail_os(int err, const char *what);

#endif
