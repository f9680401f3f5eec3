/* SPDX-License-Identifier: Apache-2.0 */
#include "far.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void be_far(int fd, pid_t parent, void (*body)(int fd))
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent) {
        body(fd);
    }
    _exit(0);
}

void far_start(struct far *far, void (*body)(int fd))
{
    int ends[2];
    pid_t parent = getpid();
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    far->pid = fork();
    assert_true(far->pid >= 0);
    if (far->pid == 0) {
        (void)close(ends[0]);
        be_far(ends[1], parent, body);
    }
    (void)close(ends[1]);
    far->fd = ends[0];
}

void far_say(int fd, const char *line)
{
    assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
}

void far_hear(int fd, char *line, size_t size)
{
    ssize_t n = recv(fd, line, size - 1, 0);
    assert_true(n > 0); /* 0: it died */
    line[n] = '\0';
}

void far_kill(struct far *far)
{
    if (far->pid <= 0) {
        return;
    }
    (void)kill(far->pid, SIGKILL);
    assert_int_equal(waitpid(far->pid, NULL, 0), far->pid);
    (void)close(far->fd);
    far->pid = 0;
}
