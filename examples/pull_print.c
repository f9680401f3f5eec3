/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints each message that it receives as a line, whoever sends it: peers link
 * their PUSH sockets with udp://127.0.0.1:7001/lines.
 *
 *     pull_print [ADDRESS [COUNT]]      udp://127.0.0.1:7001; ends after COUNT messages
 */
#include <a3m/a3m.h>

#include <stdio.h>
#include <stdlib.h>

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s (%s)\n", what, a3m_strerror(result), a3m_error_detail());
        exit(1);
    }
}

int main(int argc, char **argv)
{
    const char *address = argc > 1 ? argv[1] : "udp://127.0.0.1:7001";
    unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    a3m_node node;
    a3m_socket pull;
    a3m_msg *msg;

    check(a3m_node_new(&node, "pull-print", address, NULL), "node");
    check(a3m_socket_open(&pull, node, &a3m_pull, "lines"), "socket");
    check(a3m_node_start(node), "start");

    for (unsigned long n = 0; count == 0 || n < count; n++) {
        check(a3m_recv(pull, &msg), "receive");
        fwrite(a3m_msg_data(msg), 1, a3m_msg_size(msg), stdout);
        putchar('\n');
        fflush(stdout);
        a3m_msg_free(msg);
    }
    check(a3m_node_close(node, a3m_in(a3m_seconds(2)), NULL), "close");
    return 0;
}
