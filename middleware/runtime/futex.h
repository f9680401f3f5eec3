/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux's futex(2), private to the process. Raw system calls: no cancellation
 * points. A wake takes an address only and touches no memory, so that it may come
 * after the word's lifetime has ended: at worst somebody else's wait on the same
 * address ends early, which every user of futexes has to expect.
 */
#ifndef A3MI_FUTEX_H
#define A3MI_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * Sleeps while *word is `value`, until `deadline` (ns of CLOCK_MONOTONIC;
 * INT64_MAX: for ever). 0 when woken or when *word was another value,
 * otherwise -ETIMEDOUT or -EINTR. Also returns 0 without a reason.
 */
int a3mi_futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t deadline);

/* Wakes one. */
void a3mi_futex_wake(_Atomic uint32_t *word);

#endif
