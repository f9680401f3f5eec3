/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the application's resolver where a node is (a3m_node_config.resolve):
 * when a link is asked for by node id, and no address is known, or there was no
 * answer at the one that is. After the turn, with no lock held; what it says is
 * then given to the association, unless it is what is known already.
 */
#include "node/node.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/addr.h"

struct question {
    struct a3mi_after after;
    struct a3mi_name id;
};

/* The answer. */
struct found {
    struct a3mi_node *node;
    const struct a3mi_name *id;
    struct a3m_addr addr;
};

/* [engine] */
static void take_answer(void *arg, struct a3mi_turn *turn)
{
    const struct found *found = arg;
    struct a3mi_node *node = found->node;
    struct a3mi_peer *peer = a3mi_assoc_peer(node->assoc, found->id);
    if (peer == NULL) {
        return;
    }
    node->turn = turn;
    const struct a3m_addr *known = a3mi_peer_addr(peer);
    if (known == NULL || !a3mi_addr_eq(known, &found->addr)) {
        a3mi_peer_set_addr(node->assoc, peer, &found->addr, turn->now);
        turn->more = true; /* what waited for an address goes now */
    }
    a3mi_peer_release(node->assoc, peer);
    node->turn = NULL;
}

static int read_answer(const struct a3mi_node *node, const char *text, struct a3m_addr *addr)
{
    struct a3mi_url url;
    int result = a3mi_url_parse(text, &url);
    if (result != A3M_OK) {
        return result;
    }
    if (url.is_node || url.has_tag || strcmp(url.scheme, node->transport->scheme) != 0) {
        return A3M_EINVAL;
    }
    return node->transport->resolve(url.address, addr);
}

static void ask(struct a3mi_node *node, struct a3mi_after *after)
{
    struct question *question = a3mi_container_of(after, struct question, after);
    struct found found = {.node = node, .id = &question->id};
    char text[A3M_LINK_ADDRESS_SIZE] = "";
    if (node->config.resolve(node->config.resolve_arg, question->id.s, text, sizeof(text)) == A3M_OK) {
        text[sizeof(text) - 1] = '\0';
        if (read_answer(node, text, &found.addr) == A3M_OK) {
            a3mi_reader_enter(node->reader, take_answer, &found);
        } else {
            atomic_fetch_add_explicit(&node->bad_resolutions, 1, memory_order_relaxed);
        }
    }
    free(question);
}

void a3mi_link_ask_resolver(struct a3mi_link *link)
{
    struct a3mi_node *node = link->socket->node;
    bool known = link->peer != NULL && a3mi_peer_addr(link->peer) != NULL;
    if (node->config.resolve == NULL || link->peer_addr.kind != A3M_ADDR_NONE ||
        (known && link->attempts <= 1) || a3mi_name_eq(&link->peer_node, &node->id)) {
        return;
    }
    struct question *question = malloc(sizeof(*question));
    if (question == NULL) {
        return; /* asked again at the next attempt */
    }
    question->id = link->peer_node;
    question->after.run = ask;
    a3mi_turn_add_after(node->turn, &question->after);
}
