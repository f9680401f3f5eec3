/* SPDX-License-Identifier: Apache-2.0 */
/* The table of built-in transports. A new one needs its line in both constants. */
#include "transport/registry.h"

#include <string.h>

static const a3m_transport_ops *const transports[] = {
    &a3mi_transport_udp,
    &a3mi_transport_inproc,
};

static const char schemes[] = "udp, inproc";

const a3m_transport_ops *a3mi_transport_find(const char *scheme)
{
    for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++) {
        if (strcmp(transports[i]->scheme, scheme) == 0) {
            return transports[i];
        }
    }
    return NULL;
}

const char *a3mi_transport_schemes(void)
{
    return schemes;
}
