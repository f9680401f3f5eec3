/* SPDX-License-Identifier: Apache-2.0 */
/* Packets for receivers (core/receiver.h). */
#include "core/receiver.h"

#include "base/addr.h"
#include "core/answer.h"
#include "core/cookie.h"
#include "core/memory.h"
#include "core/mutation.h"
#include "core/sender.h"

/* ---- OPEN -------------------------------------------------------------------- */

static void answer_refuse(struct a3mi_assoc *assoc, const struct a3m_addr *to, const struct a3mi_open *open,
                          enum a3mi_refuse_reason reason, size_t asked)
{
    if (!a3mi_limiter_allows(&assoc->strangers, to, assoc->now)) {
        return;
    }
    struct a3mi_answer *answer = a3mi_answer_new(assoc, to);

    if (answer != NULL) {
        struct a3mi_refuse refuse = {
            .reason = (uint8_t)reason,
            .source_incarnation = open->source_incarnation,
            .destination_incarnation = open->destination_incarnation,
            .incarnation = assoc->config.incarnation,
            .author = assoc->config.id,
        };

        a3mi_answer_reply(assoc, answer, A3MI_PACKET_REFUSE, open->s,
                          a3mi_refuse_write(answer->bytes + A3MI_PACKET_HEADER, &refuse), asked);
    }
}

static void answer_retry(struct a3mi_assoc *assoc, const struct a3m_addr *to, const struct a3mi_open *open,
                         size_t asked)
{
    struct a3mi_answer *answer = a3mi_answer_new(assoc, to);

    if (answer != NULL) {
        struct a3mi_retry retry;

        a3mi_cookie_make(retry.cookie, assoc->cookie_key, to, open->s, open->source_incarnation, assoc->now);
        a3mi_answer_reply(assoc, answer, A3MI_PACKET_RETRY, open->s,
                          a3mi_retry_write(answer->bytes + A3MI_PACKET_HEADER, &retry), asked);
    }
}

/* Whether its author is there now: it had this cookie from us a while ago. */
static bool shows_cookie(struct a3mi_assoc *assoc, const struct a3m_addr *from, const struct a3mi_open *open)
{
    return open->has_cookie && a3mi_cookie_good(open->cookie, assoc->cookie_key, from, open->s,
                                                open->source_incarnation, assoc->now);
}

/*
 * An OPEN from a node of our own id: from ourselves, by an address, or from one that should not be. That one
 * has to show that it is there: what an earlier incarnation of this node said to whoever was at this
 * address then may come late.
 */
static void open_from_own_id(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                             const struct a3mi_open *open, size_t asked)
{
    if (open->source_incarnation != assoc->config.incarnation &&
        A3MI_MUTATE(LATE_DUPLICATE, false, !shows_cookie(assoc, from, open))) {
        if (a3mi_limiter_allows(&assoc->strangers, from, assoc->now)) {
            answer_retry(assoc, from, open, asked);
        }
        return;
    }
    if (open->source_incarnation != assoc->config.incarnation) {
        assoc->stats.duplicate_id++;
        answer_refuse(assoc, from, open, A3MI_REFUSE_DUPLICATE, asked);
        assoc->hooks->duplicate_id(assoc->arg, &assoc->config.id, from);
        return;
    }
    struct a3mi_sender *sender = a3mi_map64_get(&assoc->senders, open->s);
    struct a3mi_peer *into = a3mi_peer_obtain(assoc, &assoc->config.id);

    if (sender == NULL || into == NULL || sender->peer->id.len > 0) {
        assoc->stats.stray++;
        return;
    }
    struct a3mi_peer *peer = sender->peer;

    peer->refs++;
    a3mi_sender_free(assoc, sender);
    a3mi_peer_merge(assoc, peer, into, assoc->config.incarnation);
    a3mi_peer_release(assoc, peer);
}

/* Whether the node turns this OPEN away; it is answered then. */
static bool turned_away(struct a3mi_assoc *assoc, const struct a3m_addr *from, const struct a3mi_open *open,
                        size_t asked)
{
    struct a3mi_peer *peer = a3mi_peer_find(assoc, &open->source);
    struct a3mi_life *life = peer != NULL ? a3mi_life_find(peer, open->source_incarnation) : NULL;

    if (open->destination_incarnation != 0 && open->destination_incarnation != assoc->config.incarnation) {
        answer_refuse(assoc, from, open, A3MI_REFUSE_INCARNATION, asked);
        return true;
    }
    if (life == NULL || life->duplicate_until == 0) {
        return false;
    }
    if (assoc->now < life->duplicate_until) {
        answer_refuse(assoc, from, open, A3MI_REFUSE_DUPLICATE, asked);
        return true;
    }
    a3mi_life_forget(assoc, peer, life);
    return false;
}

/*
 * The record that this OPEN asks for again; or *stale: the sender has gone on to a later one. Nobody has shown
 * that he is the sender of one that is not proven: it counts only for who is where its OPEN came from, so that
 * a stranger who opens with a great order does not keep the sender out.
 */
static struct a3mi_receiver *find_again(struct a3mi_peer *peer, const struct a3m_addr *from,
                                        const struct a3mi_open *open, bool *stale)
{
    *stale = false;
    A3MI_LIST_FOREACH (it, &peer->receivers) {
        struct a3mi_receiver *receiver = a3mi_container_of(it, struct a3mi_receiver, on_peer);

        if (receiver->incarnation != open->source_incarnation ||
            (A3MI_MUTATE(ORDER_OF_ANYBODY, false, !receiver->proven) &&
             !a3mi_addr_eq(from, &receiver->path.addr))) {
            continue;
        }
        if (receiver->s == open->s) {
            return receiver;
        }
        *stale |= A3MI_MUTATE(LOWER_ORDER, false, receiver->order >= open->order);
    }
    return NULL;
}

/* Whether somebody at another address asked for a record of the same incarnation, and has not proven it. */
static bool has_rival(struct a3mi_assoc *assoc, const struct a3m_addr *from, const struct a3mi_open *open)
{
    struct a3mi_peer *peer = a3mi_peer_find(assoc, &open->source);

    if (peer == NULL) {
        return false;
    }
    A3MI_LIST_FOREACH (it, &peer->receivers) {
        const struct a3mi_receiver *receiver = a3mi_container_of(it, struct a3mi_receiver, on_peer);

        if (receiver->incarnation == open->source_incarnation && !receiver->proven &&
            !a3mi_addr_eq(from, &receiver->path.addr)) {
            return true;
        }
    }
    return false;
}

/*
 * Unproven ones: a newer OPEN takes the place of the one from the same address; of the others of the same
 * incarnation the oldest goes when there are too many, and likewise of all.
 */
static void make_room(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation,
                      const struct a3m_addr *from)
{
    struct a3mi_receiver *first = NULL;
    unsigned rivals = 0;

    A3MI_LIST_FOREACH_SAFE (it, next, &peer->receivers) {
        struct a3mi_receiver *receiver = a3mi_container_of(it, struct a3mi_receiver, on_peer);

        if (receiver->incarnation != incarnation || receiver->proven) {
            continue;
        }
        if (a3mi_addr_eq(from, &receiver->path.addr)) {
            a3mi_receiver_free(assoc, receiver, false);
            continue;
        }
        first = first == NULL ? receiver : first;
        rivals++;
    }
    if (rivals >= A3MI_RIVALS_MAX) {
        a3mi_receiver_free(assoc, first, false);
    }
    if (assoc->unproven_count >= A3MI_UNPROVEN_MAX) {
        struct a3mi_list *oldest = a3mi_list_first(&assoc->unproven);

        a3mi_receiver_free(assoc, a3mi_container_of(oldest, struct a3mi_receiver, unproven), false);
    }
}

static void open_new(struct a3mi_assoc *assoc, const struct a3m_addr *from, const struct a3mi_open *open,
                     size_t asked)
{
    if ((assoc->unproven_count >= A3MI_PRESSURE || has_rival(assoc, from, open)) &&
        !shows_cookie(assoc, from, open)) {
        assoc->stats.opens_deferred++;
        answer_retry(assoc, from, open, asked);
        return;
    }
    if (a3mi_peer_find(assoc, &open->source) == NULL && !a3mi_peer_admit(assoc)) {
        assoc->stats.opens_refused++;
        answer_retry(assoc, from, open, asked);
        return;
    }
    struct a3mi_peer *peer = a3mi_peer_obtain(assoc, &open->source);

    if (peer == NULL) {
        return;
    }
    peer->refs++;
    make_room(assoc, peer, open->source_incarnation, from);
    A3MI_MUTATE(OPEN_ENDS, a3mi_life_proven(assoc, peer, open->source_incarnation, assoc->ck + 1), (void)0);
    struct a3mi_receiver *receiver = a3mi_receiver_new(assoc, peer, open->source_incarnation, open->s,
                                                       open->order, from);

    if (receiver != NULL) {
        receiver->afresh = open->afresh;
        a3mi_receiver_accept(assoc, receiver, from, open->time, asked);
    }
    a3mi_peer_release(assoc, peer);
}

void a3mi_receiver_open(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                        const struct a3mi_packet *packet, size_t asked)
{
    struct a3mi_open open;

    if (!a3mi_open_read(packet, &open)) {
        assoc->stats.bad_packet++;
        return;
    }
    if (open.destination.len > 0 && !a3mi_name_eq(&open.destination, &assoc->config.id)) {
        assoc->stats.stray++;
        answer_refuse(assoc, from, &open, A3MI_REFUSE_NODE, asked);
        return;
    }
    if (a3mi_name_eq(&open.source, &assoc->config.id)) {
        open_from_own_id(assoc, from, &open, asked);
        return;
    }
    if (turned_away(assoc, from, &open, asked)) {
        return;
    }
    struct a3mi_peer *peer = a3mi_peer_find(assoc, &open.source);
    bool stale = false;
    struct a3mi_receiver *receiver = peer != NULL ? find_again(peer, from, &open, &stale) : NULL;

    if (receiver != NULL && (receiver->proven || a3mi_addr_eq(from, &receiver->path.addr))) {
        receiver->heard_at = assoc->now;
        a3mi_receiver_accept(assoc, receiver, from, open.time, asked);
    } else if (receiver != NULL || !stale) {
        /* What is not proven is told to one address only, under an r of its own: who names r is there. */
        open_new(assoc, from, &open, asked);
    } else {
        assoc->stats.stray++;
    }
}

/* ---- DATA -------------------------------------------------------------------- */

/* Tells a sender that there is no record, and whether there may have been one that accepted something. */
static void answer_reset(struct a3mi_assoc *assoc, const struct a3m_addr *to, uint64_t r, size_t asked)
{
    assoc->stats.stray++;
    if (!a3mi_limiter_allows(&assoc->strangers, to, assoc->now)) {
        return;
    }
    struct a3mi_answer *answer = a3mi_answer_new(assoc, to);

    if (answer != NULL) {
        uint64_t clock = a3mi_assoc_reveal(assoc, r);
        bool ours = clock != 0 && clock <= assoc->ck;
        struct a3mi_reset reset = {
            .kind = ours && clock > A3MI_MUTATE(RESET_NEVER_UNKNOWN, 0, assoc->dropped) ? A3MI_RESET_NOTHING
                                                                                        : A3MI_RESET_UNKNOWN,
            .incarnation = assoc->config.incarnation,
            .author = assoc->config.id,
        };

        a3mi_answer_reply(assoc, answer, A3MI_PACKET_RESET, r,
                          a3mi_reset_write(answer->bytes + A3MI_PACKET_HEADER, &reset), asked);
    }
}

/* Any packet of the record's sender: the newest one gives what is echoed, and shows where the sender is. */
static void heard(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver, const struct a3m_addr *from,
                  const struct a3mi_packet *packet)
{
    a3mi_peer_heard(assoc, receiver->peer);
    receiver->heard_at = assoc->now;
    receiver->probed_at = INT64_MIN;
    receiver->probe_interval = A3MI_PROBE_MIN;
    a3mi_path_heard(assoc, &receiver->path, from, packet->number, receiver->r, receiver->s);
}

static void heard_number(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver, uint64_t number,
                         uint32_t time)
{
    if (number > receiver->newest) {
        receiver->newest = number;
        receiver->newest_time = time;
        receiver->newest_at = assoc->now;
    }
}

static struct a3mi_resume *find_resume(struct a3mi_receiver *receiver, uint64_t seq)
{
    for (unsigned i = 0; i < 2; i++) {
        if (receiver->resume[i].set && receiver->resume[i].seq == seq) {
            return &receiver->resume[i];
        }
    }
    return NULL;
}

/*
 * Takes a unit's frames: all of them, or it is not accepted. When there is no
 * room in the middle, what was taken is noted, as its messages are handed up
 * already; the unit comes again, with the same frames. The lowest missing unit
 * has a note of its own, so that others never keep it out.
 */
static bool take_frames(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver,
                        const struct a3mi_data *data)
{
    bool lowest = data->seq == receiver->have.next;
    struct a3mi_resume *resume = find_resume(receiver, data->seq);
    struct a3mi_origin origin = {
        .peer = receiver->peer, .incarnation = receiver->incarnation, .control = &receiver->control};
    uint32_t done = resume != NULL ? resume->frames : 0;

    if (resume == NULL && !lowest && receiver->resume[1].set) {
        return false;
    }
    bool all = a3mi_channel_take(assoc, &origin, data->frames, data->frames_size, &done);

    if (!all && resume == NULL && done > 0) {
        resume = &receiver->resume[lowest ? 0 : 1];
        resume->seq = data->seq;
    }
    if (resume != NULL) {
        resume->set = !all;
        resume->frames = done;
    }
    return all;
}

static void count_unit(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver, const struct a3mi_data *data,
                       bool in_order)
{
    if ((data->flags & A3MI_DATA_UNFILLED) != 0) {
        receiver->unfilled++;
    } else {
        receiver->filled++;
    }
    if (!in_order || receiver->filled >= A3MI_ACK_FILLED || receiver->unfilled >= A3MI_ACK_UNFILLED) {
        a3mi_receiver_ack_now(assoc, receiver);
    } else {
        a3mi_receiver_ack_wait(assoc, receiver);
    }
}

/*
 * We ended what we had made with this incarnation, and it does not know: what it
 * sends is for channels that are gone. It is not accepted until our OPEN, which
 * says so, was acted upon.
 */
static bool is_blocked(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver)
{
    if (!receiver->blocked) {
        return false;
    }
    receiver->blocked = a3mi_life_is_owed(receiver->peer, receiver->incarnation);
    if (receiver->blocked) {
        struct a3mi_sender *sender = a3mi_sender_obtain(assoc, receiver->peer, receiver->incarnation);

        if (sender != NULL) {
            a3mi_sender_refresh(assoc, sender);
        }
    }
    return receiver->blocked;
}

static void accept_unit(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver,
                        const struct a3mi_data *data)
{
    bool in_order = data->seq == receiver->have.next && receiver->have.count == 0;

    if (A3MI_MUTATE(NO_DEDUP, false, a3mi_ranges_has(&receiver->have, data->seq))) {
        assoc->stats.duplicates++;
        a3mi_receiver_ack_now(assoc, receiver);
        return;
    }
    if (A3MI_MUTATE(NO_DEDUP, A3MI_RANGES_ADDED,
                    a3mi_ranges_make_room(assoc, &receiver->have, data->seq, data->seq + 1,
                                          A3MI_RANGES_MAX)) != A3MI_RANGES_ADDED ||
        !take_frames(assoc, receiver, data)) {
        a3mi_receiver_ack_now(assoc, receiver);
        return;
    }
    (void)a3mi_ranges_add(&receiver->have, data->seq, data->seq + 1);
    a3mi_ranges_tidy(assoc, &receiver->have, false);
    a3mi_receiver_weigh(assoc, receiver);
    receiver->last_seq = data->seq;
    a3mi_memory_grant(assoc, receiver);
    assoc->stats.rx_units++;
    count_unit(assoc, receiver, data, in_order);
}

void a3mi_receiver_data(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                        const struct a3mi_packet *packet, size_t asked)
{
    struct a3mi_receiver *receiver = a3mi_map64_get(&assoc->receivers, packet->addressee);
    struct a3mi_data data;

    if (!a3mi_data_read(packet, &data)) {
        assoc->stats.bad_packet++;
        return;
    }
    if (receiver == NULL) {
        answer_reset(assoc, from, packet->addressee, asked);
        return;
    }
    if (data.seq >= receiver->limit) {
        assoc->stats.bad_packet++;
        return;
    }
    if (!receiver->proven && !a3mi_receiver_prove(assoc, receiver, from)) {
        answer_reset(assoc, from, packet->addressee, asked);
        return;
    }
    heard(assoc, receiver, from, packet);
    heard_number(assoc, receiver, packet->number, data.time);
    if ((data.flags & A3MI_DATA_HAS_ACK) != 0) {
        a3mi_sender_ack(assoc, from, packet->number, &data.ack);
    }
    if (!is_blocked(assoc, receiver)) {
        accept_unit(assoc, receiver, &data);
        a3mi_memory_enforce(assoc);
    }
}

/* ---- PING, CLOSE, ALIVE --------------------------------------------------------- */

void a3mi_receiver_ping(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                        const struct a3mi_packet *packet, size_t asked)
{
    struct a3mi_receiver *receiver = a3mi_map64_get(&assoc->receivers, packet->addressee);
    struct a3mi_ping ping;

    if (!a3mi_ping_read(packet, &ping)) {
        assoc->stats.bad_packet++;
        return;
    }
    if (receiver == NULL) {
        answer_reset(assoc, from, packet->addressee, asked);
        return;
    }
    if (receiver->s != ping.s) {
        assoc->stats.stray++;
        return;
    }
    heard(assoc, receiver, from, packet);
    heard_number(assoc, receiver, packet->number, ping.time);
    a3mi_receiver_ack_now(assoc, receiver);
}

void a3mi_receiver_close(struct a3mi_assoc *assoc, const struct a3mi_packet *packet)
{
    struct a3mi_receiver *receiver = a3mi_map64_get(&assoc->receivers, packet->addressee);
    struct a3mi_close body;

    if (!a3mi_close_read(packet, &body)) {
        assoc->stats.bad_packet++;
        return;
    }
    if (receiver == NULL || receiver->s != body.s ||
        A3MI_MUTATE(CLOSE_FROM_STRANGER, false, !a3mi_name_eq(&body.author, &receiver->peer->id))) {
        assoc->stats.stray++;
        return;
    }
    if (body.incarnation == receiver->incarnation) {
        a3mi_receiver_free(assoc, receiver, true);
        return;
    }
    /* Its author knows r, so it was alive after r was drawn: the incarnation that r was drawn for is over. */
    struct a3mi_peer *peer = receiver->peer;

    peer->refs++;
    (void)a3mi_life_note(assoc, peer, body.incarnation, assoc->ck);
    a3mi_life_end(assoc, peer, receiver->incarnation, A3MI_PEER_RESTARTED);
    a3mi_peer_release(assoc, peer);
}

void a3mi_receiver_alive(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                         const struct a3mi_packet *packet)
{
    struct a3mi_receiver *receiver = a3mi_map64_get(&assoc->receivers, packet->addressee);
    struct a3mi_alive alive;

    if (!a3mi_alive_read(packet, &alive)) {
        assoc->stats.bad_packet++;
        return;
    }
    if (receiver == NULL || receiver->s != alive.s) {
        assoc->stats.stray++;
        return;
    }
    heard(assoc, receiver, from, packet);
}
