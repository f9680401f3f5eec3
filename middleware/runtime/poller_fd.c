/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of a poller: those it watches, in an epoll set of their own
 * ("inner"), whose rules hold for them; and the one it shows to other event loops
 * ("fd"), an epoll set of the inner one and of an eventfd, the bell, which is
 * readable while an entry is in the ready list.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/error.h"

#include "runtime/eventfd.h"
#include "runtime/poller_parts.h"

_Static_assert(A3M_POLL_IN == EPOLLIN && A3M_POLL_OUT == EPOLLOUT && A3M_POLL_ERR == EPOLLERR &&
                   A3M_POLL_HUP == EPOLLHUP && A3M_POLL_PRI == EPOLLPRI,
               "events are those of epoll");
_Static_assert(A3M_POLL_EDGE == (uint32_t)EPOLLET && A3M_POLL_ONESHOT == (uint32_t)EPOLLONESHOT &&
                   A3M_POLL_EXCLUSIVE == (uint32_t)EPOLLEXCLUSIVE,
               "flags are those of epoll");

/* Reports of descriptors that one look takes in. */
#define AT_ONCE 64

/* ---- Pollers with descriptors, for fork() and for "is it one of ours" ------------------ */

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct a3mi_list all = {&all, &all}; /* [all_lock] */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void close_one(_Atomic int *fd)
{
    int old = atomic_exchange(fd, -1);

    if (old >= 0) {
        (void)close(old);
    }
}

static void before_fork(void)
{
    (void)pthread_mutex_lock(&all_lock);
}

static void in_parent(void)
{
    (void)pthread_mutex_unlock(&all_lock);
}

/* The child has the same epoll sets, not copies of them: it lets go of them and changes nothing in them. */
static void in_child(void)
{
    A3MI_LIST_FOREACH_SAFE (it, next, &all) {
        struct a3mi_poller *poller = a3mi_container_of(it, struct a3mi_poller, with_fd);
        a3mi_list_remove(it);
        close_one(&poller->fd);
        close_one(&poller->inner);
        close_one(&poller->bell_fd);
    }
    (void)pthread_mutex_unlock(&all_lock);
}

static void prepare(void)
{
    (void)pthread_atfork(before_fork, in_parent, in_child);
}

static void enlist(struct a3mi_poller *poller)
{
    (void)pthread_once(&once, prepare);
    (void)pthread_mutex_lock(&all_lock);
    if (!a3mi_list_linked(&poller->with_fd)) {
        a3mi_list_push_back(&all, &poller->with_fd);
    }
    (void)pthread_mutex_unlock(&all_lock);
}

bool a3mi_poller_owns_fd(int fd)
{
    bool found = false;

    (void)pthread_mutex_lock(&all_lock);
    A3MI_LIST_FOREACH (it, &all) {
        struct a3mi_poller *poller = a3mi_container_of(it, struct a3mi_poller, with_fd);
        found |= fd >= 0 && atomic_load(&poller->fd) == fd;
    }
    (void)pthread_mutex_unlock(&all_lock);
    return found;
}

void a3mi_poll_close_fds(struct a3mi_poller *poller)
{
    size_t it = 0;
    void *entry;

    (void)pthread_mutex_lock(&all_lock);
    a3mi_list_remove(&poller->with_fd);
    (void)pthread_mutex_unlock(&all_lock);
    while (a3mi_map64_next(&poller->fds, &it, NULL, &entry)) {
        free(entry);
    }
    close_one(&poller->fd);
    close_one(&poller->inner);
    close_one(&poller->bell_fd);
}

/* ---- Epoll sets -------------------------------------------------------------------------- */

static int control(int set, int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data = {.u64 = data}};

    return epoll_ctl(set, op, fd, &event) == 0 ? 0 : errno;
}

/* 0, A3M_EMFILE and the like. */
static int open_set(_Atomic int *out)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);

    if (fd < 0) {
        return a3mi_fail_os(errno, "epoll_create1");
    }
    atomic_store(out, fd);
    return 0;
}

/* [scan] */
static int open_inner(struct a3mi_poller *poller)
{
    if (atomic_load(&poller->inner) >= 0) {
        return 0;
    }
    int result = open_set(&poller->inner);
    if (result != 0) {
        return result;
    }
    int shown = atomic_load(&poller->fd);
    int error = shown >= 0 ? control(shown, EPOLL_CTL_ADD, atomic_load(&poller->inner), EPOLLIN, 0) : 0;
    if (error != 0) {
        close_one(&poller->inner);
        return a3mi_fail_os(error, "epoll_ctl");
    }
    enlist(poller);
    return 0;
}

/* ---- Descriptors that are watched --------------------------------------------------------- */

static uint64_t key_of(int fd)
{
    return (uint64_t)fd + 1; /* a map has no key 0 */
}

static int failure(int error, int fd)
{
    switch (error) {
    case EEXIST: return a3mi_fail(A3M_EEXIST, "the poller watches descriptor %d already", fd);
    case ENOENT: return a3mi_fail(A3M_ENOENT, "the poller does not watch descriptor %d", fd);
    case EBADF: return a3mi_fail(A3M_EINVAL, "%d is no open descriptor", fd);
    case EPERM: return a3mi_fail(A3M_EINVAL, "descriptor %d cannot be polled: a file or a directory", fd);
    default: return a3mi_fail_os(error, "epoll_ctl");
    }
}

/*
 * What the set knows of an entry: its descriptor and serial number. Not where it is: the set forgets a descriptor only
 * when the last copy of it is closed, a duplicate or a child's, and may tell of one that we know no more.
 */
static uint64_t data_of(const struct a3mi_poll_entry *entry)
{
    return (uint64_t)entry->serial << 32 | (uint32_t)entry->what.v;
}

/* NULL: left behind by a descriptor that was closed. */
static struct a3mi_poll_entry *entry_of(const struct a3mi_poller *poller, uint64_t data)
{
    struct a3mi_poll_entry *entry = a3mi_map64_get(&poller->fds, key_of((int)(uint32_t)data));

    return entry != NULL && data_of(entry) == data ? entry : NULL;
}

static void forget_fd(struct a3mi_poller *poller, struct a3mi_poll_entry *entry)
{
    (void)a3mi_map64_del(&poller->fds, key_of((int)entry->what.v));
    free(entry);
}

/* [scan] Its entry, made if need be: a number that was closed and used again has one left. NULL: no memory. */
static struct a3mi_poll_entry *entry_for(struct a3mi_poller *poller, int fd)
{
    struct a3mi_poll_entry *entry = a3mi_map64_get(&poller->fds, key_of(fd));

    if (entry != NULL || (entry = calloc(1, sizeof(*entry))) == NULL) {
        return entry;
    }
    entry->poller = poller;
    entry->what = a3m_pollable_fd(fd);
    if (a3mi_map64_put(&poller->fds, key_of(fd), entry) != 0) {
        free(entry);
        return NULL;
    }
    return entry;
}

/* [scan] */
static int add_locked(struct a3mi_poller *poller, int fd, uint32_t events, void *user)
{
    if (atomic_load(&poller->closed)) {
        return a3mi_fail(A3M_ECLOSED, "the poller is closed");
    }
    bool known = fd >= 0 && a3mi_map64_get(&poller->fds, key_of(fd)) != NULL;
    int result = fd >= 0 ? open_inner(poller) : failure(EBADF, fd);
    if (result != 0) {
        return result;
    }
    struct a3mi_poll_entry *entry = entry_for(poller, fd);
    if (entry == NULL) {
        return a3mi_fail(A3M_ENOMEM, "no memory for an entry of a poller");
    }
    uint32_t serial = ++poller->serials;
    int error = control(atomic_load(&poller->inner), EPOLL_CTL_ADD, fd, events,
                        (uint64_t)serial << 32 | (uint32_t)fd);
    if (error != 0) {
        if (!known) {
            forget_fd(poller, entry);
        }
        return failure(error, fd);
    }
    entry->serial = serial;
    entry->armed = events;
    entry->user = user;
    return 0;
}

int a3mi_poller_add_fd(struct a3mi_poller *poller, int fd, uint32_t events, void *user)
{
    struct a3mi_wakes wakes = {0};

    (void)pthread_mutex_lock(&poller->scan);
    int result = add_locked(poller, fd, events, user);
    (void)pthread_mutex_unlock(&poller->scan);
    if (result == 0) {
        (void)pthread_mutex_lock(&poller->lock);
        if (!poller->watched) {
            a3mi_poll_pass_watch_locked(poller, &wakes); /* threads that sleep already do not know of it */
        }
        (void)pthread_mutex_unlock(&poller->lock);
        (void)a3mi_wakes_run(&wakes);
    }
    return result;
}

/* [scan] Of one that is watched; one that was closed is forgotten. */
static int change_locked(struct a3mi_poller *poller, int op, int fd, uint32_t events, void *user)
{
    struct a3mi_poll_entry *entry = fd >= 0 ? a3mi_map64_get(&poller->fds, key_of(fd)) : NULL;

    if (entry == NULL) {
        return failure(ENOENT, fd);
    }
    int error = control(atomic_load(&poller->inner), op, fd, events, data_of(entry));
    if (op == EPOLL_CTL_DEL || error == ENOENT || error == EBADF) {
        forget_fd(poller, entry);
        return error == EBADF ? failure(ENOENT, fd) : error != 0 ? failure(error, fd) : 0;
    }
    if (error != 0) {
        return failure(error, fd);
    }
    entry->armed = events;
    entry->user = user;
    return 0;
}

int a3mi_poller_modify_fd(struct a3mi_poller *poller, int fd, uint32_t events, void *user)
{
    (void)pthread_mutex_lock(&poller->scan);
    int result = change_locked(poller, EPOLL_CTL_MOD, fd, events, user);
    (void)pthread_mutex_unlock(&poller->scan);
    return result;
}

int a3mi_poller_remove_fd(struct a3mi_poller *poller, int fd)
{
    (void)pthread_mutex_lock(&poller->scan);
    int result = change_locked(poller, EPOLL_CTL_DEL, fd, 0, NULL);
    (void)pthread_mutex_unlock(&poller->scan);
    return result;
}

/* [scan] All that is watched, in a new set. False: it could not be made. */
static bool refill(struct a3mi_poller *poller, int set)
{
    size_t it = 0;
    void *value;

    while (a3mi_map64_next(&poller->fds, &it, NULL, &value)) {
        struct a3mi_poll_entry *entry = value;
        int error = control(set, EPOLL_CTL_ADD, (int)entry->what.v, entry->armed, data_of(entry));
        if (error == EBADF || error == EPERM) {
            forget_fd(poller, entry); /* closed, and perhaps used again */
        } else if (error != 0) {
            return false;
        }
    }
    return true;
}

/*
 * [scan] The set tells of a descriptor that was closed, and cannot be told to forget it: a new set, under the same
 * number, without it. Threads that sleep watch the old one, and lie down anew.
 */
static void renew_inner(struct a3mi_poller *poller)
{
    struct a3mi_wakes wakes = {0};
    int inner = atomic_load(&poller->inner);
    int shown = atomic_load(&poller->fd);
    int set = epoll_create1(EPOLL_CLOEXEC);

    if (set < 0 || !refill(poller, set)) {
        (void)close(set);
        return;
    }
    if (shown >= 0) {
        (void)control(shown, EPOLL_CTL_DEL, inner, 0, 0);
    }
    (void)dup3(set, inner, O_CLOEXEC);
    (void)close(set);
    if (shown >= 0) {
        (void)control(shown, EPOLL_CTL_ADD, inner, EPOLLIN, 0);
    }
    (void)pthread_mutex_lock(&poller->lock);
    a3mi_poll_wake_all_locked(poller, &wakes);
    (void)pthread_mutex_unlock(&poller->lock);
    (void)a3mi_wakes_run(&wakes);
}

/* [scan] One look at up to `room` of them, AT_ONCE at most; *got: what the set told. Returns how many are reported. */
static size_t look(struct a3mi_poller *poller, a3m_poll_event *events, int room, int *got)
{
    struct epoll_event ready[AT_ONCE];
    size_t n = 0;

    *got = epoll_wait(atomic_load(&poller->inner), ready, room, 0);
    for (int i = 0; i < *got; i++) {
        struct a3mi_poll_entry *entry = entry_of(poller, ready[i].data.u64);
        if (entry != NULL) {
            events[n++] = (a3m_poll_event){entry->what, ready[i].events, entry->user};
            entry->armed = (entry->armed & A3M_POLL_ONESHOT) != 0 ? A3M_POLL_ONESHOT : entry->armed;
        }
    }
    if (*got > (int)n) {
        renew_inner(poller);
    }
    return n;
}

size_t a3mi_poll_collect_fds(struct a3mi_poller *poller, a3m_poll_event *events, size_t max)
{
    size_t n = 0;

    while (n < max) {
        int room = max - n < AT_ONCE ? (int)(max - n) : AT_ONCE;
        int got;
        n += look(poller, events + n, room, &got);
        if (got < room || got < AT_ONCE || n >= a3mi_map64_count(&poller->fds)) {
            break;
        }
    }
    return n;
}

/* ---- The descriptor that is shown ----------------------------------------------------------- */

/* [scan] From here on each pollable tells what is not possible any more, so that the bell can fall silent. */
static void make_exact(struct a3mi_poller *poller)
{
    size_t it = 0;
    void *value;

    while (a3mi_map64_next(&poller->entries, &it, NULL, &value)) {
        struct a3mi_poll_entry *entry = value;
        struct a3mi_wakes wakes = {0};
        struct a3mi_pollable *pollable = entry->pollable;
        pollable->ops->lock(pollable);
        if (entry->wait.queue != NULL) {
            a3mi_waitq_set_exact(&entry->wait);
        }
        if ((pollable->ops->events(pollable) & entry->armed) == 0) {
            a3mi_poll_settle(entry, &wakes);
        }
        pollable->ops->unlock(pollable);
        (void)a3mi_wakes_run(&wakes);
    }
}

/* [scan] */
static int open_shown(struct a3mi_poller *poller)
{
    int bell;
    int result = a3mi_eventfd_open(&bell);

    if (result != 0) {
        return result;
    }
    result = open_set(&poller->fd);
    if (result != 0) {
        (void)close(bell);
        return result;
    }
    int fd = atomic_load(&poller->fd);
    int inner = atomic_load(&poller->inner);
    int error = control(fd, EPOLL_CTL_ADD, bell, EPOLLIN, 0);
    if (error == 0 && inner >= 0) {
        error = control(fd, EPOLL_CTL_ADD, inner, EPOLLIN, 0);
    }
    if (error != 0) {
        close_one(&poller->fd);
        (void)close(bell);
        return a3mi_fail_os(error, "epoll_ctl");
    }
    enlist(poller);
    atomic_store(&poller->bell_fd, bell);
    make_exact(poller);
    return 0;
}

int a3mi_poller_fd(struct a3mi_poller *poller, int *fd)
{
    int result = 0;

    (void)pthread_mutex_lock(&poller->scan);
    if (atomic_load(&poller->closed)) {
        result = a3mi_fail(A3M_ECLOSED, "the poller is closed");
    } else if (atomic_load(&poller->fd) < 0) {
        result = open_shown(poller);
    }
    *fd = atomic_load(&poller->fd);
    (void)pthread_mutex_unlock(&poller->scan);
    a3mi_poll_ring(poller);
    return result;
}
