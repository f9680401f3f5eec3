/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Malformed and hostile packets by name, at a node that is in the midst of
 * traffic with a good one: each is counted where it belongs, dropped, costs
 * bounded memory and bounded answers, and the traffic goes on (hostile.h). Here
 * packets and acknowledgements; units and frames in test_core_hostile_units.c,
 * what opens, names and moves records in test_core_hostile_records.c.
 * covers X1 X5 Y2 Y3
 */
#include "hostile_case.h"

/* ---- A stranger's packets --------------------------------------------------------- */

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
