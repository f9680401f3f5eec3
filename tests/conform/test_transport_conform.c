/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every transport promises (<a3m/transport.h>), tried on each of them:
 * the same tests run over UDP on IPv4, on IPv6, on a socket for both, and in
 * process. Order and the absence of loss are asserted because these transports
 * have them on one machine, while their queues are not full.
 */
#include "conform/test_transport_end.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "transport/registry.h"

struct kind {
    const char *name;
    const a3m_transport_ops *ops;
    const char *bind; /* with a %u where a fresh number makes it unique */
    const char *host; /* to reach a wildcard, or NULL */
};

static const struct kind kinds[] = {
    {"udp4", &a3mi_transport_udp, "127.0.0.1:0", NULL},
    {"udp4-any", &a3mi_transport_udp, "0.0.0.0:0", "127.0.0.1"},
    {"udp6", &a3mi_transport_udp, "[::1]:0", NULL},
    {"udp46-over-4", &a3mi_transport_udp, "[::]:0", "127.0.0.1"},
    {"udp46-over-6", &a3mi_transport_udp, "[::]:0", "[::1]"},
    {"inproc", &a3mi_transport_inproc, "conform-%u", NULL},
};

static const struct kind *kind; /* the one under test */

static struct end open_end_with(size_t receive_buffer)
{
    static unsigned number;
    char text[64];

    if (strchr(kind->bind, '%') != NULL) {
        snprintf(text, sizeof text, "conform-%u", number++);
    } else {
        snprintf(text, sizeof text, "%s", kind->bind);
    }
    return end_open(kind->ops, text, kind->host, receive_buffer);
}

static struct end open_end(void)
{
    return open_end_with(0);
}

/* ---- Addresses -------------------------------------------------------------- */

static void test_transport_open_any_gives_each_its_own_address(void **state)
{
    struct end a = open_end(), b = open_end();
    struct a3m_addr local, read_back;
    char text[128];

    (void)state;
    assert_false(a3mi_addr_eq(&a.at, &b.at));
    a.ops->local(a.self, &local);
    a.ops->format(&local, text, sizeof text);
    assert_int_equal(a.ops->resolve(text, &read_back), 0);
    assert_true(a3mi_addr_eq(&local, &read_back));
    end_close(&a);
    end_close(&b);
}

static void test_transport_open_address_in_use_fails_and_says_so(void **state)
{
    struct a3m_transport_config config = {.size = sizeof config};
    struct end a = open_end();
    struct a3m_addr local;
    char text[128];
    void *self = NULL;

    (void)state;
    a.ops->local(a.self, &local);
    a.ops->format(&local, text, sizeof text);
    assert_int_equal(a.ops->open(&local, &config, &self), A3M_EADDRINUSE);
    assert_non_null(strstr(a3m_error_detail(), text));
    assert_non_null(strstr(a3m_error_detail(), "in use"));
    end_close(&a);
    assert_int_equal(kind->ops->open(&local, &config, &self), 0);
    kind->ops->close(self);
}

static void test_transport_format_small_buffer_is_terminated(void **state)
{
    struct end a = open_end();

    (void)state;
    for (size_t size = 1; size < 40; size++) {
        char text[40];

        memset(text, 'x', sizeof text);
        a.ops->format(&a.at, text, size);
        assert_non_null(memchr(text, '\0', size));
    }
    end_close(&a);
}

/* ---- Packets ---------------------------------------------------------------- */

static void test_transport_every_size_arrives_unchanged(void **state)
{
    static const size_t small[] = {0, 1, 2, 7, 8, 15, 16, 17, 63, 64, 65, 100, 500, 1024, 1232, 1399, 1400};
    struct end a = open_end(), b = open_end();
    struct pile pile = {0};
    uint8_t *bytes = malloc(a.mtu);

    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i <= sizeof small / sizeof small[0]; i++) {
        size_t size = i < sizeof small / sizeof small[0] ? small[i] : a.mtu;

        fill_bytes(bytes, size, (uint32_t)i);
        end_send_one(&a, &b.at, size > 0 ? bytes : NULL, size);
        end_receive_count(&b, &pile, 1, 64);
        assert_bytes(&pile.packets[0], size, (uint32_t)i);
        assert_true(a3mi_addr_eq(&pile.packets[0].from, &a.at));
        pile_clear(&pile);
    }
    free(bytes);
    end_close(&a);
    end_close(&b);
}

static void test_transport_answer_to_sender_arrives(void **state)
{
    struct end a = open_end(), b = open_end();
    struct pile pile = {0};

    (void)state;
    end_send_one(&a, &b.at, "question", 8);
    end_receive_count(&b, &pile, 1, 64);
    end_send_one(&b, &pile.packets[0].from, "answer", 6);
    pile_clear(&pile);
    end_receive_count(&a, &pile, 1, 64);
    assert_memory_equal(pile.packets[0].bytes, "answer", 6);
    assert_true(a3mi_addr_eq(&pile.packets[0].from, &b.at));
    pile_clear(&pile);
    end_close(&a);
    end_close(&b);
}

static void test_transport_send_to_itself_arrives(void **state)
{
    struct end a = open_end();
    struct pile pile = {0};

    (void)state;
    end_send_one(&a, &a.at, "self", 4);
    end_receive_count(&a, &pile, 1, 64);
    assert_true(a3mi_addr_eq(&pile.packets[0].from, &a.at));
    pile_clear(&pile);
    end_close(&a);
}

enum {
    RECEIVERS = 3,
    MIXED = 400,
};

/* Packet i of a mixed batch: runs of equal size to one address, with everything in between. */
static size_t mixed_size(unsigned i, size_t mtu)
{
    static const size_t sizes[] = {1, 64, 64, 1400, 1400, 900, 0, 333};
    size_t size = sizes[(i / 5 + i / 23) % 8];

    return i % 37 == 0 ? mtu : size;
}

static void test_transport_mixed_batch_each_gets_its_own_in_order(void **state)
{
    struct end a = open_end(), receivers[RECEIVERS];
    struct a3m_packet_out *out = calloc(MIXED, sizeof *out);
    unsigned expected[RECEIVERS] = {0};

    (void)state;
    assert_non_null(out);
    for (unsigned r = 0; r < RECEIVERS; r++) {
        receivers[r] = open_end();
    }
    for (unsigned i = 0; i < MIXED; i++) {
        unsigned r = (i / 11 + i / 50) % RECEIVERS;
        uint8_t *bytes = malloc(a.mtu);

        assert_non_null(bytes);
        out[i] = (struct a3m_packet_out){.to = &receivers[r].at,
                                         .bytes = bytes,
                                         .size = mixed_size(i, a.mtu),
                                         .cookie = i % 17 == 0 ? i : 0};
        fill_bytes(bytes, out[i].size, i);
        expected[r]++;
    }
    end_send(&a, out, MIXED);
    for (unsigned r = 0; r < RECEIVERS; r++) {
        struct pile pile = {0};
        size_t at = 0;

        end_receive_count(&receivers[r], &pile, expected[r], 64);
        for (unsigned i = 0; i < MIXED; i++) {
            if (out[i].to == &receivers[r].at) {
                assert_bytes(&pile.packets[at], out[i].size, i);
                assert_true(a3mi_addr_eq(&pile.packets[at].from, &a.at));
                at++;
            }
        }
        pile_clear(&pile);
        end_close(&receivers[r]);
    }
    for (unsigned i = 0; i < MIXED; i++) {
        free((void *)(uintptr_t)out[i].bytes);
    }
    free(out);
    end_close(&a);
}

/* `n` packets of `size`, numbered by their seed from `first` on, in one batch. */
static void send_equal(struct end *from, const struct end *to, unsigned first, unsigned n, size_t size)
{
    struct a3m_packet_out *out = calloc(n, sizeof *out);
    uint8_t *bytes = malloc(n * size);

    assert_non_null(out);
    assert_non_null(bytes);
    for (unsigned i = 0; i < n; i++) {
        fill_bytes(bytes + i * size, size, first + i);
        out[i] = (struct a3m_packet_out){.to = &to->at, .bytes = bytes + i * size, .size = size};
    }
    end_send(from, out, n);
    free(bytes);
    free(out);
}

static void test_transport_receive_few_at_a_time_gets_all_in_order(void **state)
{
    static const size_t at_a_time[] = {1, 3, 64, 100};
    struct end a = open_end(), b = open_end();

    (void)state;
    for (size_t k = 0; k < sizeof at_a_time / sizeof at_a_time[0]; k++) {
        struct pile pile = {0};

        send_equal(&a, &b, 0, 150, 200);
        send_equal(&a, &b, 150, 3, 1400);
        end_receive_count(&b, &pile, 153, at_a_time[k]);
        for (unsigned i = 0; i < 153; i++) {
            assert_bytes(&pile.packets[i], i < 150 ? 200 : 1400, i);
        }
        pile_clear(&pile);
    }
    end_close(&a);
    end_close(&b);
}

/* What one `receive` gave stays as it is until the next one, whatever arrives meanwhile. */
static void test_transport_received_bytes_stay_until_the_next_receive(void **state)
{
    struct end a = open_end(), b = open_end();
    struct a3m_packet_in in[64];
    struct pile rest = {0};
    size_t n = 0;

    (void)state;
    send_equal(&a, &b, 0, 40, 700);
    while (n == 0) {
        assert_true(end_ready(&b, POLLIN, END_DEADLINE_MS));
        n = b.ops->receive(b.self, in, 64);
    }
    send_equal(&a, &b, 40, 100, 700);
    for (size_t i = 0; i < n; i++) {
        assert_bytes(&in[i], 700, (uint32_t)i);
    }
    end_receive_count(&b, &rest, 140 - n, 64);
    assert_bytes(&rest.packets[rest.count - 1], 700, 139);
    pile_clear(&rest);
    end_close(&a);
    end_close(&b);
}

/* ---- The descriptor --------------------------------------------------------- */

static void test_transport_descriptor_tells_when_packets_wait(void **state)
{
    struct end a = open_end(), b = open_end();
    struct pile pile = {0};

    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        assert_true(end_ready(&b, POLLOUT, END_DEADLINE_MS));
        assert_false(end_ready(&b, POLLIN, 0));
        assert_int_equal(end_receive(&b, &pile, 64), 0);
        send_equal(&a, &b, 0, 1 + round * 5, 100);
        assert_true(end_ready(&b, POLLIN, END_DEADLINE_MS));
        end_receive_count(&b, &pile, 1 + round * 5, 64);
        assert_false(end_ready(&b, POLLIN, 0));
        pile_clear(&pile);
    }
    assert_int_equal(b.ops->fd(b.self), b.fd);
    end_close(&a);
    end_close(&b);
}

/* ---- Loss ------------------------------------------------------------------- */

/* Not only from an empty queue: the window is kept full while packets are taken from its front. */
static void test_transport_whole_window_waits_without_loss(void **state)
{
    struct end a = open_end(), b = open_end();
    struct a3m_transport_info info;
    uint32_t sent = 0, received = 0;

    (void)state;
    b.ops->info(b.self, &info);
    assert_true(info.rx_window >= info.mtu);
    uint32_t window = (uint32_t)(info.rx_window / info.mtu);
    uint8_t *bytes = calloc(1, info.mtu);

    assert_non_null(bytes);
    while (received < 4 * window) {
        struct pile pile = {0};

        for (; sent < received + window; sent++) {
            struct a3m_packet_out packet = {.to = &b.at, .bytes = bytes, .size = info.mtu, .cookie = 1};

            memcpy(bytes, &sent, sizeof sent);
            end_send(&a, &packet, 1);
        }
        end_receive_count(&b, &pile, 1, 1);
        end_receive(&b, &pile, 64);
        for (size_t i = 0; i < pile.count; i++, received++) {
            assert_memory_equal(pile.packets[i].bytes, &received, sizeof received);
        }
        pile_clear(&pile);
    }
    assert_int_equal(end_stats(&b).rx_dropped, 0);
    free(bytes);
    end_close(&a);
    end_close(&b);
}

static void test_transport_full_queue_sent_is_received_and_dropped(void **state)
{
    enum { MANY = 6000 };
    struct end a = open_end(), b = open_end_with(1);
    struct pile pile = {0};
    uint8_t bytes[1000] = {0};

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        /* A cookie each, since what is lost of a super-packet counts as one. */
        struct a3m_packet_out packet = {.to = &b.at, .bytes = bytes, .size = sizeof bytes, .cookie = 1};

        end_send(&a, &packet, 1);
    }
    end_drain(&b, &pile);
    assert_int_equal(end_stats(&a).tx_packets, MANY);
    assert_int_equal(pile.count + end_stats(&b).rx_dropped, MANY);
    assert_true(end_stats(&b).rx_dropped > 0);
    pile_clear(&pile);

    /* Nothing is stuck afterwards. */
    end_send_one(&a, &b.at, "again", 5);
    end_receive_count(&b, &pile, 1, 64);
    pile_clear(&pile);
    end_close(&a);
    end_close(&b);
}

static void test_transport_closed_peer_does_not_disturb_others(void **state)
{
    struct end a = open_end(), gone = open_end(), b = open_end();
    struct pile pile = {0};

    (void)state;
    end_close(&gone);
    for (unsigned round = 0; round < 50; round++) {
        struct a3m_packet_out out[] = {
            {.to = &gone.at, .bytes = (const uint8_t *)"1", .size = 1},
            {.to = &b.at, .bytes = (const uint8_t *)"2", .size = 1},
            {.to = &gone.at, .bytes = (const uint8_t *)"3", .size = 1},
            {.to = &gone.at, .bytes = (const uint8_t *)"4", .size = 1},
            {.to = &b.at, .bytes = (const uint8_t *)"5", .size = 1},
        };

        end_send(&a, out, 5);
        end_receive_count(&b, &pile, (round + 1) * 2, 64);
    }
    struct a3m_transport_stats stats = end_stats(&a);

    assert_int_equal(stats.tx_packets + stats.tx_errors, 250);
    pile_clear(&pile);
    /* And what the network answered does not disturb receiving either. */
    end_send_one(&b, &a.at, "back", 4);
    end_receive_count(&a, &pile, 1, 64);
    pile_clear(&pile);
    end_close(&a);
    end_close(&b);
}

static void test_transport_unsendable_counts_as_taken_and_error(void **state)
{
    struct end a = open_end(), b = open_end();
    struct a3m_addr nowhere = a3mi_addr_sim(7);
    uint8_t *bytes = calloc(1, a.mtu + 1);
    struct pile pile = {0};
    struct a3m_packet_out out[] = {
        {.to = &b.at, .bytes = bytes, .size = 10},        {.to = &b.at, .bytes = bytes, .size = a.mtu + 1},
        {.to = &nowhere, .bytes = bytes, .size = 10},     {.to = &b.at, .bytes = bytes, .size = a.mtu},
        {.to = &b.at, .bytes = bytes, .size = a.mtu + 1}, {.to = &nowhere, .bytes = bytes, .size = 10},
    };

    (void)state;
    assert_non_null(bytes);
    assert_int_equal(a.ops->send(a.self, out, 6), 6);
    end_receive_count(&b, &pile, 2, 64);
    assert_int_equal(pile.packets[0].size, 10);
    assert_int_equal(pile.packets[1].size, a.mtu);
    assert_int_equal(end_stats(&a).tx_errors, 4);
    assert_int_equal(end_stats(&a).tx_packets, 2);
    free(bytes);
    pile_clear(&pile);
    end_close(&a);
    end_close(&b);
}

/* ---- Counters, and closing --------------------------------------------------- */

static void test_transport_counters_agree_at_both_ends(void **state)
{
    struct end a = open_end(), b = open_end();
    struct pile pile = {0};

    (void)state;
    send_equal(&a, &b, 0, 90, 300);
    send_equal(&a, &b, 90, 1, 50);
    end_receive_count(&b, &pile, 91, 64);
    struct a3m_transport_stats tx = end_stats(&a), rx = end_stats(&b);

    assert_int_equal(tx.tx_packets, 91);
    assert_int_equal(tx.tx_bytes, 90 * 300 + 50);
    assert_int_equal(rx.rx_packets, 91);
    assert_int_equal(rx.rx_bytes, 90 * 300 + 50);
    assert_true(tx.tx_calls > 0 && rx.rx_calls > 0);
    assert_int_equal(tx.tx_errors + rx.rx_dropped + rx.rx_truncated, 0);
    pile_clear(&pile);
    end_close(&a);
    end_close(&b);
}

static void test_transport_close_with_packets_waiting_frees_all(void **state)
{
    struct end a = open_end(), b = open_end();
    struct pile pile = {0};

    (void)state;
    send_equal(&a, &b, 0, 200, 1000);
    assert_true(end_ready(&b, POLLIN, END_DEADLINE_MS));
    end_receive(&b, &pile, 64);
    pile_clear(&pile);
    end_close(&b);
    end_close(&a);
}

/* ---- Threads ---------------------------------------------------------------- */

enum {
    SENDERS = 3,
    ROUNDS = 30,
};

struct sender {
    pthread_t thread;
    struct end end;
    const struct a3m_addr *to;
    pthread_barrier_t *barrier;
    unsigned per_round;
    const atomic_bool *stop;
};

static void *send_rounds(void *arg)
{
    struct sender *s = arg;
    uint32_t number = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < s->per_round; i++, number++) {
            struct a3m_packet_out packet = {
                .to = s->to, .bytes = (const uint8_t *)&number, .size = sizeof number};

            while (s->end.ops->send(s->end.self, &packet, 1) == 0) {}
        }
        pthread_barrier_wait(s->barrier);
    }
    return NULL;
}

/* The receiver sleeps on its descriptor alone: a wake-up that is lost stops the test. */
static void test_transport_concurrent_senders_no_wakeup_is_lost(void **state)
{
    struct end b = open_end();
    struct sender senders[SENDERS];
    struct a3m_transport_info info;
    pthread_barrier_t barrier;

    (void)state;
    b.ops->info(b.self, &info);
    size_t room = info.rx_window / info.mtu / SENDERS;
    unsigned per_round = room > 150 ? 150 : (unsigned)room;

    pthread_barrier_init(&barrier, NULL, SENDERS + 1);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){
            .end = open_end(), .to = &b.at, .barrier = &barrier, .per_round = per_round};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_rounds, &senders[i]), 0);
    }
    uint32_t next[SENDERS] = {0};

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct pile pile = {0};

        end_receive_count(&b, &pile, (size_t)SENDERS * per_round, 64);
        for (size_t k = 0; k < pile.count; k++) {
            for (unsigned i = 0; i < SENDERS; i++) {
                if (a3mi_addr_eq(&pile.packets[k].from, &senders[i].end.at)) {
                    assert_memory_equal(pile.packets[k].bytes, &next[i], sizeof next[i]);
                    next[i]++;
                }
            }
        }
        pile_clear(&pile);
        pthread_barrier_wait(&barrier);
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
        assert_int_equal(next[i], per_round * ROUNDS);
        end_close(&senders[i].end);
    }
    pthread_barrier_destroy(&barrier);
    end_close(&b);
}

static void *send_until_stopped(void *arg)
{
    struct sender *s = arg;
    uint8_t bytes[200] = {0};
    struct a3m_packet_out out[8];

    for (unsigned i = 0; i < 8; i++) {
        out[i] = (struct a3m_packet_out){.to = s->to, .bytes = bytes, .size = sizeof bytes};
    }
    while (!atomic_load_explicit(s->stop, memory_order_relaxed)) {
        s->end.ops->send(s->end.self, out, 8);
    }
    return NULL;
}

static void test_transport_close_and_reopen_while_others_send(void **state)
{
    struct a3m_transport_config config = {.size = sizeof config};
    struct sender senders[SENDERS];
    atomic_bool stop = false;
    struct end b = open_end();
    struct a3m_addr local;

    (void)state;
    b.ops->local(b.self, &local);
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.end = open_end(), .to = &b.at, .stop = &stop};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_until_stopped, &senders[i]), 0);
    }
    for (unsigned round = 0; round < 100; round++) {
        struct pile pile = {0};

        assert_true(end_ready(&b, POLLIN, END_DEADLINE_MS));
        end_receive(&b, &pile, 64);
        pile_clear(&pile);
        end_close(&b);
        assert_int_equal(kind->ops->open(&local, &config, &b.self), 0);
        b.fd = kind->ops->fd(b.self);
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
        end_close(&senders[i].end);
    }
    end_close(&b);
}

/* ---- All of them ------------------------------------------------------------ */

static bool is_available(const struct kind *k)
{
    struct a3m_transport_config config = {.size = sizeof config};
    struct a3m_addr local;
    void *self;

    kind = k;
    if (k->ops == &a3mi_transport_inproc) {
        return true;
    }
    if (k->ops->resolve(k->bind, &local) != 0 || k->ops->open(&local, &config, &self) != 0) {
        return false;
    }
    k->ops->close(self);
    return true;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transport_open_any_gives_each_its_own_address),
        cmocka_unit_test(test_transport_open_address_in_use_fails_and_says_so),
        cmocka_unit_test(test_transport_format_small_buffer_is_terminated),
        cmocka_unit_test(test_transport_every_size_arrives_unchanged),
        cmocka_unit_test(test_transport_answer_to_sender_arrives),
        cmocka_unit_test(test_transport_send_to_itself_arrives),
        cmocka_unit_test(test_transport_mixed_batch_each_gets_its_own_in_order),
        cmocka_unit_test(test_transport_receive_few_at_a_time_gets_all_in_order),
        cmocka_unit_test(test_transport_received_bytes_stay_until_the_next_receive),
        cmocka_unit_test(test_transport_descriptor_tells_when_packets_wait),
        cmocka_unit_test(test_transport_whole_window_waits_without_loss),
        cmocka_unit_test(test_transport_full_queue_sent_is_received_and_dropped),
        cmocka_unit_test(test_transport_closed_peer_does_not_disturb_others),
        cmocka_unit_test(test_transport_unsendable_counts_as_taken_and_error),
        cmocka_unit_test(test_transport_counters_agree_at_both_ends),
        cmocka_unit_test(test_transport_close_with_packets_waiting_frees_all),
        cmocka_unit_test(test_transport_concurrent_senders_no_wakeup_is_lost),
        cmocka_unit_test(test_transport_close_and_reopen_while_others_send),
    };
    int failed = 0;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!is_available(&kinds[i])) {
            print_message("[  SKIPPED ] %s: %s\n", kinds[i].name, a3m_error_detail());
            continue;
        }
        failed += cmocka_run_group_tests_name(kinds[i].name, tests, NULL, NULL);
    }
    return failed;
}
