/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets and links as pollables. A socket is readable while a receive would
 * return at once, writable while a small message would be sent at once: some link
 * has credit and the outbox room, and in the fair order nobody stands before who
 * comes; a link likewise, for itself. A type that keeps what arrived for it says by its
 * own hook what is possible.
 */
#include "node/credit.h"
#include "node/node.h"

/* ---- Sockets --------------------------------------------------------------------- */

static struct a3mi_socket *socket_of(struct a3mi_pollable *pollable)
{
    return a3mi_container_of(pollable, struct a3m_base, pollable);
}

static void socket_lock(struct a3mi_pollable *pollable)
{
    a3mi_socket_lock(socket_of(pollable));
}

static void socket_unlock(struct a3mi_pollable *pollable)
{
    a3mi_socket_unlock(socket_of(pollable));
}

uint32_t a3mi_socket_base_events(const struct a3mi_socket *socket)
{
    uint32_t events = 0;
    if (socket->inbox_count > 0) {
        events |= A3MI_KEY_IN;
    }
    if (a3mi_credit_open_any(socket) && a3mi_window_open(socket)) {
        events |= A3MI_KEY_OUT;
    }
    return events;
}

static uint32_t socket_events(struct a3mi_pollable *pollable)
{
    struct a3mi_socket *socket = socket_of(pollable);
    const a3m_socket_type *type = socket->type;
    if (socket->closed) {
        return A3MI_KEY_HUP;
    }
    uint32_t events = type->events != NULL ? type->events(socket, socket->state) & A3MI_KEY_EVENTS
                                           : a3mi_socket_base_events(socket);
    /* What it never has, it never shows. */
    events &= type->recv != NULL ? UINT32_MAX : ~(uint32_t)A3MI_KEY_IN;
    events &= type->send != NULL ? UINT32_MAX : ~(uint32_t)A3MI_KEY_OUT;
    return events;
}

static void socket_ref(struct a3mi_pollable *pollable)
{
    a3mi_socket_ref(socket_of(pollable));
}

static void socket_unref(struct a3mi_pollable *pollable)
{
    a3mi_socket_unref(socket_of(pollable));
}

static const struct a3mi_pollable_ops socket_ops = {socket_lock, socket_unlock, socket_events, socket_ref,
                                                    socket_unref};

/* ---- Events of sockets ------------------------------------------------------------- */

static struct a3mi_socket *logging(struct a3mi_pollable *pollable)
{
    return a3mi_container_of(pollable, struct a3m_base, event_log.pollable);
}

static void log_lock(struct a3mi_pollable *pollable)
{
    a3mi_socket_lock(logging(pollable));
}

static void log_unlock(struct a3mi_pollable *pollable)
{
    a3mi_socket_unlock(logging(pollable));
}

static uint32_t log_events(struct a3mi_pollable *pollable)
{
    const struct a3mi_socket *socket = logging(pollable);
    return socket->closed ? A3MI_KEY_HUP : socket->event_log.count > 0 ? A3MI_KEY_IN : 0;
}

static void log_ref(struct a3mi_pollable *pollable)
{
    a3mi_socket_ref(logging(pollable));
}

static void log_unref(struct a3mi_pollable *pollable)
{
    a3mi_socket_unref(logging(pollable));
}

static const struct a3mi_pollable_ops log_ops = {log_lock, log_unlock, log_events, log_ref, log_unref};

void a3mi_socket_pollable_init(struct a3mi_socket *socket)
{
    a3mi_pollable_init(&socket->pollable, &socket_ops, socket->node->handle);
    a3mi_pollable_init(&socket->event_log.pollable, &log_ops, socket->node->handle);
}

/* ---- Links ------------------------------------------------------------------------ */

/* A link that turned out to be another stands for that one; both are of one socket, and under its lock. */
static struct a3mi_link *link_of(struct a3mi_pollable *pollable)
{
    return a3mi_container_of(pollable, struct a3mi_link, pollable);
}

static void link_lock(struct a3mi_pollable *pollable)
{
    a3mi_socket_lock(link_of(pollable)->socket);
}

static void link_unlock(struct a3mi_pollable *pollable)
{
    a3mi_socket_unlock(link_of(pollable)->socket);
}

static uint32_t link_events(struct a3mi_pollable *pollable)
{
    struct a3mi_link *link = link_of(pollable);
    uint32_t events = 0;
    while (link->alias != NULL) {
        link = link->alias;
    }
    if (!a3mi_fifo_empty(&link->inbox)) {
        events |= A3MI_KEY_IN;
    }
    if (a3mi_credit_open(link) && a3mi_window_open(link->socket)) {
        events |= A3MI_KEY_OUT;
    }
    if (link->ended) {
        bool orderly = link->reason == A3M_OK || link->reason == A3M_ECANCELED || link->reason == A3M_ECLOSED;
        events |= orderly ? A3MI_KEY_HUP : A3MI_KEY_HUP | A3MI_KEY_ERR;
    }
    return events;
}

static void link_ref(struct a3mi_pollable *pollable)
{
    a3mi_link_ref(link_of(pollable));
}

static void link_unref(struct a3mi_pollable *pollable)
{
    a3mi_link_unref(link_of(pollable));
}

static const struct a3mi_pollable_ops link_ops = {link_lock, link_unlock, link_events, link_ref, link_unref};

void a3mi_link_pollable_init(struct a3mi_link *link)
{
    a3mi_pollable_init(&link->pollable, &link_ops, link->socket->node->handle);
}

void a3mi_link_consumed(struct a3mi_link *link, uint32_t key)
{
    struct a3mi_socket *socket = link->socket;
    a3mi_pollable_consume(&socket->pollable, key, &socket->wakes);
    a3mi_pollable_consume(&link->pollable, key, &socket->wakes);
}

void a3mi_link_lowered(struct a3mi_link *link)
{
    struct a3mi_socket *socket = link->socket;
    a3mi_pollable_lower(&socket->pollable, &socket->wakes);
    a3mi_pollable_lower(&link->pollable, &socket->wakes);
}
