/* SPDX-License-Identifier: Apache-2.0 */
#include "node/receipt.h"

#include <stdlib.h>

#include "node/node.h"

/* Told in a row by one thread, which has a call of its own to get on with. */
#define TELL_MOST 256

/* ---- Telling ---------------------------------------------------------------------- */

/* The receipt that a tiding is of. */
static struct a3mi_receipt *owner(struct a3mi_tiding *tiding)
{
    return tiding->receipt.last ? a3mi_container_of(tiding, struct a3mi_receipt, last)
                                : a3mi_container_of(tiding, struct a3mi_receipt, first);
}

/* [tidings, let go meanwhile] Tells up to `most`. A callback that waited would hold up all others. */
static void tell_some(struct a3mi_node *node, size_t most)
{
    struct a3mi_tidings *tidings = &node->tidings;
    struct a3mi_fifo_node *it;
    const struct a3mi_reader *before = a3mi_reader_forbid_waits(node->reader);
    tidings->telling = true;
    while (most-- > 0 && (it = a3mi_fifo_pop(&tidings->queue)) != NULL) {
        struct a3mi_tiding *tiding = a3mi_container_of(it, struct a3mi_tiding, node);
        struct a3mi_receipt *receipt = owner(tiding);
        bool last = tiding->receipt.last;
        pthread_mutex_unlock(&tidings->lock);
        receipt->told(receipt->arg, &tiding->receipt);
        if (last) {
            free(receipt);
        }
        pthread_mutex_lock(&tidings->lock);
    }
    tidings->telling = false;
    (void)a3mi_reader_forbid_waits(before);
    atomic_store_explicit(&tidings->waiting, !a3mi_fifo_empty(&tidings->queue), memory_order_relaxed);
}

/* After a turn. */
static void tell_after(struct a3mi_node *node, struct a3mi_after *after)
{
    struct a3mi_tidings *tidings = a3mi_container_of(after, struct a3mi_tidings, after);
    pthread_mutex_lock(&tidings->lock);
    tidings->noted = false;
    if (!tidings->telling) {
        tell_some(node, TELL_MOST);
    }
    bool more = !tidings->telling && !a3mi_fifo_empty(&tidings->queue);
    pthread_mutex_unlock(&tidings->lock);
    if (more) {
        a3mi_reader_signal(node->reader); /* its turn notes the rest */
    }
}

void a3mi_tidings_turn(struct a3mi_node *node, struct a3mi_turn *turn)
{
    struct a3mi_tidings *tidings = &node->tidings;
    if (atomic_load_explicit(&tidings->waiting, memory_order_relaxed) == 0) {
        return;
    }
    pthread_mutex_lock(&tidings->lock);
    if (!tidings->noted && !tidings->telling && !a3mi_fifo_empty(&tidings->queue)) {
        tidings->noted = true;
        tidings->after.run = tell_after;
        a3mi_turn_add_after(turn, &tidings->after);
    }
    pthread_mutex_unlock(&tidings->lock);
}

void a3mi_tidings_tell(struct a3mi_node *node)
{
    pthread_mutex_lock(&node->tidings.lock);
    tell_some(node, SIZE_MAX);
    pthread_mutex_unlock(&node->tidings.lock);
}

static void add(struct a3mi_tidings *tidings, struct a3mi_tiding *tiding)
{
    pthread_mutex_lock(&tidings->lock);
    a3mi_fifo_push(&tidings->queue, &tiding->node);
    atomic_store_explicit(&tidings->waiting, 1, memory_order_relaxed);
    pthread_mutex_unlock(&tidings->lock);
}

/* [socket] The receipt is gone afterwards when this is the last of it. `link` NULL: of none. */
static void tell(struct a3m_base *socket, const struct a3mi_link *link, struct a3mi_receipt *receipt,
                 const a3m_receipt *what)
{
    struct a3mi_tiding *tiding = what->last ? &receipt->last : &receipt->first;
    tiding->receipt = *what;
    tiding->receipt.size = sizeof(tiding->receipt);
    tiding->receipt.id = receipt->id;
    tiding->receipt.link.v = link != NULL ? link->handle : 0;
    tiding->receipt.when = a3m_now();
    if (receipt->told != NULL) {
        add(&socket->node->tidings, tiding);
        return;
    }
    a3mi_event_log_add_receipt(socket, link, &tiding->receipt);
    if (what->last) {
        free(receipt);
    }
}

static void tell_end(struct a3m_base *socket, const struct a3mi_link *link, struct a3mi_receipt *receipt,
                     a3m_receipt_kind kind, bool accepted, int reason)
{
    const a3m_receipt what = {.kind = kind, .last = true, .accepted = accepted, .reason = reason};
    tell(socket, link, receipt, &what);
}

/* ---- A link's ------------------------------------------------------------------------ */

static struct a3mi_receipt *first(const struct a3mi_fifo *queue)
{
    struct a3mi_fifo_node *node = a3mi_fifo_peek(queue);
    return node != NULL ? a3mi_container_of(node, struct a3mi_receipt, node) : NULL;
}

void a3mi_receipts_put(struct a3mi_link *link, a3m_msg *msg, uint64_t number)
{
    struct a3mi_receipt *receipt = msg->receipt;
    msg->receipt = NULL;
    receipt->number = number;
    a3mi_fifo_push(&link->receipts.sent, &receipt->node);
}

/* Tells that a message is accepted, if somebody wants to know. True: that was the last of it. */
static bool tell_accepted(struct a3mi_link *link, struct a3mi_receipt *receipt)
{
    bool last = (receipt->kinds & A3M_RECEIPT_TAKEN) == 0;
    const a3m_receipt what = {.kind = A3M_RECEIPT_ACCEPTED, .last = last, .accepted = true};
    if ((receipt->kinds & A3M_RECEIPT_ACCEPTED) != 0) {
        tell(link->socket, link, receipt, &what);
    }
    return last;
}

void a3mi_receipts_accept(struct a3mi_link *link, uint64_t end)
{
    struct a3mi_receipt *receipt;
    while ((receipt = first(&link->receipts.sent)) != NULL && receipt->number < end) {
        (void)a3mi_fifo_pop(&link->receipts.sent);
        if (!tell_accepted(link, receipt)) {
            a3mi_fifo_push(&link->receipts.accepted, &receipt->node);
        }
    }
}

/* Takes the receipts of these messages, which wait for it, out of a queue, and tells them. */
static void take_of(struct a3mi_link *link, struct a3mi_fifo *queue, bool accepted,
                    const struct a3mi_control *control)
{
    struct a3mi_fifo rest;
    struct a3mi_receipt *receipt;
    size_t i = 0;
    a3mi_fifo_init(&rest);
    while (i < control->range_count && (receipt = first(queue)) != NULL) {
        const struct a3mi_numbers *range = &control->ranges[i];
        if (receipt->number >= range->end) {
            i++;
            continue;
        }
        (void)a3mi_fifo_pop(queue);
        if (receipt->number < range->first || (receipt->kinds & A3M_RECEIPT_TAKEN) == 0) {
            a3mi_fifo_push(&rest, &receipt->node);
            continue;
        }
        if (!accepted) { /* what one message taken tells of it overtook its acknowledgement */
            (void)tell_accepted(link, receipt);
        }
        tell_end(link->socket, link, receipt, A3M_RECEIPT_TAKEN, true, A3M_OK);
    }
    a3mi_fifo_splice_front(queue, &rest);
}

bool a3mi_receipts_take(struct a3mi_link *link, const struct a3mi_control *control)
{
    if (control->range_count == 0 || control->ranges[control->range_count - 1].end > link->sent) {
        return false;
    }
    take_of(link, &link->receipts.accepted, true, control);
    take_of(link, &link->receipts.sent, false, control);
    return true;
}

void a3mi_receipts_end(struct a3mi_link *link, uint64_t transmitted)
{
    int reason = link->reason != A3M_OK ? link->reason : A3M_ENOLINK;
    struct a3mi_fifo_node *node;
    while ((node = a3mi_fifo_pop(&link->receipts.accepted)) != NULL) {
        tell_end(link->socket, link, a3mi_container_of(node, struct a3mi_receipt, node), A3M_RECEIPT_UNKNOWN,
                 true, reason);
    }
    while ((node = a3mi_fifo_pop(&link->receipts.sent)) != NULL) {
        struct a3mi_receipt *receipt = a3mi_container_of(node, struct a3mi_receipt, node);
        bool may_have = receipt->number < transmitted;
        tell_end(link->socket, link, receipt, may_have ? A3M_RECEIPT_UNKNOWN : A3M_RECEIPT_UNDELIVERED, false,
                 reason);
    }
}

void a3mi_receipt_drop(struct a3m_base *socket, a3m_msg *msg, int reason)
{
    struct a3mi_receipt *receipt = msg->receipt;
    msg->receipt = NULL;
    if (receipt != NULL) {
        tell_end(socket, NULL, receipt, A3M_RECEIPT_UNDELIVERED, false, reason);
    }
}
