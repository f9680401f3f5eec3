/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closing: what the report says, that it is bounded by its deadline, that every
 * call under way returns, and what the peers see of it. covers N5 N8 L8 L12 F9 F10 S6
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "caller.h"
#include "far.h"
#include "node_fixture.h"

/* Processes that vanish, one for each test that needs one: forked before there are nodes. */
enum { FAR_REPORT, FAR_DRAIN, FAR_REQUEST, FAR_COUNT };
static struct far fars[FAR_COUNT];

static void far_body(int fd)
{
    a3m_node node = test_node("far");
    test_socket(node, &a3m_pull, "sink");
    test_socket(node, &a3m_rep, "mute");
    char address[128];
    assert_int_equal(a3m_node_address(node, address, sizeof(address)), A3M_OK);
    far_say(fd, address);
    for (;;) {
        (void)pause();
    }
}

static const char *far_url(struct far *far, const char *tag)
{
    static char url[256];
    char address[128];
    far_hear(far->fd, address, sizeof(address));
    (void)snprintf(url, sizeof(url), "%s/%s", address, tag);
    return url;
}

static int close_node(a3m_node node, a3m_time deadline, a3m_close_report *report)
{
    *report = (a3m_close_report){.size = sizeof(*report)};
    return a3m_node_close(node, deadline, report);
}

static void assert_all_zero(const a3m_close_report *report)
{
    assert_int_equal(report->undelivered, 0);
    assert_int_equal(report->unknown, 0);
    assert_int_equal(report->unread, 0);
    assert_int_equal(report->links_unfinished, 0);
}

/* Sends `n` messages and waits until the peer's node has them. */
static void push_and_drain(a3m_socket push, int n)
{
    for (int i = 0; i < n; i++) {
        assert_int_equal(a3m_send_bytes(push, "m", 1, SOON), A3M_OK);
    }
    assert_int_equal(a3m_socket_drain(push, SOON), A3M_OK);
}

/* ---- The report ------------------------------------------------------------------- */

static void test_close_all_acknowledged_and_taken_report_is_zero(void **arg)
{
    (void)arg;
    a3m_close_report report;
    a3m_node from = test_node("from");
    a3m_node to = test_node("to");
    a3m_socket pull = test_socket(to, &a3m_pull, "sink");
    a3m_socket push = test_socket(from, &a3m_push, NULL);
    test_link(push, test_url(to, "sink"));
    push_and_drain(push, 100);
    for (int i = 0; i < 100; i++) {
        test_expect(pull, "m");
    }
    assert_int_equal(close_node(from, SOON, &report), A3M_OK);
    assert_all_zero(&report);
    assert_int_equal(close_node(to, SOON, &report), A3M_OK);
    assert_all_zero(&report);
}

static void test_close_messages_under_way_are_delivered_first(void **arg)
{
    (void)arg;
    a3m_close_report report;
    a3m_node from = test_node("from");
    a3m_node to = test_node("to");
    a3m_socket pull = test_socket(to, &a3m_pull, "sink");
    a3m_socket push = test_socket(from, &a3m_push, NULL);
    test_link(push, test_url(to, "sink"));
    for (int i = 0; i < 300; i++) {
        assert_int_equal(a3m_send_bytes(push, "m", 1, SOON), A3M_OK);
    }
    assert_int_equal(close_node(from, SOON, &report), A3M_OK);
    assert_all_zero(&report);
    for (int i = 0; i < 300; i++) {
        test_expect(pull, "m");
    }
    test_close(to);
}

static void unread(bool socket_first)
{
    a3m_close_report report;
    a3m_node from = test_node("from");
    a3m_node to = test_node("to");
    a3m_socket pull = test_socket(to, &a3m_pull, "sink");
    a3m_socket push = test_socket(from, &a3m_push, NULL);
    test_link(push, test_url(to, "sink"));
    push_and_drain(push, 10);
    for (int i = 0; i < 3; i++) {
        test_expect(pull, "m");
    }
    if (socket_first) {
        assert_int_equal(a3m_socket_close(pull), A3M_OK);
    }
    assert_int_equal(close_node(to, SOON, &report), A3M_OK);
    assert_int_equal(report.unread, 7);
    assert_int_equal(report.undelivered + report.unknown + report.links_unfinished, 0);
    test_close(from);
}

static void test_close_messages_not_taken_are_counted_as_unread(void **arg)
{
    (void)arg;
    unread(false);
}

static void test_close_socket_closed_before_its_messages_are_counted_as_unread(void **arg)
{
    (void)arg;
    unread(true);
}

static void test_close_peer_vanished_bounded_and_counted(void **arg)
{
    (void)arg;
    static uint8_t bytes[1000];
    enum { N = 500 };
    a3m_close_report report;
    a3m_node node = test_node("near");
    a3m_socket push = test_socket(node, &a3m_push, NULL);
    test_link(push, far_url(&fars[FAR_REPORT], "sink"));
    far_kill(&fars[FAR_REPORT]);
    for (int i = 0; i < N; i++) {
        assert_int_equal(a3m_send_bytes(push, bytes, sizeof(bytes), SOON), A3M_OK);
    }
    a3m_time begin = a3m_now();
    assert_int_equal(close_node(node, a3m_in(a3m_ms(300)), &report), A3M_ETIMEDOUT);
    int64_t took = a3m_now().ns - begin.ns;
    assert_true(took >= a3m_ms(300).ns && took < a3m_seconds(10).ns);
    assert_int_equal(report.undelivered + report.unknown, N);
    assert_true(report.unknown > 0);     /* the first packets went out */
    assert_true(report.undelivered > 0); /* the rest waited for an acknowledgement */
    assert_int_equal(report.links_unfinished, 1);
    assert_int_equal(report.unread, 0);
}

static void nobody_there(const char *own, const char *peer)
{
    a3m_close_report report;
    a3m_node node = test_node_at("asker", own);
    a3m_socket push = test_socket(node, &a3m_push, NULL);
    a3m_link link;
    assert_int_equal(a3m_socket_link(push, peer, &link), A3M_OK);
    assert_int_equal(a3m_link_wait(link, a3m_in(a3m_ms(20))), A3M_ETIMEDOUT);
    a3m_time begin = a3m_now();
    assert_int_equal(close_node(node, a3m_in(a3m_ms(200)), &report), A3M_OK);
    assert_true(a3m_now().ns - begin.ns < a3m_seconds(10).ns);
    assert_all_zero(&report); /* there never was a link, and nothing was sent */
}

static void test_close_peer_that_never_was_bounded(void **arg)
{
    (void)arg;
    nobody_there("inproc://close-asker", "inproc://close-nobody/sink");
}

static void test_close_peer_not_started_bounded(void **arg)
{
    (void)arg;
    a3m_node idle = test_node_idle("idle", "udp://127.0.0.1:0");
    test_socket(idle, &a3m_pull, "sink");
    nobody_there("udp://127.0.0.1:0", test_url(idle, "sink"));
    test_close(idle);
}

/* ---- Handles ------------------------------------------------------------------------ */

static void test_close_twice_second_is_told(void **arg)
{
    (void)arg;
    char tag[8];
    a3m_node node = test_node("node");
    a3m_socket socket = test_socket(node, &a3m_pull, "sink");
    assert_int_equal(a3m_socket_close(socket), A3M_OK);
    assert_int_equal(a3m_socket_close(socket), A3M_EHANDLE);
    assert_int_equal(a3m_socket_tag(socket, tag, sizeof(tag)), A3M_EHANDLE);
    test_close(node);
    assert_int_equal(a3m_node_close(node, A3M_FOREVER, NULL), A3M_EHANDLE);
    assert_int_equal(a3m_socket_open(&socket, node, &a3m_pull, NULL), A3M_EHANDLE);
}

static void test_close_ends_the_handles_of_sockets_and_links(void **arg)
{
    (void)arg;
    a3m_link_info info = {.size = sizeof(info)};
    a3m_node node = test_node("node");
    a3m_socket pull = test_socket(node, &a3m_pull, "sink");
    a3m_socket push = test_socket(node, &a3m_push, NULL);
    a3m_link link = test_link(push, "node/sink");
    test_close(node);
    assert_int_equal(a3m_socket_close(pull), A3M_EHANDLE);
    assert_int_equal(a3m_send_bytes(push, "m", 1, A3M_NOW), A3M_EHANDLE);
    assert_int_equal(a3m_link_end(link), A3M_EHANDLE);
    assert_int_equal(a3m_link_get_info(link, &info), A3M_EHANDLE);
}

static void test_close_tag_free_again_at_once(void **arg)
{
    (void)arg;
    a3m_node node = test_node("node");
    for (int i = 0; i < 100; i++) {
        a3m_socket pull = test_socket(node, &a3m_pull, "sink");
        a3m_socket push = test_socket(node, &a3m_push, "source");
        test_link(push, "node/sink");
        assert_int_equal(a3m_socket_close(pull), A3M_OK);
        assert_int_equal(a3m_socket_close(push), A3M_OK);
    }
    test_close(node);
}

static int close_forever(void *arg)
{
    return a3m_node_close(*(const a3m_node *)arg, A3M_FOREVER, NULL);
}

static void test_close_by_two_threads_at_once_one_does_it(void **arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        struct caller other;
        a3m_node node = test_node("node");
        test_socket(node, &a3m_pull, "sink");
        test_link(test_socket(node, &a3m_push, NULL), "node/sink");
        caller_start(&other, close_forever, &node);
        int mine = close_forever(&node);
        int others = caller_join(&other);
        assert_true((mine == A3M_OK) != (others == A3M_OK));
        int loser = mine == A3M_OK ? others : mine;
        assert_true(loser == A3M_ECLOSED || loser == A3M_EHANDLE);
    }
}

static void test_close_never_started_at_once(void **arg)
{
    (void)arg;
    a3m_close_report report;
    a3m_node node = test_node_idle("idle", "udp://127.0.0.1:0");
    a3m_socket push = test_socket(node, &a3m_push, "source");
    test_socket(node, &a3m_pull, "sink");
    a3m_link link;
    assert_int_equal(a3m_socket_link(push, "udp://127.0.0.1:9/sink", &link), A3M_OK);
    assert_int_equal(a3m_socket_link(push, "idle/sink", NULL), A3M_OK);
    assert_int_equal(a3m_link_end(link), A3M_OK);
    assert_int_equal(close_node(node, A3M_FOREVER, &report), A3M_OK);
    assert_all_zero(&report);
}

/* ---- Calls under way ------------------------------------------------------------------ */

/* A node with one socket, whose call is under way, and a node for its peer. */
struct world {
    a3m_node client, server;
    a3m_socket socket;
    a3m_link link;
    a3m_request request;
};

static int block_recv(void *arg)
{
    a3m_msg *msg;
    return a3m_recv(((struct world *)arg)->socket, &msg);
}

static int block_send(void *arg)
{
    return a3m_send_bytes(((struct world *)arg)->socket, "m", 1, A3M_FOREVER);
}

static int block_request_reply(void *arg)
{
    a3m_msg *reply;
    a3m_msg *request = a3m_msg_copy("?", 1);
    bool sent;
    int result = a3m_request_reply(((struct world *)arg)->socket, request, &reply, A3M_FOREVER, &sent);
    if (!sent) {
        a3m_msg_free(request);
    }
    return result;
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

static int block_wait_link_or_none(void *arg)
{
    return a3m_socket_wait_link_or_none(((struct world *)arg)->socket, NULL, A3M_FOREVER);
}

static int block_drain(void *arg)
{
    return a3m_socket_drain(((struct world *)arg)->socket, A3M_FOREVER);
}

static void prepare_pull(struct world *world)
{
    world->socket = test_socket(world->client, &a3m_pull, NULL);
}

static void prepare_push(struct world *world)
{
    world->socket = test_socket(world->client, &a3m_push, NULL);
}

/* A link whose credit is used up. */
static void prepare_no_credit(struct world *world)
{
    prepare_push(world);
    a3m_socket pull = test_socket(world->server, &a3m_pull, "sink");
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
    world->link = test_link(world->socket, test_url(world->server, "sink"));
    push_and_drain(world->socket, 1);
}

/* A link that does not come up. */
static void prepare_refused(struct world *world)
{
    prepare_push(world);
    assert_int_equal(a3m_socket_link(world->socket, test_url(world->server, "missing"), &world->link),
                     A3M_OK);
}

static void prepare_lonely_req(struct world *world)
{
    world->socket = test_socket(world->client, &a3m_req, NULL);
}

static void prepare_req(struct world *world)
{
    test_socket(world->server, &a3m_rep, "mute");
    world->socket = test_socket(world->client, &a3m_req, NULL);
    world->link = test_link(world->socket, test_url(world->server, "mute"));
}

static void prepare_request(struct world *world)
{
    prepare_req(world);
    assert_int_equal(a3m_request_send(world->socket, test_msg("?"), &world->request, SOON), A3M_OK);
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
    const char *url = far_url(&fars[FAR_DRAIN], "sink");
    for (int i = 0; i < 2; i++) {
        worlds[i].socket = test_socket(node, &a3m_push, NULL);
        test_link(worlds[i].socket, url);
    }
    far_kill(&fars[FAR_DRAIN]);
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

/* ---- What the peer sees ------------------------------------------------------------------ */

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
    test_link(world.socket, far_url(&fars[FAR_REQUEST], "mute"));
    far_kill(&fars[FAR_REQUEST]);
    caller_start(&caller, block_request_reply, &world);
    assert_int_equal(caller_join(&caller), A3M_ESILENT);
    (void)close_node(world.client, a3m_in(a3m_ms(200)), &report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_all_acknowledged_and_taken_report_is_zero),
        cmocka_unit_test(test_close_messages_under_way_are_delivered_first),
        cmocka_unit_test(test_close_messages_not_taken_are_counted_as_unread),
        cmocka_unit_test(test_close_socket_closed_before_its_messages_are_counted_as_unread),
        cmocka_unit_test(test_close_peer_vanished_bounded_and_counted),
        cmocka_unit_test(test_close_peer_that_never_was_bounded),
        cmocka_unit_test(test_close_peer_not_started_bounded),
        cmocka_unit_test(test_close_twice_second_is_told),
        cmocka_unit_test(test_close_ends_the_handles_of_sockets_and_links),
        cmocka_unit_test(test_close_tag_free_again_at_once),
        cmocka_unit_test(test_close_by_two_threads_at_once_one_does_it),
        cmocka_unit_test(test_close_never_started_at_once),
        cmocka_unit_test(test_socket_closes_blocked_calls_return),
        cmocka_unit_test(test_node_closes_blocked_calls_return),
        cmocka_unit_test(test_node_closes_many_blocked_calls_all_return),
        cmocka_unit_test(test_drain_blocked_socket_and_node_close_it_returns),
        cmocka_unit_test(test_peer_closes_link_has_ended),
        cmocka_unit_test(test_peer_closes_who_waits_for_its_link_learns_it),
        cmocka_unit_test(test_peer_closes_send_waits_for_another_link),
        cmocka_unit_test(test_peer_closes_reply_that_waits_for_credit_returns),
        cmocka_unit_test(test_peer_closes_request_outstanding_fails),
        cmocka_unit_test(test_peer_closes_at_once_request_outstanding_fails),
        cmocka_unit_test(test_peer_vanished_request_outstanding_fails_at_the_peer_timeout),
    };
    for (int i = 0; i < FAR_COUNT; i++) {
        far_start(&fars[i], far_body);
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < FAR_COUNT; i++) {
        far_kill(&fars[i]);
    }
    return failed;
}
