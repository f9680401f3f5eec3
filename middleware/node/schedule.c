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
    struct a3mi_waitq_entry blocked;
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

static void ring(struct a3mi_parker *bell)
{
    a3mi_reader_signal(a3mi_container_of(bell, struct a3mi_node, schedule_bell)->reader);
}

void a3mi_schedule_bell_init(struct a3mi_node *node)
{
    a3mi_parker_init(&node->schedule_bell);
    node->schedule_bell.rung = ring;
}

/* [socket] */
static bool on_possible(struct a3mi_waitq_entry *entry, uint32_t keys, struct a3mi_wakes *wakes)
{
    struct a3mi_schedule *s = a3mi_container_of(entry, struct a3mi_schedule, blocked);
    (void)keys;
    a3mi_waitq_remove(entry);
    s->state = WAITING;
    s->at = 0;
    command(s);
    /* The node's bell: this message may be sent, or taken back, and gone before the wakes are carried out. */
    a3mi_wakes_add(wakes, &s->socket->node->schedule_bell);
    return true;
}

static const struct a3mi_waitq_ops blocked_ops = {.wake = on_possible};

/* [socket] Whether what it waits for came about since it was tried. Pollers are told of small messages: this one may be large. */
static bool is_possible(const struct a3mi_schedule *s, struct a3mi_link *link, struct a3mi_pollable *where)
{
    uint32_t events = where->ops->events(where);
    bool by_credit = link != NULL || s->socket->type->events == NULL;
    return (events & A3MI_KEY_HUP) != 0 ||
           ((events & A3MI_KEY_OUT) != 0 &&
            (!by_credit || a3mi_credit_decided(s->socket, link, s->msg->size)));
}

/* [socket] It could not be sent: waits until that may have changed. */
static void block(struct a3mi_schedule *s)
{
    struct a3mi_link *link = s->link != NULL && s->link->alias != NULL ? s->link->alias : s->link;
    struct a3mi_pollable *where = link != NULL ? &link->pollable : &s->socket->pollable;
    s->blocked = (struct a3mi_waitq_entry){.ops = &blocked_ops,
                                           .keys = A3MI_KEY_OUT | A3MI_KEY_WINDOW | A3MI_KEY_LINK};
    a3mi_list_init(&s->blocked.list);
    s->state = BLOCKED;
    a3mi_waitq_add(&where->queue, &s->blocked);
    if (is_possible(s, link, where)) {
        (void)on_possible(&s->blocked, 0, &s->socket->wakes); /* meanwhile */
    }
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
    a3mi_socket_lock(socket);
    bool closed = socket->closed;
    a3mi_socket_unlock(socket);
    if (closed) {
        return A3M_ECLOSED;
    }
    return s->link != NULL ? a3m_base_send_to(socket, (a3m_link){s->link->handle}, s->msg, A3M_NOW)
                           : socket->type->send(socket, socket->state, s->msg, A3M_NOW);
}

static bool may_succeed_later(const struct a3mi_schedule *s, int result)
{
    return result == A3M_EAGAIN || result == A3M_ENOCREDIT || result == A3M_ENOWINDOW ||
           (result == A3M_ENOLINK && s->link == NULL);
}

/* After a turn, on the reader thread, no lock held. */
static void attempt(struct a3mi_node *node, struct a3mi_after *after)
{
    struct a3mi_schedule *s = a3mi_container_of(after, struct a3mi_schedule, attempt);
    int result = try_send(s);
    a3m_msg *rest = NULL;
    a3mi_socket_lock(s->socket);
    if (may_succeed_later(s, result)) {
        block(s);
    } else {
        rest = result == A3M_OK ? NULL : s->msg;
        if (rest != NULL) {
            a3mi_receipt_drop(s->socket, rest, result);
        }
        s->msg = NULL;
        s->state = OVER;
        command(s);
    }
    bool over = s->state == OVER;
    a3mi_socket_unlock(s->socket);
    if (over) {
        a3m_msg_free(rest);
        if (result != A3M_OK) {
            report_dropped(s, result);
        }
        a3mi_registry_retire(s->handle, handle_last);
        a3mi_node_carry(node);
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
            a3mi_waitq_remove(&s->blocked);
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
    a3mi_list_init(&s->blocked.list);
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
        a3mi_waitq_remove(&s->blocked);
        s->state = OVER;
        *msg = s->msg;
        s->msg = NULL;
        command(s);
    }
    a3mi_socket_unlock(s->socket);
    if (ours) {
        a3mi_registry_retire(s->handle, handle_last);
        a3mi_node_carry(node);
    }
    a3mi_registry_put(handle.v);
    return ours ? A3M_OK : a3mi_fail(A3M_ESTATE, "the message is being sent");
}
