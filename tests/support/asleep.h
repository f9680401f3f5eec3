/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether all is quiet: no thread of this process runs or is about to. For tests
 * that ask who was woken: once all is quiet nobody will be, unless by a timer.
 */
#ifndef A3M_TEST_ASLEEP_H
#define A3M_TEST_ASLEEP_H

#include <stdbool.h>

/* Yields until all other threads of the process sleep in the kernel, all of them at one instant. Aborts after 60 s. */
void await_all_asleep(void);

#endif
