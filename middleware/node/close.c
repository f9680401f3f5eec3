/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a node, in this order:
 *
 *   1  sockets close: no call succeeds any more, links end behind what was sent
 *   2  until everything is acknowledged and every link ended, or the deadline:
 *      the node goes on as usual
 *   3  what is left is counted, the peers are told
 *   4  calls that were inside have left
 *   5  the reader thread stops; memory goes with the last count
 */
#include "node/node.h"
#include "node/schedule.h"
#include "node/unheard.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/*
 * Between the last handle's end and the wake, the node must not go, nor the parker of who closes it:
 *
 *     last handle                        closing thread
 *     live_handles = 0
 *                                        live_handles is 0: frees parker and node
 *     wakes node->idle: both are gone
 *
 * So the count changes, and the wake is noted in the parker (whose fini waits for it), under one lock; the
 * caller holds a count of the node. A leaf: taken with a socket's lock held.
 */
void a3mi_node_handle_retired(struct a3mi_node *node)
{
    struct a3mi_wakes wakes;
    a3mi_wakes_init(&wakes);
    pthread_mutex_lock(&node->idle_lock);
    if (--node->live_handles == 0 && node->idle != NULL) {
        a3mi_wakes_add(&wakes, node->idle);
    }
    pthread_mutex_unlock(&node->idle_lock);
    (void)a3mi_wakes_run(&wakes);
}

void a3mi_node_handle_made(struct a3mi_node *node)
{
    pthread_mutex_lock(&node->idle_lock);
    node->live_handles++;
    pthread_mutex_unlock(&node->idle_lock);
}

/* Says whom to wake when no call is inside any more; false: none is. */
static bool await_idle(struct a3mi_node *node, struct a3mi_parker *parker)
{
    pthread_mutex_lock(&node->idle_lock);
    bool inside = node->live_handles != 0;
    node->idle = inside ? parker : NULL;
    pthread_mutex_unlock(&node->idle_lock);
    return inside;
}

void a3mi_node_check_closed(struct a3mi_node *node, struct a3mi_turn *turn)
{
    if (node->closer != NULL && !turn->more && a3mi_map64_count(&node->links) == 0 &&
        !a3mi_assoc_busy(node->assoc)) {
        a3mi_wakes_add(&turn->wakes, node->closer);
        node->closer = NULL;
    }
}

static void node_handle_last(void *obj)
{
    struct a3mi_node *node = obj;
    a3mi_node_handle_retired(node);
    a3mi_node_unref(node); /* not the last: closing holds one */
}

/* Marks the node closed; false when it was already. */
static bool mark_closed(struct a3mi_node *node)
{
    pthread_mutex_lock(&node->names_lock);
    bool first = !node->closed;
    node->closed = true;
    pthread_mutex_unlock(&node->names_lock);
    return first;
}

static void close_sockets(struct a3mi_node *node)
{
    for (;;) {
        struct a3mi_socket *socket = NULL;
        pthread_mutex_lock(&node->names_lock);
        struct a3mi_list *first = a3mi_list_first(&node->sockets);
        if (first != NULL) {
            socket = a3mi_container_of(first, struct a3m_base, on_node);
            a3mi_socket_ref(socket);
        }
        pthread_mutex_unlock(&node->names_lock);
        if (socket == NULL) {
            return;
        }
        a3mi_socket_begin_close(socket);
        a3mi_socket_unref(socket);
    }
}

struct closing {
    struct a3mi_node *node;
    struct a3mi_parker *parker;
    uint64_t lost; /* messages given up before closing came to its end */
    uint64_t unfinished;
    uint64_t scheduled; /* messages whose time had not come */
};

/* [engine] */
static void begin(void *arg, struct a3mi_turn *turn)
{
    struct closing *job = arg;
    struct a3mi_node *node = job->node;
    node->turn = turn;
    a3mi_engine_drain(node, turn); /* the ends of all links among it */
    node->closing = true;
    node->closer = job->parker;
    /* Peers that never answered have nothing of this node, and need not hear that they shall have nothing. */
    a3mi_assoc_abandon_unreached(node->assoc, turn->now);
    node->turn = NULL;
}

/* [engine] Ends links whose peers did not answer. */
static void end_links(struct a3mi_node *node, struct closing *job, int64_t now)
{
    size_t it = 0;
    uint64_t number;
    void *value;
    while (a3mi_map64_next(&node->links, &it, &number, &value)) {
        struct a3mi_link *link = value;
        a3mi_link_ref(link);
        job->unfinished += link->state != A3MI_LINK_CANCELLING && link->state != A3MI_LINK_ABORTING;
        a3mi_link_event(link, A3MI_ON_PEER_GONE, NULL, now);
        if (link->state != A3MI_LINK_CLOSED) {
            a3mi_link_event(link, A3MI_ON_UNLINK, NULL, now);
        }
        a3mi_link_unref(link);
    }
}

/* [engine] */
static void finish(void *arg, struct a3mi_turn *turn)
{
    struct closing *job = arg;
    struct a3mi_node *node = job->node;
    node->turn = turn;
    node->closer = NULL;
    a3mi_engine_drain(node, turn);
    job->lost = node->lost_undelivered + node->lost_unknown;
    job->scheduled = a3mi_schedules_drop(node);
    end_links(node, job, turn->now);
    while (!a3mi_list_empty(&node->taken)) {
        a3mi_taken_turn(node, turn->now);
    }
    a3mi_unheard_clear(node);
    a3mi_assoc_goodbye(node->assoc, turn->now);
    for (int i = 0; i < 3; i++) {
        a3mi_engine_flush(node, turn);
    }
    turn->more = false;
    turn->deadline = INT64_MAX;
    turn->event_deadline = INT64_MAX;
    node->turn = NULL;
}

/* Waits until no call of an application is inside. */
static void wait_idle(struct a3mi_node *node)
{
    struct a3mi_parker parker;
    a3mi_parker_init(&parker);
    while (await_idle(node, &parker)) {
        (void)a3mi_reader_wait(node->reader, &parker, INT64_MAX, false);
    }
    a3mi_parker_fini(&parker);
}

static int close_node(struct a3mi_node *node, a3m_time deadline, a3m_close_report *report)
{
    struct a3mi_parker parker;
    struct closing job = {.node = node, .parker = &parker};
    int result = A3M_OK;
    a3mi_parker_init(&parker);
    close_sockets(node);
    a3mi_node_dismiss_guests(node);
    if (a3mi_reader_started(node->reader)) {
        a3mi_reader_enter(node->reader, begin, &job);
        a3mi_reader_signal(node->reader);
        result = a3mi_reader_wait(node->reader, &parker, deadline.ns, false);
    }
    a3mi_reader_enter(node->reader, finish, &job);
    a3mi_parker_fini(&parker);
    wait_idle(node);
    if (a3mi_reader_started(node->reader)) {
        a3mi_reader_stop(node->reader);
    }
    a3mi_tidings_tell(node);
    uint64_t left = node->lost_undelivered + node->lost_unknown - job.lost + job.unfinished;
    if (report != NULL) {
        report->undelivered = node->lost_undelivered + job.scheduled;
        report->unknown = node->lost_unknown;
        report->unread = a3mi_node_given_up(node).unread;
        report->links_unfinished = job.unfinished;
    }
    a3mi_node_unref(node);
    if (result == A3M_ETIMEDOUT && left > 0) {
        return a3mi_fail(A3M_ETIMEDOUT, "the node was closed with something unfinished");
    }
    return A3M_OK;
}

struct a3mi_given_up a3mi_node_given_up(const struct a3mi_node *node)
{
    struct a3mi_assoc_stats assoc;
    a3mi_assoc_get_stats(node->assoc, &assoc);
    return (struct a3mi_given_up){
        .undelivered = node->lost_undelivered,
        .unknown = node->lost_unknown,
        .unread = node->unread + atomic_load(&node->discarded) + assoc.orphaned,
    };
}

int a3m_node_close(a3m_node handle, a3m_time deadline, a3m_close_report *report)
{
    void *obj;
    if (report != NULL && report->size != sizeof(*report)) {
        return a3mi_fail(A3M_EINVAL, "a3m_close_report.size is not set to sizeof(a3m_close_report)");
    }
    int result = a3mi_registry_get(handle.v, A3MI_KIND_NODE, &obj);
    if (result != A3M_OK) {
        return result;
    }
    struct a3mi_node *node = obj;
    if (a3mi_reader_on_thread(node->reader)) {
        a3mi_registry_put(handle.v);
        return a3mi_fail(A3M_EDEADLK, "a node cannot be closed on its own reader thread, nor in a hook");
    }
    if (!mark_closed(node)) {
        a3mi_registry_put(handle.v);
        return a3mi_fail(A3M_ECLOSED, "the node is being closed by another thread");
    }
    atomic_fetch_add(&node->refs, 1);
    a3mi_registry_retire(handle.v, node_handle_last);
    a3mi_registry_put(handle.v);
    return close_node(node, deadline, report);
}
