/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/eventfd.h"

#include <errno.h>
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
