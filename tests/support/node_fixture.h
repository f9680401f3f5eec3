/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What most tests of whole nodes need: nodes on loopback (port 0) or in the
 * process, linked sockets, messages with text. Every wait has a deadline far
 * beyond what a loaded machine needs, so that a hang fails and a slow run passes.
 */
#ifndef A3M_TEST_NODE_FIXTURE_H
#define A3M_TEST_NODE_FIXTURE_H

#include <a3m/a3m.h>

/* The deadline of everything that must happen. */
#define SOON a3m_in(a3m_seconds(20))

/* A node that is started, at any free UDP port of 127.0.0.1, or at `address`. Fails the test on any error. */
a3m_node test_node(const char *id);
a3m_node test_node_at(const char *id, const char *address);
a3m_node test_node_idle(const char *id, const char *address); /* not started */

/* "udp://127.0.0.1:PORT/tag" of a socket on a node; static buffer, the last four results stay valid. */
const char *test_url(a3m_node node, const char *tag);

a3m_socket test_socket(a3m_node node, const a3m_socket_type *type, const char *tag);

/* Links and waits until the link is up. */
a3m_link test_link(a3m_socket socket, const char *peer);

a3m_msg *test_msg(const char *text);
/* Receives one message and checks its text. */
void test_expect(a3m_socket socket, const char *text);
/* Checks a message's text, and frees it. */
void test_msg_is(a3m_msg *msg, const char *text);

/* Closes with a deadline and expects nothing to be left. */
void test_close(a3m_node node);

/* a3m_node_get_stats. */
a3m_node_stats test_stats(a3m_node node);

#endif
