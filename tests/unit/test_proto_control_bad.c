/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control messages that are not written, and bytes that are none: refused, or sound whatever was done to them.
 * covers U1 Y3
 */
#include "test_proto_control.h"

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
