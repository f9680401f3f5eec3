/* SPDX-License-Identifier: Apache-2.0 */
/* libzmq as a peer; see peer_zmq.h. */
#include "bench/peer_zmq.h"

#ifdef A3M_HAVE_ZMQ

#include <stdlib.h>

#include <zmq.h>

#include "bench/fail.h"

/* What a long queue may hold, in bytes. */
#define LONG_QUEUE ((size_t)64 << 20)

struct zmq_end {
    void *context, *socket;
    char *buffer; /* for a reply */
    size_t size;
};

static int must(int result, const char *what)
{
    if (result < 0) {
        bench_fail("%s: %s", what, zmq_strerror(zmq_errno()));
    }
    return result;
}

static struct zmq_end *open_end(const struct bench_plan *plan, int type)
{
    struct zmq_end *end = calloc(1, sizeof(*end));
    if (end == NULL || (end->buffer = malloc(plan->size)) == NULL) {
        bench_fail("no memory");
    }
    end->size = plan->size;
    end->context = zmq_ctx_new();
    end->socket = end->context == NULL ? NULL : zmq_socket(end->context, type);
    if (end->socket == NULL) {
        bench_fail("zmq_socket: %s", zmq_strerror(zmq_errno()));
    }
    return end;
}

/* Before it is bound or connected. */
static void set_queue(struct zmq_end *end, size_t bytes)
{
    int messages = (int)(bytes / end->size);
    (void)must(zmq_setsockopt(end->socket, ZMQ_SNDHWM, &messages, sizeof(messages)), "ZMQ_SNDHWM");
    (void)must(zmq_setsockopt(end->socket, ZMQ_RCVHWM, &messages, sizeof(messages)), "ZMQ_RCVHWM");
}

static void *listen_as(struct zmq_end *end, char *address)
{
    size_t size = BENCH_ADDRESS;
    (void)must(zmq_bind(end->socket, "tcp://127.0.0.1:*"), "zmq_bind");
    (void)must(zmq_getsockopt(end->socket, ZMQ_LAST_ENDPOINT, address, &size), "ZMQ_LAST_ENDPOINT");
    return end;
}

static void *connect_as(struct zmq_end *end, const char *address)
{
    (void)must(zmq_connect(end->socket, address), "zmq_connect");
    return end;
}

static void *listen_rep(const struct bench_plan *plan, char *address)
{
    return listen_as(open_end(plan, ZMQ_REP), address);
}

static void *connect_req(const struct bench_plan *plan, const char *address)
{
    return connect_as(open_end(plan, ZMQ_REQ), address);
}

static void *listen_pull(const struct bench_plan *plan, char *address)
{
    return listen_as(open_end(plan, ZMQ_PULL), address);
}

static void *connect_push(const struct bench_plan *plan, const char *address)
{
    return connect_as(open_end(plan, ZMQ_PUSH), address);
}

static void *listen_pull_long(const struct bench_plan *plan, char *address)
{
    struct zmq_end *end = open_end(plan, ZMQ_PULL);
    set_queue(end, LONG_QUEUE);
    return listen_as(end, address);
}

static void *connect_push_long(const struct bench_plan *plan, const char *address)
{
    struct zmq_end *end = open_end(plan, ZMQ_PUSH);
    set_queue(end, LONG_QUEUE);
    return connect_as(end, address);
}

static void call(void *arg, const void *bytes, size_t size)
{
    struct zmq_end *end = arg;
    (void)must(zmq_send(end->socket, bytes, size, 0), "zmq_send");
    int n = must(zmq_recv(end->socket, end->buffer, end->size, 0), "zmq_recv");
    if ((size_t)n != size) {
        bench_fail("a reply of %d bytes to a request of %zu", n, size);
    }
}

static struct bench_mark echo(void *arg)
{
    struct zmq_end *end = arg;
    zmq_msg_t msg;
    (void)zmq_msg_init(&msg);
    (void)must(zmq_msg_recv(&msg, end->socket, 0), "zmq_msg_recv");
    struct bench_mark mark = bench_mark_read(zmq_msg_data(&msg), zmq_msg_size(&msg));
    (void)must(zmq_msg_send(&msg, end->socket, 0), "zmq_msg_send");
    return mark;
}

static void send_each(void *arg, const void *bytes, size_t size, unsigned n)
{
    struct zmq_end *end = arg;
    for (unsigned i = 0; i < n; i++) {
        (void)must(zmq_send(end->socket, bytes, size, 0), "zmq_send");
    }
}

static unsigned recv_one(void *arg, struct bench_tally *tally)
{
    struct zmq_end *end = arg;
    zmq_msg_t msg;
    (void)zmq_msg_init(&msg);
    (void)must(zmq_msg_recv(&msg, end->socket, 0), "zmq_msg_recv");
    bench_tally_add(tally, zmq_msg_data(&msg), zmq_msg_size(&msg));
    (void)zmq_msg_close(&msg);
    return 1;
}

static void close_end(void *arg)
{
    struct zmq_end *end = arg;
    (void)must(zmq_close(end->socket), "zmq_close");
    (void)must(zmq_ctx_term(end->context), "zmq_ctx_term"); /* waits until all is sent */
    free(end->buffer);
    free(end);
}

const struct bench_peer bench_peer_zmq_call = {
    .name = "zmq-call",
    .title = "libzmq REQ/REP, tcp",
    .listen = listen_rep,
    .connect = connect_req,
    .call = call,
    .echo = echo,
    .close = close_end,
};

const struct bench_peer bench_peer_zmq_flow = {
    .name = "zmq-flow",
    .title = "libzmq PUSH/PULL, tcp",
    .listen = listen_pull,
    .connect = connect_push,
    .send = send_each,
    .recv = recv_one,
    .close = close_end,
};

const struct bench_peer bench_peer_zmq_long = {
    .name = "zmq-long",
    .title = "libzmq PUSH/PULL, 64 MiB queues",
    .listen = listen_pull_long,
    .connect = connect_push_long,
    .send = send_each,
    .recv = recv_one,
    .close = close_end,
};

#endif
