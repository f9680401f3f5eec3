/* SPDX-License-Identifier: Apache-2.0 */
#include "node/polling.h"

#include "base/error.h"
#include "node/node.h"

/* ---- What is polled ---------------------------------------------------------------------- */

void a3mi_poll_let_go(const struct a3mi_held *held)
{
    a3mi_registry_put(held->handle);
}

static int not_there(a3m_pollable what, int result)
{
    void *obj;
    if (result == A3M_EHANDLE && a3mi_registry_get(what.v, A3MI_KIND_POLLER, &obj) == A3M_OK) {
        a3mi_registry_put(what.v);
        return a3mi_fail(A3M_EINVAL, "pollers are not nested");
    }
    return result == A3M_EFORKED ? result
                                 : a3mi_fail(result, "not the handle of an open %s",
                                             what.kind == A3M_POLLABLE_LINK ? "link" : "socket");
}

int a3mi_poll_hold(a3m_pollable what, struct a3mi_held *held)
{
    void *obj;
    held->handle = what.v;
    enum a3mi_handle_kind kind = what.kind == A3M_POLLABLE_LINK ? A3MI_KIND_LINK : A3MI_KIND_SOCKET;
    if (what.kind != A3M_POLLABLE_SOCKET && what.kind != A3M_POLLABLE_LINK &&
        what.kind != A3M_POLLABLE_EVENTS) {
        return a3mi_fail(A3M_EINVAL, "%u is no kind of pollable", what.kind);
    }
    int result = a3mi_registry_get(what.v, kind, &obj);
    if (result != A3M_OK) {
        return not_there(what, result);
    }
    if (what.kind == A3M_POLLABLE_LINK) {
        held->pollable = &((struct a3mi_link *)obj)->pollable;
    } else {
        struct a3mi_socket *socket = obj;
        held->pollable = what.kind == A3M_POLLABLE_EVENTS ? &socket->event_log.pollable : &socket->pollable;
    }
    return A3M_OK;
}

static int check_fd(a3m_pollable what)
{
    int64_t fd = (int64_t)what.v;
    if (fd < 0 || fd > INT32_MAX) {
        return a3mi_fail(A3M_EINVAL, "%lld is no descriptor", (long long)fd);
    }
    if (a3mi_poller_owns_fd((int)fd)) {
        return a3mi_fail(A3M_EINVAL, "descriptor %lld is a poller's: pollers are not nested", (long long)fd);
    }
    return A3M_OK;
}

int a3mi_poll_check(a3m_pollable what, uint32_t events)
{
    bool is_fd = what.kind == A3M_POLLABLE_FD;
    uint32_t known = A3M_POLL_IN | A3M_POLL_OUT | A3M_POLL_ERR | A3M_POLL_HUP | A3M_POLL_EXCLUSIVE |
                     A3M_POLL_ONESHOT | A3M_POLL_EDGE | A3M_POLL_PRI;
    if ((events & ~known) != 0) {
        return a3mi_fail(A3M_EINVAL, "events have unknown bits: 0x%x", events & ~known);
    }
    if ((events & A3M_POLL_EXCLUSIVE) != 0 && (events & A3M_POLL_ONESHOT) != 0) {
        return a3mi_fail(A3M_EINVAL, "EXCLUSIVE and ONESHOT do not go together");
    }
    if ((events & A3M_POLL_EXCLUSIVE) != 0 && is_fd) {
        return a3mi_fail(A3M_ENOTSUP, "descriptors cannot be watched exclusively");
    }
    return is_fd ? check_fd(what) : A3M_OK;
}

/* ---- Guests: threads that wait in a poller, and carry the traffic of one node meanwhile ---- */

struct guest {
    struct a3mi_list list;
    struct a3mi_parker *parker;
};

void a3mi_node_dismiss_guests(struct a3mi_node *node)
{
    struct a3mi_wakes wakes;
    a3mi_wakes_init(&wakes);
    pthread_mutex_lock(&node->idle_lock);
    node->no_guests = true;
    A3MI_LIST_FOREACH (it, &node->guests) {
        a3mi_wakes_add(&wakes, a3mi_container_of(it, struct guest, list)->parker);
    }
    pthread_mutex_unlock(&node->idle_lock);
    (void)a3mi_wakes_run(&wakes);
}

static bool register_guest(struct a3mi_node *node, struct guest *guest)
{
    pthread_mutex_lock(&node->idle_lock);
    bool welcome = !node->no_guests;
    if (welcome) {
        a3mi_list_push_back(&node->guests, &guest->list);
    }
    pthread_mutex_unlock(&node->idle_lock);
    return welcome;
}

static void unregister_guest(struct a3mi_node *node, struct guest *guest)
{
    pthread_mutex_lock(&node->idle_lock);
    a3mi_list_remove(&guest->list);
    pthread_mutex_unlock(&node->idle_lock);
}

static int sleep_at(struct a3mi_node *node, struct a3mi_parker *parker, const struct a3mi_watch *watch,
                    int64_t deadline, bool eintr)
{
    struct guest guest = {.parker = parker};
    a3mi_list_init(&guest.list);
    if (!register_guest(node, &guest)) {
        return a3mi_reader_wait_watching(NULL, parker, watch, deadline, eintr);
    }
    int result = watch != NULL ? a3mi_reader_wait_watching(node->reader, parker, watch, deadline, eintr)
                               : a3mi_reader_wait(node->reader, parker, deadline, eintr);
    unregister_guest(node, &guest);
    return result;
}

/* The node of a handle, held until put; NULL when there is none, or none any more. */
static struct a3mi_node *get_home(uint64_t home)
{
    void *node;
    return home != 0 && a3mi_registry_get(home, A3MI_KIND_NODE, &node) == A3M_OK ? node : NULL;
}

int a3mi_poll_sleep(uint64_t home, struct a3mi_parker *parker, const struct a3mi_watch *watch,
                    int64_t deadline, bool eintr)
{
    struct a3mi_node *node = get_home(home);
    if (node == NULL) {
        return a3mi_reader_wait_watching(NULL, parker, watch, deadline, eintr);
    }
    int result = sleep_at(node, parker, watch, deadline, eintr);
    a3mi_registry_put(home);
    return result;
}

void a3mi_poll_touch(uint64_t home)
{
    struct a3mi_node *node = get_home(home);
    if (node != NULL) {
        a3mi_reader_touch(node->reader);
        a3mi_registry_put(home);
    }
}

const struct a3mi_poller_host a3mi_poller_host = {a3mi_poll_sleep, a3mi_poll_touch};
