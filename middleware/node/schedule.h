/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that are sent later (a3m_send_at). Private to this folder.
 *
 *      a3m_send_at          its time has come        sent, or dropped with a report
 *     ───────────► WAITING ─────────────────► TRYING ─────────────────────────────► OVER
 *                    ▲  │                       │ no credit, link or room                ▲
 *                    │  └── cancel ─────────────│──────────────────────────────► OVER    │
 *                    │   something is possible  ▼                                        │
 *                    └──────────────────────BLOCKED ── cancel ───────────────────────────┘
 *
 * BLOCKED stand in a line, of the socket or of the link that was named, and its first is tried when something is possible.
 *
 * Its time is an event of the reader thread's queue, like a LinkRetryEvent; the
 * attempt is made on the reader thread after the turn, with no lock held, as the
 * type of the socket has it, and never blocks.
 */
#ifndef A3MI_SCHEDULE_H
#define A3MI_SCHEDULE_H

#include "node/node.h"

struct a3mi_schedule;

/* [engine] CMD_SCHEDULE: what its state asks of the event queue. */
void a3mi_schedule_on_command(struct a3mi_outbox_node *entry, int64_t now);
/* [engine] The node closes: what has not been sent is dropped. Returns how many messages that were. */
uint64_t a3mi_schedules_drop(struct a3mi_node *node);

#endif
