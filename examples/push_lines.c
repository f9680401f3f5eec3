/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends each line of its input as one message. Lines arrive exactly once and in
 * order; sending waits while the receiver is not there yet, or does not keep up.
 *
 *     push_lines [PEER] < FILE      PEER: udp://127.0.0.1:7001/lines
 */
#include <a3m/a3m.h>

#include <stdio.h>
#include <stdlib.h>
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
    char id[32];
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    a3m_node node;
    a3m_socket push;

    snprintf(id, sizeof(id), "push-lines-%d", (int)getpid());
    check(a3m_node_new(&node, id, NULL, NULL), "node");
    check(a3m_node_start(node), "start");
    check(a3m_socket_open(&push, node, &a3m_push, NULL), "socket");
    check(a3m_socket_link(push, argc > 1 ? argv[1] : "udp://127.0.0.1:7001/lines", NULL), "link");

    while ((length = getline(&line, &room, stdin)) >= 0) {
        if (length > 0 && line[length - 1] == '\n') {
            length--;
        }
        check(a3m_send_bytes(push, line, (size_t)length, A3M_FOREVER), "send");
    }
    free(line);

    /* What was sent is still on its way: closing waits for it, and tells what it could not finish. */
    a3m_close_report report = {.size = sizeof(report)};
    int result = a3m_node_close(node, a3m_in(a3m_seconds(10)), &report);
    if (result == A3M_ETIMEDOUT) {
        fprintf(stderr, "%llu lines not delivered, %llu perhaps\n", (unsigned long long)report.undelivered,
                (unsigned long long)report.unknown);
    }
    check(result, "close");
    return 0;
}
