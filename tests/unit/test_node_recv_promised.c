/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receives that were woken for a message, and find that another one took it: what that one was woken for is left, and
 * for who waits. No message lies in a queue while somebody sleeps who could receive it. The nodes are never started:
 * the test runs their turns, and says when whom they woke goes on.
 * covers F6 F10 L14
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asleep.h"
#include "caller.h"
#include "node_fixture.h"
#include "node_turns.h"

/* A PULL with links to two PUSH. */
struct world {
    a3m_node from, to;
    a3m_socket pull, pushes[2];
    a3m_link links[2]; /* of the PULL's */
    int64_t now;
};

struct receiver {
    a3m_socket socket;
    a3m_link link; /* 0: any */
    struct caller caller;
};

static void settle(const struct world *w)
{
    for (int i = 0; i < 12; i++) {
        (void)node_turn_all(node_inside(w->from), w->now);
        (void)node_turn_all(node_inside(w->to), w->now);
    }
}

static struct world make(bool fair, bool eintr)
{
    struct world w = {.from = test_node_idle("from", "inproc://promised-from"),
                      .to = test_node_idle("to", "inproc://promised-to"),
                      .now = a3m_now().ns};
    w.pull = test_socket(w.to, &a3m_pull, "sink");
    assert_int_equal(a3m_socket_set(w.pull, A3M_OPT_FAIR, fair), A3M_OK);
    assert_int_equal(a3m_socket_set(w.pull, A3M_OPT_EINTR, eintr), A3M_OK);
    w.pushes[0] = test_socket(w.from, &a3m_push, "a");
    w.pushes[1] = test_socket(w.from, &a3m_push, "b");
    assert_int_equal(a3m_socket_link(w.pull, "inproc://promised-from/a", &w.links[0]), A3M_OK);
    assert_int_equal(a3m_socket_link(w.pull, "inproc://promised-from/b", &w.links[1]), A3M_OK);
    settle(&w);
    return w;
}

static void end(struct world *w)
{
    (void)a3m_node_close(w->from, A3M_NOW, NULL);
    (void)a3m_node_close(w->to, A3M_NOW, NULL);
}

static int receive(void *arg)
{
    struct receiver *self = arg;
    a3m_msg *msg = NULL;
    int result = self->link.v != 0 ? a3m_link_recv(self->link, &msg, SOON)
                                   : a3m_recv_until(self->socket, &msg, SOON);
    if (result == A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

static void wait_for(const struct world *w, struct receiver *receiver, a3m_link link)
{
    *receiver = (struct receiver){.socket = w->pull, .link = link};
    caller_start(&receiver->caller, receive, receiver);
    caller_await_sleep(&receiver->caller);
}

/* A message of this PUSH arrives; whom that wakes goes on when the test says so. */
static struct a3mi_wakes arrive(const struct world *w, int which)
{
    struct a3mi_turn turn = {.flags = A3MI_TURN_RECEIVE | A3MI_TURN_FLUSH, .now = w->now};
    assert_int_equal(a3m_send_until(w->pushes[which], test_msg("m"), A3M_NOW), A3M_OK);
    (void)node_turn_all(node_inside(w->from), w->now);
    a3mi_wakes_init(&turn.wakes);
    a3mi_engine_ops.turn(node_inside(w->to), &turn);
    assert_non_null(turn.wakes.first);
    return turn.wakes;
}

static void go_on(struct a3mi_wakes *wakes)
{
    (void)a3mi_wakes_run(wakes);
    await_all_asleep();
}

/* The message of the link a is for who waits there, that of b for the first who takes any; that one is faster. */
static void takes_that_of_another(bool fair)
{
    struct world w = make(fair, false);
    struct receiver of_a, first, second;
    wait_for(&w, &of_a, w.links[0]);
    wait_for(&w, &first, (a3m_link){0});
    wait_for(&w, &second, (a3m_link){0});
    struct a3mi_wakes for_a = arrive(&w, 0);
    struct a3mi_wakes for_any = arrive(&w, 1);
    go_on(&for_any);
    assert_true(caller_returned(&first.caller));
    go_on(&for_a);
    assert_int_equal(caller_join(&second.caller), A3M_OK);
    assert_false(caller_returned(&of_a.caller));
    for_a = arrive(&w, 0);
    go_on(&for_a);
    assert_int_equal(caller_join(&of_a.caller), A3M_OK);
    assert_int_equal(caller_join(&first.caller), A3M_OK);
    end(&w);
}

static void test_promised_what_another_one_was_woken_for_is_for_who_waits(void **arg)
{
    (void)arg;
    takes_that_of_another(false);
    takes_that_of_another(true);
}

/*
 * In the fair order who comes for the link b waits, though a message is there: it is for one that takes any. That one
 * takes the message of the link a, and who was woken for that, one that came after it.
 */
static void test_promised_fair_message_of_a_link_that_nobody_else_takes_is_for_who_waits_there(void **arg)
{
    (void)arg;
    struct world w = make(true, false);
    struct receiver of_a, any, of_b;
    wait_for(&w, &of_a, w.links[0]);
    wait_for(&w, &any, (a3m_link){0});
    struct a3mi_wakes for_a = arrive(&w, 0);
    struct a3mi_wakes for_any = arrive(&w, 1);
    wait_for(&w, &of_b, w.links[1]);
    assert_int_equal(a3m_send_until(w.pushes[0], test_msg("m"), A3M_NOW), A3M_OK);
    settle(&w);
    assert_false(caller_returned(&of_b.caller));
    go_on(&for_any);
    assert_int_equal(caller_join(&any.caller), A3M_OK);
    go_on(&for_a);
    assert_int_equal(caller_join(&of_a.caller), A3M_OK);
    assert_int_equal(caller_join(&of_b.caller), A3M_OK);
    end(&w);
}

static _Atomic int handled;

static void on_signal(int number)
{
    (void)number;
    (void)atomic_fetch_add(&handled, 1);
}

/* One that takes any was woken for it, and a signal ends its wait. */
static void test_promised_fair_message_that_a_signal_leaves_is_for_who_waits_at_its_link(void **arg)
{
    (void)arg;
    struct sigaction action = {.sa_handler = on_signal};
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    struct world w = make(true, true);
    struct receiver any, of_b;
    wait_for(&w, &any, (a3m_link){0});
    struct a3mi_wakes wakes = arrive(&w, 1);
    wait_for(&w, &of_b, w.links[1]);
    void *socket;
    assert_int_equal(a3mi_registry_get(w.pull.v, A3MI_KIND_SOCKET, &socket), A3M_OK);
    a3mi_socket_lock(socket);
    assert_int_equal(pthread_kill(any.caller.thread, SIGUSR1), 0);
    while (atomic_load(&handled) == 0) {
        (void)sched_yield();
    }
    await_all_asleep(); /* its wait is over, and it sleeps on the lock */
    a3mi_socket_unlock(socket);
    a3mi_registry_put(w.pull.v);
    (void)a3mi_wakes_run(&wakes);
    assert_int_equal(caller_join(&any.caller), A3M_EINTR);
    assert_int_equal(caller_join(&of_b.caller), A3M_OK);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_promised_what_another_one_was_woken_for_is_for_who_waits),
        cmocka_unit_test(test_promised_fair_message_of_a_link_that_nobody_else_takes_is_for_who_waits_there),
        cmocka_unit_test(test_promised_fair_message_that_a_signal_leaves_is_for_who_waits_at_its_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
