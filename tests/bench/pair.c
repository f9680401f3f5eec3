/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, hearing and ending two processes; see pair.h. */
#include "bench/pair.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/fail.h"
#include "bench/peer.h"
#include "bench/role.h"

/* What a pair may take beyond its plan: start, connect, deliver what is queued, close. */
#define PATIENCE_NS INT64_C(20000000000)

/* How long the other process may take to end when one has failed already. */
#define GRACE_NS INT64_C(1000000000)

struct child {
    pid_t pid;
    int report_fd; /* -1: closed */
};

/* [child] A descriptor to its place; close-on-exec is off there. */
static void place(int fd, int at)
{
    if (fd == at) {
        (void)fcntl(fd, F_SETFD, 0);
    } else if (dup2(fd, at) < 0) {
        bench_fail_errno("dup2");
    }
}

static struct child start(const struct bench_plan *plan, const char *address, int done_fd)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        bench_fail_errno("pipe");
    }
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        bench_fail_errno("fork");
    }
    if (pid == 0) {
        /* Out of the way first: one may stand where the other goes. */
        int high = fcntl(done_fd, F_DUPFD_CLOEXEC, 10);
        place(report[1], BENCH_ROLE_REPORT_FD);
        place(high, BENCH_ROLE_DONE_FD);
        bench_role_exec(plan, address);
    }
    (void)close(report[1]);
    return (struct child){.pid = pid, .report_fd = report[0]};
}

/* Up to `size` bytes, until end of file; how many came before the deadline. */
static size_t hear(const struct child *child, void *bytes, size_t size, int64_t deadline)
{
    size_t n = 0;
    struct pollfd fd = {.fd = child->report_fd, .events = POLLIN};
    while (n < size) {
        int64_t left_ms = (deadline - bench_clock_wall()) / 1000000;
        if (left_ms <= 0 || poll(&fd, 1, (int)left_ms) <= 0) {
            return n;
        }
        ssize_t got = read(child->report_fd, (char *)bytes + n, size - n);
        if (got <= 0) {
            return n;
        }
        n += (size_t)got;
    }
    return n;
}

/* Waits until the child has ended, and ends it when its time is over. Whether it ended well. */
static bool finish(struct child *child, const char *role, const struct bench_plan *plan, int64_t deadline)
{
    char more;
    int status = 0;
    (void)hear(child, &more, 1, deadline); /* end of file: it has exited */
    (void)close(child->report_fd);
    if (bench_clock_wall() >= deadline) {
        (void)fprintf(stderr, "bench: %s, the %s: not done in time, killed\n", plan->peer->name, role);
        (void)kill(child->pid, SIGKILL);
    }
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {}
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
        (void)fprintf(stderr, "bench: %s, the %s: ended by signal %d\n", plan->peer->name, role,
                      WTERMSIG(status));
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool bench_pair_run(const struct bench_plan *plan, struct bench_report *server, struct bench_report *client)
{
    int done[2];
    char address[BENCH_ADDRESS];
    bool ok = false;
    int64_t deadline = bench_clock_wall() + plan->duration_ns + plan->duration_ns / 10 + PATIENCE_NS;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, done) != 0) {
        bench_fail_errno("socketpair");
    }
    /* Ours are closed at once, so that a process that dies says thereby that it has done its part. */
    struct child s = start(plan, NULL, done[1]);
    (void)close(done[1]);
    bool listens = hear(&s, address, sizeof(address), deadline) == sizeof(address);
    struct child c = {0};
    if (listens) {
        c = start(plan, address, done[0]);
    }
    (void)close(done[0]);
    if (listens) {
        ok = hear(&c, client, sizeof(*client), deadline) == sizeof(*client);
        ok = ok && hear(&s, server, sizeof(*server), deadline) == sizeof(*server);
        ok = finish(&c, "client", plan, ok ? deadline : bench_clock_wall() + GRACE_NS) && ok;
    }
    ok = finish(&s, "server", plan, ok ? deadline : bench_clock_wall() + GRACE_NS) && ok;
    return ok;
}
