/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests for links that were not looked at, as too many answers wait for their author already. Requests come
 * exactly once, so nobody repeats them: their author is told, once less waits for it, which of its requests these
 * were (control message UNHEARD), and takes them for refused for now. What is kept of them is one range of numbers
 * a peer, however many they are. Private to this folder.
 */
#ifndef A3MI_UNHEARD_H
#define A3MI_UNHEARD_H

#include <stdint.h>

#include "base/list.h"

struct a3mi_control;
struct a3mi_node;
struct a3mi_peer;

/* Control messages that wait for a peer, beyond which its requests are not looked at. */
#define A3MI_REQUESTS_WAITING 1024u

/* [engine] A request of this incarnation of a peer, by its author's number, is not looked at. */
void a3mi_unheard_note(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation, uint64_t number);
/* [engine] In a turn: tells peers that may ask again. */
void a3mi_unheard_turn(struct a3mi_node *node, int64_t now);
/* [engine] The incarnation is over, or (0) the peer is. */
void a3mi_unheard_forget(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation);
/* [engine] All of them. */
void a3mi_unheard_clear(struct a3mi_node *node);

#endif
