/* SPDX-License-Identifier: Apache-2.0 */
/* What a poller watches: adding, changing, removing; its beginning and its end. */
#include <stdlib.h>

#include "base/error.h"

#include "runtime/eventfd.h"
#include "runtime/poller_parts.h"

/* ---- Homes: the nodes that entries belong to ------------------------------------------- */

static void set_home(struct a3mi_poller *poller)
{
    uint64_t home = 0;
    size_t it = 0;

    if (a3mi_map64_count(&poller->homes) == 1) {
        (void)a3mi_map64_next(&poller->homes, &it, &home, NULL);
    }
    atomic_store_explicit(&poller->home, home, memory_order_relaxed);
}

/* A3M_ENOMEM. */
static int home_more(struct a3mi_poller *poller, uint64_t home)
{
    uintptr_t n = (uintptr_t)a3mi_map64_get(&poller->homes, home);
    int result = a3mi_map64_put(&poller->homes, home, (void *)(n + 1)); // NOLINT(performance-no-int-to-ptr)

    if (result == 0 && n == 0) {
        set_home(poller);
    }
    return result;
}

static void home_less(struct a3mi_poller *poller, uint64_t home)
{
    uintptr_t n = (uintptr_t)a3mi_map64_get(&poller->homes, home);

    if (n > 1) {
        (void)a3mi_map64_put(&poller->homes, home, (void *)(n - 1)); // NOLINT(performance-no-int-to-ptr)
    } else {
        (void)a3mi_map64_del(&poller->homes, home);
        set_home(poller);
    }
}

/* ---- Entries ----------------------------------------------------------------------------- */

/*
 * What it is found by. A socket and its events have one handle: the index in it has 31 bits at most, as there is
 * no memory for more slots, and the 32nd tells them apart.
 */
static uint64_t key_of(a3m_pollable what)
{
    return what.kind == A3M_POLLABLE_EVENTS ? what.v ^ UINT64_C(1) << 31 : what.v;
}

/* Room in the outbox is part of what makes a pollable writable. */
static uint32_t keys_for(uint32_t events)
{
    return (events & A3MI_KEY_OUT) != 0 ? events | A3MI_KEY_WINDOW : events;
}

static void unlock_and_wake(struct a3mi_pollable *pollable, struct a3mi_wakes *wakes)
{
    pollable->ops->unlock(pollable);
    (void)a3mi_wakes_run(wakes);
}

void a3mi_poll_hand_on(struct a3mi_poll_entry *entry, uint32_t events, struct a3mi_wakes *wakes)
{
    struct a3mi_pollable *pollable = entry->pollable;

    events &= pollable->ops->events(pollable);
    if (events != 0) {
        a3mi_waitq_hand_on(&entry->wait, events, wakes);
    }
}

void a3mi_poll_drop(struct a3mi_poll_entry *entry)
{
    struct a3mi_poller *poller = entry->poller;
    struct a3mi_pollable *pollable = entry->pollable;
    struct a3mi_wakes wakes = {0};

    pollable->ops->lock(pollable);
    if ((entry->flags & A3M_POLL_EXCLUSIVE) != 0) {
        a3mi_poll_hand_on(entry, entry->armed, &wakes);
    }
    a3mi_waitq_remove(&entry->wait);
    a3mi_poll_settle(entry, &wakes);
    unlock_and_wake(pollable, &wakes);
    (void)a3mi_map64_del(&poller->entries, key_of(entry->what));
    home_less(poller, pollable->home);
    a3mi_list_remove(&entry->given);
    pollable->ops->unref(pollable);
    free(entry);
}

static struct a3mi_poll_entry *new_entry(struct a3mi_poller *poller, a3m_pollable what,
                                         struct a3mi_pollable *pollable, uint32_t events, void *user)
{
    struct a3mi_poll_entry *entry = calloc(1, sizeof(*entry));

    if (entry == NULL) {
        return NULL;
    }
    entry->poller = poller;
    entry->pollable = pollable;
    entry->what = what;
    entry->user = user;
    entry->flags = events & A3MI_POLL_FLAGS;
    entry->armed = (events & A3MI_KEY_EVENTS) | A3MI_KEY_ERR | A3MI_KEY_HUP;
    entry->wait = (struct a3mi_waitq_entry){
        .ops = &a3mi_poll_entry_ops,
        .keys = keys_for(events & A3MI_KEY_EVENTS),
        .exclusive = (events & A3M_POLL_EXCLUSIVE) != 0,
        .exact = atomic_load_explicit(&poller->bell_fd, memory_order_relaxed) >= 0,
    };
    a3mi_list_init(&entry->wait.list);
    a3mi_list_init(&entry->ready);
    a3mi_list_init(&entry->given);
    return entry;
}

/* [scan] Enters it into the poller's tables. A3M_ENOMEM. */
static int enter(struct a3mi_poll_entry *entry)
{
    struct a3mi_poller *poller = entry->poller;
    int result = a3mi_map64_put(&poller->entries, key_of(entry->what), entry);

    if (result == 0) {
        result = home_more(poller, entry->pollable->home);
        if (result != 0) {
            (void)a3mi_map64_del(&poller->entries, key_of(entry->what));
        }
    }
    return result;
}

static int add_locked(struct a3mi_poller *poller, a3m_pollable what, struct a3mi_pollable *pollable,
                      uint32_t events, void *user)
{
    struct a3mi_wakes wakes = {0};

    if (atomic_load(&poller->closed)) {
        return a3mi_fail(A3M_ECLOSED, "the poller is closed");
    }
    if (a3mi_map64_get(&poller->entries, key_of(what)) != NULL) {
        return a3mi_fail(A3M_EEXIST, "the poller watches it already");
    }
    struct a3mi_poll_entry *entry = new_entry(poller, what, pollable, events, user);
    int result = entry != NULL ? enter(entry) : A3M_ENOMEM;
    if (result != 0) {
        free(entry);
        return a3mi_fail(result, "no memory for an entry of a poller");
    }
    pollable->ops->ref(pollable);
    pollable->ops->lock(pollable);
    uint32_t now = pollable->ops->events(pollable);
    if ((now & A3MI_KEY_HUP) != 0) {
        pollable->ops->unlock(pollable);
        a3mi_poll_drop(entry);
        return a3mi_fail(A3M_ECLOSED, "it has ended");
    }
    a3mi_pollable_enqueue(pollable, &entry->wait);
    if ((now & entry->armed) != 0) {
        (void)a3mi_poll_raise(entry, &wakes);
    }
    unlock_and_wake(pollable, &wakes);
    return 0;
}

int a3mi_poller_add(struct a3mi_poller *poller, a3m_pollable what, struct a3mi_pollable *pollable,
                    uint32_t events, void *user)
{
    (void)pthread_mutex_lock(&poller->scan);
    int result = add_locked(poller, what, pollable, events, user);
    (void)pthread_mutex_unlock(&poller->scan);
    return result;
}

static void arm(struct a3mi_poll_entry *entry, uint32_t events, void *user)
{
    struct a3mi_pollable *pollable = entry->pollable;
    struct a3mi_wakes wakes = {0};

    pollable->ops->lock(pollable);
    entry->user = user;
    entry->flags = events & A3MI_POLL_FLAGS;
    entry->armed = (events & A3MI_KEY_EVENTS) | A3MI_KEY_ERR | A3MI_KEY_HUP;
    a3mi_waitq_rekey(&entry->wait, keys_for(events & A3MI_KEY_EVENTS));
    if ((pollable->ops->events(pollable) & entry->armed) != 0) {
        (void)a3mi_poll_raise(entry, &wakes);
    } else {
        a3mi_poll_settle(entry, &wakes);
    }
    unlock_and_wake(pollable, &wakes);
}

int a3mi_poller_modify(struct a3mi_poller *poller, a3m_pollable what, uint32_t events, void *user)
{
    int result = 0;

    (void)pthread_mutex_lock(&poller->scan);
    struct a3mi_poll_entry *entry = a3mi_map64_get(&poller->entries, key_of(what));
    if (entry == NULL) {
        result = a3mi_fail(A3M_ENOENT, "the poller does not watch it");
    } else if (((entry->flags | events) & A3M_POLL_EXCLUSIVE) != 0) {
        result = a3mi_fail(A3M_EINVAL, "what is watched exclusively is added so, and never modified");
    } else {
        arm(entry, events, user);
    }
    (void)pthread_mutex_unlock(&poller->scan);
    return result;
}

int a3mi_poller_remove(struct a3mi_poller *poller, a3m_pollable what)
{
    int result = 0;

    (void)pthread_mutex_lock(&poller->scan);
    struct a3mi_poll_entry *entry = a3mi_map64_get(&poller->entries, key_of(what));
    if (entry != NULL) {
        a3mi_poll_drop(entry);
    } else {
        result = a3mi_fail(A3M_ENOENT, "the poller does not watch it");
    }
    (void)pthread_mutex_unlock(&poller->scan);
    return result;
}

/* ---- Life ---------------------------------------------------------------------------------- */

int a3mi_poller_new(struct a3mi_poller **out, const struct a3mi_poller_host *host)
{
    struct a3mi_poller *poller = calloc(1, sizeof(*poller));

    if (poller == NULL) {
        return A3M_ENOMEM;
    }
    poller->host = host;
    (void)pthread_mutex_init(&poller->scan, NULL);
    (void)pthread_mutex_init(&poller->lock, NULL);
    (void)pthread_mutex_init(&poller->bell_lock, NULL);
    a3mi_map64_init(&poller->entries);
    a3mi_map64_init(&poller->fds);
    a3mi_map64_init(&poller->homes);
    a3mi_list_init(&poller->given);
    a3mi_list_init(&poller->ready);
    a3mi_list_init(&poller->waiters);
    a3mi_list_init(&poller->with_fd);
    atomic_init(&poller->inner, -1);
    atomic_init(&poller->fd, -1);
    atomic_init(&poller->bell_fd, -1);
    a3mi_parker_init(&poller->bell);
    poller->bell.rung = a3mi_poll_rung;
    *out = poller;
    return 0;
}

/* [scan] */
static void drop_all(struct a3mi_poller *poller)
{
    size_t it = 0;
    void *entry;

    while (a3mi_map64_next(&poller->entries, &it, NULL, &entry)) {
        a3mi_poll_drop(entry);
    }
}

void a3mi_poller_close(struct a3mi_poller *poller)
{
    struct a3mi_wakes wakes = {0};

    (void)pthread_mutex_lock(&poller->scan);
    atomic_store(&poller->closed, true);
    drop_all(poller); /* first: what somebody was woken for is handed on to others */
    (void)pthread_mutex_lock(&poller->lock);
    a3mi_poll_wake_all_locked(poller, &wakes);
    (void)pthread_mutex_unlock(&poller->lock);
    (void)pthread_mutex_unlock(&poller->scan);
    (void)a3mi_wakes_run(&wakes);
}

void a3mi_poller_free(struct a3mi_poller *poller)
{
    a3mi_parker_fini(&poller->bell);
    a3mi_poll_close_fds(poller);
    a3mi_map64_fini(&poller->entries);
    a3mi_map64_fini(&poller->fds);
    a3mi_map64_fini(&poller->homes);
    (void)pthread_mutex_destroy(&poller->bell_lock);
    (void)pthread_mutex_destroy(&poller->lock);
    (void)pthread_mutex_destroy(&poller->scan);
    free(poller);
}
