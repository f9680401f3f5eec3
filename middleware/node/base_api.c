/* SPDX-License-Identifier: Apache-2.0 */
/* What authors of socket types see of a socket's base; sending and receiving are in send.c and recv.c. */
#include "node/node.h"

#include "base/error.h"

int a3m_base_enter(a3m_socket handle, const a3m_socket_type *type, a3m_base **base, void **state)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    if (socket->type != type) {
        result = a3mi_fail(A3M_ENOTSUP, "a %s socket cannot do this, a %s socket can", socket->type->name,
                           type->name);
        a3mi_socket_leave(socket);
        return result;
    }
    *base = socket;
    *state = socket->state;
    return A3M_OK;
}

void a3m_base_leave(a3m_base *base)
{
    a3mi_socket_leave(base);
}

a3m_socket a3m_base_socket(const a3m_base *base)
{
    return (a3m_socket){base->handle};
}

void a3m_base_lock(a3m_base *base)
{
    a3mi_socket_lock(base);
}

void a3m_base_unlock(a3m_base *base)
{
    bool carry = base->credit_pushed;
    base->credit_pushed = false;
    a3mi_socket_unlock(base);
    if (carry) {
        a3mi_node_carry(base->node);
    }
}

/* A condition is a wait queue whose list is made at its first use, so that zeroed memory is one. */
static struct a3mi_waitq *queue_of(a3m_cond *cond)
{
    struct a3mi_waitq *queue = (struct a3mi_waitq *)(void *)cond;
    _Static_assert(sizeof(*cond) == sizeof(*queue), "a condition is a wait queue");
    if (queue->entries.next == NULL) {
        a3mi_waitq_init(queue);
    }
    return queue;
}

int a3m_base_wait(a3m_base *base, a3m_cond *cond, a3m_time deadline)
{
    struct a3mi_wait_for what = {queue_of(cond), A3MI_KEY_ANY, true};
    return a3mi_socket_wait(base, &what, deadline, NULL);
}

void a3m_base_wake(a3m_base *base, a3m_cond *cond, unsigned n)
{
    a3mi_waitq_wake(queue_of(cond), A3MI_KEY_ANY, n, &base->wakes);
}

uint32_t a3m_base_events(const a3m_base *base)
{
    return a3mi_socket_base_events(base);
}

int a3m_base_wait_events(a3m_base *base, uint32_t events, a3m_time deadline)
{
    struct a3mi_wait_for what = {&base->pollable.queue, events & (A3MI_KEY_IN | A3MI_KEY_OUT), true};
    bool woken;
    int result = a3mi_socket_wait(base, &what, deadline, &woken);
    if (result != A3M_OK && woken) {
        a3mi_waitq_wake(what.queue, what.keys, 1, &base->wakes);
    }
    return result;
}

void a3m_base_raise(a3m_base *base, uint32_t events, unsigned n)
{
    a3mi_socket_wake(base, events & (A3MI_KEY_IN | A3MI_KEY_OUT | A3MI_KEY_ERR), n);
}

void a3m_base_lower(a3m_base *base, uint32_t events)
{
    a3mi_pollable_consume(&base->pollable, events, &base->wakes);
}

void a3m_base_taken(a3m_base *base, const a3m_msg *msg)
{
    void *obj;
    a3m_link handle = a3m_msg_link(msg);
    if (handle.v == 0 || a3mi_registry_get(handle.v, A3MI_KIND_LINK, &obj) != A3M_OK) {
        return; /* the link is over: there is no credit to return */
    }
    base->credit_pushed |= a3mi_flow_taken(obj, msg, true) !=
                           A3MI_CARRY_NOTHING; /* within a turn, the turn carries it */
    a3mi_registry_put(handle.v);
}
