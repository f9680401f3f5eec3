/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight threads ask through one REQ socket, and each gets the answers to its own
 * requests. Needs echo_server.
 *
 *     many_threads [PEER]      udp://127.0.0.1:7000/echo
 */
#include <a3m/a3m.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 8, REQUESTS = 10000 };

static a3m_socket req; /* sockets may be used by any number of threads */

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s (%s)\n", what, a3m_strerror(result), a3m_error_detail());
        exit(1);
    }
}

static void *ask(void *arg)
{
    int thread = *(int *)arg;

    for (int i = 0; i < REQUESTS; i++) {
        int question[2] = {thread, i};
        a3m_msg *request = a3m_msg_copy(question, sizeof(question)), *reply;

        check(request != NULL ? 0 : A3M_ENOMEM, "message");
        check(a3m_request_reply(req, request, &reply, a3m_in(a3m_seconds(10)), NULL), "request");
        if (a3m_msg_size(reply) != sizeof(question) ||
            memcmp(a3m_msg_data(reply), question, sizeof(question)) != 0) {
            fprintf(stderr, "thread %d got the answer to another question\n", thread);
            exit(1);
        }
        a3m_msg_free(reply);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    char id[32];
    pthread_t threads[THREADS];
    int numbers[THREADS];
    a3m_node node;

    snprintf(id, sizeof(id), "many-threads-%d", (int)getpid());
    check(a3m_node_new(&node, id, NULL, NULL), "node");
    check(a3m_node_start(node), "start");
    check(a3m_socket_open(&req, node, &a3m_req, NULL), "socket");
    check(a3m_socket_link(req, argc > 1 ? argv[1] : "udp://127.0.0.1:7000/echo", NULL), "link");

    a3m_time start = a3m_now();
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        check(pthread_create(&threads[i], NULL, ask, &numbers[i]) == 0 ? 0 : A3M_EOS, "thread");
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    double seconds = (double)(a3m_now().ns - start.ns) / 1e9;
    printf("%d requests, %.0f a second\n", THREADS * REQUESTS, THREADS * REQUESTS / seconds);
    check(a3m_node_close(node, a3m_in(a3m_seconds(2)), NULL), "close");
    return 0;
}
