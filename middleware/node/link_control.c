/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link control: what peers say about links (proto/control.h). [engine lock held]
 *
 * The checks of a request have a fixed order, final reasons first, so that a
 * requester never retries what cannot succeed: types that do not go together,
 * not accepted (by option, then by the application's hook), then no such socket,
 * not ready, too many links. Without a socket nothing else can be checked: that
 * refusal is for now.
 */
#include "node/node.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
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

/* Answers about a link that this end does not have. */
static void answer(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation,
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
        answer(link->socket->node, link->peer, link->crossed_by, &to, A3MI_CONTROL_REFUSE, refusal, "", now);
    }
    link->crossed = 0;
}

/* ---- Requests ------------------------------------------------------------------------ */

static bool compatible(const a3m_socket_type *type, const char *peer_type)
{
    for (const char *const *it = type->peers; it != NULL && *it != NULL; it++) {
        if (strcmp(*it, peer_type) == 0) {
            return true;
        }
    }
    return false;
}

/* [socket] Whether the socket asks itself, by its own address. */
static bool own_request(const struct a3mi_socket *socket, const struct a3mi_peer *peer,
                        const struct a3mi_control *request)
{
    return a3mi_name_eq(&socket->node->id, a3mi_peer_id(peer)) &&
           a3mi_name_eq(&socket->tag, &request->author_tag);
}

/* Whether a peer has made as many links as one may. */
static bool has_enough_links(const struct a3mi_node *node, struct a3mi_peer *peer)
{
    if (a3mi_name_eq(&node->id, a3mi_peer_id(peer))) {
        return false; /* the application's own sockets */
    }
    return *a3mi_peer_tally(peer) >= node->config.max_peer_links;
}

/*
 * [socket] What the application says. The lock is let go meanwhile: the hook may look at the socket, which may
 * also be closed, or lose links, by other threads; links do not come or change without the engine lock.
 */
static uint32_t ask_application(struct a3mi_socket *socket, const struct a3mi_peer *peer,
                                const struct a3mi_control *request, a3m_link_answer *verdict)
{
    const a3m_link_request asked = {
        .size = sizeof(asked),
        .peer_node = a3mi_peer_id(peer)->s,
        .peer_tag = request->author_tag.s,
        .peer_type = request->type,
        .metadata = request->metadata,
        .metadata_size = request->metadata_size,
    };
    a3m_accept_fn accept = socket->accept;
    void *arg = socket->accept_arg;
    a3mi_socket_unlock_turn(socket, socket->node->turn);
    a3mi_reader_set_in_hook(true);
    accept(arg, &asked, verdict);
    a3mi_reader_set_in_hook(false);
    a3mi_socket_lock(socket);
    if (verdict->accept == A3M_ACCEPT && verdict->metadata_size > A3M_LINK_METADATA_MAX) {
        snprintf(verdict->text, sizeof(verdict->text), "this socket's accept hook tells too much metadata");
        return A3MI_REFUSAL_NOT_READY;
    }
    switch (verdict->accept) {
    case A3M_ACCEPT: verdict->text[0] = '\0'; return 0;
    case A3M_REFUSE: return A3MI_REFUSAL_NOT_ACCEPTED;
    case A3M_REFUSE_FOR_NOW: break;
    }
    return A3MI_REFUSAL_NOT_READY;
}

/* [socket] 0: the request may become a link. */
static uint32_t check_request(struct a3mi_socket *socket, struct a3mi_peer *peer,
                              const struct a3mi_link *pair, const struct a3mi_control *request,
                              a3m_link_answer *verdict)
{
    if (!compatible(socket->type, request->type)) {
        return A3MI_REFUSAL_INCOMPATIBLE;
    }
    if (pair != NULL) {
        return 0;
    }
    if (a3mi_socket_option(socket, A3M_OPT_INCOMING) == 0) {
        return A3MI_REFUSAL_NOT_ACCEPTED;
    }
    uint32_t refusal = socket->accept != NULL ? ask_application(socket, peer, request, verdict) : 0;
    if (refusal != 0) {
        return refusal;
    }
    int64_t most = a3mi_socket_option(socket, A3M_OPT_MAX_LINKS);
    if (most > 0 && socket->links_up + socket->links_coming >= (uint64_t)most) {
        return A3MI_REFUSAL_LINK_LIMIT;
    }
    if (has_enough_links(socket->node, peer)) {
        return A3MI_REFUSAL_LINK_LIMIT;
    }
    return socket->closed ? A3MI_REFUSAL_NOT_READY : 0;
}

/* [socket] A link that the peer asked for. */
static struct a3mi_link *make_incoming(struct a3mi_socket *socket, struct a3mi_peer *peer,
                                       const struct a3mi_control *request)
{
    struct a3mi_link *link = a3mi_link_new(socket, true);
    if (link == NULL) {
        return NULL;
    }
    link->peer_tag = request->author_tag;
    link->peer_node = *a3mi_peer_id(peer);
    a3mi_peer_hold(peer);
    a3mi_link_set_peer(link, peer);
    a3mi_link_enlist(link);
    return link;
}

/* Of two sockets that ask each other at once the one with the greater name answers. */
static bool answers(const struct a3mi_socket *socket, const struct a3mi_peer *peer,
                    const struct a3mi_control *request)
{
    int order = a3mi_name_cmp(&socket->node->id, a3mi_peer_id(peer));
    return order > 0 || (order == 0 && a3mi_name_cmp(&socket->tag, &request->author_tag) > 0);
}

/* [socket] The link as it is when the author of a request lost it: over, or waiting to be asked for again. */
static struct a3mi_link *replace(struct a3mi_link *link, int64_t now)
{
    struct a3mi_socket *socket = link->socket;
    const struct a3mi_name tag = link->peer_tag;
    const struct a3mi_peer *peer = link->peer;
    link->reason = A3M_ERESTARTED;
    a3mi_link_step(link, link->incoming ? A3MI_ON_PEER_GONE : A3MI_ON_PEER_LOST, NULL, now);
    return a3mi_link_find_pair(socket, peer, &tag, NULL);
}

/* [socket] A request that crossed this end's own is refused: so would this end's own be. */
static uint32_t refuse_both(struct a3mi_link *link, uint32_t refusal, int64_t now)
{
    if (link != NULL && link->state == A3MI_LINK_REQUESTING && a3mi_refusal_final(refusal)) {
        link->reason = a3mi_refusal_code(refusal);
        a3mi_link_step(link, A3MI_ON_REFUSE_FINAL, NULL, now);
    }
    return refusal;
}

/* [socket] Of both ends. A3M_ENOMEM. */
static int keep_metadata(struct a3mi_link *link, const struct a3mi_control *request,
                         const a3m_link_answer *verdict)
{
    int result = verdict->metadata_size == 0
                     ? A3M_OK
                     : a3mi_link_set_metadata(link, verdict->metadata, verdict->metadata_size);
    return result == A3M_OK ? a3mi_link_keep_metadata(link, request) : result;
}

/* [engine] Our request went first, and the peer is to answer it; if it never does, its own is refused. */
static void note_crossed(struct a3mi_link *link, uint64_t incarnation, const struct a3mi_control *request)
{
    link->crossed = request->author_link;
    link->crossed_by = incarnation;
}

/* [socket] The request, once it has a link to go to. 0, or why it is refused. */
static uint32_t take_request(struct a3mi_socket *socket, struct a3mi_peer *peer, uint64_t incarnation,
                             const struct a3mi_control *request, a3m_link_answer *verdict, int64_t now)
{
    if (own_request(socket, peer, request)) {
        return A3MI_REFUSAL_NOT_ACCEPTED;
    }
    struct a3mi_link *link = a3mi_link_find_pair(socket, peer, &request->author_tag, NULL);
    bool asked = link != NULL && (link->state == A3MI_LINK_REQUESTING || link->state == A3MI_LINK_CANCELLING);
    bool take = A3MI_MUTATE(LINK_BOTH_ANSWER, true,
                            A3MI_MUTATE(LINK_NONE_ANSWERS, false, answers(socket, peer, request)));
    struct a3mi_link *former = take || asked ? NULL
                                             : a3mi_link_find_former(socket, peer, &request->author_tag);
    if (former != NULL) {
        note_crossed(former, incarnation, request); /* in either state that is all */
        return 0;
    }
    if (asked && !take) {
        note_crossed(link, incarnation, request);
        a3mi_link_step(link, A3MI_ON_CROSSING, NULL, now);
        return 0;
    }
    if (link != NULL && link->state == A3MI_LINK_CANCELLING) {
        link = NULL; /* a request like any other */
    }
    /* First: its author has lost it whatever the answer, and one that the author asked for is checked like a new one. */
    if (A3MI_MUTATE(LINK_NO_REPLACE, false, link != NULL) &&
        (a3mi_link_machine(link->state, A3MI_ON_REQUEST).actions & A3MI_DO_REPLACE) != 0) {
        link = replace(link, now);
    }
    uint32_t refusal = check_request(socket, peer, link, request, verdict);
    if (refusal != 0) {
        return refuse_both(link, refusal, now);
    }
    if (link == NULL) {
        link = make_incoming(socket, peer, request);
    }
    if (link == NULL) {
        return A3MI_REFUSAL_NOT_READY;
    }
    if (a3mi_link_prepare(link) != A3M_OK || keep_metadata(link, request, verdict) != A3M_OK) {
        if (link->incoming && link->state == A3MI_LINK_RETRYING) {
            a3mi_link_step(link, A3MI_ON_UNLINK, NULL, now); /* it was made for this request */
        }
        return A3MI_REFUSAL_NOT_READY;
    }
    link->incarnation = incarnation;
    link->peer_node = *a3mi_peer_id(peer);
    a3mi_link_step(link, A3MI_ON_REQUEST, request, now);
    return 0;
}

static void on_request(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation,
                       const struct a3mi_control *request, int64_t now)
{
    if (a3mi_peer_control_waiting(peer, incarnation) >= A3MI_REQUESTS_WAITING) {
        a3mi_unheard_note(node, peer, incarnation, request->author_link);
        return;
    }
    uint32_t refusal = A3MI_REFUSAL_NO_SOCKET;
    a3m_link_answer verdict = {0};
    struct a3mi_socket *socket = node->closing ? NULL : a3mi_node_find_socket(node, &request->addressee_tag);
    if (socket != NULL) {
        a3mi_socket_lock(socket);
        refusal = take_request(socket, peer, incarnation, request, &verdict, now);
        a3mi_socket_unlock_turn(socket, node->turn);
        a3mi_socket_unref(socket);
    }
    if (refusal != 0) {
        verdict.text[sizeof(verdict.text) - 1] = '\0';
        answer(node, peer, incarnation, request, A3MI_CONTROL_REFUSE, refusal, verdict.text, now);
    }
}

/* ---- Answers and ends ------------------------------------------------------------------ */

/* The link a message is about: by this end's number, or, for an END that does not know it, by the author's. */
static struct a3mi_link *find_link(struct a3mi_node *node, struct a3mi_peer *peer,
                                   const struct a3mi_control *control)
{
    if (A3MI_MUTATE(LINK_ANY_NUMBER, a3mi_map64_get(&node->links, control->addressee_link) != NULL,
                    control->addressee_link != 0)) {
        struct a3mi_link *link = a3mi_map64_get(&node->links, control->addressee_link);
        return link != NULL && link->peer == peer ? link : NULL;
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
 * An acceptance of a request that was settled by the other end's, which crossed it, and came to be another link there:
 * that end gave up what it had asked for since, and took the late request for a new one. There is no such link.
 */
static bool is_anothers(const struct a3mi_link *link, const struct a3mi_control *control)
{
    return control->kind == A3MI_CONTROL_ACCEPT && is_settled(link) &&
           link->peer_number != control->author_link;
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
    switch (control->kind) {
    case A3MI_CONTROL_ACCEPT:
        event = A3MI_ON_ACCEPT;
        if (link->state == A3MI_LINK_REQUESTING) {
            link->incarnation = incarnation;
            link->peer_node = *a3mi_peer_id(link->peer);
            if (a3mi_link_keep_metadata(link, control) != A3M_OK) {
                (void)a3mi_link_request_end(link, A3M_ENOMEM); /* comes up, and ends */
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

/* The peer had too much to answer already: as if it had refused these for now. */
static void on_unheard(struct a3mi_peer *peer, uint64_t incarnation, const struct a3mi_numbers *numbers,
                       int64_t now)
{
    const struct a3mi_control refusal = {
        .kind = A3MI_CONTROL_REFUSE, .refusal = A3MI_REFUSAL_NOT_READY, .text = "too many requests at once"};
    A3MI_LIST_FOREACH_SAFE (it, next, a3mi_peer_links(peer)) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_peer);
        bool asked = (link->state == A3MI_LINK_REQUESTING || link->state == A3MI_LINK_CANCELLING) &&
                     link->asked == incarnation;
        if (asked && link->number >= numbers->first && link->number < numbers->end) {
            struct a3mi_socket *socket = link->socket;
            a3mi_socket_ref(socket);
            a3mi_socket_lock(socket);
            about_link(link, incarnation, &refusal, now);
            a3mi_socket_unlock_turn(socket, socket->node->turn);
            a3mi_socket_unref(socket);
        }
    }
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
        on_request(node, peer, incarnation, &control, now);
        return;
    }
    if (control.kind == A3MI_CONTROL_UNHEARD) {
        on_unheard(peer, incarnation, &control.ranges[0], now);
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
            answer(node, peer, incarnation, &control, A3MI_CONTROL_ENDED, 0, "", now);
        } else if (control.kind == A3MI_MUTATE(LINK_ACCEPT_UNKNOWN, 0, A3MI_CONTROL_ACCEPT)) {
            answer(node, peer, incarnation, &control, A3MI_CONTROL_END, A3MI_REFUSAL_CANCELED, "", now);
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
    struct a3mi_link *twin;
    while ((twin = a3mi_link_find_pair(socket, link->peer, &link->peer_tag, link)) != NULL && twin->ended &&
           twin->state != A3MI_LINK_CANCELLING) {
        /* Its CMD_UNLINK is in the outbox yet. END first: a second request says that the first one's link was lost. */
        a3mi_link_step(twin, A3MI_ON_UNLINK, NULL, now);
    }
    bool found = twin != NULL && !twin->ended;
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
