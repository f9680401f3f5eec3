/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fuzzer's bytes as a stream of choices. Reading past the end gives zeros,
 * so that every input means something and a short one stays short. No state of
 * its own, no locks.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/name.h"

struct fuzz_input {
    const uint8_t *p;
    size_t left;
};

static inline uint64_t fuzz_uint(struct fuzz_input *in, unsigned bytes)
{
    uint64_t v = 0;

    for (; bytes > 0; bytes--) {
        v = v << 8 | (in->left > 0 ? *in->p : 0);
        if (in->left > 0) {
            in->p++;
            in->left--;
        }
    }
    return v;
}

static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
    return (uint8_t)fuzz_uint(in, 1);
}

static inline uint16_t fuzz_u16(struct fuzz_input *in)
{
    return (uint16_t)fuzz_uint(in, 2);
}

static inline uint32_t fuzz_u32(struct fuzz_input *in)
{
    return (uint32_t)fuzz_uint(in, 4);
}

static inline uint64_t fuzz_u64(struct fuzz_input *in)
{
    return fuzz_uint(in, 8);
}

/* Up to `n` bytes, borrowed; *got is how many there were. */
static inline const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t n, size_t *got)
{
    const uint8_t *p = in->p;

    *got = n < in->left ? n : in->left;
    in->p += *got;
    in->left -= *got;
    return p;
}

/* A name that is always good: of `len` (1 to 255) letters. */
static inline struct a3mi_name fuzz_name(struct fuzz_input *in)
{
    struct a3mi_name name = {.len = fuzz_u8(in)};
    uint8_t letter = fuzz_u8(in);

    name.len = name.len > 0 ? name.len : 1;
    memset(name.s, 'a' + letter % 26, name.len);
    return name;
}

#endif
