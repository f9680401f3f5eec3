/* SPDX-License-Identifier: Apache-2.0 */
/* The link layer of the simulated world (core_links.h). */
#include "core_links.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <a3m/errors.h>

#include "base/addr.h"
#include "base/cursor.h"
#include "core_book.h"

#define RETRY (20 * WORLD_MS)
/* An answer that does not come is asked for again: a node that starts anew says nothing by itself. */
#define ASK_AGAIN (2 * WORLD_S)

enum kind { REQ = 1, ACC = 2, END = 3, NOTE = 4 };

struct control {
    uint8_t kind, slot, author;
    uint8_t to; /* whom it is for: at the address that was asked there may be another */
    uint64_t author_incarnation, named, serial, number;
    uint32_t channel, index;
};

#define CONTROL_SIZE (4 + 4 * 8 + 2 * 4)

static size_t control_write(uint8_t *buf, const struct control *c, size_t pad)
{
    struct a3mi_wr wr;

    a3mi_wr_init(&wr, buf, CONTROL_SIZE + pad);
    a3mi_wr_u8(&wr, c->kind);
    a3mi_wr_u8(&wr, c->slot);
    a3mi_wr_u8(&wr, c->author);
    a3mi_wr_u8(&wr, c->to);
    a3mi_wr_u64(&wr, c->author_incarnation);
    a3mi_wr_u64(&wr, c->named);
    a3mi_wr_u64(&wr, c->serial);
    a3mi_wr_u64(&wr, c->number);
    a3mi_wr_u32(&wr, c->channel);
    a3mi_wr_u32(&wr, c->index);
    while (pad-- > 0) {
        a3mi_wr_u8(&wr, (uint8_t)pad);
    }
    return a3mi_wr_len(&wr);
}

static bool control_read(const uint8_t *bytes, size_t size, struct control *c)
{
    struct a3mi_rd rd;

    a3mi_rd_init(&rd, bytes, size);
    c->kind = a3mi_rd_u8(&rd);
    c->slot = a3mi_rd_u8(&rd);
    c->author = a3mi_rd_u8(&rd);
    c->to = a3mi_rd_u8(&rd);
    c->author_incarnation = a3mi_rd_u64(&rd);
    c->named = a3mi_rd_u64(&rd);
    c->serial = a3mi_rd_u64(&rd);
    c->number = a3mi_rd_u64(&rd);
    c->channel = a3mi_rd_u32(&rd);
    c->index = a3mi_rd_u32(&rd);
    return !rd.bad && c->slot < WORLD_SLOTS && c->author < WORLD_NODES;
}

static int say(struct world_link *link, uint64_t named, enum kind kind)
{
    struct world_node *node = link->node;
    struct world *w = node->world;
    size_t pad = a3mi_rng_below(&w->rng, 20) == 0 ? 2500 : 0;
    uint8_t buf[CONTROL_SIZE + 2500];
    struct control c = {
        .kind = (uint8_t)kind,
        .slot = (uint8_t)link->slot,
        .author = (uint8_t)node->index,
        .to = (uint8_t)link->to,
        .author_incarnation = node->incarnation,
        .named = named,
        .serial = ++node->controls_sent,
        .number = link->number,
        .channel = link->rx_channel,
        .index = link->rx.index,
    };
    size_t size = control_write(buf, &c, pad);

    return a3mi_assoc_control(node->assoc, link->peer, named, buf, size, w->now);
}

size_t links_note(struct world_node *node, uint8_t *bytes, size_t size)
{
    struct control c = {
        .kind = NOTE,
        .author = (uint8_t)node->index,
        .author_incarnation = node->incarnation,
        .serial = ++node->controls_sent,
    };

    assert(size >= CONTROL_SIZE);
    (void)size;
    return control_write(bytes, &c, 0);
}

/* ---- Up and down ------------------------------------------------------------------ */

static bool asks(const struct world_link *link)
{
    return link->node->index < link->to;
}

static void open_rx(struct world_link *link)
{
    struct world_node *node = link->node;
    int result = a3mi_rx_attach(node->assoc, &link->rx, link->peer, 1 << 20);

    assert(result == 0);
    (void)result;
    link->rx_channel = book_open(node->world->book, node->index, node->incarnation, &link->rx);
}

static void open_tx(struct world_link *link, uint64_t incarnation, uint32_t index, uint32_t channel)
{
    struct world_node *node = link->node;
    struct book_channel *ch = book_channel(node->world->book, channel);

    a3mi_tx_attach(node->assoc, &link->tx, link->peer, incarnation, index);
    link->tx.unordered = ch->unordered;
    a3mi_rx_bind(&link->rx, incarnation);
    if (ch->was_open) {
        world_fail(node->world, "two ends send on the same channel");
    }
    link->tx_channel = channel;
    ch->tx_incarnation = node->incarnation;
    ch->tx_node = node->index;
    ch->tx_open = ch->was_open = true;
    link->state = WORLD_UP;
    link->retry_at = INT64_MAX;
    link->epoch = 0;
}

/* `left`: of its own accord, so that the other end may still send. */
static void take_down(struct world_link *link, bool left)
{
    struct world_node *node = link->node;
    struct world *w = node->world;

    if (link->state == WORLD_DOWN) {
        return;
    }
    if (link->state == WORLD_UP) {
        book_tx_closed(w, link->tx_channel, a3mi_tx_detach(node->assoc, &link->tx));
    }
    if (link->rx.peer != NULL) {
        book_rx_closed(w, link->rx_channel, left || link->state == WORLD_ASKING);
        a3mi_rx_detach(node->assoc, &link->rx);
    }
    a3mi_peer_release(node->assoc, link->peer);
    link->peer = NULL;
    link->state = WORLD_DOWN;
    link->retry_at = asks(link) ? w->now + RETRY : INT64_MAX;
}

/* The other node, found by id or by address. Held. */
static struct a3mi_peer *find_peer(struct world_link *link)
{
    struct world_node *node = link->node;
    struct world *w = node->world;
    struct a3m_addr addr = a3mi_addr_sim(w->nodes[link->to].address);

    if (w->options.by_address && a3mi_rng_below(&w->rng, 2) == 0) {
        return a3mi_assoc_peer_at(node->assoc, &addr);
    }
    struct a3mi_peer *peer = a3mi_assoc_peer(node->assoc, &w->nodes[link->to].id);

    if (peer != NULL && a3mi_peer_addr(peer) == NULL) {
        a3mi_peer_set_addr(node->assoc, peer, &addr, w->now);
    }
    return peer;
}

static void ask(struct world_link *link)
{
    struct world *w = link->node->world;

    link->number = ++w->next_number;
    open_rx(link);
    link->state = WORLD_ASKING;
    link->retry_at = w->now + ASK_AGAIN;
    int result = say(link, 0, REQ);

    if (result != 0) {
        assert(result == A3M_ENOADDR || result == A3M_ERESTARTED);
        take_down(link, true);
    }
}

/* A link to the node itself needs nobody's consent. */
static void loop_up(struct world_link *link)
{
    struct world_node *node = link->node;

    link->number = ++node->world->next_number;
    open_rx(link);
    open_tx(link, node->incarnation, link->rx.index, link->rx_channel);
    link->retry_at = INT64_MAX;
    (void)say(link, node->incarnation, NOTE);
}

/* ---- Hooks ------------------------------------------------------------------------- */

static void on_message(void *arg, struct a3mi_rx *rx, a3m_msg *msg)
{
    struct world_node *node = arg;
    struct world_link *link = a3mi_container_of(rx, struct world_link, rx);

    book_accepted(node->world, link->rx_channel, node->index, node->incarnation, msg);
    a3m_msg_free(msg);
}

static void on_req(struct world_link *link, struct a3mi_peer *peer, uint64_t incarnation,
                   const struct control *c)
{
    if (c->number <= link->number) {
        if (link->state == WORLD_UP && link->number == c->number) {
            (void)say(link, incarnation, ACC);
        }
        return;
    }
    take_down(link, true);
    a3mi_peer_hold(peer);
    link->peer = peer;
    link->number = c->number;
    open_rx(link);
    open_tx(link, incarnation, c->index, c->channel);
    (void)say(link, incarnation, ACC);
}

static void on_control(void *arg, struct a3mi_peer *peer, uint64_t incarnation, const uint8_t *bytes,
                       size_t size)
{
    struct world_node *node = arg;
    struct world *w = node->world;
    struct control c;

    if (!control_read(bytes, size, &c) || c.author_incarnation != incarnation) {
        world_fail(w, "a control message is not what was sent");
    }
    book_control(w, incarnation, node->incarnation, c.named, c.serial);
    struct world_link *link = &node->links[c.author][c.slot];

    if (c.to != node->index) {
        return;
    }
    if (c.kind == REQ && !asks(link)) {
        on_req(link, peer, incarnation, &c);
    } else if (c.kind == ACC && link->state == WORLD_ASKING && link->number == c.number) {
        assert(link->peer == peer);
        open_tx(link, incarnation, c.index, c.channel);
    } else if (c.kind == END && link->state != WORLD_DOWN && link->number == c.number) {
        take_down(link, true);
    }
}

static void on_credit(void *arg, struct a3mi_rx *rx, uint32_t epoch, uint64_t messages, uint64_t bytes)
{
    struct world_node *node = arg;
    struct world_link *link = a3mi_container_of(rx, struct world_link, rx);

    if (messages != (uint64_t)epoch * 7 || bytes != (uint64_t)epoch * 1000) {
        world_fail(node->world, "a grant of credit is not what was granted");
    }
    struct book_channel *ch = book_channel(node->world->book, link->rx_channel);

    ch->credit_heard = epoch > ch->credit_heard ? epoch : ch->credit_heard;
}

static void on_packed(void *arg, struct a3mi_tx *tx, a3m_msg *msg)
{
    (void)arg;
    (void)tx;
    a3m_msg_free(msg);
}

static void on_acknowledged(void *arg, struct a3mi_tx *tx, uint64_t n)
{
    struct world_node *node = arg;

    book_acknowledged(node->world, a3mi_container_of(tx, struct world_link, tx)->tx_channel, n);
}

static void on_peer_ended(void *arg, struct a3mi_peer *peer, uint64_t incarnation, enum a3mi_peer_end why)
{
    struct world_node *node = arg;

    for (uint32_t i = 0; i < node->world->options.nodes; i++) {
        const struct world_node *other = &node->world->nodes[i];

        if (why == A3MI_PEER_RESTARTED && other->alive && other->incarnation == incarnation) {
            world_fail(node->world, "an incarnation was taken for dead that lives");
        }
    }
    node->ended++;
    for (uint32_t to = 0; to < WORLD_NODES; to++) {
        for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++) {
            struct world_link *link = &node->links[to][slot];

            if (link->peer == peer && (link->state == WORLD_ASKING ||
                                       (link->state == WORLD_UP && link->tx.incarnation == incarnation))) {
                take_down(link, false);
            }
        }
    }
}

static void on_peer_merged(void *arg, struct a3mi_peer *from, struct a3mi_peer *into)
{
    struct world_node *node = arg;

    node->merged++;
    for (uint32_t to = 0; to < WORLD_NODES; to++) {
        for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++) {
            struct world_link *link = &node->links[to][slot];

            if (link->peer != from) {
                continue;
            }
            if (link->state != WORLD_ASKING) {
                world_fail(node->world, "a link is up with a peer whose id is not known");
            }
            take_down(link, true);
            if (!a3mi_name_eq(a3mi_peer_id(into), &node->world->nodes[link->to].id)) {
                continue; /* somebody else is there */
            }
            a3mi_peer_hold(into);
            link->peer = into;
            ask(link);
        }
    }
}

static void on_duplicate_id(void *arg, const struct a3mi_name *id, const struct a3m_addr *where)
{
    struct world_node *node = arg;
    /* A late OPEN of its own dead incarnation, at an address that it took over, looks the same as a second node. */
    bool own = a3mi_name_eq(id, &node->id) && (node->was_at >> a3mi_addr_sim_number(where) & 1) != 0;

    node->duplicates++;
    if (!node->world->options.impostors && !own) {
        world_fail(node->world, "an id is said to be used twice that is not");
    }
}

const struct a3mi_assoc_hooks links_hooks = {
    .message = on_message,
    .control = on_control,
    .credit = on_credit,
    .packed = on_packed,
    .acknowledged = on_acknowledged,
    .peer_ended = on_peer_ended,
    .peer_merged = on_peer_merged,
    .duplicate_id = on_duplicate_id,
};

/* ---- Life of a node ------------------------------------------------------------------ */

static struct world_link *nth(struct world_node *node, uint32_t i)
{
    return &node->links[i / WORLD_SLOTS][i % WORLD_SLOTS];
}

static bool is_wanted(const struct world_link *link)
{
    const struct world_options *options = &link->node->world->options;

    return link->to < options->nodes && link->slot < options->slots;
}

void links_start(struct world_node *node)
{
    memset(node->links, 0, sizeof(node->links));
    for (uint32_t i = 0; i < WORLD_NODES * WORLD_SLOTS; i++) {
        struct world_link *link = nth(node, i);

        link->node = node;
        link->to = i / WORLD_SLOTS;
        link->slot = i % WORLD_SLOTS;
        link->state = WORLD_DOWN;
        link->retry_at = is_wanted(link) && link->to >= node->index ? node->world->now : INT64_MAX;
    }
}

void links_stop(struct world_node *node)
{
    for (uint32_t i = 0; i < WORLD_NODES * WORLD_SLOTS; i++) {
        take_down(nth(node, i), false);
        nth(node, i)->retry_at = INT64_MAX;
    }
}

int64_t links_deadline(const struct world_node *node)
{
    int64_t at = INT64_MAX;

    for (uint32_t to = 0; to < WORLD_NODES; to++) {
        for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++) {
            int64_t retry_at = node->links[to][slot].retry_at;

            at = retry_at < at ? retry_at : at;
        }
    }
    return at;
}

void links_tick(struct world_node *node)
{
    for (uint32_t i = 0; i < WORLD_NODES * WORLD_SLOTS; i++) {
        struct world_link *link = nth(node, i);

        if (link->retry_at > node->world->now) {
            continue;
        }
        if (link->state == WORLD_ASKING) {
            take_down(link, true);
        }
        link->peer = link->to == node->index ? a3mi_assoc_peer(node->assoc, &node->id) : find_peer(link);
        assert(link->peer != NULL);
        if (link->to == node->index) {
            loop_up(link);
        } else {
            ask(link);
        }
    }
}

bool links_settled(const struct world_node *node)
{
    struct world *w = node->world;

    for (uint32_t i = 0; i < WORLD_NODES * WORLD_SLOTS; i++) {
        const struct world_link *link = &node->links[i / WORLD_SLOTS][i % WORLD_SLOTS];

        if (!is_wanted(link) || !w->nodes[link->to].alive) {
            continue;
        }
        if (link->state != WORLD_UP) {
            return false;
        }
        const struct world_link *other = &w->nodes[link->to].links[node->index][link->slot];
        const struct book_channel *ch = book_channel(w->book, link->tx_channel);

        if (other->state != WORLD_UP || other->number != link->number ||
            other->rx_channel != link->tx_channel || ch->accepted != ch->sent ||
            ch->acknowledged != ch->sent || ch->credit_heard != ch->credit_told) {
            return false;
        }
    }
    return true;
}

void links_refresh_addresses(struct world *w)
{
    for (uint32_t i = 0; i < w->options.nodes; i++) {
        for (uint32_t at = 0; w->nodes[i].alive && at < WORLD_NODES * WORLD_SLOTS; at++) {
            struct world_link *link = nth(&w->nodes[i], at);

            if (link->to == i || link->peer == NULL || a3mi_peer_id(link->peer) == NULL) {
                continue;
            }
            if (!a3mi_name_eq(a3mi_peer_id(link->peer), &w->nodes[link->to].id)) {
                continue; /* asked for by an address where another node is known to have been */
            }
            const struct a3m_addr *known = a3mi_peer_addr(link->peer);
            struct a3m_addr addr = a3mi_addr_sim(w->nodes[link->to].address);

            if (known == NULL || !a3mi_addr_eq(known, &addr)) {
                a3mi_peer_set_addr(w->nodes[i].assoc, link->peer, &addr, w->now);
                world_pump(&w->nodes[i]);
            }
        }
    }
}

void links_print(const struct world_link *link)
{
    static const char *const states[] = {"down", "asking", "up"};
    struct book *book = link->node->world->book;

    fprintf(stderr, "  %u→%u/%u %s number %llu", link->node->index, link->to, link->slot, states[link->state],
            (unsigned long long)link->number);
    if (link->state == WORLD_UP) {
        const struct book_channel *ch = book_channel(book, link->tx_channel);

        fprintf(stderr, " sent %llu accepted %llu acknowledged %llu credit %u/%u",
                (unsigned long long)ch->sent, (unsigned long long)ch->accepted,
                (unsigned long long)ch->acknowledged, ch->credit_heard, ch->credit_told);
    }
    fprintf(stderr, "\n");
}

/* ---- What a test does with links --------------------------------------------------------- */

static size_t draw_size(struct world *w, bool large)
{
    switch (a3mi_rng_below(&w->rng, large ? 4 : 3)) {
    case 0: return a3mi_rng_below(&w->rng, 100);
    case 1: return a3mi_rng_below(&w->rng, 1500);
    case 2: return a3mi_rng_below(&w->rng, 8);
    default: return a3mi_rng_below(&w->rng, 150000); /* more than a message in pieces has room for at first */
    }
}

uint32_t world_send(struct world *w, uint32_t from, uint32_t to, uint32_t slot, uint32_t n, bool large)
{
    struct world_node *node = &w->nodes[from];
    struct world_link *link = &node->links[to][slot];

    if (!node->alive || link->state != WORLD_UP) {
        return 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        a3m_msg *msg = book_message(w, link->tx_channel, draw_size(w, large));

        a3mi_assoc_send(node->assoc, &link->tx, msg, w->now);
    }
    world_pump(node);
    return n;
}

void world_credit(struct world *w, uint32_t from, uint32_t to, uint32_t slot)
{
    struct world_node *node = &w->nodes[from];
    struct world_link *link = &node->links[to][slot];

    if (!node->alive || link->state != WORLD_UP) {
        return;
    }
    uint32_t epoch = ++link->epoch;
    int result = a3mi_assoc_credit(node->assoc, &link->tx, epoch, (uint64_t)epoch * 7, (uint64_t)epoch * 1000,
                                   w->now);

    assert(result == 0);
    (void)result;
    book_channel(w->book, link->tx_channel)->credit_told = epoch;
    world_pump(node);
}

void world_ask(struct world *w, uint32_t from, uint32_t to, uint32_t slot)
{
    struct world_node *node = &w->nodes[from];
    struct world_link *link = &node->links[to][slot];

    if (node->alive && link->state == WORLD_UP) {
        a3mi_tx_ask(node->assoc, &link->tx, w->now);
        world_pump(node);
    }
}

void world_unlink(struct world *w, uint32_t from, uint32_t to, uint32_t slot)
{
    struct world_node *node = &w->nodes[from];
    struct world_link *link = &node->links[to][slot];

    if (!node->alive || link->state != WORLD_UP) {
        return;
    }
    uint64_t incarnation = link->tx.incarnation;

    if (from != to) {
        (void)say(link, incarnation, END);
    }
    take_down(link, true);
    if (from == to) {
        link->retry_at = w->now;
    }
    world_pump(node);
}

uint64_t world_accepted(const struct world *w, uint32_t from, uint32_t to)
{
    uint64_t n = 0;

    for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++) {
        const struct world_link *link = &w->nodes[to].links[from][slot];

        if (link->state == WORLD_UP) {
            n += book_channel(w->book, link->rx_channel)->accepted;
        }
    }
    return n;
}
