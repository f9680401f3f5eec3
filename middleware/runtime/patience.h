/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether it is worth to spin before sleeping on the network, judged by how the
 * last waits went. Belongs to the holder of the reader role, and passes on with it.
 *
 * A holder spins while `left` is not 0. A wait that ends in sleep all the same
 * takes one off; something that comes while it spins fills it up. Once it does
 * not spin, sleeps so short that spinning would have paid fill it up again: one
 * such sleep at first, and twice as many in a row each time that this turns out
 * to be wrong. So it spins 50 us while traffic flows, and not at all when idle or
 * when what comes always takes a little longer.
 *
 * It also guesses what the first look of a wait will find. Where the peer shares
 * the processor it finds nothing before the peer has run, and to yield first
 * saves a turn (a quarter of the round trip); where messages pile up to yield
 * first would be a waste, and on a busy machine a long one. So a look in vain
 * makes the next sixteen waits yield first, and then it looks first again.
 *
 * A yield that takes long says that others want the processor: it lasts as long
 * as their slice (1.5 ms and more), while a sleeper that is woken gets the
 * processor at once. Then it does neither for a while.
 */
#ifndef A3MI_PATIENCE_H
#define A3MI_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/* Waits in a row in which nothing came while it spun, until it does without. */
#define A3MI_PATIENCE_FULL 3
/* The most short sleeps in a row until it tries again. */
#define A3MI_PATIENCE_DOUBT 64
/* Waits that yield first after a look in vain. */
#define A3MI_PATIENCE_YIELDS 16
/* A yield that takes longer lost the processor to somebody else; for so long it does without. */
#define A3MI_PATIENCE_LOST_NS  INT64_C(200000)
#define A3MI_PATIENCE_AFTER_NS INT64_C(20000000)

struct a3mi_patience {
    int64_t spin_ns;  /* [const] 0: never spin */
    int64_t long_ns;  /* [const] a longer sleep than this is a long one */
    int left;         /* waits that may still end in sleep */
    int needed;       /* short sleeps in a row that fill it up */
    int short_sleeps; /* in a row, until now */
    int yields;       /* waits to come that yield first */
    int64_t again_at; /* ns; until then the processor is wanted by others: neither spin nor yield */
    bool slept_long;  /* the last sleep was a long one: another one like it is expected */
};

static inline void a3mi_patience_init(struct a3mi_patience *p, int64_t spin_ns, int64_t long_ns)
{
    *p = (struct a3mi_patience){
        .spin_ns = spin_ns, .long_ns = long_ns, .left = A3MI_PATIENCE_FULL, .needed = 1};
}

/* For how long to spin, ns. */
static inline int64_t a3mi_patience_spin(const struct a3mi_patience *p, int64_t now)
{
    return p->left > 0 && now >= p->again_at ? p->spin_ns : 0;
}

/* A yield took `took` ns, until `now`; true when that says that others want the processor. */
static inline bool a3mi_patience_yielded(struct a3mi_patience *p, int64_t took, int64_t now)
{
    if (took < A3MI_PATIENCE_LOST_NS) {
        return false;
    }
    p->again_at = now + A3MI_PATIENCE_AFTER_NS;
    p->yields = 0;
    return true;
}

/* At the beginning of a wait: whether to yield before the first look. */
static inline bool a3mi_patience_yields(struct a3mi_patience *p, int64_t now)
{
    if (p->yields == 0 || now < p->again_at) {
        return false;
    }
    p->yields--;
    return true;
}

/* The first look of a wait that did not yield before found nothing. */
static inline void a3mi_patience_in_vain(struct a3mi_patience *p)
{
    p->yields = A3MI_PATIENCE_YIELDS;
}

/* Something came while it spun. */
static inline void a3mi_patience_paid(struct a3mi_patience *p)
{
    p->left = A3MI_PATIENCE_FULL;
    p->needed = 1;
    p->short_sleeps = 0;
    p->slept_long = false;
}

/* It slept for `slept` ns, at the end of `quiet` ns without anything (the sleep included). */
static inline void a3mi_patience_slept(struct a3mi_patience *p, int64_t slept, int64_t quiet)
{
    p->slept_long = slept > p->long_ns;
    if (p->left > 0) {
        p->left--;
        if (p->left == 0 && p->needed < A3MI_PATIENCE_DOUBT) {
            p->needed *= 2;
        }
        return;
    }
    if (p->slept_long) {
        p->needed = 1; /* what comes now may be another kind of traffic */
    }
    /* Less the time that it takes to wake up, it would have come while spinning. */
    p->short_sleeps = quiet < 2 * p->spin_ns ? p->short_sleeps + 1 : 0;
    if (p->short_sleeps >= p->needed) {
        p->left = A3MI_PATIENCE_FULL;
        p->short_sleeps = 0;
    }
}

#endif
