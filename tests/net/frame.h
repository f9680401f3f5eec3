/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An Ethernet frame as the relay looks at it: where the payload of its UDP
 * datagram or TCP segment lies, over IPv4 or IPv6 without extension headers.
 * Everything else (ARP, neighbour discovery, ping, fragments) is OTHER. A view
 * borrows the bytes. No state.
 */
#ifndef NET_FRAME_H
#define NET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/rng.h"

enum frame_kind {
    FRAME_OTHER,
    FRAME_UDP,
    FRAME_TCP,
    FRAME_FRAGMENT, /* of an IP packet: not looked into, but it meets what whole ones meet */
};

struct frame {
    enum frame_kind kind;
    uint8_t *transport; /* the UDP or TCP header */
    uint8_t *payload;
    size_t payload_size;
};

/* Looks at `size` bytes. */
struct frame frame_view(uint8_t *bytes, size_t size);

/*
 * Flips a bit of the payload of a UDP datagram; with `mend` one to three, and its UDP
 * checksum is changed along (RFC 1624), so that the damage gets past the kernel.
 */
void frame_damage(struct frame *frame, bool mend, struct a3mi_rng *rng);

/* One line for people, without its newline: ports, and of A3M and TCP what they number. */
void frame_describe(const struct frame *frame, FILE *to);

#endif
