/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of messages (base/message.c): what a peer put before the bytes of
 * its message is taken off or refused, the bytes behind it stay what they were,
 * and what is written is taken off the same.
 */
#include <a3m/errors.h>

#include "base/message.h"
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the entries say, by the format alone: the number of the last one of type 1; whether there is one of type 2. */
static bool expect(const uint8_t *data, size_t size, bool *has, uint64_t *number, bool *asks)
{
    size_t end = size > 0 ? 1 + (size_t)data[0] : 1;
    size_t at = 1;

    *has = false;
    *asks = false;
    *number = 0;
    if (end > size) {
        return false;
    }
    while (at < end) {
        if (at + 2 > end || at + 2 + data[at + 1] > end || (data[at] == 1 && data[at + 1] != 8)) {
            return false;
        }
        if (data[at] == 1) {
            *has = true;
            *number = 0;
            for (size_t i = 0; i < 8; i++) {
                *number = *number << 8 | data[at + 2 + i];
            }
        }
        *asks |= data[at] == 2;
        at += 2 + (size_t)data[at + 1];
    }
    return true;
}

/* Written again as this library does, and taken off again. */
static void check_again(const a3m_msg *msg)
{
    size_t size = a3mi_msg_props_size(msg);
    uint64_t number = 0, again = 0;
    bool has = a3m_msg_correlation(msg, &number);

    bool asks = (msg->flags & A3MI_MSG_ASKS_TAKEN) != 0;

    assert((size > 0) == (has || asks) && size < A3MI_PROPS_MAX);
    if (size == 0) {
        return;
    }
    a3m_msg *copy = a3m_msg_new(size + msg->size);

    assert(copy != NULL);
    a3mi_msg_props_write(msg, copy->data);
    memcpy(copy->data + size, msg->data, msg->size);
    assert(a3mi_msg_props_take(copy) == 0 && copy->size == msg->size);
    assert(memcmp(copy->data, msg->data, msg->size) == 0);
    assert(a3m_msg_correlation(copy, &again) == has && again == number);
    assert(((copy->flags & A3MI_MSG_ASKS_TAKEN) != 0) == asks);
    a3m_msg_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    a3m_msg *msg = a3m_msg_copy(data, size);
    bool has = false, asks = false;
    uint64_t number = 0, expected = 0;

    assert(msg != NULL);
    bool good = expect(data, size, &has, &expected, &asks);
    int rc = a3mi_msg_props_take(msg);

    assert((rc == 0) == good && (rc == 0 || rc == A3M_EPROTO));
    if (rc == 0) {
        size_t taken = 1 + (size_t)data[0];

        assert(a3m_msg_correlation(msg, &number) == has && number == expected);
        assert(((msg->flags & A3MI_MSG_ASKS_TAKEN) != 0) == asks);
        assert(msg->size == size - taken && memcmp(msg->data, data + taken, msg->size) == 0);
        check_again(msg);
    }
    a3m_msg_free(msg);
    return 0;
}
