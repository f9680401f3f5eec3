/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control messages to bytes and back: proto/control.h.
 * covers U1
 */
#include "test_base_random.h"

#include <string.h>

#include <a3m/errors.h>

#include "link.pb-c.h"
#include "proto/control.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const enum a3mi_control_kind kinds[] = {
    A3MI_CONTROL_REQUEST, A3MI_CONTROL_ACCEPT,  A3MI_CONTROL_REFUSE,
    A3MI_CONTROL_END,     A3MI_CONTROL_ENDED,   A3MI_CONTROL_CAPACITY,
    A3MI_CONTROL_TAKEN,   A3MI_CONTROL_UNHEARD, A3MI_CONTROL_METADATA};

/* ---- Helpers ------------------------------------------------------------------ */

static void set_name(struct a3mi_name *name, const char *text)
{
    assert_int_equal(a3mi_name_set(name, text, strlen(text)), 0);
}

/* A message with everything in it that its kind has. */
static struct a3mi_control sample(enum a3mi_control_kind kind)
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

static void assert_same(const struct a3mi_control *a, const struct a3mi_control *b)
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
static int decode(const uint8_t *bytes, size_t size, uint8_t *scratch, struct a3mi_control *control)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    int rc = a3mi_control_decode(copy, size, scratch, control);
    free(copy);
    return rc;
}

static void assert_round_trip(const struct a3mi_control *control)
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
static int decode_wire(const A3m__Link__Control *wire, struct a3mi_control *control)
{
    uint8_t bytes[8192], scratch[A3MI_CONTROL_METADATA_MAX];

    assert_true(a3m__link__control__get_packed_size(wire) <= sizeof(bytes));
    return decode(bytes, a3m__link__control__pack(wire, bytes), scratch, control);
}

static ProtobufCBinaryData text_field(const char *text)
{
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)(uintptr_t)text};
}

static A3m__Link__Control wire_sample(A3m__Link__Kind kind)
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

/* ---- Good messages -------------------------------------------------------------- */

static void test_control_each_kind_round_trips(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct a3mi_control control = sample(kinds[i]);
        assert_round_trip(&control);
    }
}

static void test_control_least_of_each_kind_round_trips(void **state)
{
    (void)state;
    struct a3mi_control request = {.kind = A3MI_CONTROL_REQUEST, .author_link = 1, .type = "X", .index = 1};
    struct a3mi_control accept = {
        .kind = A3MI_CONTROL_ACCEPT, .author_link = 1, .addressee_link = 1, .type = "X", .index = 1};
    struct a3mi_control refuse = {.kind = A3MI_CONTROL_REFUSE, .addressee_link = 1, .refusal = 1};
    struct a3mi_control end = {.kind = A3MI_CONTROL_END, .author_link = 1};
    struct a3mi_control ended = {.kind = A3MI_CONTROL_ENDED, .addressee_link = 1};

    set_name(&request.author_tag, "a");
    set_name(&request.addressee_tag, "$b");
    assert_round_trip(&request);
    assert_round_trip(&accept);
    assert_round_trip(&refuse);
    assert_round_trip(&end);
    assert_round_trip(&ended);
}

static void test_control_largest_of_each_kind_fits(void **state)
{
    (void)state;
    static uint8_t metadata[A3MI_CONTROL_METADATA_MAX];
    memset(metadata, 0xA5, sizeof(metadata));

    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct a3mi_control c = {.kind = kinds[i],
                                 .author_link = UINT64_MAX,
                                 .addressee_link = UINT64_MAX,
                                 .index = UINT32_MAX,
                                 .credit_messages = UINT64_MAX,
                                 .credit_bytes = UINT64_MAX,
                                 .max_message = UINT64_MAX,
                                 .metadata = metadata,
                                 .metadata_size = sizeof(metadata),
                                 .refusal = UINT32_MAX,
                                 .count = UINT64_MAX,
                                 .received = UINT64_MAX,
                                 .range_count = A3MI_CONTROL_RANGES_MAX};
        uint8_t bytes[A3MI_CONTROL_MAX], scratch[A3MI_CONTROL_METADATA_MAX];
        struct a3mi_control again;

        for (uint64_t r = 0; r < c.range_count; r++) {
            c.ranges[r].first = (r + 1) * (UINT64_MAX / A3MI_CONTROL_RANGES_MAX) - UINT64_MAX / 128;
            c.ranges[r].end = (r + 1) * (UINT64_MAX / A3MI_CONTROL_RANGES_MAX);
        }
        memset(c.author_tag.s, 'a', c.author_tag.len = A3MI_NAME_MAX);
        memset(c.addressee_tag.s, 'b', c.addressee_tag.len = A3MI_NAME_MAX);
        memset(c.type, 'T', sizeof(c.type) - 1);
        memset(c.text, 't', sizeof(c.text) - 1);
        size_t size = a3mi_control_encode(&c, bytes, sizeof(bytes));
        assert_in_range(size, 1, 2048); /* leaves as much again for fields of later versions */
        assert_int_equal(decode(bytes, size, scratch, &again), 0);
    }
}

static void test_control_request_has_the_documented_bytes(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        0x08, 1,                      /* kind */
        0x10, 7,                      /* author_link */
        0x22, 1,    'a',              /* author_tag */
        0x2a, 1,    'b',              /* addressee_tag */
        0x32, 3,    'R',  'E',  'Q',  /* type */
        0x38, 5,                      /* index */
        0x40, 0xe8, 0x07,             /* credit_messages: 1,000 */
        0x48, 0x80, 0x80, 0x40,       /* credit_bytes: 1 MiB */
        0x50, 0x80, 0x80, 0x80, 0x20, /* max_message: 64 MiB */
        0x5a, 4,    0x00, 0x01, 0xff, 0x00,
    };
    struct a3mi_control request = sample(A3MI_CONTROL_REQUEST);
    uint8_t bytes[A3MI_CONTROL_MAX];

    set_name(&request.author_tag, "a");
    set_name(&request.addressee_tag, "b");
    request.addressee_link = 0;
    assert_int_equal(a3mi_control_encode(&request, bytes, sizeof(bytes)), sizeof(expected));
    assert_memory_equal(bytes, expected, sizeof(expected));
}

static void test_control_fields_of_other_kinds_do_not_travel(void **state)
{
    (void)state;
    A3m__Link__Control wire = wire_sample(A3M__LINK__KIND__KIND_ENDED);
    struct a3mi_control control;
    wire.count = 3;

    assert_int_equal(decode_wire(&wire, &control), 0);
    assert_int_equal(control.count, 3);
    assert_int_equal(control.author_tag.len, 0);
    assert_string_equal(control.type, "");
    assert_int_equal(control.index, 0);
    assert_int_equal(control.refusal, 0);

    struct a3mi_control full = sample(A3MI_CONTROL_REQUEST),
                        least = {.kind = A3MI_CONTROL_ENDED, .author_link = 7};
    uint8_t a[A3MI_CONTROL_MAX], b[A3MI_CONTROL_MAX];
    full.kind = A3MI_CONTROL_ENDED;
    full.addressee_link = 0;
    size_t size = a3mi_control_encode(&full, a, sizeof(a));
    assert_int_equal(a3mi_control_encode(&least, b, sizeof(b)), size);
    assert_memory_equal(a, b, size);
}

static void test_control_refusal_of_a_later_version_is_kept(void **state)
{
    (void)state;
    struct a3mi_control control = sample(A3MI_CONTROL_REFUSE);

    for (unsigned i = 0; i < 32; i++) {
        control.refusal = 1u << i;
        assert_round_trip(&control);
    }
    assert_false(a3mi_refusal_final(63));
    assert_true(a3mi_refusal_final(64));
}

static void test_control_unknown_fields_are_skipped(void **state)
{
    (void)state;
    static const uint8_t unknown[] = {
        0xc0, 0x3e, 1,                            /* 1,000: varint */
        0xca, 0x3e, 3, 'x', 'y', 'z',             /* 1,001: bytes */
        0xd1, 0x3e, 1, 2,   3,   4,   5, 6, 7, 8, /* 1,002: 64 bits */
        0xdd, 0x3e, 1, 2,   3,   4,               /* 1,003: 32 bits */
    };
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct a3mi_control control = sample(kinds[i]), again;
        uint8_t bytes[A3MI_CONTROL_MAX], scratch[A3MI_CONTROL_METADATA_MAX];
        size_t size = a3mi_control_encode(&control, bytes + sizeof(unknown), sizeof(bytes) - sizeof(unknown));

        memcpy(bytes, unknown, sizeof(unknown));
        size += sizeof(unknown);
        for (unsigned n = 0; n < 20; n++) {
            memcpy(bytes + size, unknown, sizeof(unknown));
            size += sizeof(unknown);
        }
        assert_int_equal(decode(bytes, size, scratch, &again), 0);
        assert_same(&control, &again);
    }
}

/* ---- Texts ------------------------------------------------------------------------ */

static void test_control_long_text_is_cut_at_a_character(void **state)
{
    (void)state;
    /* Two, three and four bytes that would end beyond 255, and ones that end exactly there. */
    static const struct {
        const char *character;
        size_t before, expected;
    } cases[] = {
        {"\xc3\xa9", 254, 254},
        {"\xc3\xa9", 253, 255},
        {"\xe2\x82\xac", 253, 253},
        {"\xe2\x82\xac", 252, 255},
        {"\xf0\x9f\x98\x80", 252, 252},
        {"\xf0\x9f\x98\x80", 251, 255},
        {"a", 254, 255},
        {"a", 255, 255},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[600];
        memset(text, 'x', sizeof(text));
        memcpy(text + cases[i].before, cases[i].character, strlen(cases[i].character));
        text[sizeof(text) - 1] = '\0';
        A3m__Link__Control wire = wire_sample(A3M__LINK__KIND__KIND_REFUSE);
        struct a3mi_control control;
        wire.text = text_field(text);

        assert_int_equal(decode_wire(&wire, &control), 0);
        assert_int_equal(strlen(control.text), cases[i].expected);
        assert_memory_equal(control.text, text, cases[i].expected);
    }
}

static void test_control_unprintable_text_is_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"\x1b[2Jgone\n", "?[2Jgone?"},
        {"tab\tdel\x7f", "tab?del?"},
        {"c1 \xc2\x9b", "c1 ??"},
        {"ok \xc2\xa0", "ok \xc2\xa0"},
        {"cut \xe2\x82", "cut ??"},
        {"overlong \xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf", "overlong ?? ??? ????"},
        {"surrogate \xed\xa0\x80", "surrogate ???"},
        {"beyond \xf4\x90\x80\x80 \xff", "beyond ???? ?"},
        {"last \xf4\x8f\xbf\xbf \xed\x9f\xbf \xe0\xa0\x80 \xf0\x90\x80\x80",
         "last \xf4\x8f\xbf\xbf \xed\x9f\xbf \xe0\xa0\x80 \xf0\x90\x80\x80"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        A3m__Link__Control wire = wire_sample(A3M__LINK__KIND__KIND_END);
        struct a3mi_control control;
        wire.text = text_field(cases[i].text);

        assert_int_equal(decode_wire(&wire, &control), 0);
        assert_string_equal(control.text, cases[i].expected);
    }

    A3m__Link__Control wire = wire_sample(A3M__LINK__KIND__KIND_END);
    struct a3mi_control control;
    wire.text = (ProtobufCBinaryData){.len = 3, .data = (uint8_t[]){'a', 0, 'b'}};
    assert_int_equal(decode_wire(&wire, &control), 0);
    assert_string_equal(control.text, "a?b");
}

static void test_control_text_cut_within_a_character_is_repaired_when_sent(void **state)
{
    (void)state;
    struct a3mi_control control = sample(A3MI_CONTROL_REFUSE), again;
    uint8_t bytes[A3MI_CONTROL_MAX], scratch[A3MI_CONTROL_METADATA_MAX];
    memset(control.text, 'x', sizeof(control.text) - 1);
    control.text[254] = '\xe2'; /* what snprintf leaves of a longer text */

    size_t size = a3mi_control_encode(&control, bytes, sizeof(bytes));
    assert_int_equal(decode(bytes, size, scratch, &again), 0);
    assert_int_equal(strlen(again.text), 255);
    assert_int_equal(again.text[254], '?');
}

/* ---- Bad messages -------------------------------------------------------------------- */

static void test_control_buffer_too_small_encodes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct a3mi_control control = sample(kinds[i]);
        uint8_t bytes[A3MI_CONTROL_MAX];
        size_t size = a3mi_control_encode(&control, bytes, sizeof(bytes));

        for (size_t room = 0; room < size; room++) {
            uint8_t *exact = malloc(room > 0 ? room : 1);
            assert_non_null(exact);
            assert_int_equal(a3mi_control_encode(&control, exact, room), 0);
            free(exact);
        }
        assert_int_equal(a3mi_control_encode(&control, bytes, size), size);
    }
}

static void test_control_invalid_message_is_not_encoded(void **state)
{
    (void)state;
    struct a3mi_control control = sample(A3MI_CONTROL_REQUEST);
    uint8_t bytes[A3MI_CONTROL_MAX];

    control.metadata_size = A3MI_CONTROL_METADATA_MAX + 1;
    assert_int_equal(a3mi_control_encode(&control, bytes, sizeof(bytes)), 0);
    control.metadata_size = 0;
    control.kind = (enum a3mi_control_kind)0;
    assert_int_equal(a3mi_control_encode(&control, bytes, sizeof(bytes)), 0);
    control.kind = (enum a3mi_control_kind)10;
    assert_int_equal(a3mi_control_encode(&control, bytes, sizeof(bytes)), 0);
}

static void test_control_unknown_kind_is_a_protocol_error(void **state)
{
    (void)state;
    static const int unknown[] = {0, 10, 11, 127, 128, 1 << 20, INT32_MAX, -1, INT32_MIN};

    for (size_t i = 0; i < COUNT(unknown); i++) {
        A3m__Link__Control wire = wire_sample((A3m__Link__Kind)unknown[i]);
        struct a3mi_control control;
        assert_int_equal(decode_wire(&wire, &control), A3M_EPROTO);
    }
    struct a3mi_control control;
    uint8_t scratch[A3MI_CONTROL_METADATA_MAX];
    assert_int_equal(a3mi_control_decode(NULL, 0, scratch, &control), A3M_EPROTO);
}

static void test_control_missing_number_is_a_protocol_error(void **state)
{
    (void)state;
    static const struct {
        A3m__Link__Kind kind;
        int neither, author, addressee, both; /* what there is, and what becomes of it */
    } cases[] = {
        {A3M__LINK__KIND__KIND_REQUEST, A3M_EPROTO, 0, A3M_EPROTO, 0},
        {A3M__LINK__KIND__KIND_ACCEPT, A3M_EPROTO, A3M_EPROTO, A3M_EPROTO, 0},
        {A3M__LINK__KIND__KIND_REFUSE, A3M_EPROTO, A3M_EPROTO, 0, 0},
        {A3M__LINK__KIND__KIND_END, A3M_EPROTO, 0, 0, 0},
        {A3M__LINK__KIND__KIND_ENDED, A3M_EPROTO, 0, 0, 0},
        {A3M__LINK__KIND__KIND_CAPACITY, A3M_EPROTO, A3M_EPROTO, A3M_EPROTO, 0},
        {A3M__LINK__KIND__KIND_TAKEN, A3M_EPROTO, A3M_EPROTO, A3M_EPROTO, 0},
        {A3M__LINK__KIND__KIND_UNHEARD, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        A3m__Link__Control wire = wire_sample(cases[i].kind);
        struct a3mi_control control;

        assert_int_equal(decode_wire(&wire, &control), cases[i].both);
        wire.author_link = 0;
        assert_int_equal(decode_wire(&wire, &control), cases[i].addressee);
        wire.addressee_link = 0;
        assert_int_equal(decode_wire(&wire, &control), cases[i].neither);
        wire.author_link = 1;
        assert_int_equal(decode_wire(&wire, &control), cases[i].author);
    }
}

static void test_control_bad_name_is_a_protocol_error(void **state)
{
    (void)state;
    char longest[257];
    memset(longest, 'n', 256);
    longest[256] = '\0';
    const ProtobufCBinaryData names[] = {
        text_field(""),     text_field("a/b"),   text_field("\xff"),
        text_field("a\nb"), text_field(longest), {.len = 3, .data = (uint8_t[]){'a', 0, 'b'}},
    };
    struct a3mi_control control;

    for (size_t i = 0; i < COUNT(names); i++) {
        A3m__Link__Control wire = wire_sample(A3M__LINK__KIND__KIND_REQUEST);
        wire.author_tag = names[i];
        assert_int_equal(decode_wire(&wire, &control), A3M_EPROTO);
        assert_non_null(strstr(a3m_error_detail(), "author's tag"));
        wire.author_tag = text_field("a");
        wire.addressee_tag = names[i];
        assert_int_equal(decode_wire(&wire, &control), A3M_EPROTO);
        assert_non_null(strstr(a3m_error_detail(), "addressee's tag"));
    }
}

static void test_control_bad_offer_is_a_protocol_error(void **state)
{
    (void)state;
    static uint8_t metadata[A3MI_CONTROL_METADATA_MAX + 1];
    static const char *const types[] = {"", "a\nb", "\x7f", "R\xc3\x89Q", "0123456789abcdef0123456789abcdef"};
    static const A3m__Link__Kind offers[] = {A3M__LINK__KIND__KIND_REQUEST, A3M__LINK__KIND__KIND_ACCEPT};

    for (size_t i = 0; i < COUNT(offers); i++) {
        A3m__Link__Control wire = wire_sample(offers[i]);
        struct a3mi_control control;

        wire.metadata = (ProtobufCBinaryData){.len = A3MI_CONTROL_METADATA_MAX, .data = metadata};
        assert_int_equal(decode_wire(&wire, &control), 0);
        assert_int_equal(control.metadata_size, A3MI_CONTROL_METADATA_MAX);
        wire.metadata.len++;
        assert_int_equal(decode_wire(&wire, &control), A3M_EPROTO);

        wire = wire_sample(offers[i]);
        wire.index = 0;
        assert_int_equal(decode_wire(&wire, &control), A3M_EPROTO);
        wire.index = UINT32_MAX;
        for (size_t t = 0; t < COUNT(types); t++) {
            wire.type = text_field(types[t]);
            assert_int_equal(decode_wire(&wire, &control), A3M_EPROTO);
        }
        wire.type = text_field("0123456789abcdef 0123456789abc~");
        assert_int_equal(decode_wire(&wire, &control), 0);
    }
}

static void test_control_refusal_without_reason_is_a_protocol_error(void **state)
{
    (void)state;
    A3m__Link__Control wire = wire_sample(A3M__LINK__KIND__KIND_REFUSE);
    struct a3mi_control control;

    wire.refusal = A3M__LINK__REFUSAL__REFUSAL_UNSPECIFIED;
    assert_int_equal(decode_wire(&wire, &control), A3M_EPROTO);
    wire.kind = A3M__LINK__KIND__KIND_END;
    assert_int_equal(decode_wire(&wire, &control), 0);
}

static void test_control_bad_ranges_are_a_protocol_error(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        uint64_t v[6]; /* gap, length, ... */
        int result;
    } cases[] = {
        {0, {0}, A3M_EPROTO},
        {1, {0}, A3M_EPROTO},
        {3, {0, 1, 1}, A3M_EPROTO},
        {2, {0, 0}, A3M_EPROTO},          /* empty */
        {4, {0, 1, 0, 1}, A3M_EPROTO},    /* not apart */
        {2, {UINT64_MAX, 1}, A3M_EPROTO}, /* beyond the end */
        {4, {1, UINT64_MAX - 1, 1, 1}, A3M_EPROTO},
        {2, {0, UINT64_MAX}, A3M_OK},
        {6, {5, 1, 1, 1, 7, 2}, A3M_OK},
    };
    uint64_t many[2 * A3MI_CONTROL_RANGES_MAX + 2];
    struct a3mi_control control;
    for (size_t i = 0; i < COUNT(cases); i++) {
        A3m__Link__Control wire = wire_sample(A3M__LINK__KIND__KIND_TAKEN);
        wire.ranges = (uint64_t *)(uintptr_t)cases[i].v;
        wire.n_ranges = cases[i].n;
        assert_int_equal(decode_wire(&wire, &control), cases[i].result);
    }
    for (size_t i = 0; i < COUNT(many); i++) {
        many[i] = 1;
    }
    A3m__Link__Control wire = wire_sample(A3M__LINK__KIND__KIND_TAKEN);
    wire.ranges = many;
    wire.n_ranges = COUNT(many);
    assert_int_equal(decode_wire(&wire, &control), A3M_EPROTO);
    wire.n_ranges -= 2;
    assert_int_equal(decode_wire(&wire, &control), A3M_OK);
    assert_int_equal(control.range_count, A3MI_CONTROL_RANGES_MAX);
    assert_int_equal(control.ranges[1].first, 3);
}

static void test_control_wrong_form_is_a_protocol_error(void **state)
{
    (void)state;
    static const uint8_t tag_as_number[] = {0x08, 1, 0x10, 7, 0x20, 1};
    static const uint8_t kind_as_bytes[] = {0x0a, 1, 1};
    static const uint8_t group[] = {0x08, 1, 0x0b, 0x0c};
    static const uint8_t field_zero[] = {0x00, 0x01};
    static const uint8_t endless_number[] = {0x08, 0x81, 0x81, 0x81, 0x81, 0x81,
                                             0x81, 0x81, 0x81, 0x81, 0x81, 0x81};
    static const uint8_t huge_length[] = {0x08, 1, 0x22, 0xff, 0xff, 0xff, 0xff, 0x0f};
    static const struct {
        const uint8_t *bytes;
        size_t size;
    } cases[] = {
        {tag_as_number, sizeof(tag_as_number)},
        {kind_as_bytes, sizeof(kind_as_bytes)},
        {group, sizeof(group)},
        {field_zero, sizeof(field_zero)},
        {endless_number, sizeof(endless_number)},
        {huge_length, sizeof(huge_length)},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t scratch[A3MI_CONTROL_METADATA_MAX];
        struct a3mi_control control;
        assert_int_equal(decode(cases[i].bytes, cases[i].size, scratch, &control), A3M_EPROTO);
    }
}

static void test_control_too_long_is_a_protocol_error(void **state)
{
    (void)state;
    struct a3mi_control control = sample(A3MI_CONTROL_ENDED), again;
    uint8_t bytes[A3MI_CONTROL_MAX + 1], scratch[A3MI_CONTROL_METADATA_MAX];
    size_t size = a3mi_control_encode(&control, bytes, sizeof(bytes));

    /* One unknown field fills the message up. */
    size_t rest = sizeof(bytes) - 1 - size - 4;
    const uint8_t head[] = {0xca, 0x3e, (uint8_t)(rest & 0x7f) | 0x80, (uint8_t)(rest >> 7)};
    memcpy(bytes + size, head, sizeof(head));
    memset(bytes + size + sizeof(head), 0, rest);
    assert_int_equal(decode(bytes, sizeof(bytes) - 1, scratch, &again), 0);
    assert_same(&control, &again);
    bytes[sizeof(bytes) - 1] = 0;
    assert_int_equal(decode(bytes, sizeof(bytes), scratch, &again), A3M_EPROTO);
}

static void test_control_too_many_fields_stay_within_bounded_memory(void **state)
{
    (void)state;
    uint8_t scratch[A3MI_CONTROL_METADATA_MAX], bytes[A3MI_CONTROL_MAX];
    struct a3mi_control control;

    /* 2,048 times `count` or `received`, or 1,365 unknown fields: each field takes protobuf-c more memory than bytes. */
    for (uint8_t first = 0x70; first <= 0x80 - 8; first += 8) {
        memset(bytes, 1, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i += 2) {
            bytes[i] = first;
        }
        assert_int_equal(decode(bytes, sizeof(bytes), scratch, &control), A3M_ENOMEM);
    }
    memset(bytes, 1, sizeof(bytes));
    for (size_t i = 0; i + 3 <= sizeof(bytes); i += 3) {
        bytes[i] = 0x80; /* field 16 */
    }
    assert_int_equal(decode(bytes, sizeof(bytes), scratch, &control), A3M_ENOMEM);
}

/* What a damaged message decodes to, if it does, is itself a good message. */
static void assert_bad_or_sound(const uint8_t *bytes, size_t size)
{
    uint8_t scratch[A3MI_CONTROL_METADATA_MAX];
    struct a3mi_control control;
    int rc = decode(bytes, size, scratch, &control);

    if (rc == 0) {
        assert_round_trip(&control);
    } else {
        assert_true(rc == A3M_EPROTO || rc == A3M_ENOMEM);
    }
}

static void test_control_cut_at_each_byte_is_bad_or_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct a3mi_control control = sample(kinds[i]);
        uint8_t bytes[A3MI_CONTROL_MAX];
        size_t size = a3mi_control_encode(&control, bytes, sizeof(bytes));

        for (size_t cut = 0; cut < size; cut++) {
            assert_bad_or_sound(bytes, cut);
        }
    }
}

static void test_control_random_damage_is_bad_or_sound(void **state)
{
    (void)state;
    struct a3mi_rng rng;
    test_random_init(&rng, "control");

    for (long rounds = test_rounds(100000); rounds > 0; rounds--) {
        struct a3mi_control control = sample(kinds[a3mi_rng_below(&rng, COUNT(kinds))]);
        uint8_t bytes[A3MI_CONTROL_MAX];
        size_t size = a3mi_control_encode(&control, bytes, 512);

        for (uint64_t n = 1 + a3mi_rng_below(&rng, 4); n > 0; n--) {
            bytes[a3mi_rng_below(&rng, size)] = (uint8_t)a3mi_rng_u64(&rng);
        }
        assert_bad_or_sound(bytes, a3mi_rng_below(&rng, 4) == 0 ? a3mi_rng_below(&rng, size) : size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_each_kind_round_trips),
        cmocka_unit_test(test_control_least_of_each_kind_round_trips),
        cmocka_unit_test(test_control_largest_of_each_kind_fits),
        cmocka_unit_test(test_control_request_has_the_documented_bytes),
        cmocka_unit_test(test_control_fields_of_other_kinds_do_not_travel),
        cmocka_unit_test(test_control_refusal_of_a_later_version_is_kept),
        cmocka_unit_test(test_control_unknown_fields_are_skipped),
        cmocka_unit_test(test_control_long_text_is_cut_at_a_character),
        cmocka_unit_test(test_control_unprintable_text_is_replaced),
        cmocka_unit_test(test_control_text_cut_within_a_character_is_repaired_when_sent),
        cmocka_unit_test(test_control_buffer_too_small_encodes_nothing),
        cmocka_unit_test(test_control_invalid_message_is_not_encoded),
        cmocka_unit_test(test_control_unknown_kind_is_a_protocol_error),
        cmocka_unit_test(test_control_missing_number_is_a_protocol_error),
        cmocka_unit_test(test_control_bad_name_is_a_protocol_error),
        cmocka_unit_test(test_control_bad_offer_is_a_protocol_error),
        cmocka_unit_test(test_control_refusal_without_reason_is_a_protocol_error),
        cmocka_unit_test(test_control_bad_ranges_are_a_protocol_error),
        cmocka_unit_test(test_control_wrong_form_is_a_protocol_error),
        cmocka_unit_test(test_control_too_long_is_a_protocol_error),
        cmocka_unit_test(test_control_too_many_fields_stay_within_bounded_memory),
        cmocka_unit_test(test_control_cut_at_each_byte_is_bad_or_sound),
        cmocka_unit_test(test_control_random_damage_is_bad_or_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
