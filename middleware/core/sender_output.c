/* SPDX-License-Identifier: Apache-2.0 */
/* What a sender sends (core/sender.h): OPEN, PING, and units. */
#include "core/sender.h"

#include <string.h>

#include "core/answer.h"
#include "core/mutation.h"
#include "core/receiver.h"

static void give(struct a3m_packet_out *out, const struct a3m_addr *to, const uint8_t *bytes, size_t size)
{
    *out = (struct a3m_packet_out){.to = to, .bytes = bytes, .size = size};
}

/* ---- OPEN, PING --------------------------------------------------------------- */

static struct a3mi_answer *build_open(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    const struct a3mi_peer *peer = sender->peer;
    struct a3mi_answer *answer = a3mi_answer_new(assoc, &peer->addr);

    if (answer == NULL) {
        return NULL;
    }
    struct a3mi_open open = {
        .s = sender->s,
        .order = sender->order,
        .source_incarnation = assoc->config.incarnation,
        .destination_incarnation = A3MI_MUTATE(OPEN_NAMES_NOBODY, 0, sender->incarnation),
        .time = a3mi_assoc_time(assoc),
        .afresh = sender->afresh,
        .source = assoc->config.id,
        .destination = peer->id,
        .has_cookie = sender->has_cookie,
    };

    memcpy(open.cookie, sender->cookie, sizeof(open.cookie));
    sender->path.addr = peer->addr;
    sender->open_due = false;
    sender->open_interval = sender->open_interval == 0 ? a3mi_rtt_pto(&peer->rtt, 0, false)
                                                       : sender->open_interval * 2;
    if (sender->open_interval > A3MI_PTO_MAX) {
        sender->open_interval = A3MI_PTO_MAX;
    }
    sender->opened_at = assoc->now;
    a3mi_answer_spend(assoc, answer, A3MI_PACKET_OPEN, 0,
                      a3mi_open_write(answer->bytes + A3MI_PACKET_HEADER, &open));
    return answer;
}

/* A transmission number was used under this s. */
static void used_number(struct a3mi_sender *sender, uint64_t number)
{
    if (sender->first_number == 0) {
        sender->first_number = number;
    }
    sender->last_number = number;
}

static struct a3mi_answer *build_ping(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    struct a3mi_answer *answer = a3mi_answer_new(assoc, &sender->path.addr);

    if (answer == NULL) {
        return NULL;
    }
    struct a3mi_ping ping = {.s = sender->s, .time = a3mi_assoc_time(assoc)};

    a3mi_answer_spend(assoc, answer, A3MI_PACKET_PING, sender->r,
                      a3mi_ping_write(answer->bytes + A3MI_PACKET_HEADER, &ping));
    used_number(sender, assoc->last_number);
    sender->ping_due = false;
    sender->sent_at = assoc->now;
    return answer;
}

/* A CHALLENGE padded to a size that may be too large for the path. */
static struct a3mi_answer *build_size_probe(struct a3mi_assoc *assoc, struct a3mi_sender *sender,
                                            uint32_t size)
{
    struct a3mi_answer *answer = a3mi_answer_new_of(assoc, &sender->path.addr, size - A3MI_PACKET_TAG);

    if (answer == NULL) {
        return NULL;
    }
    struct a3mi_challenge body = {.author = sender->s,
                                  .nonce = a3mi_assoc_hide(assoc, a3mi_assoc_tick_clock(assoc))};

    (void)a3mi_challenge_write(answer->bytes + A3MI_PACKET_HEADER, &body);
    a3mi_answer_spend(assoc, answer, A3MI_PACKET_CHALLENGE, sender->r,
                      size - A3MI_PACKET_TAG - A3MI_PACKET_HEADER);
    a3mi_pmtu_probed(&sender->pmtu, body.nonce, assoc->now, a3mi_rtt_pto(&sender->peer->rtt, 0, false));
    return answer;
}

/* ---- Units ---------------------------------------------------------------------- */

/* Bytes that an acknowledgement of this receiver (may be NULL) would take. */
static size_t ack_room(const struct a3mi_receiver *owing)
{
    if (owing == NULL) {
        return 0;
    }
    uint32_t ranges = owing->have.count < A3MI_ACK_RANGES ? owing->have.count : A3MI_ACK_RANGES;

    return A3MI_ACK_FIXED + 8 * (size_t)ranges;
}

/* A full unit is filled up to one size, so that a row of them can go as one super-packet; a tiny one to the minimum. */
static void pad(struct a3mi_unit *unit, size_t size)
{
    if (unit->frames < size) {
        memset(a3mi_unit_frames(unit) + unit->frames, A3MI_FRAME_PAD, size - unit->frames);
        unit->frames = (uint32_t)size;
    }
}

/* Makes a unit of what waits. NULL: nothing came of it. */
static struct a3mi_unit *build_unit(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    if (!a3mi_ring_make_room(assoc, &sender->ring, sender->acked, sender->next)) {
        return NULL;
    }
    struct a3mi_unit *unit = a3mi_unit_new(assoc, a3mi_sender_packet(sender));

    if (unit == NULL) {
        return NULL;
    }
    size_t around = A3MI_PACKET_HEADER + A3MI_DATA_FIXED;
    size_t room = a3mi_sender_packet(sender) - around -
                  ack_room(a3mi_receiver_owing(sender->peer, sender->incarnation));

    unit->seq = sender->next;
    unit->count = 0;
    unit->lost = false;
    unit->lost_at = INT64_MIN;
    unit->probed = INT64_MIN;
    unit->urgent = a3mi_sender_is_urgent(sender);
    unit->parts_count = 0;
    a3mi_list_init(&unit->list);
    /* It is in the ring before it is filled, so that a channel detached by a hook is found in it. */
    a3mi_ring_set(&sender->ring, sender->next++, unit);
    bool full = a3mi_channel_pack(assoc, &sender->ready, &sender->control, unit, room);

    if (unit->frames == 0 && !(sender->afresh && unit->seq == 0) && !sender->greets) {
        a3mi_ring_set(&sender->ring, --sender->next, NULL);
        a3mi_unit_free(assoc, unit);
        return NULL;
    }
    sender->greets = false;
    unit->flags = full ? 0 : A3MI_DATA_UNFILLED;
    pad(unit, full ? room : A3MI_PACKET_MIN - around);
    sender->held += unit->frames;
    assoc->stats.tx_units++;
    if (full) {
        a3mi_pmtu_used(&sender->pmtu);
    }
    return unit;
}

/* The acknowledgement that fits beside a unit's frames, if one is owed; NULL. */
static const struct a3mi_ack *ride(struct a3mi_assoc *assoc, const struct a3mi_sender *sender,
                                   const struct a3mi_unit *unit, struct a3mi_ack *ack, uint64_t *acked_r)
{
    struct a3mi_receiver *owing = a3mi_receiver_owing(sender->peer, sender->incarnation);
    size_t used = A3MI_PACKET_HEADER + A3MI_DATA_FIXED + unit->frames;
    /* What the path is known to carry, and no more: it would go in fragments. */
    size_t most = unit->large ? a3mi_sender_packet(sender) : assoc->packet_max;

    if (owing == NULL || used + A3MI_ACK_FIXED > most) {
        return NULL;
    }
    a3mi_receiver_ack_fill(assoc, owing, ack, (unsigned)((most - used - A3MI_ACK_FIXED) / 8));
    *acked_r = owing->r;
    return ack;
}

static void leave_flight(struct a3mi_sender *sender, struct a3mi_unit *unit)
{
    if (!unit->lost && a3mi_list_linked(&unit->list)) {
        sender->in_flight -= unit->packet;
    }
    a3mi_list_remove(&unit->list);
}

static void transmit(struct a3mi_assoc *assoc, struct a3mi_sender *sender, struct a3mi_unit *unit,
                     struct a3m_packet_out *out, struct a3mi_sent *sent)
{
    struct a3mi_ack ack;
    struct a3mi_data data = {
        .seq = unit->seq,
        .count = unit->count < UINT8_MAX ? ++unit->count : UINT8_MAX,
        .flags = unit->flags,
        .time = a3mi_assoc_time(assoc),
    };
    uint8_t *frames = a3mi_unit_frames(unit);

    sent->s = sender->s;
    sent->seq = unit->seq;
    uint8_t *body = a3mi_data_write_before(frames, &data, ride(assoc, sender, unit, &ack, &sent->acked_r));
    uint8_t *packet = body - A3MI_PACKET_HEADER;
    size_t size = (size_t)(frames - packet) + unit->frames;

    bool probe = !unit->lost && a3mi_list_linked(&unit->list);

    leave_flight(sender, unit);
    unit->probed = probe ? unit->sent_at : INT64_MIN;
    unit->lost = false;
    unit->number = a3mi_assoc_next_number(assoc);
    unit->sent_at = assoc->now;
    unit->packet = (uint32_t)size;
    a3mi_packet_seal(packet, size, A3MI_PACKET_DATA, sender->r, unit->number);
    a3mi_list_push_back(&sender->sent, &unit->list);
    a3mi_rate_sent(&sender->rate, &unit->rate, sender->in_flight, unit->packet, assoc->now);
    sender->in_flight += size;
    sender->sent_at = assoc->now;
    used_number(sender, unit->number);
    a3mi_pacer_sent(&sender->pacer, unit->packet);
    give(out, &sender->path.addr, packet, size);
}

/* The unit to send again now; NULL: none. Probes take what is lost, or else what is in flight for longest. */
static struct a3mi_unit *next_again(struct a3mi_sender *sender)
{
    struct a3mi_list *it = a3mi_list_first(&sender->lost);

    if (it == NULL && sender->probes > 0) {
        it = a3mi_list_first(&sender->sent);
    }
    return it != NULL ? a3mi_container_of(it, struct a3mi_unit, list) : NULL;
}

/*
 * Control messages do not wait until a window of lost units went again, nor the other way round: they take turns.
 * Probes are for what is in flight.
 */
static bool jumps(struct a3mi_sender *sender)
{
    sender->jumped = !sender->jumped && sender->probes == 0 && a3mi_sender_is_urgent(sender) &&
                     a3mi_sender_may_number(sender);
    return A3MI_MUTATE(CONTROL_LAST, false, sender->jumped);
}

/*
 * A unit's packet is built around its frames, in place, so it cannot stand in one output twice, as it would
 * where two probes are due and one unit is in flight. A PING then does for the second: its answer tells of
 * the unit's loss.
 */
static bool is_in_output(const struct a3mi_assoc *assoc, const struct a3mi_unit *unit)
{
    return unit->number > assoc->sent_after;
}

static bool build_data(struct a3mi_assoc *assoc, struct a3mi_sender *sender, struct a3m_packet_out *out,
                       struct a3mi_sent *sent)
{
    struct a3mi_unit *unit = next_again(sender);

    if (unit != NULL && jumps(sender)) {
        unit = NULL;
    }
    if (sender->probes > 0) {
        sender->probes--;
    }
    if (unit != NULL && is_in_output(assoc, unit)) {
        sender->ping_due = true;
        return false;
    }
    if (unit != NULL) {
        assoc->stats.retransmitted++;
    } else if (a3mi_sender_may_number(sender)) {
        unit = build_unit(assoc, sender);
    }
    if (unit == NULL) {
        return false;
    }
    transmit(assoc, sender, unit, out, sent);
    return true;
}

bool a3mi_sender_build(struct a3mi_assoc *assoc, struct a3mi_sender *sender, struct a3m_packet_out *out,
                       struct a3mi_sent *sent)
{
    int64_t paced;

    *sent = (struct a3mi_sent){0};
    if (!a3mi_sender_may_send(assoc, sender, &paced)) {
        return false;
    }
    uint32_t probe = sender->state == A3MI_SENDER_OPEN ? a3mi_pmtu_due(&sender->pmtu, assoc->now) : 0;

    if (probe != 0 && (sent->answer = build_size_probe(assoc, sender, probe)) != NULL) {
        give(out, &sent->answer->to, sent->answer->bytes, sent->answer->size);
        out->flags = A3M_PACKET_WHOLE;
        return true;
    }
    if (sender->state == A3MI_SENDER_OPEN && !sender->ping_due) {
        bool built = build_data(assoc, sender, out, sent);

        if (built || !sender->ping_due) {
            return built;
        }
    }
    sent->answer = sender->state == A3MI_SENDER_OPENING ? build_open(assoc, sender)
                                                        : build_ping(assoc, sender);
    if (sent->answer == NULL) {
        return false;
    }
    give(out, &sent->answer->to, sent->answer->bytes, sent->answer->size);
    return true;
}

void a3mi_sender_unsent(struct a3mi_assoc *assoc, struct a3mi_sender *sender, uint64_t seq)
{
    if (seq - sender->acked >= sender->next - sender->acked || sender->state != A3MI_SENDER_OPEN) {
        return;
    }
    struct a3mi_unit *unit = a3mi_ring_get(&sender->ring, seq);

    if (unit == NULL || unit->lost) {
        return;
    }
    leave_flight(sender, unit);
    unit->lost = true;
    a3mi_list_push_front(&sender->lost, &unit->list);
    a3mi_sender_refresh(assoc, sender);
}
