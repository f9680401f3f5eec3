/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/alarm.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/error.h"

/*
 * An alarm that is further away than this is left alone. Longer than a kernel's
 * tick (4 ms at most on what we support): until then the processor's timer is not
 * programmed for it, and to change that costs 14 us on a virtual machine, not 0.3.
 */
#define SOON_NS 5000000

int a3mi_alarm_open(struct a3mi_alarm *alarm)
{
    alarm->at = INT64_MAX;
    alarm->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (alarm->fd >= 0) {
        return 0;
    }
    return a3mi_fail_os(errno, "timerfd_create");
}

void a3mi_alarm_close(struct a3mi_alarm *alarm)
{
    if (alarm->fd >= 0) {
        (void)close(alarm->fd);
        alarm->fd = -1;
    }
}

void a3mi_alarm_fire_at(const struct a3mi_alarm *alarm, int64_t at)
{
    struct itimerspec when = {.it_value = {0}};

    if (at != INT64_MAX) {
        at = at > 0 ? at : 1; /* to timerfd, 0 means off */
        when.it_value = (struct timespec){.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000};
    }
    (void)timerfd_settime(alarm->fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void a3mi_alarm_set(struct a3mi_alarm *alarm, int64_t at)
{
    alarm->at = at > 0 ? at : 1;
    a3mi_alarm_fire_at(alarm, at);
}

void a3mi_alarm_want(struct a3mi_alarm *alarm, int64_t at, int64_t now)
{
    if (at < alarm->at) {
        a3mi_alarm_set(alarm, at);
        return;
    }
    if (at == alarm->at || at <= now) {
        return;
    }
    int64_t left = alarm->at - now;
    if (left < SOON_NS && at - alarm->at >= left) {
        a3mi_alarm_set(alarm, at);
    }
}

void a3mi_alarm_went_off(struct a3mi_alarm *alarm, int64_t now)
{
    if (alarm->at <= now) {
        alarm->at = INT64_MAX;
    }
}

bool a3mi_alarm_drain(const struct a3mi_alarm *alarm)
{
    uint64_t times;

    return syscall(SYS_read, alarm->fd, &times, sizeof times) ==
           (long)sizeof times; /* no cancellation point */
}
