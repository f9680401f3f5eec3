/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of core/packet.h, every type, both ways. An input is a type, a mode,
 * and either a body as it could come from the network (the checksum is made
 * right here), the members of a body, or a whole datagram. What reads well is
 * written and read back the same, and written again it is the same bytes.
 */
#include <stdlib.h>

#include "core/packet.h"
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any member of any body. */
union body {
    struct a3mi_open open;
    struct a3mi_retry retry;
    struct a3mi_refuse refuse;
    struct a3mi_accept accept;
    struct a3mi_data data;
    struct a3mi_ack ack;
    struct a3mi_ping ping;
    struct a3mi_close close;
    struct a3mi_probe probe;
    struct a3mi_alive alive;
    struct a3mi_reset reset;
    struct a3mi_challenge challenge;
    struct a3mi_response response;
};

#define ROOM 4096
/* Where the frames of a DATA stand, with room in front for all the rest. */
#define FRAMES_AT (A3MI_PACKET_HEADER + A3MI_DATA_FIXED + A3MI_ACK_MAX)

struct bytes {
    uint8_t b[ROOM];
    size_t begin, size; /* of the packet, header included */
};

/* ---- Reading ------------------------------------------------------------------ */

static bool read_body(const struct a3mi_packet *packet, union body *out)
{
    memset(out, 0, sizeof(*out));
    switch ((enum a3mi_packet_type)packet->type) {
    case A3MI_PACKET_OPEN: return a3mi_open_read(packet, &out->open);
    case A3MI_PACKET_RETRY: return a3mi_retry_read(packet, &out->retry);
    case A3MI_PACKET_REFUSE: return a3mi_refuse_read(packet, &out->refuse);
    case A3MI_PACKET_ACCEPT: return a3mi_accept_read(packet, &out->accept);
    case A3MI_PACKET_DATA: return a3mi_data_read(packet, &out->data);
    case A3MI_PACKET_ACK: return a3mi_ack_read(packet, &out->ack);
    case A3MI_PACKET_PING: return a3mi_ping_read(packet, &out->ping);
    case A3MI_PACKET_CLOSE: return a3mi_close_read(packet, &out->close);
    case A3MI_PACKET_PROBE: return a3mi_probe_read(packet, &out->probe);
    case A3MI_PACKET_ALIVE: return a3mi_alive_read(packet, &out->alive);
    case A3MI_PACKET_RESET: return a3mi_reset_read(packet, &out->reset);
    case A3MI_PACKET_CHALLENGE: return a3mi_challenge_read(packet, &out->challenge);
    case A3MI_PACKET_RESPONSE: return a3mi_response_read(packet, &out->response);
    case A3MI_PACKET_VERSION: return false;
    }
    return false;
}

/* ---- Writing ------------------------------------------------------------------ */

static void write_data(struct bytes *out, const struct a3mi_data *in)
{
    uint8_t *frames = out->b + FRAMES_AT;
    bool has_ack = (in->flags & A3MI_DATA_HAS_ACK) != 0;

    assert(FRAMES_AT + in->frames_size <= ROOM);
    if (in->frames_size > 0) {
        memcpy(frames, in->frames, in->frames_size);
    }
    uint8_t *body = a3mi_data_write_before(frames, in, has_ack ? &in->ack : NULL);

    out->begin = (size_t)(body - out->b) - A3MI_PACKET_HEADER;
    out->size = FRAMES_AT + in->frames_size - out->begin;
}

static size_t write_small(uint8_t *body, enum a3mi_packet_type type, const union body *in)
{
    switch (type) {
    case A3MI_PACKET_OPEN: return a3mi_open_write(body, &in->open);
    case A3MI_PACKET_RETRY: return a3mi_retry_write(body, &in->retry);
    case A3MI_PACKET_REFUSE: return a3mi_refuse_write(body, &in->refuse);
    case A3MI_PACKET_ACCEPT: return a3mi_accept_write(body, &in->accept);
    case A3MI_PACKET_ACK: return a3mi_ack_write(body, &in->ack);
    case A3MI_PACKET_PING: return a3mi_ping_write(body, &in->ping);
    case A3MI_PACKET_CLOSE: return a3mi_close_write(body, &in->close);
    case A3MI_PACKET_PROBE: return a3mi_probe_write(body, &in->probe);
    case A3MI_PACKET_ALIVE: return a3mi_alive_write(body, &in->alive);
    case A3MI_PACKET_RESET: return a3mi_reset_write(body, &in->reset);
    case A3MI_PACKET_CHALLENGE: return a3mi_challenge_write(body, &in->challenge);
    case A3MI_PACKET_RESPONSE: return a3mi_response_write(body, &in->response);
    case A3MI_PACKET_VERSION: return a3mi_version_write(body);
    case A3MI_PACKET_DATA: break;
    }
    assert(false);
    return 0;
}

static void write_packet(struct bytes *out, const struct a3mi_packet *head, const union body *in)
{
    enum a3mi_packet_type type = (enum a3mi_packet_type)head->type;

    memset(out, 0, sizeof(*out));
    if (type == A3MI_PACKET_DATA) {
        write_data(out, &in->data);
    } else {
        out->size = A3MI_PACKET_HEADER + write_small(out->b + A3MI_PACKET_HEADER, type, in);
        assert(out->size <= A3MI_CONTROL_PACKET_MAX);
    }
    a3mi_packet_seal(out->b + out->begin, out->size, type, head->addressee, head->number);
}

/* ---- Both ways ---------------------------------------------------------------- */

static bool same_data(const struct a3mi_data *a, const struct a3mi_data *b)
{
    return a->seq == b->seq && a->count == b->count && a->flags == b->flags && a->time == b->time &&
           /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): zeroed before they were filled */
           memcmp(&a->ack, &b->ack, sizeof(a->ack)) == 0 && a->frames_size == b->frames_size &&
           (a->frames_size == 0 || memcmp(a->frames, b->frames, a->frames_size) == 0);
}

/* Bodies were zeroed before they were filled: they are the same when their bytes are. */
static bool same(uint8_t type, const union body *a, const union body *b)
{
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
    return type == A3MI_PACKET_DATA ? same_data(&a->data, &b->data) : memcmp(a, b, sizeof(*a)) == 0;
}

/* A body that was read, or made: written, read, written. */
static void check_round_trip(const struct a3mi_packet *head, const union body *body)
{
    struct bytes first, second;
    struct a3mi_packet again;
    union body body_again;

    write_packet(&first, head, body);
    assert(a3mi_packet_read(first.b + first.begin, first.size, &again) == A3MI_PACKET_OK);
    assert(again.type == head->type && again.addressee == head->addressee && again.number == head->number);
    assert(read_body(&again, &body_again));
    assert(same(head->type, body, &body_again));
    write_packet(&second, &again, &body_again);
    assert(second.begin == first.begin && second.size == first.size);
    assert(memcmp(first.b + first.begin, second.b + second.begin, first.size) == 0);
    /* No beginning of it passes, and no bit of it can change unnoticed. */
    for (size_t n = 0; n < first.size; n++) {
        assert(a3mi_packet_read(first.b + first.begin, n, &again) != A3MI_PACKET_OK);
    }
    first.b[first.begin + head->number % first.size] ^= (uint8_t)(1u << (head->addressee % 8));
    assert(a3mi_packet_read(first.b + first.begin, first.size, &again) != A3MI_PACKET_OK);
}

static void run_datagram(const uint8_t *bytes, size_t size)
{
    struct a3mi_packet packet;
    union body body;

    if (a3mi_packet_read(bytes, size, &packet) == A3MI_PACKET_OK && read_body(&packet, &body)) {
        check_round_trip(&packet, &body);
    }
}

/* The rest of the input is a body, as it stands. */
static void run_body(uint8_t type, struct fuzz_input *in)
{
    uint64_t addressee = fuzz_u64(in), number = fuzz_u64(in);
    size_t size;
    const uint8_t *bytes = fuzz_bytes(in, A3MI_PACKET_BASE, &size);
    uint8_t *packet = malloc(A3MI_PACKET_HEADER + size); /* exactly as large, for the sanitizer */

    assert(packet != NULL);
    if (size > 0) {
        memcpy(packet + A3MI_PACKET_HEADER, bytes, size);
    }
    a3mi_packet_seal(packet, A3MI_PACKET_HEADER + size, (enum a3mi_packet_type)type, addressee, number);
    run_datagram(packet, A3MI_PACKET_HEADER + size);
    free(packet);
}

/* ---- Bodies made of members ------------------------------------------------------ */

static void make_ack(struct fuzz_input *in, struct a3mi_ack *out)
{
    out->s = fuzz_u64(in);
    out->r = fuzz_u64(in);
    out->cumulative = fuzz_u64(in);
    out->limit = fuzz_u64(in);
    out->echo = fuzz_u64(in);
    out->echo_time = fuzz_u32(in);
    out->delay = fuzz_u32(in);
    out->count = fuzz_u8(in) % (A3MI_ACK_RANGES + 1);
    for (unsigned i = 0; i < out->count; i++) {
        out->ranges[i].gap = fuzz_u32(in) | 1;
        out->ranges[i].length = fuzz_u32(in) | 1;
    }
}

static void make_open(struct fuzz_input *in, struct a3mi_open *out)
{
    uint8_t flags = fuzz_u8(in);

    out->s = fuzz_u64(in);
    out->order = fuzz_u64(in);
    out->source_incarnation = fuzz_u64(in) | 1;
    out->destination_incarnation = fuzz_u64(in);
    out->time = fuzz_u32(in);
    out->afresh = (flags & 1) != 0;
    out->has_cookie = (flags & 2) != 0;
    out->source = fuzz_name(in);
    if ((flags & 4) != 0) {
        out->destination = fuzz_name(in);
    }
    for (unsigned i = 0; i < A3MI_COOKIE_SIZE && out->has_cookie; i++) {
        out->cookie[i] = fuzz_u8(in);
    }
}

static void make_data(struct fuzz_input *in, struct a3mi_data *out)
{
    out->seq = fuzz_u64(in);
    out->count = fuzz_u8(in);
    out->flags = fuzz_u8(in) & A3MI_DATA_FLAGS;
    out->time = fuzz_u32(in);
    if ((out->flags & A3MI_DATA_HAS_ACK) != 0) {
        make_ack(in, &out->ack);
    }
    out->frames = fuzz_bytes(in, A3MI_PACKET_BASE, &out->frames_size);
}

static void make_accept(struct fuzz_input *in, struct a3mi_accept *out)
{
    out->r = fuzz_u64(in);
    out->limit = fuzz_u64(in);
    out->source_incarnation = fuzz_u64(in);
    out->incarnation = fuzz_u64(in) | 1;
    out->time = fuzz_u32(in);
    out->source = fuzz_name(in);
    out->author = fuzz_name(in);
}

static void make_refuse(struct fuzz_input *in, struct a3mi_refuse *out)
{
    out->reason = fuzz_u8(in);
    out->source_incarnation = fuzz_u64(in);
    out->destination_incarnation = fuzz_u64(in);
    out->incarnation = fuzz_u64(in);
    out->author = fuzz_name(in);
}

/* False: there is no such body. */
static bool make_body(enum a3mi_packet_type type, struct fuzz_input *in, union body *out)
{
    memset(out, 0, sizeof(*out));
    switch (type) {
    case A3MI_PACKET_OPEN: make_open(in, &out->open); return true;
    case A3MI_PACKET_RETRY:
        for (unsigned i = 0; i < A3MI_COOKIE_SIZE; i++) {
            out->retry.cookie[i] = fuzz_u8(in);
        }
        return true;
    case A3MI_PACKET_REFUSE: make_refuse(in, &out->refuse); return true;
    case A3MI_PACKET_ACCEPT: make_accept(in, &out->accept); return true;
    case A3MI_PACKET_DATA: make_data(in, &out->data); return true;
    case A3MI_PACKET_ACK: make_ack(in, &out->ack); return true;
    case A3MI_PACKET_PING:
        out->ping.s = fuzz_u64(in);
        out->ping.time = fuzz_u32(in);
        return true;
    case A3MI_PACKET_CLOSE:
        out->close.s = fuzz_u64(in);
        out->close.incarnation = fuzz_u64(in);
        out->close.author = fuzz_name(in);
        return true;
    case A3MI_PACKET_PROBE:
        out->probe.r = fuzz_u64(in);
        out->probe.incarnation = fuzz_u64(in);
        out->probe.destination = fuzz_name(in);
        return true;
    case A3MI_PACKET_ALIVE: out->alive.s = fuzz_u64(in); return true;
    case A3MI_PACKET_RESET:
        out->reset.kind = (uint8_t)(A3MI_RESET_NOTHING + fuzz_u8(in) % 2);
        out->reset.incarnation = fuzz_u64(in);
        out->reset.author = fuzz_name(in);
        return true;
    case A3MI_PACKET_CHALLENGE:
        out->challenge.author = fuzz_u64(in);
        out->challenge.nonce = fuzz_u64(in);
        return true;
    case A3MI_PACKET_RESPONSE: out->response.nonce = fuzz_u64(in); return true;
    case A3MI_PACKET_VERSION: return false;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t mode = fuzz_u8(&in);
    uint8_t type = fuzz_u8(&in) % 16;
    struct a3mi_packet head = {.type = type};
    union body body;

    if (mode % 3 == 0) {
        run_datagram(in.p, in.left);
    } else if (mode % 3 == 1) {
        run_body(type, &in);
    } else if (make_body((enum a3mi_packet_type)type, &in, &body)) {
        head.addressee = fuzz_u64(&in);
        head.addressee = type == A3MI_PACKET_OPEN ? 0 : head.addressee;
        head.number = fuzz_u64(&in);
        check_round_trip(&head, &body);
    }
    return 0;
}
