/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The book of the simulated nodes: what each life of a socket sent, and how
 * often it was delivered. A message carries who it is, and bytes that follow
 * from that, so that its receiver can tell every one of them.
 *
 * Sums are per life of a node, because that is what a node reports: of what was
 * sent, what is reported undelivered was never delivered, what is neither
 * reported undelivered nor unknown was, or is reported unread by some receiver.
 */
#ifndef NODE_BOOK_H
#define NODE_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include <a3m/a3m.h>

/* The smallest message: it has its name in it. */
#define SIM_MESSAGE_MIN 20u

struct sim;
struct sim_app;

/* One life of a node. */
struct sim_owner {
    uint32_t node, index;
    uint64_t sent, delivered;
    uint64_t undelivered, unknown; /* of these, as it reports so far */
    uint64_t unread;               /* received, but taken by nobody, as it reports */
    uint64_t dropped;              /* replies to requests that had an outcome, at sockets that are closed */
    uint64_t receipts;             /* messages of which the last word is to come */
    bool over;                     /* died: what it knew is gone */
    bool exposed;                  /* a receiver died, perhaps with messages of this one */
};

/* One life of a socket that sends. */
struct sim_life {
    uint32_t id;
    struct sim_owner *owner;
    bool unordered;     /* some of it was sent on links that keep no order */
    uint8_t *delivered; /* per message: how often */
    uint8_t *replied;   /* per request: replies received */
    uint8_t *asked;     /* per message: receipts asked for */
    uint8_t *told;      /* per message: receipts told */
    uint32_t sent, room;
};

/* What a receiving socket saw last on each link from each life. */
struct sim_seen {
    uint64_t link;
    uint32_t life;
    uint32_t next;
};

struct sim_order {
    struct sim_seen *seen;
    size_t count, room;
};

struct sim_book {
    struct sim_life **lives;
    uint32_t count, room;
    struct sim_owner **owners;
    uint32_t owner_count, owner_room;
};

void sim_book_fini(struct sim_book *book);
struct sim_owner *sim_book_owner(struct sim_book *book, uint32_t node);
struct sim_life *sim_book_life(struct sim_book *book, struct sim_owner *owner);

/* The next message of a life; counted by sim_book_sent when the library took it. */
a3m_msg *sim_book_message(const struct sim_life *life, uint32_t size);
void sim_book_sent(struct sim_life *life);
/* A message arrived: checks its bytes, that it was sent, that it is the first time, and its order. */
void sim_book_delivered(struct sim *sim, struct sim_order *order, const a3m_msg *msg);
/* The answer to a request, counted as sent by the answering node when `sim_book_reply_sent`. */
a3m_msg *sim_book_reply(const struct sim_owner *by, const a3m_msg *request);
/* A reply arrived at the life that asked. */
void sim_book_replied(struct sim *sim, const struct sim_life *life, const a3m_msg *reply);
/* Somebody dies: what those who send now are missing may have been received there. */
void sim_book_expose(struct sim_book *book);
/* In a settled world. */
void sim_book_check(struct sim *sim);

#endif
