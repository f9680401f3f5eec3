/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks of an association for programs that only send messages over links made
 * beforehand: nothing is said but messages, and nothing ends.
 */
#ifndef QUIET_HOOKS_H
#define QUIET_HOOKS_H

#include <stdlib.h>

#include "core/assoc.h"

static inline void quiet_control(void *arg, struct a3mi_peer *peer, uint64_t incarnation,
                                 const uint8_t *bytes, size_t size)
{
    (void)arg, (void)peer, (void)incarnation, (void)bytes, (void)size;
}

static inline void quiet_credit(void *arg, struct a3mi_rx *rx, uint32_t epoch, uint64_t messages,
                                uint64_t bytes)
{
    (void)arg, (void)rx, (void)epoch, (void)messages, (void)bytes;
}

static inline void quiet_acknowledged(void *arg, struct a3mi_tx *tx, uint64_t n)
{
    (void)arg, (void)tx, (void)n;
}

static inline void quiet_peer_ended(void *arg, struct a3mi_peer *peer, uint64_t incarnation,
                                    enum a3mi_peer_end why)
{
    (void)arg, (void)peer, (void)incarnation, (void)why;
    abort();
}

static inline void quiet_peer_merged(void *arg, struct a3mi_peer *from, struct a3mi_peer *into)
{
    (void)arg, (void)from, (void)into;
    abort();
}

static inline void quiet_duplicate_id(void *arg, const struct a3mi_name *id, const struct a3m_addr *where)
{
    (void)arg, (void)id, (void)where;
    abort();
}

/* All but those for messages. */
#define QUIET_HOOKS                                                                       \
    .control = quiet_control, .credit = quiet_credit, .acknowledged = quiet_acknowledged, \
    .peer_ended = quiet_peer_ended, .peer_merged = quiet_peer_merged, .duplicate_id = quiet_duplicate_id

#endif
