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

#include "node_pair.h"

enum { ACCEPTED = A3M_RECEIPT_ACCEPTED, TAKEN = A3M_RECEIPT_TAKEN, BOTH = ACCEPTED | TAKEN };

/* ---- What it may do ------------------------------------------------------------------------- */

static size_t take_all(struct node_pair *pair)
{
    a3m_msg *msg = NULL;
    size_t n = 0;
    while (a3m_try_recv(pair->pull, &msg) == A3M_OK) {
        a3m_msg_free(msg);
        n++;
    }
    return n;
}

/* On the heap, and freed by the last word. */
struct visitor {
    struct node_pair *pair;
    void (*act)(struct visitor *self);
    unsigned *told, *lasts;
    unsigned more; /* messages to be sent yet, each by the last word on the one before */
};

static void visit(void *arg, const a3m_receipt *receipt);

static int send_visitor(struct node_pair *pair, void (*act)(struct visitor *), unsigned *told,
                        unsigned *lasts, unsigned more)
{
    a3m_msg *msg = test_msg("m");
    struct visitor *self = malloc(sizeof(*self));
    assert_non_null(self);
    *self = (struct visitor){pair, act, told, lasts, more};
    assert_int_equal(a3m_msg_set_receipt(msg, BOTH, 0, visit, self), A3M_OK);
    int result = a3m_try_send(pair->push, msg);
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
            (void)send_visitor(self->pair, self->act, self->told, self->lasts, self->more - 1);
        }
        free(self);
    }
}

static void test_callback_sends_the_next_one_with_a_receipt(void **arg)
{
    (void)arg;
    struct node_pair pair;
    unsigned told = 0;
    unsigned lasts = 0;
    node_pair_make_linked(&pair);
    assert_int_equal(send_visitor(&pair, NULL, &told, &lasts, 9), A3M_OK);
    for (int i = 0; i < 10; i++) {
        node_pair_settle(&pair);
        assert_int_equal(take_all(&pair), 1);
    }
    node_pair_settle(&pair);
    assert_int_equal(lasts, 10);
    assert_int_equal(told, 20);
    node_pair_end(&pair);
}

static void abort_link(struct visitor *self)
{
    (void)a3m_link_abort(self->pair->link, NULL);
}

static void end_link(struct visitor *self)
{
    (void)a3m_link_end(self->pair->link);
}

static void close_socket(struct visitor *self)
{
    (void)a3m_socket_close(self->pair->push);
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
        struct node_pair pair;
        unsigned told = 0;
        unsigned lasts = 0;
        node_pair_make_linked(&pair);
        for (int k = 0; k < 20; k++) {
            assert_int_equal(send_visitor(&pair, k == 3 ? acts[i] : NULL, &told, &lasts, 1), A3M_OK);
        }
        node_pair_settle(&pair);
        (void)take_all(&pair);
        node_pair_settle(&pair);
        assert_in_range(lasts, 20, 40);
        unsigned before = lasts;
        node_pair_end(&pair);
        assert_int_equal(lasts, before); /* nothing was left for the node's end */
    }
}

/* What callbacks send while their node closes is refused; what they were told of is theirs to free. */
static void test_callback_sends_while_its_node_closes(void **arg)
{
    (void)arg;
    struct node_pair pair;
    unsigned told = 0;
    unsigned lasts = 0;
    node_pair_make_linked(&pair);
    for (int k = 0; k < 20; k++) {
        assert_int_equal(send_visitor(&pair, close_socket, &told, &lasts, 100), A3M_OK);
    }
    node_pair_end(&pair);
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
    struct node_pair pair;
    unsigned told = 0;
    unsigned lasts = 0;
    node_pair_make_linked(&pair);
    assert_int_equal(send_visitor(&pair, fail_inside, &told, &lasts, 0), A3M_OK);
    a3m_link_info info = {0};
    assert_int_equal(a3m_link_get_info(pair.link, &info), A3M_EINVAL);
    char detail[512];
    (void)snprintf(detail, sizeof(detail), "%s", a3m_error_detail());
    (void)node_turn_all(pair.in_a, pair.now);
    (void)node_turn_all(pair.in_b, pair.now);
    errno = ENOENT;
    (void)node_turn_all(pair.in_a, pair.now);
    node_pair_settle(&pair);
    assert_int_equal(told, 1);
    assert_int_equal(errno, ENOENT);
    assert_string_equal(a3m_error_detail(), detail);
    node_pair_end(&pair);
}

static void send_more(struct visitor *self)
{
    int result = a3m_send_bytes(self->pair->push, "more", 4, A3M_NOW);
    assert_int_equal(result,
                     *self->told == 1 ? A3M_OK : A3M_EHANDLE); /* the last word comes when the node closed */
}

static void test_callback_in_a_call_that_bundles_sends_for_itself(void **arg)
{
    (void)arg;
    struct node_pair pair;
    unsigned told = 0;
    unsigned lasts = 0;
    node_pair_make_linked(&pair);
    assert_int_equal(send_visitor(&pair, send_more, &told, &lasts, 0), A3M_OK);
    a3mi_hold_begin(pair.in_a);
    node_pair_settle(&pair);
    assert_int_equal(told, 1);
    struct a3mi_hold hold = a3mi_hold_suspend();
    assert_ptr_equal(hold.node, pair.in_a); /* the call goes on bundling */
    assert_false(hold.pushed);              /* and has nothing of the callback's */
    a3mi_hold_resume(hold);
    a3mi_hold_end(pair.in_a);
    assert_int_equal(take_all(&pair), 2);
    node_pair_end(&pair);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
