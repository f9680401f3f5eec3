/* SPDX-License-Identifier: Apache-2.0 */
/* The book of messages (core_book.h). */
#include "core_book.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"

void book_init(struct book *book)
{
    memset(book, 0, sizeof(*book));
    a3mi_map64_init(&book->controls);
}

void book_fini(struct book *book)
{
    for (uint32_t i = 0; i < book->count; i++) {
        free(book->channels[i]->messages);
        free(book->channels[i]);
    }
    free(book->channels);
    size_t it = 0;
    void *value;

    while (a3mi_map64_next(&book->controls, &it, NULL, &value)) {
        free(value);
    }
    a3mi_map64_fini(&book->controls);
}

uint32_t book_open(struct book *book, uint32_t rx_node, uint64_t rx_incarnation, const struct a3mi_rx *rx)
{
    if (book->count == book->capacity) {
        book->capacity = book->capacity * 2 + 16;
        book->channels = realloc(book->channels, book->capacity * sizeof(struct book_channel *));
        assert(book->channels != NULL);
    }
    struct book_channel *channel = calloc(1, sizeof(*channel));

    assert(channel != NULL);
    channel->rx_node = rx_node;
    channel->rx_incarnation = rx_incarnation;
    channel->rx_open = true;
    channel->rx = rx;
    channel->unordered = book->count % 3 == 1;
    book->channels[book->count] = channel;
    return book->count++;
}

struct book_channel *book_channel(struct book *book, uint32_t channel)
{
    assert(channel < book->count);
    return book->channels[channel];
}

/* ---- Messages ------------------------------------------------------------------- */

static uint64_t key(uint32_t channel, uint64_t number)
{
    uint64_t state = ((uint64_t)channel << 40) ^ number;

    return a3mi_splitmix64(&state);
}

static uint8_t byte_at(uint64_t k, size_t i)
{
    return (uint8_t)(k >> (8 * (i % 8))) ^ (uint8_t)(i >> 3);
}

a3m_msg *book_message(struct world *w, uint32_t channel, size_t size)
{
    struct book_channel *ch = book_channel(w->book, channel);
    uint64_t k = key(channel, ch->sent);
    a3m_msg *msg = a3m_msg_new(size);

    assert(msg != NULL);
    for (size_t i = 0; i < size; i++) {
        msg->data[i] = byte_at(k, i);
    }
    if (k % 3 == 0) {
        a3m_msg_set_correlation(msg, k);
    }
    if (ch->sent == ch->capacity) {
        ch->capacity = ch->capacity * 2 + 16;
        ch->messages = realloc(ch->messages, ch->capacity * sizeof(ch->messages[0]));
        assert(ch->messages != NULL);
    }
    ch->messages[ch->sent++] = (struct book_message){.size = (uint32_t)size};
    return msg;
}

static bool is_genuine(const a3m_msg *msg, uint32_t channel, uint64_t number, size_t size)
{
    uint64_t k = key(channel, number);
    uint64_t correlation = 0;
    bool correlated = a3m_msg_correlation(msg, &correlation);

    if (msg->size != size || correlated != (k % 3 == 0) || (correlated && correlation != k)) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (msg->data[i] != byte_at(k, i)) {
            return false;
        }
    }
    return true;
}

/* Which message it is: the next one of an ordered channel, any that is missing of another; `sent`: none. */
static uint64_t find(const struct book_channel *ch, uint32_t channel, const a3m_msg *msg)
{
    uint64_t end = ch->unordered ? ch->sent : ch->lowest + 1;

    for (uint64_t number = ch->lowest; number < end && number < ch->sent; number++) {
        if (!ch->messages[number].accepted && is_genuine(msg, channel, number, ch->messages[number].size)) {
            return number;
        }
    }
    return ch->sent;
}

void book_roll_back(struct book_channel *ch, uint64_t accepted)
{
    while (ch->accepted > accepted) {
        uint64_t number = ch->messages[--ch->accepted].was;

        ch->messages[number].accepted = false;
        ch->lowest = number < ch->lowest ? number : ch->lowest;
    }
}

void book_accepted(struct world *w, uint32_t channel, uint32_t node, uint64_t incarnation, const a3m_msg *msg)
{
    struct book_channel *ch = book_channel(w->book, channel);

    if (ch->rx_node != node || ch->rx_incarnation != incarnation || !ch->rx_open) {
        world_fail(w, "a message was accepted by another than it was meant for");
    }
    if (ch->accepted >= ch->sent) {
        world_fail(w, "more messages were accepted than sent");
    }
    uint64_t number = find(ch, channel, msg);

    if (number >= ch->sent) {
        world_fail(
            w, ch->unordered
                   ? "a message is none that its channel misses: repeated or damaged"
                   : "a message is not the next one of its channel: lost, repeated, out of order or damaged");
    }
    if (!ch->tx_open && ch->was_open && number >= ch->sent - ch->unsent) {
        world_fail(w, "a message was accepted that had been reported as not delivered");
    }
    w->book->overtaken += number < ch->highest;
    ch->highest = number > ch->highest ? number : ch->highest;
    ch->messages[number].accepted = true;
    ch->messages[ch->accepted++].was = (uint32_t)number;
    while (ch->lowest < ch->sent && ch->messages[ch->lowest].accepted) {
        ch->lowest++;
    }
    w->book->messages++;
}

void book_acknowledged(struct world *w, uint32_t channel, uint64_t n)
{
    struct book_channel *ch = book_channel(w->book, channel);

    ch->acknowledged += n;
    if (!ch->tx_open || n == 0) {
        world_fail(w, "an acknowledgement was reported for a channel that is closed, or for nothing");
    }
    uint64_t waiting = ch->rx_open ? ch->rx->partial_count : ch->waiting;

    if (ch->acknowledged > ch->accepted + waiting && !ch->rx_left) {
        world_fail(w, "a message was acknowledged that was not accepted");
    }
}

void book_tx_closed(struct world *w, uint32_t channel, struct a3mi_tx_rest rest)
{
    struct book_channel *ch = book_channel(w->book, channel);

    ch->tx_open = false;
    ch->unsent = rest.unsent;
    ch->unknown = rest.unknown;
    if (ch->acknowledged + rest.unknown + rest.unsent != ch->sent) {
        world_fail(w, "the rest of a channel does not add up");
    }
    if (ch->accepted > ch->sent - ch->unsent) {
        world_fail(w, "a message is reported as not delivered that was accepted");
    }
}

void book_rx_closed(struct world *w, uint32_t channel, bool left)
{
    struct book_channel *ch = book_channel(w->book, channel);

    ch->rx_open = false;
    ch->waiting = ch->rx->partial_count;
    if (left && !ch->rx_left) {
        ch->rx_left = true;
        w->book->left_channels++;
    }
}

/* ---- Control ---------------------------------------------------------------------- */

void book_control(struct world *w, uint64_t author, uint64_t recipient, uint64_t named, uint64_t serial)
{
    uint64_t pair[2] = {author, recipient};
    uint64_t k = a3mi_hash64(pair, sizeof(pair), 1);
    struct book_control *last = a3mi_map64_get(&w->book->controls, k);

    if (named != 0 && named != recipient) {
        world_fail(w, "a control message was accepted by another incarnation than it was meant for");
    }
    if (last == NULL) {
        last = calloc(1, sizeof(*last));
        assert(last != NULL && a3mi_map64_put(&w->book->controls, k, last) == 0);
        last->author = author;
        last->recipient = recipient;
    }
    if (serial <= last->serial) {
        world_fail(w, "a control message was accepted twice or out of order");
    }
    last->serial = serial;
}
