/* SPDX-License-Identifier: Apache-2.0 */
/* Ethernet frames (frame.h). */
#include "net/frame.h"

#include <inttypes.h>

#include "core/packet.h"

enum {
    ETHERNET = 14,
    IPV4 = 20,
    IPV6 = 40,
    UDP = 8,
    TCP = 20,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    PROTOCOL_FRAGMENT = 44, /* RFC 8200, 4.5 */
};

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) << 16 | get16(p + 2);
}

/* Where the transport's header begins, and its protocol; 0: not one that is looked into. */
static size_t find_transport(const uint8_t *bytes, size_t size, uint8_t *protocol)
{
    const uint8_t *ip = bytes + ETHERNET;

    if (size >= ETHERNET + IPV4 && get16(bytes + 12) == 0x0800 && ip[0] >> 4 == 4) {
        *protocol = ip[9];
        return (get16(ip + 6) & 0x3fff) == 0 ? ETHERNET + (size_t)(ip[0] & 15) * 4 : 0;
    }
    if (size >= ETHERNET + IPV6 && get16(bytes + 12) == 0x86dd && ip[0] >> 4 == 6) {
        *protocol = ip[6];
        return ETHERNET + IPV6;
    }
    return 0;
}

static bool is_fragment(const uint8_t *bytes, size_t size)
{
    const uint8_t *ip = bytes + ETHERNET;

    if (size >= ETHERNET + IPV4 && get16(bytes + 12) == 0x0800) {
        return (get16(ip + 6) & 0x3fff) != 0;
    }
    return size >= ETHERNET + IPV6 && get16(bytes + 12) == 0x86dd && ip[6] == PROTOCOL_FRAGMENT;
}

struct frame frame_view(uint8_t *bytes, size_t size)
{
    struct frame frame = {.kind = FRAME_OTHER};
    uint8_t protocol;
    size_t at = find_transport(bytes, size, &protocol);
    size_t header = 0;

    if (is_fragment(bytes, size)) {
        frame.kind = FRAME_FRAGMENT;
        return frame;
    }
    if (at == 0) {
        return frame;
    }
    if (protocol == PROTOCOL_UDP && size >= at + UDP) {
        frame.kind = FRAME_UDP;
        header = UDP;
    } else if (protocol == PROTOCOL_TCP && size >= at + TCP) {
        frame.kind = FRAME_TCP;
        header = (size_t)(bytes[at + 12] >> 4) * 4;
    }
    if (frame.kind == FRAME_OTHER || size < at + header) {
        return (struct frame){.kind = FRAME_OTHER};
    }
    frame.transport = bytes + at;
    frame.payload = frame.transport + header;
    /* A short frame may be padded behind its datagram. */
    frame.payload_size = size - at - header;
    if (frame.kind == FRAME_UDP && get16(frame.transport + 4) >= UDP &&
        get16(frame.transport + 4) - UDP < frame.payload_size) {
        frame.payload_size = get16(frame.transport + 4) - UDP;
    }
    return frame;
}

/* RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). A checksum of 0 stands for none. */
static void mend_checksum(uint8_t *checksum, uint32_t old, uint32_t new)
{
    uint32_t sum = get16(checksum);

    if (sum == 0) {
        return;
    }
    sum = (~sum & 0xffff) + (~old & 0xffff) + new;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~sum & 0xffff;
    sum = sum == 0 ? 0xffff : sum;
    checksum[0] = (uint8_t)(sum >> 8);
    checksum[1] = (uint8_t)sum;
}

void frame_damage(struct frame *frame, bool mend, struct a3mi_rng *rng)
{
    /* Two bits could make up for one another in the kernel's eyes. */
    uint64_t flips = mend ? 1 + a3mi_rng_below(rng, 3) : 1;
    uint64_t bits = frame->payload_size * 8;

    if (bits == 0) {
        return;
    }
    uint64_t bit = a3mi_rng_below(rng, bits);

    for (uint64_t i = 0; i < flips; i++, bit = (bit + 17) % bits) {
        uint8_t *byte = frame->payload + bit / 8;
        /* Its place in the word of the checksum: the header has an even length. */
        unsigned shift = (bit / 8) % 2 == 0 ? 8 : 0;
        uint32_t old = (uint32_t)*byte << shift;

        *byte ^= (uint8_t)(1u << bit % 8);
        if (mend) {
            mend_checksum(frame->transport + 6, old, (uint32_t)*byte << shift);
        }
    }
}

static void describe_a3m(const struct frame *frame, FILE *to)
{
    static const char *const names[] = {"VERSION", "OPEN",  "RETRY",     "REFUSE",  "ACCEPT",
                                        "DATA",    "ACK",   "PING",      "CLOSE",   "PROBE",
                                        "ALIVE",   "RESET", "CHALLENGE", "RESPONSE"};
    struct a3mi_packet packet;
    struct a3mi_data data;
    struct a3mi_ack ack;

    if (a3mi_packet_read(frame->payload, frame->payload_size, &packet) != A3MI_PACKET_OK) {
        (void)fputs(" not A3M, or damaged", to);
        return;
    }
    (void)fprintf(to, " %s for %08" PRIx32 " number %" PRIu64,
                  packet.type < sizeof(names) / sizeof(names[0]) ? names[packet.type] : "?",
                  (uint32_t)(packet.addressee >> 32), packet.number);
    bool has_ack = false;
    if (packet.type == A3MI_PACKET_DATA && a3mi_data_read(&packet, &data)) {
        (void)fprintf(to, " seq %" PRIu64 " count %u size %zu", data.seq, data.count, data.frames_size);
        has_ack = (data.flags & A3MI_DATA_HAS_ACK) != 0;
        ack = data.ack;
    } else if (packet.type == A3MI_PACKET_ACK) {
        has_ack = a3mi_ack_read(&packet, &ack);
    }
    if (has_ack) {
        (void)fprintf(to, " acks below %" PRIu64 " and %u ranges, echo %" PRIu64 ", delay %" PRIu32 " us",
                      ack.cumulative, ack.count, ack.echo, ack.delay);
    }
}

void frame_describe(const struct frame *frame, FILE *to)
{
    const uint8_t *t = frame->transport;

    if (frame->kind == FRAME_OTHER) {
        (void)fputs("other", to);
        return;
    }
    if (frame->kind == FRAME_FRAGMENT) {
        (void)fputs("fragment", to);
        return;
    }
    (void)fprintf(to, "%s %" PRIu32 ">%" PRIu32 " %zu bytes", frame->kind == FRAME_UDP ? "udp" : "tcp",
                  get16(t), get16(t + 2), frame->payload_size);
    if (frame->kind == FRAME_UDP) {
        describe_a3m(frame, to);
    } else {
        (void)fprintf(to, " seq %" PRIu32 " ack %" PRIu32 " flags %02x window %" PRIu32, get32(t + 4),
                      get32(t + 8), t[13], get16(t + 14));
    }
}
