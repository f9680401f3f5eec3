/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heartbeat: while a link's socket awaits something of its peer, the peer is asked
 * for a sign of life once in an interval. So a request learns within a second that
 * its server has restarted, though it was acknowledged long ago and nothing else
 * would be sent; and, where there is a peer timeout, that the server is silent.
 *
 * No cost per message: the first message of a link arms an event; when it fires it
 * looks whether anything is awaited, and is armed again as long as that is so.
 */
#include "node/node.h"

static void on_heartbeat(struct a3mi_event *event, int64_t now)
{
    struct a3mi_link *link = a3mi_container_of(event, struct a3mi_link, heartbeat);
    struct a3mi_socket *socket = link->socket;
    link->heartbeat_armed = false;
    a3mi_socket_ref(socket);
    a3mi_socket_lock(socket);
    bool awaits = link->state == A3MI_LINK_UP &&
                  socket->type->awaits(socket, socket->state, (a3m_link){link->handle});
    a3mi_socket_unlock_turn(socket, socket->node->turn);
    if (awaits) {
        a3mi_heartbeat_arm(link, now);
        a3mi_tx_ask(socket->node->assoc, &link->tx, now); /* the last thing: the link may end by it */
    }
    a3mi_socket_unref(socket);
}

void a3mi_heartbeat_arm(struct a3mi_link *link, int64_t now)
{
    struct a3mi_socket *socket = link->socket;
    if (link->heartbeat_armed || socket->type->awaits == NULL) {
        return;
    }
    int64_t interval = a3mi_socket_option(socket, A3M_OPT_HEARTBEAT);
    if (interval > 0) {
        link->heartbeat_armed = true;
        link->heartbeat.fire = on_heartbeat;
        a3mi_event_set(socket->node, &link->heartbeat, now + interval);
    }
}

void a3mi_heartbeat_cancel(struct a3mi_link *link)
{
    link->heartbeat_armed = false;
    a3mi_event_cancel(link->socket->node, &link->heartbeat);
}
