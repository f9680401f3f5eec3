/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A receipt that was asked for (a3m/receipt.h): first of its message, then, once that is in the outbox, of the link
 * that it went by, and at last of who tells it. Has room for both tellings, so that nothing can fail once a
 * message was sent. No lock of its own.
 */
#ifndef A3MI_RECEIPT_H
#define A3MI_RECEIPT_H

#include <a3m/receipt.h>

#include "base/buckets.h"
#include "base/fifo.h"
#include "base/list.h"

/* Something to be told. */
struct a3mi_tiding {
    struct a3mi_fifo_node node;
    a3m_receipt receipt;
};

struct a3mi_receipt {
    struct a3mi_list list;          /* of its link's */
    struct a3mi_bucketed by_number; /* of its link's that ask for TAKEN */
    uint64_t number;                /* of the message, in this life of the link */
    unsigned kinds;
    uint64_t id;
    a3m_receipt_fn *told; /* NULL: events */
    void *arg;
    struct a3mi_tiding first, last; /* first: one that another one follows */
};

#endif
