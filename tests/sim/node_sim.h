/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole nodes in virtual time, on one thread: nodes of the library as
 * applications have them, on a simulated network (node_net.h), with sockets that
 * send and receive by themselves, and a book of every message (node_book.h).
 *
 * Nodes are never started. The simulation runs their engine turns, at instants
 * of a clock of its own; what the library asks of the system (time, random bytes,
 * waiting) is answered by node_virtual.c. So the same calls give the same packets,
 * bit for bit, and calls that block (a3m_node_close) let virtual time pass.
 *
 * What goes wrong is noted once (sim_fail), and from there on nothing moves.
 */
#ifndef NODE_SIM_H
#define NODE_SIM_H

#include <stdio.h>

#include "node/node.h"
#include "node_book.h"
#include "node_net.h"

#define SIM_APPS  6 /* sockets of a node, the hub and the spoke among them */
#define SIM_LINKS 6 /* links that a socket asks for */
#define SIM_JOBS  16
#define SIM_HELD  8

/* The last two sockets of every node: see sim_poke. */
#define SIM_HUB   4
#define SIM_SPOKE 5

enum sim_type { SIM_PUSH, SIM_PULL, SIM_REQ, SIM_REP };

/* What a socket answers to who asks for a link: nobody is asked; yes; not now; never. */
enum sim_door { SIM_DOOR_NONE, SIM_DOOR_OPEN, SIM_DOOR_LATER, SIM_DOOR_SHUT };

struct sim_wish {
    uint32_t node, app;
    bool by_address;
};

struct sim_job {
    uint32_t count, size;
};

struct sim_reply {
    a3m_msg *request, *reply;
};

/* An application's socket: it sends what it has jobs for, takes what arrives, answers requests. */
struct sim_app {
    struct sim_node *node;
    uint32_t index;
    bool wanted; /* it is opened again with its node */
    bool open;
    enum sim_type type;
    int64_t credit_messages, credit_bytes; /* 0: the defaults */
    a3m_socket socket;
    struct a3m_base *base; /* borrowed while open */
    struct sim_life *life; /* NULL: nothing sent yet */
    int ordered;           /* 0 or 1: of the links that it makes; -1: as its type has it */
    bool unordered;        /* some links of this socket may keep no order */
    enum sim_door door;
    char answer[32];    /* what it tells who may come in */
    bool asks;          /* for receipts of what it sends */
    bool paused;        /* takes nothing */
    int64_t take_every; /* ns between messages that it takes; 0: all at once */
    int64_t take_at;
    struct sim_wish wishes[SIM_LINKS];
    uint32_t wish_count;
    struct sim_job jobs[SIM_JOBS];
    uint32_t job_count;
    a3m_msg *ready; /* the next to send, when it could not be sent yet */
    struct sim_held {
        a3m_credit credit;
        size_t size;
    } held[SIM_HELD]; /* reservations, used for what fits before other credit is */
    uint32_t held_count;
    struct sim_reply *replies;
    size_t reply_count, reply_room;
    uint64_t asked, answered; /* REQ: requests, and outcomes of these */
    struct sim_order order;
};

struct sim_node {
    struct sim *sim;
    uint32_t index;
    bool alive;
    bool closing;
    uint32_t lives;
    a3m_node handle;
    struct a3mi_node *inside;
    struct sim_owner *owner; /* this life in the book */
    bool dirty;              /* wants a turn */
    int64_t wake_at;
    int64_t frozen_until;  /* stopped, as by SIGSTOP */
    int64_t stalled_until; /* its turns find nothing in the outbox, whatever is pushed */
    bool turning;
    uint64_t reports; /* made in all its lives, but of duplicate ids */
    int report_code;  /* the last one */
    char report_text[600];
    struct sim_app apps[SIM_APPS];
};

struct sim_options {
    uint32_t nodes;        /* 2 */
    uint32_t window;       /* units granted to a sender; 0: as a node has it */
    int64_t linger;        /* 0: as a node has it */
    bool lazy;             /* turns without flush come first, as under load */
    uint32_t mtu;          /* 0: 1400 */
    int64_t retry_max;     /* of links; 0: as a socket has it */
    uint32_t memory;       /* bytes for what waits; 0: as a node has it */
    int64_t peer_timeout;  /* 0: none */
    uint64_t outbox_bytes; /* 0: as a node has it */
    uint64_t memory_ceiling;
};

struct sim {
    uint64_t seed;
    struct sim_options options;
    struct a3mi_rng draw; /* what nodes get from the system */
    int64_t now;
    struct sim_net net;
    struct sim_book book;
    struct sim_node nodes[SIM_NODES];
    uint64_t turns, messages;
    uint64_t questions, answers[SIM_DOOR_SHUT + 1]; /* asked by links; given by doors */
    uint64_t aborts, abandoned;                     /* links ended by force, and messages given up by that */
    uint64_t receipts[3];                           /* told: accepted, taken, neither */
    uint64_t overtaken; /* of these: behind a later one, as their sockets let it be */
    bool failed;
    char failure[400];
};

/* ---- The world ------------------------------------------------------------------- */

/* One at a time. All nodes are made, with the hub each. */
void sim_init(struct sim *sim, uint64_t seed, const struct sim_options *options);
/* Ends nodes without a word, and frees everything. */
void sim_fini(struct sim *sim);
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Lets virtual time pass. */
void sim_run(struct sim *sim, int64_t ns);
/* Goes on to the next instant at which something happens, `limit` at most. */
void sim_step(struct sim *sim, int64_t limit);
/* Runs until everything is as it should be (sim_settled); fails after `limit` ns. */
void sim_settle(struct sim *sim, int64_t limit);
/* Runs until no node keeps a record; fails after `limit` ns. */
void sim_vanish(struct sim *sim, int64_t limit);

/* ---- Nodes ------------------------------------------------------------------------ */

/* Made anew, with the sockets and links that are wanted. Nothing when it is alive. */
void sim_start(struct sim *sim, uint32_t index);
/* As by SIGKILL. Nothing when it is dead. */
void sim_kill(struct sim *sim, uint32_t index);
/* a3m_node_close, `within` ns. Virtual time passes. */
int sim_close_node(struct sim *sim, uint32_t index, int64_t within, a3m_close_report *report);
void sim_freeze(struct sim *sim, uint32_t index, int64_t ns);
/*
 * A thread that stopped in the middle of a push holds up all that is pushed behind it, commands and messages:
 * the node hears, says and is due as ever, and learns of them later.
 */
void sim_stall(struct sim *sim, uint32_t index, int64_t ns);
/* A living node notices that its address changed (sim_net_move), or thinks so. */
void sim_notice(struct sim *sim, uint32_t index);

/* ---- Sockets: node_app.c ------------------------------------------------------------ */

void sim_open(struct sim *sim, uint32_t node, uint32_t index, enum sim_type type, int64_t credit_messages,
              int64_t credit_bytes);
void sim_close_socket(struct sim *sim, uint32_t node, uint32_t index);
void sim_link(struct sim *sim, uint32_t node, uint32_t index, uint32_t peer, uint32_t peer_app,
              bool by_address);
/* Ends the link with a peer's socket at this end, whoever asked for it. */
void sim_unlink(struct sim *sim, uint32_t node, uint32_t index, uint32_t peer, uint32_t peer_app);
/* The same by force; what that gave up must be what it reports. */
void sim_abort(struct sim *sim, uint32_t node, uint32_t index, uint32_t peer, uint32_t peer_app);
void sim_send(struct sim *sim, uint32_t node, uint32_t index, uint32_t count, uint32_t size);
/* How it takes messages: never, or one in `every` ns, or (0) all at once. */
void sim_pause(struct sim *sim, uint32_t node, uint32_t index, bool paused);
/* Whether what the socket sends on links made from now on keeps its order; also when it is opened again. */
void sim_order(struct sim *sim, uint32_t node, uint32_t index, bool ordered);
void sim_pace(struct sim *sim, uint32_t node, uint32_t index, int64_t every);
/* What the socket grants from now on, on links that are up as well; 0: as it is. */
void sim_credit(struct sim *sim, uint32_t node, uint32_t index, int64_t messages, int64_t bytes);
/* Reserves credit for up to `count` messages, as far as there is; without room for more, one is given back. */
void sim_reserve(struct sim *sim, uint32_t node, uint32_t index, uint32_t count, uint32_t size);
/* Gives back all. */
void sim_release(struct sim_app *app);
/* Of this package: an open socket's life ends, a wanted one begins; the sockets of a node act. */
void sim_app_reopen(struct sim_app *app);
void sim_app_over(struct sim_app *app);
void sim_app_run(struct sim_app *app);

/* ---- Their doors: node_door.c --------------------------------------------------------- */

/* From now on; also when the socket is opened again. */
void sim_door(struct sim *sim, uint32_t node, uint32_t index, enum sim_door door);
/* Of this package: an open socket gets its hook; what a link tells with its question (returns the size). */
void sim_door_set(struct sim_app *app);
size_t sim_door_question(struct sim_app *app, char *text, size_t size);
/* Whether both ends of a link that is up know what the other one told. */
bool sim_door_told(const struct a3mi_link *link, const struct a3mi_link *other);
/* A link that was refused for good says by whom. */
void sim_door_check_refused(struct sim *sim, const struct a3mi_link *link);
/* Whether the socket's wish was refused for good, and is over at both ends. */
bool sim_door_refused(const struct sim_app *app, const struct sim_wish *wish);

/* ---- Receipts: node_receipt.c ----------------------------------------------------------- */

/* Whether the socket asks for receipts of what it sends from now on, of each kind by turns. */
void sim_receipts(struct sim *sim, uint32_t node, uint32_t index, bool ask);
/* Of this package: the next message of the socket's life; it was sent, with a receipt of these kinds asked for. */
void sim_receipt_ask(struct sim_app *app, a3m_msg *msg);
void sim_receipt_sent(struct sim_life *life, unsigned kinds);
/* What was told is true, and of nodes that are over all was told. */
void sim_receipts_check(struct sim *sim);

/* ---- What must hold: node_check.c ---------------------------------------------------- */

/*
 * Everything heals: paths, addresses, what was frozen, paused or dead; links that are wanted are asked
 * for again. Each node sends a word to each other, so that who lives in the past learns it.
 */
void sim_heal(struct sim *sim);
/* Links that are wanted, and ended meanwhile, are asked for again. */
void sim_ask_again(struct sim *sim);
/* Whether nothing is under way, and both ends of every link agree. `why` (may be NULL): what is missing. */
bool sim_settled(struct sim *sim, const char **why);
/* What must hold in a settled world: the book's sums, and each link's, credit included. */
void sim_check(struct sim *sim);
/* What must hold at any instant. */
void sim_check_always(struct sim *sim);
/* Prints every node, socket and link. */
void sim_dump(const struct sim *sim, FILE *out);
/* heal, settle, check, vanish, once more a few messages, settle, check, vanish, close all nodes. */
void sim_finish(struct sim *sim);

/* ---- The system: node_virtual.c ------------------------------------------------------- */

extern struct sim *sim_current;

#endif
