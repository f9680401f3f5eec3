/* SPDX-License-Identifier: Apache-2.0 */
/* When a receiver acknowledges, and what it says then (core/receiver.h). */
#include "core/receiver.h"

#include <string.h>

#include "core/mutation.h"

void a3mi_receiver_ack_now(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver)
{
    if (receiver->ack_state == A3MI_ACK_NOW) {
        return;
    }
    receiver->ack_state = A3MI_ACK_NOW;
    a3mi_list_remove(&receiver->in_acks);
    a3mi_list_push_back(&assoc->ack_now, &receiver->in_acks);
}

void a3mi_receiver_ack_wait(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver)
{
    if (receiver->ack_state != A3MI_ACK_NONE) {
        return;
    }
    receiver->ack_state = A3MI_ACK_WAIT;
    receiver->ack_by = assoc->now + A3MI_MAX_ACK_DELAY;
    a3mi_list_push_back(&assoc->ack_wait, &receiver->in_acks);
    a3mi_alarm_by(assoc, &receiver->alarm, receiver->ack_by);
}

/*
 * Chooses `n` of more ranges than can be told: the one received last, and the
 * others in turn from acknowledgement to acknowledgement.
 */
static void choose(struct a3mi_receiver *receiver, unsigned n, bool chosen[A3MI_RANGES_BLOCK])
{
    const struct a3mi_ranges *have = &receiver->have;

    memset(chosen, 0, A3MI_RANGES_BLOCK * sizeof(chosen[0]));
    for (uint32_t i = 0; i < have->count && n > 0; i++) {
        if (have->v[i].first <= receiver->last_seq && receiver->last_seq < have->v[i].end) {
            chosen[i] = true;
            n--;
        }
    }
    for (uint32_t at = receiver->rotation; n > 0 && have->count > 0; at++) {
        uint32_t i = at % have->count;

        receiver->rotation = (uint16_t)((i + 1) % have->count);
        if (!chosen[i]) {
            chosen[i] = true;
            n--;
        }
    }
}

static void fill_ranges(struct a3mi_receiver *receiver, struct a3mi_ack *ack, unsigned max)
{
    const struct a3mi_ranges *have = &receiver->have;
    bool chosen[A3MI_RANGES_BLOCK];
    bool all = have->count <= max;
    uint64_t at = have->next;

    ack->count = 0;
    if (have->count == 0 || max == 0) {
        return;
    }
    if (!all) {
        choose(receiver, max, chosen);
    }
    for (uint32_t i = 0; i < have->count; i++) {
        if (all || chosen[i]) {
            ack->ranges[ack->count].gap = (uint32_t)(have->v[i].first - at);
            ack->ranges[ack->count].length = (uint32_t)(have->v[i].end - have->v[i].first);
            ack->count++;
            at = have->v[i].end;
        }
    }
}

void a3mi_receiver_ack_fill(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver, struct a3mi_ack *ack,
                            unsigned ranges)
{
    int64_t delay = (assoc->now - receiver->newest_at) / 1000;

    ack->s = receiver->s;
    ack->r = receiver->r;
    ack->cumulative = A3MI_MUTATE(ACK_EARLY, receiver->have.next + 1, receiver->have.next);
    ack->limit = receiver->limit;
    ack->echo = receiver->newest;
    ack->echo_time = receiver->newest_time;
    ack->delay = delay < UINT32_MAX ? (uint32_t)delay : UINT32_MAX;
    fill_ranges(receiver, ack, ranges < A3MI_ACK_RANGES ? ranges : A3MI_ACK_RANGES);
    receiver->ack_state = A3MI_ACK_NONE;
    receiver->filled = 0;
    receiver->unfilled = 0;
    a3mi_list_remove(&receiver->in_acks);
}

struct a3mi_receiver *a3mi_receiver_owing(const struct a3mi_peer *peer, uint64_t incarnation)
{
    A3MI_LIST_FOREACH (it, &peer->receivers) {
        struct a3mi_receiver *receiver = a3mi_container_of(it, struct a3mi_receiver, on_peer);

        if (receiver->ack_state != A3MI_ACK_NONE && receiver->incarnation == incarnation) {
            return receiver;
        }
    }
    return NULL;
}
