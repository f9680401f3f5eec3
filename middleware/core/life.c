/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Incarnations of peers (core/peer.h). They are equal or not, never older or
 * newer: which one is over follows only from proofs of life, each tied to a
 * value of this node's clock that was drawn before it.
 */
#include "core/peer.h"
#include "core/mutation.h"
#include "core/receiver.h"
#include "core/sender.h"

struct a3mi_life *a3mi_life_find(struct a3mi_peer *peer, uint64_t incarnation)
{
    for (unsigned i = 0; i < peer->lives_count; i++) {
        if (peer->lives[i].incarnation == incarnation) {
            return &peer->lives[i];
        }
    }
    return NULL;
}

/* The one to forget: the one that ended longest ago, else one without channels, else the first. */
static struct a3mi_life *least_needed(struct a3mi_peer *peer)
{
    struct a3mi_life *least = NULL;

    for (unsigned i = 0; i < peer->lives_count; i++) {
        struct a3mi_life *life = &peer->lives[i];

        if (life->ended_at != 0 && (least == NULL || life->ended_at < least->ended_at)) {
            least = life;
        }
    }
    for (unsigned i = 0; i < peer->lives_count && least == NULL; i++) {
        if (peer->lives[i].channels == 0) {
            least = &peer->lives[i];
        }
    }
    return least != NULL ? least : &peer->lives[0];
}

void a3mi_life_forget(struct a3mi_assoc *assoc, struct a3mi_peer *peer, struct a3mi_life *life)
{
    assoc->owes_strangers |= life->owed;
    *life = peer->lives[--peer->lives_count];
}

struct a3mi_life *a3mi_life_note(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation,
                                 uint64_t first_seen)
{
    struct a3mi_life *life = a3mi_life_find(peer, incarnation);

    if (life != NULL) {
        return life;
    }
    if (peer->lives_count == A3MI_LIVES_MAX) {
        a3mi_life_forget(assoc, peer, least_needed(peer));
    }
    life = &peer->lives[peer->lives_count++];
    *life = (struct a3mi_life){
        .incarnation = incarnation,
        .first_seen = first_seen,
        .owed = A3MI_MUTATE(DEBTS_FORGOTTEN, false, assoc->owes_strangers),
    };
    return life;
}

bool a3mi_life_is_over(struct a3mi_peer *peer, uint64_t incarnation)
{
    const struct a3mi_life *life = a3mi_life_find(peer, incarnation);

    return life != NULL && life->ended_at != 0;
}

uint64_t a3mi_life_current(const struct a3mi_peer *peer)
{
    const struct a3mi_life *current = NULL;

    for (unsigned i = 0; i < peer->lives_count; i++) {
        const struct a3mi_life *life = &peer->lives[i];

        if (life->ended_at == 0 && life->channels > 0 &&
            (current == NULL || life->first_seen > current->first_seen)) {
            current = life;
        }
    }
    return current != NULL ? current->incarnation : 0;
}

bool a3mi_life_is_owed(struct a3mi_peer *peer, uint64_t incarnation)
{
    const struct a3mi_life *life = a3mi_life_find(peer, incarnation);

    return life != NULL && life->owed;
}

static void free_receivers(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation,
                           const struct a3mi_receiver *spared)
{
    A3MI_LIST_FOREACH_SAFE (it, next, &peer->receivers) {
        struct a3mi_receiver *receiver = a3mi_container_of(it, struct a3mi_receiver, on_peer);

        if (receiver->incarnation == incarnation && receiver != spared) {
            a3mi_receiver_free(assoc, receiver, false);
        }
    }
}

/* Records, then the hook. The sender stays until channels have been detached, so that their parts are counted. */
static void end(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation,
                enum a3mi_peer_end why, const struct a3mi_receiver *spared)
{
    struct a3mi_sender *sender = a3mi_sender_find(peer, incarnation, false);
    bool known = sender != NULL || a3mi_life_find(peer, incarnation) != NULL;

    if (sender != NULL) {
        sender->ended = true;
    }
    peer->refs++;
    free_receivers(assoc, peer, incarnation, spared);
    if (known && !assoc->leaving) {
        assoc->hooks->peer_ended(assoc->arg, peer, incarnation, why);
    }
    if (sender != NULL) {
        a3mi_sender_close(assoc, sender);
    }
    a3mi_peer_release(assoc, peer);
}

void a3mi_life_end(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation,
                   enum a3mi_peer_end why)
{
    struct a3mi_life *life = a3mi_life_find(peer, incarnation);

    if (life != NULL && why == A3MI_PEER_RESTARTED) {
        life->ended_at = assoc->ck + 1; /* never 0 */
        life->owed = false;
    } else if (life != NULL) {
        life->owed = A3MI_MUTATE(NOT_OWED, false, true);
    }
    end(assoc, peer, incarnation, why, NULL);
}

void a3mi_life_end_afresh(struct a3mi_assoc *assoc, struct a3mi_peer *peer, struct a3mi_receiver *spared)
{
    struct a3mi_life *life = a3mi_life_find(peer, spared->incarnation);

    if (life != NULL) {
        life->owed = false; /* it has nothing left either */
    }
    end(assoc, peer, spared->incarnation, A3MI_PEER_RESET, spared);
}

/* An incarnation other than `incarnation` that was seen before `since` and is not known to be over; 0: none. */
static uint64_t find_outlived(const struct a3mi_peer *peer, uint64_t incarnation, uint64_t since)
{
    for (unsigned i = 0; i < peer->lives_count; i++) {
        const struct a3mi_life *life = &peer->lives[i];

        if (life->incarnation != incarnation && life->ended_at == 0 &&
            A3MI_MUTATE(PROOF_ENDS_LATER, true, life->first_seen < since)) {
            return life->incarnation;
        }
    }
    return 0;
}

void a3mi_life_proven(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t incarnation, uint64_t since)
{
    uint64_t outlived;

    peer->refs++;
    while ((outlived = find_outlived(peer, incarnation, since)) != 0) {
        a3mi_life_end(assoc, peer, outlived, A3MI_PEER_RESTARTED);
    }
    /* Records that were never proven: their incarnation is not noted, and was seen when r was drawn. */
    A3MI_LIST_FOREACH_SAFE (it, next, &peer->receivers) {
        struct a3mi_receiver *receiver = a3mi_container_of(it, struct a3mi_receiver, on_peer);

        if (receiver->incarnation != incarnation && !receiver->proven && receiver->clock < since) {
            a3mi_receiver_free(assoc, receiver, false);
        }
    }
    a3mi_peer_release(assoc, peer);
}
