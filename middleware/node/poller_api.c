/* SPDX-License-Identifier: Apache-2.0 */
/* Pollers as applications see them: handles, what may be asked for, and how a wait sleeps among nodes. */
#include "node/node.h"

#include <stdlib.h>

#include "base/error.h"
#include "runtime/poller.h"

struct poller {
    struct a3mi_poller *core;
    bool eintr;
};

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

static int host_sleep(uint64_t home, struct a3mi_parker *parker, const struct a3mi_watch *watch,
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

static void host_touch(uint64_t home)
{
    struct a3mi_node *node = get_home(home);
    if (node != NULL) {
        a3mi_reader_touch(node->reader);
        a3mi_registry_put(home);
    }
}

static const struct a3mi_poller_host host = {host_sleep, host_touch};

/* ---- What is polled ---------------------------------------------------------------------- */

/* A pollable that is held. */
struct held {
    struct a3mi_pollable *pollable;
    uint64_t handle;
};

static void let_go(const struct held *held)
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

static int hold(a3m_pollable what, struct held *held)
{
    void *obj;
    held->handle = what.v;
    enum a3mi_handle_kind kind = what.kind == A3M_POLLABLE_LINK ? A3MI_KIND_LINK : A3MI_KIND_SOCKET;
    if (what.kind != A3M_POLLABLE_SOCKET && what.kind != A3M_POLLABLE_LINK) {
        return a3mi_fail(A3M_EINVAL, "%u is no kind of pollable", what.kind);
    }
    int result = a3mi_registry_get(what.v, kind, &obj);
    if (result != A3M_OK) {
        return not_there(what, result);
    }
    held->pollable = kind == A3MI_KIND_LINK ? &((struct a3mi_link *)obj)->pollable
                                            : &((struct a3mi_socket *)obj)->pollable;
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

static int check_events(a3m_pollable what, uint32_t events)
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

/* ---- Handles -------------------------------------------------------------------------------- */

static int enter(a3m_poller handle, struct poller **poller)
{
    void *obj;
    int result = a3mi_registry_get(handle.v, A3MI_KIND_POLLER, &obj);
    *poller = result == A3M_OK ? obj : NULL;
    return result;
}

static void leave(a3m_poller handle)
{
    a3mi_registry_put(handle.v);
}

static void last(void *obj)
{
    struct poller *poller = obj;
    a3mi_poller_free(poller->core);
    free(poller);
}

int a3m_poller_new(a3m_poller *out, unsigned flags)
{
    if ((flags & ~(unsigned)A3M_POLLER_EINTR) != 0) {
        return a3mi_fail(A3M_EINVAL, "unknown flags of a poller: 0x%x", flags);
    }
    struct poller *poller = calloc(1, sizeof(*poller));
    if (poller == NULL || a3mi_poller_new(&poller->core, &host) != A3M_OK) {
        free(poller);
        return a3mi_fail(A3M_ENOMEM, "no memory for a poller");
    }
    poller->eintr = (flags & A3M_POLLER_EINTR) != 0;
    out->v = a3mi_registry_add(poller, A3MI_KIND_POLLER);
    if (out->v == 0) {
        last(poller);
        return a3mi_fail(A3M_ENOMEM, "no memory for a poller");
    }
    return A3M_OK;
}

int a3m_poller_close(a3m_poller handle)
{
    struct poller *poller;
    int result = enter(handle, &poller);
    if (result != A3M_OK) {
        return result;
    }
    a3mi_poller_close(poller->core);
    a3mi_registry_retire(handle.v, last);
    leave(handle);
    return A3M_OK;
}

static int add(struct poller *poller, a3m_pollable what, uint32_t events, void *user)
{
    struct held held;
    int result = check_events(what, events);
    if (result != A3M_OK) {
        return result;
    }
    if (what.kind == A3M_POLLABLE_FD) {
        return a3mi_poller_add_fd(poller->core, (int)what.v, events, user);
    }
    result = hold(what, &held);
    if (result == A3M_OK) {
        result = a3mi_poller_add(poller->core, what, held.pollable, events, user);
        let_go(&held);
    }
    return result;
}

int a3m_poller_add(a3m_poller handle, a3m_pollable what, uint32_t events, void *user)
{
    struct poller *poller;
    int result = enter(handle, &poller);
    if (result != A3M_OK) {
        return result;
    }
    result = add(poller, what, events, user);
    leave(handle);
    return result;
}

/* Of something that is not watched: a handle that is no handle is told apart. */
static int unwatched(a3m_pollable what, int result)
{
    struct held held;
    if (result != A3M_ENOENT || what.kind == A3M_POLLABLE_FD) {
        return result;
    }
    int there = hold(what, &held);
    if (there != A3M_OK) {
        return there;
    }
    let_go(&held);
    return a3mi_fail(A3M_ENOENT, "the poller does not watch it");
}

int a3m_poller_modify(a3m_poller handle, a3m_pollable what, uint32_t events, void *user)
{
    struct poller *poller;
    int result = enter(handle, &poller);
    if (result != A3M_OK) {
        return result;
    }
    result = check_events(what, events);
    if (result == A3M_OK) {
        result = what.kind == A3M_POLLABLE_FD
                     ? a3mi_poller_modify_fd(poller->core, (int)what.v, events, user)
                     : unwatched(what, a3mi_poller_modify(poller->core, what, events, user));
    }
    leave(handle);
    return result;
}

int a3m_poller_remove(a3m_poller handle, a3m_pollable what)
{
    struct poller *poller;
    int result = enter(handle, &poller);
    if (result != A3M_OK) {
        return result;
    }
    result = check_events(what, 0);
    if (result == A3M_OK) {
        result = what.kind == A3M_POLLABLE_FD ? a3mi_poller_remove_fd(poller->core, (int)what.v)
                                              : unwatched(what, a3mi_poller_remove(poller->core, what));
    }
    leave(handle);
    return result;
}

int a3m_poller_wait(a3m_poller handle, a3m_poll_event *events, size_t max, a3m_time deadline)
{
    struct poller *poller;
    int result = enter(handle, &poller);
    if (result != A3M_OK) {
        return result;
    }
    if (events == NULL || max == 0) {
        result = a3mi_fail(A3M_EINVAL, "room for no event");
    } else {
        max = max < INT32_MAX ? max : INT32_MAX;
        result = a3mi_poller_wait(poller->core, events, max, deadline.ns, poller->eintr);
    }
    leave(handle);
    return result;
}

int a3m_poller_fd(a3m_poller handle, int *fd)
{
    struct poller *poller;
    int result = enter(handle, &poller);
    if (result != A3M_OK) {
        return result;
    }
    result = a3mi_poller_fd(poller->core, fd);
    leave(handle);
    return result;
}
