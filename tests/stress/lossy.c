/* SPDX-License-Identifier: Apache-2.0 */
#include "lossy.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "transport/registry.h"

_Atomic uint32_t lossy_per_mille;
_Atomic uint64_t lossy_seed;

static const a3m_transport_ops *const under = &a3mi_transport_inproc;

enum { LARGEST = 65536 };

/* One endpoint. Its slots are called by one thread at a time. */
struct lossy {
    void *inner;
    uint32_t per_mille;
    struct a3mi_rng rng;
    /* Held back until the next packet went. */
    bool holds;
    struct a3m_addr to;
    struct a3m_packet_out held;
    uint8_t bytes[LARGEST];
};

static bool chance(struct lossy *self)
{
    return a3mi_rng_below(&self->rng, 1000) < self->per_mille;
}

static int lossy_open(const struct a3m_addr *local, const struct a3m_transport_config *config, void **out)
{
    struct lossy *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return a3mi_fail(A3M_ENOMEM, "no memory for a lossy endpoint");
    }
    int result = under->open(local, config, &self->inner);
    if (result != A3M_OK) {
        free(self);
        return result;
    }
    self->per_mille = atomic_load(&lossy_per_mille);
    a3mi_rng_init(&self->rng, atomic_fetch_add(&lossy_seed, 1));
    *out = self;
    return A3M_OK;
}

static void lossy_close(void *arg)
{
    struct lossy *self = arg;
    under->close(self->inner);
    free(self);
}

static void hold_back(struct lossy *self, const struct a3m_packet_out *packet)
{
    self->to = *packet->to;
    memcpy(self->bytes, packet->bytes, packet->size);
    self->held = *packet;
    self->held.to = &self->to;
    self->held.bytes = self->bytes;
    self->holds = true;
}

static void pass(struct lossy *self, const struct a3m_packet_out *packet)
{
    (void)under->send(self->inner, packet, 1);
    if (chance(self)) {
        (void)under->send(self->inner, packet, 1);
    }
    if (self->holds) {
        self->holds = false;
        (void)under->send(self->inner, &self->held, 1);
    }
}

static size_t lossy_send(void *arg, const struct a3m_packet_out *packets, size_t n)
{
    struct lossy *self = arg;
    for (size_t i = 0; i < n; i++) {
        if (chance(self)) {
            continue;
        }
        if (!self->holds && packets[i].size <= LARGEST && chance(self)) {
            hold_back(self, &packets[i]);
        } else {
            pass(self, &packets[i]);
        }
    }
    return n;
}

static void lossy_local(void *self, struct a3m_addr *out)
{
    under->local(((struct lossy *)self)->inner, out);
}

static void lossy_info(void *self, struct a3m_transport_info *out)
{
    under->info(((struct lossy *)self)->inner, out);
}

static int lossy_fd(void *self)
{
    return under->fd(((struct lossy *)self)->inner);
}

static size_t lossy_receive(void *self, struct a3m_packet_in *out, size_t max)
{
    return under->receive(((struct lossy *)self)->inner, out, max);
}

static void lossy_stats(void *self, struct a3m_transport_stats *out)
{
    under->stats(((struct lossy *)self)->inner, out);
}

/* ---- In place of the real one --------------------------------------------------------------- */

static a3m_transport_ops lossy_ops = {
    .size = sizeof(a3m_transport_ops),
    .open = lossy_open,
    .close = lossy_close,
    .local = lossy_local,
    .info = lossy_info,
    .fd = lossy_fd,
    .send = lossy_send,
    .receive = lossy_receive,
    .stats = lossy_stats,
};

/* Names of the linker's. */
const a3m_transport_ops *__real_a3mi_transport_find(const char *scheme); /* NOLINT */
const a3m_transport_ops *__wrap_a3mi_transport_find(const char *scheme); /* NOLINT */

const a3m_transport_ops *__wrap_a3mi_transport_find(const char *scheme) /* NOLINT */
{
    const a3m_transport_ops *real = __real_a3mi_transport_find(scheme);
    if (atomic_load(&lossy_per_mille) == 0 || real != under) {
        return real;
    }
    lossy_ops.scheme = under->scheme;
    lossy_ops.resolve = under->resolve;
    lossy_ops.format = under->format;
    return &lossy_ops;
}
