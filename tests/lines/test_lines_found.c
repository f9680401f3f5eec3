/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What test_lines_random found, one test each. The nodes are never started, and one thread runs at a time (stage.h).
 * covers F9 F10 P12
 */
#include "node_pair.h"
#include "stage.h"

#include <poll.h>
#include <string.h>

struct call {
    const struct node_pair *pair;
    a3m_link link; /* a receive's */
    struct stage_actor actor;
};

static void begin(struct call *call, struct node_pair *pair)
{
    static struct stage_actor *actors[1];
    memset(call, 0, sizeof(*call));
    memset(pair, 0, sizeof(*pair));
    call->pair = pair;
    actors[0] = &call->actor;
    stage_open(actors, 1);
    node_pair_make_linked(pair);
}

static void end(struct node_pair *pair)
{
    stage_close();
    node_pair_end(pair);
}

static int receive(void *arg)
{
    const struct call *call = arg;
    a3m_msg *msg;
    return a3m_link_recv(call->link, &msg, A3M_FOREVER);
}

/* The link is being ended already, and who is to answer that has not yet: the receive does not wait for that. */
static void test_found_socket_that_closes_wakes_receive_by_link_that_is_being_ended(void **arg)
{
    (void)arg;
    struct node_pair pair;
    struct call call;
    begin(&call, &pair);
    call.link.v = node_only_link(pair.in_b)->handle;
    stage_call(&call.actor, receive, &call);
    assert_int_equal(call.actor.state, STAGE_ASLEEP);
    assert_int_equal(a3m_link_end(call.link), A3M_OK);
    if (call.actor.woken) {
        stage_resume(&call.actor, A3M_OK);
    }
    assert_int_equal(call.actor.state, STAGE_ASLEEP);
    assert_int_equal(a3m_socket_close(pair.pull), A3M_OK);
    assert_true(call.actor.woken);
    stage_resume(&call.actor, A3M_OK);
    assert_int_equal(call.actor.state, STAGE_IDLE);
    assert_int_equal(call.actor.result, A3M_ECLOSED);
    end(&pair);
}

static int send_one(void *arg)
{
    const struct call *call = arg;
    a3m_msg *msg = test_msg("m");
    int result = a3m_send_until(call->pair->push, msg, A3M_FOREVER);
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

/* It was served when the signal came, so that it would have sent; then the link ends, and it would wait again. */
static void test_found_signal_that_came_too_late_ends_the_wait_for_another_link(void **arg)
{
    (void)arg;
    struct node_pair pair;
    struct call call;
    begin(&call, &pair);
    assert_int_equal(a3m_socket_set(pair.push, A3M_OPT_EINTR, 1), A3M_OK);
    assert_int_equal(a3m_socket_set(pair.pull, A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
    node_pair_settle(&pair);
    assert_int_equal(a3m_send_until(pair.push, test_msg("m"), A3M_NOW), A3M_OK);
    stage_call(&call.actor, send_one, &call);
    assert_int_equal(call.actor.state, STAGE_ASLEEP);
    assert_int_equal(a3m_socket_set(pair.pull, A3M_OPT_CREDIT_MESSAGES, 2), A3M_OK);
    node_pair_settle(&pair);
    assert_true(call.actor.woken);
    assert_int_equal(a3m_link_end(pair.link), A3M_OK);
    stage_resume(&call.actor, A3M_EINTR);
    assert_int_equal(call.actor.state, STAGE_IDLE);
    assert_int_equal(call.actor.result, A3M_EINTR);
    end(&pair);
}

static void expect_readable(a3m_poller poller, int fd, bool readable)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    a3m_poll_event event;
    assert_int_equal(poll(&ready, 1, 0), readable);
    assert_int_equal(a3m_poller_wait(poller, &event, 1, A3M_NOW), readable);
}

/* A reservation takes the last credit, or a cut does: nothing is sent by either. */
static void test_found_descriptor_of_poller_is_not_readable_once_the_credit_is_gone(void **arg)
{
    (void)arg;
    struct node_pair pair;
    struct call call;
    a3m_poller poller;
    a3m_credit credit;
    int fd;
    begin(&call, &pair);
    assert_int_equal(a3m_socket_set(pair.pull, A3M_OPT_CREDIT_MESSAGES, 2), A3M_OK);
    node_pair_settle(&pair);
    assert_int_equal(a3m_send_until(pair.push, test_msg("m"), A3M_NOW), A3M_OK);
    node_pair_settle(&pair);
    assert_int_equal(a3m_poller_new(&poller, 0), A3M_OK);
    assert_int_equal(a3m_poller_add(poller, a3m_pollable_link(pair.link), A3M_POLL_OUT, NULL), A3M_OK);
    assert_int_equal(a3m_poller_fd(poller, &fd), A3M_OK);
    expect_readable(poller, fd, true);
    assert_int_equal(a3m_link_reserve(pair.link, 1, &credit, A3M_NOW), A3M_OK);
    expect_readable(poller, fd, false);
    assert_int_equal(a3m_release(pair.push, credit), A3M_OK);
    expect_readable(poller, fd, true);
    assert_int_equal(a3m_socket_set(pair.pull, A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
    node_pair_settle(&pair);
    expect_readable(poller, fd, false);
    assert_int_equal(a3m_poller_close(poller), A3M_OK);
    end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_socket_that_closes_wakes_receive_by_link_that_is_being_ended),
        cmocka_unit_test(test_found_signal_that_came_too_late_ends_the_wait_for_another_link),
        cmocka_unit_test(test_found_descriptor_of_poller_is_not_readable_once_the_credit_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
