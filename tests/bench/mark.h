/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a message of a benchmark says in its first bytes, the same on every
 * transport: whether it counts. Both processes are the same program on the same
 * machine, hence a plain struct.
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum bench_mark_kind {
    BENCH_MARK_WARM = 1, /* before the measurement */
    BENCH_MARK_DATA,     /* counts */
    BENCH_MARK_END,      /* the last one */
};

struct bench_mark {
    uint32_t kind;
    uint32_t unused;
    uint64_t sent; /* with END: messages that count */
};

/* The smallest message that a benchmark may send. */
#define BENCH_MARK_SIZE sizeof(struct bench_mark)

static inline struct bench_mark bench_mark_read(const void *bytes, size_t size)
{
    struct bench_mark mark = {0};
    memcpy(&mark, bytes, size < sizeof(mark) ? size : sizeof(mark));
    return mark;
}

static inline void bench_mark_write(void *bytes, enum bench_mark_kind kind, uint64_t sent)
{
    struct bench_mark mark = {.kind = (uint32_t)kind, .sent = sent};
    memcpy(bytes, &mark, sizeof(mark));
}

#endif
