/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node for the network tests, on the public interface. Senders (push, req) have
 * a socket and a thread for each of their links, send numbered messages on it in
 * windows, and write down what became of each window, as lines of text:
 *
 *   sending LINK FIRST COUNT            before it
 *   confirmed LINK FIRST COUNT          acknowledged by the peer's node, or replied to
 *   lost LINK FIRST COUNT N CODE        push: N of them were given up
 *   unknown LINK FIRST COUNT CODE       req: these had no reply
 *   closed UNDELIVERED UNKNOWN UNREAD   the report of a3m_node_close
 *
 * Receivers (pull, rep) have a socket for each link and note what arrives at it
 * (worker_log.h); rep answers with the request's own bytes. check.py knows what
 * may be true of all that. They also tell the longest time between two messages
 * of a socket: a silence of eight seconds is what it takes until a peer is probed.
 *
 * SIGUSR2: each sender says "through" when a window that began later is through
 * without loss. With --rest, a sender waits after each window until its node has no
 * record left, says "resting", and goes on with the next at a SIGUSR2. SIGHUP: reads
 * LOG.peer ("ID ADDRESS") and calls a3m_node_set_peer. SIGUSR1: come to an end: finish
 * the window, send another one, wait until the node has no record left, links being
 * up, and print "quiet" with the statistics. SIGTERM: close.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <a3m/a3m.h>

#include "net/worker_log.h"

enum {
    LINKS_MAX = 16,
    WINDOW_MAX = 65536,
    PATIENCE_S = 100, /* nothing here takes longer */
};

struct worker {
    const char *role, *id, *bind, *link, *log;
    uint64_t life, links, count, window, largest, credit, peer_timeout; /* ms; 0: none */
    bool sends, requests, rest;
    a3m_node node;
    struct arrivals *arrivals;
    int log_fd;
    _Atomic bool enough;
    _Atomic unsigned asked; /* how often SIGUSR2 came */
    _Atomic unsigned failures;
    _Atomic int64_t longest_gap; /* ns */
};

/* One socket and its thread. */
struct end {
    struct worker *worker;
    uint64_t link;
    a3m_socket socket;
    pthread_t thread;
    unsigned asked, told;  /* how often SIGUSR2 had come when the window began; when it was answered last */
    a3m_request *requests; /* req: of a window */
};

static void fail(struct worker *worker, const char *what, int code)
{
    (void)fprintf(stderr, "worker: %s: %s (%s)\n", what, a3m_strerror(code), a3m_error_detail());
    atomic_fetch_add(&worker->failures, 1);
}

static void must(const char *what, int code)
{
    if (code < 0) {
        (void)fprintf(stderr, "worker: %s: %s (%s)\n", what, a3m_strerror(code), a3m_error_detail());
        exit(1);
    }
}

static a3m_time patience(void)
{
    return a3m_in(a3m_seconds(PATIENCE_S));
}

/* One line of a sender's log. It is in the file when this returns. */
__attribute__((format(printf, 2, 3))) static void note(struct worker *worker, const char *format, ...)
{
    char line[160];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (write(worker->log_fd, line, (size_t)n) != n) {
        (void)fprintf(stderr, "worker: %s: %s\n", worker->log, strerror(errno));
        exit(1);
    }
}

/* ---- Sending ------------------------------------------------------------------------ */

/* "N messages were given up with their link". */
static uint64_t given_up(void)
{
    return strtoull(a3m_error_detail(), NULL, 10);
}

/* For the script: a window that began after the last SIGUSR2 is through, and nothing of it was lost. */
static void say_through(struct end *end, bool good)
{
    if (good && end->asked > end->told) {
        (void)fprintf(stderr, "worker: through on %" PRIu64 "\n", end->link);
        end->told = end->asked;
    }
}

/* For the script: the first window is on its way. */
static void say_begun(const struct end *end, uint64_t first, uint64_t n)
{
    if (first == 0) {
        (void)fprintf(stderr, "worker: sent %" PRIu64 " on %" PRIu64 "\n", n, end->link);
    }
}

static bool push_window(struct end *end, uint64_t first, uint64_t n)
{
    struct worker *worker = end->worker;
    for (uint64_t i = 0; i < n; i++) {
        struct stamp stamp = {worker->life, end->link, first + i};
        a3m_msg *msg = stamp_make(stamp, worker->largest);
        int code = a3m_send_until(end->socket, msg, patience());
        if (code != A3M_OK) {
            a3m_msg_free(msg);
            fail(worker, "send", code);
            return false;
        }
    }
    say_begun(end, first, n);
    int code = a3m_socket_drain(end->socket, patience());
    say_through(end, code == A3M_OK);
    if (code == A3M_OK) {
        note(worker, "confirmed %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", end->link, first, n);
    } else if (code == A3M_ETIMEDOUT) {
        fail(worker, "drain", code);
        return false;
    } else {
        note(worker, "lost %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %d\n", end->link, first, n,
             given_up(), code);
    }
    return true;
}

/* Waits for the reply to one request. False: that is no outcome that a request may have. */
static bool take_reply(struct end *end, struct stamp asked, a3m_request request, int *code)
{
    struct stamp answered;
    a3m_msg *reply;
    *code = a3m_request_wait(end->socket, request, &reply, patience());
    if (*code != A3M_OK) {
        return *code != A3M_ETIMEDOUT && *code != A3M_ENOENT;
    }
    bool good = stamp_read(reply, &answered) && memcmp(&asked, &answered, sizeof(asked)) == 0;
    a3m_msg_free(reply);
    if (!good) {
        fail(end->worker, "reply to another request", A3M_EPROTO);
    }
    return good;
}

static void note_replies(struct end *end, uint64_t first, uint64_t n, int code)
{
    if (code == A3M_OK) {
        note(end->worker, "confirmed %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", end->link, first, n);
    } else {
        note(end->worker, "unknown %" PRIu64 " %" PRIu64 " %" PRIu64 " %d\n", end->link, first, n, code);
    }
}

static bool request_window(struct end *end, uint64_t first, uint64_t n)
{
    struct worker *worker = end->worker;
    for (uint64_t i = 0; i < n; i++) {
        struct stamp stamp = {worker->life, end->link, first + i};
        a3m_msg *msg = stamp_make(stamp, worker->largest);
        int code = a3m_request_send(end->socket, msg, &end->requests[i], patience());
        if (code != A3M_OK) {
            a3m_msg_free(msg);
            fail(worker, "request", code);
            return false;
        }
    }
    say_begun(end, first, n);
    /* Outcomes in rows of the same. */
    uint64_t begun = 0;
    int last = A3M_OK;
    bool all = true;
    for (uint64_t i = 0; i < n; i++) {
        int code;
        if (!take_reply(end, (struct stamp){worker->life, end->link, first + i}, end->requests[i], &code)) {
            fail(worker, "reply", code);
            return false;
        }
        if (i > 0 && code != last) {
            note_replies(end, first + begun, i - begun, last);
            begun = i;
        }
        last = code;
        all &= code == A3M_OK;
    }
    say_through(end, all);
    note_replies(end, first + begun, n - begun, last);
    return true;
}

static const struct timespec moment = {.tv_nsec = 5000000};

static a3m_node_stats stats_of(const struct worker *worker)
{
    a3m_node_stats stats = {.size = sizeof(stats)};
    must("statistics", a3m_node_get_stats(worker->node, &stats));
    return stats;
}

/* Until there is no record left. Nothing tells when that is, so it looks again and again. */
static a3m_node_stats await_no_records(const struct worker *worker)
{
    a3m_time deadline = patience();
    a3m_node_stats stats = stats_of(worker);
    while (stats.records_now > 0 && a3m_now().ns < deadline.ns) {
        (void)nanosleep(&moment, NULL);
        stats = stats_of(worker);
    }
    return stats;
}

/* Until the script says that it goes on. */
static void rest(struct end *end)
{
    struct worker *worker = end->worker;
    if (await_no_records(worker).records_now > 0) {
        fail(worker, "records do not go", A3M_ETIMEDOUT);
    }
    (void)fprintf(stderr, "worker: resting\n");
    while (atomic_load(&worker->asked) == end->told && !atomic_load(&worker->enough)) {
        (void)nanosleep(&moment, NULL);
    }
    end->told = atomic_load(&worker->asked);
}

static void *send_main(void *arg)
{
    struct end *end = arg;
    struct worker *worker = end->worker;
    bool good = true;
    bool last = false;
    for (uint64_t sent = 0; good && !last && sent < worker->count;) {
        uint64_t n = worker->count - sent < worker->window ? worker->count - sent : worker->window;
        last = atomic_load(&worker->enough);
        end->asked = atomic_load(&worker->asked);
        note(worker, "sending %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", end->link, sent, n);
        good = worker->requests ? request_window(end, sent, n) : push_window(end, sent, n);
        sent += n;
        if (worker->rest && good && !last) {
            rest(end);
        }
    }
    return NULL;
}

/* ---- Receiving ---------------------------------------------------------------------- */

static void answer(struct end *end, a3m_msg *request)
{
    a3m_msg *reply = a3m_msg_copy(a3m_msg_data(request), a3m_msg_size(request));
    int code = a3m_reply(end->socket, request, reply, patience());
    if (code != A3M_OK) {
        a3m_msg_free(reply);
        if (code != A3M_ENOLINK) {
            fail(end->worker, "reply", code);
        }
    }
}

static void note_gap(struct worker *worker, int64_t *last)
{
    int64_t now = a3m_now().ns;
    int64_t gap = *last != 0 ? now - *last : 0;
    int64_t longest = atomic_load(&worker->longest_gap);
    while (gap > longest && !atomic_compare_exchange_weak(&worker->longest_gap, &longest, gap)) {}
    *last = now;
}

static void *receive_main(void *arg)
{
    struct end *end = arg;
    struct worker *worker = end->worker;
    struct arrivals *log = &worker->arrivals[end->link];
    a3m_msg *msg;
    int64_t last = 0;
    int code;
    /* Until the socket is closed. */
    while ((code = a3m_recv(end->socket, &msg)) == A3M_OK) {
        struct stamp stamp;
        note_gap(worker, &last);
        if (stamp_read(msg, &stamp) && stamp.link == end->link) {
            arrivals_note(log, stamp);
        } else {
            log->damaged++;
        }
        if (worker->requests) {
            answer(end, msg);
        }
        a3m_msg_free(msg);
    }
    if (code != A3M_ECLOSED) {
        fail(worker, "receive", code);
    }
    return NULL;
}

/* ---- Life ---------------------------------------------------------------------------- */

static const a3m_socket_type *type_of(const struct worker *worker)
{
    if (worker->requests) {
        return worker->sends ? &a3m_req : &a3m_rep;
    }
    return worker->sends ? &a3m_push : &a3m_pull;
}

static void end_open(struct worker *worker, struct end *end, uint64_t link)
{
    char tag[32];
    *end = (struct end){.worker = worker, .link = link};
    (void)snprintf(tag, sizeof(tag), "%s%" PRIu64, worker->sends ? "from" : "to", link);
    must("socket", a3m_socket_open(&end->socket, worker->node, type_of(worker), tag));
    if (worker->credit > 0) {
        must("credit", a3m_socket_set(end->socket, A3M_OPT_CREDIT_MESSAGES, (int64_t)worker->credit));
        must("credit", a3m_socket_set(end->socket, A3M_OPT_CREDIT_BYTES, (int64_t)worker->credit * 1024));
    }
    if (worker->sends) {
        char peer[160];
        (void)snprintf(peer, sizeof(peer), "%s/to%" PRIu64, worker->link, link);
        must("link", a3m_socket_link(end->socket, peer, NULL));
        end->requests = calloc(worker->window, sizeof(*end->requests));
        must("memory", end->requests != NULL ? A3M_OK : A3M_ENOMEM);
    }
}

static void await_quiet(struct worker *worker)
{
    a3m_node_stats stats = await_no_records(worker);
    if (stats.records_now > 0) {
        atomic_fetch_add(&worker->failures, 1);
    }
    (void)fprintf(stderr,
                  "worker: quiet records %" PRIu64 " links %" PRIu64 " tx-messages %" PRIu64
                  " rx-messages %" PRIu64 " tx-packets %" PRIu64 " retransmitted %" PRIu64
                  " duplicates %" PRIu64 " bad-checksum %" PRIu64 " bad-packet %" PRIu64 " bad-frame %" PRIu64
                  " stray %" PRIu64 " duplicate-id %" PRIu64 " longest-gap-ms %" PRId64 "\n",
                  stats.records_now, stats.links_now, stats.tx_messages, stats.rx_messages, stats.tx_packets,
                  stats.retransmitted, stats.duplicates, stats.bad_checksum, stats.bad_packet,
                  stats.bad_frame, stats.stray, stats.duplicate_id,
                  atomic_load(&worker->longest_gap) / 1000000);
}

/* Waits for one of these signals, which are blocked in all threads, and returns it. */
static int await_signal(const int *signals, size_t n)
{
    sigset_t set;
    int number;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < n; i++) {
        (void)sigaddset(&set, signals[i]);
    }
    while (sigwait(&set, &number) != 0) {}
    return number;
}

static void point(struct worker *worker)
{
    char path[4096], id[256] = "", address[256] = "";
    (void)snprintf(path, sizeof(path), "%s.peer", worker->log);
    FILE *file = fopen(path, "re");
    if (file == NULL || fscanf(file, "%255s %255s", id, address) != 2) {
        fail(worker, path, A3M_EINVAL);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    must("peer", a3m_node_set_peer(worker->node, id, address));
    (void)fprintf(stderr, "worker: pointed %s to %s\n", id, address);
}

static void *signal_main(void *arg)
{
    static const int signals[] = {SIGUSR1, SIGUSR2, SIGHUP};
    struct worker *worker = arg;
    int number;
    while ((number = await_signal(signals, 3)) != SIGUSR1) {
        if (number == SIGHUP) {
            point(worker);
        } else {
            atomic_fetch_add(&worker->asked, 1);
        }
    }
    atomic_store(&worker->enough, true);
    return NULL;
}

static void close_node(struct worker *worker)
{
    a3m_close_report report = {.size = sizeof(report)};
    int code = a3m_node_close(worker->node, a3m_in(a3m_seconds(20)), &report);
    if (code != A3M_OK) {
        fail(worker, "close", code);
    }
    (void)fprintf(stderr,
                  "worker: closed undelivered %" PRIu64 " unknown %" PRIu64 " unread %" PRIu64
                  " links-unfinished %" PRIu64 "\n",
                  report.undelivered, report.unknown, report.unread, report.links_unfinished);
    if (worker->sends) {
        note(worker, "closed %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", report.undelivered, report.unknown,
             report.unread);
    }
}

static void join(struct worker *worker, struct end *ends)
{
    for (uint64_t i = 0; i < worker->links; i++) {
        (void)pthread_join(ends[i].thread, NULL);
        free(ends[i].requests);
    }
}

static void work(struct worker *worker)
{
    struct end ends[LINKS_MAX];
    pthread_t signals;
    char address[128];
    const a3m_node_config config = {.size = sizeof(config),
                                    .peer_timeout = a3m_ms((int64_t)worker->peer_timeout)};
    must("node", a3m_node_new(&worker->node, worker->id, worker->bind, &config));
    for (uint64_t i = 0; i < worker->links; i++) {
        end_open(worker, &ends[i], i);
    }
    must("start", a3m_node_start(worker->node));
    must("address", a3m_node_address(worker->node, address, sizeof(address)));
    (void)fprintf(stderr, "worker: node '%s' at %s, socket\n", worker->id, address);
    must("thread", -pthread_create(&signals, NULL, signal_main, worker));
    for (uint64_t i = 0; i < worker->links; i++) {
        must("thread",
             -pthread_create(&ends[i].thread, NULL, worker->sends ? send_main : receive_main, &ends[i]));
    }
    if (worker->sends) {
        join(worker, ends);
        (void)fprintf(stderr, "worker: done\n");
    }
    (void)pthread_join(signals, NULL);
    await_quiet(worker);
    (void)await_signal(&(const int){SIGTERM}, 1);
    close_node(worker);
    if (!worker->sends) {
        join(worker, ends);
    }
}

/* ---- Options -------------------------------------------------------------------------- */

static void usage(void)
{
    (void)fputs(
        "usage: worker push|pull|req|rep --id ID --bind ADDRESS --log FILE [--link ADDRESS] [--links N]\n"
        "              [--count N] [--window N] [--size BYTES] [--life N] [--credit N] [--peer-timeout MS]\n"
        "              [--rest]\n",
        stderr);
    exit(2);
}

static uint64_t number_of(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0') {
        usage();
    }
    return value;
}

static void take_option(struct worker *worker, int at)
{
    const char **const texts[] = {&worker->id, &worker->bind, &worker->log, &worker->link};
    uint64_t *const numbers[] = {&worker->links, &worker->count,  &worker->window,      &worker->largest,
                                 &worker->life,  &worker->credit, &worker->peer_timeout};
    if (optarg == NULL) {
        worker->rest = true;
    } else if (at < 4) {
        *texts[at] = optarg;
    } else {
        *numbers[at - 4] = number_of(optarg);
    }
}

static void parse(struct worker *worker, int argc, char **argv)
{
    static const struct option options[] = {
        {"id", 1, NULL, 1},
        {"bind", 1, NULL, 1},
        {"log", 1, NULL, 1},
        {"link", 1, NULL, 1},
        {"links", 1, NULL, 1},
        {"count", 1, NULL, 1},
        {"window", 1, NULL, 1},
        {"size", 1, NULL, 1},
        {"life", 1, NULL, 1},
        {"credit", 1, NULL, 1},
        {"peer-timeout", 1, NULL, 1},
        {"rest", 0, NULL, 1},
        {0},
    };
    int at;
    int got;
    while ((got = getopt_long(argc, argv, "", options, &at)) == 1) {
        take_option(worker, at);
    }
    if (got != -1 || optind + 1 != argc || worker->id == NULL || worker->bind == NULL ||
        worker->log == NULL) {
        usage();
    }
    worker->role = argv[optind];
    worker->requests = strcmp(worker->role, "req") == 0 || strcmp(worker->role, "rep") == 0;
    worker->sends = strcmp(worker->role, "req") == 0 || strcmp(worker->role, "push") == 0;
    bool receives = strcmp(worker->role, "rep") == 0 || strcmp(worker->role, "pull") == 0;
    if ((!worker->sends && !receives) || (worker->sends && worker->link == NULL) || worker->links == 0 ||
        worker->links > LINKS_MAX || worker->window == 0 || worker->window > WINDOW_MAX) {
        usage();
    }
}

int main(int argc, char **argv)
{
    static struct worker worker = {
        .life = 1, .links = 1, .count = UINT64_MAX / 2, .window = 1000, .largest = 3000};
    sigset_t signals;
    parse(&worker, argc, argv);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGUSR1);
    (void)sigaddset(&signals, SIGUSR2);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (worker.sends) {
        worker.log_fd = open(worker.log, O_WRONLY | O_CREAT | O_APPEND | O_EXCL | O_CLOEXEC, 0600);
        must("log", worker.log_fd < 0 ? A3M_EOS : A3M_OK);
        note(&worker, "life %" PRIu64 " links %" PRIu64 " %s\n", worker.life, worker.links, worker.role);
    } else {
        worker.arrivals = arrivals_open(worker.log, worker.links);
    }
    work(&worker);
    for (uint64_t i = 0; worker.arrivals != NULL && i < worker.links; i++) {
        worker.arrivals[i].closed = 1;
    }
    return atomic_load(&worker.failures) > 0;
}
