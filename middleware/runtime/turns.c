/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running engine turns: whoever has the lock runs them, and whoever lets it go
 * looks after what arrived meanwhile.
 *
 * The order after a turn: set the alarm [engine], let go of the lock, fence,
 * wake threads, look at the outbox and go on if there is something and the lock
 * is still to be had; what comes after the turns is last, as it may call handlers,
 * and these may take their time.
 */
#include <pthread.h>

#include "base/error.h"
#include "runtime/clock.h"
#include "runtime/eventfd.h"
#include "runtime/reader_parts.h"

void a3mi_reader_push(struct a3mi_reader *reader, struct a3mi_outbox_node *node)
{
    a3mi_outbox_push(&reader->outbox, node);
}

struct a3mi_outbox_node *a3mi_reader_pop(struct a3mi_reader *reader)
{
    return a3mi_outbox_pop(&reader->outbox);
}

void a3mi_reader_signal(struct a3mi_reader *reader)
{
    if (atomic_exchange(&reader->signalled, 1) == 0) {
        a3mi_eventfd_write(reader->signal_fd);
    }
}

/* [engine] */
static void set_alarm(struct a3mi_reader *reader, const struct a3mi_turn *turn, enum a3mi_runner runner)
{
    int64_t at = turn->event_deadline;

    reader->next_deadline = turn->deadline;
    reader->next_event = turn->event_deadline;
    /* What a leader does not come to, is found when its lease runs out. */
    if (at > turn->deadline && (runner == A3MI_RUNNER_PASSING || reader->config.lease_ns == 0)) {
        at = turn->deadline;
    }
    if (runner == A3MI_RUNNER_SLEEPER && at != reader->deadline.at) {
        a3mi_alarm_set(&reader->deadline, at);
    } else {
        a3mi_alarm_want(&reader->deadline, at, turn->now);
    }
}

/* [engine] True when the transport began to wait to be writable, or ceased to. */
static bool set_want_write(struct a3mi_reader *reader, bool want)
{
    if (atomic_load_explicit(&reader->role.want_write, memory_order_relaxed) == want) {
        return false;
    }
    atomic_store(&reader->role.want_write, want);
    return true;
}

/* [engine; let go here] What a holder owes after a turn. True when there is something in the outbox. */
static bool let_go(struct a3mi_reader *reader, struct a3mi_turn *turn, enum a3mi_runner runner)
{
    reader->more = turn->more;
    if ((turn->flags & A3MI_TURN_RECEIVE) != 0) {
        atomic_store_explicit(&reader->received_at, turn->now, memory_order_relaxed);
    }
    set_alarm(reader, turn, runner);
    bool interest = set_want_write(reader, turn->want_write);
    enum a3mi_outbox_look where = a3mi_outbox_settle(&reader->outbox);
    a3mi_turnlock_unlock(&reader->lock);

    if (interest && a3mi_role_interest(&reader->role)) {
        a3mi_reader_signal(reader);
    }
    if (turn->wakes.first != NULL) {
        unsigned slept = a3mi_wakes_run(&turn->wakes);
        if (slept != 0) {
            (void)atomic_fetch_add_explicit(&reader->counters.wakes, slept, memory_order_relaxed);
        }
    }
    return a3mi_outbox_look(&reader->outbox, where);
}

struct rounds {
    unsigned flags;
    enum a3mi_runner runner;
    void (*fn)(void *arg, struct a3mi_turn *turn); /* in place of the first turn; NULL: none */
    void *fn_arg;
};

/* [engine] */
static void one_turn(struct a3mi_reader *reader, const struct rounds *rounds, struct a3mi_turn *turn)
{
    if (rounds->fn != NULL) {
        /* Not a turn: what it leaves alone stays as the last turn left it. */
        turn->deadline = reader->next_deadline;
        turn->event_deadline = reader->next_event;
        turn->more = reader->more;
        turn->want_write = atomic_load_explicit(&reader->role.want_write, memory_order_relaxed);
        rounds->fn(rounds->fn_arg, turn);
        return;
    }
    a3mi_reader_count(&reader->counters.turns);
    /* The call that this is part of may have failed, and have said why. */
    bool aside = a3mi_detail_aside(true);
    reader->ops.turn(reader->arg, turn);
    (void)a3mi_detail_aside(aside);
}

/* [engine; let go here] */
static void run(struct a3mi_reader *reader, struct rounds *rounds, struct a3mi_outcome *outcome)
{
    bool again;

    outcome->received = false;
    outcome->more = false;
    outcome->afters = 0;
    for (unsigned round = 1;; round++) {
        struct a3mi_turn turn = {.flags = rounds->flags,
                                 .now = a3mi_clock_now(),
                                 .deadline = INT64_MAX,
                                 .event_deadline = INT64_MAX};
        one_turn(reader, rounds, &turn);
        again = let_go(reader, &turn, rounds->runner);

        outcome->now = turn.now;
        outcome->deadline = turn.deadline;
        outcome->received |= turn.received;
        if (turn.after != NULL) {
            outcome->after[outcome->afters++] = turn.after;
        }
        if ((turn.flags & A3MI_TURN_RECEIVE) != 0) {
            outcome->more |= turn.more; /* the caller may have what it waits for, and decides */
        } else {
            again |= turn.more;
        }
        if (!again || !a3mi_reader_running(reader)) {
            break;
        }
        if (round == A3MI_READER_ROUNDS) {
            outcome->more = true;
            break;
        }
        if (!a3mi_turnlock_try(&reader->lock)) {
            break; /* who has it looks at the outbox, and at reader->more, when it lets go */
        }
        rounds->flags &= ~(unsigned)A3MI_TURN_RECEIVE;
        rounds->fn = NULL;
    }
}

/* [engine; let go here] With cancellation off, unless the engine has no cancellation points. */
static void run_uncancelled(struct a3mi_reader *reader, struct rounds *rounds, struct a3mi_outcome *outcome)
{
    int cancel;

    if (reader->ops.cancel_safe) {
        run(reader, rounds, outcome);
        return;
    }
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    run(reader, rounds, outcome);
    (void)pthread_setcancelstate(cancel, NULL);
}

void a3mi_reader_run(struct a3mi_reader *reader, unsigned flags, enum a3mi_runner runner,
                     struct a3mi_outcome *outcome)
{
    struct rounds rounds = {.flags = flags, .runner = runner};

    run_uncancelled(reader, &rounds, outcome);
}

void a3mi_reader_turn(struct a3mi_reader *reader, unsigned flags, enum a3mi_runner runner,
                      struct a3mi_outcome *outcome)
{
    a3mi_turnlock_take(&reader->lock);
    a3mi_reader_run(reader, flags, runner, outcome);
}

void a3mi_reader_after(struct a3mi_reader *reader, struct a3mi_outcome *outcome)
{
    int cancel;

    if (outcome->afters == 0) {
        return;
    }
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    for (unsigned i = 0; i < outcome->afters; i++) {
        reader->ops.after(reader->arg, outcome->after[i]);
    }
    outcome->afters = 0;
    (void)pthread_setcancelstate(cancel, NULL);
}

/* What a thread does after turns that it ran in passing. */
static void pass_on(struct a3mi_reader *reader, struct a3mi_outcome *outcome)
{
    if (outcome->more) {
        a3mi_reader_signal(reader);
    }
    a3mi_reader_after(reader, outcome);
}

void a3mi_reader_kick(struct a3mi_reader *reader)
{
    struct a3mi_outcome outcome;

    a3mi_fence_pusher();
    if (!a3mi_reader_running(reader) || !a3mi_turnlock_try(&reader->lock)) {
        return;
    }
    a3mi_reader_run(reader, 0, A3MI_RUNNER_PASSING, &outcome);
    pass_on(reader, &outcome);
}

void a3mi_reader_enter(struct a3mi_reader *reader, void (*fn)(void *arg, struct a3mi_turn *turn), void *arg)
{
    struct rounds rounds = {.runner = A3MI_RUNNER_PASSING, .fn = fn, .fn_arg = arg};
    struct a3mi_outcome outcome;

    a3mi_turnlock_take(&reader->lock);
    run_uncancelled(reader, &rounds, &outcome);
    pass_on(reader, &outcome);
}
