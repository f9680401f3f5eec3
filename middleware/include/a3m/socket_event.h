/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of a socket: what becomes of its links, and of messages whose sender asked (a3m/receipt.h), told
 * apart from messages and in a queue of their own. For applications that log, or act on, who comes and goes;
 * nobody else needs them, and they cost nothing until A3M_OPT_EVENTS asks for them.
 *
 * The queue is bounded: when it is full the oldest event makes room, and the next
 * one that is read says how many were lost before it. Any thread may read; each
 * event goes to one. a3m_pollable_events makes the queue pollable (a3m/poller.h):
 * A3M_POLL_IN while an event is there, A3M_POLL_HUP once the socket is closed.
 */
#ifndef A3M_SOCKET_EVENT_H
#define A3M_SOCKET_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/errors.h>
#include <a3m/handles.h>
#include <a3m/receipt.h>
#include <a3m/socket.h>
#include <a3m/time.h>
#include <a3m/version.h>

A3M_BEGIN_DECLS

typedef enum a3m_event_kind {
    A3M_EVENT_UP = 1,   /* the link is established */
    A3M_EVENT_REFUSED,  /* the peer refused, for `reason`; for good if `final` */
    A3M_EVENT_RETRYING, /* not up, for `reason`; asks again at `next_attempt` */
    A3M_EVENT_ENDED,    /* the link has ended, or is ending, for `reason` */
    A3M_EVENT_NO_LINKS, /* none of the socket's links is up or coming up any more; of no link */
    A3M_EVENT_RECEIPT,  /* what became of a message: `receipt` (a3m_msg_set_receipt) */
    A3M_EVENT_METADATA, /* the link is up, and the peer tells other metadata than before: a3m_link_metadata */
} a3m_event_kind;

typedef struct a3m_socket_event {
    size_t size; /* sizeof(a3m_socket_event), set by the caller */
    a3m_event_kind kind;
    int reason;    /* an error code; A3M_ESILENT also for an attempt that had no answer in its interval */
    bool final;    /* REFUSED: asking again would not help */
    a3m_link link; /* may be gone already; zero for NO_LINKS, and for a message that was sent on none */
    a3m_time when; /* it happened */
    a3m_time next_attempt;              /* RETRYING */
    uint32_t attempts;                  /* requests made so far since the link was up last */
    uint64_t lost;                      /* events just before this one that made room for later ones */
    char peer_node[A3M_LINK_NAME_SIZE]; /* "": not known yet */
    char peer_tag[A3M_LINK_NAME_SIZE];
    a3m_receipt receipt;           /* RECEIPT */
    char text[A3M_LINK_TEXT_SIZE]; /* REFUSED: what the peer has to say; may be empty */
} a3m_socket_event;

/*
 * The oldest event that was not read yet. Waits for one; with A3M_NOW: A3M_EAGAIN when there is none.
 * A3M_ESTATE: A3M_OPT_EVENTS is 0, or was set to it meanwhile. A3M_EINVAL (event->size), A3M_ETIMEDOUT, and what
 * all that block return (a3m/socket.h); A3M_ECLOSED with events unread.
 */
A3M_API int a3m_socket_next_event(a3m_socket socket, a3m_socket_event *event, a3m_time deadline);

A3M_END_DECLS

#endif
