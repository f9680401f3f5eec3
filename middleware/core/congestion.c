/* SPDX-License-Identifier: Apache-2.0 */
/* What controllers have in common (core/congestion.h). */
#include "core/congestion.h"

#include <stddef.h>
#include <string.h>

/* Products of bytes and times fit into 64 bits. */
#define WINDOW_MAX ((uint64_t)1 << 40)
#define PER_SECOND UINT64_C(1000000)

const struct a3mi_cc_ops *a3mi_cc_find(const char *name)
{
    static const struct a3mi_cc_ops *const all[] = {&a3mi_cc_cubic, &a3mi_cc_newreno, &a3mi_cc_bbr};

    if (name == NULL || name[0] == '\0') {
        return all[0];
    }
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        size_t size = strlen(all[i]->name) + 1;

        if (strlen(name) + 1 == size && memcmp(all[i]->name, name, size) == 0) {
            return all[i];
        }
    }
    return NULL;
}

uint64_t a3mi_cc_rate(const struct a3mi_cc *cc, int64_t rtt)
{
    if (cc->rate > 0) {
        return cc->rate;
    }
    uint64_t bytes = cc->window < WINDOW_MAX ? cc->window : WINDOW_MAX;
    uint64_t us = rtt > 1000 ? (uint64_t)rtt / 1000 : 1;

    return (cc->slow_start ? 2 * bytes : bytes + bytes / 4) * PER_SECOND / us;
}
