/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting at a socket, and bundling. A waiter lives on the stack of the thread
 * that waits; whoever wakes it takes it off its queue first, with the socket's
 * lock held, and wakes the parker after the lock is let go.
 */
#include "node/node.h"

#include "base/error.h"

/* The node whose sends this thread bundles (a3m_send_many), and whether something was pushed. */
static _Thread_local struct a3mi_node *held_node;
static _Thread_local bool held_pushed;

size_t a3mi_socket_wake(struct a3mi_socket *socket, uint32_t keys, size_t n)
{
    return a3mi_waitq_wake(&socket->pollable.queue, keys, n, &socket->wakes);
}

size_t a3mi_link_wake(struct a3mi_link *link, uint32_t keys, size_t n)
{
    return a3mi_waitq_wake(&link->pollable.queue, keys, n, &link->socket->wakes);
}

static void hold_flush(void)
{
    if (held_node != NULL && held_pushed) {
        held_pushed = false;
        a3mi_reader_kick(held_node->reader);
    }
}

void a3mi_hold_begin(struct a3mi_node *node)
{
    hold_flush(); /* of an outer one: a type that sends many for each of many */
    held_node = node;
    held_pushed = false;
}

void a3mi_hold_end(struct a3mi_node *node)
{
    hold_flush();
    held_node = NULL;
    a3mi_reader_touch(node->reader);
}

struct a3mi_hold a3mi_hold_suspend(void)
{
    const struct a3mi_hold hold = {held_node, held_pushed};
    held_node = NULL;
    return hold;
}

void a3mi_hold_resume(struct a3mi_hold hold)
{
    held_node = hold.node;
    held_pushed = hold.pushed;
}

void a3mi_node_carry(struct a3mi_node *node)
{
    if (held_node == node) {
        held_pushed = true;
        return;
    }
    a3mi_reader_kick(node->reader);
    a3mi_reader_touch(node->reader); /* who only sends takes its acknowledgements itself */
}

void a3mi_node_carry_message(struct a3mi_node *node, size_t size)
{
    if (held_node == node) {
        held_pushed = true;
        return;
    }
    if (a3mi_reader_carry(node->reader, size)) {
        a3mi_reader_touch(node->reader);
    }
}

int a3mi_may_enter(void)
{
    return a3mi_reader_in_hook()
               ? a3mi_fail(A3M_EDEADLK, "a call that needs the node, in a hook that the node waits for")
               : A3M_OK;
}

int a3mi_socket_may_wait(struct a3mi_socket *socket, a3m_time deadline)
{
    if (socket->closed) {
        return a3mi_fail(A3M_ECLOSED, "the socket '%s' is closed", socket->tag.s);
    }
    if (a3mi_reader_on_thread(socket->node->reader)) {
        if (deadline.ns == A3M_NOW.ns) {
            return A3M_ETIMEDOUT;
        }
        return a3mi_fail(A3M_EDEADLK,
                         "a call that blocks, on the reader thread or in a hook that it would wait for");
    }
    return A3M_OK;
}

int a3mi_socket_park(struct a3mi_socket *socket, struct a3mi_waiter *waiter, a3m_time deadline)
{
    struct a3mi_node *node = socket->node;
    bool eintr = a3mi_socket_option(socket, A3M_OPT_EINTR) != 0;
    bool carry = socket->credit_pushed;
    socket->credit_pushed = false;
    a3mi_socket_unlock(socket);
    if (carry) {
        a3mi_node_carry(node);
    }
    hold_flush();
    int result = a3mi_reader_wait(node->reader, &waiter->parker, deadline.ns, eintr);
    a3mi_socket_lock(socket);
    if (!waiter->woken) {
        a3mi_waitq_remove(&waiter->entry);
        a3mi_parker_fini(&waiter->parker);
        return result;
    }
    /*
     * A wake was collected for us. It may not have been carried out yet (we
     * timed out meanwhile), by a thread that may want this lock first.
     */
    a3mi_socket_unlock(socket);
    a3mi_parker_fini(&waiter->parker);
    a3mi_socket_lock(socket);
    return result;
}

int a3mi_socket_wait(struct a3mi_socket *socket, const struct a3mi_wait_for *what, a3m_time deadline,
                     bool *woken)
{
    struct a3mi_waiter waiter;
    if (woken != NULL) {
        *woken = false;
    }
    int result = a3mi_socket_may_wait(socket, deadline);
    if (result != A3M_OK) {
        return result;
    }
    a3mi_waiter_init(&waiter, what->keys, what->exclusive);
    a3mi_waitq_add(what->queue, &waiter.entry);
    result = a3mi_socket_park(socket, &waiter, deadline);
    if (woken != NULL) {
        *woken = waiter.woken;
    }
    if (socket->closed) {
        return a3mi_fail(A3M_ECLOSED, "the socket '%s' was closed", socket->tag.s);
    }
    if (result == A3M_EINTR) {
        return a3mi_fail(A3M_EINTR, "a signal arrived");
    }
    return result;
}
