/* SPDX-License-Identifier: Apache-2.0 */
#include "node/event_log.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "node/node.h"

/* ---- The ring ---------------------------------------------------------------------- */

static a3m_socket_event *at(const struct a3mi_event_log *log, size_t i)
{
    return &log->ring[(log->first + i) % log->bound];
}

/* Takes the oldest out; returns how many are lost with it. */
static uint64_t lose_oldest(struct a3mi_event_log *log)
{
    uint64_t lost = at(log, 0)->lost + 1;
    log->first = (log->first + 1) % log->bound;
    log->count--;
    return lost;
}

int a3mi_event_log_resize(struct a3mi_event_log *log, size_t bound, struct a3mi_wakes *wakes)
{
    a3m_socket_event *ring = NULL;
    if (bound == log->bound) {
        return A3M_OK;
    }
    if (bound > 0 && (ring = calloc(bound, sizeof(*ring))) == NULL) {
        return a3mi_fail(A3M_ENOMEM, "no memory for %zu events", bound);
    }
    uint64_t lost = 0;
    while (log->count > bound) {
        lost += lose_oldest(log);
    }
    for (size_t i = 0; i < log->count; i++) {
        ring[i] = *at(log, i);
    }
    if (log->count > 0) {
        ring[0].lost += lost;
    }
    free(log->ring);
    log->ring = ring;
    log->bound = bound;
    log->first = 0;
    if (bound == 0) { /* calls that wait for one learn that none will come */
        (void)a3mi_waitq_wake(&log->pollable.queue, A3MI_KEY_STATE, SIZE_MAX, wakes);
        a3mi_pollable_lower(&log->pollable, wakes);
    }
    return A3M_OK;
}

void a3mi_event_log_fini(struct a3mi_event_log *log)
{
    free(log->ring);
}

/* ---- Recording ---------------------------------------------------------------------- */

/* The next one to be filled in. */
static a3m_socket_event *begin(struct a3mi_socket *socket, a3m_event_kind kind)
{
    struct a3mi_event_log *log = &socket->event_log;
    uint64_t lost = log->count == log->bound ? lose_oldest(log) : 0;
    a3m_socket_event *event = at(log, log->count++);
    *event = (a3m_socket_event){.size = sizeof(*event), .kind = kind, .when = a3m_now()};
    at(log, 0)->lost += lost;
    (void)a3mi_waitq_wake(&log->pollable.queue, A3MI_KEY_IN, 1, &socket->wakes);
    return event;
}

static void fill_in_peer(a3m_socket_event *event, const struct a3mi_link *link)
{
    event->link.v = link->handle;
    snprintf(event->peer_node, sizeof(event->peer_node), "%s", link->peer_node.s);
    snprintf(event->peer_tag, sizeof(event->peer_tag), "%s", link->peer_tag.s);
}

void a3mi_event_log_add(struct a3mi_link *link, a3m_event_kind kind, int reason, const char *text)
{
    struct a3mi_socket *socket = link->socket;
    if (socket->event_log.bound == 0) {
        return;
    }
    a3m_socket_event *event = begin(socket, kind);
    event->reason = reason;
    fill_in_peer(event, link);
    event->attempts = link->attempts;
    event->next_attempt.ns = kind == A3M_EVENT_RETRYING ? link->next_attempt : 0;
    event->final = kind == A3M_EVENT_REFUSED && reason != A3M_ENOTREADY;
    snprintf(event->text, sizeof(event->text), "%s", text != NULL ? text : "");
}

void a3mi_event_log_add_receipt(struct a3mi_socket *socket, const struct a3mi_link *link,
                                const a3m_receipt *receipt)
{
    if (socket->event_log.bound == 0) {
        return;
    }
    a3m_socket_event *event = begin(socket, A3M_EVENT_RECEIPT);
    event->receipt = *receipt;
    event->reason = receipt->reason;
    event->when = receipt->when;
    if (link != NULL) {
        fill_in_peer(event, link);
    }
}

void a3mi_event_log_no_links(struct a3mi_socket *socket)
{
    if (socket->event_log.bound > 0) {
        (void)begin(socket, A3M_EVENT_NO_LINKS);
    }
}

/* ---- Reading -------------------------------------------------------------------------- */

/* [socket] Waits until an event is there. */
static int wait_event(struct a3mi_socket *socket, a3m_time deadline)
{
    const struct a3mi_event_log *log = &socket->event_log;
    struct a3mi_wait_for what = {&socket->event_log.pollable.queue, A3MI_KEY_IN | A3MI_KEY_STATE, true};
    int result = A3M_OK;
    for (;;) {
        if (socket->closed) {
            return a3mi_fail(A3M_ECLOSED, "the socket '%s' is closed", socket->tag.s);
        }
        if (log->count > 0) {
            return A3M_OK;
        }
        if (log->bound == 0) {
            return a3mi_fail(A3M_ESTATE, "the option events of this socket is 0");
        }
        if (deadline.ns <= 0) {
            return a3mi_fail(A3M_EAGAIN, "no event");
        }
        if (result != A3M_OK) {
            return result == A3M_ETIMEDOUT ? a3mi_fail(result, "the deadline passed, and no event came")
                                           : result;
        }
        result = a3mi_socket_wait(socket, &what, deadline, NULL);
    }
}

int a3m_socket_next_event(a3m_socket handle, a3m_socket_event *event, a3m_time deadline)
{
    struct a3mi_socket *socket;
    if (event == NULL || event->size != sizeof(*event)) {
        return a3mi_fail(A3M_EINVAL, "a3m_socket_event.size is not set to sizeof(a3m_socket_event)");
    }
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    struct a3mi_event_log *log = &socket->event_log;
    a3mi_socket_lock(socket);
    result = wait_event(socket, deadline);
    if (result == A3M_OK) {
        *event = *at(log, 0);
        (void)lose_oldest(log);
        a3mi_pollable_consume(&log->pollable, A3MI_KEY_IN, &socket->wakes);
    }
    a3mi_socket_unlock(socket);
    if (result == A3M_EAGAIN) {
        a3mi_reader_touch(socket->node->reader);
    }
    a3mi_socket_leave(socket);
    return result;
}
