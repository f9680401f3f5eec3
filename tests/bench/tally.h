/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiver's book of a one-way measurement: looks at the first bytes of
 * each message, counts those that count, and knows when the measurement began
 * and ended. One thread.
 */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/mark.h"

struct bench_tally {
    size_t size; /* of every message that counts */
    uint64_t messages;
    uint64_t sent; /* what the sender says, in the end */
    bool begun, ended;
    uint64_t wrong; /* messages of another size, or of no known kind */
};

/* Notes a message of another kind than the one before. */
void bench_tally_turn(struct bench_tally *tally, const struct bench_mark *mark);

static inline void bench_tally_add(struct bench_tally *tally, const void *bytes, size_t size)
{
    struct bench_mark mark = bench_mark_read(bytes, size);
    if (__builtin_expect(mark.kind != BENCH_MARK_DATA || !tally->begun || size != tally->size, 0)) {
        if (size != tally->size) {
            tally->wrong++;
        }
        bench_tally_turn(tally, &mark);
    }
    tally->messages += mark.kind == BENCH_MARK_DATA;
}

#endif
