/* SPDX-License-Identifier: Apache-2.0 */
/* What applications put into the outbox about links: that one is asked for, that one ends. [engine lock held] */
#include "node/node.h"

/* Asks for the link at its peer, if it has none with it. */
static void begin(struct a3mi_link *link, int64_t now)
{
    struct a3mi_node *node = link->socket->node;
    struct a3mi_peer *peer = link->peer_addr.kind != A3M_ADDR_NONE
                                 ? a3mi_assoc_peer_at(node->assoc, &link->peer_addr)
                                 : a3mi_assoc_peer(node->assoc, &link->peer_node);
    if (peer == NULL) {
        link->reason = A3M_ENOMEM;
        a3mi_link_event(link, A3MI_ON_TIMER_LAST, NULL, now);
        return;
    }
    a3mi_link_set_peer(link, peer);
    if (a3mi_peer_id(peer) == NULL || !a3mi_link_join_twin(link)) {
        a3mi_link_event(link, A3MI_ON_TIMER, NULL, now);
    }
}

/* [engine] It may have been given up before this command came, and is over then. */
static void carry_end(struct a3mi_link *link, int64_t now)
{
    a3mi_socket_lock(link->socket);
    a3mi_link_carry_end(link, now);
    a3mi_socket_unlock_turn(link->socket, link->socket->node->turn);
}

void a3mi_link_begin(struct a3mi_link *link, int64_t now)
{
    carry_end(link, now);
    if (link->state != A3MI_LINK_CLOSED) { /* as by an abort that could not see this command, too */
        begin(link, now);
    }
    a3mi_link_unref(link); /* the command's */
}

void a3mi_link_unlink(struct a3mi_link *link, int64_t now)
{
    a3mi_link_event(link, A3MI_ON_UNLINK, NULL, now);
    a3mi_link_unref(link); /* the command's */
}
