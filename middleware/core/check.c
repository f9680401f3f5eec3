/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The invariants that one node can see (docs/wire.md), asserted over every
 * record. For tests: slow, and compiled to nothing with NDEBUG.
 */
#include <assert.h>

#include "base/addr.h"
#include "core/receiver.h"
#include "core/sender.h"

#ifdef NDEBUG

void a3mi_assoc_check(const struct a3mi_assoc *assoc)
{
    (void)assoc;
}

#else

static void check_units(const struct a3mi_sender *sender)
{
    uint64_t in_flight = 0, held = 0;
    size_t units = 0, listed = 0;
    uint64_t number = 0;

    for (uint64_t seq = sender->acked; seq != sender->next; seq++) {
        const struct a3mi_unit *unit = a3mi_ring_get(&sender->ring, seq);

        if (unit != NULL) {
            assert(unit->seq == seq && unit->frames > 0 && unit->frames <= A3MI_UNIT_FRAMES(A3MI_PACKET_MAX));
            held += unit->frames;
            units++;
        }
    }
    A3MI_LIST_FOREACH (it, &sender->sent) {
        const struct a3mi_unit *unit = a3mi_container_of(it, struct a3mi_unit, list);

        assert(!unit->lost && unit->number > number && unit->number <= sender->last_number);
        number = unit->number;
        in_flight += unit->packet;
        listed++;
    }
    A3MI_LIST_FOREACH (it, &sender->lost) {
        assert(a3mi_container_of(it, struct a3mi_unit, list)->lost);
        listed++;
    }
    assert(units == listed && in_flight == sender->in_flight && held == sender->held);
}

static void check_sender(const struct a3mi_assoc *assoc, const struct a3mi_sender *sender)
{
    assert(sender->s == a3mi_assoc_hide(assoc, sender->order) && sender->order <= assoc->ck);
    assert(a3mi_map64_get(&assoc->senders, sender->s) == sender);
    assert(sender->acked <= sender->next && sender->next - sender->acked <= sender->ring.size);
    assert(sender->state != A3MI_SENDER_OPENING || sender->next == 0 || !sender->accepted_any);
    assert(sender->state != A3MI_SENDER_OPEN || sender->next <= sender->limit || !sender->accepted_any);
    assert(!a3mi_list_linked(&sender->active) || !sender->ended);
    if (!sender->ended && !assoc->leaving) {
        assert(sender->counted == a3mi_sender_unfinished(sender));
        /* An unfinished one always has something armed, or something to send now (rule 5). */
        assert(sender->alarm.node.at != INT64_MAX || a3mi_list_linked(&sender->active) ||
               sender->path.addr.kind == A3M_ADDR_NONE);
    }
    check_units(sender);
}

static void check_ranges(const struct a3mi_ranges *ranges)
{
    uint64_t at = ranges->next;

    assert(ranges->count <= ranges->capacity && (ranges->count == 0 || ranges->v != NULL));
    for (uint32_t i = 0; i < ranges->count; i++) {
        assert(ranges->v[i].first > at && ranges->v[i].first < ranges->v[i].end);
        at = ranges->v[i].end;
    }
}

static void check_receiver(const struct a3mi_assoc *assoc, const struct a3mi_receiver *receiver)
{
    assert(receiver->r == a3mi_assoc_hide(assoc, receiver->clock) && receiver->clock <= assoc->ck);
    assert(a3mi_map64_get(&assoc->receivers, receiver->r) == receiver);
    assert(receiver->proven || (receiver->have.next == 0 && receiver->have.count == 0));
    assert(a3mi_ranges_end(&receiver->have) <= receiver->limit);
    assert(!receiver->proven || receiver->limit > receiver->have.next ||
           a3mi_list_linked(&receiver->starved));
    assert((receiver->ack_state != A3MI_ACK_NONE) == a3mi_list_linked(&receiver->in_acks));
    check_ranges(&receiver->have);
}

/* At most one proven record of an incarnation, and one unproven of each address. */
static void check_pair(const struct a3mi_peer *peer, const struct a3mi_receiver *receiver)
{
    A3MI_LIST_FOREACH (it, &peer->receivers) {
        const struct a3mi_receiver *other = a3mi_container_of(it, struct a3mi_receiver, on_peer);

        assert(other == receiver || other->incarnation != receiver->incarnation ||
               other->proven != receiver->proven ||
               (!receiver->proven && !a3mi_addr_eq(&other->path.addr, &receiver->path.addr)));
    }
}

static void check_peer(const struct a3mi_assoc *assoc, const struct a3mi_peer *peer, size_t *senders,
                       size_t *receivers, size_t *unfinished)
{
    assert(peer->refs > 0 || peer->is_self || a3mi_list_linked(&peer->debtor) ||
           !a3mi_list_empty(&peer->senders) || !a3mi_list_empty(&peer->receivers));
    A3MI_LIST_FOREACH (it, &peer->senders) {
        const struct a3mi_sender *sender = a3mi_container_of(it, struct a3mi_sender, on_peer);

        check_sender(assoc, sender);
        *unfinished += sender->counted;
        ++*senders;
    }
    A3MI_LIST_FOREACH (it, &peer->receivers) {
        const struct a3mi_receiver *receiver = a3mi_container_of(it, struct a3mi_receiver, on_peer);

        check_receiver(assoc, receiver);
        check_pair(peer, receiver);
        ++*receivers;
    }
}

static uint64_t held_by_records(const struct a3mi_peer *peer)
{
    uint64_t held = 0;

    A3MI_LIST_FOREACH (it, &peer->receivers) {
        const struct a3mi_receiver *receiver = a3mi_container_of(it, struct a3mi_receiver, on_peer);

        held += receiver->held + receiver->control.partial_bytes;
    }
    return held;
}

/* Every byte that is kept counts once. */
static void check_channels(const struct a3mi_assoc *assoc, uint64_t held)
{
    size_t it = 0;
    uint64_t index;
    void *value;

    while (a3mi_map64_next(&assoc->channels, &it, &index, &value)) {
        const struct a3mi_rx *rx = value;

        assert(rx->index == index && rx->peer != NULL && rx->partial_count <= A3MI_WAITING_MESSAGES + 1);
        check_ranges(&rx->up);
        held += rx->partial_bytes;
    }
    assert(held == assoc->stats.held);
}

void a3mi_assoc_check(const struct a3mi_assoc *assoc)
{
    size_t peers = 0, senders = 0, receivers = 0, unfinished = 0;
    uint64_t held = 0, by_peer = 0, assembled = 0;

    A3MI_LIST_FOREACH (it, &assoc->peers) {
        const struct a3mi_peer *peer = a3mi_container_of(it, struct a3mi_peer, all);

        check_peer(assoc, peer, &senders, &receivers, &unfinished);
        held += held_by_records(peer);
        by_peer += peer->held;
        assembled += peer->assembled;
        peers++;
    }
    assert(peers == assoc->stats.peers && senders == assoc->stats.senders);
    assert(receivers == assoc->stats.receivers && unfinished == assoc->unfinished);
    assert(a3mi_map64_count(&assoc->senders) == senders && a3mi_map64_count(&assoc->receivers) == receivers);
    assert(assoc->dropped <= assoc->ck);
    check_channels(assoc, held);
    assert(by_peer == assoc->stats.held && assembled == assoc->stats.assembled);
}

#endif
