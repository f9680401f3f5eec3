/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a link is found among those of its socket, of which there may be very many: by what was asked for, and by the
 * peer's socket that it leads to.
 */
#include "base/addr.h"
#include "base/checksum.h"
#include "node/node.h"

/* Strangers choose tags and ids: so does the table of sockets, whose secret this is. */
static uint64_t hash_tag(const struct a3mi_socket *socket, const struct a3mi_name *tag)
{
    return a3mi_hash64(tag->s, tag->len, socket->node->names.seed);
}

/* ---- By what was asked for --------------------------------------------------------- */

static uint64_t hash_wish(const struct a3mi_socket *socket, const struct a3mi_link *wish)
{
    const struct a3m_addr *addr = &wish->peer_addr;
    uint64_t tag = hash_tag(socket, &wish->peer_tag);
    return addr->kind != A3M_ADDR_NONE ? a3mi_hash64(addr->b, addr->len, tag)
                                       : a3mi_hash64(wish->peer_node.s, wish->peer_node.len, tag);
}

static bool same_wish(const struct a3mi_link *a, const struct a3mi_link *b)
{
    if (!a3mi_name_eq(&a->peer_tag, &b->peer_tag) || a->peer_addr.kind != b->peer_addr.kind) {
        return false;
    }
    return b->peer_addr.kind != A3M_ADDR_NONE ? a3mi_addr_eq(&a->peer_addr, &b->peer_addr)
                                              : a3mi_name_eq(&a->peer_node, &b->peer_node);
}

void a3mi_link_enlist(struct a3mi_link *link)
{
    struct a3mi_socket *socket = link->socket;
    a3mi_list_push_back(&socket->links, &link->on_socket);
    a3mi_buckets_add(&socket->wishes, &link->by_wish, hash_wish(socket, link));
}

void a3mi_link_leave_socket(struct a3mi_link *link)
{
    if (a3mi_list_linked(&link->on_socket)) {
        a3mi_list_remove(&link->on_socket);
        a3mi_buckets_remove(&link->socket->wishes, &link->by_wish);
        a3mi_link_retire(link);
        a3mi_link_unref(link);
    }
}

struct a3mi_link *a3mi_link_find_wish(struct a3mi_socket *socket, const struct a3mi_link *wish)
{
    A3MI_LIST_FOREACH_SAFE (it, next, a3mi_buckets_at(&socket->wishes, hash_wish(socket, wish))) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, by_wish.list);
        if (link->unlinking || !same_wish(link, wish)) {
            continue;
        }
        bool over = link->alias != NULL ? link->alias->ended : link->ended;
        if (!over) {
            return link;
        }
        if (link->state == A3MI_LINK_CLOSED) {
            a3mi_link_leave_socket(link);
        }
    }
    return NULL;
}

/* ---- By the peer's socket ------------------------------------------------------------- */

/* Both tags, and the peer. Sockets that had the same tag one after the other share a place. */
static uint64_t hash_pair(const struct a3mi_socket *socket, const struct a3mi_peer *peer,
                          const struct a3mi_name *tag)
{
    uint64_t tags = a3mi_hash64(socket->tag.s, socket->tag.len, hash_tag(socket, tag));
    uintptr_t at = (uintptr_t)peer;
    return a3mi_hash64(&at, sizeof(at), tags);
}

void a3mi_link_set_peer(struct a3mi_link *link, struct a3mi_peer *peer)
{
    if (link->peer != NULL) {
        a3mi_list_remove(&link->on_peer);
        a3mi_buckets_remove(&link->socket->node->pairs, &link->by_pair);
        *a3mi_peer_tally(link->peer) -= link->incoming;
    }
    link->peer = peer;
    if (peer != NULL) {
        a3mi_list_push_back(a3mi_peer_links(peer), &link->on_peer);
        a3mi_buckets_add(&link->socket->node->pairs, &link->by_pair,
                         hash_pair(link->socket, peer, &link->peer_tag));
        *a3mi_peer_tally(peer) += link->incoming;
    }
}

void a3mi_link_wanted(struct a3mi_link *link)
{
    if (link->incoming && link->peer != NULL) {
        --*a3mi_peer_tally(link->peer);
    }
    link->incoming = link->wanted = false;
}

bool a3mi_link_is_theirs(struct a3mi_link *link)
{
    if (link->wanted) {
        a3mi_link_wanted(link);
    }
    return link->incoming;
}

struct a3mi_link *a3mi_link_find_pair(struct a3mi_socket *socket, const struct a3mi_peer *peer,
                                      const struct a3mi_name *tag, const struct a3mi_link *but, int64_t now)
{
    struct a3mi_link *cancelling = NULL;
    A3MI_LIST_FOREACH_SAFE (it, next, a3mi_buckets_at(&socket->node->pairs, hash_pair(socket, peer, tag))) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, by_pair.list);
        if (link == but || link->socket != socket || link->peer != peer ||
            !a3mi_name_eq(&link->peer_tag, tag)) {
            continue;
        }
        a3mi_link_ref(link);
        a3mi_link_carry_end(link, now);
        enum a3mi_link_state state = link->state;
        a3mi_link_unref(link); /* the engine has it, unless it is closed */
        if (state == A3MI_LINK_REQUESTING || state == A3MI_LINK_RETRYING || state == A3MI_LINK_UP) {
            return link;
        }
        if (state == A3MI_LINK_CANCELLING) {
            cancelling = link;
        }
    }
    return cancelling;
}

struct a3mi_link *a3mi_link_find_former(struct a3mi_socket *socket, const struct a3mi_peer *peer,
                                        const struct a3mi_name *tag)
{
    A3MI_LIST_FOREACH (it, a3mi_buckets_at(&socket->node->pairs, hash_pair(socket, peer, tag))) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, by_pair.list);
        if (link->socket != socket && link->peer == peer && a3mi_name_eq(&link->peer_tag, tag) &&
            a3mi_name_eq(&link->socket->tag, &socket->tag) &&
            (link->state == A3MI_LINK_REQUESTING || link->state == A3MI_LINK_CANCELLING)) {
            return link;
        }
    }
    return NULL;
}
