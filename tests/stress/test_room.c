/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads through an outbox that has room for a few messages: by link and by any, of two sockets, some with
 * deadlines that pass, while one link ends and is made again. Every message that was taken arrives once, no room and
 * no credit is lost, and nobody waits for ever. In both disciplines. covers F6 F7 F9 F10 P10
 */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include <a3m/a3m.h>

#include "base/rng.h"
#include "crash.h"
#include "node_fixture.h"

enum { THREADS = 8, SENDS = 1500, OUTBOX = 1200, TURNS_OF_LINK = 40 };

struct world {
    a3m_node from, to;
    a3m_socket pushes[2], pull;
    _Atomic uint64_t links[2];
    _Atomic uint32_t sent, timed_out, refused;
};

struct sender {
    struct world *world;
    int number;
    struct a3mi_rng rng;
    pthread_t thread;
    int failed; /* what no send should get */
};

static bool is_expected(int result)
{
    return result == A3M_ETIMEDOUT || result == A3M_ELINKDOWN || result == A3M_ENOLINK ||
           result == A3M_EHANDLE;
}

static void *sender_main(void *arg)
{
    struct sender *self = arg;
    struct world *w = self->world;
    int of = self->number % 2;
    bool specific = self->number / 2 % 2 != 0;
    for (int done = 0; done < SENDS && self->failed == A3M_OK;) {
        a3m_msg *msg = a3m_msg_new(a3mi_rng_below(&self->rng, 400));
        a3m_time deadline = a3mi_rng_below(&self->rng, 4) == 0
                                ? a3m_in(a3m_us((int64_t)a3mi_rng_below(&self->rng, 200)))
                                : SOON;
        int result = specific ? a3m_link_send((a3m_link){atomic_load(&w->links[of])}, msg, deadline)
                              : a3m_send_until(w->pushes[of], msg, deadline);
        if (result == A3M_OK) {
            atomic_fetch_add(&w->sent, 1);
            done++;
            continue;
        }
        a3m_msg_free(msg);
        atomic_fetch_add(result == A3M_ETIMEDOUT ? &w->timed_out : &w->refused, 1);
        self->failed = is_expected(result) ? A3M_OK : result;
    }
    return NULL;
}

static void *relink_main(void *arg)
{
    struct world *w = arg;
    for (int i = 0; i < TURNS_OF_LINK; i++) {
        a3m_link link = {atomic_load(&w->links[1])};
        if (a3m_link_end(link) != A3M_OK ||
            a3m_socket_link(w->pushes[1], test_url(w->to, "sink"), &link) < 0) {
            return w;
        }
        (void)a3m_link_wait(link, SOON);
        atomic_store(&w->links[1], link.v);
    }
    return NULL;
}

static void run(bool fair, uint64_t seed)
{
    struct world w = {.to = test_node("to")};
    struct sender senders[THREADS];
    pthread_t relink;
    void *failed;
    a3m_msg *msg;
    a3m_node_config config = {.size = sizeof(config), .outbox_bytes = OUTBOX};
    assert_int_equal(a3m_node_new(&w.from, "from", "udp://127.0.0.1:0", &config), A3M_OK);
    assert_int_equal(a3m_node_start(w.from), A3M_OK);
    w.pull = test_socket(w.to, &a3m_pull, "sink");
    for (int i = 0; i < 2; i++) {
        w.pushes[i] = test_socket(w.from, &a3m_push, NULL);
        assert_int_equal(a3m_socket_set(w.pushes[i], A3M_OPT_FAIR, fair), A3M_OK);
        assert_int_equal(a3m_socket_set(w.pushes[i], A3M_OPT_LINK_RETRY_MIN, a3m_ms(1).ns), A3M_OK);
        atomic_init(&w.links[i], test_link(w.pushes[i], test_url(w.to, "sink")).v);
    }
    crash_tell("room", seed);
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){.world = &w, .number = i};
        a3mi_rng_init(&senders[i].rng, seed + (uint64_t)i);
        assert_int_equal(pthread_create(&senders[i].thread, NULL, sender_main, &senders[i]), 0);
    }
    assert_int_equal(pthread_create(&relink, NULL, relink_main, &w), 0);
    for (int i = 0; i < THREADS * SENDS; i++) {
        assert_int_equal(a3m_recv_until(w.pull, &msg, SOON), A3M_OK);
        a3m_msg_free(msg);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
        assert_int_equal(senders[i].failed, A3M_OK);
    }
    assert_int_equal(pthread_join(relink, &failed), 0);
    assert_null(failed);
    assert_int_equal(atomic_load(&w.sent), THREADS * SENDS);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(a3m_socket_drain(w.pushes[i], SOON), A3M_OK);
    }
    a3m_node_stats stats = test_stats(w.from);
    (void)printf("%s, seed %" PRIu64 ": %u timed out, %u refused, %" PRIu64 " sleeps in line, %" PRIu64
                 " wakes\n",
                 fair ? "fair" : "unfair", seed, atomic_load(&w.timed_out), atomic_load(&w.refused),
                 stats.waiter_sleeps, stats.wakes);
    assert_int_equal(stats.outbox_bytes_now, 0);
    assert_int_equal(test_stats(w.to).bad_credit, 0);
    assert_int_equal(a3m_try_recv(w.pull, &msg), A3M_EAGAIN);
    test_close(w.from);
    test_close(w.to);
}

static void test_many_threads_through_a_small_outbox(void **arg)
{
    (void)arg;
    const char *given = getenv("A3M_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    run(true, seed);
    run(false, seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_threads_through_a_small_outbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
