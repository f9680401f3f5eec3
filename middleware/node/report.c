/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no call can return, told to the application (a3m_node_config.report):
 * after the turn, with no lock held, one a turn. Everything told here is counted
 * in the statistics as well. [engine lock held until the turn ends]
 */
#include "node/node.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/addr.h"
#include "base/error.h"

#define REPORT_INTERVAL_NS INT64_C(1000000000)

struct report {
    struct a3mi_after after;
    int code;
    char text[600];
};

/* turn->after is the last, whose `next` is the first. */
void a3mi_turn_add_after(struct a3mi_turn *turn, struct a3mi_after *after)
{
    struct a3mi_after *last = turn->after;
    after->next = last != NULL ? last->next : after;
    if (last != NULL) {
        last->next = after;
    }
    turn->after = after;
}

void a3mi_node_after(struct a3mi_node *node, void *what)
{
    const struct a3mi_after *last = what;
    struct a3mi_after *after = last->next;
    int saved_errno = errno; /* the call that this interrupts may have failed already, and have said why */
    bool aside = a3mi_detail_aside(true);
    bool more = true;
    while (more) {
        struct a3mi_after *next = after->next; /* it may be gone once it was run */
        more = after != last;
        after->run(node, after);
        after = next;
    }
    (void)a3mi_detail_aside(aside);
    errno = saved_errno;
}

static void tell(struct a3mi_node *node, struct a3mi_after *after)
{
    struct report *report = a3mi_container_of(after, struct report, after);
    node->config.report(node->config.report_arg, report->code, report->text);
    free(report);
}

/* Whether this turn tells something already. */
static bool tells(const struct a3mi_turn *turn)
{
    for (const struct a3mi_after *it = turn->after; it != NULL; it = it->next) {
        if (it->run == tell) {
            return true;
        }
    }
    return false;
}

/* Room for the next report of this turn; NULL: nobody asks, one is under way already, or no memory. */
static struct report *begin(const struct a3mi_node *node, int code)
{
    if (node->config.report == NULL || tells(node->turn)) {
        return NULL;
    }
    struct report *report = malloc(sizeof(*report));
    if (report != NULL) {
        report->code = code;
        report->after.run = tell;
        a3mi_turn_add_after(node->turn, &report->after);
    }
    return report;
}

void a3mi_node_report_duplicate(struct a3mi_node *node, const struct a3mi_name *id,
                                const struct a3m_addr *where)
{
    char address[A3M_LINK_ADDRESS_SIZE] = "";
    if (node->turn->now - node->last_report < REPORT_INTERVAL_NS) {
        return;
    }
    struct report *report = begin(node, A3M_EDUPLICATE);
    if (report == NULL) {
        return;
    }
    node->last_report = node->turn->now;
    if (where != NULL) {
        (void)a3mi_addr_format(where, address, sizeof(address));
    }
    snprintf(report->text, sizeof(report->text),
             "two live nodes use the id '%s'%s%s: give each node an id of its own", id->s,
             address[0] != '\0' ? "; the other is at " : "", address);
}

void a3mi_node_report_given_up(struct a3mi_node *node, const struct a3mi_peer *peer, int why, uint64_t links,
                               const struct a3mi_given_up *lost)
{
    const struct a3mi_name *id = a3mi_peer_id(peer);
    struct report *report = begin(node, why);
    if (report == NULL) {
        return;
    }
    snprintf(report->text, sizeof(report->text),
             "the peer '%s' was given up, as it %s: %" PRIu64 " links ended; of what was sent to it %" PRIu64
             " messages were not delivered, the outcome of %" PRIu64 " is unknown; %" PRIu64
             " that came from it are read by nobody",
             id != NULL ? id->s : "", why == A3M_ESILENT ? "was silent" : "held too much memory", links,
             lost->undelivered, lost->unknown, lost->unread);
}
