/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network under simulated nodes: a transport ("sim://7") whose packets go
 * through a model in virtual time. Between each two nodes, in each direction, is
 * a path with delay, bandwidth and faults; a node has an address that can change,
 * and may be behind a NAT. All that is random follows from the seed. One thread.
 *
 * Every packet that a node sends is hashed, with its time and its ends, so that
 * two runs can be told to be the same, bit for bit.
 */
#ifndef NODE_NET_H
#define NODE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/transport.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/rng.h"

#define SIM_NODES      4
#define SIM_PACKET_MAX 1500
#define SIM_US         INT64_C(1000)
#define SIM_MS         INT64_C(1000000)
#define SIM_S          INT64_C(1000000000)

/* One direction between two nodes. Zeroed but for `delay`: it carries everything, in order. Chances in 1000. */
struct sim_path {
    int64_t delay, jitter; /* ns: a packet takes delay + [0, jitter), but does not overtake */
    uint64_t rate;         /* bytes a second; 0: no limit */
    uint64_t queue;        /* bytes that wait for the rate; what comes when it is full is lost; 0: no limit */
    uint32_t loss;
    uint32_t burst_enter, burst_leave; /* Gilbert's model: everything is lost in between */
    uint32_t repeat;                   /* a copy arrives up to repeat_within later */
    uint32_t reorder;                  /* a packet is held up for up to reorder_by, and is overtaken */
    uint32_t corrupt;                  /* one to eight bits flip */
    uint32_t truncate;                 /* the end is missing */
    int64_t repeat_within, reorder_by;
    bool cut;

    uint64_t drops; /* bit i: the i-th packet from now is lost */
    bool in_burst;
    int64_t free_at;      /* the rate's */
    int64_t last_arrival; /* of those that keep their order */
};

struct sim_net;

/* A node's end of the network: what its transport is open on. */
struct sim_end {
    struct sim_net *net;
    uint32_t node;
    bool open;
    uint32_t address;  /* where its packets come from, and where it is reached */
    bool nat;          /* only whom it sent to can reach it */
    uint32_t known[8]; /* NAT: addresses it sent to since it has this address, the latest ones */
    uint32_t next_known;
    struct a3mi_list inbox;
    size_t waiting;
    struct a3mi_list lent; /* packets handed out by the last receive */
    struct a3m_transport_stats stats;
};

struct sim_net {
    struct a3mi_rng rng;
    int64_t now;
    struct sim_path paths[SIM_NODES][SIM_NODES]; /* [from][to] */
    struct sim_end ends[SIM_NODES];
    struct a3mi_heap flying;
    struct a3mi_list spare;
    uint64_t hash;
    uint64_t sent, lost, arrived;
    size_t mtu, receive_packets; /* a node holds so many that it did not take */
    int fd;                      /* never readable: nodes are told by the simulation */
    uint32_t next_address;       /* never given out before */
};

void sim_net_init(struct sim_net *net, uint64_t seed);
void sim_net_fini(struct sim_net *net);

/* All paths without faults, 100 us long. Addresses stay. */
void sim_net_heal(struct sim_net *net);
/* A node moves: to an address that was never used, or back to its first one. Packets to the old one are lost. */
void sim_net_move(struct sim_net *net, uint32_t node);
void sim_net_return(struct sim_net *net, uint32_t node);
/* The first address of a node: that which it is bound to. */
uint32_t sim_net_address(uint32_t node);

/* When the next packet arrives; INT64_MAX. */
int64_t sim_net_next(const struct sim_net *net);
/* Packets that arrive by `now` are put into their inboxes; returns a bit per node that got something. */
uint32_t sim_net_arrive(struct sim_net *net, int64_t now);

/* The transport, on the network that the simulation of this thread is in. */
extern const a3m_transport_ops sim_net_transport;
/* Which that is: NULL, and a node cannot be opened. */
extern struct sim_net *sim_net_current;

#endif
