/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often threads are woken, on each path, by a node's own counts
 * (a3m_node_get_stats), the other end being a process on another processor.
 * Fewer than one message in a thousand wakes the reader thread or any other
 * thread: neither sends nor receives, not even when the consumer works 5 us on
 * each message. Counts are asserted, never times. covers N3 F6
 *
 * Requests, and sends with pauses, have a wider bound: they keep the alarm of the
 * reader thread going off, which comes with time and not with messages.
 *
 * On a machine that is busy with other things the caller loses the processor for
 * longer than a lease, and the reader thread has to read. So it is counted in
 * short windows, and those do not count in which, or before which, the kernel took
 * the processor away (an involuntary switch). The reader thread runs on the other
 * processor: it is no reason for one. What a hypervisor takes is not counted, so
 * each path has some attempts.
 */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "far.h"
#include "node_fixture.h"

enum { MESSAGES = 50000, REQUESTS = 20000, WARM_UP = 2000, WINDOW = 100, ATTEMPTS = 8 };
enum { SIZE = 64, WORK_NS = 5000 };

/* ---- The other process ---------------------------------------------------------------- */

static struct far far_sink, far_echo, far_source;
static int far_cpu, own_cpu;

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void busy_until(int64_t at)
{
    while (a3m_now().ns < at) {}
}

static void say_address(int fd, a3m_node node)
{
    char address[128];
    assert_int_equal(a3m_node_address(node, address, sizeof(address)), A3M_OK);
    far_say(fd, address);
}

static void sink_body(int fd)
{
    a3m_msg *msgs[64];
    int n = 0;
    pin(far_cpu);
    a3m_node node = test_node("far");
    a3m_socket pull = test_socket(node, &a3m_pull, "sink");
    say_address(fd, node);
    while (n >= 0) {
        n = a3m_recv_many(pull, msgs, 64, A3M_FOREVER);
        for (int i = 0; i < n; i++) {
            a3m_msg_free(msgs[i]);
        }
    }
}

static void echo_body(int fd)
{
    a3m_msg *request;
    pin(far_cpu);
    a3m_node node = test_node("far");
    a3m_socket rep = test_socket(node, &a3m_rep, "echo");
    say_address(fd, node);
    while (a3m_recv(rep, &request) == A3M_OK) {
        (void)a3m_reply(rep, request, a3m_msg_dup(request), A3M_FOREVER);
        a3m_msg_free(request);
    }
}

/* Told "<url> <gap in ns>", it sends all there, a message each gap. */
static void source_body(int fd)
{
    static const uint8_t bytes[SIZE];
    char line[256], url[256];
    pin(far_cpu);
    a3m_node node = test_node("far");
    for (;;) {
        far_hear(fd, line, sizeof(line));
        char *space = strchr(line, ' ');
        assert_non_null(space);
        int64_t gap = strtoll(space, NULL, 10);
        (void)snprintf(url, sizeof(url), "%.*s", (int)(space - line), line);
        a3m_socket push = test_socket(node, &a3m_push, NULL);
        test_link(push, url);
        int64_t next = a3m_now().ns;
        for (int i = 0; i < WARM_UP + MESSAGES; i++) {
            next += gap;
            busy_until(next);
            assert_int_equal(a3m_send_bytes(push, bytes, sizeof(bytes), SOON), A3M_OK);
        }
        assert_int_equal(a3m_socket_drain(push, SOON), A3M_OK);
        assert_int_equal(a3m_socket_close(push), A3M_OK);
    }
}

static const char *url_of(struct far *far, char address[128], const char *tag)
{
    static char url[256];
    if (address[0] == '\0') {
        far_hear(far->fd, address, 128);
    }
    (void)snprintf(url, sizeof(url), "%s/%s", address, tag);
    return url;
}

/* ---- Counting ---------------------------------------------------------------------------- */

struct path {
    const char *name;
    a3m_socket (*open)(a3m_node node, const struct path *path);
    void (*step)(a3m_socket socket, const struct path *path, int n);
    int messages;
    int per_wake_up; /* at least so many messages for each */
    int64_t gap_ns, busy_ns;
    bool bundles; /* the alarm of bundles may go off: not for a message, but now and then while they flow */
};

/* Wake-ups. */
struct count {
    uint64_t messages, reader, packets, timers, others;
};

struct counts {
    struct count all, calm; /* calm: in windows that count */
    uint64_t switches;
};

static uint64_t switches_of_thread(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_THREAD, &usage), 0);
    return (uint64_t)usage.ru_nivcsw;
}

static void add(struct count *count, uint64_t messages, const a3m_node_stats *begin,
                const a3m_node_stats *end)
{
    count->messages += messages;
    count->reader += end->reader_wakeups - begin->reader_wakeups;
    count->packets += end->reader_rx_wakeups - begin->reader_rx_wakeups;
    count->timers += end->reader_timer_wakeups - begin->reader_timer_wakeups;
    count->others += end->wakes - begin->wakes;
}

static struct counts count_windows(a3m_node node, a3m_socket socket, const struct path *path)
{
    struct counts counts = {0};
    bool calm = true;
    a3m_node_stats begin = test_stats(node);
    for (int i = 0; i < path->messages; i += WINDOW) {
        uint64_t switches = switches_of_thread();
        path->step(socket, path, WINDOW);
        a3m_node_stats end = test_stats(node);
        switches = switches_of_thread() - switches;
        add(&counts.all, WINDOW, &begin, &end);
        if (calm && switches == 0) {
            add(&counts.calm, WINDOW, &begin, &end);
        }
        calm = switches == 0;
        counts.switches += switches;
        begin = end;
    }
    return counts;
}

static void print(const struct path *path, const struct counts *counts)
{
    const struct count *all = &counts->all, *calm = &counts->calm;
    (void)printf("%-26s %5" PRIu64 " messages: reader woken %4" PRIu64 " (packets %4" PRIu64
                 ", timers %4" PRIu64 "), others %" PRIu64 "; calm %5" PRIu64 ": %4" PRIu64 " (%4" PRIu64
                 ", %4" PRIu64 "), %" PRIu64 "; processor lost %" PRIu64 "\n",
                 path->name, all->messages, all->reader, all->packets, all->timers, all->others,
                 calm->messages, calm->reader, calm->packets, calm->timers, calm->others, counts->switches);
}

static struct counts run(const struct path *path)
{
    a3m_node node;
    a3m_node_config config = {.size = sizeof(config), .reader_cpu = far_cpu + 1};
    assert_int_equal(a3m_node_new(&node, "near", "udp://127.0.0.1:0", &config), A3M_OK);
    assert_int_equal(a3m_node_start(node), A3M_OK);
    a3m_socket socket = path->open(node, path);
    path->step(socket, path, WARM_UP);
    struct counts counts = count_windows(node, socket, path);
    test_close(node);
    print(path, &counts);
    return counts;
}

static bool few(const struct path *path, const struct count *count)
{
    uint64_t timers = path->bundles ? count->timers : 0;
    return (count->reader - timers + count->others) * (uint64_t)path->per_wake_up < count->messages &&
           timers * 100 < count->messages;
}

static void assert_few(const struct path *path)
{
    bool told = false;
    for (int i = 0; i < ATTEMPTS; i++) {
        struct counts counts = run(path);
        bool enough = counts.calm.messages >= counts.all.messages / 4;
        if (few(path, &counts.all) || (enough && few(path, &counts.calm))) {
            return;
        }
        told |= enough;
    }
    if (told) {
        fail_msg("%s: too many wake-ups", path->name);
    }
    (void)printf("%s: the machine is too busy to tell\n", path->name);
    skip();
}

/* ---- Sending -------------------------------------------------------------------------------- */

static a3m_socket open_push(a3m_node node, const struct path *path)
{
    static char address[128];
    a3m_socket push = test_socket(node, &a3m_push, NULL);
    (void)path;
    test_link(push, url_of(&far_sink, address, "sink"));
    return push;
}

static void step_send(a3m_socket push, const struct path *path, int n)
{
    static const uint8_t bytes[SIZE];
    int64_t next = a3m_now().ns;
    for (int i = 0; i < n; i++) {
        next += path->gap_ns;
        busy_until(next);
        assert_int_equal(a3m_send_bytes(push, bytes, sizeof(bytes), SOON), A3M_OK);
    }
}

static void test_wakeups_send_at_full_speed_nobody_is_woken(void **arg)
{
    (void)arg;
    assert_few(&(struct path){"send", open_push, step_send, MESSAGES, 1000, 0, 0, true});
}

static void test_wakeups_send_at_times_few_are_woken(void **arg)
{
    (void)arg;
    assert_few(&(struct path){"send, one each 20 us", open_push, step_send, MESSAGES, 1000, 20000, 0, false});
}

/* ---- Requests --------------------------------------------------------------------------------- */

static a3m_socket open_req(a3m_node node, const struct path *path)
{
    static char address[128];
    a3m_socket req = test_socket(node, &a3m_req, NULL);
    (void)path;
    test_link(req, url_of(&far_echo, address, "echo"));
    return req;
}

static void step_ask(a3m_socket req, const struct path *path, int n)
{
    static const uint8_t bytes[SIZE];
    (void)path;
    for (int i = 0; i < n; i++) {
        a3m_msg *reply;
        a3m_msg *request = a3m_msg_copy(bytes, sizeof(bytes));
        assert_int_equal(a3m_request_reply(req, request, &reply, SOON, NULL), A3M_OK);
        a3m_msg_free(reply);
    }
}

static void test_wakeups_request_few_are_woken(void **arg)
{
    (void)arg;
    assert_few(&(struct path){"request and reply", open_req, step_ask, REQUESTS, 100, 0, 0, false});
}

/* ---- Receiving ----------------------------------------------------------------------------------- */

static a3m_socket open_pull(a3m_node node, const struct path *path)
{
    char line[300];
    a3m_socket pull = test_socket(node, &a3m_pull, "sink");
    (void)snprintf(line, sizeof(line), "%s %" PRId64, test_url(node, "sink"), path->gap_ns);
    far_say(far_source.fd, line);
    return pull;
}

static void step_consume(a3m_socket pull, const struct path *path, int n)
{
    for (int i = 0; i < n; i++) {
        a3m_msg *msg;
        assert_int_equal(a3m_recv_until(pull, &msg, SOON), A3M_OK);
        busy_until(a3m_now().ns + path->busy_ns);
        a3m_msg_free(msg);
    }
}

static void receive(const char *name, int64_t gap_ns, int64_t busy_ns)
{
    assert_few(&(struct path){name, open_pull, step_consume, MESSAGES, 1000, gap_ns, busy_ns, false});
}

static void test_wakeups_receive_nobody_is_woken(void **arg)
{
    (void)arg;
    receive("receive", 0, 0);
    receive("receive, one each 20 us", 20000, 0);
}

static void test_wakeups_receive_and_work_reader_sleeps(void **arg)
{
    (void)arg;
    receive("receive and work 5 us", 0, WORK_NS);
    receive("the same, one each 6 us", 6000, WORK_NS);
    receive("the same, one each 20 us", 20000, WORK_NS);
}

/* ---- Setting ---------------------------------------------------------------------------------------- */

/* The n-th processor that this process may use, or -1. */
static int usable_cpu(int n)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, &set) && n-- == 0) {
            return cpu;
        }
    }
    return -1;
}

/* Why it cannot be counted here, or NULL. */
static const char *excuse(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(A3M_TSAN)
    return "instrumented: the work takes longer than the leases";
#else
    return usable_cpu(1) < 0 ? "one processor only: both ends would take it from one another" : NULL;
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wakeups_send_at_full_speed_nobody_is_woken),
        cmocka_unit_test(test_wakeups_send_at_times_few_are_woken),
        cmocka_unit_test(test_wakeups_request_few_are_woken),
        cmocka_unit_test(test_wakeups_receive_nobody_is_woken),
        cmocka_unit_test(test_wakeups_receive_and_work_reader_sleeps),
    };
    if (excuse() != NULL) {
        (void)printf("SKIP: %s\n", excuse());
        return 77;
    }
    own_cpu = usable_cpu(0);
    far_cpu = usable_cpu(1);
    far_start(&far_sink, sink_body);
    far_start(&far_echo, echo_body);
    far_start(&far_source, source_body);
    pin(own_cpu);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    far_kill(&far_sink);
    far_kill(&far_echo);
    far_kill(&far_source);
    return failed;
}
