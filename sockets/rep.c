/* SPDX-License-Identifier: Apache-2.0 */
/*
 * REP: receives requests from all its REQ peers, in turn, and answers each by
 * the link it came from. Requests may be answered in any order, by any thread:
 * what ties a reply to its request is the request's correlation number, not a
 * state of the socket. Written on the public headers alone.
 */
#include <a3m/socket_type.h>

static const char *const peers[] = {"REQ", NULL};

static a3m_arrival rep_arrived(a3m_base *base, void *state, a3m_msg *msg)
{
    uint64_t number;
    (void)base;
    (void)state;
    return a3m_msg_correlation(msg, &number) ? A3M_ARRIVAL_QUEUE : A3M_ARRIVAL_DROP;
}

static int rep_recv(a3m_base *base, void *state, a3m_msg **msg, a3m_time deadline)
{
    (void)state;
    return a3m_base_recv(base, msg, deadline);
}

static int rep_recv_or_none(a3m_base *base, void *state, a3m_msg **msg, a3m_time deadline)
{
    (void)state;
    return a3m_base_recv_any(base, msg, true, deadline);
}

static int rep_recv_many(a3m_base *base, void *state, a3m_msg **msgs, size_t max, a3m_time deadline)
{
    (void)state;
    return a3m_base_recv_many(base, msgs, max, deadline);
}

const a3m_socket_type a3m_rep = {
    .size = sizeof(a3m_rep),
    .name = "REP",
    .peers = peers,
    .arrived = rep_arrived,
    .recv = rep_recv,
    .recv_or_none = rep_recv_or_none,
    .direct = A3M_DIRECT_RECV,
    .recv_many = rep_recv_many,
    .unordered = true,
};

int a3m_reply(a3m_socket socket, a3m_msg *request, a3m_msg *reply, a3m_time deadline)
{
    a3m_base *base;
    void *state;
    uint64_t number;
    if (request == NULL || reply == NULL) {
        return A3M_EINVAL;
    }
    int result = a3m_base_enter(socket, &a3m_rep, &base, &state);
    if (result != A3M_OK) {
        return result;
    }
    if (!a3m_msg_correlation(request, &number) || a3m_msg_link(request).v == 0) {
        a3m_base_leave(base);
        return A3M_ESTATE;
    }
    a3m_msg_set_correlation(reply, number);
    result = a3m_base_send_to(base, a3m_msg_link(request), reply, deadline);
    if (result == A3M_OK) {
        a3m_msg_clear_correlation(request);
    } else {
        a3m_msg_clear_correlation(reply);
    }
    if (result == A3M_EINVAL) {
        result = A3M_ESTATE; /* a link of another socket: the request was received there */
    }
    a3m_base_leave(base);
    return result;
}
