/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the reader: a trivial engine on one end of a socket pair, and what the peer at the other end sends.
 */
#ifndef TEST_RUNTIME_READER_H
#define TEST_RUNTIME_READER_H

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/runtime_fake.h"

/* Until the condition holds, for at most ten seconds. */
#define EVENTUALLY(condition)                                \
    do {                                                     \
        int64_t until_ = a3mi_clock_now() + 10000 * FAKE_MS; \
        while (!(condition) && a3mi_clock_now() < until_) {  \
            (void)sched_yield();                             \
        }                                                    \
        assert_true(condition);                              \
    } while (0)

struct fixture {
    struct fake fake;
    int ends[2]; /* the engine's, the peer's */
};

static inline int64_t in_ms(int64_t ms)
{
    return a3mi_clock_now() + ms * FAKE_MS;
}

static inline void set_up(struct fixture *fx, struct a3mi_reader_config config)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fx->ends), 0);
    assert_int_equal(fake_init(&fx->fake, fx->ends[0], config), 0);
}

static inline void set_up_started(struct fixture *fx, struct a3mi_reader_config config)
{
    set_up(fx, config);
    assert_int_equal(a3mi_reader_start(fx->fake.reader), 0);
}

/* After the first of the turns of the start: so the second, which is the last, has an end to be seen as well. */
static inline void after_the_start(struct fake *fake)
{
    if (atomic_load(&fake->afters) == 0) {
        atomic_store(&fake->after, fake);
    }
}

/*
 * The thread has done what it does at its start, has let go of the engine lock, and looks at nothing any more
 * without a cause. For readers whose thread does not spin.
 */
static inline void set_up_asleep(struct fixture *fx, struct a3mi_reader_config config)
{
    set_up(fx, config);
    atomic_store(&fx->fake.after, &fx->fake);
    fx->fake.handler = after_the_start;
    assert_int_equal(a3mi_reader_start(fx->fake.reader), 0);
    EVENTUALLY(atomic_load(&fx->fake.afters) == 2);
    atomic_store(&fx->fake.afters, 0);
    fx->fake.handler = NULL;
}

static inline void tear_down(struct fixture *fx)
{
    fake_fini(&fx->fake);
    (void)close(fx->ends[0]);
    (void)close(fx->ends[1]);
}

static inline void peer_sends(const struct fixture *fx, int n)
{
    for (int i = 0; i < n; i++) {
        assert_int_equal(send(fx->ends[1], "x", 1, 0), 1);
    }
}

#endif
