/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads at once: add, modify, remove, wait, poll, send, receive and close, over
 * three nodes and four pollers with all combinations of flags. First all of it at
 * random for some seconds (60 with A3M_LONG); then, with things watched one way or
 * another, rounds of a few messages that sleeping threads must be woken for. Each
 * message is consumed once, and no thread is stuck. A3M_SEED=n repeats a draw.
 * covers P1 P3 P4 P5 P7 P8 N5
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "support/crash.h"
#include "support/node_fixture.h"

enum { NODES = 3, POLLERS = 4, CONSUMERS = 4, SENDERS = 2, CHANGERS = 2, ROUNDS = 300 };

/* A hang ends the program, with a core that shows where. */
#define STUCK_S 100

struct storm {
    uint64_t seed;
    a3m_node nodes[NODES];
    a3m_socket pulls[NODES];
    a3m_socket pushes[NODES]; /* of each node, linked with every pull */
    a3m_link links[NODES][NODES];
    _Atomic uint64_t pollers[POLLERS]; /* handles; replaced as they are closed */
    int fds[POLLERS];                  /* eventfds to watch */
    _Atomic bool calm;                 /* nothing is changed any more */
    _Atomic bool over;
    _Atomic uint64_t sent, taken, changes, waits;
    sem_t consumed; /* in calm, for each message */
};

struct worker {
    pthread_t thread;
    struct storm *storm;
    struct a3mi_rng rng;
    unsigned number;
};

static uint32_t draw(struct worker *w, uint32_t n)
{
    return (uint32_t)a3mi_rng_below(&w->rng, n);
}

static a3m_poller poller_at(struct storm *s, uint32_t i)
{
    return (a3m_poller){atomic_load(&s->pollers[i])};
}

static void stuck(const struct storm *s, const char *what)
{
    (void)fprintf(stderr, "seed %llu: %s; %llu sent, %llu taken\n", (unsigned long long)s->seed, what,
                  (unsigned long long)atomic_load(&s->sent), (unsigned long long)atomic_load(&s->taken));
    abort();
}

/* ---- Consumers ------------------------------------------------------------------------------- */

static void note_taken(struct storm *s)
{
    atomic_fetch_add(&s->taken, 1);
    if (atomic_load(&s->calm)) {
        (void)sem_post(&s->consumed);
    }
}

/* Takes all there is, as who watches for edges has to. */
static void drain(struct storm *s, a3m_socket pull)
{
    a3m_msg *msg;
    while (a3m_try_recv(pull, &msg) == A3M_OK) {
        a3m_msg_free(msg);
        note_taken(s);
    }
}

/* By any event of a node, its socket is emptied. */
static void handle(struct storm *s, a3m_poller poller, const a3m_poll_event *event)
{
    eventfd_t value;
    if (event->what.kind == A3M_POLLABLE_FD) {
        (void)eventfd_read((int)event->what.v, &value);
    }
    for (uint32_t i = 0; i < NODES; i++) {
        if (event->what.kind == A3M_POLLABLE_SOCKET && event->what.v == s->pulls[i].v) {
            drain(s, s->pulls[i]);
            /* A one-shot; of others it changes little, and of exclusive ones nothing. */
            if (event->user != NULL) {
                (void)a3m_poller_modify(poller, event->what, A3M_POLL_IN | A3M_POLL_ONESHOT, event->user);
            }
        }
    }
}

static void *consumer_main(void *arg)
{
    struct worker *w = arg;
    struct storm *s = w->storm;
    a3m_poll_event events[8];
    while (!atomic_load(&s->over)) {
        bool calm = atomic_load(&s->calm);
        a3m_poller poller = poller_at(s, calm ? w->number : draw(w, POLLERS));
        a3m_time deadline = calm ? A3M_FOREVER : a3m_in(a3m_us(draw(w, 3) * draw(w, 3000)));
        int n = a3m_poller_wait(poller, events, 1 + draw(w, 8), deadline);
        atomic_fetch_add(&s->waits, 1);
        for (int i = 0; i < n; i++) {
            if (calm || draw(w, 4) != 0) { /* now and then it takes nothing */
                handle(s, poller, &events[i]);
            }
        }
    }
    return NULL;
}

/* Receives and polls without a poller, beside those. */
static void *receiver_main(void *arg)
{
    struct worker *w = arg;
    struct storm *s = w->storm;
    while (!atomic_load(&s->calm)) {
        a3m_msg *msg;
        a3m_poll_item items[NODES + 1] = {0};
        a3m_time deadline = a3m_in(a3m_us(draw(w, 2000)));
        for (uint32_t i = 0; i < NODES; i++) {
            items[i] = (a3m_poll_item){.what = a3m_pollable_socket(s->pulls[i]), .events = A3M_POLL_IN};
        }
        items[NODES] = (a3m_poll_item){.what = a3m_pollable_fd(s->fds[0]), .events = A3M_POLL_IN};
        if (draw(w, 2) == 0) {
            (void)a3m_poll(items, 1 + draw(w, NODES + 1), deadline);
        } else if (a3m_recv_until(s->pulls[draw(w, NODES)], &msg, deadline) == A3M_OK) {
            a3m_msg_free(msg);
            note_taken(s);
        }
    }
    return NULL;
}

/* ---- Senders ---------------------------------------------------------------------------------- */

static void *sender_main(void *arg)
{
    struct worker *w = arg;
    struct storm *s = w->storm;
    a3m_poller own;
    a3m_poll_event event;
    a3m_socket push = s->pushes[w->number];
    if (a3m_poller_new(&own, 0) != A3M_OK ||
        a3m_poller_add(own, a3m_pollable_socket(push), A3M_POLL_OUT | A3M_POLL_EDGE, NULL) != A3M_OK) {
        stuck(s, "no poller for a sender");
    }
    while (!atomic_load(&s->calm)) {
        a3m_msg *msg = a3m_msg_copy("storm", 5);
        if (a3m_try_send(push, msg) == A3M_OK) {
            atomic_fetch_add(&s->sent, 1);
        } else {
            a3m_msg_free(msg);
            (void)a3m_poller_wait(own, &event, 1, a3m_in(a3m_us(draw(w, 20000))));
        }
        if (draw(w, 16) == 0) {
            (void)eventfd_write(s->fds[draw(w, POLLERS)], 1);
        }
    }
    (void)a3m_poller_close(own);
    return NULL;
}

/* ---- Changers ---------------------------------------------------------------------------------- */

/* Any of them, those that are refused as well. */
static uint32_t draw_flags(struct worker *w)
{
    return (draw(w, 2) * A3M_POLL_EDGE) | (draw(w, 3) == 0 ? A3M_POLL_ONESHOT : 0) |
           (draw(w, 3) == 0 ? A3M_POLL_EXCLUSIVE : 0);
}

static a3m_pollable draw_thing(struct worker *w)
{
    struct storm *s = w->storm;
    switch (draw(w, 6)) {
    case 0: return a3m_pollable_socket(s->pushes[draw(w, NODES)]);
    case 1: return a3m_pollable_link(s->links[draw(w, NODES)][draw(w, NODES)]);
    case 2: return a3m_pollable_fd(s->fds[draw(w, POLLERS)]);
    default: return a3m_pollable_socket(s->pulls[draw(w, NODES)]);
    }
}

/* A socket that lives for a moment, watched, with a message or without. */
static void brief_socket(struct worker *w, a3m_poller poller)
{
    a3m_socket pull;
    if (a3m_socket_open(&pull, w->storm->nodes[draw(w, NODES)], &a3m_pull, NULL) != A3M_OK) {
        return;
    }
    (void)a3m_poller_add(poller, a3m_pollable_socket(pull), A3M_POLL_IN | draw_flags(w), NULL);
    (void)a3m_socket_close(pull);
}

static void replace_poller(struct worker *w, uint32_t i)
{
    a3m_poller fresh;
    if (a3m_poller_new(&fresh, 0) == A3M_OK) {
        a3m_poller old = {atomic_exchange(&w->storm->pollers[i], fresh.v)};
        (void)a3m_poller_close(old);
    }
}

static void show_poller(a3m_poller poller)
{
    struct pollfd pfd = {.events = POLLIN};
    if (a3m_poller_fd(poller, &pfd.fd) == A3M_OK) {
        (void)poll(&pfd, 1, 0);
    }
}

static void *changer_main(void *arg)
{
    struct worker *w = arg;
    struct storm *s = w->storm;
    while (!atomic_load(&s->calm)) {
        uint32_t i = draw(w, POLLERS);
        a3m_poller poller = poller_at(s, i);
        uint32_t events = draw(w, 3) == 0 ? A3M_POLL_OUT : A3M_POLL_IN;
        switch (draw(w, 64)) {
        case 0: replace_poller(w, i); break;
        case 1: show_poller(poller); break;
        case 2: brief_socket(w, poller); break;
        default:
            switch (draw(w, 4)) {
            case 0: (void)a3m_poller_remove(poller, draw_thing(w)); break;
            case 1: (void)a3m_poller_modify(poller, draw_thing(w), events | draw_flags(w), NULL); break;
            default: (void)a3m_poller_add(poller, draw_thing(w), events | draw_flags(w), NULL); break;
            }
        }
        atomic_fetch_add(&s->changes, 1);
    }
    return NULL;
}

/* ---- The calm after it ----------------------------------------------------------------------------- */

static void await_taken(struct storm *s)
{
    a3m_time end = a3m_in(a3m_seconds(STUCK_S));
    while (atomic_load(&s->taken) != atomic_load(&s->sent)) {
        struct timespec until;
        if (a3m_now().ns > end.ns) {
            stuck(s, "messages that nobody was told of");
        }
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1;
        (void)sem_timedwait(&s->consumed, &until);
    }
}

/* New pollers, in which each socket is watched in one way for all; consumers go over to them. */
static void watch_anew(struct storm *s, struct worker *w)
{
    static const uint32_t flags[] = {0, A3M_POLL_EDGE, A3M_POLL_ONESHOT, A3M_POLL_EXCLUSIVE,
                                     A3M_POLL_EXCLUSIVE | A3M_POLL_EDGE};
    uint32_t chosen[NODES];
    for (uint32_t i = 0; i < NODES; i++) {
        chosen[i] = flags[draw(w, 5)];
    }
    for (uint32_t p = 0; p < POLLERS; p++) {
        replace_poller(w, p);
        for (uint32_t i = 0; i < NODES; i++) {
            void *user = chosen[i] == A3M_POLL_ONESHOT ? s : NULL;
            assert_int_equal(a3m_poller_add(poller_at(s, p), a3m_pollable_socket(s->pulls[i]),
                                            A3M_POLL_IN | chosen[i], user),
                             A3M_OK);
        }
    }
}

static void rounds(struct storm *s, struct worker *w)
{
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 20 == 0) {
            watch_anew(s, w);
        }
        for (uint32_t n = 1 + draw(w, 4); n > 0; n--) {
            a3m_socket push = s->pushes[draw(w, NODES)];
            atomic_fetch_add(&s->sent, 1);
            assert_int_equal(a3m_send_until(push, test_msg("calm"), SOON), A3M_OK);
        }
        await_taken(s);
    }
}

/* ---- All of it ------------------------------------------------------------------------------------------ */

static void make(struct storm *s)
{
    char id[16];
    for (uint32_t i = 0; i < NODES; i++) {
        (void)snprintf(id, sizeof id, "node%u", i);
        s->nodes[i] = test_node(id);
        s->pulls[i] = test_socket(s->nodes[i], &a3m_pull, "sink");
        s->pushes[i] = test_socket(s->nodes[i], &a3m_push, NULL);
        assert_int_equal(a3m_socket_set(s->pulls[i], A3M_OPT_CREDIT_MESSAGES, 50), A3M_OK);
        s->fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    s->fds[NODES] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (uint32_t i = 0; i < NODES; i++) {
        for (uint32_t j = 0; j < NODES; j++) {
            s->links[i][j] = test_link(s->pushes[i], test_url(s->nodes[j], "sink"));
        }
    }
    for (uint32_t p = 0; p < POLLERS; p++) {
        a3m_poller poller;
        assert_int_equal(a3m_poller_new(&poller, 0), A3M_OK);
        atomic_init(&s->pollers[p], poller.v);
    }
    assert_int_equal(sem_init(&s->consumed, 0, 0), 0);
}

static void start(struct storm *s, struct worker *w, unsigned number, void *(*main_of)(void *))
{
    static uint64_t stream;
    w->storm = s;
    w->number = number;
    a3mi_rng_init(&w->rng, s->seed * 1000 + ++stream);
    if (main_of != NULL) {
        crash_tell("storm", s->seed);
        assert_int_equal(pthread_create(&w->thread, NULL, main_of, w), 0);
    }
}

static void join(struct worker *workers, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    }
}

static void end(struct storm *s, struct worker *consumers)
{
    atomic_store(&s->over, true);
    for (uint32_t p = 0; p < POLLERS; p++) {
        assert_int_equal(a3m_poller_close(poller_at(s, p)), A3M_OK);
    }
    join(consumers, CONSUMERS);
    for (uint32_t i = 0; i < NODES; i++) {
        test_close(s->nodes[i]);
    }
    for (uint32_t p = 0; p < POLLERS; p++) {
        (void)close(s->fds[p]);
    }
    (void)sem_destroy(&s->consumed);
}

static void test_storm_nothing_is_lost_and_nobody_stuck(void **arg)
{
    static struct storm s;
    struct worker consumers[CONSUMERS], senders[SENDERS], changers[CHANGERS], receiver[1], self;
    const char *seed = getenv("A3M_SEED");
    time_t seconds = getenv("A3M_LONG") != NULL ? 60 : 4;
    (void)arg;
    s.seed = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    print_message("seed %llu\n", (unsigned long long)s.seed);
    (void)alarm((unsigned)(seconds + 2 * STUCK_S));
    make(&s);
    for (unsigned i = 0; i < CONSUMERS; i++) {
        start(&s, &consumers[i], i, consumer_main);
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        start(&s, &senders[i], i, sender_main);
    }
    for (unsigned i = 0; i < CHANGERS; i++) {
        start(&s, &changers[i], i, changer_main);
    }
    start(&s, receiver, 0, receiver_main);
    start(&s, &self, 0, NULL);
    (void)nanosleep(&(struct timespec){.tv_sec = seconds}, NULL);
    atomic_store(&s.calm, true);
    join(senders, SENDERS);
    join(changers, CHANGERS);
    join(receiver, 1);
    rounds(&s, &self);
    print_message("%llu messages, %llu waits, %llu changes\n", (unsigned long long)atomic_load(&s.taken),
                  (unsigned long long)atomic_load(&s.waits), (unsigned long long)atomic_load(&s.changes));
    end(&s, consumers);
    assert_int_equal(atomic_load(&s.taken), atomic_load(&s.sent));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_storm_nothing_is_lost_and_nobody_stuck)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
