/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room in a node's outbox, which bounds the memory of all that its sockets send
 * and that is not acknowledged. There is room for a message, of whatever size,
 * while less than the bound is taken; so the last one in goes beyond it, and none
 * is ever too large.
 *
 * A call that has its credit and finds no room gets in line: one line a node, in
 * the order of coming. Whoever makes room gives it to those in line, at once and
 * to the first: it is theirs from then on, and only as many threads are woken as
 * were served (as credit is given: credit.h). What is left is told to pollers.
 *
 *   unfair    who comes and finds room has it
 *   fair-ish  only when nobody stands in line
 *
 * A call holds its credit while it waits for room, never room while it waits for
 * credit: room comes back as peers acknowledge, which needs nobody's credit; the
 * other way around one receiver that stopped could keep the room of all.
 *
 * Private to this folder.
 */
#ifndef A3MI_WINDOW_H
#define A3MI_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct a3mi_node;
struct a3m_base;
struct a3mi_turn;

/* What a message takes besides its bytes. */
#define A3MI_MESSAGE_COST 192u

static inline uint64_t a3mi_window_cost(size_t size)
{
    return (uint64_t)size + A3MI_MESSAGE_COST;
}

/* A call in line. */
struct a3mi_window_wait {
    struct a3mi_list in_line; /* [window] */
    struct a3m_base *socket;  /* whose lock covers the rest of the call */
    uint64_t cost;
};

bool a3mi_window_full(const struct a3mi_node *node);
/* Whether who comes now to this socket finds room. */
bool a3mi_window_open(const struct a3m_base *socket);

/* Takes room if there is any and, when `behind`, nobody stands in line. */
bool a3mi_window_take(struct a3mi_node *node, uint64_t cost, bool behind);
/* Takes it whether or not there is any: of what waited already. */
void a3mi_window_force(struct a3mi_node *node, uint64_t cost);
/* [socket] The same in line: true, it has room; false, it stands there, and a3mi_credit_room is called for it. */
bool a3mi_window_stand(struct a3mi_node *node, struct a3mi_window_wait *wait);
/* [socket] Leaves the line unserved. */
void a3mi_window_leave(struct a3mi_node *node, struct a3mi_window_wait *wait);

/* [engine] Messages of links are wholly in units, or given up: what they took is free, which a3mi_window_tell tells. */
void a3mi_window_return(struct a3mi_node *node, uint64_t messages, uint64_t bytes);
/* [engine] At the end of a turn: so many bytes of units are not acknowledged. */
void a3mi_window_units(struct a3mi_node *node, uint64_t bytes);
/* [engine] After either: room goes to those in line, pollers learn whether there is any. Takes [names], [socket]. */
void a3mi_window_tell(struct a3mi_node *node, struct a3mi_turn *turn);
/* [socket] Gives back the room of one message that will not be sent. Lets the lock go, and takes it again. */
void a3mi_window_give_back(struct a3m_base *socket, size_t size);

#endif
