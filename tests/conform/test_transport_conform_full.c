/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every transport promises (<a3m/transport.h>) where it is at its limits: full queues, peers that are gone,
 * packets that cannot be sent, counters, several threads, closing with packets waiting.
 */
#include "conform/test_transport_kinds.h"

#include <pthread.h>
#include <stdatomic.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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

    while (next_kind()) {
        failed += cmocka_run_group_tests_name(kind->name, tests, NULL, NULL);
    }
    return failed;
}
