/* SPDX-License-Identifier: Apache-2.0 */
/* Bare UDP as a peer; see peer_udp.h. */
#include "bench/peer_udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/fail.h"

enum { DATAGRAM = 65536 };

struct udp_end {
    int fd;
    bool connected;
    char *buffers[BENCH_BATCH]; /* DATAGRAM bytes each, touched; only the first unless messages flow */
};

static struct udp_end *open_end(size_t buffers)
{
    struct udp_end *end = calloc(1, sizeof(*end));
    if (end == NULL) {
        bench_fail("no memory");
    }
    for (size_t i = 0; i < buffers; i++) {
        end->buffers[i] = malloc(DATAGRAM);
        if (end->buffers[i] == NULL) {
            bench_fail("no memory");
        }
        memset(end->buffers[i], 1, DATAGRAM);
    }
    end->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (end->fd < 0) {
        bench_fail_errno("socket");
    }
    return end;
}

static void *listen_with(size_t buffers, char *address)
{
    struct udp_end *end = open_end(buffers);
    struct sockaddr_in self = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(self);
    if (bind(end->fd, (struct sockaddr *)&self, sizeof(self)) != 0 ||
        getsockname(end->fd, (struct sockaddr *)&self, &size) != 0) {
        bench_fail_errno("bind");
    }
    (void)snprintf(address, BENCH_ADDRESS, "%u", ntohs(self.sin_port));
    return end;
}

static void *listen_call(const struct bench_plan *plan, char *address)
{
    (void)plan;
    return listen_with(1, address);
}

static void *listen_flow(const struct bench_plan *plan, char *address)
{
    (void)plan;
    return listen_with(BENCH_BATCH, address);
}

static void *connect_end(const struct bench_plan *plan, const char *address)
{
    (void)plan;
    struct udp_end *end = open_end(1);
    struct sockaddr_in peer = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons((uint16_t)strtoul(address, NULL, 10))};
    if (connect(end->fd, (struct sockaddr *)&peer, sizeof(peer)) != 0) {
        bench_fail_errno("connect");
    }
    end->connected = true;
    return end;
}

static void send_one(struct udp_end *end, const void *bytes, size_t size)
{
    if (send(end->fd, bytes, size, 0) != (ssize_t)size) {
        bench_fail_errno("send");
    }
}

static size_t recv_block(struct udp_end *end)
{
    ssize_t n = recv(end->fd, end->buffers[0], DATAGRAM, 0);
    if (n < 0) {
        bench_fail_errno("recv");
    }
    return (size_t)n;
}

static size_t recv_spin(struct udp_end *end)
{
    for (;;) {
        ssize_t n = recv(end->fd, end->buffers[0], DATAGRAM, MSG_DONTWAIT);
        if (n >= 0) {
            return (size_t)n;
        }
        if (errno != EAGAIN) {
            bench_fail_errno("recv");
        }
        (void)sched_yield(); /* without, a reply on the same processor waits for the end of a time slice */
    }
}

/* The server answers whoever is first; connected, the kernel need not look up the way each time. */
static void connect_to_first(struct udp_end *end)
{
    struct sockaddr_in peer;
    socklen_t size = sizeof(peer);
    char byte;
    if (recvfrom(end->fd, &byte, 1, MSG_PEEK, (struct sockaddr *)&peer, &size) < 0 ||
        connect(end->fd, (struct sockaddr *)&peer, sizeof(peer)) != 0) {
        bench_fail_errno("connect");
    }
    end->connected = true;
}

static void call_with(struct udp_end *end, const void *bytes, size_t size,
                      size_t (*recv_one)(struct udp_end *))
{
    send_one(end, bytes, size);
    size_t n = recv_one(end);
    if (n != size) {
        bench_fail("a reply of %zu bytes to a request of %zu", n, size);
    }
}

static struct bench_mark echo_with(struct udp_end *end, size_t (*recv_one)(struct udp_end *))
{
    if (!end->connected) {
        connect_to_first(end);
    }
    size_t n = recv_one(end);
    send_one(end, end->buffers[0], n);
    return bench_mark_read(end->buffers[0], n);
}

static void call_block(void *end, const void *bytes, size_t size)
{
    call_with(end, bytes, size, recv_block);
}

static struct bench_mark echo_block(void *end)
{
    return echo_with(end, recv_block);
}

static void call_spin(void *end, const void *bytes, size_t size)
{
    call_with(end, bytes, size, recv_spin);
}

static struct bench_mark echo_spin(void *end)
{
    return echo_with(end, recv_spin);
}

static void send_many(void *arg, const void *bytes, size_t size, unsigned n)
{
    struct udp_end *end = arg;
    struct mmsghdr headers[BENCH_BATCH] = {0};
    memcpy(end->buffers[0], bytes, size);
    struct iovec iov = {.iov_base = end->buffers[0], .iov_len = size};
    for (unsigned i = 0; i < n; i++) {
        headers[i].msg_hdr = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
    }
    for (unsigned sent = 0; sent < n;) {
        int result = sendmmsg(end->fd, headers + sent, n - sent, 0);
        if (result < 0) {
            bench_fail_errno("sendmmsg");
        }
        sent += (unsigned)result;
    }
}

static unsigned recv_many(void *arg, struct bench_tally *tally)
{
    struct udp_end *end = arg;
    struct mmsghdr headers[BENCH_BATCH];
    struct iovec iovs[BENCH_BATCH];
    for (unsigned i = 0; i < BENCH_BATCH; i++) {
        iovs[i] = (struct iovec){.iov_base = end->buffers[i], .iov_len = DATAGRAM};
        headers[i].msg_hdr = (struct msghdr){.msg_iov = &iovs[i], .msg_iovlen = 1};
    }
    int n = recvmmsg(end->fd, headers, BENCH_BATCH, MSG_WAITFORONE, NULL);
    if (n < 0) {
        bench_fail_errno("recvmmsg");
    }
    for (int i = 0; i < n; i++) {
        bench_tally_add(tally, end->buffers[i], headers[i].msg_len);
    }
    return (unsigned)n;
}

static void close_end(void *arg)
{
    struct udp_end *end = arg;
    (void)close(end->fd);
    for (size_t i = 0; i < BENCH_BATCH; i++) {
        free(end->buffers[i]);
    }
    free(end);
}

const struct bench_peer bench_peer_udp_block = {
    .name = "udp-block",
    .title = "bare UDP, blocking",
    .listen = listen_call,
    .connect = connect_end,
    .call = call_block,
    .echo = echo_block,
    .close = close_end,
};

const struct bench_peer bench_peer_udp_spin = {
    .name = "udp-spin",
    .title = "bare UDP, spinning",
    .listen = listen_call,
    .connect = connect_end,
    .call = call_spin,
    .echo = echo_spin,
    .close = close_end,
};

const struct bench_peer bench_peer_udp_flow = {
    .name = "udp-flow",
    .title = "bare UDP, by 64 (loses)",
    .listen = listen_flow,
    .connect = connect_end,
    .send = send_many,
    .recv = recv_many,
    .close = close_end,
    .lossy = true,
};
