/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: what units are made of (docs/wire.md). The first byte is the kind in
 * the high three bits and flags in the low five. Small and inline, as this is
 * done for every message. Pure, no locks.
 *
 *  PAD     00000000, and the rest of the unit means nothing
 *  DATA    [link u32, number u64 unless NEXT] [offset u32 unless FIRST]
 *          [total u32 unless FIRST and LAST] length u16, bytes
 *  CREDIT  link u32, epoch u32, messages u64, bytes u64
 */
#ifndef A3MI_FRAME_H
#define A3MI_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

enum a3mi_frame_kind {
    A3MI_FRAME_PAD = 0,
    A3MI_FRAME_DATA = 1,
    A3MI_FRAME_CREDIT = 2,
};

enum {
    A3MI_FRAME_NEXT = 1u << 0,  /* the link of the DATA frame before, and the number after its */
    A3MI_FRAME_FIRST = 1u << 1, /* begins a message */
    A3MI_FRAME_LAST = 1u << 2,  /* ends it */
    A3MI_FRAME_PROPS = 1u << 3, /* the message begins with properties; on every frame of it */
    A3MI_FRAME_FREE = 1u << 4,  /* the message waits for no earlier one of its link; on every frame of it */
    A3MI_FRAME_WHOLE = A3MI_FRAME_FIRST | A3MI_FRAME_LAST,
};

#define A3MI_FRAME_CREDIT_SIZE 25u

/* A DATA or CREDIT frame. */
struct a3mi_frame {
    uint8_t kind, flags;
    bool has_link; /* a DATA frame was read */
    uint32_t link;
    /* DATA; the reader keeps link and number from frame to frame */
    uint64_t number;
    uint32_t offset, total;
    uint32_t size;
    const uint8_t *bytes; /* borrowed */
    /* CREDIT, which leaves `link` as it was */
    uint32_t credit_link, epoch;
    uint64_t credit_messages, credit_bytes;
};

/* Bytes of a DATA frame without its message's. */
static inline size_t a3mi_frame_data_header(uint8_t flags)
{
    size_t size = 1 + 2;

    size += (flags & A3MI_FRAME_NEXT) == 0 ? 12 : 0;
    size += (flags & A3MI_FRAME_FIRST) == 0 ? 4 : 0;
    size += (flags & A3MI_FRAME_WHOLE) != A3MI_FRAME_WHOLE ? 4 : 0;
    return size;
}

/* Writes the head of a DATA frame; `p` has room. Returns where the bytes go. */
static inline uint8_t *a3mi_frame_write_data(uint8_t *p, const struct a3mi_frame *in)
{
    *p++ = (uint8_t)(A3MI_FRAME_DATA << 5 | in->flags);
    if ((in->flags & A3MI_FRAME_NEXT) == 0) {
        a3mi_store_be32(p, in->link);
        a3mi_store_be64(p + 4, in->number);
        p += 12;
    }
    if ((in->flags & A3MI_FRAME_FIRST) == 0) {
        a3mi_store_be32(p, in->offset);
        p += 4;
    }
    if ((in->flags & A3MI_FRAME_WHOLE) != A3MI_FRAME_WHOLE) {
        a3mi_store_be32(p, in->total);
        p += 4;
    }
    a3mi_store_be16(p, (uint16_t)in->size);
    return p + 2;
}

/* Writes a CREDIT frame; `p` has room. Returns what is behind it. */
static inline uint8_t *a3mi_frame_write_credit(uint8_t *p, const struct a3mi_frame *in)
{
    *p = A3MI_FRAME_CREDIT << 5;
    a3mi_store_be32(p + 1, in->credit_link);
    a3mi_store_be32(p + 5, in->epoch);
    a3mi_store_be64(p + 9, in->credit_messages);
    a3mi_store_be64(p + 17, in->credit_bytes);
    return p + A3MI_FRAME_CREDIT_SIZE;
}

/* Reads frames of a unit one by one; begin with a frame of all zeros. */
enum a3mi_frame_result {
    A3MI_FRAME_OK,
    A3MI_FRAME_END, /* no more frames */
    A3MI_FRAME_BAD, /* malformed: the rest means nothing */
};

/* The parts of a DATA frame that stand only in some; see a3mi_frame_read. */
static inline bool a3mi_frame_read_fragment(struct a3mi_rd *rd, struct a3mi_frame *frame)
{
    frame->offset = (frame->flags & A3MI_FRAME_FIRST) == 0 ? a3mi_rd_u32(rd) : 0;
    frame->total = a3mi_rd_u32(rd);
    frame->size = a3mi_rd_u16(rd);
    frame->bytes = a3mi_rd_bytes(rd, frame->size);
    uint64_t end = (uint64_t)frame->offset + frame->size;
    bool last = (frame->flags & A3MI_FRAME_LAST) != 0;
    bool first = (frame->flags & A3MI_FRAME_FIRST) != 0;

    /* A fragment has bytes; the last ends at the total, no other does; only the first is at 0. */
    return !rd->bad && frame->size > 0 && (last ? end == frame->total : end < frame->total) &&
           first == (frame->offset == 0);
}

static inline bool a3mi_frame_read_data(struct a3mi_rd *rd, struct a3mi_frame *frame)
{
    if ((frame->flags & A3MI_FRAME_NEXT) == 0) {
        frame->link = a3mi_rd_u32(rd);
        frame->number = a3mi_rd_u64(rd);
        frame->has_link = true;
    } else if (frame->has_link) {
        frame->number++;
    } else {
        return false;
    }
    if ((frame->flags & A3MI_FRAME_WHOLE) != A3MI_FRAME_WHOLE) {
        return a3mi_frame_read_fragment(rd, frame);
    }
    frame->offset = 0;
    frame->size = a3mi_rd_u16(rd);
    frame->total = frame->size;
    frame->bytes = a3mi_rd_bytes(rd, frame->size);
    return !rd->bad;
}

static inline bool a3mi_frame_read_credit(struct a3mi_rd *rd, struct a3mi_frame *frame)
{
    frame->credit_link = a3mi_rd_u32(rd);
    frame->epoch = a3mi_rd_u32(rd);
    frame->credit_messages = a3mi_rd_u64(rd);
    frame->credit_bytes = a3mi_rd_u64(rd);
    return !rd->bad && frame->flags == 0;
}

static inline enum a3mi_frame_result a3mi_frame_read(struct a3mi_rd *rd, struct a3mi_frame *frame)
{
    if (a3mi_rd_left(rd) == 0 || *rd->p == A3MI_FRAME_PAD) {
        return A3MI_FRAME_END;
    }
    uint8_t head = *rd->p++;
    bool good = false;

    frame->kind = head >> 5;
    frame->flags = head & 31u;
    if (frame->kind == A3MI_FRAME_DATA) {
        good = a3mi_frame_read_data(rd, frame);
    } else if (frame->kind == A3MI_FRAME_CREDIT) {
        good = a3mi_frame_read_credit(rd, frame);
    }
    return good ? A3MI_FRAME_OK : A3MI_FRAME_BAD;
}

#endif
