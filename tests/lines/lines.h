/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world of the random test of lines: a node with PUSH sockets and one with PULL sockets, each linked with each,
 * which are never started, and actors (stage.h) that send, reserve and receive. A run is a seed: its
 * shape, then steps, each of which draws from its own number, so that a run without some of its steps is a run, too.
 *
 * lines_world.c makes and ends it, lines_steps.c is what happens, lines_look.c what must hold after each step.
 */
#ifndef A3M_TEST_LINES_H
#define A3M_TEST_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/a3m.h>

#include "base/rng.h"
#include "node/credit.h"
#include "node/node.h"
#include "stage.h"

enum {
    LINES_SOCKETS = 2, /* of each kind, at most */
    LINES_ACTORS = 8,
    LINES_HELD = 8, /* reservations */
    LINES_STEPS = 90,
    LINES_TEXT = 160,
};

enum lines_kind { LINES_SEND, LINES_RESERVE, LINES_RECEIVE };

/* A call of an actor. */
struct lines_call {
    struct stage_actor actor;
    enum lines_kind kind;
    uint32_t socket; /* which PUSH, or PULL */
    a3m_link link;   /* 0: any will do */
    a3m_socket handle;
    size_t size;
    bool or_none;
    uint64_t ticket; /* its place among all calls that slept; 0: it has not yet */
    a3m_credit credit;
    a3m_link used;
};

/* A reservation that nobody has used yet. */
struct lines_held {
    uint32_t socket; /* which PUSH */
    a3m_credit credit;
    a3m_link link;
    uint32_t life;
    size_t size;
};

/* The shape of a run. */
struct lines_shape {
    uint32_t pushes, pulls, sizes; /* sizes: how many there are of messages */
    uint32_t receives;             /* percent of all calls */
    bool fair_push, fair_pull;
    int64_t credit_messages, credit_bytes, batch;
    uint64_t outbox;
    int64_t largest; /* message that the first PULL takes */
};

/* A PUSH's link with a PULL, as it was before a step. */
struct lines_seen_link {
    uint64_t handle;
    uint32_t life;
    bool up;
    uint64_t used; /* sent + reserved */
};

/* A call in line for credit, as it was before a step. */
struct lines_seen_call {
    bool stands;     /* asleep, in line for credit */
    bool waits_room; /* asleep, in line for room */
    bool woken;      /* asleep, and its wake waits */
    bool valid;      /* woken: its credit stands */
    bool promised;   /* woken, a receive: for a message, for sure */
    bool source;     /* a receive: there is a message where it looks */
    uint64_t ticket;
    size_t room_at;     /* waits_room: how many stand before it */
    uint64_t room_link; /* waits_room: whose credit it has */
};

struct lines_seen {
    struct lines_seen_link links[LINES_SOCKETS][LINES_SOCKETS];
    struct lines_seen_call calls[LINES_ACTORS];
    struct {
        size_t inbox, promised;
    } pulls[LINES_SOCKETS];
    bool fair[LINES_SOCKETS];
};

/* Whom the lines of an unfair socket's link served last. */
enum lines_turn { LINES_NOBODY, LINES_SPECIFIC, LINES_GENERAL };

struct lines_world {
    uint64_t seed;
    struct lines_shape shape;
    struct a3mi_rng rng; /* of the step */
    a3m_node from, to;
    struct a3mi_node *in_from, *in_to;
    a3m_socket pushes[LINES_SOCKETS], pulls[LINES_SOCKETS];
    struct a3m_base *in_pushes[LINES_SOCKETS], *in_pulls[LINES_SOCKETS];
    a3m_link links[LINES_SOCKETS][LINES_SOCKETS]; /* of PUSH, with PULL */
    a3m_poller poller;
    int64_t now;
    struct lines_call calls[LINES_ACTORS];
    struct lines_held held[LINES_HELD];
    size_t n_held;
    uint64_t last_ticket;
    enum lines_turn turns[LINES_SOCKETS][LINES_SOCKETS];
    /* Of the step: */
    struct lines_seen before;
    struct lines_call *acted; /* whose call began, or went on; NULL: nobody's */
    bool tried;               /* the main thread sent, from socket `tried_on`, and it had credit at once */
    uint32_t tried_on;
    bool reordered;    /* the order of a socket was changed */
    bool receive_turn; /* nothing but a turn of the receivers' node */
    bool at_rest;
    bool reordered_ever;
    bool closed;
    char log[LINES_STEPS + 1][LINES_TEXT];
    uint32_t step;
    char fault[2 * LINES_TEXT]; /* the first thing that did not hold; "": everything did */
};

/* ---- lines_world.c ------------------------------------------------------------ */

/* Its actors are those of the stage. */
void lines_make(struct lines_world *w, uint64_t seed);
void lines_end(struct lines_world *w);
/* The receivers' node closes at once, and another incarnation takes its place. */
void lines_restart(struct lines_world *w);
/* What is the matter; the first fault is kept. */
void lines_fault(struct lines_world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lines_log(struct lines_world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Below n, of this step's numbers. */
uint32_t lines_draw(struct lines_world *w, uint32_t n);
/* Asks for a PUSH's link, again when it is there or has ended, and watches it. */
void lines_ask(struct lines_world *w, uint32_t push, uint32_t pull);
/* One turn. */
void lines_run_turn(struct lines_world *w, bool of_receivers);
/* What is behind a link's handle, NULL: nothing any more. Good while no call runs. */
struct a3mi_link *lines_link(a3m_link handle);
/* Where a call that sleeps in a send or a reservation stands. */
struct a3mi_credit_wait *lines_wait(const struct lines_call *call);

/* ---- lines_steps.c -------------------------------------------------------------- */

/* Something happens, and is looked at. */
void lines_step(struct lines_world *w, uint32_t step);
/* Everything that is under way arrives, and who was woken goes on, until nothing happens any more. */
void lines_rest(struct lines_world *w);
/* One goes on; A3M_OK: by its wake. */
void lines_resume(struct lines_world *w, struct lines_call *call, int why);

/* ---- lines_look.c ---------------------------------------------------------------- */

void lines_look_before(struct lines_world *w);
void lines_look_after(struct lines_world *w);

#endif
