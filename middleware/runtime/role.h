/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader role: who waits for the network. One of three:
 *
 *     READER   the reader thread; the transport's descriptor is in its epoll set
 *     HELD     a waiting thread, the leader; others that wait stand in line
 *     LEASED   nobody; the thread that left will be back soon, or the lease ends
 *
 *                take (epoll DEL)                 leave (nobody in line)
 *     READER ----------------------> HELD -------------------------------> LEASED
 *        ^                           ^  ^ \ leave: to the first in line      | |
 *        |                           |  +--+                                 | |
 *        |                           +---------------------------------------+ |
 *        |                              take (compare-exchange, no system call) |
 *        +----------------------------------------------------------------------+
 *             the lease is over (epoll ADD); the other way: claim (epoll DEL)
 *
 * All changes are made under the role lock, but LEASED -> HELD. The role lock is
 * a leaf above parkers; under it at most a system call on epoll or a timer.
 *
 * The lease's alarm also guards what a leader leaves behind: protocol deadlines,
 * for which it sets no alarm itself. It is set about once a lease, not at each
 * leave. Where the processor's next timer is further away than the alarm, setting
 * it costs 14 us on a virtual machine (the timer has to be programmed, which
 * leaves the guest), and 0.3 us otherwise. So after A3MI_ROLE_STREAK leases in a
 * row that were taken back in time it is set eight leases ahead, beyond the next
 * tick of most kernels (4 ms): then the lease of a thread that does not come back
 * ends that much later.
 */
#ifndef A3MI_ROLE_H
#define A3MI_ROLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#include "runtime/alarm.h"
#include "runtime/parker.h"

/* Leases in a row that did not run out, after which the alarm is set further ahead. */
#define A3MI_ROLE_STREAK 64

enum a3mi_role_state { A3MI_ROLE_READER, A3MI_ROLE_HELD, A3MI_ROLE_LEASED };

struct a3mi_role {
    _Atomic uint32_t state; /* [role lock, but LEASED -> HELD by compare-exchange] */
    _Atomic(struct a3mi_parker *)
        leader;              /* set by itself, cleared under the role lock; NULL: none, or it is awake */
    _Atomic bool want_write; /* [atomic: written under the engine lock] the transport waits to be writable */
    _Atomic int64_t active;  /* [atomic] ns; last sign that the lease is in use */
    _Atomic uint64_t transfers; /* [role lock] */

    pthread_mutex_t lock;
    struct a3mi_list waiting; /* [role lock] of a3mi_parker.role: who waits without the role, oldest first */
    struct a3mi_alarm lease;  /* [role lock] */
    unsigned streak;          /* [role lock] leases in a row that did not run out, up to A3MI_ROLE_STREAK */
    uint32_t interest;        /* [role lock] events of the descriptor in the epoll set; 0: not in it */

    int64_t lease_ns; /* [const] */
    int epfd;         /* [const] */
    int fd;           /* [const] the transport's */
    uint64_t fd_tag;  /* [const] epoll data of fd */
};

/* The reader thread has it. Puts `fd` into the epoll set. A3M_EMFILE, A3M_ENOMEM, A3M_EOS; nothing to fini then. */
int a3mi_role_init(struct a3mi_role *role, int epfd, int fd, uint64_t fd_tag, int64_t lease_ns);
void a3mi_role_fini(struct a3mi_role *role);

static inline enum a3mi_role_state a3mi_role_now(const struct a3mi_role *role)
{
    return (enum a3mi_role_state)atomic_load_explicit(&role->state, memory_order_relaxed);
}

/* Takes it for the thread of a parker; false when another one has it. */
bool a3mi_role_take(struct a3mi_role *role, struct a3mi_parker *parker);

/* Gets in line for it; false when it is to be had: take it. */
bool a3mi_role_queue(struct a3mi_role *role, struct a3mi_parker *parker);
/* Whether a parker that got in line was given the role. */
bool a3mi_role_granted(struct a3mi_role *role, struct a3mi_parker *parker);
/* Leaves the line. True when it was given the role: it has to take part or leave. */
bool a3mi_role_unqueue(struct a3mi_role *role, struct a3mi_parker *parker);

/*
 * The holder leaves: the first in line gets it and is woken, else it is leased
 * (without a lease: given back to the reader thread).
 */
void a3mi_role_leave(struct a3mi_role *role, int64_t now);

/* Leases it from the reader thread, on behalf of threads that look at the network often without waiting. */
void a3mi_role_claim(struct a3mi_role *role, int64_t now);
/* The lease is in use: pushes its end on. */
void a3mi_role_renew(struct a3mi_role *role, int64_t now);
/* The holder goes to sleep for long: the lease's alarm need not wake the reader thread. */
void a3mi_role_hush(struct a3mi_role *role);

/* On the reader thread, when the lease's alarm went off: takes the role back if the lease is over. True when it did. */
bool a3mi_role_expire(struct a3mi_role *role, int64_t now);
/* On the reader thread: takes the role back if it is leased. True when it did. */
bool a3mi_role_reclaim(struct a3mi_role *role);

/*
 * `want_write` changed: whoever waits for the network has to hear of it. True
 * when nobody does, and the reader thread has to take the role back.
 */
bool a3mi_role_interest(struct a3mi_role *role);

#endif
