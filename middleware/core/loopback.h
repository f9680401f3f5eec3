/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The peer that is this node: what is sent to it is handed up by the next
 * output, tick or input, without packets and never from within the send.
 * Private to core.
 */
#ifndef A3MI_LOOPBACK_H
#define A3MI_LOOPBACK_H

#include "core/state.h"

void a3mi_loopback_init(struct a3mi_assoc *assoc);
/* Whether anything waits. */
bool a3mi_loopback_pending(const struct a3mi_assoc *assoc);
/* Hands up what waited at the call; what that brings waits for the next one. */
void a3mi_loopback_run(struct a3mi_assoc *assoc);
void a3mi_loopback_fini(struct a3mi_assoc *assoc);

#endif
