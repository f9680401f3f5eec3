/* SPDX-License-Identifier: Apache-2.0 */
/* The public calls about links. */
#include "node/node.h"

#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/error.h"

/* ---- Asking ---------------------------------------------------------------------- */

/* Reads "udp://host:port/tag" or "node/tag" into what a link keeps. May block for a name. */
static int read_peer(const struct a3mi_node *node, const char *peer, struct a3mi_link *out)
{
    struct a3mi_url url;
    if (peer == NULL) {
        return a3mi_fail(A3M_EINVAL, "no peer given: it looks like udp://192.0.2.7:7101/echo or server/echo");
    }
    int result = a3mi_url_parse(peer, &url);
    if (result != A3M_OK) {
        return result;
    }
    if (!url.has_tag) {
        return a3mi_fail(A3M_EINVAL, "'%s' names no socket: append its tag, as in %s/echo", peer, peer);
    }
    result = a3mi_name_set(&out->peer_tag, url.tag, strlen(url.tag));
    if (result != A3M_OK) {
        return result;
    }
    if (url.is_node) {
        return a3mi_name_set(&out->peer_node, url.node, strlen(url.node));
    }
    if (strcmp(url.scheme, node->transport->scheme) != 0) {
        return a3mi_fail(A3M_EINVAL, "'%s': this node is on %s, and cannot reach addresses of %s", peer,
                         node->transport->scheme, url.scheme);
    }
    return node->transport->resolve(url.address, &out->peer_addr);
}

/* [socket] A link that is in no list yet, and that the engine has not seen. */
static void drop_unborn(struct a3mi_link *link)
{
    a3mi_link_retire(link);
    a3mi_link_unref(link);
    a3mi_link_unref(link);
}

/* [socket] Makes the link and queues its first request. *carry: carry what was queued. */
static int make_link(struct a3mi_socket *socket, const struct a3mi_link *wish, uint64_t *handle, bool *carry)
{
    if (a3mi_name_eq(&wish->peer_node, &socket->node->id) && a3mi_name_eq(&wish->peer_tag, &socket->tag)) {
        return a3mi_fail(A3M_EINVAL, "the socket '%s' cannot be linked to itself", socket->tag.s);
    }
    struct a3mi_link *old = a3mi_link_find_wish(socket, wish);
    if (old != NULL) {
        *handle = old->handle;
        if (a3mi_link_change_metadata(old->alias != NULL ? old->alias : old, &wish->metadata, carry) !=
            A3M_OK) {
            return a3mi_fail(A3M_ENOMEM, "no memory for metadata");
        }
        if (old->incoming &&
            !old->wanted) { /* the peer's alone until now: it is asked for again when it is lost */
            old->wanted = true;
            *carry |= a3mi_flow_queue(old);
        }
        return a3mi_fail(A3M_EEXIST, "the socket '%s' has this link already", socket->tag.s);
    }
    struct a3mi_link *link = a3mi_link_new(socket, false);
    if (link == NULL) {
        return a3mi_fail(A3M_ENOMEM, "no memory for a link");
    }
    if (a3mi_link_set_metadata(link, wish->metadata.bytes, wish->metadata.size) != A3M_OK) {
        drop_unborn(link);
        return a3mi_fail(A3M_ENOMEM, "no memory for a link");
    }
    *handle = link->handle;
    link->peer_node = wish->peer_node;
    link->peer_tag = wish->peer_tag;
    link->peer_addr = wish->peer_addr;
    a3mi_link_enlist(link);
    a3mi_link_count(link);
    a3mi_link_ref(link);
    link->command.kind = A3MI_CMD_LINK;
    a3mi_reader_push(socket->node->reader, &link->command);
    *carry = true;
    return A3M_OK;
}

/* [socket] */
static int ask_for(struct a3mi_socket *socket, const struct a3mi_link *wish, uint64_t *handle, bool *carry)
{
    if (socket->closed) {
        return a3mi_fail(A3M_ECLOSED, "the socket is closed");
    }
    return make_link(socket, wish, handle, carry);
}

static int check_options(const a3m_link_options *options)
{
    if (options == NULL || options->size != sizeof(*options)) {
        return a3mi_fail(A3M_EINVAL, "a3m_link_options.size is not set to sizeof(a3m_link_options)");
    }
    if (options->metadata_size > A3M_LINK_METADATA_MAX ||
        (options->metadata == NULL && options->metadata_size > 0)) {
        return a3mi_fail(A3M_EINVAL, "metadata of %zu bytes: a link has up to %d", options->metadata_size,
                         A3M_LINK_METADATA_MAX);
    }
    return A3M_OK;
}

int a3m_socket_link_with(a3m_socket handle, const char *peer, const a3m_link_options *options, a3m_link *out)
{
    struct a3mi_socket *socket;
    int result = check_options(options);
    if (result == A3M_OK) {
        result = a3mi_socket_enter(handle, &socket);
    }
    if (result != A3M_OK) {
        return result;
    }
    struct a3mi_link wish;
    memset(&wish, 0, sizeof(wish));
    result = read_peer(socket->node, peer, &wish);
    if (result == A3M_OK) {
        uint64_t made = 0;
        bool carry = false;
        /* Borrowed: a wish is only read. */
        wish.metadata = (struct a3mi_metadata){(uint8_t *)(uintptr_t)options->metadata,
                                               options->metadata_size};
        a3mi_socket_lock(socket);
        result = ask_for(socket, &wish, &made, &carry);
        a3mi_socket_unlock(socket);
        if (out != NULL) {
            out->v = made;
        }
        if (carry) {
            a3mi_node_carry(socket->node);
        }
    }
    a3mi_socket_leave(socket);
    return result;
}

int a3m_socket_link(a3m_socket socket, const char *peer, a3m_link *out)
{
    const a3m_link_options options = {.size = sizeof(options)};
    return a3m_socket_link_with(socket, peer, &options, out);
}

int a3m_socket_set_accept(a3m_socket handle, a3m_accept_fn accept, void *arg)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    a3mi_socket_lock(socket);
    socket->accept = accept;
    socket->accept_arg = arg;
    a3mi_socket_unlock(socket);
    a3mi_socket_leave(socket);
    return A3M_OK;
}

/* ---- One link ---------------------------------------------------------------------- */

/* The link behind a handle, or the one it stands for, its socket locked. */
static int enter_link(a3m_link handle, struct a3mi_link **own, struct a3mi_link **link)
{
    void *obj;
    int result = a3mi_registry_get(handle.v, A3MI_KIND_LINK, &obj);
    if (result != A3M_OK) {
        return result;
    }
    *own = obj;
    a3mi_socket_lock((*own)->socket);
    *link = (*own)->alias != NULL ? (*own)->alias : *own;
    return A3M_OK;
}

static void leave_link(struct a3mi_link *own)
{
    uint64_t handle = own->handle;
    a3mi_socket_unlock(own->socket);
    a3mi_registry_put(handle);
}

int a3m_link_end(a3m_link handle)
{
    struct a3mi_link *own, *link;
    int result = enter_link(handle, &own, &link);
    if (result != A3M_OK) {
        return result;
    }
    struct a3mi_socket *socket = own->socket;
    struct a3mi_node *node = socket->node;
    bool carry = a3mi_link_request_end(link, A3M_ECANCELED);
    if (own != link) {
        carry |= a3mi_link_request_end(own, A3M_ECANCELED);
    }
    if (carry) {
        a3mi_socket_unlock(socket);
        a3mi_node_carry(node);
        a3mi_socket_lock(socket);
    }
    leave_link(own);
    return A3M_OK;
}

/* What there is to say of the end of a link besides its code. */
static const char *about_end(const struct a3mi_link *link, int code)
{
    switch (code) {
    case A3M_EINCOMPATIBLE: return "the types of the two sockets do not go together";
    case A3M_EREFUSED: return link->text != NULL ? link->text : "that socket takes no links from peers";
    case A3M_ENOTREADY:
        return link->text != NULL ? link->text
                                  : "no such socket there yet, or it has as many links as it takes";
    case A3M_ENOADDR: return "say where the node is (a3m_node_set_peer), or have a resolver say it";
    default: return "the link has ended";
    }
}

/* [socket] Says why a link has ended. */
static int say_ended(const struct a3mi_link *link)
{
    int code = link->reason != A3M_OK ? link->reason : A3M_ECLOSED;
    char peer[A3M_LINK_ADDRESS_SIZE] = "peer";
    char tried[48] = "";
    if (link->peer_addr.kind != A3M_ADDR_NONE) {
        (void)a3mi_addr_format(&link->peer_addr, peer, sizeof(peer));
    }
    if (link->attempts > 0 && (code == A3M_ENOTREADY || code == A3M_ESILENT || code == A3M_ENOADDR)) {
        snprintf(tried, sizeof(tried), "; given up after %u request%s", link->attempts,
                 link->attempts > 1 ? "s" : "");
    }
    return a3mi_fail(code, "%s/%s: %s%s", link->peer_node.len > 0 ? link->peer_node.s : peer,
                     link->peer_tag.s, about_end(link, code), tried);
}

/* [socket] 0: up; 1: not yet; negative: why it ended. */
static int link_outcome(const struct a3mi_link *link)
{
    if (link->ended) {
        return say_ended(link);
    }
    return link->state == A3MI_LINK_UP ? A3M_OK : 1;
}

int a3m_link_wait(a3m_link handle, a3m_time deadline)
{
    struct a3mi_link *own, *link;
    int result = enter_link(handle, &own, &link);
    if (result != A3M_OK) {
        return result;
    }
    struct a3mi_socket *socket = own->socket;
    result = link_outcome(link);
    while (result == 1) {
        struct a3mi_wait_for what = {&link->pollable.queue, A3MI_KEY_STATE, false};
        int waited = a3mi_socket_wait(socket, &what, deadline, NULL);
        link = own->alias != NULL ? own->alias : own;
        result = link_outcome(link);
        if (result == 1 && waited != A3M_OK) {
            result = waited == A3M_ETIMEDOUT ? a3mi_fail(A3M_ETIMEDOUT, "the link is not up yet: %s",
                                                         link->reason != A3M_OK ? a3m_strerror(link->reason)
                                                                                : "no answer from the peer")
                                             : waited;
        }
    }
    leave_link(own);
    return result;
}

static a3m_link_state public_state(const struct a3mi_link *link)
{
    static const a3m_link_state states[A3MI_LINK_STATES] = {
        [A3MI_LINK_REQUESTING] = A3M_LINK_REQUESTING,
        [A3MI_LINK_RETRYING] = A3M_LINK_RETRYING,
        [A3MI_LINK_UP] = A3M_LINK_UP,
        [A3MI_LINK_ENDING] = A3M_LINK_ENDING,
        [A3MI_LINK_FINISHING] = A3M_LINK_ENDING,
        [A3MI_LINK_CANCELLING] = A3M_LINK_ENDED,
        [A3MI_LINK_ABORTING] = A3M_LINK_ENDED,
        [A3MI_LINK_CLOSED] = A3M_LINK_ENDED,
    };
    a3m_link_state state = states[link->state];
    return link->ended && state < A3M_LINK_ENDING ? A3M_LINK_ENDING : state;
}

int a3m_link_get_info(a3m_link handle, a3m_link_info *info)
{
    struct a3mi_link *own, *link;
    if (info == NULL || info->size != sizeof(*info)) {
        return a3mi_fail(A3M_EINVAL, "a3m_link_info.size is not set to sizeof(a3m_link_info)");
    }
    int result = enter_link(handle, &own, &link);
    if (result != A3M_OK) {
        return result;
    }
    memset(info, 0, sizeof(*info));
    info->size = sizeof(*info);
    info->state = public_state(link);
    info->reason = link->reason;
    info->incoming = link->incoming && !link->wanted;
    info->attempts = link->attempts;
    info->next_attempt.ns = link->state == A3MI_LINK_RETRYING ? link->next_attempt : 0;
    snprintf(info->peer_node, sizeof(info->peer_node), "%s", link->peer_node.s);
    snprintf(info->peer_tag, sizeof(info->peer_tag), "%s", link->peer_tag.s);
    const struct a3m_addr *at = link->found_at.kind != A3M_ADDR_NONE ? &link->found_at : &link->peer_addr;
    if (at->kind != A3M_ADDR_NONE) {
        (void)a3mi_addr_format(at, info->peer_address, sizeof(info->peer_address));
    }
    info->sent = link->sent;
    info->acknowledged = link->acknowledged;
    info->received = link->received;
    info->taken = link->taken;
    info->credit_messages = (int64_t)(link->limit_messages - link->sent - link->reserved);
    info->credit_bytes = (int64_t)(link->limit_bytes - link->sent_bytes - link->reserved_bytes);
    info->reserved_messages = link->reserved;
    info->reserved_bytes = link->reserved_bytes;
    info->capacity_messages = link->capacity_messages;
    info->capacity_bytes = link->capacity_bytes;
    snprintf(info->text, sizeof(info->text), "%s", link->text != NULL ? link->text : "");
    info->blocked = a3mi_blocked_get(link, &info->blocked_since.ns);
    leave_link(own);
    return A3M_OK;
}

int a3m_link_metadata(a3m_link handle, void *buf, size_t size)
{
    struct a3mi_link *own, *link;
    int result = enter_link(handle, &own, &link);
    if (result != A3M_OK) {
        return result;
    }
    const struct a3mi_metadata *metadata = &link->peer_metadata;
    size_t n = metadata->size < size ? metadata->size : size;
    if (n > 0) {
        memcpy(buf, metadata->bytes, n);
    }
    result = (int)metadata->size;
    leave_link(own);
    return result;
}

/* ---- All links of a socket ----------------------------------------------------------- */

int a3m_socket_links(a3m_socket handle, a3m_link *links, size_t max)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    size_t n = 0;
    a3mi_socket_lock(socket);
    A3MI_LIST_FOREACH (it, &socket->links) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_socket);
        if (link->alias != NULL) {
            continue;
        }
        if (n < max) {
            links[n].v = link->handle;
        }
        n++;
    }
    a3mi_socket_unlock(socket);
    a3mi_socket_leave(socket);
    return (int)n;
}

/* Waits for `n` links. */
static int wait_links(a3m_socket handle, size_t n, a3m_link *out, bool or_none, a3m_time deadline)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    a3mi_socket_lock(socket);
    while (result == A3M_OK && socket->links_up < n) {
        if (or_none && socket->links_up + socket->links_coming < n) {
            result = a3mi_fail(A3M_ENOLINK, "%zu links are up, and %zu coming up", socket->links_up,
                               socket->links_coming);
            break;
        }
        struct a3mi_wait_for what = {&socket->pollable.queue, A3MI_KEY_LINK | (or_none ? A3MI_KEY_NONE : 0u),
                                     false};
        result = a3mi_socket_wait(socket, &what, deadline, NULL);
        if (result == A3M_ETIMEDOUT) {
            result = socket->links_up >= n
                         ? A3M_OK
                         : a3mi_fail(A3M_ETIMEDOUT, "%zu of %zu links are up", socket->links_up, n);
            break;
        }
    }
    if (result == A3M_OK && out != NULL) {
        A3MI_LIST_FOREACH (it, &socket->links) {
            struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_socket);
            if (link->state == A3MI_LINK_UP && !link->ended) {
                out->v = link->handle;
                break;
            }
        }
    }
    a3mi_socket_unlock(socket);
    a3mi_socket_leave(socket);
    return result;
}

int a3m_socket_wait_link(a3m_socket socket, a3m_link *link, a3m_time deadline)
{
    return wait_links(socket, 1, link, false, deadline);
}

int a3m_socket_wait_link_or_none(a3m_socket socket, a3m_link *link, a3m_time deadline)
{
    return wait_links(socket, 1, link, true, deadline);
}

int a3m_socket_wait_links(a3m_socket socket, size_t n, a3m_time deadline)
{
    return wait_links(socket, n, NULL, false, deadline);
}

int a3m_socket_wait_links_or_none(a3m_socket socket, size_t n, a3m_time deadline)
{
    return wait_links(socket, n, NULL, true, deadline);
}

int a3m_link_set_credit(a3m_link handle, uint64_t messages, uint64_t bytes)
{
    struct a3mi_link *own, *link;
    if (messages < 1 || bytes < 1 || messages > INT64_C(1) << 40 || bytes > INT64_C(1) << 40) {
        return a3mi_fail(A3M_EINVAL, "a capacity is from 1 to 2^40");
    }
    int result = enter_link(handle, &own, &link);
    if (result != A3M_OK) {
        return result;
    }
    struct a3mi_socket *socket = own->socket;
    bool carry = a3mi_flow_set_capacity(link, messages, bytes);
    if (carry) {
        a3mi_socket_unlock(socket);
        a3mi_node_carry(socket->node);
        a3mi_socket_lock(socket);
    }
    leave_link(own);
    return A3M_OK;
}
