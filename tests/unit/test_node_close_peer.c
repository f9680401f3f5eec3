/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the peers of a node that closes, or vanishes, see of it: links that ended, waits that go on or are over,
 * requests that fail. covers N5 L8 L12 F9 S6
 */
#include "test_node_close.h"

#include "caller.h"

/* A process that vanishes: forked before there are nodes. */
static struct far far;

static void test_peer_closes_link_has_ended(void **arg)
{
    (void)arg;
    a3m_link_info info = {.size = sizeof(info)};
    struct world world = {.client = test_node("client"), .server = test_node("server")};
    prepare_no_credit(&world);
    test_close(world.server);
    assert_int_equal(a3m_link_wait(world.link, A3M_NOW), A3M_ECLOSED);
    assert_int_equal(a3m_link_get_info(world.link, &info), A3M_OK);
    assert_int_equal(info.reason, A3M_ECLOSED);
    assert_true(info.state == A3M_LINK_ENDED || info.state == A3M_LINK_ENDING);
    a3m_msg *msg = test_msg("m");
    assert_int_equal(a3m_try_send(world.socket, msg), A3M_ENOLINK);
    a3m_msg_free(msg);
    assert_int_equal(a3m_socket_wait_link_or_none(world.socket, NULL, A3M_FOREVER), A3M_ENOLINK);
    test_close(world.client);
}

static void test_peer_closes_who_waits_for_its_link_learns_it(void **arg)
{
    (void)arg;
    struct caller caller;
    struct world world = {.client = test_node("client"), .server = test_node("server")};
    prepare_refused(&world);
    caller_start(&caller, block_wait_link_or_none, &world);
    caller_await_sleep(&caller);
    assert_int_equal(a3m_link_end(world.link), A3M_OK);
    assert_int_equal(caller_join(&caller), A3M_ENOLINK);
    test_close(world.client);
    test_close(world.server);
}

/* A send that may take any link goes on waiting, and takes the next that comes. */
static void test_peer_closes_send_waits_for_another_link(void **arg)
{
    (void)arg;
    struct caller caller;
    struct world world = {.client = test_node("client"), .server = test_node("server")};
    prepare_no_credit(&world);
    caller_start(&caller, block_send, &world);
    caller_await_sleep(&caller);
    test_close(world.server);
    caller_await_sleep(&caller);
    a3m_node other = test_node("other");
    a3m_socket pull = test_socket(other, &a3m_pull, "sink");
    test_link(world.socket, test_url(other, "sink"));
    assert_int_equal(caller_join(&caller), A3M_OK);
    test_expect(pull, "m");
    test_close(world.client);
    test_close(other);
}

struct answer {
    a3m_socket rep;
    a3m_msg *request;
};

static int block_reply(void *arg)
{
    struct answer *answer = arg;
    a3m_msg *reply = a3m_msg_copy("!", 1);
    int result = a3m_reply(answer->rep, answer->request, reply, A3M_FOREVER);
    if (result != A3M_OK) {
        a3m_msg_free(reply);
    }
    return result;
}

/* A reply can go by one link only: without it, it is told. */
static void test_peer_closes_reply_that_waits_for_credit_returns(void **arg)
{
    (void)arg;
    struct caller caller;
    struct answer answer;
    a3m_node server = test_node("server");
    a3m_node client = test_node("client");
    answer.rep = test_socket(server, &a3m_rep, "echo");
    a3m_socket req = test_socket(client, &a3m_req, NULL);
    assert_int_equal(a3m_socket_set(req, A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
    test_link(req, test_url(server, "echo"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(a3m_send_until(req, test_msg("?"), SOON), A3M_OK);
    }
    assert_int_equal(a3m_recv_until(answer.rep, &answer.request, SOON), A3M_OK);
    assert_int_equal(block_reply(&answer), A3M_OK);
    a3m_msg_free(answer.request);
    assert_int_equal(a3m_recv_until(answer.rep, &answer.request, SOON), A3M_OK);
    caller_start(&caller, block_reply, &answer);
    caller_await_sleep(&caller);
    test_close(client);
    assert_int_equal(caller_join(&caller), A3M_ELINKDOWN);
    a3m_msg_free(answer.request);
    test_close(server);
}

static void test_peer_closes_request_outstanding_fails(void **arg)
{
    (void)arg;
    struct caller caller;
    a3m_msg *reply;
    struct world world = {.client = test_node("client"), .server = test_node("server")};
    prepare_request(&world);
    caller_start(&caller, block_request_reply, &world);
    caller_await_sleep(&caller);
    test_close(world.server);
    assert_int_equal(caller_join(&caller), A3M_ECLOSED);
    assert_int_equal(a3m_request_wait(world.socket, world.request, &reply, SOON), A3M_ECLOSED);
    test_close(world.client);
}

/* Nothing is waited for: the goodbye says that it is over. */
static void test_peer_closes_at_once_request_outstanding_fails(void **arg)
{
    (void)arg;
    struct caller caller;
    a3m_close_report report;
    struct world world = {.client = test_node("client"), .server = test_node("server")};
    prepare_req(&world);
    caller_start(&caller, block_request_reply, &world);
    caller_await_sleep(&caller);
    (void)close_node(world.server, A3M_NOW, &report);
    int result = caller_join(&caller);
    assert_true(result == A3M_ECLOSED || result == A3M_ERESTARTED);
    (void)close_node(world.client, a3m_in(a3m_ms(200)), &report);
}

static void test_peer_vanished_request_outstanding_fails_at_the_peer_timeout(void **arg)
{
    (void)arg;
    struct caller caller;
    struct world world = {0};
    a3m_close_report report;
    a3m_node_config config = {.size = sizeof(config), .peer_timeout = a3m_ms(500)};
    assert_int_equal(a3m_node_new(&world.client, "near", "udp://127.0.0.1:0", &config), A3M_OK);
    assert_int_equal(a3m_node_start(world.client), A3M_OK);
    world.socket = test_socket(world.client, &a3m_req, NULL);
    test_link(world.socket, far_url(&far, "mute"));
    far_kill(&far);
    caller_start(&caller, block_request_reply, &world);
    assert_int_equal(caller_join(&caller), A3M_ESILENT);
    (void)close_node(world.client, a3m_in(a3m_ms(200)), &report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peer_closes_link_has_ended),
        cmocka_unit_test(test_peer_closes_who_waits_for_its_link_learns_it),
        cmocka_unit_test(test_peer_closes_send_waits_for_another_link),
        cmocka_unit_test(test_peer_closes_reply_that_waits_for_credit_returns),
        cmocka_unit_test(test_peer_closes_request_outstanding_fails),
        cmocka_unit_test(test_peer_closes_at_once_request_outstanding_fails),
        cmocka_unit_test(test_peer_vanished_request_outstanding_fails_at_the_peer_timeout),
    };
    far_start(&far, far_body);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    far_kill(&far);
    return failed;
}
