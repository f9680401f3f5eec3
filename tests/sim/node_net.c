/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated network and its transport (node_net.h). */
#include "node_net.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/checksum.h"
#include "base/error.h"

#define FIRST_ADDRESS 10u
#define LATER_ADDRESS 100u

struct flight {
    struct a3mi_timer_node timer;
    struct a3mi_list list; /* in an inbox, lent, or spare */
    uint32_t from, to;     /* addresses */
    size_t size;
    uint8_t bytes[SIM_PACKET_MAX];
};

struct sim_net *sim_net_current;

/* ---- Life ----------------------------------------------------------------------- */

void sim_net_heal(struct sim_net *net)
{
    for (int i = 0; i < SIM_NODES; i++) {
        for (int j = 0; j < SIM_NODES; j++) {
            net->paths[i][j] = (struct sim_path){.delay = 100 * SIM_US};
        }
        net->ends[i].nat = false;
    }
}

void sim_net_init(struct sim_net *net, uint64_t seed)
{
    memset(net, 0, sizeof(*net));
    a3mi_rng_init(&net->rng, seed);
    a3mi_heap_init(&net->flying);
    a3mi_list_init(&net->spare);
    net->mtu = 1400;
    net->receive_packets = 2048;
    net->next_address = LATER_ADDRESS;
    net->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert(net->fd >= 0);
    for (uint32_t i = 0; i < SIM_NODES; i++) {
        net->ends[i] = (struct sim_end){.net = net, .node = i, .address = sim_net_address(i)};
        a3mi_list_init(&net->ends[i].inbox);
        a3mi_list_init(&net->ends[i].lent);
    }
    sim_net_heal(net);
}

static void free_all(struct a3mi_list *list)
{
    struct a3mi_list *it;
    while ((it = a3mi_list_pop_front(list)) != NULL) {
        free(a3mi_container_of(it, struct flight, list));
    }
}

void sim_net_fini(struct sim_net *net)
{
    struct a3mi_timer_node *timer;
    while ((timer = a3mi_heap_min(&net->flying)) != NULL) {
        a3mi_heap_cancel(&net->flying, timer);
        free(a3mi_container_of(timer, struct flight, timer));
    }
    a3mi_heap_fini(&net->flying);
    for (int i = 0; i < SIM_NODES; i++) {
        free_all(&net->ends[i].inbox);
        free_all(&net->ends[i].lent);
    }
    free_all(&net->spare);
    (void)close(net->fd);
}

/* ---- Addresses --------------------------------------------------------------------- */

uint32_t sim_net_address(uint32_t node)
{
    return FIRST_ADDRESS + node;
}

static void set_address(struct sim_end *end, uint32_t address)
{
    end->address = address;
    memset(end->known, 0, sizeof(end->known));
}

void sim_net_move(struct sim_net *net, uint32_t node)
{
    set_address(&net->ends[node], net->next_address++);
}

void sim_net_return(struct sim_net *net, uint32_t node)
{
    if (net->ends[node].address != sim_net_address(node)) {
        set_address(&net->ends[node], sim_net_address(node));
    }
}

static struct sim_end *end_at(struct sim_net *net, uint32_t address)
{
    for (int i = 0; i < SIM_NODES; i++) {
        if (net->ends[i].open && net->ends[i].address == address) {
            return &net->ends[i];
        }
    }
    return NULL;
}

static bool knows(const struct sim_end *end, uint32_t address)
{
    for (size_t i = 0; i < sizeof(end->known) / sizeof(end->known[0]); i++) {
        if (end->known[i] == address) {
            return true;
        }
    }
    return false;
}

/* ---- The model ----------------------------------------------------------------------- */

static bool chance(struct sim_net *net, uint32_t in_1000)
{
    return in_1000 > 0 && a3mi_rng_below(&net->rng, 1000) < in_1000;
}

static int64_t up_to(struct sim_net *net, int64_t ns)
{
    return ns > 0 ? (int64_t)a3mi_rng_below(&net->rng, (uint64_t)ns) : 0;
}

static bool is_lost(struct sim_net *net, struct sim_path *path)
{
    bool dropped = (path->drops & 1) != 0;
    path->drops >>= 1;
    if (path->burst_enter > 0) {
        path->in_burst = path->in_burst ? !chance(net, path->burst_leave) : chance(net, path->burst_enter);
    } else {
        path->in_burst = false;
    }
    return dropped || path->cut || path->in_burst || chance(net, path->loss);
}

/* When the last byte has left the bottleneck; -1: its queue is full. */
static int64_t serialize(const struct sim_net *net, struct sim_path *path, size_t size)
{
    if (path->rate == 0) {
        return net->now;
    }
    int64_t begin = path->free_at > net->now ? path->free_at : net->now;
    uint64_t waiting = (uint64_t)(begin - net->now) * path->rate / (uint64_t)SIM_S;
    if (path->queue > 0 && waiting + size > path->queue) {
        return -1;
    }
    path->free_at = begin + (int64_t)((uint64_t)size * (uint64_t)SIM_S / path->rate);
    return path->free_at;
}

static void damage(struct sim_net *net, const struct sim_path *path, struct flight *flight)
{
    if (chance(net, path->corrupt)) {
        for (uint64_t n = 1 + a3mi_rng_below(&net->rng, 8); n > 0; n--) {
            uint64_t bit = a3mi_rng_below(&net->rng, flight->size * 8);
            flight->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
    }
    if (chance(net, path->truncate)) {
        flight->size = a3mi_rng_below(&net->rng, flight->size);
    }
}

static void fly(struct sim_net *net, const struct sim_path *path, const struct sim_end *from, uint32_t to,
                const struct a3m_packet_out *packet, int64_t at)
{
    struct a3mi_list *it = a3mi_list_pop_front(&net->spare);
    struct flight *flight = it != NULL ? a3mi_container_of(it, struct flight, list) : malloc(sizeof(*flight));
    assert(flight != NULL);
    flight->timer = (struct a3mi_timer_node){0};
    a3mi_list_init(&flight->list);
    flight->from = from->address;
    flight->to = to;
    flight->size = packet->size;
    memcpy(flight->bytes, packet->bytes, packet->size);
    damage(net, path, flight);
    int result = a3mi_heap_set(&net->flying, &flight->timer, at);
    assert(result == 0);
    (void)result;
}

static void post(struct sim_end *from, const struct a3m_packet_out *packet)
{
    struct sim_net *net = from->net;
    uint32_t to = a3mi_addr_sim_number(packet->to);
    struct sim_end *end = end_at(net, to);
    uint64_t head[] = {(uint64_t)net->now, from->node, to, packet->size};
    net->hash = a3mi_hash64(head, sizeof(head), net->hash);
    net->hash = a3mi_hash64(packet->bytes, packet->size, net->hash);
    net->sent++;
    if (from->nat && !knows(from, to)) {
        from->known[from->next_known++ % 8] = to;
    }
    struct sim_path *path = &net->paths[from->node][end != NULL ? end->node : from->node];
    int64_t out = -1;
    if (end == NULL || is_lost(net, path) || (out = serialize(net, path, packet->size)) < 0) {
        net->lost++;
        return;
    }
    int64_t at = out + path->delay + up_to(net, path->jitter);
    if (chance(net, path->reorder)) {
        at += up_to(net, path->reorder_by);
    } else {
        at = at > path->last_arrival ? at : path->last_arrival;
        path->last_arrival = at;
    }
    fly(net, path, from, to, packet, at);
    if (chance(net, path->repeat)) {
        fly(net, path, from, to, packet, at + up_to(net, path->repeat_within));
    }
}

int64_t sim_net_next(const struct sim_net *net)
{
    const struct a3mi_timer_node *first = a3mi_heap_min(&net->flying);
    return first != NULL ? first->at : INT64_MAX;
}

uint32_t sim_net_arrive(struct sim_net *net, int64_t now)
{
    uint32_t nodes = 0;
    struct a3mi_timer_node *first;
    while ((first = a3mi_heap_min(&net->flying)) != NULL && first->at <= now) {
        a3mi_heap_cancel(&net->flying, first);
        struct flight *flight = a3mi_container_of(first, struct flight, timer);
        struct sim_end *end = end_at(net, flight->to);
        if (end == NULL || end->waiting == net->receive_packets || (end->nat && !knows(end, flight->from))) {
            net->lost++;
            a3mi_list_push_back(&net->spare, &flight->list);
            continue;
        }
        a3mi_list_push_back(&end->inbox, &flight->list);
        end->waiting++;
        net->arrived++;
        nodes |= 1u << end->node;
    }
    return nodes;
}

/* ---- The transport -------------------------------------------------------------------- */

static int net_resolve(const char *text, struct a3m_addr *out)
{
    char *rest;
    unsigned long n = strtoul(text, &rest, 10);
    if (*rest != '\0' || n == 0 || n > UINT32_MAX) {
        return a3mi_fail(A3M_EINVAL, "\"%s\" is no number of a simulated address", text);
    }
    *out = a3mi_addr_sim((uint32_t)n);
    return A3M_OK;
}

static void net_format(const struct a3m_addr *addr, char *buf, size_t size)
{
    (void)snprintf(buf, size, "%u", a3mi_addr_sim_number(addr));
}

static int net_open(const struct a3m_addr *local, const struct a3m_transport_config *config, void **self)
{
    uint32_t node = a3mi_addr_sim_number(local) - FIRST_ADDRESS;
    (void)config;
    if (sim_net_current == NULL || node >= SIM_NODES || sim_net_current->ends[node].open) {
        return a3mi_fail(A3M_EADDRINUSE, "no such end of the simulated network, or it is open");
    }
    struct sim_end *end = &sim_net_current->ends[node];
    end->open = true;
    end->stats = (struct a3m_transport_stats){0};
    *self = end;
    return A3M_OK;
}

static void give_back(struct sim_end *end, struct a3mi_list *list)
{
    struct a3mi_list *it;
    while ((it = a3mi_list_pop_front(list)) != NULL) {
        a3mi_list_push_back(&end->net->spare, it);
    }
}

static void net_close(void *self)
{
    struct sim_end *end = self;
    end->open = false;
    give_back(end, &end->lent);
    give_back(end, &end->inbox);
    end->waiting = 0;
}

static void net_local(void *self, struct a3m_addr *out)
{
    const struct sim_end *end = self;
    *out = a3mi_addr_sim(sim_net_address(end->node));
}

static void net_info(void *self, struct a3m_transport_info *out)
{
    const struct sim_end *end = self;
    *out = (struct a3m_transport_info){.mtu = end->net->mtu,
                                       .rx_window = end->net->mtu * end->net->receive_packets};
}

static int net_fd(void *self)
{
    const struct sim_end *end = self;
    return end->net->fd;
}

static size_t net_send(void *self, const struct a3m_packet_out *packets, size_t n)
{
    struct sim_end *end = self;
    end->stats.tx_calls++;
    for (size_t i = 0; i < n; i++) {
        assert(packets[i].size <= end->net->mtu);
        end->stats.tx_packets++;
        end->stats.tx_bytes += packets[i].size;
        if (end->open) {
            post(end, &packets[i]);
        }
    }
    return n;
}

static size_t net_receive(void *self, struct a3m_packet_in *out, size_t max)
{
    struct sim_end *end = self;
    size_t n = 0;
    struct a3mi_list *it;
    give_back(end, &end->lent);
    while (n < max && (it = a3mi_list_pop_front(&end->inbox)) != NULL) {
        struct flight *flight = a3mi_container_of(it, struct flight, list);
        a3mi_list_push_back(&end->lent, it);
        out[n++] = (struct a3m_packet_in){
            .from = a3mi_addr_sim(flight->from), .bytes = flight->bytes, .size = flight->size};
        end->stats.rx_bytes += flight->size;
    }
    end->stats.rx_calls++;
    end->stats.rx_packets += n;
    end->waiting -= n;
    return n;
}

static void net_stats(void *self, struct a3m_transport_stats *out)
{
    const struct sim_end *end = self;
    *out = end->stats;
}

/* The simulation says when (sim_notice), so there is nothing to wait on. */
static int net_notice_fd(void *self)
{
    (void)self;
    return -1;
}

static bool net_moved(void *self)
{
    (void)self;
    return true;
}

const a3m_transport_ops sim_net_transport = {
    .notice_fd = net_notice_fd,
    .moved = net_moved,
    .size = sizeof(a3m_transport_ops),
    .scheme = "sim",
    .resolve = net_resolve,
    .format = net_format,
    .open = net_open,
    .close = net_close,
    .local = net_local,
    .info = net_info,
    .fd = net_fd,
    .send = net_send,
    .receive = net_receive,
    .stats = net_stats,
};
