/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked of a node, and told to it, while it is there. */
#include "node/node.h"

#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/error.h"

/* Holds the node of a handle, for a call that needs its engine. A3M_EDEADLK in a hook; A3M_EHANDLE. */
static int get_to_enter(a3m_node handle, void **obj)
{
    int result = a3mi_may_enter();
    return result == A3M_OK ? a3mi_registry_get(handle.v, A3MI_KIND_NODE, obj) : result;
}

int a3m_node_id(a3m_node handle, char *buf, size_t size)
{
    void *obj;
    int result = a3mi_registry_get(handle.v, A3MI_KIND_NODE, &obj);
    if (result != A3M_OK) {
        return result;
    }
    struct a3mi_node *node = obj;
    if (size <= node->id.len) {
        result = a3mi_fail(A3M_EINVAL, "a node id of %u bytes does not fit into %zu", node->id.len, size);
    } else {
        memcpy(buf, node->id.s, (size_t)node->id.len + 1);
    }
    a3mi_registry_put(handle.v);
    return result;
}

int a3m_node_address(a3m_node handle, char *buf, size_t size)
{
    void *obj;
    char text[A3M_LINK_ADDRESS_SIZE];
    int result = a3mi_registry_get(handle.v, A3MI_KIND_NODE, &obj);
    if (result != A3M_OK) {
        return result;
    }
    struct a3mi_node *node = obj;
    (void)a3mi_addr_format(&node->address, text, sizeof(text));
    if ((size_t)snprintf(buf, size, "%s", text) >= size) {
        result = a3mi_fail(A3M_EINVAL, "the address '%s' does not fit into %zu bytes", text, size);
    }
    a3mi_registry_put(handle.v);
    return result;
}

struct set_peer {
    struct a3mi_node *node;
    struct a3mi_name id;
    struct a3m_addr addr;
    int result;
};

/*
 * [engine] The peer stays known by being held for ever: by the node. Once more at each call, since one that
 * has an address may have it from traffic, and be held by nobody; only the last release would matter.
 */
static void set_peer(void *arg, struct a3mi_turn *turn)
{
    struct set_peer *job = arg;
    struct a3mi_node *node = job->node;
    node->turn = turn;
    struct a3mi_peer *peer = a3mi_assoc_peer(node->assoc, &job->id);
    if (peer == NULL) {
        job->result = A3M_ENOMEM;
    } else {
        a3mi_peer_set_addr(node->assoc, peer, &job->addr, turn->now);
        turn->more = true; /* the peer is asked there now, not when something else comes up */
    }
    node->turn = NULL;
}

int a3m_node_set_peer(a3m_node handle, const char *id, const char *address)
{
    void *obj;
    struct set_peer job = {0};
    struct a3mi_url url = {0};
    int result = get_to_enter(handle, &obj);
    if (result != A3M_OK) {
        return result;
    }
    job.node = obj;
    result = id != NULL ? a3mi_name_set(&job.id, id, strlen(id)) : a3mi_fail(A3M_EINVAL, "no node id");
    if (result == A3M_OK) {
        result = address != NULL ? a3mi_url_parse(address, &url) : a3mi_fail(A3M_EINVAL, "no address");
    }
    if (result == A3M_OK &&
        (url.is_node || url.has_tag || strcmp(url.scheme, job.node->transport->scheme) != 0)) {
        result = a3mi_fail(A3M_EINVAL, "'%s' is not an address of the form %s://...", address,
                           job.node->transport->scheme);
    }
    if (result == A3M_OK) {
        result = job.node->transport->resolve(url.address, &job.addr);
    }
    if (result == A3M_OK) {
        a3mi_reader_enter(job.node->reader, set_peer, &job);
        result = job.result;
    }
    a3mi_registry_put(handle.v);
    return result;
}

struct get_stats {
    struct a3mi_node *node;
    a3m_node_stats *out;
};

static void get_stats(void *arg, struct a3mi_turn *turn)
{
    (void)turn;
    struct get_stats *job = arg;
    struct a3mi_node *node = job->node;
    a3m_node_stats *out = job->out;
    struct a3mi_assoc_stats assoc;
    struct a3m_transport_stats transport = {0};
    a3mi_assoc_get_stats(node->assoc, &assoc);
    node->transport->stats(node->transport_self, &transport);
    out->tx_packets = transport.tx_packets;
    out->tx_bytes = transport.tx_bytes;
    out->rx_packets = transport.rx_packets;
    out->rx_bytes = transport.rx_bytes;
    out->tx_calls = transport.tx_calls;
    out->rx_calls = transport.rx_calls;
    out->rx_lost = transport.rx_dropped;
    out->tx_messages = assoc.tx_messages;
    out->rx_messages = assoc.rx_messages;
    out->retransmitted = assoc.retransmitted;
    out->duplicates = assoc.duplicates;
    out->bad_version = assoc.bad_version;
    out->bad_checksum = assoc.bad_checksum;
    out->bad_packet = assoc.bad_packet + transport.rx_truncated;
    out->bad_frame = assoc.bad_frame;
    out->bad_control = node->odd_controls;
    out->bad_credit = node->credit_violations;
    out->stray = assoc.stray;
    out->duplicate_id = assoc.duplicate_id;
    out->opens_deferred = assoc.opens_deferred;
    out->opens_refused = assoc.opens_refused;
    out->peers_evicted = assoc.evicted;
    out->peers_silent = node->peers_silent;
    out->peers_over_memory = assoc.given_up;
    out->requests_unanswered = node->requests_unanswered;
    out->orphaned = assoc.orphaned;
    out->held_bytes_now = assoc.held;
    out->assembled_bytes_now = assoc.assembled;
    out->unit_bytes_now = assoc.unit_bytes;
    out->records_now = assoc.senders + assoc.receivers;
    out->peers_now = assoc.peers;
}

int a3m_node_get_stats(a3m_node handle, a3m_node_stats *stats)
{
    void *obj;
    if (stats == NULL || stats->size != sizeof(*stats)) {
        return a3mi_fail(A3M_EINVAL, "a3m_node_stats.size is not set to sizeof(a3m_node_stats)");
    }
    int result = get_to_enter(handle, &obj);
    if (result != A3M_OK) {
        return result;
    }
    struct get_stats job = {.node = obj, .out = stats};
    struct a3mi_reader_stats reader;
    memset(stats, 0, sizeof(*stats));
    stats->size = sizeof(*stats);
    a3mi_reader_enter(job.node->reader, get_stats, &job);
    a3mi_reader_get_stats(job.node->reader, &reader);
    stats->links_now = atomic_load_explicit(&job.node->links_up, memory_order_relaxed);
    stats->outbox_bytes_now = atomic_load_explicit(&job.node->outbox_bytes, memory_order_relaxed);
    stats->bad_resolutions = atomic_load_explicit(&job.node->bad_resolutions, memory_order_relaxed);
    stats->scheduled_dropped = atomic_load_explicit(&job.node->scheduled_dropped, memory_order_relaxed);
    stats->turns = reader.turns;
    stats->reader_wakeups = reader.reader_wakeups;
    stats->reader_rx_wakeups = reader.reader_rx_wakeups;
    stats->reader_timer_wakeups = reader.reader_timer_wakeups;
    stats->reader_lease_wakeups = reader.reader_lease_wakeups;
    stats->leader_sleeps = reader.leader_sleeps;
    stats->waiter_sleeps = reader.waiter_sleeps;
    stats->wakes = reader.wakes;
    stats->role_transfers = reader.role_transfers;
    a3mi_registry_put(handle.v);
    return A3M_OK;
}
