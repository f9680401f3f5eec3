/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why nobody sleeps through a change of hands (docs/locks.md draws it): who
 * stands in line says that it sleeps before it looks whether it was given the
 * role, and who gives the role takes it out of the line before it looks whether
 * it sleeps; the two looks are ordered by the role lock and by the parker's
 * exchange. Of a thread in line it holds that somebody has the role.
 */
#include "runtime/role.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/error.h"

static void set_state(struct a3mi_role *role, enum a3mi_role_state state)
{
    atomic_store_explicit(&role->state, (uint32_t)state, memory_order_release);
}

/* LEASED to HELD or READER, against others that try the same. */
static bool end_lease(struct a3mi_role *role, enum a3mi_role_state state)
{
    uint32_t leased = A3MI_ROLE_LEASED;

    return a3mi_role_now(role) == A3MI_ROLE_LEASED &&
           atomic_compare_exchange_strong(&role->state, &leased, (uint32_t)state);
}

static void count_transfer_locked(struct a3mi_role *role)
{
    uint64_t n = atomic_load_explicit(&role->transfers, memory_order_relaxed);

    atomic_store_explicit(&role->transfers, n + 1, memory_order_relaxed);
}

static uint32_t wanted(struct a3mi_role *role)
{
    return EPOLLIN | (atomic_load(&role->want_write) ? (uint32_t)EPOLLOUT : 0);
}

/*
 * Makes the reader's set watch the descriptor for `events`; 0: not at all. It is
 * removed for that, as EPOLLERR and EPOLLHUP are reported even without events.
 */
static int watch_locked(struct a3mi_role *role, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.u64 = role->fd_tag};
    int op = EPOLL_CTL_MOD;

    if (events == role->interest) {
        return 0;
    }
    if (role->interest == 0) {
        op = EPOLL_CTL_ADD;
    } else if (events == 0) {
        op = EPOLL_CTL_DEL;
    }
    if (epoll_ctl(role->epfd, op, role->fd, &ev) != 0) {
        return -errno;
    }
    role->interest = events;
    return 0;
}

int a3mi_role_init(struct a3mi_role *role, int epfd, int fd, uint64_t fd_tag, int64_t lease_ns)
{
    atomic_init(&role->state, A3MI_ROLE_READER);
    atomic_init(&role->leader, NULL);
    atomic_init(&role->want_write, false);
    atomic_init(&role->active, 0);
    atomic_init(&role->transfers, 0);
    a3mi_list_init(&role->waiting);
    role->streak = 0;
    role->interest = 0;
    role->lease_ns = lease_ns;
    role->epfd = epfd;
    role->fd = fd;
    role->fd_tag = fd_tag;

    int rc = a3mi_alarm_open(&role->lease);
    if (rc != 0) {
        return rc;
    }
    rc = watch_locked(role, EPOLLIN);
    if (rc != 0) {
        a3mi_alarm_close(&role->lease);
        return a3mi_fail_os(-rc, "epoll_ctl on the transport");
    }
    (void)pthread_mutex_init(&role->lock, NULL);
    return 0;
}

void a3mi_role_fini(struct a3mi_role *role)
{
    (void)watch_locked(role, 0);
    (void)pthread_mutex_destroy(&role->lock);
    a3mi_alarm_close(&role->lease);
}

bool a3mi_role_take(struct a3mi_role *role, struct a3mi_parker *parker)
{
    bool taken = end_lease(role, A3MI_ROLE_HELD);

    if (!taken) {
        (void)pthread_mutex_lock(&role->lock);
        if (a3mi_role_now(role) == A3MI_ROLE_READER) {
            (void)watch_locked(role, 0);
            count_transfer_locked(role);
            set_state(role, A3MI_ROLE_HELD);
            taken = true;
        } else {
            taken = end_lease(role, A3MI_ROLE_HELD);
        }
        (void)pthread_mutex_unlock(&role->lock);
    }
    if (taken) {
        atomic_store_explicit(&role->leader, parker, memory_order_release);
    }
    return taken;
}

bool a3mi_role_queue(struct a3mi_role *role, struct a3mi_parker *parker)
{
    (void)pthread_mutex_lock(&role->lock);
    bool held = a3mi_role_now(role) == A3MI_ROLE_HELD;
    if (held) {
        a3mi_list_push_back(&role->waiting, &parker->role);
    }
    (void)pthread_mutex_unlock(&role->lock);
    return held;
}

bool a3mi_role_granted(struct a3mi_role *role, struct a3mi_parker *parker)
{
    (void)pthread_mutex_lock(&role->lock);
    bool granted = !a3mi_list_linked(&parker->role);
    (void)pthread_mutex_unlock(&role->lock);
    return granted;
}

bool a3mi_role_unqueue(struct a3mi_role *role, struct a3mi_parker *parker)
{
    (void)pthread_mutex_lock(&role->lock);
    bool granted = !a3mi_list_linked(&parker->role);
    a3mi_list_remove(&parker->role);
    (void)pthread_mutex_unlock(&role->lock);
    return granted;
}

/* The lease is in use. Its alarm is pushed out seldom, and so far that it does not go off while that is so. */
static void extend_locked(struct a3mi_role *role, int64_t now)
{
    bool steady = role->streak >= A3MI_ROLE_STREAK;
    int64_t ahead = steady ? 8 * role->lease_ns : role->lease_ns + role->lease_ns / 2;
    int64_t least = steady ? 5 * role->lease_ns : role->lease_ns / 2;

    role->streak += steady ? 0 : 1;
    atomic_store_explicit(&role->active, now, memory_order_relaxed);
    if (role->lease.at == INT64_MAX || role->lease.at - now < least) {
        a3mi_alarm_set(&role->lease, now + ahead);
    }
}

static void lease_locked(struct a3mi_role *role, int64_t now)
{
    if (role->lease_ns == 0) {
        (void)watch_locked(role, wanted(role));
        count_transfer_locked(role);
        set_state(role, A3MI_ROLE_READER);
        return;
    }
    extend_locked(role, now);
    set_state(role, A3MI_ROLE_LEASED);
}

void a3mi_role_leave(struct a3mi_role *role, int64_t now)
{
    struct a3mi_parker *heir = NULL;
    enum a3mi_parker_state slept = A3MI_PARKER_IDLE;

    (void)pthread_mutex_lock(&role->lock);
    struct a3mi_list *first = a3mi_list_pop_front(&role->waiting);
    if (first != NULL) {
        heir = a3mi_container_of(first, struct a3mi_parker, role);
        count_transfer_locked(role);
        atomic_store_explicit(&role->leader, heir, memory_order_release);
        slept = a3mi_parker_nudge(heir);
        if (slept == A3MI_PARKER_NETWORK) {
            a3mi_parker_rouse(heir, slept, heir->network_fd); /* under the lock, where it cannot leave */
        }
    } else {
        atomic_store_explicit(&role->leader, NULL, memory_order_release);
        lease_locked(role, now);
    }
    (void)pthread_mutex_unlock(&role->lock);
    if (slept == A3MI_PARKER_FUTEX) {
        a3mi_parker_rouse(heir, slept, -1); /* by its address only: it may be gone */
    }
}

void a3mi_role_claim(struct a3mi_role *role, int64_t now)
{
    (void)pthread_mutex_lock(&role->lock);
    if (a3mi_role_now(role) == A3MI_ROLE_READER && role->lease_ns != 0) {
        (void)watch_locked(role, 0);
        count_transfer_locked(role);
        lease_locked(role, now);
    }
    (void)pthread_mutex_unlock(&role->lock);
}

void a3mi_role_renew(struct a3mi_role *role, int64_t now)
{
    (void)pthread_mutex_lock(&role->lock);
    if (a3mi_role_now(role) == A3MI_ROLE_LEASED) {
        extend_locked(role, now);
    }
    (void)pthread_mutex_unlock(&role->lock);
}

void a3mi_role_hush(struct a3mi_role *role)
{
    (void)pthread_mutex_lock(&role->lock);
    if (role->lease.at != INT64_MAX) {
        a3mi_alarm_set(&role->lease, INT64_MAX);
    }
    (void)pthread_mutex_unlock(&role->lock);
}

static bool reclaim_locked(struct a3mi_role *role)
{
    if (!end_lease(role, A3MI_ROLE_READER)) {
        return false;
    }
    (void)watch_locked(role, wanted(role));
    count_transfer_locked(role);
    return true;
}

bool a3mi_role_expire(struct a3mi_role *role, int64_t now)
{
    bool mine = false;

    (void)a3mi_alarm_drain(&role->lease);
    (void)pthread_mutex_lock(&role->lock);
    a3mi_alarm_went_off(&role->lease, now);
    if (a3mi_role_now(role) == A3MI_ROLE_LEASED) {
        int64_t active = atomic_load_explicit(&role->active, memory_order_relaxed);
        if (now - active >= role->lease_ns) {
            role->streak = 0;
            mine = reclaim_locked(role);
        } else if (role->lease.at == INT64_MAX) {
            a3mi_alarm_set(&role->lease, active + role->lease_ns + role->lease_ns / 2);
        }
    }
    (void)pthread_mutex_unlock(&role->lock);
    return mine;
}

bool a3mi_role_reclaim(struct a3mi_role *role)
{
    (void)pthread_mutex_lock(&role->lock);
    bool mine = reclaim_locked(role);
    (void)pthread_mutex_unlock(&role->lock);
    return mine;
}

bool a3mi_role_interest(struct a3mi_role *role)
{
    bool nobody = false;

    (void)pthread_mutex_lock(&role->lock);
    struct a3mi_parker *leader = atomic_load_explicit(&role->leader, memory_order_acquire);
    switch (a3mi_role_now(role)) {
    case A3MI_ROLE_READER: (void)watch_locked(role, wanted(role)); break;
    case A3MI_ROLE_LEASED: nobody = atomic_load(&role->want_write); break;
    case A3MI_ROLE_HELD:
        /* Under the lock, where the leader cannot leave. An awake one looks before it sleeps. */
        if (leader != NULL && a3mi_parker_nudge(leader) == A3MI_PARKER_NETWORK) {
            a3mi_parker_rouse(leader, A3MI_PARKER_NETWORK, leader->network_fd);
        }
        break;
    }
    (void)pthread_mutex_unlock(&role->lock);
    return nobody;
}
