/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every call that blocks, in one form: on a scene of two nodes. What it gets it frees.
 */
#ifndef A3M_TEST_BLOCKING_CALLS_H
#define A3M_TEST_BLOCKING_CALLS_H

#include <a3m/a3m.h>
#include <a3m/socket_event.h>

#include "node_fixture.h"

/* The socket of the calls, with two links to sockets of another node; what it sends there nobody takes. */
struct scene {
    a3m_node node, peer;
    a3m_socket socket, peers[2];
    a3m_link links[2];
    a3m_request request; /* AWAITS: sent, and not answered */
    a3m_msg *asked;      /* REPLIES: received by links[0], and not answered */
    a3m_time deadline;
};

/* ---- The calls ----------------------------------------------------------------------------- */

static inline int give(a3m_msg *msg, int result)
{
    if (result < 0) {
        a3m_msg_free(msg);
    }
    return result;
}

static inline int got(a3m_msg *msg, int result)
{
    if (result >= 0) {
        a3m_msg_free(msg);
    }
    return result;
}

static inline int call_send(const struct scene *scene)
{
    a3m_msg *msg = a3m_msg_new(1);
    return give(msg, a3m_send_until(scene->socket, msg, scene->deadline));
}

static inline int call_send_many(const struct scene *scene)
{
    a3m_msg *msg = a3m_msg_new(1);
    return give(msg, a3m_send_many(scene->socket, &msg, 1, scene->deadline));
}

static inline int call_send_bytes(const struct scene *scene)
{
    return a3m_send_bytes(scene->socket, "x", 1, scene->deadline);
}

static inline int call_send_or_none(const struct scene *scene)
{
    a3m_msg *msg = a3m_msg_new(1);
    return give(msg, a3m_send_or_none(scene->socket, msg, scene->deadline));
}

static inline int call_link_send(const struct scene *scene)
{
    a3m_msg *msg = a3m_msg_new(1);
    return give(msg, a3m_link_send(scene->links[0], msg, scene->deadline));
}

static inline int call_reserve(const struct scene *scene)
{
    a3m_credit credit;
    return a3m_socket_reserve(scene->socket, 1, &credit, NULL, scene->deadline);
}

static inline int call_reserve_or_none(const struct scene *scene)
{
    a3m_credit credit;
    return a3m_socket_reserve_or_none(scene->socket, 1, &credit, NULL, scene->deadline);
}

static inline int call_link_reserve(const struct scene *scene)
{
    a3m_credit credit;
    return a3m_link_reserve(scene->links[0], 1, &credit, scene->deadline);
}

static inline int call_recv(const struct scene *scene)
{
    a3m_msg *msg = NULL;
    int result = a3m_recv_until(scene->socket, &msg, scene->deadline);
    return got(msg, result);
}

static inline int call_recv_many(const struct scene *scene)
{
    a3m_msg *msg = NULL;
    int result = a3m_recv_many(scene->socket, &msg, 1, scene->deadline);
    return got(msg, result);
}

static inline int call_recv_or_none(const struct scene *scene)
{
    a3m_msg *msg = NULL;
    int result = a3m_recv_or_none(scene->socket, &msg, scene->deadline);
    return got(msg, result);
}

static inline int call_link_recv(const struct scene *scene)
{
    a3m_msg *msg = NULL;
    int result = a3m_link_recv(scene->links[0], &msg, scene->deadline);
    return got(msg, result);
}

static inline int call_wait_links(const struct scene *scene)
{
    return a3m_socket_wait_links(scene->socket, 3, scene->deadline);
}

static inline int call_wait_links_or_none(const struct scene *scene)
{
    return a3m_socket_wait_links_or_none(scene->socket, 2, scene->deadline);
}

static inline int call_wait_link(const struct scene *scene)
{
    return a3m_socket_wait_link(scene->socket, NULL, scene->deadline);
}

static inline int call_wait_link_or_none(const struct scene *scene)
{
    return a3m_socket_wait_link_or_none(scene->socket, NULL, scene->deadline);
}

static inline int call_link_wait(const struct scene *scene)
{
    return a3m_link_wait(scene->links[0], scene->deadline);
}

static inline int call_request(const struct scene *scene)
{
    a3m_msg *reply;
    bool sent;
    a3m_msg *msg = a3m_msg_new(1);
    int result = a3m_request_reply(scene->socket, msg, &reply, scene->deadline, &sent);
    if (!sent) {
        a3m_msg_free(msg);
    }
    return result;
}

static inline int call_request_send(const struct scene *scene)
{
    a3m_request request;
    a3m_msg *msg = a3m_msg_new(1);
    return give(msg, a3m_request_send(scene->socket, msg, &request, scene->deadline));
}

static inline int call_reply(const struct scene *scene)
{
    a3m_msg *request = scene->asked != NULL ? scene->asked : a3m_msg_new(1);
    a3m_msg *msg = a3m_msg_new(1);
    int result = give(msg, a3m_reply(scene->socket, request, msg, scene->deadline));
    if (request != scene->asked) {
        a3m_msg_free(request);
    }
    return result;
}

/* What is reported is that it is over. */
enum { HUNG_UP = 2 };

static inline int polled(int n, uint32_t events)
{
    return n == 0 ? A3M_ETIMEDOUT : n == 1 && (events & A3M_POLL_HUP) != 0 ? HUNG_UP : n;
}

static inline int poll_one(a3m_pollable what, a3m_time deadline)
{
    a3m_poll_item item = {.what = what, .events = A3M_POLL_IN};
    int n = a3m_poll(&item, 1, deadline);
    return polled(n, item.revents);
}

static inline int call_poll(const struct scene *scene)
{
    return poll_one(a3m_pollable_socket(scene->socket), scene->deadline);
}

static inline int call_poll_link(const struct scene *scene)
{
    return poll_one(a3m_pollable_link(scene->links[0]), scene->deadline);
}

static inline int wait_in_poller(a3m_pollable what, a3m_time deadline)
{
    a3m_poller poller;
    a3m_poll_event event = {.events = 0};
    int result = a3m_poller_new(&poller, 0);
    if (result == A3M_OK) {
        result = a3m_poller_add(poller, what, A3M_POLL_IN, NULL);
        if (result == A3M_OK) {
            result = a3m_poller_wait(poller, &event, 1, deadline);
            result = polled(result, event.events);
        }
        (void)a3m_poller_close(poller);
    }
    return result;
}

static inline int call_poller_wait(const struct scene *scene)
{
    return wait_in_poller(a3m_pollable_socket(scene->socket), scene->deadline);
}

static inline int call_poller_wait_link(const struct scene *scene)
{
    return wait_in_poller(a3m_pollable_link(scene->links[0]), scene->deadline);
}

static inline int call_next_event(const struct scene *scene)
{
    a3m_socket_event event = {.size = sizeof(event)};
    return a3m_socket_next_event(scene->socket, &event, scene->deadline);
}

static inline int call_drain(const struct scene *scene)
{
    return a3m_socket_drain(scene->socket, scene->deadline);
}

static inline int call_request_wait(const struct scene *scene)
{
    a3m_msg *reply = NULL;
    int result = a3m_request_wait(scene->socket, scene->request, &reply, scene->deadline);
    return got(reply, result);
}

static inline int call_node_close(const struct scene *scene)
{
    return a3m_node_close(scene->node, scene->deadline, NULL);
}

#endif
