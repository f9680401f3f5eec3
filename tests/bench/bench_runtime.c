/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the runtime costs by itself, with trivial engines: push and kick without
 * contention, and a round trip between two readers over loopback UDP, on one
 * processor and on two. The bare figures beside them are measured in the same
 * run. Medians of five.
 *
 * usage: bench_runtime [ROUND-TRIPS]
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/fence.h"
#include "runtime/outbox.h"
#include "runtime/turnlock.h"
#include "support/runtime_fake.h"

enum { RUNS = 5, PUSHES = 1000000 };

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return values[n / 2];
}

static void must(int rc, const char *what)
{
    if (rc != 0) {
        fprintf(stderr, "%s: %s\n", what, a3m_error_detail());
        exit(1);
    }
}

static void pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

/* ---- Push and kick ------------------------------------------------------------ */

struct counting {
    struct a3mi_reader *reader;
    _Atomic uint64_t popped; /* one writer at a time */
};

/* The least a turn can be. */
static void counting_turn(void *arg, struct a3mi_turn *turn)
{
    struct counting *c = arg;

    (void)turn;
    while (a3mi_reader_pop(c->reader) != NULL) {
        atomic_store_explicit(&c->popped, atomic_load_explicit(&c->popped, memory_order_relaxed) + 1,
                              memory_order_release);
    }
}

static void counting_after(void *arg, void *what)
{
    (void)arg;
    (void)what;
}

static double push_and_kick(struct counting *c)
{
    static struct a3mi_outbox_node node;
    uint64_t pushed = atomic_load(&c->popped);
    int64_t begin = a3mi_clock_now();

    for (int i = 0; i < PUSHES; i++) {
        a3mi_reader_push(c->reader, &node);
        a3mi_reader_kick(c->reader);
        pushed++;
        while (atomic_load_explicit(&c->popped, memory_order_acquire) != pushed) {
            (void)sched_yield(); /* the reader thread had the lock */
        }
    }
    return (double)(a3mi_clock_now() - begin) / PUSHES;
}

/* What the turn itself takes: pop, and the stub that goes back. */
static double pop_only(void)
{
    static struct a3mi_outbox q;
    static struct a3mi_outbox_node node;
    double push = 0;
    int64_t begin;

    a3mi_outbox_init(&q);
    begin = a3mi_clock_now();
    for (int i = 0; i < PUSHES; i++) {
        a3mi_outbox_push(&q, &node);
        (void)a3mi_outbox_pop(&q);
        (void)a3mi_outbox_pop(&q);
    }
    double both = (double)(a3mi_clock_now() - begin) / PUSHES;
    begin = a3mi_clock_now();
    for (int i = 0; i < PUSHES; i++) {
        a3mi_outbox_push(&q, &node);
        q.tail = &q.stub; /* forget it */
        atomic_store_explicit(&q.head, &q.stub, memory_order_relaxed);
        atomic_store_explicit(&q.stub.next, NULL, memory_order_relaxed);
    }
    push = (double)(a3mi_clock_now() - begin) / PUSHES;
    return both - push;
}

static double clock_only(void)
{
    int64_t begin = a3mi_clock_now();

    for (int i = 0; i < PUSHES; i++) {
        (void)a3mi_clock_now();
    }
    return (double)(a3mi_clock_now() - begin) / PUSHES;
}

static double cancel_only(void)
{
    int64_t begin = a3mi_clock_now();
    int old;

    for (int i = 0; i < PUSHES; i++) {
        (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
        (void)pthread_setcancelstate(old, NULL);
    }
    return (double)(a3mi_clock_now() - begin) / PUSHES;
}

static double fence_only(void)
{
    int64_t begin = a3mi_clock_now();

    for (int i = 0; i < PUSHES; i++) {
        a3mi_fence();
    }
    return (double)(a3mi_clock_now() - begin) / PUSHES;
}

static double touch_only(struct a3mi_reader *reader)
{
    int64_t begin = a3mi_clock_now();

    for (int i = 0; i < PUSHES; i++) {
        a3mi_reader_touch(reader);
    }
    return (double)(a3mi_clock_now() - begin) / PUSHES;
}

static void bench_kick(bool cancel_safe)
{
    const struct a3mi_reader_ops ops = {
        .turn = counting_turn, .after = counting_after, .cancel_safe = cancel_safe};
    struct a3mi_reader_config config = fake_config();
    struct counting c = {.popped = 0};
    int ends[2];
    double kick[RUNS], pop[RUNS], now[RUNS], cancel[RUNS], fence[RUNS], touch[RUNS];

    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), "socketpair");
    config.transport_fd = ends[0];
    must(a3mi_reader_new(&c.reader, &config, &ops, &c), "reader");
    must(a3mi_reader_start(c.reader), "start");
    struct a3mi_reader_stats stats;
    do { /* from then on the thread sleeps, and a kick is carried before it returns */
        (void)sched_yield();
        a3mi_reader_get_stats(c.reader, &stats);
    } while (stats.turns < 2);
    pin(0);
    for (int i = 0; i < RUNS; i++) {
        kick[i] = push_and_kick(&c);
        pop[i] = pop_only();
        now[i] = clock_only();
        cancel[i] = cancel_only();
        fence[i] = fence_only();
        touch[i] = touch_only(c.reader);
    }
    double all = median(kick, RUNS), turn = median(pop, RUNS), read = median(now, RUNS);
    printf("push and kick, cancellation %s: %.1f ns; less pop %.1f and clock %.1f of the turn: %.1f ns\n",
           cancel_safe ? "left alone" : "switched off", all, turn, read, all - turn - read);
    printf("a fence %.1f ns, cancellation off and on %.1f ns, touch %.1f ns\n", median(fence, RUNS),
           median(cancel, RUNS), median(touch, RUNS));
    a3mi_reader_stop(c.reader);
    a3mi_reader_free(c.reader);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* ---- Round trips ---------------------------------------------------------------- */

struct side {
    struct fake fake;
    int fd;
    int cpu;
    int count;
    bool bare; /* without reader: recv in a loop */
};

static void connect_sides(struct side sides[2])
{
    struct sockaddr_in addr[2];

    for (int i = 0; i < 2; i++) {
        socklen_t size = sizeof addr[i];
        memset(&addr[i], 0, sizeof addr[i]);
        addr[i].sin_family = AF_INET;
        addr[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        sides[i].fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        must(bind(sides[i].fd, (const struct sockaddr *)&addr[i], sizeof addr[i]), "bind");
        must(getsockname(sides[i].fd, (struct sockaddr *)&addr[i], &size), "getsockname");
    }
    for (int i = 0; i < 2; i++) {
        must(connect(sides[i].fd, (const struct sockaddr *)&addr[1 - i], sizeof addr[i]), "connect");
    }
}

static void side_send(struct side *s)
{
    static const uint8_t bytes[64];

    if (s->bare) {
        (void)send(s->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    } else {
        fake_send(&s->fake, 64);
    }
}

static void side_recv(struct side *s)
{
    uint8_t bytes[64];

    if (!s->bare) {
        (void)fake_recv(&s->fake, INT64_MAX, false);
        return;
    }
    while (recv(s->fd, bytes, sizeof bytes, MSG_DONTWAIT) < 0) {
        (void)sched_yield();
    }
}

static void *echo(void *arg)
{
    struct side *s = arg;

    pin(s->cpu);
    for (int i = 0; i < s->count; i++) {
        side_recv(s);
        side_send(s);
    }
    return NULL;
}

struct trip {
    double p50, p99, mean;
};

static struct trip ping(struct side *s)
{
    double *took = malloc((size_t)s->count * sizeof *took);
    int64_t begin = a3mi_clock_now();

    for (int i = 0; i < s->count; i++) {
        int64_t at = a3mi_clock_now();
        side_send(s);
        side_recv(s);
        took[i] = (double)(a3mi_clock_now() - at) / 1000;
    }
    double mean = (double)(a3mi_clock_now() - begin) / 1000 / s->count;
    qsort(took, (size_t)s->count, sizeof *took, compare);
    struct trip trip = {took[s->count / 2], took[s->count - s->count / 100 - 1], mean};
    free(took);
    return trip;
}

static struct trip round_trips(int cpu_a, int cpu_b, bool bare, struct a3mi_reader_config config, int count)
{
    static struct side sides[2];
    pthread_t thread;

    memset(sides, 0, sizeof sides);
    connect_sides(sides);
    for (int i = 0; i < 2; i++) {
        sides[i].cpu = i == 0 ? cpu_a : cpu_b;
        sides[i].count = count;
        sides[i].bare = bare;
        if (!bare) {
            must(fake_init(&sides[i].fake, sides[i].fd, config), "reader");
            must(a3mi_reader_start(sides[i].fake.reader), "start");
        }
    }
    pin(cpu_a);
    (void)pthread_create(&thread, NULL, echo, &sides[1]);
    struct trip trip = ping(&sides[0]);
    (void)pthread_join(thread, NULL);
    for (int i = 0; i < 2; i++) {
        if (!bare) {
            fake_fini(&sides[i].fake);
        }
        (void)close(sides[i].fd);
    }
    return trip;
}

static void bench_trips(const char *name, int a, int b, bool bare, struct a3mi_reader_config config,
                        int count)
{
    double p50[RUNS], p99[RUNS], mean[RUNS];

    for (int i = 0; i < RUNS; i++) {
        struct trip trip = round_trips(a, b, bare, config, count);
        p50[i] = trip.p50;
        p99[i] = trip.p99;
        mean[i] = trip.mean;
    }
    printf("%-44s p50 %6.2f  p99 %6.2f  mean %6.2f us\n", name, median(p50, RUNS), median(p99, RUNS),
           median(mean, RUNS));
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 50000;
    struct a3mi_reader_config config = fake_config();
    struct a3mi_reader_config asleep = fake_config();
    struct a3mi_reader_config kept = fake_config();
    cpu_set_t all;

    asleep.spin_ns = 0;
    kept.lend = false;
    (void)sched_getaffinity(0, sizeof all, &all);
    bench_kick(false);
    bench_kick(true);
    bench_trips("round trip, one processor, bare UDP", 0, 0, true, config, count);
    bench_trips("round trip, one processor, readers", 0, 0, false, config, count);
    bench_trips("round trip, one processor, never spinning", 0, 0, false, asleep, count);
    if (CPU_COUNT(&all) > 1) {
        bench_trips("round trip, two processors, bare UDP", 0, 1, true, config, count);
        bench_trips("round trip, two processors, readers", 0, 1, false, config, count);
        bench_trips("round trip, two processors, role not lent", 0, 1, false, kept, count / 10);
        bench_trips("round trip, two processors, never spinning", 0, 1, false, asleep, count / 10);
    }
    return 0;
}
