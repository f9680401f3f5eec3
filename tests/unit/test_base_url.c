/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of URLs (base/addr.h). */
#include "test_base_random.h"

#include <string.h>

#include "base/addr.h"
#include "base/error.h"

/* What is expected of one text; members left out are empty. */
struct expected {
    const char *text, *scheme, *host, *tag, *node, *address;
    int port; /* -1: none */
};

static const char *or_empty(const char *s)
{
    return s != NULL ? s : "";
}

static void assert_parses(const struct expected *e)
{
    struct a3mi_url u;

    if (a3mi_url_parse(e->text, &u) != 0) {
        fail_msg("%s: %s", e->text, a3m_error_detail());
    }
    assert_string_equal(u.scheme, or_empty(e->scheme));
    assert_string_equal(u.host, or_empty(e->host));
    assert_string_equal(u.address, or_empty(e->address));
    assert_string_equal(u.tag, or_empty(e->tag));
    assert_string_equal(u.node, or_empty(e->node));
    assert_int_equal(u.has_tag, e->tag != NULL);
    assert_int_equal(u.is_node, e->node != NULL);
    assert_int_equal(u.has_port, e->port >= 0);
    assert_int_equal(u.port, e->port >= 0 ? e->port : 0);
}

static void test_url_well_formed_is_taken_apart(void **state)
{
    (void)state;
    static const struct expected all[] = {
        {.text = "udp://192.0.2.7:7000",
         .scheme = "udp",
         .host = "192.0.2.7",
         .port = 7000,
         .address = "192.0.2.7:7000"},
        {.text = "udp://192.0.2.7:7000/echo",
         .scheme = "udp",
         .host = "192.0.2.7",
         .port = 7000,
         .tag = "echo",
         .address = "192.0.2.7:7000"},
        {.text = "UDP://host.example:0/$stats",
         .scheme = "udp",
         .host = "host.example",
         .port = 0,
         .tag = "$stats",
         .address = "host.example:0"},
        {.text = "udp://*:65535", .scheme = "udp", .host = "*", .port = 65535, .address = "*:65535"},
        {.text = "udp://h:007000", .scheme = "udp", .host = "h", .port = 7000, .address = "h:007000"},
        {.text = "udp://[::1]:7000", .scheme = "udp", .host = "::1", .port = 7000, .address = "[::1]:7000"},
        {.text = "udp://[fe80::1%eth0]:7/a b:[]?",
         .scheme = "udp",
         .host = "fe80::1%eth0",
         .port = 7,
         .tag = "a b:[]?",
         .address = "[fe80::1%eth0]:7"},
        {.text = "inproc://name", .scheme = "inproc", .host = "name", .port = -1, .address = "name"},
        {.text = "inproc://a:b/echo",
         .scheme = "inproc",
         .host = "a:b",
         .port = -1,
         .tag = "echo",
         .address = "a:b"},
        {.text = "server/echo", .node = "server", .tag = "echo", .port = -1},
        {.text = "server:7/z\xc3\xbcrich", .node = "server:7", .tag = "z\xc3\xbcrich", .port = -1},
        {.text = "evl://7", .scheme = "evl", .host = "7", .port = -1, .address = "7"},
        {.text = "x-1.y+z://[::1]:9/t",
         .scheme = "x-1.y+z",
         .host = "::1",
         .port = 9,
         .tag = "t",
         .address = "[::1]:9"},
        {.text = "can://can0:0x12", .scheme = "can", .host = "can0:0x12", .port = -1, .address = "can0:0x12"},
        {.text = "odd://a:b:c", .scheme = "odd", .host = "a:b:c", .port = -1, .address = "a:b:c"},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        assert_parses(&all[i]);
    }
}

static void assert_refused(const char *text, const char *why, const char *example)
{
    struct a3mi_url u;

    assert_int_equal(a3mi_url_parse(text, &u), A3M_EINVAL);
    if (strstr(a3m_error_detail(), why) == NULL || strstr(a3m_error_detail(), example) == NULL) {
        fail_msg("%s: detail \"%s\" lacks \"%s\" or \"%s\"", or_empty(text), a3m_error_detail(), why,
                 example);
    }
}

/* Every complaint tells what is wrong, and shows a text of that form that is right. */
static void test_url_malformed_is_refused_with_reason_and_example(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why, *example;
    } all[] = {
        {NULL, "empty", "udp://192.0.2.7:7000/echo"},
        {"", "empty", "udp://192.0.2.7:7000/echo"},
        {"udp://192.0.2.7", "the port is missing", "udp://192.0.2.7:7000/echo"},
        {"udp://192.0.2.7/echo", "the port is missing", "udp://192.0.2.7:7000/echo"},
        {"udp://192.0.2.7:", "the port after ':' is missing", "udp://192.0.2.7:7000/echo"},
        {"udp://192.0.2.7:65536", "out of range", "udp://192.0.2.7:7000/echo"},
        {"udp://192.0.2.7:99999999999999999999", "out of range", "udp://192.0.2.7:7000/echo"},
        {"udp://192.0.2.7:+7", "not a number", "udp://192.0.2.7:7000/echo"},
        {"udp://192.0.2.7:-7", "not a number", "udp://192.0.2.7:7000/echo"},
        {"udp://192.0.2.7:7000x", "not a number", "udp://192.0.2.7:7000/echo"},
        {"udp://192.0.2.7:7000 ", "blank", "udp://192.0.2.7:7000/echo"},
        {"udp://192.0.2.7\n:7000", "control", "udp://192.0.2.7:7000/echo"},
        {"udp://:7000", "the host before the port is empty", "udp://192.0.2.7:7000/echo"},
        {"udp://", "the address after \"://\" is empty", "udp://192.0.2.7:7000/echo"},
        {"udp:///echo", "the address after \"://\" is empty", "udp://192.0.2.7:7000/echo"},
        {"udp://[::1:7000", "the ']'", "udp://[::1]:7000/echo"},
        {"udp://::1]:7000", "must stand in brackets", "udp://[::1]:7000/echo"},
        {"udp://1]:7000", "the '['", "udp://[::1]:7000/echo"},
        {"udp://::1:7000", "must stand in brackets", "udp://[::1]:7000/echo"},
        {"udp://[]:7000", "no IPv6 address in the brackets", "udp://[::1]:7000/echo"},
        {"udp://[::1]", "the port is missing", "udp://[::1]:7000/echo"},
        {"udp://[::1]:", "the port after ':' is missing", "udp://[::1]:7000/echo"},
        {"udp://[::1]7000", "after ']' must come", "udp://[::1]:7000/echo"},
        {"udp://[::1]:x", "not a number", "udp://[::1]:7000/echo"},
        {"udp://h:7000/", "tag after '/' is empty", "udp://192.0.2.7:7000/echo"},
        {"udp://h:7000/a/b", "second '/'", "udp://192.0.2.7:7000/echo"},
        {"udp://h:7000/a\x01", "tag: name has a control", "udp://192.0.2.7:7000/echo"},
        {"udp://h:7000/a\xff", "not valid UTF-8", "udp://192.0.2.7:7000/echo"},
        {"inproc://", "is empty", "inproc://name/echo"},
        {"inproc:///echo", "is empty", "inproc://name/echo"},
        {"inproc://name/", "tag after '/' is empty", "inproc://name/echo"},
        {"://h:7000", "nothing before", "udp://192.0.2.7:7000/echo"},
        {"1dp://h:7000", "not the name of a transport", "udp://192.0.2.7:7000/echo"},
        {"u_p://h:7000", "not the name of a transport", "udp://192.0.2.7:7000/echo"},
        {"abcdefghijklmnop://h", "longer than 15", "udp://192.0.2.7:7000/echo"},
        {"server", "neither an address nor a node id", "server/echo"},
        {"server/", "tag after '/' is empty", "server/echo"},
        {"/echo", "the node id before '/' is empty", "server/echo"},
        {"//", "the node id before '/' is empty", "server/echo"},
        {"server/a/b", "second '/'", "server/echo"},
        {"ser\tver/a", "node id: name has a control", "server/echo"},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        assert_refused(all[i].text, all[i].why, all[i].example);
    }
}

/* Makes prefix, n times `c`, suffix. */
static char *long_text(const char *prefix, char c, size_t n, const char *suffix)
{
    size_t p = strlen(prefix), s = strlen(suffix);
    char *text = malloc(p + n + s + 1);

    memcpy(text, prefix, p);
    memset(text + p, c, n);
    memcpy(text + p + n, suffix, s + 1);
    return text;
}

static void assert_long(const char *prefix, size_t n, const char *suffix, const char *why)
{
    struct a3mi_url u;
    char *text = long_text(prefix, 'a', n, suffix);

    if (why != NULL) {
        assert_refused(text, why, "/echo");
    } else if (a3mi_url_parse(text, &u) != 0) {
        fail_msg("%s", a3m_error_detail());
    }
    free(text);
}

static void test_url_longest_parts_fit_and_one_more_is_refused(void **state)
{
    (void)state;
    assert_long("udp://h:7/", 255, "", NULL);
    assert_long("udp://h:7/", 256, "", "256 bytes");
    assert_long("", 255, "/t", NULL);
    assert_long("", 256, "/t", "256 bytes");
    assert_long("udp://", 255, ":65535/t", NULL);
    assert_long("udp://", 256, ":65535/t", "longer than 255");
    assert_long("udp://[", 255, "]:65535/t", NULL);
    assert_long("udp://", 272, ":7", "longer than 271");
    assert_long("inproc://", 256, "", "longer than 255");
    assert_long("udp://", 100000, ":7", "longer than 271");
    assert_long("", 15, "://h", NULL);
}

/* Random texts of the characters that matter: no crash, and what is accepted keeps its promises. */
static void test_url_random_texts_keep_promises(void **state)
{
    (void)state;
    static const char *const pieces[] = {"udp",  "inproc", "://", "/",     ":",        "[",    "]", "::1",
                                         "%eth", "7000",   "a",   "65536", "\xc3\xbc", "\xff", " ", "h.x"};
    struct a3mi_rng r;
    long accepted = 0;

    test_random_init(&r, __func__);
    for (long round = test_rounds(200000); round > 0; round--) {
        char text[64] = "";
        size_t len = 0;
        struct a3mi_url u;

        for (uint64_t n = a3mi_rng_below(&r, 9); n > 0; n--) {
            const char *piece = pieces[a3mi_rng_below(&r, sizeof pieces / sizeof pieces[0])];

            len += (size_t)snprintf(text + len, sizeof text - len, "%s", piece);
        }
        int result = a3mi_url_parse(text, &u);

        if (result != 0) {
            assert_int_equal(result, A3M_EINVAL);
            assert_non_null(strstr(a3m_error_detail(), "a right one is "));
            continue;
        }
        accepted++;
        assert_int_equal(u.is_node, u.scheme[0] == '\0');
        assert_int_equal(u.is_node, u.node[0] != '\0');
        assert_int_equal(u.is_node, u.host[0] == '\0');
        assert_int_equal(u.has_tag, u.tag[0] != '\0');
        assert_null(strchr(u.tag, '/'));
        /* Put together again it is the same text, but for the case of the scheme. */
        char again[1024];

        snprintf(again, sizeof again, "%s%s%s%s%s%s", u.scheme, u.is_node ? "" : "://", u.node, u.address,
                 u.has_tag ? "/" : "", u.tag);
        assert_string_equal(again, text);
    }
    assert_true(accepted > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_well_formed_is_taken_apart),
        cmocka_unit_test(test_url_malformed_is_refused_with_reason_and_example),
        cmocka_unit_test(test_url_longest_parts_fit_and_one_more_is_refused),
        cmocka_unit_test(test_url_random_texts_keep_promises),
    };

    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
