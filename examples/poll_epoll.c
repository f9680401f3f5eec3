/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A3M in an application that has its own epoll loop: the poller's descriptor is
 * one of those it watches. Lines of standard input are pushed to a sink of the
 * same program, through the network of the machine, and printed when they
 * arrive.
 *
 *     printf 'one\ntwo\n' | poll_epoll
 */
#include <a3m/a3m.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s (%s)\n", what, a3m_strerror(result), a3m_error_detail());
        exit(1);
    }
}

static void watch(int set, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};

    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) != 0) {
        perror("epoll_ctl (standard input has to be a pipe or a terminal)");
        exit(1);
    }
}

/* What the poller has: takes all messages that are there. Returns how many. */
static int drain(a3m_poller poller, a3m_socket pull)
{
    a3m_poll_event event;
    a3m_msg *msg;
    int n = 0;

    check(a3m_poller_wait(poller, &event, 1, A3M_NOW), "poller");
    while (a3m_try_recv(pull, &msg) == A3M_OK) {
        printf("%.*s", (int)a3m_msg_size(msg), (const char *)a3m_msg_data(msg));
        a3m_msg_free(msg);
        n++;
    }
    return n;
}

int main(void)
{
    char address[A3M_LINK_ADDRESS_SIZE], peer[A3M_LINK_ADDRESS_SIZE + 8], line[4096];
    a3m_node from, to;
    a3m_socket push, pull;
    a3m_poller poller;
    int fd, set = epoll_create1(EPOLL_CLOEXEC);

    check(a3m_node_new(&to, "to", "udp://127.0.0.1:0", NULL), "node");
    check(a3m_node_new(&from, "from", "udp://127.0.0.1:0", NULL), "node");
    check(a3m_node_start(to), "start");
    check(a3m_node_start(from), "start");
    check(a3m_socket_open(&pull, to, &a3m_pull, "sink"), "socket");
    check(a3m_socket_open(&push, from, &a3m_push, NULL), "socket");
    check(a3m_node_address(to, address, sizeof(address)), "address");
    snprintf(peer, sizeof(peer), "%s/sink", address);
    check(a3m_socket_link(push, peer, NULL), "link");

    check(a3m_poller_new(&poller, 0), "poller");
    check(a3m_poller_add(poller, a3m_pollable_socket(pull), A3M_POLL_IN, NULL), "add");
    check(a3m_poller_fd(poller, &fd), "descriptor");
    watch(set, fd);
    watch(set, STDIN_FILENO);

    int sent = 0, printed = 0;
    for (bool open = true; open || printed < sent;) {
        struct epoll_event event;

        if (epoll_wait(set, &event, 1, -1) != 1) {
            continue; /* a signal */
        }
        if (event.data.fd == fd) {
            printed += drain(poller, pull);
            continue;
        }
        ssize_t size = read(STDIN_FILENO, line, sizeof(line));
        if (size > 0) {
            check(a3m_send_bytes(push, line, (size_t)size, A3M_FOREVER), "send");
            sent++;
        } else {
            open = false;
            (void)epoll_ctl(set, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
        }
    }
    check(a3m_poller_close(poller), "close");
    check(a3m_node_close(from, a3m_in(a3m_seconds(2)), NULL), "close");
    check(a3m_node_close(to, a3m_in(a3m_seconds(2)), NULL), "close");
    close(set);
    return 0;
}
