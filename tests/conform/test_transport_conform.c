/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every transport promises (<a3m/transport.h>), tried on each of them: addresses, packets, the descriptor.
 * Order and the absence of loss are asserted because these transports have them on one machine, while their
 * queues are not full. When they are, and under threads: test_transport_conform_full.c.
 */
#include "conform/test_transport_kinds.h"

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
    };
    int failed = 0;

    while (next_kind()) {
        failed += cmocka_run_group_tests_name(kind->name, tests, NULL, NULL);
    }
    return failed;
}
