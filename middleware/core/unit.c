/* SPDX-License-Identifier: Apache-2.0 */
/* Units (core/unit.h). */
#include "core/unit.h"

struct a3mi_part *a3mi_unit_part(struct a3mi_unit *unit, struct a3mi_tx *tx)
{
    for (unsigned i = unit->parts_count; i-- > 0;) {
        if (unit->parts[i].tx == tx) {
            return &unit->parts[i];
        }
    }
    if (unit->parts_count == A3MI_UNIT_PARTS) {
        return NULL;
    }
    struct a3mi_part *part = &unit->parts[unit->parts_count++];

    *part = (struct a3mi_part){.tx = tx};
    tx->units_in_flight++;
    return part;
}

/* One unit less holds a piece. Returns how many messages that makes acknowledged. */
static uint32_t span_less(struct a3mi_assoc *assoc, struct a3mi_span **at)
{
    struct a3mi_span *span = *at;

    *at = NULL;
    if (span == NULL || --span->units > 0 || !span->whole) {
        return 0;
    }
    a3mi_slab_put(&assoc->span_slab, span);
    return 1;
}

void a3mi_unit_acknowledged(struct a3mi_assoc *assoc, struct a3mi_unit *unit)
{
    for (unsigned i = 0; i < unit->parts_count; i++) {
        struct a3mi_part *part = &unit->parts[i];
        struct a3mi_tx *tx = part->tx;

        if (tx == NULL) {
            continue;
        }
        tx->units_in_flight--;
        tx->newly_acked += part->messages;
        tx->newly_acked += span_less(assoc, &part->head);
        tx->newly_acked += span_less(assoc, &part->tail);
        if (tx->newly_acked > 0 && !a3mi_list_linked(&tx->acked)) {
            a3mi_list_push_back(&assoc->acked, &tx->acked);
        }
    }
    unit->parts_count = 0;
}

/*
 * Whoever forgets a channel forgets it in all units, so its spans go with their
 * last unit; the one that the channel is still filling is the channel's to free.
 */
static void span_forget(struct a3mi_assoc *assoc, const struct a3mi_tx *tx, struct a3mi_span **at)
{
    struct a3mi_span *span = *at;

    *at = NULL;
    if (span != NULL && --span->units == 0 && span != tx->span) {
        a3mi_slab_put(&assoc->span_slab, span);
    }
}

void a3mi_unit_forget(struct a3mi_assoc *assoc, struct a3mi_unit *unit, const struct a3mi_tx *tx)
{
    for (unsigned i = 0; i < unit->parts_count; i++) {
        struct a3mi_part *part = &unit->parts[i];

        if (part->tx == NULL || (tx != NULL && part->tx != tx)) {
            continue;
        }
        span_forget(assoc, part->tx, &part->head);
        span_forget(assoc, part->tx, &part->tail);
        part->tx->units_in_flight--;
        part->tx = NULL;
    }
}
