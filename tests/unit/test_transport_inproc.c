/* SPDX-License-Identifier: Apache-2.0 */
/* What is the in-process transport's own, beside what the conformance suite asks of every transport. */
#include "conform/test_transport_end.h"

#include <sys/wait.h>
#include <unistd.h>

#include "transport/inproc_mailbox.h"
#include "transport/registry.h"

static const a3m_transport_ops *const inproc = &a3mi_transport_inproc;

static struct end open_at(const char *name)
{
    return end_open(inproc, name, NULL, 0);
}

static void test_transport_inproc_resolve_bad_name_says_what_is_wrong(void **state)
{
    static const struct {
        const char *text, *detail;
    } cases[] = {
        {"", "empty"},
        {"a/b", "'/'"},
        {"a b", "blank"},
        {"a\tb", "control"},
        {"sixty-three-bytes-are-one-too-many-for-an-address-of-this-kind-", "62 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct a3m_addr a;

        assert_int_equal(inproc->resolve(cases[i].text, &a), A3M_EINVAL);
        assert_non_null(strstr(a3m_error_detail(), cases[i].detail));
    }
}

static void test_transport_inproc_resolve_any_other_name_is_taken(void **state)
{
    static const char *const names[] = {
        "a",
        "a:b",
        "[a]",
        "h\xc3\xa4usliche-Dienste",
        "sixty-two-bytes-are-just-enough-for-an-address-of-this-kind-ok",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct end e = open_at(names[i]);
        char text[128];

        inproc->format(&e.at, text, sizeof text);
        assert_string_equal(text, names[i]);
        end_close(&e);
    }
}

static void test_transport_inproc_open_other_kind_of_address_fails(void **state)
{
    struct a3m_transport_config config = {.size = sizeof config};
    struct a3m_addr local = a3mi_addr_sim(1);
    void *self;

    (void)state;
    assert_int_equal(inproc->open(&local, &config, &self), A3M_EINVAL);
}

static void test_transport_inproc_name_taken_over_gets_what_comes_next(void **state)
{
    struct end a = open_at("a"), first = open_at("b");
    struct pile pile = {0};

    (void)state;
    end_send_one(&a, &first.at, "1", 1);
    end_close(&first);
    end_send_one(&a, &first.at, "2", 1); /* nobody is there */
    struct end second = open_at("b");

    end_send_one(&a, &second.at, "3", 1);
    end_drain(&second, &pile);
    assert_int_equal(pile.count, 1);
    assert_memory_equal(pile.packets[0].bytes, "3", 1);
    assert_int_equal(end_stats(&a).tx_errors, 1);
    pile_clear(&pile);
    end_close(&second);
    end_close(&a);
}

/* More peers than a sender remembers. */
static void test_transport_inproc_many_peers_each_gets_its_own(void **state)
{
    enum { PEERS = 300 };
    struct end a = open_at("a"), *peers = calloc(PEERS, sizeof *peers);

    (void)state;
    assert_non_null(peers);
    for (unsigned i = 0; i < PEERS; i++) {
        char name[16];

        snprintf(name, sizeof name, "peer-%u", i);
        peers[i] = open_at(name);
    }
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < PEERS; i++) {
            end_send_one(&a, &peers[i].at, &i, sizeof i);
        }
    }
    for (unsigned i = 0; i < PEERS; i++) {
        struct pile pile = {0};

        end_drain(&peers[i], &pile);
        assert_int_equal(pile.count, 3);
        assert_memory_equal(pile.packets[2].bytes, &i, sizeof i);
        pile_clear(&pile);
        end_close(&peers[i]);
    }
    free(peers);
    end_close(&a);
}

static void test_transport_inproc_full_by_bytes_loses_the_newest(void **state)
{
    enum { FIT = A3MI_MAILBOX_BYTES / 16384 };
    struct end a = open_at("a"), b = open_at("b");
    uint8_t *bytes = calloc(1, 16384);
    struct pile pile = {0};

    (void)state;
    assert_non_null(bytes);
    for (unsigned i = 0; i < FIT + 10; i++) {
        memcpy(bytes, &i, sizeof i);
        end_send_one(&a, &b.at, bytes, 16384);
    }
    end_drain(&b, &pile);
    assert_int_equal(pile.count, FIT);
    for (unsigned i = 0; i < FIT; i++) {
        assert_memory_equal(pile.packets[i].bytes, &i, sizeof i);
    }
    assert_int_equal(end_stats(&b).rx_dropped, 10);
    pile_clear(&pile);
    free(bytes);
    end_close(&a);
    end_close(&b);
}

static void test_transport_inproc_full_by_count_loses_the_newest(void **state)
{
    struct end a = open_at("a"), b = open_at("b");
    struct pile pile = {0};

    (void)state;
    for (unsigned i = 0; i < A3MI_MAILBOX_PACKETS + 10; i++) {
        end_send_one(&a, &b.at, &i, sizeof i);
    }
    end_drain(&b, &pile);
    assert_int_equal(pile.count, A3MI_MAILBOX_PACKETS);
    assert_int_equal(end_stats(&b).rx_dropped, 10);
    pile_clear(&pile);
    end_close(&a);
    end_close(&b);
}

/* A child has names of its own, and what it sends does not reach the parent's endpoints. */
static void test_transport_inproc_child_of_fork_begins_without_names(void **state)
{
    struct end a = open_at("a"), b = open_at("b");
    struct pile pile = {0};
    int status;

    (void)state;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct a3m_transport_config config = {.size = sizeof config};
        struct a3m_addr name = a3mi_addr_inproc("a"), other = a3mi_addr_inproc("b");
        struct a3m_packet_out lost = {.to = &other, .bytes = (const uint8_t *)"x", .size = 1};
        struct a3m_transport_stats stats;
        void *self;

        if (inproc->open(&name, &config, &self) != 0 || inproc->send(self, &lost, 1) != 1) {
            _exit(1);
        }
        inproc->stats(self, &stats);
        inproc->close(a.self); /* an endpoint of the parent's does no harm */
        inproc->close(self);
        _exit(stats.tx_errors == 1 ? 0 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(end_receive(&b, &pile, 64), 0);
    end_send_one(&a, &b.at, "x", 1);
    end_receive_count(&b, &pile, 1, 64);
    pile_clear(&pile);
    end_close(&a);
    end_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transport_inproc_resolve_bad_name_says_what_is_wrong),
        cmocka_unit_test(test_transport_inproc_resolve_any_other_name_is_taken),
        cmocka_unit_test(test_transport_inproc_open_other_kind_of_address_fails),
        cmocka_unit_test(test_transport_inproc_name_taken_over_gets_what_comes_next),
        cmocka_unit_test(test_transport_inproc_many_peers_each_gets_its_own),
        cmocka_unit_test(test_transport_inproc_full_by_bytes_loses_the_newest),
        cmocka_unit_test(test_transport_inproc_full_by_count_loses_the_newest),
        cmocka_unit_test(test_transport_inproc_child_of_fork_begins_without_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
