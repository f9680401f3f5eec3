/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sending side of channels (core/channel.h): messages into frames. Control
 * messages go before grants, and grants before data, however much of it waits:
 * both are few and small. Of data each channel in turn gives up to a quantum of
 * bytes, so that a large message on one does not hold back the others. A message
 * that does not fit is split, unless only a small piece of it would fit.
 */
#include "core/channel.h"

#include <string.h>

#include "base/message.h"
#include "core/mutation.h"

/* A smaller piece of a message is not worth the frame: the unit is full. */
#define PIECE_MIN 128u

/* A unit being filled. */
struct packing {
    struct a3mi_assoc *assoc;
    struct a3mi_unit *unit;
    uint8_t *p, *end;
    uint32_t link; /* of the last DATA frame; meaningful once `next` is */
    uint64_t next; /* number that a NEXT frame would have; 0: no DATA frame that ended a message */
};

void a3mi_tx_init(struct a3mi_tx *tx, uint32_t index)
{
    *tx = (struct a3mi_tx){.index = index};
    a3mi_list_init(&tx->on_peer);
    a3mi_list_init(&tx->ready);
    a3mi_list_init(&tx->acked);
    a3mi_list_init(&tx->grant);
    a3mi_list_init(&tx->parts);
}

static size_t left(const struct packing *packing)
{
    return (size_t)(packing->end - packing->p);
}

static bool pack_credit(struct packing *packing, struct a3mi_tx *tx)
{
    if (left(packing) < A3MI_FRAME_CREDIT_SIZE) {
        return false;
    }
    struct a3mi_frame frame = {
        .credit_link = tx->index,
        .epoch = tx->credit_epoch,
        .credit_messages = tx->credit_messages,
        .credit_bytes = tx->credit_bytes,
    };

    packing->p = a3mi_frame_write_credit(packing->p, &frame);
    tx->credit_waiting = false;
    return true;
}

/* Copies `n` bytes of a message's wire form (properties, then data) from `offset`. */
static uint8_t *copy_bytes(uint8_t *p, const a3m_msg *msg, size_t props, size_t offset, size_t n)
{
    if (offset == 0 && props > 0) {
        a3mi_msg_props_write(msg, p);
        p += props;
        n -= props;
    } else {
        offset -= props;
    }
    if (n > 0) {
        memcpy(p, msg->data + offset, n);
    }
    return p + n;
}

/* The first message of the channel is wholly in units: it leaves. */
static void message_done(struct a3mi_assoc *assoc, struct a3mi_tx *tx)
{
    a3m_msg *msg = a3mi_container_of(a3mi_fifo_pop(&tx->queue), a3m_msg, node);

    tx->offset = 0;
    tx->packed++;
    tx->queued_bytes -= msg->size;
    if (tx->index == 0) {
        a3m_msg_free(msg);
        return;
    }
    assoc->stats.tx_messages++;
    assoc->hooks->packed(assoc->arg, tx, msg);
}

/* Bytes of the message's that go into this unit, with the flags of the frame; 0: none, begin another unit. */
static size_t piece(const struct packing *packing, const struct a3mi_tx *tx, size_t rest, size_t props,
                    uint8_t *flags)
{
    size_t room = left(packing);
    bool next = packing->next != 0 && packing->next == tx->packed && packing->link == tx->index;

    *flags = (uint8_t)((next ? A3MI_FRAME_NEXT : 0u) | (props > 0 ? A3MI_FRAME_PROPS : 0u) | A3MI_FRAME_LAST |
                       (tx->offset == 0 ? A3MI_FRAME_FIRST : 0u) | (tx->unordered ? A3MI_FRAME_FREE : 0u));
    size_t header = a3mi_frame_data_header(*flags);

    if (header + rest <= room) {
        return rest;
    }
    *flags &= (uint8_t)~A3MI_FRAME_LAST;
    header = a3mi_frame_data_header(*flags);
    if (room < header + PIECE_MIN + (tx->offset == 0 ? props : 0)) {
        return 0;
    }
    return room - header; /* below `rest`, as this header is no shorter than that of a last frame */
}

/*
 * One frame of the first message. False: the unit is full. *gone: the message
 * left, so that hooks were called and the channel may be detached.
 */
static bool pack_message(struct packing *packing, struct a3mi_tx *tx, bool *gone)
{
    struct a3mi_assoc *assoc = packing->assoc;
    const a3m_msg *msg = a3mi_container_of(a3mi_fifo_peek(&tx->queue), a3m_msg, node);
    size_t props = a3mi_msg_props_size(msg);
    size_t total = props + msg->size;
    uint8_t flags;
    size_t n = piece(packing, tx, total - tx->offset, props, &flags);

    *gone = false;
    if (n == 0 && total > 0) {
        return false;
    }
    if (total == 0 && left(packing) < a3mi_frame_data_header(flags)) {
        return false;
    }
    bool last = (flags & A3MI_FRAME_LAST) != 0;

    if (a3mi_unit_part(packing->unit, tx) == NULL) {
        return false;
    }
    struct a3mi_frame frame = {
        .flags = flags,
        .link = tx->index,
        .number = tx->packed,
        .offset = (uint32_t)tx->offset,
        .total = (uint32_t)total,
        .size = (uint32_t)n,
    };

    packing->p = copy_bytes(a3mi_frame_write_data(packing->p, &frame), msg, props, tx->offset, n);
    packing->link = tx->index;
    packing->next = last ? tx->packed + 1 : 0;
    tx->offset += n;
    if (last) {
        *gone = true;
        message_done(assoc, tx);
    }
    return true;
}

/* Whether a channel is still the first one: hooks may have detached it. */
static bool is_first(const struct a3mi_ready *ready, const struct a3mi_tx *tx)
{
    return ready->channels.next == &tx->ready;
}

/* Packs the first channel until it is empty, has used its quantum, or is gone. False: the unit is full. */
static bool pack_channel(struct packing *packing, struct a3mi_ready *ready, struct a3mi_tx *tx)
{
    bool gone;

    while (!a3mi_fifo_empty(&tx->queue) && ready->quantum > 0) {
        const uint8_t *before = packing->p;

        if (!pack_message(packing, tx, &gone)) {
            return false;
        }
        ready->quantum -= (int32_t)(packing->p - before);
        if (gone && !is_first(ready, tx)) {
            break;
        }
    }
    return true;
}

/* Control messages and grants. False: the unit is full. */
static bool pack_urgent(struct packing *packing, struct a3mi_ready *ready, struct a3mi_tx *control)
{
    struct a3mi_list *it;
    bool gone;

    while (!a3mi_fifo_empty(&control->queue)) {
        if (!pack_message(packing, control, &gone)) {
            return false;
        }
    }
    while ((it = a3mi_list_first(&ready->grants)) != NULL) {
        if (!pack_credit(packing, a3mi_container_of(it, struct a3mi_tx, grant))) {
            return false;
        }
        a3mi_list_remove(it);
    }
    return true;
}

/* Data of all channels in turn. False: the unit is full. */
static bool pack_data(struct packing *packing, struct a3mi_ready *ready)
{
    struct a3mi_list *it;
    bool full = false;

    while (!full && (it = a3mi_list_first(&ready->channels)) != NULL) {
        struct a3mi_tx *tx = a3mi_container_of(it, struct a3mi_tx, ready);

        full = !pack_channel(packing, ready, tx);
        if (!is_first(ready, tx)) {
            ready->quantum = A3MI_QUANTUM; /* it was detached */
            continue;
        }
        if (full) {
            break;
        }
        a3mi_list_remove(&tx->ready);
        if (!a3mi_fifo_empty(&tx->queue)) {
            a3mi_list_push_back(&ready->channels, &tx->ready);
        }
        ready->quantum = A3MI_QUANTUM;
    }
    return !full;
}

bool a3mi_channel_pack(struct a3mi_assoc *assoc, struct a3mi_ready *ready, struct a3mi_tx *control,
                       struct a3mi_unit *unit, size_t room)
{
    uint8_t *frames = a3mi_unit_frames(unit);
    struct packing packing = {.assoc = assoc, .unit = unit, .p = frames, .end = frames + room};
    bool more = A3MI_MUTATE(CONTROL_LAST, pack_data(&packing, ready),
                            pack_urgent(&packing, ready, control)) &&
                A3MI_MUTATE(CONTROL_LAST, pack_urgent(&packing, ready, control), pack_data(&packing, ready));

    unit->frames = (uint32_t)(packing.p - frames);
    return !more;
}

void a3mi_tx_drop_queue(struct a3mi_tx *tx)
{
    struct a3mi_fifo_node *node;

    while ((node = a3mi_fifo_pop(&tx->queue)) != NULL) {
        a3m_msg_free(a3mi_container_of(node, a3m_msg, node));
    }
    tx->offset = 0;
    tx->queued_bytes = 0;
    tx->credit_waiting = false;
    a3mi_list_remove(&tx->ready);
    a3mi_list_remove(&tx->grant);
    a3mi_list_remove(&tx->acked);
}

void a3mi_channel_report_acked(struct a3mi_assoc *assoc)
{
    struct a3mi_list *it;

    while ((it = a3mi_list_pop_front(&assoc->acked)) != NULL) {
        struct a3mi_tx *tx = a3mi_container_of(it, struct a3mi_tx, acked);
        uint64_t n = a3mi_unit_acked_below(tx) - tx->acknowledged;

        tx->acknowledged += n;
        if (tx->index != 0) {
            assoc->hooks->acknowledged(assoc->arg, tx, n);
        }
    }
}
