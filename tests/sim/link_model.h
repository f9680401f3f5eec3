/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link in virtual time: packets leave it at its rate, wait in a queue of finite
 * size, which drops at its tail, are lost at random or one in so many, and arrive
 * a constant delay later, or up to `jitter` more, in order. Knows nothing of what the bytes mean. The
 * same calls with the same seed give the same results. For the simulations of
 * core.
 */
#ifndef LINK_MODEL_H
#define LINK_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

struct link_packet {
    int64_t at; /* of arrival */
    uint32_t flow;
    uint32_t size;
    uint8_t bytes[1472];
};

struct link_model {
    uint64_t rate;        /* bits a second; 0: no limit, and no queue */
    int64_t delay;        /* ns */
    int64_t jitter;       /* ns: each packet is late by up to so much, as timers and busy machines make it */
    uint64_t queue_limit; /* bytes that may wait */
    double loss;          /* chance of each packet */
    uint64_t lose_each;   /* one packet in so many; 0: none */
    struct a3mi_rng rng;
    int64_t last_at;    /* of arrival, of the last packet */
    int64_t busy_until; /* picoseconds: what has been accepted is gone then */

    struct link_packet *ring; /* on their way */
    size_t first, count, capacity;
    uint64_t entered, dropped, lost; /* packets: offered; by the queue; by chance */
};

/* No limit, no loss. */
void link_model_init(struct link_model *link, uint64_t seed);
void link_model_fini(struct link_model *link);
void link_model_send(struct link_model *link, uint32_t flow, const uint8_t *bytes, size_t size, int64_t now);
/* When the next packet arrives; INT64_MAX: none is on its way. */
int64_t link_model_next(const struct link_model *link);
/* Takes it out; borrowed until the next call. */
const struct link_packet *link_model_take(struct link_model *link);

#endif
