/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving: messages that arrived are queued per link; a receive takes one
 * from the link whose turn it is, and returns its credit. When nothing is
 * queued, the caller waits, and reads the network itself if nobody else does.
 */
#include "node/node.h"

#include "base/error.h"

/* [socket] The next message, or NULL. *carry: credit is in the outbox. */
static a3m_msg *take(struct a3mi_socket *socket, bool *carry)
{
    struct a3mi_list *first = a3mi_list_pop_front(&socket->readable);
    if (first == NULL) {
        return NULL;
    }
    struct a3mi_link *link = a3mi_container_of(first, struct a3mi_link, readable);
    a3m_msg *msg = a3mi_container_of(a3mi_fifo_pop(&link->inbox), a3m_msg, node);
    socket->inbox_count--;
    *carry |= a3mi_flow_taken(link, msg->identity, msg->size);
    if (!a3mi_fifo_empty(&link->inbox)) {
        a3mi_list_push_back(&socket->readable, &link->readable);
        a3mi_link_consumed(link, A3MI_KEY_IN);
    } else {
        a3mi_link_consumed(link, A3MI_KEY_IN);
        a3mi_link_unref(link); /* counted while it is readable */
    }
    return msg;
}

/* [socket] Waits until something may be there. */
static int wait_readable(struct a3mi_socket *socket, a3m_time deadline, bool *looked)
{
    bool try_form = deadline.ns == A3M_NOW.ns;
    if (try_form && *looked) {
        return a3mi_fail(A3M_EAGAIN, "no message");
    }
    bool woken;
    struct a3mi_wait_for what = {&socket->pollable.queue, A3MI_KEY_IN, true};
    int result = a3mi_socket_wait(socket, &what, deadline, &woken);
    *looked = true;
    if (result == A3M_ETIMEDOUT && socket->inbox_count > 0) {
        return A3M_OK;
    }
    if (result != A3M_OK && woken && socket->inbox_count > 0) {
        a3mi_socket_wake(socket, A3MI_KEY_IN, 1);
    }
    if (result == A3M_ETIMEDOUT) {
        return try_form ? A3M_OK : a3mi_fail(A3M_ETIMEDOUT, "the deadline passed, and no message came");
    }
    return result;
}

int a3m_base_recv_many(a3m_base *base, a3m_msg **msgs, size_t max, a3m_time deadline)
{
    struct a3mi_socket *socket = base;
    bool looked = false;
    bool carry = false;
    int result = A3M_OK;
    size_t n = 0;
    a3mi_socket_lock(socket);
    while (n == 0 && result == A3M_OK) {
        if (socket->closed) {
            result = a3mi_fail(A3M_ECLOSED, "the socket '%s' is closed", socket->tag.s);
            break;
        }
        while (n < max && (msgs[n] = take(socket, &carry)) != NULL) {
            n++;
        }
        if (n == 0) {
            result = max > 0 ? wait_readable(socket, deadline, &looked)
                             : a3mi_fail(A3M_EINVAL, "room for no message");
        }
    }
    a3mi_socket_unlock(socket);
    if (carry) {
        a3mi_node_carry(socket->node);
    }
    if ((n > 0 && !looked) || result == A3M_EAGAIN) {
        a3mi_reader_touch(socket->node->reader);
    }
    return n > 0 ? (int)n : result;
}

int a3m_base_recv(a3m_base *base, a3m_msg **msg, a3m_time deadline)
{
    int n = a3m_base_recv_many(base, msg, 1, deadline);
    return n > 0 ? A3M_OK : n;
}

/* ---- The public calls ------------------------------------------------------- */

int a3m_recv_until(a3m_socket handle, a3m_msg **msg, a3m_time deadline)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    result = socket->type->recv != NULL
                 ? socket->type->recv(socket, socket->state, msg, deadline)
                 : a3mi_fail(A3M_ENOTSUP, "a %s socket does not receive", socket->type->name);
    a3mi_socket_leave(socket);
    return result;
}

int a3m_recv(a3m_socket handle, a3m_msg **msg)
{
    return a3m_recv_until(handle, msg, A3M_FOREVER);
}

int a3m_try_recv(a3m_socket handle, a3m_msg **msg)
{
    return a3m_recv_until(handle, msg, A3M_NOW);
}

/* Many by the type's single form: waits for the first only. */
static int recv_each(struct a3mi_socket *socket, a3m_msg **msgs, size_t max, a3m_time deadline)
{
    int result = A3M_OK;
    size_t n = 0;
    while (n < max && result == A3M_OK) {
        result = socket->type->recv(socket, socket->state, &msgs[n], n == 0 ? deadline : A3M_NOW);
        n += result == A3M_OK;
    }
    return n > 0 ? (int)n : result;
}

int a3m_recv_many(a3m_socket handle, a3m_msg **msgs, size_t max, a3m_time deadline)
{
    struct a3mi_socket *socket;
    if (max > INT32_MAX) {
        max = INT32_MAX;
    }
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    if (socket->type->recv_many != NULL) {
        result = socket->type->recv_many(socket, socket->state, msgs, max, deadline);
    } else if (socket->type->recv != NULL) {
        result = recv_each(socket, msgs, max, deadline);
    } else {
        result = a3mi_fail(A3M_ENOTSUP, "a %s socket does not receive", socket->type->name);
    }
    a3mi_socket_leave(socket);
    return result;
}
