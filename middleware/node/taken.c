/* SPDX-License-Identifier: Apache-2.0 */
/* What the application took of messages whose sender wants to know: see node/receipt.h. */
#include <stdlib.h>
#include <string.h>

#include "node/node.h"
#include "node/receipt.h"

enum {
    FIRST_ROOM = 8,
    CONTROL_WAITING =
        4, /* messages to the peer that are in no packet yet: with so many, what is taken waits */
    LINKS_A_TURN = 64,
};

static int by_first(const void *a, const void *b)
{
    const struct a3mi_numbers *x = a;
    const struct a3mi_numbers *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

/* Puts them in order, and those together that follow one another. */
static void merge(struct a3mi_taken *taken)
{
    size_t n = 0;
    if (taken->merged || taken->count == 0) {
        return;
    }
    qsort(taken->v, taken->count, sizeof(*taken->v), by_first);
    for (size_t i = 1; i < taken->count; i++) {
        if (taken->v[i].first == taken->v[n].end) {
            taken->v[n].end = taken->v[i].end;
        } else {
            taken->v[++n] = taken->v[i];
        }
    }
    taken->count = n + 1;
    taken->merged = true;
}

/* Room for one more. False: no memory, or too many; its sender learns at the end of the link that nothing is known. */
static bool make_room(struct a3mi_taken *taken)
{
    if (taken->full || taken->count < taken->room) {
        return !taken->full;
    }
    merge(taken);
    if (taken->count < taken->room / 2) {
        return true;
    }
    if (taken->room ==
        A3MI_TAKEN_MOST) { /* with so little room it would be put in order for every few messages */
        taken->full = true;
        return false;
    }
    size_t room = taken->room > 0 ? 2 * taken->room : FIRST_ROOM;
    struct a3mi_numbers *v = realloc(taken->v, room * sizeof(*v));
    if (v == NULL) {
        return false;
    }
    taken->v = v;
    taken->room = room;
    return true;
}

bool a3mi_taken_note(struct a3mi_taken *taken, const a3m_msg *msg)
{
    bool asked = (msg->flags & A3MI_MSG_ASKS_TAKEN) != 0;
    /* Also one that nobody asks for, so that those before and behind it are one range. */
    if (taken->count > 0 && taken->v[taken->count - 1].end == msg->number) {
        taken->v[taken->count - 1].end++;
        return asked;
    }
    if (asked && make_room(taken)) {
        taken->v[taken->count++] = (struct a3mi_numbers){msg->number, msg->number + 1};
        taken->merged = false;
    }
    return asked;
}

/* [engine] [socket] As much as goes into one control message. False: it could not be said. */
static bool say_some(struct a3mi_link *link, int64_t now)
{
    struct a3mi_taken *taken = &link->taken_unsaid;
    struct a3mi_control control = {.kind = A3MI_CONTROL_TAKEN};
    size_t n = taken->count < A3MI_CONTROL_RANGES_MAX ? taken->count : A3MI_CONTROL_RANGES_MAX;
    control.range_count = n;
    memcpy(control.ranges, taken->v, n * sizeof(*taken->v));
    if (!a3mi_link_say(link, &control, now)) {
        return false;
    }
    taken->count -= n;
    taken->full = false;
    memmove(taken->v, taken->v + n, taken->count * sizeof(*taken->v));
    return true;
}

void a3mi_taken_say(struct a3mi_link *link, int64_t now)
{
    struct a3mi_taken *taken = &link->taken_unsaid;
    bool said = true;
    while (said && taken->count > 0 &&
           a3mi_peer_control_waiting(link->peer, link->incarnation) < CONTROL_WAITING) {
        merge(taken);
        said = say_some(link, now);
    }
    if (taken->count > 0 && !a3mi_list_linked(&taken->in_line)) {
        a3mi_link_ref(link);
        a3mi_list_push_back(&link->socket->node->taken, &taken->in_line);
    }
}

void a3mi_taken_turn(struct a3mi_node *node, int64_t now)
{
    struct a3mi_list *last = node->taken.prev;
    struct a3mi_list *it = NULL;
    for (int i = 0; i < LINKS_A_TURN && it != last && !a3mi_list_empty(&node->taken); i++) {
        it = a3mi_list_pop_front(&node->taken);
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, taken_unsaid.in_line);
        a3mi_socket_lock(link->socket);
        a3mi_taken_say(link, now); /* it gets in line again if it has to */
        a3mi_socket_unlock_turn(link->socket, node->turn);
        a3mi_link_unref(link);
    }
}

void a3mi_taken_clear(struct a3mi_taken *taken)
{
    free(taken->v);
    taken->v = NULL;
    taken->count = taken->room = 0;
    taken->merged = taken->full = false;
}
