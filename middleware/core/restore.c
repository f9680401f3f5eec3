/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An association from a snapshot (save.c). Units go again as if they had been
 * lost, acknowledgements are due, paths are measured anew. Whatever is read is
 * checked before it is used: a damaged snapshot is refused, not believed.
 */
#include <string.h>

#include <a3m/errors.h>

#include "base/cursor.h"
#include "base/error.h"
#include "base/message.h"
#include "core/memory.h"
#include "core/receiver.h"
#include "core/sender.h"
#include "core/snapshot.h"

struct restorer {
    struct a3mi_assoc *assoc;
    const struct a3mi_restore *hooks;
    struct a3mi_rd rd;
    struct a3mi_peer **peers; /* by ordinal */
    uint64_t peers_count;
    struct a3mi_map64 spans; /* id → a3mi_span */
    int error;
};

/* Something is wrong: the first reason counts. */
static bool fail(struct restorer *rs, int code)
{
    if (rs->error == 0) {
        rs->error = code;
    }
    rs->rd.bad = true;
    return false;
}

static bool good(struct restorer *rs)
{
    return !rs->rd.bad || fail(rs, A3M_EPROTO);
}

/* ---- Values ------------------------------------------------------------------ */

static bool get_bool(struct restorer *rs)
{
    uint8_t v = a3mi_rd_u8(&rs->rd);

    if (v > 1) {
        fail(rs, A3M_EPROTO);
    }
    return v == 1;
}

static void get_name(struct restorer *rs, struct a3mi_name *name)
{
    uint8_t size = a3mi_rd_u8(&rs->rd);
    const uint8_t *bytes = a3mi_rd_bytes(&rs->rd, size);

    *name = (struct a3mi_name){0};
    if (bytes != NULL && size > 0 && a3mi_name_set(name, (const char *)bytes, size) != 0) {
        fail(rs, A3M_EPROTO);
    }
}

static void get_addr(struct restorer *rs, struct a3m_addr *addr)
{
    *addr = (struct a3m_addr){.kind = a3mi_rd_u8(&rs->rd)};
    uint8_t size = a3mi_rd_u8(&rs->rd);
    const uint8_t *bytes = a3mi_rd_bytes(&rs->rd, size);

    if (bytes == NULL || size > sizeof(addr->b)) {
        fail(rs, A3M_EPROTO);
        return;
    }
    addr->len = size;
    memcpy(addr->b, bytes, size);
}

static bool get_ranges(struct restorer *rs, struct a3mi_ranges *ranges, uint32_t most)
{
    uint64_t next = a3mi_rd_u64(&rs->rd);
    uint32_t count = a3mi_rd_u32(&rs->rd);

    a3mi_ranges_init(ranges);
    ranges->next = next;
    for (uint32_t i = 0; i < count && good(rs); i++) {
        uint64_t first = a3mi_rd_u64(&rs->rd);
        uint64_t end = a3mi_rd_u64(&rs->rd);

        if (first <= next || end <= first) {
            return fail(rs, A3M_EPROTO);
        }
        if (a3mi_ranges_make_room(rs->assoc, ranges, first, end, most) != A3MI_RANGES_ADDED) {
            return fail(rs, A3M_ENOMEM);
        }
        (void)a3mi_ranges_add(ranges, first, end);
    }
    return good(rs) && (ranges->count == count || fail(rs, A3M_EPROTO));
}

static a3m_msg *get_message(struct restorer *rs)
{
    bool correlated = get_bool(rs);
    uint64_t correlation = a3mi_rd_u64(&rs->rd);
    uint64_t size = a3mi_rd_u64(&rs->rd);
    const uint8_t *bytes = size <= A3M_MESSAGE_CEILING ? a3mi_rd_bytes(&rs->rd, (size_t)size) : NULL;

    if (!good(rs) || bytes == NULL) {
        fail(rs, A3M_EPROTO);
        return NULL;
    }
    a3m_msg *msg = a3m_msg_copy(bytes, (size_t)size);

    if (msg == NULL) {
        fail(rs, A3M_ENOMEM);
    } else if (correlated) {
        a3m_msg_set_correlation(msg, correlation);
    }
    return msg;
}

/* Returns the bytes of its messages. */
static uint64_t get_queue(struct restorer *rs, struct a3mi_fifo *queue)
{
    uint64_t count = a3mi_rd_u64(&rs->rd);
    uint64_t bytes = 0;

    for (uint64_t i = 0; i < count && good(rs); i++) {
        a3m_msg *msg = get_message(rs);

        if (msg != NULL) {
            bytes += msg->size;
            a3mi_fifo_push(queue, &msg->node);
        }
    }
    return bytes;
}

/* ---- Peers ------------------------------------------------------------------- */

static struct a3mi_peer *get_peer(struct restorer *rs)
{
    uint32_t ordinal = a3mi_rd_u32(&rs->rd);

    if (!good(rs) || ordinal >= rs->peers_count) {
        fail(rs, A3M_EPROTO);
        return NULL;
    }
    return rs->peers[ordinal];
}

static void get_lives(struct restorer *rs, struct a3mi_peer *peer)
{
    unsigned count = a3mi_rd_u8(&rs->rd);

    if (count > A3MI_LIVES_MAX) {
        fail(rs, A3M_EPROTO);
        return;
    }
    peer->lives_count = count;
    for (unsigned i = 0; i < count; i++) {
        struct a3mi_life *life = &peer->lives[i];

        *life = (struct a3mi_life){0};
        life->incarnation = a3mi_rd_u64(&rs->rd);
        life->first_seen = a3mi_rd_u64(&rs->rd);
        life->ended_at = a3mi_rd_u64(&rs->rd);
        life->owed = get_bool(rs);
        int64_t until = (int64_t)a3mi_rd_u64(&rs->rd);
        life->duplicate_until = until == 0 ? 0 : rs->assoc->now + until;
    }
}

static struct a3mi_peer *make_peer(struct restorer *rs, const struct a3mi_name *id,
                                   const struct a3m_addr *addr)
{
    struct a3mi_peer *peer;

    if (id->len > 0) {
        return a3mi_peer_find(rs->assoc, id) == NULL ? a3mi_peer_obtain(rs->assoc, id) : NULL;
    }
    peer = a3mi_assoc_peer_at(rs->assoc, addr);
    if (peer != NULL) {
        peer->refs--;
    }
    return peer;
}

static void get_peers(struct restorer *rs)
{
    rs->peers_count = a3mi_rd_u64(&rs->rd);
    /* Each takes 12 bytes at least. */
    if (!good(rs) || rs->peers_count > a3mi_rd_left(&rs->rd) / 12) {
        fail(rs, A3M_EPROTO);
        rs->peers_count = 0;
        return;
    }
    for (uint64_t i = 0; i < rs->peers_count && good(rs); i++) {
        struct a3mi_name id;
        struct a3m_addr addr;

        get_name(rs, &id);
        get_addr(rs, &addr);
        bool at_addr = get_bool(rs);
        struct a3mi_peer *peer = good(rs) ? make_peer(rs, &id, &addr) : NULL;

        if (peer == NULL) {
            fail(rs, A3M_EPROTO);
            return;
        }
        if (at_addr) {
            a3mi_peer_at(rs->assoc, peer, &addr);
        } else {
            peer->addr = addr;
        }
        get_lives(rs, peer);
        peer->refs++; /* until all is there */
        rs->peers[i] = peer;
    }
}

/* ---- Channels ------------------------------------------------------------------ */

/* The channel's span with the id that comes, made when it is named first; NULL for id 0, or for want of memory. */
static struct a3mi_span *get_span(struct restorer *rs, const struct a3mi_tx *tx)
{
    uint32_t id = a3mi_rd_u32(&rs->rd);
    struct a3mi_span *span = id != 0 ? a3mi_map64_get(&rs->spans, id) : NULL;

    if (id == 0) {
        return NULL;
    }
    if (span != NULL) {
        if (span->tx == tx) {
            return span;
        }
        fail(rs, A3M_EPROTO);
        return NULL;
    }
    span = a3mi_slab_get(&rs->assoc->span_slab);
    if (span == NULL || a3mi_map64_put(&rs->spans, id, span) != 0) {
        a3mi_slab_put(&rs->assoc->span_slab, span);
        fail(rs, A3M_ENOMEM);
        return NULL;
    }
    *span = (struct a3mi_span){.whole = true, .tx = tx};
    return span;
}

static void get_sending(struct restorer *rs, struct a3mi_tx *tx)
{
    tx->offset = (size_t)a3mi_rd_u64(&rs->rd);
    tx->packed = a3mi_rd_u64(&rs->rd);
    tx->acknowledged = a3mi_rd_u64(&rs->rd);
    tx->span = get_span(rs, tx);
    tx->queued_bytes = get_queue(rs, &tx->queue);
    if (tx->span != NULL) {
        tx->span->whole = false;
    }
    struct a3mi_fifo_node *first = a3mi_fifo_peek(&tx->queue);
    size_t most = first != NULL ? a3mi_container_of(first, a3m_msg, node)->size + A3MI_PROPS_MAX : 0;

    if (tx->offset > most || (tx->offset > 0) != (tx->span != NULL) || tx->acknowledged > tx->packed) {
        fail(rs, A3M_EPROTO);
    }
}

static void get_txs(struct restorer *rs)
{
    uint64_t count = a3mi_rd_u64(&rs->rd);

    for (uint64_t i = 0; i < count && good(rs); i++) {
        struct a3mi_peer *peer = get_peer(rs);
        uint64_t incarnation = a3mi_rd_u64(&rs->rd);
        uint32_t index = a3mi_rd_u32(&rs->rd);
        struct a3mi_tx *tx = good(rs) && index != 0 ? rs->hooks->tx(rs->assoc->arg, peer, incarnation, index)
                                                    : NULL;

        if (tx == NULL) {
            fail(rs, A3M_EPROTO);
            return;
        }
        a3mi_tx_attach(rs->assoc, tx, peer, incarnation, index);
        tx->unordered = get_bool(rs);
        tx->credit_waiting = get_bool(rs);
        tx->credit_epoch = a3mi_rd_u32(&rs->rd);
        tx->credit_messages = a3mi_rd_u64(&rs->rd);
        tx->credit_bytes = a3mi_rd_u64(&rs->rd);
        get_sending(rs, tx);
    }
}

static void get_bytes(struct restorer *rs, a3m_msg *msg, uint64_t first, uint64_t end)
{
    const uint8_t *bytes = end <= msg->size ? a3mi_rd_bytes(&rs->rd, (size_t)(end - first)) : NULL;

    if (end > first && bytes == NULL) {
        fail(rs, A3M_EPROTO);
    } else if (end > first) {
        memcpy(msg->data + first, bytes, (size_t)(end - first));
    }
}

static void get_partial(struct restorer *rs, struct a3mi_rx *rx)
{
    uint64_t number = a3mi_rd_u64(&rs->rd);
    bool props = get_bool(rs);
    bool free = get_bool(rs);
    uint64_t size = a3mi_rd_u64(&rs->rd);

    if (!good(rs) || size > rx->max_message + A3MI_PROPS_MAX || size > UINT32_MAX ||
        a3mi_ranges_has(&rx->up, number) || a3mi_map64_get(&rx->by_number, number) != NULL) {
        fail(rs, A3M_EPROTO);
        return;
    }
    size_t room = size < A3MI_PIECES_ROOM ? (size_t)size : A3MI_PIECES_ROOM;
    struct a3mi_partial *partial = a3mi_partial_add(rs->assoc, rx, number, (uint32_t)size, room, props, free);

    if (partial == NULL) {
        fail(rs, A3M_ENOMEM);
        return;
    }
    if (get_ranges(rs, &partial->have, A3MI_RANGES_BLOCK)) {
        if (!a3mi_partial_enlarge(rs->assoc, rx, partial, a3mi_ranges_end(&partial->have))) {
            fail(rs, A3M_ENOMEM);
        }
        get_bytes(rs, partial->msg, 0, partial->have.next);
        for (uint32_t i = 0; i < partial->have.count && good(rs); i++) {
            get_bytes(rs, partial->msg, partial->have.v[i].first, partial->have.v[i].end);
        }
    }
}

static void get_pieces(struct restorer *rs, struct a3mi_rx *rx)
{
    if (!get_ranges(rs, &rx->up, A3MI_UP_MAX)) {
        return;
    }
    uint32_t count = a3mi_rd_u32(&rs->rd);

    for (uint32_t i = 0; i < count && good(rs); i++) {
        get_partial(rs, rx);
    }
}

static void get_rxs(struct restorer *rs)
{
    uint64_t count = a3mi_rd_u64(&rs->rd);

    for (uint64_t i = 0; i < count && good(rs); i++) {
        struct a3mi_peer *peer = get_peer(rs);
        uint32_t index = a3mi_rd_u32(&rs->rd);
        uint64_t incarnation = a3mi_rd_u64(&rs->rd);
        uint64_t max_message = a3mi_rd_u64(&rs->rd);
        bool fresh = good(rs) && index != 0 && a3mi_map64_get(&rs->assoc->channels, index) == NULL;
        struct a3mi_rx *rx = fresh ? rs->hooks->rx(rs->assoc->arg, peer, index) : NULL;

        if (rx == NULL) {
            fail(rs, A3M_EPROTO);
            return;
        }
        a3mi_rx_init(rs->assoc, rx, index, max_message);
        if (a3mi_map64_put(&rs->assoc->channels, index, rx) != 0) {
            fail(rs, A3M_ENOMEM);
            return;
        }
        rx->peer = peer;
        rx->incarnation = incarnation;
        get_pieces(rs, rx);
    }
}

/* ---- Senders ---------------------------------------------------------------------- */

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

static void get_part(struct restorer *rs, struct a3mi_sender *sender, struct a3mi_unit *unit)
{
    struct a3mi_tx *tx = find_tx(sender, a3mi_rd_u32(&rs->rd));
    struct a3mi_part *part = good(rs) && tx != NULL ? a3mi_unit_part(unit, tx) : NULL;

    if (part == NULL || part->head != NULL || part->tail != NULL) { /* or the channel is named twice */
        fail(rs, A3M_EPROTO);
        return;
    }
    part->messages = a3mi_rd_u32(&rs->rd);
    part->head = get_span(rs, tx);
    part->tail = get_span(rs, tx);
    if (part->head != NULL) {
        part->head->units++;
    }
    if (part->tail != NULL) {
        part->tail->units++;
    }
}

static void get_unit(struct restorer *rs, struct a3mi_sender *sender, uint64_t seq)
{
    uint8_t flags = a3mi_rd_u8(&rs->rd);
    uint8_t count = a3mi_rd_u8(&rs->rd);
    uint32_t size = a3mi_rd_u32(&rs->rd);
    const uint8_t *frames = size <= A3MI_UNIT_FRAMES(A3MI_PACKET_MAX) ? a3mi_rd_bytes(&rs->rd, size) : NULL;

    if (!good(rs) || frames == NULL) {
        fail(rs, A3M_EPROTO);
        return;
    }
    struct a3mi_unit *unit = a3mi_unit_new(rs->assoc, size + A3MI_PACKET_HEADER + A3MI_DATA_FIXED);

    if (unit == NULL) {
        fail(rs, A3M_ENOMEM);
        return;
    }
    unit->seq = seq;
    unit->number = 0;
    unit->packet = 0;
    unit->lost = true;
    unit->lost_at = INT64_MIN;
    unit->probed = INT64_MIN;
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

    for (unsigned i = 0; i < parts && good(rs); i++) {
        get_part(rs, sender, unit);
    }
}

static void get_units(struct restorer *rs, struct a3mi_sender *sender)
{
    uint64_t acked = a3mi_rd_u64(&rs->rd);
    uint64_t next = a3mi_rd_u64(&rs->rd);

    if (!good(rs) || next < acked || next - acked > A3MI_RING_MAX) {
        fail(rs, A3M_EPROTO);
        return;
    }
    sender->acked = acked;
    for (sender->next = acked; sender->next < next && good(rs);) {
        if (!a3mi_ring_make_room(rs->assoc, &sender->ring, acked, sender->next)) {
            fail(rs, A3M_ENOMEM);
            return;
        }
        uint64_t seq = sender->next++;

        a3mi_ring_set(&sender->ring, seq, NULL);
        if (get_bool(rs)) {
            get_unit(rs, sender, seq);
        }
    }
}

static void get_sender(struct restorer *rs)
{
    struct a3mi_assoc *assoc = rs->assoc;
    struct a3mi_peer *peer = get_peer(rs);
    uint64_t incarnation = a3mi_rd_u64(&rs->rd);
    uint8_t state = a3mi_rd_u8(&rs->rd);
    bool accepted_any = get_bool(rs);
    bool afresh = get_bool(rs);
    uint64_t order = a3mi_rd_u64(&rs->rd);

    if (!good(rs) || state > A3MI_SENDER_OPEN || order > assoc->ck) {
        fail(rs, A3M_EPROTO);
        return;
    }
    struct a3mi_sender *sender = a3mi_sender_restore(assoc, peer, incarnation, order);

    if (sender == NULL) {
        fail(rs, A3M_ENOMEM);
        return;
    }
    sender->state = state == A3MI_SENDER_OPEN ? A3MI_SENDER_OPEN : A3MI_SENDER_OPENING;
    sender->accepted_any = accepted_any;
    sender->afresh = afresh;
    sender->r = a3mi_rd_u64(&rs->rd);
    sender->limit = a3mi_rd_u64(&rs->rd);
    sender->first_number = a3mi_rd_u64(&rs->rd);
    sender->last_number = a3mi_rd_u64(&rs->rd);
    get_addr(rs, &sender->path.addr);
    sender->path.newest = a3mi_rd_u64(&rs->rd);
    get_sending(rs, &sender->control);
    get_units(rs, sender);
}

/* ---- Receivers ---------------------------------------------------------------------- */

static void get_receiver(struct restorer *rs)
{
    struct a3mi_assoc *assoc = rs->assoc;
    struct a3mi_peer *peer = get_peer(rs);
    uint64_t incarnation = a3mi_rd_u64(&rs->rd);
    uint64_t s = a3mi_rd_u64(&rs->rd);
    uint64_t order = a3mi_rd_u64(&rs->rd);
    uint64_t clock = a3mi_rd_u64(&rs->rd);

    if (!good(rs) || clock > assoc->ck) {
        fail(rs, A3M_EPROTO);
        return;
    }
    struct a3mi_receiver *receiver = a3mi_receiver_restore(assoc, peer, incarnation, s, order, clock);

    if (receiver == NULL) {
        fail(rs, A3M_ENOMEM);
        return;
    }
    receiver->afresh = get_bool(rs);
    receiver->blocked = get_bool(rs);
    get_addr(rs, &receiver->path.addr);
    receiver->path.newest = a3mi_rd_u64(&rs->rd);
    bool ranges = get_ranges(rs, &receiver->have, A3MI_RANGES_MAX);

    receiver->limit = a3mi_rd_u64(&rs->rd);
    receiver->newest = a3mi_rd_u64(&rs->rd);
    receiver->newest_time = a3mi_rd_u32(&rs->rd);
    for (unsigned i = 0; i < 2; i++) {
        receiver->resume[i].set = get_bool(rs);
        receiver->resume[i].seq = a3mi_rd_u64(&rs->rd);
        receiver->resume[i].frames = a3mi_rd_u32(&rs->rd);
    }
    get_pieces(rs, &receiver->control);
    if (ranges && a3mi_ranges_end(&receiver->have) > receiver->limit) {
        fail(rs, A3M_EPROTO);
    }
    a3mi_receiver_weigh(assoc, receiver);
    a3mi_memory_grant(assoc, receiver);
}

/* ---- The whole ------------------------------------------------------------------------ */

/* Reads what a new association has to be made with. */
static int get_header(struct restorer *rs, struct a3mi_assoc_config *config)
{
    struct a3mi_name id;
    uint64_t magic = a3mi_rd_u64(&rs->rd);

    get_name(rs, &id);
    config->incarnation = a3mi_rd_u64(&rs->rd);
    const uint8_t *key = a3mi_rd_bytes(&rs->rd, sizeof(config->key));

    if (magic != A3MI_SNAPSHOT_MAGIC || !good(rs) || key == NULL) {
        return a3mi_fail(A3M_EPROTO, "not a snapshot of this version");
    }
    if (!a3mi_name_eq(&id, &config->id)) {
        return a3mi_fail(A3M_EINVAL, "the snapshot is of node '%s', not of '%s'", id.s, config->id.s);
    }
    memcpy(config->key, key, sizeof(config->key));
    return 0;
}

static void get_records(struct restorer *rs)
{
    struct a3mi_assoc *assoc = rs->assoc;

    get_peers(rs);
    get_txs(rs);
    get_rxs(rs);
    for (uint64_t n = a3mi_rd_u64(&rs->rd); n > 0 && good(rs); n--) {
        get_sender(rs);
    }
    for (uint64_t n = a3mi_rd_u64(&rs->rd); n > 0 && good(rs); n--) {
        get_receiver(rs);
    }
    (void)get_queue(rs, &assoc->loopback.control);
    if (a3mi_rd_u64(&rs->rd) != A3MI_SNAPSHOT_MAGIC || a3mi_rd_left(&rs->rd) > 0) {
        fail(rs, A3M_EPROTO);
    }
    (void)good(rs);
}

/* Everything is there: what waits lines up, timers are set. */
static void wake(struct restorer *rs)
{
    for (uint64_t i = 0; i < rs->peers_count; i++) {
        struct a3mi_peer *peer = rs->peers[i];

        A3MI_LIST_FOREACH (it, &peer->txs) {
            struct a3mi_tx *tx = a3mi_container_of(it, struct a3mi_tx, on_peer);

            if (!a3mi_fifo_empty(&tx->queue) || tx->credit_waiting) {
                (void)a3mi_tx_line_up(rs->assoc, tx);
            }
        }
        A3MI_LIST_FOREACH (it, &peer->senders) {
            struct a3mi_sender *sender = a3mi_container_of(it, struct a3mi_sender, on_peer);

            if (!a3mi_fifo_empty(&sender->control.queue)) {
                a3mi_sender_add(rs->assoc, sender, &sender->control);
            }
            a3mi_sender_refresh(rs->assoc, sender);
        }
    }
}

/* Lets peers go that nobody came for. */
static void release(struct restorer *rs)
{
    for (uint64_t i = 0; i < rs->peers_count; i++) {
        if (rs->peers[i] != NULL) {
            a3mi_peer_release(rs->assoc, rs->peers[i]);
        }
    }
}

/* Gives up: the caller's channels are detached. */
static void undo(struct restorer *rs)
{
    struct a3mi_assoc *assoc = rs->assoc;
    size_t it = 0;
    void *value;

    A3MI_LIST_FOREACH (at, &assoc->peers) {
        struct a3mi_peer *peer = a3mi_container_of(at, struct a3mi_peer, all);
        struct a3mi_list *tx;

        while ((tx = a3mi_list_first(&peer->txs)) != NULL) {
            (void)a3mi_tx_detach(assoc, a3mi_container_of(tx, struct a3mi_tx, on_peer));
        }
    }
    while (a3mi_map64_next(&assoc->channels, &it, NULL, &value)) {
        struct a3mi_rx *rx = value;

        a3mi_rx_clear(assoc, rx);
        rx->peer = NULL;
    }
    a3mi_assoc_free(assoc);
}

int a3mi_assoc_restore(struct a3mi_assoc **out, const struct a3mi_assoc_config *config,
                       const struct a3mi_assoc_hooks *hooks, void *arg, const struct a3mi_restore *restore,
                       const void *bytes, size_t size, int64_t now)
{
    struct restorer rs = {.hooks = restore};
    struct a3mi_assoc_config own = *config;

    a3mi_rd_init(&rs.rd, bytes, size);
    int result = get_header(&rs, &own);

    if (result == 0) {
        result = a3mi_assoc_new(&rs.assoc, &own, hooks, arg);
    }
    if (result != 0) {
        return result;
    }
    struct a3mi_assoc *assoc = rs.assoc;
    struct a3mi_slab peers; /* one block for the table */

    assoc->now = now;
    assoc->ck = a3mi_rd_u64(&rs.rd);
    assoc->dropped = a3mi_rd_u64(&rs.rd);
    assoc->last_number = a3mi_rd_u64(&rs.rd);
    assoc->last_index = a3mi_rd_u32(&rs.rd);
    a3mi_slab_init(&peers, (a3mi_rd_left(&rs.rd) / 12 + 1) * sizeof(struct a3mi_peer *), 1, 1);
    rs.peers = a3mi_slab_get(&peers);
    a3mi_map64_init_seeded(&rs.spans, own.seed);
    if (rs.peers == NULL) {
        fail(&rs, A3M_ENOMEM);
    } else if (assoc->dropped > assoc->ck) {
        fail(&rs, A3M_EPROTO);
    } else {
        get_records(&rs);
    }
    if (rs.error == 0) {
        wake(&rs);
        release(&rs);
        *out = assoc;
    } else {
        undo(&rs);
    }
    a3mi_map64_fini(&rs.spans);
    a3mi_slab_put(&peers, rs.peers);
    a3mi_slab_fini(&peers);
    return rs.error == 0 ? 0 : a3mi_fail(rs.error, "the snapshot is damaged, or does not go with the links");
}
