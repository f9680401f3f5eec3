/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What callbacks of receipts may do: send on, also in the middle of a call that bundles; end their own link, close their
 * socket; free what they were given; fail, without the call noticing that they interrupt. And what is told while a node
 * closes. covers S8 N8
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node_fixture.h"
#include "node_turns.h"

enum { ACCEPTED = A3M_RECEIPT_ACCEPTED, TAKEN = A3M_RECEIPT_TAKEN, BOTH = ACCEPTED | TAKEN };

/* ---- Nodes whose turns this test runs ------------------------------------------------------- */

struct world {
    a3m_node a, b;
    struct a3mi_node *in_a, *in_b;
    a3m_socket push, pull;
    a3m_link link;
    int64_t now;
};

static void settle(struct world *world)
{
    for (int i = 0; i < 60; i++) {
        (void)node_turn_all(world->in_b, world->now);
        (void)node_turn_all(world->in_a, world->now);
        world->now += 1000000;
    }
}

static void make(struct world *world)
{
    *world = (struct world){.now = INT64_C(1000000000)};
    world->a = test_node_idle("a", "inproc://callback-a");
    world->b = test_node_idle("b", "inproc://callback-b");
    world->in_a = node_inside(world->a);
    world->in_b = node_inside(world->b);
    world->push = test_socket(world->a, &a3m_push, "push");
    world->pull = test_socket(world->b, &a3m_pull, "pull");
    assert_int_equal(a3m_socket_link(world->push, "inproc://callback-b/pull", &world->link), A3M_OK);
    settle(world);
    assert_int_equal(a3m_link_wait(world->link, A3M_NOW), A3M_OK);
}

static void end(struct world *world)
{
    (void)a3m_node_close(world->a, A3M_NOW, NULL);
    (void)a3m_node_close(world->b, A3M_NOW, NULL);
}

static size_t take_all(struct world *world)
{
    a3m_msg *msg = NULL;
    size_t n = 0;
    while (a3m_try_recv(world->pull, &msg) == A3M_OK) {
        a3m_msg_free(msg);
        n++;
    }
    return n;
}

/* ---- What it may do ------------------------------------------------------------------------- */

/* On the heap, and freed by the last word. */
struct visitor {
    struct world *world;
    void (*act)(struct visitor *self);
    unsigned *told, *lasts;
    unsigned more; /* messages to be sent yet, each by the last word on the one before */
};

static void visit(void *arg, const a3m_receipt *receipt);

static int send_visitor(struct world *world, void (*act)(struct visitor *), unsigned *told, unsigned *lasts,
                        unsigned more)
{
    a3m_msg *msg = test_msg("m");
    struct visitor *self = malloc(sizeof(*self));
    assert_non_null(self);
    *self = (struct visitor){world, act, told, lasts, more};
    assert_int_equal(a3m_msg_set_receipt(msg, BOTH, 0, visit, self), A3M_OK);
    int result = a3m_try_send(world->push, msg);
    if (result != A3M_OK) { /* nobody tells of it */
        a3m_msg_free(msg);
        free(self);
    }
    return result;
}

static void visit(void *arg, const a3m_receipt *receipt)
{
    struct visitor *self = arg;
    ++*self->told;
    *self->lasts += receipt->last;
    if (self->act != NULL) {
        self->act(self);
    }
    if (receipt->last) {
        if (self->more > 0) {
            (void)send_visitor(self->world, self->act, self->told, self->lasts, self->more - 1);
        }
        free(self);
    }
}

static void test_callback_sends_the_next_one_with_a_receipt(void **arg)
{
    (void)arg;
    struct world world;
    unsigned told = 0;
    unsigned lasts = 0;
    make(&world);
    assert_int_equal(send_visitor(&world, NULL, &told, &lasts, 9), A3M_OK);
    for (size_t n = 0; n < 10;) {
        settle(&world);
        n += take_all(&world);
    }
    settle(&world);
    assert_int_equal(lasts, 10);
    assert_int_equal(told, 20);
    end(&world);
}

static void abort_link(struct visitor *self)
{
    (void)a3m_link_abort(self->world->link, NULL);
}

static void end_link(struct visitor *self)
{
    (void)a3m_link_end(self->world->link);
}

static void close_socket(struct visitor *self)
{
    (void)a3m_socket_close(self->world->push);
}

static void drop_socket_and_link(struct visitor *self)
{
    close_socket(self);
    abort_link(self);
}

/* In the middle of the telling of the link's others, some of which its end adds. Each has its last word, once. */
static void test_callback_ends_its_own_link_or_socket(void **arg)
{
    (void)arg;
    static void (*const acts[])(struct visitor *) = {abort_link, end_link, close_socket,
                                                     drop_socket_and_link};
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        struct world world;
        unsigned told = 0;
        unsigned lasts = 0;
        make(&world);
        for (int k = 0; k < 20; k++) {
            assert_int_equal(send_visitor(&world, k == 3 ? acts[i] : NULL, &told, &lasts, 1), A3M_OK);
        }
        settle(&world);
        (void)take_all(&world);
        settle(&world);
        assert_in_range(lasts, 20, 40);
        unsigned before = lasts;
        end(&world);
        assert_int_equal(lasts, before); /* nothing was left for the node's end */
    }
}

/* What callbacks send while their node closes is refused; what they were told of is theirs to free. */
static void test_callback_sends_while_its_node_closes(void **arg)
{
    (void)arg;
    struct world world;
    unsigned told = 0;
    unsigned lasts = 0;
    make(&world);
    for (int k = 0; k < 20; k++) {
        assert_int_equal(send_visitor(&world, close_socket, &told, &lasts, 100), A3M_OK);
    }
    end(&world);
    assert_int_equal(lasts, 20);
}

/* ---- What the call does not notice that it interrupts ----------------------------------------- */

static void fail_inside(struct visitor *self)
{
    a3m_msg *msg;
    (void)self;
    assert_int_equal(a3m_try_recv((a3m_socket){0}, &msg), A3M_EHANDLE);
    errno = ERANGE;
}

static void test_callback_that_fails_leaves_the_calls_error_as_it_is(void **arg)
{
    (void)arg;
    struct world world;
    unsigned told = 0;
    unsigned lasts = 0;
    make(&world);
    assert_int_equal(send_visitor(&world, fail_inside, &told, &lasts, 0), A3M_OK);
    a3m_link_info info = {0};
    assert_int_equal(a3m_link_get_info(world.link, &info), A3M_EINVAL);
    char detail[512];
    (void)snprintf(detail, sizeof(detail), "%s", a3m_error_detail());
    (void)node_turn_all(world.in_a, world.now);
    (void)node_turn_all(world.in_b, world.now);
    errno = ENOENT;
    (void)node_turn_all(world.in_a, world.now);
    settle(&world);
    assert_int_equal(told, 1);
    assert_int_equal(errno, ENOENT);
    assert_string_equal(a3m_error_detail(), detail);
    end(&world);
}

static void send_more(struct visitor *self)
{
    int result = a3m_send_bytes(self->world->push, "more", 4, A3M_NOW);
    assert_int_equal(result,
                     *self->told == 1 ? A3M_OK : A3M_EHANDLE); /* the last word comes when the node closed */
}

static void test_callback_in_a_call_that_bundles_sends_for_itself(void **arg)
{
    (void)arg;
    struct world world;
    unsigned told = 0;
    unsigned lasts = 0;
    make(&world);
    assert_int_equal(send_visitor(&world, send_more, &told, &lasts, 0), A3M_OK);
    a3mi_hold_begin(world.in_a);
    settle(&world);
    assert_int_equal(told, 1);
    struct a3mi_hold hold = a3mi_hold_suspend();
    assert_ptr_equal(hold.node, world.in_a); /* the call goes on bundling */
    assert_false(hold.pushed);               /* and has nothing of the callback's */
    a3mi_hold_resume(hold);
    a3mi_hold_end(world.in_a);
    assert_int_equal(take_all(&world), 2);
    end(&world);
}

struct bundle {
    a3m_socket other;
    _Atomic int sent;
};

static void send_other(void *arg, const a3m_receipt *receipt)
{
    struct bundle *self = arg;
    (void)receipt;
    self->sent = a3m_send_bytes(self->other, "now", 3, A3M_NOW);
}

static void *send_many(void *arg)
{
    struct bundle *self = ((void **)arg)[0];
    a3m_socket *push = ((void **)arg)[1];
    a3m_msg *msgs[] = {test_msg("1"), test_msg("2")};
    assert_int_equal(a3m_msg_set_receipt(msgs[0], ACCEPTED, 0, send_other, self), A3M_OK);
    assert_int_equal(a3m_send_many(*push, msgs, 2, SOON), 2);
    return NULL;
}

/* A call bundles what it sends, and waits for credit: what a callback sends meanwhile is not kept back with it. */
static void test_callback_in_a_call_that_bundles_and_waits(void **arg)
{
    (void)arg;
    struct bundle self = {.sent = 1};
    a3m_node a = test_node("a");
    a3m_node b = test_node("b");
    a3m_socket push = test_socket(a, &a3m_push, "push");
    a3m_socket pull = test_socket(b, &a3m_pull, "pull");
    a3m_socket to = test_socket(b, &a3m_pull, "to");
    pthread_t thread;
    void *args[] = {&self, &push};
    self.other = test_socket(a, &a3m_push, "other");
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
    (void)test_link(push, test_url(b, "pull"));
    (void)test_link(self.other, test_url(b, "to"));
    assert_int_equal(pthread_create(&thread, NULL, send_many, args), 0);
    test_expect(to, "now"); /* while the second one waits for credit that the first one has */
    test_expect(pull, "1");
    assert_int_equal(pthread_join(thread, NULL), 0);
    test_expect(pull, "2");
    test_close(a);
    assert_int_equal(self.sent, A3M_OK);
    test_close(b);
}

/* ---- A node that closes while they run ----------------------------------------------------------- */

enum { CLOSING_THREADS = 3, CLOSING_ROUNDS = 20, CLOSING_EACH = 400 };

struct closing {
    a3m_socket push;
    _Atomic unsigned lasts, sent, inside, wrong;
};

static void note_last(void *arg, const a3m_receipt *receipt)
{
    struct closing *self = arg;
    self->wrong += atomic_fetch_add(&self->inside, 1) != 0;
    self->lasts += receipt->last;
    (void)sched_yield(); /* others come to it meanwhile */
    atomic_fetch_sub(&self->inside, 1);
}

static void *send_until_closed(void *arg)
{
    struct closing *self = arg;
    for (int i = 0; i < CLOSING_EACH; i++) {
        a3m_msg *msg = test_msg("m");
        if (a3m_msg_set_receipt(msg, i % 2 == 0 ? BOTH : ACCEPTED, 0, note_last, self) != A3M_OK ||
            a3m_send_until(self->push, msg, SOON) != A3M_OK) {
            a3m_msg_free(msg);
            return NULL;
        }
        self->sent++;
    }
    return NULL;
}

static void *take_until_closed(void *arg)
{
    a3m_socket *pull = arg;
    a3m_msg *msg;
    while (a3m_recv_until(*pull, &msg, SOON) == A3M_OK) {
        a3m_msg_free(msg);
    }
    return NULL;
}

/* Whichever end closes, at any moment: one telling at a time, and each message has its last word by then. */
static void test_callback_node_closes_while_it_is_called(void **arg)
{
    (void)arg;
    for (int round = 0; round < CLOSING_ROUNDS; round++) {
        struct closing self = {.lasts = 0};
        pthread_t threads[CLOSING_THREADS], taker;
        a3m_node a = test_node("a");
        a3m_node b = test_node("b");
        a3m_socket pull = test_socket(b, &a3m_pull, "pull");
        self.push = test_socket(a, &a3m_push, "push");
        (void)test_link(self.push, test_url(b, "pull"));
        assert_int_equal(pthread_create(&taker, NULL, take_until_closed, &pull), 0);
        for (int i = 0; i < CLOSING_THREADS; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, send_until_closed, &self), 0);
        }
        while (self.sent < (unsigned)(1 + round * 40)) {
            (void)sched_yield();
        }
        if (round % 2 == 1) {
            (void)a3m_node_close(b, a3m_in(a3m_ms(1)), NULL);
        }
        (void)a3m_node_close(a, round % 4 < 2 ? A3M_NOW : a3m_in(a3m_ms(20)), NULL);
        for (int i = 0; i < CLOSING_THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        }
        assert_int_equal(self.lasts, self.sent);
        assert_int_equal(self.wrong, 0);
        if (round % 2 == 0) {
            (void)a3m_node_close(b, A3M_NOW, NULL);
        }
        assert_int_equal(pthread_join(taker, NULL), 0);
    }
}

/* ---- As events, waited for by a poller ------------------------------------------------------------ */

static void test_receipt_events_are_waited_for_by_a_poller(void **arg)
{
    (void)arg;
    enum { MESSAGES = 50 };
    a3m_node a = test_node("a");
    a3m_node b = test_node("b");
    a3m_socket push = test_socket(a, &a3m_push, "push");
    a3m_socket pull = test_socket(b, &a3m_pull, "pull");
    a3m_poller poller;
    a3m_poll_event got;
    (void)test_link(push, test_url(b, "pull"));
    assert_int_equal(a3m_socket_set(push, A3M_OPT_EVENTS, 2 * MESSAGES), A3M_OK);
    assert_int_equal(a3m_poller_new(&poller, 0), A3M_OK);
    assert_int_equal(a3m_poller_add(poller, a3m_pollable_events(push), A3M_POLL_IN, &push), A3M_OK);
    for (uint64_t i = 0; i < MESSAGES; i++) {
        a3m_msg *msg = test_msg("m");
        assert_int_equal(a3m_msg_set_receipt(msg, BOTH, i, NULL, NULL), A3M_OK);
        assert_int_equal(a3m_send_until(push, msg, SOON), A3M_OK);
        test_expect(pull, "m");
    }
    uint64_t accepted = 0;
    uint64_t taken = 0;
    while (taken < MESSAGES) {
        a3m_socket_event event = {.size = sizeof(event)};
        assert_int_equal(a3m_poller_wait(poller, &got, 1, SOON), 1);
        assert_int_equal(a3m_socket_next_event(push, &event, A3M_NOW), A3M_OK);
        assert_int_equal(event.kind, A3M_EVENT_RECEIPT);
        assert_int_equal(event.lost, 0);
        if (event.receipt.kind == A3M_RECEIPT_ACCEPTED) {
            assert_int_equal(event.receipt.id, accepted++);
        } else {
            assert_int_equal(event.receipt.kind, A3M_RECEIPT_TAKEN);
            assert_int_equal(event.receipt.id, taken++);
            assert_true(event.receipt.id < accepted);
        }
    }
    assert_int_equal(a3m_poller_close(poller), A3M_OK);
    test_close(a);
    test_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_callback_sends_the_next_one_with_a_receipt),
        cmocka_unit_test(test_callback_ends_its_own_link_or_socket),
        cmocka_unit_test(test_callback_sends_while_its_node_closes),
        cmocka_unit_test(test_callback_that_fails_leaves_the_calls_error_as_it_is),
        cmocka_unit_test(test_callback_in_a_call_that_bundles_sends_for_itself),
        cmocka_unit_test(test_callback_in_a_call_that_bundles_and_waits),
        cmocka_unit_test(test_callback_node_closes_while_it_is_called),
        cmocka_unit_test(test_receipt_events_are_waited_for_by_a_poller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
