/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer of a benchmark: a transport used in one way, behind one interface.
 * The server end listens, the client end connects; then either calls are
 * answered (call, echo) or messages flow from client to server (send, recv).
 *
 * One thread uses an end. No function returns when it fails: the process gives
 * up (fail.h). What every peer must do alike, for the comparison to be fair:
 * the client's bytes lie in its own buffer and stay there (a library that owns
 * messages copies them), an echo may send back what it received without copying.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/gauge.h"
#include "bench/mark.h"
#include "bench/plan.h"
#include "bench/tally.h"

enum {
    BENCH_ADDRESS = 160, /* bytes for an address, with its terminator */
    BENCH_BATCH = 64,    /* messages of one batch */
};

struct bench_peer {
    const char *name;  /* on the command line: "a3m-batch" */
    const char *title; /* in tables: "A3M PUSH/PULL, batches of 64" */

    /* Server end; `address` (BENCH_ADDRESS bytes) is what the client connects to. */
    void *(*listen)(const struct bench_plan *plan, char *address);
    /* Client end, ready to send. */
    void *(*connect)(const struct bench_plan *plan, const char *address);

    /* Sends a request and waits for its reply, of the same size. NULL: messages flow one way. */
    void (*call)(void *end, const void *bytes, size_t size);
    /* Waits for a request, answers it with its own bytes, and returns its mark. */
    struct bench_mark (*echo)(void *end);

    /* Sends `n` (at most BENCH_BATCH) messages with these bytes; may wait. */
    void (*send)(void *end, const void *bytes, size_t size, unsigned n);
    /* Waits for messages, and adds each to the tally. Returns how many. */
    unsigned (*recv)(void *end, struct bench_tally *tally);

    /* NULL: not counted. */
    void (*wakes)(void *end, struct bench_wakes *wakes);
    /* Delivers what was sent, and frees the end. */
    void (*close)(void *end);

    bool lossy; /* messages may get lost: the last one is repeated until it is seen */
};

/* NULL when no peer is called that, or this build has it not. */
const struct bench_peer *bench_peer_find(const char *name);

#endif
