/* SPDX-License-Identifier: Apache-2.0 */
/* HyStart++ (core/hystart.h); RFC 9406, section 4.2. */
#include "core/hystart.h"

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void a3mi_hystart_init(struct a3mi_hystart *h)
{
    *h = (struct a3mi_hystart){.last_min = INT64_MAX, .current_min = INT64_MAX, .css_base = INT64_MAX};
}

void a3mi_hystart_round(struct a3mi_hystart *h)
{
    h->last_min = h->current_min;
    h->current_min = INT64_MAX;
    h->samples = 0;
    h->css_rounds += a3mi_hystart_in_css(h);
}

static int64_t threshold(const struct a3mi_hystart *h)
{
    return max64(A3MI_HYSTART_MIN_THRESHOLD,
                 min64(h->last_min / A3MI_HYSTART_DIVISOR, A3MI_HYSTART_MAX_THRESHOLD));
}

void a3mi_hystart_sample(struct a3mi_hystart *h, int64_t rtt)
{
    h->current_min = min64(h->current_min, rtt);
    if (++h->samples < A3MI_HYSTART_SAMPLES) {
        return;
    }
    if (a3mi_hystart_in_css(h)) {
        if (h->current_min < h->css_base) {
            h->css_base = INT64_MAX; /* it was no queue: slow start goes on */
        }
    } else if (h->last_min != INT64_MAX && h->current_min >= h->last_min + threshold(h)) {
        h->css_base = h->current_min;
        h->css_rounds = 0;
    }
}
