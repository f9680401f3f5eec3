/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending: pick a link, take its credit, number the message and push it into
 * the outbox, all with the socket's lock held, so that the outbox keeps the
 * order of each link. Then, with no lock held, carry it.
 */
#include "node/node.h"

#include "base/error.h"
#include "node/credit.h"

static _Thread_local bool any_failed;

bool a3mi_send_any_failed(void)
{
    bool failed = any_failed;
    any_failed = false;
    return failed;
}

/* [socket] The message, the credit for it and its room are the outbox's from here on. */
void a3mi_send_put(const struct a3mi_credit *credit, a3m_msg *msg)
{
    struct a3mi_link *link = credit->link;
    struct a3mi_node *node = link->socket->node;
    if (msg->identity != NULL) { /* a received message is sent on */
        a3mi_identity_unref(msg->identity);
        msg->identity = NULL;
    }
    msg->flags &= ~(uint32_t)A3MI_MSG_ASKS_TAKEN; /* those of a received message were its sender's */
    if (msg->receipt != NULL) {
        msg->flags |= (msg->receipt->kinds & A3M_RECEIPT_TAKEN) != 0 ? A3MI_MSG_ASKS_TAKEN : 0u;
        a3mi_receipts_put(link, msg, link->sent);
    }
    a3mi_flow_use(link, msg->size, credit->size);
    msg->channel = link;
    msg->epoch = link->life;
    msg->outbox.kind = A3MI_CMD_MESSAGE;
    size_t size = msg->size;
    a3mi_reader_push(node->reader, &msg->outbox);
    a3mi_link_consumed(link, A3MI_KEY_OUT);
    if (size < credit->size) { /* the rest of a reservation is the next one's */
        a3mi_flow_refresh(link);
        a3mi_credit_serve(link);
    }
}

/* [socket] Sends one message, on any link or the one that `credit` names; *credit says which. */
static int send_locked(struct a3mi_socket *socket, a3m_msg *msg, struct a3mi_credit *credit,
                       a3m_time deadline)
{
    const struct a3mi_credit wanted = *credit;
    int result = A3M_OK;
    while (!socket->closed) {
        credit->cost = a3mi_window_cost(credit->size);
        result = a3mi_credit_get(socket, credit, deadline);
        if (result != A3M_OK) {
            return result;
        }
        if (a3mi_credit_valid(credit)) {
            a3mi_send_put(credit, msg);
            a3mi_credit_release_link(credit);
            return A3M_OK;
        }
        a3mi_credit_again(credit, &wanted);
        a3mi_window_give_back(socket, wanted.size);
        if (wanted.link != NULL) {
            return a3mi_fail(A3M_ELINKDOWN, "the link to %s/%s ended: %s", wanted.link->peer_node.s,
                             wanted.link->peer_tag.s, a3m_strerror(wanted.link->reason));
        }
        /* The link went down before the thread ran: another one will do. */
    }
    return a3mi_fail(A3M_ECLOSED, "the socket '%s' is closed", socket->tag.s);
}

/* A send that did not wait, and was to no avail: time that the network be looked at. */
static void look(struct a3mi_node *node, int result, a3m_time deadline)
{
    if (result < 0 && deadline.ns <= 0) {
        a3mi_reader_touch(node->reader);
    }
}

int a3m_base_send_any(a3m_base *base, a3m_msg *msg, a3m_link *used, bool or_none, a3m_time deadline)
{
    if (msg == NULL) {
        return a3mi_fail(A3M_EINVAL, "no message");
    }
    struct a3mi_credit credit = {.size = msg->size, .or_none = or_none};
    a3mi_socket_lock(base);
    int result = send_locked(base, msg, &credit, deadline);
    if (result == A3M_OK && used != NULL) {
        used->v = credit.handle;
    }
    a3mi_socket_unlock(base);
    if (result == A3M_OK) {
        a3mi_node_carry_message(base->node, credit.size);
    }
    any_failed |= result < 0;
    look(base->node, result, deadline);
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
        struct a3mi_credit credit = {.size = msgs[done] != NULL ? msgs[done]->size : 0};
        result = msgs[done] != NULL ? send_locked(base, msgs[done], &credit, deadline)
                                    : a3mi_fail(A3M_EINVAL, "no message");
        done += result == A3M_OK;
        a3mi_node_carry(base->node); /* only noted: a wait, or the end, carries it */
    }
    a3mi_socket_unlock(base);
    a3mi_hold_end(base->node);
    return done > 0 ? (int)done : result;
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
    struct a3mi_credit credit = {.size = msg->size};
    a3mi_socket_lock(base);
    credit.link = link->alias != NULL ? link->alias : link;
    if (link->socket != base) {
        result = a3mi_fail(A3M_EINVAL, "the link is not one of this socket");
    } else {
        result = send_locked(base, msg, &credit, deadline);
    }
    a3mi_socket_unlock(base);
    a3mi_registry_put(handle.v);
    if (result == A3M_OK) {
        a3mi_node_carry_message(base->node, credit.size);
    }
    look(base->node, result, deadline);
    return result;
}

/* ---- The public calls ------------------------------------------------------- */

/* By the type's hook for it. */
static int send_by_type(a3m_socket handle, a3m_msg *msg, bool or_none, a3m_time deadline)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    const a3m_socket_type *type = socket->type;
    int (*send)(a3m_base *, void *, a3m_msg *, a3m_time) = or_none ? type->send_or_none : type->send;
    result = send != NULL ? send(socket, socket->state, msg, deadline)
                          : a3mi_fail(A3M_ENOTSUP,
                                      or_none ? "a %s socket cannot say that no link will come"
                                              : "a %s socket does not send",
                                      type->name);
    a3mi_socket_leave(socket);
    return result;
}

int a3m_send_until(a3m_socket handle, a3m_msg *msg, a3m_time deadline)
{
    return send_by_type(handle, msg, false, deadline);
}

int a3m_send_or_none(a3m_socket handle, a3m_msg *msg, a3m_time deadline)
{
    return send_by_type(handle, msg, true, deadline);
}

int a3m_link_send(a3m_link handle, a3m_msg *msg, a3m_time deadline)
{
    void *obj;
    int result = a3mi_registry_get(handle.v, A3MI_KIND_LINK, &obj);
    if (result != A3M_OK) {
        return result;
    }
    struct a3mi_socket *socket = ((struct a3mi_link *)obj)->socket;
    result = (socket->type->direct & A3M_DIRECT_SEND) != 0
                 ? a3m_base_send_to(socket, handle, msg, deadline)
                 : a3mi_fail(A3M_ENOTSUP, "links of a %s socket are not sent to directly",
                             socket->type->name);
    a3mi_registry_put(handle.v);
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
