/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control messages to bytes and back: proto/control.h. What does not go is in test_proto_control_bad.c.
 * covers U1
 */
#include "test_proto_control.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
