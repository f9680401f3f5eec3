/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node whose own address changed tells its peers at once, instead of leaving
 * it to them to notice that nobody answers any more: PING and PROBE on every
 * record, and where nothing waits to be sent to a peer that has links here, an
 * empty unit, which comes again until it is acknowledged. Each of them comes from
 * the new address, so the peer asks there (core/path.h) and follows.
 *
 * Who calls may be mistaken, or call for every change of a flapping interface, so
 * nothing is forgotten of the path, and rounds are spaced: the first one comes
 * A3MI_MOVE_SETTLE after the call, the next ones at doubling distances. A round
 * takes A3MI_MOVE_BATCH peers a millisecond. Private to core.
 */
#ifndef A3MI_MOVE_H
#define A3MI_MOVE_H

#include "core/peer.h"
#include "core/state.h"

/* An address is announced before its routes are there, and addresses are replaced one by one. */
#define A3MI_MOVE_SETTLE INT64_C(10000000)
/* From one round to the next, at least: doubles with each, and is the least again after a pause of the most. */
#define A3MI_MOVE_GAP_MIN INT64_C(100000000)
#define A3MI_MOVE_GAP_MAX INT64_C(10000000000)
/* Peers told at a time, and the time between. */
#define A3MI_MOVE_BATCH 32
#define A3MI_MOVE_STEP  INT64_C(1000000)

/* A3M_ENOMEM. */
int a3mi_move_init(struct a3mi_assoc *assoc);

#endif
