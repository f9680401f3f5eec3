/* SPDX-License-Identifier: Apache-2.0 */
#include "node/schedule.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "node/credit.h"

enum state { WAITING, TRYING, BLOCKED, OVER };

struct a3mi_schedule {
    _Atomic uint32_t refs;      /* handle, engine, command under way, attempt under way */
    uint64_t handle;            /* [const] */
    struct a3mi_socket *socket; /* [const] counted */
    struct a3mi_link *link;     /* [const] counted; NULL: as the type of the socket has it */
    struct a3mi_outbox_node command;
    struct a3mi_event due; /* [engine] */
    struct a3mi_list all;  /* [engine] of the node's */
    struct a3mi_after attempt;

    /* [socket] */
    enum state state;
    a3m_msg *msg; /* NULL: sent, or the caller's again */
    int64_t at;   /* ns */
    bool commanded;
    struct a3mi_list in_line; /* of its link's, or its socket's */
    /* TRYING, and BLOCKED at the head of the line or in none: hears of what is possible. */
    struct a3mi_waitq_entry watch;
    bool heard; /* TRYING: it did, perhaps after the attempt looked */
};

static void unref(struct a3mi_schedule *s)
{
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    a3m_msg_free(s->msg);
    if (s->link != NULL) {
        a3mi_link_unref(s->link);
    }
    a3mi_socket_unref(s->socket);
    free(s);
}

static void handle_last(void *obj)
{
    struct a3mi_schedule *s = obj;
    struct a3mi_node *node = s->socket->node;
    atomic_fetch_add(&node->refs, 1);
    unref(s);
    a3mi_node_handle_retired(node);
    a3mi_node_unref(node);
}

/* [socket] Has the engine look at its state. The caller carries it. */
static void command(struct a3mi_schedule *s)
{
    if (s->commanded) {
        return;
    }
    s->commanded = true;
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    s->command.kind = A3MI_CMD_SCHEDULE;
    a3mi_reader_push(s->socket->node->reader, &s->command);
}

/* ---- Blocked: until something is possible --------------------------------------------- */

/* [socket] It is tried again, on the reader thread. */
static void again(struct a3mi_schedule *s)
{
    s->state = WAITING;
    s->at = 0;
    command(s);
}

/* [socket] */
static bool on_possible(struct a3mi_waitq_entry *entry, uint32_t keys, struct a3mi_wakes *wakes)
{
    struct a3mi_schedule *s = a3mi_container_of(entry, struct a3mi_schedule, watch);
    (void)keys;
    a3mi_waitq_remove(entry);
    s->heard = true;
    if (s->state == BLOCKED) {
        again(s);
        a3mi_wakes_add(wakes, &s->socket->node->bell); /* who pushed this may not carry it */
    }
    return true;
}

static const struct a3mi_waitq_ops watch_ops = {.wake = on_possible};

/*
 * The line: messages that nothing could be sent on when they were tried, in the order of their times. The first alone
 * watches, and who goes has the next one tried: what there is, is given out in that order, and each that is given
 * costs an attempt, not one of everybody. One that its type would have sent to a link of the type's choice, as
 * routers do, stands in none, and holds nobody up.
 */
static struct a3mi_list *line_of(const struct a3mi_schedule *s)
{
    return s->link != NULL ? &s->link->scheduled : &s->socket->scheduled;
}

/* [socket] Who comes first now is tried. The caller carries it. */
static void next_in_line(struct a3mi_list *line)
{
    struct a3mi_list *first = a3mi_list_first(line);
    if (first != NULL) {
        struct a3mi_schedule *s = a3mi_container_of(first, struct a3mi_schedule, in_line);
        if (s->state == BLOCKED) {
            a3mi_waitq_remove(&s->watch);
            again(s);
        }
    }
}

/* [socket] */
static void leave_line(struct a3mi_schedule *s)
{
    struct a3mi_list *line = line_of(s);
    bool first = a3mi_list_first(line) == &s->in_line;
    if (a3mi_list_linked(&s->in_line)) {
        a3mi_list_remove(&s->in_line);
    }
    if (first) {
        next_in_line(line);
    }
}

/* [socket] Behind others there is nothing to try. True: it waits there. */
static bool join_line(struct a3mi_schedule *s)
{
    struct a3mi_list *line = line_of(s);
    if (s->socket->closed || a3mi_list_linked(&s->in_line) || a3mi_list_empty(line)) {
        return false;
    }
    a3mi_list_push_back(line, &s->in_line);
    s->state = BLOCKED;
    return true;
}

/*
 * [socket] From before the attempt on: what happens during it is not missed. That something is possible at that moment
 * says nothing: there may be credit, and too little of it.
 */
static void watch(struct a3mi_schedule *s)
{
    struct a3mi_pollable *where = s->link != NULL ? &s->link->pollable : &s->socket->pollable;
    s->watch = (struct a3mi_waitq_entry){
        .ops = &watch_ops, .keys = A3MI_KEY_OUT | A3MI_KEY_WINDOW | A3MI_KEY_LINK | A3MI_KEY_STATE};
    a3mi_list_init(&s->watch.list);
    s->heard = false;
    a3mi_pollable_enqueue(where, &s->watch);
}

/* ---- Its time has come ------------------------------------------------------------------ */

/* After a turn, no lock held. */
static void report_dropped(struct a3mi_schedule *s, int why)
{
    struct a3mi_node *node = s->socket->node;
    char text[A3M_NAME_MAX + 128];
    atomic_fetch_add_explicit(&node->scheduled_dropped, 1, memory_order_relaxed);
    if (node->config.report != NULL) {
        snprintf(text, sizeof(text), "a scheduled message of the socket '%s' was dropped: %s",
                 s->socket->tag.s, a3m_strerror(why));
        node->config.report(node->config.report_arg, why, text);
    }
}

static int try_send(struct a3mi_schedule *s)
{
    struct a3mi_socket *socket = s->socket;
    return s->link != NULL ? a3m_base_send_to(socket, (a3m_link){s->link->handle}, s->msg, A3M_NOW)
                           : socket->type->send(socket, socket->state, s->msg, A3M_NOW);
}

/* [socket] */
static bool link_is_over(const struct a3mi_schedule *s)
{
    const struct a3mi_link *link = s->link;
    while (link != NULL && link->alias != NULL) {
        link = link->alias;
    }
    return link != NULL && link->ended;
}

/* [socket] */
static bool may_succeed_later(const struct a3mi_schedule *s, int result)
{
    if (s->socket->closed) {
        return false;
    }
    switch (result) {
    case A3M_ENOLINK: return !link_is_over(s); /* one that is not up may come up */
    case A3M_EAGAIN:
    case A3M_ENOCREDIT:
    case A3M_ENOWINDOW:
    case A3M_ETIMEDOUT: return true; /* each is how a try form may say that it would have waited */
    default: return false;
    }
}

/* [socket] After an attempt that failed; `anywhere`: any link would have done, or there is but one. */
static void wait_further(struct a3mi_schedule *s, bool anywhere)
{
    if (!anywhere) {
        leave_line(s);
    } else if (!a3mi_list_linked(&s->in_line)) {
        a3mi_list_push_back(line_of(s), &s->in_line);
    }
    if (s->heard) {
        again(s);
    } else {
        s->state = BLOCKED;
    }
}

/* After a turn, on the reader thread, no lock held. */
static void attempt(struct a3mi_node *node, struct a3mi_after *after)
{
    struct a3mi_schedule *s = a3mi_container_of(after, struct a3mi_schedule, attempt);
    a3m_msg *rest = NULL;
    a3mi_socket_lock(s->socket);
    if (join_line(s)) {
        a3mi_socket_unlock(s->socket);
        unref(s);
        return;
    }
    watch(s);
    bool closed = s->socket->closed;
    a3mi_socket_unlock(s->socket);
    (void)a3mi_send_any_failed();
    int result = closed ? A3M_ECLOSED : try_send(s);
    bool anywhere = s->link != NULL || a3mi_send_any_failed();
    a3mi_socket_lock(s->socket);
    bool over = !may_succeed_later(s, result);
    if (over) {
        a3mi_waitq_remove(&s->watch);
        rest = result == A3M_OK ? NULL : s->msg;
        if (rest != NULL) {
            a3mi_receipt_drop(s->socket, rest, result);
        }
        s->msg = NULL;
        s->state = OVER;
        command(s);
        leave_line(s);
    } else {
        wait_further(s, anywhere);
    }
    a3mi_socket_unlock(s->socket);
    a3mi_node_carry(node); /* before the handle ends: a node that closes waits for that, and stops then */
    if (over) {
        a3m_msg_free(rest);
        if (result != A3M_OK) {
            report_dropped(s, result);
        }
        a3mi_registry_retire(s->handle, handle_last);
    }
    unref(s);
}

/* [engine] The event, on the reader thread. */
static void on_due(struct a3mi_event *event, int64_t now)
{
    struct a3mi_schedule *s = a3mi_container_of(event, struct a3mi_schedule, due);
    struct a3mi_turn *turn = s->socket->node->turn;
    (void)now;
    a3mi_socket_lock(s->socket);
    bool go = s->state == WAITING;
    if (go) {
        s->state = TRYING;
    }
    a3mi_socket_unlock_turn(s->socket, turn);
    if (go) {
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
        s->attempt.run = attempt;
        a3mi_turn_add_after(turn, &s->attempt);
    }
}

void a3mi_schedule_on_command(struct a3mi_outbox_node *entry, int64_t now)
{
    struct a3mi_schedule *s = a3mi_container_of(entry, struct a3mi_schedule, command);
    struct a3mi_node *node = s->socket->node;
    (void)now;
    a3mi_socket_lock(s->socket);
    s->commanded = false;
    enum state state = s->state;
    int64_t at = s->at;
    a3mi_socket_unlock_turn(s->socket, node->turn);
    if (!a3mi_list_linked(&s->all) && state != OVER) {
        a3mi_list_push_back(&node->schedules, &s->all);
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    }
    if (state == WAITING) {
        a3mi_event_set(node, &s->due, at);
    } else if (state == OVER && a3mi_list_linked(&s->all)) {
        a3mi_event_cancel(node, &s->due);
        a3mi_list_remove(&s->all);
        unref(s);
    }
    unref(s);
}

uint64_t a3mi_schedules_drop(struct a3mi_node *node)
{
    uint64_t dropped = 0;
    struct a3mi_list *it;
    while ((it = a3mi_list_pop_front(&node->schedules)) != NULL) {
        struct a3mi_schedule *s = a3mi_container_of(it, struct a3mi_schedule, all);
        a3mi_event_cancel(node, &s->due);
        a3mi_socket_lock(s->socket);
        bool ours = s->state != OVER && s->state != TRYING; /* one that is being tried ends by itself */
        if (ours) {
            a3mi_waitq_remove(&s->watch);
            a3mi_list_remove(&s->in_line);
            s->state = OVER;
            a3mi_receipt_drop(s->socket, s->msg, A3M_ECLOSED);
            a3m_msg_free(s->msg);
            s->msg = NULL;
            dropped++;
        }
        a3mi_socket_unlock_turn(s->socket, node->turn);
        if (ours) {
            a3mi_registry_retire(s->handle, handle_last);
        }
        unref(s);
    }
    atomic_fetch_add_explicit(&node->scheduled_dropped, dropped, memory_order_relaxed);
    return dropped;
}

/* ---- The public calls --------------------------------------------------------------------- */

static struct a3mi_schedule *new_schedule(struct a3mi_socket *socket, struct a3mi_link *link, a3m_time at)
{
    struct a3mi_schedule *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    s->handle = a3mi_registry_add(s, A3MI_KIND_SCHEDULED);
    if (s->handle == 0) {
        free(s);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    a3mi_node_handle_made(socket->node);
    a3mi_socket_ref(socket);
    s->socket = socket;
    s->link = link;
    if (link != NULL) {
        a3mi_link_ref(link);
    }
    s->at = at.ns;
    s->due.fire = on_due;
    a3mi_list_init(&s->all);
    a3mi_list_init(&s->watch.list);
    a3mi_list_init(&s->in_line);
    return s;
}

static int schedule(struct a3mi_socket *socket, struct a3mi_link *link, a3m_msg *msg, a3m_time at,
                    a3m_scheduled *out)
{
    if (msg == NULL) {
        return a3mi_fail(A3M_EINVAL, "no message");
    }
    struct a3mi_schedule *s = new_schedule(socket, link, at);
    if (s == NULL) {
        return a3mi_fail(A3M_ENOMEM, "no memory to schedule a message");
    }
    if (out != NULL) {
        out->v = s->handle;
    }
    a3mi_socket_lock(socket);
    bool closed = socket->closed;
    if (!closed) {
        s->msg = msg;
        command(s);
    }
    a3mi_socket_unlock(socket);
    if (closed) {
        a3mi_registry_retire(s->handle, handle_last);
        return a3mi_fail(A3M_ECLOSED, "the socket '%s' is closed", socket->tag.s);
    }
    a3mi_node_carry(socket->node);
    return A3M_OK;
}

int a3m_send_at(a3m_socket handle, a3m_msg *msg, a3m_time at, a3m_scheduled *out)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    result = socket->type->send != NULL
                 ? schedule(socket, NULL, msg, at, out)
                 : a3mi_fail(A3M_ENOTSUP, "a %s socket does not send", socket->type->name);
    a3mi_socket_leave(socket);
    return result;
}

int a3m_link_send_at(a3m_link handle, a3m_msg *msg, a3m_time at, a3m_scheduled *out)
{
    void *obj;
    int result = a3mi_registry_get(handle.v, A3MI_KIND_LINK, &obj);
    if (result != A3M_OK) {
        return result;
    }
    struct a3mi_link *link = obj;
    struct a3mi_socket *socket = link->socket;
    result = (socket->type->direct & A3M_DIRECT_SEND) != 0
                 ? schedule(socket, link, msg, at, out)
                 : a3mi_fail(A3M_ENOTSUP, "links of a %s socket are not sent to directly",
                             socket->type->name);
    a3mi_registry_put(handle.v);
    return result;
}

int a3m_scheduled_cancel(a3m_scheduled handle, a3m_msg **msg)
{
    void *obj;
    int result = a3mi_registry_get(handle.v, A3MI_KIND_SCHEDULED, &obj);
    if (result != A3M_OK) {
        return result;
    }
    struct a3mi_schedule *s = obj;
    struct a3mi_node *node = s->socket->node;
    a3mi_socket_lock(s->socket);
    bool ours = s->state == WAITING || s->state == BLOCKED;
    if (ours) {
        a3mi_waitq_remove(&s->watch);
        s->state = OVER;
        *msg = s->msg;
        s->msg = NULL;
        command(s);
        leave_line(s);
    }
    a3mi_socket_unlock(s->socket);
    if (ours) {
        a3mi_registry_retire(s->handle, handle_last);
        a3mi_node_carry(node);
    }
    a3mi_registry_put(handle.v);
    return ours ? A3M_OK : a3mi_fail(A3M_ESTATE, "the message is being sent");
}
