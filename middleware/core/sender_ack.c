/* SPDX-License-Identifier: Apache-2.0 */
/* What acknowledgements do to a sender (core/sender.h), and which units are lost. */
#include "core/sender.h"

#include "core/mutation.h"

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

/* The newest transmission that is known to have arrived gives a round trip: less the delay, or 0 when it is old. */
static int64_t take_echo(struct a3mi_assoc *assoc, struct a3mi_sender *sender, const struct a3mi_ack *ack)
{
    if (ack->echo <= sender->recovery.newest) {
        return 0;
    }
    int64_t rtt = (int64_t)(uint32_t)(a3mi_assoc_time(assoc) - ack->echo_time) * 1000;

    if (rtt > SAMPLE_MAX) {
        return 0;
    }
    if (rtt == 0) {
        rtt = 1000;
    }
    int64_t delay = (int64_t)ack->delay * 1000;

    a3mi_rtt_sample(&sender->peer->rtt, rtt, delay, assoc->now);
    a3mi_recovery_echo(&sender->recovery, ack->echo, rtt, assoc->now);
    return rtt >= sender->peer->rtt.min + delay ? rtt - delay : rtt;
}

/* A unit arrived that was sent more than once. The newest transmission seen tells which of them it was. */
static void judge(struct a3mi_assoc *assoc, struct a3mi_sender *sender, const struct a3mi_unit *unit,
                  uint64_t echo)
{
    bool last_arrived = !unit->lost && echo >= unit->number;

    if (unit->lost_at != INT64_MIN && !last_arrived) {
        a3mi_recovery_spurious(&sender->recovery, unit->number, sender->last_number);
        sender->cc.ops->spurious(&sender->cc, unit->lost_at);
    } else if (unit->probed != INT64_MIN && last_arrived) {
        sender->cc.ops->lost(&sender->cc, unit->probed, assoc->now);
    }
}

/* One acknowledgement as the controller is told of it, and how many units it was the first for. */
struct taking {
    struct a3mi_cc_ack told;
    uint64_t echo;
    uint32_t news;
};

static void take_unit(struct a3mi_assoc *assoc, struct a3mi_sender *sender, uint64_t seq, struct taking *t)
{
    struct a3mi_unit *unit = a3mi_ring_get(&sender->ring, seq);

    a3mi_ring_set(&sender->ring, seq, NULL);
    a3mi_list_remove(&unit->list);
    judge(assoc, sender, unit, t->echo);
    if (unit->number != 0) { /* or it was restored, and has not gone again */
        a3mi_recovery_arrived(&sender->recovery, unit->number, unit->sent_at);
        a3mi_rate_acked(&sender->rate, &unit->rate, unit->sent_at, unit->packet, assoc->now);
        t->told.sent_at = unit->sent_at > t->told.sent_at ? unit->sent_at : t->told.sent_at;
    }
    if (!unit->lost) {
        sender->in_flight -= unit->packet;
        t->told.bytes += unit->packet;
    }
    t->news++;
    a3mi_unit_acknowledged(assoc, unit);
    sender->held -= unit->frames;
    a3mi_unit_free(assoc, unit);
}

/* Those of [seq, end) that are not yet acknowledged. */
static void take_range(struct a3mi_assoc *assoc, struct a3mi_sender *sender, uint64_t seq, uint64_t end,
                       struct taking *t)
{
    seq = a3mi_ring_next(&sender->ring, seq > sender->acked ? seq : sender->acked, end);
    while (seq < end) {
        take_unit(assoc, sender, seq, t);
        seq = a3mi_ring_next(&sender->ring, seq + 1, end);
    }
}

static void take_units(struct a3mi_assoc *assoc, struct a3mi_sender *sender, const struct a3mi_ack *ack,
                       struct taking *t)
{
    uint64_t seq = ack->cumulative;

    take_range(assoc, sender, 0, ack->cumulative, t);
    for (unsigned i = 0; i < ack->count; i++) {
        seq += ack->ranges[i].gap;
        take_range(assoc, sender, seq, seq + ack->ranges[i].length, t);
        seq += ack->ranges[i].length;
    }
    sender->acked = a3mi_ring_next(&sender->ring, sender->acked, sender->next);
}

static void lose(struct a3mi_assoc *assoc, struct a3mi_sender *sender, struct a3mi_unit *unit)
{
    a3mi_list_remove(&unit->list);
    /* Once: without the others the receiver may have no room for the data behind what is urgent, each time. */
    if (A3MI_MUTATE(CONTROL_LAST, false, unit->urgent)) {
        unit->urgent = false;
        a3mi_list_push_front(&sender->lost, &unit->list);
    } else {
        a3mi_list_push_back(&sender->lost, &unit->list);
    }
    unit->lost = true;
    unit->lost_at = assoc->now;
    sender->in_flight -= unit->packet;
    a3mi_rate_lost(&sender->rate, unit->packet);
    sender->cc.ops->lost(&sender->cc, unit->sent_at, assoc->now);
    if (a3mi_recovery_lost(&sender->recovery, &sender->peer->rtt, unit->number, unit->sent_at,
                           sender->last_number)) {
        a3mi_rtt_forget_min(&sender->peer->rtt);
        sender->cc.ops->collapsed(&sender->cc);
    }
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
        lose(assoc, sender, unit);
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
    sender->recovery.backoffs = 0;
    sender->probes = 0;
}

/* Units acknowledged, then losses that this shows, then the controller, then the pacer. */
static void take_ack(struct a3mi_assoc *assoc, struct a3mi_sender *sender, const struct a3mi_ack *ack)
{
    const struct a3mi_rtt *rtt = &sender->peer->rtt;
    struct taking t = {.echo = ack->echo,
                       .told = {.now = assoc->now, .sent_at = INT64_MIN, .limited = sender->limited}};

    t.told.rtt = take_echo(assoc, sender, ack);
    take_units(assoc, sender, ack, &t);
    if (t.news > 0) {
        progressed(sender);
    }
    sender->loss_at = a3mi_sender_detect(assoc, sender);
    t.told.min_rtt = rtt->min;
    t.told.smoothed = rtt->smoothed;
    t.told.in_flight = sender->in_flight;
    t.told.rate = a3mi_rate_take(&sender->rate, rtt->min);
    if (t.news > 0) {
        sender->cc.ops->acked(&sender->cc, &t.told);
        a3mi_pacer_set(&sender->pacer, a3mi_cc_rate(&sender->cc, rtt->smoothed), rtt->smoothed,
                       sender->cc.packet, assoc->now);
    }
}

void a3mi_sender_accepted_below(struct a3mi_assoc *assoc, struct a3mi_sender *sender, uint64_t seq)
{
    struct a3mi_ack ack = {.cumulative = seq};
    struct taking t = {.told = {.now = assoc->now, .sent_at = INT64_MIN}};

    if (seq > sender->next) {
        assoc->stats.bad_packet++;
        return;
    }
    take_units(assoc, sender, &ack, &t);
    a3mi_channel_report_acked(assoc);
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
    a3mi_sender_heard(assoc, sender);
    if (ack->limit > sender->limit) {
        if (sender->next >= sender->limit) {
            sender->recovery.backoffs = 0;
        }
        sender->limit = ack->limit;
    }
    take_ack(assoc, sender, ack);
    a3mi_channel_report_acked(assoc);
    a3mi_sender_refresh(assoc, sender);
}
