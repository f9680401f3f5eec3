/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the UDP transport takes the kernel's refusals, in a network namespace of
 * its own where they can be brought about: a path too narrow for super-packets,
 * no route, a filter that drops, a queue that is full until a neighbour answers.
 * And what it notices of the machine's addresses.
 * Skipped where no namespace can be made.
 */
#include "conform/test_transport_end.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cursor.h"
#include "transport/registry.h"

enum {
    SKIPPED = 77,
    PACKET = 1400,
};

static const a3m_transport_ops *const udp = &a3mi_transport_udp;

/* ---- The namespace ---------------------------------------------------------- */

static int request(unsigned long what, void *arg)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result = ioctl(fd, what, arg);

    close(fd);
    return result;
}

static int set_up(const char *name)
{
    struct ifreq r = {.ifr_flags = IFF_UP | IFF_RUNNING};

    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    return request(SIOCSIFFLAGS, &r);
}

static int set_mtu(const char *name, int mtu)
{
    struct ifreq r = {.ifr_mtu = mtu};

    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    return request(SIOCSIFMTU, &r);
}

static int set_address(const char *name, unsigned long what, const char *ip)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct ifreq r = {0};

    inet_pton(AF_INET, ip, &in.sin_addr);
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    memcpy(&r.ifr_addr, &in, sizeof in);
    return request(what, &r);
}

/* Without privilege a user namespace gives it, but not while ThreadSanitizer has its thread. */
static bool enter_namespace(void)
{
    return (unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) && set_up("lo") == 0;
}

/* ---- A path too narrow for super-packets ------------------------------------ */

static void send_runs(struct end *a, const struct end *b, unsigned n)
{
    struct a3m_packet_out out[64];
    uint8_t bytes[64][PACKET];

    assert_true(n <= 64);
    for (unsigned i = 0; i < n; i++) {
        fill_bytes(bytes[i], PACKET, i);
        out[i] = (struct a3m_packet_out){.to = &b->at, .bytes = bytes[i], .size = PACKET};
    }
    assert_int_equal(a->ops->send(a->self, out, n), n);
}

static void expect_runs(struct end *b, unsigned n)
{
    struct pile pile = {0};

    end_receive_count(b, &pile, n, 64);
    for (unsigned i = 0; i < n; i++) {
        assert_bytes(&pile.packets[i], PACKET, i);
        assert_false(pile.packets[i].stamp.super);
    }
    pile_clear(&pile);
}

static void check_narrow_path(const char *text)
{
    struct end a = end_open(udp, text, NULL, 0), b = end_open(udp, text, NULL, 0);

    send_runs(&a, &b, 40);
    expect_runs(&b, 40); /* by IP fragments */
    assert_int_equal(end_stats(&a).tx_calls, 2);
    send_runs(&a, &b, 40);
    expect_runs(&b, 40);
    assert_int_equal(end_stats(&a).tx_calls, 3); /* it is not tried again */
    assert_int_equal(end_stats(&a).tx_packets, 80);
    assert_int_equal(end_stats(&a).tx_errors, 0);
    end_close(&a);
    end_close(&b);
}

static void test_transport_udp_narrow_path_takes_packets_singly(void **state)
{
    (void)state;
    assert_int_equal(set_mtu("lo", 1300), 0);
    check_narrow_path("127.0.0.1:0");
    if (access("/proc/net/if_inet6", F_OK) == 0) {
        check_narrow_path("[::1]:0");
    }
    assert_int_equal(set_mtu("lo", 65536), 0);
}

/* ---- No way, and a way that is barred --------------------------------------- */

/* ---- Packets that may not be fragmented --------------------------------------- */

/* In a row: small ones go whatever happens to the large one between them. */
static void send_between(struct end *a, const struct end *b, size_t size, uint32_t flags)
{
    static const uint8_t bytes[4000];
    struct a3m_packet_out out[] = {
        {.to = &b->at, .bytes = bytes, .size = 100},
        {.to = &b->at, .bytes = bytes, .size = size, .flags = flags},
        {.to = &b->at, .bytes = bytes, .size = 101},
    };

    assert_int_equal(a->ops->send(a->self, out, 3), 3);
}

static void expect_sizes(struct end *b, const size_t *sizes, unsigned n)
{
    struct pile pile = {0};

    end_receive_count(b, &pile, n, 64);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(pile.packets[i].size, sizes[i]);
    }
    pile_clear(&pile);
}

static void check_whole(const char *text)
{
    struct end a = end_open(udp, text, NULL, 0), b = end_open(udp, text, NULL, 0);

    send_between(&a, &b, 4000, 0);
    expect_sizes(&b, (size_t[]){100, 4000, 101}, 3); /* by IP fragments */
    send_between(&a, &b, 4000, A3M_PACKET_WHOLE);
    expect_sizes(&b, (size_t[]){100, 101}, 2);
    assert_int_equal(end_stats(&a).tx_errors, 1);
    send_between(&a, &b, 1200, A3M_PACKET_WHOLE);
    expect_sizes(&b, (size_t[]){100, 1200, 101}, 3);
    send_between(&a, &b, 4000, 0); /* it held for that packet only */
    expect_sizes(&b, (size_t[]){100, 4000, 101}, 3);
    end_close(&a);
    end_close(&b);
}

static void test_transport_udp_whole_packet_is_lost_where_it_does_not_fit(void **state)
{
    (void)state;
    assert_int_equal(set_mtu("lo", 1500), 0);
    check_whole("127.0.0.1:0");
    if (access("/proc/net/if_inet6", F_OK) == 0) {
        check_whole("[::1]:0");
    }
    assert_int_equal(set_mtu("lo", 65536), 0);
}

static void send_around(struct end *a, const struct a3m_addr *bad, const struct a3m_addr *good)
{
    static const uint8_t bytes[100];
    struct a3m_packet_out out[] = {
        {.to = bad, .bytes = bytes, .size = 100},  {.to = bad, .bytes = bytes, .size = 100},
        {.to = good, .bytes = bytes, .size = 100}, {.to = bad, .bytes = bytes, .size = 100},
        {.to = good, .bytes = bytes, .size = 100}, {.to = bad, .bytes = bytes, .size = 90},
    };

    assert_int_equal(a->ops->send(a->self, out, 6), 6);
}

static void test_transport_udp_no_route_loses_only_what_goes_there(void **state)
{
    struct end a = end_open(udp, "0.0.0.0:0", "127.0.0.1", 0);
    struct a3m_addr bad = end_resolve(udp, "198.51.100.1:7000");
    struct pile pile = {0};

    (void)state;
    send_around(&a, &bad, &a.at);
    end_receive_count(&a, &pile, 2, 64);
    assert_int_equal(end_stats(&a).tx_errors, 4);
    assert_int_equal(end_stats(&a).tx_packets, 2);
    pile_clear(&pile);
    end_close(&a);
}

/* Runs nft(8) with a script; false when there is none, or it cannot. */
static bool run_nft(const char *script)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        execlp("nft", "nft", script, (char *)NULL);
        execl("/usr/sbin/nft", "nft", script, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status == 0;
}

static void test_transport_udp_filter_drop_loses_only_what_it_drops(void **state)
{
    struct end a = end_open(udp, "127.0.0.1:0", NULL, 0), barred = end_open(udp, "127.0.0.1:0", NULL, 0);
    struct pile pile = {0};
    char script[256];

    (void)state;
    snprintf(script, sizeof script,
             "add table ip t; add chain ip t out { type filter hook output priority 0; };"
             " add rule ip t out udp dport %u drop",
             a3mi_addr_port(&barred.at));
    bool done = run_nft(script);

    if (done) {
        send_around(&a, &barred.at, &a.at);
        end_receive_count(&a, &pile, 2, 64);
        assert_int_equal(end_receive(&barred, &pile, 64), 0);
        assert_int_equal(end_stats(&a).tx_errors, 4);
        assert_int_equal(end_stats(&a).tx_packets, 2);
        assert_true(run_nft("delete table ip t"));
    }
    pile_clear(&pile);
    end_close(&a);
    end_close(&barred);
    if (!done) {
        skip();
    }
}

/* ---- A full queue ----------------------------------------------------------- */

/* An Ethernet device whose other end is the descriptor returned; -1 where that is not allowed. */
static int open_tap(const char *name)
{
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    if (fd >= 0 && ioctl(fd, TUNSETIFF, &r) != 0) {
        close(fd);
        return -1;
    }
    if (fd >= 0) {
        assert_int_equal(set_address(name, SIOCSIFADDR, "10.9.0.1"), 0);
        assert_int_equal(set_address(name, SIOCSIFNETMASK, "255.255.255.0"), 0);
        assert_int_equal(set_up(name), 0);
    }
    return fd;
}

/* The neighbour is known from now on, and what waited for it goes. */
static void answer_for(const char *name, const struct a3m_addr *peer)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct arpreq r = {.arp_flags = ATF_COM | ATF_PERM, .arp_ha.sa_family = ARPHRD_ETHER};

    memcpy(&in.sin_addr, a3mi_addr_ip(peer), sizeof in.sin_addr);
    memcpy(&r.arp_pa, &in, sizeof in);
    memcpy(r.arp_ha.sa_data, "\x02\x00\x00\x00\x00\x02", 6);
    snprintf(r.arp_dev, sizeof r.arp_dev, "%s", name);
    assert_int_equal(request(SIOCSARP, &r), 0);
}

/* Frames out of the device, until it has none: the UDP packets among them are to bear the next numbers. */
static unsigned read_frames(int tap, unsigned next)
{
    enum { ETHERNET = 14, IP = 20, UDP = 8, FLAGS = 6, PROTOCOL = 9 };
    uint8_t frame[2048];
    ssize_t n;

    while ((n = read(tap, frame, sizeof frame)) > 0) {
        if (n < ETHERNET + IP + UDP + 4 || a3mi_load_be16(frame + 12) != ETHERTYPE_IP ||
            frame[ETHERNET + PROTOCOL] != IPPROTO_UDP) {
            continue;
        }
        assert_int_equal(n, ETHERNET + IP + UDP + PACKET);
        assert_int_equal(frame[ETHERNET + FLAGS] & 0x40, 0); /* DF: routers may fragment it */
        assert_int_equal(a3mi_load_be32(frame + ETHERNET + IP + UDP), next);
        next++;
    }
    return next;
}

static void check_full_queue(int tap, const char *device, const char *peer, uint64_t cookie)
{
    enum { MANY = 64 };
    struct a3m_transport_config config = {.size = sizeof config, .send_buffer = 5000};
    struct a3m_addr local = end_resolve(udp, "10.9.0.1:0"), to = end_resolve(udp, peer);
    struct a3m_packet_out out[MANY];
    uint8_t bytes[MANY][PACKET] = {0};
    struct end a = {.ops = udp};

    assert_int_equal(udp->open(&local, &config, &a.self), 0);
    a.fd = udp->fd(a.self);
    for (uint32_t i = 0; i < MANY; i++) {
        a3mi_store_be32(bytes[i], i);
        out[i] = (struct a3m_packet_out){.to = &to, .bytes = bytes[i], .size = PACKET, .cookie = cookie};
    }
    /* What is taken waits for the neighbour to be found. */
    size_t sent = udp->send(a.self, out, MANY);

    for (unsigned tries = 0; tries < 3; tries++) {
        sent += udp->send(a.self, out + sent, MANY - sent);
    }
    assert_true(sent > 0 && sent < MANY);
    assert_true(end_stats(&a).tx_again > 0);
    assert_false(end_ready(&a, POLLOUT, 0));
    unsigned seen = read_frames(tap, 0);

    assert_int_equal(seen, 0);
    answer_for(device, &to);
    while (seen < MANY) {
        struct pollfd p[] = {{.fd = tap, .events = POLLIN},
                             {.fd = a.fd, .events = sent < MANY ? POLLOUT : 0}};

        assert_true(poll(p, 2, END_DEADLINE_MS) > 0);
        seen = read_frames(tap, seen);
        if ((p[1].revents & POLLOUT) != 0) {
            sent += udp->send(a.self, out + sent, MANY - sent);
        }
    }
    assert_int_equal(end_stats(&a).tx_errors, 0);
    assert_int_equal(end_stats(&a).tx_packets, MANY);
    end_close(&a);
}

static void test_transport_udp_full_queue_takes_fewer_and_goes_on_when_writable(void **state)
{
    int tap = open_tap("tap0");

    (void)state;
    if (tap < 0) {
        skip();
    }
    check_full_queue(tap, "tap0", "10.9.0.2:7000", 1); /* one by one */
    check_full_queue(tap, "tap0", "10.9.0.3:7000", 0); /* in super-packets */
    close(tap);
}

/* ---- Addresses that change ------------------------------------------------------ */

static int set_down(const char *name)
{
    struct ifreq r = {0};

    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    return request(SIOCSIFFLAGS, &r);
}

/* The kernel may tell of a device's carrier a little later. */
static void expect_moved(const struct end *e)
{
    struct pollfd p = {.fd = udp->notice_fd(e->self), .events = POLLIN};

    do {
        assert_int_equal(poll(&p, 1, END_DEADLINE_MS), 1);
    } while (!udp->moved(e->self));
}

static void test_transport_udp_another_address_is_noticed(void **state)
{
    int tap = open_tap("tap1");
    struct end e = end_open(udp, "0.0.0.0:0", "127.0.0.1", 0);

    (void)state;
    if (tap < 0 || udp->notice_fd(e.self) < 0) {
        end_close(&e);
        skip();
    }
    while (udp->moved(e.self)) {} /* what the device's making left */
    assert_int_equal(set_address("tap1", SIOCSIFADDR, "10.9.0.7"), 0);
    expect_moved(&e);
    assert_false(udp->moved(e.self));
    assert_int_equal(set_address("tap1", SIOCSIFADDR, "10.9.0.7"), 0); /* announced, and nothing new */
    assert_false(udp->moved(e.self));
    assert_int_equal(set_address("lo:1", SIOCSIFADDR, "127.0.0.9"), 0);
    assert_false(udp->moved(e.self));
    end_close(&e);
    close(tap);
}

static void test_transport_udp_link_that_comes_back_is_noticed(void **state)
{
    int tap = open_tap("tap2");
    struct end e = end_open(udp, "0.0.0.0:0", "127.0.0.1", 0);

    (void)state;
    if (tap < 0 || udp->notice_fd(e.self) < 0) {
        end_close(&e);
        skip();
    }
    while (udp->moved(e.self)) {}
    assert_int_equal(set_down("tap2"), 0);
    assert_false(udp->moved(e.self)); /* nobody can be told now */
    assert_int_equal(set_up("tap2"), 0);
    expect_moved(&e);
    end_close(&e);
    close(tap);
}

static void test_transport_udp_bound_address_is_the_only_one_that_counts(void **state)
{
    struct end e = end_open(udp, "127.0.0.1:0", NULL, 0);
    int tap = open_tap("tap3");

    (void)state;
    if (tap < 0 || udp->notice_fd(e.self) < 0) {
        end_close(&e);
        skip();
    }
    assert_int_equal(set_address("tap3", SIOCSIFADDR, "10.9.0.8"), 0);
    assert_false(udp->moved(e.self));
    assert_int_equal(set_down("lo"), 0);
    assert_false(udp->moved(e.self));
    assert_int_equal(set_up("lo"), 0);
    expect_moved(&e);
    end_close(&e);
    close(tap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transport_udp_narrow_path_takes_packets_singly),
        cmocka_unit_test(test_transport_udp_whole_packet_is_lost_where_it_does_not_fit),
        cmocka_unit_test(test_transport_udp_no_route_loses_only_what_goes_there),
        cmocka_unit_test(test_transport_udp_filter_drop_loses_only_what_it_drops),
        cmocka_unit_test(test_transport_udp_full_queue_takes_fewer_and_goes_on_when_writable),
        cmocka_unit_test(test_transport_udp_another_address_is_noticed),
        cmocka_unit_test(test_transport_udp_link_that_comes_back_is_noticed),
        cmocka_unit_test(test_transport_udp_bound_address_is_the_only_one_that_counts),
    };

    if (!enter_namespace()) {
        print_message("[  SKIPPED ] no network namespace can be made here\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
