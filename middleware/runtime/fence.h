/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store-load barrier between "I published" and "is anybody there", of which
 * turnlock.h and outbox.h need one on either side.
 *
 * ThreadSanitizer does not follow fences, so with it the four accesses involved
 * are sequentially consistent themselves and the fences vanish. The litmus tests
 * (tests/stress/test_outbox_litmus*.c) take one fence out and show that the other
 * alone does not do; what is left then only keeps the compiler from reordering.
 */
#ifndef A3MI_FENCE_H
#define A3MI_FENCE_H

#include <stdatomic.h>

#if defined(__SANITIZE_THREAD__)
#define A3MI_NO_FENCES 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define A3MI_NO_FENCES 1
#endif
#endif

#ifdef A3MI_NO_FENCES
#define A3MI_FENCED_LOAD  memory_order_seq_cst
#define A3MI_FENCED_STORE memory_order_seq_cst
#else
#define A3MI_FENCED_LOAD  memory_order_acquire
#define A3MI_FENCED_STORE memory_order_release
#endif

static inline void a3mi_fence(void)
{
#if defined(A3MI_NO_FENCES)
    atomic_signal_fence(memory_order_seq_cst);
#elif defined(__x86_64__)
    /* A locked no-op orders like MFENCE and costs half; gcc emits it for the fence below, clang 14 does not. */
    __asm__ __volatile__("lock; orl $0, (%%rsp)" ::: "memory", "cc");
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* After the push, before the first look at the lock. */
static inline void a3mi_fence_pusher(void)
{
#ifdef A3MI_LITMUS_NO_PUSH_FENCE
    atomic_signal_fence(memory_order_seq_cst);
#else
    a3mi_fence();
#endif
}

/* After the unlock, before the look at who waits for the lock and at the outbox. */
static inline void a3mi_fence_holder(void)
{
#ifdef A3MI_LITMUS_NO_HOLDER_FENCE
    atomic_signal_fence(memory_order_seq_cst);
#else
    a3mi_fence();
#endif
}

#endif
