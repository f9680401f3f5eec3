/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the worker of the network tests sends, and what it writes down. Messages
 * say whose they are and can be verified to the byte. A receiver's log is a file
 * mapped into memory: what stands in it survives a kill -9. check.py reads it.
 */
#ifndef NET_WORKER_LOG_H
#define NET_WORKER_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <a3m/message.h>

/* Whose: `life` is a number that the test gives each process that sends. */
struct stamp {
    uint64_t life;
    uint64_t link;
    uint64_t number; /* in its link, from 0 */
};

/* A message with that stamp; its size (up to `largest`, now and then) follows from the stamp. */
a3m_msg *stamp_make(struct stamp stamp, uint64_t largest);

/* False: not a message of ours, or damaged. */
bool stamp_read(const a3m_msg *msg, struct stamp *stamp);

/* ---- Log of a receiver ---------------------------------------------------------- */

enum { LOG_RUNS = 65536 };

/* Messages of one life that arrived one after the other, with consecutive numbers. */
struct run {
    uint64_t life, link, first, count;
};

struct arrivals {
    uint64_t closed;  /* 1: the receiver came to its end by itself */
    uint64_t damaged; /* messages that were not ours, or at the wrong socket */
    uint64_t runs;
    uint64_t reserved;
    struct run run[LOG_RUNS];
};

/* Makes the file, `n` logs long, one for each socket. Exits when that cannot be done. */
struct arrivals *arrivals_open(const char *path, uint64_t n);

/* One thread a log. */
void arrivals_note(struct arrivals *log, struct stamp stamp);

#endif
