/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is taken is one number that many threads change, with no lock: a send that
 * finds room takes it by one exchange. The line has a lock of its own, a leaf,
 * which is taken only when there was no room, or may be a line.
 *
 * No wake is lost. Who gets in line looks for room once more, under the line's
 * lock. Room comes about only where what is taken falls below the bound, and
 * whoever lets it fall sets `window_waiting`, then looks at the line. What is
 * taken is in two numbers: whether it fell by one's own doing is known in the engine
 * only, where nobody else changes the other one. Who is not there looks in any case.
 */
#include "node/window.h"

#include "node/credit.h"
#include "node/node.h"

/* In this order: who sees room taken, sees what units gave back before. */
static uint64_t taken(const struct a3mi_node *node)
{
    uint64_t outbox = atomic_load(&node->outbox_bytes);
    return outbox + atomic_load(&node->unit_bytes);
}

bool a3mi_window_full(const struct a3mi_node *node)
{
    return taken(node) >= node->config.outbox_bytes;
}

static bool has_line(const struct a3mi_node *node)
{
    return atomic_load_explicit(&node->window_line_count, memory_order_relaxed) != 0;
}

bool a3mi_window_open(const struct a3m_base *socket)
{
    const struct a3mi_node *node = socket->node;
    return !a3mi_window_full(node) && !(a3mi_socket_option(socket, A3M_OPT_FAIR) != 0 && has_line(node));
}

static void note_full(struct a3mi_node *node)
{
    atomic_store_explicit(&node->window_since, a3mi_clock_now(), memory_order_relaxed);
    atomic_store_explicit(&node->window_filled, 1, memory_order_release);
}

/* ---- Taking --------------------------------------------------------------------------------- */

static bool take(struct a3mi_node *node, uint64_t cost)
{
    uint64_t most = node->config.outbox_bytes;
    uint64_t before = atomic_load(&node->outbox_bytes);
    uint64_t units;
    do {
        units = atomic_load(&node->unit_bytes);
        if (before + units >= most) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&node->outbox_bytes, &before, before + cost));
    if (before + units + cost >= most) {
        note_full(node);
    }
    return true;
}

bool a3mi_window_take(struct a3mi_node *node, uint64_t cost, bool behind)
{
    return !(behind && has_line(node)) && take(node, cost);
}

void a3mi_window_force(struct a3mi_node *node, uint64_t cost)
{
    uint64_t most = node->config.outbox_bytes;
    uint64_t before = atomic_fetch_add(&node->outbox_bytes, cost);
    before += atomic_load(&node->unit_bytes);
    if (before < most && before + cost >= most) {
        note_full(node);
    }
}

/* ---- The line --------------------------------------------------------------------------------- */

static struct a3mi_window_wait *first_in_line(const struct a3mi_node *node)
{
    struct a3mi_list *first = a3mi_list_first(&node->window_line);
    return first != NULL ? a3mi_container_of(first, struct a3mi_window_wait, in_line) : NULL;
}

/* [window] */
static void remove_locked(struct a3mi_node *node, struct a3mi_window_wait *wait)
{
    if (a3mi_list_linked(&wait->in_line)) {
        a3mi_list_remove(&wait->in_line);
        atomic_fetch_sub_explicit(&node->window_line_count, 1, memory_order_relaxed);
    }
}

bool a3mi_window_stand(struct a3mi_node *node, struct a3mi_window_wait *wait)
{
    pthread_mutex_lock(&node->window_lock);
    bool served = first_in_line(node) == NULL && take(node, wait->cost);
    if (!served) {
        a3mi_list_push_back(&node->window_line, &wait->in_line);
        atomic_fetch_add_explicit(&node->window_line_count, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&node->window_lock);
    return served;
}

void a3mi_window_leave(struct a3mi_node *node, struct a3mi_window_wait *wait)
{
    pthread_mutex_lock(&node->window_lock);
    remove_locked(node, wait);
    pthread_mutex_unlock(&node->window_lock);
}

/* The socket of the first in line, counted, while there is room for it; NULL. */
static struct a3mi_socket *next_socket(struct a3mi_node *node)
{
    struct a3mi_socket *socket = NULL;
    pthread_mutex_lock(&node->window_lock);
    const struct a3mi_window_wait *wait = first_in_line(node);
    if (wait != NULL && !a3mi_window_full(node)) {
        socket = wait->socket; /* the thread in line is inside a call on it */
        a3mi_socket_ref(socket);
    }
    pthread_mutex_unlock(&node->window_lock);
    return socket;
}

/* [socket] Gives room to the first in line while that is a call on this socket. */
static void serve_socket(struct a3mi_node *node, struct a3mi_socket *socket)
{
    bool served;
    do {
        pthread_mutex_lock(&node->window_lock);
        struct a3mi_window_wait *wait = first_in_line(node);
        served = wait != NULL && wait->socket == socket && take(node, wait->cost);
        if (served) {
            remove_locked(node, wait);
        }
        pthread_mutex_unlock(&node->window_lock);
        if (served) {
            a3mi_credit_room(socket, wait);
        }
    } while (served);
}

/* ---- Returning --------------------------------------------------------------------------------- */

void a3mi_window_return(struct a3mi_node *node, uint64_t messages, uint64_t bytes)
{
    uint64_t cost = messages * A3MI_MESSAGE_COST + bytes;
    uint64_t before = atomic_fetch_sub(&node->outbox_bytes, cost);
    before += atomic_load(&node->unit_bytes);
    /* Waiters are rare: they are looked for only when the outbox was full. */
    if (before >= node->config.outbox_bytes) {
        atomic_store_explicit(&node->window_waiting, 1, memory_order_release);
    }
}

/* What is in the outbox is read when the new number can be seen: who found it full by the old one is not overlooked. */
void a3mi_window_units(struct a3mi_node *node, uint64_t bytes)
{
    uint64_t most = node->config.outbox_bytes;
    if (bytes == atomic_load_explicit(&node->unit_bytes, memory_order_relaxed)) {
        return;
    }
    uint64_t before = atomic_exchange(&node->unit_bytes, bytes);
    uint64_t outbox = atomic_load(&node->outbox_bytes);
    if (bytes < before && outbox + before >= most) {
        atomic_store_explicit(&node->window_waiting, 1, memory_order_release);
    }
    if (outbox + before < most && outbox + bytes >= most) {
        note_full(node);
    }
}

/* ---- Telling ------------------------------------------------------------------------------------ */

static void serve_line(struct a3mi_node *node, struct a3mi_turn *turn)
{
    struct a3mi_socket *socket;
    while ((socket = next_socket(node)) != NULL) {
        a3mi_socket_lock(socket);
        serve_socket(node, socket);
        a3mi_socket_unlock_turn(socket, turn);
        a3mi_socket_unref(socket);
    }
}

/* No more messages than this can find room. */
static uint64_t room_for(const struct a3mi_node *node)
{
    uint64_t used = taken(node);
    uint64_t most = node->config.outbox_bytes;
    return used < most ? (most - used + A3MI_MESSAGE_COST - 1) / A3MI_MESSAGE_COST : 0;
}

/*
 * [socket] The outbox has room for up to `n` messages, or has none any more: for all links alike. Each pollable's
 * exclusive entries are counted for themselves: what one leaves is handed on there only.
 */
static void tell_socket(struct a3mi_socket *socket, uint64_t n)
{
    A3MI_LIST_FOREACH (it, &socket->links) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_socket);
        if (n > 0) {
            a3mi_link_wake(link, A3MI_KEY_WINDOW, n);
        } else {
            a3mi_pollable_lower(&link->pollable, &socket->wakes);
        }
    }
    if (n > 0) {
        a3mi_socket_wake(socket, A3MI_KEY_WINDOW, n);
    } else {
        a3mi_pollable_lower(&socket->pollable, &socket->wakes);
    }
}

static void tell_pollers(struct a3mi_node *node, struct a3mi_turn *turn)
{
    uint64_t n = room_for(node);
    pthread_mutex_lock(&node->names_lock);
    A3MI_LIST_FOREACH (it, &node->sockets) {
        struct a3mi_socket *socket = a3mi_container_of(it, struct a3m_base, on_node);
        a3mi_socket_lock(socket);
        tell_socket(socket, n);
        a3mi_socket_unlock_turn(socket, turn);
    }
    pthread_mutex_unlock(&node->names_lock);
}

void a3mi_window_tell(struct a3mi_node *node, struct a3mi_turn *turn)
{
    if (atomic_load_explicit(&node->window_waiting, memory_order_relaxed) == 0 &&
        atomic_load_explicit(&node->window_filled, memory_order_relaxed) == 0) {
        return;
    }
    /* Whoever set them had changed what is taken before: it is seen from here on. */
    (void)atomic_exchange(&node->window_waiting, 0);
    (void)atomic_exchange(&node->window_filled, 0);
    serve_line(node, turn);
    tell_pollers(node, turn);
}

void a3mi_window_give_back(struct a3mi_socket *socket, size_t size)
{
    struct a3mi_node *node = socket->node;
    struct a3mi_turn turn = {0};
    a3mi_window_return(node, 1, size);
    atomic_store(&node->window_waiting, 1); /* units may have become fewer at the same time */
    a3mi_socket_unlock(socket);
    a3mi_wakes_init(&turn.wakes);
    a3mi_window_tell(node, &turn);
    (void)a3mi_wakes_run(&turn.wakes);
    a3mi_socket_lock(socket);
}
