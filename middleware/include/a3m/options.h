/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of sockets. One table (a3m_option_info) holds their names, units,
 * defaults and ranges, and when they may change; commands and bindings that let
 * people write options as text use it. Durations are in nanoseconds.
 */
#ifndef A3M_OPTIONS_H
#define A3M_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <a3m/version.h>

A3M_BEGIN_DECLS

typedef enum a3m_option {
    /* Intervals and limit hold for links that are asked for afterwards. */
    A3M_OPT_LINK_RETRY_MIN = 1, /* first interval between requests for a link; 50 ms */
    A3M_OPT_LINK_RETRY_MAX,     /* the interval doubles up to this; 0: it stays at the minimum; 2 s */
    A3M_OPT_LINK_ATTEMPTS,      /* give up after so many requests; 0: never; 0 */
    A3M_OPT_CREDIT_MESSAGES,    /* granted to the peer of each link; 1,000. Links that are up follow. */
    A3M_OPT_CREDIT_BYTES,       /* likewise; 1 MiB */
    A3M_OPT_MAX_MESSAGE,        /* the largest message this socket takes; 64 MiB */
    A3M_OPT_MAX_LINKS, /* refuse peers' requests for now when so many are up or coming up; 0: no limit; 0 */
    A3M_OPT_INCOMING,  /* whether peers may ask for links; 1 */
    A3M_OPT_EINTR,     /* whether blocking calls return A3M_EINTR after a signal; 0 */
    /* While an answer is awaited on a link, its peer is asked this often whether it is there; 0: never; 1 s. */
    A3M_OPT_HEARTBEAT,
    /*
     * Whether what this socket sends on a link arrives in the order in which it was sent. 0: each message is handed
     * up as soon as it is whole, so that one that was lost on its way does not hold up those behind it. As the
     * socket's type has it: 0 of REQ and REP, 1 of all others. For links that come up afterwards.
     */
    A3M_OPT_ORDERED,
    /*
     * Threads that wait are served in their order, and who comes later does not pass them (fair-ish), to send and
     * to receive; 0: as is fastest (unfair).
     */
    A3M_OPT_FAIR,
    A3M_OPT_CREDIT_BATCH, /* credit is returned when so many percent of it were taken, bytes at 25 at the latest; 25 */
    /* How many events of links are kept until they are read (a3m/socket_event.h); 0: none are recorded; 0. */
    A3M_OPT_EVENTS,
    /* Each interval between requests for a link is longer by up to so many percent, at random; 0 to 100; 0. */
    A3M_OPT_LINK_RETRY_JITTER,
    A3M_OPT_LAST_
} a3m_option;

typedef enum a3m_option_kind {
    A3M_OPTION_INT = 1,
    A3M_OPTION_BYTES,
    A3M_OPTION_DURATION,
    A3M_OPTION_BOOL,
} a3m_option_kind;

typedef struct a3m_option_info {
    a3m_option option;
    const char *name; /* "link-retry-min" */
    a3m_option_kind kind;
    int64_t default_value, min, max;
    const char *what; /* one line for people */
} a3m_option_info;

/* The option's row, or NULL. Static storage. */
A3M_API const a3m_option_info *a3m_option_describe(a3m_option option);
A3M_API const a3m_option_info *a3m_option_find(const char *name);

A3M_END_DECLS

#endif
