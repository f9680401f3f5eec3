/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closing a socket or a node: every call under way returns, and says why. covers N8 F9 F10 S6
 */
#include "test_node_close.h"

#include "caller.h"

/* A process that vanishes: forked before there are nodes. */
static struct far far;

static int block_recv(void *arg)
{
    a3m_msg *msg;
    return a3m_recv(((struct world *)arg)->socket, &msg);
}

static int block_request_wait(void *arg)
{
    struct world *world = arg;
    a3m_msg *reply;
    return a3m_request_wait(world->socket, world->request, &reply, A3M_FOREVER);
}

static int block_link_wait(void *arg)
{
    return a3m_link_wait(((struct world *)arg)->link, A3M_FOREVER);
}

static int block_wait_link(void *arg)
{
    return a3m_socket_wait_link(((struct world *)arg)->socket, NULL, A3M_FOREVER);
}

static int block_drain(void *arg)
{
    return a3m_socket_drain(((struct world *)arg)->socket, A3M_FOREVER);
}

static void prepare_pull(struct world *world)
{
    world->socket = test_socket(world->client, &a3m_pull, NULL);
}

static void prepare_lonely_req(struct world *world)
{
    world->socket = test_socket(world->client, &a3m_req, NULL);
}

static void prepare_queued_request(struct world *world)
{
    prepare_req(world);
    assert_int_equal(a3m_send_until(world->socket, test_msg("?"), SOON), A3M_OK);
}

static const struct blocking {
    const char *what;
    void (*prepare)(struct world *world);
    int (*call)(void *world);
} blockings[] = {
    {"recv", prepare_pull, block_recv},
    {"send without link", prepare_push, block_send},
    {"send without credit", prepare_no_credit, block_send},
    {"send, link coming up", prepare_refused, block_send},
    {"request_reply without link", prepare_lonely_req, block_request_reply},
    {"request_reply", prepare_req, block_request_reply},
    {"request_wait", prepare_request, block_request_wait},
    {"recv of a reply", prepare_queued_request, block_recv},
    {"link_wait", prepare_refused, block_link_wait},
    {"socket_wait_link", prepare_pull, block_wait_link},
    {"socket_wait_link_or_none", prepare_refused, block_wait_link_or_none},
};

enum { BLOCKINGS = sizeof(blockings) / sizeof(blockings[0]) };

static void make_world(struct world *world, struct caller *caller, const struct blocking *blocking)
{
    *world = (struct world){.client = test_node("client"), .server = test_node("server")};
    blocking->prepare(world);
    caller_start(caller, blocking->call, world);
    caller_await_sleep(caller);
}

static void assert_closed(const struct blocking *blocking, struct caller *caller)
{
    int result = caller_join(caller);
    if (result != A3M_ECLOSED) {
        fail_msg("%s: %s", blocking->what, a3m_strerror(result));
    }
}

static void test_socket_closes_blocked_calls_return(void **arg)
{
    (void)arg;
    for (int i = 0; i < BLOCKINGS; i++) {
        struct world world;
        struct caller caller;
        make_world(&world, &caller, &blockings[i]);
        assert_int_equal(a3m_socket_close(world.socket), A3M_OK);
        assert_closed(&blockings[i], &caller);
        test_close(world.client);
        test_close(world.server);
    }
}

static void test_node_closes_blocked_calls_return(void **arg)
{
    (void)arg;
    for (int i = 0; i < BLOCKINGS; i++) {
        struct world world;
        struct caller caller;
        make_world(&world, &caller, &blockings[i]);
        test_close(world.client);
        assert_closed(&blockings[i], &caller);
        test_close(world.server);
    }
}

static void test_node_closes_many_blocked_calls_all_return(void **arg)
{
    (void)arg;
    enum { N = 8 };
    struct caller callers[N];
    struct world world = {.client = test_node("client")};
    prepare_pull(&world);
    for (int i = 0; i < N; i++) {
        caller_start(&callers[i], i % 2 == 0 ? block_recv : block_wait_link, &world);
    }
    for (int i = 0; i < N; i++) {
        caller_await_sleep(&callers[i]);
    }
    test_close(world.client);
    for (int i = 0; i < N; i++) {
        assert_int_equal(caller_join(&callers[i]), A3M_ECLOSED);
    }
}

static void test_drain_blocked_socket_and_node_close_it_returns(void **arg)
{
    (void)arg;
    struct world worlds[2];
    struct caller callers[2];
    a3m_close_report report;
    a3m_node node = test_node("near");
    const char *url = far_url(&far, "sink");
    for (int i = 0; i < 2; i++) {
        worlds[i].socket = test_socket(node, &a3m_push, NULL);
        test_link(worlds[i].socket, url);
    }
    far_kill(&far);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(a3m_send_bytes(worlds[i].socket, "m", 1, SOON), A3M_OK);
        assert_int_equal(a3m_socket_drain(worlds[i].socket, A3M_NOW), A3M_ETIMEDOUT);
        caller_start(&callers[i], block_drain, &worlds[i]);
        caller_await_sleep(&callers[i]);
    }
    assert_int_equal(a3m_socket_close(worlds[0].socket), A3M_OK);
    assert_int_equal(caller_join(&callers[0]), A3M_ECLOSED);
    assert_int_equal(close_node(node, a3m_in(a3m_ms(100)), &report), A3M_ETIMEDOUT);
    assert_int_equal(caller_join(&callers[1]), A3M_ECLOSED);
    assert_int_equal(report.unknown + report.undelivered, 2);
    assert_int_equal(report.links_unfinished, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_socket_closes_blocked_calls_return),
        cmocka_unit_test(test_node_closes_blocked_calls_return),
        cmocka_unit_test(test_node_closes_many_blocked_calls_all_return),
        cmocka_unit_test(test_drain_blocked_socket_and_node_close_it_returns),
    };
    far_start(&far, far_body);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    far_kill(&far);
    return failed;
}
