/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int a3mi_futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t deadline)
{
    /*
     * Always with a time-out, be it in three hundred years: without one the
     * kernel restarts the call after a handler with SA_RESTART, and a caller
     * that asked for A3M_EINTR would never hear of the signal.
     */
    int64_t at = deadline > 0 ? deadline : 1;
    struct timespec ts = {.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000};

    if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value, &ts, NULL,
                FUTEX_BITSET_MATCH_ANY) == 0) {
        return 0;
    }
    return errno == ETIMEDOUT || errno == EINTR ? -errno : 0;
}

void a3mi_futex_wake(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}
