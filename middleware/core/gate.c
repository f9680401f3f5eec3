/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that wait until what they say is stored (core/gate.h). */
#include "core/gate.h"

#include <string.h>

#include "core/output.h"

struct gated {
    struct a3mi_fifo_node node;
    struct a3m_addr to;
    size_t size;
    uint32_t flags;
    bool large;
    uint8_t bytes[];
};

void a3mi_gate_init(struct a3mi_gate *gate)
{
    *gate = (struct a3mi_gate){0};
    a3mi_fifo_init(&gate->held);
    a3mi_fifo_init(&gate->marked);
    a3mi_fifo_init(&gate->released);
    a3mi_fifo_init(&gate->lent);
    a3mi_slab_init(&gate->slab, offsetof(struct gated, bytes) + A3MI_PACKET_SMALL_MAX, 16, 0);
    a3mi_slab_init(&gate->large_slab, offsetof(struct gated, bytes) + A3MI_PACKET_MAX, 4, 0);
}

static void drop(struct a3mi_gate *gate, struct a3mi_fifo *fifo)
{
    struct a3mi_fifo_node *node;

    while ((node = a3mi_fifo_pop(fifo)) != NULL) {
        struct gated *packet = a3mi_container_of(node, struct gated, node);

        a3mi_slab_put(packet->large ? &gate->large_slab : &gate->slab, packet);
        gate->count--;
    }
}

void a3mi_gate_fini(struct a3mi_assoc *assoc)
{
    struct a3mi_gate *gate = &assoc->gate;

    drop(gate, &gate->held);
    drop(gate, &gate->marked);
    drop(gate, &gate->released);
    drop(gate, &gate->lent);
    a3mi_slab_fini(&gate->slab);
    a3mi_slab_fini(&gate->large_slab);
}

/* Without memory it is as if the packet had been lost. */
static void hold(struct a3mi_gate *gate, const struct a3m_packet_out *packet)
{
    bool large = packet->size > A3MI_PACKET_SMALL_MAX;
    struct gated *copy = a3mi_slab_get(large ? &gate->large_slab : &gate->slab);

    if (copy == NULL) {
        return;
    }
    copy->to = *packet->to;
    copy->size = packet->size;
    copy->flags = packet->flags;
    copy->large = large;
    memcpy(copy->bytes, packet->bytes, packet->size);
    a3mi_fifo_push(&gate->held, &copy->node);
    gate->count++;
}

void a3mi_gate_fill(struct a3mi_assoc *assoc, bool flush)
{
    struct a3mi_gate *gate = &assoc->gate;
    struct a3m_packet_out out[A3MI_GATE_SPARE];
    size_t n = A3MI_GATE_SPARE;

    while (n == A3MI_GATE_SPARE && gate->count + A3MI_GATE_SPARE <= A3MI_GATE_PACKETS) {
        n = a3mi_output_build(assoc, out, A3MI_GATE_SPARE, flush);
        for (size_t i = 0; i < n; i++) {
            hold(gate, &out[i]);
        }
    }
}

size_t a3mi_gate_lend(struct a3mi_assoc *assoc, struct a3m_packet_out *out, size_t max)
{
    struct a3mi_gate *gate = &assoc->gate;
    struct a3mi_fifo_node *node;
    size_t n = 0;

    drop(gate, &gate->lent);
    while (n < max && (node = a3mi_fifo_pop(&gate->released)) != NULL) {
        const struct gated *packet = a3mi_container_of(node, struct gated, node);

        a3mi_fifo_push(&gate->lent, node);
        out[n++] = (struct a3m_packet_out){
            .to = &packet->to, .bytes = packet->bytes, .size = packet->size, .flags = packet->flags};
    }
    return n;
}

void a3mi_gate_return(struct a3mi_assoc *assoc, size_t n)
{
    struct a3mi_gate *gate = &assoc->gate;
    struct a3mi_fifo all = gate->lent;
    size_t sent = all.count > n ? all.count - n : 0;

    a3mi_fifo_init(&gate->lent);
    while (sent-- > 0) {
        a3mi_fifo_push(&gate->lent, a3mi_fifo_pop(&all));
    }
    a3mi_fifo_append(&all, &gate->released);
    gate->released = all;
}

void a3mi_gate_mark(struct a3mi_assoc *assoc)
{
    a3mi_fifo_append(&assoc->gate.marked, &assoc->gate.held);
}

void a3mi_gate_release(struct a3mi_assoc *assoc)
{
    a3mi_fifo_append(&assoc->gate.released, &assoc->gate.marked);
}
