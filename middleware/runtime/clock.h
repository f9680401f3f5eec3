/* SPDX-License-Identifier: Apache-2.0 */
/* The one place of the middleware that reads CLOCK_MONOTONIC. ns; about 20 ns a call. */
#ifndef A3MI_CLOCK_H
#define A3MI_CLOCK_H

#include <stdint.h>

int64_t a3mi_clock_now(void);

#endif
