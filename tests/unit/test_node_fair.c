/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fair-ish receiving: who comes later does not take the message that another
 * thread was woken for.
 * covers P10
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "caller.h"
#include "node_fixture.h"

struct waiting {
    a3m_socket pull;
    a3m_msg *msg;
};

static int receive(void *arg)
{
    struct waiting *waiting = arg;
    return a3m_recv_until(waiting->pull, &waiting->msg, SOON);
}

/* A node, a PUSH linked to a PULL of the same node. */
struct pair {
    a3m_node node;
    a3m_socket push, pull;
};

static struct pair make_pair(int64_t fair)
{
    struct pair p = {.node = test_node("fair")};
    p.pull = test_socket(p.node, &a3m_pull, "sink");
    p.push = test_socket(p.node, &a3m_push, NULL);
    assert_int_equal(a3m_socket_set(p.pull, A3M_OPT_FAIR, fair), A3M_OK);
    (void)test_link(p.push, "fair/sink");
    return p;
}

static void test_fair_receive_newcomer_does_not_pass_one_that_was_woken(void **state)
{
    (void)state;
    struct pair p = make_pair(1);
    for (int i = 0; i < 300; i++) {
        struct waiting waiting = {.pull = p.pull};
        struct caller caller;
        a3m_msg *stolen = NULL;
        caller_start(&caller, receive, &waiting);
        caller_await_sleep(&caller);
        assert_int_equal(a3m_send_until(p.push, test_msg("mine"), SOON), A3M_OK);
        assert_int_equal(a3m_try_recv(p.pull, &stolen), A3M_EAGAIN);
        assert_int_equal(caller_join(&caller), A3M_OK);
        test_msg_is(waiting.msg, "mine");
    }
    test_close(p.node);
}

static void test_fair_receive_what_is_left_over_is_for_anybody(void **state)
{
    (void)state;
    struct pair p = make_pair(1);
    struct waiting waiting = {.pull = p.pull};
    struct caller caller;
    a3m_msg *two[2] = {test_msg("one"), test_msg("two")};
    caller_start(&caller, receive, &waiting);
    caller_await_sleep(&caller);
    assert_int_equal(a3m_send_many(p.push, two, 2, SOON), 2);
    a3m_msg *other = NULL;
    assert_int_equal(a3m_recv_until(p.pull, &other, SOON), A3M_OK);
    assert_int_equal(caller_join(&caller), A3M_OK);
    a3m_msg_free(other);
    a3m_msg_free(waiting.msg);
    test_close(p.node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fair_receive_newcomer_does_not_pass_one_that_was_woken),
        cmocka_unit_test(test_fair_receive_what_is_left_over_is_for_anybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
