/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiving side of channels (core/channel.h): frames into messages. What
 * arrives whole and in turn, or need not wait for its turn, is handed up at once;
 * everything else waits among the channel's partial messages, found by number. The
 * numbers of what was handed up are kept as ranges, so none is handed up twice
 * whatever a peer does. Pieces are copied to where they belong in memory that is no
 * larger than twice what came, and what is granted: it grows by moving pages,
 * whatever size the first piece claims. A message is handed up only when every byte
 * of it was written.
 */
#include "core/channel.h"

#include <string.h>

#include "base/message.h"
#include "core/memory.h"
#include "core/peer.h"

enum taken {
    TAKEN,
    NO_ROOM, /* nothing was changed: the same frame can be offered again */
};

/* ---- Channels --------------------------------------------------------------- */

void a3mi_rx_init(struct a3mi_assoc *assoc, struct a3mi_rx *rx, uint32_t index, uint64_t max_message)
{
    uint64_t seed = assoc->config.seed ^ index;

    *rx = (struct a3mi_rx){.index = index, .max_message = max_message};
    a3mi_list_init(&rx->partial);
    a3mi_map64_init_seeded(&rx->by_number, a3mi_splitmix64(&seed));
}

struct a3mi_rx *a3mi_channel_find(struct a3mi_assoc *assoc, const struct a3mi_origin *origin, uint32_t index)
{
    struct a3mi_rx *rx = a3mi_map64_get(&assoc->channels, index);

    if (rx == NULL || rx->peer != origin->peer) {
        return NULL;
    }
    return rx->incarnation == 0 || rx->incarnation == origin->incarnation ? rx : NULL;
}

/* The same for data: remembered, as frames of a channel stand together, and bound to the origin. */
static struct a3mi_rx *find_for_data(struct a3mi_assoc *assoc, const struct a3mi_origin *origin,
                                     uint32_t index)
{
    if (index == 0) {
        return origin->control;
    }
    if (index != assoc->cached_index) {
        assoc->cached_rx = a3mi_channel_find(assoc, origin, index);
        assoc->cached_index = index;
        if (assoc->cached_rx != NULL) {
            assoc->cached_rx->incarnation = origin->incarnation;
        }
    }
    return assoc->cached_rx;
}

/* Whether a channel is still there after a hook was called: detaching clears the cache. */
static bool is_there(const struct a3mi_assoc *assoc, const struct a3mi_rx *rx)
{
    return rx->index == 0 || assoc->cached_rx == rx;
}

/* ---- Blocks of ranges --------------------------------------------------------- */

static struct a3mi_slab *block_slab(struct a3mi_assoc *assoc, uint32_t capacity)
{
    unsigned i = 0;

    while ((A3MI_RANGES_BLOCK << 3 * i) < capacity) {
        i++;
    }
    return &assoc->ranges_slabs[i];
}

void a3mi_ranges_slabs_init(struct a3mi_assoc *assoc)
{
    for (unsigned i = 0; i < A3MI_RANGES_SIZES; i++) {
        a3mi_slab_init(&assoc->ranges_slabs[i],
                       ((size_t)A3MI_RANGES_BLOCK << 3 * i) * sizeof(struct a3mi_range), i == 0 ? 4 : 1, 0);
    }
}

void a3mi_ranges_slabs_fini(struct a3mi_assoc *assoc)
{
    for (unsigned i = 0; i < A3MI_RANGES_SIZES; i++) {
        a3mi_slab_fini(&assoc->ranges_slabs[i]);
    }
}

/* Moves what there is into a block of the next size. */
static bool enlarge(struct a3mi_assoc *assoc, struct a3mi_ranges *ranges, uint32_t most)
{
    uint32_t old = ranges->capacity;
    uint32_t capacity = old == 0 ? A3MI_RANGES_BLOCK : old << 3;
    struct a3mi_range *block = capacity <= most ? a3mi_slab_get(block_slab(assoc, capacity)) : NULL;

    if (block == NULL) {
        return false;
    }
    uint32_t count = ranges->count;
    struct a3mi_range *before = a3mi_ranges_take_back(ranges);

    if (before != NULL) {
        memcpy(block, before, count * sizeof(*block));
        a3mi_slab_put(block_slab(assoc, old), before);
    }
    a3mi_ranges_lend(ranges, block, capacity);
    ranges->count = count;
    return true;
}

enum a3mi_ranges_added a3mi_ranges_make_room(struct a3mi_assoc *assoc, struct a3mi_ranges *ranges,
                                             uint64_t first, uint64_t end, uint32_t most)
{
    enum a3mi_ranges_added answer = a3mi_ranges_probe(ranges, first, end);

    if (answer == A3MI_RANGES_FULL && enlarge(assoc, ranges, most)) {
        answer = A3MI_RANGES_ADDED;
    }
    return answer;
}

void a3mi_ranges_tidy(struct a3mi_assoc *assoc, struct a3mi_ranges *ranges, bool always)
{
    if (ranges->v != NULL && (always || ranges->count == 0)) {
        uint32_t capacity = ranges->capacity;

        a3mi_slab_put(block_slab(assoc, capacity), a3mi_ranges_take_back(ranges));
    }
}

void a3mi_partial_slab_init(struct a3mi_slab *slab)
{
    a3mi_slab_init(slab, sizeof(struct a3mi_partial), 64, 0);
}

/* What a block of ranges takes. */
#define BLOCK (A3MI_RANGES_BLOCK * sizeof(struct a3mi_range))

/* ---- Partial messages ---------------------------------------------------------- */

/* What it takes: its room, its records and, while there are gaps in it, a block of ranges. */
static uint64_t cost_of(const struct a3mi_partial *partial)
{
    return A3MI_WAITING_COST + partial->msg->size + partial->have.capacity * sizeof(struct a3mi_range);
}

/* It counts as so much from now on. */
static void weigh(struct a3mi_assoc *assoc, struct a3mi_rx *rx, struct a3mi_partial *partial, uint64_t cost)
{
    if (partial->its_turn) {
        a3mi_memory_assemble(assoc, rx->peer, partial->cost, cost);
    } else {
        a3mi_memory_hold(assoc, rx->peer, partial->cost, cost);
        rx->partial_bytes += cost - partial->cost;
    }
    partial->cost = cost;
}

/* It is the next to be handed up: what it takes is what its link's credit allows. */
static void take_turn(struct a3mi_assoc *assoc, struct a3mi_rx *rx, struct a3mi_partial *partial)
{
    uint64_t cost = partial->cost;

    if (!partial->its_turn) {
        weigh(assoc, rx, partial, 0);
        partial->its_turn = true;
        weigh(assoc, rx, partial, cost);
    }
}

static void partial_free(struct a3mi_assoc *assoc, struct a3mi_rx *rx, struct a3mi_partial *partial)
{
    weigh(assoc, rx, partial, 0);
    a3m_msg_free(partial->msg);
    rx->partial_count--;
    (void)a3mi_map64_del(&rx->by_number, partial->number);
    a3mi_list_remove(&partial->list);
    a3mi_ranges_tidy(assoc, &partial->have, true);
    a3mi_slab_put(&assoc->partial_slab, partial);
}

void a3mi_rx_clear(struct a3mi_assoc *assoc, struct a3mi_rx *rx)
{
    struct a3mi_list *it;

    while ((it = a3mi_list_first(&rx->partial)) != NULL) {
        struct a3mi_partial *partial = a3mi_container_of(it, struct a3mi_partial, list);

        /* Its end was accepted, so perhaps all of it. Where a piece comes later, the end does not. */
        assoc->stats.orphaned += rx->index != 0 && a3mi_ranges_end(&partial->have) == partial->total;
        partial_free(assoc, rx, partial);
    }
    a3mi_map64_fini(&rx->by_number);
    a3mi_ranges_tidy(assoc, &rx->up, true);
}

/* The one with this number, or NULL. Most pieces are of the message that began last. */
static struct a3mi_partial *find_partial(const struct a3mi_rx *rx, uint64_t number)
{
    if (a3mi_list_empty(&rx->partial)) {
        return NULL;
    }
    struct a3mi_partial *last = a3mi_container_of(rx->partial.prev, struct a3mi_partial, list);

    return last->number == number ? last : a3mi_map64_get(&rx->by_number, number);
}

struct a3mi_partial *a3mi_partial_add(struct a3mi_assoc *assoc, struct a3mi_rx *rx, uint64_t number,
                                      uint32_t total, size_t room, bool props, bool free)
{
    struct a3mi_partial *partial = a3mi_slab_get(&assoc->partial_slab);

    if (partial == NULL) {
        return NULL;
    }
    *partial = (struct a3mi_partial){
        .number = number, .total = total, .props = props, .free = free, .its_turn = number == rx->up.next};
    partial->msg = a3m_msg_new(room);
    if (partial->msg == NULL || a3mi_map64_put(&rx->by_number, number, partial) != 0) {
        a3m_msg_free(partial->msg);
        a3mi_slab_put(&assoc->partial_slab, partial);
        return NULL;
    }
    a3mi_list_push_back(&rx->partial, &partial->list);
    rx->partial_count++;
    weigh(assoc, rx, partial, cost_of(partial));
    return partial;
}

bool a3mi_partial_enlarge(struct a3mi_assoc *assoc, struct a3mi_rx *rx, struct a3mi_partial *partial,
                          uint64_t end)
{
    uint64_t room = partial->msg->size;

    if (end > room) {
        room = end > 2 * room ? end : 2 * room;
        a3m_msg *msg = a3mi_msg_resize(partial->msg, room < partial->total ? room : partial->total);

        if (msg == NULL) {
            return false;
        }
        partial->msg = msg;
    }
    weigh(assoc, rx, partial, cost_of(partial));
    return true;
}

/* ---- Room ------------------------------------------------------------------------ */

/* How far the pieces of a message may be ahead of what there is of it without a gap: as far as is granted. */
static uint64_t reach(const struct a3mi_assoc *assoc)
{
    return (uint64_t)assoc->config.window * A3MI_PACKET_BASE + A3MI_PACKET_LARGEST;
}

/*
 * Whether a piece may be taken; so much more is needed for it. The message whose turn it is may always have it,
 * so that what waits for it gets away.
 */
static bool may_take(const struct a3mi_assoc *assoc, const struct a3mi_rx *rx, const struct a3mi_frame *frame,
                     uint64_t more)
{
    return frame->number == rx->up.next || a3mi_memory_fits(assoc, rx->peer, more);
}

static struct a3mi_partial *partial_new(struct a3mi_assoc *assoc, struct a3mi_rx *rx,
                                        const struct a3mi_frame *frame)
{
    uint64_t end = (uint64_t)frame->offset + frame->size;
    uint64_t room = end > A3MI_PIECES_ROOM ? end : A3MI_PIECES_ROOM;
    uint64_t block = (frame->flags & A3MI_FRAME_WHOLE) != A3MI_FRAME_WHOLE ? BLOCK : 0;
    bool full = rx->partial_count >= A3MI_WAITING_MESSAGES && frame->number != rx->up.next;

    room = room < frame->total ? room : frame->total;
    if (full || end > reach(assoc) || !may_take(assoc, rx, frame, A3MI_WAITING_COST + room + block)) {
        return NULL;
    }
    return a3mi_partial_add(assoc, rx, frame->number, frame->total, room,
                            (frame->flags & A3MI_FRAME_PROPS) != 0, (frame->flags & A3MI_FRAME_FREE) != 0);
}

/* Makes a message ready for one more piece. False: no room, or it is too far ahead of the others. */
static bool make_room(struct a3mi_assoc *assoc, struct a3mi_rx *rx, struct a3mi_partial *partial,
                      const struct a3mi_frame *frame)
{
    uint64_t end = (uint64_t)frame->offset + frame->size;
    uint64_t room = partial->msg->size;
    uint64_t more = end > room ? end - room : 0;

    more += partial->have.capacity == 0 && frame->offset > partial->have.next ? BLOCK : 0;

    return end <= partial->have.next + reach(assoc) && may_take(assoc, rx, frame, more) &&
           a3mi_partial_enlarge(assoc, rx, partial, end);
}

/* ---- Handing up ------------------------------------------------------------------ */

/* Whether a whole message may be handed up now. One that need not wait does when the ranges have no room for it. */
static bool may_go(struct a3mi_assoc *assoc, struct a3mi_rx *rx, uint64_t number, bool free)
{
    return number == rx->up.next ||
           (free && rx->index != 0 &&
            a3mi_ranges_make_room(assoc, &rx->up, number, number + 1, A3MI_UP_MAX) == A3MI_RANGES_ADDED);
}

/* Notes that the message is handed up. */
static void went(struct a3mi_assoc *assoc, struct a3mi_rx *rx, uint64_t number)
{
    (void)a3mi_ranges_add(&rx->up, number, number + 1);
    a3mi_ranges_tidy(assoc, &rx->up, false);
}

/* A whole message that may go. The channel may be gone afterwards. */
static void hand_up(struct a3mi_assoc *assoc, const struct a3mi_origin *origin, struct a3mi_rx *rx,
                    uint64_t number, a3m_msg *msg, bool props)
{
    went(assoc, rx, number);
    if (rx->index == 0) {
        assoc->hooks->control(assoc->arg, origin->peer, origin->incarnation, msg->data, msg->size);
        a3m_msg_free(msg);
        return;
    }
    /* Until now there was room for properties; what the link's maximum is for are the bytes. */
    if ((props && a3mi_msg_props_take(msg) != 0) || msg->size > rx->max_message) {
        assoc->stats.bad_frame++;
        a3m_msg_free(msg);
        return;
    }
    assoc->stats.rx_messages++;
    msg->number = number;
    assoc->hooks->message(assoc->arg, rx, msg);
}

static void hand_up_partial(struct a3mi_assoc *assoc, const struct a3mi_origin *origin, struct a3mi_rx *rx,
                            struct a3mi_partial *partial)
{
    a3m_msg *msg = partial->msg;
    uint64_t number = partial->number;
    bool props = partial->props;

    partial->msg = NULL;
    partial_free(assoc, rx, partial);
    hand_up(assoc, origin, rx, number, msg, props);
}

static bool is_whole(const struct a3mi_partial *partial)
{
    return partial->have.next == partial->total;
}

/* Hands up what waited for its turn. */
static void hand_up_waiting(struct a3mi_assoc *assoc, const struct a3mi_origin *origin, struct a3mi_rx *rx)
{
    struct a3mi_partial *partial;

    while (is_there(assoc, rx) && (partial = find_partial(rx, rx->up.next)) != NULL) {
        if (!is_whole(partial)) {
            take_turn(assoc, rx, partial);
            return;
        }
        hand_up_partial(assoc, origin, rx, partial);
    }
}

/* ---- Frames ------------------------------------------------------------------------ */

/* The usual case: a whole message that may go. */
static enum taken take_whole(struct a3mi_assoc *assoc, const struct a3mi_origin *origin, struct a3mi_rx *rx,
                             const struct a3mi_frame *frame)
{
    if (rx->index == 0) {
        went(assoc, rx, frame->number);
        assoc->hooks->control(assoc->arg, origin->peer, origin->incarnation, frame->bytes, frame->size);
    } else {
        a3m_msg *msg = a3m_msg_new(frame->size);

        if (msg == NULL) {
            return NO_ROOM;
        }
        memcpy(msg->data, frame->bytes, frame->size);
        hand_up(assoc, origin, rx, frame->number, msg, (frame->flags & A3MI_FRAME_PROPS) != 0);
    }
    hand_up_waiting(assoc, origin, rx);
    return TAKEN;
}

/* A piece of a message, or one out of turn. */
static enum taken take_piece(struct a3mi_assoc *assoc, const struct a3mi_origin *origin, struct a3mi_rx *rx,
                             const struct a3mi_frame *frame)
{
    struct a3mi_partial *partial = find_partial(rx, frame->number);

    if (partial == NULL) {
        partial = partial_new(assoc, rx, frame);
        if (partial == NULL) {
            return NO_ROOM;
        }
    }
    bool props = (frame->flags & A3MI_FRAME_PROPS) != 0;
    bool free = (frame->flags & A3MI_FRAME_FREE) != 0;
    uint64_t end = (uint64_t)frame->offset + frame->size;

    if (partial->total != frame->total || partial->props != props || partial->free != free) {
        assoc->stats.bad_frame++;
        return TAKEN;
    }
    if (frame->size > 0) {
        if (!make_room(assoc, rx, partial, frame)) {
            return NO_ROOM;
        }
        switch (a3mi_ranges_make_room(assoc, &partial->have, frame->offset, end, A3MI_RANGES_BLOCK)) {
        case A3MI_RANGES_FULL: return NO_ROOM;
        case A3MI_RANGES_PRESENT: assoc->stats.bad_frame++; return TAKEN;
        case A3MI_RANGES_ADDED: break;
        }
        memcpy(partial->msg->data + frame->offset, frame->bytes, frame->size);
        (void)a3mi_ranges_add(&partial->have, frame->offset, end);
        a3mi_ranges_tidy(assoc, &partial->have, false);
        weigh(assoc, rx, partial, cost_of(partial));
    }
    if (is_whole(partial) && may_go(assoc, rx, frame->number, free)) {
        hand_up_partial(assoc, origin, rx, partial);
        hand_up_waiting(assoc, origin, rx);
    }
    return TAKEN;
}

static enum taken take_data(struct a3mi_assoc *assoc, const struct a3mi_origin *origin,
                            const struct a3mi_frame *frame)
{
    struct a3mi_rx *rx = find_for_data(assoc, origin, frame->link);

    if (rx == NULL) {
        assoc->stats.stray++;
        assoc->stats.orphaned += (frame->flags & A3MI_FRAME_LAST) != 0;
        return TAKEN;
    }
    size_t props = (frame->flags & A3MI_FRAME_PROPS) != 0 ? A3MI_PROPS_MAX : 0;

    bool free = (frame->flags & A3MI_FRAME_FREE) != 0;

    if (a3mi_ranges_has(&rx->up, frame->number) || frame->total > rx->max_message + props ||
        (rx->index == 0 && (props > 0 || free))) { /* link control has none, and is in order */
        assoc->stats.bad_frame++;
        return TAKEN;
    }
    if ((frame->flags & A3MI_FRAME_WHOLE) == A3MI_FRAME_WHOLE && find_partial(rx, frame->number) == NULL &&
        may_go(assoc, rx, frame->number, (frame->flags & A3MI_FRAME_FREE) != 0)) {
        return take_whole(assoc, origin, rx, frame);
    }
    return take_piece(assoc, origin, rx, frame);
}

static void take_credit(struct a3mi_assoc *assoc, const struct a3mi_origin *origin,
                        const struct a3mi_frame *frame)
{
    struct a3mi_rx *rx = a3mi_channel_find(assoc, origin, frame->credit_link);

    if (rx == NULL) {
        assoc->stats.stray++;
        return;
    }
    assoc->hooks->credit(assoc->arg, rx, frame->epoch, frame->credit_messages, frame->credit_bytes);
}

bool a3mi_channel_take(struct a3mi_assoc *assoc, const struct a3mi_origin *origin, const uint8_t *frames,
                       size_t size, uint32_t *done)
{
    struct a3mi_frame frame = {0};
    struct a3mi_rd rd;
    enum a3mi_frame_result result;
    uint32_t count = 0;

    assoc->cached_index = 0;
    assoc->cached_rx = NULL;
    a3mi_rd_init(&rd, frames, size);
    while ((result = a3mi_frame_read(&rd, &frame)) == A3MI_FRAME_OK) {
        if (count++ < *done) {
            continue;
        }
        if (frame.kind == A3MI_FRAME_CREDIT) {
            take_credit(assoc, origin, &frame);
        } else if (take_data(assoc, origin, &frame) == NO_ROOM) {
            *done = count - 1;
            return false;
        }
    }
    assoc->stats.bad_frame += result == A3MI_FRAME_BAD;
    *done = count;
    return true;
}
