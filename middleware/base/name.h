/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Node ids and tags: 1 to 255 bytes of UTF-8 (RFC 3629) without '/' and without
 * control characters below 0x20. A value type: copied by assignment, compared by
 * bytes (no normalisation), valid once a3mi_name_set succeeded. No locks.
 */
#ifndef A3MI_NAME_H
#define A3MI_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define A3MI_NAME_MAX 255

struct a3mi_name {
    uint8_t len;
    char s[A3MI_NAME_MAX + 1]; /* NUL-terminated, for printing */
};

/*
 * Takes over `len` bytes, which need no final NUL and may come from the network.
 * 0, or A3M_EINVAL (the detail text says what is wrong, and at which byte) with
 * `n` unchanged.
 */
int a3mi_name_set(struct a3mi_name *n, const char *bytes, size_t len);

static inline bool a3mi_name_eq(const struct a3mi_name *a, const struct a3mi_name *b)
{
    return a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

/* Less than, equal to or greater than 0: by bytes, the shorter one first when it is a beginning of the other. */
static inline int a3mi_name_cmp(const struct a3mi_name *a, const struct a3mi_name *b)
{
    int order = memcmp(a->s, b->s, a->len < b->len ? a->len : b->len);
    return order != 0 ? order : (int)a->len - (int)b->len;
}

/* A 64-bit hash (XXH3), the same in every process: not a guard against chosen names; a seeded a3mi_mapb is. */
uint64_t a3mi_name_hash(const struct a3mi_name *n);

#endif
