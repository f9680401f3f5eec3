/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that look random and follow from a seed: a generator for simulations,
 * jitter and tests, and a keyed permutation of the 64-bit numbers for ids that
 * must not repeat nor be guessed. Neither is fit for secrets in bulk: 64-bit
 * blocks, no authentication. Value types; no locks, no allocation.
 */
#ifndef A3MI_RNG_H
#define A3MI_RNG_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Generator: xoshiro256** 1.0, Blackman and Vigna 2018, https://prng.di.unimi.it ---- */

struct a3mi_rng {
    uint64_t s[4]; /* never all zero */
};

/* splitmix64, Vigna 2015, same site: turns any seed into well-mixed state. */
static inline uint64_t a3mi_splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Starts the sequence of a seed; any seed will do. */
static inline void a3mi_rng_init(struct a3mi_rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        r->s[i] = a3mi_splitmix64(&seed);
    }
}

static inline uint64_t a3mi_rotl64(uint64_t x, unsigned k)
{
    return (x << k) | (x >> (64 - k));
}

/* The next number, uniform over all 64-bit numbers. */
static inline uint64_t a3mi_rng_u64(struct a3mi_rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = a3mi_rotl64(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = a3mi_rotl64(s[3], 45);
    return result;
}

/*
 * A number below n, uniform without bias; n is not 0. Numbers of as many bits as
 * n - 1 has are drawn until one is below n: fewer than two on average.
 */
static inline uint64_t a3mi_rng_below(struct a3mi_rng *r, uint64_t n)
{
    assert(n != 0);
    uint64_t mask = n > 1 ? UINT64_MAX >> __builtin_clzll(n - 1) : 0;
    uint64_t x;

    do {
        x = a3mi_rng_u64(r) & mask;
    } while (x >= n);
    return x;
}

/* A number in [0, 1), in steps of 2^-53. */
static inline double a3mi_rng_unit(struct a3mi_rng *r)
{
    return (double)(a3mi_rng_u64(r) >> 11) * 0x1.0p-53;
}

/*
 * ---- Permutation: the block cipher Speck64/128 -----------------------------
 * Beaulieu et al., "The SIMON and SPECK Families of Lightweight Block Ciphers",
 * IACR ePrint 2013/404; byte order of keys as in their implementation guide.
 */

#define A3MI_PERM64_ROUNDS 27

struct a3mi_perm64 {
    uint32_t round_key[A3MI_PERM64_ROUNDS];
};

static inline uint32_t a3mi_perm64_rotl(uint32_t x, unsigned k)
{
    return (x << k) | (x >> (32 - k));
}

/* One round; it serves the numbers and the key schedule alike. */
static inline void a3mi_perm64_round(uint32_t *x, uint32_t *y, uint32_t k)
{
    *x = (a3mi_perm64_rotl(*x, 24) + *y) ^ k;
    *y = a3mi_perm64_rotl(*y, 3) ^ *x;
}

static inline uint32_t a3mi_perm64_key_word(const uint8_t *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* Chooses the permutation of a key. */
static inline void a3mi_perm64_init(struct a3mi_perm64 *p, const uint8_t key[16])
{
    uint32_t k = a3mi_perm64_key_word(key);
    uint32_t l[3];

    for (unsigned i = 0; i < 3; i++) {
        l[i] = a3mi_perm64_key_word(key + 4 + 4 * (size_t)i);
    }
    for (uint32_t i = 0; i < A3MI_PERM64_ROUNDS; i++) {
        p->round_key[i] = k;
        a3mi_perm64_round(&l[i % 3], &k, i);
    }
}

/* Where the permutation takes x. No two numbers go to the same one. */
static inline uint64_t a3mi_perm64(const struct a3mi_perm64 *p, uint64_t x)
{
    uint32_t hi = (uint32_t)(x >> 32), lo = (uint32_t)x;

    for (int i = 0; i < A3MI_PERM64_ROUNDS; i++) {
        a3mi_perm64_round(&hi, &lo, p->round_key[i]);
    }
    return (uint64_t)hi << 32 | lo;
}

/* The way back: a3mi_perm64_inverse(p, a3mi_perm64(p, x)) is x. */
static inline uint64_t a3mi_perm64_inverse(const struct a3mi_perm64 *p, uint64_t x)
{
    uint32_t hi = (uint32_t)(x >> 32), lo = (uint32_t)x;

    for (int i = A3MI_PERM64_ROUNDS - 1; i >= 0; i--) {
        lo = a3mi_perm64_rotl(lo ^ hi, 29);
        hi = a3mi_perm64_rotl((hi ^ p->round_key[i]) - lo, 8);
    }
    return (uint64_t)hi << 32 | lo;
}

#endif
