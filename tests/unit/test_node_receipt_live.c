/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery receipts of nodes that run: by several threads, by requests and replies, and what a callback may do.
 * covers S8 N8
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node_fixture.h"

enum { BOTH = A3M_RECEIPT_ACCEPTED | A3M_RECEIPT_TAKEN };

/* ---- Many threads ------------------------------------------------------------------------- */

enum { THREADS = 4, EACH = 3000, ALL = THREADS * EACH };

/* Written by callbacks only, so that the thread sanitizer says whether these are one at a time. */
struct record {
    uint8_t accepted[ALL], taken[ALL];
    uint64_t last_accepted[THREADS];
    unsigned wrong;
    _Atomic unsigned over;
    _Atomic unsigned inside;
};

struct sender {
    pthread_t thread;
    a3m_socket push;
    struct record *record;
    unsigned number;
    unsigned failed;
};

static void note(void *arg, const a3m_receipt *receipt)
{
    struct record *record = arg;
    record->wrong += atomic_fetch_add(&record->inside, 1) != 0;
    unsigned sender = (unsigned)(receipt->id / EACH);
    if (receipt->kind == A3M_RECEIPT_ACCEPTED) {
        record->wrong += record->accepted[receipt->id]++ != 0 || receipt->last;
        record->wrong += receipt->id % EACH != 0 && record->last_accepted[sender] + 1 != receipt->id;
        record->last_accepted[sender] = receipt->id;
    } else {
        record->wrong += receipt->kind != A3M_RECEIPT_TAKEN || !receipt->last;
        record->wrong += record->accepted[receipt->id] != 1 || record->taken[receipt->id]++ != 0;
        atomic_fetch_add(&record->over, 1);
    }
    atomic_fetch_sub(&record->inside, 1);
}

static void *send_all(void *arg)
{
    struct sender *self = arg;
    for (uint64_t i = 0; i < EACH; i++) {
        a3m_msg *msg = a3m_msg_copy("m", 1);
        self->failed += a3m_msg_set_receipt(msg, BOTH, self->number * (uint64_t)EACH + i, note,
                                            self->record) != A3M_OK;
        self->failed += a3m_send_until(self->push, msg, SOON) != A3M_OK;
    }
    return NULL;
}

static void *take_all(void *arg)
{
    a3m_socket *pull = arg;
    for (unsigned i = 0; i < ALL; i++) {
        a3m_msg *msg = NULL;
        if (a3m_recv_until(*pull, &msg, SOON) != A3M_OK) {
            return arg;
        }
        a3m_msg_free(msg);
    }
    return NULL;
}

/* One link, several senders on it and as many links: each message is told of once each, in order, one at a time. */
static void test_receipt_many_threads_one_telling_at_a_time_and_in_order(void **arg)
{
    (void)arg;
    static struct record record;
    struct sender senders[THREADS];
    pthread_t taker;
    void *failed;
    a3m_node a = test_node("a");
    a3m_node b = test_node("b");
    a3m_socket pull = test_socket(b, &a3m_pull, "pull");
    assert_int_equal(pthread_create(&taker, NULL, take_all, &pull), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        char tag[16];
        (void)snprintf(tag, sizeof(tag), "push%u", i);
        senders[i] = (struct sender){.push = test_socket(a, &a3m_push, tag), .record = &record, .number = i};
        (void)test_link(senders[i].push, test_url(b, "pull"));
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
        assert_int_equal(senders[i].failed, 0);
    }
    assert_int_equal(pthread_join(taker, &failed), 0);
    assert_null(failed);
    a3m_time deadline = SOON;
    while (atomic_load(&record.over) < ALL && a3m_now().ns < deadline.ns) {
        /* Nobody waits on node a: its reader thread hears of it. */
        (void)sched_yield();
    }
    assert_int_equal(atomic_load(&record.over), ALL);
    /* Receipts are no answers that the peer does not take: its requests were all heard. */
    assert_int_equal(test_stats(b).requests_unanswered, 0);
    test_close(a);
    test_close(b);
    assert_int_equal(record.wrong, 0);
}

/* ---- Requests and replies --------------------------------------------------------------------- */

struct pair {
    a3m_node client, server;
    a3m_socket req, rep;
    _Atomic uint64_t kinds[8]; /* of each id: the kinds told, a byte each, the last told last */
};

static void note_kinds(void *arg, const a3m_receipt *receipt)
{
    struct pair *pair = arg;
    atomic_store(&pair->kinds[receipt->id], atomic_load(&pair->kinds[receipt->id]) << 8 | receipt->kind);
}

static void begin(struct pair *pair)
{
    *pair = (struct pair){.client = test_node("client"), .server = test_node("server")};
    pair->rep = test_socket(pair->server, &a3m_rep, "rep");
    pair->req = test_socket(pair->client, &a3m_req, "req");
    (void)test_link(pair->req, test_url(pair->server, "rep"));
}

static a3m_msg *asking(struct pair *pair, uint64_t id)
{
    a3m_msg *msg = test_msg("m");
    assert_int_equal(a3m_msg_set_receipt(msg, BOTH, id, note_kinds, pair), A3M_OK);
    return msg;
}

static void await(struct pair *pair, uint64_t id, uint64_t kinds)
{
    a3m_time deadline = SOON;
    while (atomic_load(&pair->kinds[id]) != kinds && a3m_now().ns < deadline.ns) {
        (void)sched_yield();
    }
    assert_int_equal(atomic_load(&pair->kinds[id]), kinds);
}

static void test_receipt_of_requests_and_replies(void **arg)
{
    (void)arg;
    struct pair pair;
    a3m_request request;
    a3m_msg *asked = NULL;
    a3m_msg *reply = NULL;
    begin(&pair);
    assert_int_equal(a3m_request_send(pair.req, asking(&pair, 1), &request, SOON), A3M_OK);
    await(&pair, 1, A3M_RECEIPT_ACCEPTED);
    assert_int_equal(a3m_recv_until(pair.rep, &asked, SOON), A3M_OK);
    await(&pair, 1, A3M_RECEIPT_ACCEPTED << 8 | A3M_RECEIPT_TAKEN);
    assert_int_equal(a3m_reply(pair.rep, asked, asking(&pair, 2), SOON), A3M_OK);
    await(&pair, 2, A3M_RECEIPT_ACCEPTED);
    assert_int_equal(a3m_request_wait(pair.req, request, &reply, SOON), A3M_OK);
    await(&pair, 2, A3M_RECEIPT_ACCEPTED << 8 | A3M_RECEIPT_TAKEN);
    a3m_msg_free(asked);
    a3m_msg_free(reply);
    test_close(pair.client);
    test_close(pair.server);
}

/* A reply that nobody waits for any more is dropped, not taken. */
static void test_receipt_of_a_reply_that_comes_too_late(void **arg)
{
    (void)arg;
    struct pair pair;
    a3m_request request;
    a3m_msg *asked = NULL;
    begin(&pair);
    assert_int_equal(a3m_request_send(pair.req, test_msg("m"), &request, SOON), A3M_OK);
    assert_int_equal(a3m_recv_until(pair.rep, &asked, SOON), A3M_OK);
    assert_int_equal(a3m_request_cancel(pair.req, request), A3M_OK);
    assert_int_equal(a3m_reply(pair.rep, asked, asking(&pair, 2), SOON), A3M_OK);
    await(&pair, 2, A3M_RECEIPT_ACCEPTED);
    a3m_msg_free(asked);
    test_close(pair.client);
    await(&pair, 2, A3M_RECEIPT_ACCEPTED << 8 | A3M_RECEIPT_UNKNOWN);
    test_close(pair.server);
}

/* ---- In a callback ------------------------------------------------------------------------------ */

struct visit {
    a3m_node node;
    a3m_socket push, own;
    _Atomic int waited, polled, closed, sent;
    _Atomic bool over;
};

static void visit(void *arg, const a3m_receipt *receipt)
{
    struct visit *self = arg;
    a3m_msg *msg = NULL;
    a3m_poll_item item = {.what = {A3M_POLLABLE_SOCKET, self->own.v}, .events = A3M_POLL_IN};
    (void)receipt;
    self->waited = a3m_recv_until(self->own, &msg, SOON);
    self->polled = a3m_poll(&item, 1, SOON);
    self->closed = a3m_node_close(self->node, SOON, NULL);
    self->sent = a3m_send_bytes(self->push, "from a callback", 15, A3M_NOW);
    self->over = true;
}

static void run_visit(bool waits_itself)
{
    a3m_node b = test_node("b");
    a3m_socket pull = test_socket(b, &a3m_pull, "pull");
    struct visit self = {.node = test_node("a")};
    self.push = test_socket(self.node, &a3m_push, "push");
    self.own = test_socket(self.node, &a3m_pull, "own");
    (void)test_link(self.push, test_url(b, "pull"));
    a3m_msg *msg = test_msg("m");
    assert_int_equal(a3m_msg_set_receipt(msg, A3M_RECEIPT_ACCEPTED, 1, visit, &self), A3M_OK);
    assert_int_equal(a3m_send_until(self.push, msg, SOON), A3M_OK);
    a3m_time deadline = SOON;
    while (!self.over && a3m_now().ns < deadline.ns) {
        if (waits_itself) { /* this thread reads the network, and is called back in its own wait */
            msg = NULL;
            (void)a3m_recv_until(self.own, &msg, a3m_in(a3m_us(500)));
        }
    }
    assert_true(self.over);
    assert_int_equal(self.waited, A3M_EDEADLK);
    assert_int_equal(self.polled, A3M_EDEADLK);
    assert_int_equal(self.closed, A3M_EDEADLK);
    assert_int_equal(self.sent, A3M_OK);
    test_expect(pull, "m");
    test_expect(pull, "from a callback");
    test_close(self.node);
    test_close(b);
}

static void test_receipt_a_callback_may_send_and_not_wait(void **arg)
{
    (void)arg;
    run_visit(false);
    run_visit(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receipt_many_threads_one_telling_at_a_time_and_in_order),
        cmocka_unit_test(test_receipt_of_requests_and_replies),
        cmocka_unit_test(test_receipt_of_a_reply_that_comes_too_late),
        cmocka_unit_test(test_receipt_a_callback_may_send_and_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
