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

/* Puts an index where it belongs among those chosen, once. */
static void choose(uint32_t *chosen, unsigned *n, uint32_t index)
{
    unsigned at = *n;

    while (at > 0 && chosen[at - 1] > index) {
        at--;
    }
    if (at > 0 && chosen[at - 1] == index) {
        return;
    }
    memmove(&chosen[at + 1], &chosen[at], (*n - at) * sizeof(chosen[0]));
    chosen[at] = index;
    ++*n;
}

/*
 * Chooses `max` of more ranges than can be told, in their order: the one received
 * last, and the others in turn from acknowledgement to acknowledgement. Returns
 * how many.
 */
static unsigned choose_ranges(struct a3mi_receiver *receiver, unsigned max, uint32_t chosen[A3MI_ACK_RANGES])
{
    const struct a3mi_ranges *have = &receiver->have;
    uint32_t last = a3mi_ranges_index(have, receiver->last_seq);
    unsigned n = 0;

    if (last < have->count) {
        choose(chosen, &n, last);
    }
    while (n < max) {
        uint32_t i = receiver->rotation % have->count;

        receiver->rotation = (i + 1) % have->count;
        choose(chosen, &n, i);
    }
    return n;
}

static void fill_ranges(struct a3mi_receiver *receiver, struct a3mi_ack *ack, unsigned max)
{
    const struct a3mi_ranges *have = &receiver->have;
    uint32_t chosen[A3MI_ACK_RANGES];
    bool all = have->count <= max;
    unsigned n = all ? have->count : max > 0 ? choose_ranges(receiver, max, chosen) : 0;
    uint64_t at = have->next;

    for (unsigned i = 0; i < n; i++) {
        const struct a3mi_range *range = &have->v[all ? i : chosen[i]];

        ack->ranges[i].gap = (uint32_t)(range->first - at);
        ack->ranges[i].length = (uint32_t)(range->end - range->first);
        at = range->end;
    }
    ack->count = (uint8_t)n;
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
