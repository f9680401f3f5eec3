/* SPDX-License-Identifier: Apache-2.0 */
/* NewReno, RFC 9002, section 7 and appendix B (core/congestion.h). */
#include "core/congestion.h"

#define INITIAL_PACKETS 10u
#define MINIMUM_PACKETS 2u

static uint64_t minimum(const struct a3mi_cc *cc)
{
    return (uint64_t)MINIMUM_PACKETS * cc->packet;
}

static void newreno_reset(struct a3mi_cc *cc, uint32_t packet)
{
    cc->packet = packet;
    cc->window = (uint64_t)INITIAL_PACKETS * packet;
    cc->rate = 0;
    cc->slow_start = true;
    cc->of.newreno = (struct a3mi_newreno){.threshold = UINT64_MAX, .recovery_at = INT64_MIN};
}

static void newreno_acked(struct a3mi_cc *cc, const struct a3mi_cc_ack *ack)
{
    struct a3mi_newreno *nr = &cc->of.newreno;

    /* A window that was not used says nothing about the path (7.8). */
    if (!ack->limited || ack->sent_at <= nr->recovery_at) {
        return;
    }
    if (cc->window < nr->threshold) {
        cc->window += ack->bytes;
        return;
    }
    cc->slow_start = false;
    nr->acked += ack->bytes;
    if (nr->acked >= cc->window) {
        nr->acked -= cc->window;
        cc->window += cc->packet;
    }
}

static void newreno_lost(struct a3mi_cc *cc, int64_t sent_at, int64_t now)
{
    struct a3mi_newreno *nr = &cc->of.newreno;

    if (sent_at <= nr->recovery_at) {
        return;
    }
    nr->recovery_at = now;
    nr->acked = 0;
    cc->window /= 2;
    if (cc->window < minimum(cc)) {
        cc->window = minimum(cc);
    }
    nr->threshold = cc->window;
    cc->slow_start = false;
}

/* A window halved for nothing grows again: RFC 9002 takes nothing back. */
static void newreno_spurious(struct a3mi_cc *cc, int64_t lost_at)
{
    (void)cc, (void)lost_at;
}

static void newreno_collapsed(struct a3mi_cc *cc)
{
    cc->window = minimum(cc);
    cc->slow_start = true;
    cc->of.newreno.acked = 0;
    cc->of.newreno.recovery_at = INT64_MIN;
}

const struct a3mi_cc_ops a3mi_cc_newreno = {
    .name = "newreno",
    .reset = newreno_reset,
    .acked = newreno_acked,
    .lost = newreno_lost,
    .spurious = newreno_spurious,
    .collapsed = newreno_collapsed,
};
