/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few associations in one process and virtual time, joined by a simulated
 * network, with just enough of a link layer on top to send messages, and a book
 * of everything sent, accepted, acknowledged and reported. The invariants of
 * docs/wire.md are checked as things happen; a breach ends the process and
 * prints the seed.
 */
#ifndef CORE_WORLD_H
#define CORE_WORLD_H

#include "base/message.h"
#include "core/assoc.h"
#include "core_net.h"

#define WORLD_NODES 3
#define WORLD_SLOTS 2 /* links between two nodes */
#define WORLD_MS    INT64_C(1000000)
#define WORLD_S     INT64_C(1000000000)

struct world;
struct world_node;
struct book;
struct store;

struct world_link {
    struct a3mi_tx tx;
    struct a3mi_rx rx;
    struct world_node *node;
    uint32_t to, slot;
    struct a3mi_peer *peer; /* held while not down */
    enum { WORLD_DOWN, WORLD_ASKING, WORLD_UP } state;
    uint64_t number; /* of this attempt */
    uint32_t tx_channel, rx_channel;
    uint32_t epoch;
    int64_t retry_at;
};

struct world_node {
    struct world *world;
    uint32_t index;
    bool alive;
    struct a3mi_name id;
    uint64_t incarnation;
    uint32_t address;
    uint32_t was_at; /* bits: addresses that it had, in this incarnation and earlier ones */
    struct a3mi_assoc *assoc;
    struct world_link links[WORLD_NODES][WORLD_SLOTS]; /* links[i][..] to node i; links[self] to itself */
    uint64_t controls_sent;
    uint64_t ended, merged, duplicates; /* hooks called */
    struct store *store;                /* core_store.h; NULL: its state is not stored */
};

struct world_options {
    uint32_t nodes;
    uint32_t window;
    int64_t linger, peer_timeout;
    bool by_address;              /* links are asked for by address, now and then */
    uint32_t slots;               /* links between two nodes, WORLD_SLOTS at most */
    uint32_t refuse;              /* in 1000: the transport takes fewer packets than it is given */
    bool impostors;               /* an id may be used twice */
    bool lazy_flush;              /* outputs without flush now and then */
    size_t mtu;                   /* of the transport; 0: 1,400 */
    uint64_t memory, peer_memory; /* for what waits; 0: as an association has it */
    bool stored;                  /* nodes store their state, and say nothing that is not stored */
};

struct world {
    uint64_t seed;
    struct a3mi_rng rng;
    struct core_net net;
    struct world_options options;
    int64_t now;
    uint64_t events;
    uint64_t event_limit;
    uint64_t next_number;
    struct world_node nodes[WORLD_NODES];
    struct book *book; /* core_book.h */
    uint64_t rollbacks;
    size_t whole_max;  /* larger packets that may not be fragmented are lost; 0: none are */
    size_t black_hole; /* larger packets are lost; 0: none are */
    size_t largest;    /* packet that could be fragmented, seen so far */
};

/* Says what broke, with the seed, and aborts. */
_Noreturn void world_fail(const struct world *w, const char *what);

void world_init(struct world *w, uint64_t seed, const struct world_options *options);
void world_fini(struct world *w);

/* Starts a node, or starts it anew: in a new incarnation, what it knew is gone. */
void world_restart(struct world *w, uint32_t index, bool goodbye);
/* A node dies and goes on from what it stored: the same incarnation. False: it had stored nothing yet. */
bool world_rollback(struct world *w, uint32_t index);
/* A node stops without a word. */
void world_kill(struct world *w, uint32_t index);
/* Sends `n` messages on a link, if it is up, and lets them be transmitted. Returns how many. */
uint32_t world_send(struct world *w, uint32_t from, uint32_t to, uint32_t slot, uint32_t n, bool large);
/* Grants credit on a link, if it is up. */
void world_credit(struct world *w, uint32_t from, uint32_t to, uint32_t slot);
/* Asks the other end of a link for a sign of life, if it is up. */
void world_ask(struct world *w, uint32_t from, uint32_t to, uint32_t slot);
/* Ends a link at one end; the other end is told by a control message, and it is asked for anew. */
void world_unlink(struct world *w, uint32_t from, uint32_t to, uint32_t slot);
/* Fails if any node says that it got something malformed or impossible: nobody here sends that. */
void world_expect_conformance(struct world *w);
/* Gives a node another address. */
void world_readdress(struct world *w, uint32_t node, uint32_t address);
/* It notices that its address changed, if it is alive, or thinks so. */
void world_moved(struct world *w, uint32_t node);
/* A node is told where another one is, which it has links with. */
void world_point(struct world *w, uint32_t node, uint32_t to);
/* Lets time pass. */
void world_run(struct world *w, int64_t ns);
/* Lets a node send what it has. */
void world_pump(struct world_node *node);
/* Sends something on every link, so that the death of an idle peer is noticed. */
void world_poke(struct world *w);
/* Runs until every link is up and everything sent on links is accepted and acknowledged. Fails after `limit` ns. */
void world_settle(struct world *w, int64_t limit);
/* Then runs until no record is left anywhere. Fails after `limit` ns. */
void world_vanish(struct world *w, int64_t limit);
/* Everything settles, and nothing stays; then the world is over. Fails after 100 s each, or if a node was talked nonsense to. */
void world_finish(struct world *w);
/* Records that a node has: its senders, or its receivers. */
uint64_t world_records(const struct world *w, uint32_t node, bool senders);
/* Messages accepted by a node's present incarnation, over its links with another. */
uint64_t world_accepted(const struct world *w, uint32_t from, uint32_t to);
/* Whether everything is up and accepted. */
bool world_settled(const struct world *w);

#endif
