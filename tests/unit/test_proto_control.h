/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of control messages: one of each kind, what protobuf-c makes of others, and reading them back.
 */
#ifndef TEST_PROTO_CONTROL_H
#define TEST_PROTO_CONTROL_H

#include "test_base_random.h"

#include <stdlib.h>
#include <string.h>

#include <a3m/errors.h>

#include "link.pb-c.h"
#include "proto/control.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const enum a3mi_control_kind kinds[] = {
    A3MI_CONTROL_REQUEST, A3MI_CONTROL_ACCEPT,  A3MI_CONTROL_REFUSE,
    A3MI_CONTROL_END,     A3MI_CONTROL_ENDED,   A3MI_CONTROL_CAPACITY,
    A3MI_CONTROL_TAKEN,   A3MI_CONTROL_UNHEARD, A3MI_CONTROL_METADATA};

static inline void set_name(struct a3mi_name *name, const char *text)
{
    assert_int_equal(a3mi_name_set(name, text, strlen(text)), 0);
}

/* A message with everything in it that its kind has. */
static inline struct a3mi_control sample(enum a3mi_control_kind kind)
{
    static const uint8_t metadata[] = {0x00, 0x01, 0xFF, 0x00};
    struct a3mi_control c = {.kind = kind, .author_link = 7, .addressee_link = 0x1122334455667788u};

    if (kind == A3MI_CONTROL_REQUEST) {
        set_name(&c.author_tag, "client-\xc3\xa9");
        set_name(&c.addressee_tag, "echo");
    }
    if (kind == A3MI_CONTROL_REQUEST || kind == A3MI_CONTROL_ACCEPT) {
        strcpy(c.type, "REQ");
        c.index = 5;
        c.credit_messages = 1000;
        c.credit_bytes = 1 << 20;
        c.max_message = 64 << 20;
    }
    if (kind == A3MI_CONTROL_REQUEST || kind == A3MI_CONTROL_ACCEPT || kind == A3MI_CONTROL_METADATA) {
        c.metadata = metadata;
        c.metadata_size = sizeof(metadata);
    }
    if (kind == A3MI_CONTROL_CAPACITY) {
        c.credit_messages = 3;
        c.credit_bytes = 1 << 16;
    }
    if (kind == A3MI_CONTROL_TAKEN || kind == A3MI_CONTROL_UNHEARD) {
        c.ranges[0] = (struct a3mi_numbers){0, 1};
        c.ranges[1] = (struct a3mi_numbers){2, 1000};
        c.ranges[2] = (struct a3mi_numbers){UINT64_C(1) << 40, UINT64_MAX};
        c.range_count = 3;
    }
    if (kind == A3MI_CONTROL_REFUSE || kind == A3MI_CONTROL_END) {
        c.refusal = A3MI_REFUSAL_INCOMPATIBLE;
        strcpy(c.text, "REQ does not go with PULL");
    }
    if (kind == A3MI_CONTROL_END || kind == A3MI_CONTROL_ENDED) {
        c.count = UINT64_MAX;
        c.received = 42;
    }
    return c;
}

static inline void assert_same(const struct a3mi_control *a, const struct a3mi_control *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_true(a->author_link == b->author_link && a->addressee_link == b->addressee_link);
    assert_true(a3mi_name_eq(&a->author_tag, &b->author_tag));
    assert_true(a3mi_name_eq(&a->addressee_tag, &b->addressee_tag));
    assert_string_equal(a->type, b->type);
    assert_int_equal(a->index, b->index);
    assert_true(a->credit_messages == b->credit_messages && a->credit_bytes == b->credit_bytes);
    assert_true(a->max_message == b->max_message);
    assert_int_equal(a->metadata_size, b->metadata_size);
    if (a->metadata_size > 0) {
        assert_memory_equal(a->metadata, b->metadata, a->metadata_size);
    }
    assert_int_equal(a->refusal, b->refusal);
    assert_string_equal(a->text, b->text);
    assert_true(a->count == b->count && a->received == b->received);
    assert_int_equal(a->range_count, b->range_count);
    for (size_t i = 0; i < a->range_count; i++) {
        assert_true(a->ranges[i].first == b->ranges[i].first && a->ranges[i].end == b->ranges[i].end);
    }
}

/* Decodes a copy that ends where its allocation does, so that a sanitizer sees what reads beyond. */
static inline int decode(const uint8_t *bytes, size_t size, uint8_t *scratch, struct a3mi_control *control)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    int rc = a3mi_control_decode(copy, size, scratch, control);
    free(copy);
    return rc;
}

static inline void assert_round_trip(const struct a3mi_control *control)
{
    uint8_t bytes[A3MI_CONTROL_MAX], scratch[A3MI_CONTROL_METADATA_MAX];
    struct a3mi_control again;
    size_t size = a3mi_control_encode(control, bytes, sizeof(bytes));

    assert_true(size > 0);
    assert_int_equal(decode(bytes, size, scratch, &again), 0);
    assert_same(control, &again);
    assert_true(again.metadata_size == 0 ? again.metadata == NULL : again.metadata == scratch);
}

/* Decodes what protobuf-c makes of a message: also what a3mi_control_encode would not write. */
static inline int decode_wire(const A3m__Link__Control *wire, struct a3mi_control *control)
{
    uint8_t bytes[8192], scratch[A3MI_CONTROL_METADATA_MAX];

    assert_true(a3m__link__control__get_packed_size(wire) <= sizeof(bytes));
    return decode(bytes, a3m__link__control__pack(wire, bytes), scratch, control);
}

static inline ProtobufCBinaryData text_field(const char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)(uintptr_t)text};
}

static inline A3m__Link__Control wire_sample(A3m__Link__Kind kind)
{
    static uint64_t ranges[] = {0, 1};
    A3m__Link__Control wire = A3M__LINK__CONTROL__INIT;

    wire.kind = kind;
    wire.author_link = 1;
    wire.addressee_link = 2;
    wire.author_tag = text_field("a");
    wire.addressee_tag = text_field("b");
    wire.type = text_field("REQ");
    wire.index = 1;
    wire.refusal = A3M__LINK__REFUSAL__REFUSAL_NOT_READY;
    wire.ranges = ranges;
    wire.n_ranges = COUNT(ranges);
    return wire;
}

#endif
