/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of closing: a node with a socket whose call is under way, its peer, and processes that vanish.
 */
#ifndef TEST_NODE_CLOSE_H
#define TEST_NODE_CLOSE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "far.h"
#include "node_fixture.h"

/* For far_start: a process with a PULL "sink" and a REP "mute", which says its address. */
static inline void far_body(int fd)
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

/* The URL of a socket of that process. [valid until the next call] Once for each process. */
static inline const char *far_url(struct far *far, const char *tag)
{
    static char url[256];
    char address[128];
    far_hear(far->fd, address, sizeof(address));
    (void)snprintf(url, sizeof(url), "%s/%s", address, tag);
    return url;
}

static inline int close_node(a3m_node node, a3m_time deadline, a3m_close_report *report)
{
    *report = (a3m_close_report){.size = sizeof(*report)};
    return a3m_node_close(node, deadline, report);
}

/* Sends `n` messages and waits until the peer's node has them. */
static inline void push_and_drain(a3m_socket push, int n)
{
    for (int i = 0; i < n; i++) {
        assert_int_equal(a3m_send_bytes(push, "m", 1, SOON), A3M_OK);
    }
    assert_int_equal(a3m_socket_drain(push, SOON), A3M_OK);
}

/* A node with one socket, whose call is under way, and a node for its peer. */
struct world {
    a3m_node client, server;
    a3m_socket socket;
    a3m_link link;
    a3m_request request;
};

static inline int block_send(void *arg)
{
    return a3m_send_bytes(((struct world *)arg)->socket, "m", 1, A3M_FOREVER);
}

static inline int block_request_reply(void *arg)
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

static inline int block_wait_link_or_none(void *arg)
{
    return a3m_socket_wait_link_or_none(((struct world *)arg)->socket, NULL, A3M_FOREVER);
}

static inline void prepare_push(struct world *world)
{
    world->socket = test_socket(world->client, &a3m_push, NULL);
}

/* A link whose credit is used up. */
static inline void prepare_no_credit(struct world *world)
{
    prepare_push(world);
    a3m_socket pull = test_socket(world->server, &a3m_pull, "sink");
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
    world->link = test_link(world->socket, test_url(world->server, "sink"));
    push_and_drain(world->socket, 1);
}

/* A link that does not come up. */
static inline void prepare_refused(struct world *world)
{
    prepare_push(world);
    assert_int_equal(a3m_socket_link(world->socket, test_url(world->server, "missing"), &world->link),
                     A3M_OK);
}

static inline void prepare_req(struct world *world)
{
    test_socket(world->server, &a3m_rep, "mute");
    world->socket = test_socket(world->client, &a3m_req, NULL);
    world->link = test_link(world->socket, test_url(world->server, "mute"));
}

static inline void prepare_request(struct world *world)
{
    prepare_req(world);
    assert_int_equal(a3m_request_send(world->socket, test_msg("?"), &world->request, SOON), A3M_OK);
}

#endif
