/* SPDX-License-Identifier: Apache-2.0 */
#include "pollable_fake.h"

#include <stdlib.h>

#include "runtime/reader.h"

static struct fake_pollable *fake_of(struct a3mi_pollable *pollable)
{
    return a3mi_container_of(pollable, struct fake_pollable, pollable);
}

static void lock(struct a3mi_pollable *pollable)
{
    if (fake_of(pollable)->before_lock != NULL) {
        fake_of(pollable)->before_lock(fake_of(pollable));
    }
    (void)pthread_mutex_lock(&fake_of(pollable)->lock);
}

static void unlock(struct a3mi_pollable *pollable)
{
    (void)pthread_mutex_unlock(&fake_of(pollable)->lock);
}

static uint32_t events(struct a3mi_pollable *pollable)
{
    const struct fake_pollable *fake = fake_of(pollable);
    if (fake->over) {
        return fake->failed ? A3MI_KEY_HUP | A3MI_KEY_ERR : A3MI_KEY_HUP;
    }
    return (fake->in > 0 ? A3MI_KEY_IN : 0u) | (fake->out ? A3MI_KEY_OUT : 0u);
}

static void ref(struct a3mi_pollable *pollable)
{
    atomic_fetch_add(&fake_of(pollable)->refs, 1);
}

static void unref(struct a3mi_pollable *pollable)
{
    atomic_fetch_sub(&fake_of(pollable)->refs, 1);
}

static const struct a3mi_pollable_ops ops = {lock, unlock, events, ref, unref};

void fake_pollable_init(struct fake_pollable *fake)
{
    *fake = (struct fake_pollable){.out = false};
    a3mi_pollable_init(&fake->pollable, &ops, 0);
    (void)pthread_mutex_init(&fake->lock, NULL);
}

void fake_pollable_fini(struct fake_pollable *fake)
{
    if (atomic_load(&fake->refs) != 0 || !a3mi_list_empty(&fake->pollable.queue.entries)) {
        abort();
    }
    (void)pthread_mutex_destroy(&fake->lock);
}

static void wake_and_unlock(struct fake_pollable *fake, uint32_t keys, size_t n)
{
    struct a3mi_wakes wakes = {0};
    a3mi_waitq_wake(&fake->pollable.queue, keys, n, &wakes);
    unlock(&fake->pollable);
    (void)a3mi_wakes_run(&wakes);
}

void fake_pollable_raise(struct fake_pollable *fake, unsigned n)
{
    lock(&fake->pollable);
    fake->in += n;
    wake_and_unlock(fake, A3MI_KEY_IN, n);
}

bool fake_pollable_take(struct fake_pollable *fake)
{
    struct a3mi_wakes wakes = {0};
    lock(&fake->pollable);
    bool there = fake->in > 0;
    if (there) {
        fake->in--;
        a3mi_pollable_consume(&fake->pollable, A3MI_KEY_IN, &wakes);
    }
    unlock(&fake->pollable);
    (void)a3mi_wakes_run(&wakes);
    return there;
}

void fake_pollable_set_out(struct fake_pollable *fake, bool out)
{
    struct a3mi_wakes wakes = {0};
    lock(&fake->pollable);
    fake->out = out;
    if (out) {
        wake_and_unlock(fake, A3MI_KEY_OUT, 1);
        return;
    }
    a3mi_pollable_consume(&fake->pollable, A3MI_KEY_OUT, &wakes);
    unlock(&fake->pollable);
    (void)a3mi_wakes_run(&wakes);
}

void fake_pollable_false_alarm(struct fake_pollable *fake)
{
    lock(&fake->pollable);
    wake_and_unlock(fake, A3MI_KEY_OUT | A3MI_KEY_WINDOW, SIZE_MAX);
}

void fake_pollable_end(struct fake_pollable *fake, bool failed)
{
    lock(&fake->pollable);
    fake->over = true;
    fake->failed = failed;
    wake_and_unlock(fake, A3MI_KEY_HUP, SIZE_MAX);
}

static int sleep_parked(uint64_t home, struct a3mi_parker *parker, const struct a3mi_watch *watch,
                        int64_t deadline, bool eintr)
{
    (void)home;
    return a3mi_reader_wait_watching(NULL, parker, watch, deadline, eintr);
}

static void touch(uint64_t home)
{
    (void)home;
}

const struct a3mi_poller_host fake_poller_host = {sleep_parked, touch};
