/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate of a node whose state is stored: nothing leaves before the state that
 * it speaks of has been stored (the output commit of rollback recovery; Elnozahy,
 * Alvisi, Wang, Johnson, ACM Computing Surveys 34(3), 2002, section 2.4).
 *
 * Whatever the association builds is held. a3mi_assoc_save marks what is held by
 * then; a3mi_assoc_saved, called when the snapshot is safe, releases it. So a
 * node that is restored from its last safe snapshot has said nothing that it does
 * not know any more, and what it had heard since, it had not acknowledged: to its
 * peers it is as if packets had been lost. No rule of the protocol depends on it.
 *
 *     output ──► held ──save──► marked ──saved──► released ──output──► the network
 *
 * Private to core.
 */
#ifndef A3MI_GATE_H
#define A3MI_GATE_H

#include "core/state.h"

/* Packets behind the gate; beyond, none is built before some have left. */
#define A3MI_GATE_PACKETS 8192u
/* As many are built at a time. */
#define A3MI_GATE_SPARE 64u

void a3mi_gate_init(struct a3mi_gate *gate);
void a3mi_gate_fini(struct a3mi_assoc *assoc);
/* Builds what is to be sent, and holds it. */
void a3mi_gate_fill(struct a3mi_assoc *assoc, bool flush);
/* What was released, up to `max`: lent until the next call. */
size_t a3mi_gate_lend(struct a3mi_assoc *assoc, struct a3m_packet_out *out, size_t max);
/* The last `n` of those lent were not sent. */
void a3mi_gate_return(struct a3mi_assoc *assoc, size_t n);
void a3mi_gate_mark(struct a3mi_assoc *assoc);
void a3mi_gate_release(struct a3mi_assoc *assoc);

#endif
