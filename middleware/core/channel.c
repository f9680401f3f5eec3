/* SPDX-License-Identifier: Apache-2.0 */
/* Channels as the caller sees them (core/assoc.h): attaching, sending, granting. */
#include "core/channel.h"

#include <a3m/errors.h>

#include "base/error.h"
#include "base/message.h"
#include "core/loopback.h"
#include "core/peer.h"
#include "core/sender.h"

/* ---- Sending ------------------------------------------------------------------ */

void a3mi_tx_attach(struct a3mi_assoc *assoc, struct a3mi_tx *tx, struct a3mi_peer *peer,
                    uint64_t incarnation, uint32_t index)
{
    a3mi_tx_init(tx, index);
    tx->peer = peer;
    tx->incarnation = incarnation;
    a3mi_list_push_back(&peer->txs, &tx->on_peer);
    a3mi_life_note(assoc, peer, incarnation, assoc->ck)->channels++;
}

/* Its parts in units go; more than one sender may have some while one is on its way out. */
static void forget_units(struct a3mi_tx *tx)
{
    A3MI_LIST_FOREACH (it, &tx->peer->senders) {
        struct a3mi_sender *sender = a3mi_container_of(it, struct a3mi_sender, on_peer);

        if (sender->incarnation == tx->incarnation) {
            a3mi_sender_forget(sender, tx);
        }
    }
}

struct a3mi_tx_rest a3mi_tx_detach(struct a3mi_assoc *assoc, struct a3mi_tx *tx)
{
    struct a3mi_peer *peer = tx->peer;

    if (peer == NULL) {
        return (struct a3mi_tx_rest){0};
    }
    uint64_t begun = tx->offset > 0 ? 1 : 0;
    struct a3mi_tx_rest rest = {
        .unsent = tx->queue.count - begun,
        .unknown = tx->packed - tx->acknowledged + begun,
    };
    struct a3mi_life *life = a3mi_life_find(peer, tx->incarnation);

    if (life != NULL && life->channels > 0) {
        life->channels--;
    }
    if (tx == assoc->loopback.current) {
        assoc->loopback.current = NULL;
    }
    forget_units(tx);
    a3mi_tx_drop_queue(tx);
    a3mi_list_remove(&tx->on_peer);
    tx->peer = NULL;
    struct a3mi_sender *sender = a3mi_sender_find(peer, tx->incarnation, false);

    if (sender != NULL) {
        a3mi_sender_refresh(assoc, sender);
    }
    return rest;
}

/* With all that it has to send. */
static bool is_lined_up(const struct a3mi_tx *tx)
{
    return (a3mi_fifo_empty(&tx->queue) || a3mi_list_linked(&tx->ready)) &&
           (!tx->credit_waiting || a3mi_list_linked(&tx->grant));
}

int a3mi_tx_line_up(struct a3mi_assoc *assoc, struct a3mi_tx *tx)
{
    if (tx->peer->is_self) {
        if (!a3mi_list_linked(&tx->ready)) {
            a3mi_list_push_back(&assoc->loopback.ready, &tx->ready);
        }
        return 0;
    }
    if (is_lined_up(tx)) {
        return 0;
    }
    struct a3mi_sender *sender = a3mi_sender_obtain(assoc, tx->peer, tx->incarnation);

    if (sender == NULL) {
        return a3mi_fail_plain(A3M_ENOMEM);
    }
    a3mi_sender_add(assoc, sender, tx);
    return 0;
}

void a3mi_assoc_send(struct a3mi_assoc *assoc, struct a3mi_tx *tx, a3m_msg *msg, int64_t now)
{
    if (tx->peer == NULL) {
        a3m_msg_free(msg);
        return;
    }
    assoc->now = now;
    a3mi_fifo_push(&tx->queue, &msg->node);
    tx->queued_bytes += msg->size;
    (void)a3mi_tx_line_up(assoc, tx); /* without memory it waits until the next message */
}

int a3mi_assoc_credit(struct a3mi_assoc *assoc, struct a3mi_tx *tx, uint32_t epoch, uint64_t messages,
                      uint64_t bytes, int64_t now)
{
    if (tx->peer == NULL) {
        return a3mi_fail(A3M_ESTATE, "the channel is not attached");
    }
    assoc->now = now;
    tx->credit_waiting = true;
    tx->credit_epoch = epoch;
    tx->credit_messages = messages;
    tx->credit_bytes = bytes;
    return a3mi_tx_line_up(assoc, tx);
}

void a3mi_tx_ask(struct a3mi_assoc *assoc, struct a3mi_tx *tx, int64_t now)
{
    assoc->now = now;
    if (tx->peer == NULL || tx->peer->is_self) {
        return;
    }
    struct a3mi_sender *sender = a3mi_sender_obtain(assoc, tx->peer, tx->incarnation);

    if (sender != NULL) {
        a3mi_sender_ask(assoc, sender);
    }
}

size_t a3mi_peer_control_waiting(struct a3mi_peer *peer, uint64_t incarnation)
{
    const struct a3mi_sender *sender = a3mi_sender_find(peer, incarnation, false);

    return sender != NULL ? sender->control.queue.count : 0;
}

static int queue_control(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation, a3m_msg *msg)
{
    if (peer->is_self) {
        a3mi_fifo_push(&assoc->loopback.control, &msg->node);
        return 0;
    }
    struct a3mi_sender *sender = a3mi_sender_obtain(assoc, peer, incarnation);

    if (sender == NULL) {
        return a3mi_fail_plain(A3M_ENOMEM);
    }
    peer->control_to = sender->incarnation;
    a3mi_fifo_push(&sender->control.queue, &msg->node);
    sender->control.queued_bytes += msg->size;
    a3mi_sender_add(assoc, sender, &sender->control);
    return 0;
}

int a3mi_assoc_control(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation,
                       const void *bytes, size_t size, int64_t now)
{
    if (size > A3MI_CONTROL_MESSAGE_MAX) {
        return a3mi_fail(A3M_EINVAL, "a control message of %zu bytes is above the maximum of %u", size,
                         A3MI_CONTROL_MESSAGE_MAX);
    }
    assoc->now = now;
    if (peer->is_self ? incarnation != 0 && incarnation != assoc->config.incarnation
                      : a3mi_life_is_over(peer, incarnation)) {
        return a3mi_fail_plain(A3M_ERESTARTED);
    }
    if (peer->merged || (!peer->is_self && peer->addr.kind == A3M_ADDR_NONE)) {
        return a3mi_fail(A3M_ENOADDR, "no address is known for this node");
    }
    a3m_msg *msg = a3m_msg_copy(bytes, size);

    if (msg == NULL) {
        return a3mi_fail_plain(A3M_ENOMEM);
    }
    int result = queue_control(assoc, peer, incarnation, msg);

    if (result != 0) {
        a3m_msg_free(msg);
    }
    return result;
}

/* ---- Receiving ------------------------------------------------------------------ */

int a3mi_rx_attach(struct a3mi_assoc *assoc, struct a3mi_rx *rx, struct a3mi_peer *peer, uint64_t max_message)
{
    uint32_t index = assoc->last_index;

    do {
        index++;
    } while (index == 0 || a3mi_map64_get(&assoc->channels, index) != NULL);
    int result = a3mi_map64_put(&assoc->channels, index, rx);

    if (result != 0) {
        return result;
    }
    assoc->last_index = index;
    a3mi_rx_init(assoc, rx, index, max_message);
    rx->peer = peer;
    return 0;
}

void a3mi_rx_bind(struct a3mi_rx *rx, uint64_t incarnation)
{
    rx->incarnation = incarnation;
}

void a3mi_rx_detach(struct a3mi_assoc *assoc, struct a3mi_rx *rx)
{
    if (rx->peer == NULL) {
        return;
    }
    (void)a3mi_map64_del(&assoc->channels, rx->index);
    a3mi_rx_clear(assoc, rx);
    rx->peer = NULL;
    if (assoc->cached_rx == rx) {
        assoc->cached_rx = NULL; /* and the index stays, so that the rest of the unit finds nothing there */
    }
}
