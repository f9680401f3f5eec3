/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request and reply over TCP and over A3M, the same work for both, for
 * compare_tcp.sh: a client keeps so many requests outstanding, on one connection or
 * one link (or several), and a server sends each back. Requests and replies of A3M
 * do without order, as REQ and REP do by default, or keep that of their link. The congestion control of both can be chosen, TCP has Nagle's algorithm
 * switched off, and everything else is as the kernel and A3M have it.
 *
 * The server prints where it is and serves until it is killed. The client runs
 * for a while and prints its rate and what replies took, without the first tenth
 * of the time. One thread each (the server of A3M: one a link), blocking calls.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <a3m/a3m.h>

enum {
    OUTSTANDING_MAX = 256, /* more could fill every buffer: both sides write, nobody reads */
    LINKS_MAX = 64,
    SIZE_MAX_ = 1024,
    ANSWERED_MAX = 1 << 20, /* no reply is overtaken by as many */
    SAMPLES_MAX = 4000000,
};

/* What begins a request. The rest of its bytes mean nothing. */
struct head {
    uint64_t number;
    int64_t sent_ns;
};

struct echo {
    const char *host, *congestion;
    uint64_t port, outstanding, size, seconds, links, ordered;
    a3m_node node;
    a3m_socket socket;
    int fd;
    int64_t begin, end; /* of what counts */
    uint64_t sent, count;
    uint64_t answered[ANSWERED_MAX]; /* [number % ANSWERED_MAX]: 1 + the last such number */
    double *samples;                 /* ms */
};

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "echo: %s: %s\n", what, why);
    exit(1);
}

static void must(const char *what, int code)
{
    if (code < 0) {
        die(what, *a3m_error_detail() != '\0' ? a3m_error_detail() : a3m_strerror(code));
    }
}

static void must_os(const char *what, ssize_t result)
{
    if (result < 0) {
        die(what, strerror(errno));
    }
}

/* ---- What both clients do ---------------------------------------------------- */

static void prepare(struct echo *echo)
{
    int64_t now = a3m_now().ns;
    echo->begin = now + (int64_t)echo->seconds * 100000000;
    echo->end = now + (int64_t)echo->seconds * 1000000000;
    echo->samples = malloc(SAMPLES_MAX * sizeof(*echo->samples));
    if (echo->samples == NULL) {
        die("memory", strerror(errno));
    }
}

static void write_request(struct echo *echo, uint8_t *bytes)
{
    struct head head = {.number = echo->sent++, .sent_ns = a3m_now().ns};
    memset(bytes, 0, echo->size);
    memcpy(bytes, &head, sizeof(head));
}

/* Each request has one reply; they may come in any order. False: the time is over. */
static bool take_reply(struct echo *echo, const uint8_t *bytes)
{
    struct head head;
    int64_t now = a3m_now().ns;
    memcpy(&head, bytes, sizeof(head));
    uint64_t *answered = &echo->answered[head.number % ANSWERED_MAX];
    if (head.number >= echo->sent || *answered > head.number) {
        die("reply", "to no request, or the second one");
    }
    *answered = head.number + 1;
    if (now >= echo->begin && now < echo->end && echo->count < SAMPLES_MAX) {
        echo->samples[echo->count++] = (double)(now - head.sent_ns) / 1e6;
    }
    return now < echo->end;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(struct echo *echo)
{
    uint64_t n = echo->count;
    if (n == 0) {
        die("client", "no reply came");
    }
    qsort(echo->samples, n, sizeof(*echo->samples), by_value);
    (void)printf("rate %.1f p50 %.2f p90 %.2f p99 %.2f max %.2f\n",
                 (double)n * 1e9 / (double)(echo->end - echo->begin), echo->samples[n / 2],
                 echo->samples[n * 9 / 10], echo->samples[n * 99 / 100], echo->samples[n - 1]);
    free(echo->samples);
}

/* ---- TCP --------------------------------------------------------------------- */

static struct sockaddr_in tcp_address(const struct echo *echo)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)echo->port)};
    if (inet_pton(AF_INET, echo->host, &address.sin_addr) != 1) {
        die(echo->host, "not an IPv4 address");
    }
    return address;
}

static void tcp_set(const struct echo *echo, int fd)
{
    int on = 1;
    if (echo->congestion != NULL) {
        must_os("TCP_CONGESTION", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, echo->congestion,
                                             (socklen_t)strlen(echo->congestion)));
    }
    must_os("TCP_NODELAY", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
}

static void write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        must_os("write", n);
        bytes += n;
        size -= (size_t)n;
    }
}

static void tcp_serve(struct echo *echo)
{
    static uint8_t buffer[65536];
    struct sockaddr_in address = tcp_address(echo);
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must_os("socket", fd);
    must_os("bind", bind(fd, (struct sockaddr *)&address, sizeof(address)));
    must_os("listen", listen(fd, 1));
    must_os("getsockname", getsockname(fd, (struct sockaddr *)&address, &size));
    (void)fprintf(stderr, "echo: at %s:%u\n", echo->host, ntohs(address.sin_port));
    for (;;) {
        int peer = accept(fd, NULL, NULL);
        must_os("accept", peer);
        tcp_set(echo, peer);
        ssize_t n;
        while ((n = read(peer, buffer, sizeof(buffer))) > 0) {
            write_all(peer, buffer, (size_t)n);
        }
        (void)close(peer);
    }
}

static void tcp_request(struct echo *echo)
{
    uint8_t bytes[SIZE_MAX_];
    write_request(echo, bytes);
    write_all(echo->fd, bytes, echo->size);
}

static void tcp_ask(struct echo *echo)
{
    static uint8_t buffer[SIZE_MAX_ * OUTSTANDING_MAX];
    struct sockaddr_in address = tcp_address(echo);
    size_t have = 0;
    bool more = true;
    echo->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must_os("socket", echo->fd);
    tcp_set(echo, echo->fd);
    must_os("connect", connect(echo->fd, (struct sockaddr *)&address, sizeof(address)));
    prepare(echo);
    for (uint64_t i = 0; i < echo->outstanding; i++) {
        tcp_request(echo);
    }
    while (more) {
        ssize_t n = read(echo->fd, buffer + have, sizeof(buffer) - have);
        must_os("read", n > 0 ? n : -1);
        have += (size_t)n;
        size_t at = 0;
        for (; more && have - at >= echo->size; at += echo->size) {
            more = take_reply(echo, buffer + at);
            tcp_request(echo);
        }
        have -= at;
        memmove(buffer, buffer + at, have);
    }
    (void)close(echo->fd);
}

/* ---- A3M --------------------------------------------------------------------- */

static void a3m_begin(struct echo *echo, bool serves)
{
    char address[128];
    a3m_node_config config = {.size = sizeof(config), .congestion = echo->congestion};
    (void)snprintf(address, sizeof(address), "udp://%s:0", serves ? echo->host : "0.0.0.0");
    must("node", a3m_node_new(&echo->node, serves ? "server" : "client", address, &config));
    must("start", a3m_node_start(echo->node));
    must("address", a3m_node_address(echo->node, address, sizeof(address)));
    if (!serves) {
        must("socket", a3m_socket_open(&echo->socket, echo->node, &a3m_req, NULL));
        must("ordered", a3m_socket_set(echo->socket, A3M_OPT_ORDERED, (int64_t)echo->ordered));
        return;
    }
    (void)fprintf(stderr, "echo: at %s\n", strstr(address, "//") + 2);
}

/* A socket and a thread for each link. */
struct end {
    a3m_socket socket;
};

static void *a3m_serve_link(void *arg)
{
    a3m_socket server = ((struct end *)arg)->socket;
    for (;;) {
        a3m_msg *request;
        must("receive", a3m_recv(server, &request));
        a3m_msg *reply = a3m_msg_dup(request);
        if (a3m_reply(server, request, reply, A3M_FOREVER) != A3M_OK) {
            a3m_msg_free(reply); /* the client is gone */
        }
        a3m_msg_free(request);
    }
    return NULL;
}

static void a3m_serve(struct echo *echo)
{
    static struct end ends[LINKS_MAX];
    pthread_t threads[LINKS_MAX];
    a3m_begin(echo, true);
    for (uint64_t i = 0; i < echo->links; i++) {
        char tag[32];
        (void)snprintf(tag, sizeof(tag), "echo%" PRIu64, i);
        must("socket", a3m_socket_open(&ends[i].socket, echo->node, &a3m_rep, tag));
        must("ordered", a3m_socket_set(ends[i].socket, A3M_OPT_ORDERED, (int64_t)echo->ordered));
        must("thread", -pthread_create(&threads[i], NULL, a3m_serve_link, &ends[i]));
    }
    (void)pthread_join(threads[0], NULL);
}

static void a3m_link_all(struct echo *echo)
{
    for (uint64_t i = 0; i < echo->links; i++) {
        char peer[128];
        a3m_link link;
        (void)snprintf(peer, sizeof(peer), "udp://%s:%" PRIu64 "/echo%" PRIu64, echo->host, echo->port, i);
        must("link", a3m_socket_link(echo->socket, peer, &link));
        must("link", a3m_link_wait(link, a3m_in(a3m_seconds(30))));
    }
}

static void a3m_ask_one(struct echo *echo)
{
    a3m_msg *msg = a3m_msg_new(echo->size);
    write_request(echo, a3m_msg_data(msg));
    must("send", a3m_send(echo->socket, msg));
}

static void a3m_ask(struct echo *echo)
{
    bool more = true;
    a3m_begin(echo, false);
    a3m_link_all(echo);
    prepare(echo);
    for (uint64_t i = 0; i < echo->outstanding; i++) {
        a3m_ask_one(echo);
    }
    while (more) {
        a3m_msg *reply;
        must("receive", a3m_recv_until(echo->socket, &reply, a3m_in(a3m_seconds(30))));
        more = take_reply(echo, a3m_msg_data(reply));
        a3m_msg_free(reply);
        a3m_ask_one(echo);
    }
    (void)a3m_node_close(echo->node, a3m_in(a3m_seconds(5)), NULL);
}

/* ---- Options ----------------------------------------------------------------- */

static void usage(void)
{
    (void)fputs("usage: echo tcp-server|a3m-server --host ADDRESS\n"
                "       echo tcp-client|a3m-client --host ADDRESS --port N [--outstanding N] [--size BYTES]\n"
                "            [--seconds N]\n"
                "       all: [--congestion NAME]  A3M: [--links N] [--ordered 0|1]\n",
                stderr);
    exit(2);
}

static void parse(struct echo *echo, int argc, char **argv)
{
    static const struct option options[] = {
        {"host", 1, NULL, 1},        {"congestion", 1, NULL, 1}, {"port", 1, NULL, 1},
        {"outstanding", 1, NULL, 1}, {"size", 1, NULL, 1},       {"seconds", 1, NULL, 1},
        {"links", 1, NULL, 1},       {"ordered", 1, NULL, 1},    {0}};
    uint64_t *const numbers[] = {&echo->port,    &echo->outstanding, &echo->size,
                                 &echo->seconds, &echo->links,       &echo->ordered};
    int at;
    while (getopt_long(argc, argv, "", options, &at) == 1) {
        if (at < 2) {
            *(at == 0 ? &echo->host : &echo->congestion) = optarg;
        } else {
            *numbers[at - 2] = strtoull(optarg, NULL, 10);
        }
    }
    if (optind + 1 != argc || echo->host == NULL || echo->outstanding == 0 ||
        echo->outstanding > OUTSTANDING_MAX || echo->size < sizeof(struct head) || echo->size > SIZE_MAX_ ||
        echo->seconds == 0 || echo->ordered > 1 || echo->links == 0 || echo->links > LINKS_MAX) {
        usage();
    }
}

int main(int argc, char **argv)
{
    static struct echo echo = {.outstanding = 1, .size = 64, .seconds = 5, .links = 1};
    parse(&echo, argc, argv);
    const char *role = argv[optind];
    if (strcmp(role, "tcp-server") == 0) {
        tcp_serve(&echo);
    } else if (strcmp(role, "a3m-server") == 0) {
        a3m_serve(&echo);
    } else if (strcmp(role, "tcp-client") == 0) {
        tcp_ask(&echo);
        report(&echo);
    } else if (strcmp(role, "a3m-client") == 0) {
        a3m_ask(&echo);
        report(&echo);
    } else {
        usage();
    }
    return 0;
}
