/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests for links: what a peer asks for, and whether it gets it. [engine lock held]
 *
 * The checks have a fixed order, final reasons first, so that a requester never
 * retries what cannot succeed: types that do not go together, not accepted (by
 * option, then by the application's hook), then no such socket, not ready, too
 * many links. Without a socket nothing else can be checked: that refusal is for
 * now.
 */
#include "node/node.h"

#include <stdio.h>
#include <string.h>

#include "core/mutation.h"
#include "node/unheard.h"

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
    a3mi_link_step(link, a3mi_link_is_theirs(link) ? A3MI_ON_PEER_GONE : A3MI_ON_PEER_LOST, NULL, now);
    return a3mi_link_find_pair(socket, peer, &tag, NULL, now);
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
    struct a3mi_link *link = a3mi_link_find_pair(socket, peer, &request->author_tag, NULL, now);
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

void a3mi_link_on_request(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation,
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
        a3mi_link_answer(node, peer, incarnation, request, A3MI_CONTROL_REFUSE, refusal, verdict.text, now);
    }
}
