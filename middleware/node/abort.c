/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forced end of a link: what is not in units yet is given up, and the peer is
 * told how many messages will come, so that its end is orderly. Done in the
 * engine, by the thread that asks for it: when the call returns it has happened,
 * and what was given up is counted.
 */
#include "base/error.h"
#include "node/node.h"

struct aborting {
    struct a3mi_link *link;
    uint64_t undelivered, unknown;
};

/* [socket] */
static void mark(struct a3mi_link *link)
{
    link->unlinking = true;
    if (!link->ended) {
        link->reason = A3M_ECANCELED;
    }
}

/* [engine] */
static void abort_one(struct a3mi_link *link, int64_t now)
{
    struct a3mi_socket *socket = link->socket;
    a3mi_socket_ref(socket);
    a3mi_socket_lock(socket);
    mark(link);
    if (link->state == A3MI_LINK_CLOSED) {
        a3mi_link_leave_socket(link);
    } else {
        a3mi_link_step(link, A3MI_ON_ABORT, NULL, now);
    }
    a3mi_socket_unlock_turn(socket, socket->node->turn);
    a3mi_socket_unref(socket);
}

/* [engine] */
static void run(void *arg, struct a3mi_turn *turn)
{
    struct aborting *job = arg;
    struct a3mi_node *node = job->link->socket->node;
    node->turn = turn;
    a3mi_engine_drain(node, turn); /* the link's own beginning, and an orderly end, may be among it */
    uint64_t undelivered = node->lost_undelivered;
    uint64_t unknown = node->lost_unknown;
    if (job->link->alias != NULL) {
        abort_one(job->link->alias, turn->now);
    }
    abort_one(job->link, turn->now);
    job->undelivered = node->lost_undelivered - undelivered;
    job->unknown = node->lost_unknown - unknown;
    a3mi_engine_flush(node, turn);
    node->turn = NULL;
}

int a3m_link_abort(a3m_link handle, a3m_abort_report *report)
{
    void *obj;
    if (report != NULL && report->size != sizeof(*report)) {
        return a3mi_fail(A3M_EINVAL, "a3m_abort_report.size is not set to sizeof(a3m_abort_report)");
    }
    int result = a3mi_may_enter();
    if (result == A3M_OK) {
        result = a3mi_registry_get(handle.v, A3MI_KIND_LINK, &obj);
    }
    if (result != A3M_OK) {
        return result;
    }
    struct aborting job = {.link = obj};
    struct a3mi_reader *reader = job.link->socket->node->reader;
    a3mi_link_ref(job.link);
    a3mi_reader_enter(reader, run, &job);
    a3mi_reader_signal(reader);
    a3mi_link_unref(job.link);
    a3mi_registry_put(handle.v);
    if (report != NULL) {
        report->undelivered = job.undelivered;
        report->unknown = job.unknown;
    }
    return A3M_OK;
}
