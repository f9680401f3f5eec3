/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A3M in an application that runs a libuv loop: a uv_poll_t on the poller's
 * descriptor. Answers the requests of many REQ sockets of other programs, and
 * prints once a second how many there were, until it is interrupted.
 *
 *     poll_libuv [ADDRESS]      udp://127.0.0.1:7000; its socket is "echo"
 */
#include <a3m/a3m.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct server {
    a3m_node node;
    a3m_socket rep;
    a3m_poller poller;
    unsigned long answered, told;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_signal_t interrupt;
};

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s (%s)\n", what, a3m_strerror(result), a3m_error_detail());
        exit(1);
    }
}

/* At most so many at a time, so that the loop's other work has its turn. */
enum { AT_ONCE = 64 };

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct server *server = poll->data;
    a3m_poll_event event;
    a3m_msg *request;

    (void)status;
    (void)events;
    /* Takes the report, which silences the descriptor once nothing is there any more. */
    check(a3m_poller_wait(server->poller, &event, 1, A3M_NOW), "poller");
    for (int i = 0; i < AT_ONCE && a3m_try_recv(server->rep, &request) == A3M_OK; i++) {
        a3m_msg *reply = a3m_msg_dup(request);

        if (reply != NULL && a3m_reply(server->rep, request, reply, A3M_NOW) != A3M_OK) {
            a3m_msg_free(reply); /* its requester is gone, or takes no replies: never wait for it here */
        }
        a3m_msg_free(request);
        server->answered++;
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct server *server = timer->data;

    if (server->answered != server->told) {
        printf("%lu requests\n", server->answered);
        fflush(stdout);
    }
    server->told = server->answered;
}

static void on_interrupt(uv_signal_t *interrupt, int number)
{
    (void)number;
    uv_stop(interrupt->loop);
}

int main(int argc, char **argv)
{
    char address[A3M_LINK_ADDRESS_SIZE];
    struct server server = {0};
    uv_loop_t *loop = uv_default_loop();
    int fd;

    check(a3m_node_new(&server.node, "uv-server", argc > 1 ? argv[1] : "udp://127.0.0.1:7000", NULL), "node");
    check(a3m_socket_open(&server.rep, server.node, &a3m_rep, "echo"), "socket");
    check(a3m_node_start(server.node), "start");
    check(a3m_node_address(server.node, address, sizeof(address)), "address");
    printf("%s/echo\n", address);
    fflush(stdout);

    check(a3m_poller_new(&server.poller, 0), "poller");
    check(a3m_poller_add(server.poller, a3m_pollable_socket(server.rep), A3M_POLL_IN, NULL), "add");
    check(a3m_poller_fd(server.poller, &fd), "descriptor");

    uv_poll_init(loop, &server.poll, fd);
    uv_timer_init(loop, &server.timer);
    uv_signal_init(loop, &server.interrupt);
    server.poll.data = server.timer.data = &server;
    uv_poll_start(&server.poll, UV_READABLE, on_ready);
    uv_timer_start(&server.timer, on_timer, 1000, 1000);
    uv_signal_start(&server.interrupt, on_interrupt, SIGINT);
    uv_run(loop, UV_RUN_DEFAULT);

    uv_close((uv_handle_t *)&server.poll, NULL);
    uv_close((uv_handle_t *)&server.timer, NULL);
    uv_close((uv_handle_t *)&server.interrupt, NULL);
    uv_run(loop, UV_RUN_DEFAULT); /* libuv lets go of the descriptor before the poller closes it */
    uv_loop_close(loop);
    check(a3m_poller_close(server.poller), "close");
    check(a3m_node_close(server.node, a3m_in(a3m_seconds(2)), NULL), "close");
    return 0;
}
