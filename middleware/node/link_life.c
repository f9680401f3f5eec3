/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lives of a link: for each attempt a number and an index, from its acceptance on two channels and what the peer
 * told, until both are cut off and what was not finished is counted. [engine lock held]
 */
#include "node/node.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/mutation.h"

/* Frees messages that were not handed up: of a life that did not come to be. They were acknowledged. */
static void drop_batch(struct a3mi_link *link)
{
    struct a3mi_fifo_node *node;
    a3mi_list_remove(&link->in_batch);
    link->early_bytes = 0;
    link->early_violated = false;
    while ((node = a3mi_fifo_pop(&link->batch)) != NULL) {
        a3m_msg_free(a3mi_container_of(node, a3m_msg, node));
        link->socket->unread++;
        link->socket->node->unread++;
    }
}

/* [socket] An attempt came to nothing: what arrived on its index, ahead of an acceptance, is of another life. So are grants. */
void a3mi_link_drop_attempt(struct a3mi_link *link)
{
    if (link->rx_attached) {
        a3mi_rx_detach(link->socket->node->assoc, &link->rx);
        link->rx_attached = false;
    }
    link->peer_epoch = 0;
    drop_batch(link);
}

/* Draws a new number and a new index for an attempt, and what the link needs to be up. */
int a3mi_link_renew(struct a3mi_link *link)
{
    struct a3mi_node *node = link->socket->node;
    if (link->next_identity == NULL) {
        link->next_identity = calloc(1, sizeof(*link->next_identity));
    }
    if (link->next_identity == NULL) {
        return A3M_ENOMEM;
    }
    if (link->number != 0) {
        a3mi_map64_del(&node->links, link->number);
        link->number = 0;
    }
    link->peer_number = 0; /* an earlier life's: a peer that restarted uses it for other links */
    a3mi_link_drop_attempt(link);
    uint64_t number = ++node->next_number;
    int result = a3mi_map64_put(&node->links, number, link);
    if (result != A3M_OK) {
        return result;
    }
    link->number = number;
    result = a3mi_rx_attach(node->assoc, &link->rx, link->peer,
                            (uint64_t)a3mi_socket_option(link->socket, A3M_OPT_MAX_MESSAGE));
    link->rx_attached = result == A3M_OK;
    return result;
}

int a3mi_link_prepare(struct a3mi_link *link)
{
    return link->rx_attached && link->next_identity != NULL ? A3M_OK : a3mi_link_renew(link);
}

/* What both REQUEST and ACCEPT tell about this end. */
void a3mi_link_describe(struct a3mi_link *link, struct a3mi_control *control)
{
    const struct a3mi_socket *socket = link->socket;
    control->author_tag = socket->tag;
    control->addressee_tag = link->peer_tag;
    snprintf(control->type, sizeof(control->type), "%s", socket->type->name);
    control->index = link->rx.index;
    a3mi_flow_offer(link, control);
    control->metadata = link->metadata.bytes;
    control->metadata_size = link->metadata.size;
    link->metadata_untold = false;
    control->max_message = (uint64_t)a3mi_socket_option(socket, A3M_OPT_MAX_MESSAGE);
}

/* [socket] Binds the link, which is prepared, to what the peer told: it is up. */
void a3mi_link_attach(struct a3mi_link *link, const struct a3mi_control *info, int64_t now)
{
    struct a3mi_socket *socket = link->socket;
    struct a3mi_node *node = socket->node;
    struct a3mi_identity *identity = link->next_identity;
    atomic_init(&identity->refs, 1);
    identity->link.v = link->handle;
    identity->node = link->peer_node;
    identity->tag = link->peer_tag;
    a3mi_identity_unref(link->identity);
    link->identity = identity;
    link->next_identity = NULL;
    link->peer_number = info->author_link;
    const struct a3m_addr *at = a3mi_peer_addr(link->peer);
    if (at != NULL) {
        link->found_at = *at;
    }
    /* A later request that crossed is another link's at the peer, and nobody else answers it. */
    if (A3MI_MUTATE(LINK_FORGETS_CROSSED, true, link->crossed == info->author_link)) {
        link->crossed = 0;
    }
    a3mi_link_refuse_crossed(link, now);
    atomic_store_explicit(&link->silent_since, 0, memory_order_relaxed);
    a3mi_tx_attach(node->assoc, &link->tx, link->peer, link->incarnation, info->index);
    link->tx.unordered = a3mi_socket_option(socket, A3M_OPT_ORDERED) == 0;
    a3mi_rx_bind(&link->rx, link->incarnation);
    link->peer_max_message = info->max_message;
    a3mi_flow_begin(link, info);
    link->reason = A3M_OK;
    a3mi_backoff_reset(&link->backoff);
    link->armed_interval = 0;
    link->attempts = 0;
    /* Data may have overtaken the acceptance. */
    if (!a3mi_fifo_empty(&link->batch) && !a3mi_list_linked(&link->in_batch)) {
        a3mi_list_push_back(&socket->batch, &link->in_batch);
        if (!a3mi_list_linked(&socket->in_batch)) {
            a3mi_socket_ref(socket);
            a3mi_list_push_back(&node->batch, &socket->in_batch);
        }
    }
}

/*
 * [socket] Nothing will arrive any more: only now does the type learn that the link is down. A reply that
 * was sent before the link was ended may come after its END.
 */
static void tell_type_down(struct a3mi_link *link)
{
    struct a3mi_socket *socket = link->socket;
    if (!link->told_up) {
        return;
    }
    link->told_up = false;
    if (socket->type->link_down != NULL) {
        socket->type->link_down(socket, socket->state, (a3m_link){link->handle}, link->reason);
    }
}

/* [socket] Ends both channels and counts what was not finished. */
void a3mi_link_detach(struct a3mi_link *link)
{
    struct a3mi_socket *socket = link->socket;
    struct a3mi_node *node = socket->node;
    a3mi_heartbeat_cancel(link);
    if (link->tx.peer != NULL) {
        size_t waiting = 0;
        uint64_t messages = link->tx.queue.count;
        for (struct a3mi_fifo_node *it = link->tx.queue.head; it != NULL; it = it->next) {
            waiting += a3mi_container_of(it, a3m_msg, node)->size;
        }
        struct a3mi_tx_rest rest = a3mi_tx_detach(node->assoc, &link->tx);
        uint64_t from = link->stale > link->drained ? link->stale : link->drained;
        uint64_t unsent = rest.unsent + (link->pushed - from); /* with those in the outbox */
        link->stale = link->pushed;
        a3mi_window_return(node, messages, waiting);
        a3mi_receipts_end(link, link->acknowledged + rest.unknown);
        socket->undelivered += unsent;
        socket->unknown += rest.unknown;
        node->lost_undelivered += unsent;
        node->lost_unknown += rest.unknown;
        a3mi_link_settle(link, unsent + rest.unknown, true);
    }
    if (link->rx_attached) {
        a3mi_rx_detach(node->assoc, &link->rx);
        link->rx_attached = false;
    }
    a3mi_taken_clear(&link->taken_unsaid);
    link->life++;
    tell_type_down(link);
}
