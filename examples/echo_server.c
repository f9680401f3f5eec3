/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers every request with its own bytes, until it is interrupted (Ctrl-C).
 *
 *     echo_server [ADDRESS]      udp://127.0.0.1:7000
 *
 * Its socket's tag is "echo": peers write udp://127.0.0.1:7000/echo.
 */
#include <a3m/a3m.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s (%s)\n", what, a3m_strerror(result), a3m_error_detail());
        exit(1);
    }
}

/* Serves until the node is closed. */
static void *serve(void *arg)
{
    a3m_socket rep = *(a3m_socket *)arg;
    a3m_msg *request;
    int result;

    while ((result = a3m_recv(rep, &request)) == 0) {
        a3m_msg *reply = a3m_msg_dup(request); /* the same bytes, not copied */

        if (reply != NULL && a3m_reply(rep, request, reply, A3M_FOREVER) != 0) {
            a3m_msg_free(reply); /* its requester has gone meanwhile */
        }
        a3m_msg_free(request);
    }
    check(result == A3M_ECLOSED ? 0 : result, "receive");
    return NULL;
}

int main(int argc, char **argv)
{
    char address[A3M_LINK_ADDRESS_SIZE];
    sigset_t interrupts;
    int signal_number;
    pthread_t thread;
    a3m_node node;
    a3m_socket rep;

    /* Every thread made from here on leaves the signal to sigwait below. */
    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGINT);
    sigaddset(&interrupts, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &interrupts, NULL);

    check(a3m_node_new(&node, "echo-server", argc > 1 ? argv[1] : "udp://127.0.0.1:7000", NULL), "node");
    check(a3m_socket_open(&rep, node, &a3m_rep, "echo"), "socket");
    check(a3m_node_start(node), "start");
    check(a3m_node_address(node, address, sizeof(address)), "address");
    printf("%s/echo\n", address);
    fflush(stdout);
    if (pthread_create(&thread, NULL, serve, &rep) != 0) {
        check(A3M_EOS, "thread");
    }

    sigwait(&interrupts, &signal_number);
    check(a3m_node_close(node, a3m_in(a3m_seconds(2)), NULL), "close"); /* a3m_recv returns A3M_ECLOSED */
    pthread_join(thread, NULL);
    return 0;
}
