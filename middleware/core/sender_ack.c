/* SPDX-License-Identifier: Apache-2.0 */
/* What acknowledgements do to a sender (core/sender.h), and which units are lost. */
#include "core/sender.h"

#include "core/mutation.h"

/* Time-outs in a row, nothing acknowledged, that stand for persistent congestion (RFC 9002, 7.6). */
#define COLLAPSE_AFTER 3u
/* A round trip longer than this is none: the time echoed was not ours. */
#define SAMPLE_MAX INT64_C(60000000000)

/* An acknowledgement must not name what was never sent. */
static bool is_plausible(const struct a3mi_sender *sender, const struct a3mi_ack *ack)
{
    uint64_t end = ack->cumulative;

    if (end > sender->next) {
        return false;
    }
    for (unsigned i = 0; i < ack->count; i++) {
        end += (uint64_t)ack->ranges[i].gap + ack->ranges[i].length;
    }
    if (end > sender->next) {
        return false;
    }
    return ack->echo == 0 || (ack->echo >= sender->first_number && ack->echo <= sender->last_number);
}

/* The newest transmission that is known to have arrived gives a round trip. */
static void take_echo(struct a3mi_assoc *assoc, struct a3mi_sender *sender, const struct a3mi_ack *ack)
{
    if (ack->echo <= sender->recovery.newest) {
        return;
    }
    int64_t rtt = (int64_t)(uint32_t)(a3mi_assoc_time(assoc) - ack->echo_time) * 1000;

    if (rtt > SAMPLE_MAX) {
        return;
    }
    if (rtt == 0) {
        rtt = 1000;
    }
    a3mi_rtt_sample(&sender->peer->rtt, rtt, (int64_t)ack->delay * 1000);
    a3mi_recovery_echo(&sender->recovery, ack->echo, rtt);
    a3mi_pacer_set(&sender->pacer, sender->cc.window, sender->peer->rtt.smoothed, sender->cc.packet,
                   assoc->now);
}

static uint32_t take_unit(struct a3mi_assoc *assoc, struct a3mi_sender *sender, uint64_t seq, uint64_t echo)
{
    struct a3mi_unit **at = &sender->ring[seq % A3MI_RING];
    struct a3mi_unit *unit = *at;

    if (unit == NULL) {
        return 0;
    }
    *at = NULL;
    a3mi_list_remove(&unit->list);
    if (unit->lost || (unit->resent && echo < unit->number)) {
        a3mi_recovery_spurious(&sender->recovery);
    }
    if (!unit->lost) {
        sender->in_flight -= unit->packet;
        sender->cc.ops->acked(&sender->cc, unit->packet, unit->sent_at, sender->window_limited);
    }
    a3mi_unit_acknowledged(assoc, unit);
    a3mi_slab_put(&assoc->unit_slab, unit);
    return 1;
}

/* Those of [seq, end) that are not yet acknowledged. */
static uint32_t take_range(struct a3mi_assoc *assoc, struct a3mi_sender *sender, uint64_t seq, uint64_t end,
                           uint64_t echo)
{
    uint32_t news = 0;

    for (seq = seq > sender->acked ? seq : sender->acked; seq < end; seq++) {
        news += take_unit(assoc, sender, seq, echo);
    }
    return news;
}

/* Returns how many units were acknowledged for the first time. */
static uint32_t take_units(struct a3mi_assoc *assoc, struct a3mi_sender *sender, const struct a3mi_ack *ack)
{
    uint32_t news = take_range(assoc, sender, 0, ack->cumulative, ack->echo);
    uint64_t seq = ack->cumulative;

    for (unsigned i = 0; i < ack->count; i++) {
        seq += ack->ranges[i].gap;
        news += take_range(assoc, sender, seq, seq + ack->ranges[i].length, ack->echo);
        seq += ack->ranges[i].length;
    }
    while (sender->acked < sender->next && sender->ring[sender->acked % A3MI_RING] == NULL) {
        sender->acked++;
    }
    return news;
}

int64_t a3mi_sender_detect(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    struct a3mi_list *it;

    while ((it = a3mi_list_first(&sender->sent)) != NULL) {
        struct a3mi_unit *unit = a3mi_container_of(it, struct a3mi_unit, list);
        int64_t at = a3mi_recovery_lost_at(&sender->recovery, &sender->peer->rtt, unit->number,
                                           unit->sent_at);

        if (at > assoc->now) {
            return at;
        }
        a3mi_list_remove(&unit->list);
        a3mi_list_push_back(&sender->lost, &unit->list);
        unit->lost = true;
        sender->in_flight -= unit->packet;
        sender->cc.ops->lost(&sender->cc, unit->sent_at, assoc->now);
        a3mi_recovery_lost(&sender->recovery);
    }
    return INT64_MAX;
}

/* Something arrived for the first time: time-outs begin anew, and the peer has acted on what OPEN said. */
static void progressed(struct a3mi_sender *sender)
{
    struct a3mi_life *life = sender->afresh ? a3mi_life_find(sender->peer, sender->incarnation) : NULL;

    if (life != NULL) {
        life->owed = false;
    }
    sender->afresh = false;
    sender->accepted_any = true;
    if (sender->recovery.backoffs >= COLLAPSE_AFTER) {
        sender->cc.ops->collapsed(&sender->cc);
    }
    sender->recovery.backoffs = 0;
    sender->probes = 0;
}

void a3mi_sender_ack(struct a3mi_assoc *assoc, const struct a3m_addr *from, uint64_t number,
                     const struct a3mi_ack *ack)
{
    struct a3mi_sender *sender = A3MI_MUTATE(ACK_ANY_ID, a3mi_mutation_sender(assoc, from),
                                             a3mi_map64_get(&assoc->senders, ack->s));

    if (sender == NULL || sender->state != A3MI_SENDER_OPEN ||
        A3MI_MUTATE(ACK_ANY_ID, false, sender->r != ack->r)) {
        assoc->stats.stray++;
        return;
    }
    if (!is_plausible(sender, ack)) {
        assoc->stats.bad_packet++;
        return;
    }
    a3mi_path_heard(assoc, &sender->path, from, number, sender->s, sender->r);
    sender->heard_at = assoc->now;
    if (ack->limit > sender->limit) {
        if (sender->next >= sender->limit) {
            sender->recovery.backoffs = 0;
        }
        sender->limit = ack->limit;
    }
    take_echo(assoc, sender, ack);
    if (take_units(assoc, sender, ack) > 0) {
        progressed(sender);
    }
    sender->loss_at = a3mi_sender_detect(assoc, sender);
    a3mi_channel_report_acked(assoc);
    a3mi_sender_refresh(assoc, sender);
}
