/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a link, as a pure machine: one const table [state][event] gives
 * the next state and what is to be done. No clock, no lock, no memory; the node
 * layer carries the actions out with the socket's lock held.
 *
 * Control messages between two nodes are in order and exactly once, so what is
 * left to get right are crossing requests, answers to an earlier attempt (told
 * apart by link numbers before they come here), cancel in flight, and a peer
 * that restarted.
 *
 * Of two ends that ask each other at once, one answers, and always the same one:
 * the end with the greater name (node id, then tag). The other end takes no
 * notice of the request that crossed its own.
 */
#ifndef A3MI_LINK_MACHINE_H
#define A3MI_LINK_MACHINE_H

#include <stdint.h>

enum a3mi_link_state {
    A3MI_LINK_REQUESTING, /* REQUEST sent, no answer yet */
    A3MI_LINK_RETRYING,   /* waits for its interval to pass */
    A3MI_LINK_UP,
    A3MI_LINK_ENDING,     /* END sent; the peer's answer is awaited */
    A3MI_LINK_FINISHING,  /* both have said their last number; data is still on its way */
    A3MI_LINK_CANCELLING, /* END sent before the link was up; the peer's answer is awaited */
    A3MI_LINK_ABORTING,   /* END sent after the channels were cut off; the peer's answer is awaited */
    A3MI_LINK_CLOSED,
    A3MI_LINK_STATES
};

enum a3mi_link_event {
    A3MI_ON_ACCEPT,  /* the peer agrees */
    A3MI_ON_REQUEST, /* the peer asks for the same link, and passed the checks; this end answers */
    A3MI_ON_CROSSING, /* the same while this end's own request, or its END, is under way to the end that answers */
    A3MI_ON_REFUSE,       /* refused for now, and another attempt may be made */
    A3MI_ON_REFUSE_LAST,  /* refused for now, and the limit of attempts is reached */
    A3MI_ON_REFUSE_FINAL, /* refused for good */
    A3MI_ON_TIMER,        /* the interval passed, and another attempt may be made */
    A3MI_ON_TIMER_LAST,   /* the interval passed, and the limit of attempts is reached */
    A3MI_ON_UNLINK,       /* this end wants it ended */
    A3MI_ON_ABORT,        /* this end wants it ended at once, whatever is lost by it */
    A3MI_ON_END,          /* the peer ends it */
    A3MI_ON_ENDED,        /* the peer answers our END */
    A3MI_ON_DRAINED,      /* everything both ends said they sent has arrived */
    A3MI_ON_PEER_LOST,    /* the peer's incarnation is over; this end keeps asking for the link */
    A3MI_ON_PEER_GONE,    /* the peer's incarnation is over; the link was the peer's wish */
    A3MI_LINK_EVENTS
};

/* Actions, carried out from the lowest bit to the highest. */
enum {
    A3MI_DO_ATTACH = 1u << 0, /* bind both channels to the peer's numbers; the link is up */
    A3MI_DO_SEND_ACCEPT = 1u << 1,
    A3MI_DO_SEND_REQUEST = 1u << 2, /* under a new number; counts an attempt, arms the interval */
    A3MI_DO_ARM_TIMER = 1u << 3,    /* the interval of the last attempt, from now */
    A3MI_DO_COUNT = 1u << 4,        /* an unanswered interval counts as an attempt, and the next is armed */
    A3MI_DO_CANCEL_TIMER = 1u << 5,
    A3MI_DO_SEND_END = 1u << 6,
    A3MI_DO_SEND_ENDED = 1u << 7,
    A3MI_DO_FINISH = 1u << 8,     /* note the peer's count; look whether everything is there */
    A3MI_DO_DETACH = 1u << 9,     /* the channels end; what was not finished is counted; the type is told */
    A3MI_DO_TELL_DOWN = 1u << 10, /* nothing can be sent any more: senders are told */
    A3MI_DO_CLOSE = 1u << 11,     /* the link has ended: waiters are told, it leaves its socket */
    A3MI_DO_REPLACE =
        1u << 12, /* nothing yet: the peer lost this link; step PEER_LOST or _GONE, then this again */
    A3MI_DO_IGNORE = 1u << 13,    /* possible, and nothing to do */
    A3MI_DO_COUNT_ODD = 1u << 14, /* a conforming peer does not do this: counted, otherwise ignored */
};

struct a3mi_link_step {
    enum a3mi_link_state next;
    uint32_t actions;
};

/* The step for an event in a state. Total: every pair is written out. */
struct a3mi_link_step a3mi_link_machine(enum a3mi_link_state state, enum a3mi_link_event event);

/* "REQUESTING", "ACCEPT": for listings and the generated picture. */
const char *a3mi_link_state_name(enum a3mi_link_state state);
const char *a3mi_link_event_name(enum a3mi_link_event event);

#endif
