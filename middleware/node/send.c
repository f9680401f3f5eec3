/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending: pick a link, take its credit, number the message and push it into
 * the outbox, all with the socket's lock held, so that the outbox keeps the
 * order of each link. Then, with no lock held, carry it.
 */
#include "node/node.h"

#include "base/error.h"

void a3mi_window_return(struct a3mi_node *node, uint64_t messages, uint64_t bytes)
{
    uint64_t cost = messages * A3MI_MESSAGE_COST + bytes;
    uint64_t before = atomic_fetch_sub_explicit(&node->outbox_bytes, cost, memory_order_relaxed) +
                      atomic_load_explicit(&node->unit_bytes, memory_order_relaxed);
    /* Waiters are rare: they are looked for only when the outbox was full. */
    if (before >= node->config.outbox_bytes) {
        atomic_store_explicit(&node->window_waiting, 1, memory_order_release);
    }
}

void a3mi_window_units(struct a3mi_node *node, uint64_t bytes)
{
    uint64_t most = node->config.outbox_bytes;
    uint64_t outbox = atomic_load_explicit(&node->outbox_bytes, memory_order_relaxed);
    uint64_t before = atomic_load_explicit(&node->unit_bytes, memory_order_relaxed);
    if (bytes == before) {
        return;
    }
    atomic_store_explicit(&node->unit_bytes, bytes, memory_order_relaxed);
    if (bytes < before && outbox + before >= most) {
        atomic_store_explicit(&node->window_waiting, 1, memory_order_release);
    }
    if (outbox + before < most && outbox + bytes >= most) {
        atomic_store_explicit(&node->window_filled, 1, memory_order_release);
    }
}

bool a3mi_window_full(const struct a3mi_node *node)
{
    return atomic_load_explicit(&node->outbox_bytes, memory_order_relaxed) +
               atomic_load_explicit(&node->unit_bytes, memory_order_relaxed) >=
           node->config.outbox_bytes;
}

/* [socket] The message is the outbox's from here on. */
static void put(struct a3mi_link *link, a3m_msg *msg)
{
    struct a3mi_socket *socket = link->socket;
    struct a3mi_node *node = socket->node;
    if (msg->identity != NULL) { /* a received message is sent on */
        a3mi_identity_unref(msg->identity);
        msg->identity = NULL;
    }
    a3mi_flow_use(link, msg->size);
    msg->channel = link;
    msg->epoch = link->life;
    msg->outbox.kind = A3MI_CMD_MESSAGE;
    uint64_t cost = msg->size + A3MI_MESSAGE_COST;
    uint64_t before = atomic_fetch_add_explicit(&node->outbox_bytes, cost, memory_order_relaxed) +
                      atomic_load_explicit(&node->unit_bytes, memory_order_relaxed);
    if (before < node->config.outbox_bytes && before + cost >= node->config.outbox_bytes) {
        atomic_store_explicit(&node->window_filled, 1, memory_order_release);
    }
    a3mi_reader_push(node->reader, &msg->outbox);
    if (link->sent >= link->limit_messages || link->sent_bytes >= link->limit_bytes) {
        a3mi_flow_refresh(link);
    }
    a3mi_link_consumed(link, A3MI_KEY_OUT);
}

/* What a wait is for, and what the try form says when it would have waited. */
struct block {
    struct a3mi_wait_for what; /* queue NULL: waiting is of no use */
    int code;
    const char *why;
};

/* [socket] A wake that this thread has no use for. */
static void pass_on(struct a3mi_socket *socket, const struct a3mi_wait_for *what)
{
    a3mi_waitq_wake(what->queue, what->keys, 1, &socket->wakes);
}

/*
 * [socket] Waits once. `code` for the try form, A3M_ETIMEDOUT past a deadline.
 * The try form looks at the network once before it gives up (*looked).
 */
static int block_on(struct a3mi_socket *socket, const struct block *block, a3m_time deadline, bool *looked)
{
    bool try_form = deadline.ns == A3M_NOW.ns;
    if (try_form && *looked) {
        return a3mi_fail(block->code, "%s", block->why);
    }
    bool woken;
    int result = a3mi_socket_wait(socket, &block->what, deadline, &woken);
    *looked = true;
    if (result == A3M_ETIMEDOUT && try_form) {
        return A3M_OK;
    }
    if (result != A3M_OK && woken) {
        pass_on(socket, &block->what); /* the wake was for somebody who goes on */
    }
    if (result == A3M_ETIMEDOUT) {
        return a3mi_fail(A3M_ETIMEDOUT, "the deadline passed; %s", block->why);
    }
    return result;
}

/*
 * [socket] A call that waited ends without a message sent: the wake that it had may have been for room that
 * somebody else can use, and no other may come. Waking one too many does no harm.
 */
static int leave(struct a3mi_socket *socket, const struct a3mi_wait_for *what, bool waited, int result)
{
    if (waited) {
        pass_on(socket, what);
    }
    return result;
}

static struct a3mi_wait_for any_link(struct a3mi_socket *socket)
{
    return (struct a3mi_wait_for){&socket->pollable.queue, A3MI_KEY_OUT, true};
}

static struct a3mi_wait_for one_link(struct a3mi_link *link)
{
    return (struct a3mi_wait_for){&link->pollable.queue, A3MI_KEY_OUT, true};
}

/* [socket] Whether all links that are up take less than `size` bytes: waiting would not help. */
static bool too_large(const struct a3mi_socket *socket, size_t size)
{
    A3MI_LIST_FOREACH (it, &socket->links) {
        const struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_socket);
        if (link->state == A3MI_LINK_UP && !link->ended && size <= link->peer_max_message) {
            return false;
        }
    }
    return socket->links_up > 0;
}

/* [socket] A link that may take `size` bytes, the one whose turn it is first; NULL, and why. */
static struct a3mi_link *pick(struct a3mi_socket *socket, size_t size, bool or_none, struct block *block)
{
    A3MI_LIST_FOREACH (it, &socket->sendable) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, sendable);
        if (a3mi_flow_admit(link, size) == A3M_OK) {
            return link;
        }
    }
    block->what = any_link(socket);
    if (too_large(socket, size)) {
        block->what.queue = NULL;
        block->code = A3M_EMSGSIZE;
        block->why = "a message larger than the peers take";
        return NULL;
    }
    if (socket->links_up > 0) {
        block->code = A3M_ENOCREDIT;
        block->why = "no link has credit: its receiver must take messages first";
        return NULL;
    }
    block->code = A3M_ENOLINK;
    block->why = "no link is up";
    if (or_none && socket->links_coming == 0) {
        block->what.queue = NULL;
        block->why = "no link is up or coming up";
    }
    return NULL;
}

/* [socket] Waits for room in the outbox. */
static int wait_window(struct a3mi_socket *socket, a3m_time deadline, bool *looked)
{
    struct block block = {
        {&socket->pollable.queue, A3MI_KEY_WINDOW, false}, A3M_ENOWINDOW, "the node's outbox is full"};
    socket->window_waits++;
    return block_on(socket, &block, deadline, looked);
}

/* [socket] Sends one message on any link. */
static int send_any_locked(struct a3mi_socket *socket, a3m_msg *msg, a3m_link *used, bool or_none,
                           a3m_time deadline)
{
    struct a3mi_wait_for what = any_link(socket);
    bool looked = false;
    while (!socket->closed) {
        struct block block = {0};
        if (a3mi_window_full(socket->node)) {
            int result = wait_window(socket, deadline, &looked);
            if (result != A3M_OK) {
                return leave(socket, &what, looked, result);
            }
            continue;
        }
        struct a3mi_link *link = pick(socket, msg->size, or_none, &block);
        if (link != NULL) {
            a3mi_list_remove(&link->sendable);
            a3mi_list_push_back(&socket->sendable, &link->sendable);
            if (used != NULL) {
                used->v = link->handle;
            }
            put(link, msg);
            return A3M_OK;
        }
        if (block.what.queue == NULL) {
            return leave(socket, &what, looked, a3mi_fail(block.code, "%s", block.why));
        }
        int result = block_on(socket, &block, deadline, &looked);
        if (result != A3M_OK) {
            return leave(socket, &what, looked, result);
        }
    }
    return a3mi_fail(A3M_ECLOSED, "the socket '%s' is closed", socket->tag.s);
}

int a3m_base_send_any(a3m_base *base, a3m_msg *msg, a3m_link *used, bool or_none, a3m_time deadline)
{
    if (msg == NULL) {
        return a3mi_fail(A3M_EINVAL, "no message");
    }
    size_t size = msg->size;
    a3mi_socket_lock(base);
    int result = send_any_locked(base, msg, used, or_none, deadline);
    a3mi_socket_unlock(base);
    if (result == A3M_OK) {
        a3mi_node_carry_message(base->node, size);
    }
    return result;
}

int a3m_base_send(a3m_base *base, a3m_msg *msg, a3m_time deadline)
{
    return a3m_base_send_any(base, msg, NULL, false, deadline);
}

int a3m_base_send_many(a3m_base *base, a3m_msg *const *msgs, size_t n, a3m_time deadline)
{
    int result = A3M_OK;
    size_t done = 0;
    a3mi_hold_begin(base->node);
    a3mi_socket_lock(base);
    while (done < n && result == A3M_OK) {
        result = msgs[done] != NULL ? send_any_locked(base, msgs[done], NULL, false, deadline)
                                    : a3mi_fail(A3M_EINVAL, "no message");
        done += result == A3M_OK;
        a3mi_node_carry(base->node); /* only noted: a wait, or the end, carries it */
    }
    a3mi_socket_unlock(base);
    a3mi_hold_end(base->node);
    return done > 0 ? (int)done : result;
}

/* [socket] Sends one message on one link. */
static int send_to_locked(struct a3mi_socket *socket, struct a3mi_link *link, a3m_msg *msg, a3m_time deadline)
{
    struct a3mi_wait_for what = one_link(link);
    bool looked = false;
    while (!socket->closed) {
        if (a3mi_window_full(socket->node)) {
            int result = wait_window(socket, deadline, &looked);
            if (result != A3M_OK) {
                return leave(socket, &what, looked, result);
            }
            continue;
        }
        int code = a3mi_flow_admit(link, msg->size);
        if (code == A3M_OK) {
            put(link, msg);
            return A3M_OK;
        }
        if (code == A3M_ENOLINK) {
            return a3mi_fail(A3M_ENOLINK, "the link to %s/%s is not up any more", link->peer_node.s,
                             link->peer_tag.s);
        }
        if (code != A3M_ENOCREDIT) {
            return code;
        }
        struct block block = {what, A3M_ENOCREDIT, "the link has no credit"};
        int result = block_on(socket, &block, deadline, &looked);
        if (result != A3M_OK) {
            return leave(socket, &what, looked, result);
        }
    }
    return a3mi_fail(A3M_ECLOSED, "the socket '%s' is closed", socket->tag.s);
}

int a3m_base_send_to(a3m_base *base, a3m_link handle, a3m_msg *msg, a3m_time deadline)
{
    void *obj;
    if (msg == NULL) {
        return a3mi_fail(A3M_EINVAL, "no message");
    }
    if (a3mi_registry_get(handle.v, A3MI_KIND_LINK, &obj) != A3M_OK) {
        return a3mi_fail(A3M_ENOLINK, "the link is gone");
    }
    struct a3mi_link *link = obj;
    int result = A3M_OK;
    size_t size = msg->size;
    a3mi_socket_lock(base);
    if (link->socket != base) {
        result = a3mi_fail(A3M_EINVAL, "the link is not one of this socket");
    } else {
        result = send_to_locked(base, link->alias != NULL ? link->alias : link, msg, deadline);
    }
    a3mi_socket_unlock(base);
    a3mi_registry_put(handle.v);
    if (result == A3M_OK) {
        a3mi_node_carry_message(base->node, size);
    }
    return result;
}

/* ---- The public calls ------------------------------------------------------- */

int a3m_send_until(a3m_socket handle, a3m_msg *msg, a3m_time deadline)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    result = socket->type->send != NULL
                 ? socket->type->send(socket, socket->state, msg, deadline)
                 : a3mi_fail(A3M_ENOTSUP, "a %s socket does not send", socket->type->name);
    a3mi_socket_leave(socket);
    return result;
}

int a3m_send(a3m_socket handle, a3m_msg *msg)
{
    return a3m_send_until(handle, msg, A3M_FOREVER);
}

int a3m_try_send(a3m_socket handle, a3m_msg *msg)
{
    return a3m_send_until(handle, msg, A3M_NOW);
}

/* Many by the type's single form, bundled. */
static int send_each(struct a3mi_socket *socket, a3m_msg *const *msgs, size_t n, a3m_time deadline)
{
    int result = A3M_OK;
    size_t done = 0;
    a3mi_hold_begin(socket->node);
    while (done < n && result == A3M_OK) {
        result = socket->type->send(socket, socket->state, msgs[done], deadline);
        done += result == A3M_OK;
    }
    a3mi_hold_end(socket->node);
    return done > 0 ? (int)done : result;
}

int a3m_send_many(a3m_socket handle, a3m_msg *const *msgs, size_t n, a3m_time deadline)
{
    struct a3mi_socket *socket;
    if (n > INT32_MAX) {
        n = INT32_MAX;
    }
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    if (socket->type->send_many != NULL) {
        result = socket->type->send_many(socket, socket->state, msgs, n, deadline);
    } else if (socket->type->send != NULL) {
        result = send_each(socket, msgs, n, deadline);
    } else {
        result = a3mi_fail(A3M_ENOTSUP, "a %s socket does not send", socket->type->name);
    }
    a3mi_socket_leave(socket);
    return result;
}

int a3m_send_bytes(a3m_socket handle, const void *bytes, size_t size, a3m_time deadline)
{
    a3m_msg *msg = a3m_msg_copy(bytes, size);
    if (msg == NULL) {
        return size > A3M_MESSAGE_CEILING ? A3M_EMSGSIZE : a3mi_fail(A3M_ENOMEM, "no memory for a message");
    }
    int result = a3m_send_until(handle, msg, deadline);
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}
