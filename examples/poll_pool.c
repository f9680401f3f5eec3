/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of threads on one poller: each takes one ready socket, works on it
 * alone (one-shot), and arms it again. Two hundred clients of one REP socket each
 * and four workers; every client gets its answers in order.
 *
 *     poll_pool
 */
#include <a3m/a3m.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERVICES = 200, WORKERS = 4, REQUESTS = 20 };

struct service {
    a3m_socket rep;
    atomic_int inside; /* threads that work on it: one-shot means that there is never a second one */
    unsigned answered;
};

static a3m_poller poller;
static struct service services[SERVICES];

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s (%s)\n", what, a3m_strerror(result), a3m_error_detail());
        exit(1);
    }
}

static void serve(struct service *service)
{
    a3m_msg *request;

    if (atomic_fetch_add(&service->inside, 1) != 0) {
        fprintf(stderr, "two threads with one socket\n");
        exit(1);
    }
    while (a3m_try_recv(service->rep, &request) == A3M_OK) {
        a3m_msg *reply = a3m_msg_dup(request);

        check(reply != NULL ? 0 : A3M_ENOMEM, "reply");
        check(a3m_reply(service->rep, request, reply, A3M_FOREVER), "reply");
        a3m_msg_free(request);
        service->answered++;
    }
    atomic_fetch_sub(&service->inside, 1);
    /* Armed again: what came since the last look is reported at once. */
    int result = a3m_poller_modify(poller, a3m_pollable_socket(service->rep), A3M_POLL_IN | A3M_POLL_ONESHOT,
                                   service);
    check(result == A3M_EHANDLE || result == A3M_ENOENT ? 0 : result, "modify");
}

static void *work(void *arg)
{
    a3m_poll_event event;
    int n;

    (void)arg;
    while ((n = a3m_poller_wait(poller, &event, 1, A3M_FOREVER)) > 0) {
        if ((event.events & A3M_POLL_HUP) == 0) {
            serve(event.user);
        }
    }
    check(n == A3M_ECLOSED || n == A3M_EHANDLE ? 0 : n, "wait");
    return NULL;
}

/* Asks each service, all of them at once. */
static void ask_all(a3m_node client, const char *address)
{
    a3m_socket req[SERVICES];
    char peer[A3M_LINK_ADDRESS_SIZE + 32];

    for (int i = 0; i < SERVICES; i++) {
        check(a3m_socket_open(&req[i], client, &a3m_req, NULL), "socket");
        snprintf(peer, sizeof(peer), "%s/service-%d", address, i);
        check(a3m_socket_link(req[i], peer, NULL), "link");
    }
    for (int i = 0; i < REQUESTS * SERVICES; i++) {
        check(a3m_send_bytes(req[i % SERVICES], &i, sizeof(i), A3M_FOREVER), "send");
    }
    for (int i = 0; i < REQUESTS * SERVICES; i++) {
        a3m_msg *reply;

        check(a3m_recv(req[i % SERVICES], &reply), "receive");
        a3m_msg_free(reply);
    }
}

int main(void)
{
    char address[A3M_LINK_ADDRESS_SIZE], tag[32];
    pthread_t workers[WORKERS];
    a3m_node server, client;

    check(a3m_node_new(&server, "server", "udp://127.0.0.1:0", NULL), "node");
    check(a3m_node_new(&client, "client", "udp://127.0.0.1:0", NULL), "node");
    check(a3m_poller_new(&poller, 0), "poller");
    for (int i = 0; i < SERVICES; i++) {
        snprintf(tag, sizeof(tag), "service-%d", i);
        check(a3m_socket_open(&services[i].rep, server, &a3m_rep, tag), "socket");
        check(a3m_poller_add(poller, a3m_pollable_socket(services[i].rep), A3M_POLL_IN | A3M_POLL_ONESHOT,
                             &services[i]),
              "add");
    }
    check(a3m_node_start(server), "start");
    check(a3m_node_start(client), "start");
    check(a3m_node_address(server, address, sizeof(address)), "address");
    for (int i = 0; i < WORKERS; i++) {
        if (pthread_create(&workers[i], NULL, work, NULL) != 0) {
            check(A3M_EOS, "thread");
        }
    }
    ask_all(client, address);
    check(a3m_poller_close(poller), "close");
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i], NULL);
    }
    unsigned long answered = 0;
    for (int i = 0; i < SERVICES; i++) {
        answered += services[i].answered;
    }
    printf("%lu requests to %d sockets, answered by %d threads\n", answered, SERVICES, WORKERS);
    check(a3m_node_close(client, a3m_in(a3m_seconds(2)), NULL), "close");
    check(a3m_node_close(server, a3m_in(a3m_seconds(2)), NULL), "close");
    return answered == REQUESTS * SERVICES ? 0 : 1;
}
