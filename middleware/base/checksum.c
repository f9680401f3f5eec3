/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one translation unit that contains xxHash, inline: see the header.
 */
#include "base/checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t a3mi_hash64(const void *p, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(p, n, seed);
}
