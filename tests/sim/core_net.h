/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network in virtual time: datagrams between numbered addresses, lost,
 * repeated, delayed, reordered and damaged as a seed says. Nothing of it knows
 * what the bytes mean. For the simulations of core.
 */
#ifndef CORE_NET_H
#define CORE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

#define CORE_NET_ADDRS 32

/* Chances in 1000. */
struct core_net_faults {
    uint32_t loss, repeat, damage, late;
    int64_t delay, jitter; /* ns: each packet takes delay + [0, jitter) */
    int64_t late_max;      /* a late one takes up to this */
};

struct core_net_packet {
    int64_t at;
    uint64_t order; /* breaks ties */
    uint32_t from, to;
    size_t size;
    uint8_t bytes[];
};

struct core_net {
    struct a3mi_rng rng;
    struct core_net_faults faults;
    bool cut[CORE_NET_ADDRS][CORE_NET_ADDRS]; /* [from][to] */
    struct core_net_packet **packets;         /* a binary heap by time */
    size_t count, capacity;
    uint64_t order;
    uint64_t sent, lost;
    /* Sees every packet before its fate is drawn; false: it is lost. NULL: none. */
    bool (*filter)(void *arg, uint32_t from, uint32_t to, const uint8_t *bytes, size_t size);
    void *filter_arg;
};

void core_net_init(struct core_net *net, uint64_t seed);
void core_net_fini(struct core_net *net);
void core_net_send(struct core_net *net, uint32_t from, uint32_t to, const uint8_t *bytes, size_t size,
                   int64_t now);
/* When the next packet arrives; INT64_MAX. */
int64_t core_net_next(const struct core_net *net);
/* Takes the next packet out; the caller frees it. */
struct core_net_packet *core_net_take(struct core_net *net);

#endif
