/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wakes that could be lost between pollers and nodes: links that become one while
 * they are polled, receivers beside pollers, nodes that close, processes that fork.
 * covers P1 P7 P8 N5
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/eventfd.h"
#include "support/asleep.h"
#include "support/caller.h"
#include "support/node_fixture.h"

static a3m_poller new_poller(void)
{
    a3m_poller poller;
    assert_int_equal(a3m_poller_new(&poller, 0), A3M_OK);
    return poller;
}

static void add(a3m_poller poller, a3m_pollable what, uint32_t events)
{
    assert_int_equal(a3m_poller_add(poller, what, events, NULL), A3M_OK);
}

static void expect(a3m_poller poller, a3m_pollable what, uint32_t events)
{
    a3m_poll_event event = {0};
    assert_int_equal(a3m_poller_wait(poller, &event, 1, SOON), 1);
    assert_int_equal(event.what.v, what.v);
    assert_int_equal(event.events, events);
}

static int look(a3m_poller poller)
{
    a3m_poll_event events[8];
    return a3m_poller_wait(poller, events, 8, A3M_NOW);
}

static void send_text(a3m_socket socket, const char *text)
{
    assert_int_equal(a3m_send_until(socket, test_msg(text), SOON), A3M_OK);
}

/* ---- Links that turn out to be one ---------------------------------------------------------------- */

/* A PULL that is linked with a PUSH, and asks for the same link again by the address. */
struct twins {
    a3m_node from, to;
    a3m_socket push, pull;
    a3m_link first, again;
    a3m_poller poller;
};

static struct twins make_twins(void)
{
    struct twins t = {.from = test_node_at("from", "udp://0.0.0.0:0"), .to = test_node("to")};
    char url[128];
    t.push = test_socket(t.from, &a3m_push, "source");
    t.pull = test_socket(t.to, &a3m_pull, "sink");
    const char *port = strrchr(test_url(t.from, "source"), ':');
    (void)snprintf(url, sizeof url, "udp://127.0.0.1%s", port);
    t.first = test_link(t.pull, url);
    t.poller = new_poller();
    return t;
}

/* By another address, of which it is not known yet whose it is. */
static void ask_again(struct twins *t)
{
    char url[128];
    (void)snprintf(url, sizeof url, "udp://127.0.0.2%s", strrchr(test_url(t->from, "source"), ':'));
    assert_int_equal(a3m_socket_link(t->pull, url, &t->again), A3M_OK);
}

static void end_twins(struct twins *t)
{
    assert_int_equal(a3m_poller_close(t->poller), A3M_OK);
    test_close(t->from);
    test_close(t->to);
}

static void test_link_that_became_another_is_polled_as_that_one(void **arg)
{
    (void)arg;
    struct twins t = make_twins();
    ask_again(&t);
    assert_int_equal(a3m_link_wait(t.again, SOON), A3M_OK);
    await_all_asleep();
    add(t.poller, a3m_pollable_link(t.again), A3M_POLL_IN);
    assert_int_equal(look(t.poller), 0);
    send_text(t.push, "one");
    expect(t.poller, a3m_pollable_link(t.again), A3M_POLL_IN);
    test_expect(t.pull, "one");
    assert_int_equal(look(t.poller), 0);
    assert_int_equal(a3m_link_end(t.first), A3M_OK);
    expect(t.poller, a3m_pollable_link(t.again), A3M_POLL_HUP);
    end_twins(&t);
}

static void test_link_that_becomes_another_while_polled_shows_its_messages(void **arg)
{
    (void)arg;
    struct twins t = make_twins();
    send_text(t.push, "one"); /* it is there before the links become one */
    add(t.poller, a3m_pollable_link(t.first), A3M_POLL_IN | A3M_POLL_ONESHOT);
    expect(t.poller, a3m_pollable_link(t.first), A3M_POLL_IN);
    ask_again(&t);
    add(t.poller, a3m_pollable_link(t.again), A3M_POLL_IN);
    expect(t.poller, a3m_pollable_link(t.again), A3M_POLL_IN);
    test_expect(t.pull, "one");
    assert_int_equal(look(t.poller), 0);
    send_text(t.push, "two");
    expect(t.poller, a3m_pollable_link(t.again), A3M_POLL_IN);
    test_expect(t.pull, "two");
    end_twins(&t);
}

/* ---- Receivers beside pollers ------------------------------------------------------------------------ */

static int recv_call(void *arg)
{
    a3m_msg *msg;
    int result = a3m_recv_until(*(a3m_socket *)arg, &msg, SOON);
    if (result == A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

static int wait_call(void *arg)
{
    a3m_poll_event event;
    return a3m_poller_wait(*(a3m_poller *)arg, &event, 1, A3M_FOREVER);
}

static void test_receiver_beside_an_exclusive_poller_each_message_wakes_one(void **arg)
{
    struct caller waiter, receiver;
    (void)arg;
    a3m_node node = test_node("alone");
    a3m_socket pull = test_socket(node, &a3m_pull, "sink");
    a3m_socket push = test_socket(node, &a3m_push, NULL);
    a3m_poller poller = new_poller();
    (void)test_link(push, "alone/sink");
    add(poller, a3m_pollable_socket(pull), A3M_POLL_IN | A3M_POLL_EXCLUSIVE);
    caller_start(&waiter, wait_call, &poller);
    await_all_asleep();
    caller_start(&receiver, recv_call, &pull);
    await_all_asleep();
    send_text(push, "one");
    await_all_asleep();
    assert_int_equal(caller_join(&waiter), 1); /* it was first; it does nothing about it */
    assert_false(caller_returned(&receiver));
    send_text(push, "two"); /* the poller's thread is not back: this one is the receiver's */
    assert_int_equal(caller_join(&receiver), A3M_OK);
    caller_start(&receiver, recv_call, &pull);
    assert_int_equal(caller_join(&receiver), A3M_OK);
    assert_int_equal(a3m_poller_close(poller), A3M_OK);
    test_close(node);
}

static void test_receiver_is_woken_when_the_poller_told_is_closed(void **arg)
{
    struct caller waiter, receiver;
    (void)arg;
    a3m_node node = test_node("alone");
    a3m_socket pull = test_socket(node, &a3m_pull, "sink");
    a3m_socket push = test_socket(node, &a3m_push, NULL);
    a3m_poller poller = new_poller();
    (void)test_link(push, "alone/sink");
    add(poller, a3m_pollable_socket(pull), A3M_POLL_IN | A3M_POLL_EXCLUSIVE);
    caller_start(&waiter, wait_call, &poller);
    await_all_asleep();
    caller_start(&receiver, recv_call, &pull);
    await_all_asleep();
    send_text(push, "one");
    assert_int_equal(caller_join(&waiter), 1);
    await_all_asleep();
    assert_false(caller_returned(&receiver));
    assert_int_equal(a3m_poller_close(poller), A3M_OK);
    assert_int_equal(caller_join(&receiver), A3M_OK);
    test_close(node);
}

/* ---- Nodes that close ----------------------------------------------------------------------------------- */

static void test_node_closes_under_a_thread_that_leads_for_it_and_watches_nothing_of_it(void **arg)
{
    struct caller waiter;
    int fd = eventfd(0, EFD_CLOEXEC);
    (void)arg;
    a3m_node node = test_node("alone");
    a3m_socket pull = test_socket(node, &a3m_pull, "sink");
    a3m_poller poller = new_poller();
    add(poller, a3m_pollable_socket(pull), A3M_POLL_IN);
    caller_start(&waiter, wait_call, &poller);
    await_all_asleep();
    assert_int_equal(a3m_poller_remove(poller, a3m_pollable_socket(pull)), A3M_OK);
    test_close(node);
    await_all_asleep();
    assert_false(caller_returned(&waiter));
    add(poller, a3m_pollable_fd(fd), A3M_POLL_IN);
    await_all_asleep();
    assert_int_equal(eventfd_write(fd, 1), 0);
    assert_int_equal(caller_join(&waiter), 1);
    assert_int_equal(a3m_poller_close(poller), A3M_OK);
    (void)close(fd);
}

/* ---- Processes that fork ---------------------------------------------------------------------------------- */

/* In the child: the first thing that is not as it should be, or 0. */
static int child_checks(a3m_poller poller, a3m_socket pull)
{
    a3m_poll_event event;
    a3m_poll_item item = {.what = a3m_pollable_socket(pull), .events = A3M_POLL_IN};
    a3m_poller own;
    int fd = eventfd(0, EFD_CLOEXEC);
    int bell;
    int got;
    if (a3m_poller_wait(poller, &event, 1, A3M_NOW) != A3M_EFORKED) {
        return 1;
    }
    if (a3m_poller_add(poller, a3m_pollable_fd(fd), A3M_POLL_IN, NULL) != A3M_EFORKED) {
        return 2;
    }
    if (a3m_poller_modify(poller, item.what, A3M_POLL_IN, NULL) != A3M_EFORKED) {
        return 3;
    }
    if (a3m_poller_remove(poller, item.what) != A3M_EFORKED) {
        return 4;
    }
    if (a3m_poller_fd(poller, &got) != A3M_EFORKED) {
        return 5;
    }
    if (a3m_poller_close(poller) != A3M_EFORKED) {
        return 6;
    }
    if (a3m_poll(&item, 1, A3M_NOW) != A3M_EFORKED) {
        return 7;
    }
    if (a3m_poller_new(&own, 0) != A3M_OK) {
        return 8;
    }
    if (a3m_poller_add(own, item.what, A3M_POLL_IN, NULL) != A3M_EFORKED) {
        return 9;
    }
    /* The parent's bell of this thread would be rung, and silenced, by both. */
    if (a3mi_eventfd_of_thread(&bell) != A3M_OK) {
        return 10;
    }
    a3mi_eventfd_write(bell);
    if (a3m_poller_add(own, a3m_pollable_fd(fd), A3M_POLL_IN, NULL) != A3M_OK) {
        return 11;
    }
    if (eventfd_write(fd, 1) != 0 || a3m_poller_wait(own, &event, 1, SOON) != 1) {
        return 12;
    }
    if (a3m_poller_close(own) != A3M_OK) {
        return 13;
    }
    return 0;
}

static void test_fork_the_child_has_no_poller_and_the_parent_loses_nothing(void **arg)
{
    struct caller waiter;
    int fd = eventfd(0, EFD_CLOEXEC);
    int shown, bell, status;
    (void)arg;
    a3m_node node = test_node("alone");
    a3m_socket pull = test_socket(node, &a3m_pull, "sink");
    a3m_socket push = test_socket(node, &a3m_push, NULL);
    a3m_poller poller = new_poller();
    a3m_poller seen = new_poller();
    (void)test_link(push, "alone/sink");
    add(poller, a3m_pollable_socket(pull), A3M_POLL_IN | A3M_POLL_EDGE);
    add(poller, a3m_pollable_fd(fd), A3M_POLL_IN | A3M_POLL_EDGE);
    add(seen, a3m_pollable_socket(pull), A3M_POLL_IN);
    assert_int_equal(a3m_poller_fd(seen, &shown), A3M_OK);
    assert_int_equal(a3mi_eventfd_of_thread(&bell), A3M_OK);
    caller_start(&waiter, wait_call, &poller);
    await_all_asleep();
    pid_t child = fork();
    if (child == 0) {
        _exit(child_checks(poller, pull));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    struct pollfd pfd = {.fd = bell, .events = POLLIN};
    assert_int_equal(poll(&pfd, 1, 0), 0);
    await_all_asleep();
    assert_false(caller_returned(&waiter));
    assert_int_equal(eventfd_write(fd, 1), 0);
    assert_int_equal(caller_join(&waiter), 1);
    caller_start(&waiter, wait_call, &poller);
    await_all_asleep();
    send_text(push, "one");
    assert_int_equal(caller_join(&waiter), 1);
    pfd.fd = shown;
    assert_int_equal(poll(&pfd, 1, 20000), 1);
    test_expect(pull, "one");
    assert_int_equal(a3m_poller_close(poller), A3M_OK);
    assert_int_equal(a3m_poller_close(seen), A3M_OK);
    test_close(node);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_that_became_another_is_polled_as_that_one),
        cmocka_unit_test(test_link_that_becomes_another_while_polled_shows_its_messages),
        cmocka_unit_test(test_receiver_beside_an_exclusive_poller_each_message_wakes_one),
        cmocka_unit_test(test_receiver_is_woken_when_the_poller_told_is_closed),
        cmocka_unit_test(test_node_closes_under_a_thread_that_leads_for_it_and_watches_nothing_of_it),
        cmocka_unit_test(test_fork_the_child_has_no_poller_and_the_parent_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
