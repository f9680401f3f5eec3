/* SPDX-License-Identifier: Apache-2.0 */
#include "support/fairness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <a3m/a3m.h>

struct race {
    const struct fairness_plan *plan;
    a3m_node from, to;
    a3m_socket push, pull;
    a3m_link link;
    pthread_barrier_t start;
    _Atomic uint64_t begun;
    _Atomic int error;
};

struct runner {
    struct race *race;
    bool specific;
    uint64_t sent;
    pthread_t thread;
};

static void *send_main(void *arg)
{
    struct runner *self = arg;
    struct race *race = self->race;
    (void)pthread_barrier_wait(&race->start);
    while (atomic_fetch_add(&race->begun, 1) < race->plan->sends) {
        a3m_msg *msg = a3m_msg_new(8);
        a3m_time deadline = a3m_in(a3m_seconds(60));
        int result = self->specific ? a3m_link_send(race->link, msg, deadline)
                                    : a3m_send_until(race->push, msg, deadline);
        if (result != A3M_OK) {
            a3m_msg_free(msg);
            atomic_store(&race->error, result);
            break;
        }
        self->sent++;
    }
    return NULL;
}

static void *recv_main(void *arg)
{
    struct race *race = arg;
    a3m_msg *msg;
    while (a3m_recv(race->pull, &msg) == A3M_OK) {
        a3m_msg_free(msg);
        a3m_time until = a3m_in((a3m_duration){race->plan->work_ns});
        while (a3m_now().ns < until.ns) {}
    }
    return NULL;
}

static int open_race(struct race *race)
{
    char address[128];
    char url[160];
    int result = a3m_node_new(&race->from, "from", "udp://127.0.0.1:0", NULL);
    result = result != A3M_OK ? result : a3m_node_new(&race->to, "to", "udp://127.0.0.1:0", NULL);
    result = result != A3M_OK ? result : a3m_node_start(race->from);
    result = result != A3M_OK ? result : a3m_node_start(race->to);
    result = result != A3M_OK ? result : a3m_socket_open(&race->push, race->from, &a3m_push, NULL);
    result = result != A3M_OK ? result : a3m_socket_open(&race->pull, race->to, &a3m_pull, "sink");
    result = result != A3M_OK ? result : a3m_socket_set(race->push, A3M_OPT_FAIR, race->plan->fair);
    result = result != A3M_OK ? result
                              : a3m_socket_set(race->pull, A3M_OPT_CREDIT_MESSAGES, race->plan->credit);
    result = result != A3M_OK ? result : a3m_node_address(race->to, address, sizeof(address));
    if (result != A3M_OK) {
        return result;
    }
    (void)snprintf(url, sizeof(url), "%s/sink", address);
    result = a3m_socket_link(race->push, url, &race->link);
    return result != A3M_OK ? result : a3m_link_wait(race->link, a3m_in(a3m_seconds(20)));
}

static double worst_of(const struct fairness_result *result, uint64_t sends)
{
    double even = (double)sends / FAIRNESS_THREADS, worst = 0;
    for (int i = 0; i < FAIRNESS_THREADS; i++) {
        double off = (double)result->shares[i] / even - 1;
        off = off < 0 ? -off : off;
        worst = off > worst ? off : worst;
    }
    return worst;
}

static void run_race(struct race *race, struct fairness_result *result)
{
    struct runner runners[FAIRNESS_THREADS];
    pthread_t receiver;
    (void)pthread_barrier_init(&race->start, NULL, FAIRNESS_THREADS + 1);
    (void)pthread_create(&receiver, NULL, recv_main, race);
    for (int i = 0; i < FAIRNESS_THREADS; i++) {
        runners[i] = (struct runner){.race = race, .specific = i % 2 == 0};
        (void)pthread_create(&runners[i].thread, NULL, send_main, &runners[i]);
    }
    (void)pthread_barrier_wait(&race->start);
    int64_t begin = a3m_now().ns;
    for (int i = 0; i < FAIRNESS_THREADS; i++) {
        (void)pthread_join(runners[i].thread, NULL);
        result->shares[i] = runners[i].sent;
    }
    result->ns = a3m_now().ns - begin;
    (void)a3m_socket_close(race->pull);
    (void)pthread_join(receiver, NULL);
    (void)pthread_barrier_destroy(&race->start);
    result->worst = worst_of(result, race->plan->sends);
}

int fairness_run(const struct fairness_plan *plan, struct fairness_result *result)
{
    struct race race = {.plan = plan};
    memset(result, 0, sizeof(*result));
    int code = open_race(&race);
    if (code == A3M_OK) {
        run_race(&race, result);
        code = atomic_load(&race.error);
    }
    if (race.from.v != 0) {
        (void)a3m_node_close(race.from, a3m_in(a3m_seconds(10)), NULL);
    }
    if (race.to.v != 0) {
        (void)a3m_node_close(race.to, a3m_in(a3m_seconds(10)), NULL);
    }
    return code;
}
