/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of sockets: what becomes of links, in order, apart from messages,
 * pollable and bounded.
 * covers L10 P1 P2 P7
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asleep.h"
#include "caller.h"
#include "node_fixture.h"

struct pair {
    a3m_node client, server;
    a3m_socket req;
};

/* A client whose socket keeps `bound` events. */
static struct pair make_pair(int64_t bound)
{
    struct pair p = {.client = test_node("client"), .server = test_node("server")};
    p.req = test_socket(p.client, &a3m_req, "asker");
    assert_int_equal(a3m_socket_set(p.req, A3M_OPT_EVENTS, bound), A3M_OK);
    /* Answers come before the interval passes, however slow the machine. */
    assert_int_equal(a3m_socket_set(p.req, A3M_OPT_LINK_RETRY_MIN, a3m_seconds(60).ns), A3M_OK);
    return p;
}

static void end_pair(struct pair *p)
{
    test_close(p->client);
    test_close(p->server);
}

static a3m_socket_event next(a3m_socket socket)
{
    a3m_socket_event event = {.size = sizeof(event)};
    assert_int_equal(a3m_socket_next_event(socket, &event, SOON), A3M_OK);
    return event;
}

static a3m_socket_event expect(a3m_socket socket, a3m_event_kind kind, int reason)
{
    a3m_socket_event event = next(socket);
    assert_int_equal(event.kind, kind);
    assert_int_equal(event.reason, reason);
    return event;
}

static int none(a3m_socket socket)
{
    a3m_socket_event event = {.size = sizeof(event)};
    return a3m_socket_next_event(socket, &event, A3M_NOW);
}

static void test_events_not_asked_for_there_are_none(void **arg)
{
    (void)arg;
    struct pair p = make_pair(0);
    a3m_socket_event wrong = {.size = 1};
    test_socket(p.server, &a3m_rep, "echo");
    test_link(p.req, test_url(p.server, "echo"));
    assert_int_equal(none(p.req), A3M_ESTATE);
    assert_int_equal(a3m_socket_next_event(p.req, &wrong, A3M_NOW), A3M_EINVAL);
    assert_int_equal(a3m_socket_next_event(p.req, NULL, A3M_NOW), A3M_EINVAL);
    assert_int_equal(a3m_socket_set(p.req, A3M_OPT_EVENTS, 8), A3M_OK);
    assert_int_equal(none(p.req), A3M_EAGAIN);
    end_pair(&p);
}

static void test_events_of_a_link_both_ends_see_it_come_and_go(void **arg)
{
    (void)arg;
    struct pair p = make_pair(16);
    a3m_socket rep = test_socket(p.server, &a3m_rep, "echo");
    assert_int_equal(a3m_socket_set(rep, A3M_OPT_EVENTS, 16), A3M_OK);
    a3m_time before = a3m_now();
    a3m_link link = test_link(p.req, test_url(p.server, "echo"));
    a3m_socket_event up = expect(p.req, A3M_EVENT_UP, A3M_OK);
    assert_int_equal(up.link.v, link.v);
    assert_string_equal(up.peer_node, "server");
    assert_string_equal(up.peer_tag, "echo");
    assert_true(up.when.ns >= before.ns && up.when.ns <= a3m_now().ns);
    assert_string_equal(expect(rep, A3M_EVENT_UP, A3M_OK).peer_tag, "asker");

    assert_int_equal(a3m_link_end(link), A3M_OK);
    assert_int_equal(expect(p.req, A3M_EVENT_ENDED, A3M_ECANCELED).link.v, link.v);
    assert_int_equal(expect(p.req, A3M_EVENT_NO_LINKS, A3M_OK).link.v, 0);
    expect(rep, A3M_EVENT_ENDED, A3M_ECANCELED);
    expect(rep, A3M_EVENT_NO_LINKS, A3M_OK);
    assert_int_equal(none(p.req), A3M_EAGAIN);
    assert_int_equal(none(rep), A3M_EAGAIN);
    end_pair(&p);
}

static void test_events_refused_for_now_retrying_then_up(void **arg)
{
    (void)arg;
    struct pair p = make_pair(64);
    a3m_socket_event refused;
    assert_int_equal(a3m_socket_set(p.req, A3M_OPT_LINK_RETRY_MIN, a3m_ms(5).ns), A3M_OK);
    assert_int_equal(a3m_socket_link(p.req, test_url(p.server, "late"), NULL), A3M_OK);
    do { /* the interval may pass before the answer */
        refused = next(p.req);
    } while (refused.kind == A3M_EVENT_RETRYING && refused.reason == A3M_ESILENT);
    assert_int_equal(refused.kind, A3M_EVENT_REFUSED);
    assert_int_equal(refused.reason, A3M_ENOTREADY);
    assert_false(refused.final);
    assert_true(refused.attempts >= 1);
    a3m_socket_event retrying = expect(p.req, A3M_EVENT_RETRYING, A3M_ENOTREADY);
    assert_true(retrying.next_attempt.ns > refused.when.ns);
    test_socket(p.server, &a3m_rep, "late");
    a3m_socket_event event;
    do {
        event = next(p.req);
        assert_int_not_equal(event.kind, A3M_EVENT_ENDED);
    } while (event.kind != A3M_EVENT_UP);
    assert_string_equal(event.peer_tag, "late");
    end_pair(&p);
}

static void test_events_refused_for_good_ends(void **arg)
{
    (void)arg;
    struct pair p = make_pair(16);
    test_socket(p.server, &a3m_pull, "sink");
    assert_int_equal(a3m_socket_link(p.req, test_url(p.server, "sink"), NULL), A3M_OK);
    assert_true(expect(p.req, A3M_EVENT_REFUSED, A3M_EINCOMPATIBLE).final);
    expect(p.req, A3M_EVENT_ENDED, A3M_EINCOMPATIBLE);
    expect(p.req, A3M_EVENT_NO_LINKS, A3M_OK);
    end_pair(&p);
}

static void test_events_peer_that_never_answers_retrying_until_the_limit(void **arg)
{
    (void)arg;
    a3m_node client = test_node_at("client", "inproc://events-client");
    a3m_socket req = test_socket(client, &a3m_req, NULL);
    assert_int_equal(a3m_socket_set(req, A3M_OPT_EVENTS, 16), A3M_OK);
    assert_int_equal(a3m_socket_set(req, A3M_OPT_LINK_RETRY_MIN, 1000000), A3M_OK);
    assert_int_equal(a3m_socket_set(req, A3M_OPT_LINK_ATTEMPTS, 3), A3M_OK);
    assert_int_equal(a3m_socket_link(req, "inproc://events-nobody/x", NULL), A3M_OK);
    assert_int_equal(expect(req, A3M_EVENT_RETRYING, A3M_ESILENT).attempts, 2);
    assert_int_equal(expect(req, A3M_EVENT_RETRYING, A3M_ESILENT).attempts, 3);
    expect(req, A3M_EVENT_ENDED, A3M_ESILENT);
    expect(req, A3M_EVENT_NO_LINKS, A3M_OK);
    (void)a3m_node_close(client, A3M_NOW, NULL);
}

static void test_events_peer_socket_that_closes_ends_the_link(void **arg)
{
    (void)arg;
    struct pair p = make_pair(64);
    a3m_socket rep = test_socket(p.server, &a3m_rep, "echo");
    test_link(p.req, test_url(p.server, "echo"));
    expect(p.req, A3M_EVENT_UP, A3M_OK);
    assert_int_equal(a3m_socket_close(rep), A3M_OK);
    expect(p.req, A3M_EVENT_ENDED, A3M_ECLOSED);
    end_pair(&p);
}

/* Links come and go, one by one. */
static void come_and_go(struct pair *p, int n)
{
    for (int i = 0; i < n; i++) {
        a3m_link link = test_link(p->req, test_url(p->server, "echo"));
        assert_int_equal(a3m_link_end(link), A3M_OK);
    }
}

static void test_events_slow_reader_loses_the_oldest_and_is_told(void **arg)
{
    (void)arg;
    struct pair p = make_pair(4);
    test_socket(p.server, &a3m_rep, "echo");
    come_and_go(&p, 3); /* up, ended, no links; three times */
    a3m_socket_event first = expect(p.req, A3M_EVENT_NO_LINKS, A3M_OK);
    assert_int_equal(first.lost, 5);
    assert_int_equal(expect(p.req, A3M_EVENT_UP, A3M_OK).lost, 0);
    come_and_go(&p, 1); /* two are left, three come: one of the two goes */
    assert_int_equal(expect(p.req, A3M_EVENT_NO_LINKS, A3M_OK).lost, 1);
    assert_int_equal(a3m_socket_set(p.req, A3M_OPT_EVENTS, 1), A3M_OK); /* the newest stays */
    assert_int_equal(expect(p.req, A3M_EVENT_NO_LINKS, A3M_OK).lost, 2);
    assert_int_equal(none(p.req), A3M_EAGAIN);
    come_and_go(&p, 1);
    assert_int_equal(a3m_socket_set(p.req, A3M_OPT_EVENTS, 8),
                     A3M_OK); /* and still says what was lost before it */
    come_and_go(&p, 1);
    assert_int_equal(expect(p.req, A3M_EVENT_NO_LINKS, A3M_OK).lost, 2);
    assert_int_equal(expect(p.req, A3M_EVENT_UP, A3M_OK).lost, 0);
    assert_int_equal(a3m_socket_set(p.req, A3M_OPT_EVENTS, 0), A3M_OK);
    assert_int_equal(none(p.req), A3M_ESTATE);
    end_pair(&p);
}

static void test_events_polled_apart_from_messages(void **arg)
{
    (void)arg;
    struct pair p = make_pair(16);
    a3m_poller poller;
    a3m_poll_event got[4];
    a3m_pollable events = a3m_pollable_events(p.req);
    a3m_pollable messages = a3m_pollable_socket(p.req);
    assert_int_equal(a3m_poller_new(&poller, 0), A3M_OK);
    assert_int_equal(a3m_poller_add(poller, events, A3M_POLL_IN, &p), A3M_OK);
    assert_int_equal(a3m_poller_add(poller, events, A3M_POLL_IN, &p), A3M_EEXIST);
    assert_int_equal(a3m_poller_add(poller, messages, A3M_POLL_IN, &poller), A3M_OK);
    assert_int_equal(a3m_poller_wait(poller, got, 4, A3M_NOW), 0);

    test_socket(p.server, &a3m_rep, "echo");
    test_link(p.req, test_url(p.server, "echo"));
    assert_int_equal(a3m_poller_wait(poller, got, 4, SOON), 1);
    assert_int_equal(got[0].what.kind, A3M_POLLABLE_EVENTS);
    assert_int_equal(got[0].what.v, p.req.v);
    assert_int_equal(got[0].events, A3M_POLL_IN);
    assert_ptr_equal(got[0].user, &p);
    a3m_poll_item item = {.what = events, .events = A3M_POLL_IN};
    assert_int_equal(a3m_poll(&item, 1, A3M_NOW), 1);
    expect(p.req, A3M_EVENT_UP, A3M_OK);
    assert_int_equal(a3m_poll(&item, 1, A3M_NOW), 0);
    assert_int_equal(a3m_poller_wait(poller, got, 4, A3M_NOW), 0);

    assert_int_equal(a3m_poller_remove(poller, messages), A3M_OK);
    assert_int_equal(a3m_socket_close(p.req), A3M_OK);
    assert_int_equal(a3m_poller_wait(poller, got, 4, SOON), 1);
    assert_int_equal(got[0].what.kind, A3M_POLLABLE_EVENTS);
    assert_int_equal(got[0].events, A3M_POLL_HUP);
    assert_int_equal(a3m_poller_close(poller), A3M_OK);
    end_pair(&p);
}

static int wait_for_one(void *arg)
{
    a3m_socket_event event = {.size = sizeof(event)};
    int result = a3m_socket_next_event(*(a3m_socket *)arg, &event, SOON);
    return result == A3M_OK ? (int)event.kind : result;
}

static void test_events_call_that_waits_is_woken(void **arg)
{
    (void)arg;
    struct pair p = make_pair(16);
    struct caller caller;
    a3m_socket_event late = {.size = sizeof(late)};
    test_socket(p.server, &a3m_rep, "echo");
    caller_start(&caller, wait_for_one, &p.req);
    caller_await_sleep(&caller);
    test_link(p.req, test_url(p.server, "echo"));
    assert_int_equal(caller_join(&caller), A3M_EVENT_UP);
    assert_int_equal(a3m_socket_next_event(p.req, &late, a3m_in(a3m_ms(1))), A3M_ETIMEDOUT);

    caller_start(&caller, wait_for_one, &p.req);
    caller_await_sleep(&caller);
    assert_int_equal(a3m_socket_set(p.req, A3M_OPT_EVENTS, 0), A3M_OK);
    assert_int_equal(caller_join(&caller), A3M_ESTATE);

    assert_int_equal(a3m_socket_set(p.req, A3M_OPT_EVENTS, 1), A3M_OK);
    caller_start(&caller, wait_for_one, &p.req);
    caller_await_sleep(&caller);
    assert_int_equal(a3m_socket_close(p.req), A3M_OK);
    assert_int_equal(caller_join(&caller), A3M_ECLOSED);
    end_pair(&p);
}

static int lead(void *arg)
{
    a3m_msg *msg;
    return a3m_recv(*(a3m_socket *)arg, &msg);
}

/* Three threads wait, two events come: two threads have one each, and the third is left asleep. */
static void test_events_wake_as_many_threads_as_there_are_events(void **arg)
{
    (void)arg;
    struct pair p = make_pair(16);
    struct caller leader, callers[3];
    a3m_socket idle = test_socket(p.client, &a3m_pull, NULL);
    a3m_link link;
    int had = 0;
    caller_start(&leader, lead, &idle); /* reads the network for all */
    caller_await_sleep(&leader);
    assert_int_equal(a3m_socket_link(p.req, "nowhere/nobody", &link), A3M_OK);
    (void)expect(p.req, A3M_EVENT_RETRYING, A3M_ENOADDR);
    for (int i = 0; i < 3; i++) {
        caller_start(&callers[i], wait_for_one, &p.req);
        caller_await_sleep(&callers[i]);
    }
    await_all_asleep();
    a3m_node_stats before = test_stats(p.client);
    assert_int_equal(a3m_link_end(link), A3M_OK); /* ENDED, NO_LINKS */
    await_all_asleep();
    for (int i = 0; i < 3; i++) {
        had += caller_returned(&callers[i]);
    }
    assert_int_equal(had, 2);
    assert_int_equal(test_stats(p.client).waiter_sleeps,
                     before.waiter_sleeps); /* nobody went back to sleep */
    assert_int_equal(a3m_socket_close(p.req), A3M_OK);
    had = 0;
    for (int i = 0; i < 3; i++) {
        had += caller_join(&callers[i]) == A3M_ECLOSED;
    }
    assert_int_equal(had, 1);
    assert_int_equal(a3m_socket_close(idle), A3M_OK);
    assert_int_equal(caller_join(&leader), A3M_ECLOSED);
    end_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_not_asked_for_there_are_none),
        cmocka_unit_test(test_events_of_a_link_both_ends_see_it_come_and_go),
        cmocka_unit_test(test_events_refused_for_now_retrying_then_up),
        cmocka_unit_test(test_events_refused_for_good_ends),
        cmocka_unit_test(test_events_peer_that_never_answers_retrying_until_the_limit),
        cmocka_unit_test(test_events_peer_socket_that_closes_ends_the_link),
        cmocka_unit_test(test_events_slow_reader_loses_the_oldest_and_is_told),
        cmocka_unit_test(test_events_polled_apart_from_messages),
        cmocka_unit_test(test_events_call_that_waits_is_woken),
        cmocka_unit_test(test_events_wake_as_many_threads_as_there_are_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
