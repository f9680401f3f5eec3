/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting in a poller: collect what is ready, or sleep until something is.
 *
 * A thread that was woken collects before it leaves, whatever ended its sleep, so
 * that no wake is lost on it. What an exclusive entry was woken for is followed
 * further: the entry is noted as given to the thread, and when the thread comes
 * back for more, and nothing of it was used up, the next waiter at the pollable
 * is woken in its place.
 */
#include "base/error.h"

#include "runtime/poller_parts.h"
#include "runtime/reader.h"

/* A name for the calling thread. */
static _Thread_local char self;

/* ---- Exclusive entries: given, and left ------------------------------------------------ */

/* [scan, pollable] */
static void note_given(struct a3mi_poll_entry *entry, uint32_t events)
{
    entry->given_to = &self;
    entry->given_events = events;
    entry->given_at = a3mi_pollable_consumed(entry->pollable, events);
    if (!a3mi_list_linked(&entry->given)) {
        a3mi_list_push_back(&entry->poller->given, &entry->given);
    }
}

/* [scan] The calling thread is back: what it was given and did not touch goes to the next. */
static void settle_given(struct a3mi_poller *poller)
{
    A3MI_LIST_FOREACH_SAFE (it, next, &poller->given) {
        struct a3mi_poll_entry *entry = a3mi_container_of(it, struct a3mi_poll_entry, given);
        struct a3mi_pollable *pollable = entry->pollable;
        struct a3mi_wakes wakes = {0};
        if (entry->given_to != &self) {
            continue;
        }
        a3mi_list_remove(&entry->given);
        pollable->ops->lock(pollable);
        if (a3mi_pollable_consumed(pollable, entry->given_events) == entry->given_at) {
            a3mi_poll_hand_on(entry, entry->given_events, &wakes);
        }
        pollable->ops->unlock(pollable);
        (void)a3mi_wakes_run(&wakes);
    }
}

/* ---- Collecting -------------------------------------------------------------------------- */

/* [scan] Looks at an entry that was popped: its events now, and whether it goes back. */
static uint32_t look(struct a3mi_poll_entry *entry)
{
    struct a3mi_pollable *pollable = entry->pollable;

    pollable->ops->lock(pollable);
    uint32_t events = pollable->ops->events(pollable) & entry->armed;
    if (events != 0) {
        if ((entry->flags & A3M_POLL_EXCLUSIVE) != 0) {
            note_given(entry, events);
        }
        if ((entry->flags & A3M_POLL_ONESHOT) != 0) {
            entry->armed = 0;
        } else if ((entry->flags & A3M_POLL_EDGE) == 0 && (events & A3MI_KEY_HUP) == 0) {
            a3mi_poll_put_back(entry, false);
        }
    }
    pollable->ops->unlock(pollable);
    return events;
}

/* [scan] Puts back one that was popped and is not this scan's; not if what made it ready went meanwhile. */
static void put_first(struct a3mi_poll_entry *entry)
{
    struct a3mi_pollable *pollable = entry->pollable;

    pollable->ops->lock(pollable);
    if ((pollable->ops->events(pollable) & entry->armed) != 0) {
        a3mi_poll_put_back(entry, true);
    }
    pollable->ops->unlock(pollable);
}

/* [scan] */
static size_t collect_entries(struct a3mi_poller *poller, a3m_poll_event *events, size_t max)
{
    struct a3mi_poll_entry *entry;
    size_t n = 0;

    poller->scans++;
    while (n < max && (entry = a3mi_poll_pop(poller)) != NULL) {
        if (entry->scanned == poller->scans) {
            put_first(entry); /* all round */
            break;
        }
        entry->scanned = poller->scans;
        uint32_t now = look(entry);
        if (now == 0) {
            continue;
        }
        events[n++] = (a3m_poll_event){entry->what, now, entry->user};
        if ((now & A3MI_KEY_HUP) != 0) {
            a3mi_poll_drop(entry);
        }
    }
    return n;
}

/* [scan] Entries and descriptors, one after the other, and the other way round the next time. */
static size_t collect_both(struct a3mi_poller *poller, a3m_poll_event *events, size_t max)
{
    bool fds_first = poller->fds_first;
    size_t n = fds_first ? a3mi_poll_collect_fds(poller, events, max) : collect_entries(poller, events, max);

    poller->fds_first = !fds_first;
    return n + (fds_first ? collect_entries(poller, events + n, max - n)
                          : a3mi_poll_collect_fds(poller, events + n, max - n));
}

/* What is ready, for a thread that was promised so much of it. */
static size_t collect(struct a3mi_poller *poller, a3m_poll_event *events, size_t max, size_t promised)
{
    struct a3mi_wakes wakes = {0};

    (void)pthread_mutex_lock(&poller->scan);
    size_t n = atomic_load(&poller->inner) < 0 ? collect_entries(poller, events, max)
                                               : collect_both(poller, events, max);
    (void)pthread_mutex_unlock(&poller->scan);
    (void)pthread_mutex_lock(&poller->lock);
    poller->promised -= promised;
    (void)a3mi_poll_wake_locked(poller, &wakes);
    (void)pthread_mutex_unlock(&poller->lock);
    (void)a3mi_wakes_run(&wakes);
    a3mi_poll_ring(poller);
    return n;
}

/* ---- Sleeping ------------------------------------------------------------------------------ */

/* [ready] Wakes the one that sleeps longest; false: none does. */
static bool wake_one_locked(struct a3mi_poller *poller, struct a3mi_wakes *wakes)
{
    struct a3mi_list *first = a3mi_list_pop_front(&poller->waiters);

    if (first == NULL) {
        return false;
    }
    struct a3mi_poll_waiter *waiter = a3mi_container_of(first, struct a3mi_poll_waiter, list);
    poller->promised += waiter->max;
    a3mi_wakes_add(wakes, &waiter->parker);
    return true;
}

void a3mi_poll_wake_all_locked(struct a3mi_poller *poller, struct a3mi_wakes *wakes)
{
    while (wake_one_locked(poller, wakes)) {}
}

void a3mi_poll_pass_watch_locked(struct a3mi_poller *poller, struct a3mi_wakes *wakes)
{
    poller->watched = false;
    (void)wake_one_locked(poller, wakes);
}

/* Gets in line. False: something is ready, or the poller is closed. *watches: this thread is to watch descriptors. */
static bool lie_down(struct a3mi_poller *poller, struct a3mi_poll_waiter *waiter, bool *watches)
{
    (void)pthread_mutex_lock(&poller->lock);
    bool sleeps = a3mi_list_empty(&poller->ready) && !atomic_load(&poller->closed);
    *watches = sleeps && !poller->watched && atomic_load(&poller->inner) >= 0;
    if (sleeps) {
        a3mi_list_push_back(&poller->waiters, &waiter->list);
        poller->watched |= *watches;
    }
    (void)pthread_mutex_unlock(&poller->lock);
    return sleeps;
}

/* Leaves the line. Returns what was promised to the thread. */
static size_t get_up(struct a3mi_poller *poller, struct a3mi_poll_waiter *waiter, bool watches)
{
    struct a3mi_wakes wakes = {0};

    (void)pthread_mutex_lock(&poller->lock);
    bool woken = !a3mi_list_linked(&waiter->list);
    a3mi_list_remove(&waiter->list);
    if (watches) {
        a3mi_poll_pass_watch_locked(poller, &wakes);
    }
    (void)pthread_mutex_unlock(&poller->lock);
    (void)a3mi_wakes_run(&wakes);
    a3mi_parker_fini(&waiter->parker);
    return woken ? waiter->max : 0;
}

/* Sleeps once. 0 for any reason, A3M_ETIMEDOUT, A3M_EINTR and others; *promised: what the thread was woken for. */
static int sleep_once(struct a3mi_poller *poller, size_t max, int64_t deadline, bool eintr, size_t *promised)
{
    struct a3mi_poll_waiter waiter = {.max = max};
    struct pollfd fds[A3MI_WATCH_SPARE + 1] = {0};
    struct a3mi_watch watch = {fds, 1};
    bool watches;

    a3mi_parker_init(&waiter.parker);
    a3mi_list_init(&waiter.list);
    *promised = 0;
    if (!lie_down(poller, &waiter, &watches)) {
        return 0;
    }
    fds[A3MI_WATCH_SPARE] = (struct pollfd){.fd = atomic_load(&poller->inner), .events = POLLIN};
    int result = poller->host->sleep(atomic_load_explicit(&poller->home, memory_order_relaxed),
                                     &waiter.parker, watches ? &watch : NULL, deadline, eintr);
    *promised = get_up(poller, &waiter, watches);
    return result;
}

int a3mi_poller_wait(struct a3mi_poller *poller, a3m_poll_event *events, size_t max, int64_t deadline,
                     bool eintr)
{
    size_t promised = 0;
    bool slept = false;
    int result = 0;

    (void)pthread_mutex_lock(&poller->scan);
    settle_given(poller);
    (void)pthread_mutex_unlock(&poller->scan);
    for (;;) {
        size_t n = collect(poller, events, max, promised);
        promised = 0;
        if (atomic_load(&poller->closed)) {
            return a3mi_fail(A3M_ECLOSED, "the poller was closed");
        }
        if (n > 0 || result != 0 || deadline <= 0) {
            if (!slept) {
                poller->host->touch(atomic_load_explicit(&poller->home, memory_order_relaxed));
            }
            return n > 0 || result == A3M_ETIMEDOUT ? (int)n : result;
        }
        if (a3mi_reader_on_any_thread()) {
            return a3mi_fail(A3M_EDEADLK, "a wait in a poller, on a reader thread that would have to end it");
        }
        slept = true;
        result = sleep_once(poller, max, deadline, eintr, &promised);
    }
}
