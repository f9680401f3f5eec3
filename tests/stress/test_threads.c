/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads on one socket, at both ends: every message exactly once, those of
 * a sender in its order, every reply to its own request. And threads that do
 * anything to sockets of three nodes, at random, until the nodes close under
 * them: each call returns, with a code that it may return, and nothing arrives
 * twice. A3M_SEED chooses another run, A3M_LONG more of them.
 * covers N5 N8 L1 F6 F10 S1 S2 S6 S7 X1 X3
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "node_fixture.h"
#include "unit/test_base_random.h"

enum { MEMBERS = 8 };

/* ---- Verdicts of other threads: cmocka's are the main thread's -------------------- */

static _Atomic unsigned failures;

static bool check(bool good, const char *what, int line)
{
    if (!good && atomic_fetch_add(&failures, 1) < 20) {
        (void)fprintf(stderr, "line %d: not %s (%s)\n", line, what, a3m_error_detail());
    }
    return good;
}

#define CHECK(good) check((good), #good, __LINE__)

static void start(pthread_t *thread, void *(*main)(void *), void *arg)
{
    assert_int_equal(pthread_create(thread, NULL, main, arg), 0);
}

static void join(pthread_t *threads, size_t n)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += getenv("A3M_LONG") != NULL ? 3600 : 100;
    for (size_t i = 0; i < n; i++) {
        if (pthread_timedjoin_np(threads[i], NULL, &until) != 0) {
            (void)fprintf(stderr, "a thread hangs\n");
            abort();
        }
    }
}

/* ---- Messages that say who sent them ------------------------------------------------ */

enum { LARGEST = 3000 };

struct head {
    uint32_t member;
    uint32_t number;
};

static size_t size_of(struct head head)
{
    uint64_t state = (uint64_t)head.member << 32 | head.number;
    uint64_t random = a3mi_splitmix64(&state);
    /* Mostly small ones, some of several packets. */
    return sizeof(head) + (random % 8 == 0 ? (random >> 8) % (LARGEST - sizeof(head)) : (random >> 8) % 64);
}

static uint8_t byte_of(struct head head, size_t at)
{
    return (uint8_t)(head.member * 31 + head.number + at);
}

static a3m_msg *make_message(uint32_t member, uint32_t number)
{
    struct head head = {member, number};
    size_t size = size_of(head);
    a3m_msg *msg = a3m_msg_new(size);
    uint8_t *bytes = a3m_msg_data(msg);
    memcpy(bytes, &head, sizeof(head));
    for (size_t i = sizeof(head); i < size; i++) {
        bytes[i] = byte_of(head, i);
    }
    return msg;
}

/* Reads the head, and checks that size and bytes are those that were sent. */
static struct head read_message(const a3m_msg *msg)
{
    struct head head = {UINT32_MAX, UINT32_MAX};
    const uint8_t *bytes = a3m_msg_data(msg);
    if (!CHECK(a3m_msg_size(msg) >= sizeof(head))) {
        return head;
    }
    memcpy(&head, bytes, sizeof(head));
    bool same = a3m_msg_size(msg) == size_of(head);
    for (size_t i = sizeof(head); same && i < a3m_msg_size(msg); i++) {
        same = bytes[i] == byte_of(head, i);
    }
    CHECK(same);
    return head;
}

/* How often each message of each member arrived. */
struct ledger {
    uint32_t members, numbers;
    void *memory;
    _Atomic uint8_t *seen;
};

static void ledger_open(struct ledger *ledger, uint32_t members, uint32_t numbers)
{
    *ledger = (struct ledger){.members = members, .numbers = numbers};
    ledger->memory = calloc((size_t)members * numbers, sizeof(*ledger->seen));
    assert_non_null(ledger->memory);
    ledger->seen = ledger->memory;
}

/* Any thread. A second time is a failure. */
static void ledger_note(struct ledger *ledger, struct head head)
{
    if (CHECK(head.member < ledger->members && head.number < ledger->numbers)) {
        CHECK(atomic_fetch_add(&ledger->seen[(size_t)head.member * ledger->numbers + head.number], 1) == 0);
    }
}

/* How many arrived, all told. */
static size_t ledger_close(struct ledger *ledger)
{
    size_t arrived = 0;
    for (size_t i = 0; i < (size_t)ledger->members * ledger->numbers; i++) {
        arrived += ledger->seen[i];
    }
    free(ledger->memory);
    return arrived;
}

/* ---- Requests -------------------------------------------------------------------------- */

enum { SERVERS = 3, REQUESTS = 240, AT_ONCE = 4 };

struct echo {
    a3m_socket req, rep;
    struct ledger ledger;
    uint32_t requests;
    bool one_by_one; /* each member has one request outstanding, never more */
};

struct member {
    struct echo *echo;
    uint32_t number;
};

static void ask_and_wait(const struct member *self, uint32_t number)
{
    a3m_msg *request = make_message(self->number, number);
    a3m_msg *reply = NULL;
    if (CHECK(a3m_request_reply(self->echo->req, request, &reply, SOON, NULL) == A3M_OK)) {
        struct head head = read_message(reply);
        CHECK(head.member == self->number && head.number == number);
        a3m_msg_free(reply);
    }
}

/* Several outstanding at once, waited for in another order. */
static void ask_some(const struct member *self, uint32_t first)
{
    a3m_request requests[AT_ONCE];
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        a3m_msg *msg = make_message(self->number, first + i);
        CHECK(a3m_request_send(self->echo->req, msg, &requests[i], SOON) == A3M_OK);
    }
    for (uint32_t i = AT_ONCE; i-- > 0;) {
        a3m_msg *reply = NULL;
        if (CHECK(a3m_request_wait(self->echo->req, requests[i], &reply, SOON) == A3M_OK)) {
            struct head head = read_message(reply);
            CHECK(head.member == self->number && head.number == first + i);
            a3m_msg_free(reply);
        }
    }
}

static void *requester_main(void *arg)
{
    const struct member *self = arg;
    for (uint32_t i = 0; i < self->echo->requests && atomic_load(&failures) == 0; i += AT_ONCE) {
        if (!self->echo->one_by_one && i / AT_ONCE % 2 == 0) {
            ask_some(self, i);
            continue;
        }
        for (uint32_t k = 0; k < AT_ONCE; k++) {
            ask_and_wait(self, i + k);
        }
    }
    return NULL;
}

/* Serves until the socket closes. */
static void *server_main(void *arg)
{
    struct echo *echo = arg;
    a3m_msg *request = NULL;
    int result;
    while ((result = a3m_recv(echo->rep, &request)) == A3M_OK) {
        ledger_note(&echo->ledger, read_message(request));
        CHECK(a3m_reply(echo->rep, request, a3m_msg_dup(request), SOON) == A3M_OK);
        a3m_msg_free(request);
    }
    CHECK(result == A3M_ECLOSED || result == A3M_EHANDLE);
    return NULL;
}

/*
 * With less credit than there are requests outstanding, members wait for each
 * reply before they ask again: replies that nobody takes would stop the servers.
 */
static void request_by_many(a3m_node server, a3m_node client, const char *url, int64_t credit)
{
    struct echo echo = {.requests = (uint32_t)test_rounds(REQUESTS),
                        .one_by_one = credit < MEMBERS * AT_ONCE};
    struct member members[MEMBERS];
    pthread_t requesters[MEMBERS], servers[SERVERS];
    ledger_open(&echo.ledger, MEMBERS, echo.requests);
    echo.rep = test_socket(server, &a3m_rep, "echo");
    echo.req = test_socket(client, &a3m_req, NULL);
    assert_int_equal(a3m_socket_set(echo.rep, A3M_OPT_CREDIT_MESSAGES, credit), A3M_OK);
    assert_int_equal(a3m_socket_set(echo.req, A3M_OPT_CREDIT_MESSAGES, credit), A3M_OK);
    test_link(echo.req, url);
    for (uint32_t i = 0; i < SERVERS; i++) {
        start(&servers[i], server_main, &echo);
    }
    for (uint32_t i = 0; i < MEMBERS; i++) {
        members[i] = (struct member){.echo = &echo, .number = i};
        start(&requesters[i], requester_main, &members[i]);
    }
    join(requesters, MEMBERS);
    assert_int_equal(a3m_socket_close(echo.rep), A3M_OK);
    join(servers, SERVERS);
    assert_int_equal(a3m_socket_close(echo.req), A3M_OK);
    assert_int_equal(failures, 0);
    assert_int_equal(ledger_close(&echo.ledger), (size_t)MEMBERS * echo.requests);
}

static void test_requests_by_many_threads_each_gets_its_own_reply(void **arg)
{
    (void)arg;
    a3m_node server = test_node("server");
    a3m_node client = test_node("client");
    request_by_many(server, client, test_url(server, "echo"), 1000);
    test_close(client);
    test_close(server);
}

static void test_requests_with_little_credit_each_gets_its_own_reply(void **arg)
{
    (void)arg;
    a3m_node server = test_node("server");
    a3m_node client = test_node("client");
    request_by_many(server, client, test_url(server, "echo"), 3);
    test_close(client);
    test_close(server);
}

static void test_requests_within_one_node_each_gets_its_own_reply(void **arg)
{
    (void)arg;
    a3m_node node = test_node("alone");
    request_by_many(node, node, "alone/echo", 1000);
    test_close(node);
}

/* ---- One way ------------------------------------------------------------------------------ */

enum { SINKS = 2, PULLERS = 2, MESSAGES = 1200, BUNDLE = 5 };

struct stream {
    a3m_socket push, pulls[SINKS];
    struct ledger ledger;
    uint32_t messages;
    _Atomic uint64_t left; /* to be received */
    sem_t done;
};

struct pusher {
    struct stream *stream;
    uint32_t number;
};

struct puller {
    struct stream *stream;
    a3m_socket pull;
};

/* Each of the ways to send `n` messages in turn; returns how many went. */
static uint32_t push_some(const struct pusher *self, uint32_t first, uint32_t n)
{
    a3m_msg *msgs[BUNDLE];
    int result = 1;
    for (uint32_t i = 0; i < n; i++) {
        msgs[i] = make_message(self->number, first + i);
    }
    switch (first % 3) {
    case 0: result = a3m_send_many(self->stream->push, msgs, n, SOON); break;
    case 1: result = a3m_try_send(self->stream->push, msgs[0]) == A3M_OK ? 1 : 0; break;
    default: CHECK(a3m_send_until(self->stream->push, msgs[0], SOON) == A3M_OK); break;
    }
    CHECK(result >= 0);
    uint32_t sent = result > 0 ? (uint32_t)result : 0;
    for (uint32_t i = sent; i < n; i++) {
        a3m_msg_free(msgs[i]);
    }
    if (sent == 0) {
        (void)sched_yield();
    }
    return sent;
}

static void *pusher_main(void *arg)
{
    const struct pusher *self = arg;
    uint32_t total = self->stream->messages;
    for (uint32_t i = 0; i < total && atomic_load(&failures) == 0;) {
        i += push_some(self, i, total - i < BUNDLE ? total - i : BUNDLE);
    }
    return NULL;
}

static void *puller_main(void *arg)
{
    const struct puller *self = arg;
    struct stream *stream = self->stream;
    uint32_t next[MEMBERS] = {0}; /* of each pusher: this thread sees a part of them, in their order */
    a3m_msg *msgs[BUNDLE];
    int n;
    while ((n = a3m_recv_many(self->pull, msgs, BUNDLE, A3M_FOREVER)) > 0) {
        for (int i = 0; i < n; i++) {
            struct head head = read_message(msgs[i]);
            ledger_note(&stream->ledger, head);
            if (CHECK(head.member < MEMBERS) && CHECK(head.number >= next[head.member])) {
                next[head.member] = head.number + 1;
            }
            a3m_msg_free(msgs[i]);
        }
        if (atomic_fetch_sub(&stream->left, (uint64_t)n) == (uint64_t)n) {
            (void)sem_post(&stream->done);
        }
    }
    CHECK(n == A3M_ECLOSED || n == A3M_EHANDLE);
    return NULL;
}

static void open_stream(struct stream *stream, a3m_node from, const a3m_node *to, int64_t credit)
{
    stream->messages = (uint32_t)test_rounds(MESSAGES);
    atomic_init(&stream->left, (uint64_t)stream->messages * MEMBERS);
    assert_int_equal(sem_init(&stream->done, 0, 0), 0);
    ledger_open(&stream->ledger, MEMBERS, stream->messages);
    stream->push = test_socket(from, &a3m_push, NULL);
    for (int i = 0; i < SINKS; i++) {
        stream->pulls[i] = test_socket(to[i], &a3m_pull, "sink");
        assert_int_equal(a3m_socket_set(stream->pulls[i], A3M_OPT_CREDIT_MESSAGES, credit), A3M_OK);
        test_link(stream->push, test_url(to[i], "sink"));
    }
}

static void await_stream(struct stream *stream)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += getenv("A3M_LONG") != NULL ? 3600 : 60;
    while (sem_timedwait(&stream->done, &until) != 0) {
        if (errno != EINTR) {
            (void)fprintf(stderr, "%llu messages did not arrive\n", (unsigned long long)stream->left);
            abort();
        }
    }
}

static void stream_by_many(a3m_node from, const a3m_node *to, int64_t credit)
{
    struct stream stream;
    struct pusher pushers[MEMBERS];
    struct puller pullers[SINKS];
    pthread_t senders[MEMBERS], receivers[SINKS * PULLERS];
    open_stream(&stream, from, to, credit);
    for (int i = 0; i < SINKS * PULLERS; i++) {
        pullers[i % SINKS] = (struct puller){.stream = &stream, .pull = stream.pulls[i % SINKS]};
    }
    for (int i = 0; i < SINKS * PULLERS; i++) {
        start(&receivers[i], puller_main, &pullers[i % SINKS]);
    }
    for (uint32_t i = 0; i < MEMBERS; i++) {
        pushers[i] = (struct pusher){.stream = &stream, .number = i};
        start(&senders[i], pusher_main, &pushers[i]);
    }
    join(senders, MEMBERS);
    await_stream(&stream);
    assert_int_equal(a3m_socket_drain(stream.push, SOON), A3M_OK);
    for (int i = 0; i < SINKS; i++) {
        assert_int_equal(a3m_socket_close(stream.pulls[i]), A3M_OK);
    }
    join(receivers, SINKS * PULLERS);
    assert_int_equal(failures, 0);
    assert_int_equal(ledger_close(&stream.ledger), (size_t)MEMBERS * stream.messages);
    (void)sem_destroy(&stream.done);
}

static void stream_over_udp(int64_t credit)
{
    a3m_node from = test_node("from");
    a3m_node to[SINKS] = {test_node("to0"), test_node("to1")};
    stream_by_many(from, to, credit);
    test_close(from);
    test_close(to[0]);
    test_close(to[1]);
}

static void test_push_by_many_threads_once_and_in_order(void **arg)
{
    (void)arg;
    stream_over_udp(1000);
}

static void test_push_with_little_credit_once_and_in_order(void **arg)
{
    (void)arg;
    stream_over_udp(4);
}

static void test_push_inproc_once_and_in_order(void **arg)
{
    (void)arg;
    a3m_node from = test_node_at("from", "inproc://threads-from");
    a3m_node to[SINKS] = {test_node_at("to0", "inproc://threads-to0"),
                          test_node_at("to1", "inproc://threads-to1")};
    stream_by_many(from, to, 100);
    test_close(from);
    test_close(to[0]);
    test_close(to[1]);
}

/* ---- Anything ------------------------------------------------------------------------------ */

enum { NODES = 3, SOCKETS = 12, LINKS = 24, PENDINGS = 16, ACTORS = 6, ACTIONS = 1500 };

/* In a head's member: this is the reply to that message. */
#define REPLY (UINT32_C(1) << 31)

/* Handles that the actors share; 0: none. Stale ones are part of the game. */
struct arena {
    a3m_node nodes[NODES];
    char addresses[NODES][128];
    _Atomic uint64_t sockets[SOCKETS]; /* number i is on node i % NODES, with the tag s<i> */
    _Atomic uint64_t links[LINKS];
    _Atomic uint64_t pendings[PENDINGS], asked_on[PENDINGS];
    struct ledger messages, replies;
};

struct actor {
    struct arena *arena;
    struct a3mi_rng rng;
    uint32_t number, actions, messages;
};

static uint32_t draw(struct actor *self, uint32_t n)
{
    return (uint32_t)(a3mi_rng_u64(&self->rng) % n);
}

static a3m_time soon_or_now(struct actor *self)
{
    return draw(self, 3) == 0 ? A3M_NOW : a3m_in(a3m_us(draw(self, 1500)));
}

static a3m_socket any_socket(struct actor *self)
{
    return (a3m_socket){atomic_load(&self->arena->sockets[draw(self, SOCKETS)])};
}

static a3m_link any_link(struct actor *self)
{
    return (a3m_link){atomic_load(&self->arena->links[draw(self, LINKS)])};
}

/* NULL when the ledger has no room for another. */
static a3m_msg *any_message(struct actor *self, uint32_t padding)
{
    struct head head = {self->number, self->messages};
    uint8_t bytes[2048] = {0};
    if (head.number >= self->arena->messages.numbers) {
        return NULL;
    }
    self->messages++;
    memcpy(bytes, &head, sizeof(head));
    return a3m_msg_copy(bytes, sizeof(head) + padding);
}

/* The head again, with a mark. */
static a3m_msg *reply_to(const a3m_msg *request)
{
    struct head head;
    memcpy(&head, a3m_msg_data(request), sizeof(head));
    head.member |= REPLY;
    return a3m_msg_copy(&head, sizeof(head));
}

/* Notes a message, whatever it is, and frees it. */
static void take(struct actor *self, a3m_msg *msg)
{
    struct head head;
    if (CHECK(a3m_msg_size(msg) >= sizeof(head))) {
        memcpy(&head, a3m_msg_data(msg), sizeof(head));
        bool is_reply = (head.member & REPLY) != 0;
        head.member &= ~REPLY;
        ledger_note(is_reply ? &self->arena->replies : &self->arena->messages, head);
    }
    a3m_msg_free(msg);
}

static int act_open(struct actor *self)
{
    static const a3m_socket_type *const types[] = {&a3m_req, &a3m_rep, &a3m_push, &a3m_pull};
    uint32_t slot = draw(self, SOCKETS);
    char tag[8];
    a3m_socket socket;
    (void)snprintf(tag, sizeof(tag), "s%u", slot);
    /* Mostly such that a socket goes together with the next one, or the one before. */
    uint32_t type = draw(self, 8) == 0 ? draw(self, 4) : slot % 4;
    int result = a3m_socket_open(&socket, self->arena->nodes[slot % NODES], types[type], tag);
    if (result == A3M_OK) {
        (void)a3m_socket_set(socket, A3M_OPT_CREDIT_MESSAGES, 1 + draw(self, 20));
        (void)a3m_socket_set(socket, A3M_OPT_LINK_RETRY_MIN, a3m_ms(1).ns);
        (void)a3m_socket_set(socket, A3M_OPT_LINK_ATTEMPTS, draw(self, 5));
        atomic_store(&self->arena->sockets[slot], socket.v);
    }
    return result;
}

static int act_close(struct actor *self)
{
    return a3m_socket_close(any_socket(self));
}

static int act_link(struct actor *self)
{
    uint32_t slot = draw(self, SOCKETS);
    uint32_t peer = draw(self, 4) == 0 ? draw(self, SOCKETS) : slot ^ 1;
    a3m_socket socket = {atomic_load(&self->arena->sockets[slot])};
    char url[160];
    a3m_link link = {0};
    if (draw(self, 2) == 0) {
        (void)snprintf(url, sizeof(url), "%s/s%u", self->arena->addresses[peer % NODES], peer);
    } else {
        (void)snprintf(url, sizeof(url), "n%u/s%u", peer % NODES, peer);
    }
    int result = a3m_socket_link(socket, url, &link);
    if (result == A3M_OK) {
        atomic_store(&self->arena->links[draw(self, LINKS)], link.v);
    }
    return result == A3M_EINVAL && peer == slot ? A3M_OK : result; /* to itself */
}

static int act_end(struct actor *self)
{
    return a3m_link_end(any_link(self));
}

static int act_wait_link(struct actor *self)
{
    switch (draw(self, 3)) {
    case 0: return a3m_link_wait(any_link(self), soon_or_now(self));
    case 1: return a3m_socket_wait_link(any_socket(self), NULL, soon_or_now(self));
    default: return a3m_socket_wait_link_or_none(any_socket(self), NULL, soon_or_now(self));
    }
}

static int act_send(struct actor *self)
{
    a3m_msg *msg = any_message(self, draw(self, 8) == 0 ? draw(self, 2000) : 0);
    if (msg == NULL) {
        return A3M_OK;
    }
    int result = a3m_send_until(any_socket(self), msg, soon_or_now(self));
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

static int act_send_many(struct actor *self)
{
    a3m_msg *msgs[BUNDLE];
    uint32_t n = 0;
    while (n < BUNDLE && (msgs[n] = any_message(self, 0)) != NULL) {
        n++;
    }
    int result = a3m_send_many(any_socket(self), msgs, n, soon_or_now(self));
    for (uint32_t i = result > 0 ? (uint32_t)result : 0; i < n; i++) {
        a3m_msg_free(msgs[i]);
    }
    return result;
}

/* What is a request is answered, mostly; what is not shows that it cannot be. */
static int act_recv(struct actor *self)
{
    a3m_socket socket = any_socket(self);
    a3m_msg *msg = NULL;
    int result = a3m_recv_until(socket, &msg, soon_or_now(self));
    if (result != A3M_OK) {
        return result;
    }
    if (draw(self, 4) != 0) {
        a3m_msg *reply = reply_to(msg);
        result = a3m_reply(socket, msg, reply, soon_or_now(self));
        if (result != A3M_OK) {
            a3m_msg_free(reply);
        }
    }
    take(self, msg);
    return result;
}

static int act_request_reply(struct actor *self)
{
    a3m_msg *msg = any_message(self, 0);
    a3m_msg *reply = NULL;
    bool sent = false;
    if (msg == NULL) {
        return A3M_OK;
    }
    int result = a3m_request_reply(any_socket(self), msg, &reply, soon_or_now(self), &sent);
    if (!sent) {
        a3m_msg_free(msg);
    }
    if (result == A3M_OK) {
        take(self, reply);
    }
    return result;
}

static int act_request_send(struct actor *self)
{
    uint32_t slot = draw(self, PENDINGS);
    a3m_socket socket = any_socket(self);
    a3m_request request;
    a3m_msg *msg = any_message(self, 0);
    if (msg == NULL) {
        return A3M_OK;
    }
    int result = a3m_request_send(socket, msg, &request, soon_or_now(self));
    if (result != A3M_OK) {
        a3m_msg_free(msg);
        return result;
    }
    atomic_store(&self->arena->asked_on[slot], socket.v);
    atomic_store(&self->arena->pendings[slot], request.v);
    return A3M_OK;
}

static int act_request_wait(struct actor *self)
{
    uint32_t slot = draw(self, PENDINGS);
    a3m_socket socket = {atomic_load(&self->arena->asked_on[slot])};
    a3m_request request = {atomic_load(&self->arena->pendings[slot])};
    a3m_msg *reply = NULL;
    if (draw(self, 4) == 0) {
        return a3m_request_cancel(socket, request);
    }
    int result = a3m_request_wait(socket, request, &reply, soon_or_now(self));
    if (result == A3M_OK) {
        take(self, reply);
    }
    return result;
}

static int act_look(struct actor *self)
{
    a3m_link_info info = {.size = sizeof(info)};
    a3m_node_stats stats = {.size = sizeof(stats)};
    a3m_link links[4];
    char tag[64];
    switch (draw(self, 5)) {
    case 0: return a3m_link_get_info(any_link(self), &info);
    case 1: return a3m_node_get_stats(self->arena->nodes[draw(self, NODES)], &stats);
    case 2: return a3m_socket_links(any_socket(self), links, 4);
    case 3: return a3m_socket_tag(any_socket(self), tag, sizeof(tag));
    default: return a3m_socket_drain(any_socket(self), soon_or_now(self));
    }
}

/* How often each happens, in parts of the sum. */
static const struct action {
    const char *name;
    int (*act)(struct actor *self);
    uint32_t weight;
} actions[] = {
    {"open", act_open, 12},
    {"close", act_close, 2},
    {"link", act_link, 12},
    {"end", act_end, 2},
    {"wait for a link", act_wait_link, 6},
    {"send", act_send, 14},
    {"send many", act_send_many, 4},
    {"recv", act_recv, 24},
    {"request", act_request_reply, 8},
    {"request_send", act_request_send, 6},
    {"request_wait", act_request_wait, 6},
    {"look", act_look, 6},
};

static const struct action *any_action(struct actor *self)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        sum += actions[i].weight;
    }
    uint32_t at = draw(self, sum);
    const struct action *it = actions;
    while (at >= it->weight) {
        at -= it->weight;
        it++;
    }
    return it;
}

/* What a call with stale handles, short deadlines and peers that come and go may return. */
static bool may_be(int result)
{
    switch (result) {
    case A3M_EAGAIN:
    case A3M_ENOCREDIT:
    case A3M_ENOLINK:
    case A3M_ELINKDOWN:
    case A3M_EREFUSED:
    case A3M_ECLOSED:
    case A3M_ETIMEDOUT:
    case A3M_ESTATE:
    case A3M_ENOTSUP:
    case A3M_ERESTARTED:
    case A3M_EHANDLE:
    case A3M_EEXIST:
    case A3M_ENOENT:
    case A3M_ECANCELED:
    case A3M_EINCOMPATIBLE:
    case A3M_ENOTREADY:
    case A3M_ESILENT: return true;
    default: return result >= 0;
    }
}

static void *actor_main(void *arg)
{
    struct actor *self = arg;
    for (uint32_t i = 0; i < self->actions; i++) {
        const struct action *action = any_action(self);
        int result = action->act(self);
        if (!CHECK(may_be(result))) {
            (void)fprintf(stderr, "%s: %d\n", action->name, result);
        }
    }
    return NULL;
}

static void open_arena(struct arena *arena)
{
    *arena = (struct arena){0};
    for (uint32_t i = 0; i < NODES; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "n%u", i);
        arena->nodes[i] = test_node(id);
        assert_int_equal(a3m_node_address(arena->nodes[i], arena->addresses[i], sizeof(arena->addresses[i])),
                         A3M_OK);
    }
    for (uint32_t i = 0; i < NODES * NODES; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "n%u", i % NODES);
        if (i / NODES != i % NODES) {
            assert_int_equal(a3m_node_set_peer(arena->nodes[i / NODES], id, arena->addresses[i % NODES]),
                             A3M_OK);
        }
    }
}

/* While some actors go on. The others' nodes may be gone by then, so something can be left unfinished. */
static void close_arena(struct arena *arena)
{
    for (uint32_t i = 0; i < NODES; i++) {
        a3m_close_report report = {.size = sizeof(report)};
        a3m_time begin = a3m_now();
        int result = a3m_node_close(arena->nodes[i], a3m_in(a3m_seconds(2)), &report);
        (void)printf(
            "node %u closed in %lld ms: %s; undelivered %llu, unknown %llu, unread %llu, unfinished %llu\n",
            i, (long long)(a3m_now().ns - begin.ns) / 1000000, a3m_strerror(result),
            (unsigned long long)report.undelivered, (unsigned long long)report.unknown,
            (unsigned long long)report.unread, (unsigned long long)report.links_unfinished);
        assert_true(result == A3M_OK || result == A3M_ETIMEDOUT);
        assert_true(a3m_now().ns - begin.ns < a3m_seconds(20).ns);
    }
}

static void act_at_random(struct a3mi_rng *rng)
{
    struct arena arena;
    struct actor actors[ACTORS];
    pthread_t threads[ACTORS];
    open_arena(&arena);
    ledger_open(&arena.messages, ACTORS, ACTIONS * BUNDLE);
    ledger_open(&arena.replies, ACTORS, ACTIONS * BUNDLE);
    for (uint32_t i = 0; i < ACTORS; i++) {
        actors[i] = (struct actor){
            .arena = &arena, .number = i, .actions = i % 2 == 0 ? ACTIONS / 2 : ACTIONS};
        a3mi_rng_init(&actors[i].rng, a3mi_rng_u64(rng));
        start(&threads[i], actor_main, &actors[i]);
    }
    for (uint32_t i = 0; i < ACTORS; i += 2) {
        join(&threads[i], 1);
    }
    close_arena(&arena);
    for (uint32_t i = 1; i < ACTORS; i += 2) {
        join(&threads[i], 1);
    }
    size_t messages = ledger_close(&arena.messages);
    size_t replies = ledger_close(&arena.replies);
    (void)printf("%zu messages and %zu replies arrived\n", messages, replies);
    assert_true(messages > 0);
    assert_int_equal(failures, 0);
}

static void test_anything_by_many_threads_nothing_twice_and_no_hang(void **arg)
{
    (void)arg;
    struct a3mi_rng rng;
    test_random_init(&rng, "anything");
    for (long i = test_rounds(1); i > 0; i--) {
        act_at_random(&rng);
    }
}

static int forget_failures(void **arg)
{
    (void)arg;
    atomic_store(&failures, 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_requests_by_many_threads_each_gets_its_own_reply, forget_failures),
        cmocka_unit_test_setup(test_requests_with_little_credit_each_gets_its_own_reply, forget_failures),
        cmocka_unit_test_setup(test_requests_within_one_node_each_gets_its_own_reply, forget_failures),
        cmocka_unit_test_setup(test_push_by_many_threads_once_and_in_order, forget_failures),
        cmocka_unit_test_setup(test_push_with_little_credit_once_and_in_order, forget_failures),
        cmocka_unit_test_setup(test_push_inproc_once_and_in_order, forget_failures),
        cmocka_unit_test_setup(test_anything_by_many_threads_nothing_twice_and_no_hang, forget_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
