/* SPDX-License-Identifier: Apache-2.0 */
/* Packets in: verified, and handed to the record they are for (core/state.h). */
#include "core/answer.h"
#include "core/loopback.h"
#include "core/receiver.h"
#include "core/sender.h"

/* ---- CHALLENGE, RESPONSE --------------------------------------------------------- */

static void answer_challenge(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                             const struct a3mi_challenge *in, size_t asked)
{
    struct a3mi_answer *answer = a3mi_answer_new(assoc, from);

    if (answer != NULL) {
        struct a3mi_response response = {.nonce = in->nonce};

        a3mi_answer_reply(assoc, answer, A3MI_PACKET_RESPONSE, in->author,
                          a3mi_response_write(answer->bytes + A3MI_PACKET_HEADER, &response), asked);
    }
}

static void take_challenge(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                           const struct a3mi_packet *packet, size_t asked)
{
    struct a3mi_sender *sender = a3mi_map64_get(&assoc->senders, packet->addressee);
    struct a3mi_receiver *receiver = a3mi_map64_get(&assoc->receivers, packet->addressee);
    struct a3mi_challenge challenge;

    if (!a3mi_challenge_read(packet, &challenge)) {
        assoc->stats.bad_packet++;
        return;
    }
    bool fits = (sender != NULL && sender->state == A3MI_SENDER_OPEN && sender->r == challenge.author) ||
                (receiver != NULL && receiver->s == challenge.author);

    if (fits) {
        answer_challenge(assoc, from, &challenge, asked);
    } else {
        assoc->stats.stray++;
    }
}

static void take_response(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                          const struct a3mi_packet *packet)
{
    struct a3mi_sender *sender = a3mi_map64_get(&assoc->senders, packet->addressee);
    struct a3mi_receiver *receiver = a3mi_map64_get(&assoc->receivers, packet->addressee);
    struct a3mi_response response;

    if (!a3mi_response_read(packet, &response)) {
        assoc->stats.bad_packet++;
    } else if (sender != NULL && a3mi_pmtu_answered(&sender->pmtu, response.nonce)) {
        sender->cc.packet = a3mi_sender_packet(sender);
    } else if (sender != NULL && a3mi_path_answered(&sender->path, from, response.nonce)) {
        a3mi_peer_move(assoc, sender->peer, sender->incarnation, from);
    } else if (receiver != NULL && a3mi_path_answered(&receiver->path, from, response.nonce)) {
        a3mi_peer_move(assoc, receiver->peer, receiver->incarnation, from);
    } else {
        assoc->stats.stray++;
    }
}

/* ---- All types --------------------------------------------------------------------- */

static void take_ack(struct a3mi_assoc *assoc, const struct a3m_addr *from, const struct a3mi_packet *packet)
{
    struct a3mi_ack ack;

    if (!a3mi_ack_read(packet, &ack) || ack.s != packet->addressee) {
        assoc->stats.bad_packet++;
        return;
    }
    a3mi_sender_ack(assoc, from, packet->number, &ack);
}

static void dispatch(struct a3mi_assoc *assoc, const struct a3m_addr *from, const struct a3mi_packet *packet,
                     size_t size)
{
    switch ((enum a3mi_packet_type)packet->type) {
    case A3MI_PACKET_DATA: a3mi_receiver_data(assoc, from, packet, size); return;
    case A3MI_PACKET_ACK: take_ack(assoc, from, packet); return;
    case A3MI_PACKET_OPEN: a3mi_receiver_open(assoc, from, packet, size); return;
    case A3MI_PACKET_RETRY: a3mi_sender_retry(assoc, packet); return;
    case A3MI_PACKET_REFUSE: a3mi_sender_refuse(assoc, from, packet); return;
    case A3MI_PACKET_ACCEPT: a3mi_sender_accept(assoc, from, packet, size); return;
    case A3MI_PACKET_PING: a3mi_receiver_ping(assoc, from, packet, size); return;
    case A3MI_PACKET_CLOSE: a3mi_receiver_close(assoc, packet); return;
    case A3MI_PACKET_PROBE: a3mi_sender_probe(assoc, from, packet, size); return;
    case A3MI_PACKET_ALIVE: a3mi_receiver_alive(assoc, from, packet); return;
    case A3MI_PACKET_RESET: a3mi_sender_reset(assoc, packet); return;
    case A3MI_PACKET_CHALLENGE: take_challenge(assoc, from, packet, size); return;
    case A3MI_PACKET_RESPONSE: take_response(assoc, from, packet); return;
    case A3MI_PACKET_VERSION: return; /* the author does not speak this version: there is nothing to try */
    }
    assoc->stats.bad_packet++;
}

/* The versions spoken here, to whoever speaks another; never in answer to such an answer. */
static void answer_version(struct a3mi_assoc *assoc, const struct a3m_addr *from,
                           const struct a3mi_packet *packet, size_t size)
{
    if (packet->type == A3MI_PACKET_VERSION || !a3mi_limiter_allows(&assoc->versions, from, assoc->now)) {
        return;
    }
    struct a3mi_answer *answer = a3mi_answer_new(assoc, from);

    if (answer != NULL) {
        a3mi_answer_reply(assoc, answer, A3MI_PACKET_VERSION, 0,
                          a3mi_version_write(answer->bytes + A3MI_PACKET_HEADER), size);
    }
}

void a3mi_assoc_input(struct a3mi_assoc *assoc, const struct a3m_addr *from, const uint8_t *bytes,
                      size_t size, int64_t now)
{
    struct a3mi_packet packet;

    assoc->now = now;
    if (assoc->leaving) {
        return;
    }
    switch (a3mi_packet_read(bytes, size, &packet)) {
    case A3MI_PACKET_OK: dispatch(assoc, from, &packet, size); break;
    case A3MI_PACKET_BAD_VERSION:
        assoc->stats.bad_version++;
        answer_version(assoc, from, &packet, size);
        break;
    case A3MI_PACKET_BAD_CHECKSUM: assoc->stats.bad_checksum++; break;
    case A3MI_PACKET_BAD: assoc->stats.bad_packet++; break;
    }
    a3mi_loopback_run(assoc);
}
