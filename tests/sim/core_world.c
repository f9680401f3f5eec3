/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes, time and links of the simulated world (core_world.h); the book of
 * messages is in core_book.c.
 *
 * The link layer: for each pair of nodes and slot, the node with the lower index
 * asks, the other one answers. REQ and ACC carry the channel (a number of the
 * book), the index and a number of the attempt; END tells the other end.
 */
#include "core_world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/checksum.h"
#include "base/cursor.h"
#include "core_book.h"

#define RETRY (20 * WORLD_MS)

enum { REQ = 1, ACC = 2, END = 3, NOTE = 4 };

_Noreturn void world_fail(const struct world *w, const char *what)
{
    fprintf(stderr, "\nA3M_SIM_SEED=%llu at %lld ns, event %llu: %s\n", (unsigned long long)w->seed,
            (long long)w->now, (unsigned long long)w->events, what);
    abort();
}

/* ---- Links -------------------------------------------------------------------- */

static bool say(struct world_link *link, uint64_t incarnation, uint8_t kind)
{
    struct world_node *node = link->peer != NULL ? NULL : NULL;
    (void)node;
    (void)incarnation;
    (void)kind;
    return false;
}

void world_init(struct world *w, uint64_t seed, const struct world_options *options)
{
    (void)w;
    (void)seed;
    (void)options;
    (void)say;
}
