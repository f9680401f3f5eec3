/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that say who sent them, and a ledger of which arrived: each once, whole.
 */
#ifndef A3M_TEST_LEDGER_H
#define A3M_TEST_LEDGER_H

#include <stddef.h>
#include <stdint.h>

#include <a3m/a3m.h>

/* The first bytes of a message: who sent it, as which of its messages. */
struct head {
    uint32_t member;
    uint32_t number;
};

/* Its size and bytes follow from its head. Mostly small, some of several packets. */
a3m_msg *ledger_message(uint32_t member, uint32_t number);

/* Reads the head, and CHECKs that size and bytes are those that were sent. Any thread. */
struct head ledger_read(const a3m_msg *msg);

struct ledger {
    uint32_t members, numbers;
    void *memory;
    _Atomic uint8_t *seen;
};

/* For so many members with so many messages each. */
void ledger_open(struct ledger *ledger, uint32_t members, uint32_t numbers);

/* Any thread. A second time is a failed CHECK. */
void ledger_note(struct ledger *ledger, struct head head);

/* How many arrived, all told. */
size_t ledger_close(struct ledger *ledger);

#endif
