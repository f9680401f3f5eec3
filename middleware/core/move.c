/* SPDX-License-Identifier: Apache-2.0 */
/* Telling peers of a new address (core/move.h). */
#include "core/move.h"

#include "core/mutation.h"
#include "core/receiver.h"
#include "core/sender.h"

/* ---- One peer ------------------------------------------------------------------ */

static void tell_receiver(struct a3mi_assoc *assoc, struct a3mi_sender *sender)
{
    if (!a3mi_sender_unfinished(sender)) {
        sender->greets = true;
    } else if (sender->state == A3MI_SENDER_OPEN) {
        sender->recovery.backoffs = 0; /* it was in vain because of where we were */
        sender->ping_due = true;
    } else {
        sender->open_interval = 0;
        sender->open_due = true;
    }
    a3mi_sender_refresh(assoc, sender);
}

/* Links are up, and nothing was said for so long that no record is left: the peer would look for us where we were. */
static void greet(struct a3mi_assoc *assoc, struct a3mi_peer *peer)
{
    uint64_t current = a3mi_life_current(peer);
    struct a3mi_sender *sender = current != 0 ? a3mi_sender_obtain(assoc, peer, current) : NULL;

    if (sender != NULL) {
        tell_receiver(assoc, sender);
    }
}

static void tell(struct a3mi_assoc *assoc, struct a3mi_peer *peer)
{
    bool told = false;

    if (peer->is_self || peer->merged) {
        return;
    }
    A3MI_LIST_FOREACH (it, &peer->receivers) {
        struct a3mi_receiver *receiver = a3mi_container_of(it, struct a3mi_receiver, on_peer);

        if (receiver->proven) {
            receiver->probe_interval = A3MI_PROBE_MIN;
            a3mi_receiver_probe(assoc, receiver);
        }
    }
    A3MI_LIST_FOREACH (it, &peer->senders) {
        struct a3mi_sender *sender = a3mi_container_of(it, struct a3mi_sender, on_peer);

        if (!sender->ended) {
            tell_receiver(assoc, sender);
            told = true;
        }
    }
    if (!told) {
        greet(assoc, peer);
    }
}

/* ---- Rounds -------------------------------------------------------------------- */

static void begin_round(struct a3mi_assoc *assoc)
{
    struct a3mi_move *move = &assoc->move;

    move->wanted_at = INT64_MAX;
    move->gap = assoc->now - move->begun_at > A3MI_MOVE_GAP_MAX ? A3MI_MOVE_GAP_MIN : 2 * move->gap;
    if (move->gap > A3MI_MOVE_GAP_MAX) {
        move->gap = A3MI_MOVE_GAP_MAX;
    }
    move->begun_at = assoc->now;
    move->step_at = assoc->now;
    A3MI_LIST_FOREACH (it, &assoc->peers) {
        struct a3mi_peer *peer = a3mi_container_of(it, struct a3mi_peer, all);

        if (!a3mi_list_linked(&peer->untold)) {
            a3mi_list_push_back(&move->untold, &peer->untold);
        }
    }
}

static void step(struct a3mi_assoc *assoc)
{
    struct a3mi_move *move = &assoc->move;
    struct a3mi_list *it;

    for (int i = 0; i < A3MI_MOVE_BATCH && (it = a3mi_list_pop_front(&move->untold)) != NULL; i++) {
        tell(assoc, a3mi_container_of(it, struct a3mi_peer, untold));
    }
    move->step_at = a3mi_list_empty(&move->untold) ? INT64_MAX : assoc->now + A3MI_MOVE_STEP;
}

static void move_alarm(struct a3mi_assoc *assoc, struct a3mi_alarm *alarm)
{
    struct a3mi_move *move = &assoc->move;

    if (assoc->now >= move->wanted_at) {
        begin_round(assoc);
    }
    if (assoc->now >= move->step_at) {
        step(assoc);
    }
    a3mi_alarm_by(assoc, alarm, move->step_at);
    a3mi_alarm_by(assoc, alarm, move->wanted_at);
}

int a3mi_move_init(struct a3mi_assoc *assoc)
{
    struct a3mi_move *move = &assoc->move;

    a3mi_list_init(&move->untold);
    move->wanted_at = INT64_MAX;
    move->step_at = INT64_MAX;
    move->begun_at = INT64_MIN / 2;
    return a3mi_alarm_init(assoc, &move->alarm, move_alarm);
}

void a3mi_assoc_moved(struct a3mi_assoc *assoc, int64_t now)
{
    struct a3mi_move *move = &assoc->move;
    int64_t at = now + A3MI_MOVE_SETTLE;

    if (A3MI_MUTATE(MOVE_UNTOLD, true, false) || assoc->leaving || move->wanted_at != INT64_MAX) {
        return;
    }
    move->wanted_at = at > move->begun_at + move->gap ? at : move->begun_at + move->gap;
    a3mi_alarm_by(assoc, &move->alarm, move->wanted_at);
}
