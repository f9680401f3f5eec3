/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Malformed and hostile packets by name, at a node that is in the midst of
 * traffic with a good one: each is counted where it belongs, dropped, costs
 * bounded memory and bounded answers, and the traffic goes on (hostile.h).
 * covers X1 X5 Y2 Y3
 */
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

static int set_up(void **state)
{
    (void)state;
    hostile_init(&h, &(struct hostile_options){.seed = 7});
    return 0;
}

static int tear_down(void **state)
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

static struct change begin(unsigned node)
{
    return (struct change){hostile_stats(&h, node), node};
}

static void expect(const struct change *c, uint64_t bad_packet, uint64_t bad_frame, uint64_t stray)
{
    struct a3mi_assoc_stats now = hostile_stats(&h, c->node);

    assert_int_equal(now.bad_packet - c->before.bad_packet, bad_packet);
    assert_int_equal(now.bad_frame - c->before.bad_frame, bad_frame);
    assert_int_equal(now.stray - c->before.stray, stray);
    assert_int_equal(now.bad_checksum, c->before.bad_checksum);
    assert_int_equal(now.bad_version, c->before.bad_version);
}

static struct a3mi_name name_of(const char *s)
{
    struct a3mi_name name;

    assert_int_equal(a3mi_name_set(&name, s, strlen(s)), 0);
    return name;
}

/* ---- A stranger's packets --------------------------------------------------------- */

static uint64_t numbers; /* of transmissions */

static void inject(uint32_t from, uint8_t *packet, size_t body_size, enum a3mi_packet_type type,
                   uint64_t addressee)
{
    hostile_inject_sealed(&h, ALICE, from, packet, body_size, type, addressee, ++numbers);
}

static struct a3mi_open an_open(uint64_t s)
{
    return (struct a3mi_open){.s = s, .order = s, .source_incarnation = MINE, .source = name_of("mallory")};
}

static void send_open(uint32_t from, const struct a3mi_open *open)
{
    uint8_t packet[A3MI_CONTROL_PACKET_MAX];

    inject(from, packet, a3mi_open_write(packet + A3MI_PACKET_HEADER, open), A3MI_PACKET_OPEN, 0);
}

/* The id in the last ACCEPT that an address got; 0: none came. */
static uint64_t told_r(uint32_t address)
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
static uint64_t open_to_alice(uint64_t s)
{
    struct a3mi_open open = an_open(s);

    send_open(MALLORY, &open);
    uint64_t r = told_r(MALLORY);

    assert_int_not_equal(r, 0);
    return r;
}

static void send_data(uint32_t from, uint64_t r, uint64_t seq, const uint8_t *frames, size_t size)
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
static void send_frame(uint64_t r, uint64_t seq, const struct a3mi_frame *frame)
{
    uint8_t frames[A3MI_PACKET_BASE - ROOM];
    uint8_t *p = a3mi_frame_write_data(frames, frame);

    memset(p, 0x55, frame->size);
    send_data(MALLORY, r, seq, frames, (size_t)(p - frames) + frame->size);
}

static void send_ping(uint32_t from, uint64_t r, uint64_t s)
{
    uint8_t packet[A3MI_CONTROL_PACKET_MAX];
    struct a3mi_ping ping = {.s = s};

    inject(from, packet, a3mi_ping_write(packet + A3MI_PACKET_HEADER, &ping), A3MI_PACKET_PING, r);
}

static void send_ack(uint32_t from, uint64_t s, const struct a3mi_ack *ack)
{
    uint8_t packet[A3MI_CONTROL_PACKET_MAX];

    inject(from, packet, a3mi_ack_write(packet + A3MI_PACKET_HEADER, ack), A3MI_PACKET_ACK, s);
}

/* ---- Malformed packets ---------------------------------------------------------------- */

static size_t write_any(enum a3mi_packet_type type, uint8_t *body, size_t *least)
{
    struct a3mi_name name = name_of("mallory");

    switch (type) {
    case A3MI_PACKET_OPEN: {
        struct a3mi_open open = an_open(5);

        *least = 8 * 4 + 4 + 1 + (1 + name.len) + 1;
        return a3mi_open_write(body, &open);
    }
    case A3MI_PACKET_RETRY: return *least = a3mi_retry_write(body, &(struct a3mi_retry){.cookie = {1}});
    case A3MI_PACKET_REFUSE: return *least = a3mi_refuse_write(body, &(struct a3mi_refuse){.author = name});
    case A3MI_PACKET_ACCEPT:
        return *least = a3mi_accept_write(
                   body, &(struct a3mi_accept){.incarnation = 1, .source = name, .author = name});
    case A3MI_PACKET_ACK: {
        struct a3mi_ack ack = {.s = 9, .count = 2, .ranges = {{1, 1}, {1, 1}}};

        return *least = a3mi_ack_write(body, &ack);
    }
    case A3MI_PACKET_PING: *least = 12; return a3mi_ping_write(body, &(struct a3mi_ping){.s = 1});
    case A3MI_PACKET_CLOSE: return *least = a3mi_close_write(body, &(struct a3mi_close){.author = name});
    case A3MI_PACKET_PROBE:
        *least = 16 + 1 + (size_t)name.len;
        return a3mi_probe_write(body, &(struct a3mi_probe){.destination = name});
    case A3MI_PACKET_ALIVE: return *least = a3mi_alive_write(body, &(struct a3mi_alive){1});
    case A3MI_PACKET_RESET:
        return *least = a3mi_reset_write(body, &(struct a3mi_reset){.kind = 1, .author = name});
    case A3MI_PACKET_CHALLENGE: return *least = a3mi_challenge_write(body, &(struct a3mi_challenge){1, 2});
    case A3MI_PACKET_RESPONSE: return *least = a3mi_response_write(body, &(struct a3mi_response){1});
    case A3MI_PACKET_DATA:
        memset(body, 0, A3MI_DATA_FIXED + A3MI_ACK_FIXED);
        body[9] = A3MI_DATA_HAS_ACK;
        return *least = A3MI_DATA_FIXED + A3MI_ACK_FIXED;
    case A3MI_PACKET_VERSION: break;
    }
    return *least = 0;
}

static void test_hostile_bodies_cut_at_every_length_are_bad_packets(void **state)
{
    (void)state;
    for (unsigned type = A3MI_PACKET_OPEN; type <= A3MI_PACKET_RESPONSE; type++) {
        uint8_t packet[A3MI_PACKET_BASE];
        size_t least = 0;

        (void)write_any((enum a3mi_packet_type)type, packet + A3MI_PACKET_HEADER, &least);
        for (size_t n = 0; n < least; n++) {
            struct change c = begin(ALICE);

            inject(MALLORY, packet, n, (enum a3mi_packet_type)type, 9);
            expect(&c, 1, 0, 0);
        }
    }
    assert_int_equal(h.caught_count, 0);
    assert_int_equal(hostile_stats(&h, ALICE).receivers, 1);
}

static void test_hostile_datagrams_cut_at_every_length_are_counted(void **state)
{
    (void)state;
    uint8_t packet[A3MI_CONTROL_PACKET_MAX];
    struct a3mi_open open = an_open(5);
    size_t size = A3MI_PACKET_HEADER + a3mi_open_write(packet + A3MI_PACKET_HEADER, &open);

    a3mi_packet_seal(packet, size, A3MI_PACKET_OPEN, 0, 1);
    for (size_t n = 0; n < size; n++) {
        struct change c = begin(ALICE);

        hostile_inject(&h, ALICE, MALLORY, packet, n);
        struct a3mi_assoc_stats now = hostile_stats(&h, ALICE);

        assert_int_equal(now.bad_packet - c.before.bad_packet, n < A3MI_PACKET_HEADER);
        assert_int_equal(now.bad_checksum - c.before.bad_checksum, n >= A3MI_PACKET_HEADER);
    }
    assert_int_equal(h.caught_count, 0);
}

static void test_hostile_reserved_bits_of_the_header_are_refused(void **state)
{
    (void)state;
    uint8_t packet[A3MI_CONTROL_PACKET_MAX];
    struct a3mi_open open = an_open(5);
    size_t size = A3MI_PACKET_HEADER + a3mi_open_write(packet + A3MI_PACKET_HEADER, &open);

    for (unsigned bit = 0; bit < 16; bit++) {
        struct change c = begin(ALICE);
        uint16_t flags = (uint16_t)(1u << bit);

        /* The checksum stands for bytes 0 to 3 by exclusive or: make it right for the flags. */
        a3mi_packet_seal(packet, size, A3MI_PACKET_OPEN, 0, 1);
        packet[2] = (uint8_t)(flags >> 8);
        packet[3] = (uint8_t)flags;
        packet[6] ^= packet[2];
        packet[7] ^= packet[3];
        hostile_inject(&h, ALICE, MALLORY, packet, size);
        expect(&c, 1, 0, 0);
    }
    assert_int_equal(h.caught_count, 0);
}

static void test_hostile_unknown_types_and_versions_are_counted_and_answered_once_a_second(void **state)
{
    (void)state;
    uint8_t packet[A3MI_PACKET_MIN] = {0};
    struct change c = begin(ALICE);

    for (unsigned type = A3MI_PACKET_RESPONSE + 1; type < 256; type++) {
        inject(MALLORY, packet, sizeof(packet) - A3MI_PACKET_HEADER, (enum a3mi_packet_type)type, 0);
    }
    expect(&c, 256 - A3MI_PACKET_RESPONSE - 1, 0, 0);
    assert_int_equal(h.caught_count, 0);
    for (unsigned i = 0; i < 100; i++) {
        packet[0] = 2;
        packet[1] = A3MI_PACKET_OPEN;
        hostile_inject(&h, ALICE, MALLORY, packet, sizeof(packet));
    }
    assert_int_equal(hostile_stats(&h, ALICE).bad_version - c.before.bad_version, 100);
    assert_int_equal(h.caught_count, 1);
    /* An answer to such an answer, or to what is too short for one, would be one too many. */
    hostile_run(&h, 2 * HOSTILE_S);
    packet[1] = A3MI_PACKET_VERSION;
    hostile_inject(&h, ALICE, MALLORY, packet, sizeof(packet));
    packet[1] = A3MI_PACKET_OPEN;
    hostile_inject(&h, ALICE, EVE, packet, 2);
    assert_int_equal(h.caught_count, 1);
}

static void test_hostile_names_are_checked_where_they_stand(void **state)
{
    (void)state;
    static const char *const bad[] = {"a/b", "\xff\xfe", "\x01", "\xc0\x80"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t packet[A3MI_CONTROL_PACKET_MAX];
        struct a3mi_open open = an_open(5);
        struct change c = begin(ALICE);

        open.source.len = (uint8_t)strlen(bad[i]);
        memcpy(open.source.s, bad[i], open.source.len);
        inject(MALLORY, packet, a3mi_open_write(packet + A3MI_PACKET_HEADER, &open), A3MI_PACKET_OPEN, 0);
        expect(&c, 1, 0, 0);
    }
    assert_int_equal(hostile_stats(&h, ALICE).peers, 1);
}

/* ---- Acknowledgements that lie ---------------------------------------------------------- */

static void test_hostile_acknowledgement_with_empty_ranges_or_too_many_is_a_bad_packet(void **state)
{
    (void)state;
    uint8_t packet[A3MI_PACKET_BASE] = {0};
    uint8_t *body = packet + A3MI_PACKET_HEADER;
    struct a3mi_ack ack = {.s = 9, .count = 1, .ranges = {{0, 1}}};
    struct change c = begin(ALICE);

    send_ack(MALLORY, 9, &ack);
    ack.ranges[0].gap = 1;
    ack.ranges[0].length = 0;
    send_ack(MALLORY, 9, &ack);
    ack.ranges[0].length = 1;
    send_ack(MALLORY, 8, &ack); /* its s is not the addressee */
    body[48] = A3MI_ACK_RANGES + 1;
    inject(MALLORY, packet, A3MI_ACK_FIXED + 8 * (A3MI_ACK_RANGES + 1), A3MI_PACKET_ACK, 0);
    expect(&c, 4, 0, 0);
    send_ack(MALLORY, 9, &ack); /* well formed, for a record that is not there */
    expect(&c, 4, 0, 1);
}

/* Alice's record towards the stranger, made by a stranger's control message that she answers. */
static struct a3mi_ack a_conversation(uint64_t *order)
{
    uint64_t r = open_to_alice(5);
    struct a3mi_frame frame = {.flags = A3MI_FRAME_WHOLE, .size = 4, .total = 4};
    struct a3mi_packet packet;
    struct a3mi_open open;
    uint8_t bytes[A3MI_CONTROL_PACKET_MAX];

    h.nodes[ALICE].replies_left = 1;
    send_frame(r, 0, &frame);
    hostile_run(&h, 10 * HOSTILE_MS);
    const struct hostile_packet *caught = hostile_caught(&h, MALLORY, A3MI_PACKET_OPEN);

    assert_non_null(caught);
    assert_int_equal(a3mi_packet_read(caught->bytes, caught->size, &packet), A3MI_PACKET_OK);
    assert_true(a3mi_open_read(&packet, &open));
    struct a3mi_accept accept = {.r = 77,
                                 .limit = 16,
                                 .source_incarnation = open.source_incarnation,
                                 .incarnation = MINE,
                                 .time = open.time,
                                 .source = open.source,
                                 .author = name_of("mallory")};

    inject(MALLORY, bytes, a3mi_accept_write(bytes + A3MI_PACKET_HEADER, &accept), A3MI_PACKET_ACCEPT,
           open.s);
    assert_non_null(hostile_caught(&h, MALLORY, A3MI_PACKET_DATA));
    *order = open.order;
    return (struct a3mi_ack){.s = open.s, .r = 77, .limit = 16};
}

static void test_hostile_acknowledgement_of_what_was_never_sent_changes_nothing(void **state)
{
    (void)state;
    uint64_t order;
    struct a3mi_ack good = a_conversation(&order);
    struct a3mi_ack ack = good;
    struct change c = begin(ALICE);

    ack.cumulative = 2; /* one unit was sent */
    send_ack(MALLORY, ack.s, &ack);
    ack.cumulative = UINT64_MAX;
    send_ack(MALLORY, ack.s, &ack);
    ack = good;
    ack.count = 1;
    ack.ranges[0].gap = UINT32_MAX;
    ack.ranges[0].length = UINT32_MAX;
    send_ack(MALLORY, ack.s, &ack);
    ack = good;
    ack.echo = UINT64_MAX; /* a transmission that never was */
    send_ack(MALLORY, ack.s, &ack);
    expect(&c, 4, 0, 0);
    ack = good;
    ack.r = 78;
    send_ack(MALLORY, ack.s, &ack);
    expect(&c, 4, 0, 1);
    assert_true(a3mi_assoc_busy(h.nodes[ALICE].assoc)); /* nothing of that was taken for an answer */
    good.cumulative = 1;
    send_ack(MALLORY, good.s, &good);
    expect(&c, 4, 0, 1);
    assert_false(a3mi_assoc_busy(h.nodes[ALICE].assoc));
}

static void test_hostile_flood_of_acknowledgements_is_answered_by_nothing(void **state)
{
    (void)state;
    uint64_t order;
    struct a3mi_ack ack = a_conversation(&order);
    size_t before = hostile_memory();

    ack.cumulative = 1;
    send_ack(MALLORY, ack.s, &ack);
    uint64_t answered = h.packets_to_strangers;

    for (unsigned i = 0; i < 10000; i++) {
        ack.limit = i;
        send_ack(MALLORY, ack.s, &ack);
    }
    assert_int_equal(h.packets_to_strangers, answered);
    assert_true(hostile_memory() <= before);
}

/* ---- Units -------------------------------------------------------------------------------- */

static void test_hostile_unit_beyond_its_limit_is_a_bad_packet(void **state)
{
    (void)state;
    uint64_t r = open_to_alice(5);
    struct change c = begin(ALICE);

    send_data(MALLORY, r, A3MI_UNPROVEN_LIMIT, NULL, 0);
    send_data(MALLORY, r, UINT64_MAX, NULL, 0);
    expect(&c, 2, 0, 0);
    send_data(MALLORY, r, 0, NULL, 0);
    send_data(MALLORY, r, 1 + A3MI_WINDOW, NULL, 0);
    expect(&c, 3, 0, 0);
    assert_int_equal(hostile_stats(&h, ALICE).rx_units - c.before.rx_units, 1);
}

static void test_hostile_unit_again_and_again_is_one_unit(void **state)
{
    (void)state;
    uint64_t r = open_to_alice(5);
    struct a3mi_frame frame = {.flags = A3MI_FRAME_WHOLE, .size = 4, .total = 4};
    struct change c = begin(ALICE);

    for (unsigned i = 0; i < 100; i++) {
        send_frame(r, 0, &frame);
    }
    assert_int_equal(h.nodes[ALICE].guest_controls, 1);
    assert_int_equal(hostile_stats(&h, ALICE).duplicates - c.before.duplicates, 99);
    expect(&c, 0, 0, 0);
}

/* ---- Frames ------------------------------------------------------------------------------- */

static void test_hostile_frames_that_lie_about_their_lengths_are_bad_frames(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint8_t bytes[32];
        size_t size;
    } cases[] = {
        {"kind 3", {3 << 5}, 1},
        {"kind 7", {7 << 5, 0, 0}, 3},
        {"pad with flags", {1}, 1},
        {"cut before its link", {1 << 5, 0, 0}, 3},
        {"next, with none before", {1 << 5 | 7, 0, 0}, 3},
        {"length beyond the unit", {1 << 5 | 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1}, 16},
        {"first, not last, of no bytes",
         {1 << 5 | 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0},
         19},
        {"last that does not end at the total",
         {1 << 5 | 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 0, 1, 5},
         24},
        {"middle that ends at the total",
         {1 << 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 5},
         24},
        {"offset near 2^32",
         {1 << 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 9, 0, 1, 5},
         24},
        {"credit with flags",
         {2 << 5 | 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
         25},
        {"link control out of order", {1 << 5 | 16 | 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 15},
        {"link control with properties", {1 << 5 | 8 | 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 15},
        {"credit cut", {2 << 5, 0, 0, 0, 0}, 5},
    };
    uint64_t r = open_to_alice(5);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct change c = begin(ALICE);

        send_data(MALLORY, r, i, cases[i].bytes, cases[i].size);
        if (hostile_stats(&h, ALICE).bad_frame - c.before.bad_frame != 1) {
            fail_msg("%s is not counted as a bad frame", cases[i].what);
        }
        expect(&c, 0, 1, 0);
    }
    assert_int_equal(h.nodes[ALICE].guest_controls, 0);
}

static void test_hostile_frames_for_links_of_others_and_for_none_are_strays(void **state)
{
    (void)state;
    uint64_t r = open_to_alice(5);
    struct a3mi_frame frame = {.flags = A3MI_FRAME_WHOLE, .size = 4, .total = 4};
    uint8_t credit[A3MI_FRAME_CREDIT_SIZE];
    struct change c = begin(ALICE);
    uint64_t accepted = h.nodes[ALICE].accepted;

    frame.link = h.nodes[ALICE].rx.index; /* Bob's */
    frame.number = accepted;
    send_frame(r, 0, &frame);
    frame.link = 0xdeadbeef;
    send_frame(r, 1, &frame);
    struct a3mi_frame grant = {.credit_link = h.nodes[ALICE].rx.index, .epoch = 9, .credit_messages = 9};

    (void)a3mi_frame_write_credit(credit, &grant);
    send_data(MALLORY, r, 2, credit, sizeof(credit));
    expect(&c, 0, 0, 3);
    assert_int_equal(h.nodes[ALICE].accepted, accepted);
    assert_int_equal(h.nodes[ALICE].guest_credits, 0);
}

/* A link that the stranger has with Alice, over its half-connection r. */
static struct hostile_guest *a_guest(uint64_t *r)
{
    struct a3mi_name name = name_of("mallory");

    *r = open_to_alice(5);
    struct hostile_guest *guest = hostile_welcome(&h, ALICE, &name, MINE);

    assert_non_null(guest);
    return guest;
}

static void test_hostile_fragments_that_contradict_each_other_are_bad_frames(void **state)
{
    (void)state;
    uint64_t r;
    struct hostile_guest *guest = a_guest(&r);
    struct a3mi_frame first = {.link = guest->rx.index, .flags = A3MI_FRAME_FIRST, .size = 100, .total = 300};
    struct a3mi_frame other_total = {.link = guest->rx.index, .offset = 100, .size = 100, .total = 301};
    struct a3mi_frame overlap = {.link = guest->rx.index, .offset = 50, .size = 100, .total = 300};
    struct a3mi_frame with_props = {
        .link = guest->rx.index, .flags = A3MI_FRAME_PROPS, .offset = 100, .size = 100, .total = 300};
    struct a3mi_frame last = {
        .link = guest->rx.index, .flags = A3MI_FRAME_LAST, .offset = 100, .size = 200, .total = 300};
    struct change c = begin(ALICE);

    send_frame(r, 0, &first);
    expect(&c, 0, 0, 0);
    send_frame(r, 1, &other_total);
    send_frame(r, 2, &overlap);
    send_frame(r, 3, &with_props);
    send_frame(r, 4, &first);
    expect(&c, 0, 4, 0);
    struct a3mi_frame whole = {.link = guest->rx.index, .flags = A3MI_FRAME_WHOLE, .size = 100, .total = 100};

    send_frame(r, 5, &whole);
    expect(&c, 0, 5, 0);
    send_frame(r, 6, &last);
    expect(&c, 0, 5, 0);
    assert_int_equal(h.nodes[ALICE].guest_messages, 1);
    assert_int_equal(guest->rx.partial_count, 0);
    send_frame(r, 7, &first); /* of a message that was handed up */
    expect(&c, 0, 6, 0);
}

/* Messages that wait for none before them: each is handed up once, whatever its number. covers S7 */
static void test_hostile_messages_without_order_that_come_again_are_bad_frames(void **state)
{
    (void)state;
    uint64_t r;
    struct hostile_guest *guest = a_guest(&r);
    struct a3mi_frame frame = {.link = guest->rx.index,
                               .flags = A3MI_FRAME_WHOLE | A3MI_FRAME_FREE,
                               .size = 4,
                               .total = 4,
                               .number = 7};
    struct change c = begin(ALICE);

    send_frame(r, 0, &frame);
    assert_int_equal(h.nodes[ALICE].guest_messages, 1);
    send_frame(r, 1, &frame);
    frame.flags = A3MI_FRAME_WHOLE; /* it was handed up, also for one that is to be in order */
    send_frame(r, 2, &frame);
    expect(&c, 0, 2, 0);
    frame.number = 1; /* waits for its turn */
    send_frame(r, 3, &frame);
    assert_int_equal(h.nodes[ALICE].guest_messages, 1);
    frame.number = 0;
    send_frame(r, 4, &frame);
    assert_int_equal(h.nodes[ALICE].guest_messages, 3);
    send_frame(r, 5, &frame);
    frame.number = 7;
    send_frame(r, 6, &frame);
    expect(&c, 0, 4, 0);
    assert_int_equal(h.nodes[ALICE].guest_messages, 3);
    assert_int_equal(guest->rx.up.next, 2);
}

/* With more gaps between their numbers than are kept, they wait for their turn again; none is lost or comes twice. */
static void test_hostile_messages_without_order_and_full_of_gaps_cost_bounded_memory(void **state)
{
    (void)state;
    uint64_t r;
    struct hostile_guest *guest = a_guest(&r);
    const uint64_t last = 2 * (A3MI_UP_MAX + 500);
    uint64_t seq = 0;
    struct a3mi_frame frame = {
        .link = guest->rx.index, .flags = A3MI_FRAME_WHOLE | A3MI_FRAME_FREE, .size = 4, .total = 4};
    size_t before = hostile_memory();

    for (frame.number = 1; frame.number < last; frame.number += 2) {
        send_frame(r, seq++, &frame);
    }
    assert_int_equal(h.nodes[ALICE].guest_messages, A3MI_UP_MAX);
    assert_int_equal(guest->rx.partial_count, 500);
    assert_true(hostile_memory() - before < 1 << 20);
    for (frame.number = 0; frame.number < last; frame.number += 2) {
        send_frame(r, seq++, &frame);
    }
    assert_int_equal(h.nodes[ALICE].guest_messages, last);
    assert_int_equal(guest->rx.up.next, last);
    assert_int_equal(guest->rx.partial_count, 0);
    assert_null(guest->rx.up.v);
}

static void test_hostile_message_larger_than_the_maximum_is_never_handed_up(void **state)
{
    (void)state;
    uint64_t r;
    struct hostile_guest *guest = a_guest(&r);
    struct a3mi_frame piece = {
        .link = guest->rx.index, .flags = A3MI_FRAME_FIRST, .size = 1000, .total = HOSTILE_MAX_MESSAGE + 1};
    struct change c = begin(ALICE);
    size_t before = hostile_memory();

    send_frame(r, 0, &piece);
    piece.total = UINT32_MAX;
    send_frame(r, 1, &piece);
    expect(&c, 0, 2, 0);
    assert_true(hostile_memory() < before + HOSTILE_MAX_MESSAGE);
    /* Room for properties is added to the maximum: it is not for bytes. */
    piece.flags = A3MI_FRAME_FIRST | A3MI_FRAME_PROPS;
    piece.total = HOSTILE_MAX_MESSAGE + A3MI_PROPS_MAX;
    uint8_t frames[A3MI_PACKET_BASE - ROOM];

    for (uint32_t at = 0, seq = 2; at < piece.total; at += piece.size, seq++) {
        piece.offset = at;
        piece.size = piece.total - at < 1000 ? piece.total - at : 1000;
        piece.flags = A3MI_FRAME_PROPS | (at == 0 ? A3MI_FRAME_FIRST : 0u) |
                      (at + piece.size == piece.total ? A3MI_FRAME_LAST : 0u);
        uint8_t *p = a3mi_frame_write_data(frames, &piece);

        memset(p, 0, piece.size); /* no properties */
        send_data(MALLORY, r, seq, frames, (size_t)(p - frames) + piece.size);
    }
    expect(&c, 0, 3, 0);
    assert_int_equal(h.nodes[ALICE].guest_messages, 0);
}

static void test_hostile_messages_that_are_never_finished_cost_bounded_memory(void **state)
{
    (void)state;
    uint64_t r;
    struct hostile_guest *guest = a_guest(&r);
    size_t before = hostile_memory();
    uint64_t number = 1;

    /* The middle byte of three, of message after message: each also needs a block of ranges. */
    for (uint64_t seq = 0; seq < A3MI_WINDOW; seq++) {
        uint8_t frames[A3MI_PACKET_BASE - ROOM];
        uint8_t *p = frames;

        while (p + 32 < frames + sizeof(frames)) {
            struct a3mi_frame frame = {
                .link = guest->rx.index, .number = number++, .offset = 1, .size = 1, .total = 3};

            p = a3mi_frame_write_data(p, &frame);
            *p++ = 7;
        }
        send_data(MALLORY, r, seq, frames, (size_t)(p - frames));
    }
    assert_true(number > 60000);
    assert_true(hostile_stats(&h, ALICE).held <= A3MI_MEMORY_DEFAULT / 4);
    assert_true(hostile_memory() - before < A3MI_MEMORY_DEFAULT / 4 + A3MI_MEMORY_DEFAULT / 16);
    assert_int_equal(h.nodes[ALICE].guest_messages, 0);
    hostile_send(&h, BOB, 50);
    hostile_settle(&h);
}

/* What a first piece claims is not believed: memory follows what came. */
static void test_hostile_first_piece_that_claims_a_gigabyte_costs_little(void **state)
{
    (void)state;
    uint64_t r;
    struct hostile_guest *guest = a_guest(&r);

    guest->rx.max_message = A3M_MESSAGE_CEILING;
    struct a3mi_frame piece = {.link = guest->rx.index,
                               .flags = A3MI_FRAME_FIRST,
                               .size = 1000,
                               .total = (uint32_t)A3M_MESSAGE_CEILING};
    size_t before = hostile_memory();
    uint64_t accepted = hostile_stats(&h, ALICE).rx_units;

    send_frame(r, 0, &piece);
    assert_int_equal(hostile_stats(&h, ALICE).rx_units, accepted + 1);
    assert_true(hostile_memory() - before < (size_t)4 * A3MI_PIECES_ROOM);
    /* Nor its end, which is farther away than anything that was granted. */
    piece.flags = A3MI_FRAME_LAST;
    piece.offset = piece.total - 1000;
    send_frame(r, 2, &piece);
    assert_int_equal(hostile_stats(&h, ALICE).rx_units, accepted + 1);
    /* What is within the grant has room, with no more than that between. */
    piece.flags = 0;
    piece.offset = 2000 * 1000;
    send_frame(r, 2, &piece);
    assert_int_equal(hostile_stats(&h, ALICE).rx_units, accepted + 2);
    assert_true(hostile_memory() - before < (size_t)2 * A3MI_WINDOW * A3MI_PACKET_BASE);
    assert_int_equal(hostile_stats(&h, ALICE).assembled, guest->peer->assembled);
    assert_true(hostile_stats(&h, ALICE).assembled < (uint64_t)2 * A3MI_WINDOW * A3MI_PACKET_BASE);
}

/* Fills Mallory's share with messages that wait for the first one; returns the next seq. */
static uint64_t fill_share(uint64_t r, const struct hostile_guest *guest, uint64_t share)
{
    struct a3mi_frame whole = {
        .link = guest->rx.index, .flags = A3MI_FRAME_WHOLE, .size = 1000, .total = 1000};
    uint64_t seq = 1;

    for (; seq * 1000 < 2 * share; seq++) {
        whole.number = seq;
        send_frame(r, seq, &whole);
    }
    return seq;
}

static void test_hostile_peer_fills_its_share_and_nobody_elses(void **state)
{
    (void)state;
    const uint64_t share = 100000;

    hostile_fini(&h);
    hostile_init(&h, &(struct hostile_options){.seed = 7, .memory = 4 * share});
    uint64_t r;
    struct hostile_guest *guest = a_guest(&r);

    (void)fill_share(r, guest, share);
    assert_true(guest->peer->held > share - 2000 && guest->peer->held <= share);
    assert_int_equal(h.nodes[ALICE].guest_messages, 0);
    /* What Bob sends is not concerned: his share is his. */
    hostile_send(&h, BOB, 500);
    hostile_settle(&h);
    /* The one that all wait for always fits, and sets them free. */
    struct a3mi_frame first = {
        .link = guest->rx.index, .flags = A3MI_FRAME_WHOLE, .size = 1000, .total = 1000};

    send_frame(r, 0, &first);
    assert_true(h.nodes[ALICE].guest_messages > share / 2 / 1000);
    assert_true(guest->peer->held < 4096);
    assert_int_equal(guest->rx.partial_count, 0);
}

/* By choice: when all hold more than that, who holds most is given up, and is told so. */
static void test_hostile_peer_above_the_ceiling_is_given_up_and_told(void **state)
{
    (void)state;
    hostile_fini(&h);
    hostile_init(&h, &(struct hostile_options){.seed = 7, .memory_ceiling = 300000});
    uint64_t r;
    struct hostile_guest *guest = a_guest(&r);
    struct a3mi_packet packet;
    struct a3mi_reset reset;
    uint64_t seq = fill_share(r, guest, 150000);

    assert_int_equal(hostile_stats(&h, ALICE).given_up, 1);
    assert_int_equal(h.nodes[ALICE].guest_ended, 1);
    assert_null(guest->peer);
    assert_true(hostile_stats(&h, ALICE).held < 300000);
    assert_true(hostile_stats(&h, ALICE).orphaned > 100); /* they had been accepted, and nobody has them */
    struct a3mi_frame more = {.flags = A3MI_FRAME_WHOLE};

    send_frame(r, seq, &more);
    const struct hostile_packet *caught = hostile_caught(&h, MALLORY, A3MI_PACKET_RESET);

    assert_non_null(caught);
    assert_int_equal(a3mi_packet_read(caught->bytes, caught->size, &packet), A3MI_PACKET_OK);
    assert_true(a3mi_reset_read(&packet, &reset));
    assert_int_equal(reset.kind, A3MI_RESET_UNKNOWN);
}

/*
 * Messages out of turn, the highest number first: the cost of each must not grow with the number of those
 * that wait. Were it proportional, these would be two thousand million steps; the limit of time is for that.
 */
static void test_hostile_messages_in_descending_order_are_found_without_a_search(void **state)
{
    (void)state;
    uint64_t r;
    struct hostile_guest *guest = a_guest(&r);
    uint64_t number = A3MI_WAITING_MESSAGES;
    uint64_t seq = 0;
    time_t start = time(NULL);

    while (number > 0) {
        uint8_t frames[A3MI_PACKET_BASE - ROOM];
        uint8_t *p = frames;

        while (number > 0 && p + 32 < frames + sizeof(frames)) {
            struct a3mi_frame frame = {
                .link = guest->rx.index, .number = number--, .flags = A3MI_FRAME_WHOLE};

            p = a3mi_frame_write_data(p, &frame);
        }
        send_data(MALLORY, r, seq++, frames, (size_t)(p - frames));
    }
    assert_int_equal(guest->rx.partial_count, A3MI_WAITING_MESSAGES);
    struct a3mi_frame first = {.link = guest->rx.index, .flags = A3MI_FRAME_WHOLE};

    send_frame(r, seq, &first);
    assert_int_equal(h.nodes[ALICE].guest_messages, 1 + A3MI_WAITING_MESSAGES);
    assert_true(time(NULL) - start < 20);
}

static void test_hostile_control_message_above_its_maximum_is_a_bad_frame(void **state)
{
    (void)state;
    uint64_t r = open_to_alice(5);
    struct a3mi_frame piece = {
        .flags = A3MI_FRAME_FIRST, .size = 1000, .total = A3MI_CONTROL_MESSAGE_MAX + 1};
    struct change c = begin(ALICE);

    send_frame(r, 0, &piece);
    expect(&c, 0, 1, 0);
}

/* ---- OPEN ----------------------------------------------------------------------------------- */

static void send_open_as(uint32_t from, unsigned i, const uint8_t *cookie)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "node%u", i);
    struct a3mi_open open = an_open(i + 1);

    open.source = name_of(text);
    open.has_cookie = cookie != NULL;
    if (cookie != NULL) {
        memcpy(open.cookie, cookie, A3MI_COOKIE_SIZE);
    }
    send_open(from, &open);
}

static void test_hostile_flood_of_opens_from_many_addresses_is_bounded_and_passes(void **state)
{
    (void)state;
    size_t before = hostile_memory();

    for (unsigned i = 0; i < 40000; i++) {
        send_open_as(HOSTILE_BLIND + i, i, NULL);
    }
    assert_int_equal(hostile_stats(&h, ALICE).receivers, 1 + A3MI_PRESSURE);
    assert_int_equal(hostile_stats(&h, ALICE).peers, 1 + A3MI_PRESSURE);
    assert_int_equal(hostile_stats(&h, ALICE).opens_deferred, 40000 - A3MI_PRESSURE);
    assert_true(hostile_memory() - before < (size_t)A3MI_PRESSURE * 4096);
    hostile_send(&h, BOB, 50);
    hostile_settle(&h);
    /* They are forgotten by and by, without a word. */
    hostile_run(&h, A3MI_UNPROVEN_LIFE + HOSTILE_S);
    assert_true(hostile_stats(&h, ALICE).peers <= 1);
}

/* As that stranger, who proves that it is there. */
static void arrive(unsigned i)
{
    struct a3mi_frame nothing = {.link = 0xdeadbeef, .flags = A3MI_FRAME_WHOLE};

    send_open_as(EVE, i, NULL);
    uint64_t r = told_r(EVE);

    assert_int_not_equal(r, 0);
    uint8_t frames[A3MI_PACKET_BASE - ROOM];
    uint8_t *p = a3mi_frame_write_data(frames, &nothing);

    send_data(EVE, r, 0, frames, (size_t)(p - frames));
}

static void test_hostile_crowd_is_limited_in_number_and_the_idle_make_way(void **state)
{
    (void)state;
    const unsigned most = 20;

    hostile_fini(&h);
    hostile_init(&h, &(struct hostile_options){.seed = 7, .peers_max = most});
    for (unsigned i = 0; i < 100; i++) {
        if (i < most - 1) {
            arrive(i);
        } else {
            send_open_as(EVE, i, NULL);
        }
    }
    /* All were heard a moment ago: nobody makes way for those who come later. */
    assert_int_equal(hostile_stats(&h, ALICE).peers, most);
    assert_int_equal(hostile_stats(&h, ALICE).opens_refused, 100 - (most - 1));
    assert_non_null(hostile_caught(&h, EVE, A3MI_PACKET_RETRY));
    /* Later the idle ones do; Bob, with whom there is a link, does not. */
    hostile_run(&h, 20 * HOSTILE_S);
    for (unsigned i = 100; i < 110; i++) {
        arrive(i);
    }
    assert_int_equal(hostile_stats(&h, ALICE).evicted, 10);
    assert_true(hostile_stats(&h, ALICE).peers <= most + 10); /* with those that are owed the news */
    hostile_send(&h, BOB, 50);
    hostile_settle(&h);
    /* Who has not shown that it is there goes first. */
    send_open_as(EVE, 200, NULL);
    send_open_as(EVE, 201, NULL);
    assert_int_equal(hostile_stats(&h, ALICE).evicted, 11);
}

static void test_hostile_under_pressure_open_needs_the_cookie_of_its_address(void **state)
{
    (void)state;
    struct a3mi_packet packet;
    struct a3mi_retry retry;

    for (unsigned i = 0; i < A3MI_PRESSURE; i++) {
        send_open_as(HOSTILE_BLIND + i, i, NULL);
    }
    send_open_as(MALLORY, 50000, NULL);
    assert_int_equal(told_r(MALLORY), 0);
    const struct hostile_packet *caught = hostile_caught(&h, MALLORY, A3MI_PACKET_RETRY);

    assert_non_null(caught);
    assert_int_equal(a3mi_packet_read(caught->bytes, caught->size, &packet), A3MI_PACKET_OK);
    assert_true(a3mi_retry_read(&packet, &retry));
    send_open_as(EVE, 50000, retry.cookie); /* taken from another address */
    assert_int_equal(told_r(EVE), 0);
    send_open_as(MALLORY, 50001, retry.cookie); /* for another record */
    assert_int_equal(told_r(MALLORY), 0);
    retry.cookie[15] ^= 1;
    send_open_as(MALLORY, 50000, retry.cookie);
    assert_int_equal(told_r(MALLORY), 0);
    retry.cookie[15] ^= 1;
    assert_int_equal(hostile_stats(&h, ALICE).receivers, 1 + A3MI_PRESSURE);
    send_open_as(MALLORY, 50000, retry.cookie);
    assert_int_not_equal(told_r(MALLORY), 0);
}

/* The cookie in the last RETRY that an address got. */
static struct a3mi_retry told_cookie(uint32_t address)
{
    const struct hostile_packet *caught = hostile_caught(&h, address, A3MI_PACKET_RETRY);
    struct a3mi_packet packet;
    struct a3mi_retry retry;

    assert_non_null(caught);
    assert_int_equal(a3mi_packet_read(caught->bytes, caught->size, &packet), A3MI_PACKET_OK);
    assert_true(a3mi_retry_read(&packet, &retry));
    return retry;
}

/* The same OPEN, with the cookie that was told. */
static void open_with_cookie(uint32_t from, struct a3mi_open *open)
{
    struct a3mi_retry retry = told_cookie(from);

    open->has_cookie = true;
    memcpy(open->cookie, retry.cookie, sizeof(open->cookie));
    send_open(from, open);
}

static void test_hostile_unproven_record_is_told_to_one_address_only(void **state)
{
    (void)state;
    struct a3mi_open open = an_open(5);

    /* As if from a victim, then the same from where the answer is heard. */
    send_open(HOSTILE_BLIND, &open);
    send_open(MALLORY, &open);
    open_with_cookie(MALLORY, &open);
    uint64_t r = told_r(MALLORY);
    uint64_t sent = h.bytes_to[HOSTILE_BLIND];

    assert_int_not_equal(r, 0);
    for (unsigned i = 0; i < 200; i++) {
        send_data(MALLORY, r, i, NULL, 0);
        send_ping(MALLORY, r, 5);
    }
    assert_int_equal(hostile_stats(&h, ALICE).receivers, 2);
    hostile_run(&h, 30 * HOSTILE_S);
    assert_int_equal(h.bytes_to[HOSTILE_BLIND], sent);
}

/* Bob's name, his incarnation, and an order that nothing of his can ever exceed. */
static struct a3mi_open as_if_bob(uint64_t s)
{
    struct a3mi_open open = an_open(s);

    open.order = UINT64_MAX;
    open.source = h.nodes[BOB].id;
    open.source_incarnation = h.nodes[BOB].incarnation;
    return open;
}

static void test_hostile_open_of_the_highest_order_does_not_keep_its_peer_out(void **state)
{
    (void)state;
    hostile_run(&h, 10 * HOSTILE_S); /* Bob is silent for long enough to begin anew */
    assert_int_equal(hostile_stats(&h, ALICE).receivers, 0);
    for (unsigned i = 0; i < 20; i++) {
        struct a3mi_open open = as_if_bob(100 + i);

        send_open(HOSTILE_BLIND + i, &open);
        send_open(MALLORY, &open);
        if (i > 0) {
            open_with_cookie(MALLORY, &open); /* of the strangers one is where he says he is */
        }
        assert_true(hostile_stats(&h, ALICE).receivers <= A3MI_RIVALS_MAX + 1);
        hostile_send(&h, BOB, 5);
        hostile_run(&h, HOSTILE_S);
        assert_int_equal(h.nodes[ALICE].accepted, h.nodes[BOB].sent);
        hostile_run(&h, 9 * HOSTILE_S);
    }
}

static void test_hostile_rivals_for_a_record_are_bounded_and_show_cookies(void **state)
{
    (void)state;
    hostile_run(&h, 10 * HOSTILE_S);
    for (unsigned i = 0; i < 1000; i++) {
        struct a3mi_open open = as_if_bob(100 + i);

        send_open(HOSTILE_BLIND + i, &open);
    }
    assert_int_equal(hostile_stats(&h, ALICE).receivers, 1);
    for (unsigned i = 0; i < 10; i++) {
        struct a3mi_open open = as_if_bob(2000 + i);

        send_open(MALLORY + i, &open);
        open_with_cookie(MALLORY + i, &open);
        assert_true(hostile_stats(&h, ALICE).receivers <= A3MI_RIVALS_MAX + 1);
    }
}

/* What this node said in an earlier incarnation may reach it late, at an address that was another's then. */
static void test_hostile_open_with_the_id_of_this_node_that_shows_no_life_is_not_reported(void **state)
{
    (void)state;
    struct a3mi_open open = an_open(5);
    struct change c = begin(ALICE);

    open.source = name_of("alice");
    for (unsigned i = 0; i < 1000; i++) {
        send_open(MALLORY, &open);
    }
    assert_int_equal(hostile_stats(&h, ALICE).duplicate_id, c.before.duplicate_id);
    assert_int_equal(h.packets_to_strangers, A3MI_STRANGER_RATE); /* of one second */
    assert_int_equal(hostile_stats(&h, ALICE).receivers, 1);
}

static void test_hostile_open_with_the_id_of_this_node_is_reported_and_refused(void **state)
{
    (void)state;
    struct a3mi_open open = an_open(5);
    struct change c = begin(ALICE);

    open.source = name_of("alice");
    send_open(MALLORY, &open);
    for (unsigned i = 0; i < 1000; i++) {
        open_with_cookie(MALLORY, &open);
    }
    assert_int_equal(hostile_stats(&h, ALICE).duplicate_id - c.before.duplicate_id, 1000);
    assert_non_null(hostile_caught(&h, MALLORY, A3MI_PACKET_REFUSE));
    assert_int_equal(h.packets_to_strangers, A3MI_STRANGER_RATE); /* of one second */
    assert_int_equal(hostile_stats(&h, ALICE).receivers, 1);
}

/* What this version does not know may mean that the rest is to be read otherwise. */
static void test_hostile_flags_and_bytes_that_are_not_known_are_refused(void **state)
{
    (void)state;
    uint64_t r = open_to_alice(5);
    uint8_t bytes[A3MI_PACKET_BASE];
    uint8_t *body = bytes + A3MI_PACKET_HEADER;
    struct a3mi_open open = an_open(6);
    struct change c = begin(ALICE);

    memset(bytes, 0, sizeof(bytes));
    size_t size = a3mi_open_write(body, &open);
    body[36] = 2; /* its flags, behind four numbers and the time */
    inject(MALLORY, bytes, size, A3MI_PACKET_OPEN, 0);
    expect(&c, 1, 0, 0);
    size = a3mi_open_write(body, &open);
    body[size - 1] = 1; /* its padding */
    inject(MALLORY, bytes, size, A3MI_PACKET_OPEN, 0);
    size = a3mi_open_write(body, &open);
    inject(MALLORY, bytes, size, A3MI_PACKET_OPEN, r);
    expect(&c, 3, 0, 0);
    size = a3mi_alive_write(body, &(struct a3mi_alive){5});
    body[size] = 0;
    inject(MALLORY, bytes, size + 1, A3MI_PACKET_ALIVE, r);
    expect(&c, 4, 0, 0);
    struct a3mi_data data = {.seq = 0, .count = 1, .flags = 4};

    body = a3mi_data_write_before(bytes + ROOM, &data, NULL);
    inject(MALLORY, body - A3MI_PACKET_HEADER, A3MI_DATA_FIXED, A3MI_PACKET_DATA, r);
    expect(&c, 5, 0, 0);
    assert_int_equal(hostile_stats(&h, ALICE).receivers, 2);
}

/* ---- Strangers that name records ---------------------------------------------------------- */

static void test_hostile_packets_for_unknown_records_are_strays_and_answered_at_a_rate(void **state)
{
    (void)state;
    uint8_t bytes[A3MI_CONTROL_PACKET_MAX];
    uint8_t *body = bytes + A3MI_PACKET_HEADER;
    struct a3mi_close bye = {.s = 1, .author = name_of("bob")};
    struct a3mi_reset reset = {.kind = A3MI_RESET_UNKNOWN, .author = name_of("bob")};
    struct change c = begin(ALICE);

    for (uint64_t i = 1; i <= 1000; i++) {
        send_data(MALLORY, i, 0, NULL, 0);
        send_ping(MALLORY, i, 1);
    }
    expect(&c, 0, 0, 2000);
    assert_int_equal(h.packets_to_strangers, A3MI_STRANGER_RATE);
    for (uint64_t i = 1; i <= 1000; i++) {
        inject(EVE, bytes, a3mi_close_write(body, &bye), A3MI_PACKET_CLOSE, i);
        inject(EVE, bytes, a3mi_reset_write(body, &reset), A3MI_PACKET_RESET, i);
        inject(EVE, bytes, a3mi_alive_write(body, &(struct a3mi_alive){1}), A3MI_PACKET_ALIVE, i);
        inject(EVE, bytes, a3mi_response_write(body, &(struct a3mi_response){1}), A3MI_PACKET_RESPONSE, i);
        inject(EVE, bytes, a3mi_challenge_write(body, &(struct a3mi_challenge){1, 2}), A3MI_PACKET_CHALLENGE,
               i);
        inject(EVE, bytes, a3mi_retry_write(body, &(struct a3mi_retry){.cookie = {1}}), A3MI_PACKET_RETRY, i);
    }
    expect(&c, 0, 0, 8000);
    assert_int_equal(h.bytes_to[EVE], 0);
}

static void test_hostile_old_packets_again_from_anywhere_change_nothing(void **state)
{
    (void)state;
    hostile_send(&h, BOB, 30);
    hostile_settle(&h);
    struct hostile_packet seen[HOSTILE_CAUGHT];
    uint64_t n = h.seen_count < HOSTILE_CAUGHT ? h.seen_count : HOSTILE_CAUGHT;
    uint64_t accepted[2] = {h.nodes[ALICE].accepted, h.nodes[BOB].accepted};

    memcpy(seen, h.seen, sizeof(seen));
    for (unsigned round = 0; round < 50; round++) {
        for (uint64_t i = 0; i < n; i++) {
            hostile_inject(&h, seen[i].to - 1, seen[i].from, seen[i].bytes, seen[i].size);
            hostile_inject(&h, seen[i].to - 1, HOSTILE_BLIND + round, seen[i].bytes, seen[i].size);
        }
        hostile_run(&h, round * 100 * HOSTILE_MS);
    }
    assert_int_equal(h.nodes[ALICE].accepted, accepted[ALICE]);
    assert_int_equal(h.nodes[BOB].accepted, accepted[BOB]);
}

/* ---- CHALLENGE -------------------------------------------------------------------------------- */

static void test_hostile_challenges_are_never_more_than_what_caused_them(void **state)
{
    (void)state;
    uint64_t r = open_to_alice(5);
    uint8_t packet[A3MI_CONTROL_PACKET_MAX];
    size_t size = a3mi_alive_write(packet + A3MI_PACKET_HEADER, &(struct a3mi_alive){5});

    send_data(MALLORY, r, 0, NULL, 0);
    /* The smallest packets that fit the record, each newer, each as if from a new place: hostile.c counts. */
    for (uint32_t i = 0; i < 5000; i++) {
        inject(HOSTILE_BLIND + i, packet, size, A3MI_PACKET_ALIVE, r);
        assert_true(h.bytes_to[HOSTILE_BLIND + i] > 0);
    }
    for (uint32_t i = 0; i < 1000; i++) {
        send_ping(HOSTILE_BLIND + i % 2, r, 5);
    }
    assert_int_equal(hostile_stats(&h, ALICE).receivers, 2);
}

static void test_hostile_guessed_response_moves_nothing(void **state)
{
    (void)state;
    uint64_t r = open_to_alice(5);
    uint8_t packet[A3MI_CONTROL_PACKET_MAX];
    struct change c = begin(ALICE);

    send_data(MALLORY, r, 0, NULL, 0);
    send_ping(HOSTILE_BLIND, r, 5);
    for (uint64_t nonce = 0; nonce < 1000; nonce++) {
        size_t size = a3mi_response_write(packet + A3MI_PACKET_HEADER, &(struct a3mi_response){nonce});

        inject(HOSTILE_BLIND, packet, size, A3MI_PACKET_RESPONSE, r);
    }
    expect(&c, 0, 0, 1000);
    uint64_t sent = h.bytes_to[HOSTILE_BLIND];

    send_ping(MALLORY, r, 5);
    assert_int_equal(h.bytes_to[HOSTILE_BLIND], sent); /* the acknowledgement went to the old place */
}

/* Who hears a CHALLENGE can answer it, from where it went and nowhere else. */
static void test_hostile_response_from_where_nobody_was_asked_moves_nothing(void **state)
{
    (void)state;
    uint64_t r = open_to_alice(5);
    uint8_t bytes[A3MI_CONTROL_PACKET_MAX];
    struct a3mi_packet packet;
    struct a3mi_challenge challenge;

    send_data(MALLORY, r, 0, NULL, 0);
    send_ping(EVE, r, 5);
    const struct hostile_packet *caught = hostile_caught(&h, EVE, A3MI_PACKET_CHALLENGE);

    assert_non_null(caught);
    assert_int_equal(a3mi_packet_read(caught->bytes, caught->size, &packet), A3MI_PACKET_OK);
    assert_true(a3mi_challenge_read(&packet, &challenge));
    size_t size = a3mi_response_write(bytes + A3MI_PACKET_HEADER, &(struct a3mi_response){challenge.nonce});
    struct change c = begin(ALICE);

    inject(HOSTILE_BLIND, bytes, size, A3MI_PACKET_RESPONSE, r);
    expect(&c, 0, 0, 1);
    inject(EVE, bytes, size, A3MI_PACKET_RESPONSE, r);
    expect(&c, 0, 0, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_hostile_bodies_cut_at_every_length_are_bad_packets),
        CASE(test_hostile_datagrams_cut_at_every_length_are_counted),
        CASE(test_hostile_reserved_bits_of_the_header_are_refused),
        CASE(test_hostile_unknown_types_and_versions_are_counted_and_answered_once_a_second),
        CASE(test_hostile_names_are_checked_where_they_stand),
        CASE(test_hostile_acknowledgement_with_empty_ranges_or_too_many_is_a_bad_packet),
        CASE(test_hostile_acknowledgement_of_what_was_never_sent_changes_nothing),
        CASE(test_hostile_flood_of_acknowledgements_is_answered_by_nothing),
        CASE(test_hostile_unit_beyond_its_limit_is_a_bad_packet),
        CASE(test_hostile_unit_again_and_again_is_one_unit),
        CASE(test_hostile_frames_that_lie_about_their_lengths_are_bad_frames),
        CASE(test_hostile_frames_for_links_of_others_and_for_none_are_strays),
        CASE(test_hostile_fragments_that_contradict_each_other_are_bad_frames),
        CASE(test_hostile_messages_without_order_that_come_again_are_bad_frames),
        CASE(test_hostile_messages_without_order_and_full_of_gaps_cost_bounded_memory),
        CASE(test_hostile_message_larger_than_the_maximum_is_never_handed_up),
        CASE(test_hostile_messages_that_are_never_finished_cost_bounded_memory),
        CASE(test_hostile_messages_in_descending_order_are_found_without_a_search),
        CASE(test_hostile_control_message_above_its_maximum_is_a_bad_frame),
        CASE(test_hostile_flood_of_opens_from_many_addresses_is_bounded_and_passes),
        CASE(test_hostile_crowd_is_limited_in_number_and_the_idle_make_way),
        CASE(test_hostile_first_piece_that_claims_a_gigabyte_costs_little),
        CASE(test_hostile_peer_fills_its_share_and_nobody_elses),
        CASE(test_hostile_peer_above_the_ceiling_is_given_up_and_told),
        CASE(test_hostile_under_pressure_open_needs_the_cookie_of_its_address),
        CASE(test_hostile_unproven_record_is_told_to_one_address_only),
        CASE(test_hostile_open_of_the_highest_order_does_not_keep_its_peer_out),
        CASE(test_hostile_rivals_for_a_record_are_bounded_and_show_cookies),
        CASE(test_hostile_open_with_the_id_of_this_node_that_shows_no_life_is_not_reported),
        CASE(test_hostile_open_with_the_id_of_this_node_is_reported_and_refused),
        CASE(test_hostile_flags_and_bytes_that_are_not_known_are_refused),
        CASE(test_hostile_packets_for_unknown_records_are_strays_and_answered_at_a_rate),
        CASE(test_hostile_old_packets_again_from_anywhere_change_nothing),
        CASE(test_hostile_challenges_are_never_more_than_what_caused_them),
        CASE(test_hostile_guessed_response_moves_nothing),
        CASE(test_hostile_response_from_where_nobody_was_asked_moves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
