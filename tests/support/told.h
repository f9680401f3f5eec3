/* SPDX-License-Identifier: Apache-2.0 */
/* What was told of messages whose sender asked for receipts: all of it, in order, by message. */
#ifndef A3M_TEST_TOLD_H
#define A3M_TEST_TOLD_H

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include <a3m/a3m.h>

enum { TOLD_MAX = 4096 };

struct told {
    a3m_receipt all[TOLD_MAX];
    size_t count;
};

/* A callback for a3m_msg_set_receipt: `arg` is a struct told. */
static inline void told_note(void *arg, const a3m_receipt *receipt)
{
    struct told *told = arg;
    assert_int_equal(receipt->size, sizeof(*receipt));
    assert_true(told->count < TOLD_MAX);
    told->all[told->count++] = *receipt;
}

/* What was told of one message: a word a telling, "!" behind the last one. */
static inline const char *told_of(const struct told *told, uint64_t id)
{
    static char text[256];
    text[0] = '\0';
    for (size_t i = 0; i < told->count; i++) {
        const a3m_receipt *receipt = &told->all[i];
        const char *word = receipt->kind == A3M_RECEIPT_ACCEPTED      ? "accepted"
                           : receipt->kind == A3M_RECEIPT_TAKEN       ? "taken"
                           : receipt->kind == A3M_RECEIPT_UNDELIVERED ? "undelivered"
                           : receipt->accepted                        ? "accepted-unknown"
                                                                      : "unknown";
        if (receipt->id == id) {
            (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s%s",
                           text[0] != '\0' ? " " : "", word, receipt->last ? "!" : "");
        }
    }
    return text;
}

#endif
