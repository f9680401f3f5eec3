/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links say why nothing can be sent on them, and since when. Two nodes that are
 * never started: this test runs their engine turns, and so decides what is
 * acknowledged and when.
 * covers L13
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node_fixture.h"
#include "node_turns.h"

static const int64_t ms = 1000000;

struct world {
    a3m_node from, to;
    a3m_socket push, pull;
    a3m_link link;
    int64_t now; /* of the turns; calls go by the clock */
};

/* Both nodes talk until nothing more happens at the instant. */
static void settle(const struct world *w)
{
    for (int i = 0; i < 12; i++) {
        (void)node_turn_all(node_inside(w->from), w->now);
        (void)node_turn_all(node_inside(w->to), w->now);
    }
}

/* Nobody answers for a while: turns of the sender alone, each when it wants one. */
static void alone(struct world *w, int64_t duration)
{
    struct a3mi_node *from = node_inside(w->from);
    int64_t at = w->now;
    w->now += duration;
    while (at <= w->now) {
        int64_t next = node_turn_all(from, at);
        at = next > at ? next : at + ms;
    }
    (void)node_turn_all(from, w->now);
}

/* A link that was asked for, and of which the peer has not heard yet. */
static struct world make(uint64_t outbox_bytes, int64_t now)
{
    struct world w = {.to = test_node_idle("to", "inproc://blocked-to"), .now = now};
    a3m_node_config config = {.size = sizeof(config), .outbox_bytes = outbox_bytes};
    assert_int_equal(a3m_node_new(&w.from, "from", "inproc://blocked-from", &config), A3M_OK);
    w.pull = test_socket(w.to, &a3m_pull, "sink");
    w.push = test_socket(w.from, &a3m_push, NULL);
    assert_int_equal(a3m_socket_set(w.pull, A3M_OPT_CREDIT_MESSAGES, 2), A3M_OK);
    assert_int_equal(a3m_socket_link(w.push, "inproc://blocked-to/sink", &w.link), A3M_OK);
    return w;
}

/* A link that is up, ten seconds ago: what is seen in turns since then is past by the clock. */
static struct world make_up_ten_seconds_ago(void)
{
    struct world w = make(0, a3m_now().ns - 10000 * ms);
    settle(&w);
    return w;
}

static void end(struct world *w)
{
    (void)a3m_node_close(w->from, A3M_NOW, NULL);
    (void)a3m_node_close(w->to, A3M_NOW, NULL);
}

/* Blocked for `reason`, since an instant that is not before `earliest`; returns it. */
static int64_t expect(a3m_link link, int reason, int64_t earliest)
{
    a3m_link_info info = {.size = sizeof(info)};
    assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
    assert_int_equal(info.blocked, reason);
    if (reason == A3M_OK) {
        assert_int_equal(info.blocked_since.ns, 0);
    } else {
        assert_true(info.blocked_since.ns >= earliest && info.blocked_since.ns <= a3m_now().ns);
    }
    return info.blocked_since.ns;
}

static void test_blocked_no_link_then_no_credit_then_ended(void **arg)
{
    (void)arg;
    int64_t start = a3m_now().ns;
    struct world w = make(0, start);
    a3m_msg *msg;
    int64_t since = expect(w.link, A3M_ENOLINK, start);
    settle(&w);
    expect(w.link, A3M_OK, 0);
    int64_t sending = a3m_now().ns;
    assert_true(sending >= since);
    assert_int_equal(a3m_try_send(w.push, test_msg("one")), A3M_OK);
    expect(w.link, A3M_OK, 0);
    assert_int_equal(a3m_try_send(w.push, test_msg("two")), A3M_OK);
    since = expect(w.link, A3M_ENOCREDIT, sending);
    settle(&w);
    assert_int_equal(expect(w.link, A3M_ENOCREDIT, sending), since);
    assert_int_equal(a3m_try_recv(w.pull, &msg), A3M_OK);
    a3m_msg_free(msg);
    settle(&w);
    expect(w.link, A3M_OK, 0);
    int64_t ending = a3m_now().ns;
    assert_int_equal(a3m_link_end(w.link), A3M_OK);
    expect(w.link, A3M_ENOLINK, ending);
    end(&w);
}

static void test_blocked_outbox_full_all_links_until_acknowledged(void **arg)
{
    (void)arg;
    struct world w = make(1, a3m_now().ns);
    settle(&w);
    expect(w.link, A3M_OK, 0);
    int64_t sending = a3m_now().ns;
    assert_int_equal(a3m_try_send(w.push, test_msg("one")), A3M_OK);
    expect(w.link, A3M_ENOWINDOW, sending);
    settle(&w);
    expect(w.link, A3M_OK, 0);
    end(&w);
}

static void test_blocked_peer_that_does_not_answer_is_silent(void **arg)
{
    (void)arg;
    int64_t start = a3m_now().ns;
    struct world w = make(0, start);
    a3m_link silent;
    assert_int_equal(a3m_socket_link(w.push, "inproc://blocked-nobody/x", &silent), A3M_OK);
    settle(&w);
    expect(silent, A3M_ENOLINK, start);
    w.now += 60 * ms;
    settle(&w);
    expect(silent, A3M_ESILENT, start);
    end(&w);
}

/* ---- Of a link that is up ---------------------------------------------------------------------- */

static void test_blocked_peer_of_a_link_that_is_up_is_silent_until_it_is_heard(void **arg)
{
    (void)arg;
    struct world w = make_up_ten_seconds_ago();
    a3m_socket other = test_socket(w.from, &a3m_push, NULL);
    a3m_link idle;
    assert_int_equal(a3m_socket_link(other, "inproc://blocked-to/sink", &idle), A3M_OK);
    settle(&w);
    alone(&w, 5000 * ms);
    expect(w.link, A3M_OK, 0); /* nothing was sent that it should answer */
    int64_t sending = w.now;
    assert_int_equal(a3m_try_send(w.push, test_msg("one")), A3M_OK);
    alone(&w, 990 * ms);
    expect(w.link, A3M_OK, 0);
    alone(&w, 20 * ms);
    assert_int_equal(expect(w.link, A3M_ESILENT, 0), sending);
    assert_int_equal(expect(idle, A3M_ESILENT, 0), sending); /* what were sent on it would wait as well */
    assert_int_equal(a3m_try_send(w.push, test_msg("two")), A3M_OK);
    assert_int_equal(expect(w.link, A3M_ESILENT, 0), sending); /* rather than that there is no credit left */
    alone(&w, 2990 * ms);
    assert_int_equal(expect(w.link, A3M_ESILENT, 0), sending);
    settle(&w);
    expect(w.link, A3M_ENOCREDIT, 0);
    expect(idle, A3M_OK, 0);
    end(&w);
}

/* All that was sent was acknowledged; a reply is awaited, and whoever should give it does not answer the heartbeat. */
static void test_blocked_server_that_does_not_answer_the_heartbeat_is_silent(void **arg)
{
    (void)arg;
    struct world w = make_up_ten_seconds_ago();
    int64_t start = w.now;
    a3m_socket req = test_socket(w.from, &a3m_req, NULL);
    a3m_link link;
    a3m_request request;
    test_socket(w.to, &a3m_rep, "server");
    assert_int_equal(a3m_socket_link(req, "inproc://blocked-to/server", &link), A3M_OK);
    settle(&w);
    assert_int_equal(a3m_request_send(req, test_msg("?"), &request, A3M_NOW), A3M_OK);
    settle(&w);
    expect(link, A3M_OK, 0);
    alone(&w, 5000 * ms);
    int64_t since = expect(link, A3M_ESILENT, start);
    assert_true(since <= start + 2000 * ms);
    settle(&w);
    expect(link, A3M_OK, 0);
    end(&w);
}

/* The link ends meanwhile, and another one is made: it begins anew. */
static void test_blocked_silence_ends_with_the_link(void **arg)
{
    (void)arg;
    struct world w = make_up_ten_seconds_ago();
    int64_t start = w.now;
    assert_int_equal(a3m_try_send(w.push, test_msg("one")), A3M_OK);
    alone(&w, 1500 * ms);
    expect(w.link, A3M_ESILENT, start);
    assert_int_equal(a3m_link_abort(w.link, NULL), A3M_OK);
    settle(&w);
    assert_int_equal(a3m_socket_link(w.push, "inproc://blocked-to/sink", &w.link), A3M_OK);
    settle(&w);
    expect(w.link, A3M_OK, 0);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocked_no_link_then_no_credit_then_ended),
        cmocka_unit_test(test_blocked_outbox_full_all_links_until_acknowledged),
        cmocka_unit_test(test_blocked_peer_that_does_not_answer_is_silent),
        cmocka_unit_test(test_blocked_peer_of_a_link_that_is_up_is_silent_until_it_is_heard),
        cmocka_unit_test(test_blocked_server_that_does_not_answer_the_heartbeat_is_silent),
        cmocka_unit_test(test_blocked_silence_ends_with_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
