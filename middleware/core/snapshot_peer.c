/* SPDX-License-Identifier: Apache-2.0 */
/* Peers and their incarnations in a snapshot (core/snapshot.h). */
#include "core/snapshot.h"

#include <a3m/errors.h>

/* ---- Saved ------------------------------------------------------------------ */

static void put_lives(const struct a3mi_saver *sv, const struct a3mi_peer *peer)
{
    a3mi_save_u8(sv, peer->lives_count);
    for (unsigned i = 0; i < peer->lives_count; i++) {
        const struct a3mi_life *life = &peer->lives[i];

        a3mi_save_u64(sv, life->incarnation);
        a3mi_save_u64(sv, life->first_seen);
        a3mi_save_u64(sv, life->ended_at);
        a3mi_save_u8(sv, life->owed);
        a3mi_save_u64(sv,
                      life->duplicate_until == 0 ? 0 : (uint64_t)(life->duplicate_until - sv->assoc->now));
    }
}

void a3mi_save_peers(const struct a3mi_saver *sv)
{
    uint32_t ordinal = 0;

    a3mi_save_u64(sv, sv->assoc->stats.peers);
    A3MI_LIST_FOREACH (it, &sv->assoc->peers) {
        struct a3mi_peer *peer = a3mi_container_of(it, struct a3mi_peer, all);

        peer->ordinal = ordinal++;
        a3mi_save_name(sv, &peer->id);
        a3mi_save_addr(sv, &peer->addr);
        a3mi_save_u8(sv, peer->at_addr);
        put_lives(sv, peer);
    }
}

/* ---- Restored --------------------------------------------------------------- */

struct a3mi_peer *a3mi_restore_peer(struct a3mi_restorer *rs)
{
    uint32_t ordinal = a3mi_rd_u32(&rs->rd);

    if (!a3mi_restore_good(rs) || ordinal >= rs->peers_count) {
        a3mi_restore_fail(rs, A3M_EPROTO);
        return NULL;
    }
    return rs->peers[ordinal];
}

static void get_lives(struct a3mi_restorer *rs, struct a3mi_peer *peer)
{
    unsigned count = a3mi_rd_u8(&rs->rd);

    if (count > A3MI_LIVES_MAX) {
        a3mi_restore_fail(rs, A3M_EPROTO);
        return;
    }
    peer->lives_count = count;
    for (unsigned i = 0; i < count; i++) {
        struct a3mi_life *life = &peer->lives[i];

        *life = (struct a3mi_life){0};
        life->incarnation = a3mi_rd_u64(&rs->rd);
        life->first_seen = a3mi_rd_u64(&rs->rd);
        life->ended_at = a3mi_rd_u64(&rs->rd);
        life->owed = a3mi_restore_bool(rs);
        int64_t until = (int64_t)a3mi_rd_u64(&rs->rd);
        life->duplicate_until = until == 0 ? 0 : rs->assoc->now + until;
    }
}

static struct a3mi_peer *make_peer(struct a3mi_restorer *rs, const struct a3mi_name *id,
                                   const struct a3m_addr *addr)
{
    if (id->len > 0) {
        return a3mi_peer_find(rs->assoc, id) == NULL ? a3mi_peer_obtain(rs->assoc, id) : NULL;
    }
    /* Not whoever is at its address: that may be another, restored before it, who was found there meanwhile. */
    return addr->kind != A3M_ADDR_NONE ? a3mi_peer_new(rs->assoc) : NULL;
}

void a3mi_restore_peers(struct a3mi_restorer *rs)
{
    rs->peers_count = a3mi_rd_u64(&rs->rd);
    /* Each takes 12 bytes at least. */
    if (!a3mi_restore_good(rs) || rs->peers_count > a3mi_rd_left(&rs->rd) / 12) {
        a3mi_restore_fail(rs, A3M_EPROTO);
        rs->peers_count = 0;
        return;
    }
    for (uint64_t i = 0; i < rs->peers_count && a3mi_restore_good(rs); i++) {
        struct a3mi_name id;
        struct a3m_addr addr;

        a3mi_restore_name(rs, &id);
        a3mi_restore_addr(rs, &addr);
        bool at_addr = a3mi_restore_bool(rs);
        struct a3mi_peer *peer = a3mi_restore_good(rs) ? make_peer(rs, &id, &addr) : NULL;

        if (peer == NULL) {
            a3mi_restore_fail(rs, A3M_EPROTO);
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
