/* SPDX-License-Identifier: Apache-2.0 */
/* Receivers in a snapshot (core/snapshot.h): those that are proven. */
#include "core/memory.h"
#include "core/snapshot.h"

#include <a3m/errors.h>

/* ---- Saved ------------------------------------------------------------------ */

static void put_receiver(const struct a3mi_saver *sv, const struct a3mi_receiver *receiver)
{
    a3mi_save_u32(sv, receiver->peer->ordinal);
    a3mi_save_u64(sv, receiver->incarnation);
    a3mi_save_u64(sv, receiver->s);
    a3mi_save_u64(sv, receiver->order);
    a3mi_save_u64(sv, receiver->clock);
    a3mi_save_u8(sv, receiver->afresh);
    a3mi_save_u8(sv, receiver->blocked);
    a3mi_save_addr(sv, &receiver->path.addr);
    a3mi_save_u64(sv, receiver->path.newest);
    a3mi_save_ranges(sv, &receiver->have);
    a3mi_save_u64(sv, receiver->limit);
    a3mi_save_u64(sv, receiver->newest);
    a3mi_save_u32(sv, receiver->newest_time);
    for (unsigned i = 0; i < 2; i++) {
        a3mi_save_u8(sv, receiver->resume[i].set);
        a3mi_save_u64(sv, receiver->resume[i].seq);
        a3mi_save_u32(sv, receiver->resume[i].frames);
    }
    a3mi_save_pieces(sv, &receiver->control);
}

void a3mi_save_receivers(const struct a3mi_saver *sv)
{
    a3mi_save_u64(sv, sv->assoc->stats.receivers - sv->assoc->unproven_count);
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

/* ---- Restored --------------------------------------------------------------- */

static void restore_receiver(struct a3mi_restorer *rs)
{
    struct a3mi_assoc *assoc = rs->assoc;
    struct a3mi_peer *peer = a3mi_restore_peer(rs);
    uint64_t incarnation = a3mi_rd_u64(&rs->rd);
    uint64_t s = a3mi_rd_u64(&rs->rd);
    uint64_t order = a3mi_rd_u64(&rs->rd);
    uint64_t clock = a3mi_rd_u64(&rs->rd);

    if (!a3mi_restore_good(rs) || clock > assoc->ck) {
        a3mi_restore_fail(rs, A3M_EPROTO);
        return;
    }
    struct a3mi_receiver *receiver = a3mi_receiver_restore(assoc, peer, incarnation, s, order, clock);

    if (receiver == NULL) {
        a3mi_restore_fail(rs, A3M_ENOMEM);
        return;
    }
    receiver->afresh = a3mi_restore_bool(rs);
    receiver->blocked = a3mi_restore_bool(rs);
    a3mi_restore_addr(rs, &receiver->path.addr);
    receiver->path.newest = a3mi_rd_u64(&rs->rd);
    bool ranges = a3mi_restore_ranges(rs, &receiver->have, A3MI_RANGES_MAX);

    receiver->limit = a3mi_rd_u64(&rs->rd);
    receiver->newest = a3mi_rd_u64(&rs->rd);
    receiver->newest_time = a3mi_rd_u32(&rs->rd);
    for (unsigned i = 0; i < 2; i++) {
        receiver->resume[i].set = a3mi_restore_bool(rs);
        receiver->resume[i].seq = a3mi_rd_u64(&rs->rd);
        receiver->resume[i].frames = a3mi_rd_u32(&rs->rd);
    }
    a3mi_restore_pieces(rs, &receiver->control);
    if (ranges && a3mi_ranges_end(&receiver->have) > receiver->limit) {
        a3mi_restore_fail(rs, A3M_EPROTO);
    }
    a3mi_receiver_weigh(rs->assoc, receiver);
    a3mi_memory_grant(rs->assoc, receiver);
}

void a3mi_restore_receivers(struct a3mi_restorer *rs)
{
    for (uint64_t n = a3mi_rd_u64(&rs->rd); n > 0 && a3mi_restore_good(rs); n--) {
        restore_receiver(rs);
    }
}
