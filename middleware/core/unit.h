/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unit: the frames of one packet, with what is needed to send them again and
 * to know whose messages are acknowledged with it. The frames stand behind
 * enough room for any header, so that a packet is one piece of memory and is
 * never copied. From a slab; belongs to its sender. Private to core.
 */
#ifndef A3MI_UNIT_H
#define A3MI_UNIT_H

#include "core/rate.h"
#include "core/state.h"

/* Channels that can have messages in one unit. */
#define A3MI_UNIT_PARTS 8u
/* In front of the frames: header, fixed part, acknowledgement. */
#define A3MI_UNIT_HEADROOM (A3MI_PACKET_HEADER + A3MI_DATA_FIXED + A3MI_ACK_MAX)
/* Bytes of frames in a packet. */
#define A3MI_UNIT_FRAMES(packet) ((packet)-A3MI_PACKET_HEADER - A3MI_DATA_FIXED)
/* Bytes of a unit for packets of up to so many. */
#define A3MI_UNIT_SIZE(packet) \
    (offsetof(struct a3mi_unit, bytes) + A3MI_UNIT_HEADROOM + A3MI_UNIT_FRAMES(packet))

/* What a channel has in a unit. */
struct a3mi_part {
    struct a3mi_tx *tx;     /* NULL: detached since */
    struct a3mi_list on_tx; /* in tx->parts while the unit is unacknowledged */
    uint64_t first;         /* number of the first message that it holds a piece of */
};

struct a3mi_unit {
    struct a3mi_list list; /* in the sender's `sent` or `lost` */
    uint64_t seq;
    uint64_t number; /* of its last transmission */
    int64_t sent_at;
    uint32_t packet; /* bytes of its last packet */
    uint32_t frames; /* bytes of frames */
    uint8_t count;   /* transmissions; stays at 255 */
    uint8_t flags;   /* of the DATA packet */
    bool lost;       /* in `lost`, not in `sent` */
    bool
        urgent; /* it has control messages or grants: the first time that it is lost, it is the first to go again */
    int64_t lost_at; /* when it was found to be lost last; INT64_MIN: never */
    int64_t probed;  /* a probe took the place of the transmission sent then; INT64_MIN: none did */
    struct a3mi_rate_stamp rate;
    uint8_t parts_count;
    struct a3mi_part parts[A3MI_UNIT_PARTS];
    bool large; /* of packets above the base size */
    uint8_t bytes[];
};

/* What it takes. */
static inline size_t a3mi_unit_size(bool large)
{
    return large ? A3MI_UNIT_SIZE(A3MI_PACKET_MAX) : A3MI_UNIT_SIZE(A3MI_PACKET_SMALL_MAX);
}

/* One for packets of up to `packet` bytes; NULL: no memory. */
static inline struct a3mi_unit *a3mi_unit_new(struct a3mi_assoc *assoc, size_t packet)
{
    bool large = packet > A3MI_PACKET_SMALL_MAX;
    struct a3mi_unit *unit = a3mi_slab_get(large ? &assoc->large_unit_slab : &assoc->unit_slab);

    if (unit != NULL) {
        unit->large = large;
        assoc->stats.unit_bytes += a3mi_unit_size(large);
    }
    return unit;
}

static inline void a3mi_unit_free(struct a3mi_assoc *assoc, struct a3mi_unit *unit)
{
    assoc->stats.unit_bytes -= a3mi_unit_size(unit->large);
    a3mi_slab_put(unit->large ? &assoc->large_unit_slab : &assoc->unit_slab, unit);
}

static inline uint8_t *a3mi_unit_frames(struct a3mi_unit *unit)
{
    return unit->bytes + A3MI_UNIT_HEADROOM;
}

/* The part of a channel, added if need be, for the message that it packs now; NULL when all are taken. */
struct a3mi_part *a3mi_unit_part(struct a3mi_unit *unit, struct a3mi_tx *tx);

/*
 * What is acknowledged of a channel: all messages below this number. Later ones may be, but their receiver keeps
 * them until it has the ones before, and throws them away should it never get these.
 */
uint64_t a3mi_unit_acked_below(const struct a3mi_tx *tx);

/*
 * The unit was acknowledged: puts its channels into assoc->acked when that makes
 * messages of theirs acknowledged. The parts are then empty.
 */
void a3mi_unit_acknowledged(struct a3mi_assoc *assoc, struct a3mi_unit *unit);

/* Takes a channel (NULL: every channel) out of the unit, which stays as it is otherwise. */
void a3mi_unit_forget(struct a3mi_unit *unit, const struct a3mi_tx *tx);

#endif
