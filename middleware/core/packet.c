/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets as bytes (core/packet.h, docs/wire.md). Write and read of a body stand
 * together, so that one can be held against the other.
 */
#include "core/packet.h"

#include <string.h>

#include "base/checksum.h"
#include "base/cursor.h"

/* "A3M1": the version is in it, and no packet of another protocol passes by chance. */
#define CHECKSUM_MARK UINT32_C(0x41334d31)

/* ---- Header --------------------------------------------------------------- */

/*
 * Over everything behind the field, combined with the four bytes before it: the
 * whole packet, without writing to it, and with the seed that XXH3 is fast for.
 */
static uint32_t checksum(const uint8_t *bytes, size_t size)
{
    return a3mi_checksum(bytes + 8, size - 8, 0) ^ a3mi_load_be32(bytes) ^ CHECKSUM_MARK;
}

enum a3mi_packet_error a3mi_packet_read(const uint8_t *bytes, size_t size, struct a3mi_packet *out)
{
    if (size < 2) {
        return A3MI_PACKET_BAD;
    }
    out->version = bytes[0];
    out->type = bytes[1];
    if (out->version != A3MI_WIRE_VERSION) {
        return A3MI_PACKET_BAD_VERSION;
    }
    if (size < A3MI_PACKET_HEADER) {
        return A3MI_PACKET_BAD;
    }
    if (a3mi_load_be32(bytes + 4) != checksum(bytes, size)) {
        return A3MI_PACKET_BAD_CHECKSUM;
    }
    if (a3mi_load_be16(bytes + 2) != 0) {
        return A3MI_PACKET_BAD;
    }
    out->addressee = a3mi_load_be64(bytes + 8);
    out->number = a3mi_load_be64(bytes + 16);
    out->body = bytes + A3MI_PACKET_HEADER;
    out->body_size = size - A3MI_PACKET_HEADER;
    return A3MI_PACKET_OK;
}

void a3mi_packet_seal(uint8_t *bytes, size_t size, enum a3mi_packet_type type, uint64_t addressee,
                      uint64_t number)
{
    bytes[0] = A3MI_WIRE_VERSION;
    bytes[1] = (uint8_t)type;
    a3mi_store_be16(bytes + 2, 0);
    a3mi_store_be64(bytes + 8, addressee);
    a3mi_store_be64(bytes + 16, number);
    a3mi_store_be32(bytes + 4, checksum(bytes, size));
}

/* ---- Pieces of bodies ------------------------------------------------------ */

/* Not inline: gcc 12 would follow the cursor into branches that cannot be, and report them. */
static __attribute__((noinline)) struct a3mi_wr begin_write(uint8_t *body)
{
    struct a3mi_wr wr;

    a3mi_wr_init(&wr, body, A3MI_CONTROL_PACKET_MAX - A3MI_PACKET_HEADER);
    return wr;
}

static struct a3mi_rd begin_read(const struct a3mi_packet *packet)
{
    struct a3mi_rd rd;

    a3mi_rd_init(&rd, packet->body, packet->body_size);
    return rd;
}

static void pad(struct a3mi_wr *wr)
{
    while (a3mi_wr_len(wr) < A3MI_PACKET_MIN - A3MI_PACKET_HEADER) {
        a3mi_wr_u8(wr, 0);
    }
}

static void write_name(struct a3mi_wr *wr, const struct a3mi_name *name)
{
    a3mi_wr_u8(wr, name->len);
    a3mi_wr_bytes(wr, name->s, name->len);
}

/* An empty name is `bad` unless `optional`. */
static void read_name(struct a3mi_rd *rd, struct a3mi_name *name, bool optional)
{
    uint8_t len = a3mi_rd_u8(rd);
    const uint8_t *bytes = a3mi_rd_bytes(rd, len);

    name->len = 0;
    name->s[0] = '\0';
    if (bytes == NULL || (len == 0 && optional)) {
        return;
    }
    if (a3mi_name_set(name, (const char *)bytes, len) != 0) {
        rd->bad = true;
    }
}

/* Nothing is left, or zeros where a packet is padded. What this version does not know is refused, not skipped. */
static bool ends(const struct a3mi_rd *rd, bool padded)
{
    const uint8_t *p = rd->p;
    size_t left = a3mi_rd_left(rd);

    return !rd->bad && (left == 0 || (padded && p[0] == 0 && memcmp(p, p + 1, left - 1) == 0));
}

static void read_cookie(struct a3mi_rd *rd, uint8_t cookie[A3MI_COOKIE_SIZE])
{
    const uint8_t *bytes = a3mi_rd_bytes(rd, A3MI_COOKIE_SIZE);

    if (bytes != NULL) {
        memcpy(cookie, bytes, A3MI_COOKIE_SIZE);
    }
}

/*
 * Extensions at the end of OPEN and ACCEPT: type u8, length u8, value; those of
 * unknown type are skipped. Type 0 has neither length nor value, and stands for
 * the rest of the packet.
 */
enum { EXTENSION_PAD = 0, EXTENSION_COOKIE = 1 };

/* Flags of OPEN. */
enum { OPEN_AFRESH = 1 };

static bool next_extension(struct a3mi_rd *rd, uint8_t *type, struct a3mi_rd *value)
{
    if (a3mi_rd_left(rd) == 0 || (*type = a3mi_rd_u8(rd)) == EXTENSION_PAD) {
        return false;
    }
    size_t size = a3mi_rd_u8(rd);
    const uint8_t *bytes = a3mi_rd_bytes(rd, size);

    if (bytes == NULL) {
        return false;
    }
    a3mi_rd_init(value, bytes, size);
    return true;
}

/* ---- OPEN ------------------------------------------------------------------- */

size_t a3mi_open_write(uint8_t *body, const struct a3mi_open *in)
{
    struct a3mi_wr wr = begin_write(body);

    a3mi_wr_u64(&wr, in->s);
    a3mi_wr_u64(&wr, in->order);
    a3mi_wr_u64(&wr, in->source_incarnation);
    a3mi_wr_u64(&wr, in->destination_incarnation);
    a3mi_wr_u32(&wr, in->time);
    a3mi_wr_u8(&wr, in->afresh ? OPEN_AFRESH : 0);
    write_name(&wr, &in->source);
    write_name(&wr, &in->destination);
    if (in->has_cookie) {
        a3mi_wr_u8(&wr, EXTENSION_COOKIE);
        a3mi_wr_u8(&wr, A3MI_COOKIE_SIZE);
        a3mi_wr_bytes(&wr, in->cookie, A3MI_COOKIE_SIZE);
    }
    pad(&wr);
    return a3mi_wr_len(&wr);
}

bool a3mi_open_read(const struct a3mi_packet *packet, struct a3mi_open *out)
{
    struct a3mi_rd rd = begin_read(packet);
    struct a3mi_rd value;
    uint8_t type;

    out->s = a3mi_rd_u64(&rd);
    out->order = a3mi_rd_u64(&rd);
    out->source_incarnation = a3mi_rd_u64(&rd);
    out->destination_incarnation = a3mi_rd_u64(&rd);
    out->time = a3mi_rd_u32(&rd);
    uint8_t flags = a3mi_rd_u8(&rd);

    out->afresh = (flags & OPEN_AFRESH) != 0;
    read_name(&rd, &out->source, false);
    read_name(&rd, &out->destination, true);
    out->has_cookie = false;
    while (next_extension(&rd, &type, &value)) {
        if (type == EXTENSION_COOKIE) {
            read_cookie(&value, out->cookie);
            out->has_cookie = true;
            rd.bad |= value.bad;
        }
    }
    return ends(&rd, true) && (flags & ~(unsigned)OPEN_AFRESH) == 0 && packet->addressee == 0 &&
           out->source_incarnation != 0;
}

/* ---- RETRY ------------------------------------------------------------------ */

size_t a3mi_retry_write(uint8_t *body, const struct a3mi_retry *in)
{
    struct a3mi_wr wr = begin_write(body);

    a3mi_wr_bytes(&wr, in->cookie, A3MI_COOKIE_SIZE);
    return a3mi_wr_len(&wr);
}

bool a3mi_retry_read(const struct a3mi_packet *packet, struct a3mi_retry *out)
{
    struct a3mi_rd rd = begin_read(packet);

    read_cookie(&rd, out->cookie);
    return ends(&rd, false);
}

/* ---- REFUSE ----------------------------------------------------------------- */

size_t a3mi_refuse_write(uint8_t *body, const struct a3mi_refuse *in)
{
    struct a3mi_wr wr = begin_write(body);

    a3mi_wr_u8(&wr, in->reason);
    a3mi_wr_u64(&wr, in->source_incarnation);
    a3mi_wr_u64(&wr, in->destination_incarnation);
    a3mi_wr_u64(&wr, in->incarnation);
    write_name(&wr, &in->author);
    return a3mi_wr_len(&wr);
}

bool a3mi_refuse_read(const struct a3mi_packet *packet, struct a3mi_refuse *out)
{
    struct a3mi_rd rd = begin_read(packet);

    out->reason = a3mi_rd_u8(&rd);
    out->source_incarnation = a3mi_rd_u64(&rd);
    out->destination_incarnation = a3mi_rd_u64(&rd);
    out->incarnation = a3mi_rd_u64(&rd);
    read_name(&rd, &out->author, false);
    return ends(&rd, false);
}

/* ---- ACCEPT ----------------------------------------------------------------- */

size_t a3mi_accept_write(uint8_t *body, const struct a3mi_accept *in)
{
    struct a3mi_wr wr = begin_write(body);

    a3mi_wr_u64(&wr, in->r);
    a3mi_wr_u64(&wr, in->limit);
    a3mi_wr_u64(&wr, in->source_incarnation);
    a3mi_wr_u64(&wr, in->incarnation);
    a3mi_wr_u32(&wr, in->time);
    write_name(&wr, &in->source);
    write_name(&wr, &in->author);
    return a3mi_wr_len(&wr);
}

bool a3mi_accept_read(const struct a3mi_packet *packet, struct a3mi_accept *out)
{
    struct a3mi_rd rd = begin_read(packet);
    struct a3mi_rd value;
    uint8_t type;

    out->r = a3mi_rd_u64(&rd);
    out->limit = a3mi_rd_u64(&rd);
    out->source_incarnation = a3mi_rd_u64(&rd);
    out->incarnation = a3mi_rd_u64(&rd);
    out->time = a3mi_rd_u32(&rd);
    read_name(&rd, &out->source, false);
    read_name(&rd, &out->author, false);
    while (next_extension(&rd, &type, &value)) {}
    return ends(&rd, true) && out->incarnation != 0;
}

/* ---- ACK -------------------------------------------------------------------- */

static uint8_t *put64(uint8_t *p, uint64_t v)
{
    a3mi_store_be64(p, v);
    return p + 8;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
    a3mi_store_be32(p, v);
    return p + 4;
}

size_t a3mi_ack_write(uint8_t *body, const struct a3mi_ack *in)
{
    uint8_t *p = body;

    p = put64(p, in->s);
    p = put64(p, in->r);
    p = put64(p, in->cumulative);
    p = put64(p, in->limit);
    p = put64(p, in->echo);
    p = put32(p, in->echo_time);
    p = put32(p, in->delay);
    *p++ = in->count;
    for (unsigned i = 0; i < in->count; i++) {
        p = put32(p, in->ranges[i].gap);
        p = put32(p, in->ranges[i].length);
    }
    return (size_t)(p - body);
}

static void read_ack(struct a3mi_rd *rd, struct a3mi_ack *out)
{
    const uint8_t *p = a3mi_rd_bytes(rd, A3MI_ACK_FIXED);

    if (p == NULL) {
        return;
    }
    out->s = a3mi_load_be64(p);
    out->r = a3mi_load_be64(p + 8);
    out->cumulative = a3mi_load_be64(p + 16);
    out->limit = a3mi_load_be64(p + 24);
    out->echo = a3mi_load_be64(p + 32);
    out->echo_time = a3mi_load_be32(p + 40);
    out->delay = a3mi_load_be32(p + 44);
    out->count = p[48];
    if (out->count > A3MI_ACK_RANGES) {
        rd->bad = true;
        return;
    }
    for (unsigned i = 0; i < out->count; i++) {
        out->ranges[i].gap = a3mi_rd_u32(rd);
        out->ranges[i].length = a3mi_rd_u32(rd);
        rd->bad |= out->ranges[i].gap == 0 || out->ranges[i].length == 0;
    }
}

bool a3mi_ack_read(const struct a3mi_packet *packet, struct a3mi_ack *out)
{
    struct a3mi_rd rd = begin_read(packet);

    read_ack(&rd, out);
    return ends(&rd, false);
}

/* ---- DATA ------------------------------------------------------------------- */

uint8_t *a3mi_data_write_before(uint8_t *frames, const struct a3mi_data *in, const struct a3mi_ack *ack)
{
    uint8_t *body = frames - A3MI_DATA_FIXED;
    uint8_t flags = in->flags & (uint8_t)~A3MI_DATA_HAS_ACK;

    if (ack != NULL) {
        body -= a3mi_ack_size(ack);
        flags |= A3MI_DATA_HAS_ACK;
        (void)a3mi_ack_write(body + A3MI_DATA_FIXED, ack);
    }
    a3mi_store_be64(body, in->seq);
    body[8] = in->count;
    body[9] = flags;
    a3mi_store_be32(body + 10, in->time);
    return body;
}

bool a3mi_data_read(const struct a3mi_packet *packet, struct a3mi_data *out)
{
    struct a3mi_rd rd = begin_read(packet);
    const uint8_t *p = a3mi_rd_bytes(&rd, A3MI_DATA_FIXED);

    if (p == NULL) {
        return false;
    }
    out->seq = a3mi_load_be64(p);
    out->count = p[8];
    out->flags = p[9];
    rd.bad |= (out->flags & ~(unsigned)A3MI_DATA_FLAGS) != 0;
    out->time = a3mi_load_be32(p + 10);
    if ((out->flags & A3MI_DATA_HAS_ACK) != 0) {
        read_ack(&rd, &out->ack);
    }
    out->frames_size = a3mi_rd_left(&rd);
    out->frames = a3mi_rd_bytes(&rd, out->frames_size);
    return !rd.bad;
}

/* ---- PING ------------------------------------------------------------------- */

size_t a3mi_ping_write(uint8_t *body, const struct a3mi_ping *in)
{
    struct a3mi_wr wr = begin_write(body);

    a3mi_wr_u64(&wr, in->s);
    a3mi_wr_u32(&wr, in->time);
    pad(&wr);
    return a3mi_wr_len(&wr);
}

bool a3mi_ping_read(const struct a3mi_packet *packet, struct a3mi_ping *out)
{
    struct a3mi_rd rd = begin_read(packet);

    out->s = a3mi_rd_u64(&rd);
    out->time = a3mi_rd_u32(&rd);
    return ends(&rd, true);
}

/* ---- CLOSE ------------------------------------------------------------------ */

size_t a3mi_close_write(uint8_t *body, const struct a3mi_close *in)
{
    struct a3mi_wr wr = begin_write(body);

    a3mi_wr_u64(&wr, in->s);
    a3mi_wr_u64(&wr, in->incarnation);
    write_name(&wr, &in->author);
    return a3mi_wr_len(&wr);
}

bool a3mi_close_read(const struct a3mi_packet *packet, struct a3mi_close *out)
{
    struct a3mi_rd rd = begin_read(packet);

    out->s = a3mi_rd_u64(&rd);
    out->incarnation = a3mi_rd_u64(&rd);
    read_name(&rd, &out->author, false);
    return ends(&rd, false);
}

/* ---- PROBE ------------------------------------------------------------------ */

size_t a3mi_probe_write(uint8_t *body, const struct a3mi_probe *in)
{
    struct a3mi_wr wr = begin_write(body);

    a3mi_wr_u64(&wr, in->r);
    a3mi_wr_u64(&wr, in->incarnation);
    write_name(&wr, &in->destination);
    pad(&wr);
    return a3mi_wr_len(&wr);
}

bool a3mi_probe_read(const struct a3mi_packet *packet, struct a3mi_probe *out)
{
    struct a3mi_rd rd = begin_read(packet);

    out->r = a3mi_rd_u64(&rd);
    out->incarnation = a3mi_rd_u64(&rd);
    read_name(&rd, &out->destination, false);
    return ends(&rd, true);
}

/* ---- ALIVE ------------------------------------------------------------------ */

size_t a3mi_alive_write(uint8_t *body, const struct a3mi_alive *in)
{
    struct a3mi_wr wr = begin_write(body);

    a3mi_wr_u64(&wr, in->s);
    return a3mi_wr_len(&wr);
}

bool a3mi_alive_read(const struct a3mi_packet *packet, struct a3mi_alive *out)
{
    struct a3mi_rd rd = begin_read(packet);

    out->s = a3mi_rd_u64(&rd);
    return ends(&rd, false);
}

/* ---- RESET ------------------------------------------------------------------ */

size_t a3mi_reset_write(uint8_t *body, const struct a3mi_reset *in)
{
    struct a3mi_wr wr = begin_write(body);

    a3mi_wr_u8(&wr, in->kind);
    a3mi_wr_u64(&wr, in->incarnation);
    a3mi_wr_u64(&wr, in->cumulative);
    write_name(&wr, &in->author);
    return a3mi_wr_len(&wr);
}

bool a3mi_reset_read(const struct a3mi_packet *packet, struct a3mi_reset *out)
{
    struct a3mi_rd rd = begin_read(packet);

    out->kind = a3mi_rd_u8(&rd);
    out->incarnation = a3mi_rd_u64(&rd);
    out->cumulative = a3mi_rd_u64(&rd);
    read_name(&rd, &out->author, false);
    return ends(&rd, false) && (out->kind == A3MI_RESET_NOTHING || out->kind == A3MI_RESET_UNKNOWN);
}

/* ---- CHALLENGE, RESPONSE ------------------------------------------------------ */

size_t a3mi_challenge_write(uint8_t *body, const struct a3mi_challenge *in)
{
    struct a3mi_wr wr = begin_write(body);

    /* Not padded: what it is sent for may be an ALIVE of 32 bytes from an address that proved nothing. */
    a3mi_wr_u64(&wr, in->author);
    a3mi_wr_u64(&wr, in->nonce);
    return a3mi_wr_len(&wr);
}

bool a3mi_challenge_read(const struct a3mi_packet *packet, struct a3mi_challenge *out)
{
    struct a3mi_rd rd = begin_read(packet);

    out->author = a3mi_rd_u64(&rd);
    out->nonce = a3mi_rd_u64(&rd);
    return ends(&rd, true);
}

size_t a3mi_response_write(uint8_t *body, const struct a3mi_response *in)
{
    struct a3mi_wr wr = begin_write(body);

    a3mi_wr_u64(&wr, in->nonce);
    return a3mi_wr_len(&wr);
}

bool a3mi_response_read(const struct a3mi_packet *packet, struct a3mi_response *out)
{
    struct a3mi_rd rd = begin_read(packet);

    out->nonce = a3mi_rd_u64(&rd);
    return ends(&rd, false);
}

/* ---- VERSION ---------------------------------------------------------------- */

size_t a3mi_version_write(uint8_t *body)
{
    body[0] = 1;
    body[1] = A3MI_WIRE_VERSION;
    return 2;
}
