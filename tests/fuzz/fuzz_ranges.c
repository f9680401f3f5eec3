/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of numbers (core/ranges.h) against the plainest set there is, an array
 * of bits; then what an acknowledgement says of the set, as one that fits into
 * a packet, is what is in it.
 */
#include "core/packet.h"
#include "core/ranges.h"
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NUMBERS  1024u
#define CAPACITY 8u

struct model {
    bool has[NUMBERS + 256];
};

static uint64_t model_next(const struct model *m)
{
    uint64_t n = 0;

    while (m->has[n]) {
        n++;
    }
    return n;
}

/* Runs of numbers above the first gap. */
static uint32_t model_count(const struct model *m)
{
    uint32_t count = 0;

    for (uint64_t n = model_next(m) + 1; n < sizeof(m->has) / sizeof(m->has[0]); n++) {
        count += m->has[n] && !m->has[n - 1];
    }
    return count;
}

static void check_same(const struct a3mi_ranges *r, const struct model *m)
{
    uint64_t at = r->next;

    assert(r->next == model_next(m) && r->count == model_count(m) && r->count <= r->capacity);
    for (uint32_t i = 0; i < r->count; i++) {
        assert(r->v[i].first > at && r->v[i].first < r->v[i].end);
        at = r->v[i].end;
    }
    assert(a3mi_ranges_end(r) == at);
    for (uint64_t n = 0; n < sizeof(m->has) / sizeof(m->has[0]); n++) {
        assert(a3mi_ranges_has(r, n) == m->has[n]);
    }
    assert(!a3mi_ranges_has(r, UINT64_MAX - 1));
}

static enum a3mi_ranges_added model_probe(const struct model *m, uint64_t first, uint64_t end,
                                          uint32_t capacity)
{
    struct model after = *m;

    for (uint64_t n = first; n < end; n++) {
        if (m->has[n]) {
            return A3MI_RANGES_PRESENT;
        }
        after.has[n] = true;
    }
    /* One that continues at `next` never needs a place; one that joins two gives a place back. */
    return model_count(&after) <= capacity || model_count(&after) <= model_count(m) ? A3MI_RANGES_ADDED
                                                                                    : A3MI_RANGES_FULL;
}

/* The ranges told as an acknowledgement does, and read as a sender does. */
static void check_told(const struct a3mi_ranges *r, const struct model *m)
{
    uint8_t bytes[A3MI_PACKET_HEADER + A3MI_ACK_MAX];
    struct a3mi_ack ack = {.cumulative = r->next, .count = (uint8_t)r->count}, read;
    struct a3mi_packet packet;
    struct model told = {0};
    uint64_t at = r->next;

    for (uint32_t i = 0; i < r->count; i++) {
        ack.ranges[i].gap = (uint32_t)(r->v[i].first - at);
        ack.ranges[i].length = (uint32_t)(r->v[i].end - r->v[i].first);
        at = r->v[i].end;
    }
    size_t size = A3MI_PACKET_HEADER + a3mi_ack_write(bytes + A3MI_PACKET_HEADER, &ack);

    a3mi_packet_seal(bytes, size, A3MI_PACKET_ACK, 1, 2);
    assert(a3mi_packet_read(bytes, size, &packet) == A3MI_PACKET_OK && a3mi_ack_read(&packet, &read));
    memset(told.has, true, read.cumulative);
    at = read.cumulative;
    for (unsigned i = 0; i < read.count; i++) {
        at += read.ranges[i].gap;
        memset(told.has + at, true, read.ranges[i].length);
        at += read.ranges[i].length;
    }
    assert(memcmp(&told, m, sizeof(told)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct a3mi_range block[CAPACITY];
    struct a3mi_ranges r;
    struct model m = {0};

    a3mi_ranges_init(&r);
    while (in.left > 0) {
        uint64_t first = fuzz_u16(&in) % NUMBERS;
        uint64_t end = first + 1 + fuzz_u8(&in);

        if (first % 3 == 0) {
            first = r.next; /* in order, as most comes */
            end = first + 1 + end % 4;
        }
        if (end > NUMBERS) {
            break;
        }
        enum a3mi_ranges_added expected = model_probe(&m, first, end, r.capacity);

        assert(a3mi_ranges_probe(&r, first, end) == expected);
        assert(a3mi_ranges_add(&r, first, end) == expected);
        if (expected == A3MI_RANGES_ADDED) {
            memset(m.has + first, true, end - first);
        } else if (expected == A3MI_RANGES_FULL && r.v == NULL) {
            a3mi_ranges_lend(&r, block, CAPACITY);
        }
        if (r.count == 0 && r.v != NULL) {
            assert(a3mi_ranges_take_back(&r) == block);
        }
    }
    check_same(&r, &m);
    check_told(&r, &m);
    return 0;
}
