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

    *part = (struct a3mi_part){.tx = tx, .first = tx->packed};
    a3mi_list_init(&part->on_tx);
    a3mi_list_push_back(&tx->parts, &part->on_tx);
    tx->units_in_flight++;
    return part;
}

uint64_t a3mi_unit_acked_below(const struct a3mi_tx *tx)
{
    struct a3mi_list *oldest = a3mi_list_first(&tx->parts);

    return oldest != NULL ? a3mi_container_of(oldest, struct a3mi_part, on_tx)->first : tx->packed;
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
        a3mi_list_remove(&part->on_tx);
        if (a3mi_unit_acked_below(tx) > tx->acknowledged && !a3mi_list_linked(&tx->acked)) {
            a3mi_list_push_back(&assoc->acked, &tx->acked);
        }
    }
    unit->parts_count = 0;
}

void a3mi_unit_forget(struct a3mi_unit *unit, const struct a3mi_tx *tx)
{
    for (unsigned i = 0; i < unit->parts_count; i++) {
        struct a3mi_part *part = &unit->parts[i];

        if (part->tx == NULL || (tx != NULL && part->tx != tx)) {
            continue;
        }
        a3mi_list_remove(&part->on_tx);
        part->tx->units_in_flight--;
        part->tx = NULL;
    }
}
