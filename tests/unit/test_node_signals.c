/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals: blocked calls return A3M_EINTR where the socket asks for it and go on
 * where it does not, whichever way they wait; handlers never run on the reader
 * thread. covers N3 F10 S6
 *
 * The ways to wait: as the leader, who sleeps on the network; in line behind it,
 * on a futex; parked, where the reader role is not lent; before the node starts.
 */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "caller.h"
#include "node_fixture.h"

static _Atomic int handled;
static _Atomic pid_t handled_by;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&handled_by, gettid());
    (void)atomic_fetch_add(&handled, 1);
}

static void install(int flags)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    atomic_store(&handled, 0);
    atomic_store(&handled_by, 0);
}

static void wait_handled(int n)
{
    a3m_time deadline = SOON;
    while (atomic_load(&handled) < n) {
        assert_true(a3m_now().ns < deadline.ns);
        (void)sched_yield();
    }
}

/*
 * Signals a caller until its call returns: a signal that comes between two
 * sleeps of one call interrupts neither.
 */
static int interrupt(struct caller *caller)
{
    a3m_time deadline = SOON;
    while (!caller_returned(caller) && a3m_now().ns < deadline.ns) {
        int before = atomic_load(&handled);
        assert_int_equal(pthread_kill(caller->thread, SIGUSR1), 0);
        while (!caller_returned(caller) && atomic_load(&handled) == before) {
            (void)sched_yield();
        }
    }
    return caller_join(caller);
}

/* ---- The calls --------------------------------------------------------------------- */

/* Two nodes, linked REQ to REP; calls are made on the client's socket. */
struct world {
    a3m_node client, server;
    a3m_socket socket, rep;
    a3m_request request;
};

static int call_recv(void *arg)
{
    a3m_msg *msg;
    int result = a3m_recv(((struct world *)arg)->socket, &msg);
    if (result == A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

static int call_request_wait(void *arg)
{
    struct world *world = arg;
    a3m_msg *reply;
    int result = a3m_request_wait(world->socket, world->request, &reply, A3M_FOREVER);
    if (result == A3M_OK) {
        a3m_msg_free(reply);
    }
    return result;
}

static int call_wait_link(void *arg)
{
    return a3m_socket_wait_link(((struct world *)arg)->socket, NULL, A3M_FOREVER);
}

static int call_send(void *arg)
{
    return a3m_send_bytes(((struct world *)arg)->socket, "?", 1, A3M_FOREVER);
}

/* A request outstanding, whose reply the caller waits for. */
static void make_world(struct world *world, const a3m_node_config *config, int64_t eintr)
{
    assert_int_equal(a3m_node_new(&world->client, "client", "udp://127.0.0.1:0", config), A3M_OK);
    assert_int_equal(a3m_node_start(world->client), A3M_OK);
    world->server = test_node("server");
    world->rep = test_socket(world->server, &a3m_rep, "echo");
    world->socket = test_socket(world->client, &a3m_req, NULL);
    assert_int_equal(a3m_socket_set(world->socket, A3M_OPT_EINTR, eintr), A3M_OK);
    test_link(world->socket, test_url(world->server, "echo"));
    assert_int_equal(a3m_request_send(world->socket, test_msg("?"), &world->request, SOON), A3M_OK);
}

static void answer(struct world *world)
{
    a3m_msg *request;
    assert_int_equal(a3m_recv_until(world->rep, &request, SOON), A3M_OK);
    assert_int_equal(a3m_reply(world->rep, request, a3m_msg_dup(request), SOON), A3M_OK);
    a3m_msg_free(request);
}

static void close_world(struct world *world)
{
    test_close(world->client);
    test_close(world->server);
}

/* ---- With the option ------------------------------------------------------------------ */

/* The request stays outstanding; SA_RESTART is of no concern, as nothing is restarted for the caller. */
static void interrupted(const a3m_node_config *config, int flags)
{
    struct world world;
    struct caller caller;
    install(flags);
    make_world(&world, config, 1);
    for (int i = 0; i < 3; i++) {
        caller_start(&caller, call_request_wait, &world);
        caller_await_sleep(&caller);
        assert_int_equal(interrupt(&caller), A3M_EINTR);
    }
    caller_start(&caller, call_request_wait, &world);
    answer(&world);
    assert_int_equal(caller_join(&caller), A3M_OK);
    close_world(&world);
}

static void test_eintr_leader_returns_and_can_wait_again(void **arg)
{
    (void)arg;
    interrupted(NULL, 0);
    interrupted(NULL, SA_RESTART);
}

static void test_eintr_parked_returns_and_can_wait_again(void **arg)
{
    (void)arg;
    a3m_node_config config = {.size = sizeof(config), .no_lending = true};
    interrupted(&config, 0);
    interrupted(&config, SA_RESTART);
}

static void test_eintr_in_line_returns_and_leader_stays(void **arg)
{
    (void)arg;
    struct world world;
    struct caller leader, second;
    install(0);
    make_world(&world, NULL, 1);
    caller_start(&leader, call_request_wait, &world);
    caller_await_sleep(&leader);
    caller_start(&second, call_recv, &world);
    caller_await_sleep(&second);
    assert_int_equal(interrupt(&second), A3M_EINTR);
    assert_false(caller_returned(&leader));
    answer(&world);
    assert_int_equal(caller_join(&leader), A3M_OK);
    close_world(&world);
}

static void test_eintr_leader_goes_second_takes_its_place(void **arg)
{
    (void)arg;
    struct world world;
    struct caller leader, second;
    install(0);
    make_world(&world, NULL, 1);
    caller_start(&leader, call_recv, &world);
    caller_await_sleep(&leader);
    caller_start(&second, call_request_wait, &world);
    caller_await_sleep(&second);
    assert_int_equal(interrupt(&leader), A3M_EINTR);
    answer(&world);
    assert_int_equal(caller_join(&second), A3M_OK);
    close_world(&world);
}

static void test_eintr_every_call_that_blocks_returns(void **arg)
{
    (void)arg;
    int (*const calls[])(void *) = {call_recv, call_wait_link, call_send};
    struct world world;
    struct caller caller;
    install(0);
    world.client = test_node("client");
    world.socket = test_socket(world.client, &a3m_req, NULL);
    assert_int_equal(a3m_socket_set(world.socket, A3M_OPT_EINTR, 1), A3M_OK);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        caller_start(&caller, calls[i], &world);
        caller_await_sleep(&caller);
        assert_int_equal(interrupt(&caller), A3M_EINTR);
    }
    test_close(world.client);
}

static void test_eintr_node_not_started_returns(void **arg)
{
    (void)arg;
    struct world world;
    struct caller caller;
    install(0);
    world.client = test_node_idle("client", "udp://127.0.0.1:0");
    world.socket = test_socket(world.client, &a3m_req, NULL);
    assert_int_equal(a3m_socket_set(world.socket, A3M_OPT_EINTR, 1), A3M_OK);
    caller_start(&caller, call_recv, &world);
    caller_await_sleep(&caller);
    assert_int_equal(interrupt(&caller), A3M_EINTR);
    test_close(world.client);
}

/* ---- Without ------------------------------------------------------------------------------ */

static void goes_on(const a3m_node_config *config, int flags)
{
    struct world world;
    struct caller caller;
    install(flags);
    make_world(&world, config, 0);
    caller_start(&caller, call_request_wait, &world);
    for (int i = 1; i <= 20; i++) {
        caller_await_sleep(&caller);
        assert_int_equal(pthread_kill(caller.thread, SIGUSR1), 0);
        wait_handled(i);
    }
    caller_await_sleep(&caller);
    answer(&world);
    assert_int_equal(caller_join(&caller), A3M_OK);
    close_world(&world);
}

static void test_no_eintr_leader_goes_on(void **arg)
{
    (void)arg;
    goes_on(NULL, 0);
    goes_on(NULL, SA_RESTART);
}

static void test_no_eintr_parked_goes_on(void **arg)
{
    (void)arg;
    a3m_node_config config = {.size = sizeof(config), .no_lending = true};
    goes_on(&config, 0);
    goes_on(&config, SA_RESTART);
}

static int call_recv_a_while(void *arg)
{
    a3m_msg *msg;
    return a3m_recv_until(((struct world *)arg)->socket, &msg, a3m_in(a3m_ms(100)));
}

/* The deadline is not begun anew by a signal, nor does a signal end the call before it. */
static void test_no_eintr_deadline_stays(void **arg)
{
    (void)arg;
    struct world world;
    struct caller caller;
    install(0);
    make_world(&world, NULL, 0);
    a3m_time begin = a3m_now();
    caller_start(&caller, call_recv_a_while, &world);
    assert_int_equal(interrupt(&caller), A3M_ETIMEDOUT);
    int64_t took = a3m_now().ns - begin.ns;
    assert_true(took >= a3m_ms(100).ns && took < a3m_seconds(10).ns);
    assert_true(atomic_load(&handled) > 0);
    answer(&world);
    close_world(&world);
}

/* ---- The reader thread ---------------------------------------------------------------------- */

static bool read_text(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    size_t n = fread(text, 1, size - 1, file);
    text[n] = '\0';
    (void)fclose(file);
    return n > 0;
}

/* The thread with this name. */
static pid_t find_thread(const char *name)
{
    DIR *dir = opendir("/proc/self/task");
    pid_t found = 0;
    assert_non_null(dir);
    for (struct dirent *it = readdir(dir); it != NULL; it = readdir(dir)) {
        char path[300], text[64];
        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/comm", it->d_name);
        if (read_text(path, text, sizeof(text)) && strncmp(text, name, strlen(name)) == 0) {
            found = (pid_t)strtol(it->d_name, NULL, 10);
        }
    }
    (void)closedir(dir);
    return found;
}

/* Which signals a thread blocks: bit n - 1 for signal n. */
static uint64_t blocked_by(pid_t tid)
{
    char path[64], text[4096];
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
    assert_true(read_text(path, text, sizeof(text)));
    const char *at = strstr(text, "SigBlk:");
    assert_non_null(at);
    return strtoull(at + strlen("SigBlk:"), NULL, 16);
}

/* The thread names itself as it begins to run, maybe after a3m_node_start returned. */
static pid_t await_thread(const char *name)
{
    a3m_time deadline = SOON;
    pid_t tid = 0;
    while ((tid = find_thread(name)) == 0) {
        assert_true(a3m_now().ns < deadline.ns);
        (void)sched_yield();
    }
    return tid;
}

static void test_reader_thread_blocks_all_signals(void **arg)
{
    (void)arg;
    a3m_node node = test_node("masked");
    uint64_t blocked = blocked_by(await_thread("a3m:masked"));
    for (int number = 1; number <= SIGRTMAX; number++) {
        bool own = number > SIGSYS && number < SIGRTMIN; /* of the C library */
        if (number != SIGKILL && number != SIGSTOP && !own && (blocked >> (number - 1) & 1) == 0) {
            fail_msg("signal %d is not blocked", number);
        }
    }
    test_close(node);
}

static void test_start_leaves_the_callers_mask_alone(void **arg)
{
    (void)arg;
    uint64_t before = blocked_by(gettid());
    a3m_node node = test_node("masked");
    assert_int_equal(blocked_by(gettid()), before);
    test_close(node);
}

/* Sent to the process while only the reader thread could take it: it waits until somebody else can. */
static void test_signal_to_the_process_not_handled_by_the_reader_thread(void **arg)
{
    (void)arg;
    sigset_t set, before;
    struct world world;
    install(0);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, &before), 0);
    make_world(&world, NULL, 0);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    answer(&world);
    assert_int_equal(call_request_wait(&world), A3M_OK);
    assert_int_equal(atomic_load(&handled), 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    wait_handled(1);
    assert_int_equal(atomic_load(&handled_by), gettid());
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eintr_leader_returns_and_can_wait_again),
        cmocka_unit_test(test_eintr_parked_returns_and_can_wait_again),
        cmocka_unit_test(test_eintr_in_line_returns_and_leader_stays),
        cmocka_unit_test(test_eintr_leader_goes_second_takes_its_place),
        cmocka_unit_test(test_eintr_every_call_that_blocks_returns),
        cmocka_unit_test(test_eintr_node_not_started_returns),
        cmocka_unit_test(test_no_eintr_leader_goes_on),
        cmocka_unit_test(test_no_eintr_parked_goes_on),
        cmocka_unit_test(test_no_eintr_deadline_stays),
        cmocka_unit_test(test_reader_thread_blocks_all_signals),
        cmocka_unit_test(test_start_leaves_the_callers_mask_alone),
        cmocka_unit_test(test_signal_to_the_process_not_handled_by_the_reader_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
