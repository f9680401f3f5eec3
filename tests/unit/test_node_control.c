/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links are asked for, changed and ended between two nodes over loopback while data waits: on links without credit,
 * and beside links that carry all that they can. Nothing is timed: it must happen, and data is counted.
 * tests/sim/test_node_control.c and test_core_control.c say how soon. covers F1 L11
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node_fixture.h"

#define SIDE   8 /* links of data: 8 sockets with 8 */
#define ROUNDS 10
#define SIZE   500

struct world {
    a3m_node a, b;
    a3m_socket push[SIDE], pull[SIDE];
};

static const uint8_t bytes[SIZE];

static void make(struct world *w, int64_t credit)
{
    char tag[32];
    *w = (struct world){.a = test_node("control-a"), .b = test_node("control-b")};
    for (int i = 0; i < SIDE; i++) {
        (void)snprintf(tag, sizeof(tag), "pull%d", i);
        w->pull[i] = test_socket(w->b, &a3m_pull, tag);
        assert_int_equal(a3m_socket_set(w->pull[i], A3M_OPT_CREDIT_MESSAGES, credit), A3M_OK);
    }
    for (int i = 0; i < SIDE; i++) {
        w->push[i] = test_socket(w->a, &a3m_push, NULL);
        for (int k = 0; k < SIDE; k++) {
            (void)snprintf(tag, sizeof(tag), "pull%d", k);
            (void)test_link(w->push[i], test_url(w->b, tag));
        }
    }
}

/* A link from one node to the other, its capacity, and its end: each is waited for. */
static void come_and_go(a3m_node from, a3m_node to)
{
    a3m_msg *msg;
    a3m_socket push = test_socket(from, &a3m_push, NULL);
    a3m_socket pull = test_socket(to, &a3m_pull, "guest");
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
    a3m_link link = test_link(push, test_url(to, "guest"));
    assert_int_equal(a3m_send_bytes(push, "1", 1, A3M_NOW), A3M_OK);
    assert_int_equal(a3m_send_bytes(push, "2", 1, A3M_NOW), A3M_ENOCREDIT);
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_CREDIT_MESSAGES, 2), A3M_OK);
    assert_int_equal(a3m_send_bytes(push, "2", 1, SOON), A3M_OK);
    test_expect(pull, "1");
    test_expect(pull, "2");
    assert_int_equal(a3m_link_end(link), A3M_OK);
    assert_int_equal(a3m_recv_or_none(pull, &msg, SOON), A3M_ENOLINK);
    assert_int_equal(a3m_socket_close(push), A3M_OK);
    assert_int_equal(a3m_socket_close(pull), A3M_OK);
}

/* ---- Without credit ------------------------------------------------------------------------- */

static void test_links_come_and_go_beside_links_that_have_no_credit_left(void **arg)
{
    (void)arg;
    struct world w;
    make(&w, 16);
    uint64_t sent = 0, received = 0;
    for (int i = 0; i < SIDE; i++) {
        while (a3m_send_bytes(w.push[i], bytes, SIZE, A3M_NOW) == A3M_OK) {
            sent++;
        }
    }
    assert_int_equal(sent, SIDE * SIDE * 16);
    for (int i = 0; i < ROUNDS; i++) {
        come_and_go(w.a, w.b);
        come_and_go(w.b, w.a);
        assert_int_equal(a3m_send_bytes(w.push[i % SIDE], bytes, SIZE, A3M_NOW), A3M_ENOCREDIT);
    }
    for (int i = 0; i < SIDE; i++) {
        a3m_msg *msg;
        for (int k = 0; k < SIDE * 16; k++, received++) {
            assert_int_equal(a3m_recv_until(w.pull[i], &msg, SOON), A3M_OK);
            a3m_msg_free(msg);
        }
    }
    assert_int_equal(received, sent);
    test_close(w.a);
    test_close(w.b);
}

/* ---- Beside a flood --------------------------------------------------------------------------- */

struct flood {
    struct world w;
    atomic_bool over, all_sent; /* in this order: what was sent just before is counted late */
    atomic_ullong sent, received;
};

static void *flood_out(void *arg)
{
    struct flood *f = arg;
    for (unsigned i = 0; !atomic_load(&f->over); i++) {
        if (a3m_send_bytes(f->w.push[i % SIDE], bytes, SIZE, SOON) == A3M_OK) {
            atomic_fetch_add(&f->sent, 1);
        }
    }
    return NULL;
}

static void *flood_in(void *arg)
{
    struct flood *f = arg;
    a3m_msg *msg;
    while (!atomic_load(&f->all_sent) || atomic_load(&f->received) < atomic_load(&f->sent)) {
        for (int i = 0; i < SIDE; i++) {
            while (a3m_try_recv(f->w.pull[i], &msg) == A3M_OK) {
                atomic_fetch_add(&f->received, 1);
                a3m_msg_free(msg);
            }
        }
        (void)sched_yield();
    }
    return NULL;
}

static void test_links_come_and_go_beside_a_flood(void **arg)
{
    (void)arg;
    static struct flood f;
    pthread_t out, in;
    make(&f.w, 1000);
    assert_int_equal(pthread_create(&out, NULL, flood_out, &f), 0);
    assert_int_equal(pthread_create(&in, NULL, flood_in, &f), 0);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t before = atomic_load(&f.received);
        come_and_go(f.w.a, f.w.b);
        come_and_go(f.w.b, f.w.a);
        while (atomic_load(&f.received) == before) {
            (void)sched_yield(); /* nor does control starve data */
        }
    }
    atomic_store(&f.over, true);
    assert_int_equal(pthread_join(out, NULL), 0);
    atomic_store(&f.all_sent, true);
    assert_int_equal(pthread_join(in, NULL), 0);
    print_message("%llu messages beside %d links\n", (unsigned long long)atomic_load(&f.received),
                  2 * ROUNDS);
    assert_int_equal(atomic_load(&f.received), atomic_load(&f.sent));
    test_close(f.w.a);
    test_close(f.w.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links_come_and_go_beside_links_that_have_no_credit_left),
        cmocka_unit_test(test_links_come_and_go_beside_a_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
