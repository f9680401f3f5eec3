/* SPDX-License-Identifier: Apache-2.0 */
#include "node_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void ok(int result, const char *what)
{
    if (result != A3M_OK) {
        fail_msg("%s: %s (%s)", what, a3m_strerror(result), a3m_error_detail());
    }
}

a3m_node test_node_idle(const char *id, const char *address)
{
    a3m_node node;
    ok(a3m_node_new(&node, id, address, NULL), "a3m_node_new");
    return node;
}

a3m_node test_node_at(const char *id, const char *address)
{
    a3m_node node = test_node_idle(id, address);
    ok(a3m_node_start(node), "a3m_node_start");
    return node;
}

a3m_node test_node(const char *id)
{
    return test_node_at(id, "udp://127.0.0.1:0");
}

const char *test_url(a3m_node node, const char *tag)
{
    static char texts[4][512];
    static unsigned next;
    char address[128];
    char *text = texts[next++ % 4];
    ok(a3m_node_address(node, address, sizeof(address)), "a3m_node_address");
    snprintf(text, sizeof(texts[0]), "%s/%s", address, tag);
    return text;
}

a3m_socket test_socket(a3m_node node, const a3m_socket_type *type, const char *tag)
{
    a3m_socket socket;
    ok(a3m_socket_open(&socket, node, type, tag), "a3m_socket_open");
    return socket;
}

a3m_link test_link(a3m_socket socket, const char *peer)
{
    a3m_link link;
    ok(a3m_socket_link(socket, peer, &link), "a3m_socket_link");
    ok(a3m_link_wait(link, SOON), "a3m_link_wait");
    return link;
}

a3m_msg *test_msg(const char *text)
{
    a3m_msg *msg = a3m_msg_copy(text, strlen(text));
    assert_non_null(msg);
    return msg;
}

void test_msg_is(a3m_msg *msg, const char *text)
{
    assert_non_null(msg);
    assert_int_equal(a3m_msg_size(msg), strlen(text));
    assert_memory_equal(a3m_msg_data(msg), text, strlen(text));
    a3m_msg_free(msg);
}

void test_expect(a3m_socket socket, const char *text)
{
    a3m_msg *msg = NULL;
    ok(a3m_recv_until(socket, &msg, SOON), "a3m_recv_until");
    test_msg_is(msg, text);
}

void test_close(a3m_node node)
{
    a3m_close_report report = {.size = sizeof(report)};
    ok(a3m_node_close(node, SOON, &report), "a3m_node_close");
    assert_int_equal(report.undelivered, 0);
    assert_int_equal(report.unknown, 0);
}

a3m_node_stats test_stats(a3m_node node)
{
    a3m_node_stats stats = {.size = sizeof(stats)};
    ok(a3m_node_get_stats(node, &stats), "a3m_node_get_stats");
    return stats;
}
