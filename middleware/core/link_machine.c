/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of core/link_machine.h. A column of the table is a state, so that
 * one state's behaviour can be read from top to bottom.
 *
 * Crossing requests. Both ends asked; B, the end that answers, takes A's request,
 * and A takes no notice of B's:
 *
 *     A  REQUESTING ──REQUEST a1──╲   ╱──REQUEST b1── REQUESTING  B
 *     A  ignores b1 ◄──────────────╳─────────────►  UP (b1,a1)  B
 *     A  UP (a1,b1) ◄─────────────────ACCEPT b1 for a1──────────  B
 *
 * Were each request taken for the answer to the other, an end that gave up and
 * asked again could not tell which of its requests the peer's one had crossed.
 *
 * Cancel in flight. A gave up: B takes a1 all the same, and then sees its end.
 *
 *     A  REQUEST a1, END a1 ──╲   ╱──REQUEST b1── REQUESTING  B
 *     A  ignores b1 ◄──────────╳────────────►  UP, then CLOSED  B
 *
 * A's socket closed: it refuses b1, though B took a1 for the link that b1 asked for. END a1 is behind that.
 *
 *     A  REQUEST a1, END a1 ──╲   ╱──REQUEST b1── REQUESTING  B
 *     A  has no such socket ◄──╳────────────►  UP, then FINISHING  B
 *     A  ────REFUSE b1──────────────────────►  ignored
 *
 * When another socket has its name by then, b1 has still crossed a1, and where B answers it is not that socket's: as
 * long as the closed one waits for an answer it is the one that takes notice of b1.
 *
 * A's request never arrived (A gave B up), and A ends its wish while it waits to ask again: nobody would answer b1, so
 * A refuses it. Whenever a link ends that took no notice of a request, it is refused; one that is settled ignores that.
 *
 *     A  REQUEST a1 ── lost    ╲   ╱──REQUEST b1── REQUESTING  B
 *     A  ignores b1 ◄───────────╳
 *     A  RETRYING, unlink ─────────REFUSE b1─────► CLOSED, or RETRYING  B
 *
 * B gave up, and answers: a1 is a request like any other, b1 is of no concern to
 * A, and END b1 is answered as for a link that A does not have.
 *
 * A request for a link that is up: its author lost the link (its records ended
 * by policy) and asks anew. REPLACE: the caller first steps PEER_LOST or
 * PEER_GONE, then gives the request to what is there then. A link that is ending
 * goes on ending beside the new one: what was sent on it is still delivered.
 *
 * Abort. A gives up what it has not put into units, and END says how many messages will come after all. When an
 * END or ENDED that promised more is on its way already, this one is behind it:
 *
 *     A  END 9 messages, END 4 messages ──────►  UP, FINISHING (9), FINISHING (4)  B
 *     A  CLOSED ◄────────────────────────ENDED, ENDED (of a link that A does not have)  B
 */
#include "core/link_machine.h"

#define STEP(state, actions)         \
    {                                \
        A3MI_LINK_##state, (actions) \
    }
#define STAY(state)                       \
    {                                     \
        A3MI_LINK_##state, A3MI_DO_IGNORE \
    }
#define ODD(state)                           \
    {                                        \
        A3MI_LINK_##state, A3MI_DO_COUNT_ODD \
    }

static const struct a3mi_link_step table[A3MI_LINK_STATES][A3MI_LINK_EVENTS] =
    {
        [A3MI_LINK_REQUESTING] =
            {
                [A3MI_ON_ACCEPT] = STEP(UP, A3MI_DO_ATTACH | A3MI_DO_CANCEL_TIMER),
                [A3MI_ON_REQUEST] = STEP(UP, A3MI_DO_ATTACH | A3MI_DO_SEND_ACCEPT | A3MI_DO_CANCEL_TIMER),
                [A3MI_ON_CROSSING] = STAY(REQUESTING),
                [A3MI_ON_REFUSE] = STEP(RETRYING, A3MI_DO_ARM_TIMER),
                [A3MI_ON_REFUSE_LAST] = STEP(CLOSED, A3MI_DO_CANCEL_TIMER | A3MI_DO_CLOSE),
                [A3MI_ON_REFUSE_FINAL] = STEP(CLOSED, A3MI_DO_CANCEL_TIMER | A3MI_DO_CLOSE),
                /* The layer below repeats the request itself: an interval only counts. */
                [A3MI_ON_TIMER] = STEP(REQUESTING, A3MI_DO_COUNT),
                [A3MI_ON_TIMER_LAST] = STEP(CANCELLING, A3MI_DO_CANCEL_TIMER | A3MI_DO_SEND_END),
                [A3MI_ON_UNLINK] = STEP(CANCELLING, A3MI_DO_CANCEL_TIMER | A3MI_DO_SEND_END),
                [A3MI_ON_ABORT] = STEP(CANCELLING, A3MI_DO_CANCEL_TIMER | A3MI_DO_SEND_END),
                [A3MI_ON_END] = ODD(REQUESTING),
                [A3MI_ON_ENDED] = ODD(REQUESTING),
                [A3MI_ON_DRAINED] = STAY(REQUESTING),
                [A3MI_ON_PEER_LOST] = STEP(RETRYING, A3MI_DO_ARM_TIMER),
                [A3MI_ON_PEER_GONE] = STEP(RETRYING, A3MI_DO_ARM_TIMER),
            },
        [A3MI_LINK_RETRYING] =
            {
                [A3MI_ON_ACCEPT] = ODD(RETRYING),
                [A3MI_ON_REQUEST] = STEP(UP, A3MI_DO_ATTACH | A3MI_DO_SEND_ACCEPT | A3MI_DO_CANCEL_TIMER),
                [A3MI_ON_CROSSING] = ODD(RETRYING),
                [A3MI_ON_REFUSE] = ODD(RETRYING),
                [A3MI_ON_REFUSE_LAST] = ODD(RETRYING),
                [A3MI_ON_REFUSE_FINAL] = ODD(RETRYING),
                [A3MI_ON_TIMER] = STEP(REQUESTING, A3MI_DO_SEND_REQUEST),
                [A3MI_ON_TIMER_LAST] = STEP(CLOSED, A3MI_DO_CANCEL_TIMER | A3MI_DO_CLOSE),
                [A3MI_ON_UNLINK] = STEP(CLOSED, A3MI_DO_CANCEL_TIMER | A3MI_DO_CLOSE),
                [A3MI_ON_ABORT] = STEP(CLOSED, A3MI_DO_CANCEL_TIMER | A3MI_DO_CLOSE),
                [A3MI_ON_END] = ODD(RETRYING),
                [A3MI_ON_ENDED] = ODD(RETRYING),
                [A3MI_ON_DRAINED] = STAY(RETRYING),
                [A3MI_ON_PEER_LOST] = STAY(RETRYING),
                [A3MI_ON_PEER_GONE] = STAY(RETRYING),
            },
        [A3MI_LINK_UP] =
            {
                [A3MI_ON_ACCEPT] = ODD(UP),
                [A3MI_ON_REQUEST] = STEP(UP, A3MI_DO_REPLACE),
                [A3MI_ON_CROSSING] = ODD(UP),
                [A3MI_ON_REFUSE] = STAY(UP),
                [A3MI_ON_REFUSE_LAST] = STAY(UP),
                [A3MI_ON_REFUSE_FINAL] = STAY(UP),
                [A3MI_ON_TIMER] = STAY(UP),
                [A3MI_ON_TIMER_LAST] = STAY(UP),
                [A3MI_ON_UNLINK] = STEP(ENDING, A3MI_DO_SEND_END | A3MI_DO_TELL_DOWN),
                [A3MI_ON_ABORT] = STEP(ABORTING, A3MI_DO_SEND_END | A3MI_DO_DETACH | A3MI_DO_TELL_DOWN),
                [A3MI_ON_END] = STEP(FINISHING, A3MI_DO_SEND_ENDED | A3MI_DO_FINISH | A3MI_DO_TELL_DOWN),
                [A3MI_ON_ENDED] = ODD(UP),
                [A3MI_ON_DRAINED] = STAY(UP),
                [A3MI_ON_PEER_LOST] = STEP(RETRYING, A3MI_DO_ARM_TIMER | A3MI_DO_DETACH | A3MI_DO_TELL_DOWN),
                [A3MI_ON_PEER_GONE] = STEP(CLOSED, A3MI_DO_DETACH | A3MI_DO_TELL_DOWN | A3MI_DO_CLOSE),
            },
        [A3MI_LINK_ENDING] =
            {
                [A3MI_ON_ACCEPT] = ODD(ENDING),
                [A3MI_ON_REQUEST] = STAY(ENDING),
                [A3MI_ON_CROSSING] = ODD(ENDING),
                [A3MI_ON_REFUSE] = STAY(ENDING),
                [A3MI_ON_REFUSE_LAST] = STAY(ENDING),
                [A3MI_ON_REFUSE_FINAL] = STAY(ENDING),
                [A3MI_ON_TIMER] = STAY(ENDING),
                [A3MI_ON_TIMER_LAST] = STAY(ENDING),
                [A3MI_ON_UNLINK] = STAY(ENDING),
                [A3MI_ON_ABORT] = STEP(ABORTING, A3MI_DO_SEND_END | A3MI_DO_DETACH),
                /* Both ended it at once: each END is the other's answer. */
                [A3MI_ON_END] = STEP(FINISHING, A3MI_DO_FINISH),
                [A3MI_ON_ENDED] = STEP(FINISHING, A3MI_DO_FINISH),
                [A3MI_ON_DRAINED] = STAY(ENDING),
                [A3MI_ON_PEER_LOST] = STEP(CLOSED, A3MI_DO_DETACH | A3MI_DO_CLOSE),
                [A3MI_ON_PEER_GONE] = STEP(CLOSED, A3MI_DO_DETACH | A3MI_DO_CLOSE),
            },
        [A3MI_LINK_FINISHING] =
            {
                [A3MI_ON_ACCEPT] = ODD(FINISHING),
                [A3MI_ON_REQUEST] = STAY(FINISHING),
                [A3MI_ON_CROSSING] = ODD(FINISHING),
                [A3MI_ON_REFUSE] = STAY(FINISHING),
                [A3MI_ON_REFUSE_LAST] = STAY(FINISHING),
                [A3MI_ON_REFUSE_FINAL] = STAY(FINISHING),
                [A3MI_ON_TIMER] = STAY(FINISHING),
                [A3MI_ON_TIMER_LAST] = STAY(FINISHING),
                [A3MI_ON_UNLINK] = STAY(FINISHING),
                [A3MI_ON_ABORT] = STEP(ABORTING, A3MI_DO_SEND_END | A3MI_DO_DETACH),
                /* Of a peer that aborts: fewer will come than it said. */
                [A3MI_ON_END] = STEP(FINISHING, A3MI_DO_SEND_ENDED | A3MI_DO_FINISH),
                [A3MI_ON_ENDED] = STAY(FINISHING),
                [A3MI_ON_DRAINED] = STEP(CLOSED, A3MI_DO_DETACH | A3MI_DO_CLOSE),
                [A3MI_ON_PEER_LOST] = STEP(CLOSED, A3MI_DO_DETACH | A3MI_DO_CLOSE),
                [A3MI_ON_PEER_GONE] = STEP(CLOSED, A3MI_DO_DETACH | A3MI_DO_CLOSE),
            },
        [A3MI_LINK_CANCELLING] =
            {
                /* Our END is behind our REQUEST: the peer will see it. */
                [A3MI_ON_ACCEPT] = STAY(CANCELLING),
                [A3MI_ON_REQUEST] = STAY(CANCELLING),
                [A3MI_ON_CROSSING] = STAY(CANCELLING),
                [A3MI_ON_REFUSE] = STEP(CLOSED, A3MI_DO_CLOSE),
                [A3MI_ON_REFUSE_LAST] = STEP(CLOSED, A3MI_DO_CLOSE),
                [A3MI_ON_REFUSE_FINAL] = STEP(CLOSED, A3MI_DO_CLOSE),
                [A3MI_ON_TIMER] = STAY(CANCELLING),
                [A3MI_ON_TIMER_LAST] = STAY(CANCELLING),
                [A3MI_ON_UNLINK] = STAY(CANCELLING),
                [A3MI_ON_ABORT] = STAY(CANCELLING),
                /* The peer accepted and ended it; it takes our END for its answer. */
                [A3MI_ON_END] = STEP(CLOSED, A3MI_DO_CLOSE),
                [A3MI_ON_ENDED] = STEP(CLOSED, A3MI_DO_CLOSE),
                [A3MI_ON_DRAINED] = STAY(CANCELLING),
                [A3MI_ON_PEER_LOST] = STEP(CLOSED, A3MI_DO_CLOSE),
                [A3MI_ON_PEER_GONE] = STEP(CLOSED, A3MI_DO_CLOSE),
            },
        [A3MI_LINK_ABORTING] =
            {
                [A3MI_ON_ACCEPT] = ODD(ABORTING),
                [A3MI_ON_REQUEST] = STAY(ABORTING),
                [A3MI_ON_CROSSING] = ODD(ABORTING),
                [A3MI_ON_REFUSE] = STAY(ABORTING),
                [A3MI_ON_REFUSE_LAST] = STAY(ABORTING),
                [A3MI_ON_REFUSE_FINAL] = STAY(ABORTING),
                [A3MI_ON_TIMER] = STAY(ABORTING),
                [A3MI_ON_TIMER_LAST] = STAY(ABORTING),
                [A3MI_ON_UNLINK] = STAY(ABORTING),
                [A3MI_ON_ABORT] = STAY(ABORTING),
                /* Both ended it at once, or the peer's END is behind our first one: it will see this one. */
                [A3MI_ON_END] = STEP(CLOSED, A3MI_DO_CLOSE),
                [A3MI_ON_ENDED] = STEP(CLOSED, A3MI_DO_CLOSE),
                [A3MI_ON_DRAINED] = STAY(ABORTING),
                [A3MI_ON_PEER_LOST] = STEP(CLOSED, A3MI_DO_CLOSE),
                [A3MI_ON_PEER_GONE] = STEP(CLOSED, A3MI_DO_CLOSE),
            },
        [A3MI_LINK_CLOSED] =
            {
                [A3MI_ON_ACCEPT] = STAY(CLOSED),
                [A3MI_ON_REQUEST] = STAY(CLOSED),
                [A3MI_ON_CROSSING] = STAY(CLOSED),
                [A3MI_ON_REFUSE] = STAY(CLOSED),
                [A3MI_ON_REFUSE_LAST] = STAY(CLOSED),
                [A3MI_ON_REFUSE_FINAL] = STAY(CLOSED),
                [A3MI_ON_TIMER] = STAY(CLOSED),
                [A3MI_ON_TIMER_LAST] = STAY(CLOSED),
                [A3MI_ON_UNLINK] = STAY(CLOSED),
                [A3MI_ON_ABORT] = STAY(CLOSED),
                [A3MI_ON_END] = STAY(CLOSED),
                [A3MI_ON_ENDED] = STAY(CLOSED),
                [A3MI_ON_DRAINED] = STAY(CLOSED),
                [A3MI_ON_PEER_LOST] = STAY(CLOSED),
                [A3MI_ON_PEER_GONE] = STAY(CLOSED),
            },
};

struct a3mi_link_step a3mi_link_machine(enum a3mi_link_state state, enum a3mi_link_event event)
{
    return table[state][event];
}

const char *a3mi_link_state_name(enum a3mi_link_state state)
{
    static const char *const names[A3MI_LINK_STATES] = {
        [A3MI_LINK_REQUESTING] = "REQUESTING",
        [A3MI_LINK_RETRYING] = "RETRYING",
        [A3MI_LINK_UP] = "UP",
        [A3MI_LINK_ENDING] = "ENDING",
        [A3MI_LINK_FINISHING] = "FINISHING",
        [A3MI_LINK_CANCELLING] = "CANCELLING",
        [A3MI_LINK_ABORTING] = "ABORTING",
        [A3MI_LINK_CLOSED] = "CLOSED",
    };
    return (unsigned)state < A3MI_LINK_STATES ? names[state] : "?";
}

const char *a3mi_link_event_name(enum a3mi_link_event event)
{
    static const char *const names[A3MI_LINK_EVENTS] = {
        [A3MI_ON_ACCEPT] = "ACCEPT",
        [A3MI_ON_REQUEST] = "REQUEST",
        [A3MI_ON_CROSSING] = "REQUEST that crossed",
        [A3MI_ON_REFUSE] = "REFUSE",
        [A3MI_ON_REFUSE_LAST] = "REFUSE at the limit",
        [A3MI_ON_REFUSE_FINAL] = "REFUSE for good",
        [A3MI_ON_TIMER] = "interval",
        [A3MI_ON_TIMER_LAST] = "interval at the limit",
        [A3MI_ON_UNLINK] = "unlink",
        [A3MI_ON_ABORT] = "abort",
        [A3MI_ON_END] = "END",
        [A3MI_ON_ENDED] = "ENDED",
        [A3MI_ON_DRAINED] = "drained",
        [A3MI_ON_PEER_LOST] = "peer lost",
        [A3MI_ON_PEER_GONE] = "peer gone",
    };
    return (unsigned)event < A3MI_LINK_EVENTS ? names[event] : "?";
}
