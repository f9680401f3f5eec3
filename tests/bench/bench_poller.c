/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a poller costs beside epoll(7) over eventfds, in one run: a wait, by how
 * much is watched and how much is ready; adding, modifying and removing an entry;
 * the memory of one; and the time from the act that makes something ready to the
 * return of the wait of a thread that slept. Medians.
 *
 * The sockets are of one node, linked with each other, so that what makes one
 * ready is a send (credit, outbox, an engine turn, the delivery), where epoll has
 * a write to an eventfd.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <a3m/a3m.h>

#include "bench/args.h"
#include "bench/clock.h"
#include "bench/fail.h"
#include "bench/pin.h"
#include "bench/samples.h"
#include "bench/table.h"

enum { MOST = 10000, AT_ONCE = 1000 };

static void must(int result, const char *what)
{
    if (result < 0) {
        bench_fail("%s: %s (%s)", what, a3m_strerror(result), a3m_error_detail());
    }
}

/* ---- Two kinds of things that become ready ------------------------------------------------ */

/* What is watched, and by what. */
struct world {
    a3m_node node;
    a3m_poller poller;
    a3m_socket push[MOST], pull[MOST];
    int set;
    int fds[MOST];
};

static struct world world;

/* The same operations for both. `i` names a thing. */
struct kind {
    const char *name;
    void (*add)(int i);
    void (*modify)(int i);
    void (*remove)(int i);
    void (*raise)(int i);
    void (*consume)(int i);
    int (*wait)(int max, bool block); /* how many are ready */
};

static void a3m_add(int i)
{
    must(a3m_poller_add(world.poller, a3m_pollable_socket(world.pull[i]), A3M_POLL_IN | A3M_POLL_EDGE, NULL),
         "add");
}

static void a3m_modify(int i)
{
    must(a3m_poller_modify(world.poller, a3m_pollable_socket(world.pull[i]), A3M_POLL_IN | A3M_POLL_EDGE,
                           NULL),
         "modify");
}

static void a3m_remove(int i)
{
    must(a3m_poller_remove(world.poller, a3m_pollable_socket(world.pull[i])), "remove");
}

static void a3m_raise(int i)
{
    must(a3m_send_bytes(world.push[i], "x", 1, A3M_FOREVER), "send");
}

static void a3m_consume(int i)
{
    a3m_msg *msg;
    must(a3m_recv(world.pull[i], &msg), "receive");
    a3m_msg_free(msg);
}

static int a3m_wait(int max, bool block)
{
    static a3m_poll_event events[AT_ONCE];
    int n = a3m_poller_wait(world.poller, events, (size_t)max, block ? A3M_FOREVER : A3M_NOW);
    must(n, "wait");
    return n;
}

static void fd_control(int op, int i)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.fd = world.fds[i]}};
    if (epoll_ctl(world.set, op, world.fds[i], &event) != 0) {
        bench_fail_errno("epoll_ctl");
    }
}

static void fd_add(int i)
{
    fd_control(EPOLL_CTL_ADD, i);
}

static void fd_modify(int i)
{
    fd_control(EPOLL_CTL_MOD, i);
}

static void fd_remove(int i)
{
    fd_control(EPOLL_CTL_DEL, i);
}

static void fd_raise(int i)
{
    if (eventfd_write(world.fds[i], 1) != 0) {
        bench_fail_errno("eventfd_write");
    }
}

static void fd_consume(int i)
{
    eventfd_t value;
    if (eventfd_read(world.fds[i], &value) != 0) {
        bench_fail_errno("eventfd_read");
    }
}

static int fd_wait(int max, bool block)
{
    static struct epoll_event events[AT_ONCE];
    int n;
    do {
        n = epoll_wait(world.set, events, max, block ? -1 : 0);
    } while (n < 0 && errno == EINTR);
    return n;
}

static const struct kind kinds[] = {
    {"a3m", a3m_add, a3m_modify, a3m_remove, a3m_raise, a3m_consume, a3m_wait},
    {"epoll", fd_add, fd_modify, fd_remove, fd_raise, fd_consume, fd_wait},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* ---- Making it ------------------------------------------------------------------------------ */

static void make_sockets(void)
{
    char address[A3M_LINK_ADDRESS_SIZE], peer[A3M_LINK_ADDRESS_SIZE + 16], tag[16];
    must(a3m_node_address(world.node, address, sizeof(address)), "address");
    for (int i = 0; i < MOST; i++) {
        snprintf(tag, sizeof(tag), "sink-%d", i);
        snprintf(peer, sizeof(peer), "bench/%s", tag);
        must(a3m_socket_open(&world.pull[i], world.node, &a3m_pull, tag), "socket");
        must(a3m_socket_open(&world.push[i], world.node, &a3m_push, NULL), "socket");
        must(a3m_socket_link(world.push[i], peer, NULL), "link");
    }
    for (int i = 0; i < MOST; i++) {
        must(a3m_socket_wait_link(world.push[i], NULL, a3m_in(a3m_seconds(60))), "link");
    }
}

static void make_fds(void)
{
    struct rlimit limit = {MOST + 100, MOST + 100};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        bench_fail_errno("setrlimit: epoll needs a descriptor for each thing");
    }
    world.set = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < MOST; i++) {
        world.fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (world.fds[i] < 0) {
            bench_fail_errno("eventfd");
        }
    }
}

static void make(void)
{
    a3m_node_config config = {.size = sizeof(config),
                              .no_bundling = true}; /* a send makes it ready at once */
    must(a3m_node_new(&world.node, "bench", "udp://127.0.0.1:0", &config), "node");
    must(a3m_node_start(world.node), "start");
    must(a3m_poller_new(&world.poller, 0), "poller");
    make_fds();
    int64_t begin = bench_clock_wall();
    make_sockets();
    fprintf(stderr, "%d sockets and %d links in %.1f s\n", 2 * MOST, MOST,
            (double)(bench_clock_wall() - begin) / 1e9);
}

/* ---- A wait, by what is watched and what is ready -------------------------------------------- */

/* Watches `n` more or fewer. */
static void resize(const struct kind *kind, int from, int to)
{
    for (int i = from; i < to; i++) {
        kind->add(i);
    }
    for (int i = to; i < from; i++) {
        kind->remove(i);
    }
}

/* Nanoseconds of one wait that finds `ready` of `watched`. */
static int64_t one_wait(const struct kind *kind, int watched, int ready)
{
    int step = watched / ready;
    for (int i = 0; i < ready; i++) {
        kind->raise(i * step);
    }
    int64_t begin = bench_clock_wall();
    int n = kind->wait(AT_ONCE, true);
    int64_t end = bench_clock_wall();
    while (n < ready) {
        n += kind->wait(AT_ONCE, true); /* a message was on its way: this one does not count for much */
    }
    for (int i = 0; i < ready; i++) {
        kind->consume(i * step);
    }
    return end - begin;
}

static void waits(const struct bench_args *args)
{
    static const int watched[] = {100, 1000, MOST}, ready[] = {1, 10, 100, 1000};
    const char *const titles[] = {"watched", "ready", "a3m us", "epoll us", "ratio", NULL};
    struct bench_table table;
    bench_table_init(&table, titles, 0);
    for (size_t w = 0; w < 3; w++) {
        for (int k = 0; k < KINDS; k++) {
            resize(&kinds[k], w == 0 ? 0 : watched[w - 1], watched[w]);
        }
        for (size_t r = 0; r < 4 && ready[r] <= watched[w]; r++) {
            struct bench_samples samples[KINDS];
            size_t n = args->runs * 40;
            for (int k = 0; k < KINDS; k++) {
                bench_samples_init(&samples[k], n);
            }
            for (size_t i = 0; i < n * KINDS; i++) {
                bench_samples_add(&samples[i % KINDS], one_wait(&kinds[i % KINDS], watched[w], ready[r]));
            }
            bench_table_row(&table, r == 0);
            bench_table_cell(&table, "%d", watched[w]);
            bench_table_cell(&table, "%d", ready[r]);
            double us[KINDS];
            for (int k = 0; k < KINDS; k++) {
                bench_samples_sort(&samples[k]);
                us[k] = bench_samples_us(&samples[k], 0.5);
                bench_table_cell(&table, "%.2f", us[k]);
                bench_samples_fini(&samples[k]);
            }
            bench_table_cell(&table, "%.2f", us[0] / us[1]);
        }
    }
    printf("\nA wait that finds so many ready\n");
    bench_table_print(&table, args->csv);
    bench_table_fini(&table);
    for (int k = 0; k < KINDS; k++) {
        resize(&kinds[k], MOST, 0);
    }
}

/* ---- Changes ---------------------------------------------------------------------------------- */

static double per_change(void (*change)(int i), int n)
{
    int64_t begin = bench_clock_wall();
    for (int i = 0; i < n; i++) {
        change(i);
    }
    return (double)(bench_clock_wall() - begin) / n;
}

static void changes(const struct bench_args *args)
{
    static const int counts[] = {100, 1000, MOST};
    const char *const titles[] = {"entries", "of", "add ns", "modify ns", "remove ns", NULL};
    struct bench_table table;
    bench_table_init(&table, titles, 0);
    for (size_t c = 0; c < 3; c++) {
        for (int k = 0; k < KINDS; k++) {
            size_t before = mallinfo2().uordblks;
            double add = per_change(kinds[k].add, counts[c]);
            size_t after = mallinfo2().uordblks;
            double modify = per_change(kinds[k].modify, counts[c]);
            double remove = per_change(kinds[k].remove, counts[c]);
            bench_table_row(&table, k == 0);
            bench_table_cell(&table, "%d", counts[c]);
            bench_table_cell(&table, "%s", kinds[k].name);
            bench_table_cell(&table, "%.0f", add);
            bench_table_cell(&table, "%.0f", modify);
            bench_table_cell(&table, "%.0f", remove);
            if (k == 0 && counts[c] == MOST) {
                printf("\nMemory of an entry: %.0f bytes\n", (double)(after - before) / MOST);
            }
        }
    }
    printf("\nChanges of what is watched\n");
    bench_table_print(&table, args->csv);
    bench_table_fini(&table);
}

/* ---- From the act to the return of a wait ------------------------------------------------------ */

struct waking {
    const struct kind *kind;
    struct bench_samples *samples;
    int cpu;
    _Atomic int64_t acted; /* ns; when the act began; 0: not yet; -1: the end */
    int done;              /* eventfd: the waiter had its event */
};

static void *waiter(void *arg)
{
    struct waking *waking = arg;
    bench_pin_self(waking->cpu);
    for (;;) {
        (void)waking->kind->wait(1, true);
        int64_t now = bench_clock_wall();
        int64_t acted = atomic_load(&waking->acted);
        waking->kind->consume(0);
        if (acted < 0) {
            return NULL;
        }
        bench_samples_add(waking->samples, now - acted);
        (void)eventfd_write(waking->done, 1);
    }
}

static void wake_many(const struct kind *kind, struct bench_samples *samples, const int cpus[2],
                      size_t rounds)
{
    struct waking waking = {.kind = kind, .samples = samples, .cpu = cpus[0]};
    pthread_t thread;
    waking.done = eventfd(0, EFD_CLOEXEC);
    bench_pin_self(cpus[1]);
    kind->add(0);
    if (pthread_create(&thread, NULL, waiter, &waking) != 0) {
        bench_fail("pthread_create");
    }
    for (size_t i = 0; i <= rounds; i++) {
        eventfd_t value;
        (void)usleep(500); /* the waiter is asleep by now, beyond any spinning */
        atomic_store(&waking.acted, i < rounds ? bench_clock_wall() : -1);
        kind->raise(0);
        if (i < rounds) {
            (void)eventfd_read(waking.done, &value); /* sleeps, without a timer to be set first */
        }
    }
    pthread_join(thread, NULL);
    (void)close(waking.done);
    kind->remove(0);
}

/* Microseconds of the act itself, after the same pause, when nobody sleeps: the median. */
static double act_alone(const struct kind *kind)
{
    struct bench_samples samples;
    bench_samples_init(&samples, 500);
    kind->add(0);
    while (!bench_samples_full(&samples)) {
        (void)usleep(500);
        int64_t begin = bench_clock_wall();
        kind->raise(0);
        bench_samples_add(&samples, bench_clock_wall() - begin);
        (void)kind->wait(1, true);
        kind->consume(0);
    }
    kind->remove(0);
    bench_samples_sort(&samples);
    double us = bench_samples_us(&samples, 0.5);
    bench_samples_fini(&samples);
    return us;
}

static void wakes(const struct bench_args *args)
{
    const char *const titles[] = {"processors", "of",     "p50 us",  "p90 us",   "p99 us",
                                  "to epoll",   "act us", "without", "to epoll", NULL};
    double act[KINDS];
    for (int k = 0; k < KINDS; k++) {
        act[k] = act_alone(&kinds[k]);
    }
    struct bench_table table;
    int cpus[BENCH_PIN_FREE][2];
    for (int pin = 0; pin < BENCH_PIN_FREE; pin++) { /* before any thread is tied to one of them */
        if (!bench_pin_cpus((enum bench_pin)pin, &cpus[pin][0], &cpus[pin][1])) {
            bench_fail("not enough processors");
        }
    }
    bench_table_init(&table, titles, 2);
    for (int pin = 0; pin < BENCH_PIN_FREE; pin++) {
        struct bench_samples samples[KINDS];
        size_t rounds = 200;
        if (!args->pins[pin]) {
            continue;
        }
        for (int k = 0; k < KINDS; k++) {
            bench_samples_init(&samples[k], rounds * args->runs);
        }
        for (size_t run = 0; run < args->runs; run++) {
            for (int k = 0; k < KINDS; k++) {
                wake_many(&kinds[k], &samples[k], cpus[pin], rounds);
            }
        }
        for (int k = 0; k < KINDS; k++) {
            bench_samples_sort(&samples[k]);
        }
        for (int k = 0; k < KINDS; k++) {
            bench_table_row(&table, k == 0);
            bench_table_cell(&table, "%s", bench_pin_name((enum bench_pin)pin));
            bench_table_cell(&table, "%s", kinds[k].name);
            bench_table_cell(&table, "%.1f", bench_samples_us(&samples[k], 0.5));
            bench_table_cell(&table, "%.1f", bench_samples_us(&samples[k], 0.9));
            bench_table_cell(&table, "%.1f", bench_samples_us(&samples[k], 0.99));
            double p50 = bench_samples_us(&samples[k], 0.5);
            double epoll = bench_samples_us(&samples[1], 0.5);
            bench_table_cell(&table, "%.2f", p50 / epoll);
            bench_table_cell(&table, "%.2f", act[k]);
            bench_table_cell(&table, "%.1f", p50 - act[k]);
            bench_table_cell(&table, "%.2f", (p50 - act[k]) / (epoll - act[1]));
        }
        for (int k = 0; k < KINDS; k++) {
            bench_samples_fini(&samples[k]);
        }
    }
    printf("\nFrom the act that makes it ready to the return of the wait of a thread that slept\n");
    bench_table_print(&table, args->csv);
    bench_table_fini(&table);
}

int main(int argc, char **argv)
{
    struct bench_args args = {.runs = 5, .pins = {true, true, false}};
    bench_args_parse(&args, argc, argv, "What a poller costs, beside epoll over eventfds.");
    make();
    wakes(&args);
    waits(&args);
    changes(&args);
    must(a3m_poller_close(world.poller), "close");
    (void)a3m_node_close(world.node, a3m_in(a3m_seconds(10)), NULL);
    return 0;
}
