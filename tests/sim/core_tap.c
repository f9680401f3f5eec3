/* SPDX-License-Identifier: Apache-2.0 */
/* A tap on the network of a simulated world (core_tap.h). */
#include "core_tap.h"

#include <string.h>

static bool tap_filter(void *arg, uint32_t from, uint32_t to, const uint8_t *bytes, size_t size)
{
    struct tap *tap = arg;
    unsigned type = bytes[1] & 15u;

    tap->seen[type]++;
    if ((tap->keep & TAP_BIT(type)) != 0 && tap->kept_count < TAP_KEPT) {
        struct kept *kept = &tap->kept[tap->kept_count++];

        *kept = (struct kept){.from = from, .to = to, .size = size};
        memcpy(kept->bytes, bytes, size);
    }
    if ((tap->lose & TAP_BIT(type)) != 0 && tap->lose_at_most > 0) {
        tap->lose_at_most--;
        return false;
    }
    return true;
}

void tap_init(struct tap *tap, struct world *w)
{
    memset(tap, 0, sizeof(*tap));
    tap->world = w;
    tap->lose_at_most = UINT32_MAX;
    w->net.filter = tap_filter;
    w->net.filter_arg = tap;
}

void tap_begin(struct world *w, struct tap *tap, uint64_t seed, uint32_t nodes, uint32_t window)
{
    struct world_options options = {.nodes = nodes, .slots = 1, .linger = 200 * WORLD_MS, .window = window};

    world_init(w, seed, &options);
    tap_init(tap, w);
    world_settle(w, WORLD_S);
}

void tap_replay(struct tap *tap, unsigned times)
{
    struct world *w = tap->world;
    uint32_t keep = tap->keep;

    tap->keep = 0;
    for (unsigned i = 0; i < tap->kept_count * times; i++) {
        const struct kept *kept = &tap->kept[i % tap->kept_count];

        core_net_send(&w->net, kept->from, kept->to, kept->bytes, kept->size, w->now);
    }
    tap->keep = keep;
}
