/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draining: a call waits until what was sent before it is settled: acknowledged,
 * or given up.
 *
 * The messages of a link are settled in the order in which they were sent, in
 * all its lives. So a drain puts a mark on each link that is behind: "when so
 * many are settled". Who settles messages looks at the marks of that link, of
 * which there are none as a rule, and takes off those that are reached. What is
 * given up while no drain waits for it is told by the next one.
 */
#include "node/node.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"

/* On the stack of a call. [socket] */
struct a3mi_drain {
    struct a3mi_waitq waiters; /* the call itself */
    size_t marks_set;
    uint64_t left; /* messages not settled yet */
    uint64_t lost; /* given up */
    int reason;    /* why the last one was */
};

struct mark {
    struct a3mi_list on_link;
    struct a3mi_drain *drain;
    uint64_t target; /* of the link's `settled` */
};

/* How many of the messages from..to were sent before `target`. */
static uint64_t before(uint64_t from, uint64_t to, uint64_t target)
{
    return target <= from ? 0 : (to < target ? to : target) - from;
}

void a3mi_link_settle(struct a3mi_link *link, uint64_t n, bool lost)
{
    uint64_t from = link->settled;
    uint64_t told = 0;
    link->settled += n;
    A3MI_LIST_FOREACH_SAFE (it, next, &link->drains) {
        struct mark *mark = a3mi_container_of(it, struct mark, on_link);
        struct a3mi_drain *drain = mark->drain;
        uint64_t settled = before(from, link->settled, mark->target);
        drain->left -= settled;
        if (lost && settled > 0) {
            drain->lost += settled;
            drain->reason = link->reason;
            told = settled > told ? settled : told;
        }
        if (link->settled >= mark->target) {
            a3mi_list_remove(&mark->on_link);
            if (--drain->marks_set == 0) {
                a3mi_waitq_wake(&drain->waiters, A3MI_KEY_ANY, SIZE_MAX, &link->socket->wakes);
            }
        }
    }
    if (lost && n > told) {
        link->socket->untold += n - told;
        link->socket->untold_reason = link->reason;
    }
}

void a3mi_socket_wake_drains(struct a3mi_socket *socket)
{
    A3MI_LIST_FOREACH (it, &socket->links) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_socket);
        A3MI_LIST_FOREACH (m, &link->drains) {
            struct a3mi_drain *drain = a3mi_container_of(m, struct mark, on_link)->drain;
            a3mi_waitq_wake(&drain->waiters, A3MI_KEY_ANY, SIZE_MAX, &socket->wakes);
        }
    }
}

/* [socket] */
static size_t count_behind(const struct a3mi_socket *socket)
{
    size_t n = 0;
    A3MI_LIST_FOREACH (it, &socket->links) {
        const struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_socket);
        n += link->settled < link->pushed;
    }
    return n;
}

/* [socket] */
static void set_marks(struct a3mi_socket *socket, struct a3mi_drain *drain, struct mark *marks, size_t n)
{
    A3MI_LIST_FOREACH (it, &socket->links) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_socket);
        if (link->settled == link->pushed || drain->marks_set == n) {
            continue;
        }
        struct mark *mark = &marks[drain->marks_set++];
        mark->drain = drain;
        mark->target = link->pushed;
        drain->left += link->pushed - link->settled;
        a3mi_list_push_back(&link->drains, &mark->on_link);
    }
}

/* [socket] */
static int wait_for_marks(struct a3mi_socket *socket, struct a3mi_drain *drain, a3m_time deadline)
{
    struct a3mi_wait_for what = {&drain->waiters, A3MI_KEY_ANY, false};
    int result = A3M_OK;
    while (result == A3M_OK && drain->marks_set > 0) {
        result = a3mi_socket_wait(socket, &what, deadline, NULL);
    }
    if (drain->marks_set > 0) {
        /* What was given up is for the next one to tell. */
        socket->untold += drain->lost;
        socket->untold_reason = drain->lost > 0 ? drain->reason : socket->untold_reason;
        return result == A3M_ETIMEDOUT
                   ? a3mi_fail(A3M_ETIMEDOUT, "%" PRIu64 " messages are not acknowledged yet", drain->left)
                   : result;
    }
    if (drain->lost > 0) {
        return a3mi_fail(drain->reason != A3M_OK ? drain->reason : A3M_ENOLINK,
                         "%" PRIu64 " messages were given up with their link", drain->lost);
    }
    return A3M_OK;
}

/* [socket] */
static int drain_locked(struct a3mi_socket *socket, a3m_time deadline)
{
    size_t n = count_behind(socket);
    struct mark *marks = n > 0 ? calloc(n, sizeof(*marks)) : NULL;
    if (n > 0 && marks == NULL) {
        return a3mi_fail(A3M_ENOMEM, "no memory to wait for %zu links", n);
    }
    for (size_t i = 0; i < n; i++) {
        a3mi_list_init(&marks[i].on_link);
    }
    /* Also what was given up before this call, since the drain before it. */
    struct a3mi_drain drain = {.lost = socket->untold, .reason = socket->untold_reason};
    socket->untold = 0;
    a3mi_waitq_init(&drain.waiters);
    if (marks != NULL) {
        set_marks(socket, &drain, marks, n);
    }
    int result = wait_for_marks(socket, &drain, deadline);
    for (size_t i = 0; i < n; i++) {
        a3mi_list_remove(&marks[i].on_link);
    }
    free(marks);
    return result;
}

int a3m_socket_drain(a3m_socket handle, a3m_time deadline)
{
    struct a3mi_socket *socket;
    int result = a3mi_socket_enter(handle, &socket);
    if (result != A3M_OK) {
        return result;
    }
    a3mi_socket_lock(socket);
    result = drain_locked(socket, deadline);
    a3mi_socket_unlock(socket);
    a3mi_socket_leave(socket);
    return result;
}
