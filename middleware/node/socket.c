/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The base of every socket: its name, its lock, its end. What a socket does
 * with messages is its type's; how they wait and travel is in send.c, recv.c,
 * flow.c and link.c.
 */
#include "node/node.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "node/credit.h"

/* ---- Counts ------------------------------------------------------------------------ */

void a3mi_socket_ref(struct a3mi_socket *socket)
{
    atomic_fetch_add_explicit(&socket->refs, 1, memory_order_relaxed);
}

static void free_socket(struct a3mi_socket *socket)
{
    struct a3mi_node *node = socket->node;
    if (socket->type->fini != NULL && socket->opened) {
        socket->type->fini(socket, socket->state);
    }
    pthread_mutex_destroy(&socket->lock);
    a3mi_event_log_fini(&socket->event_log);
    a3mi_buckets_fini(&socket->wishes);
    free(socket->state);
    free(socket);
    a3mi_node_unref(node);
}

void a3mi_socket_unref(struct a3mi_socket *socket)
{
    if (atomic_fetch_sub_explicit(&socket->refs, 1, memory_order_acq_rel) == 1) {
        free_socket(socket);
    }
}

static void handle_last(void *obj)
{
    struct a3mi_socket *socket = obj;
    struct a3mi_node *node = socket->node;
    atomic_fetch_add(&node->refs, 1);
    a3mi_socket_unref(socket);
    a3mi_node_handle_retired(node);
    a3mi_node_unref(node);
}

/* ---- Entering and locking ------------------------------------------------------------ */

int a3mi_socket_enter(a3m_socket handle, struct a3mi_socket **socket)
{
    void *obj;
    int result = a3mi_registry_get(handle.v, A3MI_KIND_SOCKET, &obj);
    if (result == A3M_OK) {
        *socket = obj;
    }
    return result;
}

void a3mi_socket_leave(struct a3mi_socket *socket)
{
    a3mi_registry_put(socket->handle);
}

void a3mi_socket_lock(struct a3mi_socket *socket)
{
    pthread_mutex_lock(&socket->lock);
}

void a3mi_socket_unlock(struct a3mi_socket *socket)
{
    struct a3mi_wakes wakes = socket->wakes;
    a3mi_wakes_init(&socket->wakes);
    pthread_mutex_unlock(&socket->lock);
    if (wakes.first != NULL) {
        a3mi_wakes_run(&wakes);
    }
}

void a3mi_socket_unlock_turn(struct a3mi_socket *socket, struct a3mi_turn *turn)
{
    struct a3mi_parker **end = &socket->wakes.first;
    while (*end != NULL) {
        end = &(*end)->next_wake;
    }
    *end = turn->wakes.first;
    turn->wakes.first = socket->wakes.first;
    a3mi_wakes_init(&socket->wakes);
    pthread_mutex_unlock(&socket->lock);
}

int64_t a3mi_socket_option(const struct a3mi_socket *socket, a3m_option option)
{
    return socket->options.values[option];
}

/* ---- Names ------------------------------------------------------------------------------ */

struct a3mi_socket *a3mi_node_find_socket(struct a3mi_node *node, const struct a3mi_name *tag)
{
    pthread_mutex_lock(&node->names_lock);
    struct a3mi_mapb_node *found = a3mi_mapb_get(&node->names, tag->s, tag->len);
    struct a3mi_socket *socket = found != NULL ? a3mi_container_of(found, struct a3m_base, by_tag) : NULL;
    if (socket != NULL) {
        a3mi_socket_ref(socket);
    }
    pthread_mutex_unlock(&node->names_lock);
    return socket;
}

/* Enters the socket into its node's table. */
static int publish(struct a3mi_socket *socket)
{
    struct a3mi_node *node = socket->node;
    int result;
    pthread_mutex_lock(&node->names_lock);
    if (node->closed) {
        result = a3mi_fail(A3M_ECLOSED, "the node is closed");
    } else {
        if (socket->tag.len == 0) {
            socket->tag.len = (uint8_t)snprintf(socket->tag.s, sizeof(socket->tag.s), "~%" PRIu64,
                                                ++node->next_auto_tag);
        }
        socket->by_tag.key = socket->tag.s;
        socket->by_tag.key_len = socket->tag.len;
        result = a3mi_mapb_add(&node->names, &socket->by_tag);
        if (result == A3M_EEXIST) {
            a3mi_fail(A3M_EEXIST,
                      "this node has a socket '%s' already; choose another tag, or close that one first",
                      socket->tag.s);
        }
    }
    if (result == A3M_OK) {
        socket->named = true;
        a3mi_list_push_back(&node->sockets, &socket->on_node);
    }
    pthread_mutex_unlock(&node->names_lock);
    return result;
}

static void unpublish(struct a3mi_socket *socket)
{
    struct a3mi_node *node = socket->node;
    pthread_mutex_lock(&node->names_lock);
    bool named = socket->named;
    if (named) {
        socket->named = false;
        a3mi_mapb_remove(&node->names, &socket->by_tag);
        a3mi_list_remove(&socket->on_node);
    }
    pthread_mutex_unlock(&node->names_lock);
    if (named) {
        a3mi_socket_unref(socket);
    }
}

/* ---- Opening ------------------------------------------------------------------------------- */

static struct a3mi_socket *new_socket(struct a3mi_node *node, const a3m_socket_type *type)
{
    struct a3mi_socket *socket = calloc(1, sizeof(*socket));
    if (socket == NULL) {
        return NULL;
    }
    socket->state = calloc(1, type->state_size > 0 ? type->state_size : 1);
    if (socket->state == NULL || pthread_mutex_init(&socket->lock, NULL) != 0) {
        free(socket->state);
        free(socket);
        return NULL;
    }
    atomic_init(&socket->refs, 1);
    atomic_fetch_add(&node->refs, 1);
    socket->node = node;
    socket->type = type;
    a3mi_wakes_init(&socket->wakes);
    a3mi_options_init(&socket->options);
    socket->options.values[A3M_OPT_ORDERED] = !type->unordered;
    a3mi_list_init(&socket->on_node);
    a3mi_list_init(&socket->links);
    a3mi_list_init(&socket->scheduled);
    a3mi_buckets_init(&socket->wishes);
    a3mi_list_init(&socket->sendable);
    a3mi_list_init(&socket->readable);
    a3mi_list_init(&socket->in_batch);
    a3mi_list_init(&socket->batch);
    a3mi_list_init(&socket->credit_line);
    a3mi_map64_init(&socket->reservations);
    a3mi_socket_pollable_init(socket);
    return socket;
}

static int check_type(const a3m_socket_type *type)
{
    if (type == NULL || type->size != sizeof(*type)) {
        return a3mi_fail(A3M_EINVAL, "a3m_socket_type.size is not sizeof(a3m_socket_type)");
    }
    if (type->name == NULL || type->name[0] == '\0' || strlen(type->name) > 31) {
        return a3mi_fail(A3M_EINVAL, "the name of a socket type has 1 to 31 bytes");
    }
    return A3M_OK;
}

static int set_tag(struct a3mi_socket *socket, const char *tag)
{
    if (tag == NULL) {
        return A3M_OK;
    }
    if (tag[0] == '$') {
        return a3mi_fail(A3M_EINVAL, "tags that begin with '$' are reserved: '%.40s'", tag);
    }
    return a3mi_name_set(&socket->tag, tag, strlen(tag));
}

static int open_socket(struct a3mi_node *node, const a3m_socket_type *type, const char *tag, a3m_socket *out)
{
    struct a3mi_socket *socket = new_socket(node, type);
    if (socket == NULL) {
        return a3mi_fail(A3M_ENOMEM, "no memory for a socket");
    }
    int result = set_tag(socket, tag);
    if (result == A3M_OK && type->open != NULL) {
        result = type->open(socket, socket->state);
    }
    if (result != A3M_OK) {
        a3mi_socket_unref(socket);
        return result;
    }
    socket->opened = true;
    socket->handle = a3mi_registry_add(socket, A3MI_KIND_SOCKET);
    if (socket->handle == 0) {
        a3mi_socket_unref(socket);
        return a3mi_fail(A3M_ENOMEM, "no memory for a socket");
    }
    a3mi_node_handle_made(node);
    a3mi_socket_ref(socket); /* the table's */
    result = publish(socket);
    if (result != A3M_OK) {
        a3mi_socket_unref(socket);
        a3mi_registry_retire(socket->handle, handle_last);
        return result;
    }
    out->v = socket->handle;
    return A3M_OK;
}

int a3m_socket_open(a3m_socket *socket, a3m_node handle, const a3m_socket_type *type, const char *tag)
{
    void *node;
    int result = check_type(type);
    if (result == A3M_OK) {
        result = a3mi_registry_get(handle.v, A3MI_KIND_NODE, &node);
    }
    if (result == A3M_OK) {
        result = open_socket(node, type, tag, socket);
        a3mi_registry_put(handle.v);
    }
    return result;
}

/* ---- Closing --------------------------------------------------------------------------------- */

/* [socket] Messages that nobody will take. */
static void discard_inbox(struct a3mi_socket *socket)
{
    struct a3mi_list *it;
    while ((it = a3mi_list_pop_front(&socket->readable)) != NULL) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, readable);
        struct a3mi_fifo_node *node;
        while ((node = a3mi_fifo_pop(&link->inbox)) != NULL) {
            a3m_msg_free(a3mi_container_of(node, a3m_msg, node));
            socket->unread++;
            atomic_fetch_add_explicit(&socket->node->discarded, 1, memory_order_relaxed);
        }
        a3mi_link_emptied(link);
        a3mi_link_unref(link);
    }
    socket->inbox_count = 0;
}

/* [socket] Everybody who waits learns that the socket is closed; but for who waits at a link. */
static void wake_all(struct a3mi_socket *socket)
{
    a3mi_socket_wake(socket, A3MI_KEY_HUP, SIZE_MAX);
    (void)a3mi_waitq_wake(&socket->event_log.pollable.queue, A3MI_KEY_HUP, SIZE_MAX, &socket->wakes);
    a3mi_socket_wake_drains(socket);
}

void a3mi_socket_begin_close(struct a3mi_socket *socket)
{
    struct a3mi_node *node = socket->node;
    bool carry = false;
    a3mi_socket_lock(socket);
    if (socket->closed) {
        a3mi_socket_unlock(socket);
        unpublish(socket); /* for one who closes the node, and comes between another's unlock and unpublish */
        return;
    }
    socket->closed = true;
    if (socket->type->closing != NULL) {
        socket->type->closing(socket, socket->state);
    }
    wake_all(socket);
    a3mi_reservations_drop(socket);
    A3MI_LIST_FOREACH_SAFE (it, next, &socket->links) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_socket);
        /* Also at one that is being ended, which may take long. */
        a3mi_link_wake(link, A3MI_KEY_HUP, SIZE_MAX);
        carry |= a3mi_link_request_end(link, A3M_ECLOSED);
    }
    discard_inbox(socket);
    a3mi_socket_unlock(socket);
    unpublish(socket);
    a3mi_registry_retire(socket->handle, handle_last);
    if (carry) {
        a3mi_node_carry(node);
    }
}

int a3m_socket_close(a3m_socket handle)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    a3mi_socket_begin_close(socket);
    a3mi_socket_leave(socket);
    return A3M_OK;
}

/* ---- The rest of the public calls ------------------------------------------------------------- */

int a3m_socket_tag(a3m_socket handle, char *buf, size_t size)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    if (size <= socket->tag.len) {
        result = a3mi_fail(A3M_EINVAL, "a tag of %u bytes does not fit into %zu", socket->tag.len, size);
    } else {
        memcpy(buf, socket->tag.s, (size_t)socket->tag.len + 1);
    }
    a3mi_socket_leave(socket);
    return result;
}

/* [socket] All links have the capacity that the options say. True: carry what was queued. */
static bool change_capacities(struct a3mi_socket *socket)
{
    bool carry = false;
    A3MI_LIST_FOREACH (it, &socket->links) {
        carry |= a3mi_flow_set_capacity(a3mi_container_of(it, struct a3mi_link, on_socket),
                                        (uint64_t)a3mi_socket_option(socket, A3M_OPT_CREDIT_MESSAGES),
                                        (uint64_t)a3mi_socket_option(socket, A3M_OPT_CREDIT_BYTES));
    }
    return carry;
}

/* [socket] What follows from an option at once. *carry: to be carried. A3M_ENOMEM. */
static int apply_option(struct a3mi_socket *socket, a3m_option option, int64_t value, bool *carry)
{
    switch (option) {
    case A3M_OPT_CREDIT_MESSAGES:
    case A3M_OPT_CREDIT_BYTES: *carry = change_capacities(socket); return A3M_OK;
    case A3M_OPT_FAIR: a3mi_credit_reorder(socket); return A3M_OK;
    case A3M_OPT_EVENTS: return a3mi_event_log_resize(&socket->event_log, (size_t)value, &socket->wakes);
    default: return A3M_OK;
    }
}

int a3m_socket_set(a3m_socket handle, a3m_option option, int64_t value)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    bool carry = false;
    a3mi_socket_lock(socket);
    struct a3mi_options before = socket->options;
    result = a3mi_options_set(&socket->options, option, value);
    if (result == A3M_OK) {
        result = apply_option(socket, option, value, &carry);
    }
    if (result != A3M_OK) {
        socket->options = before;
    }
    a3mi_socket_unlock(socket);
    if (carry) {
        a3mi_node_carry(socket->node);
    }
    a3mi_socket_leave(socket);
    return result;
}

int a3m_socket_get(a3m_socket handle, a3m_option option, int64_t *value)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    a3mi_socket_lock(socket);
    result = a3mi_options_get(&socket->options, option, value);
    a3mi_socket_unlock(socket);
    a3mi_socket_leave(socket);
    return result;
}
