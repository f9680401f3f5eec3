/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot as a whole (core/snapshot.h): its header, the order of its parts, and what is done about the
 * association before and after.
 */
#include "core/snapshot.h"

#include <string.h>

#include <a3m/errors.h>

#include "base/error.h"
#include "core/gate.h"

/* ---- Saved ------------------------------------------------------------------ */

static void put_header(const struct a3mi_saver *sv)
{
    const struct a3mi_assoc *assoc = sv->assoc;

    a3mi_save_u64(sv, A3MI_SNAPSHOT_MAGIC);
    a3mi_save_name(sv, &assoc->config.id);
    a3mi_save_u64(sv, assoc->config.incarnation);
    a3mi_save_bytes(sv, assoc->config.key, sizeof(assoc->config.key));
    a3mi_save_u64(sv, assoc->ck);
    a3mi_save_u64(sv, assoc->dropped);
    a3mi_save_u64(sv, assoc->last_number);
    a3mi_save_u32(sv, assoc->last_index);
    a3mi_save_u8(sv, assoc->owes_strangers);
}

void a3mi_assoc_save(struct a3mi_assoc *assoc, const struct a3mi_sink *sink, int64_t now)
{
    struct a3mi_saver sv = {.assoc = assoc, .sink = sink};

    assoc->now = now;
    if (assoc->config.gated) {
        a3mi_gate_fill(assoc, true);
        a3mi_gate_mark(assoc);
    }
    put_header(&sv);
    a3mi_save_peers(&sv);
    a3mi_save_txs(&sv);
    a3mi_save_rxs(&sv);
    a3mi_save_senders(&sv);
    a3mi_save_receivers(&sv);
    a3mi_save_queue(&sv, &assoc->loopback.control);
    a3mi_save_u64(&sv, A3MI_SNAPSHOT_MAGIC);
}

void a3mi_assoc_saved(struct a3mi_assoc *assoc)
{
    a3mi_gate_release(assoc);
}

/* ---- Restored --------------------------------------------------------------- */

/* Reads what a new association has to be made with. */
static int get_header(struct a3mi_restorer *rs, struct a3mi_assoc_config *config)
{
    struct a3mi_name id;
    uint64_t magic = a3mi_rd_u64(&rs->rd);

    a3mi_restore_name(rs, &id);
    config->incarnation = a3mi_rd_u64(&rs->rd);
    const uint8_t *key = a3mi_rd_bytes(&rs->rd, sizeof(config->key));

    if (magic != A3MI_SNAPSHOT_MAGIC || !a3mi_restore_good(rs) || key == NULL) {
        return a3mi_fail(A3M_EPROTO, "not a snapshot of this version");
    }
    if (!a3mi_name_eq(&id, &config->id)) {
        return a3mi_fail(A3M_EINVAL, "the snapshot is of node '%s', not of '%s'", id.s, config->id.s);
    }
    memcpy(config->key, key, sizeof(config->key));
    return 0;
}

static void get_records(struct a3mi_restorer *rs)
{
    struct a3mi_assoc *assoc = rs->assoc;

    a3mi_restore_peers(rs);
    a3mi_restore_txs(rs);
    a3mi_restore_rxs(rs);
    a3mi_restore_senders(rs);
    a3mi_restore_receivers(rs);
    (void)a3mi_restore_queue(rs, &assoc->loopback.control);
    if (a3mi_rd_u64(&rs->rd) != A3MI_SNAPSHOT_MAGIC || a3mi_rd_left(&rs->rd) > 0) {
        a3mi_restore_fail(rs, A3M_EPROTO);
    }
    (void)a3mi_restore_good(rs);
}

/* Everything is there: what waits lines up, timers are set. */
static void wake(struct a3mi_restorer *rs)
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
static void release(struct a3mi_restorer *rs)
{
    for (uint64_t i = 0; i < rs->peers_count; i++) {
        if (rs->peers[i] != NULL) {
            a3mi_peer_release(rs->assoc, rs->peers[i]);
        }
    }
}

/* Gives up: the caller's channels are detached. */
static void undo(struct a3mi_restorer *rs)
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
    struct a3mi_restorer rs = {.hooks = restore};
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
    assoc->owes_strangers = a3mi_restore_bool(&rs);
    a3mi_slab_init(&peers, (a3mi_rd_left(&rs.rd) / 12 + 1) * sizeof(struct a3mi_peer *), 1, 1);
    rs.peers = a3mi_slab_get(&peers);
    if (rs.peers == NULL) {
        a3mi_restore_fail(&rs, A3M_ENOMEM);
    } else if (assoc->dropped > assoc->ck) {
        a3mi_restore_fail(&rs, A3M_EPROTO);
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
    a3mi_slab_put(&peers, rs.peers);
    a3mi_slab_fini(&peers);
    return rs.error == 0 ? 0 : a3mi_fail(rs.error, "the snapshot is damaged, or does not go with the links");
}
