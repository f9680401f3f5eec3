/* SPDX-License-Identifier: Apache-2.0 */
/* Error texts and the thread's detail (base/error.h, a3m/errors.h). */
#include "test_base_random.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include "base/error.h"

/* The codes are consecutive: each has a text of its own, and the number after the last has none. */
static void test_strerror_every_code_has_its_own_text(void **state)
{
    (void)state;
    const char *unknown = a3m_strerror(INT_MIN);

    for (int a = A3M_OK; a >= A3M_ELINKDOWN; a--) {
        const char *text = a3m_strerror(a);

        assert_string_not_equal(text, unknown);
        assert_true(strlen(text) > 0);
        assert_null(strchr(text, '\n'));
        for (int b = A3M_OK; b > a; b--) {
            assert_string_not_equal(text, a3m_strerror(b));
        }
    }
    assert_string_equal(a3m_strerror(A3M_ETIMEDOUT), "timed out");
}

static void test_strerror_unknown_code_falls_back(void **state)
{
    (void)state;
    assert_string_equal(a3m_strerror(A3M_ELINKDOWN - 1), "unknown error");
    assert_string_equal(a3m_strerror(1), "unknown error");
    assert_string_equal(a3m_strerror(INT_MAX), "unknown error");
}

static void test_fail_returns_code_and_keeps_text_and_errno(void **state)
{
    (void)state;
    errno = ENOSPC;
    assert_int_equal(a3mi_fail(A3M_EINVAL, "port %d of %s", 7, "x"), A3M_EINVAL);
    assert_int_equal(errno, ENOSPC);
    assert_string_equal(a3m_error_detail(), "port 7 of x");
}

static void test_fail_plain_clears_text(void **state)
{
    (void)state;
    a3mi_fail(A3M_EINVAL, "something");
    assert_int_equal(a3mi_fail_plain(A3M_ENOMEM), A3M_ENOMEM);
    assert_string_equal(a3m_error_detail(), "");
}

static void test_fail_with_own_detail_as_argument_wraps_it(void **state)
{
    (void)state;
    a3mi_fail(A3M_EINVAL, "inner");
    a3mi_fail(A3M_EINVAL, "outer: %s!", a3m_error_detail());
    assert_string_equal(a3m_error_detail(), "outer: inner!");
}

static void test_fail_long_text_is_cut(void **state)
{
    (void)state;
    char text[2 * A3MI_ERROR_DETAIL_SIZE];

    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    a3mi_fail(A3M_EINVAL, "%s", text);
    assert_int_equal(strlen(a3m_error_detail()), A3MI_ERROR_DETAIL_SIZE - 1);
}

static void test_fail_aside_leaves_the_detail_as_it_is(void **state)
{
    (void)state;
    a3mi_fail(A3M_EINVAL, "of the call");
    const char *text = a3m_error_detail();
    bool before = a3mi_detail_aside(true);
    assert_false(before);
    a3mi_fail(A3M_EINVAL, "besides");
    assert_string_equal(a3m_error_detail(), "besides"); /* for a hook that asks */
    assert_true(a3mi_detail_aside(true));
    (void)a3mi_fail_plain(A3M_EINVAL);
    assert_true(a3mi_detail_aside(before));
    assert_string_equal(a3m_error_detail(), "of the call");
    assert_ptr_equal(a3m_error_detail(), text);
}

static void *fail_elsewhere(void *arg)
{
    int *was_empty = arg;

    *was_empty = a3m_error_detail()[0] == '\0';
    a3mi_fail(A3M_EINVAL, "theirs");
    return NULL;
}

static void test_detail_belongs_to_its_thread(void **state)
{
    (void)state;
    pthread_t thread;
    int was_empty = 0;

    a3mi_fail(A3M_EINVAL, "mine");
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &was_empty), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(was_empty);
    assert_string_equal(a3m_error_detail(), "mine");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strerror_every_code_has_its_own_text),
        cmocka_unit_test(test_strerror_unknown_code_falls_back),
        cmocka_unit_test(test_fail_returns_code_and_keeps_text_and_errno),
        cmocka_unit_test(test_fail_plain_clears_text),
        cmocka_unit_test(test_fail_with_own_detail_as_argument_wraps_it),
        cmocka_unit_test(test_fail_long_text_is_cut),
        cmocka_unit_test(test_fail_aside_leaves_the_detail_as_it_is),
        cmocka_unit_test(test_detail_belongs_to_its_thread),
    };

    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
