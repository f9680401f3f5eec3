/* SPDX-License-Identifier: Apache-2.0 */
/* All states, events and actions of core/link_machine.h, without their prefix, for programs that print its table. */
#ifndef LINK_NAMES_H
#define LINK_NAMES_H

#include "core/link_machine.h"

/* clang-format off */
#define EACH_STATE(X) \
    X(REQUESTING) X(RETRYING) X(UP) X(ENDING) X(FINISHING) X(CANCELLING) X(ABORTING) X(CLOSED)
#define EACH_EVENT(X) \
    X(ACCEPT) X(REQUEST) X(CROSSING) X(REFUSE) X(REFUSE_LAST) X(REFUSE_FINAL) X(TIMER) X(TIMER_LAST) \
    X(UNLINK) X(ABORT) X(END) X(ENDED) X(DRAINED) X(PEER_LOST) X(PEER_GONE)
#define EACH_ACTION(X) \
    X(ATTACH) X(SEND_ACCEPT) X(SEND_REQUEST) X(ARM_TIMER) X(COUNT) X(CANCEL_TIMER) X(SEND_END) X(SEND_ENDED) \
    X(FINISH) X(DETACH) X(TELL_DOWN) X(CLOSE) X(REPLACE) X(IGNORE) X(COUNT_ODD)
/* clang-format on */

#define ADD_ONE(name) +1
_Static_assert(0 EACH_STATE(ADD_ONE) == A3MI_LINK_STATES, "a state is not printed");
_Static_assert(0 EACH_EVENT(ADD_ONE) == A3MI_LINK_EVENTS, "an event is not printed");
#define ADD_BIT(name) +A3MI_DO_##name
_Static_assert((0 EACH_ACTION(ADD_BIT)) == A3MI_DO_COUNT_ODD * 2 - 1, "an action is not printed");

#endif
