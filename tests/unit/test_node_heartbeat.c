/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request whose server has it, and dies: it learns that by asking, although
 * everything it sent was acknowledged. covers L9 N9 S6
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "far.h"
#include "node_fixture.h"

/* Servers, forked before there are nodes: the second of a pair takes the first one's place. */
enum { FIRST, SECOND, SILENT, FAR_COUNT };
static struct far fars[FAR_COUNT];

/* Told an address, or "any": takes requests there, says so, and answers none. */
static void mute_body(int fd)
{
    char address[128];
    far_hear(fd, address, sizeof(address));
    a3m_node node = strcmp(address, "any") == 0 ? test_node("far") : test_node_at("far", address);
    a3m_socket rep = test_socket(node, &a3m_rep, "mute");
    assert_int_equal(a3m_node_address(node, address, sizeof(address)), A3M_OK);
    far_say(fd, address);
    for (;;) {
        a3m_msg *request;
        assert_int_equal(a3m_recv(rep, &request), A3M_OK);
        far_say(fd, "request");
    }
}

struct world {
    a3m_node node;
    a3m_socket req;
    char address[128];
};

/* A client whose request the first server has. */
static void ask(struct world *world, struct far *far, const a3m_node_config *config, a3m_duration heartbeat,
                a3m_request *request)
{
    char url[160], line[16];
    far_say(far->fd, "any");
    far_hear(far->fd, world->address, sizeof(world->address));
    assert_int_equal(a3m_node_new(&world->node, "near", "udp://127.0.0.1:0", config), A3M_OK);
    assert_int_equal(a3m_node_start(world->node), A3M_OK);
    world->req = test_socket(world->node, &a3m_req, NULL);
    assert_int_equal(a3m_socket_set(world->req, A3M_OPT_HEARTBEAT, heartbeat.ns), A3M_OK);
    (void)snprintf(url, sizeof(url), "%s/mute", world->address);
    test_link(world->req, url);
    assert_int_equal(a3m_request_send(world->req, test_msg("?"), request, SOON), A3M_OK);
    far_hear(far->fd, line, sizeof(line));
    assert_string_equal(line, "request");
    assert_int_equal(a3m_socket_drain(world->req, SOON), A3M_OK); /* nothing is left to be sent again */
}

static void test_heartbeat_server_restarts_its_request_fails(void **arg)
{
    (void)arg;
    struct world world;
    a3m_request request;
    a3m_msg *reply;
    char line[128];
    ask(&world, &fars[FIRST], NULL, a3m_ms(20), &request);
    far_kill(&fars[FIRST]);
    far_say(fars[SECOND].fd, world.address);
    far_hear(fars[SECOND].fd, line, sizeof(line));
    assert_string_equal(line, world.address);
    assert_int_equal(a3m_request_wait(world.req, request, &reply, SOON), A3M_ERESTARTED);
    (void)a3m_node_close(world.node, a3m_in(a3m_ms(200)), NULL);
    far_kill(&fars[SECOND]);
}

static void test_heartbeat_server_vanishes_its_request_fails_at_the_peer_timeout(void **arg)
{
    (void)arg;
    struct world world;
    a3m_request request;
    a3m_msg *reply;
    a3m_node_config config = {.size = sizeof(config), .peer_timeout = a3m_ms(200)};
    ask(&world, &fars[SILENT], &config, a3m_ms(20), &request);
    far_kill(&fars[SILENT]);
    assert_int_equal(a3m_request_wait(world.req, request, &reply, SOON), A3M_ESILENT);
    (void)a3m_node_close(world.node, a3m_in(a3m_ms(200)), NULL);
}

/* It lives, and takes its time: asking does no harm. */
static void test_heartbeat_slow_server_is_waited_for(void **arg)
{
    (void)arg;
    a3m_node_config config = {.size = sizeof(config), .peer_timeout = a3m_ms(100), .linger = a3m_ms(30)};
    a3m_node server = test_node("server"), client;
    a3m_socket rep = test_socket(server, &a3m_rep, "slow");
    a3m_request request;
    a3m_msg *msg, *asked;
    assert_int_equal(a3m_node_new(&client, "client", "udp://127.0.0.1:0", &config), A3M_OK);
    assert_int_equal(a3m_node_start(client), A3M_OK);
    a3m_socket req = test_socket(client, &a3m_req, NULL);
    assert_int_equal(a3m_socket_set(req, A3M_OPT_HEARTBEAT, a3m_ms(10).ns), A3M_OK);
    test_link(req, test_url(server, "slow"));
    assert_int_equal(a3m_request_send(req, test_msg("?"), &request, SOON), A3M_OK);
    assert_int_equal(a3m_recv_until(rep, &asked, SOON), A3M_OK);
    /* Many heartbeats, several peer timeouts and lingers: this wait is the server's work. */
    assert_int_equal(a3m_request_wait(req, request, &msg, a3m_in(a3m_ms(500))), A3M_ETIMEDOUT);
    a3m_msg *reply = test_msg("!");
    assert_int_equal(a3m_reply(rep, asked, reply, SOON), A3M_OK);
    a3m_msg_free(asked);
    assert_int_equal(a3m_request_wait(req, request, &msg, SOON), A3M_OK);
    test_msg_is(msg, "!");
    test_close(client);
    test_close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heartbeat_server_restarts_its_request_fails),
        cmocka_unit_test(test_heartbeat_server_vanishes_its_request_fails_at_the_peer_timeout),
        cmocka_unit_test(test_heartbeat_slow_server_is_waited_for),
    };
    for (int i = 0; i < FAR_COUNT; i++) {
        far_start(&fars[i], mute_body);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
