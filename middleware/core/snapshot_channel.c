/* SPDX-License-Identifier: Apache-2.0 */
/* Channels in a snapshot (core/snapshot.h): what waits in them, and what arrived in part. */
#include "core/snapshot.h"

#include <string.h>

#include <a3m/errors.h>

#include "base/message.h"

/* ---- Saved ------------------------------------------------------------------ */

void a3mi_save_sending(struct a3mi_saver *sv, const struct a3mi_tx *tx)
{
    a3mi_save_u64(sv, tx->offset);
    a3mi_save_u64(sv, tx->packed);
    a3mi_save_u64(sv, tx->acknowledged);
    a3mi_save_queue(sv, &tx->queue);
}

static uint64_t count_txs(const struct a3mi_assoc *assoc)
{
    uint64_t n = 0;

    A3MI_LIST_FOREACH (it, &assoc->peers) {
        A3MI_LIST_FOREACH (at, &a3mi_container_of(it, struct a3mi_peer, all)->txs) {
            n++;
        }
    }
    return n;
}

void a3mi_save_txs(struct a3mi_saver *sv)
{
    a3mi_save_u64(sv, count_txs(sv->assoc));
    A3MI_LIST_FOREACH (it, &sv->assoc->peers) {
        const struct a3mi_peer *peer = a3mi_container_of(it, struct a3mi_peer, all);

        A3MI_LIST_FOREACH (at, &peer->txs) {
            const struct a3mi_tx *tx = a3mi_container_of(at, struct a3mi_tx, on_peer);

            a3mi_save_u32(sv, peer->ordinal);
            a3mi_save_u64(sv, tx->incarnation);
            a3mi_save_u32(sv, tx->index);
            a3mi_save_u8(sv, tx->unordered);
            a3mi_save_u8(sv, tx->credit_waiting);
            a3mi_save_u32(sv, tx->credit_epoch);
            a3mi_save_u64(sv, tx->credit_messages);
            a3mi_save_u64(sv, tx->credit_bytes);
            a3mi_save_sending(sv, tx);
        }
    }
}

void a3mi_save_pieces(const struct a3mi_saver *sv, const struct a3mi_rx *rx)
{
    a3mi_save_ranges(sv, &rx->up);
    a3mi_save_u32(sv, rx->partial_count);
    A3MI_LIST_FOREACH (it, &rx->partial) {
        const struct a3mi_partial *partial = a3mi_container_of(it, struct a3mi_partial, list);

        a3mi_save_u64(sv, partial->number);
        a3mi_save_u8(sv, partial->props);
        a3mi_save_u8(sv, partial->free);
        a3mi_save_u64(sv, partial->total);
        a3mi_save_ranges(sv, &partial->have);
        a3mi_save_bytes(sv, partial->msg->data, partial->have.next);
        for (uint32_t i = 0; i < partial->have.count; i++) {
            const struct a3mi_range *range = &partial->have.v[i];

            a3mi_save_bytes(sv, partial->msg->data + range->first, range->end - range->first);
        }
    }
}

void a3mi_save_rxs(const struct a3mi_saver *sv)
{
    size_t it = 0;
    void *value;

    a3mi_save_u64(sv, a3mi_map64_count(&sv->assoc->channels));
    while (a3mi_map64_next(&sv->assoc->channels, &it, NULL, &value)) {
        const struct a3mi_rx *rx = value;

        a3mi_save_u32(sv, rx->peer->ordinal);
        a3mi_save_u32(sv, rx->index);
        a3mi_save_u64(sv, rx->incarnation);
        a3mi_save_u64(sv, rx->max_message);
        a3mi_save_pieces(sv, rx);
    }
}

/* ---- Restored --------------------------------------------------------------- */

void a3mi_restore_sending(struct a3mi_restorer *rs, struct a3mi_tx *tx)
{
    tx->offset = (size_t)a3mi_rd_u64(&rs->rd);
    tx->packed = a3mi_rd_u64(&rs->rd);
    tx->acknowledged = a3mi_rd_u64(&rs->rd);
    tx->queued_bytes = a3mi_restore_queue(rs, &tx->queue);
    struct a3mi_fifo_node *first = a3mi_fifo_peek(&tx->queue);
    size_t most = first != NULL ? a3mi_container_of(first, a3m_msg, node)->size + A3MI_PROPS_MAX : 0;

    if (tx->offset > most || tx->acknowledged > tx->packed) {
        a3mi_restore_fail(rs, A3M_EPROTO);
    }
}

void a3mi_restore_txs(struct a3mi_restorer *rs)
{
    uint64_t count = a3mi_rd_u64(&rs->rd);

    for (uint64_t i = 0; i < count && a3mi_restore_good(rs); i++) {
        struct a3mi_peer *peer = a3mi_restore_peer(rs);
        uint64_t incarnation = a3mi_rd_u64(&rs->rd);
        uint32_t index = a3mi_rd_u32(&rs->rd);
        struct a3mi_tx *tx = a3mi_restore_good(rs) && index != 0
                                 ? rs->hooks->tx(rs->assoc->arg, peer, incarnation, index)
                                 : NULL;

        if (tx == NULL) {
            a3mi_restore_fail(rs, A3M_EPROTO);
            return;
        }
        a3mi_tx_attach(rs->assoc, tx, peer, incarnation, index);
        tx->unordered = a3mi_restore_bool(rs);
        tx->credit_waiting = a3mi_restore_bool(rs);
        tx->credit_epoch = a3mi_rd_u32(&rs->rd);
        tx->credit_messages = a3mi_rd_u64(&rs->rd);
        tx->credit_bytes = a3mi_rd_u64(&rs->rd);
        a3mi_restore_sending(rs, tx);
    }
}

static void get_bytes(struct a3mi_restorer *rs, a3m_msg *msg, uint64_t first, uint64_t end)
{
    const uint8_t *bytes = end <= msg->size ? a3mi_rd_bytes(&rs->rd, (size_t)(end - first)) : NULL;

    if (end > first && bytes == NULL) {
        a3mi_restore_fail(rs, A3M_EPROTO);
    } else if (end > first) {
        memcpy(msg->data + first, bytes, (size_t)(end - first));
    }
}

static void get_partial(struct a3mi_restorer *rs, struct a3mi_rx *rx)
{
    uint64_t number = a3mi_rd_u64(&rs->rd);
    bool props = a3mi_restore_bool(rs);
    bool free = a3mi_restore_bool(rs);
    uint64_t size = a3mi_rd_u64(&rs->rd);

    if (!a3mi_restore_good(rs) || size > rx->max_message + A3MI_PROPS_MAX || size > UINT32_MAX ||
        a3mi_ranges_has(&rx->up, number) || a3mi_map64_get(&rx->by_number, number) != NULL) {
        a3mi_restore_fail(rs, A3M_EPROTO);
        return;
    }
    size_t room = size < A3MI_PIECES_ROOM ? (size_t)size : A3MI_PIECES_ROOM;
    struct a3mi_partial *partial = a3mi_partial_add(rs->assoc, rx, number, (uint32_t)size, room, props, free);

    if (partial == NULL) {
        a3mi_restore_fail(rs, A3M_ENOMEM);
        return;
    }
    if (a3mi_restore_ranges(rs, &partial->have, A3MI_RANGES_BLOCK)) {
        if (!a3mi_partial_enlarge(rs->assoc, rx, partial, a3mi_ranges_end(&partial->have))) {
            a3mi_restore_fail(rs, A3M_ENOMEM);
        }
        get_bytes(rs, partial->msg, 0, partial->have.next);
        for (uint32_t i = 0; i < partial->have.count && a3mi_restore_good(rs); i++) {
            get_bytes(rs, partial->msg, partial->have.v[i].first, partial->have.v[i].end);
        }
    }
}

void a3mi_restore_pieces(struct a3mi_restorer *rs, struct a3mi_rx *rx)
{
    if (!a3mi_restore_ranges(rs, &rx->up, A3MI_UP_MAX)) {
        return;
    }
    uint32_t count = a3mi_rd_u32(&rs->rd);

    for (uint32_t i = 0; i < count && a3mi_restore_good(rs); i++) {
        get_partial(rs, rx);
    }
}

void a3mi_restore_rxs(struct a3mi_restorer *rs)
{
    uint64_t count = a3mi_rd_u64(&rs->rd);

    for (uint64_t i = 0; i < count && a3mi_restore_good(rs); i++) {
        struct a3mi_peer *peer = a3mi_restore_peer(rs);
        uint32_t index = a3mi_rd_u32(&rs->rd);
        uint64_t incarnation = a3mi_rd_u64(&rs->rd);
        uint64_t max_message = a3mi_rd_u64(&rs->rd);
        bool fresh = a3mi_restore_good(rs) && index != 0 &&
                     a3mi_map64_get(&rs->assoc->channels, index) == NULL;
        struct a3mi_rx *rx = fresh ? rs->hooks->rx(rs->assoc->arg, peer, index) : NULL;

        if (rx == NULL) {
            a3mi_restore_fail(rs, A3M_EPROTO);
            return;
        }
        a3mi_rx_init(rs->assoc, rx, index, max_message);
        if (a3mi_map64_put(&rs->assoc->channels, index, rx) != 0) {
            a3mi_restore_fail(rs, A3M_ENOMEM);
            return;
        }
        rx->peer = peer;
        rx->incarnation = incarnation;
        a3mi_restore_pieces(rs, rx);
    }
}
