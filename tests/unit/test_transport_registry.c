/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "transport/registry.h"

static void test_transport_find_known_scheme_gives_transport(void **state)
{
    (void)state;
    assert_ptr_equal(a3mi_transport_find("udp"), &a3mi_transport_udp);
    assert_ptr_equal(a3mi_transport_find("inproc"), &a3mi_transport_inproc);
}

static void test_transport_find_unknown_scheme_gives_null(void **state)
{
    (void)state;
    assert_null(a3mi_transport_find("tcp"));
    assert_null(a3mi_transport_find("ud"));
    assert_null(a3mi_transport_find(""));
}

static void test_transport_schemes_names_those_that_are_found(void **state)
{
    char text[128];
    unsigned count = 0;

    (void)state;
    snprintf(text, sizeof text, "%s", a3mi_transport_schemes());
    char *save = NULL;

    for (char *scheme = strtok_r(text, ", ", &save); scheme != NULL; scheme = strtok_r(NULL, ", ", &save)) {
        const a3m_transport_ops *ops = a3mi_transport_find(scheme);

        assert_non_null(ops);
        assert_int_equal(ops->size, sizeof *ops);
        assert_string_equal(ops->scheme, scheme);
        count++;
    }
    assert_int_equal(count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transport_find_known_scheme_gives_transport),
        cmocka_unit_test(test_transport_find_unknown_scheme_gives_null),
        cmocka_unit_test(test_transport_schemes_names_those_that_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
