/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control beside data (core/channel_tx.c): node 1 sends to node 2 on 64 channels whose queues never empty, over a
 * path with a delay. Control messages, grants, PINGs and acknowledgements wait for none of it. Counted are the
 * packets that node 1 sends from when it has something to say until it has said it, never time.
 * covers F1 L11
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/message.h"
#include "core/assoc.h"
#include "core/packet.h"
#include "core/rtt.h"
#include "quiet_hooks.h"

#define NODES    3
#define CHANNELS 64
#define QUEUED   65536u /* bytes, at least, in each queue */
#define PIECE    16384u
#define MS       INT64_C(1000000)
#define DELAY    (5 * MS)
#define FLYING   65536u
#define BATCH    64

struct node {
    struct a3mi_assoc *assoc;
    struct a3m_addr addr;
    struct a3mi_peer *peers[NODES];
    struct a3mi_tx tx[NODES][CHANNELS];
    struct a3mi_rx rx[NODES][CHANNELS];
    uint64_t controls, grants, messages;
};

struct flight {
    int64_t at;
    unsigned from, to;
    uint64_t number; /* which packet of its author's it is */
    size_t size;
    uint8_t *bytes;
};

static struct {
    int64_t now;
    struct node nodes[NODES];
    struct flight flights[FLYING]; /* in the order of their arrival, as the delay is the same for all */
    unsigned first, count;
    bool flood;
    bool cut;
    uint64_t sent[NODES];  /* packets */
    uint64_t arrived;      /* the number of the packet that is being read */
    uint64_t said_by;      /* the number of the packet that had what was waited for; 0: none yet */
    unsigned waiting_type; /* of packets that are waited for as they leave node 1; 0: none */
    unsigned waiting_to;   /* and to whom */
} w;

/* ---- Nodes ------------------------------------------------------------------------------- */

static void on_message(void *arg, struct a3mi_rx *rx, a3m_msg *msg)
{
    struct node *node = arg;

    (void)rx;
    node->messages++;
    a3m_msg_free(msg);
}

static void on_packed(void *arg, struct a3mi_tx *tx, a3m_msg *msg)
{
    (void)arg, (void)tx;
    a3m_msg_free(msg);
}

static void on_control(void *arg, struct a3mi_peer *peer, uint64_t incarnation, const uint8_t *bytes,
                       size_t size)
{
    struct node *node = arg;

    (void)peer, (void)incarnation, (void)bytes, (void)size;
    node->controls++;
    w.said_by = w.arrived;
}

static void on_credit(void *arg, struct a3mi_rx *rx, uint32_t epoch, uint64_t messages, uint64_t bytes)
{
    struct node *node = arg;

    (void)rx, (void)epoch, (void)messages, (void)bytes;
    node->grants++;
    w.said_by = w.arrived;
}

static const struct a3mi_assoc_hooks hooks = {
    .message = on_message,
    .control = on_control,
    .credit = on_credit,
    .packed = on_packed,
    .acknowledged = quiet_acknowledged,
    .peer_ended = quiet_peer_ended,
    .peer_merged = quiet_peer_merged,
    .duplicate_id = quiet_duplicate_id,
};

static struct a3mi_name name_of(unsigned i)
{
    struct a3mi_name name;
    char text[8];

    (void)snprintf(text, sizeof(text), "c%u", i);
    (void)a3mi_name_set(&name, text, strlen(text));
    return name;
}

static void node_init(unsigned i)
{
    struct node *node = &w.nodes[i];
    struct a3mi_assoc_config config = {
        .id = name_of(i), .incarnation = i + 1, .seed = i + 1, .mtu = 1400, .window = 16384};

    config.key[0] = (uint8_t)(i + 1);
    node->addr = a3mi_addr_sim(i + 1);
    assert_int_equal(a3mi_assoc_new(&node->assoc, &config, &hooks, node), 0);
}

static void meet(unsigned from, unsigned to)
{
    struct node *node = &w.nodes[from];
    struct a3mi_name id = name_of(to);

    node->peers[to] = a3mi_assoc_peer(node->assoc, &id);
    a3mi_peer_set_addr(node->assoc, node->peers[to], &w.nodes[to].addr, w.now);
    for (unsigned i = 0; i < CHANNELS; i++) {
        assert_int_equal(a3mi_rx_attach(node->assoc, &node->rx[to][i], node->peers[to], 1 << 20), 0);
        a3mi_rx_bind(&node->rx[to][i], to + 1);
    }
}

static void join(unsigned from, unsigned to)
{
    for (unsigned i = 0; i < CHANNELS; i++) {
        a3mi_tx_attach(w.nodes[from].assoc, &w.nodes[from].tx[to][i], w.nodes[from].peers[to], to + 1,
                       w.nodes[to].rx[from][i].index);
    }
}

static void say(unsigned from, unsigned to, unsigned channel, size_t size)
{
    static const uint8_t bytes[PIECE];

    a3mi_assoc_send(w.nodes[from].assoc, &w.nodes[from].tx[to][channel], a3m_msg_copy(bytes, size), w.now);
}

/* ---- The network --------------------------------------------------------------------------- */

static void take_off(unsigned from, const struct a3m_packet_out *out)
{
    unsigned to = 0;

    while (!a3mi_addr_eq(&w.nodes[to].addr, out->to)) {
        to++;
    }
    w.sent[from]++;
    if (from == 0 && to == w.waiting_to && w.waiting_type != 0 && w.said_by == 0 &&
        (out->bytes[1] & 15u) == w.waiting_type) {
        w.said_by = w.sent[0];
    }
    if (w.cut) {
        return;
    }
    assert_true(w.count < FLYING);
    struct flight *flight = &w.flights[(w.first + w.count++) % FLYING];

    *flight = (struct flight){
        .at = w.now + DELAY, .from = from, .to = to, .number = w.sent[from], .size = out->size};
    flight->bytes = malloc(out->size);
    assert_non_null(flight->bytes);
    memcpy(flight->bytes, out->bytes, out->size);
}

static void feed(void)
{
    for (unsigned i = 0; i < CHANNELS && w.flood; i++) {
        while (w.nodes[0].tx[1][i].queued_bytes < QUEUED) {
            say(0, 1, i, PIECE);
        }
    }
}

static void pump(unsigned i)
{
    struct a3m_packet_out out[BATCH];
    size_t n;

    do {
        if (i == 0) {
            feed();
        }
        n = a3mi_assoc_output(w.nodes[i].assoc, out, BATCH, false, w.now);
        for (size_t k = 0; k < n; k++) {
            take_off(i, &out[k]);
        }
    } while (n == BATCH);
}

static void land(void)
{
    struct flight flight = w.flights[w.first];

    w.first = (w.first + 1) % FLYING;
    w.count--;
    w.arrived = flight.number;
    a3mi_assoc_input(w.nodes[flight.to].assoc, &w.nodes[flight.from].addr, flight.bytes, flight.size, w.now);
    free(flight.bytes);
    pump(flight.to);
}

static void run(int64_t ns)
{
    int64_t until = w.now + ns;

    for (;;) {
        int64_t at = w.count > 0 ? w.flights[w.first].at : INT64_MAX;

        for (unsigned i = 0; i < NODES; i++) {
            int64_t due = a3mi_assoc_deadline(w.nodes[i].assoc);
            at = due < at ? due : at;
        }
        if (at > until) {
            break;
        }
        w.now = at > w.now ? at : w.now;
        while (w.count > 0 && w.flights[w.first].at <= w.now) {
            land();
        }
        for (unsigned i = 0; i < NODES; i++) {
            if (a3mi_assoc_deadline(w.nodes[i].assoc) <= w.now) {
                a3mi_assoc_tick(w.nodes[i].assoc, w.now);
                pump(i);
            }
        }
    }
    w.now = until;
}

/* ---- What all tests begin and end with ------------------------------------------------------- */

/* The flood goes for so long that every queue and window is full. */
static void begin(void)
{
    memset(&w, 0, sizeof(w));
    w.now = 1000 * MS;
    for (unsigned i = 0; i < NODES; i++) {
        node_init(i);
    }
    for (unsigned i = 0; i < NODES; i++) {
        for (unsigned j = 0; j < NODES; j++) {
            if (i != j) {
                meet(i, j);
            }
        }
    }
    join(0, 1);
    join(1, 0);
    join(0, 2);
    join(2, 0);
    w.flood = true;
    pump(0);
    run(200 * MS);
    assert_true(w.sent[0] > 1000);
    w.said_by = 0;
}

static void end(void)
{
    while (w.count > 0) {
        free(w.flights[w.first].bytes);
        w.first = (w.first + 1) % FLYING;
        w.count--;
    }
    for (unsigned i = 0; i < NODES; i++) {
        struct node *node = &w.nodes[i];

        a3mi_assoc_check(node->assoc);
        for (unsigned j = 0; j < NODES; j++) {
            for (unsigned k = 0; k < CHANNELS && j != i; k++) {
                (void)a3mi_tx_detach(node->assoc, &node->tx[j][k]);
                a3mi_rx_detach(node->assoc, &node->rx[j][k]);
            }
            if (j != i) {
                a3mi_peer_release(node->assoc, node->peers[j]);
            }
        }
        a3mi_assoc_free(node->assoc);
    }
}

static void control(void)
{
    static const uint8_t bytes[100];

    assert_int_equal(
        a3mi_assoc_control(w.nodes[0].assoc, w.nodes[0].peers[1], 2, bytes, sizeof(bytes), w.now), 0);
}

/* Node 1 has said what it had to after at most `most` packets. */
static void expect_within(const char *what, uint64_t before, uint64_t most)
{
    if (w.said_by == 0) {
        fail_msg("%s: never said, in %llu packets", what, (unsigned long long)(w.sent[0] - before));
    }
    print_message("%s: in packet %llu\n", what, (unsigned long long)(w.said_by - before));
    assert_in_range(w.said_by - before, 1, most);
}

/* ---- Tests -------------------------------------------------------------------------------------- */

static void test_control_message_is_in_the_next_unit_whatever_data_waits(void **arg)
{
    (void)arg;
    begin();
    for (unsigned i = 0; i < 50; i++) {
        uint64_t before = w.sent[0];

        w.said_by = 0;
        control();
        pump(0); /* mostly the window is full, and nothing goes */
        run(30 * MS);
        expect_within("control message", before, 2);
        assert_int_equal(w.nodes[1].controls, i + 1);
    }
    end();
}

static void test_grants_of_all_channels_are_in_the_next_units(void **arg)
{
    (void)arg;
    begin();
    uint64_t before = w.sent[0];

    for (uint32_t i = 0; i < CHANNELS; i++) {
        assert_int_equal(a3mi_assoc_credit(w.nodes[0].assoc, &w.nodes[0].tx[1][i], 1, 10 + i, 1000, w.now),
                         0);
    }
    pump(0);
    run(30 * MS);
    assert_int_equal(w.nodes[1].grants, CHANNELS); /* 25 bytes each */
    expect_within("the last of 64 grants", before, 3);
    end();
}

static void test_ping_goes_before_data(void **arg)
{
    (void)arg;
    begin();
    uint64_t before = w.sent[0];

    w.waiting_type = A3MI_PACKET_PING;
    w.waiting_to = 1;
    a3mi_peer_set_addr(w.nodes[0].assoc, w.nodes[0].peers[1], &w.nodes[1].addr, w.now);
    pump(0);
    expect_within("PING", before, 1);
    end();
}

/* The path is cut until everything in flight counts as lost: what is urgent goes before most of it. */
static void test_control_message_does_not_wait_until_what_was_lost_went_again(void **arg)
{
    (void)arg;
    begin();
    w.cut = true;
    run(100 * MS);
    w.cut = false;
    control();
    uint64_t again = 0, before = w.sent[0];
    struct a3mi_assoc_stats stats;

    a3mi_assoc_get_stats(w.nodes[0].assoc, &stats);
    again = stats.retransmitted;
    run(2000 * MS);
    a3mi_assoc_get_stats(w.nodes[0].assoc, &stats);
    print_message("%llu units went again\n", (unsigned long long)(stats.retransmitted - again));
    assert_true(stats.retransmitted - again > 100);
    assert_int_equal(w.nodes[1].controls, 1);
    expect_within("control message behind a window of losses", before, 8);
    end();
}

/* Everything that a node has to say now arrives at once; no more than so many packets at a time. Returns how many. */
static size_t speak(unsigned i, size_t most)
{
    struct a3m_packet_out out[BATCH];
    size_t n;

    feed();
    n = a3mi_assoc_output(w.nodes[i].assoc, out, most, false, w.now);
    for (size_t k = 0; k < n; k++) {
        take_off(i, &out[k]);
    }
    return n;
}

static void hear(void)
{
    while (w.count > 0) {
        struct flight flight = w.flights[w.first];

        w.first = (w.first + 1) % FLYING;
        w.count--;
        a3mi_assoc_input(w.nodes[flight.to].assoc, &w.nodes[flight.from].addr, flight.bytes, flight.size,
                         w.now);
        free(flight.bytes);
    }
}

/* Node 2 takes all that node 1 can send, and it always has a whole output's worth; node 3 sent one message. */
static void test_acknowledgement_for_a_peer_does_not_wait_for_data_to_another(void **arg)
{
    (void)arg;
    begin();
    say(2, 0, 0, 100);
    pump(2);
    run(100 * MS);
    assert_int_equal(w.nodes[0].messages, 1);
    say(2, 0, 0, 100);
    (void)speak(2, BATCH);
    hear();
    assert_int_equal(w.nodes[0].messages, 2);
    w.now += A3MI_MAX_ACK_DELAY;
    a3mi_assoc_tick(w.nodes[0].assoc, w.now); /* it is due */
    uint64_t before = w.sent[0];

    w.waiting_type = A3MI_PACKET_ACK;
    w.waiting_to = 2;
    size_t least = BATCH;
    for (unsigned round = 0; round < 200 && w.said_by == 0; round++) {
        size_t n = speak(0, 16);
        least = n < least ? n : least;
        hear();
        while (speak(1, BATCH) > 0) {
            hear();
        }
        w.now += MS / 10;
    }
    assert_int_equal(least, 16); /* it never had room to spare */
    expect_within("ACK for another peer", before, 32);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_control_message_is_in_the_next_unit_whatever_data_waits),
        cmocka_unit_test(test_grants_of_all_channels_are_in_the_next_units),
        cmocka_unit_test(test_ping_goes_before_data),
        cmocka_unit_test(test_control_message_does_not_wait_until_what_was_lost_went_again),
        cmocka_unit_test(test_acknowledgement_for_a_peer_does_not_wait_for_data_to_another),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
