/* SPDX-License-Identifier: Apache-2.0 */
/* The clock, for the inside (ns) and for applications (a3m_time). Through the vDSO: no system call. */
#include "runtime/clock.h"

#include <time.h>

#include <a3m/time.h>

int64_t a3mi_clock_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

a3m_time a3m_now(void)
{
    return (a3m_time){a3mi_clock_now()};
}

a3m_time a3m_in(a3m_duration d)
{
    return a3m_time_add(a3m_now(), d);
}
