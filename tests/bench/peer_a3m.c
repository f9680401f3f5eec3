/* SPDX-License-Identifier: Apache-2.0 */
/* A3M as a peer; see peer_a3m.h. */
#include "bench/peer_a3m.h"

#include <stdio.h>
#include <stdlib.h>

#include <a3m/a3m.h>

#include "bench/fail.h"

/* Messages that may be under way when the time is up and the server leaves. */
#define BENCH_UNTOLD 100000u

struct a3m_end {
    a3m_node node;
    a3m_socket socket;
    uint64_t asked, told; /* receipts; callbacks of a node are one at a time */
};

/* Gives up on a negative code; else hands it on. */
static int must(int code, const char *what)
{
    if (code < 0) {
        bench_fail("%s: %s (%s)", what, a3m_strerror(code), a3m_error_detail());
    }
    return code;
}

static a3m_msg *must_have(a3m_msg *msg)
{
    if (msg == NULL) {
        bench_fail("no memory for a message");
    }
    return msg;
}

static struct a3m_end *open_end(const char *id, const a3m_socket_type *type, const char *tag)
{
    struct a3m_end *end = calloc(1, sizeof(*end));
    if (end == NULL) {
        bench_fail("no memory");
    }
    (void)must(a3m_node_new(&end->node, id, "udp://127.0.0.1:0", NULL), "a3m_node_new");
    (void)must(a3m_node_start(end->node), "a3m_node_start");
    (void)must(a3m_socket_open(&end->socket, end->node, type, tag), "a3m_socket_open");
    return end;
}

static void *listen_as(const a3m_socket_type *type, char *address)
{
    char node[A3M_LINK_ADDRESS_SIZE];
    struct a3m_end *end = open_end("bench-server", type, "bench");
    (void)must(a3m_node_address(end->node, node, sizeof(node)), "a3m_node_address");
    (void)snprintf(address, BENCH_ADDRESS, "%s/bench", node);
    return end;
}

static void *connect_as(const a3m_socket_type *type, const char *address)
{
    a3m_link link;
    struct a3m_end *end = open_end("bench-client", type, NULL);
    (void)must(a3m_socket_link(end->socket, address, &link), "a3m_socket_link");
    (void)must(a3m_link_wait(link, a3m_in(a3m_seconds(5))), "a3m_link_wait");
    return end;
}

static void *listen_rep(const struct bench_plan *plan, char *address)
{
    (void)plan;
    return listen_as(&a3m_rep, address);
}

static void *connect_req(const struct bench_plan *plan, const char *address)
{
    (void)plan;
    return connect_as(&a3m_req, address);
}

static void *listen_pull(const struct bench_plan *plan, char *address)
{
    (void)plan;
    return listen_as(&a3m_pull, address);
}

static void *connect_push(const struct bench_plan *plan, const char *address)
{
    (void)plan;
    return connect_as(&a3m_push, address);
}

static void call(void *arg, const void *bytes, size_t size)
{
    struct a3m_end *end = arg;
    a3m_msg *reply = NULL;
    a3m_msg *request = must_have(a3m_msg_copy(bytes, size));
    (void)must(a3m_request_reply(end->socket, request, &reply, A3M_FOREVER, NULL), "a3m_request_reply");
    if (a3m_msg_size(reply) != size) {
        bench_fail("a reply of %zu bytes to a request of %zu", a3m_msg_size(reply), size);
    }
    a3m_msg_free(reply);
}

static struct bench_mark echo(void *arg)
{
    struct a3m_end *end = arg;
    a3m_msg *request = NULL;
    (void)must(a3m_recv(end->socket, &request), "a3m_recv");
    struct bench_mark mark = bench_mark_read(a3m_msg_data(request), a3m_msg_size(request));
    a3m_msg *reply = must_have(a3m_msg_dup(request));
    (void)must(a3m_reply(end->socket, request, reply, A3M_FOREVER), "a3m_reply");
    a3m_msg_free(request);
    return mark;
}

static void send_single(void *arg, const void *bytes, size_t size, unsigned n)
{
    struct a3m_end *end = arg;
    for (unsigned i = 0; i < n; i++) {
        (void)must(a3m_send_bytes(end->socket, bytes, size, A3M_FOREVER), "a3m_send_bytes");
    }
}

static void on_receipt(void *arg, const a3m_receipt *receipt)
{
    struct a3m_end *end = arg;
    end->told += receipt->kind == A3M_RECEIPT_ACCEPTED || receipt->kind == A3M_RECEIPT_TAKEN;
}

static void send_asking(struct a3m_end *end, const void *bytes, size_t size, unsigned n, unsigned kind)
{
    for (unsigned i = 0; i < n; i++) {
        a3m_msg *msg = must_have(a3m_msg_copy(bytes, size));
        (void)must(a3m_msg_set_receipt(msg, kind, end->asked++, on_receipt, end), "a3m_msg_set_receipt");
        (void)must(a3m_send(end->socket, msg), "a3m_send");
    }
}

static void send_accepted(void *arg, const void *bytes, size_t size, unsigned n)
{
    send_asking(arg, bytes, size, n, A3M_RECEIPT_ACCEPTED);
}

static void send_taken(void *arg, const void *bytes, size_t size, unsigned n)
{
    send_asking(arg, bytes, size, n, A3M_RECEIPT_TAKEN);
}

static unsigned recv_single(void *arg, struct bench_tally *tally)
{
    struct a3m_end *end = arg;
    a3m_msg *msg = NULL;
    (void)must(a3m_recv(end->socket, &msg), "a3m_recv");
    bench_tally_add(tally, a3m_msg_data(msg), a3m_msg_size(msg));
    a3m_msg_free(msg);
    return 1;
}

static void send_batch(void *arg, const void *bytes, size_t size, unsigned n)
{
    struct a3m_end *end = arg;
    a3m_msg *msgs[BENCH_BATCH];
    for (unsigned i = 0; i < n; i++) {
        msgs[i] = must_have(a3m_msg_copy(bytes, size));
    }
    for (unsigned sent = 0; sent < n;) {
        sent += (unsigned)must(a3m_send_many(end->socket, msgs + sent, n - sent, A3M_FOREVER),
                               "a3m_send_many");
    }
}

static unsigned recv_batch(void *arg, struct bench_tally *tally)
{
    struct a3m_end *end = arg;
    a3m_msg *msgs[BENCH_BATCH];
    int n = must(a3m_recv_many(end->socket, msgs, BENCH_BATCH, A3M_FOREVER), "a3m_recv_many");
    for (int i = 0; i < n; i++) {
        bench_tally_add(tally, a3m_msg_data(msgs[i]), a3m_msg_size(msgs[i]));
        a3m_msg_free(msgs[i]);
    }
    return (unsigned)n;
}

static void read_wakes(void *arg, struct bench_wakes *wakes)
{
    struct a3m_end *end = arg;
    a3m_node_stats stats = {.size = sizeof(stats)};
    (void)must(a3m_node_get_stats(end->node, &stats), "a3m_node_get_stats");
    *wakes = (struct bench_wakes){
        .reader = stats.reader_wakeups,
        .reader_rx = stats.reader_rx_wakeups,
        .reader_timer = stats.reader_timer_wakeups,
        .reader_lease = stats.reader_lease_wakeups,
        .leader_sleeps = stats.leader_sleeps,
        .waiter_sleeps = stats.waiter_sleeps,
        .wakes = stats.wakes,
        .transfers = stats.role_transfers,
    };
}

static void close_end(void *arg)
{
    struct a3m_end *end = arg;
    a3m_time until = a3m_in(a3m_seconds(2));
    if (end->asked > 0) { /* those of messages that were taken are on their way */
        (void)must(a3m_socket_drain(end->socket, until), "a3m_socket_drain");
    }
    (void)must(a3m_node_close(end->node, until, NULL), "a3m_node_close");
    if (end->told + BENCH_UNTOLD < end->asked) {
        bench_fail("%llu receipts of %llu messages", (unsigned long long)end->told,
                   (unsigned long long)end->asked);
    }
    free(end);
}

const struct bench_peer bench_peer_a3m_call = {
    .name = "a3m-call",
    .title = "A3M REQ/REP",
    .listen = listen_rep,
    .connect = connect_req,
    .call = call,
    .echo = echo,
    .wakes = read_wakes,
    .close = close_end,
};

const struct bench_peer bench_peer_a3m_single = {
    .name = "a3m-single",
    .title = "A3M PUSH/PULL, single",
    .listen = listen_pull,
    .connect = connect_push,
    .send = send_single,
    .recv = recv_single,
    .wakes = read_wakes,
    .close = close_end,
};

const struct bench_peer bench_peer_a3m_accepted = {
    .name = "a3m-accepted",
    .title = "A3M, receipts: accepted",
    .listen = listen_pull,
    .connect = connect_push,
    .send = send_accepted,
    .recv = recv_single,
    .wakes = read_wakes,
    .close = close_end,
};

const struct bench_peer bench_peer_a3m_taken = {
    .name = "a3m-taken",
    .title = "A3M, receipts: taken",
    .listen = listen_pull,
    .connect = connect_push,
    .send = send_taken,
    .recv = recv_single,
    .wakes = read_wakes,
    .close = close_end,
};

const struct bench_peer bench_peer_a3m_batch = {
    .name = "a3m-batch",
    .title = "A3M PUSH/PULL, by 64",
    .listen = listen_pull,
    .connect = connect_push,
    .send = send_batch,
    .recv = recv_batch,
    .wakes = read_wakes,
    .close = close_end,
};
