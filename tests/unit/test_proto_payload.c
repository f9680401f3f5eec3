/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MessagePack payloads: a3m/payload.h. What is written, read and printed.
 * covers U1
 */
#include <locale.h>
#include <math.h>

#include "test_proto_payload.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Helpers -------------------------------------------------------------------- */

static void assert_taken(a3m_pack *pack, const void *bytes, size_t size)
{
    a3m_msg *msg = NULL;

    assert_int_equal(a3m_pack_take(pack, &msg), 0);
    assert_int_equal(a3m_msg_size(msg), size);
    assert_memory_equal(a3m_msg_data(msg), bytes, size);
    a3m_msg_free(msg);
}

static void assert_not_taken(a3m_pack *pack, int code)
{
    a3m_msg *msg = NULL;

    assert_int_equal(a3m_pack_take(pack, &msg), code);
    assert_null(msg);
    assert_true(a3m_error_detail()[0] != '\0');
}

static void assert_prints(const void *bytes, size_t size, const char *expected)
{
    a3m_msg *msg = message(bytes, size);
    a3m_unpack *unpack;
    a3m_value root;
    char text[512];

    assert_int_equal(a3m_unpack_new(&unpack, msg, &root), 0);
    assert_int_equal(a3m_value_print(&root, text, sizeof(text)), strlen(expected));
    assert_string_equal(text, expected);
    a3m_unpack_free(unpack);
    message_free(msg);
}

#define ASSERT_PRINTS(literal, expected) assert_prints(literal, sizeof(literal) - 1, expected)

/* ---- Writing ---------------------------------------------------------------------- */

static void test_pack_integers_are_as_short_as_can_be(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        const char *bytes;
        size_t size;
    } cases[] = {
        {0, "\x00", 1},
        {127, "\x7f", 1},
        {128, "\xcc\x80", 2},
        {255, "\xcc\xff", 2},
        {256, "\xcd\x01\x00", 3},
        {65536, "\xce\x00\x01\x00\x00", 5},
        {INT64_C(4294967296), "\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 9},
        {INT64_MAX, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9},
        {-1, "\xff", 1},
        {-32, "\xe0", 1},
        {-33, "\xd0\xdf", 2},
        {-129, "\xd1\xff\x7f", 3},
        {-32769, "\xd2\xff\xff\x7f\xff", 5},
        {INT64_MIN, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9},
    };
    a3m_pack *pack = new_pack();

    for (size_t i = 0; i < COUNT(cases); i++) {
        a3m_pack_int(pack, cases[i].value);
        assert_taken(pack, cases[i].bytes, cases[i].size);
        if (cases[i].value >= 0) {
            a3m_pack_uint(pack, (uint64_t)cases[i].value);
            assert_taken(pack, cases[i].bytes, cases[i].size);
        }
    }
    a3m_pack_uint(pack, UINT64_MAX);
    assert_taken(pack, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9);
    a3m_pack_free(pack);
}

static void test_pack_other_values_have_the_documented_bytes(void **state)
{
    (void)state;
    a3m_pack *pack = new_pack();

    a3m_pack_nil(pack);
    assert_taken(pack, "\xc0", 1);
    a3m_pack_bool(pack, false);
    assert_taken(pack, "\xc2", 1);
    a3m_pack_bool(pack, true);
    assert_taken(pack, "\xc3", 1);
    a3m_pack_double(pack, -2.5);
    assert_taken(pack, "\xcb\xc0\x04\x00\x00\x00\x00\x00\x00", 9);
    a3m_pack_str(pack, "abc", 3);
    assert_taken(pack,
                 "\xa3"
                 "abc",
                 4);
    a3m_pack_str(pack, NULL, 0);
    assert_taken(pack, "\xa0", 1);
    a3m_pack_bin(pack, "\x00\xff", 2);
    assert_taken(pack, "\xc4\x02\x00\xff", 4);
    a3m_pack_bin(pack, NULL, 0);
    assert_taken(pack, "\xc4\x00", 2);
    a3m_pack_array(pack, 0);
    assert_taken(pack, "\x90", 1);
    a3m_pack_map(pack, 0);
    assert_taken(pack, "\x80", 1);
    a3m_pack_free(pack);
}

static void test_pack_nested_containers_are_complete_with_their_last_value(void **state)
{
    (void)state;
    a3m_pack *pack = new_pack();
    a3m_msg *msg;

    /* {"a": [1, [], {}], "b": {nil: true}} */
    a3m_pack_map(pack, 2);
    a3m_pack_str(pack, "a", 1);
    a3m_pack_array(pack, 3);
    a3m_pack_int(pack, 1);
    a3m_pack_array(pack, 0);
    a3m_pack_map(pack, 0);
    a3m_pack_str(pack, "b", 1);
    a3m_pack_map(pack, 1);
    a3m_pack_nil(pack);
    a3m_pack_bool(pack, true);
    assert_int_equal(a3m_pack_take(pack, &msg), 0);
    assert_prints(a3m_msg_data(msg), a3m_msg_size(msg), "{\"a\": [1, [], {}], \"b\": {null: true}}");
    a3m_msg_free(msg);
    a3m_pack_free(pack);
}

static void test_pack_incomplete_container_is_refused(void **state)
{
    (void)state;
    a3m_pack *pack = new_pack();

    assert_not_taken(pack, A3M_ESTATE); /* nothing at all */

    a3m_pack_array(pack, 1);
    assert_not_taken(pack, A3M_ESTATE);

    a3m_pack_map(pack, 1); /* a key without its value */
    a3m_pack_int(pack, 1);
    assert_not_taken(pack, A3M_ESTATE);

    a3m_pack_array(pack, 2); /* complete inside, but not outside */
    a3m_pack_array(pack, 1);
    a3m_pack_int(pack, 1);
    assert_not_taken(pack, A3M_ESTATE);

    a3m_pack_map(pack, UINT32_MAX); /* 2^33 - 2 values */
    a3m_pack_nil(pack);
    assert_not_taken(pack, A3M_ESTATE);
    assert_non_null(strstr(a3m_error_detail(), "8589934589 values"));

    a3m_pack_nil(pack); /* it was emptied each time */
    assert_taken(pack, "\xc0", 1);
    a3m_pack_array(pack, 7);
    a3m_pack_free(pack); /* and may be freed with something in it */
}

static void test_pack_second_value_is_refused(void **state)
{
    (void)state;
    a3m_pack *pack = new_pack();

    a3m_pack_nil(pack);
    a3m_pack_nil(pack);
    assert_not_taken(pack, A3M_ESTATE);
    a3m_pack_array(pack, 0);
    a3m_pack_array(pack, 0);
    assert_not_taken(pack, A3M_ESTATE);
    a3m_pack_array(pack, 1);
    a3m_pack_nil(pack);
    a3m_pack_nil(pack);
    assert_not_taken(pack, A3M_ESTATE);
    a3m_pack_free(pack);
}

static void test_pack_first_error_stays_until_taken(void **state)
{
    (void)state;
    a3m_pack *pack = new_pack();

    a3m_pack_array(pack, 2);
    a3m_pack_bin(pack, NULL, 1); /* no bytes */
    a3m_pack_nil(pack);
    a3m_pack_nil(pack);
    assert_not_taken(pack, A3M_ESTATE);
    a3m_pack_str(pack, "", SIZE_MAX);
    a3m_pack_str(pack, "", 0);
    assert_not_taken(pack, A3M_ENOMEM);
    a3m_pack_int(pack, 5);
    assert_taken(pack, "\x05", 1);
    a3m_pack_free(pack);
}

/* `depth` containers in one another, each the only value of the one around it; the innermost is empty. */
static int pack_nest(a3m_pack *pack, unsigned depth, a3m_msg **msg)
{
    for (unsigned i = 1; i < depth; i++) {
        a3m_pack_array(pack, 1);
    }
    a3m_pack_map(pack, 0);
    return a3m_pack_take(pack, msg);
}

static void test_pack_nesting_is_limited_as_in_the_reader(void **state)
{
    (void)state;
    a3m_pack *pack = new_pack();
    a3m_msg *msg = NULL;

    assert_int_equal(pack_nest(pack, 65, &msg), A3M_ESTATE);
    assert_int_equal(pack_nest(pack, 64, &msg), 0);
    a3m_unpack *unpack;
    a3m_value root;
    assert_int_equal(a3m_unpack_new(&unpack, msg, &root), 0);
    a3m_unpack_free(unpack);
    a3m_msg_free(msg);
    a3m_pack_free(pack);
}

static void test_pack_large_payload_grows(void **state)
{
    (void)state;
    enum { SIZE = 3000000 };
    a3m_pack *pack = new_pack();
    char *bytes = calloc(1, SIZE);
    a3m_msg *msg;
    assert_non_null(bytes);

    a3m_pack_array(pack, 3);
    a3m_pack_bin(pack, bytes, SIZE);
    a3m_pack_bin(pack, bytes, SIZE);
    a3m_pack_bin(pack, bytes, 0);
    assert_int_equal(a3m_pack_take(pack, &msg), 0);
    assert_int_equal(a3m_msg_size(msg), 1 + 2 * (5 + SIZE) + 2);
    a3m_pack_free(pack); /* the message keeps its bytes */
    assert_int_equal(((uint8_t *)a3m_msg_data(msg))[0], 0x93);
    a3m_msg_free(msg);
    free(bytes);
}

/* ---- Reading ------------------------------------------------------------------------ */

static void test_unpack_values_are_found(void **state)
{
    (void)state;
    static const char payload[] = "\x83"
                                  "\xa4name\xa3"
                                  "abc"
                                  "\xa4list\x93\x01\xff\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"
                                  "\x07\xc4\x02\x00\xff";
    a3m_msg *msg = message(payload, sizeof(payload) - 1);
    a3m_unpack *unpack;
    a3m_value root, value, element;

    assert_int_equal(a3m_unpack_new(&unpack, msg, &root), 0);
    assert_int_equal(root.type, A3M_VALUE_MAP);
    assert_int_equal(root.via.count, 3);

    assert_int_equal(a3m_value_find(&root, "name", &value), 0);
    assert_int_equal(value.type, A3M_VALUE_STR);
    assert_int_equal(value.via.bytes.size, 3);
    assert_memory_equal(value.via.bytes.data, "abc", 3);

    assert_int_equal(a3m_value_find(&root, "list", &value), 0);
    assert_int_equal(value.type, A3M_VALUE_ARRAY);
    assert_int_equal(value.via.count, 3);
    assert_int_equal(a3m_value_at(&value, 0, &element), 0);
    assert_int_equal(element.type, A3M_VALUE_UINT);
    assert_int_equal(element.via.u64, 1);
    assert_int_equal(a3m_value_at(&value, 1, &element), 0);
    assert_int_equal(element.type, A3M_VALUE_INT);
    assert_int_equal(element.via.i64, -1);
    assert_int_equal(a3m_value_at(&value, 2, &element), 0);
    assert_int_equal(element.type, A3M_VALUE_DOUBLE);
    assert_true(element.via.f64 == 1.5);
    assert_int_equal(a3m_value_at(&value, 3, &element), A3M_ENOENT);

    assert_int_equal(a3m_value_at(&root, 4, &element), 0); /* the third key */
    assert_int_equal(element.via.u64, 7);
    assert_int_equal(a3m_value_at(&root, 5, &element), 0);
    assert_int_equal(element.type, A3M_VALUE_BIN);
    assert_memory_equal(element.via.bytes.data, "\x00\xff", 2);
    assert_int_equal(a3m_value_at(&root, 6, &element), A3M_ENOENT);
    assert_int_equal(a3m_value_at(&root, UINT32_MAX, &element), A3M_ENOENT);
    a3m_unpack_free(unpack);
    message_free(msg);
}

static void test_unpack_wrong_questions_are_invalid(void **state)
{
    (void)state;
    a3m_msg *msg = message("\x92\x01\x80", 3);
    a3m_unpack *unpack;
    a3m_value root, value, none = {.type = A3M_VALUE_MAP};

    assert_int_equal(a3m_unpack_new(&unpack, msg, &root), 0);
    assert_int_equal(a3m_value_find(&root, "a", &value), A3M_EINVAL);
    assert_int_equal(a3m_value_at(&root, 0, &value), 0);
    assert_int_equal(a3m_value_at(&value, 0, &value), A3M_EINVAL);
    assert_int_equal(a3m_value_at(&root, 1, &value), 0);
    assert_int_equal(a3m_value_find(&value, "a", &value), A3M_ENOENT);
    assert_int_equal(a3m_value_find(&value, NULL, &value), A3M_EINVAL);
    assert_int_equal(a3m_value_at(&value, 0, &value), A3M_ENOENT);
    assert_int_equal(a3m_value_at(&none, 0, &value), A3M_EINVAL);
    assert_int_equal(a3m_value_find(&none, "a", &value), A3M_EINVAL);
    assert_int_equal(a3m_value_print(&none, NULL, 0), A3M_EINVAL);
    a3m_unpack_free(unpack);
    message_free(msg);
    a3m_unpack_free(NULL);
    a3m_pack_free(NULL);
}

static void test_unpack_first_of_equal_keys_is_found(void **state)
{
    (void)state;
    a3m_msg *msg = message("\x84\xa1k\x01\xa1k\x02\xa2kk\x03\xc4\x01l\x04", 15);
    a3m_unpack *unpack;
    a3m_value root, value;

    assert_int_equal(a3m_unpack_new(&unpack, msg, &root), 0);
    assert_int_equal(a3m_value_find(&root, "k", &value), 0);
    assert_int_equal(value.via.u64, 1);
    assert_int_equal(a3m_value_find(&root, "kk", &value), 0);
    assert_int_equal(value.via.u64, 3);
    assert_int_equal(a3m_value_find(&root, "l", &value), A3M_ENOENT); /* bytes, not a text */
    assert_int_equal(a3m_value_find(&root, "", &value), A3M_ENOENT);
    a3m_unpack_free(unpack);
    message_free(msg);
}

static void test_unpack_every_format_is_understood(void **state)
{
    (void)state;
    ASSERT_PRINTS("\xc0", "null");
    ASSERT_PRINTS("\xc2", "false");
    ASSERT_PRINTS("\xc3", "true");
    ASSERT_PRINTS("\x00", "0");
    ASSERT_PRINTS("\x7f", "127");
    ASSERT_PRINTS("\xe0", "-32");
    ASSERT_PRINTS("\xff", "-1");
    ASSERT_PRINTS("\xcc\xff", "255");
    ASSERT_PRINTS("\xcd\xff\xff", "65535");
    ASSERT_PRINTS("\xce\xff\xff\xff\xff", "4294967295");
    ASSERT_PRINTS("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615");
    ASSERT_PRINTS("\xd0\x80", "-128");
    ASSERT_PRINTS("\xd0\x7f", "127");
    ASSERT_PRINTS("\xd1\x80\x00", "-32768");
    ASSERT_PRINTS("\xd2\x80\x00\x00\x00", "-2147483648");
    ASSERT_PRINTS("\xd3\x80\x00\x00\x00\x00\x00\x00\x00", "-9223372036854775808");
    ASSERT_PRINTS("\xd3\x7f\xff\xff\xff\xff\xff\xff\xff", "9223372036854775807");
    ASSERT_PRINTS("\xca\x3d\xcc\xcc\xcd", "0.1");
    ASSERT_PRINTS("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", "0.1");
    ASSERT_PRINTS("\xa1x", "\"x\"");
    ASSERT_PRINTS("\xd9\x01x", "\"x\"");
    ASSERT_PRINTS("\xda\x00\x01x", "\"x\"");
    ASSERT_PRINTS("\xdb\x00\x00\x00\x01x", "\"x\"");
    ASSERT_PRINTS("\xc4\x01x", "h'78'");
    ASSERT_PRINTS("\xc5\x00\x01x", "h'78'");
    ASSERT_PRINTS("\xc6\x00\x00\x00\x01x", "h'78'");
    ASSERT_PRINTS("\xd4\xffx", "ext(-1, h'78')");
    ASSERT_PRINTS("\xd5\x01xx", "ext(1, h'7878')");
    ASSERT_PRINTS("\xd6\x01xxxx", "ext(1, h'78787878')");
    ASSERT_PRINTS("\xd7\x01xxxxxxxx", "ext(1, h'7878787878787878')");
    ASSERT_PRINTS("\xd8\x01xxxxxxxxxxxxxxxx", "ext(1, h'78787878787878787878787878787878')");
    ASSERT_PRINTS("\xc7\x00\x05", "ext(5, h'')");
    ASSERT_PRINTS("\xc8\x00\x01\x05x", "ext(5, h'78')");
    ASSERT_PRINTS("\xc9\x00\x00\x00\x01\x05x", "ext(5, h'78')");
    ASSERT_PRINTS("\x91\x01", "[1]");
    ASSERT_PRINTS("\xdc\x00\x01\x01", "[1]");
    ASSERT_PRINTS("\xdd\x00\x00\x00\x01\x01", "[1]");
    ASSERT_PRINTS("\x81\x01\x02", "{1: 2}");
    ASSERT_PRINTS("\xde\x00\x01\x01\x02", "{1: 2}");
    ASSERT_PRINTS("\xdf\x00\x00\x00\x01\x01\x02", "{1: 2}");
}

static void test_unpack_hostile_lengths_are_refused_without_allocating(void **state)
{
    (void)state;
    /* A reader that trusted them would need up to 200 GiB, which allocators refuse otherwise: with ENOMEM. */
    static const char *const heads[] = {"\xdd", "\xdf", "\xdb", "\xc6", "\xc9"};

    for (size_t i = 0; i < COUNT(heads); i++) {
        uint8_t bytes[64] = {0};
        for (unsigned length = 0; length < 3; length++) {
            bytes[0] = (uint8_t)heads[i][0];
            memcpy(bytes + 1,
                   length == 0   ? "\xff\xff\xff\xff"
                   : length == 1 ? "\x80\x00\x00\x00"
                                 : "\x00\x00\x01\x00",
                   4);
            assert_unpack_fails(bytes, sizeof(bytes));
            assert_unpack_fails(bytes, 5);
        }
    }
    /* The same in one another: each level says that it is large. */
    uint8_t nested[5 * 64];
    for (size_t i = 0; i < sizeof(nested); i += 5) {
        memcpy(nested + i, "\xdd\x00\xff\xff\xff", 5);
    }
    assert_unpack_fails(nested, sizeof(nested));
}

static void test_unpack_deep_nesting_is_refused(void **state)
{
    (void)state;
    enum { DEEP = 1000000 };
    uint8_t bytes[66];
    uint8_t *deep = malloc(DEEP);
    assert_non_null(deep);

    memset(bytes, 0x91, sizeof(bytes)); /* [[[… */
    bytes[64] = 0xc0;
    a3m_msg *msg = message(bytes, 65);
    a3m_unpack *unpack;
    a3m_value value;
    assert_int_equal(a3m_unpack_new(&unpack, msg, &value), 0);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(value.type, A3M_VALUE_ARRAY);
        assert_int_equal(a3m_value_at(&value, 0, &value), 0);
    }
    assert_int_equal(value.type, A3M_VALUE_NIL);
    a3m_unpack_free(unpack);
    message_free(msg);

    bytes[64] = 0x91;
    bytes[65] = 0xc0;
    assert_unpack_fails(bytes, 66);
    bytes[64] = 0x90; /* an empty one counts too */
    assert_unpack_fails(bytes, 65);
    memset(deep, 0x91, DEEP);
    assert_unpack_fails(deep, DEEP);
    memset(deep, 0x81, DEEP); /* maps that are keys of maps */
    assert_unpack_fails(deep, DEEP);
    free(deep);
}

static void test_unpack_anything_but_one_value_is_refused(void **state)
{
    (void)state;
    assert_unpack_fails("", 0);
    assert_unpack_fails("\xc1", 1);
    assert_unpack_fails("\x91\xc1", 2);
    assert_unpack_fails("\xc0\xc0", 2);
    assert_unpack_fails("\x90\x00", 2);
    assert_unpack_fails("\x91\xc0\xc0", 3);
}

/* ---- Printing ------------------------------------------------------------------------------- */

static void assert_prints_double(double value, const char *expected)
{
    a3m_pack *pack = new_pack();
    a3m_msg *msg;

    a3m_pack_double(pack, value);
    assert_int_equal(a3m_pack_take(pack, &msg), 0);
    assert_prints(a3m_msg_data(msg), a3m_msg_size(msg), expected);
    a3m_msg_free(msg);
    a3m_pack_free(pack);
}

static void test_print_doubles_are_shortest_and_look_like_doubles(void **state)
{
    (void)state;
    assert_prints_double(0.0, "0.0");
    assert_prints_double(-0.0, "-0.0");
    assert_prints_double(1.0, "1.0");
    assert_prints_double(-1234.5, "-1234.5");
    assert_prints_double(0.1, "0.1");
    assert_prints_double(0.1 + 0.2, "0.30000000000000004");
    assert_prints_double(1e300, "1e+300");
    assert_prints_double(1.5e-10, "1.5e-10");
    assert_prints_double(5e-324, "4.94065645841247e-324");
    assert_prints_double(1.7976931348623157e308, "1.7976931348623157e+308");
    assert_prints_double((double)INFINITY, "Infinity");
    assert_prints_double((double)-INFINITY, "-Infinity");
    assert_prints_double((double)NAN, "NaN");
}

static void test_print_does_not_follow_the_locale(void **state)
{
    (void)state;
    static const char *const locales[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "ru_RU.UTF-8"};
    bool found = false;

    for (size_t i = 0; i < COUNT(locales) && !found; i++) {
        found = setlocale(LC_NUMERIC, locales[i]) != NULL;
    }
    if (!found) {
        print_message("no locale with another decimal point here\n");
    }
    assert_prints_double(-1234.5, "-1234.5");
    assert_prints_double(2.0, "2.0");
    (void)setlocale(LC_NUMERIC, "C");
}

static void test_print_texts_are_escaped(void **state)
{
    (void)state;
    ASSERT_PRINTS("\xa0", "\"\"");
    ASSERT_PRINTS("\xa6\"\\/\n\r\t", "\"\\\"\\\\/\\n\\r\\t\"");
    ASSERT_PRINTS("\xa5\x08\x0c\x1b\x7f\x01", "\"\\b\\f\\u001b\\u007f\\u0001\"");
    ASSERT_PRINTS("\xa3"
                  "a\0b",
                  "\"a\\u0000b\"");
    ASSERT_PRINTS("\xa5\xc3\xa9\xe2\x82\xac", "\"\xc3\xa9\xe2\x82\xac\"");
    ASSERT_PRINTS("\xa2\xc2\x9b", "\"\\xc2\\x9b\""); /* a control character that steers terminals */
    ASSERT_PRINTS("\xa3\xff\xe2\x82", "\"\\xff\\xe2\\x82\"");
}

static void test_print_short_buffer_gets_the_beginning(void **state)
{
    (void)state;
    a3m_msg *msg = message("\x93\x01\xa1x\xc3", 5);
    a3m_unpack *unpack;
    a3m_value root;
    static const char expected[] = "[1, \"x\", true]";

    assert_int_equal(a3m_unpack_new(&unpack, msg, &root), 0);
    for (size_t size = 0; size <= sizeof(expected) + 1; size++) {
        char text[32];
        memset(text, '#', sizeof(text));
        assert_int_equal(a3m_value_print(&root, size > 0 ? text : NULL, size), sizeof(expected) - 1);
        size_t shown = size == 0 ? 0 : size < sizeof(expected) ? size - 1 : sizeof(expected) - 1;
        assert_memory_equal(text, expected, shown);
        assert_int_equal(text[shown], size > 0 ? '\0' : '#');
        assert_int_equal(text[size > shown ? size : shown + 1], '#');
    }
    a3m_unpack_free(unpack);
    message_free(msg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack_integers_are_as_short_as_can_be),
        cmocka_unit_test(test_pack_other_values_have_the_documented_bytes),
        cmocka_unit_test(test_pack_nested_containers_are_complete_with_their_last_value),
        cmocka_unit_test(test_pack_incomplete_container_is_refused),
        cmocka_unit_test(test_pack_second_value_is_refused),
        cmocka_unit_test(test_pack_first_error_stays_until_taken),
        cmocka_unit_test(test_pack_nesting_is_limited_as_in_the_reader),
        cmocka_unit_test(test_pack_large_payload_grows),
        cmocka_unit_test(test_unpack_values_are_found),
        cmocka_unit_test(test_unpack_wrong_questions_are_invalid),
        cmocka_unit_test(test_unpack_first_of_equal_keys_is_found),
        cmocka_unit_test(test_unpack_every_format_is_understood),
        cmocka_unit_test(test_unpack_hostile_lengths_are_refused_without_allocating),
        cmocka_unit_test(test_unpack_deep_nesting_is_refused),
        cmocka_unit_test(test_unpack_anything_but_one_value_is_refused),
        cmocka_unit_test(test_print_doubles_are_shortest_and_look_like_doubles),
        cmocka_unit_test(test_print_does_not_follow_the_locale),
        cmocka_unit_test(test_print_texts_are_escaped),
        cmocka_unit_test(test_print_short_buffer_gets_the_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
