/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sending half of a UDP endpoint. Each round builds a batch from the packets
 * not yet taken, hands it to the kernel, and counts off what the kernel took; a
 * refusal is always about the first datagram of a batch, since sendmmsg(2) stops
 * in front of a later one and reports it when it comes first.
 *
 * One packet goes by sendto: it is 80 ns cheaper than sendmsg or sendmmsg.
 */
#include "transport/udp_sender.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#include "base/addr.h"

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

void a3mi_udp_sender_init(struct a3mi_udp_sender *s, int fd, int family, size_t mtu,
                          struct a3m_transport_stats *stats)
{
    int segment;
    socklen_t len = sizeof segment;

    memset(s, 0, sizeof *s);
    s->fd = fd;
    s->family = family;
    s->mtu = mtu;
    s->stats = stats;
    s->gso = getsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, &len) == 0;
}

/* ---- Paths that take no super-packets --------------------------------------- */

static bool is_refused(const struct a3mi_udp_sender *s, const struct a3m_addr *to)
{
    for (unsigned i = 0; i < s->refused_count; i++) {
        if (a3mi_addr_eq(&s->refused[i], to)) {
            return true;
        }
    }
    return false;
}

static void remember_refused(struct a3mi_udp_sender *s, const struct a3m_addr *to)
{
    s->refused[s->refused_next] = *to;
    s->refused_next = (s->refused_next + 1) % A3MI_UDP_REFUSED_PATHS;
    if (s->refused_count < A3MI_UDP_REFUSED_PATHS) {
        s->refused_count++;
    }
}

/* ---- Building a batch ------------------------------------------------------- */

/* Whether `next` may stand in the same super-packet as `first`. */
static bool joins(const struct a3m_packet_out *first, const struct a3m_packet_out *next)
{
    return next->size <= first->size && next->size > 0 && next->cookie == 0 && next->flags == 0 &&
           (next->to == first->to || a3mi_addr_eq(next->to, first->to));
}

/* How many of the `n` packets, at least one, go as one datagram. */
static unsigned group_length(const struct a3mi_udp_sender *s, const struct a3m_packet_out *p, size_t n)
{
    unsigned count = 1;
    size_t bytes = p[0].size;

    if (n == 1 || p[0].size == 0 || p[0].cookie != 0 || !joins(&p[0], &p[1]) || is_refused(s, p[0].to)) {
        return 1;
    }
    while (count < n && count < A3MI_UDP_SEGMENTS && joins(&p[0], &p[count])) {
        bytes += p[count].size;
        if (bytes > A3MI_UDP_SUPER_BYTES) {
            break;
        }
        count++;
        if (p[count - 1].size < p[0].size) {
            break; /* only the last may be shorter */
        }
    }
    return count;
}

static void set_segment(struct a3mi_udp_sender *s, unsigned g, size_t size)
{
    struct msghdr *header = &s->messages[g].msg_hdr;
    uint16_t segment = (uint16_t)size;

    header->msg_control = s->controls[g].bytes;
    header->msg_controllen = sizeof s->controls[g].bytes;
    struct cmsghdr *control = CMSG_FIRSTHDR(header);

    control->cmsg_level = SOL_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof segment);
    memcpy(CMSG_DATA(control), &segment, sizeof segment);
}

static void add_group(struct a3mi_udp_sender *s, const struct a3m_packet_out *p, unsigned count,
                      socklen_t name_len)
{
    unsigned g = s->groups++;
    struct iovec *pieces = &s->pieces[s->packets];

    for (unsigned i = 0; i < count; i++) {
        pieces[i].iov_base = (void *)(uintptr_t)p[i].bytes; /* the kernel only reads them */
        pieces[i].iov_len = p[i].size;
    }
    s->messages[g].msg_hdr = (struct msghdr){
        .msg_name = &s->names[g], .msg_namelen = name_len, .msg_iov = pieces, .msg_iovlen = count};
    s->counts[g] = count;
    s->packets += count;
    if (count > 1) {
        set_segment(s, g, p[0].size);
    }
}

/* Fills the batch from the first packet on, up to one that cannot be sent at all. */
static void build(struct a3mi_udp_sender *s, const struct a3m_packet_out *p, size_t n, bool gso)
{
    s->groups = 0;
    s->packets = 0;
    s->whole = n > 0 && (p[0].flags & A3M_PACKET_WHOLE) != 0;
    if (n > A3MI_UDP_BATCH) {
        n = A3MI_UDP_BATCH;
    }
    for (size_t i = 0; i < n; i = s->packets) {
        socklen_t name_len = a3mi_udp_to_sockaddr(p[i].to, s->family, &s->names[s->groups]);

        bool whole = (p[i].flags & A3M_PACKET_WHOLE) != 0;

        if (name_len == 0 || p[i].size > s->mtu || (whole && s->groups > 0)) {
            return; /* one that may not be fragmented goes alone */
        }
        add_group(s, p + i, gso && !whole ? group_length(s, p + i, n - i) : 1, name_len);
        if (whole) {
            return;
        }
    }
}

/* ---- Handing it over -------------------------------------------------------- */

static void set_discover(const struct a3mi_udp_sender *s, int ipv4, int ipv6)
{
    (void)setsockopt(s->fd, IPPROTO_IP, IP_MTU_DISCOVER, &ipv4, sizeof ipv4);
    if (s->family == AF_INET6) {
        (void)setsockopt(s->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &ipv6, sizeof ipv6);
    }
}

/*
 * With "do not fragment", whatever the kernel thinks that the path takes. The
 * socket is told so for this one packet: rare enough, and there is no control
 * message for it over IPv4.
 */
static int transmit_whole(struct a3mi_udp_sender *s, const struct msghdr *message)
{
    set_discover(s, IP_PMTUDISC_PROBE, IPV6_PMTUDISC_PROBE);
    ssize_t r = sendto(s->fd, message->msg_iov->iov_base, message->msg_iov->iov_len, 0, message->msg_name,
                       message->msg_namelen);
    int error = errno;

    set_discover(s, IP_PMTUDISC_DONT, IPV6_PMTUDISC_DONT);
    errno = error;
    return r < 0 ? -1 : 1;
}

/* The number of datagrams taken, or -1 and errno, which is about the first one. */
static int transmit(struct a3mi_udp_sender *s)
{
    const struct msghdr *first = &s->messages[0].msg_hdr;

    s->stats->tx_calls++;
    if (s->whole) {
        return transmit_whole(s, first);
    }
    if (s->packets == 1) {
        ssize_t r = sendto(s->fd, first->msg_iov->iov_base, first->msg_iov->iov_len, 0, first->msg_name,
                           first->msg_namelen);

        return r < 0 ? -1 : 1;
    }
    return sendmmsg(s->fd, s->messages, s->groups, 0);
}

/* Counts the packets of the first `groups` datagrams and returns their number. */
static size_t count_sent(struct a3mi_udp_sender *s, unsigned groups)
{
    size_t packets = 0;

    for (unsigned g = 0; g < groups; g++) {
        packets += s->counts[g];
    }
    for (size_t i = 0; i < packets; i++) {
        s->stats->tx_bytes += s->pieces[i].iov_len;
    }
    s->stats->tx_packets += packets;
    return packets;
}

/* What is to be done about a refusal of a batch's first datagram. */
enum verdict {
    VERDICT_FULL,   /* there is no room: the caller keeps the rest */
    VERDICT_REPEAT, /* nothing is wrong with it: once more */
    VERDICT_SPLIT,  /* its packets may go one by one, and only now */
    VERDICT_REFUSE, /* the path takes no super-packets, now or later */
    VERDICT_LOST,   /* it cannot be sent */
};

/*
 * The kernel has no memory for it. The socket may be writable nevertheless, so
 * a caller that waits for that would spin: give way once, then make do.
 */
static enum verdict judge_starved(struct a3mi_udp_sender *s)
{
    if (!s->starved) {
        s->starved = true;
        return VERDICT_FULL;
    }
    if (s->counts[0] > 1) {
        return VERDICT_SPLIT;
    }
    s->starved = false; /* one packet a call is progress; do not lose them all */
    return VERDICT_LOST;
}

/* `repeated`: this datagram had its second try already. */
static enum verdict judge(struct a3mi_udp_sender *s, int error, bool repeated)
{
    switch (error) {
    case EAGAIN: return VERDICT_FULL;
    case EINTR: return VERDICT_REPEAT;
    case ENOBUFS:
    case ENOMEM: return judge_starved(s);
    case EIO:    /* the device computes no checksums, so the kernel does not cut for it */
    case EINVAL: /* a packet is larger than the path's MTU (before Linux 6.14) */
    case EMSGSIZE: /* the same */ return s->counts[0] > 1 ? VERDICT_REFUSE : VERDICT_LOST;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENOPROTOOPT:
    case EPROTO:
    case EOPNOTSUPP:
        /* An ICMP error that an earlier packet met may be reported in the place of this one. */
        return repeated ? VERDICT_LOST : VERDICT_REPEAT;
    default: return VERDICT_LOST; /* EPERM of a filter's drop, EACCES of a broadcast address, … */
    }
}

static size_t lose(struct a3mi_udp_sender *s, size_t packets)
{
    s->stats->tx_errors += packets;
    return packets;
}

size_t a3mi_udp_sender_send(struct a3mi_udp_sender *s, const struct a3m_packet_out *packets, size_t n)
{
    size_t done = 0;
    bool repeated = false;
    bool gso = s->gso;

    while (done < n) {
        build(s, packets + done, n - done, gso);
        if (s->groups == 0) {
            done += lose(s, 1);
            continue;
        }
        int taken = transmit(s);

        if (taken > 0) {
            s->starved = false;
            repeated = false;
            gso = s->gso;
            done += count_sent(s, (unsigned)taken);
            continue;
        }
        switch (judge(s, errno, repeated)) {
        case VERDICT_FULL: s->stats->tx_again++; return done;
        case VERDICT_REPEAT: repeated = true; break;
        case VERDICT_SPLIT: gso = false; break;
        case VERDICT_REFUSE: remember_refused(s, packets[done].to); break;
        case VERDICT_LOST:
            repeated = false;
            done += lose(s, s->counts[0]);
            break;
        }
    }
    return done;
}
