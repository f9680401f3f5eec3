/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two good nodes in virtual time with traffic between them, and strangers who
 * send them whatever they like. What the good ones send is made of its number,
 * so that each message is known to be the next one; a breach ends the process.
 * What a node sends to strangers is caught and counted by address. Strangers
 * know the nodes' names and addresses; packets between the good nodes they see
 * only to repeat them. For tests of core against hostile input; no cmocka.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/message.h"
#include "base/rng.h"
#include "core/assoc.h"
#include "core/packet.h"

#define HOSTILE_MS INT64_C(1000000)
#define HOSTILE_S  INT64_C(1000000000)

/* Addresses: the good nodes are at 1 and 2; from HOSTILE_BLIND on, nobody gets what is sent there. */
#define HOSTILE_BLIND     1000u
#define HOSTILE_ADDRESSES 65536u

#define HOSTILE_GUESTS      8u
#define HOSTILE_CAUGHT      64u
#define HOSTILE_MAX_MESSAGE 65536u

struct hostile;

/* A link that a stranger has with a good node. */
struct hostile_guest {
    struct a3mi_rx rx;
    struct a3mi_tx tx;
    struct a3mi_peer *peer; /* held; NULL: free */
};

struct hostile_node {
    struct hostile *hostile;
    struct a3mi_assoc *assoc;
    struct a3mi_name id;
    uint64_t incarnation;
    uint32_t address;
    /* The link with the other good node. */
    struct a3mi_peer *peer;
    struct a3mi_tx tx;
    struct a3mi_rx rx;
    uint64_t sent, accepted, acknowledged, controls_sent, controls_accepted;
    /* Strangers. */
    struct hostile_guest guests[HOSTILE_GUESTS];
    uint64_t guest_messages, guest_controls, guest_credits, guest_ended, duplicates;
    uint64_t replies_left; /* control messages to answer those of strangers with */
    size_t largest_guest_message;
};

struct hostile_packet {
    int64_t at;
    uint32_t from, to;
    size_t size;
    uint8_t bytes[A3MI_PACKET_BASE];
};

struct hostile {
    struct hostile_node nodes[2];
    int64_t now;
    struct a3mi_rng rng;
    uint32_t loss;                    /* between the good nodes, in 1000 */
    struct hostile_packet *on_way;    /* between them, in the order of their arrival */
    size_t on_way_count, on_way_room; /* a ring */
    size_t on_way_first;
    struct hostile_packet caught[HOSTILE_CAUGHT]; /* the last ones to strangers who hear */
    uint64_t caught_count;
    struct hostile_packet seen[HOSTILE_CAUGHT]; /* the last ones between the good nodes */
    uint64_t seen_count;
    uint64_t *bytes_from, *bytes_to; /* by address */
    uint64_t packets_to_strangers;
};

struct hostile_options {
    uint64_t seed;
    uint32_t window;
    int64_t peer_timeout, linger;
    uint64_t memory, memory_ceiling;
    uint32_t peers_max;
};

/* Says what broke, and aborts. */
_Noreturn void hostile_fail(const struct hostile *h, const char *what);

/* Two nodes with a link between them, and the first messages accepted. */
void hostile_init(struct hostile *h, const struct hostile_options *options);
void hostile_fini(struct hostile *h);

/* Good traffic: `n` messages from one good node to the other; one control message. */
void hostile_send(struct hostile *h, unsigned from, unsigned n);
void hostile_control(struct hostile *h, unsigned from);

/* A datagram arrives at a good node, and what it causes is sent. */
void hostile_inject(struct hostile *h, unsigned node, uint32_t from, const uint8_t *bytes, size_t size);
/* The same of a packet whose body stands at bytes + A3MI_PACKET_HEADER: header and checksum are made. */
void hostile_inject_sealed(struct hostile *h, unsigned node, uint32_t from, uint8_t *bytes, size_t body_size,
                           enum a3mi_packet_type type, uint64_t addressee, uint64_t number);

/* Gives the stranger with that name a link with a node. NULL: there are enough. */
struct hostile_guest *hostile_welcome(struct hostile *h, unsigned index, const struct a3mi_name *name,
                                      uint64_t incarnation);

/* Lets time pass. */
void hostile_run(struct hostile *h, int64_t ns);
/* Until everything good is accepted and acknowledged; fails after two minutes. */
void hostile_settle(struct hostile *h);

/* The last packet of a type that a stranger at this address got; NULL. */
const struct hostile_packet *hostile_caught(const struct hostile *h, uint32_t address,
                                            enum a3mi_packet_type type);
struct a3mi_assoc_stats hostile_stats(const struct hostile *h, unsigned node);

/* Bytes of memory in use in this process. */
size_t hostile_memory(void);

#endif
