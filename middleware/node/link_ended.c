/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to a node's links when a peer's incarnation is found out, and when
 * it is over. [engine lock held]
 */
#include "core/mutation.h"
#include "node/node.h"
#include "node/unheard.h"

static bool concerned(const struct a3mi_link *link, uint64_t incarnation)
{
    switch (link->state) {
    case A3MI_LINK_UP:
    case A3MI_LINK_ENDING:
    case A3MI_LINK_ABORTING:
    case A3MI_LINK_FINISHING: return link->incarnation == incarnation;
    /* A request to another incarnation is still under way: to forget it would be to misread its answer. */
    case A3MI_LINK_REQUESTING:
    case A3MI_LINK_CANCELLING: return A3MI_MUTATE(LINK_ENDS_ANY, true, link->asked == incarnation);
    default: return false;
    }
}

void a3mi_link_on_peer_bound(struct a3mi_peer *peer, uint64_t incarnation)
{
    A3MI_LIST_FOREACH (it, a3mi_peer_links(peer)) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_peer);
        if (link->asked == 0) {
            link->asked = incarnation;
        }
    }
}

/* Also told of links that nothing was sent on: what is sent next will wait as long. */
void a3mi_link_on_peer_silent(struct a3mi_peer *peer, uint64_t incarnation, int64_t since)
{
    A3MI_LIST_FOREACH (it, a3mi_peer_links(peer)) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_peer);
        if (link->incarnation == incarnation) {
            atomic_store_explicit(&link->silent_since, since != INT64_MAX ? since : 0, memory_order_relaxed);
        }
    }
}

static int end_code(enum a3mi_peer_end why)
{
    switch (why) {
    case A3MI_PEER_SILENT: return A3M_ESILENT;
    case A3MI_PEER_TOO_MUCH: return A3M_ENOMEM;
    default: return A3M_ERESTARTED;
    }
}

/* What a policy gave up is told. */
static void report_end(struct a3mi_node *node, const struct a3mi_peer *peer, enum a3mi_peer_end why,
                       uint64_t links, const struct a3mi_given_up *before)
{
    struct a3mi_given_up lost = a3mi_node_given_up(node);
    if (node->closing || (why != A3MI_PEER_SILENT && why != A3MI_PEER_TOO_MUCH)) {
        return;
    }
    node->peers_silent += why == A3MI_PEER_SILENT;
    lost.undelivered -= before->undelivered;
    lost.unknown -= before->unknown;
    lost.unread -= before->unread;
    a3mi_node_report_given_up(node, peer, end_code(why), links, &lost);
}

/*
 * Requests of an incarnation that is over wait for no answer. One that went there would bind to it what waits for
 * whoever is there, as if that had been lost with it.
 */
static void forget_crossed(struct a3mi_peer *peer, uint64_t incarnation)
{
    A3MI_LIST_FOREACH (it, a3mi_peer_links(peer)) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_peer);
        if (link->crossed_by == incarnation) {
            link->crossed = 0;
        }
    }
}

void a3mi_link_on_peer_ended(struct a3mi_node *node, struct a3mi_peer *peer, uint64_t incarnation,
                             enum a3mi_peer_end why, int64_t now)
{
    struct a3mi_given_up before = a3mi_node_given_up(node);
    uint64_t links = 0;
    a3mi_peer_hold(peer);
    forget_crossed(peer, incarnation);
    A3MI_LIST_FOREACH_SAFE (it, next, a3mi_peer_links(peer)) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_peer);
        if (!concerned(link, incarnation)) {
            continue;
        }
        links++;
        struct a3mi_socket *socket = link->socket;
        a3mi_socket_ref(socket);
        a3mi_socket_lock(socket);
        if (!link->ended) {
            link->reason = end_code(why);
        }
        bool over = a3mi_link_is_theirs(link) || link->ended;
        a3mi_link_step(link, over ? A3MI_ON_PEER_GONE : A3MI_ON_PEER_LOST, NULL, now);
        a3mi_socket_unlock_turn(socket, socket->node->turn);
        a3mi_socket_unref(socket);
    }
    a3mi_unheard_forget(node, peer, incarnation);
    report_end(node, peer, why, links, &before);
    a3mi_peer_release(node->assoc, peer);
}
