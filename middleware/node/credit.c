/* SPDX-License-Identifier: Apache-2.0 */
#include "node/credit.h"

#include "base/error.h"
#include "node/node.h"

/* The first of a line that this link could ever serve, or the last; NULL. A message that is too large for it holds up nobody. */
static struct a3mi_credit_wait *first_of(const struct a3mi_link *link, const struct a3mi_list *line,
                                         bool last)
{
    struct a3mi_list *it = last ? line->prev : line->next;
    while (it != line) {
        struct a3mi_credit_wait *wait = a3mi_container_of(it, struct a3mi_credit_wait, in_line);
        if (wait->credit->size <= link->peer_max_message) {
            return wait;
        }
        it = last ? it->prev : it->next;
    }
    return NULL;
}

/* Whether a call that comes now would pass another one at this link. */
static bool has_line(const struct a3mi_link *link)
{
    return first_of(link, &link->credit_line, false) != NULL ||
           first_of(link, &link->socket->credit_line, false) != NULL;
}

static bool is_fair(const struct a3mi_socket *socket)
{
    return a3mi_socket_option(socket, A3M_OPT_FAIR) != 0;
}

bool a3mi_credit_open(const struct a3mi_link *link)
{
    return a3mi_list_linked(&link->sendable) && !(is_fair(link->socket) && has_line(link));
}

bool a3mi_credit_open_any(const struct a3mi_socket *socket)
{
    A3MI_LIST_FOREACH (it, &socket->sendable) {
        if (a3mi_credit_open(a3mi_container_of(it, struct a3mi_link, sendable))) {
            return true;
        }
    }
    return false;
}

/* ---- Reserving ----------------------------------------------------------------------------- */

static void reserve(struct a3mi_link *link, struct a3mi_credit *credit)
{
    link->reserved++;
    link->reserved_bytes += credit->size;
    credit->link = link;
    credit->handle = link->handle;
    credit->life = link->life;
    a3mi_flow_refresh(link);
}

void a3mi_credit_release_link(struct a3mi_credit *credit)
{
    if (credit->counted) {
        credit->counted = false;
        a3mi_link_unref(credit->link);
    }
}

bool a3mi_credit_valid(const struct a3mi_credit *credit)
{
    return credit->life == credit->link->life && credit->link->state == A3MI_LINK_UP && !credit->link->ended;
}

void a3mi_credit_again(struct a3mi_credit *credit, const struct a3mi_credit *wanted)
{
    uint64_t ticket = credit->ticket;
    bool interrupted = credit->interrupted;
    a3mi_credit_release_link(credit);
    *credit = *wanted;
    credit->ticket = ticket;
    credit->interrupted = interrupted;
}

static void unreserve(struct a3mi_link *link, const struct a3mi_credit *credit)
{
    link->reserved--;
    link->reserved_bytes -= credit->size;
    a3mi_flow_refresh(link);
}

void a3mi_credit_return(struct a3mi_credit *credit)
{
    struct a3mi_link *link = credit->link;
    if (link == NULL || credit->life != link->life) {
        return; /* it went with the life of the link that it was of */
    }
    unreserve(link, credit);
    a3mi_credit_serve(link);
}

/* ---- Those in line -------------------------------------------------------------------------- */

/*
 * It leaves the line, and is woken, unless it was already (the socket has an error to tell): its parker may be on
 * its way out then, and its thread looks here.
 */
static void finish(struct a3mi_socket *socket, struct a3mi_credit_wait *wait, int code)
{
    wait->served = code == A3M_OK;
    wait->code = code;
    a3mi_list_remove(&wait->in_line);
    if (!wait->waiter.woken) {
        a3mi_waiter_take(&wait->waiter, &socket->wakes);
    }
}

/* Whether the link has credit for it. A message that is too large for this link may find another one. */
static bool fits(const struct a3mi_link *link, const struct a3mi_credit_wait *wait)
{
    return wait != NULL && a3mi_flow_admits(link, wait->credit->size) == A3M_OK;
}

/* Who is next in the fair order: the lower ticket; nobody, while that one cannot be served. */
static struct a3mi_credit_wait *next_fair(const struct a3mi_link *link, struct a3mi_credit_wait *specific,
                                          struct a3mi_credit_wait *general)
{
    struct a3mi_credit_wait *next = specific;
    if (next == NULL || (general != NULL && general->credit->ticket < next->credit->ticket)) {
        next = general;
    }
    return fits(link, next) ? next : NULL;
}

/* Who is next in the unfair one: the kind whose turn it is, else the other. */
static struct a3mi_credit_wait *next_unfair(struct a3mi_link *link, struct a3mi_credit_wait *specific,
                                            struct a3mi_credit_wait *general)
{
    struct a3mi_credit_wait *first = link->general_next ? general : specific;
    struct a3mi_credit_wait *second = link->general_next ? specific : general;
    struct a3mi_credit_wait *next = fits(link, first) ? first : fits(link, second) ? second : NULL;
    if (next != NULL) { /* else nobody is served, and whose turn it is stays as it was */
        link->general_next = next == specific;
    }
    return next;
}

static struct a3mi_credit_wait *next_served(struct a3mi_link *link, bool fair)
{
    struct a3mi_credit_wait *specific = first_of(link, &link->credit_line, !fair);
    struct a3mi_credit_wait *general = first_of(link, &link->socket->credit_line, !fair);
    return fair ? next_fair(link, specific, general) : next_unfair(link, specific, general);
}

/* It has credit of the link, and goes on when it needs no room, or there is some; else it waits for that. */
static void give(struct a3mi_link *link, struct a3mi_credit_wait *wait)
{
    struct a3mi_socket *socket = link->socket;
    wait->credit->counted = true;
    a3mi_link_ref(link); /* it may end before the thread runs */
    if (wait->credit->cost == 0 || a3mi_window_stand(socket->node, &wait->room)) {
        finish(socket, wait, A3M_OK);
        return;
    }
    wait->given = true;
    a3mi_list_remove(&wait->in_line);
    a3mi_list_push_back(&link->room_line, &wait->in_line);
    socket->window_waits++;
}

void a3mi_credit_room(struct a3mi_socket *socket, struct a3mi_window_wait *room)
{
    struct a3mi_credit_wait *wait = a3mi_container_of(room, struct a3mi_credit_wait, room);
    wait->given = false;
    finish(socket, wait, A3M_OK);
}

/* As far as the link has credit. True: a call that any link would do for was among them. */
static bool serve_link(struct a3mi_link *link)
{
    struct a3mi_socket *socket = link->socket;
    bool fair = is_fair(socket);
    bool any = false;
    struct a3mi_credit_wait *wait;
    while (a3mi_list_linked(&link->sendable) && (wait = next_served(link, fair)) != NULL) {
        any |= !wait->specific;
        reserve(link, wait->credit);
        give(link, wait);
    }
    if (a3mi_credit_open(link)) {
        size_t left = a3mi_flow_available(link);
        a3mi_link_wake(link, A3MI_KEY_OUT, left);
        a3mi_socket_wake(socket, A3MI_KEY_OUT, left);
    }
    return any;
}

/*
 * Somebody left a line, unserved or served by one link: at the other ones, whose credit may not have been enough for
 * it, those behind are first, and may need less than it did.
 */
static void serve_all(struct a3mi_socket *socket)
{
    bool again = true;
    while (again) {
        again = false;
        A3MI_LIST_FOREACH_SAFE (it, next, &socket->sendable) {
            again |= serve_link(a3mi_container_of(it, struct a3mi_link, sendable));
        }
    }
}

void a3mi_credit_serve(struct a3mi_link *link)
{
    if (serve_link(link)) {
        serve_all(link->socket);
    }
}

/* Whether all links that are up take less than `size` bytes: waiting would not help. */
static bool too_large(const struct a3mi_socket *socket, size_t size)
{
    A3MI_LIST_FOREACH (it, &socket->links) {
        const struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_socket);
        if (link->state == A3MI_LINK_UP && !link->ended && size <= link->peer_max_message) {
            return false;
        }
    }
    return socket->links_up > 0;
}

/* Why a call that any link would do for cannot be served at all; 0: it can. */
static int hopeless(const struct a3mi_socket *socket, const struct a3mi_credit *credit)
{
    if (socket->links_up > 0) {
        return too_large(socket, credit->size) ? A3M_EMSGSIZE : A3M_OK;
    }
    return credit->or_none && socket->links_coming == 0 ? A3M_ENOLINK : A3M_OK;
}

/* Into the line of the socket, at the place of its ticket: behind all, unless it stood there before. */
static void stand_in_place(struct a3mi_socket *socket, struct a3mi_credit_wait *wait)
{
    struct a3mi_list *at = &socket->credit_line;
    wait->credit->link = NULL;
    a3mi_list_remove(&wait->in_line);
    while (at->prev != &socket->credit_line &&
           a3mi_container_of(at->prev, struct a3mi_credit_wait, in_line)->credit->ticket >
               wait->credit->ticket) {
        at = at->prev;
    }
    a3mi_list_insert_before(at, &wait->in_line);
}

/* The link is down, and with it the credit of those that wait for room: it was the only one, or another one will do. */
static bool revoke(struct a3mi_link *link)
{
    struct a3mi_socket *socket = link->socket;
    bool any = false;
    A3MI_LIST_FOREACH_SAFE (it, next, &link->room_line) {
        struct a3mi_credit_wait *wait = a3mi_container_of(it, struct a3mi_credit_wait, in_line);
        a3mi_window_leave(socket->node, &wait->room);
        wait->given = false;
        unreserve(link, wait->credit);
        a3mi_credit_release_link(wait->credit); /* the caller holds it, too */
        if (wait->specific) {
            finish(socket, wait, A3M_ELINKDOWN);
        } else {
            any = true;
            stand_in_place(socket, wait);
        }
    }
    return any;
}

void a3mi_credit_link_changed(struct a3mi_link *link)
{
    struct a3mi_socket *socket = link->socket;
    bool up = link->state == A3MI_LINK_UP && !link->ended;
    bool left = !up && revoke(link);
    A3MI_LIST_FOREACH_SAFE (it, next, &link->credit_line) {
        struct a3mi_credit_wait *wait = a3mi_container_of(it, struct a3mi_credit_wait, in_line);
        if (!up) {
            finish(socket, wait, A3M_ELINKDOWN);
        } else if (wait->credit->size > link->peer_max_message) {
            finish(socket, wait, A3M_EMSGSIZE);
        }
    }
    A3MI_LIST_FOREACH_SAFE (it, next, &socket->credit_line) {
        struct a3mi_credit_wait *wait = a3mi_container_of(it, struct a3mi_credit_wait, in_line);
        int code = hopeless(socket, wait->credit);
        if (code != A3M_OK) {
            finish(socket, wait, code);
            left = true;
        }
    }
    if (left) {
        serve_all(socket);
    } else if (up) {
        a3mi_credit_serve(link);
    }
}

/* ---- Getting it ------------------------------------------------------------------------------ */

/* At once, if that may be. 0; A3M_ENOCREDIT; A3M_ENOLINK, A3M_EMSGSIZE (which is final). */
static int try_one(struct a3mi_credit *credit, bool fair)
{
    struct a3mi_link *link = credit->link;
    int code = a3mi_flow_admits(link, credit->size);
    if (code == A3M_OK && fair && has_line(link)) {
        return A3M_ENOCREDIT;
    }
    if (code == A3M_OK) {
        reserve(link, credit);
    }
    return code;
}

/* Of the links that may take it, the one whose turn it is. */
static int try_any(struct a3mi_socket *socket, struct a3mi_credit *credit, bool fair)
{
    A3MI_LIST_FOREACH (it, &socket->sendable) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, sendable);
        if (a3mi_flow_admits(link, credit->size) == A3M_OK && !(fair && has_line(link))) {
            a3mi_list_remove(&link->sendable);
            a3mi_list_push_back(&socket->sendable, &link->sendable);
            reserve(link, credit);
            return A3M_OK;
        }
    }
    int code = hopeless(socket, credit);
    return code != A3M_OK ? code : A3M_ENOCREDIT;
}

/* Of a call for one link. */
static int say_link(const struct a3mi_link *link, int code)
{
    switch (code) {
    case A3M_ELINKDOWN:
        return a3mi_fail(code, "the link to %s/%s ended: %s", link->peer_node.s, link->peer_tag.s,
                         a3m_strerror(link->reason));
    case A3M_ENOLINK:
        return a3mi_fail(code, "the link to %s/%s is not up", link->peer_node.s, link->peer_tag.s);
    case A3M_ENOCREDIT:
        return a3mi_fail(code, "the link has no credit: its receiver must take messages first");
    case A3M_ETIMEDOUT: return a3mi_fail(code, "the deadline passed; the link has no credit");
    default: return code;
    }
}

/* Of a call that any link would do for. */
static int say_any(const struct a3mi_socket *socket, int code)
{
    const char *why = socket->links_up > 0 ? "no link has credit: a receiver must take messages first"
                                           : "no link is up";
    switch (code) {
    case A3M_ENOLINK: return a3mi_fail(code, "no link is up or coming up");
    case A3M_ENOCREDIT: return a3mi_fail(code, "%s", why);
    case A3M_ETIMEDOUT: return a3mi_fail(code, "the deadline passed; %s", why);
    default: return code;
    }
}

static int say(const struct a3mi_socket *socket, const struct a3mi_credit *credit, int code)
{
    if (code == A3M_ENOWINDOW) {
        return a3mi_fail(code, "the node's outbox is full");
    }
    if (code == A3M_EMSGSIZE) {
        return a3mi_fail(code, "a message of %zu bytes is larger than is taken there", credit->size);
    }
    if (code == A3M_EINTR) {
        return a3mi_fail(code, "a signal arrived");
    }
    return credit->link != NULL ? say_link(credit->link, code) : say_any(socket, code);
}

/* Those that came earlier are served first in the fair order: who comes now would not be. */
static void lower(struct a3mi_socket *socket, struct a3mi_link *link)
{
    if (!is_fair(socket)) {
        return;
    }
    if (link != NULL) {
        a3mi_link_lowered(link);
        return;
    }
    A3MI_LIST_FOREACH (it, &socket->sendable) {
        a3mi_link_lowered(a3mi_container_of(it, struct a3mi_link, sendable));
    }
}

void a3mi_credit_reorder(struct a3mi_socket *socket)
{
    serve_all(socket);
    lower(socket, NULL);
}

/* With credit already, into the line for room; else into that for credit. */
static void get_in_line(struct a3mi_socket *socket, struct a3mi_credit_wait *wait, bool given)
{
    struct a3mi_credit *credit = wait->credit;
    bool again = credit->ticket != 0;
    credit->ticket = again ? credit->ticket : ++socket->last_ticket;
    wait->room = (struct a3mi_window_wait){.socket = socket, .cost = credit->cost};
    a3mi_list_init(&wait->in_line);
    a3mi_list_init(&wait->room.in_line);
    a3mi_waiter_init(&wait->waiter, A3MI_KEY_HUP, false);
    wait->waiter.woken = given || again; /* nobody waits for it yet */
    if (given) {
        give(credit->link, wait);
        return;
    }
    if (wait->specific) {
        a3mi_list_push_back(&credit->link->credit_line, &wait->in_line);
    } else {
        stand_in_place(socket, wait);
    }
    if (again) {
        serve_all(socket); /* it may be before one that there was not enough for */
    }
    lower(socket, wait->specific ? credit->link : NULL);
}

/* Out of line unserved, for `result`: what it had is for those behind, who may also need less than it did. */
static int leave_line(struct a3mi_socket *socket, struct a3mi_credit_wait *wait, int result)
{
    struct a3mi_credit *credit = wait->credit;
    bool given = wait->given;
    a3mi_list_remove(&wait->in_line);
    if (given) {
        a3mi_window_leave(socket->node, &wait->room);
        a3mi_credit_return(credit);
        a3mi_credit_release_link(credit);
    } else if (wait->code == A3M_OK) {
        serve_all(socket);
    }
    if (socket->closed) {
        return a3mi_fail(A3M_ECLOSED, "the socket '%s' was closed", socket->tag.s);
    }
    if (given && result == A3M_ETIMEDOUT) {
        return a3mi_fail(A3M_ETIMEDOUT, "the deadline passed; the node's outbox is full");
    }
    credit->link = wait->specific ? credit->link : NULL;
    return say(socket, credit, wait->code != A3M_OK ? wait->code : result);
}

static int stand_in_line(struct a3mi_socket *socket, struct a3mi_credit *credit, bool specific, bool given,
                         a3m_time deadline)
{
    struct a3mi_credit_wait wait = {.credit = credit, .specific = specific};
    int result = credit->interrupted ? say(socket, credit, A3M_EINTR)
                                     : a3mi_socket_may_wait(socket, deadline);
    if (result != A3M_OK) {
        if (given) {
            unreserve(credit->link, credit);
        }
        return result;
    }
    get_in_line(socket, &wait, given);
    while (result == A3M_OK && !wait.served && wait.code == A3M_OK && !socket->closed) {
        a3mi_waiter_init(&wait.waiter, A3MI_KEY_HUP, false);
        a3mi_waitq_add(&socket->pollable.queue, &wait.waiter.entry);
        result = a3mi_socket_park(socket, &wait.waiter, deadline); /* an error of the socket wakes it, too */
    }
    if (!wait.served) {
        return leave_line(socket, &wait, result);
    }
    credit->interrupted = result == A3M_EINTR; /* should the link end before the credit is used */
    if (!socket->closed) {
        return A3M_OK; /* also when the deadline passed meanwhile, or a signal came */
    }
    a3mi_credit_return(credit);
    a3mi_credit_release_link(credit);
    if (credit->cost != 0) {
        a3mi_window_give_back(socket, credit->size);
    }
    return a3mi_fail(A3M_ECLOSED, "the socket '%s' was closed", socket->tag.s);
}

/* It has credit: room in the outbox as well, if it needs some. */
static int get_room(struct a3mi_socket *socket, struct a3mi_credit *credit, bool specific, a3m_time deadline)
{
    if (credit->cost == 0 || a3mi_window_take(socket->node, credit->cost, is_fair(socket))) {
        return A3M_OK;
    }
    if (deadline.ns > 0) {
        return stand_in_line(socket, credit, specific, true, deadline);
    }
    unreserve(credit->link, credit); /* as it was: nobody could be served by that */
    return say(socket, credit, A3M_ENOWINDOW);
}

int a3mi_credit_get(struct a3m_base *socket, struct a3mi_credit *credit, a3m_time deadline)
{
    bool fair = is_fair(socket);
    bool specific = credit->link != NULL;
    int code = specific ? try_one(credit, fair) : try_any(socket, credit, fair);
    if (code == A3M_OK) {
        return get_room(socket, credit, specific, deadline);
    }
    if (code == A3M_ENOCREDIT && !specific && socket->links_up == 0 && deadline.ns <= 0) {
        return a3mi_fail(A3M_ENOLINK, "no link is up");
    }
    if (code != A3M_ENOCREDIT || deadline.ns <= 0) {
        return say(socket, credit, code);
    }
    return stand_in_line(socket, credit, specific, false, deadline);
}
