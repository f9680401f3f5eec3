/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credit. The receiver of a link grants absolute limits in messages and in
 * bytes; a message uses one credit and its size. Credit returns when the
 * application takes a message, in batches of a quarter of the capacity.
 *
 * A message larger than what is left may go when at most a quarter of the byte
 * capacity is outstanding: less than that may never be returned by itself, so a
 * stricter rule could wait for ever. A receiver thus holds at most a quarter of
 * its capacity and one message, or its capacity, whichever is more; from a peer that
 * breaks the rule it takes its capacity and one message.
 *
 * The capacity may change while the link is up, downwards too: then a limit is
 * told that may be below what was sent already, and the sender waits until it has
 * been worked off. Messages that were under way, or had credit reserved, are within
 * the limit told before, and are taken.
 *
 * A peer that sends more than it was granted breaks the protocol: its link ends,
 * and what came beyond the grant is dropped, so that memory is bounded whatever a
 * peer does.
 */
#include "node/node.h"

#include "base/error.h"
#include "node/credit.h"

/* What of the byte limit must be left for a message, when `capacity` is what a grant is worth. */
static uint64_t needed(size_t size, uint64_t capacity)
{
    uint64_t enough = capacity - capacity / 4;
    return size < enough ? size : enough;
}

int a3mi_flow_admits(const struct a3mi_link *link, size_t size)
{
    uint64_t used_bytes = link->sent_bytes + link->reserved_bytes;
    if (link->state != A3MI_LINK_UP || link->ended) {
        return A3M_ENOLINK;
    }
    if (size > link->peer_max_message) {
        return A3M_EMSGSIZE;
    }
    if (link->sent + link->reserved >= link->limit_messages) {
        return A3M_ENOCREDIT;
    }
    if (used_bytes > link->limit_bytes ||
        link->limit_bytes - used_bytes < needed(size, link->peer_capacity_bytes)) {
        return A3M_ENOCREDIT;
    }
    return A3M_OK;
}

uint64_t a3mi_flow_available(const struct a3mi_link *link)
{
    uint64_t used = link->sent + link->reserved;
    return used < link->limit_messages ? link->limit_messages - used : 0;
}

/*
 * Whether the bytes of a message are covered, whatever the order in which credit was given, used, and arrived: of
 * any set of messages, the one that was given its credit last needed no more than there was beside all others, and
 * only so far as one goes beyond its need may all together go beyond the grant.
 */
static bool covers(struct a3mi_link *link, const a3m_msg *msg)
{
    uint64_t beyond = msg->size - needed(msg->size, link->least_capacity_bytes);
    link->beyond = beyond > link->beyond ? beyond : link->beyond;
    return link->received_bytes + msg->size <= link->most_bytes + link->beyond;
}

bool a3mi_flow_arrived(struct a3mi_link *link, const a3m_msg *msg)
{
    bool granted = !link->violated && !link->early_violated && link->received < link->most_messages &&
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

/* In any order: what each needs is within what was offered, for the newest and for those before it. */
bool a3mi_flow_arrived_early(struct a3mi_link *link, size_t size)
{
    link->early_bytes += needed(size, link->offered_bytes);
    bool granted = !link->early_violated && link->batch.count < link->offered_messages &&
                   link->early_bytes <= link->offered_bytes;
    if (!granted) {
        link->early_violated = true;
        link->socket->node->credit_violations++;
    }
    return granted;
}

void a3mi_flow_use(struct a3mi_link *link, size_t size, size_t reserved)
{
    link->reserved--;
    link->reserved_bytes -= reserved;
    link->sent++;
    link->sent_bytes += size;
    link->pushed++;
}

void a3mi_flow_refresh(struct a3mi_link *link)
{
    struct a3mi_socket *socket = link->socket;
    bool can = link->state == A3MI_LINK_UP && !link->ended && a3mi_flow_available(link) > 0 &&
               link->sent_bytes + link->reserved_bytes < link->limit_bytes;
    if (can && !a3mi_list_linked(&link->sendable)) {
        a3mi_list_push_back(&socket->sendable, &link->sendable);
    } else if (!can && a3mi_list_linked(&link->sendable)) {
        a3mi_list_remove(&link->sendable);
        a3mi_link_lowered(link); /* by a cut or a reservation, too, which send nothing */
    }
    a3mi_blocked_note(link);
}

/* The share of a capacity that is taken before it is returned; at least 1. */
static uint64_t batch(const struct a3mi_link *link, uint64_t capacity)
{
    uint64_t percent = (uint64_t)a3mi_socket_option(link->socket, A3M_OPT_CREDIT_BATCH);
    uint64_t share = capacity / 100 * percent + capacity % 100 * percent / 100;
    return share > 0 ? share : 1;
}

/* Of bytes no more than the quarter that a sender of large messages can do without: it may wait for the rest. */
static uint64_t batch_bytes(const struct a3mi_link *link)
{
    uint64_t most = link->capacity_bytes / 4 > 0 ? link->capacity_bytes / 4 : 1;
    uint64_t share = batch(link, link->capacity_bytes);
    return share < most ? share : most;
}

/* Whether `limit` is so much more than what was told. */
static bool due(uint64_t limit, uint64_t told, uint64_t enough)
{
    return limit > told && limit - told >= enough;
}

/* Whether enough was taken since the last grant to tell the peer. */
static bool grant_due(const struct a3mi_link *link)
{
    return due(link->taken + link->capacity_messages, link->told_messages,
               batch(link, link->capacity_messages)) ||
           due(link->taken_bytes + link->capacity_bytes, link->told_bytes, batch_bytes(link));
}

bool a3mi_flow_queue(struct a3mi_link *link)
{
    if (link->credit_queued) {
        return false;
    }
    link->credit_queued = true;
    a3mi_link_ref(link);
    link->credit.kind = A3MI_CMD_CREDIT;
    a3mi_reader_push(link->socket->node->reader, &link->credit);
    return true;
}

bool a3mi_flow_set_capacity(struct a3mi_link *link, uint64_t messages, uint64_t bytes)
{
    if (messages == link->capacity_messages && bytes == link->capacity_bytes) {
        return false;
    }
    link->capacity_messages = messages;
    link->capacity_bytes = bytes;
    link->least_capacity_bytes = bytes < link->least_capacity_bytes ? bytes : link->least_capacity_bytes;
    link->capacity_changed = link->state == A3MI_LINK_UP;
    return link->state == A3MI_LINK_UP && a3mi_flow_queue(link);
}

void a3mi_flow_offer(struct a3mi_link *link, struct a3mi_control *control)
{
    link->offered_messages = link->capacity_messages;
    link->offered_bytes = link->capacity_bytes;
    control->credit_messages = link->offered_messages;
    control->credit_bytes = link->offered_bytes;
}

void a3mi_flow_begin(struct a3mi_link *link, const struct a3mi_control *info)
{
    if (link->peer_epoch == 0) { /* else a grant overtook the acceptance: its capacity changed at once */
        link->limit_messages = info->credit_messages;
        link->limit_bytes = info->credit_bytes;
    }
    link->peer_capacity_bytes = info->credit_bytes;
    link->epoch = 0;
    link->sent = link->sent_bytes = link->acknowledged = 0;
    link->reserved = link->reserved_bytes = 0;
    link->received = link->received_bytes = link->taken = link->taken_bytes = 0;
    link->beyond = 0;
    link->violated = false;
    if (info->kind == A3MI_CONTROL_REQUEST) { /* the acceptance is to be written yet */
        link->offered_messages = link->capacity_messages;
        link->offered_bytes = link->capacity_bytes;
    }
    link->told_messages = link->most_messages = link->offered_messages;
    link->told_bytes = link->most_bytes = link->offered_bytes;
    link->least_capacity_bytes = link->offered_bytes < link->capacity_bytes ? link->offered_bytes
                                                                            : link->capacity_bytes;
    link->capacity_changed = link->offered_messages != link->capacity_messages ||
                             link->offered_bytes != link->capacity_bytes;
    if (link->capacity_changed) {
        (void)a3mi_flow_queue(link); /* carried by this turn, or the next */
    }
}

void a3mi_flow_on_capacity(struct a3mi_link *link, const struct a3mi_control *control)
{
    if (link->state == A3MI_LINK_UP) {
        link->peer_capacity_bytes = control->credit_bytes;
        a3mi_flow_refresh(link);
        a3mi_credit_serve(link);
    }
}

enum a3mi_carry a3mi_flow_taken(struct a3mi_link *link, const a3m_msg *msg, bool application)
{
    if (msg->identity != link->identity) { /* each life of a link has one of its own */
        return A3MI_CARRY_NOTHING; /* of an earlier life, whose grant is over: the new one would grow by it for good */
    }
    link->taken++;
    link->taken_bytes += msg->size;
    bool attached = link->state == A3MI_LINK_UP || link->state == A3MI_LINK_ENDING ||
                    link->state == A3MI_LINK_FINISHING;
    bool asked = (msg->flags & A3MI_MSG_ASKS_TAKEN) != 0 || link->taken_unsaid.count > 0;
    bool say = asked && application && attached && a3mi_taken_note(&link->taken_unsaid, msg);
    bool grant = link->state == A3MI_LINK_UP && grant_due(link);
    bool queued = (say || grant) && a3mi_flow_queue(link);
    /* One that is in the outbox already may be held there by this thread: it says each time whether that is over. */
    return queued && grant ? A3MI_CARRY_NOW : say ? A3MI_CARRY_SOON : A3MI_CARRY_NOTHING;
}

/* What is granted from now on; it may be less than before, and what was granted before still has to be taken. */
static void tell(struct a3mi_link *link)
{
    link->told_messages = link->taken + link->capacity_messages;
    link->told_bytes = link->taken_bytes + link->capacity_bytes;
    link->most_messages = link->told_messages > link->most_messages ? link->told_messages
                                                                    : link->most_messages;
    link->most_bytes = link->told_bytes > link->most_bytes ? link->told_bytes : link->most_bytes;
    link->epoch++;
}

void a3mi_flow_send_credit(struct a3mi_link *link, int64_t now)
{
    struct a3mi_node *node = link->socket->node;
    a3mi_socket_lock(link->socket);
    link->credit_queued = false;
    (void)a3mi_link_is_theirs(link);
    a3mi_taken_say(link, now);
    bool up = link->state == A3MI_LINK_UP && link->tx.peer != NULL;
    if (up && link->capacity_changed) {
        struct a3mi_control control = {.kind = A3MI_CONTROL_CAPACITY,
                                       .credit_messages = link->capacity_messages,
                                       .credit_bytes = link->capacity_bytes};
        link->capacity_changed = false;
        (void)a3mi_link_say(link, &control, now);
    }
    if (up) {
        a3mi_link_tell_metadata(link, now);
        tell(link);
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
        a3mi_credit_serve(link);
    }
    a3mi_socket_unlock_turn(socket, socket->node->turn);
}
