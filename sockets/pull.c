/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PULL: receives from all its PUSH peers, in turn, each peer's messages in its
 * order. Written on the public headers alone.
 */
#include <a3m/socket_type.h>

static const char *const peers[] = {"PUSH", NULL};

static int pull_recv(a3m_base *base, void *state, a3m_msg **msg, a3m_time deadline)
{
    (void)state;
    return a3m_base_recv(base, msg, deadline);
}

static int pull_recv_or_none(a3m_base *base, void *state, a3m_msg **msg, a3m_time deadline)
{
    (void)state;
    return a3m_base_recv_any(base, msg, true, deadline);
}

static int pull_recv_many(a3m_base *base, void *state, a3m_msg **msgs, size_t max, a3m_time deadline)
{
    (void)state;
    return a3m_base_recv_many(base, msgs, max, deadline);
}

const a3m_socket_type a3m_pull = {
    .size = sizeof(a3m_pull),
    .name = "PULL",
    .peers = peers,
    .recv = pull_recv,
    .recv_or_none = pull_recv_or_none,
    .direct = A3M_DIRECT_RECV,
    .recv_many = pull_recv_many,
};
