/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The size of packets that a path takes whole, found by probing (RFC 8899, packet
 * layer path MTU discovery for datagrams). Sizes are of whole packets, the room
 * for the tag included; the base size is taken for granted, since a packet that is
 * larger than the path is fragmented on the way, and arrives.
 *
 *             64 full units sent                   answered: the next candidate
 *   (base) ─────────────────────► SEARCHING ◄──────────────┐
 *      ▲                              │  │ ────────────────┘
 *      │ black hole                   │ three probes unanswered, or no larger candidate
 *      └────────────── COMPLETE ◄─────┘
 *                          └── ten minutes later: SEARCHING again
 *
 * A probe is a CHALLENGE padded to the size, which may not be fragmented; its
 * RESPONSE confirms the size. Its loss says nothing about congestion. Private to core.
 */
#ifndef A3MI_PMTU_H
#define A3MI_PMTU_H

#include <stdbool.h>
#include <stdint.h>

/* Full units before it is worth to probe. */
#define A3MI_PMTU_UNITS 64u
/* Probes of one size: MAX_PROBES of RFC 8899, 5.1.2. */
#define A3MI_PMTU_TRIES 3u
/* Between probes, at least; and until a search is repeated: PMTU_RAISE_TIMER. ns */
#define A3MI_PMTU_GAP   INT64_C(100000000)
#define A3MI_PMTU_AGAIN INT64_C(600000000000)
/* Time-outs in a row while larger packets than the base size are in flight that stand for a black hole. */
#define A3MI_PMTU_BLACK_HOLE 3u

struct a3mi_pmtu {
    uint32_t size;    /* confirmed, or the base size */
    uint32_t limit;   /* the largest size to try */
    uint32_t probing; /* being tried; 0: none */
    uint32_t tries;   /* of it */
    uint32_t units;   /* full ones sent, up to A3MI_PMTU_UNITS */
    uint64_t nonce;   /* of the last probe */
    int64_t next_at;  /* ns; no probe before */
};

void a3mi_pmtu_init(struct a3mi_pmtu *pmtu, uint32_t base, uint32_t limit);
/* A unit of the full size was sent. */
void a3mi_pmtu_used(struct a3mi_pmtu *pmtu);
/* The size to probe now; 0: none. */
uint32_t a3mi_pmtu_due(struct a3mi_pmtu *pmtu, int64_t now);
/* The probe was sent, under this nonce; the next one no sooner than `pto` from now. */
void a3mi_pmtu_probed(struct a3mi_pmtu *pmtu, uint64_t nonce, int64_t now, int64_t pto);
/* A RESPONSE: true when it answers the probe, and `size` has grown. */
bool a3mi_pmtu_answered(struct a3mi_pmtu *pmtu, uint64_t nonce);
/* Packets of more than the base size do not get through any more. */
void a3mi_pmtu_black_hole(struct a3mi_pmtu *pmtu, uint32_t base, int64_t now);

#endif
