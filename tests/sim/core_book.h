/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The book of the simulated world: what was sent on each channel and what
 * became of it, and the checks that this allows. Messages are made of their
 * channel and number, so that a receiver can tell every byte of them.
 */
#ifndef CORE_BOOK_H
#define CORE_BOOK_H

#include "base/map.h"
#include "core_world.h"

struct book_message {
    uint32_t size;
    bool accepted;
    uint32_t was; /* of the channel's accepted messages, the how manieth was which */
};

/* One direction of one life of a link, from the first index to the end of the process. */
struct book_channel {
    uint32_t rx_node, tx_node;
    uint64_t rx_incarnation;
    uint64_t tx_incarnation; /* 0: not attached yet */
    uint64_t sent, accepted, acknowledged, unsent, unknown;
    bool unordered;
    struct book_message *messages; /* that were sent */
    size_t capacity;
    uint64_t lowest;  /* of those not accepted */
    uint64_t highest; /* of those that were */
    bool rx_open, tx_open, was_open;
    bool rx_left; /* its receiver gave it up by itself: what is acknowledged then is lost on purpose */
    const struct a3mi_rx *rx;           /* while open */
    uint64_t waiting;                   /* when it was closed: messages accepted, but not in turn yet */
    uint32_t credit_told, credit_heard; /* epochs */
};

/* The last control message that one incarnation accepted from another. */
struct book_control {
    uint64_t author, recipient, serial;
};

struct book {
    struct book_channel **channels;
    uint32_t count, capacity;
    struct a3mi_map64 controls; /* of author and recipient → struct book_control */
    uint64_t messages, left_channels;
    uint64_t overtaken; /* messages accepted behind a later one of their channel */
};

void book_init(struct book *book);
void book_fini(struct book *book);
/* A new channel's number. */
uint32_t book_open(struct book *book, uint32_t rx_node, uint64_t rx_incarnation, const struct a3mi_rx *rx);
struct book_channel *book_channel(struct book *book, uint32_t channel);

/* The next message of a channel. */
a3m_msg *book_message(struct world *w, uint32_t channel, size_t size);
void book_accepted(struct world *w, uint32_t channel, uint32_t node, uint64_t incarnation,
                   const a3m_msg *msg);
/* A receiver went back to when it had accepted so many of the channel's messages. */
void book_roll_back(struct book_channel *ch, uint64_t accepted);
void book_acknowledged(struct world *w, uint32_t channel, uint64_t n);
void book_tx_closed(struct world *w, uint32_t channel, struct a3mi_tx_rest rest);
void book_rx_closed(struct world *w, uint32_t channel, bool left);
/* A control message arrived: no earlier one of its author and recipient may come after. */
void book_control(struct world *w, uint64_t author, uint64_t recipient, uint64_t named, uint64_t serial);

#endif
