/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What counts as acknowledged of a link is in order: of messages behind one that is
 * missing the receiver's application has nothing yet, and never will if the link
 * ends, though their units are acknowledged. covers X1 S6 core
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/packet.h"
#include "core_world.h"

/* The first DATA from now on is lost. */
static bool lose_one_data(void *arg, uint32_t from, uint32_t to, const uint8_t *bytes, size_t size)
{
    bool *done = arg;

    (void)from;
    (void)to;
    (void)size;
    if (*done || (bytes[1] & 15u) != A3MI_PACKET_DATA) {
        return true;
    }
    *done = true;
    return false;
}

static void test_acknowledged_messages_behind_a_missing_one_do_not_count(void **state)
{
    (void)state;
    struct world_options options = {.nodes = 2, .slots = 1, .linger = WORLD_S};
    struct world w;
    bool done = false;

    world_init(&w, 1, &options);
    w.net.faults.delay = 10 * WORLD_MS;
    world_settle(&w, WORLD_S);
    assert_int_equal(world_send(&w, 0, 1, 0, 1, false), 1);
    world_run(&w, 100 * WORLD_MS);
    const struct a3mi_tx *tx = &w.nodes[0].links[1][0].tx;
    uint64_t before = tx->acknowledged;

    assert_int_equal(before, tx->packed);
    w.net.filter = lose_one_data;
    w.net.filter_arg = &done;
    assert_int_equal(world_send(&w, 0, 1, 0, 20, false), 20);
    world_run(&w, 5 * WORLD_MS);
    uint32_t units = tx->units_in_flight;

    assert_true(done && units > 2);
    world_run(&w, 17 * WORLD_MS); /* there and back; what was lost is on its way again at most */
    assert_true(tx->units_in_flight < units);
    assert_int_equal(tx->acknowledged, before);
    assert_int_equal(world_accepted(&w, 0, 1), 1);
    world_run(&w, 100 * WORLD_MS);
    assert_int_equal(tx->acknowledged, before + 20);
    assert_int_equal(world_accepted(&w, 0, 1), 21);
    world_settle(&w, 10 * WORLD_S);
    world_vanish(&w, 10 * WORLD_S);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acknowledged_messages_behind_a_missing_one_do_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
