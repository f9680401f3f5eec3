/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for what waits (core/memory.h). */
#include "core/memory.h"

#include "core/receiver.h"

void a3mi_memory_init(struct a3mi_assoc *assoc)
{
    struct a3mi_assoc_config *config = &assoc->config;

    config->memory = config->memory > 0 ? config->memory : A3MI_MEMORY_DEFAULT;
    config->peer_memory = config->peer_memory > 0 ? config->peer_memory : config->memory / 4;
    a3mi_list_init(&assoc->starved);
}

bool a3mi_memory_fits(const struct a3mi_assoc *assoc, const struct a3mi_peer *peer, uint64_t bytes)
{
    return assoc->stats.held + bytes <= assoc->config.memory &&
           peer->held + bytes <= assoc->config.peer_memory;
}

void a3mi_memory_hold(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t before, uint64_t after)
{
    assoc->stats.held += after - before;
    peer->held += after - before;
}

void a3mi_memory_assemble(struct a3mi_assoc *assoc, struct a3mi_peer *peer, uint64_t before, uint64_t after)
{
    assoc->stats.assembled += after - before;
    peer->assembled += after - before;
}

/* ---- Limits --------------------------------------------------------------------- */

/* Three quarters are taken: what is granted already may still arrive. */
static bool is_pressed(uint64_t used, uint64_t limit)
{
    return used >= limit - limit / 4;
}

static void raise_limit(struct a3mi_receiver *receiver, uint32_t units)
{
    uint64_t limit = receiver->have.next + units;

    receiver->limit = limit > receiver->limit ? limit : receiver->limit;
}

void a3mi_memory_grant(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver)
{
    if (!is_pressed(assoc->stats.held, assoc->config.memory) &&
        !is_pressed(receiver->peer->held, assoc->config.peer_memory)) {
        raise_limit(receiver, assoc->config.window);
        a3mi_list_remove(&receiver->starved);
        return;
    }
    if (receiver->limit > receiver->have.next || a3mi_list_linked(&receiver->starved)) {
        return;
    }
    a3mi_list_push_back(&assoc->starved, &receiver->starved);
    receiver->starved_at = assoc->now;
    a3mi_alarm_by(assoc, &receiver->alarm, a3mi_memory_due(receiver));
}

int64_t a3mi_memory_due(const struct a3mi_receiver *receiver)
{
    return a3mi_list_linked(&receiver->starved) ? receiver->starved_at + A3MI_STARVED_INTERVAL : INT64_MAX;
}

void a3mi_memory_trickle(struct a3mi_assoc *assoc, struct a3mi_receiver *receiver)
{
    uint32_t window = assoc->config.window;

    raise_limit(receiver, A3MI_UNPROVEN_LIMIT < window ? A3MI_UNPROVEN_LIMIT : window);
    a3mi_list_remove(&receiver->starved);
    a3mi_receiver_ack_now(assoc, receiver);
}

bool a3mi_memory_eased(const struct a3mi_assoc *assoc)
{
    return !a3mi_list_empty(&assoc->starved) && !is_pressed(assoc->stats.held, assoc->config.memory);
}

void a3mi_memory_relieve(struct a3mi_assoc *assoc)
{
    struct a3mi_list *it;

    /* Who is pressed by itself has nothing missing, and so nothing that waits: it is let go with the others. */
    while (a3mi_memory_eased(assoc) && (it = a3mi_list_pop_front(&assoc->starved)) != NULL) {
        struct a3mi_receiver *receiver = a3mi_container_of(it, struct a3mi_receiver, starved);

        raise_limit(receiver, assoc->config.window);
        a3mi_receiver_ack_now(assoc, receiver);
    }
}

/* ---- Policy ----------------------------------------------------------------------- */

static struct a3mi_peer *largest(struct a3mi_assoc *assoc)
{
    struct a3mi_peer *most = NULL;

    A3MI_LIST_FOREACH (it, &assoc->peers) {
        struct a3mi_peer *peer = a3mi_container_of(it, struct a3mi_peer, all);

        if (most == NULL || peer->held + peer->assembled > most->held + most->assembled) {
            most = peer;
        }
    }
    return most;
}

/* The incarnation that it comes from: of the newest record, or of the links, when all records are closed; 0: none. */
static uint64_t holder(const struct a3mi_peer *peer)
{
    if (a3mi_list_empty(&peer->receivers)) {
        return a3mi_life_current(peer);
    }
    return a3mi_container_of(peer->receivers.prev, struct a3mi_receiver, on_peer)->incarnation;
}

void a3mi_memory_enforce(struct a3mi_assoc *assoc)
{
    uint64_t most = assoc->config.memory_ceiling;

    if (most == 0 || assoc->stats.held + assoc->stats.assembled <= most) {
        return;
    }
    struct a3mi_peer *peer = largest(assoc);
    uint64_t incarnation = peer != NULL ? holder(peer) : 0;

    if (incarnation != 0) {
        assoc->stats.given_up++;
        a3mi_life_end(assoc, peer, incarnation, A3MI_PEER_TOO_MUCH);
    }
}
