/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What simulated nodes get in place of the system: time, random bytes, a
 * transport, and waiting that lets virtual time pass. The linker puts these
 * functions in place of the library's and of the C library's (--wrap, see
 * CMakeLists.txt), so that the library has no hooks for it. Without a simulation
 * (sim_current is NULL) they pass everything on.
 */
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/error.h"
#include "node_sim.h"
#include "transport/registry.h"

struct sim *sim_current;

/* The linker's names for both sides of a wrapped function. NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
ssize_t __real_getrandom(void *bytes, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags);
const a3m_transport_ops *__real_a3mi_transport_find(const char *scheme);
const a3m_transport_ops *__wrap_a3mi_transport_find(const char *scheme);
int __real_a3mi_assoc_new(struct a3mi_assoc **out, const struct a3mi_assoc_config *config,
                          const struct a3mi_assoc_hooks *hooks, void *arg);
int __wrap_a3mi_assoc_new(struct a3mi_assoc **out, const struct a3mi_assoc_config *config,
                          const struct a3mi_assoc_hooks *hooks, void *arg);
bool __real_a3mi_reader_started(const struct a3mi_reader *reader);
bool __wrap_a3mi_reader_started(const struct a3mi_reader *reader);
void __real_a3mi_reader_push(struct a3mi_reader *reader, struct a3mi_outbox_node *entry);
void __wrap_a3mi_reader_push(struct a3mi_reader *reader, struct a3mi_outbox_node *entry);
struct a3mi_outbox_node *__real_a3mi_reader_pop(struct a3mi_reader *reader);
struct a3mi_outbox_node *__wrap_a3mi_reader_pop(struct a3mi_reader *reader);
int __real_a3mi_reader_wait(struct a3mi_reader *reader, struct a3mi_parker *parker, int64_t deadline,
                            bool eintr);
int __wrap_a3mi_reader_wait(struct a3mi_reader *reader, struct a3mi_parker *parker, int64_t deadline,
                            bool eintr);
/* NOLINTEND(bugprone-reserved-identifier) */

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    if (sim_current == NULL || clock != CLOCK_MONOTONIC) {
        return __real_clock_gettime(clock, out);
    }
    *out = (struct timespec){.tv_sec = sim_current->now / SIM_S, .tv_nsec = sim_current->now % SIM_S};
    return 0;
}

ssize_t __wrap_getrandom(void *bytes, size_t size, unsigned flags)
{
    if (sim_current == NULL) {
        return __real_getrandom(bytes, size, flags);
    }
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t word = a3mi_rng_u64(&sim_current->draw);
        memcpy((uint8_t *)bytes + at, &word, size - at < sizeof(word) ? size - at : sizeof(word));
    }
    return (ssize_t)size;
}

const a3m_transport_ops *__wrap_a3mi_transport_find(const char *scheme)
{
    if (sim_current != NULL && strcmp(scheme, sim_net_transport.scheme) == 0) {
        return &sim_net_transport;
    }
    return __real_a3mi_transport_find(scheme);
}

/* A node derives its window from its receive buffer, and never makes it tiny; a simulated one may. */
int __wrap_a3mi_assoc_new(struct a3mi_assoc **out, const struct a3mi_assoc_config *config,
                          const struct a3mi_assoc_hooks *hooks, void *arg)
{
    struct a3mi_assoc_config own = *config;
    if (sim_current != NULL && sim_current->options.window > 0) {
        own.window = sim_current->options.window;
    }
    if (sim_current != NULL && sim_current->options.memory > 0) {
        own.memory = sim_current->options.memory;
        own.peer_memory = 0;
    }
    return __real_a3mi_assoc_new(out, &own, hooks, arg);
}

static struct sim_node *node_of(const struct a3mi_reader *reader)
{
    for (uint32_t i = 0; sim_current != NULL && i < sim_current->options.nodes; i++) {
        struct sim_node *node = &sim_current->nodes[i];
        if (node->inside != NULL && node->inside->reader == reader) {
            return node;
        }
    }
    return NULL;
}

/* So that a3m_node_close goes all its way. */
bool __wrap_a3mi_reader_started(const struct a3mi_reader *reader)
{
    return node_of(reader) != NULL || __real_a3mi_reader_started(reader);
}

void __wrap_a3mi_reader_push(struct a3mi_reader *reader, struct a3mi_outbox_node *entry)
{
    struct sim_node *node = node_of(reader);
    __real_a3mi_reader_push(reader, entry);
    if (node != NULL) {
        node->dirty = true;
    }
}

/* Behind a thread that was stopped in the middle of its push nothing can be reached: the turn goes on without. */
struct a3mi_outbox_node *__wrap_a3mi_reader_pop(struct a3mi_reader *reader)
{
    const struct sim_node *node = node_of(reader);
    bool stalled = node != NULL && node->turning && node->sim->now < node->stalled_until;
    return stalled ? NULL : __real_a3mi_reader_pop(reader);
}

int __wrap_a3mi_reader_wait(struct a3mi_reader *reader, struct a3mi_parker *parker, int64_t deadline,
                            bool eintr)
{
    struct sim_node *node = node_of(reader);
    if (node == NULL) {
        return __real_a3mi_reader_wait(reader, parker, deadline, eintr);
    }
    struct sim *sim = node->sim;
    node->dirty |= deadline > 0;
    while (!a3mi_parker_take(parker)) {
        if (sim->now >= deadline || sim->failed) {
            return a3mi_fail_plain(A3M_ETIMEDOUT);
        }
        sim_step(sim, deadline);
    }
    return A3M_OK;
}
