/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sender has to do, and when: whether it can send now, its deadlines (loss, probes, idleness), and when its
 * peer counts as silent.
 */
#include "core/sender.h"

#include "core/mutation.h"

/* ---- What it can send now ------------------------------------------------------------ */

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

/* ---- When it has something to do ----------------------------------------------------- */

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

/* ---- The alarm ------------------------------------------------------------------------ */

static void opening_alarm(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    if (!sender->open_due && assoc->now >= sender->opened_at + sender->open_interval) {
        a3mi_sender_renew_unheard(assoc, sender);
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

void a3mi_sender_alarm(struct a3mi_assoc *assoc, struct a3mi_alarm *alarm)
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
