/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a3m_msg (a3m/message.h): a view on counted bytes, with the
 * links that carry it through the queues. One thread owns a view at a time, so
 * its members need no lock; the count of the bytes is atomic.
 *
 * Small messages are one allocation: block header, view, bytes. The bytes of a
 * block live as long as any view on them.
 */
#ifndef A3MI_MESSAGE_H
#define A3MI_MESSAGE_H

#include <stdatomic.h>

#include <a3m/message.h>

#include "base/fifo.h"
#include "base/name.h"
#include "base/outbox_node.h"
#include "base/receipt.h"

/* Who is at the other end of a link; shared by the link and the messages that came by it. */
struct a3mi_identity {
    _Atomic uint32_t refs; /* [atomic: relaxed up, acq_rel down] */
    a3m_link link;         /* [const] */
    struct a3mi_name node; /* [const] */
    struct a3mi_name tag;  /* [const] */
};

/* Counted bytes. */
struct a3mi_block {
    _Atomic uint32_t refs; /* [atomic: relaxed up, acq_rel down] */
    uint32_t reserved;
    a3m_free_fn *free_fn; /* [const] for wrapped bytes, or NULL */
    void *free_arg;       /* [const] */
    void *bytes;          /* [const] what free_fn is called with */
};

enum {
    A3MI_MSG_CORRELATED = 1u << 0, /* `correlation` is set */
    A3MI_MSG_INLINE = 1u << 1,     /* the view is part of its block */
    A3MI_MSG_ASKS_TAKEN = 1u << 2, /* its sender wants to be told when it is taken */
};

struct a3m_msg {
    struct a3mi_outbox_node outbox; /* in the outbox, kind 0 */
    struct a3mi_fifo_node node;     /* in a send queue or a receive queue */
    uint32_t flags;
    uint32_t epoch; /* which life of its link it was numbered in */
    uint8_t *data;
    size_t size;
    struct a3mi_block *block;
    uint64_t correlation;
    void *channel;                  /* where the outbox takes it, or whence it came: set by the node */
    uint64_t number;                /* in its link */
    struct a3mi_identity *identity; /* counted; NULL for one that did not come from a link */
    struct a3mi_receipt *receipt;   /* owned, until it is sent; NULL: nobody asked */
};

/* Adds to, or drops from, an identity's count; the last drop frees it. NULL is accepted. */
void a3mi_identity_ref(struct a3mi_identity *identity, uint32_t n);
void a3mi_identity_unref(struct a3mi_identity *identity);

/*
 * Properties are what travels beside the bytes: the correlation number, and that the
 * sender wants to be told when the message is taken. On the wire they stand before the bytes, as (type u8, length u8, value)
 * entries behind a length byte.
 */
#define A3MI_PROPS_MAX 256u

/*
 * A message that was just made (a3m_msg_new), and of which no other view was, with another size; the bytes
 * that both have stay. It may move. Large ones move by their pages, without a copy. NULL: no memory, and
 * `msg` is as it was.
 */
a3m_msg *a3mi_msg_resize(a3m_msg *msg, size_t size);

/* Bytes that a3mi_msg_props_write will write; 0 when there are no properties. */
size_t a3mi_msg_props_size(const a3m_msg *msg);
/* Writes them at `out`, which has a3mi_msg_props_size bytes. */
void a3mi_msg_props_write(const a3m_msg *msg, uint8_t *out);
/*
 * Takes the properties off the front of the bytes of a message that was
 * received: the view then begins behind them. Unknown types are skipped.
 * A3M_EPROTO when they are malformed.
 */
int a3mi_msg_props_take(a3m_msg *msg);

#endif
