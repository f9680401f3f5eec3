/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/eventfd.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

int a3mi_eventfd_open(int *fd)
{
    *fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return *fd >= 0 ? 0 : a3mi_fail_os(errno, "eventfd");
}

void a3mi_eventfd_write(int fd)
{
    static const uint64_t one = 1;

    (void)syscall(SYS_write, fd, &one, sizeof one); /* EAGAIN: it is readable, and that is the point */
}

void a3mi_eventfd_drain(int fd)
{
    uint64_t times;

    (void)syscall(SYS_read, fd, &times, sizeof times);
}

/* ---- One a thread ---------------------------------------------------------------- */

static pthread_key_t key; /* its value is the descriptor + 1, in the threads that have one */
static int key_error;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local int own_fd = -1;
static _Thread_local pid_t own_pid; /* a child of fork() shares its parent's, and must not use it */

static void close_own(void *value)
{
    (void)close((int)(intptr_t)value - 1);
}

static void make_key(void)
{
    key_error = pthread_key_create(&key, close_own);
}

int a3mi_eventfd_of_thread(int *fd)
{
    pid_t pid = getpid();

    if (own_fd >= 0 && own_pid == pid) {
        *fd = own_fd;
        return 0;
    }
    (void)pthread_once(&once, make_key);
    if (key_error != 0) {
        return a3mi_fail_os(key_error, "pthread_key_create");
    }
    if (own_fd >= 0) {
        (void)close(own_fd);
        own_fd = -1;
    }
    int result = a3mi_eventfd_open(fd);
    if (result == 0 && pthread_setspecific(key, (void *)(intptr_t)(*fd + 1)) != 0) {
        (void)close(*fd);
        return a3mi_fail_plain(A3M_ENOMEM);
    }
    if (result == 0) {
        own_fd = *fd;
        own_pid = pid;
    }
    return result;
}
