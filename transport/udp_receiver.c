/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiving half of a UDP endpoint. Two things are tuned by measurement:
 *
 *  - Asking for many datagrams when one waits costs 110 ns more than asking for
 *    one, since the kernel looks again to find nothing; asking one by one when
 *    many wait costs 120 ns more each. So while calls find one datagram each
 *    (request and reply), most calls ask for one, and every eighth for more.
 *  - No more super-packets are taken than the caller has room for, so that a
 *    stream of them goes through the same two or three buffers, in the cache.
 */
#include "transport/udp_receiver.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
    LOOK_EVERY = 8,     /* calm calls until one looks for more than one datagram */
    PENDING_ERRORS = 4, /* pending errors skipped in one call; each look clears one */
    /* Buffers begin on different cache sets: at a distance of 64 KiB their first bytes would evict one another. */
    STRIDE = A3MI_UDP_BUFFER_BYTES + 1536,
    SLAB_BYTES = A3MI_UDP_BUFFERS * STRIDE,
};

int a3mi_udp_receiver_init(struct a3mi_udp_receiver *r, int fd, size_t mtu, struct a3m_transport_stats *stats)
{
    const int on = 1;
    void *slab = mmap(NULL, SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
                      -1, 0);

    if (slab == MAP_FAILED) {
        return a3mi_fail(A3M_ENOMEM, "no memory for receive buffers (%d bytes)", SLAB_BYTES);
    }
    memset(r, 0, sizeof *r);
    r->fd = fd;
    r->mtu = mtu;
    r->stats = stats;
    r->slab = slab;
    r->per_message = 1;
    for (unsigned i = 0; i < A3MI_UDP_BUFFERS; i++) {
        r->pieces[i].iov_base = r->slab + (size_t)i * STRIDE;
        r->pieces[i].iov_len = A3MI_UDP_BUFFER_BYTES;
        r->messages[i].msg_hdr.msg_name = &r->names[i];
        r->messages[i].msg_hdr.msg_iov = &r->pieces[i];
        r->messages[i].msg_hdr.msg_iovlen = 1;
        r->messages[i].msg_hdr.msg_control = r->controls[i].bytes;
    }
    /* Without it (Linux before 5.0) every packet comes alone, and all is as well. */
    setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on);
    return 0;
}

void a3mi_udp_receiver_fini(struct a3mi_udp_receiver *r)
{
    munmap(r->slab, SLAB_BYTES);
    r->slab = NULL;
}

/* ---- From the kernel -------------------------------------------------------- */

/* Errors that belong to a packet sent earlier (ICMP). Reading them clears them. */
static bool is_pending_error(int error)
{
    return error != EAGAIN && error != ENOMEM && error != ENOBUFS && error != EBADF;
}

static int ask_kernel(struct a3mi_udp_receiver *r, struct mmsghdr *messages, unsigned want)
{
    r->stats->rx_calls++;
    if (want > 1) {
        return recvmmsg(r->fd, messages, want, 0, NULL);
    }
    ssize_t size = recvmsg(r->fd, &messages->msg_hdr, 0);

    messages->msg_len = size < 0 ? 0 : (unsigned)size;
    return size < 0 ? -1 : 1;
}

/* Takes up to `want` datagrams into the buffers from `tail` on; returns their number. */
static unsigned fill(struct a3mi_udp_receiver *r, unsigned want)
{
    struct mmsghdr *messages = &r->messages[r->tail];
    int got = -1;

    for (unsigned i = 0; i < want; i++) { /* the kernel overwrote these */
        messages[i].msg_hdr.msg_namelen = sizeof r->names[0];
        messages[i].msg_hdr.msg_controllen = sizeof r->controls[0].bytes;
    }
    for (int tries = 0; tries <= PENDING_ERRORS && got < 0; tries++) {
        got = ask_kernel(r, messages, want);
        if (got < 0 && !is_pending_error(errno)) {
            return 0;
        }
    }
    if (got < 0) {
        return 0;
    }
    r->tail += (unsigned)got;
    return (unsigned)got;
}

/* ---- Cutting up ------------------------------------------------------------- */

/* What the kernel says about a datagram beside its bytes. */
static void read_controls(struct msghdr *header, struct a3mi_udp_rest *rest)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            int segment;

            memcpy(&segment, CMSG_DATA(c), sizeof segment);
            rest->segment = segment > 0 ? (size_t)segment : rest->segment;
        }
        /* SCM_TIMESTAMPING will be read here, into rest->stamp. */
    }
}

/* The next message becomes `rest`; false when it was dropped. */
static bool open_message(struct a3mi_udp_receiver *r, unsigned i)
{
    struct msghdr *header = &r->messages[i].msg_hdr;
    struct a3mi_udp_rest *rest = &r->rest;

    rest->at = r->pieces[i].iov_base;
    rest->left = r->messages[i].msg_len;
    rest->segment = rest->left;
    rest->stamp = (struct a3m_stamp){.source = A3M_STAMP_NONE};
    if (header->msg_controllen > 0) {
        read_controls(header, rest);
    }
    if ((header->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || rest->segment > r->mtu) {
        r->stats->rx_truncated += rest->segment == 0 ? 1 : (rest->left + rest->segment - 1) / rest->segment;
        return false;
    }
    rest->stamp.super = rest->segment < rest->left;
    r->per_message = rest->stamp.super ? (rest->left + rest->segment - 1) / rest->segment : 1;
    a3mi_udp_from_sockaddr(&r->names[i], &rest->from);
    rest->any = true;
    return true;
}

static void cut_packet(struct a3mi_udp_receiver *r, struct a3m_packet_in *out)
{
    struct a3mi_udp_rest *rest = &r->rest;
    size_t size = rest->left < rest->segment ? rest->left : rest->segment;

    out->from = rest->from;
    out->bytes = rest->at;
    out->size = size;
    out->stamp = rest->stamp;
    rest->at += size;
    rest->left -= size;
    rest->any = rest->left > 0;
    r->stats->rx_packets++;
    r->stats->rx_bytes += size;
}

/* Cuts up to `max` packets from what was taken from the kernel; returns their number. */
static size_t cut(struct a3mi_udp_receiver *r, struct a3m_packet_in *out, size_t max)
{
    size_t n = 0;

    while (n < max) {
        if (!r->rest.any) {
            if (r->head == r->tail) {
                break;
            }
            if (!open_message(r, r->head++)) {
                continue;
            }
        }
        cut_packet(r, &out[n++]);
    }
    return n;
}

/* How many datagrams to ask for when the caller has room for `room` packets. */
static unsigned wanted(const struct a3mi_udp_receiver *r, size_t room)
{
    size_t free_buffers = A3MI_UDP_BUFFERS - r->tail;
    size_t datagrams = (room + r->per_message - 1) / r->per_message;

    return (unsigned)(datagrams < free_buffers ? datagrams : free_buffers);
}

static void note_traffic(struct a3mi_udp_receiver *r, unsigned datagrams)
{
    if (datagrams > 1 || r->per_message > 1) {
        r->calm = 0;
    } else if (datagrams == 1) {
        r->calm++;
    }
}

size_t a3mi_udp_receiver_receive(struct a3mi_udp_receiver *r, struct a3m_packet_in *out, size_t max)
{
    bool one = r->calm % LOOK_EVERY != 0;
    unsigned datagrams = 0;

    if (!r->rest.any && r->head == r->tail) {
        r->head = r->tail = 0; /* all buffers are free; otherwise only those from `tail` on */
    }
    size_t n = cut(r, out, max);

    while (n < max && r->tail < A3MI_UDP_BUFFERS) {
        unsigned want = one ? 1 : wanted(r, max - n);
        unsigned got = fill(r, want);

        datagrams += got;
        n += cut(r, out + n, max - n);
        if (got < want || one) {
            break;
        }
    }
    note_traffic(r, datagrams);
    return n;
}
