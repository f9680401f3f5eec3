/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is UDP's own, beside what the conformance suite asks of every transport:
 * addresses as text, two families on one socket, super-packets, strangers that
 * send what no node sends.
 */
#include "conform/test_transport_end.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/registry.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef SOL_UDP
#define SOL_UDP 17
#endif

static const a3m_transport_ops *const udp = &a3mi_transport_udp;

static bool has_ipv6(void)
{
    struct a3m_transport_config config = {.size = sizeof config};
    struct a3m_addr local = end_resolve(udp, "[::1]:0");
    void *self;

    if (udp->open(&local, &config, &self) != 0) {
        return false;
    }
    udp->close(self);
    return true;
}

/* ---- Addresses -------------------------------------------------------------- */

static void test_transport_udp_resolve_number_is_read_and_printed(void **state)
{
    static const struct {
        const char *text, *printed;
    } cases[] = {
        {"192.0.2.7:7000", "192.0.2.7:7000"},
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"255.255.255.255:65535", "255.255.255.255:65535"},
        {"[::1]:7000", "[::1]:7000"},
        {"[::]:1", "[::]:1"},
        {"[2001:DB8:0:0::5]:80", "[2001:db8::5]:80"},
        {"[fe80::1%1]:7000", "[fe80::1%1]:7000"},
        {"[fe80::1%lo]:7000", "[fe80::1%1]:7000"},
        {"[ff02::5%1]:7000", "[ff02::5%1]:7000"},
        {"[::1%1]:7000", "[::1]:7000"}, /* a zone means something with link-local addresses only */
        {"[::ffff:192.0.2.7]:7000", "192.0.2.7:7000"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct a3m_addr a;
        char text[128];

        if (strchr(cases[i].text, '%') != NULL && if_nametoindex("lo") != 1) {
            continue;
        }
        assert_int_equal(udp->resolve(cases[i].text, &a), 0);
        udp->format(&a, text, sizeof text);
        assert_string_equal(text, cases[i].printed);
    }
}

static void test_transport_udp_resolve_name_gives_address_with_port(void **state)
{
    struct a3m_addr a;

    (void)state;
    if (udp->resolve("localhost:7123", &a) != 0) {
        print_message("localhost is not known here: %s\n", a3m_error_detail());
        skip();
    }
    assert_true(a.kind == A3M_ADDR_UDP4 || a.kind == A3M_ADDR_UDP6);
    assert_int_equal(a3mi_addr_port(&a), 7123);
}

static void test_transport_udp_resolve_bad_text_says_what_is_wrong(void **state)
{
    static const struct {
        const char *text;
        int error;
        const char *detail; /* part of what is said */
    } cases[] = {
        {"", A3M_EINVAL, "address"},
        {"192.0.2.7", A3M_EINVAL, "port is missing"},
        {"192.0.2.7:", A3M_EINVAL, "port"},
        {"192.0.2.7:x", A3M_EINVAL, "port is not a number"},
        {"192.0.2.7:65536", A3M_EINVAL, "out of range"},
        {":7000", A3M_EINVAL, "host"},
        {"192.0.2:7000", A3M_EINVAL, "not an IPv4 address"},
        {"256.0.2.1:7000", A3M_EINVAL, "not an IPv4 address"},
        {"::1:7000", A3M_EINVAL, "brackets"},
        {"[::1:7000", A3M_EINVAL, "]"},
        {"[::g]:7000", A3M_EINVAL, "not an IPv6 address"},
        {"[host.example]:7000", A3M_EINVAL, "not an IPv6 address"},
        {"[fe80::1]:7000", A3M_EINVAL, "interface"},
        {"[fe80::1%nosuchif0]:7000", A3M_EINVAL, "nosuchif0"},
        {"[fe80::1%]:7000", A3M_EINVAL, "interface"},
        {"192.0.2.7:7000/echo", A3M_EINVAL, "'/'"},
        {"a host:7000", A3M_EINVAL, "blank"},
        {"no-such-host.invalid:7000", A3M_ENOADDR, "no-such-host.invalid"},
    };
    char longest[400];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct a3m_addr a;

        assert_int_equal(udp->resolve(cases[i].text, &a), cases[i].error);
        if (strstr(a3m_error_detail(), cases[i].detail) == NULL) {
            print_error("%s: %s\n", cases[i].text, a3m_error_detail());
        }
        assert_non_null(strstr(a3m_error_detail(), cases[i].detail));
    }
    memset(longest, '1', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    struct a3m_addr a;

    assert_int_equal(udp->resolve(longest, &a), A3M_EINVAL);
}

static int open_error(const char *text)
{
    struct a3m_transport_config config = {.size = sizeof config};
    struct a3m_addr local = end_resolve(udp, text);
    void *self = NULL;
    int error = udp->open(&local, &config, &self);

    if (error == 0) {
        udp->close(self);
    }
    return error;
}

static void test_transport_udp_open_foreign_address_fails_and_says_so(void **state)
{
    (void)state;
    assert_int_equal(open_error("203.0.113.77:0"), A3M_EADDRNOTAVAIL);
    assert_non_null(strstr(a3m_error_detail(), "203.0.113.77"));
    if (has_ipv6()) {
        assert_int_equal(open_error("[2001:db8::77]:0"), A3M_EADDRNOTAVAIL);
    }
    struct a3m_addr name = a3mi_addr_inproc("x");
    struct a3m_transport_config config = {.size = sizeof config};
    void *self;

    assert_int_equal(udp->open(&name, &config, &self), A3M_EINVAL);
}

static void test_transport_udp_open_without_descriptors_fails(void **state)
{
    struct rlimit old, none;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int error = open_error("127.0.0.1:0");

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(error, A3M_EMFILE);
}

static void test_transport_udp_open_asked_for_buffer_sets_the_window(void **state)
{
    struct end small = end_open(udp, "127.0.0.1:0", NULL, 64 * 1024),
               all = end_open(udp, "127.0.0.1:0", NULL, 0);
    struct a3m_transport_info small_info, all_info;

    (void)state;
    udp->info(small.self, &small_info);
    udp->info(all.self, &all_info);
    assert_true(small_info.rx_window > 25 * 1024 && small_info.rx_window < 128 * 1024);
    assert_true(all_info.rx_window > small_info.rx_window);
    assert_int_equal(all_info.mtu, 8972);
    end_close(&small);
    end_close(&all);
}

static int option(const struct end *e, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    assert_int_equal(getsockopt(e->fd, level, name, &value, &len), 0);
    return value;
}

static void test_transport_udp_socket_allows_fragments_in_both_families(void **state)
{
    (void)state;
    if (!has_ipv6()) {
        skip();
    }
    struct end e = end_open(udp, "[::]:0", NULL, 0);

    assert_int_equal(option(&e, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DONT);
    assert_int_equal(option(&e, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_DONT);
    assert_int_equal(fcntl(e.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(e.fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    end_close(&e);
}

/* ---- Two families on one socket --------------------------------------------- */

static void test_transport_udp_wildcard6_talks_to_both_families(void **state)
{
    (void)state;
    if (!has_ipv6()) {
        skip();
    }
    struct end dual = end_open(udp, "[::]:0", "127.0.0.1", 0);
    struct end four = end_open(udp, "127.0.0.1:0", NULL, 0), six = end_open(udp, "[::1]:0", NULL, 0);
    char at6[64];
    struct pile pile = {0};

    snprintf(at6, sizeof at6, "[::1]:%u", a3mi_addr_port(&dual.at));
    struct a3m_addr dual6 = end_resolve(udp, at6);

    end_send_one(&four, &dual.at, "4", 1);
    end_send_one(&six, &dual6, "6", 1);
    end_receive_count(&dual, &pile, 2, 64);
    assert_true(a3mi_addr_eq(&pile.packets[0].from, &four.at)); /* shown as IPv4 */
    assert_true(a3mi_addr_eq(&pile.packets[1].from, &six.at));
    struct a3m_packet_out answers[] = {
        {.to = &pile.packets[0].from, .bytes = (const uint8_t *)"four", .size = 4},
        {.to = &pile.packets[1].from, .bytes = (const uint8_t *)"six", .size = 3},
    };

    end_send(&dual, answers, 2);
    struct pile at_four = {0}, at_six = {0};

    end_receive_count(&four, &at_four, 1, 64);
    end_receive_count(&six, &at_six, 1, 64);
    assert_memory_equal(at_four.packets[0].bytes, "four", 4);
    assert_memory_equal(at_six.packets[0].bytes, "six", 3);
    pile_clear(&pile);
    pile_clear(&at_four);
    pile_clear(&at_six);
    end_close(&dual);
    end_close(&four);
    end_close(&six);
}

static void test_transport_udp_mapped_address_is_sent_as_ipv4(void **state)
{
    static const uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    struct end a = end_open(udp, "127.0.0.1:0", NULL, 0), b = end_open(udp, "127.0.0.1:0", NULL, 0);
    struct a3m_addr to = a3mi_addr_udp6(mapped, a3mi_addr_port(&b.at), 0);
    struct pile pile = {0};

    (void)state;
    end_send_one(&a, &to, "x", 1);
    end_receive_count(&b, &pile, 1, 64);
    pile_clear(&pile);
    end_close(&a);
    end_close(&b);
}

static void test_transport_udp_socket_of_one_family_refuses_the_other(void **state)
{
    (void)state;
    if (!has_ipv6()) {
        skip();
    }
    struct end four = end_open(udp, "0.0.0.0:0", "127.0.0.1", 0), six = end_open(udp, "[::1]:0", NULL, 0);
    struct pile pile = {0};
    struct a3m_packet_out from_four[] = {
        {.to = &six.at, .bytes = (const uint8_t *)"x", .size = 1},
        {.to = &four.at, .bytes = (const uint8_t *)"y", .size = 1},
    };
    struct a3m_packet_out from_six[] = {
        {.to = &four.at, .bytes = (const uint8_t *)"x", .size = 1},
        {.to = &six.at, .bytes = (const uint8_t *)"y", .size = 1},
    };

    end_send(&four, from_four, 2);
    end_send(&six, from_six, 2);
    end_receive_count(&four, &pile, 1, 64);
    pile_clear(&pile);
    end_receive_count(&six, &pile, 1, 64);
    pile_clear(&pile);
    assert_int_equal(end_stats(&four).tx_errors, 1);
    assert_int_equal(end_stats(&six).tx_errors, 1);

    /* And no IPv6 packet reaches a port that is bound for IPv4. */
    char at6[64];

    snprintf(at6, sizeof at6, "[::1]:%u", a3mi_addr_port(&four.at));
    struct a3m_addr four6 = end_resolve(udp, at6);

    end_send_one(&six, &four6, "z", 1);
    end_send_one(&four, &four.at, "last", 4);
    end_receive_count(&four, &pile, 1, 64);
    assert_int_equal(pile.packets[0].size, 4);
    pile_clear(&pile);
    end_close(&four);
    end_close(&six);
}

/* ---- Super-packets ---------------------------------------------------------- */

static void test_transport_udp_equal_packets_go_as_super_packets(void **state)
{
    struct end a = end_open(udp, "127.0.0.1:0", NULL, 0), b = end_open(udp, "127.0.0.1:0", NULL, 0);
    static uint8_t bytes[1400];
    struct a3m_packet_out out[64];
    struct pile pile = {0};

    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        out[i] = (struct a3m_packet_out){.to = &b.at, .bytes = bytes, .size = i < 63 ? 1400 : 9};
    }
    end_send(&a, out, 64);
    assert_int_equal(end_stats(&a).tx_calls, 1);
    end_receive_count(&b, &pile, 64, 64);
    assert_true(pile.packets[0].stamp.super);
    assert_true(pile.packets[63].stamp.super);
    /* 46 of 1,400 bytes fill one super-packet, so two were needed, and a look or two. */
    assert_true(end_stats(&b).rx_calls <= 4);
    pile_clear(&pile);
    end_close(&a);
    end_close(&b);
}

static void test_transport_udp_packet_with_cookie_travels_alone(void **state)
{
    struct end a = end_open(udp, "127.0.0.1:0", NULL, 0), b = end_open(udp, "127.0.0.1:0", NULL, 0);
    uint8_t bytes[100] = {0};
    struct a3m_packet_out out[9];
    struct pile pile = {0};

    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        out[i] = (struct a3m_packet_out){
            .to = &b.at, .bytes = bytes, .size = sizeof bytes, .cookie = i == 4 ? 77 : 0};
    }
    end_send(&a, out, 9);
    assert_int_equal(end_stats(&a).tx_calls, 1);
    end_receive_count(&b, &pile, 9, 64);
    for (unsigned i = 0; i < 9; i++) {
        assert_int_equal(pile.packets[i].stamp.super, i != 4);
    }
    pile_clear(&pile);
    end_close(&a);
    end_close(&b);
}

/* ---- Strangers -------------------------------------------------------------- */

static int stranger(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    return fd;
}

static void send_strange(int fd, const struct end *to, size_t size)
{
    static uint8_t bytes[65000];
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons(a3mi_addr_port(&to->at)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    assert_int_equal(sendto(fd, bytes, size, 0, (struct sockaddr *)&name, sizeof name), size);
}

static void test_transport_udp_packet_too_large_is_dropped_and_counted(void **state)
{
    struct end a = end_open(udp, "127.0.0.1:0", NULL, 0);
    struct pile pile = {0};
    int fd = stranger();

    (void)state;
    send_strange(fd, &a, 8973);
    send_strange(fd, &a, 65000);
    send_strange(fd, &a, 8972);
    send_strange(fd, &a, 9000);
    send_strange(fd, &a, 1);
    end_receive_count(&a, &pile, 2, 64);
    assert_int_equal(pile.packets[0].size, 8972);
    assert_int_equal(pile.packets[1].size, 1);
    assert_int_equal(end_stats(&a).rx_truncated, 3);
    assert_int_equal(end_stats(&a).rx_packets, 2);
    close(fd);
    pile_clear(&pile);
    end_close(&a);
}

static void test_transport_udp_super_packet_of_large_ones_is_dropped_and_counted(void **state)
{
    struct end a = end_open(udp, "127.0.0.1:0", NULL, 0);
    struct pile pile = {0};
    int fd = stranger();
    int segment = 10000;

    (void)state;
    if (setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment) != 0) {
        close(fd);
        end_close(&a);
        skip();
    }
    send_strange(fd, &a, 2 * 10000 + 50);
    send_strange(fd, &a, 20);
    end_receive_count(&a, &pile, 1, 64);
    assert_int_equal(pile.packets[0].size, 20);
    assert_int_equal(end_stats(&a).rx_truncated, 3);
    close(fd);
    pile_clear(&pile);
    end_close(&a);
}

/* More of them than there are buffers: they are passed over in the end. */
static void test_transport_udp_flood_of_large_packets_does_not_stop_it(void **state)
{
    struct end a = end_open(udp, "127.0.0.1:0", NULL, 0);
    struct pile pile = {0};
    int fd = stranger();

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        send_strange(fd, &a, 9000);
    }
    send_strange(fd, &a, 5);
    end_receive_count(&a, &pile, 1, 64);
    assert_int_equal(end_stats(&a).rx_truncated, 50);
    close(fd);
    pile_clear(&pile);
    end_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transport_udp_resolve_number_is_read_and_printed),
        cmocka_unit_test(test_transport_udp_resolve_name_gives_address_with_port),
        cmocka_unit_test(test_transport_udp_resolve_bad_text_says_what_is_wrong),
        cmocka_unit_test(test_transport_udp_open_foreign_address_fails_and_says_so),
        cmocka_unit_test(test_transport_udp_open_without_descriptors_fails),
        cmocka_unit_test(test_transport_udp_open_asked_for_buffer_sets_the_window),
        cmocka_unit_test(test_transport_udp_socket_allows_fragments_in_both_families),
        cmocka_unit_test(test_transport_udp_wildcard6_talks_to_both_families),
        cmocka_unit_test(test_transport_udp_mapped_address_is_sent_as_ipv4),
        cmocka_unit_test(test_transport_udp_socket_of_one_family_refuses_the_other),
        cmocka_unit_test(test_transport_udp_equal_packets_go_as_super_packets),
        cmocka_unit_test(test_transport_udp_packet_with_cookie_travels_alone),
        cmocka_unit_test(test_transport_udp_packet_too_large_is_dropped_and_counted),
        cmocka_unit_test(test_transport_udp_super_packet_of_large_ones_is_dropped_and_counted),
        cmocka_unit_test(test_transport_udp_flood_of_large_packets_does_not_stop_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
