/* SPDX-License-Identifier: Apache-2.0 */
#include "node_hold.h"

#include "runtime/reader_parts.h"

void node_hold(struct node_hold *hold, struct a3mi_node *node)
{
    hold->node = node;
    hold->entry.kind = UINT32_MAX; /* of no kind: the engine passes it over */
    atomic_store(&hold->entry.next, NULL);
    hold->before = atomic_exchange(&node->reader->outbox.head, &hold->entry);
}

void node_release(struct node_hold *hold)
{
    if (hold->node != NULL) {
        atomic_store(&hold->before->next, &hold->entry);
        atomic_store(&hold->node->reader->outbox.linked, 1);
        hold->node = NULL;
    }
}
