/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link control: what is said to peers about links, and what they say (proto/control.h); their requests are in
 * link_request.c. [engine lock held]
 */
#include "node/node.h"

#include <stdio.h>

#include "core/mutation.h"
#include "node/unheard.h"

/*
 * Control messages that wait for a peer, beyond which nothing is said about links that are not there: more of
 * those than a peer can have in earnest.
 */
#define ANSWERS_WAITING 16384u

int a3mi_refusal_code(uint32_t refusal)
{
    switch (refusal) {
    case A3MI_REFUSAL_INCOMPATIBLE: return A3M_EINCOMPATIBLE;
    case A3MI_REFUSAL_CANCELED: return A3M_ECANCELED;
    case A3MI_REFUSAL_CLOSED: return A3M_ECLOSED;
    default: return a3mi_refusal_final(refusal) ? A3M_EREFUSED : A3M_ENOTREADY;
    }
}

/* ---- Saying ----------------------------------------------------------------------- */

static bool say(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation,
                const struct a3mi_control *control, int64_t now)
{
    uint8_t buf[A3MI_CONTROL_MAX];
    size_t size = a3mi_control_encode(control, buf, sizeof(buf));
    return size > 0 && a3mi_assoc_control(node->assoc, peer, incarnation, buf, size, now) == A3M_OK;
}

/* Both ends have agreed on it, and it has their numbers. */
static bool is_settled(const struct a3mi_link *link)
{
    return link->state == A3MI_LINK_UP || link->state == A3MI_LINK_ENDING ||
           link->state == A3MI_LINK_FINISHING || link->state == A3MI_LINK_ABORTING;
}

bool a3mi_link_say(struct a3mi_link *link, struct a3mi_control *control, int64_t now)
{
    if (link->peer == NULL) {
        return false;
    }
    bool known = is_settled(link);
    control->author_link = link->number;
    control->addressee_link = known ? link->peer_number : 0;
    if (known) {
        return say(link->socket->node, link->peer, link->incarnation, control, now);
    }
    bool asks = control->kind == A3MI_CONTROL_REQUEST;
    /* An END is for who has the request: another incarnation would see the one without the other. */
    bool said = say(link->socket->node, link->peer, asks ? 0 : link->asked, control, now);
    if (said && asks) {
        link->asked = a3mi_peer_control_to(link->peer);
    }
    return said;
}

void a3mi_link_answer(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation,
                      const struct a3mi_control *to, enum a3mi_control_kind kind, uint32_t refusal,
                      const char *text, int64_t now)
{
    struct a3mi_control control = {.kind = kind, .refusal = refusal};
    snprintf(control.text, sizeof(control.text), "%s", text);
    control.author_link = to->addressee_link;
    control.addressee_link = to->author_link;
    (void)say(node, peer, incarnation, &control, now);
}

/*
 * Our request may never have arrived (the peer was given up meanwhile), and then nobody else answers the
 * peer's. If it has arrived, the peer's is settled, and the refusal is late and changes nothing.
 */
void a3mi_link_refuse_crossed(struct a3mi_link *link, int64_t now)
{
    const struct a3mi_control to = {.author_link = link->crossed, .addressee_link = link->number};
    uint32_t refusal = link->socket->closed ? A3MI_REFUSAL_CLOSED
                       : link->unlinking    ? A3MI_REFUSAL_CANCELED
                                            : A3MI_REFUSAL_NOT_READY;
    if (A3MI_MUTATE(LINK_LEAVES_CROSSED, false, link->crossed != 0) && link->peer != NULL) {
        a3mi_link_answer(link->socket->node, link->peer, link->crossed_by, &to, A3MI_CONTROL_REFUSE, refusal,
                         "", now);
    }
    link->crossed = 0;
}

/* ---- Answers and ends ------------------------------------------------------------------ */

/*
 * The link a message is about: by this end's number, or, for an END that does not know it, by the author's. The number
 * of one that waits to ask again is that of an attempt that came to nothing: its peer may have taken it all the same,
 * when it was given up meanwhile.
 */
static struct a3mi_link *find_link(struct a3mi_node *node, struct a3mi_peer *peer,
                                   const struct a3mi_control *control)
{
    if (A3MI_MUTATE(LINK_ANY_NUMBER, a3mi_map64_get(&node->links, control->addressee_link) != NULL,
                    control->addressee_link != 0)) {
        struct a3mi_link *link = a3mi_map64_get(&node->links, control->addressee_link);
        bool is_there = link != NULL && link->peer == peer &&
                        A3MI_MUTATE(LINK_LATE_ANSWER, true, link->state != A3MI_LINK_RETRYING);
        return is_there ? link : NULL;
    }
    A3MI_LIST_FOREACH (it, a3mi_peer_links(peer)) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_peer);
        if (A3MI_MUTATE(LINK_ANY_NUMBER, link->state == A3MI_LINK_REQUESTING,
                        link->state != A3MI_LINK_REQUESTING && link->state != A3MI_LINK_RETRYING) &&
            A3MI_MUTATE(LINK_ANY_NUMBER, true, link->peer_number == control->author_link)) {
            return link;
        }
    }
    return NULL;
}

/*
 * Of a link that the peer made of a request of ours which was settled by the peer's own, that crossed it: the peer
 * gave up what it had asked for since, or another socket did, and took the late request for a new one. What it says
 * of that, by the number of the request, is not about the link that the request came to be.
 */
static bool is_anothers(const struct a3mi_link *link, const struct a3mi_control *control)
{
    return is_settled(link) && control->author_link != 0 && link->peer_number != control->author_link;
}

/* [socket] Which of the three refusals it is for the machine; notes why. */
static enum a3mi_link_event refusal_event(struct a3mi_link *link, const struct a3mi_control *control)
{
    if (link->state == A3MI_LINK_REQUESTING && !link->ended) { /* else it is late, and says nothing new */
        link->reason = a3mi_refusal_code(control->refusal);
        link->peer_node = *a3mi_peer_id(link->peer); /* asked for by address, perhaps */
        a3mi_link_set_text(link, control->text);
        a3mi_event_log_add(link, A3M_EVENT_REFUSED, link->reason, control->text);
    }
    if (a3mi_refusal_final(control->refusal)) {
        return A3MI_ON_REFUSE_FINAL;
    }
    return a3mi_backoff_exhausted(&link->backoff) ? A3MI_ON_REFUSE_LAST : A3MI_ON_REFUSE;
}

/* [socket] The peer tells other metadata than before. */
static void on_metadata(struct a3mi_link *link, const struct a3mi_control *control)
{
    if (link->state != A3MI_LINK_UP) {
        return;
    }
    if (a3mi_link_keep_metadata(link, control) != A3M_OK) {
        (void)a3mi_link_request_end(link, A3M_ENOMEM);
        return;
    }
    a3mi_event_log_add(link, A3M_EVENT_METADATA, A3M_OK, NULL);
}

/* [socket] */
static void about_link(struct a3mi_link *link, uint64_t incarnation, const struct a3mi_control *control,
                       int64_t now)
{
    enum a3mi_link_event event = A3MI_ON_ENDED;
    a3mi_link_carry_end(link, now);
    switch (control->kind) {
    case A3MI_CONTROL_ACCEPT:
        event = A3MI_ON_ACCEPT;
        if (link->state == A3MI_LINK_REQUESTING) {
            link->incarnation = incarnation;
            link->peer_node = *a3mi_peer_id(link->peer);
            if (a3mi_link_keep_metadata(link, control) != A3M_OK) {
                (void)a3mi_link_request_end(link, A3M_ENOMEM); /* its end goes in place of its beginning */
            }
        }
        break;
    case A3MI_CONTROL_REFUSE: event = refusal_event(link, control); break;
    case A3MI_CONTROL_END:
        event = A3MI_ON_END;
        if (link->state == A3MI_LINK_UP) {
            link->reason = control->refusal == A3MI_REFUSAL_CLOSED ? A3M_ECLOSED : A3M_ECANCELED;
        }
        break;
    case A3MI_CONTROL_CAPACITY: a3mi_flow_on_capacity(link, control); return;
    case A3MI_CONTROL_TAKEN:
        link->socket->node->odd_controls += link->tx.peer != NULL && !a3mi_receipts_take(link, control);
        return;
    case A3MI_CONTROL_METADATA: on_metadata(link, control); return;
    case A3MI_CONTROL_ENDED:
    case A3MI_CONTROL_REQUEST:
    case A3MI_CONTROL_UNHEARD: break;
    }
    a3mi_link_step(link, event, control, now);
}

/* As if the peer had refused the request for now, if the link still waits for its answer. */
static void unheard(struct a3mi_link *link, uint64_t incarnation, int64_t now)
{
    const struct a3mi_control refusal = {
        .kind = A3MI_CONTROL_REFUSE, .refusal = A3MI_REFUSAL_NOT_READY, .text = "too many requests at once"};
    if ((link->state != A3MI_LINK_REQUESTING && link->state != A3MI_LINK_CANCELLING) ||
        link->asked != incarnation) {
        return;
    }
    struct a3mi_socket *socket = link->socket;
    a3mi_socket_ref(socket);
    a3mi_socket_lock(socket);
    about_link(link, incarnation, &refusal, now);
    a3mi_socket_unlock_turn(socket, socket->node->turn);
    a3mi_socket_unref(socket);
}

/*
 * The peer had too much to answer already. It says so of one request after the other, so that what it says again is
 * nothing: all that it ever says costs no more than the requests that were made. False: it does, or of one never made.
 */
static bool on_unheard(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation,
                       const struct a3mi_numbers *numbers, int64_t now)
{
    if (numbers->first < *a3mi_peer_mark(peer) || numbers->end > node->next_number + 1) {
        return false;
    }
    *a3mi_peer_mark(peer) = numbers->end;
    if (numbers->end - numbers->first < a3mi_map64_count(&node->links)) {
        for (uint64_t number = numbers->first; number < numbers->end; number++) {
            struct a3mi_link *link = a3mi_map64_get(&node->links, number);
            if (link != NULL && link->peer == peer) {
                unheard(link, incarnation, now);
            }
        }
        return true;
    }
    A3MI_LIST_FOREACH_SAFE (it, next, a3mi_peer_links(peer)) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_peer);
        if (link->number >= numbers->first && link->number < numbers->end) {
            unheard(link, incarnation, now);
        }
    }
    return true;
}

void a3mi_link_on_control(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation,
                          const uint8_t *bytes, size_t size, int64_t now)
{
    uint8_t scratch[A3MI_CONTROL_METADATA_MAX];
    struct a3mi_control control;
    if (a3mi_control_decode(bytes, size, scratch, &control) != A3M_OK) {
        node->odd_controls++;
        return;
    }
    if (control.kind == A3MI_CONTROL_REQUEST) {
        a3mi_link_on_request(node, peer, incarnation, &control, now);
        return;
    }
    if (control.kind == A3MI_CONTROL_UNHEARD) {
        node->odd_controls += !on_unheard(node, peer, incarnation, &control.ranges[0], now);
        return;
    }
    struct a3mi_link *link = find_link(node, peer, &control);
    if (link != NULL && A3MI_MUTATE(LINK_ANOTHERS, false, is_anothers(link, &control))) {
        link = NULL;
    }
    if (link == NULL && a3mi_peer_control_waiting(peer, incarnation) >= ANSWERS_WAITING) {
        node->requests_unanswered++;
        return;
    }
    if (link == NULL) {
        if (control.kind == A3MI_MUTATE(LINK_END_UNKNOWN, 0, A3MI_CONTROL_END)) {
            a3mi_link_answer(node, peer, incarnation, &control, A3MI_CONTROL_ENDED, 0, "", now);
        } else if (control.kind == A3MI_MUTATE(LINK_ACCEPT_UNKNOWN, 0, A3MI_CONTROL_ACCEPT)) {
            a3mi_link_answer(node, peer, incarnation, &control, A3MI_CONTROL_END, A3MI_REFUSAL_CANCELED, "",
                             now);
        }
        return;
    }
    struct a3mi_socket *socket = link->socket;
    a3mi_socket_ref(socket);
    a3mi_socket_lock(socket);
    about_link(link, incarnation, &control, now);
    a3mi_socket_unlock_turn(socket, node->turn);
    a3mi_socket_unref(socket);
}

/* ---- Peers ------------------------------------------------------------------------------- */

/* [socket] This link stands for another from here on. */
static void join(struct a3mi_link *link, struct a3mi_link *twin, int64_t now)
{
    a3mi_link_ref(twin);
    link->alias = twin;
    link->reason = A3M_EEXIST;
    /* Who waits for it goes on with that one: blocking calls look again, pollers stay. It may have messages already. */
    a3mi_link_wake(link, A3MI_KEY_STATE | A3MI_KEY_IN | A3MI_KEY_OUT, SIZE_MAX);
    a3mi_pollable_join(&link->pollable, &twin->pollable);
    a3mi_link_wanted(twin); /* by this end as well */
    a3mi_link_pass_metadata(link, twin, now);
    a3mi_link_step(link, link->state == A3MI_LINK_REQUESTING ? A3MI_ON_REFUSE_FINAL : A3MI_ON_TIMER_LAST,
                   NULL, now);
}

bool a3mi_link_join_twin(struct a3mi_link *link)
{
    struct a3mi_socket *socket = link->socket;
    int64_t now = socket->node->turn->now;
    a3mi_socket_ref(socket);
    a3mi_socket_lock(socket);
    /* One that ended has said so by now: a second request says that the first one's link was lost. */
    struct a3mi_link *twin = link->ended
                                 ? NULL
                                 : a3mi_link_find_pair(socket, link->peer, &link->peer_tag, link, now);
    bool found = twin != NULL && twin->state != A3MI_LINK_CANCELLING;
    if (found) {
        join(link, twin, now);
    }
    a3mi_socket_unlock_turn(socket, socket->node->turn);
    a3mi_socket_unref(socket);
    return found;
}

/*
 * The association dropped the control messages that waited for `from`: nothing
 * of them was transmitted. Links that asked there ask again.
 */
void a3mi_link_on_peer_merged(struct a3mi_node *node, struct a3mi_peer *from, struct a3mi_peer *into,
                              int64_t now)
{
    a3mi_peer_hold(from);
    a3mi_unheard_forget(node, from, 0);
    A3MI_LIST_FOREACH_SAFE (it, next, a3mi_peer_links(from)) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_peer);
        a3mi_peer_hold(into);
        a3mi_link_set_peer(link, into);
        a3mi_peer_release(node->assoc, from);
        if (link->state == A3MI_LINK_CANCELLING) {
            a3mi_link_event(link, A3MI_ON_PEER_GONE, NULL, now);
        } else if (!a3mi_link_join_twin(link) && link->state == A3MI_LINK_REQUESTING) {
            a3mi_link_event(link, A3MI_ON_PEER_LOST, NULL, now);
            link->backoff = link->backoff_before; /* the same attempt, to the same peer */
            a3mi_link_event(link, A3MI_ON_TIMER, NULL, now);
        }
    }
    a3mi_peer_release(node->assoc, from);
}
