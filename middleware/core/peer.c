/* SPDX-License-Identifier: Apache-2.0 */
/* The table of peers (core/peer.h). */
#include "core/peer.h"

#include "base/addr.h"
#include "core/receiver.h"
#include "core/sender.h"

/* Peers that are looked at for one that makes way. */
#define MAKE_WAY_TRIES 16u

static size_t addr_key_size(const struct a3m_addr *addr)
{
    return offsetof(struct a3m_addr, b) + addr->len;
}

static bool addr_is_good(const struct a3m_addr *addr)
{
    return addr->kind != A3M_ADDR_NONE && addr->len <= sizeof(addr->b);
}

struct a3mi_peer *a3mi_peer_new(struct a3mi_assoc *assoc)
{
    struct a3mi_peer *peer = a3mi_slab_get(&assoc->peer_slab);

    if (peer == NULL) {
        return NULL;
    }
    *peer = (struct a3mi_peer){0};
    a3mi_list_init(&peer->untold);
    a3mi_list_init(&peer->debtor);
    a3mi_list_init(&peer->links);
    a3mi_list_init(&peer->txs);
    a3mi_list_init(&peer->senders);
    a3mi_list_init(&peer->receivers);
    a3mi_rtt_init(&peer->rtt);
    peer->heard_at = assoc->now;
    a3mi_list_push_back(&assoc->peers, &peer->all);
    a3mi_list_push_back(&assoc->recent, &peer->recent);
    assoc->stats.peers++;
    return peer;
}

static void unindex(struct a3mi_assoc *assoc, struct a3mi_peer *peer)
{
    if (peer->at_addr) {
        a3mi_mapb_remove(&assoc->peers_by_addr, &peer->by_addr);
        peer->at_addr = false;
    }
}

static void leave_debtors(struct a3mi_assoc *assoc, struct a3mi_peer *peer)
{
    if (a3mi_list_linked(&peer->debtor)) {
        a3mi_list_remove(&peer->debtor);
        assoc->debtors_count--;
    }
}

void a3mi_peer_free(struct a3mi_assoc *assoc, struct a3mi_peer *peer)
{
    leave_debtors(assoc, peer);
    unindex(assoc, peer);
    if (peer->id.len > 0) {
        a3mi_mapb_remove(&assoc->peers_by_id, &peer->by_id);
    }
    a3mi_list_remove(&peer->all);
    a3mi_list_remove(&peer->recent);
    a3mi_list_remove(&peer->untold);
    a3mi_slab_put(&assoc->peer_slab, peer);
    assoc->stats.peers--;
}

void a3mi_peer_heard(struct a3mi_assoc *assoc, struct a3mi_peer *peer)
{
    peer->heard_at = assoc->now;
    if (assoc->recent.prev != &peer->recent) {
        a3mi_list_remove(&peer->recent);
        a3mi_list_push_back(&assoc->recent, &peer->recent);
    }
}

static bool is_owed(const struct a3mi_peer *peer)
{
    for (unsigned i = 0; i < peer->lives_count; i++) {
        if (peer->lives[i].owed) {
            return true;
        }
    }
    return false;
}

/* It is not in use, but an incarnation of it must still learn something, should it come back. */
static void keep_debtor(struct a3mi_assoc *assoc, struct a3mi_peer *peer)
{
    if (a3mi_list_linked(&peer->debtor)) {
        return;
    }
    a3mi_list_push_back(&assoc->debtors, &peer->debtor);
    if (++assoc->debtors_count > A3MI_DEBTORS_MAX) {
        assoc->owes_strangers = true;
        a3mi_peer_free(assoc, a3mi_container_of(a3mi_list_first(&assoc->debtors), struct a3mi_peer, debtor));
    }
}

void a3mi_peer_drop_unused(struct a3mi_assoc *assoc, struct a3mi_peer *peer)
{
    if (peer->refs > 0 || peer->is_self || !a3mi_list_empty(&peer->senders) ||
        !a3mi_list_empty(&peer->receivers)) {
        leave_debtors(assoc, peer);
    } else if (is_owed(peer)) {
        keep_debtor(assoc, peer);
    } else {
        a3mi_peer_free(assoc, peer);
    }
}

/* ---- Making way ------------------------------------------------------------- */

/* Everything that was made with it ends; it is heard of again only by what it sends. */
static void evict(struct a3mi_assoc *assoc, struct a3mi_peer *peer)
{
    struct a3mi_list *it;

    assoc->stats.evicted++;
    peer->refs++;
    for (unsigned i = peer->lives_count; i-- > 0;) {
        if (i < peer->lives_count && peer->lives[i].ended_at == 0) {
            a3mi_life_end(assoc, peer, peer->lives[i].incarnation, A3MI_PEER_RESET);
        }
    }
    while ((it = a3mi_list_first(&peer->senders)) != NULL) {
        a3mi_sender_close(assoc, a3mi_container_of(it, struct a3mi_sender, on_peer));
    }
    while ((it = a3mi_list_first(&peer->receivers)) != NULL) {
        a3mi_receiver_free(assoc, a3mi_container_of(it, struct a3mi_receiver, on_peer), false);
    }
    a3mi_peer_release(assoc, peer);
}

bool a3mi_peer_admit(struct a3mi_assoc *assoc)
{
    for (unsigned i = 0; i < MAKE_WAY_TRIES; i++) {
        if (assoc->stats.peers - assoc->debtors_count < assoc->config.peers_max) {
            return true;
        }
        if (assoc->unproven_count > 0) {
            struct a3mi_list *oldest = a3mi_list_first(&assoc->unproven);

            a3mi_receiver_free(assoc, a3mi_container_of(oldest, struct a3mi_receiver, unproven), false);
            continue;
        }
        struct a3mi_peer *first = a3mi_container_of(a3mi_list_first(&assoc->recent), struct a3mi_peer,
                                                    recent);

        if (first->refs == 0 && !first->is_self && !a3mi_list_linked(&first->debtor) &&
            assoc->now < first->heard_at + A3MI_PROBE_AFTER) {
            return false; /* the others were heard later */
        }
        if (first->refs == 0 && !first->is_self && !a3mi_list_linked(&first->debtor)) {
            evict(assoc, first);
        } else {
            a3mi_list_remove(&first->recent);
            a3mi_list_push_back(&assoc->recent, &first->recent);
        }
    }
    return false;
}

/* ---- Finding ---------------------------------------------------------------- */

struct a3mi_peer *a3mi_peer_find(struct a3mi_assoc *assoc, const struct a3mi_name *id)
{
    struct a3mi_mapb_node *node = a3mi_mapb_get(&assoc->peers_by_id, id->s, id->len);

    return node != NULL ? a3mi_container_of(node, struct a3mi_peer, by_id) : NULL;
}

int a3mi_peer_name(struct a3mi_assoc *assoc, struct a3mi_peer *peer, const struct a3mi_name *id)
{
    peer->id = *id;
    peer->by_id.key = peer->id.s;
    peer->by_id.key_len = peer->id.len;
    int result = a3mi_mapb_add(&assoc->peers_by_id, &peer->by_id);

    if (result != 0) {
        peer->id.len = 0;
        return result;
    }
    if (a3mi_name_eq(id, &assoc->config.id)) {
        peer->is_self = true;
        assoc->loopback.peer = peer;
    }
    return 0;
}

struct a3mi_peer *a3mi_peer_obtain(struct a3mi_assoc *assoc, const struct a3mi_name *id)
{
    struct a3mi_peer *peer = a3mi_peer_find(assoc, id);

    if (peer != NULL) {
        return peer;
    }
    peer = a3mi_peer_new(assoc);
    if (peer != NULL && a3mi_peer_name(assoc, peer, id) != 0) {
        a3mi_peer_free(assoc, peer);
        return NULL;
    }
    return peer;
}

static struct a3mi_peer *find_at(struct a3mi_assoc *assoc, const struct a3m_addr *addr)
{
    struct a3mi_mapb_node *node = a3mi_mapb_get(&assoc->peers_by_addr, addr, addr_key_size(addr));

    return node != NULL ? a3mi_container_of(node, struct a3mi_peer, by_addr) : NULL;
}

struct a3mi_peer *a3mi_assoc_peer(struct a3mi_assoc *assoc, const struct a3mi_name *id)
{
    struct a3mi_peer *peer = a3mi_peer_obtain(assoc, id);

    if (peer != NULL) {
        peer->refs++;
    }
    return peer;
}

struct a3mi_peer *a3mi_assoc_peer_at(struct a3mi_assoc *assoc, const struct a3m_addr *addr)
{
    if (!addr_is_good(addr)) {
        return NULL;
    }
    struct a3mi_peer *peer = find_at(assoc, addr);

    if (peer == NULL) {
        peer = a3mi_peer_new(assoc);
        if (peer == NULL) {
            return NULL;
        }
        a3mi_peer_at(assoc, peer, addr);
    }
    peer->refs++;
    return peer;
}

void a3mi_peer_hold(struct a3mi_peer *peer)
{
    peer->refs++;
}

/* Nobody waits any more for whatever was to be sent to an address: nothing of it was transmitted. */
static void drop_opening(struct a3mi_assoc *assoc, struct a3mi_peer *peer)
{
    struct a3mi_list *it;

    peer->refs++;
    while ((it = a3mi_list_first(&peer->senders)) != NULL) {
        a3mi_sender_free(assoc, a3mi_container_of(it, struct a3mi_sender, on_peer));
    }
    peer->refs--;
}

void a3mi_peer_release(struct a3mi_assoc *assoc, struct a3mi_peer *peer)
{
    peer->refs--;
    if (peer->refs == 0 && peer->id.len == 0) {
        drop_opening(assoc, peer);
    }
    a3mi_peer_drop_unused(assoc, peer);
}

const struct a3m_addr *a3mi_peer_addr(const struct a3mi_peer *peer)
{
    return peer->addr.kind != A3M_ADDR_NONE ? &peer->addr : NULL;
}

const struct a3mi_name *a3mi_peer_id(const struct a3mi_peer *peer)
{
    return peer->id.len > 0 ? &peer->id : NULL;
}

struct a3mi_list *a3mi_peer_links(struct a3mi_peer *peer)
{
    return &peer->links;
}

void **a3mi_peer_slot(struct a3mi_peer *peer)
{
    return &peer->slot;
}

uint64_t *a3mi_peer_tally(struct a3mi_peer *peer)
{
    return &peer->tally;
}

uint64_t *a3mi_peer_mark(struct a3mi_peer *peer)
{
    return &peer->mark;
}

uint64_t a3mi_peer_control_to(const struct a3mi_peer *peer)
{
    return peer->control_to;
}

/* ---- Addresses ---------------------------------------------------------------- */

void a3mi_peer_at(struct a3mi_assoc *assoc, struct a3mi_peer *peer, const struct a3m_addr *addr)
{
    if (peer->at_addr && a3mi_addr_eq(&peer->addr, addr)) {
        return;
    }
    struct a3mi_peer *other = find_at(assoc, addr);

    if (other != NULL) {
        unindex(assoc, other);
    }
    unindex(assoc, peer);
    peer->addr = *addr;
    peer->by_addr.key = &peer->addr;
    peer->by_addr.key_len = addr_key_size(&peer->addr);
    peer->at_addr = a3mi_mapb_add(&assoc->peers_by_addr, &peer->by_addr) == 0;
}

void a3mi_peer_not_at(struct a3mi_assoc *assoc, struct a3mi_peer *peer)
{
    unindex(assoc, peer);
}

void a3mi_peer_move(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation,
                    const struct a3m_addr *addr)
{
    A3MI_LIST_FOREACH (it, &peer->senders) {
        struct a3mi_sender *sender = a3mi_container_of(it, struct a3mi_sender, on_peer);

        if (sender->incarnation != incarnation) {
            continue;
        }
        if (a3mi_addr_eq(&sender->path.addr, addr)) {
            a3mi_path_move(&sender->path, addr);
        } else {
            a3mi_sender_move(assoc, sender, addr);
        }
    }
    A3MI_LIST_FOREACH (it, &peer->receivers) {
        struct a3mi_receiver *receiver = a3mi_container_of(it, struct a3mi_receiver, on_peer);

        if (receiver->incarnation != incarnation || !receiver->proven) {
            continue;
        }
        bool same = a3mi_addr_eq(&receiver->path.addr, addr);
        a3mi_path_move(&receiver->path, addr);
        if (!same) {
            a3mi_receiver_ack_now(assoc, receiver); /* what was said before went where nobody is */
        }
    }
    a3mi_peer_at(assoc, peer, addr);
}

void a3mi_peer_set_addr(struct a3mi_assoc *assoc, struct a3mi_peer *peer, const struct a3m_addr *addr,
                        int64_t now)
{
    if (!addr_is_good(addr)) {
        return;
    }
    assoc->now = now;
    a3mi_peer_at(assoc, peer, addr);
    A3MI_LIST_FOREACH (it, &peer->senders) {
        a3mi_sender_move(assoc, a3mi_container_of(it, struct a3mi_sender, on_peer), addr);
    }
    A3MI_LIST_FOREACH (it, &peer->receivers) {
        struct a3mi_receiver *receiver = a3mi_container_of(it, struct a3mi_receiver, on_peer);

        if (receiver->proven) {
            a3mi_path_move(&receiver->path, addr);
            a3mi_receiver_probe(assoc, receiver);
        }
    }
}

/* ---- Merging ------------------------------------------------------------------ */

void a3mi_peer_merge(struct a3mi_assoc *assoc, struct a3mi_peer *from, struct a3mi_peer *into,
                     uint64_t incarnation)
{
    size_t it = 0;
    void *value;

    while (a3mi_map64_next(&assoc->channels, &it, NULL, &value)) {
        struct a3mi_rx *rx = value;

        if (rx->peer == from) { /* nothing waits there: data comes from peers that have an id */
            rx->peer = into;
        }
    }
    from->merged = true;
    unindex(assoc, from);
    from->refs++;
    into->refs++;
    a3mi_peer_move(assoc, into, incarnation, &from->addr);
    assoc->hooks->peer_merged(assoc->arg, from, into);
    a3mi_peer_release(assoc, into);
    a3mi_peer_release(assoc, from);
}
