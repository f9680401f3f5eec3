/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the UDP sender makes of a kernel's answers that are hard to bring about:
 * this program has a sendmmsg and a sendto of its own, which answer by a script
 * and write down what they were given.
 */
#include "conform/test_transport_end.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/udp_sender.h"

enum {
    ALL =
        0, /* in a script: takes all it is given; a positive number: an errno; a negative one: takes so many */
    CALLS_MAX = 64,
    PACKETS = 64,
    SIZE = 100,
};

static struct {
    int script[CALLS_MAX];
    unsigned calls;
    size_t datagrams[CALLS_MAX]; /* in each call */
    size_t first_pieces[CALLS_MAX];
    size_t sent; /* packets */
} kernel;

static int answer(size_t datagrams, size_t first_pieces)
{
    assert_true(kernel.calls < CALLS_MAX);
    int reply = kernel.script[kernel.calls];

    kernel.datagrams[kernel.calls] = datagrams;
    kernel.first_pieces[kernel.calls] = first_pieces;
    kernel.calls++;
    if (reply > 0) {
        errno = reply;
        return -1;
    }
    return reply == ALL ? (int)datagrams : -reply;
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags)
{
    (void)fd;
    (void)flags;
    int taken = answer(n, messages[0].msg_hdr.msg_iovlen);

    for (int i = 0; i < taken; i++) {
        kernel.sent += messages[i].msg_hdr.msg_iovlen;
    }
    return taken;
}

ssize_t sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t addr_len)
{
    (void)fd;
    (void)buf;
    (void)flags;
    (void)addr;
    (void)addr_len;
    if (answer(1, 1) < 0) {
        return -1;
    }
    kernel.sent++;
    return (ssize_t)n;
}

struct fixture {
    int fd;
    struct a3m_transport_stats stats;
    struct a3mi_udp_sender sender;
    struct a3m_addr to[2];
    uint8_t bytes[SIZE];
    struct a3m_packet_out packets[PACKETS]; /* all to to[0] */
};

static int set_up(void **state)
{
    static const uint8_t ip[4] = {192, 0, 2, 7};
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL) {
        return -1;
    }
    memset(&kernel, 0, sizeof kernel);
    f->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    a3mi_udp_sender_init(&f->sender, f->fd, AF_INET, 1400, &f->stats);
    f->sender.gso = true;
    f->to[0] = a3mi_addr_udp4(ip, 7000);
    f->to[1] = a3mi_addr_udp4(ip, 7001);
    for (unsigned i = 0; i < PACKETS; i++) {
        f->packets[i] = (struct a3m_packet_out){.to = &f->to[0], .bytes = f->bytes, .size = SIZE};
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    close(f->fd);
    free(f);
    return 0;
}

static size_t send_some(struct fixture *f, size_t n)
{
    return a3mi_udp_sender_send(&f->sender, f->packets, n);
}

static void assert_outcome(const struct fixture *f, size_t sent, uint64_t errors)
{
    assert_int_equal(kernel.sent, sent);
    assert_int_equal(f->stats.tx_packets, sent);
    assert_int_equal(f->stats.tx_bytes, sent * SIZE);
    assert_int_equal(f->stats.tx_errors, errors);
    assert_int_equal(f->stats.tx_calls, kernel.calls);
}

static void test_transport_udp_sender_pending_error_is_repeated_and_nothing_lost(void **state)
{
    static const int errors[] = {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, EPROTO, EINTR};
    struct fixture *f = *state;

    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        kernel.script[2 * i] = errors[i]; /* then ALL */
        assert_int_equal(send_some(f, 1), 1);
    }
    assert_outcome(f, sizeof errors / sizeof errors[0], 0);
}

static void test_transport_udp_sender_lasting_error_loses_that_datagram_only(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 3; i < 8; i++) {
        f->packets[i].to = &f->to[1];
    }
    /* One datagram of 3 is taken, the next of 5 is refused twice, the rest goes. */
    kernel.script[0] = -1;
    kernel.script[1] = kernel.script[2] = EHOSTUNREACH;
    assert_int_equal(send_some(f, 10), 10);
    assert_outcome(f, 5, 5);
    assert_int_equal(kernel.calls, 4);
}

static void test_transport_udp_sender_dropped_by_filter_is_not_repeated(void **state)
{
    struct fixture *f = *state;

    kernel.script[0] = EPERM;
    assert_int_equal(send_some(f, 1), 1);
    assert_outcome(f, 0, 1);
    assert_int_equal(kernel.calls, 1);
}

static void test_transport_udp_sender_super_packet_refused_goes_singly_ever_after(void **state)
{
    static const int errors[] = {EIO, EINVAL, EMSGSIZE};

    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        tear_down(state);
        assert_int_equal(set_up(state), 0);
        struct fixture *f = *state;

        kernel.script[0] = errors[i];
        assert_int_equal(send_some(f, 20), 20);
        assert_int_equal(kernel.first_pieces[0], 20);
        assert_int_equal(kernel.datagrams[1], 20);
        assert_int_equal(send_some(f, 20), 20);
        assert_int_equal(kernel.datagrams[2], 20);
        assert_outcome(f, 40, 0);
        /* Other addresses are not concerned. */
        for (unsigned k = 0; k < 20; k++) {
            f->packets[k].to = &f->to[1];
        }
        assert_int_equal(send_some(f, 20), 20);
        assert_int_equal(kernel.datagrams[3], 1);
    }
}

static void test_transport_udp_sender_more_refused_paths_than_remembered_all_sent(void **state)
{
    struct fixture *f = *state;
    struct a3m_addr to[A3MI_UDP_REFUSED_PATHS + 4];

    for (unsigned i = 0; i < A3MI_UDP_REFUSED_PATHS + 4; i++) {
        to[i] = a3mi_addr_udp4((const uint8_t[4]){10, 0, 0, (uint8_t)i}, 7000);
        f->packets[0].to = f->packets[1].to = &to[i];
        kernel.script[kernel.calls] = EMSGSIZE;
        assert_int_equal(send_some(f, 2), 2);
    }
    assert_int_equal(f->sender.refused_count, A3MI_UDP_REFUSED_PATHS);
    assert_outcome(f, 2 * (A3MI_UDP_REFUSED_PATHS + 4), 0);
}

static void test_transport_udp_sender_single_too_long_is_lost(void **state)
{
    struct fixture *f = *state;

    kernel.script[0] = EMSGSIZE;
    assert_int_equal(send_some(f, 1), 1);
    assert_outcome(f, 0, 1);
}

static void test_transport_udp_sender_full_queue_keeps_the_rest(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 10; i++) {
        f->packets[i].cookie = 1; /* each alone */
    }
    kernel.script[0] = -4;
    kernel.script[1] = EAGAIN;
    assert_int_equal(send_some(f, 10), 4);
    assert_int_equal(f->stats.tx_again, 1);
    assert_outcome(f, 4, 0);
}

/* The socket may be writable all the while: whoever waits for that must not spin for ever. */
static void test_transport_udp_sender_out_of_memory_gives_way_then_makes_do(void **state)
{
    struct fixture *f = *state;

    kernel.script[0] = ENOBUFS;
    assert_int_equal(send_some(f, 8), 0);
    assert_outcome(f, 0, 0);

    kernel.script[1] = ENOBUFS; /* the super-packet again, then its packets singly */
    assert_int_equal(send_some(f, 8), 8);
    assert_int_equal(kernel.datagrams[1], 1);
    assert_int_equal(kernel.datagrams[2], 8);
    assert_outcome(f, 8, 0);

    kernel.script[3] = ENOBUFS; /* it is over: one more is given way to again */
    assert_int_equal(send_some(f, 8), 0);
    kernel.script[4] = kernel.script[5] = ENOBUFS; /* not even one: a call loses one, no more */
    kernel.script[6] = ENOBUFS;
    assert_int_equal(send_some(f, 8), 1);
    assert_outcome(f, 8, 1);
    assert_int_equal(f->stats.tx_again, 3);
}

static void test_transport_udp_sender_without_gso_sends_singly(void **state)
{
    struct fixture *f = *state;

    f->sender.gso = false;
    assert_int_equal(send_some(f, 30), 30);
    assert_int_equal(kernel.calls, 1);
    assert_int_equal(kernel.datagrams[0], 30);
    assert_outcome(f, 30, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_transport_udp_sender_pending_error_is_repeated_and_nothing_lost),
        TEST(test_transport_udp_sender_lasting_error_loses_that_datagram_only),
        TEST(test_transport_udp_sender_dropped_by_filter_is_not_repeated),
        TEST(test_transport_udp_sender_super_packet_refused_goes_singly_ever_after),
        TEST(test_transport_udp_sender_more_refused_paths_than_remembered_all_sent),
        TEST(test_transport_udp_sender_single_too_long_is_lost),
        TEST(test_transport_udp_sender_full_queue_keeps_the_rest),
        TEST(test_transport_udp_sender_out_of_memory_gives_way_then_makes_do),
        TEST(test_transport_udp_sender_without_gso_sends_singly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
