/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pollers over sockets, links and descriptors of real nodes.
 * covers P1 P2 P3 P4 P6 P7 P9 P11 P12 N5 N8
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "caller.h"
#include "node_fixture.h"

/* Two nodes, a PUSH linked to a PULL, and a poller. */
struct pair {
    a3m_node from, to;
    a3m_socket push, pull;
    a3m_link link;
    a3m_poller poller;
};

static struct pair make_pair(void)
{
    struct pair p = {.from = test_node("from"), .to = test_node("to")};
    p.pull = test_socket(p.to, &a3m_pull, "sink");
    p.push = test_socket(p.from, &a3m_push, NULL);
    p.link = test_link(p.push, test_url(p.to, "sink"));
    assert_int_equal(a3m_poller_new(&p.poller, 0), A3M_OK);
    return p;
}

static void end_pair(struct pair *p)
{
    assert_int_equal(a3m_poller_close(p->poller), A3M_OK);
    test_close(p->from);
    test_close(p->to);
}

static void add(struct pair *p, a3m_pollable what, uint32_t events, void *user)
{
    assert_int_equal(a3m_poller_add(p->poller, what, events, user), A3M_OK);
}

static void expect_event(struct pair *p, a3m_pollable what, uint32_t events, void *user)
{
    a3m_poll_event event = {0};
    assert_int_equal(a3m_poller_wait(p->poller, &event, 1, SOON), 1);
    assert_int_equal(event.what.kind, what.kind);
    assert_int_equal(event.what.v, what.v);
    assert_int_equal(event.events, events);
    assert_ptr_equal(event.user, user);
}

static void expect_nothing(struct pair *p)
{
    a3m_poll_event event;
    assert_int_equal(a3m_poller_wait(p->poller, &event, 1, A3M_NOW), 0);
}

static void send_one(struct pair *p, const char *text)
{
    assert_int_equal(a3m_send_until(p->push, test_msg(text), SOON), A3M_OK);
}

static void test_poller_level_readable_until_taken(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    int user;
    add(&p, a3m_pollable_socket(p.pull), A3M_POLL_IN, &user);
    expect_nothing(&p);
    send_one(&p, "one");
    expect_event(&p, a3m_pollable_socket(p.pull), A3M_POLL_IN, &user);
    expect_event(&p, a3m_pollable_socket(p.pull), A3M_POLL_IN, &user);
    test_expect(p.pull, "one");
    expect_nothing(&p);
    end_pair(&p);
}

static void test_poller_edge_reported_once_for_each_arrival(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    add(&p, a3m_pollable_socket(p.pull), A3M_POLL_IN | A3M_POLL_EDGE, NULL);
    send_one(&p, "one");
    expect_event(&p, a3m_pollable_socket(p.pull), A3M_POLL_IN, NULL);
    expect_nothing(&p);
    send_one(&p, "two");
    expect_event(&p, a3m_pollable_socket(p.pull), A3M_POLL_IN, NULL);
    expect_nothing(&p);
    end_pair(&p);
}

static void test_poller_oneshot_silent_until_modified(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    add(&p, a3m_pollable_socket(p.pull), A3M_POLL_IN | A3M_POLL_ONESHOT, NULL);
    send_one(&p, "one");
    expect_event(&p, a3m_pollable_socket(p.pull), A3M_POLL_IN, NULL);
    expect_nothing(&p);
    assert_int_equal(
        a3m_poller_modify(p.poller, a3m_pollable_socket(p.pull), A3M_POLL_IN | A3M_POLL_ONESHOT, &p), A3M_OK);
    expect_event(&p, a3m_pollable_socket(p.pull), A3M_POLL_IN, &p);
    end_pair(&p);
}

static void test_poller_writable_while_a_link_has_credit(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    add(&p, a3m_pollable_socket(p.push), A3M_POLL_OUT | A3M_POLL_IN, NULL);
    expect_event(&p, a3m_pollable_socket(p.push), A3M_POLL_OUT, NULL);
    int n = 0;
    a3m_msg *msg = test_msg("x");
    while (a3m_try_send(p.push, msg) == A3M_OK) {
        msg = test_msg("x");
        n++;
    }
    a3m_msg_free(msg);
    assert_int_equal(n, 1000);
    expect_nothing(&p);
    for (int i = 0; i < n; i++) {
        test_expect(p.pull, "x");
    }
    expect_event(&p, a3m_pollable_socket(p.push), A3M_POLL_OUT, NULL);
    end_pair(&p);
}

static void test_poller_closed_socket_hup_once_and_removed(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    a3m_pollable what = a3m_pollable_socket(p.pull);
    add(&p, what, A3M_POLL_IN, NULL);
    assert_int_equal(a3m_poller_add(p.poller, what, A3M_POLL_IN, NULL), A3M_EEXIST);
    assert_int_equal(a3m_socket_close(p.pull), A3M_OK);
    expect_event(&p, what, A3M_POLL_HUP, NULL);
    expect_nothing(&p);
    assert_int_equal(a3m_poller_remove(p.poller, what), A3M_EHANDLE);
    assert_int_equal(a3m_poller_modify(p.poller, what, A3M_POLL_IN, NULL), A3M_EHANDLE);
    assert_int_equal(a3m_poller_add(p.poller, what, A3M_POLL_IN, NULL), A3M_EHANDLE);
    end_pair(&p);
}

static void test_poller_spent_oneshot_hup_after_modify(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    a3m_pollable what = a3m_pollable_socket(p.pull);
    add(&p, what, A3M_POLL_IN | A3M_POLL_ONESHOT, NULL);
    send_one(&p, "one");
    expect_event(&p, what, A3M_POLL_IN, NULL);
    assert_int_equal(a3m_socket_close(p.pull), A3M_OK);
    expect_nothing(&p);
    assert_int_equal(a3m_poller_modify(p.poller, what, A3M_POLL_IN | A3M_POLL_ONESHOT, NULL), A3M_OK);
    expect_event(&p, what, A3M_POLL_HUP, NULL);
    expect_nothing(&p);
    assert_int_equal(a3m_poller_remove(p.poller, what), A3M_EHANDLE);
    end_pair(&p);
}

static void test_poller_link_hup_when_it_ends(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    add(&p, a3m_pollable_link(p.link), A3M_POLL_OUT | A3M_POLL_EDGE, NULL);
    expect_event(&p, a3m_pollable_link(p.link), A3M_POLL_OUT, NULL);
    assert_int_equal(a3m_link_end(p.link), A3M_OK);
    expect_event(&p, a3m_pollable_link(p.link), A3M_POLL_HUP, NULL);
    expect_nothing(&p);
    end_pair(&p);
}

static void test_poller_descriptor_beside_sockets(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    add(&p, a3m_pollable_socket(p.pull), A3M_POLL_IN, NULL);
    add(&p, a3m_pollable_fd(fd), A3M_POLL_IN, &fd);
    expect_nothing(&p);
    assert_int_equal(eventfd_write(fd, 1), 0);
    expect_event(&p, a3m_pollable_fd(fd), A3M_POLL_IN, &fd);
    send_one(&p, "one");
    /* Both, in one wait, once the message is there. */
    a3m_poll_event events[4];
    int n;
    while ((n = a3m_poller_wait(p.poller, events, 4, SOON)) == 1) {}
    assert_int_equal(n, 2);
    assert_int_equal(a3m_poller_remove(p.poller, a3m_pollable_fd(fd)), A3M_OK);
    expect_event(&p, a3m_pollable_socket(p.pull), A3M_POLL_IN, NULL);
    close(fd);
    end_pair(&p);
}

/* A wait of another thread. */
struct one_wait {
    a3m_poller poller;
    a3m_poll_event event;
};

static int wait_once(void *arg)
{
    struct one_wait *wait = arg;
    return a3m_poller_wait(wait->poller, &wait->event, 1, SOON);
}

static void test_poller_descriptor_ends_a_wait(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    struct caller caller;
    struct one_wait wait = {.poller = p.poller};
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    add(&p, a3m_pollable_socket(p.pull), A3M_POLL_IN, NULL);
    add(&p, a3m_pollable_fd(fd), A3M_POLL_IN, &fd);
    caller_start(&caller, wait_once, &wait);
    caller_await_sleep(&caller);
    assert_int_equal(eventfd_write(fd, 1), 0);
    assert_int_equal(caller_join(&caller), 1);
    assert_ptr_equal(wait.event.user, &fd);
    close(fd);
    end_pair(&p);
}

static bool readable(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    return poll(&pfd, 1, 0) == 1;
}

static void test_poller_fd_readable_exactly_while_ready(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    int fd;
    add(&p, a3m_pollable_socket(p.pull), A3M_POLL_IN, NULL);
    assert_int_equal(a3m_poller_fd(p.poller, &fd), A3M_OK);
    assert_false(readable(fd));
    send_one(&p, "one");
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&pfd, 1, 20000), 1);
    expect_event(&p, a3m_pollable_socket(p.pull), A3M_POLL_IN, NULL);
    assert_true(readable(fd)); /* level-triggered, and not taken */
    test_expect(p.pull, "one");
    assert_false(readable(fd));
    assert_int_equal(a3m_poller_add(p.poller, a3m_pollable_fd(fd), A3M_POLL_IN, NULL), A3M_EINVAL);
    end_pair(&p);
}

static void test_poll_call_over_sockets_links_and_descriptors(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    a3m_poll_item items[4] = {
        {.what = a3m_pollable_socket(p.pull), .events = A3M_POLL_IN},
        {.what = a3m_pollable_fd(fd), .events = A3M_POLL_IN},
        {.what = {0}},
        {.what = a3m_pollable_link(p.link), .events = A3M_POLL_IN},
    };
    assert_int_equal(a3m_poll(items, 4, A3M_NOW), 0);
    send_one(&p, "one");
    assert_int_equal(a3m_poll(items, 4, SOON), 1);
    assert_int_equal(items[0].revents, A3M_POLL_IN);
    test_expect(p.pull, "one");
    assert_int_equal(eventfd_write(fd, 1), 0);
    items[3].events = A3M_POLL_OUT;
    assert_int_equal(a3m_poll(items, 4, SOON), 2);
    assert_int_equal(items[0].revents, 0);
    assert_int_equal(items[1].revents, A3M_POLL_IN);
    assert_int_equal(items[2].revents, 0);
    assert_int_equal(items[3].revents, A3M_POLL_OUT);
    assert_int_equal(a3m_socket_close(p.pull), A3M_OK);
    assert_int_equal(a3m_poll(items, 1, SOON), A3M_EHANDLE);
    close(fd);
    end_pair(&p);
}

static void test_poller_bad_input_is_refused(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    int fd;
    a3m_pollable pull = a3m_pollable_socket(p.pull);
    assert_int_equal(a3m_poller_add(p.poller, pull, A3M_POLL_EXCLUSIVE | A3M_POLL_ONESHOT, NULL), A3M_EINVAL);
    assert_int_equal(a3m_poller_add(p.poller, pull, 0x40, NULL), A3M_EINVAL);
    assert_int_equal(a3m_poller_add(p.poller, (a3m_pollable){9, 1}, A3M_POLL_IN, NULL), A3M_EINVAL);
    assert_int_equal(a3m_poller_add(p.poller, a3m_pollable_fd(-1), A3M_POLL_IN, NULL), A3M_EINVAL);
    assert_int_equal(a3m_poller_add(p.poller, a3m_pollable_fd(1000000), A3M_POLL_IN, NULL), A3M_EINVAL);
    assert_int_equal(a3m_poller_add(p.poller, a3m_pollable_fd(0), A3M_POLL_IN | A3M_POLL_EXCLUSIVE, NULL),
                     A3M_ENOTSUP);
    assert_int_equal(
        a3m_poller_add(p.poller, (a3m_pollable){A3M_POLLABLE_SOCKET, p.poller.v}, A3M_POLL_IN, NULL),
        A3M_EINVAL);
    assert_int_equal(a3m_poller_remove(p.poller, pull), A3M_ENOENT);
    assert_int_equal(a3m_poller_add(p.poller, pull, A3M_POLL_IN | A3M_POLL_EXCLUSIVE, NULL), A3M_OK);
    assert_int_equal(a3m_poller_modify(p.poller, pull, A3M_POLL_IN, NULL), A3M_EINVAL);
    a3m_poll_event event;
    assert_int_equal(a3m_poller_wait(p.poller, &event, 0, A3M_NOW), A3M_EINVAL);
    a3m_poller closed;
    assert_int_equal(a3m_poller_new(&closed, 0), A3M_OK);
    assert_int_equal(a3m_poller_close(closed), A3M_OK);
    assert_int_equal(a3m_poller_close(closed), A3M_EHANDLE);
    assert_int_equal(a3m_poller_wait(closed, &event, 1, A3M_NOW), A3M_EHANDLE);
    assert_int_equal(a3m_poller_fd(closed, &fd), A3M_EHANDLE);
    end_pair(&p);
}

/* A wait in a poller must not keep its node from closing, nor a poller's end from being noticed. */
static void *wait_forever(void *arg)
{
    struct pair *p = arg;
    a3m_poll_event event;
    int result;
    while ((result = a3m_poller_wait(p->poller, &event, 1, A3M_FOREVER)) >= 0) {}
    return (void *)(intptr_t)result;
}

static void test_poller_node_closes_under_a_silent_wait(void **arg)
{
    (void)arg;
    struct pair p = make_pair();
    pthread_t thread;
    void *result;
    a3m_pollable what = a3m_pollable_socket(p.pull);
    add(&p, what, A3M_POLL_IN | A3M_POLL_ONESHOT, NULL);
    send_one(&p, "one");
    expect_event(&p, what, A3M_POLL_IN, NULL); /* spent: nothing will be reported any more */
    test_expect(p.pull, "one");
    assert_int_equal(pthread_create(&thread, NULL, wait_forever, &p), 0);
    test_close(p.to);
    test_close(p.from);
    assert_int_equal(a3m_poller_close(p.poller), A3M_OK);
    pthread_join(thread, &result);
    assert_true((intptr_t)result == A3M_ECLOSED || (intptr_t)result == A3M_EHANDLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poller_level_readable_until_taken),
        cmocka_unit_test(test_poller_edge_reported_once_for_each_arrival),
        cmocka_unit_test(test_poller_oneshot_silent_until_modified),
        cmocka_unit_test(test_poller_writable_while_a_link_has_credit),
        cmocka_unit_test(test_poller_closed_socket_hup_once_and_removed),
        cmocka_unit_test(test_poller_spent_oneshot_hup_after_modify),
        cmocka_unit_test(test_poller_link_hup_when_it_ends),
        cmocka_unit_test(test_poller_descriptor_beside_sockets),
        cmocka_unit_test(test_poller_descriptor_ends_a_wait),
        cmocka_unit_test(test_poller_fd_readable_exactly_while_ready),
        cmocka_unit_test(test_poll_call_over_sockets_links_and_descriptors),
        cmocka_unit_test(test_poller_bad_input_is_refused),
        cmocka_unit_test(test_poller_node_closes_under_a_silent_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
