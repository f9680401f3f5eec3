/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a sender (core/sender.h). */
#include "core/sender.h"

#include "core/answer.h"
#include "core/mutation.h"

/* ---- Finding and making ------------------------------------------------------ */

struct a3mi_sender *a3mi_sender_find(struct a3mi_peer *peer, uint64_t incarnation, bool ended)
{
    A3MI_LIST_FOREACH (it, &peer->senders) {
        struct a3mi_sender *sender = a3mi_container_of(it, struct a3mi_sender, on_peer);

        if (sender->incarnation == incarnation && (!sender->ended || ended)) {
            return sender;
        }
    }
    return NULL;
}

/* The newest that is not on its way out. */
static struct a3mi_sender *newest(struct a3mi_peer *peer)
{
    for (struct a3mi_list *it = peer->senders.prev; it != &peer->senders; it = it->prev) {
        struct a3mi_sender *sender = a3mi_container_of(it, struct a3mi_sender, on_peer);

        if (!sender->ended) {
            return sender;
        }
    }
    return NULL;
}

/* Everything that begins anew with each s. */
static void start(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    sender->state = A3MI_SENDER_OPENING;
    sender->r = 0;
    sender->limit = 0;
    sender->in_flight = 0;
    sender->first_number = 0;
    sender->last_number = 0;
    sender->probes = 0;
    sender->ping_due = false;
    sender->open_due = false;
    sender->limited = false;
    sender->has_cookie = false;
    sender->path.newest = 0;
    sender->loss_at = INT64_MAX;
    sender->opened_at = INT64_MIN;
    sender->open_interval = 0;
    sender->sent_at = assoc->now;
    sender->idle_since = assoc->now;
    sender->asked_at = INT64_MIN;
    a3mi_pmtu_init(&sender->pmtu, (uint32_t)(assoc->packet_max + A3MI_PACKET_TAG),
                   (uint32_t)(assoc->packet_limit + A3MI_PACKET_TAG));
    a3mi_recovery_init(&sender->recovery);
    a3mi_cc_init(&sender->cc, assoc->congestion, (uint32_t)assoc->packet_max);
    a3mi_rate_init(&sender->rate);
    a3mi_pacer_init(&sender->pacer);
}

/* Puts the sender under the s of a clock value. */
static int put_under(struct a3mi_assoc *assoc, struct a3mi_sender *sender, uint64_t order)
{
    uint64_t s = a3mi_assoc_hide(assoc, order);
    int result = a3mi_map64_put(&assoc->senders, s, sender);

    if (result == 0) {
        sender->order = order;
        sender->s = s;
    }
    return result;
}

/* Draws an s and puts the sender under it. */
static int draw(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    return put_under(
        assoc, sender,
        A3MI_MUTATE(OLD_ID, a3mi_mutation_first(assoc, assoc->stats.senders), a3mi_assoc_tick_clock(assoc)));
}

struct a3mi_sender *a3mi_sender_restore(struct a3mi_assoc *assoc, struct a3mi_peer *peer,
                                        uint64_t incarnation, uint64_t order)
{
    struct a3mi_sender *sender = a3mi_slab_get(&assoc->sender_slab);

    if (sender == NULL) {
        return NULL;
    }
    *sender = (struct a3mi_sender){.peer = peer, .incarnation = incarnation};
    if (!a3mi_ring_init(assoc, &sender->ring)) {
        goto no_ring;
    }
    if (a3mi_alarm_init(assoc, &sender->alarm, a3mi_sender_alarm) != 0) {
        goto no_alarm;
    }
    if (put_under(assoc, sender, order) != 0) {
        goto no_id;
    }
    a3mi_list_init(&sender->active);
    a3mi_list_init(&sender->sent);
    a3mi_list_init(&sender->lost);
    a3mi_ready_init(&sender->ready);
    a3mi_tx_init(&sender->control, 0);
    a3mi_path_init(&sender->path, &peer->addr);
    sender->afresh = a3mi_life_is_owed(peer, incarnation);
    start(assoc, sender);
    a3mi_list_push_back(&peer->senders, &sender->on_peer);
    assoc->stats.senders++;
    a3mi_alarm_by(assoc, &sender->alarm, assoc->now + assoc->config.linger);
    return sender;

no_id:
    a3mi_alarm_fini(assoc, &sender->alarm);
no_alarm:
    a3mi_ring_fini(assoc, &sender->ring);
no_ring:
    a3mi_slab_put(&assoc->sender_slab, sender);
    return NULL;
}

static struct a3mi_sender *sender_new(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation)
{
    return a3mi_sender_restore(
        assoc, peer, incarnation,
        A3MI_MUTATE(OLD_ID, a3mi_mutation_first(assoc, assoc->stats.senders), a3mi_assoc_tick_clock(assoc)));
}

/* For what is meant for whichever incarnation is there. */
static struct a3mi_sender *obtain_any(struct a3mi_assoc *assoc, struct a3mi_peer *peer)
{
    uint64_t current = a3mi_life_current(peer);
    struct a3mi_sender *sender = current != 0 ? a3mi_sender_find(peer, current, false) : NULL;

    if (sender == NULL) {
        sender = newest(peer);
    }
    return sender != NULL ? sender : sender_new(assoc, peer, current);
}

struct a3mi_sender *a3mi_sender_obtain(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation)
{
    if (incarnation == 0) {
        return obtain_any(assoc, peer);
    }
    struct a3mi_sender *sender = a3mi_sender_find(peer, incarnation, false);

    if (sender != NULL) {
        return sender;
    }
    (void)a3mi_life_note(assoc, peer, incarnation, assoc->ck);
    sender = a3mi_sender_find(peer, 0, false);
    if (sender != NULL) {
        a3mi_sender_bind(assoc, sender, incarnation);
        return sender;
    }
    return sender_new(assoc, peer, incarnation);
}

/* ---- Ending, starting again --------------------------------------------------------- */

/*
 * Whoever is at an address may be somebody who has accepted a later s since: to him the OPEN is a late one, and he
 * ignores it. Nothing was sent under this s: a new one is as good.
 */
void a3mi_sender_renew_unheard(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    uint64_t old = sender->s;

    if (sender->peer->id.len == 0 && sender->order < assoc->opened && draw(assoc, sender) == 0) {
        (void)a3mi_map64_del(&assoc->senders, old);
        sender->has_cookie = false;
    }
}

void a3mi_sender_reopen(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    uint64_t old = A3MI_MUTATE(SAME_S, 0, sender->s);

    if (A3MI_MUTATE(SAME_S, 0, draw(assoc, sender)) != 0) {
        a3mi_sender_end(assoc, sender, A3MI_PEER_RESET);
        return;
    }
    (void)a3mi_map64_del(&assoc->senders, old);
    start(assoc, sender);
    for (uint64_t seq = sender->acked; seq != sender->next; seq++) {
        struct a3mi_unit *unit = a3mi_ring_get(&sender->ring, seq);

        unit->lost = true;
        a3mi_list_remove(&unit->list);
        a3mi_list_push_back(&sender->lost, &unit->list);
    }
    sender->open_due = a3mi_sender_unfinished(sender);
    a3mi_sender_refresh(assoc, sender);
}

void a3mi_sender_name(struct a3mi_assoc *assoc, struct a3mi_sender *sender, uint64_t incarnation)
{
    bool bound = sender->incarnation == 0;

    sender->incarnation = incarnation;
    if (bound && assoc->hooks->peer_bound != NULL) {
        assoc->hooks->peer_bound(assoc->arg, sender->peer, incarnation);
    }
}

void a3mi_sender_bind(struct a3mi_assoc *assoc, struct a3mi_sender *sender, uint64_t incarnation)
{
    bool owed = a3mi_life_is_owed(sender->peer, incarnation);

    /* From now on its OPEN names it; what an earlier one brings from another incarnation is turned down. */
    a3mi_sender_name(assoc, sender, incarnation);
    if (A3MI_MUTATE(NOT_AFRESH, false, owed) && !sender->afresh) {
        sender->afresh = true;
        a3mi_sender_reopen(assoc, sender);
    }
}

static void free_units(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    for (uint64_t seq = sender->acked; seq != sender->next; seq++) {
        struct a3mi_unit *unit = a3mi_ring_get(&sender->ring, seq);

        if (unit != NULL) {
            a3mi_unit_forget(unit, NULL);
            a3mi_unit_free(assoc, unit);
        }
    }
}

void a3mi_sender_free(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    struct a3mi_peer *peer = sender->peer;

    free_units(assoc, sender);
    a3mi_tx_drop_queue(&sender->control);
    while (a3mi_list_pop_front(&sender->ready.channels) != NULL) {}
    while (a3mi_list_pop_front(&sender->ready.grants) != NULL) {}
    if (sender->counted) {
        assoc->unfinished--;
    }
    (void)a3mi_map64_del(&assoc->senders, sender->s);
    a3mi_alarm_fini(assoc, &sender->alarm);
    a3mi_list_remove(&sender->active);
    a3mi_list_remove(&sender->on_peer);
    a3mi_ring_fini(assoc, &sender->ring);
    a3mi_slab_put(&assoc->sender_slab, sender);
    assoc->stats.senders--;
    a3mi_peer_drop_unused(assoc, peer);
}

void a3mi_sender_close(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    if (sender->state == A3MI_SENDER_OPEN) {
        a3mi_parting_close(assoc, &sender->path.addr, sender->s, sender->r);
    }
    a3mi_sender_free(assoc, sender);
}

void a3mi_sender_end(struct a3mi_assoc *assoc, struct a3mi_sender *sender, enum a3mi_peer_end why)
{
    struct a3mi_peer *peer = sender->peer;

    if (sender->incarnation != 0) {
        a3mi_life_end(assoc, peer, sender->incarnation, why);
        return;
    }
    sender->ended = true;
    peer->refs++;
    assoc->hooks->peer_ended(assoc->arg, peer, 0, why);
    a3mi_sender_free(assoc, sender);
    a3mi_peer_release(assoc, peer);
}

void a3mi_sender_forget(struct a3mi_sender *sender, const struct a3mi_tx *tx)
{
    for (uint64_t seq = sender->acked; seq != sender->next && tx->units_in_flight > 0; seq++) {
        struct a3mi_unit *unit = a3mi_ring_get(&sender->ring, seq);

        if (unit != NULL) {
            a3mi_unit_forget(unit, tx);
        }
    }
}

void a3mi_sender_move(struct a3mi_assoc *assoc, struct a3mi_sender *sender, const struct a3m_addr *addr)
{
    a3mi_path_move(&sender->path, addr);
    a3mi_rtt_init(&sender->peer->rtt);
    a3mi_pmtu_init(&sender->pmtu, (uint32_t)(assoc->packet_max + A3MI_PACKET_TAG),
                   (uint32_t)(assoc->packet_limit + A3MI_PACKET_TAG));
    a3mi_cc_init(&sender->cc, assoc->congestion, (uint32_t)assoc->packet_max);
    a3mi_pacer_init(&sender->pacer);
    sender->recovery.backoffs = 0;
    if (sender->state == A3MI_SENDER_OPEN) {
        sender->ping_due = true;
    } else {
        sender->open_due = a3mi_sender_unfinished(sender);
        sender->open_interval = 0;
    }
    a3mi_sender_refresh(assoc, sender);
}
