/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why nothing can be sent on a link, and since when. What a link itself knows (not
 * up, unanswered, no credit) is noted when it changes, which is when the link
 * leaves or enters its socket's list of sendable ones: sending pays nothing. That
 * the outbox is full holds for all links of the node, and is looked up; that the peer
 * of a link that is up is silent is noted by the engine. [socket]
 */
#include "node/node.h"

static int reason_of(const struct a3mi_link *link)
{
    if (link->state != A3MI_LINK_UP || link->ended) {
        return link->unanswered && !link->ended ? A3M_ESILENT : A3M_ENOLINK;
    }
    return a3mi_list_linked(&link->sendable) ? A3M_OK : A3M_ENOCREDIT;
}

void a3mi_blocked_note(struct a3mi_link *link)
{
    int reason = reason_of(link);
    if (reason != link->blocked) {
        link->blocked = reason;
        link->blocked_since = reason != A3M_OK ? a3mi_clock_now() : 0;
    }
}

int a3mi_blocked_get(const struct a3mi_link *link, int64_t *since)
{
    const struct a3mi_node *node = link->socket->node;
    int64_t silent = atomic_load_explicit(&link->silent_since, memory_order_relaxed);
    if (silent != 0 && link->state == A3MI_LINK_UP && !link->ended) {
        *since =
            silent; /* also when there is no credit, or no room: that is what keeps both from coming back */
        return A3M_ESILENT;
    }
    if (link->blocked == A3M_OK && a3mi_window_full(node)) {
        *since = atomic_load_explicit(&node->window_since, memory_order_relaxed);
        return A3M_ENOWINDOW;
    }
    *since = link->blocked_since;
    return link->blocked;
}
