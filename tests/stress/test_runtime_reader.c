/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two readers with trivial engines on loopback UDP; two threads send and two
 * receive at each end, with random deadlines, timers, full transports and
 * signals in between. Every message arrives, each wait ends, and the sanitizer
 * has nothing to say. A3M_SEED chooses another run. covers N3 F6 F10
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/runtime_fake.h"

enum { ENDS = 2, THREADS = 2, OUTSTANDING = 100 };

static uint64_t messages(void)
{
    return getenv("A3M_LONG") != NULL ? 1000000 : 20000; /* of each sender */
}

struct end {
    struct fake fake;
    int fd;
    struct end *peer;
    _Atomic uint64_t sent, taken, senders, timeouts;
};

struct worker {
    struct end *end;
    uint64_t seed;
    pthread_t thread;
};

/* splitmix64 */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool one_in(uint64_t *seed, uint64_t n)
{
    return next_random(seed) % n == 0;
}

static void nothing(void *arg, struct a3mi_turn *turn)
{
    (void)arg;
    (void)turn;
}

static void disturb(struct end *end, uint64_t *seed)
{
    struct fake *f = &end->fake;

    switch (next_random(seed) % 8) {
    case 0: a3mi_reader_signal(f->reader); break;
    case 1: a3mi_reader_enter(f->reader, nothing, NULL); break;
    case 2: atomic_store(&f->want_write, true); break;
    case 3: atomic_store(&f->want_write, false); break;
    case 4: atomic_store(&f->deadline, a3mi_clock_now() + (int64_t)(next_random(seed) % 2000000)); break;
    case 5:
        atomic_store(&f->event_deadline, a3mi_clock_now() + (int64_t)(next_random(seed) % 2000000));
        break;
    case 6: atomic_store(&f->after, f); break;
    default: a3mi_reader_touch(f->reader); break;
    }
}

static void *send_all(void *arg)
{
    struct worker *w = arg;
    struct end *end = w->end;

    for (uint64_t i = 0; i < messages(); i++) {
        while (atomic_load(&end->sent) - atomic_load(&end->peer->taken) >= OUTSTANDING) {
            (void)sched_yield();
        }
        (void)atomic_fetch_add(&end->sent, 1);
        fake_send(&end->fake, 1 + (uint32_t)(i % 64));
        if (one_in(&w->seed, 50)) {
            disturb(end, &w->seed);
        }
    }
    (void)atomic_fetch_sub(&end->senders, 1);
    return NULL;
}

static bool all_taken(const struct end *end)
{
    return atomic_load(&end->peer->senders) == 0 && atomic_load(&end->taken) == atomic_load(&end->peer->sent);
}

static void *receive_all(void *arg)
{
    struct worker *w = arg;
    struct end *end = w->end;

    while (!all_taken(end)) {
        /* Mostly longer than anything takes: then a message that was stranded shows as a time-out. */
        int64_t patience = one_in(&w->seed, 4) ? (int64_t)(next_random(&w->seed) % 300000) : 20 * FAKE_MS;
        if (fake_recv(&end->fake, a3mi_clock_now() + patience, false) == 0) {
            (void)atomic_fetch_add(&end->taken, 1);
        } else {
            (void)atomic_fetch_add(&end->timeouts, 1);
        }
    }
    return NULL;
}

static void open_ends(struct end ends[ENDS])
{
    struct sockaddr_in addr[ENDS];

    for (int i = 0; i < ENDS; i++) {
        socklen_t size = sizeof addr[i];
        memset(&addr[i], 0, sizeof addr[i]);
        addr[i].sin_family = AF_INET;
        addr[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ends[i].fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_true(ends[i].fd >= 0);
        assert_int_equal(bind(ends[i].fd, (const struct sockaddr *)&addr[i], sizeof addr[i]), 0);
        assert_int_equal(getsockname(ends[i].fd, (struct sockaddr *)&addr[i], &size), 0);
    }
    for (int i = 0; i < ENDS; i++) {
        ends[i].peer = &ends[1 - i];
        ends[i].senders = THREADS;
        assert_int_equal(connect(ends[i].fd, (const struct sockaddr *)&addr[1 - i], sizeof addr[i]), 0);
    }
}

static void run(struct a3mi_reader_config config)
{
    static struct end ends[ENDS];
    struct worker workers[ENDS][2 * THREADS];
    const char *text = getenv("A3M_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)a3mi_clock_now();

    printf("A3M_SEED=%llu\n", (unsigned long long)seed);
    memset(ends, 0, sizeof ends);
    open_ends(ends);
    for (int i = 0; i < ENDS; i++) {
        assert_int_equal(fake_init(&ends[i].fake, ends[i].fd, config), 0);
    }
    for (int i = 0; i < ENDS; i++) {
        for (int t = 0; t < 2 * THREADS; t++) {
            workers[i][t] = (struct worker){.end = &ends[i], .seed = next_random(&seed)};
            assert_int_equal(pthread_create(&workers[i][t].thread, NULL, t < THREADS ? send_all : receive_all,
                                            &workers[i][t]),
                             0);
        }
        assert_int_equal(a3mi_reader_start(ends[i].fake.reader), 0); /* they began before */
    }
    for (int i = 0; i < ENDS; i++) {
        for (int t = 0; t < 2 * THREADS; t++) {
            (void)pthread_join(workers[i][t].thread, NULL);
        }
    }
    for (int i = 0; i < ENDS; i++) {
        struct a3mi_reader_stats s = fake_stats(&ends[i].fake);
        assert_int_equal(ends[i].taken, THREADS * messages());
        assert_int_equal(ends[i].fake.events_elsewhere, 0);
        printf("%llu turns, %llu reader wake-ups, %llu transfers, %llu leader sleeps, %llu waiter sleeps, "
               "%llu wakes, %llu time-outs\n",
               (unsigned long long)s.turns, (unsigned long long)s.reader_wakeups,
               (unsigned long long)s.role_transfers, (unsigned long long)s.leader_sleeps,
               (unsigned long long)s.waiter_sleeps, (unsigned long long)s.wakes,
               (unsigned long long)ends[i].timeouts);
        fake_fini(&ends[i].fake);
        (void)close(ends[i].fd);
    }
}

static void test_reader_eight_threads_every_message_arrives(void **state)
{
    (void)state;
    run(fake_config());
}

static void test_reader_eight_threads_short_lease_no_spin_every_message_arrives(void **state)
{
    struct a3mi_reader_config config = fake_config();

    (void)state;
    config.lease_ns = 50000;
    config.spin_ns = 0;
    run(config);
}

static void test_reader_eight_threads_not_lent_every_message_arrives(void **state)
{
    struct a3mi_reader_config config = fake_config();

    (void)state;
    config.lend = false;
    run(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_eight_threads_every_message_arrives),
        cmocka_unit_test(test_reader_eight_threads_short_lease_no_spin_every_message_arrives),
        cmocka_unit_test(test_reader_eight_threads_not_lent_every_message_arrives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
