/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing set of numbers: all below `next`, and a bounded number of ranges
 * above it. What was received is such a set, of units as of bytes. The ranges
 * lie in a block that the caller lends while there are any; without one, only
 * what continues at `next` can be added. Pure, no locks.
 */
#ifndef A3MI_RANGES_H
#define A3MI_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From `first` up to, not including, `end`. */
struct a3mi_range {
    uint64_t first, end;
};

struct a3mi_ranges {
    uint64_t next;        /* everything below is in the set, itself is not */
    uint32_t count;       /* ranges above `next`: ascending, with gaps between them and before the first */
    uint32_t capacity;    /* of `v` */
    struct a3mi_range *v; /* borrowed; NULL: none lent */
};

enum a3mi_ranges_added {
    A3MI_RANGES_ADDED,
    A3MI_RANGES_PRESENT, /* some of it was in the set: nothing was added */
    A3MI_RANGES_FULL,    /* one range too many, or no block: nothing was added */
};

/* The empty set, with no block. */
static inline void a3mi_ranges_init(struct a3mi_ranges *r)
{
    *r = (struct a3mi_ranges){0};
}

/* Lends a block of `capacity` ranges; only while there is none. */
static inline void a3mi_ranges_lend(struct a3mi_ranges *r, struct a3mi_range *v, uint32_t capacity)
{
    r->v = v;
    r->capacity = capacity;
}

/* Takes the block back; only while count is 0, or to give the set up. */
static inline struct a3mi_range *a3mi_ranges_take_back(struct a3mi_ranges *r)
{
    struct a3mi_range *v = r->v;

    r->v = NULL;
    r->count = 0;
    r->capacity = 0;
    return v;
}

bool a3mi_ranges_has(const struct a3mi_ranges *r, uint64_t n);

/* The range that n is in; count: none. */
uint32_t a3mi_ranges_index(const struct a3mi_ranges *r, uint64_t n);

/* The end of the last range: no number from there on is in the set. */
uint64_t a3mi_ranges_end(const struct a3mi_ranges *r);

/* What a3mi_ranges_add would answer. `first` is below `end`. */
enum a3mi_ranges_added a3mi_ranges_probe(const struct a3mi_ranges *r, uint64_t first, uint64_t end);

/* Adds [first, end), all or nothing. `first` is below `end`. */
enum a3mi_ranges_added a3mi_ranges_add(struct a3mi_ranges *r, uint64_t first, uint64_t end);

#endif
