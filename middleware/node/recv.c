/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving: messages that arrived are queued per link; a receive takes one
 * from the link whose turn it is, and returns its credit. When nothing is
 * queued, the caller waits, and reads the network itself if nobody else does.
 */
#include "node/node.h"

#include "base/error.h"

/* [socket] The next message of a link that has one. *carry: the most urgent of what is in the outbox. */
static a3m_msg *take_from(struct a3mi_link *link, enum a3mi_carry *carry)
{
    struct a3mi_socket *socket = link->socket;
    a3m_msg *msg = a3mi_container_of(a3mi_fifo_pop(&link->inbox), a3m_msg, node);
    socket->inbox_count--;
    enum a3mi_carry this_one = a3mi_flow_taken(link, msg, true);
    *carry = this_one > *carry ? this_one : *carry;
    a3mi_list_remove(&link->readable);
    if (!a3mi_fifo_empty(&link->inbox)) {
        a3mi_list_push_back(&socket->readable, &link->readable);
        a3mi_link_consumed(link, A3MI_KEY_IN);
    } else {
        a3mi_link_consumed(link, A3MI_KEY_IN);
        a3mi_link_emptied(link);
        a3mi_link_unref(link); /* counted while it is readable */
    }
    return msg;
}

/* Where a receive takes its messages from. */
struct source {
    struct a3mi_socket *socket;
    struct a3mi_link *link;     /* NULL: all links of the socket, in turn */
    bool or_none;               /* A3M_ENOLINK when no link is up or coming up, and no message is there */
    const struct a3mi_link *at; /* that it waits for, and the life of it when that began */
    uint32_t life;
};

/* [socket] The link that is received from: it may turn out to be the same as another one meanwhile. */
static struct a3mi_link *link_of(const struct source *from)
{
    return from->link != NULL && from->link->alias != NULL ? from->link->alias : from->link;
}

/* ---- Threads that wait ------------------------------------------------------------- */

/* A receive that waits, on its stack. When it is woken, a message is for it. */
struct recv_waiter {
    struct a3mi_waiter waiter;
    struct a3mi_socket *socket;
    bool promised;
};

static bool recv_wake(struct a3mi_waitq_entry *entry, uint32_t keys, struct a3mi_wakes *wakes)
{
    struct a3mi_waiter *waiter = a3mi_container_of(entry, struct a3mi_waiter, entry);
    struct recv_waiter *self = a3mi_container_of(waiter, struct recv_waiter, waiter);
    self->promised = (keys & A3MI_KEY_IN) != 0;
    self->socket->inbox_promised += self->promised;
    a3mi_waiter_take(waiter, wakes);
    return true;
}

static const struct a3mi_waitq_ops recv_ops = {.wake = recv_wake};

/*
 * [socket] Whether a receive that did not wait may take a message: of a fair-ish socket only what is there
 * beyond those that others were woken for.
 */
static bool may_pass(const struct a3mi_socket *socket)
{
    return a3mi_socket_option(socket, A3M_OPT_FAIR) == 0 || socket->inbox_count > socket->inbox_promised;
}

/* [socket] The next message, or NULL. */
static a3m_msg *take(const struct source *from, enum a3mi_carry *carry)
{
    struct a3mi_link *link = link_of(from);
    if (link != NULL) {
        return a3mi_fifo_empty(&link->inbox) ? NULL : take_from(link, carry);
    }
    struct a3mi_list *first = a3mi_list_first(&from->socket->readable);
    return first != NULL ? take_from(a3mi_container_of(first, struct a3mi_link, readable), carry) : NULL;
}

static bool has_message(const struct source *from)
{
    const struct a3mi_link *link = link_of(from);
    return link != NULL ? !a3mi_fifo_empty(&link->inbox) : from->socket->inbox_count > 0;
}

/* [socket] Why nothing will come any more; 0: something may. */
static int hopeless(const struct source *from)
{
    const struct a3mi_link *link = link_of(from);
    if (link != NULL && (link->state == A3MI_LINK_CLOSED || (from->at == link && from->life != link->life))) {
        return a3mi_fail(A3M_ELINKDOWN, "the link to %s/%s ended: %s", link->peer_node.s, link->peer_tag.s,
                         a3m_strerror(link->reason));
    }
    if (from->or_none && from->socket->links_up == 0 && from->socket->links_coming == 0) {
        return a3mi_fail(A3M_ENOLINK, "no message, and no link is up or coming up");
    }
    return A3M_OK;
}

/* [socket] Sleeps until there may be something. *had_turn: it was woken for a message. */
static int park(struct source *from, a3m_time deadline, bool *had_turn)
{
    struct a3mi_socket *socket = from->socket;
    struct a3mi_link *link = link_of(from);
    struct a3mi_waitq *queue = link != NULL ? &link->pollable.queue : &socket->pollable.queue;
    struct recv_waiter self = {.socket = socket};
    *had_turn = false;
    int result = a3mi_socket_may_wait(socket, deadline);
    if (result != A3M_OK) {
        return result;
    }
    if (link != NULL && from->at != link) {
        from->at = link;
        from->life = link->life;
    }
    a3mi_waiter_init(&self.waiter, A3MI_KEY_IN | (link != NULL || from->or_none ? A3MI_KEY_NONE : 0u), true);
    self.waiter.entry.ops = &recv_ops;
    a3mi_waitq_add(queue, &self.waiter.entry);
    bool behind = link != NULL && !a3mi_fifo_empty(&link->inbox);
    socket->receives_behind += behind;
    result = a3mi_socket_park(socket, &self.waiter, deadline);
    socket->receives_behind -= behind;
    socket->inbox_promised -= self.promised;
    *had_turn = self.promised;
    if (socket->closed) {
        return a3mi_fail(A3M_ECLOSED, "the socket '%s' was closed", socket->tag.s);
    }
    return result == A3M_EINTR ? a3mi_fail(A3M_EINTR, "a signal arrived") : result;
}

/*
 * [socket] A thread that was woken for a message is done with its turn. What it was woken for may be left, as it found
 * none, or took another one's: that is for who waits for any, or for a link that has one.
 */
static void hand_on(struct a3mi_socket *socket)
{
    if (socket->inbox_count <= socket->inbox_promised || a3mi_socket_wake(socket, A3MI_KEY_IN, 1) > 0) {
        return;
    }
    A3MI_LIST_FOREACH (it, &socket->readable) {
        if (a3mi_link_wake(a3mi_container_of(it, struct a3mi_link, readable), A3MI_KEY_IN, 1) > 0) {
            return;
        }
    }
}

/* [socket] Waits until something may be there. */
static int wait_readable(struct source *from, a3m_time deadline, bool *looked, bool *had_turn)
{
    bool try_form = deadline.ns == A3M_NOW.ns;
    int result = hopeless(from);
    if (result != A3M_OK) {
        return result;
    }
    if (try_form && *looked) {
        return a3mi_fail(A3M_EAGAIN, "no message");
    }
    result = park(from, deadline, had_turn);
    *looked = true;
    if (result == A3M_ETIMEDOUT && *had_turn && has_message(from)) {
        return A3M_OK;
    }
    if (result != A3M_OK && *had_turn) {
        hand_on(from->socket);
    }
    if (result == A3M_ETIMEDOUT) {
        return try_form ? A3M_OK : a3mi_fail(A3M_ETIMEDOUT, "the deadline passed, and no message came");
    }
    return result;
}

static int recv_many(struct source *from, a3m_msg **msgs, size_t max, a3m_time deadline)
{
    struct a3mi_socket *socket = from->socket;
    bool looked = false;
    bool had_turn = false;
    enum a3mi_carry carry = A3MI_CARRY_NOTHING;
    int result = A3M_OK;
    size_t n = 0;
    a3mi_socket_lock(socket);
    while (n == 0 && result == A3M_OK) {
        if (socket->closed) {
            result = a3mi_fail(A3M_ECLOSED, "the socket '%s' is closed", socket->tag.s);
            break;
        }
        while (n < max && ((n == 0 && had_turn) || may_pass(socket)) &&
               (msgs[n] = take(from, &carry)) != NULL) {
            n++;
        }
        if (had_turn && (n == 0 || socket->receives_behind > 0)) {
            hand_on(socket);
        }
        if (n == 0) {
            result = max > 0 ? wait_readable(from, deadline, &looked, &had_turn)
                             : a3mi_fail(A3M_EINVAL, "room for no message");
        }
    }
    a3mi_socket_unlock(socket);
    if (carry == A3MI_CARRY_NOW) {
        a3mi_node_carry(socket->node);
    } else if (carry == A3MI_CARRY_SOON) {
        a3mi_node_carry_message(socket->node, 0);
    }
    if ((n > 0 && !looked) || result == A3M_EAGAIN) {
        a3mi_reader_touch(socket->node->reader);
    }
    return n > 0 ? (int)n : result;
}

int a3m_base_recv_many(a3m_base *base, a3m_msg **msgs, size_t max, a3m_time deadline)
{
    struct source from = {.socket = base};
    return recv_many(&from, msgs, max, deadline);
}

int a3m_base_recv(a3m_base *base, a3m_msg **msg, a3m_time deadline)
{
    int n = a3m_base_recv_many(base, msg, 1, deadline);
    return n > 0 ? A3M_OK : n;
}

int a3m_base_recv_any(a3m_base *base, a3m_msg **msg, bool or_none, a3m_time deadline)
{
    struct source from = {.socket = base, .or_none = or_none};
    int n = recv_many(&from, msg, 1, deadline);
    return n > 0 ? A3M_OK : n;
}

int a3m_base_recv_from(a3m_base *base, a3m_link handle, a3m_msg **msg, a3m_time deadline)
{
    void *obj;
    if (a3mi_registry_get(handle.v, A3MI_KIND_LINK, &obj) != A3M_OK) {
        return a3mi_fail(A3M_ENOLINK, "the link is gone");
    }
    struct a3mi_link *link = obj;
    int n = A3M_EINVAL;
    if (link->socket == base) {
        struct source from = {.socket = base, .link = link};
        n = recv_many(&from, msg, 1, deadline);
    } else {
        a3mi_fail(n, "the link is not one of this socket");
    }
    a3mi_registry_put(handle.v);
    return n > 0 ? A3M_OK : n;
}

/* ---- The public calls ------------------------------------------------------- */

/* By the type's hook for it. */
static int recv_by_type(a3m_socket handle, a3m_msg **msg, bool or_none, a3m_time deadline)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    const a3m_socket_type *type = socket->type;
    int (*recv)(a3m_base *, void *, a3m_msg **, a3m_time) = or_none ? type->recv_or_none : type->recv;
    result = recv != NULL ? recv(socket, socket->state, msg, deadline)
                          : a3mi_fail(A3M_ENOTSUP,
                                      or_none ? "a %s socket cannot say that no message will come"
                                              : "a %s socket does not receive",
                                      type->name);
    a3mi_socket_leave(socket);
    return result;
}

int a3m_recv_until(a3m_socket handle, a3m_msg **msg, a3m_time deadline)
{
    return recv_by_type(handle, msg, false, deadline);
}

int a3m_recv_or_none(a3m_socket handle, a3m_msg **msg, a3m_time deadline)
{
    return recv_by_type(handle, msg, true, deadline);
}

int a3m_link_recv(a3m_link handle, a3m_msg **msg, a3m_time deadline)
{
    void *obj;
    int result = a3mi_registry_get(handle.v, A3MI_KIND_LINK, &obj);
    if (result != A3M_OK) {
        return result;
    }
    struct a3mi_socket *socket = ((struct a3mi_link *)obj)->socket;
    result = (socket->type->direct & A3M_DIRECT_RECV) != 0
                 ? a3m_base_recv_from(socket, handle, msg, deadline)
                 : a3mi_fail(A3M_ENOTSUP, "links of a %s socket are not received from directly",
                             socket->type->name);
    a3mi_registry_put(handle.v);
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
