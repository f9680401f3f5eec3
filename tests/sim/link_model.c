/* SPDX-License-Identifier: Apache-2.0 */
/* A link with a queue (link_model.h). */
#include "link_model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PS INT64_C(1000)

void link_model_init(struct link_model *link, uint64_t seed)
{
    *link = (struct link_model){0};
    a3mi_rng_init(&link->rng, seed);
}

void link_model_fini(struct link_model *link)
{
    free(link->ring);
}

static void grow(struct link_model *link)
{
    size_t capacity = link->capacity * 2 + 64;
    struct link_packet *ring = malloc(capacity * sizeof(*ring));

    assert(ring != NULL);
    for (size_t i = 0; i < link->count; i++) {
        ring[i] = link->ring[(link->first + i) % link->capacity];
    }
    free(link->ring);
    link->ring = ring;
    link->first = 0;
    link->capacity = capacity;
}

/* Whether the queue takes the packet; then it is gone at link->busy_until. */
static bool enter(struct link_model *link, size_t size, int64_t now)
{
    if (link->rate == 0) {
        link->busy_until = now * PS;
        return true;
    }
    int64_t backlog = link->busy_until - now * PS;

    if (backlog <= 0) {
        backlog = 0;
        link->busy_until = now * PS;
    }
    /* bytes that wait: backlog in ps, rate in bits a second */
    if ((double)backlog * (double)link->rate / 8e12 + (double)size > (double)link->queue_limit) {
        return false;
    }
    link->busy_until += (int64_t)((double)size * 8e12 / (double)link->rate);
    return true;
}

static bool is_lost(struct link_model *link)
{
    if (link->lose_each > 0 && link->entered % link->lose_each == 0) {
        return true;
    }
    return link->loss > 0 && a3mi_rng_unit(&link->rng) < link->loss;
}

/* When what leaves the queue now will arrive: not before what went before it. */
static int64_t arrival(struct link_model *link)
{
    int64_t at = link->busy_until / PS + link->delay;

    if (link->jitter > 0) {
        at += (int64_t)a3mi_rng_below(&link->rng, (uint64_t)link->jitter);
        at = at > link->last_at ? at : link->last_at;
    }
    link->last_at = at;
    return at;
}

void link_model_send(struct link_model *link, uint32_t flow, const uint8_t *bytes, size_t size, int64_t now)
{
    link->entered++;
    if (!enter(link, size, now)) {
        link->dropped++;
        return;
    }
    if (is_lost(link)) {
        link->lost++;
        return;
    }
    if (link->count == link->capacity) {
        grow(link);
    }
    struct link_packet *packet = &link->ring[(link->first + link->count++) % link->capacity];

    assert(size <= sizeof(packet->bytes));
    packet->at = arrival(link);
    packet->flow = flow;
    packet->size = (uint32_t)size;
    memcpy(packet->bytes, bytes, size);
}

int64_t link_model_next(const struct link_model *link)
{
    return link->count > 0 ? link->ring[link->first].at : INT64_MAX;
}

const struct link_packet *link_model_take(struct link_model *link)
{
    const struct link_packet *packet = &link->ring[link->first];

    link->first = (link->first + 1) % link->capacity;
    link->count--;
    return packet;
}
