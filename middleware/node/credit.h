/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for credit. A call that finds none gets in line: in its link's when it
 * is for one link, in its socket's when any will do. Credit that becomes
 * available is given to those in line, by whoever makes it available: it is
 * theirs from then on, nobody can take it from them, and only as many threads
 * are woken as were served (no thundering herd, no stealing, and who was woken
 * need not look again).
 *
 *     limit = sent + reserved + available
 *
 * `reserved` is what has been given to calls and not been used by a message yet.
 *
 * A call that is to send needs room in the outbox as well (window.h). Without it, it
 * goes from this line into that one, asleep, and keeps its credit meanwhile.
 *
 * Disciplines, chosen per socket (A3M_OPT_FAIR):
 *   unfair    who comes and finds credit has it; of those in line the last that came is served first, as it
 *             is the one most likely still awake; between the two lines by turns
 *   fair-ish  those in line hold tickets, and are served in their order across both lines; who comes and
 *             finds credit has it only when nobody stands before it
 *
 * Private to this folder. Everything [socket].
 */
#ifndef A3MI_CREDIT_H
#define A3MI_CREDIT_H

#include <a3m/a3m.h>

#include "node/window.h"
#include "runtime/waitq.h"

struct a3mi_link;
struct a3m_base;

/* What a call wants; then what it has. */
struct a3mi_credit {
    struct a3mi_link *link; /* the only one that will do, or NULL; then whose credit it is */
    size_t size;            /* of the message, bytes */
    uint64_t cost;          /* the room that it needs in the outbox; 0: none, it is for later */
    bool or_none;           /* A3M_ENOLINK when no link is up or coming up */
    uint64_t ticket;        /* its place, once it stood in line; 0: it has none */
    uint64_t handle;        /* of the link that it was given of */
    uint32_t life;          /* of that link, when it was given */
    bool counted;           /* it holds the link */
    bool interrupted;       /* a signal came when it had been served already */
};

/* A call in line, on its stack. */
struct a3mi_credit_wait {
    struct a3mi_waiter waiter; /* for what ends the wait otherwise */
    struct a3mi_list in_line;  /* for credit; then, with the credit of a link, in that link's `room_line` */
    struct a3mi_window_wait room;
    struct a3mi_credit *credit;
    bool specific; /* one link only will do */
    bool given;    /* it has credit, and waits for room */
    bool served;
    int code; /* why it is over unserved, or 0 */
};

/*
 * Gets credit for one message: 0, and credit->link has one more reserved; with a cost also room in the outbox.
 * A3M_ENOLINK (no link is up or coming, or the one link is not up), A3M_ELINKDOWN (that one ended meanwhile),
 * A3M_EMSGSIZE, A3M_ETIMEDOUT, A3M_ECLOSED, A3M_EDEADLK, A3M_EINTR; with A3M_NOW A3M_ENOCREDIT or A3M_ENOWINDOW in
 * place of A3M_ETIMEDOUT. May let the lock go and take it again.
 */
int a3mi_credit_get(struct a3m_base *socket, struct a3mi_credit *credit, a3m_time deadline);
/* Whether what was got still stands: the link may have gone down since. */
bool a3mi_credit_valid(const struct a3mi_credit *credit);
/* It does not: what was wanted is wanted again, at the place that the call had in line. */
void a3mi_credit_again(struct a3mi_credit *credit, const struct a3mi_credit *wanted);
/* What was got was used, or went with its link: lets go of the link, which may be freed by it. */
void a3mi_credit_release_link(struct a3mi_credit *credit);
/* Gives back what was got, unused: the next in line has it. */
void a3mi_credit_return(struct a3mi_credit *credit);

/*
 * Whether a3m_base_send_any of the calling thread found nothing to send on since this was asked last: no link, credit or
 * room. What any other message finds is no better, unless it is smaller.
 */
bool a3mi_send_any_failed(void);

/* Sends a message of at most its size with it, whose room was taken. It, the credit and the room are the outbox's from here on. */
void a3mi_send_put(const struct a3mi_credit *credit, a3m_msg *msg);

/* The link has more to give than before: to those in line, and what is left is told to pollers. */
void a3mi_credit_serve(struct a3mi_link *link);
/* The link came up or went down, or no link is left: calls in line for which that is the end of it learn so. */
void a3mi_credit_link_changed(struct a3mi_link *link);
/* The order is another one (A3M_OPT_FAIR): who may be served now is. */
void a3mi_credit_reorder(struct a3m_base *socket);
/* A call that had credit has room, too. */
void a3mi_credit_room(struct a3m_base *socket, struct a3mi_window_wait *room);

/* Whether a small message that comes now has credit of the link, or of any: what pollers are told of. */
bool a3mi_credit_open(const struct a3mi_link *link);
bool a3mi_credit_open_any(const struct a3m_base *socket);

#endif
