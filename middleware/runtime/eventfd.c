/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/eventfd.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

int a3mi_eventfd_open(int *fd)
{
    *fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (*fd >= 0) {
        return 0;
    }
    switch (errno) {
    case EMFILE:
    case ENFILE: return a3mi_fail(A3M_EMFILE, "eventfd: %s", strerror(errno));
    case ENOMEM: return a3mi_fail(A3M_ENOMEM, "eventfd: %s", strerror(errno));
    default: return a3mi_fail(A3M_EOS, "eventfd: %s", strerror(errno));
    }
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
