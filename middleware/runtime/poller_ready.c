/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ready list of a poller, and who is woken for it.
 *
 * Entries are put in and taken out with their pollable's lock held (a scan takes
 * an entry out before it takes that lock, and decides under it whether the entry
 * goes back). So what is in the list follows what happens at each pollable in its
 * order, and no second list is needed for what happens while a scan is under way.
 *
 * A thread that is woken has room for `max` reports: no second one is woken as
 * long as those that were, and have not collected yet, have room for all that is
 * ready (`promised`).
 */
#include "runtime/poller_parts.h"

#include "runtime/eventfd.h"

static bool has_bell(const struct a3mi_poller *poller)
{
    return atomic_load_explicit(&poller->bell_fd, memory_order_relaxed) >= 0;
}

static void insert_locked(struct a3mi_poll_entry *entry, bool first)
{
    struct a3mi_poller *poller = entry->poller;

    if (first) {
        a3mi_list_push_front(&poller->ready, &entry->ready);
    } else {
        a3mi_list_push_back(&poller->ready, &entry->ready);
    }
    poller->ready_count++;
}

bool a3mi_poll_wake_locked(struct a3mi_poller *poller, struct a3mi_wakes *wakes)
{
    bool woke = false;

    while (poller->ready_count > poller->promised && !a3mi_list_empty(&poller->waiters)) {
        struct a3mi_poll_waiter *waiter = a3mi_container_of(a3mi_list_pop_front(&poller->waiters),
                                                            struct a3mi_poll_waiter, list);
        poller->promised += waiter->max;
        a3mi_wakes_add(wakes, &waiter->parker);
        woke = true;
    }
    return woke;
}

bool a3mi_poll_raise(struct a3mi_poll_entry *entry, struct a3mi_wakes *wakes)
{
    struct a3mi_poller *poller = entry->poller;

    if (entry->armed == 0) {
        return false;
    }
    (void)pthread_mutex_lock(&poller->lock);
    if (!a3mi_list_linked(&entry->ready)) {
        insert_locked(entry, false);
        if (poller->ready_count == 1 && has_bell(poller)) {
            a3mi_wakes_add(wakes, &poller->bell);
        }
    }
    bool woke = a3mi_poll_wake_locked(poller, wakes);
    (void)pthread_mutex_unlock(&poller->lock);
    return woke;
}

void a3mi_poll_settle(struct a3mi_poll_entry *entry, struct a3mi_wakes *wakes)
{
    struct a3mi_poller *poller = entry->poller;

    (void)pthread_mutex_lock(&poller->lock);
    if (a3mi_list_linked(&entry->ready)) {
        a3mi_list_remove(&entry->ready);
        if (--poller->ready_count == 0 && has_bell(poller)) {
            a3mi_wakes_add(wakes, &poller->bell);
        }
    }
    (void)pthread_mutex_unlock(&poller->lock);
}

struct a3mi_poll_entry *a3mi_poll_pop(struct a3mi_poller *poller)
{
    struct a3mi_list *first;

    (void)pthread_mutex_lock(&poller->lock);
    first = a3mi_list_pop_front(&poller->ready);
    poller->ready_count -= first != NULL;
    (void)pthread_mutex_unlock(&poller->lock);
    return first != NULL ? a3mi_container_of(first, struct a3mi_poll_entry, ready) : NULL;
}

void a3mi_poll_put_back(struct a3mi_poll_entry *entry, bool first)
{
    struct a3mi_poller *poller = entry->poller;

    (void)pthread_mutex_lock(&poller->lock);
    if (!a3mi_list_linked(&entry->ready)) {
        insert_locked(entry, first);
    }
    (void)pthread_mutex_unlock(&poller->lock);
}

/* ---- Told by the wait queue of the pollable ------------------------------------------ */

/*
 * Wakes are told to look again, and not only of what is possible: who sends learns by one that no link is left, and
 * room in the outbox is of no use without credit. An entry in the ready list shows outside, by the descriptor.
 */
static bool on_wake(struct a3mi_waitq_entry *wait, uint32_t keys, struct a3mi_wakes *wakes)
{
    struct a3mi_poll_entry *entry = a3mi_container_of(wait, struct a3mi_poll_entry, wait);

    (void)keys;
    if ((entry->pollable->ops->events(entry->pollable) & entry->armed) == 0) {
        return false;
    }
    return a3mi_poll_raise(entry, wakes);
}

static void on_lower(struct a3mi_waitq_entry *wait, uint32_t events, struct a3mi_wakes *wakes)
{
    struct a3mi_poll_entry *entry = a3mi_container_of(wait, struct a3mi_poll_entry, wait);

    if ((events & (entry->armed | A3MI_KEY_ERR | A3MI_KEY_HUP)) == 0) {
        a3mi_poll_settle(entry, wakes);
    }
}

const struct a3mi_waitq_ops a3mi_poll_entry_ops = {.wake = on_wake, .lower = on_lower};

/* ---- The descriptor -------------------------------------------------------------------- */

void a3mi_poll_ring(struct a3mi_poller *poller)
{
    int fd = atomic_load_explicit(&poller->bell_fd, memory_order_acquire);

    if (fd < 0) {
        return;
    }
    (void)pthread_mutex_lock(&poller->bell_lock);
    (void)pthread_mutex_lock(&poller->lock);
    bool ready = poller->ready_count > 0;
    (void)pthread_mutex_unlock(&poller->lock);
    if (ready != poller->ringing) {
        poller->ringing = ready;
        if (ready) {
            a3mi_eventfd_write(fd);
        } else {
            a3mi_eventfd_drain(fd);
        }
    }
    (void)pthread_mutex_unlock(&poller->bell_lock);
}

void a3mi_poll_rung(struct a3mi_parker *bell)
{
    a3mi_poll_ring(a3mi_container_of(bell, struct a3mi_poller, bell));
}
