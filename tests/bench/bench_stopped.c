/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A receiver that stops: how fast another link of the same socket goes beside it, and what the receiver that
 * stopped holds. A sender and two receivers, each a fresh process; messages of 1,000 bytes for half a second over
 * the link whose receiver takes them, beside an idle link, and beside one that has used up its credit. In both a thread
 * waits in the sender's node, for a message that does not come or for that credit: who waits reads the network, which
 * has its price, whatever it waits for. Alternating. The exit code is 1 only when a measurement failed.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <a3m/a3m.h>

#include "bench/args.h"
#include "bench/spread.h"
#include "bench/table.h"

enum { SIZE = 1000, RUNS_MAX = BENCH_ARGS_RUNS_MAX };

#define SOON a3m_in(a3m_seconds(20))

struct result {
    double rate;       /* messages a second over the link that goes on */
    double sent;       /* by the link whose receiver stopped */
    double grown_kib;  /* memory of the receiver that stopped, from before the first message on */
    double sender_kib; /* of the sender, from before the receiver stopped */
};

struct receiver {
    pid_t pid;
    char peer[A3M_LINK_ADDRESS_SIZE + 8];
};

static void check(int result, const char *what)
{
    if (result < 0) {
        (void)fprintf(stderr, "%s: %s (%s)\n", what, a3m_strerror(result), a3m_error_detail());
        exit(1);
    }
}

/* Of a process; 0: this one. */
static double resident_kib(pid_t pid)
{
    char path[64], line[128];
    (void)snprintf(path, sizeof(path), pid != 0 ? "/proc/%d/statm" : "/proc/self/statm", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(line, sizeof(line), file) == NULL) {
        check(A3M_EOS, path);
    }
    (void)fclose(file);
    const char *second = line + strcspn(line, " ");
    unsigned long resident = strtoul(second, NULL, 10);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static a3m_node open_node(const char *id)
{
    a3m_node node;
    check(a3m_node_new(&node, id, "udp://127.0.0.1:0", NULL), "node");
    check(a3m_node_start(node), "start");
    return node;
}

/* ---- Receivers, each a process --------------------------------------------------------- */

static _Noreturn void take_all(a3m_socket pull)
{
    a3m_msg *msgs[64];
    for (;;) {
        int n = a3m_recv_many(pull, msgs, 64, A3M_FOREVER);
        check(n, "receive");
        for (int i = 0; i < n; i++) {
            a3m_msg_free(msgs[i]);
        }
    }
}

static _Noreturn void receive(const char *id, bool takes, int tell)
{
    char address[A3M_LINK_ADDRESS_SIZE] = "";
    a3m_socket pull;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    a3m_node node = open_node(id);
    check(a3m_socket_open(&pull, node, &a3m_pull, "sink"), "socket");
    check(a3m_node_address(node, address, sizeof(address)), "address");
    check(write(tell, address, sizeof(address)) == (ssize_t)sizeof(address) ? 0 : A3M_EOS, "pipe");
    if (takes) {
        take_all(pull);
    }
    for (;;) {
        (void)pause();
    }
}

static struct receiver start_receiver(const char *id, bool takes)
{
    struct receiver receiver = {0};
    char address[A3M_LINK_ADDRESS_SIZE];
    int ends[2];
    check(pipe(ends) == 0 ? 0 : A3M_EOS, "pipe");
    receiver.pid = fork();
    check(receiver.pid >= 0 ? 0 : A3M_EOS, "fork");
    if (receiver.pid == 0) {
        receive(id, takes, ends[1]);
    }
    check(read(ends[0], address, sizeof(address)) == (ssize_t)sizeof(address) ? 0 : A3M_EOS, id);
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)snprintf(receiver.peer, sizeof(receiver.peer), "%s/sink", address);
    return receiver;
}

static void kill_receiver(const struct receiver *receiver)
{
    (void)kill(receiver->pid, SIGKILL);
    (void)waitpid(receiver->pid, NULL, 0);
}

/* ---- The sender ------------------------------------------------------------------------ */

static const uint8_t bytes[SIZE];

static a3m_link link_to(a3m_socket push, const struct receiver *receiver)
{
    a3m_link link;
    check(a3m_socket_link(push, receiver->peer, &link), "link");
    check(a3m_link_wait(link, SOON), "link");
    return link;
}

static int send_one(a3m_link link, a3m_time deadline)
{
    a3m_msg *msg = a3m_msg_copy(bytes, SIZE);
    int result = msg != NULL ? a3m_link_send(link, msg, deadline) : A3M_ENOMEM;
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

/* For as long as the receiver is stopped. */
static void *wait_for_credit(void *arg)
{
    (void)send_one(*(const a3m_link *)arg, A3M_FOREVER);
    return NULL;
}

static void *wait_for_message(void *arg)
{
    a3m_msg *msg;
    (void)a3m_recv_until(*(const a3m_socket *)arg, &msg, A3M_FOREVER);
    return NULL;
}

static double sent_on(a3m_link link)
{
    a3m_link_info info = {.size = sizeof(info)};
    check(a3m_link_get_info(link, &info), "link");
    return (double)info.sent;
}

/* Sends for so long, until all has arrived: messages a second. */
static double send_for(a3m_socket push, a3m_link link, int64_t duration_ns)
{
    uint64_t n = 0;
    a3m_time begin = a3m_now();
    while (a3m_now().ns < begin.ns + duration_ns) {
        for (int i = 0; i < 16; i++) {
            check(send_one(link, SOON), "send");
        }
        n += 16;
    }
    check(a3m_socket_drain(push, SOON), "drain");
    return (double)n * 1e9 / (double)(a3m_now().ns - begin.ns);
}

static struct result run(bool beside, int64_t duration_ns)
{
    struct receiver taker = start_receiver("taker", true), stopped = start_receiver("stopped", false);
    struct result result = {0};
    a3m_node node = open_node("sender");
    a3m_socket push, pull;
    pthread_t waiting;
    check(a3m_socket_open(&push, node, &a3m_push, NULL), "socket");
    check(a3m_socket_open(&pull, node, &a3m_pull, NULL), "socket");
    a3m_link goes_on = link_to(push, &taker), stops = link_to(push, &stopped);
    (void)send_for(push, goes_on, duration_ns / 5); /* to warm up */
    double before = resident_kib(stopped.pid), own = resident_kib(0);
    if (beside) {
        int code;
        while ((code = send_one(stops, A3M_NOW)) == A3M_OK) {}
        check(code == A3M_ENOCREDIT ? 0 : code, "send");
    }
    int code = beside ? pthread_create(&waiting, NULL, wait_for_credit, &stops)
                      : pthread_create(&waiting, NULL, wait_for_message, &pull);
    check(code == 0 ? 0 : A3M_EOS, "thread");
    result.rate = send_for(push, goes_on, duration_ns);
    result.sent = sent_on(stops);
    result.grown_kib = resident_kib(stopped.pid) - before;
    result.sender_kib = resident_kib(0) - own;
    check(a3m_link_abort(stops, NULL), "abort");
    check(a3m_socket_close(pull), "close");
    (void)pthread_join(waiting, NULL);
    (void)a3m_node_close(node, SOON, NULL);
    kill_receiver(&taker);
    kill_receiver(&stopped);
    return result;
}

/* ---- Runs -------------------------------------------------------------------------------- */

/* In a process of its own, so that receivers are forked from one without threads. */
static bool run_apart(bool beside, int64_t duration_ns, struct result *result)
{
    int ends[2], status = 1;
    if (pipe(ends) != 0) {
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        struct result own = run(beside, duration_ns);
        _exit(write(ends[1], &own, sizeof(own)) == (ssize_t)sizeof(own) ? 0 : 1);
    }
    (void)close(ends[1]);
    bool ok = pid > 0 && read(ends[0], result, sizeof(*result)) == (ssize_t)sizeof(*result);
    (void)close(ends[0]);
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 && ok;
}

static void add_row(struct bench_table *table, const char *what, const struct result *results, size_t n)
{
    double values[4][RUNS_MAX];
    for (size_t i = 0; i < n; i++) {
        values[0][i] = results[i].rate;
        values[1][i] = results[i].sent;
        values[2][i] = results[i].grown_kib;
        values[3][i] = results[i].sender_kib;
    }
    struct bench_spread rate = bench_spread_of(values[0], n);
    bench_table_row(table, false);
    bench_table_cell(table, "%s", what);
    bench_table_cell(table, "%.0f", rate.median);
    bench_table_cell(table, "%.0f", rate.min);
    bench_table_cell(table, "%.0f", rate.max);
    for (int i = 1; i < 4; i++) {
        bench_table_cell(table, "%.0f", bench_spread_of(values[i], n).max);
    }
}

int main(int argc, char **argv)
{
    static const char *const titles[] = {"the other link", "sends/s", "min",        "max",
                                         "sent to it",     "its KiB", "sender KiB", NULL};
    static const char *const names[] = {"idle", "stopped"};
    static struct result results[2][RUNS_MAX];
    struct bench_args args = {.runs = 9, .duration_ns = 500000000};
    struct bench_table table;
    bench_args_parse(&args, argc, argv,
                     "a link beside one whose receiver stopped (only --runs, --seconds and --csv)");
    for (size_t i = 0; i < args.runs; i++) {
        for (int beside = 0; beside < 2; beside++) {
            if (!run_apart(beside != 0, args.duration_ns, &results[beside][i])) {
                (void)fprintf(stderr, "a run failed\n");
                return 1;
            }
        }
    }
    bench_table_init(&table, titles, 1);
    for (int beside = 0; beside < 2; beside++) {
        add_row(&table, names[beside], results[beside], args.runs);
    }
    bench_table_print(&table, args.csv);
    bench_table_fini(&table);
    return 0;
}
