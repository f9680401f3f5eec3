/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second descriptor of a reader: whoever waits for the network, the thread
 * hears of it, tells the engine, and runs a turn. covers N6 T12
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <a3m/errors.h>

#include "runtime/reader.h"

struct engine {
    struct a3mi_reader *reader;
    int notice_fd;
    unsigned notices;      /* [engine] */
    unsigned turns_since;  /* [engine] turns since the last notice */
    sem_t noticed, turned; /* posted by a notice, by the first turn after one */
};

static void turn(void *arg, struct a3mi_turn *turn)
{
    struct engine *e = arg;

    turn->deadline = INT64_MAX;
    turn->event_deadline = INT64_MAX;
    if (e->notices > 0 && e->turns_since++ == 0) {
        (void)sem_post(&e->turned);
    }
}

static void notice(void *arg, int64_t now)
{
    struct engine *e = arg;
    uint64_t n;

    assert_true(now > 0);
    assert_int_equal(read(e->notice_fd, &n, sizeof n), sizeof n);
    e->notices++;
    e->turns_since = 0;
    (void)sem_post(&e->noticed);
}

static void await(sem_t *what)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    assert_int_equal(sem_timedwait(what, &until), 0);
}

static void test_runtime_notice_is_taken_by_the_thread_and_a_turn_follows(void **state)
{
    (void)state;
    static const struct a3mi_reader_ops ops = {.turn = turn, .notice = notice};
    struct engine e = {.notice_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    struct a3mi_reader_config config = {
        .lease_ns = 1000000, .lend = true, .has_notice = true, .notice_fd = e.notice_fd, .cpu = -1};
    const uint64_t one = 1;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(sem_init(&e.noticed, 0, 0), 0);
    assert_int_equal(sem_init(&e.turned, 0, 0), 0);
    config.transport_fd = pair[0];
    assert_int_equal(a3mi_reader_new(&e.reader, &config, &ops, &e), A3M_OK);
    assert_int_equal(a3mi_reader_start(e.reader), A3M_OK);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(write(e.notice_fd, &one, sizeof one), sizeof one);
        await(&e.noticed);
        await(&e.turned);
    }
    a3mi_reader_stop(e.reader);
    assert_int_equal(e.notices, 3);
    a3mi_reader_free(e.reader);
    (void)sem_destroy(&e.noticed);
    (void)sem_destroy(&e.turned);
    (void)close(pair[0]);
    (void)close(pair[1]);
    (void)close(e.notice_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runtime_notice_is_taken_by_the_thread_and_a_turn_follows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
