/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels: a sender's queues of messages made into the frames of units, and a
 * receiver's frames made into messages, in the order of their numbers where their
 * sender wants it. Private to core.
 */
#ifndef A3MI_CHANNEL_H
#define A3MI_CHANNEL_H

#include "core/frame.h"
#include "core/ranges.h"
#include "core/state.h"
#include "core/unit.h"

/* ---- Sending (channel_tx.c) -------------------------------------------------- */

/* Bytes of one channel before it is the next one's turn. */
#define A3MI_QUANTUM 8192

/* Channels of one half-connection that have something to send. Its control messages go first, then grants, then data. */
struct a3mi_ready {
    struct a3mi_list channels; /* of a3mi_tx.ready: those with messages */
    struct a3mi_list grants;   /* of a3mi_tx.grant */
    int32_t quantum;           /* what is left of the first one's */
};

/* A channel in its first state, not attached. */
void a3mi_tx_init(struct a3mi_tx *tx, uint32_t index);

static inline void a3mi_ready_init(struct a3mi_ready *ready)
{
    a3mi_list_init(&ready->channels);
    a3mi_list_init(&ready->grants);
    ready->quantum = A3MI_QUANTUM;
}

/*
 * Fills a unit with up to `room` bytes of frames, those of the channel `control` first. True when it is full (or
 * no memory is left), false when nothing more waited. Hooks are called, which may
 * detach channels; the unit is in its sender's ring already, so that they find
 * it there.
 */
bool a3mi_channel_pack(struct a3mi_assoc *assoc, struct a3mi_ready *ready, struct a3mi_tx *control,
                       struct a3mi_unit *unit, size_t room);

/* Puts a channel that has something to send in line. A3M_ENOMEM. */
int a3mi_tx_line_up(struct a3mi_assoc *assoc, struct a3mi_tx *tx);

/* Frees what waits in a channel; not what units hold of it. */
void a3mi_tx_drop_queue(struct a3mi_tx *tx);

/* Calls the hook for all channels in assoc->acked. */
void a3mi_channel_report_acked(struct a3mi_assoc *assoc);

/* ---- Receiving (channel_rx.c) ------------------------------------------------- */

/* The most ranges of a message that are kept apart. */
#define A3MI_RANGES_BLOCK 256u
/* And of a half-connection. A window has no more than half as many ranges as units, so none is ever turned away. */
#define A3MI_RANGES_MAX (A3MI_RANGES_BLOCK << 3 * (A3MI_RANGES_SIZES - 1))
/*
 * And of the messages of a channel that were handed up before an earlier one; beyond, they wait for it. Each gap
 * between them is a message under way, of which a window has no more than this unless each unit is of its own gap.
 */
#define A3MI_UP_MAX (A3MI_RANGES_BLOCK << 3)
/* The largest control message. */
#define A3MI_CONTROL_MESSAGE_MAX 65536u
/* What a channel holds of messages that wait for an earlier one, at most; how many bytes is core/memory.h. */
#define A3MI_WAITING_MESSAGES 65536u
/* What each of them takes besides its bytes: its records, and what the allocator adds. */
#define A3MI_WAITING_COST 384u
/* A message that comes in pieces has so much room at first, and more as it comes. */
#define A3MI_PIECES_ROOM 65536u

/* A message that is incomplete, or waits for an earlier one. */
struct a3mi_partial {
    struct a3mi_list list; /* in a3mi_rx.partial, in the order of their first pieces */
    uint64_t number;
    a3m_msg *msg;   /* what there is room for yet */
    uint32_t total; /* bytes, when it is whole */
    bool props;
    bool free;     /* waits for no earlier one */
    bool its_turn; /* `cost` is in the peer's `assembled`, otherwise in `held` and a3mi_rx.partial_bytes */
    uint64_t cost;
    struct a3mi_ranges have; /* bytes */
};

/* Where the frames of a unit come from. */
struct a3mi_origin {
    struct a3mi_peer *peer;
    uint64_t incarnation;
    struct a3mi_rx *control; /* of the half-connection */
};

/* A channel in its first state, not attached. */
void a3mi_rx_init(struct a3mi_assoc *assoc, struct a3mi_rx *rx, uint32_t index, uint64_t max_message);

/*
 * Adds an empty partial message with room for the first `room` of its bytes, as if one of its pieces had come.
 * NULL: no memory.
 */
struct a3mi_partial *a3mi_partial_add(struct a3mi_assoc *assoc, struct a3mi_rx *rx, uint64_t number,
                                      uint32_t total, size_t room, bool props, bool free);
/* Counts it, as large as it is now, and gives it room for bytes up to `end`. False: no memory. */
bool a3mi_partial_enlarge(struct a3mi_assoc *assoc, struct a3mi_rx *rx, struct a3mi_partial *partial,
                          uint64_t end);

/* The pool of incomplete messages. */
void a3mi_partial_slab_init(struct a3mi_slab *slab);
/* Frees incomplete messages. */
void a3mi_rx_clear(struct a3mi_assoc *assoc, struct a3mi_rx *rx);

/*
 * Takes the frames of a unit, but for the first *done, and hands up what is
 * complete. True: all of them, *done is their number. False: there was no room
 * for frame *done, nor for those behind it.
 */
bool a3mi_channel_take(struct a3mi_assoc *assoc, const struct a3mi_origin *origin, const uint8_t *frames,
                       size_t size, uint32_t *done);

/* The channel with this index that belongs to the origin, or NULL. */
struct a3mi_rx *a3mi_channel_find(struct a3mi_assoc *assoc, const struct a3mi_origin *origin, uint32_t index);

/*
 * Whether the set has room for [first, end): lends it a block, or a larger one, of up to `most` ranges, when
 * that is what it lacks.
 */
enum a3mi_ranges_added a3mi_ranges_make_room(struct a3mi_assoc *assoc, struct a3mi_ranges *ranges,
                                             uint64_t first, uint64_t end, uint32_t most);
/* Takes the block back, when it is not needed (or `always`). */
void a3mi_ranges_tidy(struct a3mi_assoc *assoc, struct a3mi_ranges *ranges, bool always);
void a3mi_ranges_slabs_init(struct a3mi_assoc *assoc);
void a3mi_ranges_slabs_fini(struct a3mi_assoc *assoc);

#endif
