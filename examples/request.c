/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks a server and prints its answer.
 *
 *     request [TEXT [PEER]]      PEER: udp://127.0.0.1:7000/echo
 */
#include <a3m/a3m.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s (%s)\n", what, a3m_strerror(result), a3m_error_detail());
        exit(1);
    }
}

int main(int argc, char **argv)
{
    const char *text = argc > 1 ? argv[1] : "hello";
    const char *peer = argc > 2 ? argv[2] : "udp://127.0.0.1:7000/echo";
    char id[32];
    a3m_node node;
    a3m_socket req;
    a3m_msg *reply;

    /* Ids are unique among the nodes that talk to one another; the address is any free port. */
    snprintf(id, sizeof(id), "request-%d", (int)getpid());
    check(a3m_node_new(&node, id, NULL, NULL), "node");
    check(a3m_node_start(node), "start");
    check(a3m_socket_open(&req, node, &a3m_req, NULL), "socket");
    check(a3m_socket_link(req, peer, NULL), "link");

    /* The link comes up meanwhile, also when the server is started only now. */
    a3m_msg *request = a3m_msg_copy(text, strlen(text));
    check(request != NULL ? 0 : A3M_ENOMEM, "message");
    check(a3m_request_reply(req, request, &reply, a3m_in(a3m_seconds(5)), NULL), "request");

    printf("%.*s\n", (int)a3m_msg_size(reply), (const char *)a3m_msg_data(reply));
    a3m_msg_free(reply);
    check(a3m_node_close(node, a3m_in(a3m_seconds(2)), NULL), "close");
    return 0;
}
