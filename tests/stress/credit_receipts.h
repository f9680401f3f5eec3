/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts in the credit stress: a share of the messages asks for ACCEPTED, TAKEN or both, of a callback or as events.
 * Each has a slot of the actor that wrote it, with what is known of it; a slot is used again once its message is over, under
 * another number. Checked at each telling: that it was asked for, comes in order and not behind the last one. While
 * the actors rest, and everything was taken: that each message has its last one, and that it is true.
 */
#ifndef A3M_TEST_CREDIT_RECEIPTS_H
#define A3M_TEST_CREDIT_RECEIPTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <a3m/a3m.h>

struct actor;
struct credit_arena;

enum {
    CREDIT_RECEIPTS = 4096, /* of each actor; more than it writes messages from one rest to the next */
    CREDIT_FIRST_KEPT = 1,  /* PUSH socket that keeps all its events: this one, and those behind it */
    CREDIT_EVENTS = 4096,
};

/* A message that asks: its number, and what became of it. */
struct credit_receipt {
    _Atomic uint64_t state;
    a3m_socket socket; /* that sends it: written before the message is sent, read while actors rest */
};

/* Of one actor. */
struct credit_receipts {
    struct credit_receipt slots[CREDIT_RECEIPTS];
    uint32_t next;
};

/* What the callbacks of one node are given. */
struct credit_told {
    struct credit_arena *arena;
    uint64_t calls; /* by no two threads at a time: as the thread sanitizer sees */
};

struct credit_receipt_sums {
    _Atomic uint64_t asked,
        over; /* of callbacks: messages that were taken over, and that had their last word */
    _Atomic uint64_t accepted, taken, undelivered, unknown, by_event;
    _Atomic uint64_t acted; /* things done by callbacks */
};

/* A message to be sent. */
struct credit_written {
    a3m_msg *msg;
    uint64_t id; /* of its receipt; 0: none was asked for */
};

/* One of `size` bytes, for `socket`, which may ask for receipts. */
struct credit_written credit_write(struct actor *self, a3m_socket socket, size_t size);
/* What became of it: sent, or freed here. */
void credit_wrote(struct actor *self, const struct credit_written *written, bool sent);
/* It was taken over to be sent later. */
void credit_put_off(struct credit_arena *arena, const struct credit_written *written);
/* It came back unsent: nothing may have been told of it, or will be. Frees it. */
void credit_unwrite(struct credit_arena *arena, a3m_msg *msg);
/* A message that was received. Frees it. */
void credit_read(struct credit_arena *arena, a3m_msg *msg);

/* An event that somebody read. */
void credit_on_event(struct credit_arena *arena, const a3m_socket_event *event);
/* Whether all events of it are kept until somebody reads them. */
bool credit_keeps_events(const struct credit_arena *arena, a3m_socket socket);

/* Actors rest, and nothing is under way: takes all messages, and sees that all receipts came. */
void credit_look_at_receipts(struct credit_arena *arena);
/* The nodes are closed: what was asked of callbacks is told. */
void credit_receipts_end(struct credit_arena *arena);

#endif
