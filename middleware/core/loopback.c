/* SPDX-License-Identifier: Apache-2.0 */
/* The peer that is this node (core/loopback.h). */
#include "core/loopback.h"

#include <string.h>

#include "base/message.h"
#include "core/channel.h"

void a3mi_loopback_init(struct a3mi_assoc *assoc)
{
    assoc->loopback = (struct a3mi_loopback){0};
    a3mi_list_init(&assoc->loopback.ready);
}

bool a3mi_loopback_pending(const struct a3mi_assoc *assoc)
{
    return !a3mi_list_empty(&assoc->loopback.ready) || !a3mi_fifo_empty(&assoc->loopback.control);
}

static void run_control(struct a3mi_assoc *assoc)
{
    struct a3mi_fifo waiting = assoc->loopback.control;
    struct a3mi_fifo_node *node;

    a3mi_fifo_init(&assoc->loopback.control);
    while ((node = a3mi_fifo_pop(&waiting)) != NULL) {
        a3m_msg *msg = a3mi_container_of(node, a3m_msg, node);

        assoc->hooks->control(assoc->arg, assoc->loopback.peer, assoc->config.incarnation, msg->data,
                              msg->size);
        a3m_msg_free(msg);
    }
}

/* The channel of this node that an index stands for; NULL. */
static struct a3mi_rx *find(struct a3mi_assoc *assoc, uint32_t index)
{
    struct a3mi_origin origin = {.peer = assoc->loopback.peer, .incarnation = assoc->config.incarnation};

    return a3mi_channel_find(assoc, &origin, index);
}

/*
 * The receiver gets a copy: it may write to its message while the sender still
 * has views of its own on the bytes. NULL: no memory.
 */
static a3m_msg *copy(const a3m_msg *msg)
{
    a3m_msg *out = a3m_msg_copy(msg->data, msg->size);
    uint64_t correlation;

    if (out != NULL && a3m_msg_correlation(msg, &correlation)) {
        a3m_msg_set_correlation(out, correlation);
    }
    if (out != NULL) {
        out->flags |= msg->flags & A3MI_MSG_ASKS_TAKEN;
    }
    return out;
}

/* Hands the first message of the channel over. False: no memory, later. */
static bool run_message(struct a3mi_assoc *assoc, struct a3mi_tx *tx)
{
    a3m_msg *msg = a3mi_container_of(a3mi_fifo_peek(&tx->queue), a3m_msg, node);
    struct a3mi_rx *rx = find(assoc, tx->index);
    a3m_msg *copied = NULL;

    if (rx != NULL) {
        copied = copy(msg);
        if (copied == NULL) {
            return false;
        }
        rx->incarnation = assoc->config.incarnation;
        copied->number = rx->up.next++;
        assoc->stats.rx_messages++;
    } else {
        assoc->stats.orphaned++; /* ended by force at the other end, or closed: as with any peer */
    }
    (void)a3mi_fifo_pop(&tx->queue);
    tx->queued_bytes -= msg->size;
    tx->packed++;
    assoc->stats.tx_messages++;
    assoc->hooks->packed(assoc->arg, tx, msg);
    if (copied != NULL) {
        /* `packed` may have detached either. */
        if (find(assoc, rx->index) == rx) {
            assoc->hooks->message(assoc->arg, rx, copied);
        } else {
            assoc->stats.orphaned++;
            a3m_msg_free(copied);
        }
    }
    if (assoc->loopback.current == tx) {
        tx->acknowledged++;
        assoc->hooks->acknowledged(assoc->arg, tx, 1);
    }
    return true;
}

static void run_credit(struct a3mi_assoc *assoc, struct a3mi_tx *tx)
{
    struct a3mi_rx *rx = find(assoc, tx->index);

    tx->credit_waiting = false;
    if (rx != NULL) {
        assoc->hooks->credit(assoc->arg, rx, tx->credit_epoch, tx->credit_messages, tx->credit_bytes);
    }
}

static void run_channel(struct a3mi_assoc *assoc, struct a3mi_tx *tx)
{
    size_t messages = tx->queue.count;

    assoc->loopback.current = tx;
    if (tx->credit_waiting) {
        run_credit(assoc, tx);
    }
    while (assoc->loopback.current == tx && messages > 0 && run_message(assoc, tx)) {
        messages--;
    }
    if (assoc->loopback.current == tx && (!a3mi_fifo_empty(&tx->queue) || tx->credit_waiting) &&
        !a3mi_list_linked(&tx->ready)) {
        a3mi_list_push_back(&assoc->loopback.ready, &tx->ready);
    }
    assoc->loopback.current = NULL;
}

void a3mi_loopback_run(struct a3mi_assoc *assoc)
{
    struct a3mi_list waiting;
    struct a3mi_list *it;

    if (!a3mi_loopback_pending(assoc)) {
        return;
    }
    run_control(assoc);
    a3mi_list_init(&waiting);
    a3mi_list_splice_back(&waiting, &assoc->loopback.ready);
    while ((it = a3mi_list_pop_front(&waiting)) != NULL) {
        run_channel(assoc, a3mi_container_of(it, struct a3mi_tx, ready));
    }
}

void a3mi_loopback_fini(struct a3mi_assoc *assoc)
{
    struct a3mi_fifo_node *node;

    while ((node = a3mi_fifo_pop(&assoc->loopback.control)) != NULL) {
        a3m_msg_free(a3mi_container_of(node, a3m_msg, node));
    }
    while (a3mi_list_pop_front(&assoc->loopback.ready) != NULL) {}
}
