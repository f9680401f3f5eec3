/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts of other threads: cmocka's asserts jump, which is the main thread's to do. What does not hold is printed
 * with its line, up to a number of them, and counted; the main thread asserts on the count.
 */
#ifndef A3M_TEST_VERDICT_H
#define A3M_TEST_VERDICT_H

#include <stdbool.h>

/* Any thread. Returns `good`. */
bool verdict_check(bool good, const char *what, const char *file, int line);
#define CHECK(good) verdict_check((good), #good, __FILE__, __LINE__)

/* How many checks failed since the start, or since they were forgotten. */
unsigned verdict_failures(void);

/* For cmocka's setup. */
int verdict_forget(void **state);

#endif
