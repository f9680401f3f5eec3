/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cookies and the limit of answers: core/cookie.h, core/limiter.h.
 * covers core
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "core/cookie.h"
#include "core/limiter.h"

#define SECOND INT64_C(1000000000)

/* The first of the vectors of the reference implementation (key 00..0f, input 00 01 02 …), and the paper's (15 bytes). */
static void test_siphash_vectors_of_its_authors_agree(void **state)
{
    (void)state;
    static const uint64_t expected[] = {
        0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d, 0xcf2794e0277187b7,
        0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462,
    };
    uint8_t key[16];
    uint8_t input[15];

    for (uint8_t i = 0; i < 16; i++) {
        key[i] = i;
        input[i % 15] = i % 15;
    }
    for (size_t n = 0; n < sizeof(expected) / sizeof(expected[0]); n++) {
        assert_true(a3mi_siphash(key, input, n) == expected[n]);
    }
    assert_true(a3mi_siphash(key, input, 15) == 0xa129ca6149be45e5);
}

static void test_cookie_only_its_own_question_matches(void **state)
{
    (void)state;
    const uint8_t key[16] = {1, 2, 3};
    const uint8_t other_key[16] = {1, 2, 4};
    struct a3m_addr from = a3mi_addr_sim(1);
    struct a3m_addr elsewhere = a3mi_addr_sim(2);
    uint8_t cookie[A3MI_COOKIE_SIZE];
    int64_t now = 100 * SECOND;

    a3mi_cookie_make(cookie, key, &from, 7, 8, now);
    assert_true(a3mi_cookie_good(cookie, key, &from, 7, 8, now));
    assert_true(a3mi_cookie_good(cookie, key, &from, 7, 8, now + A3MI_COOKIE_LIFE));
    assert_false(a3mi_cookie_good(cookie, key, &from, 7, 8, now + A3MI_COOKIE_LIFE + SECOND));
    assert_false(a3mi_cookie_good(cookie, key, &from, 7, 8, now - SECOND));
    assert_false(a3mi_cookie_good(cookie, other_key, &from, 7, 8, now));
    assert_false(a3mi_cookie_good(cookie, key, &elsewhere, 7, 8, now));
    assert_false(a3mi_cookie_good(cookie, key, &from, 8, 8, now));
    assert_false(a3mi_cookie_good(cookie, key, &from, 7, 9, now));
    for (size_t i = 0; i < sizeof(cookie); i++) {
        cookie[i] ^= 1;
        assert_false(a3mi_cookie_good(cookie, key, &from, 7, 8, now + SECOND));
        cookie[i] ^= 1;
    }
}

static void test_limiter_so_many_a_second_and_address(void **state)
{
    (void)state;
    struct a3mi_limiter limiter;
    struct a3m_addr one = a3mi_addr_sim(1);
    unsigned others = 0;

    a3mi_limiter_init(&limiter, 42, 3);
    for (int64_t second = 0; second < 3; second++) {
        for (unsigned i = 0; i < 10; i++) {
            assert_int_equal(a3mi_limiter_allows(&limiter, &one, second * SECOND + i), i < 3);
        }
    }
    for (uint32_t i = 2; i < 100; i++) {
        struct a3m_addr other = a3mi_addr_sim(i);

        others += a3mi_limiter_allows(&limiter, &other, 2 * SECOND + 500);
    }
    assert_true(others > 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_vectors_of_its_authors_agree),
        cmocka_unit_test(test_cookie_only_its_own_question_matches),
        cmocka_unit_test(test_limiter_so_many_a_second_and_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
