/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery rates (core/rate.h). */
#include "core/rate.h"

#define SECOND UINT64_C(1000000000)
/* Bytes whose product with a second fits into 64 bits. */
#define BYTES_MAX (UINT64_MAX / SECOND)

void a3mi_rate_init(struct a3mi_rate *rate)
{
    *rate = (struct a3mi_rate){0};
}

void a3mi_rate_sent(struct a3mi_rate *rate, struct a3mi_rate_stamp *stamp, uint64_t in_flight, uint32_t bytes,
                    int64_t now)
{
    if (in_flight == 0) {
        rate->first_sent_at = now;
        rate->delivered_at = now;
    }
    *stamp = (struct a3mi_rate_stamp){
        .delivered = rate->delivered,
        .lost = rate->lost,
        .delivered_at = rate->delivered_at,
        .first_sent_at = rate->first_sent_at,
        .in_flight = in_flight + bytes,
        .idle = rate->idle_until != 0,
    };
}

void a3mi_rate_idle(struct a3mi_rate *rate, uint64_t in_flight)
{
    uint64_t until = rate->delivered + in_flight;

    rate->idle_until = until > 0 ? until : 1;
}

void a3mi_rate_acked(struct a3mi_rate *rate, const struct a3mi_rate_stamp *stamp, int64_t sent_at,
                     uint32_t bytes, int64_t now)
{
    rate->delivered += bytes;
    rate->delivered_at = now;
    if (!rate->some || sent_at > rate->sent_at ||
        (sent_at == rate->sent_at && stamp->delivered > rate->newest.delivered)) {
        rate->some = true;
        rate->sent_at = sent_at;
        rate->newest = *stamp;
    }
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The longer of the time it took to send and of the time it took to be acknowledged: neither may be squeezed. */
static uint64_t rate_of(const struct a3mi_rate *rate, int64_t min_rtt)
{
    uint64_t bytes = rate->delivered - rate->newest.delivered;
    int64_t interval = max64(rate->sent_at - rate->newest.first_sent_at,
                             rate->delivered_at - rate->newest.delivered_at);

    if (interval <= 0 || interval < min_rtt || bytes > BYTES_MAX) {
        return 0;
    }
    return bytes * SECOND / (uint64_t)interval;
}

struct a3mi_rate_sample a3mi_rate_take(struct a3mi_rate *rate, int64_t min_rtt)
{
    struct a3mi_rate_sample sample = {0};

    if (rate->idle_until != 0 && rate->delivered > rate->idle_until) {
        rate->idle_until = 0;
    }
    if (!rate->some) {
        return sample;
    }
    sample.rate = rate_of(rate, min_rtt);
    sample.in_flight = rate->newest.in_flight;
    sample.lost = rate->lost - rate->newest.lost;
    sample.idle = rate->newest.idle;
    sample.round = rate->newest.delivered >= rate->round_end;
    if (sample.round) {
        rate->round_end = rate->delivered;
    }
    rate->first_sent_at = rate->sent_at;
    rate->some = false;
    return sample;
}
