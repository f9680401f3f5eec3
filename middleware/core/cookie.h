/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cookie of RETRY: proof that whoever repeats it gets packets at its
 * address, without a record here. 8 bytes of time in milliseconds and a MAC,
 * SipHash-2-4 (Aumasson, Bernstein 2012) with a secret key, over address, s,
 * incarnation and time: a MAC made for short inputs, with published vectors;
 * XXH3 with a secret makes no such promise. Pure, no locks.
 */
#ifndef A3MI_COOKIE_H
#define A3MI_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/transport.h>

#include "core/packet.h"

/* How long a cookie is good for. */
#define A3MI_COOKIE_LIFE INT64_C(10000000000)

/* SipHash-2-4 of n bytes; the key's bytes are read as in the paper, little-endian. */
uint64_t a3mi_siphash(const uint8_t key[16], const void *bytes, size_t n);

void a3mi_cookie_make(uint8_t cookie[A3MI_COOKIE_SIZE], const uint8_t key[16], const struct a3m_addr *from,
                      uint64_t s, uint64_t incarnation, int64_t now);
bool a3mi_cookie_good(const uint8_t cookie[A3MI_COOKIE_SIZE], const uint8_t key[16],
                      const struct a3m_addr *from, uint64_t s, uint64_t incarnation, int64_t now);

#endif
