/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the random actors of the credit stress share: two nodes, PUSH and PULL sockets on both, pollers, and what
 * was set aside or put off and is nobody's at the moment. Handles go stale at any time; that is part of the game.
 *
 * credit_arena.c makes and ends it; what actors do to it is in credit_links.c, credit_messages.c and credit_polls.c, how often in
 * credit_actions.c; credit_check.c is what must hold while they rest, credit_receipts.c what is told of messages.
 */
#ifndef A3M_TEST_CREDIT_ARENA_H
#define A3M_TEST_CREDIT_ARENA_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <a3m/a3m.h>

#include "actor.h"
#include "credit_receipts.h"

enum {
    CREDIT_NODES = 2,
    CREDIT_PUSHES = 3,
    CREDIT_PULLS = 4,
    CREDIT_POLLERS = 2,
    CREDIT_SLOTS = 24,  /* reservations */
    CREDIT_LATERS = 16, /* messages sent later */
    CREDIT_ACTORS = 6,
    CREDIT_LINKS = 32, /* a socket has fewer */
};

extern const char *const credit_nodes[CREDIT_NODES];
extern const char *const credit_push_tags[CREDIT_PUSHES], *const credit_pull_tags[CREDIT_PULLS];
/* Which node a socket is on. */
extern const uint32_t credit_push_node[CREDIT_PUSHES], credit_pull_node[CREDIT_PULLS];

/* A reservation that is nobody's at the moment. */
struct held {
    a3m_socket socket;
    a3m_credit credit; /* 0: the slot is free */
    a3m_link link;
    size_t size;
};

struct credit_actor {
    struct actor actor;
    struct credit_arena *arena;
    struct credit_receipts receipts;
};

struct credit_arena {
    bool exact; /* every message that is taken returns its credit at once: limits are what is due */
    a3m_node nodes[CREDIT_NODES];
    char addresses[CREDIT_NODES][128];
    _Atomic uint64_t pushes[CREDIT_PUSHES], pulls[CREDIT_PULLS], pollers[CREDIT_POLLERS];
    pthread_mutex_t lock;
    struct held held[CREDIT_SLOTS];      /* [lock] */
    a3m_scheduled laters[CREDIT_LATERS]; /* [lock] 0: the slot is free */
    _Atomic uint32_t asked;              /* calls of the accept hook */
    struct credit_actor actors[CREDIT_ACTORS];
    struct credit_told told[CREDIT_NODES];
    struct credit_receipt_sums receipts;

    /* What happened, in messages. */
    _Atomic uint64_t sent, taken;
    _Atomic uint64_t put_off, taken_back; /* handed to a3m_send_at, and cancelled */
    uint64_t links_checked, rounds;       /* of the main thread */
};

/* Nodes at `addresses`, and their sockets. Fails the test on any error. */
void credit_open(struct credit_arena *arena, const char *const addresses[CREDIT_NODES], bool exact,
                 struct a3mi_rng *rng);
/* Closes the nodes, and sums up: what was sent is what was taken, what nobody took and what is reported as given up. */
void credit_close(struct credit_arena *arena);

/* Opens push or pull number `i`, in place of what was there. An error code. */
int credit_reopen(struct credit_arena *arena, bool push, uint32_t i);

/* Actors rest: takes back what was put off, then sees that the books of all links that are up balance. */
bool credit_look(void *arena);

/* Their actions. */
extern const struct actions credit_actions;

/* ---- Between the files of actions ------------------------------------------------------------- */

struct credit_arena *credit_arena_of(struct actor *self);
a3m_socket credit_any_push(struct actor *self);
a3m_socket credit_any_pull(struct actor *self);
a3m_socket credit_any_socket(struct actor *self);
/* One of a socket's links, in whatever state, or 0. */
a3m_link credit_any_link(struct actor *self, a3m_socket socket);
/* What it stands for now: itself, or the link that it turned out to be the same as. */
a3m_link credit_same_link(a3m_link link);
/* Mostly small. */
size_t credit_any_size(struct actor *self);
a3m_time credit_deadline(struct actor *self);

/* credit_links.c: links, waiting, options, and looking on. */
int credit_act_link(struct actor *self);
int credit_act_cancel(struct actor *self);
int credit_act_end(struct actor *self);
int credit_act_abort(struct actor *self);
int credit_act_wait(struct actor *self);
int credit_act_capacity(struct actor *self);
int credit_act_option(struct actor *self);
int credit_act_accept(struct actor *self);
int credit_act_close(struct actor *self);
int credit_act_drain(struct actor *self);
int credit_act_look(struct actor *self);
int credit_act_signal(struct actor *self);

/* credit_messages.c: what moves messages, or credit for them. */
int credit_act_send(struct actor *self);
int credit_act_send_many(struct actor *self);
int credit_act_recv(struct actor *self);
int credit_act_recv_many(struct actor *self);
int credit_act_reserve(struct actor *self);
int credit_act_use(struct actor *self);
int credit_act_release(struct actor *self);
int credit_act_later(struct actor *self);
int credit_act_take_back(struct actor *self);

/* One message that was put off, or none; it is sent or dropped otherwise. */
int credit_take_back(struct credit_arena *arena, a3m_scheduled later);

/* credit_polls.c */
int credit_act_poll(struct actor *self);
int credit_act_watch(struct actor *self);
int credit_act_poller_wait(struct actor *self);
int credit_act_poller_close(struct actor *self);

#endif
