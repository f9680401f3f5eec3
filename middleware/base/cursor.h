/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded readers and writers of bytes, big-endian. They never touch a byte
 * outside of their buffer: the first access that would is not done and sets
 * `bad`, which stays set; from then on reads give 0 and writes do nothing. So a
 * whole message is read or written first, and `bad` looked at once at the end.
 * The buffer stays the caller's and must outlive the cursor. No locks.
 */
#ifndef A3MI_CURSOR_H
#define A3MI_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- Raw loads and stores at any alignment; the caller vouches for the bounds ---- */

static inline uint16_t a3mi_load_be16(const uint8_t *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap16(v);
#endif
    return v;
}

static inline uint32_t a3mi_load_be32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    return v;
}

static inline uint64_t a3mi_load_be64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static inline void a3mi_store_be16(uint8_t *p, uint16_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap16(v);
#endif
    memcpy(p, &v, sizeof v);
}

static inline void a3mi_store_be32(uint8_t *p, uint32_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    memcpy(p, &v, sizeof v);
}

static inline void a3mi_store_be64(uint8_t *p, uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    memcpy(p, &v, sizeof v);
}

/* ---- Reader ---------------------------------------------------------------- */

struct a3mi_rd {
    const uint8_t *p, *end;
    bool bad;
};

/* Begins to read `len` bytes at `ptr`; NULL is accepted when len is 0. */
static inline void a3mi_rd_init(struct a3mi_rd *rd, const void *ptr, size_t len)
{
    static const uint8_t nothing[1];

    rd->p = ptr != NULL ? ptr : nothing;
    rd->end = rd->p + len;
    rd->bad = false;
}

/* Bytes not yet read; 0 once bad. */
static inline size_t a3mi_rd_left(const struct a3mi_rd *rd)
{
    return (size_t)(rd->end - rd->p);
}

/* The next n bytes, in place, borrowed from the buffer; NULL, and bad, when fewer are left. */
static inline const uint8_t *a3mi_rd_bytes(struct a3mi_rd *rd, size_t n)
{
    const uint8_t *at = rd->p;

    if (rd->bad || n > a3mi_rd_left(rd)) {
        rd->bad = true;
        rd->p = rd->end;
        return NULL;
    }
    rd->p += n;
    return at;
}

static inline uint8_t a3mi_rd_u8(struct a3mi_rd *rd)
{
    const uint8_t *at = a3mi_rd_bytes(rd, 1);

    return at != NULL ? *at : 0;
}

static inline uint16_t a3mi_rd_u16(struct a3mi_rd *rd)
{
    const uint8_t *at = a3mi_rd_bytes(rd, 2);

    return at != NULL ? a3mi_load_be16(at) : 0;
}

static inline uint32_t a3mi_rd_u32(struct a3mi_rd *rd)
{
    const uint8_t *at = a3mi_rd_bytes(rd, 4);

    return at != NULL ? a3mi_load_be32(at) : 0;
}

static inline uint64_t a3mi_rd_u64(struct a3mi_rd *rd)
{
    const uint8_t *at = a3mi_rd_bytes(rd, 8);

    return at != NULL ? a3mi_load_be64(at) : 0;
}

/* ---- Writer ---------------------------------------------------------------- */

struct a3mi_wr {
    uint8_t *p, *start, *end;
    bool bad;
};

/* Begins to write at `ptr`, which has room for `len` bytes and is not NULL. */
static inline void a3mi_wr_init(struct a3mi_wr *wr, void *ptr, size_t len)
{
    wr->start = ptr;
    wr->p = wr->start;
    wr->end = wr->start + len;
    wr->bad = false;
}

/* Bytes written so far: what did not fit is not among them. */
static inline size_t a3mi_wr_len(const struct a3mi_wr *wr)
{
    return (size_t)(wr->p - wr->start);
}

/* Bytes that can still be written; 0 once bad. */
static inline size_t a3mi_wr_left(const struct a3mi_wr *wr)
{
    return wr->bad ? 0 : (size_t)(wr->end - wr->p);
}

/*
 * Leaves the next n bytes to be filled in by the caller, now or later: returns
 * where they are, or NULL, and bad, when they do not fit.
 */
static inline uint8_t *a3mi_wr_reserve(struct a3mi_wr *wr, size_t n)
{
    uint8_t *at = wr->p;

    if (wr->bad || n > a3mi_wr_left(wr)) {
        wr->bad = true;
        return NULL;
    }
    wr->p += n;
    return at;
}

static inline void a3mi_wr_u8(struct a3mi_wr *wr, uint8_t v)
{
    uint8_t *at = a3mi_wr_reserve(wr, 1);

    if (at != NULL) {
        *at = v;
    }
}

static inline void a3mi_wr_u16(struct a3mi_wr *wr, uint16_t v)
{
    uint8_t *at = a3mi_wr_reserve(wr, 2);

    if (at != NULL) {
        a3mi_store_be16(at, v);
    }
}

static inline void a3mi_wr_u32(struct a3mi_wr *wr, uint32_t v)
{
    uint8_t *at = a3mi_wr_reserve(wr, 4);

    if (at != NULL) {
        a3mi_store_be32(at, v);
    }
}

static inline void a3mi_wr_u64(struct a3mi_wr *wr, uint64_t v)
{
    uint8_t *at = a3mi_wr_reserve(wr, 8);

    if (at != NULL) {
        a3mi_store_be64(at, v);
    }
}

/* Copies n bytes in: all of them or, with bad, none. `ptr` may be NULL when n is 0. */
static inline void a3mi_wr_bytes(struct a3mi_wr *wr, const void *ptr, size_t n)
{
    uint8_t *at = a3mi_wr_reserve(wr, n);

    if (at != NULL && n > 0) {
        memcpy(at, ptr, n);
    }
}

/* Overwrites a number at `at`, which was written before (a length or a count known only now). */
static inline void a3mi_wr_patch_u16(uint8_t *at, uint16_t v)
{
    a3mi_store_be16(at, v);
}

static inline void a3mi_wr_patch_u32(uint8_t *at, uint32_t v)
{
    a3mi_store_be32(at, v);
}

#endif
