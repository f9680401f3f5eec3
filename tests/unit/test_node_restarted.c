/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that wait while the peer of a link restarts. A link that this end asked for is asked for again, and has
 * another life; who waited for this one, and for no other, learns that it is over: A3M_ELINKDOWN. Who would take any
 * link's message or credit goes on waiting, as long as a link is up or coming up.
 * covers L8 L9 L14 F9
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asleep.h"
#include "caller.h"
#include "node_fixture.h"
#include "node_turns.h"

struct world {
    a3m_node node, peer;
    a3m_socket socket, far; /* linked with one another; this end asked for it */
    a3m_link link;
    int64_t now;
};

static void settle(struct world *w)
{
    for (int i = 0; i < 12; i++) {
        (void)node_turn_all(node_inside(w->node), w->now);
        (void)node_turn_all(node_inside(w->peer), w->now);
    }
}

static struct world make(const a3m_socket_type *type, const a3m_socket_type *peer_type)
{
    struct world w = {.node = test_node_idle("node", "inproc://restarted-node"), .now = a3m_now().ns};
    w.peer = test_node_idle("peer", "inproc://restarted-peer");
    w.far = test_socket(w.peer, peer_type, "s");
    assert_int_equal(a3m_socket_set(w.far, A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
    w.socket = test_socket(w.node, type, NULL);
    assert_int_equal(a3m_socket_set(w.socket, A3M_OPT_LINK_RETRY_MIN, a3m_ms(1).ns), A3M_OK);
    assert_int_equal(a3m_socket_link(w.socket, "inproc://restarted-peer/s", &w.link), A3M_OK);
    settle(&w);
    assert_int_equal(a3m_link_wait(w.link, A3M_NOW), A3M_OK);
    return w;
}

/* As the association tells it, in a turn. */
static void peer_restarts(struct world *w)
{
    struct a3mi_node *inside = node_inside(w->node);
    struct a3mi_turn turn = {.now = w->now};
    void *obj;
    assert_int_equal(a3mi_registry_get(w->link.v, A3MI_KIND_LINK, &obj), A3M_OK);
    const struct a3mi_link *link = obj;
    a3mi_wakes_init(&turn.wakes);
    inside->turn = &turn;
    a3mi_engine_hooks.peer_ended(inside, link->peer, link->incarnation, A3MI_PEER_RESTARTED);
    inside->turn = NULL;
    (void)a3mi_wakes_run(&turn.wakes);
    a3mi_registry_put(w->link.v);
}

/* The link is asked for again, and up. */
static void next_life(struct world *w)
{
    w->now += INT64_C(1000000000);
    settle(w);
    assert_int_equal(a3m_link_wait(w->link, A3M_NOW), A3M_OK);
}

static void end(struct world *w)
{
    (void)a3m_node_close(w->node, A3M_NOW, NULL);
    (void)a3m_node_close(w->peer, A3M_NOW, NULL);
}

/* ---- Calls ------------------------------------------------------------------------------------- */

static int discard(a3m_msg *msg, int result)
{
    if (result == A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

static int give(a3m_msg *msg, int result)
{
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

static int link_recv(void *arg)
{
    a3m_msg *msg = NULL;
    int result = a3m_link_recv(((struct world *)arg)->link, &msg, SOON);
    return discard(msg, result);
}

static int recv_any(void *arg)
{
    a3m_msg *msg = NULL;
    int result = a3m_recv_until(((struct world *)arg)->socket, &msg, SOON);
    return discard(msg, result);
}

static int recv_or_none(void *arg)
{
    a3m_msg *msg = NULL;
    int result = a3m_recv_or_none(((struct world *)arg)->socket, &msg, SOON);
    return discard(msg, result);
}

static int link_send(void *arg)
{
    a3m_msg *msg = a3m_msg_new(1);
    return give(msg, a3m_link_send(((struct world *)arg)->link, msg, SOON));
}

static int link_reserve(void *arg)
{
    a3m_credit credit;
    return a3m_link_reserve(((struct world *)arg)->link, 1, &credit, SOON);
}

static int send_any(void *arg)
{
    a3m_msg *msg = a3m_msg_new(1);
    return give(msg, a3m_send_until(((struct world *)arg)->socket, msg, SOON));
}

static int send_or_none(void *arg)
{
    a3m_msg *msg = a3m_msg_new(1);
    return give(msg, a3m_send_or_none(((struct world *)arg)->socket, msg, SOON));
}

static int request(void *arg)
{
    a3m_msg *reply = NULL;
    int result = a3m_request_reply(((struct world *)arg)->socket, a3m_msg_new(1), &reply, SOON, NULL);
    return discard(reply, result);
}

static int drain(void *arg)
{
    return a3m_socket_drain(((struct world *)arg)->socket, SOON);
}

/* Goes on waiting, and has what the next life brings. */
#define STAYS 1

static const struct row {
    const char *name;
    int (*call)(void *arg);
    const a3m_socket_type *type, *peer;
    int expected;
} rows[] = {
    {"a3m_link_recv", link_recv, &a3m_pull, &a3m_push, A3M_ELINKDOWN},
    {"a3m_recv_until", recv_any, &a3m_pull, &a3m_push, STAYS},
    {"a3m_recv_or_none", recv_or_none, &a3m_pull, &a3m_push, STAYS},
    {"a3m_link_send", link_send, &a3m_push, &a3m_pull, A3M_ELINKDOWN},
    {"a3m_link_reserve", link_reserve, &a3m_push, &a3m_pull, A3M_ELINKDOWN},
    {"a3m_send_until", send_any, &a3m_push, &a3m_pull, STAYS},
    {"a3m_send_or_none", send_or_none, &a3m_push, &a3m_pull, STAYS},
    {"a3m_request_reply", request, &a3m_req, &a3m_rep, A3M_ERESTARTED},
    {"a3m_socket_drain", drain, &a3m_push, &a3m_pull, A3M_ERESTARTED},
};

static void run(const struct row *row)
{
    struct world w = make(row->type, row->peer);
    struct caller caller;
    if (row->type == &a3m_push) {
        assert_int_equal(a3m_try_send(w.socket, test_msg("x")), A3M_OK); /* all the credit that there is */
        if (row->call != drain) {
            settle(&w);
        }
    }
    caller_start(&caller, row->call, &w);
    caller_await_sleep(&caller);
    if (row->type == &a3m_req) {
        settle(&w); /* the server has it */
    }
    peer_restarts(&w);
    if (row->expected != STAYS) {
        int result = caller_join(&caller);
        if (result != row->expected) {
            fail_msg("%s: %s", row->name, a3m_strerror(result));
        }
        end(&w);
        return;
    }
    await_all_asleep();
    assert_false(caller_returned(&caller));
    next_life(&w);
    if (row->type == &a3m_pull) {
        await_all_asleep();
        assert_false(caller_returned(&caller));
        assert_int_equal(a3m_try_send(w.far, test_msg("y")), A3M_OK);
        settle(&w);
    }
    assert_int_equal(caller_join(&caller), A3M_OK);
    end(&w);
}

static void test_calls_that_wait_while_the_peer_restarts(void **arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run(&rows[i]);
    }
}

/* What came by the link before is received first; then the call that waits is told, and the next waits for the next life. */
static void test_receive_by_a_link_in_each_of_its_lives(void **arg)
{
    (void)arg;
    struct world w = make(&a3m_pull, &a3m_push);
    struct caller caller;
    a3m_msg *msg = NULL;
    assert_int_equal(a3m_try_send(w.far, test_msg("first")), A3M_OK);
    settle(&w);
    peer_restarts(&w);
    assert_int_equal(a3m_link_recv(w.link, &msg, SOON), A3M_OK);
    test_msg_is(msg, "first");
    assert_int_equal(a3m_link_recv(w.link, &msg, A3M_NOW), A3M_EAGAIN);
    caller_start(&caller, link_recv, &w);
    caller_await_sleep(&caller);
    next_life(&w);
    await_all_asleep();
    assert_false(caller_returned(&caller)); /* it began between two lives */
    peer_restarts(&w);
    assert_int_equal(caller_join(&caller), A3M_ELINKDOWN);
    caller_start(&caller, link_recv, &w);
    caller_await_sleep(&caller);
    next_life(&w);
    assert_int_equal(a3m_try_send(w.far, test_msg("third")), A3M_OK);
    settle(&w);
    assert_int_equal(caller_join(&caller), A3M_OK);
    end(&w);
}

/* There are no more attempts: now no link is up or coming up. */
static void test_or_none_ends_with_the_last_attempt(void **arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        struct world w = make(i == 0 ? &a3m_pull : &a3m_push, i == 0 ? &a3m_push : &a3m_pull);
        struct caller caller;
        void *obj;
        if (i == 1) {
            assert_int_equal(a3m_try_send(w.socket, test_msg("x")), A3M_OK);
        }
        assert_int_equal(a3mi_registry_get(w.link.v, A3MI_KIND_LINK, &obj), A3M_OK);
        ((struct a3mi_link *)obj)->backoff.limit = 2;
        a3mi_registry_put(w.link.v);
        caller_start(&caller, i == 0 ? recv_or_none : send_or_none, &w);
        caller_await_sleep(&caller);
        peer_restarts(&w);
        await_all_asleep();
        assert_false(caller_returned(&caller));
        for (int k = 0; k < 10; k++) { /* alone: nobody answers */
            w.now += INT64_C(2000000000);
            (void)node_turn(node_inside(w.node), A3MI_TURN_FLUSH | A3MI_TURN_EVENTS, w.now);
        }
        assert_int_equal(caller_join(&caller), A3M_ENOLINK);
        end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_that_wait_while_the_peer_restarts),
        cmocka_unit_test(test_receive_by_a_link_in_each_of_its_lives),
        cmocka_unit_test(test_or_none_ends_with_the_last_attempt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
