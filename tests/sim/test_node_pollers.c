/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pollers in virtual time: one application thread drives a hundred sockets of each
 * of two nodes, over a network that loses and reorders, asking nothing but pollers.
 * The same seed gives the same packets and the same reports.
 * covers P1 P3 P4 P6
 */
#include <string.h>

#include <a3m/a3m.h>

#include "node_scenario.h"

enum { SOCKETS = 100, EACH = 40, AT_ONCE = 16 };

/* What a run comes to. */
struct run {
    uint64_t packets; /* the network's hash */
    uint64_t reports; /* a hash of what pollers reported, in its order */
    int64_t end;
    uint64_t lost, received;
};

struct drive {
    struct sim sim;
    a3m_socket pushes[SOCKETS], pulls[SOCKETS];
    uint32_t sent[SOCKETS], received[SOCKETS];
    a3m_poller in, out;
    struct run run;
};

/* All ways to watch, by turns; a one-shot has to be armed anew. */
static uint32_t flags_of(uint32_t i)
{
    static const uint32_t flags[] = {0, A3M_POLL_EDGE, A3M_POLL_ONESHOT, A3M_POLL_EXCLUSIVE};
    return flags[i % 4];
}

static void open_sockets(struct drive *d)
{
    char text[64];
    for (uint32_t i = 0; i < SOCKETS; i++) {
        (void)snprintf(text, sizeof text, "sink%u", i);
        assert_int_equal(a3m_socket_open(&d->pulls[i], d->sim.nodes[B].handle, &a3m_pull, text), A3M_OK);
        assert_int_equal(a3m_socket_set(d->pulls[i], A3M_OPT_CREDIT_MESSAGES, 8), A3M_OK);
        assert_int_equal(a3m_socket_open(&d->pushes[i], d->sim.nodes[A].handle, &a3m_push, NULL), A3M_OK);
        (void)snprintf(text, sizeof text, "sim://%u/sink%u", sim_net_address(B), i);
        assert_int_equal(a3m_socket_link(d->pushes[i], text, NULL), A3M_OK);
        assert_int_equal(a3m_poller_add(d->in, a3m_pollable_socket(d->pulls[i]), A3M_POLL_IN | flags_of(i),
                                        &d->received[i]),
                         A3M_OK);
        assert_int_equal(a3m_poller_add(d->out, a3m_pollable_socket(d->pushes[i]), A3M_POLL_OUT | flags_of(i),
                                        &d->sent[i]),
                         A3M_OK);
    }
}

static void note(struct drive *d, uint32_t i, uint32_t events)
{
    d->run.reports = (d->run.reports ^ (i << 8 | events)) * UINT64_C(0x100000001b3);
}

/* Everything that can be sent without waiting. */
static void on_writable(struct drive *d, const a3m_poll_event *event)
{
    uint32_t i = (uint32_t)((uint32_t *)event->user - d->sent);
    note(d, i, event->events);
    assert_int_equal(event->events, A3M_POLL_OUT);
    while (d->sent[i] < EACH) {
        a3m_msg *msg = a3m_msg_copy(&d->sent[i], sizeof d->sent[i]);
        if (a3m_try_send(d->pushes[i], msg) != A3M_OK) {
            a3m_msg_free(msg);
            break;
        }
        d->sent[i]++;
    }
    if (d->sent[i] == EACH) {
        assert_int_equal(a3m_poller_remove(d->out, event->what), A3M_OK);
    } else if (flags_of(i) == A3M_POLL_ONESHOT) {
        assert_int_equal(a3m_poller_modify(d->out, event->what, A3M_POLL_OUT | A3M_POLL_ONESHOT, event->user),
                         A3M_OK);
    }
}

static void on_readable(struct drive *d, const a3m_poll_event *event)
{
    uint32_t i = (uint32_t)((uint32_t *)event->user - d->received);
    a3m_msg *msg;
    note(d, i, event->events << 4);
    assert_int_equal(event->events, A3M_POLL_IN);
    while (a3m_try_recv(d->pulls[i], &msg) == A3M_OK) {
        assert_int_equal(a3m_msg_size(msg), sizeof d->received[i]);
        assert_memory_equal(a3m_msg_data(msg), &d->received[i], sizeof d->received[i]);
        a3m_msg_free(msg);
        d->received[i]++;
        d->run.received++;
    }
    if (flags_of(i) == A3M_POLL_ONESHOT) {
        assert_int_equal(a3m_poller_modify(d->in, event->what, A3M_POLL_IN | A3M_POLL_ONESHOT, event->user),
                         A3M_OK);
    }
}

/* One round of an application: what can be read, and what can be written; it sleeps in one of the two. */
static void turn(struct drive *d)
{
    a3m_poll_event events[AT_ONCE];
    int n = a3m_poller_wait(d->out, events, AT_ONCE, A3M_NOW);
    for (int i = 0; i < n; i++) {
        on_writable(d, &events[i]);
    }
    n = a3m_poller_wait(d->in, events, AT_ONCE, a3m_in(a3m_ms(5)));
    for (int i = 0; i < n; i++) {
        on_readable(d, &events[i]);
    }
}

static struct run drive_all(uint64_t seed)
{
    static struct drive d;
    memset(&d, 0, sizeof d);
    sim_init(&d.sim, seed, &(struct sim_options){0});
    for (int way = 0; way < 2; way++) {
        struct sim_path *p = path(&d.sim, way == 0 ? A : B, way == 0 ? B : A);
        p->loss = 100;
        p->reorder = 100;
        p->reorder_by = 20 * SIM_MS;
        p->repeat = 20;
        p->repeat_within = 10 * SIM_MS;
    }
    assert_int_equal(a3m_poller_new(&d.in, 0), A3M_OK);
    assert_int_equal(a3m_poller_new(&d.out, 0), A3M_OK);
    open_sockets(&d);
    int64_t limit = d.sim.now + 600 * SIM_S;
    while (d.run.received < (uint64_t)SOCKETS * EACH && d.sim.now < limit && !d.sim.failed) {
        turn(&d);
    }
    check(&d.sim);
    d.run.packets = d.sim.net.hash;
    d.run.end = d.sim.now;
    d.run.lost = d.sim.net.lost;
    assert_int_equal(a3m_poller_close(d.in), A3M_OK);
    assert_int_equal(a3m_poller_close(d.out), A3M_OK);
    sim_fini(&d.sim);
    return d.run;
}

static void test_hundred_sockets_driven_by_pollers_over_a_lossy_network(void **arg)
{
    (void)arg;
    struct run first = drive_all(SEED);
    assert_int_equal(first.received, SOCKETS * EACH);
    assert_true(first.lost > 0);
    struct run again = drive_all(SEED);
    assert_memory_equal(&first, &again, sizeof first);
    struct run other = drive_all(SEED + 1);
    assert_int_equal(other.received, SOCKETS * EACH);
    assert_true(other.packets != first.packets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hundred_sockets_driven_by_pollers_over_a_lossy_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
