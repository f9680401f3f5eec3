/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The UDP transport: one unconnected socket of the kernel per endpoint, IPv4 or
 * IPv6, no privilege. This file opens it and tells about it; udp_sender.h and
 * udp_receiver.h move packets, udp_address.h knows addresses.
 *
 * The socket is never connected, so that the kernel reports no peer's ICMP
 * errors in the place of another peer's packet, and shares its port with nobody:
 * a port in use is an error. An endpoint belongs to whoever holds the node's
 * engine lock; no slot but `open` and `resolve` blocks. udp_whereabouts.h notices
 * that the machine's addresses changed.
 */
#include <errno.h>
#include <limits.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/error.h"
#include "transport/registry.h"
#include "transport/udp_address.h"
#include "transport/udp_receiver.h"
#include "transport/udp_sender.h"
#include "transport/udp_whereabouts.h"

enum {
    MTU = 8972, /* over IPv4 in a frame of 9,000 bytes */
    /*
     * What the kernel charges the receive buffer for a packet of MTU bytes
     * (skb->truesize): 16,384 of data, as they stand in one piece on loopback, and
     * 256 of struct sk_buff. One of 1,400 bytes is charged 2,304: less for each byte.
     */
    PACKET_CHARGE = 16640,
};

struct endpoint {
    int fd;
    uint32_t drops_seen; /* the kernel's counter when it was read last: 32 bits, wraps around */
    int receive_buffer;  /* bytes the kernel charges packets to */
    struct a3m_addr local;
    struct a3m_transport_stats stats;
    struct a3mi_udp_receiver receiver;
    struct a3mi_udp_sender sender;
    struct a3mi_udp_whereabouts whereabouts;
};

/* ---- Opening ---------------------------------------------------------------- */

/* An errno of socket(2) or bind(2) for `local` as a code, with what to do about it. */
static int fail_open(int error, const struct a3m_addr *local)
{
    char text[A3MI_ADDR_TEXT_SIZE];

    a3mi_addr_format(local, text, sizeof text);
    switch (error) {
    case EADDRINUSE:
        if (a3mi_addr_port(local) == 0) {
            return a3mi_fail(A3M_EADDRINUSE, "%s: no port is free", text);
        }
        return a3mi_fail(A3M_EADDRINUSE,
                         "%s is in use by another process; choose another port, or 0 for any free one", text);
    case EADDRNOTAVAIL:
    case ENODEV:
    case EINVAL: /* a link-local address without a scope */
        return a3mi_fail(A3M_EADDRNOTAVAIL,
                         "%s is not an address of this machine; 0.0.0.0 or [::] takes all of them", text);
    case EAFNOSUPPORT:
        return a3mi_fail(A3M_EADDRNOTAVAIL, "%s: this machine has no IPv%c", text,
                         local->kind == A3M_ADDR_UDP4 ? '4' : '6');
    case EACCES:
    case EPERM:
        return a3mi_fail(A3M_EACCES,
                         "%s: not permitted; ports below 1024 need privilege (CAP_NET_BIND_SERVICE)", text);
    default: return a3mi_fail_os(error, text);
    }
}

static int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

static int get_int(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof value;

    return getsockopt(fd, level, name, &value, &len) == 0 ? value : 0;
}

/*
 * Asks for buffers; the kernel cuts the wish down to net.core.rmem_max and
 * wmem_max, and says so to nobody. A number that was asked for by name may use
 * privilege, if there is any, to go beyond.
 */
static void set_buffer(int fd, size_t wish, int name, int forced_name)
{
    int value = wish == 0 || wish > INT_MAX / 2 ? INT_MAX / 2 : (int)wish;

    if (wish == 0 || set_int(fd, SOL_SOCKET, forced_name, value) != 0) {
        set_int(fd, SOL_SOCKET, name, value);
    }
}

/*
 * Packets may be fragmented, here and on the way: they are small enough for
 * almost every path, and where they are not they must get through all the same.
 */
static void allow_fragments(int fd, int family)
{
    set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT); /* for IPv4 from IPv6 sockets too */
    if (family == AF_INET6) {
        set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
    }
}

/* The bound socket, or -1 and errno. */
static int open_socket(const struct a3m_addr *local, const struct a3m_transport_config *config)
{
    int family = a3mi_udp_family(local);
    union a3mi_udp_sockaddr name;
    socklen_t name_len = a3mi_udp_to_sockaddr(local, family, &name);
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    if (family == AF_INET6 && set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, !a3mi_udp_is_wildcard(local)) != 0) {
        goto fail;
    }
    allow_fragments(fd, family);
    set_buffer(fd, config->receive_buffer, SO_RCVBUF, SO_RCVBUFFORCE);
    set_buffer(fd, config->send_buffer, SO_SNDBUF, SO_SNDBUFFORCE);
    if (bind(fd, &name.any, name_len) == 0) {
        return fd;
    }
fail:;
    int error = errno;

    close(fd);
    errno = error;
    return -1;
}

static void read_local(struct endpoint *e)
{
    union a3mi_udp_sockaddr name;
    socklen_t len = sizeof name;

    memset(&name, 0, sizeof name);
    if (getsockname(e->fd, &name.any, &len) == 0) {
        a3mi_udp_from_sockaddr(&name, &e->local);
    }
}

static int udp_open(const struct a3m_addr *local, const struct a3m_transport_config *config, void **self)
{
    int family = a3mi_udp_family(local);

    if (family == AF_UNSPEC) {
        return a3mi_fail(A3M_EINVAL, "not a UDP address (kind %d)", local->kind);
    }
    struct endpoint *e = calloc(1, sizeof *e);

    if (e == NULL) {
        return a3mi_fail(A3M_ENOMEM, "no memory for a UDP endpoint");
    }
    int error;

    e->fd = open_socket(local, config);
    if (e->fd < 0) {
        error = fail_open(errno, local);
        goto fail_socket;
    }
    error = a3mi_udp_receiver_init(&e->receiver, e->fd, MTU, &e->stats);
    if (error != 0) {
        goto fail_receiver;
    }
    a3mi_udp_sender_init(&e->sender, e->fd, family, MTU, &e->stats);
    e->receive_buffer = get_int(e->fd, SOL_SOCKET, SO_RCVBUF);
    read_local(e);
    a3mi_udp_whereabouts_init(&e->whereabouts, &e->local);
    *self = e;
    return 0;

fail_receiver:
    close(e->fd);
fail_socket:
    free(e);
    return error;
}

static void udp_close(void *self)
{
    struct endpoint *e = self;

    close(e->fd);
    a3mi_udp_receiver_fini(&e->receiver);
    a3mi_udp_whereabouts_fini(&e->whereabouts);
    free(e);
}

/* ---- Telling about it ------------------------------------------------------- */

static void udp_local(void *self, struct a3m_addr *out)
{
    const struct endpoint *e = self;

    *out = e->local;
}

static void udp_info(void *self, struct a3m_transport_info *out)
{
    const struct endpoint *e = self;
    /*
     * The kernel gives room back in portions of a quarter of the buffer, unless
     * it is read empty (udp_rmem_release), so no more than the rest can be
     * counted on: one packet more was measured to be lost now and then.
     */
    size_t packets = (size_t)e->receive_buffer / 4 * 3 / PACKET_CHARGE;

    *out = (struct a3m_transport_info){
        .mtu = MTU, .rx_window = (packets > 0 ? packets : 1) * MTU, /* one is always taken */
    };
}

static int udp_fd(void *self)
{
    const struct endpoint *e = self;

    return e->fd;
}

/*
 * The kernel's own counter, of datagrams that found the buffer full or had a bad
 * checksum (a super-packet is one). Unlike SO_RXQ_OVFL it costs nothing on the
 * way of a packet, and knows of losses behind the last packet received.
 */
static void read_drops(struct endpoint *e)
{
    uint32_t info[SK_MEMINFO_VARS];
    socklen_t len = sizeof info;

    if (getsockopt(e->fd, SOL_SOCKET, SO_MEMINFO, info, &len) == 0 &&
        len > SK_MEMINFO_DROPS * sizeof info[0]) {
        e->stats.rx_dropped += info[SK_MEMINFO_DROPS] - e->drops_seen;
        e->drops_seen = info[SK_MEMINFO_DROPS];
    }
}

static void udp_stats(void *self, struct a3m_transport_stats *out)
{
    struct endpoint *e = self;

    read_drops(e);
    *out = e->stats;
}

static int udp_notice_fd(void *self)
{
    const struct endpoint *e = self;

    return e->whereabouts.fd;
}

static bool udp_moved(void *self)
{
    struct endpoint *e = self;

    return a3mi_udp_whereabouts_moved(&e->whereabouts);
}

/* ---- Moving packets --------------------------------------------------------- */

static size_t udp_send(void *self, const struct a3m_packet_out *packets, size_t n)
{
    struct endpoint *e = self;

    return a3mi_udp_sender_send(&e->sender, packets, n);
}

static size_t udp_receive(void *self, struct a3m_packet_in *out, size_t max)
{
    struct endpoint *e = self;

    return a3mi_udp_receiver_receive(&e->receiver, out, max);
}

const a3m_transport_ops a3mi_transport_udp = {
    .size = sizeof(a3m_transport_ops),
    .scheme = "udp",
    .resolve = a3mi_udp_resolve,
    .format = a3mi_udp_format,
    .open = udp_open,
    .close = udp_close,
    .local = udp_local,
    .info = udp_info,
    .fd = udp_fd,
    .send = udp_send,
    .receive = udp_receive,
    .stats = udp_stats,
    .notice_fd = udp_notice_fd,
    .moved = udp_moved,
};
