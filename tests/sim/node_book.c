/* SPDX-License-Identifier: Apache-2.0 */
/* The book of messages (node_book.h). */
#include "node_book.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "node_sim.h"

/* What a message begins with. */
struct head {
    uint32_t life, number, size, by; /* by: of a reply, who answered (its owner's index and 1); 0: no reply */
    uint32_t check;
};

_Static_assert(sizeof(struct head) == SIM_MESSAGE_MIN, "the smallest message is its head");

static void *grown(void *array, uint32_t count, uint32_t *room, size_t element)
{
    if (count < *room) {
        return array;
    }
    uint32_t more = *room * 2 + 16;
    void *larger = realloc(array, more * element);
    assert(larger != NULL);
    memset((uint8_t *)larger + *room * element, 0, (more - *room) * element);
    *room = more;
    return larger;
}

void sim_book_fini(struct sim_book *book)
{
    for (uint32_t i = 0; i < book->count; i++) {
        free(book->lives[i]->delivered);
        free(book->lives[i]->replied);
        free(book->lives[i]->asked);
        free(book->lives[i]->told);
        free(book->lives[i]);
    }
    for (uint32_t i = 0; i < book->owner_count; i++) {
        free(book->owners[i]);
    }
    free(book->lives);
    free(book->owners);
}

struct sim_owner *sim_book_owner(struct sim_book *book, uint32_t node)
{
    struct sim_owner *owner = calloc(1, sizeof(*owner));
    assert(owner != NULL);
    owner->node = node;
    owner->index = book->owner_count;
    book->owners = grown(book->owners, book->owner_count, &book->owner_room, sizeof(struct sim_owner *));
    book->owners[book->owner_count++] = owner;
    return owner;
}

struct sim_life *sim_book_life(struct sim_book *book, struct sim_owner *owner)
{
    struct sim_life *life = calloc(1, sizeof(*life));
    assert(life != NULL);
    life->id = book->count;
    life->owner = owner;
    book->lives = grown(book->lives, book->count, &book->room, sizeof(struct sim_life *));
    book->lives[book->count++] = life;
    return life;
}

/* ---- Messages --------------------------------------------------------------------- */

static uint32_t mix(const struct head *head)
{
    uint64_t state = (uint64_t)head->life << 32 | head->number;
    uint64_t value = a3mi_splitmix64(&state) ^ ((uint64_t)head->size << 32 | head->by);
    return (uint32_t)a3mi_splitmix64(&value);
}

/* Numerical Recipes' generator. */
static uint32_t next_word(uint32_t word)
{
    return word * 1664525u + 1013904223u;
}

static a3m_msg *make(struct head head)
{
    a3m_msg *msg = a3m_msg_new(head.size);
    assert(msg != NULL);
    uint8_t *bytes = a3m_msg_data(msg);
    head.check = mix(&head);
    memcpy(bytes, &head, sizeof(head));
    size_t at = sizeof(head);
    uint32_t word = next_word(head.check);
    for (; at + sizeof(word) <= head.size; at += sizeof(word), word = next_word(word)) {
        memcpy(bytes + at, &word, sizeof(word));
    }
    memcpy(bytes + at, &word, head.size - at);
    return msg;
}

/* Whether every byte is as it was made. */
static bool read(const a3m_msg *msg, struct head *head)
{
    const uint8_t *bytes = a3m_msg_data(msg);
    if (a3m_msg_size(msg) < sizeof(*head)) {
        return false;
    }
    memcpy(head, bytes, sizeof(*head));
    if (head->size != a3m_msg_size(msg) || head->check != mix(head)) {
        return false;
    }
    size_t at = sizeof(*head);
    uint32_t word = next_word(head->check);
    for (; at + sizeof(word) <= head->size; at += sizeof(word), word = next_word(word)) {
        uint32_t here;
        memcpy(&here, bytes + at, sizeof(here));
        if (here != word) {
            return false;
        }
    }
    return memcmp(bytes + at, &word, head->size - at) == 0;
}

a3m_msg *sim_book_message(const struct sim_life *life, uint32_t size)
{
    return make((struct head){
        .life = life->id, .number = life->sent, .size = size < SIM_MESSAGE_MIN ? SIM_MESSAGE_MIN : size});
}

void sim_book_sent(struct sim_life *life)
{
    uint8_t **arrays[] = {&life->delivered, &life->asked, &life->told};
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        uint32_t room = life->room;
        *arrays[i] = grown(*arrays[i], life->sent, &room, 1);
    }
    life->replied = grown(life->replied, life->sent, &life->room, 1);
    life->sent++;
    life->owner->sent++;
}

a3m_msg *sim_book_reply(const struct sim_owner *by, const a3m_msg *request)
{
    struct head head;
    memcpy(&head, a3m_msg_data(request), sizeof(head));
    head.by = by->index + 1;
    return make(head);
}

/* ---- Arrivals ------------------------------------------------------------------------ */

static struct sim_seen *seen_on(struct sim_order *order, uint64_t link, uint32_t life)
{
    for (size_t i = 0; i < order->count; i++) {
        if (order->seen[i].link == link && order->seen[i].life == life) {
            return &order->seen[i];
        }
    }
    uint32_t room = (uint32_t)order->room;
    order->seen = grown(order->seen, (uint32_t)order->count, &room, sizeof(order->seen[0]));
    order->room = room;
    order->seen[order->count] = (struct sim_seen){.link = link, .life = life};
    return &order->seen[order->count++];
}

void sim_book_delivered(struct sim *sim, struct sim_order *order, const a3m_msg *msg)
{
    struct head head;
    if (!read(msg, &head) || head.by != 0) {
        sim_fail(sim, "a message of %zu bytes arrived that nobody sent", a3m_msg_size(msg));
        return;
    }
    const struct sim_life *life = head.life < sim->book.count ? sim->book.lives[head.life] : NULL;
    if (life == NULL || head.number >= life->sent) {
        sim_fail(sim, "message %u of life %u arrived before it was sent", head.number, head.life);
        return;
    }
    if (++life->delivered[head.number] > 1) {
        sim_fail(sim, "message %u of life %u (node %u) was delivered twice", head.number, head.life,
                 life->owner->node);
    }
    life->owner->delivered++;
    struct sim_seen *seen = seen_on(order, a3m_msg_link(msg).v, head.life);
    if (head.number < seen->next && life->unordered) {
        sim->overtaken++;
    } else if (head.number < seen->next) {
        sim_fail(sim, "message %u of life %u came behind %u, on one link", head.number, head.life,
                 seen->next - 1);
    }
    seen->next = head.number + 1;
    sim->messages++;
}

void sim_book_replied(struct sim *sim, const struct sim_life *life, const a3m_msg *reply)
{
    struct head head;
    if (!read(reply, &head) || head.by == 0 || head.by > sim->book.owner_count || head.life != life->id ||
        head.number >= life->sent) {
        sim_fail(sim, "a reply of %zu bytes arrived that is none of these requests'", a3m_msg_size(reply));
        return;
    }
    if (life->delivered[head.number] == 0) {
        sim_fail(sim, "request %u of life %u was answered before it was delivered", head.number, head.life);
    }
    if (++life->replied[head.number] > 1) {
        sim_fail(sim, "request %u of life %u was answered twice", head.number, head.life);
    }
    sim->book.owners[head.by - 1]->delivered++;
    sim->messages++;
}

/* ---- Sums ----------------------------------------------------------------------------- */

void sim_book_expose(struct sim_book *book)
{
    for (uint32_t i = 0; i < book->owner_count; i++) {
        book->owners[i]->exposed = true;
    }
}

/* What it sent and did not give up, but nobody has; in a settled world. */
static uint64_t missing_of(const struct sim_owner *owner)
{
    uint64_t found = owner->delivered + owner->undelivered + owner->unknown;
    return owner->over || owner->exposed || found >= owner->sent ? 0 : owner->sent - found;
}

void sim_book_check(struct sim *sim)
{
    uint64_t missing = 0, unread = 0, unknown = 0;
    bool exact = true;
    for (uint32_t i = 0; i < sim->book.owner_count; i++) {
        const struct sim_owner *owner = sim->book.owners[i];
        missing += missing_of(owner);
        unread += owner->unread;
        unknown += owner->unknown;
        exact &= !owner->over && !owner->exposed;
        if (!owner->over && owner->delivered + owner->undelivered > owner->sent) {
            sim_fail(sim,
                     "node %u sent %" PRIu64 ", reports %" PRIu64 " undelivered, but %" PRIu64
                     " were delivered",
                     owner->node, owner->sent, owner->undelivered, owner->delivered);
        }
    }
    if (missing > unread) {
        sim_fail(sim, "%" PRIu64 " messages were neither delivered nor given up; %" PRIu64 " are unread",
                 missing, unread);
    }
    /* What nobody read was sent, and is missing, or of unknown outcome to its sender. */
    if (exact && unread > missing + unknown) {
        sim_fail(sim,
                 "%" PRIu64 " messages are unread, but only %" PRIu64 " missing, and %" PRIu64 " unknown",
                 unread, missing, unknown);
    }
}
