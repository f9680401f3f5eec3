/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events of a socket that were not read yet: a ring of A3M_OPT_EVENTS of them,
 * allocated when that is set, so that recording neither allocates nor fails. What
 * made room for later ones is counted in the oldest that is left. Embedded in the
 * socket, whose lock covers it.
 */
#ifndef A3MI_EVENT_LOG_H
#define A3MI_EVENT_LOG_H

#include <a3m/receipt.h>
#include <a3m/socket_event.h>

#include "runtime/pollable.h"

struct a3m_base;
struct a3mi_link;

struct a3mi_event_log {
    a3m_socket_event *ring; /* NULL: nobody asked */
    size_t bound, first, count;
    struct a3mi_pollable pollable; /* who waits for an event */
};

/* [socket] Keeps up to `bound` from now on, the newest of those that are there; 0: none. A3M_ENOMEM, changing nothing. */
int a3mi_event_log_resize(struct a3mi_event_log *log, size_t bound, struct a3mi_wakes *wakes);
void a3mi_event_log_fini(struct a3mi_event_log *log);

/* [socket] Something happened to a link, if anybody wants to know. `text` may be NULL. */
void a3mi_event_log_add(struct a3mi_link *link, a3m_event_kind kind, int reason, const char *text);
/* [socket] What became of a message. `link` NULL: it was sent on none. */
void a3mi_event_log_add_receipt(struct a3m_base *socket, const struct a3mi_link *link,
                                const struct a3m_receipt *receipt);
/* [socket] None of the socket's links is up or coming up any more. */
void a3mi_event_log_no_links(struct a3m_base *socket);

#endif
