/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up: a process of a benchmark that cannot go on says why on standard
 * error and exits with 1. There is nothing to clean up that the system does not.
 */
#ifndef BENCH_FAIL_H
#define BENCH_FAIL_H

_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, with the text of errno behind it. */
_Noreturn void bench_fail_errno(const char *what);

#endif
