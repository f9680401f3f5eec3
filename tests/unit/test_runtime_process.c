/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader and the process that it is in: threads that are cancelled, signals, fork, descriptors that run out.
 * covers N8 N11
 */
#include "test_runtime_reader.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- The host process ------------------------------------------------------------------ */

static void test_reader_stop_with_the_role_leased_stops(void **state)
{
    struct fixture fx;

    (void)state;
    for (int i = 0; i < 20; i++) {
        set_up_started(&fx, fake_config());
        peer_sends(&fx, 1);
        assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
        a3mi_reader_stop(fx.fake.reader);
        assert_false(a3mi_reader_started(fx.fake.reader));
        a3mi_reader_stop(fx.fake.reader);
        assert_int_equal(a3mi_reader_start(fx.fake.reader), A3M_ESTATE);
        tear_down(&fx);
    }
}

static void test_reader_thread_blocks_all_signals(void **state)
{
    struct fixture fx;
    sigset_t mask;
    FILE *f;
    char path[64], line[256];
    DIR *tasks = NULL;
    const struct dirent *entry;
    int found = 0;

    (void)state;
    set_up_asleep(&fx, fake_config());
    tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    while ((entry = readdir(tasks)) != NULL) {
        (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", entry->d_name);
        f = fopen(path, "r");
        if (f == NULL) {
            continue;
        }
        bool ours = fgets(line, sizeof line, f) != NULL && strcmp(line, "fake\n") == 0;
        (void)fclose(f);
        if (!ours) {
            continue;
        }
        (void)snprintf(path, sizeof path, "/proc/self/task/%.20s/status", entry->d_name);
        f = fopen(path, "r");
        assert_non_null(f);
        while (fgets(line, sizeof line, f) != NULL) {
            if (strncmp(line, "SigBlk:", 7) == 0) {
                unsigned long long blocked = strtoull(line + 7, NULL, 16);
                for (int s = 1; s < 32; s++) {
                    assert_true(s == SIGKILL || s == SIGSTOP || (blocked >> (s - 1) & 1) != 0);
                }
                found++;
            }
        }
        (void)fclose(f);
    }
    (void)closedir(tasks);
    assert_int_equal(found, 1);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGTERM)); /* the creator's own is as before */
    tear_down(&fx);
}

static void test_reader_on_thread_is_true_there_only(void **state)
{
    struct fixture fx;

    (void)state;
    set_up_started(&fx, fake_config());
    assert_false(a3mi_reader_on_thread(fx.fake.reader));
    atomic_store(&fx.fake.event_deadline, 1);
    a3mi_reader_signal(fx.fake.reader);
    EVENTUALLY(fx.fake.events == 1); /* counted by a3mi_reader_on_thread */
    assert_int_equal(fx.fake.events_elsewhere, 0);
    tear_down(&fx);
}

static int open_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++) {
        struct pollfd p = {.fd = fd};
        n += poll(&p, 1, 0) == 1 && (p.revents & POLLNVAL) != 0 ? 0 : 1;
    }
    return n;
}

static void test_reader_after_fork_abandon_leaves_the_parent_alone(void **state)
{
    struct fixture fx;
    int before = open_descriptors();

    (void)state;
    set_up_asleep(&fx, fake_config());
    pid_t child = fork();
    if (child == 0) {
        a3mi_reader_abandon(fx.fake.reader);
        (void)close(fx.ends[0]);
        (void)close(fx.ends[1]);
        _exit(open_descriptors() <= before + 2 ? 0 : 1); /* libuv's process-wide signal pipe may stay */
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    peer_sends(&fx, 1);
    EVENTUALLY(fx.fake.received == 1);
    assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
    peer_sends(&fx, 1);
    assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
    tear_down(&fx);
}

static void test_reader_new_without_descriptors_says_so(void **state)
{
    enum { LIMIT = 128 };
    struct fixture fx;
    struct rlimit before, low;
    int hoard[LIMIT] = {0};
    int n = 0;
    int failed = 0;
    int rc;

    (void)state;
    set_up(&fx, fake_config()); /* libuv's first loop opens more than a later one */
    tear_down(&fx);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fx.ends), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = (struct rlimit){.rlim_cur = LIMIT, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (n < LIMIT && (hoard[n] = dup(0)) >= 0) {
        n++;
    }
    while ((rc = fake_init(&fx.fake, fx.ends[0], fake_config())) != 0) {
        assert_int_equal(rc, A3M_EMFILE);
        assert_true(n > 0); /* else a failure has leaked what was freed for it */
        (void)close(hoard[--n]);
        failed++;
    }
    assert_true(failed >= 5); /* each descriptor it needs was missing once */
    while (n > 0) {
        (void)close(hoard[--n]);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    tear_down(&fx);
}

/* ---- Cancellation ----------------------------------------------------------------- */

/* Not inlined: AddressSanitizer dislikes locals of the frame in which a thread ends by cancellation. */
static void __attribute__((noinline)) send_and_wait(struct fake *f)
{
    fake_send(f, 1); /* sendto is a cancellation point */
    (void)fake_recv(f, a3mi_clock_now() + 20000, false);
}

static void *send_until_cancelled(void *arg)
{
    struct fixture *fx = arg;

    for (;;) {
        send_and_wait(&fx->fake);
        pthread_testcancel();
    }
    return NULL;
}

static void test_reader_cancelled_thread_leaves_no_lock_and_no_role_behind(void **state)
{
    struct fixture fx;
    pthread_t thread;
    void *result;
    char bytes[64];

    (void)state;
    set_up_started(&fx, fake_config());
    for (int i = 0; i < 50; i++) {
        uint64_t sent = fx.fake.sent;
        assert_int_equal(pthread_create(&thread, NULL, send_until_cancelled, &fx), 0);
        EVENTUALLY(fx.fake.sent > sent + (uint64_t)i % 3);
        assert_int_equal(pthread_cancel(thread), 0);
        assert_int_equal(pthread_join(thread, &result), 0);
        assert_ptr_equal(result, PTHREAD_CANCELED);
        while (recv(fx.ends[1], bytes, sizeof bytes, MSG_DONTWAIT) > 0) {}
        fake_send(&fx.fake, 2);
        EVENTUALLY(recv(fx.ends[1], bytes, sizeof bytes, MSG_DONTWAIT | MSG_PEEK) == 2);
        while (recv(fx.ends[1], bytes, sizeof bytes, MSG_DONTWAIT) > 0) {}
        peer_sends(&fx, 1);
        assert_int_equal(fake_recv(&fx.fake, INT64_MAX, false), 0);
    }
    tear_down(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_stop_with_the_role_leased_stops),
        cmocka_unit_test(test_reader_thread_blocks_all_signals),
        cmocka_unit_test(test_reader_on_thread_is_true_there_only),
        cmocka_unit_test(test_reader_after_fork_abandon_leaves_the_parent_alone),
        cmocka_unit_test(test_reader_new_without_descriptors_says_so),
        cmocka_unit_test(test_reader_cancelled_thread_leaves_no_lock_and_no_role_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
