/* SPDX-License-Identifier: Apache-2.0 */
#include "node/unheard.h"

#include <stdlib.h>

#include "node/node.h"

/* Peers looked at in one turn. */
#define PEERS_A_TURN 64

/* Of a peer, which keeps a pointer to it (a3mi_peer_slot). [engine] */
struct unheard {
    struct a3mi_list list;  /* of the node's, in turn */
    struct a3mi_peer *peer; /* held */
    uint64_t incarnation;
    struct a3mi_numbers numbers; /* from the first to the last one that was not looked at */
};

static void forget(struct a3mi_node *node, struct unheard *unheard)
{
    struct a3mi_peer *peer = unheard->peer;
    *a3mi_peer_slot(peer) = NULL;
    a3mi_list_remove(&unheard->list);
    free(unheard);
    a3mi_peer_release(node->assoc, peer);
}

void a3mi_unheard_note(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation, uint64_t number)
{
    struct unheard *unheard = *a3mi_peer_slot(peer);
    node->requests_unanswered++;
    if (unheard != NULL && unheard->incarnation != incarnation) {
        forget(node, unheard); /* an earlier one's */
        unheard = NULL;
    }
    if (unheard != NULL) {
        struct a3mi_numbers *numbers = &unheard->numbers;
        numbers->first = number < numbers->first ? number : numbers->first;
        numbers->end = number >= numbers->end ? number + 1 : numbers->end;
        return;
    }
    unheard = number < UINT64_MAX ? malloc(sizeof(*unheard)) : NULL;
    if (unheard == NULL) {
        return;
    }
    *unheard = (struct unheard){.peer = peer, .incarnation = incarnation, .numbers = {number, number + 1}};
    a3mi_list_init(&unheard->list);
    a3mi_peer_hold(peer);
    *a3mi_peer_slot(peer) = unheard;
    a3mi_list_push_back(&node->unheard, &unheard->list);
}

/* False: it could not be said, or it may not be yet. */
static bool say(struct a3mi_node *node, const struct unheard *unheard, int64_t now)
{
    const struct a3mi_control control = {
        .kind = A3MI_CONTROL_UNHEARD, .ranges = {unheard->numbers}, .range_count = 1};
    uint8_t buf[A3MI_CONTROL_MAX];
    size_t size = a3mi_control_encode(&control, buf, sizeof(buf));
    return a3mi_peer_control_waiting(unheard->peer, unheard->incarnation) < A3MI_REQUESTS_WAITING / 2 &&
           a3mi_assoc_control(node->assoc, unheard->peer, unheard->incarnation, buf, size, now) == A3M_OK;
}

void a3mi_unheard_turn(struct a3mi_node *node, int64_t now)
{
    const struct a3mi_list *last = node->unheard.prev;
    struct a3mi_list *it = NULL;
    for (int i = 0; i < PEERS_A_TURN && it != last && !a3mi_list_empty(&node->unheard); i++) {
        it = a3mi_list_pop_front(&node->unheard);
        struct unheard *unheard = a3mi_container_of(it, struct unheard, list);
        a3mi_list_push_back(&node->unheard, &unheard->list);
        if (say(node, unheard, now)) {
            forget(node, unheard);
        }
    }
}

void a3mi_unheard_forget(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation)
{
    struct unheard *unheard = *a3mi_peer_slot(peer);
    if (unheard != NULL && (incarnation == 0 || unheard->incarnation == incarnation)) {
        forget(node, unheard);
    }
}

void a3mi_unheard_clear(struct a3mi_node *node)
{
    struct a3mi_list *it;
    while ((it = a3mi_list_first(&node->unheard)) != NULL) {
        forget(node, a3mi_container_of(it, struct unheard, list));
    }
}
