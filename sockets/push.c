/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PUSH: each message goes to one PULL peer, those with credit in turn. Waits
 * while there is none. Written on the public headers alone.
 */
#include <a3m/socket_type.h>

static const char *const peers[] = {"PULL", NULL};

static int push_send(a3m_base *base, void *state, a3m_msg *msg, a3m_time deadline)
{
    (void)state;
    return a3m_base_send(base, msg, deadline);
}

static int push_send_or_none(a3m_base *base, void *state, a3m_msg *msg, a3m_time deadline)
{
    (void)state;
    return a3m_base_send_any(base, msg, NULL, true, deadline);
}

static int push_send_many(a3m_base *base, void *state, a3m_msg *const *msgs, size_t n, a3m_time deadline)
{
    (void)state;
    return a3m_base_send_many(base, msgs, n, deadline);
}

const a3m_socket_type a3m_push = {
    .size = sizeof(a3m_push),
    .name = "PUSH",
    .peers = peers,
    .send = push_send,
    .send_or_none = push_send_or_none,
    .direct = A3M_DIRECT_SEND,
    .send_many = push_send_many,
};
