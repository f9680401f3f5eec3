/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large messages between two nodes of this process: 128 MiB, and the ceiling of
 * 1 GiB with A3M_LONG=1, by memory and by UDP on loopback. Every byte arrives,
 * and memory holds the message once at the sender and once at the receiver, and
 * what is under way. docs/memory.md has the figures that this prints.
 * covers X3 X5
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node_fixture.h"

#define MIB ((size_t)1 << 20)
/* Nodes, units under way, and what the allocator keeps. */
#define BESIDE (64 * MIB)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WITH_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WITH_SANITIZER 1
#endif
#endif

/* Bytes of memory that this process had at most since forget_peak. */
static size_t peak(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long kib = 0;
    assert_non_null(status);
    while (fgets(line, sizeof(line), status) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            kib = strtoul(line + 6, NULL, 10);
        }
    }
    (void)fclose(status);
    return (size_t)kib * 1024;
}

static void forget_peak(void)
{
    FILE *refs = fopen("/proc/self/clear_refs", "w");
    if (refs != NULL) {
        (void)fputs("5", refs);
        (void)fclose(refs);
    }
}

/* Differs from word to word, and between places that are mixed up easily. */
static uint64_t word_at(size_t i)
{
    return (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static void fill(uint64_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        words[i] = word_at(i);
    }
}

static bool is_whole(const uint64_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (words[i] != word_at(i)) {
            return false;
        }
    }
    return true;
}

static void carry(const char *from, const char *to, size_t size)
{
    a3m_node nodes[] = {test_node_at("giver", from), test_node_at("taker", to)};
    a3m_socket push = test_socket(nodes[0], &a3m_push, "source");
    a3m_socket pull = test_socket(nodes[1], &a3m_pull, "sink");
    char url[128];
    char where[96];
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_MAX_MESSAGE, (int64_t)size), A3M_OK);
    assert_int_equal(a3m_node_address(nodes[1], where, sizeof(where)), A3M_OK);
    (void)snprintf(url, sizeof(url), "%s/sink", where);
    (void)test_link(push, url);
    forget_peak();
    size_t before = peak();
    a3m_msg *msg = a3m_msg_new(size);
    assert_non_null(msg);
    fill(a3m_msg_data(msg), size / 8);
    a3m_time start = a3m_now();
    assert_int_equal(a3m_send(push, msg), A3M_OK);
    msg = NULL;
    assert_int_equal(a3m_recv_until(pull, &msg, a3m_in(a3m_seconds(240))), A3M_OK);
    double seconds = (double)(a3m_now().ns - start.ns) / 1e9;
    size_t most = peak() - before;
    assert_int_equal(a3m_msg_size(msg), size);
    assert_true(is_whole(a3m_msg_data(msg), size / 8));
    a3m_msg_free(msg);
    printf("%s: %zu MiB in %.2f s, %zu MiB of memory at most\n", from, size / MIB, seconds, most / MIB);
#ifndef WITH_SANITIZER
    assert_true(most <= 2 * size + BESIDE);
#endif
    test_close(nodes[0]);
    test_close(nodes[1]);
}

static size_t largest(void)
{
    const char *is_long = getenv("A3M_LONG");
    return is_long != NULL && is_long[0] == '1' ? A3M_MESSAGE_CEILING : 128 * MIB;
}

static void test_large_message_in_process_is_held_twice_at_most(void **arg)
{
    (void)arg;
    carry("inproc://large-giver", "inproc://large-taker", largest());
}

static void test_large_message_over_udp_is_held_twice_at_most(void **arg)
{
    (void)arg;
    carry("udp://127.0.0.1:0", "udp://127.0.0.1:0", largest());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_message_in_process_is_held_twice_at_most),
        cmocka_unit_test(test_large_message_over_udp_is_held_twice_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
