/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credit. The receiver of a link grants absolute limits in messages and in
 * bytes; a message uses one credit and its size. Credit returns when the
 * application takes a message, in batches of a quarter of the capacity.
 *
 * A message larger than what is left may go when at most a quarter of the byte
 * capacity is outstanding: less than that may never be returned by itself, so a
 * stricter rule could wait for ever. A receiver thus holds at most a quarter of
 * its capacity and one message, or its capacity, whichever is more.
 *
 * A peer that sends more than it was granted breaks the protocol: its link ends,
 * and what came beyond the grant is dropped, so that memory is bounded whatever a
 * peer does.
 */
#include "node/node.h"

#include "base/error.h"

/* What of the byte limit must be left for a message, when `capacity` is what a grant is worth. */
static uint64_t needed(size_t size, uint64_t capacity)
{
    uint64_t enough = capacity - capacity / 4;
    return size < enough ? size : enough;
}

int a3mi_flow_admit(const struct a3mi_link *link, size_t size)
{
    if (link->state != A3MI_LINK_UP || link->ended) {
        return A3M_ENOLINK;
    }
    if (size > link->peer_max_message) {
        return a3mi_fail(A3M_EMSGSIZE, "a message of %zu bytes: the peer takes at most %llu", size,
                         (unsigned long long)link->peer_max_message);
    }
    if (link->sent >= link->limit_messages) {
        return A3M_ENOCREDIT;
    }
    if (link->sent_bytes > link->limit_bytes ||
        link->limit_bytes - link->sent_bytes < needed(size, link->peer_capacity_bytes)) {
        return A3M_ENOCREDIT;
    }
    return A3M_OK;
}

/*
 * Whether the bytes of a message are covered. All that was sent before the newest one, and what that one needed,
 * is within the grant; so when one arrives that was overtaken, what the newest went beyond its need does not count.
 */
static bool covers(struct a3mi_link *link, const a3m_msg *msg)
{
    uint64_t need = needed(msg->size, link->capacity_bytes);
    if ((msg->flags & A3MI_MSG_OVERTAKEN) != 0) {
        return link->received_bytes - link->beyond + msg->size <= link->told_bytes;
    }
    link->beyond = msg->size - need;
    return link->received_bytes + need <= link->told_bytes;
}

bool a3mi_flow_arrived(struct a3mi_link *link, const a3m_msg *msg)
{
    bool granted = !link->violated && !link->early_violated && link->received < link->told_messages &&
                   covers(link, msg);
    link->received++;
    link->received_bytes += msg->size;
    if (granted) {
        return true;
    }
    link->socket->node->credit_violations++;
    if (!link->violated) {
        link->violated = true;
        (void)a3mi_link_request_end(link, A3M_EPROTO); /* carried by this turn, or the next */
    }
    return false;
}

/* In any order: what each needs is within the grant, for the newest and for those before it. */
bool a3mi_flow_arrived_early(struct a3mi_link *link, size_t size)
{
    link->early_bytes += needed(size, link->capacity_bytes);
    bool granted = !link->early_violated && link->batch.count < link->capacity_messages &&
                   link->early_bytes <= link->capacity_bytes;
    if (!granted) {
        link->early_violated = true;
        link->socket->node->credit_violations++;
    }
    return granted;
}

void a3mi_flow_use(struct a3mi_link *link, size_t size)
{
    link->sent++;
    link->sent_bytes += size;
    link->pushed++;
}

void a3mi_flow_refresh(struct a3mi_link *link)
{
    struct a3mi_socket *socket = link->socket;
    bool can = link->state == A3MI_LINK_UP && !link->ended && link->sent < link->limit_messages &&
               link->sent_bytes < link->limit_bytes;
    if (can && !a3mi_list_linked(&link->sendable)) {
        a3mi_list_push_back(&socket->sendable, &link->sendable);
    } else if (!can) {
        a3mi_list_remove(&link->sendable);
    }
}

/* Whether enough was taken since the last grant to tell the peer. */
static bool grant_due(const struct a3mi_link *link)
{
    uint64_t messages = link->taken + link->capacity_messages - link->told_messages;
    uint64_t bytes = link->taken_bytes + link->capacity_bytes - link->told_bytes;
    return messages >= (link->capacity_messages + 3) / 4 || bytes >= (link->capacity_bytes + 3) / 4;
}

bool a3mi_flow_taken(struct a3mi_link *link, const struct a3mi_identity *from, size_t size)
{
    if (from != link->identity) {
        return false; /* of an earlier life, whose grant is over: the new one would grow by it for good */
    }
    link->taken++;
    link->taken_bytes += size;
    if (link->credit_queued || link->state != A3MI_LINK_UP || !grant_due(link)) {
        return false;
    }
    link->credit_queued = true;
    a3mi_link_ref(link);
    link->credit.kind = A3MI_CMD_CREDIT;
    a3mi_reader_push(link->socket->node->reader, &link->credit);
    return true;
}

void a3mi_flow_send_credit(struct a3mi_link *link, int64_t now)
{
    struct a3mi_node *node = link->socket->node;
    a3mi_socket_lock(link->socket);
    link->credit_queued = false;
    bool up = link->state == A3MI_LINK_UP && link->tx.peer != NULL;
    if (up) {
        link->told_messages = link->taken + link->capacity_messages;
        link->told_bytes = link->taken_bytes + link->capacity_bytes;
        link->epoch++;
    }
    uint64_t messages = link->told_messages;
    uint64_t bytes = link->told_bytes;
    uint32_t epoch = link->epoch;
    a3mi_socket_unlock_turn(link->socket, node->turn);
    if (up) {
        a3mi_assoc_credit(node->assoc, &link->tx, epoch, messages, bytes, now);
    }
    a3mi_link_unref(link);
}

void a3mi_flow_on_credit(struct a3mi_link *link, uint32_t epoch, uint64_t messages, uint64_t bytes)
{
    struct a3mi_socket *socket = link->socket;
    a3mi_socket_lock(socket);
    /* Serial number arithmetic (RFC 1982): newer by less than half of the range. */
    if ((int32_t)(epoch - link->peer_epoch) > 0) {
        link->peer_epoch = epoch;
        link->limit_messages = messages;
        link->limit_bytes = bytes;
        a3mi_flow_refresh(link);
        uint64_t served = messages > link->sent ? messages - link->sent : 0;
        if (a3mi_list_linked(&link->sendable)) {
            a3mi_link_wake(link, A3MI_KEY_OUT, (size_t)served);
            a3mi_socket_wake(socket, A3MI_KEY_OUT, (size_t)served);
        }
    }
    a3mi_socket_unlock_turn(socket, socket->node->turn);
}
