/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated disk of a node: every few milliseconds the state of its
 * association is saved, with that of its links and its pages of the book, and a
 * moment later it is safe. A node that dies goes on from the last snapshot that
 * is safe, or from one that is but that it did not hear of any more.
 */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include "core_world.h"

struct store *store_new(struct world *w);
void store_free(struct store *store);
/* When store_tick has something to do; INT64_MAX for a node without a store. */
int64_t store_deadline(const struct world_node *node);
/* True when something was released. */
bool store_tick(struct world_node *node);
/* The node begins anew: what was stored is of another incarnation. */
void store_forget(struct world_node *node);
bool store_has(const struct world_node *node);
/* The association's bytes of the last snapshot that is safe: the store's. */
const uint8_t *store_bytes(const struct world_node *node, size_t *size);
/* A dead node goes on from what was stored. */
void store_restore(struct world_node *node);

#endif
