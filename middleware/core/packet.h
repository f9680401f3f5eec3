/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets as bytes (docs/wire.md): the header that all share, and the body of
 * each type. Reading never touches a byte outside of the packet, and what it
 * borrows points into it. Pure, no locks.
 *
 *   0        1        2                 4                                   8
 *  ┌────────┬────────┬─────────────────┬───────────────────────────────────┐
 *  │version │ type   │ flags           │ checksum                          │
 *  ├────────┴────────┴─────────────────┴───────────────────────────────────┤
 *  │ addressee: the record the packet is for, by the id its owner drew     │
 *  ├───────────────────────────────────────────────────────────────────────┤
 *  │ transmission number                                                   │
 *  └───────────────────────────────────────────────────────────────────────┘
 */
#ifndef A3MI_PACKET_H
#define A3MI_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/name.h"

#define A3MI_WIRE_VERSION 1u

/* Base size of a packet: what nearly every path takes whole. Path probing raises it (core/pmtu.h). */
#define A3MI_PACKET_BASE 1400u
/* The largest size that is probed: a UDP datagram over IPv4 in a frame of 9,000 bytes. */
#define A3MI_PACKET_LARGEST 8972u
/* Left free in each packet for the tag of an encrypted one. */
#define A3MI_PACKET_TAG 16u
/* The largest packets that are built: of the base size, and at all. */
#define A3MI_PACKET_SMALL_MAX (A3MI_PACKET_BASE - A3MI_PACKET_TAG)
#define A3MI_PACKET_MAX       (A3MI_PACKET_LARGEST - A3MI_PACKET_TAG)
/* What a stranger may answer is padded to this, so that no answer is longer than three times the question. */
#define A3MI_PACKET_MIN 128u

#define A3MI_PACKET_HEADER 24u
#define A3MI_DATA_FIXED    14u
#define A3MI_ACK_FIXED     49u
#define A3MI_ACK_RANGES    32u
#define A3MI_ACK_MAX       (A3MI_ACK_FIXED + 8 * A3MI_ACK_RANGES)
#define A3MI_COOKIE_SIZE   16u

/* The largest packet of every type but DATA: an ACCEPT with two long ids. */
#define A3MI_CONTROL_PACKET_MAX 640u

/* A type never changes its number: a VERSION answer must be known in all versions. */
enum a3mi_packet_type {
    A3MI_PACKET_VERSION = 0,
    A3MI_PACKET_OPEN = 1,
    A3MI_PACKET_RETRY = 2,
    A3MI_PACKET_REFUSE = 3,
    A3MI_PACKET_ACCEPT = 4,
    A3MI_PACKET_DATA = 5,
    A3MI_PACKET_ACK = 6,
    A3MI_PACKET_PING = 7,
    A3MI_PACKET_CLOSE = 8,
    A3MI_PACKET_PROBE = 9,
    A3MI_PACKET_ALIVE = 10,
    A3MI_PACKET_RESET = 11,
    A3MI_PACKET_CHALLENGE = 12,
    A3MI_PACKET_RESPONSE = 13,
};

struct a3mi_packet {
    uint8_t version;
    uint8_t type;
    uint64_t addressee;
    uint64_t number;     /* of the transmission */
    const uint8_t *body; /* borrowed */
    size_t body_size;
};

enum a3mi_packet_error {
    A3MI_PACKET_OK = 0,
    A3MI_PACKET_BAD,          /* too short, or with flags that this version does not know */
    A3MI_PACKET_BAD_VERSION,  /* of another version: `version` and `type` are set */
    A3MI_PACKET_BAD_CHECKSUM, /* damaged */
};

/* Takes a packet's header off and verifies it. */
enum a3mi_packet_error a3mi_packet_read(const uint8_t *bytes, size_t size, struct a3mi_packet *out);

/* Writes header and checksum of a packet whose body stands at bytes + A3MI_PACKET_HEADER. */
void a3mi_packet_seal(uint8_t *bytes, size_t size, enum a3mi_packet_type type, uint64_t addressee,
                      uint64_t number);

/* ---- Bodies. Each read gives false when the body is malformed, or has anything that is not known. --- */
/* Each write fills a body into `body`, which has room, and returns its size. */

/* Asks for a receiver record for `s`. Addressee 0. */
struct a3mi_open {
    uint64_t s, order; /* the id, and the plain clock value behind it */
    uint64_t source_incarnation;
    uint64_t destination_incarnation; /* 0: whichever is there */
    uint32_t time;                    /* the author's µs, echoed by ACCEPT */
    bool
        afresh; /* the author ended what it had made with the destination: so must the destination, on first DATA */
    struct a3mi_name source;
    struct a3mi_name destination; /* len 0: whoever is there */
    bool has_cookie;
    uint8_t cookie[A3MI_COOKIE_SIZE];
};
size_t a3mi_open_write(uint8_t *body, const struct a3mi_open *in);
bool a3mi_open_read(const struct a3mi_packet *packet, struct a3mi_open *out);

/* Addressee s: OPEN again with the cookie. */
struct a3mi_retry {
    uint8_t cookie[A3MI_COOKIE_SIZE];
};
size_t a3mi_retry_write(uint8_t *body, const struct a3mi_retry *in);
bool a3mi_retry_read(const struct a3mi_packet *packet, struct a3mi_retry *out);

enum a3mi_refuse_reason {
    A3MI_REFUSE_INCARNATION = 1, /* OPEN named another incarnation of this node */
    A3MI_REFUSE_DUPLICATE = 2,   /* another live node has the source's id */
    A3MI_REFUSE_NODE = 3,        /* OPEN named another node */
};

/* Addressee s: no record. */
struct a3mi_refuse {
    uint8_t reason;
    uint64_t source_incarnation;      /* as in OPEN */
    uint64_t destination_incarnation; /* as in OPEN */
    uint64_t incarnation;             /* the author's */
    struct a3mi_name author;
};
size_t a3mi_refuse_write(uint8_t *body, const struct a3mi_refuse *in);
bool a3mi_refuse_read(const struct a3mi_packet *packet, struct a3mi_refuse *out);

/* Addressee s: the record is r. */
struct a3mi_accept {
    uint64_t r, limit;
    uint64_t source_incarnation; /* as in OPEN */
    uint64_t incarnation;        /* the author's */
    uint32_t time;               /* as in OPEN */
    struct a3mi_name source;     /* as in OPEN */
    struct a3mi_name author;
};
size_t a3mi_accept_write(uint8_t *body, const struct a3mi_accept *in);
bool a3mi_accept_read(const struct a3mi_packet *packet, struct a3mi_accept *out);

/* What R says of what it received; in ACK packets (addressee s), and riding on DATA. */
struct a3mi_ack {
    uint64_t s, r;
    uint64_t cumulative; /* every unit below */
    uint64_t limit;      /* units below may be sent */
    uint64_t echo;       /* the newest transmission number that arrived; 0: none */
    uint32_t echo_time;  /* the time it carried */
    uint32_t delay;      /* µs since it arrived */
    uint8_t count;
    struct {
        uint32_t gap;    /* units missing after the range before (or after `cumulative`), at least 1 */
        uint32_t length; /* units received, at least 1 */
    } ranges[A3MI_ACK_RANGES];
};
static inline size_t a3mi_ack_size(const struct a3mi_ack *ack)
{
    return A3MI_ACK_FIXED + 8 * (size_t)ack->count;
}
size_t a3mi_ack_write(uint8_t *body, const struct a3mi_ack *in);
bool a3mi_ack_read(const struct a3mi_packet *packet, struct a3mi_ack *out);

enum {
    A3MI_DATA_UNFILLED = 1u << 0, /* nothing more was waiting */
    A3MI_DATA_HAS_ACK = 1u << 1,
    A3MI_DATA_FLAGS = A3MI_DATA_UNFILLED | A3MI_DATA_HAS_ACK, /* no others are known */
};

/* Addressee r: a unit. */
struct a3mi_data {
    uint64_t seq;
    uint8_t count; /* transmissions so far, this one included; stays at 255 */
    uint8_t flags;
    uint32_t time;
    struct a3mi_ack ack;   /* with HAS_ACK */
    const uint8_t *frames; /* borrowed */
    size_t frames_size;
};
/* Writes all but the frames, in front of them: the body begins at the address returned. `ack` may be NULL. */
uint8_t *a3mi_data_write_before(uint8_t *frames, const struct a3mi_data *in, const struct a3mi_ack *ack);
bool a3mi_data_read(const struct a3mi_packet *packet, struct a3mi_data *out);

/* Addressee r: say ACK. */
struct a3mi_ping {
    uint64_t s;
    uint32_t time;
};
size_t a3mi_ping_write(uint8_t *body, const struct a3mi_ping *in);
bool a3mi_ping_read(const struct a3mi_packet *packet, struct a3mi_ping *out);

/* Addressee r: its sender is no more. */
struct a3mi_close {
    uint64_t s;
    uint64_t incarnation;
    struct a3mi_name author;
};
size_t a3mi_close_write(uint8_t *body, const struct a3mi_close *in);
bool a3mi_close_read(const struct a3mi_packet *packet, struct a3mi_close *out);

/* Addressee s: is it still there? */
struct a3mi_probe {
    uint64_t r;
    uint64_t incarnation;         /* the author's */
    struct a3mi_name destination; /* the node that should have s */
};
size_t a3mi_probe_write(uint8_t *body, const struct a3mi_probe *in);
bool a3mi_probe_read(const struct a3mi_packet *packet, struct a3mi_probe *out);

/* Addressee r: its sender is there. */
struct a3mi_alive {
    uint64_t s;
};
size_t a3mi_alive_write(uint8_t *body, const struct a3mi_alive *in);
bool a3mi_alive_read(const struct a3mi_packet *packet, struct a3mi_alive *out);

enum a3mi_reset_kind {
    A3MI_RESET_NOTHING = 1, /* nothing was ever accepted under this r */
    A3MI_RESET_UNKNOWN = 2, /* something may have been */
};

/* Addressee r, the id that the author does not know. */
struct a3mi_reset {
    uint8_t kind;
    uint64_t incarnation;
    uint64_t cumulative; /* all below were accepted: the record's last acknowledgement; 0: nothing is known */
    struct a3mi_name author;
};
size_t a3mi_reset_write(uint8_t *body, const struct a3mi_reset *in);
bool a3mi_reset_read(const struct a3mi_packet *packet, struct a3mi_reset *out);

/* Addressee: the record whose owner is to answer. */
struct a3mi_challenge {
    uint64_t author; /* the author's record of the same half-connection: addressee of the RESPONSE */
    uint64_t nonce;
};
size_t a3mi_challenge_write(uint8_t *body, const struct a3mi_challenge *in);
bool a3mi_challenge_read(const struct a3mi_packet *packet, struct a3mi_challenge *out);

struct a3mi_response {
    uint64_t nonce;
};
size_t a3mi_response_write(uint8_t *body, const struct a3mi_response *in);
bool a3mi_response_read(const struct a3mi_packet *packet, struct a3mi_response *out);

/* Addressee 0: the versions that the author speaks. */
size_t a3mi_version_write(uint8_t *body);

#endif
