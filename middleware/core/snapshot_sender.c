/* SPDX-License-Identifier: Apache-2.0 */
/* Senders and their units in a snapshot (core/snapshot.h). Units go again as if they had been lost. */
#include "core/snapshot.h"

#include <string.h>

#include <a3m/errors.h>

/* ---- Saved ------------------------------------------------------------------ */

static void put_unit(struct a3mi_saver *sv, struct a3mi_unit *unit)
{
    unsigned parts = 0;

    a3mi_save_u8(sv, unit->flags);
    a3mi_save_u8(sv, unit->count);
    a3mi_save_u32(sv, unit->frames);
    a3mi_save_bytes(sv, a3mi_unit_frames(unit), unit->frames);
    for (unsigned i = 0; i < unit->parts_count; i++) {
        parts += unit->parts[i].tx != NULL;
    }
    a3mi_save_u8(sv, parts);
    for (unsigned i = 0; i < unit->parts_count; i++) {
        const struct a3mi_part *part = &unit->parts[i];

        if (part->tx == NULL) {
            continue;
        }
        a3mi_save_u32(sv, part->tx->index);
        a3mi_save_u64(sv, part->first);
    }
}

static void put_sender(struct a3mi_saver *sv, struct a3mi_sender *sender)
{
    a3mi_save_u32(sv, sender->peer->ordinal);
    a3mi_save_u64(sv, sender->incarnation);
    a3mi_save_u8(sv, sender->state);
    a3mi_save_u8(sv, sender->accepted_any);
    a3mi_save_u8(sv, sender->afresh);
    a3mi_save_u64(sv, sender->order);
    a3mi_save_u64(sv, sender->r);
    a3mi_save_u64(sv, sender->limit);
    a3mi_save_u64(sv, sender->first_number);
    a3mi_save_u64(sv, sender->last_number);
    a3mi_save_addr(sv, &sender->path.addr);
    a3mi_save_u64(sv, sender->path.newest);
    a3mi_save_sending(sv, &sender->control);
    a3mi_save_u64(sv, sender->acked);
    a3mi_save_u64(sv, sender->next);
    for (uint64_t seq = sender->acked; seq != sender->next; seq++) {
        struct a3mi_unit *unit = a3mi_ring_get(&sender->ring, seq);

        a3mi_save_u8(sv, unit != NULL);
        if (unit != NULL) {
            put_unit(sv, unit);
        }
    }
}

void a3mi_save_senders(struct a3mi_saver *sv)
{
    a3mi_save_u64(sv, sv->assoc->stats.senders);
    A3MI_LIST_FOREACH (it, &sv->assoc->peers) {
        const struct a3mi_peer *peer = a3mi_container_of(it, struct a3mi_peer, all);

        A3MI_LIST_FOREACH (at, &peer->senders) {
            put_sender(sv, a3mi_container_of(at, struct a3mi_sender, on_peer));
        }
    }
}

/* ---- Restored --------------------------------------------------------------- */

static struct a3mi_tx *find_tx(struct a3mi_sender *sender, uint32_t index)
{
    if (index == 0) {
        return &sender->control;
    }
    A3MI_LIST_FOREACH (it, &sender->peer->txs) {
        struct a3mi_tx *tx = a3mi_container_of(it, struct a3mi_tx, on_peer);

        if (tx->index == index && tx->incarnation == sender->incarnation) {
            return tx;
        }
    }
    return NULL;
}

static void get_part(struct a3mi_restorer *rs, struct a3mi_sender *sender, struct a3mi_unit *unit)
{
    struct a3mi_tx *tx = find_tx(sender, a3mi_rd_u32(&rs->rd));
    uint64_t first = a3mi_rd_u64(&rs->rd);
    unsigned before = unit->parts_count;
    uint64_t least = 0; /* parts are in the order of messages */

    if (a3mi_restore_good(rs) && tx != NULL) {
        struct a3mi_list *last = tx->parts.prev;

        least = last == &tx->parts ? tx->acknowledged
                                   : a3mi_container_of(last, struct a3mi_part, on_tx)->first;
    }
    struct a3mi_part *part = a3mi_restore_good(rs) && tx != NULL ? a3mi_unit_part(unit, tx) : NULL;

    /* Not added: the channel is named twice. The message that is packed now counts when it is begun. */
    if (part == NULL || unit->parts_count == before || first < least ||
        first >= tx->packed + (tx->offset > 0 ? 1 : 0)) {
        a3mi_restore_fail(rs, A3M_EPROTO);
        return;
    }
    part->first = first;
}

static void get_unit(struct a3mi_restorer *rs, struct a3mi_sender *sender, uint64_t seq)
{
    uint8_t flags = a3mi_rd_u8(&rs->rd);
    uint8_t count = a3mi_rd_u8(&rs->rd);
    uint32_t size = a3mi_rd_u32(&rs->rd);
    const uint8_t *frames = size <= A3MI_UNIT_FRAMES(A3MI_PACKET_MAX) ? a3mi_rd_bytes(&rs->rd, size) : NULL;

    if (!a3mi_restore_good(rs) || frames == NULL) {
        a3mi_restore_fail(rs, A3M_EPROTO);
        return;
    }
    struct a3mi_unit *unit = a3mi_unit_new(rs->assoc, size + A3MI_PACKET_HEADER + A3MI_DATA_FIXED);

    if (unit == NULL) {
        a3mi_restore_fail(rs, A3M_ENOMEM);
        return;
    }
    unit->seq = seq;
    unit->number = 0;
    unit->packet = 0;
    unit->lost = true;
    unit->lost_at = INT64_MIN;
    unit->probed = INT64_MIN;
    unit->urgent = false;
    unit->parts_count = 0;
    a3mi_list_init(&unit->list);
    a3mi_list_push_back(&sender->lost, &unit->list);
    a3mi_ring_set(&sender->ring, seq, unit);
    unit->flags = flags;
    unit->count = count;
    unit->frames = size;
    sender->held += size;
    memcpy(a3mi_unit_frames(unit), frames, unit->frames);
    unsigned parts = a3mi_rd_u8(&rs->rd);

    for (unsigned i = 0; i < parts && a3mi_restore_good(rs); i++) {
        get_part(rs, sender, unit);
    }
}

static void get_units(struct a3mi_restorer *rs, struct a3mi_sender *sender)
{
    uint64_t acked = a3mi_rd_u64(&rs->rd);
    uint64_t next = a3mi_rd_u64(&rs->rd);

    if (!a3mi_restore_good(rs) || next < acked || next - acked > A3MI_RING_MAX) {
        a3mi_restore_fail(rs, A3M_EPROTO);
        return;
    }
    sender->acked = acked;
    for (sender->next = acked; sender->next < next && a3mi_restore_good(rs);) {
        if (!a3mi_ring_make_room(rs->assoc, &sender->ring, acked, sender->next)) {
            a3mi_restore_fail(rs, A3M_ENOMEM);
            return;
        }
        uint64_t seq = sender->next++;

        a3mi_ring_set(&sender->ring, seq, NULL);
        if (a3mi_restore_bool(rs)) {
            get_unit(rs, sender, seq);
        }
    }
}

static void restore_sender(struct a3mi_restorer *rs)
{
    struct a3mi_assoc *assoc = rs->assoc;
    struct a3mi_peer *peer = a3mi_restore_peer(rs);
    uint64_t incarnation = a3mi_rd_u64(&rs->rd);
    uint8_t state = a3mi_rd_u8(&rs->rd);
    bool accepted_any = a3mi_restore_bool(rs);
    bool afresh = a3mi_restore_bool(rs);
    uint64_t order = a3mi_rd_u64(&rs->rd);

    if (!a3mi_restore_good(rs) || state > A3MI_SENDER_OPEN || order > assoc->ck) {
        a3mi_restore_fail(rs, A3M_EPROTO);
        return;
    }
    struct a3mi_sender *sender = a3mi_sender_restore(assoc, peer, incarnation, order);

    if (sender == NULL) {
        a3mi_restore_fail(rs, A3M_ENOMEM);
        return;
    }
    sender->state = state == A3MI_SENDER_OPEN ? A3MI_SENDER_OPEN : A3MI_SENDER_OPENING;
    if (state == A3MI_SENDER_OPEN && order > assoc->opened) {
        assoc->opened = order;
    }
    sender->accepted_any = accepted_any;
    sender->afresh = afresh;
    sender->r = a3mi_rd_u64(&rs->rd);
    sender->limit = a3mi_rd_u64(&rs->rd);
    sender->first_number = a3mi_rd_u64(&rs->rd);
    sender->last_number = a3mi_rd_u64(&rs->rd);
    a3mi_restore_addr(rs, &sender->path.addr);
    sender->path.newest = a3mi_rd_u64(&rs->rd);
    a3mi_restore_sending(rs, &sender->control);
    get_units(rs, sender);
}

void a3mi_restore_senders(struct a3mi_restorer *rs)
{
    for (uint64_t n = a3mi_rd_u64(&rs->rd); n > 0 && a3mi_restore_good(rs); n--) {
        restore_sender(rs);
    }
}
