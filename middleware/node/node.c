/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: how they are made. What can be asked of them is in node_info.c, their end in close.c. */
#include "node/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/error.h"
#include "core/congestion.h"
#include "transport/registry.h"

#define DEFAULT_OUTBOX (UINT64_C(64) << 20)
/* Links that a peer may ask for. */
#define DEFAULT_PEER_LINKS 1024u
/* What the grant to a sender counts in, bytes, and how many of them it gets: from 350 KB to 2.8 MB. */
#define WINDOW_UNIT  1400
#define WINDOW_LEAST 256
#define WINDOW_MOST  2048
/* What an application may ask for: as many as a sender's ring holds (core/ring.h). */
#define WINDOW_LIMIT 262144u

const char *a3m_version(void)
{
#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
    return TEXT(A3M_VERSION_MAJOR) "." TEXT(A3M_VERSION_MINOR) "." TEXT(A3M_VERSION_PATCH);
}

/* ---- Fork ---------------------------------------------------------------------------- */

/* All nodes of the process, so that a child can let go of what it inherits from them. */
static struct a3mi_list all = {&all, &all}; /* [all_lock] */
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t all_once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
    pthread_mutex_lock(&all_lock);
}

static void in_parent(void)
{
    pthread_mutex_unlock(&all_lock);
}

/* What the transport tells of changed addresses by; -1: it does not. */
static int notice_fd(const struct a3mi_node *node)
{
    const a3m_transport_ops *ops = node->transport;
    bool has = ops->size > offsetof(a3m_transport_ops, moved) && ops->notice_fd != NULL && ops->moved != NULL;
    return has ? ops->notice_fd(node->transport_self) : -1;
}

/*
 * Descriptors are closed, so that a port is free when the parent has gone, and nothing that arrives there
 * lies in a queue that nobody reads. Memory is left alone: locks in it may be held by threads that are not here.
 */
static void in_child(void)
{
    struct a3mi_list *it;
    while ((it = a3mi_list_pop_front(&all)) != NULL) {
        struct a3mi_node *node = a3mi_container_of(it, struct a3mi_node, on_process);
        a3mi_reader_abandon(node->reader);
        (void)close(node->transport->fd(node->transport_self));
        if (notice_fd(node) >= 0) {
            (void)close(notice_fd(node));
        }
    }
    pthread_mutex_unlock(&all_lock);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, in_parent, in_child);
}

static void enlist(struct a3mi_node *node)
{
    pthread_once(&all_once, watch_forks);
    pthread_mutex_lock(&all_lock);
    a3mi_list_push_back(&all, &node->on_process);
    pthread_mutex_unlock(&all_lock);
}

static void delist(struct a3mi_node *node)
{
    pthread_mutex_lock(&all_lock);
    a3mi_list_remove(&node->on_process);
    pthread_mutex_unlock(&all_lock);
}

/* ---- Making -------------------------------------------------------------------------- */

static int read_config(struct a3mi_node *node, const a3m_node_config *config)
{
    a3m_node_config *own = &node->config;
    if (config != NULL) {
        if (config->size < sizeof(size_t)) {
            return a3mi_fail(A3M_EINVAL, "a3m_node_config.size is not set to sizeof(a3m_node_config)");
        }
        const uint8_t *tail = (const uint8_t *)config;
        for (size_t i = sizeof(*own); i < config->size; i++) {
            if (tail[i] != 0) {
                return a3mi_fail(A3M_EINVAL, "a3m_node_config has a member that this version does not know");
            }
        }
        memcpy(own, config, config->size < sizeof(*own) ? config->size : sizeof(*own));
    }
    if (own->lease.ns < 0 || own->spin.ns < 0 || own->peer_timeout.ns < 0 || own->linger.ns < 0) {
        return a3mi_fail(A3M_EINVAL, "a3m_node_config: a length of time is negative");
    }
    if (own->reader_priority < 0 || own->reader_priority > 99 || own->reader_cpu < 0) {
        return a3mi_fail(A3M_EINVAL,
                         "a3m_node_config: reader_priority is 0 to 99, reader_cpu is not negative");
    }
    if (a3mi_cc_find(own->congestion) == NULL) {
        return a3mi_fail(A3M_EINVAL,
                         "a3m_node_config: congestion is \"cubic\", \"newreno\" or \"bbr\", not \"%s\"",
                         own->congestion);
    }
    if (own->window > WINDOW_LIMIT) {
        return a3mi_fail(A3M_EINVAL, "a3m_node_config: window is %u units at most", WINDOW_LIMIT);
    }
    own->outbox_bytes = own->outbox_bytes > 0 ? own->outbox_bytes : DEFAULT_OUTBOX;
    own->max_peer_links = own->max_peer_links > 0 ? own->max_peer_links : DEFAULT_PEER_LINKS;
    own->lease.ns = own->lease.ns > 0 ? own->lease.ns : 1000000;
    own->spin.ns = own->no_spin ? 0 : own->spin.ns > 0 ? own->spin.ns : 50000;
    return A3M_OK;
}

static int open_transport(struct a3mi_node *node, const char *address)
{
    struct a3mi_url url;
    struct a3m_addr local;
    int result = a3mi_url_parse(address, &url);
    if (result != A3M_OK) {
        return result;
    }
    if (url.is_node) {
        return a3mi_fail(A3M_EINVAL, "'%s' is not an address: write udp://0.0.0.0:7101, or inproc://name",
                         address);
    }
    if (url.has_tag) {
        return a3mi_fail(A3M_EINVAL, "'%s': an address to bind has no '/' and no tag", address);
    }
    node->transport = a3mi_transport_find(url.scheme);
    if (node->transport == NULL) {
        return a3mi_fail(A3M_EINVAL, "'%s': there is no transport '%s'; there are udp and inproc", address,
                         url.scheme);
    }
    result = node->transport->resolve(url.address, &local);
    if (result != A3M_OK) {
        return result;
    }
    struct a3m_transport_config config = {.size = sizeof(config),
                                          .receive_buffer = node->config.receive_buffer,
                                          .send_buffer = node->config.send_buffer};
    result = node->transport->open(&local, &config, &node->transport_self);
    if (result == A3M_OK) {
        node->transport->local(node->transport_self, &node->address);
    }
    return result;
}

/* Any free UDP port on all addresses, of both families where the machine has IPv6. */
static int open_default(struct a3mi_node *node)
{
    int result = open_transport(node, "udp://[::]:0");
    return result == A3M_OK ? result : open_transport(node, "udp://0.0.0.0:0");
}

static int draw(void *bytes, size_t size)
{
    if (getrandom(bytes, size, 0) != (ssize_t)size) {
        return a3mi_fail(A3M_EOS, "getrandom failed");
    }
    return A3M_OK;
}

static int make_assoc(struct a3mi_node *node)
{
    struct a3m_transport_info info = {0};
    struct a3mi_assoc_config config = {
        .id = node->id,
        .linger = node->config.linger.ns,
        .peer_timeout = node->config.peer_timeout.ns,
        .memory = node->config.receive_memory,
        .peer_memory = node->config.peer_memory,
        .memory_ceiling = node->config.memory_ceiling,
        .peers_max = node->config.max_peers,
        .congestion = node->config.congestion,
    };

    node->config.congestion = NULL; /* the caller's string is not kept */
    node->transport->info(node->transport_self, &info);
    config.mtu = info.mtu;
    /*
     * What fits into the receive buffer is not lost when this process is late; less than
     * WINDOW_LEAST would hold back a path with a long round trip, and then losing is the lesser evil.
     */
    size_t fits = info.rx_window / WINDOW_UNIT;
    config.window = (uint32_t)(fits < WINDOW_LEAST ? WINDOW_LEAST : fits > WINDOW_MOST ? WINDOW_MOST : fits);
    config.window = node->config.window > 0 ? node->config.window : config.window;
    int result = draw(config.key, sizeof(config.key));
    while (result == A3M_OK && config.incarnation == 0) {
        result = draw(&config.incarnation, sizeof(config.incarnation));
    }
    if (result == A3M_OK) {
        result = draw(&config.seed, sizeof(config.seed));
    }
    if (result != A3M_OK) {
        return result;
    }
    node->incarnation = config.incarnation;
    a3mi_rng_init(&node->rng, config.seed ^ 1);
    a3mi_mapb_init(&node->names, a3mi_rng_u64(&node->rng));
    return a3mi_assoc_new(&node->assoc, &config, &a3mi_engine_hooks, node);
}

static int make_reader(struct a3mi_node *node)
{
    struct a3mi_reader_config config = {
        .transport_fd = node->transport->fd(node->transport_self),
        .has_notice = notice_fd(node) >= 0,
        .notice_fd = notice_fd(node),
        .lease_ns = node->config.lease.ns,
        .spin_ns = node->config.spin.ns,
        .bundle = !node->config.no_bundling,
        .lend = !node->config.no_lending,
        .cpu = node->config.reader_cpu - 1,
        .priority = node->config.reader_priority,
    };
    if (node->config.reader_name != NULL) {
        snprintf(config.name, sizeof(config.name), "%s", node->config.reader_name);
    } else {
        snprintf(config.name, sizeof(config.name), "a3m:%.11s", node->id.s);
    }
    node->config.reader_name = NULL; /* the caller's string is not kept */
    return a3mi_reader_new(&node->reader, &config, &a3mi_engine_ops, node);
}

static bool init_locks(struct a3mi_node *node)
{
    pthread_mutex_t *locks[] = {&node->names_lock, &node->idle_lock, &node->window_lock, &node->tidings.lock};
    for (size_t i = 0; i < sizeof(locks) / sizeof(locks[0]); i++) {
        if (pthread_mutex_init(locks[i], NULL) != 0) {
            while (i-- > 0) {
                pthread_mutex_destroy(locks[i]);
            }
            return false;
        }
    }
    return true;
}

static void ring(struct a3mi_parker *bell)
{
    a3mi_reader_signal(a3mi_container_of(bell, struct a3mi_node, bell)->reader);
}

static struct a3mi_node *alloc_node(void)
{
    struct a3mi_node *node = calloc(1, sizeof(*node));
    if (node == NULL || !init_locks(node)) {
        free(node);
        return NULL;
    }
    a3mi_list_init(&node->guests);
    a3mi_list_init(&node->schedules);
    a3mi_list_init(&node->window_line);
    atomic_init(&node->refs, 1);
    a3mi_parker_init(&node->bell);
    node->bell.rung = ring;
    a3mi_map64_init(&node->links);
    a3mi_buckets_init(&node->pairs);
    a3mi_list_init(&node->on_process);
    a3mi_list_init(&node->batch);
    a3mi_list_init(&node->finishing);
    a3mi_list_init(&node->taken);
    a3mi_list_init(&node->unheard);
    a3mi_list_init(&node->sockets);
    return node;
}

void a3mi_node_unref(struct a3mi_node *node)
{
    if (atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    delist(node);
    a3mi_parker_fini(&node->bell);
    if (node->reader != NULL) {
        a3mi_reader_free(node->reader);
    }
    if (node->assoc != NULL) {
        a3mi_assoc_free(node->assoc);
    }
    if (node->transport_self != NULL) {
        node->transport->close(node->transport_self);
    }
    a3mi_map64_fini(&node->links);
    a3mi_buckets_fini(&node->pairs);
    a3mi_agenda_clear(&node->events);
    a3mi_mapb_fini(&node->names);
    pthread_mutex_destroy(&node->window_lock);
    pthread_mutex_destroy(&node->tidings.lock);
    pthread_mutex_destroy(&node->idle_lock);
    pthread_mutex_destroy(&node->names_lock);
    free(node);
}

static int make_node(struct a3mi_node *node, const char *id, const char *address,
                     const a3m_node_config *config)
{
    if (id == NULL) {
        return a3mi_fail(A3M_EINVAL, "a node needs an id: 1 to %d bytes of UTF-8", A3M_NAME_MAX);
    }
    int result = a3mi_name_set(&node->id, id, strlen(id));
    if (result == A3M_OK) {
        result = read_config(node, config);
    }
    if (result == A3M_OK) {
        result = address != NULL ? open_transport(node, address) : open_default(node);
    }
    if (result == A3M_OK) {
        result = make_assoc(node);
    }
    if (result == A3M_OK) {
        result = make_reader(node);
    }
    return result;
}

int a3m_node_new(a3m_node *out, const char *id, const char *address, const a3m_node_config *config)
{
    struct a3mi_node *node = alloc_node();
    if (node == NULL) {
        return a3mi_fail(A3M_ENOMEM, "no memory for a node");
    }
    int result = make_node(node, id, address, config);
    if (result == A3M_OK) {
        node->handle = a3mi_registry_add(node, A3MI_KIND_NODE);
        result = node->handle != 0 ? A3M_OK : a3mi_fail(A3M_ENOMEM, "no memory for a node");
    }
    if (result != A3M_OK) {
        a3mi_node_unref(node);
        return result;
    }
    enlist(node);
    a3mi_node_handle_made(node);
    out->v = node->handle;
    return A3M_OK;
}

int a3m_node_start(a3m_node handle)
{
    void *obj;
    int result = a3mi_registry_get(handle.v, A3MI_KIND_NODE, &obj);
    if (result != A3M_OK) {
        return result;
    }
    struct a3mi_node *node = obj;
    result = a3mi_reader_start(node->reader);
    a3mi_registry_put(handle.v);
    return result;
}
