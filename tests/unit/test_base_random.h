/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the base layer: cmocka with what it needs, and a seed for random
 * operations. The seed is A3M_SEED of the environment, or the time; it is printed,
 * so that a failure can be repeated.
 */
#ifndef TEST_BASE_RANDOM_H
#define TEST_BASE_RANDOM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/rng.h"

/* Starts `r` with the seed from outside or a new one, which it prints and returns. */
static inline uint64_t test_random_init(struct a3mi_rng *r, const char *test)
{
    const char *text = getenv("A3M_SEED");
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;

    if (text != NULL) {
        seed = strtoull(text, NULL, 0);
    }
    printf("%s: A3M_SEED=%llu\n", test, (unsigned long long)seed);
    a3mi_rng_init(r, seed);
    return seed;
}

/* How many rounds: `n`, or a hundred times as many in a long campaign (A3M_LONG). */
static inline long test_rounds(long n)
{
    return getenv("A3M_LONG") != NULL ? n * 100 : n;
}

#endif
