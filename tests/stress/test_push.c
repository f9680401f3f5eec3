/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads that send on one PUSH socket, several that receive from each of its PULL peers: every message once,
 * and at each receiver those of a sender in its order. A3M_LONG has more of them. covers N5 N8 F6 F10 S1
 */
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "ledger.h"
#include "node_fixture.h"
#include "threads.h"
#include "unit/test_base_random.h"
#include "verdict.h"

enum { MEMBERS = 8 };

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
        msgs[i] = ledger_message(self->number, first + i);
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
    for (uint32_t i = 0; i < total && verdict_failures() == 0;) {
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
            struct head head = ledger_read(msgs[i]);
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
    struct timespec until = threads_deadline(60);
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
        threads_start(&receivers[i], puller_main, &pullers[i % SINKS]);
    }
    for (uint32_t i = 0; i < MEMBERS; i++) {
        pushers[i] = (struct pusher){.stream = &stream, .number = i};
        threads_start(&senders[i], pusher_main, &pushers[i]);
    }
    threads_join(senders, MEMBERS);
    await_stream(&stream);
    assert_int_equal(a3m_socket_drain(stream.push, SOON), A3M_OK);
    for (int i = 0; i < SINKS; i++) {
        assert_int_equal(a3m_socket_close(stream.pulls[i]), A3M_OK);
    }
    threads_join(receivers, SINKS * PULLERS);
    assert_int_equal(verdict_failures(), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_push_by_many_threads_once_and_in_order, verdict_forget),
        cmocka_unit_test_setup(test_push_with_little_credit_once_and_in_order, verdict_forget),
        cmocka_unit_test_setup(test_push_inproc_once_and_in_order, verdict_forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
