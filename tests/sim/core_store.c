/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots of the simulated nodes (core_store.h). */
#include "core_store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core_book.h"
#include "core_links.h"

/* What a node knows of its links, and what the book says of it. */
struct snapshot {
    bool there;
    uint8_t *bytes; /* of the association */
    size_t size, capacity;
    struct world_link links[WORLD_NODES][WORLD_SLOTS];
    uint64_t incarnation, controls_sent;
    struct book_channel *channels; /* copies, of all that there were */
    uint32_t channels_count;
    struct book_control *controls; /* that it had accepted */
    size_t controls_count;
};

struct store {
    struct snapshot safe, pending;
    int64_t save_at, safe_at; /* INT64_MAX: none is pending */
    struct a3mi_rng rng;
};

struct store *store_new(struct world *w)
{
    struct store *store = calloc(1, sizeof(*store));

    assert(store != NULL);
    store->safe_at = INT64_MAX;
    a3mi_rng_init(&store->rng, a3mi_rng_u64(&w->rng));
    return store;
}

static void clear(struct snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->channels_count; i++) {
        free(snapshot->channels[i].messages);
    }
    free(snapshot->channels);
    free(snapshot->controls);
    free(snapshot->bytes);
    *snapshot = (struct snapshot){0};
}

void store_free(struct store *store)
{
    if (store != NULL) {
        clear(&store->safe);
        clear(&store->pending);
        free(store);
    }
}

/* ---- Saving ---------------------------------------------------------------------- */

static void put(void *arg, const void *bytes, size_t size)
{
    struct snapshot *snapshot = arg;

    if (snapshot->size + size > snapshot->capacity) {
        snapshot->capacity = 2 * (snapshot->size + size);
        snapshot->bytes = realloc(snapshot->bytes, snapshot->capacity);
        assert(snapshot->bytes != NULL);
    }
    memcpy(snapshot->bytes + snapshot->size, bytes, size);
    snapshot->size += size;
}

static void copy_book(const struct world_node *node, struct snapshot *snapshot)
{
    const struct book *book = node->world->book;
    size_t it = 0;
    void *value;

    snapshot->channels = calloc(book->count + 1, sizeof(*snapshot->channels));
    snapshot->controls = calloc(a3mi_map64_count(&book->controls) + 1, sizeof(*snapshot->controls));
    assert(snapshot->channels != NULL && snapshot->controls != NULL);
    snapshot->channels_count = book->count;
    for (uint32_t i = 0; i < book->count; i++) {
        snapshot->channels[i] = *book->channels[i];
        snapshot->channels[i].messages = NULL;
    }
    while (a3mi_map64_next(&book->controls, &it, NULL, &value)) {
        const struct book_control *control = value;

        if (control->recipient == node->incarnation) {
            snapshot->controls[snapshot->controls_count++] = *control;
        }
    }
}

static void save(struct world_node *node)
{
    struct snapshot *snapshot = &node->store->pending;
    struct a3mi_sink sink = {.put = put, .arg = snapshot};

    clear(snapshot);
    a3mi_assoc_save(node->assoc, &sink, node->world->now);
    memcpy(snapshot->links, node->links, sizeof(node->links));
    snapshot->incarnation = node->incarnation;
    snapshot->controls_sent = node->controls_sent;
    copy_book(node, snapshot);
    snapshot->there = true;
}

int64_t store_deadline(const struct world_node *node)
{
    const struct store *store = node->store;

    if (store == NULL) {
        return INT64_MAX;
    }
    if (store->safe_at != INT64_MAX) {
        return store->safe_at;
    }
    /* An idle node has nothing that waits for being stored. */
    return a3mi_assoc_busy(node->assoc) ? store->save_at : INT64_MAX;
}

bool store_tick(struct world_node *node)
{
    struct store *store = node->store;
    int64_t now = node->world->now;

    if (store == NULL || store_deadline(node) > now) {
        return false;
    }
    if (store->safe_at == INT64_MAX) {
        save(node);
        store->safe_at = now + (int64_t)a3mi_rng_below(&store->rng, 5) * WORLD_MS;
        return false;
    }
    clear(&store->safe);
    store->safe = store->pending;
    store->pending = (struct snapshot){0};
    store->safe_at = INT64_MAX;
    store->save_at = now + (int64_t)a3mi_rng_below(&store->rng, 10) * WORLD_MS;
    a3mi_assoc_saved(node->assoc);
    return true;
}

void store_forget(struct world_node *node)
{
    if (node->store != NULL) {
        clear(&node->store->safe);
        clear(&node->store->pending);
        node->store->safe_at = INT64_MAX;
        node->store->save_at = node->world->now;
    }
}

bool store_has(const struct world_node *node)
{
    return node->store != NULL && node->store->safe.there;
}

const uint8_t *store_bytes(const struct world_node *node, size_t *size)
{
    *size = node->store->safe.size;
    return node->store->safe.bytes;
}

/* ---- Restoring ---------------------------------------------------------------------- */

static bool is_peer(const struct world_link *link, const struct a3mi_peer *peer)
{
    const struct a3mi_name *id = a3mi_peer_id(peer);

    return id == NULL || a3mi_name_eq(id, &link->node->world->nodes[link->to].id);
}

static void hold(struct world_link *link, struct a3mi_peer *peer)
{
    if (link->peer == NULL) {
        a3mi_peer_hold(peer);
        link->peer = peer;
    }
}

static struct a3mi_tx *restore_tx(void *arg, struct a3mi_peer *peer, uint64_t incarnation, uint32_t index)
{
    struct world_node *node = arg;

    for (uint32_t i = 0; i < WORLD_NODES * WORLD_SLOTS; i++) {
        struct world_link *link = &node->links[i / WORLD_SLOTS][i % WORLD_SLOTS];

        if (link->state == WORLD_UP && link->tx.index == index && link->tx.incarnation == incarnation &&
            is_peer(link, peer)) {
            hold(link, peer);
            return &link->tx;
        }
    }
    return NULL;
}

static struct a3mi_rx *restore_rx(void *arg, struct a3mi_peer *peer, uint32_t index)
{
    struct world_node *node = arg;

    for (uint32_t i = 0; i < WORLD_NODES * WORLD_SLOTS; i++) {
        struct world_link *link = &node->links[i / WORLD_SLOTS][i % WORLD_SLOTS];

        if (link->state != WORLD_DOWN && link->rx.index == index) {
            hold(link, peer);
            return &link->rx;
        }
    }
    return NULL;
}

/* The sending side of a channel as it was; all zeros: it did not send on it. */
static void roll_back_tx(struct book_channel *ch, const struct book_channel *was)
{
    ch->tx_incarnation = was->tx_incarnation;
    ch->sent = was->sent;
    ch->acknowledged = was->acknowledged;
    ch->unsent = was->unsent;
    ch->unknown = was->unknown;
    ch->tx_open = was->tx_open;
    ch->was_open = was->was_open;
    ch->credit_told = was->credit_told;
}

static void roll_back_rx(struct book_channel *ch, const struct book_channel *was)
{
    book_roll_back(ch, was->accepted);
    ch->rx_open = was->rx_open;
    ch->rx_left = was->rx_left;
    ch->waiting = was->waiting;
    ch->credit_heard = was->credit_heard;
}

static void roll_back_book(const struct world_node *node, const struct snapshot *snapshot)
{
    static const struct book_channel nothing;
    struct book *book = node->world->book;
    size_t it = 0;
    void *value;

    for (uint32_t i = 0; i < book->count; i++) {
        struct book_channel *ch = book->channels[i];
        const struct book_channel *was = i < snapshot->channels_count ? &snapshot->channels[i] : &nothing;

        if (ch->tx_incarnation == snapshot->incarnation) {
            roll_back_tx(ch, was->tx_incarnation == snapshot->incarnation ? was : &nothing);
        }
        if (ch->rx_incarnation == snapshot->incarnation && ch->rx_node == node->index) {
            roll_back_rx(ch, was);
        }
    }
    while (a3mi_map64_next(&book->controls, &it, NULL, &value)) {
        struct book_control *control = value;

        control->serial = control->recipient == snapshot->incarnation ? 0 : control->serial;
        for (size_t i = 0; i < snapshot->controls_count; i++) {
            const struct book_control *was = &snapshot->controls[i];

            if (control->recipient == was->recipient && control->author == was->author) {
                control->serial = was->serial;
            }
        }
    }
}

void store_restore(struct world_node *node)
{
    static const struct a3mi_restore hooks = {.tx = restore_tx, .rx = restore_rx};
    struct store *store = node->store;
    struct world *w = node->world;
    bool later = store->pending.there && a3mi_rng_below(&store->rng, 2) == 0;
    const struct snapshot *snapshot = later ? &store->pending : &store->safe;
    struct a3mi_assoc_config config = {
        .id = node->id,
        .seed = a3mi_rng_u64(&store->rng),
        .mtu = w->options.mtu != 0 ? w->options.mtu : 1400,
        .window = w->options.window,
        .linger = w->options.linger,
        .peer_timeout = w->options.peer_timeout,
        .memory = w->options.memory,
        .peer_memory = w->options.peer_memory,
        .gated = true,
    };

    memcpy(node->links, snapshot->links, sizeof(node->links));
    for (uint32_t i = 0; i < WORLD_NODES * WORLD_SLOTS; i++) {
        node->links[i / WORLD_SLOTS][i % WORLD_SLOTS].peer = NULL;
    }
    node->controls_sent = snapshot->controls_sent;
    roll_back_book(node, snapshot);
    if (a3mi_assoc_restore(&node->assoc, &config, &links_hooks, node, &hooks, snapshot->bytes, snapshot->size,
                           w->now) != 0) {
        world_fail(w, "a snapshot is refused");
    }
    node->alive = true;
    /* What is safe stays as it is; what was pending has become safe, or is lost. */
    if (later) {
        clear(&store->safe);
        store->safe = store->pending;
        store->pending = (struct snapshot){0};
    } else {
        clear(&store->pending);
    }
    store->safe_at = INT64_MAX;
    store->save_at = w->now;
}
