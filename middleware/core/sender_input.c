/* SPDX-License-Identifier: Apache-2.0 */
/* Packets for senders, but for acknowledgements (core/sender.h): each matched against s, r and author. */
#include "core/sender.h"

#include <string.h>

#include "base/addr.h"
#include "core/answer.h"
#include "core/mutation.h"

/* Tells whoever thinks that we send as (s, r) that we do not. */
static void answer_close(struct a3mi_assoc *assoc, const struct a3m_addr *to, uint64_t s, uint64_t r,
                         size_t asked)
{
    if (!a3mi_limiter_allows(&assoc->strangers, to, assoc->now)) {
        return;
    }
    struct a3mi_answer *answer = a3mi_answer_new(assoc, to);

    if (answer != NULL) {
        struct a3mi_close body = {
            .s = s, .incarnation = assoc->config.incarnation, .author = assoc->config.id};

        a3mi_answer_reply(assoc, answer, A3MI_PACKET_CLOSE, r,
                          a3mi_close_write(answer->bytes + A3MI_PACKET_HEADER, &body), asked);
    }
}

static void report_duplicate(struct a3mi_assoc *assoc, const struct a3mi_name *id,
                             const struct a3m_addr *where)
{
    assoc->stats.duplicate_id++;
    assoc->hooks->duplicate_id(assoc->arg, id, where);
}

/* ---- ACCEPT ------------------------------------------------------------------- */

/*
 * What an address leads to is known now. Gives the sender to the peer with that
 * id. False: it is gone, as that peer has one already.
 */
static bool join_peer(struct a3mi_assoc *assoc, struct a3mi_sender *sender, struct a3mi_peer *into,
                      const struct a3mi_accept *accept)
{
    struct a3mi_peer *from = sender->peer;
    bool spare = a3mi_sender_find(into, accept->incarnation, false) != NULL ||
                 a3mi_sender_find(into, 0, false) != NULL;

    a3mi_tx_drop_queue(&sender->control);
    from->refs++;
    into->refs++;
    a3mi_list_remove(&sender->on_peer);
    sender->peer = into;
    a3mi_list_push_back(&into->senders, &sender->on_peer);
    sender->incarnation = accept->incarnation;
    if (spare) {
        a3mi_parting_close(assoc, &sender->path.addr, sender->s, accept->r);
        sender->ended = true;
    }
    a3mi_peer_merge(assoc, from, into, accept->incarnation);
    if (spare) {
        a3mi_sender_free(assoc, sender);
    }
    a3mi_peer_release(assoc, from);
    a3mi_peer_release(assoc, into);
    return !spare;
}

/* The peer becomes known by its author's id. False: the sender is gone. */
static bool name_peer(struct a3mi_assoc *assoc, struct a3mi_sender *sender, const struct a3mi_accept *accept)
{
    if (sender->peer->id.len > 0) {
        return true;
    }
    struct a3mi_peer *into = a3mi_peer_find(assoc, &accept->author);

    if (into != NULL) {
        return join_peer(assoc, sender, into, accept);
    }
    return a3mi_peer_name(assoc, sender->peer, &accept->author) == 0;
}

static void begin(struct a3mi_assoc *assoc, struct a3mi_sender *sender, const struct a3m_addr *from,
                  const struct a3mi_packet *packet, const struct a3mi_accept *accept)
{
    int64_t rtt = (int64_t)(uint32_t)(a3mi_assoc_time(assoc) - accept->time) * 1000;

    sender->state = A3MI_SENDER_OPEN;
    assoc->opened = sender->order > assoc->opened ? sender->order : assoc->opened;
    sender->r = accept->r;
    sender->limit = accept->limit;
    a3mi_sender_name(assoc, sender, accept->incarnation);
    sender->open_due = false;
    a3mi_sender_heard(assoc, sender);
    sender->sent_at = assoc->now;
    bool known = sender->opened_at != INT64_MIN; /* not when it was restored since */

    if ((known && rtt <= assoc->now - sender->opened_at) || rtt <= A3MI_PTO_MAX) {
        a3mi_rtt_sample(&sender->peer->rtt, rtt > 0 ? rtt : 1000, 0, assoc->now);
    }
    if (a3mi_addr_eq(from, &sender->path.addr)) {
        a3mi_peer_move(assoc, sender->peer, accept->incarnation, from);
    }
    a3mi_path_heard(assoc, &sender->path, from, packet->number, sender->s, sender->r);
    /* Its author was alive after s was drawn: as good a proof as the first DATA under an r. */
    a3mi_life_proven(assoc, sender->peer, accept->incarnation, sender->order);
}

/* Whether the accepting incarnation may be the one: otherwise nothing was sent yet, and it is tried again. */
static bool is_wanted(struct a3mi_assoc *assoc, const struct a3mi_sender *sender, const struct a3m_addr *from,
                      const struct a3mi_accept *accept)
{
    if (A3MI_MUTATE(OPEN_NAMES_NOBODY, false, sender->incarnation != 0) &&
        sender->incarnation != accept->incarnation) {
        return false;
    }
    struct a3mi_peer *peer = a3mi_peer_find(assoc, &accept->author);
    const struct a3mi_life *life = peer != NULL ? a3mi_life_find(peer, accept->incarnation) : NULL;

    if (life == NULL || life->ended_at == 0) {
        return true;
    }
    if (sender->order >= life->ended_at) {
        /* It was alive after s was drawn, and that was after its end. */
        report_duplicate(assoc, &accept->author, from);
    }
    return false;
}

static void accept_opening(struct a3mi_assoc *assoc, struct a3mi_sender *sender, const struct a3m_addr *from,
                           const struct a3mi_packet *packet, const struct a3mi_accept *accept, size_t asked)
{
    const struct a3mi_name *id = &sender->peer->id;

    if ((id->len > 0 && !a3mi_name_eq(id, &accept->author)) ||
        a3mi_name_eq(&accept->author, &assoc->config.id)) {
        assoc->stats.stray++;
        return;
    }
    if (!is_wanted(assoc, sender, from, accept)) {
        answer_close(assoc, from, packet->addressee, accept->r, asked);
        a3mi_sender_reopen(assoc, sender);
        return;
    }
    if (!name_peer(assoc, sender, accept)) {
        return;
    }
    (void)a3mi_life_note(assoc, sender->peer, accept->incarnation, assoc->ck);
    if (!sender->afresh && a3mi_life_is_owed(sender->peer, accept->incarnation)) {
        answer_close(assoc, from, packet->addressee, accept->r, asked);
        a3mi_sender_bind(assoc, sender, accept->incarnation);
        return;
    }
    begin(assoc, sender, from, packet, accept);
    a3mi_sender_refresh(assoc, sender);
}

void a3mi_sender_accept(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                        const struct a3mi_packet *packet, size_t asked)
{
    struct a3mi_accept accept;

    if (!a3mi_accept_read(packet, &accept)) {
        assoc->stats.bad_packet++;
        return;
    }
    if (A3MI_MUTATE(CLOSE_FROM_STRANGER, false, !a3mi_name_eq(&accept.source, &assoc->config.id))) {
        assoc->stats.stray++; /* for another node, which was here once: only that one may turn it down */
        return;
    }
    struct a3mi_sender *sender = a3mi_map64_get(&assoc->senders, packet->addressee);

    if (sender != NULL && sender->state == A3MI_SENDER_OPENING &&
        accept.source_incarnation == assoc->config.incarnation) {
        accept_opening(assoc, sender, from, packet, &accept, asked);
    } else if (sender != NULL && sender->state == A3MI_SENDER_OPEN && sender->r == accept.r) {
        sender->limit = accept.limit > sender->limit ? accept.limit : sender->limit;
        a3mi_sender_heard(assoc, sender);
        a3mi_sender_refresh(assoc, sender);
    } else {
        answer_close(assoc, from, packet->addressee, accept.r, asked);
    }
}

/* ---- RETRY -------------------------------------------------------------------- */

void a3mi_sender_retry(struct a3mi_assoc *assoc, const struct a3mi_packet *packet)
{
    struct a3mi_sender *sender = a3mi_map64_get(&assoc->senders, packet->addressee);
    struct a3mi_retry retry;

    if (!a3mi_retry_read(packet, &retry)) {
        assoc->stats.bad_packet++;
        return;
    }
    if (sender == NULL || sender->state != A3MI_SENDER_OPENING) {
        assoc->stats.stray++;
        return;
    }
    /* A first cookie is used at once; when it did not help, the next OPEN is in its own time. */
    sender->open_due |= !sender->has_cookie && a3mi_sender_unfinished(sender);
    sender->has_cookie = true;
    memcpy(sender->cookie, retry.cookie, sizeof(sender->cookie));
    a3mi_sender_heard(assoc, sender);
    a3mi_sender_refresh(assoc, sender);
}

/* ---- REFUSE ------------------------------------------------------------------- */

/* The peer is there in another incarnation: what waited for the one that OPEN named was not delivered. */
static void refused_incarnation(struct a3mi_assoc *assoc, struct a3mi_sender *sender,
                                const struct a3mi_refuse *refuse)
{
    struct a3mi_peer *peer = sender->peer;

    if (sender->incarnation == 0 || refuse->destination_incarnation != sender->incarnation ||
        refuse->incarnation == sender->incarnation || !a3mi_name_eq(&peer->id, &refuse->author)) {
        assoc->stats.stray++;
        return;
    }
    peer->refs++;
    (void)a3mi_life_note(assoc, peer, refuse->incarnation, assoc->ck);
    a3mi_life_end(assoc, peer, sender->incarnation, A3MI_PEER_RESTARTED);
    a3mi_peer_release(assoc, peer);
}

/* Somebody else is at the peer's address. What waits for a node at an address is told; what waits for a node, waits. */
static void refused_node(struct a3mi_assoc *assoc, struct a3mi_sender *sender, const struct a3m_addr *from,
                         const struct a3mi_refuse *refuse)
{
    if (a3mi_name_eq(&sender->peer->id, &refuse->author) || !a3mi_addr_eq(from, &sender->peer->addr)) {
        assoc->stats.stray++;
        return;
    }
    a3mi_peer_not_at(assoc, sender->peer);
    if (sender->incarnation == 0) {
        a3mi_sender_end(assoc, sender, A3MI_PEER_RESET);
    }
}

void a3mi_sender_refuse(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                        const struct a3mi_packet *packet)
{
    struct a3mi_sender *sender = a3mi_map64_get(&assoc->senders, packet->addressee);
    struct a3mi_refuse refuse;

    if (!a3mi_refuse_read(packet, &refuse)) {
        assoc->stats.bad_packet++;
        return;
    }
    if (sender == NULL || sender->state != A3MI_SENDER_OPENING ||
        refuse.source_incarnation != assoc->config.incarnation) {
        assoc->stats.stray++;
        return;
    }
    switch (refuse.reason) {
    case A3MI_REFUSE_INCARNATION: refused_incarnation(assoc, sender, &refuse); break;
    case A3MI_REFUSE_DUPLICATE:
        report_duplicate(assoc, &assoc->config.id, from);
        a3mi_sender_end(assoc, sender, A3MI_PEER_RESET);
        break;
    case A3MI_REFUSE_NODE: refused_node(assoc, sender, from, &refuse); break;
    default: assoc->stats.bad_packet++;
    }
}

/* ---- PROBE, RESET --------------------------------------------------------------- */

void a3mi_sender_probe(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                       const struct a3mi_packet *packet, size_t asked)
{
    struct a3mi_sender *sender = a3mi_map64_get(&assoc->senders, packet->addressee);
    struct a3mi_probe probe;

    if (!a3mi_probe_read(packet, &probe)) {
        assoc->stats.bad_packet++;
        return;
    }
    if (A3MI_MUTATE(CLOSE_FROM_STRANGER, false, !a3mi_name_eq(&probe.destination, &assoc->config.id))) {
        assoc->stats.stray++;
        return;
    }
    if (A3MI_MUTATE(PROBE_CLOSES, true, sender == NULL) ||
        (sender->state == A3MI_SENDER_OPEN && sender->r != probe.r)) {
        answer_close(assoc, from, packet->addressee, probe.r, asked);
        return;
    }
    if (sender->state != A3MI_SENDER_OPEN) {
        return; /* nothing was accepted under this s: nobody can ask for it in earnest */
    }
    a3mi_path_heard(assoc, &sender->path, from, packet->number, sender->s, sender->r);
    struct a3mi_answer *answer = a3mi_answer_new(assoc, from);

    if (answer != NULL) {
        struct a3mi_alive alive = {.s = sender->s};

        a3mi_answer_reply(assoc, answer, A3MI_PACKET_ALIVE, sender->r,
                          a3mi_alive_write(answer->bytes + A3MI_PACKET_HEADER, &alive), asked);
    }
}

static struct a3mi_sender *find_by_r(struct a3mi_peer *peer, uint64_t r)
{
    A3MI_LIST_FOREACH (it, &peer->senders) {
        struct a3mi_sender *sender = a3mi_container_of(it, struct a3mi_sender, on_peer);

        if (sender->state == A3MI_SENDER_OPEN && A3MI_MUTATE(RESET_ANY_R, true, sender->r == r) &&
            !sender->ended) {
            return sender;
        }
    }
    return NULL;
}

void a3mi_sender_reset(struct a3mi_assoc *assoc, const struct a3mi_packet *packet)
{
    struct a3mi_reset reset;

    if (!a3mi_reset_read(packet, &reset)) {
        assoc->stats.bad_packet++;
        return;
    }
    struct a3mi_peer *peer = A3MI_MUTATE(RESET_FROM_ANYBODY, a3mi_mutation_peer(assoc, packet->addressee),
                                         a3mi_peer_find(assoc, &reset.author));
    struct a3mi_sender *sender = peer != NULL ? find_by_r(peer, packet->addressee) : NULL;

    if (sender == NULL) {
        assoc->stats.stray++;
        return;
    }
    if (reset.incarnation != sender->incarnation) {
        peer->refs++;
        (void)a3mi_life_note(assoc, peer, reset.incarnation, assoc->ck);
        a3mi_life_end(assoc, peer, sender->incarnation, A3MI_PEER_RESTARTED);
        a3mi_peer_release(assoc, peer);
    } else if (reset.kind == A3MI_RESET_NOTHING && !sender->accepted_any) {
        a3mi_sender_reopen(assoc, sender);
    } else {
        a3mi_sender_accepted_below(assoc, sender, reset.cumulative);
        a3mi_life_end(assoc, peer, sender->incarnation, A3MI_PEER_RESET);
    }
}
