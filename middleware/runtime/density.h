/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a thread's sends come so densely that it pays to carry several at once.
 *
 * Carrying a message costs two to three microseconds, most of them in the kernel,
 * whether the packet holds one message or a hundred. Who sends now and then wants
 * it carried at once; who sends message after message gains tenfold when they are
 * bundled. Which of the two a thread is doing shows in the time between the end
 * of one send and the beginning of the next: after eight in a row with less than
 * 2 us between them, sends are held, until 32 KiB are held, or for 25 us, or until
 * the thread does something else: then the send that finds this out carries all.
 * One that leaves without looking back is covered by runtime/bundle.c.
 *
 * Pure: the caller brings the clock. One per thread, of one reader at a time.
 */
#ifndef A3MI_DENSITY_H
#define A3MI_DENSITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sends with more than this between them are not dense. ns */
#define A3MI_DENSITY_GAP_NS INT64_C(2000)
/* Dense sends in a row before any is held. */
#define A3MI_DENSITY_RUN 8
/* What is held at most: bytes, where each message counts as this many more; and for how long. ns */
#define A3MI_DENSITY_BYTES   32768
#define A3MI_DENSITY_MESSAGE 64
#define A3MI_DENSITY_AGE_NS  INT64_C(25000)

enum a3mi_density_verdict {
    A3MI_DENSITY_CARRY,  /* now, and all that was held */
    A3MI_DENSITY_BEGINS, /* held, and nothing was before */
    A3MI_DENSITY_HOLD,   /* held as well */
};

struct a3mi_density {
    int64_t ended; /* ns; when the last send ended */
    int64_t since; /* ns; when the first that is held was; 0: none is */
    size_t held;   /* bytes */
    uint32_t run;  /* dense sends in a row */
};

/* A send of `bytes` begins. */
static inline enum a3mi_density_verdict a3mi_density_judge(struct a3mi_density *d, size_t bytes, int64_t now)
{
    bool begins = d->since == 0;

    d->run = now - d->ended > A3MI_DENSITY_GAP_NS ? 0 : d->run + (d->run < A3MI_DENSITY_RUN);
    d->held += bytes + A3MI_DENSITY_MESSAGE;
    if (d->run < A3MI_DENSITY_RUN || d->held >= A3MI_DENSITY_BYTES ||
        (!begins && now - d->since >= A3MI_DENSITY_AGE_NS)) {
        d->since = 0;
        d->held = 0;
        return A3MI_DENSITY_CARRY;
    }
    if (begins) {
        d->since = now;
        return A3MI_DENSITY_BEGINS;
    }
    return A3MI_DENSITY_HOLD;
}

/* The send has ended, carried or held. */
static inline void a3mi_density_sent(struct a3mi_density *d, int64_t now)
{
    d->ended = now;
}

/* The thread does something else than sending: true when something is held, which has to be carried now. */
static inline bool a3mi_density_break(struct a3mi_density *d)
{
    bool held = d->since != 0;

    d->since = 0;
    d->held = 0;
    d->run = 0;
    return held;
}

#endif
