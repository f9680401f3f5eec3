/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a receiver (core/receiver.h). */
#include "core/receiver.h"

#include "core/answer.h"
#include "core/memory.h"
#include "core/mutation.h"

static void receiver_alarm(struct a3mi_assoc *assoc, struct a3mi_alarm *alarm);

void a3mi_receiver_weigh(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver)
{
    uint64_t now = sizeof(*receiver) + receiver->have.capacity * sizeof(struct a3mi_range);

    a3mi_memory_hold(assoc, receiver->peer, receiver->held, now);
    receiver->held = now;
}

static struct a3mi_receiver *make(struct a3mi_assoc *assoc, const struct a3mi_receiver *like)
{
    struct a3mi_receiver *receiver = a3mi_slab_get(&assoc->receiver_slab);

    if (receiver == NULL) {
        return NULL;
    }
    *receiver = *like;
    receiver->r = a3mi_assoc_hide(assoc, receiver->clock);
    receiver->heard_at = assoc->now;
    receiver->probed_at = INT64_MIN;
    receiver->probe_interval = A3MI_PROBE_MIN;
    if (a3mi_alarm_init(assoc, &receiver->alarm, receiver_alarm) != 0) {
        goto no_alarm;
    }
    if (a3mi_map64_put(&assoc->receivers, receiver->r, receiver) != 0) {
        goto no_id;
    }
    a3mi_list_init(&receiver->in_acks);
    a3mi_list_init(&receiver->unproven);
    a3mi_list_init(&receiver->starved);
    a3mi_rx_init(assoc, &receiver->control, 0, A3MI_CONTROL_MESSAGE_MAX);
    receiver->control.peer = receiver->peer;
    a3mi_receiver_weigh(assoc, receiver);
    a3mi_list_push_back(&receiver->peer->receivers, &receiver->on_peer);
    assoc->stats.receivers++;
    return receiver;

no_id:
    a3mi_alarm_fini(assoc, &receiver->alarm);
no_alarm:
    a3mi_slab_put(&assoc->receiver_slab, receiver);
    return NULL;
}

struct a3mi_receiver *a3mi_receiver_new(struct a3mi_assoc *assoc, struct a3mi_peer *peer,
                                        uint64_t incarnation, uint64_t s, uint64_t order,
                                        const struct a3m_addr *from)
{
    struct a3mi_receiver like = {
        .peer = peer,
        .incarnation = incarnation,
        .s = s,
        .order = order,
        .clock = A3MI_MUTATE(R_REUSED, a3mi_mutation_first(assoc, assoc->stats.receivers),
                             a3mi_assoc_tick_clock(assoc)),
        .limit = A3MI_UNPROVEN_LIMIT < assoc->config.window ? A3MI_UNPROVEN_LIMIT : assoc->config.window,
    };
    struct a3mi_receiver *receiver = make(assoc, &like);

    if (receiver != NULL) {
        a3mi_path_init(&receiver->path, from);
        a3mi_list_push_back(&assoc->unproven, &receiver->unproven);
        assoc->unproven_count++;
        a3mi_alarm_by(assoc, &receiver->alarm, assoc->now + A3MI_UNPROVEN_LIFE);
    }
    return receiver;
}

struct a3mi_receiver *a3mi_receiver_restore(struct a3mi_assoc *assoc, struct a3mi_peer *peer,
                                            uint64_t incarnation, uint64_t s, uint64_t order, uint64_t clock)
{
    struct a3mi_receiver like = {
        .peer = peer, .incarnation = incarnation, .s = s, .order = order, .clock = clock, .proven = true};
    struct a3mi_receiver *receiver = make(assoc, &like);

    if (receiver != NULL) {
        a3mi_receiver_ack_now(assoc, receiver);
        a3mi_alarm_by(assoc, &receiver->alarm, assoc->now + A3MI_PROBE_AFTER);
    }
    return receiver;
}

static void leave_unproven(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver)
{
    if (!receiver->proven) {
        a3mi_list_remove(&receiver->unproven);
        assoc->unproven_count--;
    }
}

void a3mi_receiver_free(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver, bool done)
{
    struct a3mi_peer *peer = receiver->peer;

    if (receiver->proven && !done && receiver->clock > assoc->dropped) {
        assoc->dropped = receiver->clock;
    }
    leave_unproven(assoc, receiver);
    a3mi_rx_clear(assoc, &receiver->control);
    a3mi_ranges_tidy(assoc, &receiver->have, true);
    a3mi_memory_hold(assoc, peer, receiver->held, 0);
    a3mi_list_remove(&receiver->starved);
    (void)a3mi_map64_del(&assoc->receivers, receiver->r);
    a3mi_alarm_fini(assoc, &receiver->alarm);
    a3mi_list_remove(&receiver->in_acks);
    a3mi_list_remove(&receiver->on_peer);
    a3mi_slab_put(&assoc->receiver_slab, receiver);
    assoc->stats.receivers--;
    a3mi_peer_drop_unused(assoc, peer);
}

/* ---- Proof ---------------------------------------------------------------------- */

/* The sender has moved on to this one: it has finished with its earlier ones. */
static void free_earlier(struct a3mi_assoc *assoc, const struct a3mi_receiver *receiver)
{
    A3MI_LIST_FOREACH_SAFE (it, next, &receiver->peer->receivers) {
        struct a3mi_receiver *other = a3mi_container_of(it, struct a3mi_receiver, on_peer);

        if (other != receiver && other->incarnation == receiver->incarnation) {
            a3mi_receiver_free(assoc, other, true);
        }
    }
}

/* An incarnation that had ended is alive: two nodes use the id. The one that was here before stays. */
static void refuse_duplicate(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver, struct a3mi_life *life,
                             const struct a3m_addr *from)
{
    struct a3mi_name id = receiver->peer->id;

    life->duplicate_until = assoc->now + A3MI_DUPLICATE_LIFE;
    a3mi_receiver_free(assoc, receiver, false);
    assoc->stats.duplicate_id++;
    assoc->hooks->duplicate_id(assoc->arg, &id, from);
}

bool a3mi_receiver_prove(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver,
                         const struct a3m_addr *from)
{
    struct a3mi_peer *peer = receiver->peer;
    struct a3mi_life *life = a3mi_life_note(assoc, peer, receiver->incarnation, receiver->clock - 1);

    if (life->ended_at != 0) {
        refuse_duplicate(assoc, receiver, life, from);
        return false;
    }
    leave_unproven(assoc, receiver);
    receiver->proven = true;
    a3mi_memory_grant(assoc, receiver);
    free_earlier(assoc, receiver);
    a3mi_life_proven(assoc, peer, receiver->incarnation, receiver->clock);
    if (receiver->afresh) {
        a3mi_life_end_afresh(assoc, peer, receiver);
    }
    receiver->blocked = a3mi_life_is_owed(peer, receiver->incarnation);
    uint64_t current = a3mi_life_current(peer);

    if (current == 0 || current == receiver->incarnation) {
        a3mi_peer_move(assoc, peer, receiver->incarnation, &receiver->path.addr);
    }
    return true;
}

/* ---- Time ------------------------------------------------------------------------- */

void a3mi_receiver_probe(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver)
{
    struct a3mi_answer *answer = a3mi_answer_new(assoc, &receiver->path.addr);

    receiver->probed_at = assoc->now;
    a3mi_alarm_by(assoc, &receiver->alarm, assoc->now + receiver->probe_interval);
    if (A3MI_MUTATE(NO_PROBE, false, answer != NULL)) {
        struct a3mi_probe probe = {
            .r = receiver->r, .incarnation = assoc->config.incarnation, .destination = receiver->peer->id};

        a3mi_answer_send(assoc, answer, A3MI_PACKET_PROBE, receiver->s,
                         a3mi_probe_write(answer->bytes + A3MI_PACKET_HEADER, &probe));
    }
}

static int64_t next_probe(const struct a3mi_receiver *receiver)
{
    return receiver->probed_at == INT64_MIN ? receiver->heard_at + A3MI_PROBE_AFTER
                                            : receiver->probed_at + receiver->probe_interval;
}

static void probe_if_due(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver)
{
    if (assoc->now < next_probe(receiver)) {
        return;
    }
    if (receiver->probed_at != INT64_MIN) {
        receiver->probe_interval *= 2;
        if (receiver->probe_interval > A3MI_PROBE_MAX) {
            receiver->probe_interval = A3MI_PROBE_MAX;
        }
    }
    a3mi_receiver_probe(assoc, receiver);
}

/* Asked in vain for as long as the peer may be silent. */
static bool is_silent(const struct a3mi_assoc *assoc, const struct a3mi_receiver *receiver)
{
    return assoc->config.peer_timeout > 0 && receiver->probed_at != INT64_MIN &&
           assoc->now >= receiver->heard_at + A3MI_PROBE_AFTER + assoc->config.peer_timeout;
}

static void receiver_alarm(struct a3mi_assoc *assoc, struct a3mi_alarm *alarm)
{
    struct a3mi_receiver *receiver = a3mi_container_of(alarm, struct a3mi_receiver, alarm);

    if (!receiver->proven ||
        A3MI_MUTATE(R_TIMES_OUT, assoc->now >= receiver->heard_at + A3MI_UNPROVEN_LIFE, false)) {
        if (assoc->now >= receiver->heard_at + A3MI_UNPROVEN_LIFE) {
            a3mi_receiver_free(assoc, receiver, A3MI_MUTATE(R_TIMES_OUT, true, false));
            return;
        }
        a3mi_alarm_by(assoc, alarm, receiver->heard_at + A3MI_UNPROVEN_LIFE);
        return;
    }
    if (is_silent(assoc, receiver)) {
        a3mi_life_end(assoc, receiver->peer, receiver->incarnation, A3MI_PEER_SILENT);
        return;
    }
    if (receiver->ack_state == A3MI_ACK_WAIT) {
        if (assoc->now >= receiver->ack_by) {
            a3mi_receiver_ack_now(assoc, receiver);
        } else {
            a3mi_alarm_by(assoc, alarm, receiver->ack_by);
        }
    }
    if (assoc->now >= a3mi_memory_due(receiver)) {
        a3mi_memory_trickle(assoc, receiver);
    }
    probe_if_due(assoc, receiver);
    a3mi_alarm_by(assoc, alarm, next_probe(receiver));
    a3mi_alarm_by(assoc, alarm, a3mi_memory_due(receiver));
}

void a3mi_receiver_accept(struct a3mi_assoc *assoc, const struct a3mi_receiver *receiver,
                          const struct a3m_addr *to, uint32_t time, size_t asked)
{
    struct a3mi_answer *answer = a3mi_answer_new(assoc, to);

    if (answer != NULL) {
        struct a3mi_accept accept = {
            .r = receiver->r,
            .limit = receiver->limit,
            .source_incarnation = receiver->incarnation,
            .incarnation = assoc->config.incarnation,
            .time = time,
            .source = receiver->peer->id,
            .author = assoc->config.id,
        };

        a3mi_answer_reply(assoc, answer, A3MI_PACKET_ACCEPT, receiver->s,
                          a3mi_accept_write(answer->bytes + A3MI_PACKET_HEADER, &accept), asked);
    }
}
