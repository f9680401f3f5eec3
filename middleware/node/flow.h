/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credit of a link, as counts: what this end may send, what it granted the peer, and what it tells it. Who waits for
 * credit is credit.h's. Private to this folder.
 */
#ifndef A3MI_FLOW_H
#define A3MI_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <a3m/a3m.h>

#include "proto/control.h"

struct a3mi_link;

/* Something was put into the outbox, and is to be carried. */
enum a3mi_carry {
    A3MI_CARRY_NOTHING,
    A3MI_CARRY_SOON, /* with others, if the thread makes more of them: a3mi_node_carry_message */
    A3MI_CARRY_NOW,  /* a3mi_node_carry */
};

/*
 * [socket] Whether a message of `size` bytes may go on the link: 0, A3M_ENOCREDIT, A3M_EMSGSIZE, A3M_ENOLINK; says
 * nothing about it.
 */
int a3mi_flow_admits(const struct a3mi_link *link, size_t size);
/* [socket] How many messages may go, by their number. */
uint64_t a3mi_flow_available(const struct a3mi_link *link);
/* [socket] A message arrived: false when the peer had no credit for it; the link then ends, and it is dropped. */
bool a3mi_flow_arrived(struct a3mi_link *link, const a3m_msg *msg);
/* [engine] The same, for one that comes before the link is up: false, it is dropped. */
bool a3mi_flow_arrived_early(struct a3mi_link *link, size_t size);
/* [socket] A message of `size` bytes uses credit that was reserved for so many. */
void a3mi_flow_use(struct a3mi_link *link, size_t size, size_t reserved);
/* [socket] Puts the link into or out of its socket's list of sendable ones. */
void a3mi_flow_refresh(struct a3mi_link *link);
/*
 * [socket] A message that came on the link will not be held any longer: the `application` took it, or its socket's
 * type dropped it. Queues the grant when a batch is full, and a receipt; what the caller is to do about that.
 */
enum a3mi_carry a3mi_flow_taken(struct a3mi_link *link, const a3m_msg *msg, bool application);
/* [socket] Writes what is granted at first into a request or an acceptance. */
void a3mi_flow_offer(struct a3mi_link *link, struct a3mi_control *control);
/* [socket] The link comes up by what the peer said: counts begin anew. */
void a3mi_flow_begin(struct a3mi_link *link, const struct a3mi_control *info);
/* [socket] What the link has room for from now on; true: carry what it queued. */
bool a3mi_flow_set_capacity(struct a3mi_link *link, uint64_t messages, uint64_t bytes);
/* [socket] The peer's changed. */
void a3mi_flow_on_capacity(struct a3mi_link *link, const struct a3mi_control *control);
/* [socket] There is something to tell the peer: queues CMD_CREDIT. True: carry it. */
bool a3mi_flow_queue(struct a3mi_link *link);
/* [engine] CMD_CREDIT. */
void a3mi_flow_send_credit(struct a3mi_link *link, int64_t now);
/* [engine] The peer's grant. */
void a3mi_flow_on_credit(struct a3mi_link *link, uint32_t epoch, uint64_t messages, uint64_t bytes);

#endif
