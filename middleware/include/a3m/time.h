/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time: nanoseconds in one-member structs, so that an instant, a length of
 * time and a plain number cannot be taken for one another. Instants are of
 * CLOCK_MONOTONIC. Arithmetic saturates instead of overflowing.
 */
#ifndef A3M_TIME_H
#define A3M_TIME_H

#include <stdint.h>

#include <a3m/version.h>

A3M_BEGIN_DECLS

/* An instant of CLOCK_MONOTONIC. */
typedef struct {
    int64_t ns;
} a3m_time;

/* A length of time. */
typedef struct {
    int64_t ns;
} a3m_duration;

/* The deadline that never passes: the call blocks for as long as it takes. */
#define A3M_FOREVER ((a3m_time){INT64_MAX})

/* The deadline that has passed already: the call tries once and does not block. */
#define A3M_NOW ((a3m_time){0})

static inline a3m_duration a3m_ns(int64_t n)
{
    return (a3m_duration){n};
}

static inline a3m_duration a3m_scaled(int64_t n, int64_t unit)
{
    if (n > INT64_MAX / unit) {
        return (a3m_duration){INT64_MAX};
    }
    if (n < INT64_MIN / unit) {
        return (a3m_duration){INT64_MIN};
    }
    return (a3m_duration){n * unit};
}

static inline a3m_duration a3m_us(int64_t n)
{
    return a3m_scaled(n, 1000);
}

static inline a3m_duration a3m_ms(int64_t n)
{
    return a3m_scaled(n, 1000000);
}

static inline a3m_duration a3m_seconds(int64_t n)
{
    return a3m_scaled(n, 1000000000);
}

/* t plus d, not past A3M_FOREVER. */
static inline a3m_time a3m_time_add(a3m_time t, a3m_duration d)
{
    if (d.ns > 0 && t.ns > INT64_MAX - d.ns) {
        return A3M_FOREVER;
    }
    if (d.ns < 0 && t.ns < INT64_MIN - d.ns) {
        return (a3m_time){INT64_MIN};
    }
    return (a3m_time){t.ns + d.ns};
}

/* The present instant. Thread-safe, about 20 ns. */
A3M_API a3m_time a3m_now(void);

/* The deadline that is `d` from now: a3m_recv_until(s, &m, a3m_in(a3m_ms(200))). */
A3M_API a3m_time a3m_in(a3m_duration d);

A3M_END_DECLS

#endif
