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
    /* What a callback sends goes out by itself: the call that it interrupts may be waiting, for long. */
    const struct a3mi_hold bundled = a3mi_hold_suspend();
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
    a3mi_hold_resume(bundled);
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

void a3mi_receipts_init(struct a3mi_receipts *receipts)
{
    a3mi_list_init(&receipts->sent);
    a3mi_list_init(&receipts->accepted);
    a3mi_buckets_init(&receipts->waiting);
    receipts->count = 0;
    receipts->said = 0;
}

void a3mi_receipts_fini(struct a3mi_receipts *receipts)
{
    a3mi_buckets_fini(&receipts->waiting);
}

static bool asks_taken(const struct a3mi_receipt *receipt)
{
    return (receipt->kinds & A3M_RECEIPT_TAKEN) != 0;
}

static struct a3mi_receipt *in_list(struct a3mi_list *it)
{
    return it != NULL ? a3mi_container_of(it, struct a3mi_receipt, list) : NULL;
}

void a3mi_receipts_put(struct a3mi_link *link, a3m_msg *msg, uint64_t number)
{
    struct a3mi_receipt *receipt = msg->receipt;
    msg->receipt = NULL;
    receipt->number = number;
    a3mi_list_init(&receipt->list);
    a3mi_list_init(&receipt->by_number.list);
    a3mi_list_push_back(&link->receipts.sent, &receipt->list);
    link->receipts.count++;
    if (asks_taken(receipt)) {
        a3mi_buckets_add(&link->receipts.waiting, &receipt->by_number, number);
    }
}

/* It is the caller's from here on. */
static void take_out(struct a3mi_receipts *receipts, struct a3mi_receipt *receipt)
{
    a3mi_list_remove(&receipt->list);
    a3mi_buckets_remove(&receipts->waiting, &receipt->by_number);
    receipts->count--;
}

/* Tells that a message is accepted, if somebody wants to know; `last`: it is gone then. */
static void tell_accepted(struct a3mi_link *link, struct a3mi_receipt *receipt, bool last)
{
    const a3m_receipt what = {.kind = A3M_RECEIPT_ACCEPTED, .last = last, .accepted = true};
    if ((receipt->kinds & A3M_RECEIPT_ACCEPTED) != 0) {
        tell(link->socket, link, receipt, &what);
    }
}

void a3mi_receipts_accept(struct a3mi_link *link, uint64_t end)
{
    struct a3mi_receipts *receipts = &link->receipts;
    struct a3mi_receipt *receipt;
    while ((receipt = in_list(a3mi_list_first(&receipts->sent))) != NULL && receipt->number < end) {
        if (asks_taken(receipt)) {
            a3mi_list_remove(&receipt->list);
            a3mi_list_push_back(&receipts->accepted, &receipt->list);
            tell_accepted(link, receipt, false);
        } else {
            take_out(receipts, receipt);
            tell_accepted(link, receipt, true);
        }
    }
}

/* A message is taken that waits for it. */
static void take(struct a3mi_link *link, struct a3mi_receipt *receipt)
{
    take_out(&link->receipts, receipt);
    if (receipt->number >= link->acknowledged) { /* this overtook its acknowledgement */
        tell_accepted(link, receipt, false);
    }
    tell_end(link->socket, link, receipt, A3M_RECEIPT_TAKEN, true, A3M_OK);
}

static struct a3mi_receipt *find(struct a3mi_receipts *receipts, uint64_t number)
{
    A3MI_LIST_FOREACH (it, a3mi_buckets_at(&receipts->waiting, number)) {
        struct a3mi_receipt *receipt = a3mi_container_of(it, struct a3mi_receipt, by_number.list);
        if (receipt->number == number) {
            return receipt;
        }
    }
    return NULL;
}

/* Takes those of a list that are in the range. */
static void take_of(struct a3mi_link *link, struct a3mi_list *list, const struct a3mi_numbers *range)
{
    A3MI_LIST_FOREACH_SAFE (it, next, list) {
        struct a3mi_receipt *receipt = in_list(it);
        if (receipt->number >= range->end) {
            return;
        }
        if (receipt->number >= range->first && asks_taken(receipt)) {
            take(link, receipt);
        }
    }
}

static void take_range(struct a3mi_link *link, const struct a3mi_numbers *range)
{
    if (range->end - range->first > link->receipts.count) {
        take_of(link, &link->receipts.accepted, range);
        take_of(link, &link->receipts.sent, range);
        return;
    }
    for (uint64_t number = range->first; number < range->end; number++) {
        struct a3mi_receipt *receipt = find(&link->receipts, number);
        if (receipt != NULL) {
            take(link, receipt);
        }
    }
}

bool a3mi_receipts_take(struct a3mi_link *link, const struct a3mi_control *control)
{
    uint64_t said = link->receipts.said;
    if (control->range_count == 0 || control->ranges[control->range_count - 1].end > link->sent) {
        return false;
    }
    for (size_t i = 0; i < control->range_count; i++) {
        said += control->ranges[i].end - control->ranges[i].first;
    }
    if (said > link->sent) {
        return false;
    }
    link->receipts.said = said;
    for (size_t i = 0; i < control->range_count; i++) {
        take_range(link, &control->ranges[i]);
    }
    return true;
}

void a3mi_receipts_end(struct a3mi_link *link, uint64_t transmitted)
{
    struct a3mi_receipts *receipts = &link->receipts;
    int reason = link->reason != A3M_OK ? link->reason : A3M_ENOLINK;
    struct a3mi_receipt *receipt;
    while ((receipt = in_list(a3mi_list_first(&receipts->accepted))) != NULL) {
        take_out(receipts, receipt);
        tell_end(link->socket, link, receipt, A3M_RECEIPT_UNKNOWN, true, reason);
    }
    while ((receipt = in_list(a3mi_list_first(&receipts->sent))) != NULL) {
        bool may_have = receipt->number < transmitted;
        take_out(receipts, receipt);
        tell_end(link->socket, link, receipt, may_have ? A3M_RECEIPT_UNKNOWN : A3M_RECEIPT_UNDELIVERED, false,
                 reason);
    }
    receipts->said = 0;
}

void a3mi_receipt_drop(struct a3m_base *socket, a3m_msg *msg, int reason)
{
    struct a3mi_receipt *receipt = msg->receipt;
    msg->receipt = NULL;
    if (receipt != NULL) {
        tell_end(socket, NULL, receipt, A3M_RECEIPT_UNDELIVERED, false, reason);
    }
}
