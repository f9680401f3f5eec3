/* SPDX-License-Identifier: Apache-2.0 */
/* How often the actors of the credit stress do what, and what their calls may return. */
#include "credit_arena.h"

static const struct action rows[] = {
    {"link", credit_act_link, 40},
    {"cancel", credit_act_cancel, 5},
    {"end", credit_act_end, 3},
    {"abort", credit_act_abort, 2},
    {"wait", credit_act_wait, 20},
    {"send", credit_act_send, 260},
    {"send many", credit_act_send_many, 20},
    {"recv", credit_act_recv, 280},
    {"recv many", credit_act_recv_many, 40},
    {"reserve", credit_act_reserve, 90},
    {"use", credit_act_use, 80},
    {"release", credit_act_release, 30},
    {"later", credit_act_later, 30},
    {"take back", credit_act_take_back, 15},
    {"capacity", credit_act_capacity, 40},
    {"option", credit_act_option, 15},
    {"accept", credit_act_accept, 3},
    {"poll", credit_act_poll, 15},
    {"watch", credit_act_watch, 15},
    {"poller wait", credit_act_poller_wait, 15},
    {"poller close", credit_act_poller_close, 1},
    {"drain", credit_act_drain, 3},
    {"look", credit_act_look, 15},
    {"signal", credit_act_signal, 5},
    {"close", credit_act_close, 1},
};

/* With stale handles, short deadlines and peers that come and go. */
static bool may_be(int result)
{
    switch (result) {
    case A3M_EAGAIN:
    case A3M_ENOCREDIT:
    case A3M_ENOLINK:
    case A3M_ENOWINDOW:
    case A3M_EREFUSED:
    case A3M_ECLOSED:
    case A3M_ETIMEDOUT:
    case A3M_ESTATE: /* no events are recorded; a message is being sent right now */
    case A3M_EINTR:
    case A3M_EMSGSIZE:
    case A3M_EINVAL: /* a poller's flags that do not go together, an exclusive entry modified */
    case A3M_EHANDLE:
    case A3M_EEXIST:
    case A3M_ENOENT:
    case A3M_ECANCELED:
    case A3M_ENOTREADY:
    case A3M_ESILENT:
    case A3M_ELINKDOWN: return true;
    default: return result >= 0;
    }
}

const struct actions credit_actions = {rows, sizeof(rows) / sizeof(rows[0]), may_be};
