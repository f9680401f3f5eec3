/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XXH3-64 (https://github.com/Cyan4973/xxHash; since 0.8.0 its values never
 * change) as the checksum of packets and as the hash of tables. It finds damage,
 * not forgery. The library is compiled into checksum.c, and nowhere else, so
 * whoever includes this needs neither its header nor its symbols.
 */
#ifndef A3MI_CHECKSUM_H
#define A3MI_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* XXH3_64bits_withSeed of n bytes; `p` may be NULL when n is 0. Different seeds give unrelated values. */
uint64_t a3mi_hash64(const void *p, size_t n, uint64_t seed);

/* The checksum of n bytes: the low 32 bits of that. */
static inline uint32_t a3mi_checksum(const void *p, size_t n, uint64_t seed)
{
    return (uint32_t)a3mi_hash64(p, n, seed);
}

#endif
