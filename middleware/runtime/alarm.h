/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An alarm: one timerfd of CLOCK_MONOTONIC and the time it is set to. Setting it
 * is a system call (0.3 us; 14 us when the processor's timer has to be programmed
 * for it and that is a virtual one), so that it is left alone as long as it goes
 * off no later than wanted, and pushed out only when it would soon go off in vain.
 *
 * No lock of its own: who guards the struct (the engine lock, or the role lock)
 * guards it. a3mi_alarm_fire_at and a3mi_alarm_drain touch nothing but the descriptor.
 */
#ifndef A3MI_ALARM_H
#define A3MI_ALARM_H

#include <stdbool.h>
#include <stdint.h>

struct a3mi_alarm {
    int fd;
    int64_t at; /* ns; when it goes off, or went off; INT64_MAX: not set */
};

/* A3M_EMFILE, A3M_ENOMEM, A3M_EOS; the descriptor is -1 then. */
int a3mi_alarm_open(struct a3mi_alarm *alarm);
void a3mi_alarm_close(struct a3mi_alarm *alarm);

/* Sets it to a time, which may have passed; INT64_MAX: off. */
void a3mi_alarm_set(struct a3mi_alarm *alarm, int64_t at);

/*
 * Makes it go off at `at` or earlier. Earlier only if that is not soon: what
 * would go off in vain within 5 ms, and after less than half the time to `at`,
 * is pushed out to `at`. So an alarm whose `at` keeps moving away never goes
 * off, and costs a system call now and then.
 */
void a3mi_alarm_want(struct a3mi_alarm *alarm, int64_t at, int64_t now);

/* After it went off: forgets that it was set. Not when it was set anew since. */
void a3mi_alarm_went_off(struct a3mi_alarm *alarm, int64_t now);

/* Makes it go off at `at`, whatever it was set to, and leaves the struct alone: for alarms that several threads set. */
void a3mi_alarm_fire_at(const struct a3mi_alarm *alarm, int64_t at);

/* Makes the descriptor unreadable; true when it was readable. */
bool a3mi_alarm_drain(const struct a3mi_alarm *alarm);

#endif
