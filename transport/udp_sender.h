/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sending half of a UDP endpoint: packs a batch of packets into as few
 * datagrams and system calls as the kernel allows, and decides what each refusal
 * of the kernel means. Never blocks, never allocates; one thread at a time. The
 * descriptor and the counters are the endpoint's.
 *
 * Runs of packets to one address and of one size go as one super-packet
 * (UDP_SEGMENT, udp(7)): the kernel cuts it into the same packets as late as it
 * can. Packets keep their order, and a packet that asks for transmit stamps
 * (cookie) travels alone, since a stamp is of a whole super-packet.
 */
#ifndef A3MI_UDP_SENDER_H
#define A3MI_UDP_SENDER_H

#include <netinet/in.h>
#include <stdalign.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <a3m/transport.h>

#include "transport/udp_address.h"

enum {
    A3MI_UDP_BATCH = 64,          /* packets in one system call */
    A3MI_UDP_SEGMENTS = 64,       /* packets in a super-packet: UDP_MAX_SEGMENTS of Linux before 6.9 */
    A3MI_UDP_SUPER_BYTES = 65000, /* bytes in a super-packet: 64 KiB less the longest headers */
    A3MI_UDP_REFUSED_PATHS = 16,  /* addresses remembered that take no super-packets */
};

/* The control message of a super-packet: the size of its packets. */
union a3mi_udp_segment_control {
    char bytes[CMSG_SPACE(sizeof(uint16_t))];
    struct cmsghdr header;
};

struct a3mi_udp_sender {
    int fd;                            /* [const] */
    int family;                        /* [const] of the socket */
    size_t mtu;                        /* [const] */
    bool gso;                          /* [const] the kernel knows UDP_SEGMENT */
    bool whole;                        /* the batch is one packet that may not be fragmented */
    bool starved;                      /* the last call ended because the kernel was out of memory */
    struct a3m_transport_stats *stats; /* [const] */

    struct a3m_addr refused[A3MI_UDP_REFUSED_PATHS]; /* a ring: the oldest is forgotten first */
    unsigned refused_count, refused_next;

    /* The batch being built. Group g is datagram g: counts[g] packets from one iovec on. */
    unsigned groups, packets;
    struct mmsghdr messages[A3MI_UDP_BATCH];
    union a3mi_udp_sockaddr names[A3MI_UDP_BATCH];
    union a3mi_udp_segment_control controls[A3MI_UDP_BATCH];
    unsigned counts[A3MI_UDP_BATCH];
    struct iovec pieces[A3MI_UDP_BATCH];
};

/* `fd` is a non-blocking UDP socket of `family`. */
void a3mi_udp_sender_init(struct a3mi_udp_sender *s, int fd, int family, size_t mtu,
                          struct a3m_transport_stats *stats);

/* The slot `send` of the transport. */
size_t a3mi_udp_sender_send(struct a3mi_udp_sender *s, const struct a3m_packet_out *packets, size_t n);

#endif
