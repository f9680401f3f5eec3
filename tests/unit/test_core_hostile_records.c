/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile packets that open, name and move records, as test_core_hostile.c.
 * covers X1 X5 Y2 Y3
 */
#include "hostile_case.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_hostile_flood_of_opens_from_many_addresses_is_bounded_and_passes),
        CASE(test_hostile_crowd_is_limited_in_number_and_the_idle_make_way),
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
