/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "verdict.h"

enum { LARGEST = 3000 };

static size_t size_of(struct head head)
{
    uint64_t state = (uint64_t)head.member << 32 | head.number;
    uint64_t random = a3mi_splitmix64(&state);
    /* Mostly small ones, some of several packets. */
    return sizeof(head) + (random % 8 == 0 ? (random >> 8) % (LARGEST - sizeof(head)) : (random >> 8) % 64);
}

static uint8_t byte_of(struct head head, size_t at)
{
    return (uint8_t)(head.member * 31 + head.number + at);
}

a3m_msg *ledger_message(uint32_t member, uint32_t number)
{
    struct head head = {member, number};
    size_t size = size_of(head);
    a3m_msg *msg = a3m_msg_new(size);
    uint8_t *bytes = a3m_msg_data(msg);
    memcpy(bytes, &head, sizeof(head));
    for (size_t i = sizeof(head); i < size; i++) {
        bytes[i] = byte_of(head, i);
    }
    return msg;
}

struct head ledger_read(const a3m_msg *msg)
{
    struct head head = {UINT32_MAX, UINT32_MAX};
    const uint8_t *bytes = a3m_msg_data(msg);
    if (!CHECK(a3m_msg_size(msg) >= sizeof(head))) {
        return head;
    }
    memcpy(&head, bytes, sizeof(head));
    bool same = a3m_msg_size(msg) == size_of(head);
    for (size_t i = sizeof(head); same && i < a3m_msg_size(msg); i++) {
        same = bytes[i] == byte_of(head, i);
    }
    CHECK(same);
    return head;
}

void ledger_open(struct ledger *ledger, uint32_t members, uint32_t numbers)
{
    *ledger = (struct ledger){.members = members, .numbers = numbers};
    ledger->memory = calloc((size_t)members * numbers, sizeof(*ledger->seen));
    assert_non_null(ledger->memory);
    ledger->seen = ledger->memory;
}

void ledger_note(struct ledger *ledger, struct head head)
{
    if (CHECK(head.member < ledger->members && head.number < ledger->numbers)) {
        CHECK(atomic_fetch_add(&ledger->seen[(size_t)head.member * ledger->numbers + head.number], 1) == 0);
    }
}

size_t ledger_close(struct ledger *ledger)
{
    size_t arrived = 0;
    for (size_t i = 0; i < (size_t)ledger->members * ledger->numbers; i++) {
        arrived += ledger->seen[i];
    }
    free(ledger->memory);
    return arrived;
}
