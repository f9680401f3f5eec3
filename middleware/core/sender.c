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

static void sender_alarm(struct a3mi_assoc *assoc, struct a3mi_alarm *alarm);

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
    if (a3mi_alarm_init(assoc, &sender->alarm, sender_alarm) != 0) {
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

/* ---- What to do next ------------------------------------------------------------ */

static bool has_more(const struct a3mi_sender *sender)
{
    return !a3mi_list_empty(&sender->lost) || a3mi_sender_may_number(sender);
}

bool a3mi_sender_may_send(struct a3mi_assoc *assoc, struct a3mi_sender *sender, int64_t *paced)
{
    *paced = INT64_MAX;
    if (sender->path.addr.kind == A3M_ADDR_NONE) {
        return false;
    }
    if (sender->state == A3MI_SENDER_OPENING) {
        return sender->open_due;
    }
    if (sender->ping_due || sender->probes > 0) {
        return true;
    }
    bool room = a3mi_cc_has_room(&sender->cc, sender->in_flight);

    sender->limited = has_more(sender);
    if (!sender->limited) {
        if (room) {
            a3mi_rate_idle(&sender->rate, sender->in_flight);
        }
        return false;
    }
    if (!room) {
        return false;
    }
    int64_t at = a3mi_pacer_next(&sender->pacer, assoc->now);

    *paced = at > assoc->now ? at : INT64_MAX;
    return at <= assoc->now;
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A unit sent unfilled with nothing behind it is acknowledged as soon as it is read (core/receiver_ack.c). */
static bool is_acknowledged_at_once(const struct a3mi_sender *sender)
{
    const struct a3mi_unit *last = a3mi_container_of(sender->sent.prev, struct a3mi_unit, list);

    return !a3mi_list_empty(&sender->sent) && (last->flags & A3MI_DATA_UNFILLED) != 0 &&
           !a3mi_sender_has_new(sender);
}

static int64_t pto_at(const struct a3mi_sender *sender)
{
    return sender->sent_at +
           a3mi_rtt_pto(&sender->peer->rtt, sender->recovery.backoffs, is_acknowledged_at_once(sender));
}

/* Messages wait, nothing is in flight, and the limit is reached. */
static bool is_stalled(const struct a3mi_sender *sender)
{
    return sender->acked == sender->next && a3mi_sender_has_new(sender) &&
           A3MI_MUTATE(NO_PING, false, sender->next >= sender->limit);
}

/* ---- Silence ------------------------------------------------------------------------- */

static void tell_silence(struct a3mi_assoc *assoc, struct a3mi_sender *sender, int64_t since)
{
    bool silent = since != INT64_MAX;

    if (silent == sender->silent) {
        return;
    }
    sender->silent = silent;
    if (assoc->hooks->peer_silent != NULL && sender->incarnation != 0) {
        assoc->hooks->peer_silent(assoc->arg, sender->peer, sender->incarnation, since);
    }
}

void a3mi_sender_heard(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    sender->heard_at = assoc->now;
    sender->asked_at = INT64_MIN;
    tell_silence(assoc, sender, INT64_MAX);
}

/* When a peer that was last heard then, and should have answered since, counts as silent. */
static int64_t silent_at(const struct a3mi_sender *sender, int64_t since)
{
    int64_t probes = 3 * a3mi_rtt_pto(&sender->peer->rtt, 0, false);

    return since + (probes > A3MI_SILENT_AFTER ? probes : A3MI_SILENT_AFTER);
}

/* When it has something to do besides what it can send now. */
static int64_t deadline(const struct a3mi_assoc *assoc, const struct a3mi_sender *sender)
{
    int64_t at = INT64_MAX;

    if (!a3mi_sender_unfinished(sender)) {
        return sender->idle_since + assoc->config.linger;
    }
    if (assoc->config.peer_timeout > 0) {
        at = sender->heard_at + assoc->config.peer_timeout;
    }
    if (!sender->silent) { /* it is not before this, and only then looked at closely */
        int64_t soonest = sender->heard_at + A3MI_SILENT_AFTER;
        at = min64(at, soonest > assoc->now ? soonest : silent_at(sender, sender->heard_at));
    }
    if (sender->state == A3MI_SENDER_OPENING) {
        return A3MI_MUTATE(NO_OPEN_TIMER, true, sender->open_due)
                   ? at
                   : min64(at, sender->opened_at + sender->open_interval);
    }
    at = min64(at, sender->loss_at);
    if (A3MI_MUTATE(NO_TIMER, false, !a3mi_list_empty(&sender->sent)) && sender->probes == 0) {
        at = min64(at, pto_at(sender));
    }
    if (is_stalled(sender) && !sender->ping_due) {
        at = min64(at, pto_at(sender));
    }
    return at;
}

/* Notes whether it has anything left to do; one that begins to have is told from silence from then on. */
static void count(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    bool unfinished = a3mi_sender_unfinished(sender);

    if (unfinished == sender->counted) {
        return;
    }
    sender->counted = unfinished;
    if (unfinished) {
        assoc->unfinished++;
        sender->heard_at = assoc->now;
        sender->open_due |= sender->state == A3MI_SENDER_OPENING && sender->opened_at == INT64_MIN;
    } else {
        assoc->unfinished--;
        sender->idle_since = assoc->now;
        sender->open_due = false;
        tell_silence(assoc, sender, INT64_MAX); /* it is owed no answer any more */
    }
}

void a3mi_sender_refresh(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    int64_t paced;

    if (sender->ended || assoc->leaving) {
        return;
    }
    count(assoc, sender);
    if (a3mi_sender_may_send(assoc, sender, &paced)) {
        if (!a3mi_list_linked(&sender->active)) {
            a3mi_list_push_back(&assoc->active, &sender->active);
        }
    } else {
        a3mi_list_remove(&sender->active);
    }
    a3mi_alarm_by(assoc, &sender->alarm, min64(paced, deadline(assoc, sender)));
}

void a3mi_sender_add(struct a3mi_assoc *assoc, struct a3mi_sender *sender, struct a3mi_tx *tx)
{
    bool is_control = tx == &sender->control; /* it needs no line */

    if (!is_control && !a3mi_fifo_empty(&tx->queue) && !a3mi_list_linked(&tx->ready)) {
        a3mi_list_push_back(&sender->ready.channels, &tx->ready);
    }
    if (tx->credit_waiting && !a3mi_list_linked(&tx->grant)) {
        a3mi_list_push_back(&sender->ready.grants, &tx->grant);
    }
    if (!a3mi_list_linked(&sender->active)) {
        a3mi_sender_refresh(assoc, sender);
    }
}

/* ---- Time ------------------------------------------------------------------------ */

/*
 * Whoever is at an address may be somebody who has accepted a later s since: to him the OPEN is a late one, and he
 * ignores it. Nothing was sent under this s: a new one is as good.
 */
static void renew_unheard(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    uint64_t old = sender->s;

    if (sender->peer->id.len == 0 && sender->order < assoc->opened && draw(assoc, sender) == 0) {
        (void)a3mi_map64_del(&assoc->senders, old);
        sender->has_cookie = false;
    }
}

static void opening_alarm(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    if (!sender->open_due && assoc->now >= sender->opened_at + sender->open_interval) {
        renew_unheard(assoc, sender);
        sender->open_due = true;
    }
}

static void open_alarm(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    if (assoc->now >= sender->loss_at) {
        sender->loss_at = a3mi_sender_detect(assoc, sender);
    }
    if (!a3mi_list_empty(&sender->sent) && sender->probes == 0 && assoc->now >= pto_at(sender)) {
        sender->probes = sender->recovery.backoffs > 0 ? 2 : 1;
        sender->recovery.backoffs++;
        if (sender->recovery.backoffs >= A3MI_PMTU_BLACK_HOLE &&
            a3mi_sender_packet(sender) > assoc->packet_max) {
            a3mi_pmtu_black_hole(&sender->pmtu, (uint32_t)(assoc->packet_max + A3MI_PACKET_TAG), assoc->now);
            sender->cc.packet = a3mi_sender_packet(sender);
        }
    }
    if (is_stalled(sender) && !sender->ping_due && assoc->now >= pto_at(sender)) {
        sender->ping_due = true;
        sender->recovery.backoffs++;
    }
}

static bool is_silent(const struct a3mi_assoc *assoc, const struct a3mi_sender *sender)
{
    return assoc->config.peer_timeout > 0 && assoc->now >= sender->heard_at + assoc->config.peer_timeout;
}

void a3mi_sender_ask(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    sender->idle_since = assoc->now;
    if (a3mi_sender_unfinished(sender)) {
        return; /* what is unacknowledged asks by itself */
    }
    if (sender->asked_at == INT64_MIN) {
        sender->asked_at = assoc->now;
    } else if (assoc->now >= silent_at(sender, sender->asked_at)) {
        tell_silence(assoc, sender, sender->asked_at);
    }
    if (assoc->config.peer_timeout > 0 && assoc->now >= sender->asked_at + assoc->config.peer_timeout) {
        a3mi_sender_end(assoc, sender, A3MI_PEER_SILENT);
        return;
    }
    if (sender->state == A3MI_SENDER_OPEN) {
        sender->ping_due = true;
    } else {
        sender->open_due = true;
    }
    a3mi_sender_refresh(assoc, sender);
}

static void sender_alarm(struct a3mi_assoc *assoc, struct a3mi_alarm *alarm)
{
    struct a3mi_sender *sender = a3mi_container_of(alarm, struct a3mi_sender, alarm);

    if (sender->ended) {
        return;
    }
    bool unfinished = a3mi_sender_unfinished(sender);
    if (!unfinished && assoc->now >= sender->idle_since + assoc->config.linger) {
        tell_silence(assoc, sender, INT64_MAX);
        a3mi_sender_close(assoc, sender);
        return;
    }
    if (unfinished && is_silent(assoc, sender)) {
        a3mi_sender_end(assoc, sender, A3MI_PEER_SILENT);
        return;
    }
    if (unfinished && assoc->now >= silent_at(sender, sender->heard_at)) {
        tell_silence(assoc, sender, sender->heard_at);
    }
    if (unfinished && sender->state == A3MI_SENDER_OPENING) {
        opening_alarm(assoc, sender);
    } else if (unfinished) {
        open_alarm(assoc, sender);
    }
    a3mi_sender_refresh(assoc, sender);
}

/* ---- Ending, starting again --------------------------------------------------------- */

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
