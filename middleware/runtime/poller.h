/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A poller: watches many pollables and descriptors, as epoll(7) does, and tells
 * which of them are ready. Constant time for each change of what is watched; a
 * wait takes time for what is ready, not for what is watched.
 *
 * An entry that becomes ready is put into the ready list by its pollable's wait
 * queue. A wait takes entries out, oldest first, and asks each pollable once more
 * what is possible: what is gone is not reported. Level-triggered entries go back
 * to the end. Descriptors are in an epoll set of their own, whose rules hold for
 * them.
 *
 * Locks: scan (outermost, above pollables') over what is watched and over waits
 * that collect; ready (a leaf below pollables' locks) over the ready list and the
 * threads that wait. docs/locks.md draws it.
 */
#ifndef A3MI_POLLER_H
#define A3MI_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/poller.h>

#include "runtime/pollable.h"

struct a3mi_poller;

/* What a poller asks of the nodes. */
struct a3mi_poller_host {
    /*
     * Sleeps as a3mi_reader_wait_watching, on behalf of the node `home`, whose network the thread may then
     * read; 0, or a node that is gone: of none.
     */
    int (*sleep)(uint64_t home, struct a3mi_parker *parker, const struct a3mi_watch *watch, int64_t deadline,
                 bool eintr);
    /* A wait that did not sleep: as a3mi_reader_touch. */
    void (*touch)(uint64_t home);
};

/* A3M_ENOMEM. `host` is kept. */
int a3mi_poller_new(struct a3mi_poller **out, const struct a3mi_poller_host *host);
/* Calls that wait return A3M_ECLOSED from here on. */
void a3mi_poller_close(struct a3mi_poller *poller);
/* After close, when no call is inside any more. */
void a3mi_poller_free(struct a3mi_poller *poller);

/*
 * Watches a pollable for `events`, which go together. `what` names it: sockets and links have handles of one
 * table. Takes a reference. A3M_EEXIST, A3M_ENOMEM, A3M_ECLOSED (it is over already).
 */
int a3mi_poller_add(struct a3mi_poller *poller, a3m_pollable what, struct a3mi_pollable *pollable,
                    uint32_t events, void *user);
/* Arms an entry anew, with other events. A3M_ENOENT; A3M_EINVAL (it is exclusive). */
int a3mi_poller_modify(struct a3mi_poller *poller, a3m_pollable what, uint32_t events, void *user);
/* A3M_ENOENT. */
int a3mi_poller_remove(struct a3mi_poller *poller, a3m_pollable what);

/* The same for descriptors. Besides: A3M_EINVAL (it cannot be polled, or is no descriptor), A3M_EMFILE, A3M_EOS. */
int a3mi_poller_add_fd(struct a3mi_poller *poller, int fd, uint32_t events, void *user);
int a3mi_poller_modify_fd(struct a3mi_poller *poller, int fd, uint32_t events, void *user);
int a3mi_poller_remove_fd(struct a3mi_poller *poller, int fd);

/*
 * Waits until something is ready, and tells up to `max` of it. Returns how many; 0 when the deadline passed.
 * A3M_ECLOSED, A3M_EDEADLK (would sleep on a reader thread), A3M_EINTR (with `eintr`), A3M_EMFILE, A3M_ENOMEM.
 */
int a3mi_poller_wait(struct a3mi_poller *poller, a3m_poll_event *events, size_t max, int64_t deadline,
                     bool eintr);

/* A descriptor, the poller's, that is readable while something is ready. A3M_EMFILE, A3M_ENOMEM, A3M_EOS. */
int a3mi_poller_fd(struct a3mi_poller *poller, int *fd);
/* Whether a descriptor is that of some poller of this process. */
bool a3mi_poller_owns_fd(int fd);

#endif
