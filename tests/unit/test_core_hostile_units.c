/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile units and frames, as test_core_hostile.c.
 * covers X1 X5 Y2 Y3
 */
#include "hostile_case.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        CASE(test_hostile_first_piece_that_claims_a_gigabyte_costs_little),
        CASE(test_hostile_peer_fills_its_share_and_nobody_elses),
        CASE(test_hostile_peer_above_the_ceiling_is_given_up_and_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
