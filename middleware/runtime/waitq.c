/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/waitq.h"

#include <a3m/poller.h>

_Static_assert(A3MI_KEY_IN == A3M_POLL_IN && A3MI_KEY_PRI == A3M_POLL_PRI && A3MI_KEY_OUT == A3M_POLL_OUT &&
                   A3MI_KEY_ERR == A3M_POLL_ERR && A3MI_KEY_HUP == A3M_POLL_HUP,
               "keys begin with the events of pollers");

void a3mi_waitq_init(struct a3mi_waitq *queue)
{
    a3mi_list_init(&queue->entries);
    queue->keys = 0;
    queue->exact = 0;
}

/* The first exclusive entry, or the head. */
static struct a3mi_list *first_exclusive(struct a3mi_waitq *queue)
{
    struct a3mi_list *it = &queue->entries;

    /* From the back: exclusive entries are threads as a rule, and there are few of them. */
    while (it->prev != &queue->entries &&
           a3mi_container_of(it->prev, struct a3mi_waitq_entry, list)->exclusive) {
        it = it->prev;
    }
    return it;
}

void a3mi_waitq_add(struct a3mi_waitq *queue, struct a3mi_waitq_entry *entry)
{
    entry->keys |= A3MI_KEY_HUP | A3MI_KEY_ERR;
    entry->queue = queue;
    queue->keys |= entry->keys;
    queue->exact += entry->exact;
    if (entry->exclusive) {
        a3mi_list_push_back(&queue->entries, &entry->list);
    } else {
        a3mi_list_insert_before(first_exclusive(queue), &entry->list);
    }
}

void a3mi_waitq_remove(struct a3mi_waitq_entry *entry)
{
    struct a3mi_waitq *queue = entry->queue;

    if (queue == NULL) {
        return;
    }
    a3mi_list_remove(&entry->list);
    entry->queue = NULL;
    queue->exact -= entry->exact;
    if (a3mi_list_empty(&queue->entries)) {
        queue->keys = 0;
    }
}

void a3mi_waitq_rekey(struct a3mi_waitq_entry *entry, uint32_t keys)
{
    entry->keys = keys | A3MI_KEY_HUP | A3MI_KEY_ERR;
    entry->queue->keys |= entry->keys;
}

void a3mi_waitq_set_exact(struct a3mi_waitq_entry *entry)
{
    if (!entry->exact) {
        entry->exact = true;
        entry->queue->exact++;
    }
}

void a3mi_waitq_move(struct a3mi_waitq *into, struct a3mi_waitq *from)
{
    struct a3mi_list *it;

    while ((it = a3mi_list_first(&from->entries)) != NULL) {
        struct a3mi_waitq_entry *entry = a3mi_container_of(it, struct a3mi_waitq_entry, list);
        a3mi_waitq_remove(entry);
        a3mi_waitq_add(into, entry);
    }
}

/*
 * An exclusive entry's turn: whether it goes on. Woken threads have left the queue, but cannot have left their
 * stack frame: their wake is collected only, and they wait for it.
 */
static bool wake_exclusive(struct a3mi_waitq *queue, struct a3mi_waitq_entry *entry, uint32_t keys,
                           struct a3mi_wakes *wakes)
{
    if (!entry->ops->wake(entry, keys, wakes)) {
        return false;
    }
    if (entry->queue != NULL) {
        a3mi_list_remove(&entry->list);
        a3mi_list_push_back(&queue->entries, &entry->list);
    }
    return true;
}

size_t a3mi_waitq_wake(struct a3mi_waitq *queue, uint32_t keys, size_t n, struct a3mi_wakes *wakes)
{
    if ((queue->keys & keys) == 0 || a3mi_list_empty(&queue->entries)) {
        return 0;
    }
    /* Entries that are put at the back meanwhile have had their turn. */
    const struct a3mi_list *last = queue->entries.prev;
    struct a3mi_list *it = queue->entries.next;
    uint32_t left = 0;
    size_t served = 0;
    for (bool more = true; more;) {
        struct a3mi_waitq_entry *entry = a3mi_container_of(it, struct a3mi_waitq_entry, list);
        more = it != last;
        it = it->next;
        left |= entry->keys;
        if ((entry->keys & keys) == 0) {
            continue;
        }
        if (!entry->exclusive) {
            (void)entry->ops->wake(entry, keys, wakes);
        } else if (served == n || (wake_exclusive(queue, entry, keys, wakes) && ++served == n)) {
            return served;
        }
    }
    queue->keys = a3mi_list_empty(&queue->entries) ? 0 : left;
    return served;
}

void a3mi_waitq_hand_on(struct a3mi_waitq_entry *from, uint32_t keys, struct a3mi_wakes *wakes)
{
    struct a3mi_waitq *queue = from->queue;

    if (queue == NULL) {
        return;
    }
    A3MI_LIST_FOREACH_SAFE (it, next, &queue->entries) {
        struct a3mi_waitq_entry *entry = a3mi_container_of(it, struct a3mi_waitq_entry, list);
        if (entry != from && entry->exclusive && (entry->keys & keys) != 0 &&
            wake_exclusive(queue, entry, keys, wakes)) {
            return;
        }
    }
}

void a3mi_waitq_lower(struct a3mi_waitq *queue, uint32_t events, struct a3mi_wakes *wakes)
{
    if (queue->exact == 0) {
        return;
    }
    A3MI_LIST_FOREACH (it, &queue->entries) {
        struct a3mi_waitq_entry *entry = a3mi_container_of(it, struct a3mi_waitq_entry, list);
        if (entry->exact) {
            entry->ops->lower(entry, events, wakes);
        }
    }
}

/* ---- Threads -------------------------------------------------------------------- */

void a3mi_waiter_take(struct a3mi_waiter *waiter, struct a3mi_wakes *wakes)
{
    a3mi_waitq_remove(&waiter->entry);
    waiter->woken = true;
    a3mi_wakes_add(wakes, &waiter->parker);
}

static bool waiter_wake(struct a3mi_waitq_entry *entry, uint32_t keys, struct a3mi_wakes *wakes)
{
    (void)keys;
    a3mi_waiter_take(a3mi_container_of(entry, struct a3mi_waiter, entry), wakes);
    return true;
}

static const struct a3mi_waitq_ops waiter_ops = {.wake = waiter_wake};

void a3mi_waiter_init(struct a3mi_waiter *waiter, uint32_t keys, bool exclusive)
{
    waiter->entry = (struct a3mi_waitq_entry){.ops = &waiter_ops, .keys = keys, .exclusive = exclusive};
    waiter->woken = false;
    a3mi_list_init(&waiter->entry.list);
    a3mi_parker_init(&waiter->parker);
}
