/* SPDX-License-Identifier: Apache-2.0 */
/* Pollers as applications see them: a handle each, and the checks of what is asked for. */
#include <stdlib.h>

#include "base/error.h"
#include "node/polling.h"
#include "node/registry.h"

struct poller {
    struct a3mi_poller *core;
    bool eintr;
};

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
    if (poller == NULL || a3mi_poller_new(&poller->core, &a3mi_poller_host) != A3M_OK) {
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
    struct a3mi_held held;
    int result = a3mi_poll_check(what, events);
    if (result != A3M_OK) {
        return result;
    }
    if (what.kind == A3M_POLLABLE_FD) {
        return a3mi_poller_add_fd(poller->core, (int)what.v, events, user);
    }
    result = a3mi_poll_hold(what, &held);
    if (result == A3M_OK) {
        result = a3mi_poller_add(poller->core, what, held.pollable, events, user);
        a3mi_poll_let_go(&held);
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
    struct a3mi_held held;
    if (result != A3M_ENOENT || what.kind == A3M_POLLABLE_FD) {
        return result;
    }
    int there = a3mi_poll_hold(what, &held);
    if (there != A3M_OK) {
        return there;
    }
    a3mi_poll_let_go(&held);
    return a3mi_fail(A3M_ENOENT, "the poller does not watch it");
}

int a3m_poller_modify(a3m_poller handle, a3m_pollable what, uint32_t events, void *user)
{
    struct poller *poller;
    int result = enter(handle, &poller);
    if (result != A3M_OK) {
        return result;
    }
    result = a3mi_poll_check(what, events);
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
    result = a3mi_poll_check(what, 0);
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
