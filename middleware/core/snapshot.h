/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot of an association (a3mi_assoc_save, a3mi_assoc_restore):
 *
 *   header    magic, id, incarnation, key, clock, dropped, numbers
 *   peers     id, address, incarnations known
 *   channels  sending ones with their queues, receiving ones with their pieces
 *   senders   with their units
 *   receivers that are proven, with what they have
 *   messages  of link control between this node's own sockets
 *
 * Integers are big-endian; a list is its count and its entries. Times are
 * relative to the time of saving. What is written and how it is read stand in one
 * file: snapshot_value.c, _peer.c, _channel.c, _sender.c, _receiver.c, and
 * snapshot.c for the whole.
 *
 * Whatever is read is checked before it is used: a damaged snapshot is refused,
 * not believed. Reading goes on after a mistake, with values of zero, until
 * somebody asks whether all is good. Private to core.
 */
#ifndef A3MI_SNAPSHOT_H
#define A3MI_SNAPSHOT_H

#include "base/cursor.h"
#include "core/receiver.h"
#include "core/sender.h"

/* "A3MSNAP" and the version of the form. */
#define A3MI_SNAPSHOT_MAGIC UINT64_C(0x41334d534e415003)

struct a3mi_saver {
    struct a3mi_assoc *assoc;
    const struct a3mi_sink *sink;
};

struct a3mi_restorer {
    struct a3mi_assoc *assoc;
    const struct a3mi_restore *hooks;
    struct a3mi_rd rd;
    struct a3mi_peer **peers; /* by ordinal */
    uint64_t peers_count;
    int error; /* the first; 0: none yet */
};

/* ---- Values (snapshot_value.c) ------------------------------------------------- */

void a3mi_save_bytes(const struct a3mi_saver *sv, const void *bytes, size_t size);
void a3mi_save_u8(const struct a3mi_saver *sv, unsigned v);
void a3mi_save_u32(const struct a3mi_saver *sv, uint32_t v);
void a3mi_save_u64(const struct a3mi_saver *sv, uint64_t v);
void a3mi_save_name(const struct a3mi_saver *sv, const struct a3mi_name *name);
void a3mi_save_addr(const struct a3mi_saver *sv, const struct a3m_addr *addr);
void a3mi_save_ranges(const struct a3mi_saver *sv, const struct a3mi_ranges *ranges);
/* Of a3m_msg.node. */
void a3mi_save_queue(const struct a3mi_saver *sv, const struct a3mi_fifo *queue);

/* Something is wrong (A3M_EPROTO, A3M_ENOMEM): the first reason counts. Returns false. */
bool a3mi_restore_fail(struct a3mi_restorer *rs, int code);
/* Whether all that was read so far made sense. */
bool a3mi_restore_good(struct a3mi_restorer *rs);
bool a3mi_restore_bool(struct a3mi_restorer *rs);
void a3mi_restore_name(struct a3mi_restorer *rs, struct a3mi_name *name);
void a3mi_restore_addr(struct a3mi_restorer *rs, struct a3m_addr *addr);
/* `most`: of ranges. False: there is a mistake. */
bool a3mi_restore_ranges(struct a3mi_restorer *rs, struct a3mi_ranges *ranges, uint32_t most);
/* Returns the bytes of its messages. */
uint64_t a3mi_restore_queue(struct a3mi_restorer *rs, struct a3mi_fifo *queue);

/* ---- Peers (snapshot_peer.c) ---------------------------------------------------- */

/* Gives each its ordinal, by which the rest names it. */
void a3mi_save_peers(const struct a3mi_saver *sv);
/* Each is held, until all is there. */
void a3mi_restore_peers(struct a3mi_restorer *rs);
/* The one whose ordinal comes; NULL: there is a mistake. */
struct a3mi_peer *a3mi_restore_peer(struct a3mi_restorer *rs);

/* ---- Channels (snapshot_channel.c) ----------------------------------------------- */

void a3mi_save_txs(struct a3mi_saver *sv);
void a3mi_restore_txs(struct a3mi_restorer *rs);
void a3mi_save_rxs(const struct a3mi_saver *sv);
void a3mi_restore_rxs(struct a3mi_restorer *rs);
/* What a sender's own channel and a link's have in common. */
void a3mi_save_sending(struct a3mi_saver *sv, const struct a3mi_tx *tx);
void a3mi_restore_sending(struct a3mi_restorer *rs, struct a3mi_tx *tx);
/* The same of receiving ones: messages that are there in part. */
void a3mi_save_pieces(const struct a3mi_saver *sv, const struct a3mi_rx *rx);
void a3mi_restore_pieces(struct a3mi_restorer *rs, struct a3mi_rx *rx);

/* ---- Senders (snapshot_sender.c), receivers (snapshot_receiver.c) ------------------- */

void a3mi_save_senders(struct a3mi_saver *sv);
void a3mi_restore_senders(struct a3mi_restorer *rs);
/* Those that are proven. */
void a3mi_save_receivers(const struct a3mi_saver *sv);
void a3mi_restore_receivers(struct a3mi_restorer *rs);

#endif
