/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated network (core_net.h). */
#include "core_net.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void core_net_init(struct core_net *net, uint64_t seed)
{
    memset(net, 0, sizeof(*net));
    a3mi_rng_init(&net->rng, seed);
    net->faults.delay = 100000;
}

void core_net_fini(struct core_net *net)
{
    for (size_t i = 0; i < net->count; i++) {
        free(net->packets[i]);
    }
    free(net->packets);
}

static bool chance(struct core_net *net, uint32_t in_1000)
{
    return a3mi_rng_below(&net->rng, 1000) < in_1000;
}

static bool before(const struct core_net_packet *a, const struct core_net_packet *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void push(struct core_net *net, struct core_net_packet *packet)
{
    if (net->count == net->capacity) {
        net->capacity = net->capacity * 2 + 64;
        net->packets = realloc(net->packets, net->capacity * sizeof(struct core_net_packet *));
        assert(net->packets != NULL);
    }
    size_t i = net->count++;

    while (i > 0 && before(packet, net->packets[(i - 1) / 2])) {
        net->packets[i] = net->packets[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    net->packets[i] = packet;
}

struct core_net_packet *core_net_take(struct core_net *net)
{
    struct core_net_packet *first = net->packets[0];
    struct core_net_packet *last = net->packets[--net->count];
    size_t i = 0;

    for (size_t child = 1; child < net->count; child = 2 * i + 1) {
        if (child + 1 < net->count && before(net->packets[child + 1], net->packets[child])) {
            child++;
        }
        if (!before(net->packets[child], last)) {
            break;
        }
        net->packets[i] = net->packets[child];
        i = child;
    }
    net->packets[i] = last;
    return first;
}

int64_t core_net_next(const struct core_net *net)
{
    return net->count > 0 ? net->packets[0]->at : INT64_MAX;
}

static int64_t delay(struct core_net *net)
{
    int64_t t = net->faults.delay;

    if (net->faults.jitter > 0) {
        t += (int64_t)a3mi_rng_below(&net->rng, (uint64_t)net->faults.jitter);
    }
    if (net->faults.late_max > 0 && chance(net, net->faults.late)) {
        t += (int64_t)a3mi_rng_below(&net->rng, (uint64_t)net->faults.late_max);
    }
    return t;
}

static void put(struct core_net *net, uint32_t from, uint32_t to, const uint8_t *bytes, size_t size,
                int64_t now)
{
    struct core_net_packet *packet = malloc(sizeof(*packet) + size);

    assert(packet != NULL);
    packet->at = now + delay(net);
    packet->order = net->order++;
    packet->from = from;
    packet->to = to;
    packet->size = size;
    memcpy(packet->bytes, bytes, size);
    if (chance(net, net->faults.damage)) {
        packet->bytes[a3mi_rng_below(&net->rng, size)] ^= (uint8_t)(1 + a3mi_rng_below(&net->rng, 255));
    }
    push(net, packet);
}

void core_net_send(struct core_net *net, uint32_t from, uint32_t to, const uint8_t *bytes, size_t size,
                   int64_t now)
{
    net->sent++;
    bool cut = from < CORE_NET_ADDRS && to < CORE_NET_ADDRS && net->cut[from][to];

    if ((net->filter != NULL && !net->filter(net->filter_arg, from, to, bytes, size)) || cut ||
        chance(net, net->faults.loss)) {
        net->lost++;
        return;
    }
    put(net, from, to, bytes, size, now);
    if (chance(net, net->faults.repeat)) {
        put(net, from, to, bytes, size, now);
    }
}
