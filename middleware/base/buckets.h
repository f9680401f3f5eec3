/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buckets: nodes embedded in the caller's structs, found by a hash that several may have. For keys that map.h has no
 * form for: the caller hashes, and compares. Adding cannot fail: without memory for more buckets they get longer.
 * Those with the same hash keep the order in which they were added. No locks: one thread at a time.
 */
#ifndef A3MI_BUCKETS_H
#define A3MI_BUCKETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct a3mi_bucketed {
    struct a3mi_list list;
    uint64_t hash;
};

struct a3mi_buckets {
    struct a3mi_list one; /* the only bucket, until there are more */
    struct a3mi_list *v;  /* NULL: none but `one` */
    size_t capacity;      /* a power of two; 0: none but `one` */
    size_t count;
};

/* Empty. Not to be moved. */
void a3mi_buckets_init(struct a3mi_buckets *buckets);
/* Frees the table, and forgets the nodes. */
void a3mi_buckets_fini(struct a3mi_buckets *buckets);

/* `node` is in none, and initialised (its list). */
void a3mi_buckets_add(struct a3mi_buckets *buckets, struct a3mi_bucketed *node, uint64_t hash);
/* If it is in. */
void a3mi_buckets_remove(struct a3mi_buckets *buckets, struct a3mi_bucketed *node);
/* Where nodes of this hash are, with others: compare. */
struct a3mi_list *a3mi_buckets_at(struct a3mi_buckets *buckets, uint64_t hash);

#endif
