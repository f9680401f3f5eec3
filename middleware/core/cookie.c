/* SPDX-License-Identifier: Apache-2.0 */
/* Cookies, and SipHash-2-4 (core/cookie.h). */
#include "core/cookie.h"

#include <string.h>

#include "base/cursor.h"
#include "base/rng.h"

/* ---- SipHash-2-4: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012 ---- */

static uint64_t load_le64(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++) {
        v |= (uint64_t)p[i] << (8 * i);
    }
    return v;
}

static void sip_rounds(uint64_t v[4], int n)
{
    while (n-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = a3mi_rotl64(v[1], 13) ^ v[0];
        v[3] = a3mi_rotl64(v[3], 16) ^ v[2];
        v[0] = a3mi_rotl64(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = a3mi_rotl64(v[1], 17) ^ v[2];
        v[3] = a3mi_rotl64(v[3], 21) ^ v[0];
        v[2] = a3mi_rotl64(v[2], 32);
    }
}

static void sip_word(uint64_t v[4], uint64_t m)
{
    v[3] ^= m;
    sip_rounds(v, 2);
    v[0] ^= m;
}

uint64_t a3mi_siphash(const uint8_t key[16], const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t k0 = load_le64(key, 8);
    uint64_t k1 = load_le64(key + 8, 8);
    uint64_t v[4] = {
        k0 ^ 0x736f6d6570736575u,
        k1 ^ 0x646f72616e646f6du,
        k0 ^ 0x6c7967656e657261u,
        k1 ^ 0x7465646279746573u,
    };
    size_t left = n;

    for (; left >= 8; left -= 8, p += 8) {
        sip_word(v, load_le64(p, 8));
    }
    sip_word(v, (uint64_t)n << 56 | load_le64(p, left));
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- Cookies ---------------------------------------------------------------- */

static uint64_t mac(const uint8_t key[16], const struct a3m_addr *from, uint64_t s, uint64_t incarnation,
                    uint64_t ms)
{
    uint8_t bytes[24 + 2 + sizeof(from->b)];
    struct a3mi_wr wr;

    a3mi_wr_init(&wr, bytes, sizeof(bytes));
    a3mi_wr_u64(&wr, s);
    a3mi_wr_u64(&wr, incarnation);
    a3mi_wr_u64(&wr, ms);
    a3mi_wr_u8(&wr, from->kind);
    a3mi_wr_u8(&wr, from->len);
    a3mi_wr_bytes(&wr, from->b, from->len < sizeof(from->b) ? from->len : sizeof(from->b));
    return a3mi_siphash(key, bytes, a3mi_wr_len(&wr));
}

void a3mi_cookie_make(uint8_t cookie[A3MI_COOKIE_SIZE], const uint8_t key[16], const struct a3m_addr *from,
                      uint64_t s, uint64_t incarnation, int64_t now)
{
    uint64_t ms = (uint64_t)now / 1000000;

    a3mi_store_be64(cookie, ms);
    a3mi_store_be64(cookie + 8, mac(key, from, s, incarnation, ms));
}

bool a3mi_cookie_good(const uint8_t cookie[A3MI_COOKIE_SIZE], const uint8_t key[16],
                      const struct a3m_addr *from, uint64_t s, uint64_t incarnation, int64_t now)
{
    uint64_t ms = a3mi_load_be64(cookie);
    uint64_t now_ms = (uint64_t)now / 1000000;

    if (ms > now_ms || now_ms - ms > (uint64_t)A3MI_COOKIE_LIFE / 1000000) {
        return false;
    }
    return a3mi_load_be64(cookie + 8) == mac(key, from, s, incarnation, ms);
}
