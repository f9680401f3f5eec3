/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named schedules for the exactly-once layer: each a case that a wrong rule
 * would get wrong (docs/wire.md).
 * covers core
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/packet.h"
#include "core_world.h"

static void test_core_clean_network_everything_arrives(void **state)
{
    (void)state;
    struct world_options options = {.nodes = 2, .slots = 1};
    struct world w;

    world_init(&w, 1, &options);
    world_settle(&w, WORLD_S);
    assert_int_equal(world_send(&w, 0, 1, 0, 100, false), 100);
    assert_int_equal(world_send(&w, 1, 0, 0, 100, true), 100);
    world_settle(&w, WORLD_S);
    assert_int_equal(world_accepted(&w, 0, 1), 100);
    assert_int_equal(world_accepted(&w, 1, 0), 100);
    world_vanish(&w, 10 * WORLD_S);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_clean_network_everything_arrives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
