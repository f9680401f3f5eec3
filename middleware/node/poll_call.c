/* SPDX-License-Identifier: Apache-2.0 */
/*
 * a3m_poll: one wait for an array of things. An entry in the wait queue of each
 * for the length of the call, all of them with the parker of the calling thread;
 * descriptors are watched by the sleep itself.
 */
#include <stdlib.h>

#include "base/error.h"
#include "node/polling.h"
#include "runtime/reader.h"

/* So many things take no memory but the stack's. */
#define FEW 16

/* One thing, in its pollable's wait queue. */
struct entry {
    struct a3mi_waitq_entry wait; /* [pollable] */
    struct call *call;
    struct a3mi_held held; /* pollable NULL: a descriptor, or nothing */
};

struct call {
    a3m_poll_item *items;
    size_t n;
    struct a3mi_parker parker;
    struct entry *entries; /* one for each item */
    struct pollfd *fds;    /* A3MI_WATCH_SPARE, and one for each descriptor */
    unsigned fd_count;
    uint64_t home; /* the only node; 0: several, or none */
    bool mixed;
};

static bool on_wake(struct a3mi_waitq_entry *wait, uint32_t keys, struct a3mi_wakes *wakes)
{
    (void)keys;
    a3mi_wakes_add(wakes, &a3mi_container_of(wait, struct entry, wait)->call->parker);
    return true;
}

static const struct a3mi_waitq_ops entry_ops = {.wake = on_wake};

/* ---- Entering and leaving ------------------------------------------------------------------ */

static void add_home(struct call *call, uint64_t home)
{
    call->mixed |= call->home != 0 && call->home != home;
    call->home = home;
}

/* Holds one thing, and waits in its queue. */
static int enter(struct call *call, size_t i)
{
    const a3m_poll_item *item = &call->items[i];
    struct entry *entry = &call->entries[i];

    int result = (item->events & (A3M_POLL_EDGE | A3M_POLL_ONESHOT | A3M_POLL_EXCLUSIVE)) == 0
                     ? a3mi_poll_check(item->what, item->events)
                     : a3mi_fail(A3M_EINVAL, "item %zu: flags are for pollers", i);
    if (result != A3M_OK) {
        return result;
    }
    if (item->what.kind == A3M_POLLABLE_FD) {
        call->fds[A3MI_WATCH_SPARE + call->fd_count++] = (struct pollfd){
            .fd = (int)item->what.v, .events = (short)(item->events & ~(A3M_POLL_ERR | A3M_POLL_HUP))};
        return A3M_OK;
    }
    result = a3mi_poll_hold(item->what, &entry->held);
    if (result != A3M_OK) {
        return result;
    }
    struct a3mi_pollable *pollable = entry->held.pollable;
    entry->call = call;
    entry->wait.ops = &entry_ops;
    entry->wait.keys = item->events | ((item->events & A3M_POLL_OUT) != 0 ? A3MI_KEY_WINDOW : 0);
    a3mi_list_init(&entry->wait.list);
    add_home(call, pollable->home);
    pollable->ops->lock(pollable);
    a3mi_pollable_enqueue(pollable, &entry->wait);
    pollable->ops->unlock(pollable);
    return A3M_OK;
}

static int enter_all(struct call *call)
{
    int result = A3M_OK;

    for (size_t i = 0; i < call->n && result == A3M_OK; i++) {
        if (call->items[i].what.kind != A3M_POLLABLE_NONE) {
            result = enter(call, i);
        }
    }
    return result;
}

static void leave_all(struct call *call)
{
    for (size_t i = 0; i < call->n; i++) {
        struct entry *entry = &call->entries[i];
        struct a3mi_pollable *pollable = entry->held.pollable;
        if (pollable == NULL) {
            continue;
        }
        pollable->ops->lock(pollable);
        a3mi_waitq_remove(&entry->wait);
        pollable->ops->unlock(pollable);
        a3mi_poll_let_go(&entry->held);
    }
    a3mi_parker_fini(&call->parker);
}

/* ---- Looking -------------------------------------------------------------------------------- */

static uint32_t events_of(const a3m_poll_item *item, struct a3mi_pollable *pollable)
{
    pollable->ops->lock(pollable);
    uint32_t events = pollable->ops->events(pollable) & (item->events | A3M_POLL_ERR | A3M_POLL_HUP);
    pollable->ops->unlock(pollable);
    return events;
}

/* What is ready now: fills in revents. Returns how many, or A3M_EINVAL (a bad descriptor). */
static int look(struct call *call)
{
    struct pollfd *fd = call->fds + A3MI_WATCH_SPARE;
    int ready = 0;

    if (call->fd_count > 0) {
        (void)poll(fd, call->fd_count, 0);
    }
    for (size_t i = 0; i < call->n; i++) {
        a3m_poll_item *item = &call->items[i];
        item->revents = 0;
        if (call->entries[i].held.pollable != NULL) {
            item->revents = events_of(item, call->entries[i].held.pollable);
        } else if (item->what.kind == A3M_POLLABLE_FD) {
            if ((fd->revents & POLLNVAL) != 0) {
                return a3mi_fail(A3M_EINVAL, "item %zu: %d is no open descriptor", i, fd->fd);
            }
            item->revents = (uint32_t)(fd++)->revents;
        }
        ready += item->revents != 0;
    }
    return ready;
}

/* ---- The call -------------------------------------------------------------------------------- */

static int wait_ready(struct call *call, a3m_time deadline)
{
    struct a3mi_watch watch = {call->fds, call->fd_count};
    uint64_t home = call->mixed ? 0 : call->home;
    bool slept = false;
    int result = A3M_OK;

    for (;;) {
        int ready = look(call);
        if (ready != 0 || result != A3M_OK || deadline.ns <= 0) {
            if (!slept) {
                a3mi_poll_touch(home);
            }
            return ready != 0 || result == A3M_ETIMEDOUT ? ready : result;
        }
        if (a3mi_reader_on_any_thread()) {
            return a3mi_fail(A3M_EDEADLK, "a3m_poll on a reader thread that would have to end it");
        }
        slept = true;
        /* Who ended the last sleep may be ringing its bell yet, and this one may have another. */
        a3mi_parker_fini(&call->parker);
        result = a3mi_poll_sleep(home, &call->parker, call->fd_count > 0 ? &watch : NULL, deadline.ns, false);
    }
}

static int run(struct call *call, a3m_time deadline)
{
    a3mi_parker_init(&call->parker);
    int result = enter_all(call);
    if (result == A3M_OK) {
        result = wait_ready(call, deadline);
    }
    leave_all(call);
    return result;
}

int a3m_poll(a3m_poll_item *items, size_t n, a3m_time deadline)
{
    struct entry few[FEW] = {0};
    struct pollfd few_fds[FEW + A3MI_WATCH_SPARE] = {0};
    struct call call = {.items = items, .n = n, .entries = few, .fds = few_fds};

    if (n > INT32_MAX || (items == NULL && n > 0)) {
        return a3mi_fail(A3M_EINVAL, "%zu things to poll", n);
    }
    if (n <= FEW) {
        return run(&call, deadline);
    }
    call.entries = calloc(n, sizeof(*call.entries));
    call.fds = calloc(n + A3MI_WATCH_SPARE, sizeof(*call.fds));
    int result = call.entries != NULL && call.fds != NULL
                     ? run(&call, deadline)
                     : a3mi_fail(A3M_ENOMEM, "no memory to poll %zu things", n);
    free(call.entries);
    free(call.fds);
    return result;
}
