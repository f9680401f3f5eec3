/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiving half of a UDP endpoint: takes datagrams out of the kernel into a
 * few reused buffers of 64 KiB, and cuts super-packets (UDP_GRO) into the packets
 * they were sent as. Never blocks, never allocates after init; one thread at a
 * time. The descriptor and the counters are the endpoint's.
 *
 * A super-packet can hold more packets than the caller has room for. The rest
 * stays here for the next call, and the descriptor does not tell: whoever got
 * as many packets as asked for calls again before sleeping. Fewer packets than
 * asked for mean that nothing is held back here.
 */
#ifndef A3MI_UDP_RECEIVER_H
#define A3MI_UDP_RECEIVER_H

#include <sys/socket.h>
#include <sys/uio.h>

#include <a3m/transport.h>

#include "transport/udp_address.h"

enum {
    A3MI_UDP_BUFFERS = 16,
    A3MI_UDP_BUFFER_BYTES = 65536, /* a super-packet is never larger */
};

/* Room for UDP_GRO's number, and for SCM_TIMESTAMPING's three times when they will be asked for. */
union a3mi_udp_receive_control {
    char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(6 * sizeof(int64_t))];
    struct cmsghdr header;
};

/* What is left of the datagram being cut up. */
struct a3mi_udp_rest {
    struct a3m_addr from;
    struct a3m_stamp stamp;
    uint8_t *at;
    size_t left;    /* bytes */
    size_t segment; /* bytes of each packet but the last */
    bool any;       /* there is something, if only a packet of no bytes */
};

struct a3mi_udp_receiver {
    int fd;                            /* [const] */
    size_t mtu;                        /* [const] */
    struct a3m_transport_stats *stats; /* [const] */
    uint8_t *slab;                     /* [const] the buffers */

    unsigned head, tail; /* messages from head to before tail wait to be cut up */
    struct a3mi_udp_rest rest;
    unsigned calm;      /* calls in a row that found one datagram of one packet */
    size_t per_message; /* packets in the datagram seen last */

    struct mmsghdr messages[A3MI_UDP_BUFFERS];
    union a3mi_udp_sockaddr names[A3MI_UDP_BUFFERS];
    union a3mi_udp_receive_control controls[A3MI_UDP_BUFFERS];
    struct iovec pieces[A3MI_UDP_BUFFERS];
};

/* `fd` is a non-blocking UDP socket; UDP_GRO is switched on here. A3M_ENOMEM. */
int a3mi_udp_receiver_init(struct a3mi_udp_receiver *r, int fd, size_t mtu,
                           struct a3m_transport_stats *stats);

/* Frees the buffers; the descriptor stays open. */
void a3mi_udp_receiver_fini(struct a3mi_udp_receiver *r);

/* The slot `receive` of the transport. */
size_t a3mi_udp_receiver_receive(struct a3mi_udp_receiver *r, struct a3m_packet_in *out, size_t max);

#endif
