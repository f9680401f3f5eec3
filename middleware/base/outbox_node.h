/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every entry of a node's outbox begins with: the link of the queue
 * (runtime/outbox.h) and what kind of entry it is, which only the node layer
 * gives a meaning; 0 is a message.
 */
#ifndef A3MI_OUTBOX_NODE_H
#define A3MI_OUTBOX_NODE_H

#include <stdatomic.h>
#include <stdint.h>

struct a3mi_outbox_node {
    _Atomic(struct a3mi_outbox_node *) next; /* [atomic: release by the pusher, acquire by the drainer] */
    uint32_t kind;                           /* [const] while in the outbox */
};

#endif
