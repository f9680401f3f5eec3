/* SPDX-License-Identifier: Apache-2.0 */
/* Node ids and tags (base/name.h). */
#include "test_base_random.h"

#include <string.h>

#include "base/error.h"
#include "base/name.h"

static int set(struct a3mi_name *n, const char *text)
{
    return a3mi_name_set(n, text, strlen(text));
}

/* Asserts that bytes are refused with a detail that holds `why`, and that the name stays as it was. */
static void assert_refused(const char *bytes, size_t len, const char *why)
{
    struct a3mi_name n;

    assert_int_equal(set(&n, "before"), 0);
    assert_int_equal(a3mi_name_set(&n, bytes, len), A3M_EINVAL);
    if (strstr(a3m_error_detail(), why) == NULL) {
        fail_msg("detail \"%s\" lacks \"%s\"", a3m_error_detail(), why);
    }
    assert_int_equal(n.len, 6);
    assert_string_equal(n.s, "before");
}

static void test_name_valid_text_is_taken_over(void **state)
{
    (void)state;
    static const char *const valid[] = {
        "a",          "server-1.example:7", "$stats", " ",      "Zürich",       "\u20ac",       "\U0001f600",
        "\U0010ffff", "\xc2\x80",           "\u07ff", "\u0800", "\xed\x9f\xbf", "\xee\x80\x80", "\U00010000",
    };
    struct a3mi_name n;

    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++) {
        assert_int_equal(set(&n, valid[i]), 0);
        assert_int_equal(n.len, strlen(valid[i]));
        assert_string_equal(n.s, valid[i]);
    }
}

static void test_name_length_limits_are_1_and_255(void **state)
{
    (void)state;
    char text[257];
    struct a3mi_name n;

    memset(text, 'n', sizeof text);
    assert_int_equal(a3mi_name_set(&n, text, 255), 0);
    assert_int_equal(n.len, 255);
    assert_int_equal(strlen(n.s), 255);
    assert_refused(text, 256, "256 bytes");
    assert_refused(text, 0, "empty");
    assert_refused(NULL, 0, "empty");
}

static void test_name_slash_and_control_characters_are_refused(void **state)
{
    (void)state;
    assert_refused("a/b", 3, "'/' at byte 1");
    assert_refused("ab\n", 3, "control character (0x0a) at byte 2");
    assert_refused("a\0b", 3, "control character (0x00) at byte 1");
    assert_refused("\x1f", 1, "control");
}

static void test_name_malformed_utf8_is_refused(void **state)
{
    (void)state;
    static const char *const malformed[] = {
        "\x80", /* continuation without a beginning */
        "\xbf",
        "\xc0\xaf", /* overlong '/' */
        "\xc1\xbf",
        "\xe0\x80\xaf", /* overlong */
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\xaf",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80", /* surrogates */
        "\xed\xbf\xbf",
        "\xf4\x90\x80\x80", /* beyond U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
        "\xfe",
        "\xc3", /* cut off */
        "\xe2\x82",
        "\xf0\x9f\x98",
        "\xc3(", /* second byte is none */
        "\xe2\x28\xa1",
        "\xe2\x82\x28",
        "\xf0\x9f\x98\x28",
        "\xf0\x9f\x28\x80",
    };

    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        char text[16];

        snprintf(text, sizeof text, "ab%s", malformed[i]);
        assert_refused(text, strlen(text), "not valid UTF-8 at byte 2");
    }
}

static void test_name_cut_sequence_does_not_read_past_the_end(void **state)
{
    (void)state;
    /* The byte after the end would complete the sequence; the buffer is exact for AddressSanitizer. */
    char *text = malloc(1);

    text[0] = '\xc3';
    assert_refused(text, 1, "UTF-8");
    free(text);
}

static void test_name_equal_by_bytes(void **state)
{
    (void)state;
    struct a3mi_name a, b;

    memset(&a, 0xaa, sizeof a);
    memset(&b, 0x55, sizeof b);
    assert_int_equal(set(&a, "echo"), 0);
    assert_int_equal(set(&b, "echo"), 0);
    assert_true(a3mi_name_eq(&a, &b));
    assert_int_equal(a3mi_name_hash(&a), a3mi_name_hash(&b));
    assert_int_equal(set(&b, "ech"), 0);
    assert_false(a3mi_name_eq(&a, &b));
    assert_int_equal(set(&b, "Echo"), 0);
    assert_false(a3mi_name_eq(&a, &b));
    assert_int_not_equal(a3mi_name_hash(&a), a3mi_name_hash(&b));
}

static void test_name_set_from_itself_is_fine(void **state)
{
    (void)state;
    struct a3mi_name n;

    assert_int_equal(set(&n, "abc"), 0);
    assert_int_equal(a3mi_name_set(&n, n.s + 1, 2), 0);
    assert_string_equal(n.s, "bc");
}

/* Another reading of RFC 3629: decode the number, and see whether it needs that many bytes. */
static size_t decode(const uint8_t *s, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);

    if (n == 0 || n > left) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if (s[i] >> 6 != 2) {
            return 0;
        }
        c = c << 6 | (s[i] & 0x3f);
    }
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

static bool model_accepts(const uint8_t *s, size_t len)
{
    size_t step;

    for (size_t i = 0; i < len; i += step) {
        step = decode(s + i, len - i);
        if (step == 0 || s[i] < 0x20 || s[i] == '/') {
            return false;
        }
    }
    return len > 0;
}

static void test_name_random_bytes_match_decoder(void **state)
{
    (void)state;
    static const uint8_t interesting[] = {'a',  '/',  0x1f, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                          0xc1, 0xc2, 0xdf, 0xe0, 0xec, 0xed, 0xef, 0xf0, 0xf4, 0xf5};
    struct a3mi_rng r;
    long accepted = 0;

    test_random_init(&r, __func__);
    for (long round = test_rounds(300000); round > 0; round--) {
        uint8_t b[6];
        size_t len = a3mi_rng_below(&r, sizeof b + 1);
        struct a3mi_name n;

        for (size_t i = 0; i < len; i++) {
            b[i] = interesting[a3mi_rng_below(&r, sizeof interesting)];
        }
        bool expected = model_accepts(b, len);

        assert_int_equal(a3mi_name_set(&n, (const char *)b, len), expected ? 0 : A3M_EINVAL);
        accepted += expected;
    }
    assert_true(accepted > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_valid_text_is_taken_over),
        cmocka_unit_test(test_name_length_limits_are_1_and_255),
        cmocka_unit_test(test_name_slash_and_control_characters_are_refused),
        cmocka_unit_test(test_name_malformed_utf8_is_refused),
        cmocka_unit_test(test_name_cut_sequence_does_not_read_past_the_end),
        cmocka_unit_test(test_name_equal_by_bytes),
        cmocka_unit_test(test_name_set_from_itself_is_fine),
        cmocka_unit_test(test_name_random_bytes_match_decoder),
    };

    return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
