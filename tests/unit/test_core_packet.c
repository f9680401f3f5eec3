/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets as bytes: core/packet.h. Each body is written, read back, cut at
 * every byte, and replaced by noise.
 * covers core
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "core/packet.h"

static struct a3mi_name name_of(const char *text)
{
    struct a3mi_name name;

    memset(&name, 0, sizeof(name));
    (void)a3mi_name_set(&name, text, strlen(text));
    return name;
}

/* A packet over exactly `size` bytes of memory, so that sanitizers see any read beyond. */
struct exact {
    uint8_t *memory;
    struct a3mi_packet packet;
};

static struct exact exactly(const uint8_t *body, size_t size)
{
    struct exact e = {.memory = malloc(size > 0 ? size : 1)};

    assert_non_null(e.memory);
    memcpy(e.memory, body, size);
    e.packet = (struct a3mi_packet){.body = e.memory, .body_size = size};
    return e;
}

/* Every type's reader, with where to put what it reads. */
union any {
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

static bool read_as(unsigned type, const struct a3mi_packet *p, union any *out)
{
    switch (type) {
    case A3MI_PACKET_OPEN: return a3mi_open_read(p, &out->open);
    case A3MI_PACKET_RETRY: return a3mi_retry_read(p, &out->retry);
    case A3MI_PACKET_REFUSE: return a3mi_refuse_read(p, &out->refuse);
    case A3MI_PACKET_ACCEPT: return a3mi_accept_read(p, &out->accept);
    case A3MI_PACKET_DATA: return a3mi_data_read(p, &out->data);
    case A3MI_PACKET_ACK: return a3mi_ack_read(p, &out->ack);
    case A3MI_PACKET_PING: return a3mi_ping_read(p, &out->ping);
    case A3MI_PACKET_CLOSE: return a3mi_close_read(p, &out->close);
    case A3MI_PACKET_PROBE: return a3mi_probe_read(p, &out->probe);
    case A3MI_PACKET_ALIVE: return a3mi_alive_read(p, &out->alive);
    case A3MI_PACKET_RESET: return a3mi_reset_read(p, &out->reset);
    case A3MI_PACKET_CHALLENGE: return a3mi_challenge_read(p, &out->challenge);
    case A3MI_PACKET_RESPONSE: return a3mi_response_read(p, &out->response);
    default: return false;
    }
}

/* Reads it whole, and cut at each byte below `needed`, where it must be refused. */
static union any read_and_cut(unsigned type, const uint8_t *body, size_t size, size_t needed)
{
    union any out;

    for (size_t n = 0; n <= size; n++) {
        struct exact e = exactly(body, n);

        memset(&out, 0xa5, sizeof(out));
        assert_int_equal(read_as(type, &e.packet, &out), n >= needed);
        free(e.memory);
    }
    return out;
}

static void test_packet_header_comes_back(void **state)
{
    (void)state;
    uint8_t bytes[60] = {0};
    struct a3mi_packet packet;

    memset(bytes + A3MI_PACKET_HEADER, 7, sizeof(bytes) - A3MI_PACKET_HEADER);
    a3mi_packet_seal(bytes, sizeof(bytes), A3MI_PACKET_PING, 0x0102030405060708, 0x1112131415161718);
    assert_int_equal(a3mi_packet_read(bytes, sizeof(bytes), &packet), A3MI_PACKET_OK);
    assert_int_equal(packet.type, A3MI_PACKET_PING);
    assert_true(packet.addressee == 0x0102030405060708 && packet.number == 0x1112131415161718);
    assert_int_equal(packet.body_size, sizeof(bytes) - A3MI_PACKET_HEADER);
    assert_int_equal(bytes[8], 1);
    assert_int_equal(bytes[15], 8);
}

static void test_packet_any_damage_is_found(void **state)
{
    (void)state;
    uint8_t bytes[200];
    struct a3mi_packet packet;

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    a3mi_packet_seal(bytes, sizeof(bytes), A3MI_PACKET_DATA, 1, 2);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[i] ^= (uint8_t)(1u << bit);
            enum a3mi_packet_error error = a3mi_packet_read(bytes, sizeof(bytes), &packet);

            assert_int_equal(error, i == 0 ? A3MI_PACKET_BAD_VERSION : A3MI_PACKET_BAD_CHECKSUM);
            bytes[i] ^= (uint8_t)(1u << bit);
        }
    }
    for (size_t n = 0; n < sizeof(bytes); n++) {
        assert_int_not_equal(a3mi_packet_read(bytes, n, &packet), A3MI_PACKET_OK);
    }
    assert_int_equal(a3mi_packet_read(bytes, sizeof(bytes), &packet), A3MI_PACKET_OK);
}

static void test_packet_open_round_trip(void **state)
{
    (void)state;
    uint8_t body[A3MI_CONTROL_PACKET_MAX];
    struct a3mi_open in = {
        .s = 1,
        .order = 2,
        .source_incarnation = 3,
        .destination_incarnation = 4,
        .time = 5,
        .afresh = true,
        .source = name_of("source"),
        .destination = name_of("destination"),
        .has_cookie = true,
        .cookie = {9, 8, 7},
    };
    size_t size = a3mi_open_write(body, &in);
    size_t needed = 36 + 1 + 7 + 12 + 2 + A3MI_COOKIE_SIZE;

    assert_int_equal(size, A3MI_PACKET_MIN - A3MI_PACKET_HEADER);
    /* Where an extension could begin, the packet may end. */
    struct exact e = exactly(body, needed - 2 - A3MI_COOKIE_SIZE);
    union any out;

    assert_true(read_as(A3MI_PACKET_OPEN, &e.packet, &out));
    assert_false(out.open.has_cookie);
    free(e.memory);
    e = exactly(body, size);
    assert_true(read_as(A3MI_PACKET_OPEN, &e.packet, &out));
    free(e.memory);
    assert_true(out.open.s == 1 && out.open.order == 2 && out.open.source_incarnation == 3);
    assert_true(out.open.destination_incarnation == 4 && out.open.time == 5 && out.open.afresh);
    assert_true(a3mi_name_eq(&out.open.source, &in.source));
    assert_true(a3mi_name_eq(&out.open.destination, &in.destination));
    assert_true(out.open.has_cookie && memcmp(out.open.cookie, in.cookie, A3MI_COOKIE_SIZE) == 0);
}

static void test_packet_open_unknown_extensions_are_skipped(void **state)
{
    (void)state;
    uint8_t body[A3MI_CONTROL_PACKET_MAX];
    struct a3mi_open in = {.s = 1, .source_incarnation = 3, .source = name_of("a")};
    size_t at = 36 + 1 + 2 + 1;
    union any out;

    (void)a3mi_open_write(body, &in);
    static const uint8_t extra[] = {200, 3, 1, 2, 3,  1,  16, 1,  2,  3,  4, 5,
                                    6,   7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

    memcpy(body + at, extra, sizeof(extra));
    struct exact e = exactly(body, at + sizeof(extra));

    assert_true(read_as(A3MI_PACKET_OPEN, &e.packet, &out));
    assert_true(out.open.has_cookie && out.open.cookie[15] == 16);
    free(e.memory);
    e = exactly(body, at + 4); /* in the middle of the first one */
    assert_false(read_as(A3MI_PACKET_OPEN, &e.packet, &out));
    free(e.memory);
}

static void test_packet_refuse_accept_round_trip(void **state)
{
    (void)state;
    uint8_t body[A3MI_CONTROL_PACKET_MAX];
    struct a3mi_refuse refuse = {.reason = A3MI_REFUSE_NODE,
                                 .source_incarnation = 1,
                                 .destination_incarnation = 2,
                                 .incarnation = 3,
                                 .author = name_of("x")};
    size_t size = a3mi_refuse_write(body, &refuse);
    union any out = read_and_cut(A3MI_PACKET_REFUSE, body, size, size);

    assert_true(out.refuse.reason == A3MI_REFUSE_NODE && out.refuse.source_incarnation == 1);
    assert_true(out.refuse.destination_incarnation == 2 && out.refuse.incarnation == 3);
    assert_true(a3mi_name_eq(&out.refuse.author, &refuse.author));

    struct a3mi_accept accept = {.r = 1,
                                 .limit = 2,
                                 .source_incarnation = 3,
                                 .incarnation = 4,
                                 .time = 5,
                                 .source = name_of("s"),
                                 .author = name_of("author")};

    size = a3mi_accept_write(body, &accept);
    out = read_and_cut(A3MI_PACKET_ACCEPT, body, size, size);
    assert_true(out.accept.r == 1 && out.accept.limit == 2 && out.accept.source_incarnation == 3);
    assert_true(out.accept.incarnation == 4 && out.accept.time == 5);
    assert_true(a3mi_name_eq(&out.accept.source, &accept.source));
    assert_true(a3mi_name_eq(&out.accept.author, &accept.author));
}

static void test_packet_longest_ids_fit(void **state)
{
    (void)state;
    char text[A3MI_NAME_MAX + 1];
    uint8_t body[A3MI_CONTROL_PACKET_MAX];

    memset(text, 'x', A3MI_NAME_MAX);
    text[A3MI_NAME_MAX] = '\0';
    struct a3mi_open open = {
        .source_incarnation = 1, .source = name_of(text), .destination = name_of(text), .has_cookie = true};
    struct a3mi_accept accept = {.incarnation = 1, .source = name_of(text), .author = name_of(text)};
    size_t size = a3mi_open_write(body, &open);
    struct a3mi_packet packet = {.body = body, .body_size = size};
    union any out = {0};

    assert_true(size <= sizeof(body) - A3MI_PACKET_HEADER && read_as(A3MI_PACKET_OPEN, &packet, &out));
    assert_true(out.open.has_cookie);
    packet.body_size = a3mi_accept_write(body, &accept);
    assert_true(packet.body_size <= sizeof(body) - A3MI_PACKET_HEADER);
    assert_true(read_as(A3MI_PACKET_ACCEPT, &packet, &out));
    /* Nobody is answered with more than three times what was asked. */
    assert_true(packet.body_size + A3MI_PACKET_HEADER <= 3 * (size + A3MI_PACKET_HEADER));
}

static struct a3mi_ack some_ack(uint8_t count)
{
    struct a3mi_ack ack = {
        .s = 1, .r = 2, .cumulative = 3, .limit = 4, .echo = 5, .echo_time = 6, .delay = 7, .count = count};

    for (uint8_t i = 0; i < count; i++) {
        ack.ranges[i].gap = i + 1u;
        ack.ranges[i].length = i + 100u;
    }
    return ack;
}

static void expect_ack(const struct a3mi_ack *a, const struct a3mi_ack *b)
{
    assert_true(a->s == b->s && a->r == b->r && a->cumulative == b->cumulative && a->limit == b->limit);
    assert_true(a->echo == b->echo && a->echo_time == b->echo_time && a->delay == b->delay &&
                a->count == b->count);
    assert_memory_equal(a->ranges, b->ranges, a->count * sizeof(a->ranges[0]));
}

static void test_packet_ack_round_trip(void **state)
{
    (void)state;
    uint8_t body[A3MI_ACK_MAX + 8];

    for (uint8_t count = 0; count <= A3MI_ACK_RANGES; count += 16) {
        struct a3mi_ack in = some_ack(count);
        size_t size = a3mi_ack_write(body, &in);

        assert_int_equal(size, a3mi_ack_size(&in));
        union any out = read_and_cut(A3MI_PACKET_ACK, body, size, size);

        expect_ack(&out.ack, &in);
    }
    struct a3mi_ack in = some_ack(2);
    size_t size = a3mi_ack_write(body, &in);
    struct a3mi_packet packet = {.body = body, .body_size = sizeof(body)};
    union any out;

    (void)size;
    body[48] = A3MI_ACK_RANGES + 1;
    assert_false(read_as(A3MI_PACKET_ACK, &packet, &out));
    in.ranges[1].gap = 0;
    packet.body_size = a3mi_ack_write(body, &in);
    assert_false(read_as(A3MI_PACKET_ACK, &packet, &out));
}

static void test_packet_data_round_trip(void **state)
{
    (void)state;
    uint8_t room[A3MI_ACK_MAX + A3MI_DATA_FIXED + 10];
    uint8_t *frames = room + sizeof(room) - 10;
    struct a3mi_data in = {.seq = 1, .count = 2, .flags = A3MI_DATA_UNFILLED, .time = 3};
    struct a3mi_ack ack = some_ack(A3MI_ACK_RANGES);

    memcpy(frames, "0123456789", 10);
    uint8_t *body = a3mi_data_write_before(frames, &in, NULL);
    union any out = read_and_cut(A3MI_PACKET_DATA, body, A3MI_DATA_FIXED + 10, A3MI_DATA_FIXED);

    assert_true(out.data.seq == 1 && out.data.count == 2 && out.data.time == 3);
    assert_true(out.data.flags == A3MI_DATA_UNFILLED && out.data.frames_size == 10);

    body = a3mi_data_write_before(frames, &in, &ack);
    assert_ptr_equal(body, room);
    struct a3mi_packet packet = {.body = body, .body_size = sizeof(room)};

    assert_true(read_as(A3MI_PACKET_DATA, &packet, &out));
    assert_true(out.data.flags == (A3MI_DATA_UNFILLED | A3MI_DATA_HAS_ACK));
    assert_ptr_equal(out.data.frames, frames);
    expect_ack(&out.data.ack, &ack);
}

static void test_packet_small_ones_round_trip(void **state)
{
    (void)state;
    uint8_t body[A3MI_CONTROL_PACKET_MAX];
    struct a3mi_ping ping = {.s = 1, .time = 2};
    struct a3mi_close bye = {.s = 3, .incarnation = 4, .author = name_of("n")};
    struct a3mi_probe probe = {.r = 5, .incarnation = 6, .destination = name_of("d")};
    struct a3mi_alive alive = {.s = 7};
    struct a3mi_reset reset = {
        .kind = A3MI_RESET_UNKNOWN, .incarnation = 8, .cumulative = 77, .author = name_of("a")};
    struct a3mi_challenge challenge = {.author = 9, .nonce = 10};
    struct a3mi_response response = {.nonce = 11};
    struct a3mi_retry retry = {.cookie = {12}};
    union any out;

    out = read_and_cut(A3MI_PACKET_PING, body, a3mi_ping_write(body, &ping), 12);
    assert_true(out.ping.s == 1 && out.ping.time == 2);
    out = read_and_cut(A3MI_PACKET_CLOSE, body, a3mi_close_write(body, &bye), 18);
    assert_true(out.close.s == 3 && out.close.incarnation == 4 && out.close.author.s[0] == 'n');
    out = read_and_cut(A3MI_PACKET_PROBE, body, a3mi_probe_write(body, &probe), 18);
    assert_true(out.probe.r == 5 && out.probe.incarnation == 6 && out.probe.destination.s[0] == 'd');
    out = read_and_cut(A3MI_PACKET_ALIVE, body, a3mi_alive_write(body, &alive), 8);
    assert_true(out.alive.s == 7);
    out = read_and_cut(A3MI_PACKET_RESET, body, a3mi_reset_write(body, &reset), 19);
    assert_true(out.reset.kind == A3MI_RESET_UNKNOWN && out.reset.incarnation == 8 &&
                out.reset.cumulative == 77);
    out = read_and_cut(A3MI_PACKET_CHALLENGE, body, a3mi_challenge_write(body, &challenge), 16);
    assert_true(out.challenge.author == 9 && out.challenge.nonce == 10);
    out = read_and_cut(A3MI_PACKET_RESPONSE, body, a3mi_response_write(body, &response), 8);
    assert_true(out.response.nonce == 11);
    out = read_and_cut(A3MI_PACKET_RETRY, body, a3mi_retry_write(body, &retry), A3MI_COOKIE_SIZE);
    assert_int_equal(out.retry.cookie[0], 12);
}

static void test_packet_noise_is_read_without_harm(void **state)
{
    (void)state;
    struct a3mi_rng rng;
    union any out;

    a3mi_rng_init(&rng, 5);
    for (unsigned round = 0; round < 100000; round++) {
        uint8_t body[400];
        size_t size = a3mi_rng_below(&rng, sizeof(body));

        for (size_t i = 0; i < size; i++) {
            body[i] = (uint8_t)a3mi_rng_u64(&rng);
        }
        struct exact e = exactly(body, size);

        (void)read_as((unsigned)a3mi_rng_below(&rng, 14), &e.packet, &out);
        free(e.memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packet_header_comes_back),
        cmocka_unit_test(test_packet_any_damage_is_found),
        cmocka_unit_test(test_packet_open_round_trip),
        cmocka_unit_test(test_packet_open_unknown_extensions_are_skipped),
        cmocka_unit_test(test_packet_refuse_accept_round_trip),
        cmocka_unit_test(test_packet_longest_ids_fit),
        cmocka_unit_test(test_packet_ack_round_trip),
        cmocka_unit_test(test_packet_data_round_trip),
        cmocka_unit_test(test_packet_small_ones_round_trip),
        cmocka_unit_test(test_packet_noise_is_read_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
