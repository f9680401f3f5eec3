/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link layer of the simulated world, as small as it can be: between each
 * pair of nodes a fixed number of links, asked for by the node with the lower
 * index until they are up. REQ and ACC tell a channel of the book and an index,
 * END tells the other end. A node has links to itself as well.
 */
#ifndef CORE_LINKS_H
#define CORE_LINKS_H

#include "core_world.h"

extern const struct a3mi_assoc_hooks links_hooks;

/* A node began: its links are down. */
void links_start(struct world_node *node);
/* A node ends: everything is detached. */
void links_stop(struct world_node *node);
/* When links_tick has something to do. */
int64_t links_deadline(const struct world_node *node);
void links_tick(struct world_node *node);
/* Every link of the node is up, and what was sent on it accepted and acknowledged. */
bool links_settled(const struct world_node *node);
/* Tells nodes where others are, as a directory would, when they do not know. */
void links_refresh_addresses(struct world *w);
/* Writes a control message that asks for nothing, as the node's next one. Returns its size. */
#define LINKS_NOTE_SIZE 64u
size_t links_note(struct world_node *node, uint8_t *bytes, size_t size);
void links_print(const struct world_link *link);

#endif
