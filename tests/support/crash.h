/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says where a test crashed, and how to repeat it. cmocka takes a signal for an error of the test that its own
 * thread is in, and jumps back there: from another thread that ends the program, without a word. Here the signal, what
 * the test is, the thread and its stack are printed first, and the program then ends by that signal, with a core.
 */
#ifndef A3M_TEST_CRASH_H
#define A3M_TEST_CRASH_H

#include <stdint.h>

/*
 * From here until the test that calls it is over: cmocka sets its own handlers before each. `test` and `seed` are
 * printed.
 */
void crash_tell(const char *test, uint64_t seed);
/* The same of a test that has no seed. What was said by crash_tell stays. */
void crash_tell_of_threads(void);

#endif
