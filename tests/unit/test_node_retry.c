/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The retry of links, in virtual time: two nodes that are never started, whose
 * engine turns this test runs itself, at instants that it chooses. What is
 * asserted are the instants of the requests, to the nanosecond.
 * covers L2 L3 L4 L6 N2 N3
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node_fixture.h"
#include "node_turns.h"

#define MS    INT64_C(1000000)
#define START (INT64_C(1000) * MS)

struct world {
    a3m_node client, server;
    struct a3mi_node *nodes[2];
    a3m_socket req;
    a3m_link link;
    int64_t now;
};

/* Lets both nodes talk until nothing more happens at this instant; returns the next instant. */
static int64_t settle(struct world *world)
{
    int64_t next = INT64_MAX;
    for (int i = 0; i < 12; i++) {
        int64_t a = node_turn_all(world->nodes[0], world->now);
        int64_t b = node_turn_all(world->nodes[1], world->now);
        next = a < b ? a : b;
    }
    return next;
}

/* Requests made so far: each draws a new number. */
static uint64_t requests(const struct world *world)
{
    return world->nodes[0]->next_number;
}

/* Runs until `n` more requests were made, or `limit`; notes when. Returns how many there were. */
static int run(struct world *world, int64_t *instants, int n, int64_t limit)
{
    int made = 0;
    while (made < n && world->now <= limit) {
        uint64_t before = requests(world);
        int64_t next = settle(world);
        if (requests(world) > before) {
            instants[made++] = world->now;
        }
        assert_true(next > world->now);
        if (next > limit) {
            world->now = limit + 1;
            break;
        }
        world->now = next;
    }
    return made;
}

static void make(struct world *world, int64_t min, int64_t max, int64_t attempts)
{
    world->client = test_node_idle("client", "inproc://retry-client");
    world->server = test_node_idle("server", "inproc://retry-server");
    world->nodes[0] = node_inside(world->client);
    world->nodes[1] = node_inside(world->server);
    world->now = START;
    world->req = test_socket(world->client, &a3m_req, "asker");
    assert_int_equal(a3m_socket_set(world->req, A3M_OPT_LINK_RETRY_MIN, min), A3M_OK);
    assert_int_equal(a3m_socket_set(world->req, A3M_OPT_LINK_RETRY_MAX, max), A3M_OK);
    assert_int_equal(a3m_socket_set(world->req, A3M_OPT_LINK_ATTEMPTS, attempts), A3M_OK);
    assert_int_equal(a3m_socket_link(world->req, "inproc://retry-server/late", &world->link), A3M_OK);
}

static void end(struct world *world)
{
    (void)a3m_node_close(world->client, A3M_NOW, NULL);
    (void)a3m_node_close(world->server, A3M_NOW, NULL);
}

static a3m_link_info info_of(const struct world *world)
{
    a3m_link_info info = {.size = sizeof(info)};
    assert_int_equal(a3m_link_get_info(world->link, &info), A3M_OK);
    return info;
}

static void test_minimum_only_the_interval_stays(void **arg)
{
    (void)arg;
    struct world world;
    int64_t at[6];
    make(&world, 50 * MS, 0, 0);
    assert_int_equal(run(&world, at, 6, START + 10000 * MS), 6);
    assert_int_equal(at[0], START);
    for (int i = 1; i < 6; i++) {
        assert_int_equal(at[i] - at[i - 1], 50 * MS);
    }
    assert_int_equal(info_of(&world).reason, A3M_ENOTREADY);
    end(&world);
}

static void test_minimum_and_maximum_the_interval_doubles_up_to_it(void **arg)
{
    (void)arg;
    static const int64_t expected[] = {50, 100, 200, 400, 700, 700, 700};
    struct world world;
    int64_t at[8];
    make(&world, 50 * MS, 700 * MS, 0);
    assert_int_equal(run(&world, at, 8, START + 10000 * MS), 8);
    for (int i = 1; i < 8; i++) {
        assert_int_equal(at[i] - at[i - 1], expected[i - 1] * MS);
    }
    end(&world);
}

static void test_jitter_every_interval_is_longer_by_another_part(void **arg)
{
    (void)arg;
    struct world world;
    int64_t at[8];
    int exact = 0;
    make(&world, 50 * MS, 0, 0);
    assert_int_equal(a3m_socket_set(world.req, A3M_OPT_LINK_RETRY_JITTER, 50), A3M_OK);
    assert_int_equal(a3m_socket_set(world.req, A3M_OPT_LINK_RETRY_JITTER, 101), A3M_EINVAL);
    assert_int_equal(run(&world, at, 8, START + 10000 * MS), 8);
    for (int i = 1; i < 8; i++) {
        int64_t interval = at[i] - at[i - 1];
        assert_true(interval >= 50 * MS && interval <= 75 * MS);
        exact += interval == 50 * MS;
    }
    assert_true(exact < 7);
    end(&world);
}

static void test_limit_of_attempts_ends_the_link(void **arg)
{
    (void)arg;
    struct world world;
    int64_t at[10];
    make(&world, 50 * MS, 2000 * MS, 3);
    assert_int_equal(run(&world, at, 10, START + 60000 * MS), 3);
    assert_int_equal(at[2] - at[1], 100 * MS);
    a3m_link_info info = info_of(&world);
    assert_int_equal(info.state, A3M_LINK_ENDED);
    assert_int_equal(info.reason, A3M_ENOTREADY);
    assert_int_equal(info.attempts, 3);
    end(&world);
}

static void test_cancelled_while_waiting_no_further_request(void **arg)
{
    (void)arg;
    struct world world;
    int64_t at[4];
    make(&world, 50 * MS, 0, 0);
    assert_int_equal(run(&world, at, 2, START + 1000 * MS), 2);
    assert_int_equal(a3m_link_end(world.link), A3M_OK);
    assert_int_equal(run(&world, at, 4, START + 60000 * MS), 0);
    assert_int_equal(a3m_socket_links(world.req, NULL, 0), 0);
    assert_null(a3mi_agenda_first(&world.nodes[0]->events));
    end(&world);
}

static void test_socket_closed_while_waiting_no_further_request(void **arg)
{
    (void)arg;
    struct world world;
    int64_t at[4];
    make(&world, 50 * MS, 0, 0);
    assert_int_equal(run(&world, at, 2, START + 1000 * MS), 2);
    assert_int_equal(a3m_socket_close(world.req), A3M_OK);
    assert_int_equal(run(&world, at, 4, START + 60000 * MS), 0);
    assert_null(a3mi_agenda_first(&world.nodes[0]->events));
    assert_int_equal(a3mi_map64_count(&world.nodes[0]->links), 0);
    end(&world);
}

static void test_socket_made_later_the_next_request_links(void **arg)
{
    (void)arg;
    struct world world;
    int64_t at[4];
    make(&world, 50 * MS, 0, 0);
    assert_int_equal(run(&world, at, 2, START + 1000 * MS), 2);
    test_socket(world.server, &a3m_rep, "late");
    assert_int_equal(run(&world, at, 1, START + 1000 * MS), 1);
    assert_int_equal(info_of(&world).state, A3M_LINK_UP);
    assert_int_equal(info_of(&world).attempts, 0);
    end(&world);
}

static void test_node_that_never_answers_attempts_are_counted(void **arg)
{
    (void)arg;
    struct world world;
    a3m_link silent;
    a3m_link_info info = {.size = sizeof(info)};
    int64_t at[20];
    make(&world, 50 * MS, 0, 4);
    assert_int_equal(a3m_link_end(world.link), A3M_OK);
    assert_int_equal(a3m_socket_link(world.req, "inproc://nobody-there/x", &silent), A3M_OK);
    (void)run(&world, at, 20, START + 190 * MS);
    assert_int_equal(a3m_link_get_info(silent, &info), A3M_OK);
    assert_int_equal(info.state, A3M_LINK_REQUESTING);
    assert_int_equal(info.attempts, 4);
    (void)run(&world, at, 20, START + 300 * MS);
    assert_int_equal(a3m_link_get_info(silent, &info), A3M_OK);
    assert_int_equal(info.state, A3M_LINK_ENDED);
    assert_int_equal(info.reason, A3M_ESILENT);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minimum_only_the_interval_stays),
        cmocka_unit_test(test_minimum_and_maximum_the_interval_doubles_up_to_it),
        cmocka_unit_test(test_jitter_every_interval_is_longer_by_another_part),
        cmocka_unit_test(test_limit_of_attempts_ends_the_link),
        cmocka_unit_test(test_cancelled_while_waiting_no_further_request),
        cmocka_unit_test(test_socket_closed_while_waiting_no_further_request),
        cmocka_unit_test(test_socket_made_later_the_next_request_links),
        cmocka_unit_test(test_node_that_never_answers_attempts_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
