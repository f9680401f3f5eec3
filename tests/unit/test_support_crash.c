/* SPDX-License-Identifier: Apache-2.0 */
/* A test that crashes in a thread of its own says so (support/crash.h). */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "crash.h"

static void *crash(void *arg)
{
    (void)raise(*(int *)arg);
    return NULL;
}

/* In a process of its own, whose words go to `out`. */
static void crash_in_a_thread(int out, int number)
{
    const struct rlimit no_core = {0, 0};
    pthread_t thread;
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)dup2(out, STDERR_FILENO);
    crash_tell("the test", 4711);
    if (pthread_create(&thread, NULL, crash, &number) == 0) {
        (void)pthread_join(thread, NULL);
    }
    _exit(0);
}

static void read_all(int from, char *text, size_t size)
{
    size_t have = 0;
    ssize_t n;
    while (have < size - 1 && (n = read(from, text + have, size - 1 - have)) > 0) {
        have += (size_t)n;
    }
    text[have] = '\0';
}

static void expect_told(int number, const char *words)
{
    static char text[65536];
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        crash_in_a_thread(ends[1], number);
    }
    (void)close(ends[1]);
    read_all(ends[0], text, sizeof(text));
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == number);
    assert_non_null(strstr(text, words));
    assert_non_null(strstr(text, "support_crash")); /* the stack: this program */
}

static void test_crash_of_another_thread_is_told_with_the_seed_and_ends_the_program(void **arg)
{
    (void)arg;
    expect_told(SIGSEGV, "the test: A3M_SEED=4711: signal 11, at:\n");
    expect_told(SIGABRT, "the test: A3M_SEED=4711: signal 06, at:\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_of_another_thread_is_told_with_the_seed_and_ends_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
