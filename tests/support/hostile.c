/* SPDX-License-Identifier: Apache-2.0 */
/* Good nodes and strangers (hostile.h). */
#include "hostile.h"

#include <assert.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WITH_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WITH_SANITIZER 1
#endif
#endif
#ifdef WITH_SANITIZER
/* Of <sanitizer/allocator_interface.h>, which gcc 12 comes without. */
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

#define BATCH       64u
#define DELAY       HOSTILE_MS
#define ROUNDS_MAX  10000u
#define EVENTS_MAX  2000000u
#define SETTLE_TIME (120 * HOSTILE_S)

_Noreturn void hostile_fail(const struct hostile *h, const char *what)
{
    fprintf(stderr, "\nat %lld ns: %s\n", (long long)h->now, what);
    for (unsigned i = 0; i < 2; i++) {
        const struct hostile_node *node = &h->nodes[i];
        struct a3mi_assoc_stats s = hostile_stats(h, i);

        fprintf(stderr,
                "node %u: sent %llu accepted %llu acknowledged %llu; S %llu R %llu stray %llu bad %llu %llu "
                "%llu %llu\n",
                i, (unsigned long long)node->sent, (unsigned long long)node->accepted,
                (unsigned long long)node->acknowledged, (unsigned long long)s.senders,
                (unsigned long long)s.receivers, (unsigned long long)s.stray,
                (unsigned long long)s.bad_packet, (unsigned long long)s.bad_frame,
                (unsigned long long)s.bad_checksum, (unsigned long long)s.bad_version);
    }
    abort();
}

size_t hostile_memory(void)
{
#ifdef WITH_SANITIZER
    return __sanitizer_get_current_allocated_bytes();
#else
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
#endif
}

static struct hostile_node *other(const struct hostile_node *node)
{
    struct hostile *h = node->hostile;

    return node == &h->nodes[0] ? &h->nodes[1] : &h->nodes[0];
}

/* ---- Messages of the good nodes ------------------------------------------------------ */

static uint64_t key_of(uint64_t incarnation, uint64_t number)
{
    uint64_t state = incarnation ^ number;

    return a3mi_splitmix64(&state);
}

/* Most are small, one in eight is in several packets. */
static size_t size_of(uint64_t key)
{
    return key % 8 == 0 ? key / 8 % 9000 : key / 8 % 200;
}

static uint8_t byte_of(uint64_t key, size_t i)
{
    return (uint8_t)(key >> (i % 8 * 8)) ^ (uint8_t)(i >> 3);
}

static bool is_next(const struct hostile_node *author, uint64_t number, const uint8_t *bytes, size_t size)
{
    uint64_t key = key_of(author->incarnation, number);

    if (number >= author->sent || size != size_of(key)) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != byte_of(key, i)) {
            return false;
        }
    }
    return true;
}

/* ---- Hooks --------------------------------------------------------------------------- */

static void on_message(void *arg, struct a3mi_rx *rx, a3m_msg *msg)
{
    struct hostile_node *node = arg;

    if (rx == &node->rx) {
        if (!is_next(other(node), node->accepted, msg->data, msg->size)) {
            hostile_fail(node->hostile, "a good message was lost, repeated, damaged, or is a stranger's");
        }
        node->accepted++;
    } else {
        node->guest_messages++;
        if (msg->size > node->largest_guest_message) {
            node->largest_guest_message = msg->size;
        }
    }
    a3m_msg_free(msg);
}

static void on_control(void *arg, struct a3mi_peer *peer, uint64_t incarnation, const uint8_t *bytes,
                       size_t size)
{
    struct hostile_node *node = arg;

    if (peer == node->peer && incarnation == other(node)->incarnation) {
        uint64_t number = 0;

        if (size != sizeof(number)) {
            hostile_fail(node->hostile, "a control message is not a good one");
        }
        memcpy(&number, bytes, sizeof(number));
        if (number != node->controls_accepted++) {
            hostile_fail(node->hostile, "a good control message was lost, repeated or out of order");
        }
        return;
    }
    node->guest_controls++;
    if (node->replies_left > 0) {
        node->replies_left--;
        (void)a3mi_assoc_control(node->assoc, peer, incarnation, "reply", 5, node->hostile->now);
    }
}

static void on_credit(void *arg, struct a3mi_rx *rx, uint32_t epoch, uint64_t messages, uint64_t bytes)
{
    struct hostile_node *node = arg;

    (void)epoch;
    (void)messages;
    (void)bytes;
    if (rx == &node->rx) {
        hostile_fail(node->hostile, "credit of a good link was changed, though none was granted");
    }
    node->guest_credits++;
}

static void on_packed(void *arg, struct a3mi_tx *tx, a3m_msg *msg)
{
    (void)arg;
    (void)tx;
    a3m_msg_free(msg);
}

static void on_acknowledged(void *arg, struct a3mi_tx *tx, uint64_t n)
{
    struct hostile_node *node = arg;

    if (tx != &node->tx) {
        return;
    }
    node->acknowledged += n;
    if (node->acknowledged > node->sent) {
        hostile_fail(node->hostile, "more was acknowledged than sent");
    }
}

static void farewell(struct hostile_node *node, struct hostile_guest *guest)
{
    if (guest->tx.peer != NULL) {
        (void)a3mi_tx_detach(node->assoc, &guest->tx);
    }
    if (guest->rx.peer != NULL) {
        a3mi_rx_detach(node->assoc, &guest->rx);
    }
    a3mi_peer_release(node->assoc, guest->peer);
    guest->peer = NULL;
}

static void on_peer_ended(void *arg, struct a3mi_peer *peer, uint64_t incarnation, enum a3mi_peer_end why)
{
    struct hostile_node *node = arg;

    if (peer == node->peer && incarnation == other(node)->incarnation) {
        fprintf(stderr, "reason %d\n", (int)why);
        hostile_fail(node->hostile, "what was made with the good node was ended");
    }
    node->guest_ended++;
    for (unsigned i = 0; i < HOSTILE_GUESTS; i++) {
        struct hostile_guest *guest = &node->guests[i];

        if (guest->peer == peer && guest->tx.incarnation == incarnation) {
            farewell(node, guest);
        }
    }
}

static void on_peer_merged(void *arg, struct a3mi_peer *from, struct a3mi_peer *into)
{
    struct hostile_node *node = arg;

    (void)from;
    (void)into;
    hostile_fail(node->hostile, "peers were merged, though none is known by address only");
}

static void on_duplicate_id(void *arg, const struct a3mi_name *id, const struct a3m_addr *where)
{
    struct hostile_node *node = arg;

    (void)id;
    (void)where;
    node->duplicates++;
}

static const struct a3mi_assoc_hooks hooks = {
    .message = on_message,
    .control = on_control,
    .credit = on_credit,
    .packed = on_packed,
    .acknowledged = on_acknowledged,
    .peer_ended = on_peer_ended,
    .peer_merged = on_peer_merged,
    .duplicate_id = on_duplicate_id,
};

/* ---- Packets out ----------------------------------------------------------------------- */

static void remember(struct hostile_packet ring[HOSTILE_CAUGHT], uint64_t *count,
                     const struct hostile_packet *packet)
{
    ring[(*count)++ % HOSTILE_CAUGHT] = *packet;
}

static void put_on_way(struct hostile *h, const struct hostile_packet *packet)
{
    remember(h->seen, &h->seen_count, packet);
    if (a3mi_rng_below(&h->rng, 1000) < h->loss) {
        return;
    }
    if (h->on_way_count == h->on_way_room) {
        size_t room = h->on_way_room * 2 + 64;
        struct hostile_packet *ring = malloc(room * sizeof(*ring));

        assert(ring != NULL);
        for (size_t i = 0; i < h->on_way_count; i++) {
            ring[i] = h->on_way[(h->on_way_first + i) % h->on_way_room];
        }
        free(h->on_way);
        h->on_way = ring;
        h->on_way_room = room;
        h->on_way_first = 0;
    }
    h->on_way[(h->on_way_first + h->on_way_count++) % h->on_way_room] = *packet;
}

static void dispose(struct hostile_node *node, const struct a3m_packet_out *out)
{
    struct hostile *h = node->hostile;
    struct hostile_packet packet = {.at = h->now + DELAY, .from = node->address, .size = out->size};

    packet.to = a3mi_addr_sim_number(out->to);
    assert(out->size <= sizeof(packet.bytes) && packet.to < HOSTILE_ADDRESSES);
    memcpy(packet.bytes, out->bytes, out->size);
    if (packet.to == other(node)->address) {
        put_on_way(h, &packet);
        return;
    }
    h->packets_to_strangers++;
    h->bytes_to[packet.to] += out->size;
    if (packet.to < HOSTILE_BLIND) {
        remember(h->caught, &h->caught_count, &packet);
    } else if (h->bytes_to[packet.to] > 3 * h->bytes_from[packet.to]) {
        fprintf(stderr, "type %u to %u\n", packet.bytes[1], packet.to);
        hostile_fail(h, "an address that proved nothing was sent more than three times what it sent");
    }
}

static void pump(struct hostile_node *node)
{
    struct a3m_packet_out out[BATCH];
    unsigned rounds = 0;
    size_t n;

    do {
        n = a3mi_assoc_output(node->assoc, out, BATCH, true, node->hostile->now);
        for (size_t i = 0; i < n; i++) {
            dispose(node, &out[i]);
        }
        if (++rounds > ROUNDS_MAX) {
            hostile_fail(node->hostile, "output does not come to an end");
        }
    } while (n == BATCH || a3mi_assoc_pending(node->assoc));
}

/* ---- Packets in ------------------------------------------------------------------------- */

void hostile_inject(struct hostile *h, unsigned node, uint32_t from, const uint8_t *bytes, size_t size)
{
    struct a3m_addr addr = a3mi_addr_sim(from);

    assert(from < HOSTILE_ADDRESSES);
    h->bytes_from[from] += size;
    a3mi_assoc_input(h->nodes[node].assoc, &addr, bytes, size, h->now);
    pump(&h->nodes[node]);
}

void hostile_inject_sealed(struct hostile *h, unsigned node, uint32_t from, uint8_t *bytes, size_t body_size,
                           enum a3mi_packet_type type, uint64_t addressee, uint64_t number)
{
    a3mi_packet_seal(bytes, A3MI_PACKET_HEADER + body_size, type, addressee, number);
    hostile_inject(h, node, from, bytes, A3MI_PACKET_HEADER + body_size);
}

const struct hostile_packet *hostile_caught(const struct hostile *h, uint32_t address,
                                            enum a3mi_packet_type type)
{
    uint64_t oldest = h->caught_count > HOSTILE_CAUGHT ? h->caught_count - HOSTILE_CAUGHT : 0;

    for (uint64_t i = h->caught_count; i > oldest; i--) {
        const struct hostile_packet *packet = &h->caught[(i - 1) % HOSTILE_CAUGHT];

        if (packet->to == address && packet->bytes[1] == (uint8_t)type) {
            return packet;
        }
    }
    return NULL;
}

struct a3mi_assoc_stats hostile_stats(const struct hostile *h, unsigned node)
{
    struct a3mi_assoc_stats stats;

    a3mi_assoc_get_stats(h->nodes[node].assoc, &stats);
    return stats;
}

/* ---- Time --------------------------------------------------------------------------------- */

static int64_t next_event(const struct hostile *h)
{
    int64_t at = h->on_way_count > 0 ? h->on_way[h->on_way_first].at : INT64_MAX;

    for (unsigned i = 0; i < 2; i++) {
        int64_t deadline = a3mi_assoc_deadline(h->nodes[i].assoc);

        at = deadline < at ? deadline : at;
    }
    return at;
}

static void deliver(struct hostile *h)
{
    struct hostile_packet packet = h->on_way[h->on_way_first];
    struct hostile_node *node = &h->nodes[packet.to == h->nodes[0].address ? 0 : 1];
    struct a3m_addr from = a3mi_addr_sim(packet.from);

    h->on_way_first = (h->on_way_first + 1) % h->on_way_room;
    h->on_way_count--;
    a3mi_assoc_input(node->assoc, &from, packet.bytes, packet.size, h->now);
    pump(node);
}

static void step(struct hostile *h, int64_t at)
{
    h->now = at > h->now ? at : h->now;
    if (h->on_way_count > 0 && h->on_way[h->on_way_first].at <= h->now) {
        deliver(h);
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (a3mi_assoc_deadline(h->nodes[i].assoc) <= h->now) {
            a3mi_assoc_tick(h->nodes[i].assoc, h->now);
            pump(&h->nodes[i]);
        }
    }
}

void hostile_run(struct hostile *h, int64_t ns)
{
    int64_t until = h->now + ns;
    uint64_t events = 0;
    int64_t at;

    while ((at = next_event(h)) <= until) {
        step(h, at);
        if (++events > EVENTS_MAX) {
            hostile_fail(h, "too many events: something goes round in circles");
        }
    }
    h->now = until;
}

static bool is_settled(const struct hostile *h)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct hostile_node *a = &h->nodes[i], *b = &h->nodes[1 - i];

        if (a->acknowledged != a->sent || b->accepted != a->sent ||
            b->controls_accepted != a->controls_sent) {
            return false;
        }
    }
    return true;
}

void hostile_settle(struct hostile *h)
{
    int64_t until = h->now + SETTLE_TIME;

    h->loss = 0;
    while (!is_settled(h)) {
        int64_t at = next_event(h);

        if (at > until) {
            hostile_fail(h, "good traffic does not settle");
        }
        step(h, at);
    }
    for (unsigned i = 0; i < 2; i++) {
        a3mi_assoc_check(h->nodes[i].assoc);
    }
}

/* ---- Traffic -------------------------------------------------------------------------------- */

void hostile_send(struct hostile *h, unsigned from, unsigned n)
{
    struct hostile_node *node = &h->nodes[from];

    for (; n > 0; n--) {
        uint64_t key = key_of(node->incarnation, node->sent);
        a3m_msg *msg = a3m_msg_new(size_of(key));

        assert(msg != NULL);
        for (size_t i = 0; i < msg->size; i++) {
            msg->data[i] = byte_of(key, i);
        }
        node->sent++;
        a3mi_assoc_send(node->assoc, &node->tx, msg, h->now);
    }
    pump(node);
}

void hostile_control(struct hostile *h, unsigned from)
{
    struct hostile_node *node = &h->nodes[from];
    uint64_t number = node->controls_sent++;
    int rc = a3mi_assoc_control(node->assoc, node->peer, other(node)->incarnation, &number, sizeof(number),
                                h->now);

    if (rc != 0) {
        hostile_fail(h, "a control message cannot be sent to the good node");
    }
    pump(node);
}

struct hostile_guest *hostile_welcome(struct hostile *h, unsigned index, const struct a3mi_name *name,
                                      uint64_t incarnation)
{
    struct hostile_node *node = &h->nodes[index];

    for (unsigned i = 0; i < HOSTILE_GUESTS; i++) {
        struct hostile_guest *guest = &node->guests[i];

        if (guest->peer != NULL) {
            continue;
        }
        guest->peer = a3mi_assoc_peer(node->assoc, name);
        assert(guest->peer != NULL);
        int rc = a3mi_rx_attach(node->assoc, &guest->rx, guest->peer, HOSTILE_MAX_MESSAGE);

        assert(rc == 0);
        (void)rc;
        a3mi_tx_attach(node->assoc, &guest->tx, guest->peer, incarnation, 1);
        a3mi_rx_bind(&guest->rx, incarnation);
        return guest;
    }
    return NULL;
}

/* ---- Life -------------------------------------------------------------------------------------- */

static void start(struct hostile *h, unsigned index, const struct hostile_options *options)
{
    struct hostile_node *node = &h->nodes[index];
    static const char *const names[2] = {"alice", "bob"};

    node->hostile = h;
    node->address = index + 1;
    node->incarnation = a3mi_rng_u64(&h->rng) | 1;
    (void)a3mi_name_set(&node->id, names[index], strlen(names[index]));
    struct a3mi_assoc_config config = {
        .id = node->id,
        .incarnation = node->incarnation,
        .seed = a3mi_rng_u64(&h->rng),
        .mtu = A3MI_PACKET_BASE,
        .window = options->window,
        .peer_timeout = options->peer_timeout,
        .linger = options->linger,
        .memory = options->memory,
        .memory_ceiling = options->memory_ceiling,
        .peers_max = options->peers_max,
    };

    for (unsigned i = 0; i < sizeof(config.key); i++) {
        config.key[i] = (uint8_t)a3mi_rng_u64(&h->rng);
    }
    int rc = a3mi_assoc_new(&node->assoc, &config, &hooks, node);

    assert(rc == 0);
    (void)rc;
}

static void join(struct hostile *h, unsigned index)
{
    struct hostile_node *node = &h->nodes[index];
    struct a3m_addr where = a3mi_addr_sim(other(node)->address);

    node->peer = a3mi_assoc_peer(node->assoc, &other(node)->id);
    assert(node->peer != NULL);
    a3mi_peer_set_addr(node->assoc, node->peer, &where, h->now);
    int rc = a3mi_rx_attach(node->assoc, &node->rx, node->peer, 1 << 20);

    assert(rc == 0);
    (void)rc;
    a3mi_rx_bind(&node->rx, other(node)->incarnation);
}

void hostile_init(struct hostile *h, const struct hostile_options *options)
{
    memset(h, 0, sizeof(*h));
    h->now = HOSTILE_S;
    a3mi_rng_init(&h->rng, options->seed);
    h->bytes_from = calloc(HOSTILE_ADDRESSES, sizeof(h->bytes_from[0]));
    h->bytes_to = calloc(HOSTILE_ADDRESSES, sizeof(h->bytes_to[0]));
    assert(h->bytes_from != NULL && h->bytes_to != NULL);
    for (unsigned i = 0; i < 2; i++) {
        start(h, i, options);
    }
    for (unsigned i = 0; i < 2; i++) {
        join(h, i);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct hostile_node *node = &h->nodes[i];

        a3mi_tx_attach(node->assoc, &node->tx, node->peer, other(node)->incarnation, other(node)->rx.index);
        hostile_send(h, i, 3);
    }
    hostile_settle(h);
}

void hostile_fini(struct hostile *h)
{
    for (unsigned i = 0; i < 2; i++) {
        struct hostile_node *node = &h->nodes[i];

        for (unsigned g = 0; g < HOSTILE_GUESTS; g++) {
            if (node->guests[g].peer != NULL) {
                farewell(node, &node->guests[g]);
            }
        }
        (void)a3mi_tx_detach(node->assoc, &node->tx);
        a3mi_rx_detach(node->assoc, &node->rx);
        a3mi_peer_release(node->assoc, node->peer);
        a3mi_assoc_free(node->assoc);
    }
    free(h->on_way);
    free(h->bytes_from);
    free(h->bytes_to);
}
