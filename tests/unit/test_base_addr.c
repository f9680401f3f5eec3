/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as values (base/addr.h); the parser of URLs has its own test. */
#include "test_base_random.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/addr.h"
#include "base/error.h"

static const uint8_t ip4[4] = {192, 0, 2, 7};

static struct a3m_addr udp6(const char *text, uint16_t port, uint32_t scope)
{
    uint8_t ip[16];

    assert_int_equal(inet_pton(AF_INET6, text, ip), 1);
    return a3mi_addr_udp6(ip, port, scope);
}

static void assert_formats(struct a3m_addr a, const char *expected)
{
    char buf[A3MI_ADDR_TEXT_SIZE];

    assert_int_equal(a3mi_addr_format(&a, buf, sizeof buf), 0);
    assert_string_equal(buf, expected);
}

static void test_addr_udp4_gives_back_what_it_was_made_of(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {192, 0, 2, 7, 0x1b, 0x58};
    struct a3m_addr a = a3mi_addr_udp4(ip4, 7000);
    size_t len;

    assert_int_equal(a.kind, A3MI_ADDR_UDP4);
    assert_int_equal(a.len, sizeof bytes);
    assert_memory_equal(a.b, bytes, sizeof bytes);
    assert_memory_equal(a3mi_addr_ip(&a), ip4, 4);
    assert_int_equal(a3mi_addr_port(&a), 7000);
    assert_int_equal(a3mi_addr_scope(&a), 0);
    assert_int_equal(a3mi_addr_sim_number(&a), 0);
    assert_null(a3mi_addr_inproc_name(&a, &len));
    assert_formats(a, "udp://192.0.2.7:7000");
}

static void test_addr_udp6_gives_back_what_it_was_made_of(void **state)
{
    (void)state;
    struct a3m_addr a = udp6("fe80::1", 65535, 2);

    assert_int_equal(a.kind, A3MI_ADDR_UDP6);
    assert_int_equal(a.len, 22);
    assert_int_equal(a3mi_addr_ip(&a)[0], 0xfe);
    assert_int_equal(a3mi_addr_port(&a), 65535);
    assert_int_equal(a3mi_addr_scope(&a), 2);
    assert_formats(a, "udp://[fe80::1%2]:65535");
    assert_formats(udp6("::1", 0, 0), "udp://[::1]:0");
    assert_formats(udp6("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535, UINT32_MAX),
                   "udp://[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
}

static void test_addr_inproc_takes_up_to_62_bytes(void **state)
{
    (void)state;
    char name[64];
    char text[A3MI_ADDR_TEXT_SIZE];
    size_t len;

    memset(name, 'n', sizeof name);
    name[62] = '\0';
    struct a3m_addr a = a3mi_addr_inproc(name);

    assert_int_equal(a.kind, A3MI_ADDR_INPROC);
    assert_memory_equal(a3mi_addr_inproc_name(&a, &len), name, 62);
    assert_int_equal(len, 62);
    assert_int_equal(a3mi_addr_format(&a, text, sizeof text), 0);
    assert_int_equal(strlen(text), 9 + 62);

    name[62] = 'n';
    name[63] = '\0';
    assert_int_equal(a3mi_addr_inproc(name).kind, A3MI_ADDR_NONE);
    assert_int_equal(a3mi_addr_inproc("").kind, A3MI_ADDR_NONE);
    assert_formats(a3mi_addr_inproc("name"), "inproc://name");
}

static void test_addr_sim_gives_back_its_number(void **state)
{
    (void)state;
    struct a3m_addr a = a3mi_addr_sim(0x01020304);

    assert_int_equal(a3mi_addr_sim_number(&a), 0x01020304);
    assert_null(a3mi_addr_ip(&a));
    assert_int_equal(a3mi_addr_port(&a), 0);
    assert_formats(a3mi_addr_sim(7), "sim://7");
}

static void test_addr_none_and_malformed_have_a_text(void **state)
{
    (void)state;
    struct a3m_addr zero = {0};
    struct a3m_addr odd = {.kind = A3MI_ADDR_UDP4, .len = 3};
    struct a3m_addr beyond = {.kind = A3MI_ADDR_INPROC, .len = 200};
    size_t len;

    assert_formats(zero, "none");
    assert_formats(odd, "unknown");
    assert_formats(beyond, "unknown");
    assert_null(a3mi_addr_ip(&odd));
    assert_null(a3mi_addr_inproc_name(&beyond, &len));
    assert_int_equal(len, 0);
}

static void test_addr_format_too_small_buffer_is_cut_and_told(void **state)
{
    (void)state;
    struct a3m_addr a = a3mi_addr_udp4(ip4, 7000);
    char buf[21];

    assert_int_equal(a3mi_addr_format(&a, buf, 21), 0);
    assert_string_equal(buf, "udp://192.0.2.7:7000");
    assert_int_equal(a3mi_addr_format(&a, buf, 20), A3M_EINVAL);
    assert_string_equal(buf, "udp://192.0.2.7:700");
    assert_true(strlen(a3m_error_detail()) > 0);
    assert_int_equal(a3mi_addr_format(&a, NULL, 0), A3M_EINVAL);
}

static void test_addr_equal_by_kind_and_bytes(void **state)
{
    (void)state;
    struct a3m_addr a = a3mi_addr_udp4(ip4, 7000), b = a;
    struct a3m_addr others[] = {a3mi_addr_udp4(ip4, 7001), udp6("::1", 7000, 0),  udp6("::1", 7000, 1),
                                a3mi_addr_sim(1),          a3mi_addr_inproc("a"), a3mi_addr_inproc("ab")};
    enum { N = sizeof others / sizeof others[0] };

    memset(b.b + b.len, 0xee, sizeof b.b - b.len);
    assert_true(a3mi_addr_eq(&a, &b));
    assert_int_equal(a3mi_addr_hash(&a), a3mi_addr_hash(&b));
    for (size_t i = 0; i < N; i++) {
        assert_false(a3mi_addr_eq(&a, &others[i]));
        for (size_t j = 0; j < N; j++) {
            assert_int_equal(a3mi_addr_eq(&others[i], &others[j]), i == j);
            assert_int_equal(a3mi_addr_hash(&others[i]) == a3mi_addr_hash(&others[j]), i == j);
        }
    }
    /* The same bytes under another kind are another address. */
    b = a;
    b.kind = A3MI_ADDR_INPROC;
    assert_false(a3mi_addr_eq(&a, &b));
    assert_int_not_equal(a3mi_addr_hash(&a), a3mi_addr_hash(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addr_udp4_gives_back_what_it_was_made_of),
        cmocka_unit_test(test_addr_udp6_gives_back_what_it_was_made_of),
        cmocka_unit_test(test_addr_inproc_takes_up_to_62_bytes),
        cmocka_unit_test(test_addr_sim_gives_back_its_number),
        cmocka_unit_test(test_addr_none_and_malformed_have_a_text),
        cmocka_unit_test(test_addr_format_too_small_buffer_is_cut_and_told),
        cmocka_unit_test(test_addr_equal_by_kind_and_bytes),
    };

    return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
