/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot of an association (a3mi_assoc_save), read by restore.c:
 *
 *   header    magic, id, incarnation, key, clock, dropped, numbers
 *   peers     id, address, incarnations known
 *   channels  sending ones with their queues, receiving ones with their pieces
 *   senders   with their units
 *   receivers that are proven, with what they have
 *   messages  of link control between this node's own sockets
 *
 * Integers are big-endian; a list is its count and its entries. Times are
 * relative to the time of saving.
 */
#include "core/snapshot.h"

#include <string.h>

#include "base/cursor.h"
#include "base/message.h"
#include "core/gate.h"
#include "core/receiver.h"
#include "core/sender.h"

struct saver {
    struct a3mi_assoc *assoc;
    const struct a3mi_sink *sink;
    uint32_t spans;
};

/* ---- Values ------------------------------------------------------------------ */

static void put(const struct saver *sv, const void *bytes, size_t size)
{
    if (size > 0) {
        sv->sink->put(sv->sink->arg, bytes, size);
    }
}

static void put_u8(const struct saver *sv, unsigned v)
{
    uint8_t byte = (uint8_t)v;

    put(sv, &byte, 1);
}

static void put_u32(const struct saver *sv, uint32_t v)
{
    uint8_t bytes[4];

    a3mi_store_be32(bytes, v);
    put(sv, bytes, sizeof(bytes));
}

static void put_u64(const struct saver *sv, uint64_t v)
{
    uint8_t bytes[8];

    a3mi_store_be64(bytes, v);
    put(sv, bytes, sizeof(bytes));
}

static void put_name(const struct saver *sv, const struct a3mi_name *name)
{
    put_u8(sv, name->len);
    put(sv, name->s, name->len);
}

static void put_addr(const struct saver *sv, const struct a3m_addr *addr)
{
    put_u8(sv, addr->kind);
    put_u8(sv, addr->len);
    put(sv, addr->b, addr->len);
}

static void put_ranges(const struct saver *sv, const struct a3mi_ranges *ranges)
{
    put_u64(sv, ranges->next);
    put_u32(sv, ranges->count);
    for (uint32_t i = 0; i < ranges->count; i++) {
        put_u64(sv, ranges->v[i].first);
        put_u64(sv, ranges->v[i].end);
    }
}

static void put_message(const struct saver *sv, const a3m_msg *msg)
{
    uint64_t correlation = 0;

    put_u8(sv, a3m_msg_correlation(msg, &correlation));
    put_u64(sv, correlation);
    put_u64(sv, msg->size);
    put(sv, msg->data, msg->size);
}

static void put_queue(const struct saver *sv, const struct a3mi_fifo *queue)
{
    put_u64(sv, queue->count);
    for (struct a3mi_fifo_node *it = queue->head; it != NULL; it = it->next) {
        put_message(sv, a3mi_container_of(it, a3m_msg, node));
    }
}

/* ---- Peers ------------------------------------------------------------------- */

static void put_lives(const struct saver *sv, const struct a3mi_peer *peer)
{
    put_u8(sv, peer->lives_count);
    for (unsigned i = 0; i < peer->lives_count; i++) {
        const struct a3mi_life *life = &peer->lives[i];

        put_u64(sv, life->incarnation);
        put_u64(sv, life->first_seen);
        put_u64(sv, life->ended_at);
        put_u8(sv, life->owed);
        put_u64(sv, life->duplicate_until == 0 ? 0 : (uint64_t)(life->duplicate_until - sv->assoc->now));
    }
}

static void put_peers(const struct saver *sv)
{
    uint32_t ordinal = 0;

    put_u64(sv, sv->assoc->stats.peers);
    A3MI_LIST_FOREACH (it, &sv->assoc->peers) {
        struct a3mi_peer *peer = a3mi_container_of(it, struct a3mi_peer, all);

        peer->ordinal = ordinal++;
        put_name(sv, &peer->id);
        put_addr(sv, &peer->addr);
        put_u8(sv, peer->at_addr);
        put_lives(sv, peer);
    }
}

/* ---- Channels ------------------------------------------------------------------ */

static uint32_t span_id(struct saver *sv, struct a3mi_span *span)
{
    if (span == NULL) {
        return 0;
    }
    if (span->id == 0) {
        span->id = ++sv->spans;
    }
    return span->id;
}

/* What a sender's own channel and a link's have in common. */
static void put_sending(struct saver *sv, const struct a3mi_tx *tx)
{
    put_u64(sv, tx->offset);
    put_u64(sv, tx->packed);
    put_u64(sv, tx->acknowledged);
    put_u32(sv, span_id(sv, tx->span));
    put_queue(sv, &tx->queue);
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

static void put_txs(struct saver *sv)
{
    put_u64(sv, count_txs(sv->assoc));
    A3MI_LIST_FOREACH (it, &sv->assoc->peers) {
        const struct a3mi_peer *peer = a3mi_container_of(it, struct a3mi_peer, all);

        A3MI_LIST_FOREACH (at, &peer->txs) {
            const struct a3mi_tx *tx = a3mi_container_of(at, struct a3mi_tx, on_peer);

            put_u32(sv, peer->ordinal);
            put_u64(sv, tx->incarnation);
            put_u32(sv, tx->index);
            put_u8(sv, tx->unordered);
            put_u8(sv, tx->credit_waiting);
            put_u32(sv, tx->credit_epoch);
            put_u64(sv, tx->credit_messages);
            put_u64(sv, tx->credit_bytes);
            put_sending(sv, tx);
        }
    }
}

static void put_pieces(const struct saver *sv, const struct a3mi_rx *rx)
{
    put_ranges(sv, &rx->up);
    put_u32(sv, rx->partial_count);
    A3MI_LIST_FOREACH (it, &rx->partial) {
        const struct a3mi_partial *partial = a3mi_container_of(it, struct a3mi_partial, list);

        put_u64(sv, partial->number);
        put_u8(sv, partial->props);
        put_u8(sv, partial->free);
        put_u64(sv, partial->total);
        put_ranges(sv, &partial->have);
        put(sv, partial->msg->data, partial->have.next);
        for (uint32_t i = 0; i < partial->have.count; i++) {
            const struct a3mi_range *range = &partial->have.v[i];

            put(sv, partial->msg->data + range->first, range->end - range->first);
        }
    }
}

static void put_rxs(const struct saver *sv)
{
    size_t it = 0;
    void *value;

    put_u64(sv, a3mi_map64_count(&sv->assoc->channels));
    while (a3mi_map64_next(&sv->assoc->channels, &it, NULL, &value)) {
        const struct a3mi_rx *rx = value;

        put_u32(sv, rx->peer->ordinal);
        put_u32(sv, rx->index);
        put_u64(sv, rx->incarnation);
        put_u64(sv, rx->max_message);
        put_pieces(sv, rx);
    }
}

/* ---- Senders ---------------------------------------------------------------------- */

static void put_unit(struct saver *sv, struct a3mi_unit *unit)
{
    unsigned parts = 0;

    put_u8(sv, unit->flags);
    put_u8(sv, unit->count);
    put_u32(sv, unit->frames);
    put(sv, a3mi_unit_frames(unit), unit->frames);
    for (unsigned i = 0; i < unit->parts_count; i++) {
        parts += unit->parts[i].tx != NULL;
    }
    put_u8(sv, parts);
    for (unsigned i = 0; i < unit->parts_count; i++) {
        const struct a3mi_part *part = &unit->parts[i];

        if (part->tx == NULL) {
            continue;
        }
        put_u32(sv, part->tx->index);
        put_u32(sv, part->messages);
        put_u32(sv, span_id(sv, part->head));
        put_u32(sv, span_id(sv, part->tail));
    }
}

static void put_sender(struct saver *sv, struct a3mi_sender *sender)
{
    put_u32(sv, sender->peer->ordinal);
    put_u64(sv, sender->incarnation);
    put_u8(sv, sender->state);
    put_u8(sv, sender->accepted_any);
    put_u8(sv, sender->afresh);
    put_u64(sv, sender->order);
    put_u64(sv, sender->r);
    put_u64(sv, sender->limit);
    put_u64(sv, sender->first_number);
    put_u64(sv, sender->last_number);
    put_addr(sv, &sender->path.addr);
    put_u64(sv, sender->path.newest);
    put_sending(sv, &sender->control);
    put_u64(sv, sender->acked);
    put_u64(sv, sender->next);
    for (uint64_t seq = sender->acked; seq != sender->next; seq++) {
        struct a3mi_unit *unit = a3mi_ring_get(&sender->ring, seq);

        put_u8(sv, unit != NULL);
        if (unit != NULL) {
            put_unit(sv, unit);
        }
    }
}

static void put_senders(struct saver *sv)
{
    put_u64(sv, sv->assoc->stats.senders);
    A3MI_LIST_FOREACH (it, &sv->assoc->peers) {
        const struct a3mi_peer *peer = a3mi_container_of(it, struct a3mi_peer, all);

        A3MI_LIST_FOREACH (at, &peer->senders) {
            put_sender(sv, a3mi_container_of(at, struct a3mi_sender, on_peer));
        }
    }
}

/* ---- Receivers ---------------------------------------------------------------------- */

static void put_receiver(const struct saver *sv, const struct a3mi_receiver *receiver)
{
    put_u32(sv, receiver->peer->ordinal);
    put_u64(sv, receiver->incarnation);
    put_u64(sv, receiver->s);
    put_u64(sv, receiver->order);
    put_u64(sv, receiver->clock);
    put_u8(sv, receiver->afresh);
    put_u8(sv, receiver->blocked);
    put_addr(sv, &receiver->path.addr);
    put_u64(sv, receiver->path.newest);
    put_ranges(sv, &receiver->have);
    put_u64(sv, receiver->limit);
    put_u64(sv, receiver->newest);
    put_u32(sv, receiver->newest_time);
    for (unsigned i = 0; i < 2; i++) {
        put_u8(sv, receiver->resume[i].set);
        put_u64(sv, receiver->resume[i].seq);
        put_u32(sv, receiver->resume[i].frames);
    }
    put_pieces(sv, &receiver->control);
}

static void put_receivers(const struct saver *sv)
{
    put_u64(sv, sv->assoc->stats.receivers - sv->assoc->unproven_count);
    A3MI_LIST_FOREACH (it, &sv->assoc->peers) {
        const struct a3mi_peer *peer = a3mi_container_of(it, struct a3mi_peer, all);

        A3MI_LIST_FOREACH (at, &peer->receivers) {
            const struct a3mi_receiver *receiver = a3mi_container_of(at, struct a3mi_receiver, on_peer);

            if (receiver->proven) {
                put_receiver(sv, receiver);
            }
        }
    }
}

/* ---- The whole ------------------------------------------------------------------------ */

static void put_header(const struct saver *sv)
{
    const struct a3mi_assoc *assoc = sv->assoc;

    put_u64(sv, A3MI_SNAPSHOT_MAGIC);
    put_name(sv, &assoc->config.id);
    put_u64(sv, assoc->config.incarnation);
    put(sv, assoc->config.key, sizeof(assoc->config.key));
    put_u64(sv, assoc->ck);
    put_u64(sv, assoc->dropped);
    put_u64(sv, assoc->last_number);
    put_u32(sv, assoc->last_index);
}

static void clear_span(struct a3mi_span *span)
{
    if (span != NULL) {
        span->id = 0;
    }
}

static void clear_sender(struct a3mi_sender *sender)
{
    clear_span(sender->control.span);
    for (uint64_t seq = sender->acked; seq != sender->next; seq++) {
        struct a3mi_unit *unit = a3mi_ring_get(&sender->ring, seq);

        for (unsigned i = 0; unit != NULL && i < unit->parts_count; i++) {
            clear_span(unit->parts[i].head);
            clear_span(unit->parts[i].tail);
        }
    }
}

static void clear_spans(const struct saver *sv)
{
    A3MI_LIST_FOREACH (it, &sv->assoc->peers) {
        const struct a3mi_peer *peer = a3mi_container_of(it, struct a3mi_peer, all);

        A3MI_LIST_FOREACH (at, &peer->txs) {
            clear_span(a3mi_container_of(at, struct a3mi_tx, on_peer)->span);
        }
        A3MI_LIST_FOREACH (at, &peer->senders) {
            clear_sender(a3mi_container_of(at, struct a3mi_sender, on_peer));
        }
    }
}

void a3mi_assoc_save(struct a3mi_assoc *assoc, const struct a3mi_sink *sink, int64_t now)
{
    struct saver sv = {.assoc = assoc, .sink = sink};

    assoc->now = now;
    if (assoc->config.gated) {
        a3mi_gate_fill(assoc, true);
        a3mi_gate_mark(assoc);
    }
    put_header(&sv);
    put_peers(&sv);
    put_txs(&sv);
    put_rxs(&sv);
    put_senders(&sv);
    put_receivers(&sv);
    put_queue(&sv, &assoc->loopback.control);
    put_u64(&sv, A3MI_SNAPSHOT_MAGIC);
    clear_spans(&sv);
}

void a3mi_assoc_saved(struct a3mi_assoc *assoc)
{
    a3mi_gate_release(assoc);
}
