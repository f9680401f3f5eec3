/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundling of dense sends (runtime/density.h): they stay in the outbox until the
 * thread that sends carries them all in one turn.
 *
 * A thread that has gone off to do something else, with a few sends held, is
 * covered by an alarm on the reader thread. To set an alarm is expensive where
 * timers are virtual (7 us, and 18 us more when it goes off), so it is not set for
 * each bundle: it goes off 40 us after the first one, and as long as it goes off in
 * vain, since bundles keep coming and are carried by their thread, it is set for
 * twice as long each time, to 500 us at most. So a message is held for no longer
 * than its stream has been going on, and not for long.
 *
 *     sender, a bundle begins                reader thread, the alarm went off
 *     ─────────────────────────────────      ─────────────────────────────────────
 *     push                                   a bundle began lately? set it again, done
 *     since = now                            exchange(armed, 0)
 *     exchange(armed, 1) == 0 ?  set it      turn: drains the outbox
 *
 * `since` is a hint, of the thread that began or ended a bundle last; it decides
 * only how long the alarm is set for. Of the two exchanges one is second. If it is the sender's, it finds 0 and sets
 * the alarm. If it is the reader thread's, it has acquired the push.
 */
#include "runtime/clock.h"
#include "runtime/density.h"
#include "runtime/reader_parts.h"

/* When the alarm goes off first, and the longest that it is set for. ns */
#define FIRST_NS INT64_C(40000)
#define MOST_NS  INT64_C(500000)
/* A bundle that began longer ago will not be carried by its thread: that would have taken it, and a turn, less. ns */
#define FRESH_NS (A3MI_DENSITY_AGE_NS + 10000)

/* What it was set for last is of another stream when it went off longer ago than this. ns */
#define LATELY_NS INT64_C(5000000)

/* The calling thread's sends, and the reader that they go to. */
static _Thread_local struct {
    uint64_t reader; /* its serial number; 0: none */
    struct a3mi_density density;
} sends;

/* [any thread] A bundle begins. */
static void begin(struct a3mi_reader *reader, int64_t now)
{
    atomic_store_explicit(&reader->bundle_since, now, memory_order_relaxed);
    if (atomic_exchange(&reader->bundle_armed, true) == false) {
        bool lately = now - atomic_load_explicit(&reader->bundle_fired, memory_order_relaxed) < LATELY_NS;
        int64_t length = atomic_load_explicit(&reader->bundle_for, memory_order_relaxed);
        a3mi_alarm_fire_at(&reader->bundle, now + (lately ? length : FIRST_NS));
    }
}

/* [any thread] Its thread carries it. */
static void carry(struct a3mi_reader *reader)
{
    atomic_store_explicit(&reader->bundle_since, 0, memory_order_relaxed);
    a3mi_reader_kick(reader);
}

bool a3mi_reader_carry(struct a3mi_reader *reader, size_t bytes)
{
    if (!reader->config.bundle || !a3mi_reader_running(reader)) {
        a3mi_reader_kick(reader);
        return true;
    }
    if (sends.reader != reader->serial) {
        sends.reader = reader->serial;
        sends.density = (struct a3mi_density){0};
    }
    int64_t now = a3mi_clock_now();
    enum a3mi_density_verdict verdict = a3mi_density_judge(&sends.density, bytes, now);
    if (verdict == A3MI_DENSITY_CARRY) {
        carry(reader);
        now = a3mi_clock_now();
    } else if (verdict == A3MI_DENSITY_BEGINS) {
        begin(reader, now);
    }
    a3mi_density_sent(&sends.density, now);
    return verdict == A3MI_DENSITY_CARRY;
}

void a3mi_reader_carry_held(struct a3mi_reader *reader)
{
    if (sends.reader == reader->serial && a3mi_density_break(&sends.density)) {
        carry(reader);
    }
}

void a3mi_reader_bundle_went_off(struct a3mi_reader *reader, int64_t now)
{
    int64_t since = atomic_load_explicit(&reader->bundle_since, memory_order_relaxed);
    int64_t length = atomic_load_explicit(&reader->bundle_for, memory_order_relaxed);
    bool fresh = since != 0 && now - since < FRESH_NS;
    bool in_vain = since == 0 || fresh;

    (void)a3mi_alarm_drain(&reader->bundle);
    length = !in_vain ? FIRST_NS : length * 2 < MOST_NS ? length * 2 : MOST_NS;
    atomic_store_explicit(&reader->bundle_for, length, memory_order_relaxed);
    atomic_store_explicit(&reader->bundle_fired, now, memory_order_relaxed);
    if (fresh) {
        a3mi_alarm_fire_at(&reader->bundle, now + length);
    } else {
        (void)atomic_exchange(&reader->bundle_armed, false);
    }
}

int a3mi_reader_bundle_open(struct a3mi_reader *reader)
{
    static _Atomic uint64_t serials;

    reader->serial = atomic_fetch_add(&serials, 1) + 1;
    atomic_init(&reader->bundle_for, FIRST_NS);
    return a3mi_alarm_open(&reader->bundle);
}
