/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for what arrived and cannot be handed up yet, and is not covered by a
 * link's credit: messages that wait for an earlier one, and records
 * (docs/memory.md). All peers together have a limit, each has a share of it. A
 * message whose turn it is stands for the one that its link's credit allows, and
 * is only counted here.
 *
 * Nothing that was accepted is dropped: what does not fit is not accepted, and
 * goes again. The lowest unit that is missing of a half-connection holds nothing
 * but messages whose turn it is, so it always fits, and what waits for it gets
 * away. While most of the memory is taken, limits are not raised; who has come to
 * its limit then is *starved*: it gets a little now and then, and all when there
 * is room again. Private to core.
 */
#ifndef A3MI_MEMORY_H
#define A3MI_MEMORY_H

#include "core/state.h"

/* Bytes for all peers by default; one peer has a quarter of the limit. */
#define A3MI_MEMORY_DEFAULT ((uint64_t)256 << 20)
/* Who is starved gets so many units (A3MI_UNPROVEN_LIMIT) this often, ns. */
#define A3MI_STARVED_INTERVAL INT64_C(100000000)

struct a3mi_receiver;

void a3mi_memory_init(struct a3mi_assoc *assoc);
/* Whether a peer may take so many bytes more. */
bool a3mi_memory_fits(const struct a3mi_assoc *assoc, const struct a3mi_peer *peer, uint64_t bytes);
/* What is kept of a peer changes: waiting for its turn, or being put together in its turn. */
void a3mi_memory_hold(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t before, uint64_t after);
void a3mi_memory_assemble(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t before, uint64_t after);
/* Raises the limit of a proven record, as far as memory allows. */
void a3mi_memory_grant(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver);
/* When a starved one gets a little more; INT64_MAX: it is not. */
int64_t a3mi_memory_due(const struct a3mi_receiver *receiver);
/* It is due: gives it that. */
void a3mi_memory_trickle(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver);
/* Whether starved records could have more now; gives it to them. */
bool a3mi_memory_eased(const struct a3mi_assoc *assoc);
void a3mi_memory_relieve(struct a3mi_assoc *assoc);
/* Gives up who holds most, when all hold more than the policy allows. */
void a3mi_memory_enforce(struct a3mi_assoc *assoc);

#endif
