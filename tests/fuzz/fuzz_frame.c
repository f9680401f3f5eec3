/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames of a unit (core/frame.h): what reads well is written again as the
 * very bytes that it was read from, stays inside of the unit, and keeps what
 * the reader promises of fragments.
 */
#include "core/frame.h"
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_data(const struct a3mi_frame *frame, bool had_link)
{
    uint64_t end = (uint64_t)frame->offset + frame->size;
    bool first = (frame->flags & A3MI_FRAME_FIRST) != 0;
    bool last = (frame->flags & A3MI_FRAME_LAST) != 0;

    assert(frame->has_link && (had_link || (frame->flags & A3MI_FRAME_NEXT) == 0));
    assert(first == (frame->offset == 0) && end <= frame->total && last == (end == frame->total));
    assert(frame->size > 0 || (first && last));
}

/* Returns the size of what was written. */
static size_t write_again(const struct a3mi_frame *frame, uint8_t *out)
{
    if (frame->kind == A3MI_FRAME_CREDIT) {
        return (size_t)(a3mi_frame_write_credit(out, frame) - out);
    }
    uint8_t *bytes = a3mi_frame_write_data(out, frame);

    assert((size_t)(bytes - out) == a3mi_frame_data_header(frame->flags));
    if (frame->size > 0) {
        memcpy(bytes, frame->bytes, frame->size);
    }
    return (size_t)(bytes - out) + frame->size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[UINT16_MAX + 64];
    struct a3mi_frame frame = {0};
    struct a3mi_rd rd;
    enum a3mi_frame_result result;
    size_t count = 0;

    a3mi_rd_init(&rd, data, size);
    for (;;) {
        const uint8_t *at = rd.p;
        bool had_link = frame.has_link;
        uint32_t link = frame.link;
        uint64_t number = frame.number;

        result = a3mi_frame_read(&rd, &frame);
        if (result != A3MI_FRAME_OK) {
            break;
        }
        size_t taken = (size_t)(rd.p - at);

        assert(taken > 0 && (size_t)(rd.p - data) <= size && ++count <= size);
        if (frame.kind == A3MI_FRAME_DATA) {
            check_data(&frame, had_link);
            assert(frame.size == 0 || frame.bytes + frame.size == rd.p);
            assert((frame.flags & A3MI_FRAME_NEXT) == 0 ||
                   (frame.link == link && frame.number == number + 1));
        } else {
            assert(frame.kind == A3MI_FRAME_CREDIT && frame.link == link && frame.number == number);
        }
        assert(write_again(&frame, again) == taken && memcmp(again, at, taken) == 0);
    }
    assert(result == A3MI_FRAME_BAD || a3mi_rd_left(&rd) == 0 || *rd.p == A3MI_FRAME_PAD);
    return 0;
}
