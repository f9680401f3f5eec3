/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tap on the network of a simulated world: it sees every packet, can lose it,
 * and keeps copies that are put back later, as often as wanted. With it a named
 * schedule is a few lines.
 */
#ifndef CORE_TAP_H
#define CORE_TAP_H

#include "core_world.h"

#define TAP_KEPT 256

#define TAP_BIT(type) (1u << (type))

/* A packet, and between which addresses it went. */
struct kept {
    uint32_t from, to;
    size_t size;
    uint8_t bytes[1500];
};

/* What happens to packets on their way; types are bits. */
struct tap {
    struct world *world;
    uint32_t lose; /* these are lost */
    uint32_t keep; /* copies of these are kept */
    unsigned lose_at_most;
    unsigned seen[16];
    struct kept kept[TAP_KEPT];
    unsigned kept_count;
};

/* Loses and keeps nothing yet. */
void tap_init(struct tap *tap, struct world *w);
/* A world with a link between each two of its nodes, all up, and a tap on it. `window`: units granted; 0: the default. */
void tap_begin(struct world *w, struct tap *tap, uint64_t seed, uint32_t nodes, uint32_t window);
/* Puts back everything that was kept, `times` times, and keeps it. */
void tap_replay(struct tap *tap, unsigned times);

#endif
