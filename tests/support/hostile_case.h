/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of hostile packets have in common: Alice and Bob, who talk; a
 * stranger's packets; what a test begins and ends with. Each case runs in
 * CASE(...): afterwards the good ones still understand one another.
 */
#ifndef A3M_TEST_HOSTILE_CASE_H
#define A3M_TEST_HOSTILE_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/answer.h"
#include "core/channel.h"
#include "core/memory.h"
#include "core/peer.h"
#include "core/receiver.h"
#include "core/state.h"
#include "hostile.h"

#define ALICE   0u
#define BOB     1u
#define MALLORY 3u /* an address */
#define EVE     4u
#define MINE    UINT64_C(0x6d616c6c6f7279) /* the stranger's incarnation */
#define ROOM    (A3MI_PACKET_HEADER + A3MI_DATA_FIXED + A3MI_ACK_MAX)

/* What changed in the counters of a node. */
struct change {
    struct a3mi_assoc_stats before;
    unsigned node;
};

static struct hostile h;
static uint64_t numbers; /* of transmissions */

static inline int set_up(void **state)
{
    (void)state;
    hostile_init(&h, &(struct hostile_options){.seed = 7});
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    /* Whatever was done: the good ones still understand one another. */
    hostile_send(&h, ALICE, 20);
    hostile_send(&h, BOB, 20);
    hostile_control(&h, ALICE);
    hostile_control(&h, BOB);
    hostile_settle(&h);
    hostile_fini(&h);
    return 0;
}

static inline struct change begin(unsigned node)
{
    return (struct change){hostile_stats(&h, node), node};
}

static inline void expect(const struct change *c, uint64_t bad_packet, uint64_t bad_frame, uint64_t stray)
{
    struct a3mi_assoc_stats now = hostile_stats(&h, c->node);

    assert_int_equal(now.bad_packet - c->before.bad_packet, bad_packet);
    assert_int_equal(now.bad_frame - c->before.bad_frame, bad_frame);
    assert_int_equal(now.stray - c->before.stray, stray);
    assert_int_equal(now.bad_checksum, c->before.bad_checksum);
    assert_int_equal(now.bad_version, c->before.bad_version);
}

static inline struct a3mi_name name_of(const char *s)
{
    struct a3mi_name name;

    assert_int_equal(a3mi_name_set(&name, s, strlen(s)), 0);
    return name;
}

static inline void inject(uint32_t from, uint8_t *packet, size_t body_size, enum a3mi_packet_type type,
                          uint64_t addressee)
{
    hostile_inject_sealed(&h, ALICE, from, packet, body_size, type, addressee, ++numbers);
}

static inline struct a3mi_open an_open(uint64_t s)
{
    return (struct a3mi_open){.s = s, .order = s, .source_incarnation = MINE, .source = name_of("mallory")};
}

static inline void send_open(uint32_t from, const struct a3mi_open *open)
{
    uint8_t packet[A3MI_CONTROL_PACKET_MAX];

    inject(from, packet, a3mi_open_write(packet + A3MI_PACKET_HEADER, open), A3MI_PACKET_OPEN, 0);
}

/* The id in the last ACCEPT that an address got; 0: none came. */
static inline uint64_t told_r(uint32_t address)
{
    const struct hostile_packet *caught = hostile_caught(&h, address, A3MI_PACKET_ACCEPT);
    struct a3mi_packet packet;
    struct a3mi_accept accept;

    if (caught == NULL) {
        return 0;
    }
    assert_int_equal(a3mi_packet_read(caught->bytes, caught->size, &packet), A3MI_PACKET_OK);
    assert_true(a3mi_accept_read(&packet, &accept));
    return accept.r;
}

/* Opens a half-connection to Alice, and returns its r. */
static inline uint64_t open_to_alice(uint64_t s)
{
    struct a3mi_open open = an_open(s);

    send_open(MALLORY, &open);
    uint64_t r = told_r(MALLORY);

    assert_int_not_equal(r, 0);
    return r;
}

static inline void send_data(uint32_t from, uint64_t r, uint64_t seq, const uint8_t *frames, size_t size)
{
    uint8_t packet[A3MI_PACKET_BASE];
    struct a3mi_data data = {.seq = seq, .count = 1};

    assert_true(ROOM + size <= sizeof(packet));
    if (size > 0) {
        memcpy(packet + ROOM, frames, size);
    }
    uint8_t *body = a3mi_data_write_before(packet + ROOM, &data, NULL);

    inject(from, body - A3MI_PACKET_HEADER, (size_t)(packet + ROOM - body) + size, A3MI_PACKET_DATA, r);
}

/* A unit with one frame, with as many bytes as it says. */
static inline void send_frame(uint64_t r, uint64_t seq, const struct a3mi_frame *frame)
{
    uint8_t frames[A3MI_PACKET_BASE - ROOM];
    uint8_t *p = a3mi_frame_write_data(frames, frame);

    memset(p, 0x55, frame->size);
    send_data(MALLORY, r, seq, frames, (size_t)(p - frames) + frame->size);
}

static inline void send_ping(uint32_t from, uint64_t r, uint64_t s)
{
    uint8_t packet[A3MI_CONTROL_PACKET_MAX];
    struct a3mi_ping ping = {.s = s};

    inject(from, packet, a3mi_ping_write(packet + A3MI_PACKET_HEADER, &ping), A3MI_PACKET_PING, r);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
