/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a poller, shared by poller.c (what is watched), poller_ready.c
 * (the ready list), poller_wait.c (waiting), poller_fd.c (descriptors).
 */
#ifndef A3MI_POLLER_PARTS_H
#define A3MI_POLLER_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"

#include "runtime/poller.h"

#define A3MI_POLL_FLAGS (A3M_POLL_EXCLUSIVE | A3M_POLL_ONESHOT | A3M_POLL_EDGE)

/* Something watched. */
struct a3mi_poll_entry {
    struct a3mi_waitq_entry wait;   /* [pollable] */
    struct a3mi_poller *poller;     /* [const] */
    struct a3mi_pollable *pollable; /* [const] counted; NULL: a descriptor */
    a3m_pollable what;              /* [const] */
    void *user;                     /* [scan] */
    uint32_t flags;                 /* [scan] A3MI_POLL_FLAGS */
    uint32_t armed;                 /* [pollable; a descriptor's: scan] events; 0: a one-shot that went off */
    struct a3mi_list ready;         /* [ready] in the ready list, or alone */
    uint64_t scanned;               /* [scan] the last scan that looked at it */
    uint32_t serial;                /* [scan] a descriptor's: which of those that had its number */

    /* An exclusive entry that was reported, until its thread waits again. [scan] */
    struct a3mi_list given;
    const void *given_to;
    uint32_t given_events;
    uint64_t given_at; /* what had been used up by then */
};

/* A thread in a wait, on its stack. [ready] */
struct a3mi_poll_waiter {
    struct a3mi_list list; /* among those that sleep; alone: woken */
    struct a3mi_parker parker;
    size_t max; /* how many reports it has room for */
};

struct a3mi_poller {
    const struct a3mi_poller_host *host; /* [const] */

    pthread_mutex_t scan;
    struct a3mi_map64 entries; /* [scan] key → entry */
    struct a3mi_map64 fds;     /* [scan] descriptor + 1 → entry */
    uint32_t serials;          /* [scan] */
    struct a3mi_map64 homes;   /* [scan] node → how many entries, as a pointer */
    struct a3mi_list given;    /* [scan] */
    uint64_t scans;            /* [scan] */
    bool fds_first;            /* [scan] descriptors have the first turn in the next one */
    _Atomic uint64_t home;     /* [scan to write] the only node of all entries; 0: several, or none */
    _Atomic int inner;         /* [scan to write] the epoll set of descriptors; -1: none */
    _Atomic bool closed;

    pthread_mutex_t lock;     /* "ready"; a leaf */
    struct a3mi_list ready;   /* [ready] */
    size_t ready_count;       /* [ready] */
    struct a3mi_list waiters; /* [ready] asleep, the longest first */
    size_t promised;          /* [ready] room of those that were woken and did not collect yet */
    bool watched;             /* [ready] a thread that sleeps watches the descriptors */

    pthread_mutex_t bell_lock; /* above ready, and nothing else */
    struct a3mi_parker bell;   /* of nobody: to be rung after the locks */
    bool ringing;              /* [bell] bell_fd is readable */
    _Atomic int fd, bell_fd;   /* [scan to write] -1: nobody asked for one */
    struct a3mi_list with_fd;  /* [poller_fd.c] */
};

/* ---- poller_ready.c ------------------------------------------------------------- */

extern const struct a3mi_waitq_ops a3mi_poll_entry_ops;

/*
 * [pollable] The entry is ready: queues it, and collects a thread to tell. Whether there was one that slept. Who was
 * woken before for something else, and has room, does not count: it may have collected already, and not come back
 * for long.
 */
bool a3mi_poll_raise(struct a3mi_poll_entry *entry, struct a3mi_wakes *wakes);
/* [pollable] Nothing of it is possible, or it is not watched any more: it leaves the ready list. */
void a3mi_poll_settle(struct a3mi_poll_entry *entry, struct a3mi_wakes *wakes);
/* The oldest that is ready, out of the list; NULL. */
struct a3mi_poll_entry *a3mi_poll_pop(struct a3mi_poller *poller);
/* [pollable] Puts one that a scan popped back: at the end, or where it was. Wakes nobody: the scan does, at its end. */
void a3mi_poll_put_back(struct a3mi_poll_entry *entry, bool first);
/* [ready] Threads for what is ready and promised to nobody. Whether there was one. */
bool a3mi_poll_wake_locked(struct a3mi_poller *poller, struct a3mi_wakes *wakes);
/* Makes the poller's descriptor show whether something is ready. Neither ready nor a pollable's lock held. */
void a3mi_poll_ring(struct a3mi_poller *poller);
/* The same, of the bell among wakes that are carried out. */
void a3mi_poll_rung(struct a3mi_parker *bell);

/* ---- poller.c ------------------------------------------------------------------- */

/* [scan] Ends an entry and frees it. What it was woken for is handed on. */
void a3mi_poll_drop(struct a3mi_poll_entry *entry);
/* [scan, pollable] What is possible of what an exclusive entry has or had goes to the next waiter at the pollable. */
void a3mi_poll_hand_on(struct a3mi_poll_entry *entry, uint32_t events, struct a3mi_wakes *wakes);

/* ---- poller_wait.c -------------------------------------------------------------- */

/* [ready] All threads that sleep look again. */
void a3mi_poll_wake_all_locked(struct a3mi_poller *poller, struct a3mi_wakes *wakes);
/* [ready] Of the threads that sleep, another one is to watch the descriptors. */
void a3mi_poll_pass_watch_locked(struct a3mi_poller *poller, struct a3mi_wakes *wakes);

/* ---- poller_fd.c ---------------------------------------------------------------- */

/* [scan] Reports descriptors that are ready. */
size_t a3mi_poll_collect_fds(struct a3mi_poller *poller, a3m_poll_event *events, size_t max);
void a3mi_poll_close_fds(struct a3mi_poller *poller);

#endif
