/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What pollers and a3m_poll have in common: handles of what is polled, and how a
 * wait sleeps among nodes. Private to this folder.
 */
#ifndef A3MI_POLLING_H
#define A3MI_POLLING_H

#include <a3m/poller.h>

#include "runtime/poller.h"

/* A socket or link, held by its handle: it cannot come to its end before it is let go. */
struct a3mi_held {
    struct a3mi_pollable *pollable;
    uint64_t handle;
};

/* A3M_EHANDLE, A3M_EFORKED, A3M_EINVAL (of no kind that is polled). */
int a3mi_poll_hold(a3m_pollable what, struct a3mi_held *held);
void a3mi_poll_let_go(const struct a3mi_held *held);

/* Whether events and flags go together, and with what is polled. A3M_EINVAL, A3M_ENOTSUP. */
int a3mi_poll_check(a3m_pollable what, uint32_t events);

/*
 * As a3mi_reader_wait_watching, at the node `home` if there is one: the thread is its guest, and is sent away
 * (0) when it closes.
 */
int a3mi_poll_sleep(uint64_t home, struct a3mi_parker *parker, const struct a3mi_watch *watch,
                    int64_t deadline, bool eintr);
/* A call that did not have to wait. */
void a3mi_poll_touch(uint64_t home);

extern const struct a3mi_poller_host a3mi_poller_host;

#endif
