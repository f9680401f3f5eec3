/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata of links reach the other end whichever way the link comes to be: both ends ask at once, by address or by
 * node id, in any order of what is heard; or a link turns out to be one that is up already. Nodes that are never
 * started: this test runs their turns, and so decides who has heard what.
 * covers L1 L10 L11
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <a3m/socket_event.h>

#include "base/rng.h"
#include "node_fixture.h"
#include "node_turns.h"

enum { PLANS = 400 };

struct end {
    a3m_node node;
    a3m_socket socket;
    const char *by_address, *by_id; /* of the other end */
    char asked[32];                 /* by its accept hook */
};

struct world {
    struct end ends[2];
    int64_t now;
};

static void turn(struct world *w, int i, unsigned flags)
{
    (void)node_turn(node_inside(w->ends[i].node), flags | A3MI_TURN_FLUSH | A3MI_TURN_EVENTS, w->now);
}

static void settle(struct world *w)
{
    for (int i = 0; i < 40; i++) {
        turn(w, 0, A3MI_TURN_RECEIVE);
        turn(w, 1, A3MI_TURN_RECEIVE);
        w->now += 1000000;
    }
}

static void accept_all(void *arg, const a3m_link_request *request, a3m_link_answer *answer)
{
    struct end *end = arg;
    (void)snprintf(end->asked, sizeof(end->asked), "%.*s", (int)request->metadata_size,
                   request->metadata != NULL ? (const char *)request->metadata : "");
    answer->metadata = "hook";
    answer->metadata_size = 4;
}

/* The first end's node has the lesser id, or the greater one. */
static void make(struct world *w, bool lesser)
{
    w->now = INT64_C(1000000000);
    w->ends[0] = (struct end){.node = test_node_idle(lesser ? "a" : "c", "inproc://metadata-0"),
                              .by_address = "inproc://metadata-1/s",
                              .by_id = "b/s"};
    w->ends[1] = (struct end){.node = test_node_idle("b", "inproc://metadata-1"),
                              .by_address = "inproc://metadata-0/s",
                              .by_id = lesser ? "a/s" : "c/s"};
    for (int i = 0; i < 2; i++) {
        w->ends[i].socket = test_socket(w->ends[i].node, i == 0 ? &a3m_push : &a3m_pull, "s");
        assert_int_equal(a3m_socket_set(w->ends[i].socket, A3M_OPT_EVENTS, 32), A3M_OK);
    }
    assert_int_equal(a3m_node_set_peer(w->ends[0].node, "b", "inproc://metadata-1"), A3M_OK);
    assert_int_equal(a3m_node_set_peer(w->ends[1].node, lesser ? "a" : "c", "inproc://metadata-0"), A3M_OK);
}

static void hook(struct world *w, int i)
{
    assert_int_equal(a3m_socket_set_accept(w->ends[i].socket, accept_all, &w->ends[i]), A3M_OK);
}

static void end(struct world *w)
{
    (void)a3m_node_close(w->ends[0].node, A3M_NOW, NULL);
    (void)a3m_node_close(w->ends[1].node, A3M_NOW, NULL);
}

static a3m_link ask(struct world *w, int i, bool by_id, const char *metadata)
{
    a3m_link link;
    const a3m_link_options options = {.size = sizeof(options),
                                      .metadata = metadata,
                                      .metadata_size = metadata != NULL ? strlen(metadata) : 0};
    const struct end *one = &w->ends[i];
    int result = a3m_socket_link_with(one->socket, by_id ? one->by_id : one->by_address, &options, &link);
    assert_true(result == A3M_OK || result == A3M_EEXIST); /* the peer's request was first */
    return link;
}

/* What the peer told with the one link that this end has. */
static void expect(const struct world *w, int i, const char *metadata)
{
    char got[32] = "";
    a3m_link link;
    assert_int_equal(a3m_socket_links(w->ends[i].socket, &link, 1), 1);
    assert_int_equal(a3m_link_wait(link, A3M_NOW), A3M_OK);
    assert_int_equal(a3m_link_metadata(link, got, sizeof(got) - 1), strlen(metadata));
    assert_string_equal(got, metadata);
}

static int count_events(const struct world *w, int i, a3m_event_kind kind)
{
    a3m_socket_event event = {.size = sizeof(event)};
    int n = 0;
    while (a3m_socket_next_event(w->ends[i].socket, &event, A3M_NOW) == A3M_OK) {
        n += event.kind == kind;
    }
    return n;
}

/* ---- Both ask at once -------------------------------------------------------------------------- */

/* Some turns of either end in any order, hearing or not, before all is heard. */
static void crossing(struct a3mi_rng *rng)
{
    struct world w;
    uint64_t draw = a3mi_rng_u64(rng);
    int first = (draw & 2) != 0;
    make(&w, (draw & 1) != 0);
    if ((draw & 4) != 0) {
        hook(&w, 0);
    }
    if ((draw & 8) != 0) {
        hook(&w, 1);
    }
    a3m_link links[2];
    links[first] = ask(&w, first, (draw & 16) != 0, first == 0 ? "of 0" : "of 1");
    for (uint64_t n = a3mi_rng_below(rng, 6); n > 0; n--) {
        turn(&w, (int)a3mi_rng_below(rng, 2), a3mi_rng_below(rng, 3) > 0 ? A3MI_TURN_RECEIVE : 0);
    }
    links[!first] = ask(&w, !first, (draw & 32) != 0, first == 0 ? "of 1" : "of 0");
    for (uint64_t n = a3mi_rng_below(rng, 12); n > 0; n--) {
        turn(&w, (int)a3mi_rng_below(rng, 2), a3mi_rng_below(rng, 3) > 0 ? A3MI_TURN_RECEIVE : 0);
    }
    settle(&w);
    w.now += INT64_C(3000000000); /* also what asks again */
    settle(&w);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(a3m_link_wait(links[i], A3M_NOW), A3M_OK);
        expect(&w, i, i == 0 ? "of 1" : "of 0");
    }
    end(&w);
}

static void test_metadata_of_both_reach_both_when_requests_cross(void **arg)
{
    (void)arg;
    const char *given = getenv("A3M_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    struct a3mi_rng rng;
    (void)printf("A3M_SEED=%llu\n", (unsigned long long)seed);
    a3mi_rng_init(&rng, seed);
    for (int i = 0; i < PLANS; i++) {
        crossing(&rng);
    }
}

/* ---- A link that turns out to be one that is up ---------------------------------------------------- */

static void test_metadata_of_a_link_that_joins_one_that_is_up_are_told_by_an_event(void **arg)
{
    (void)arg;
    for (int by_hook = 0; by_hook < 2; by_hook++) {
        struct world w;
        char got[8] = "";
        make(&w, true);
        if (by_hook) {
            hook(&w, 1);
        }
        (void)ask(&w, 0, true, "first");
        settle(&w);
        expect(&w, 1, "first");
        expect(&w, 0, by_hook ? "hook" : "");
        (void)count_events(&w, 0, A3M_EVENT_UP);
        a3m_link joined = ask(&w, 1, false, "later"); /* the end that was asked wants it as well */
        settle(&w);
        expect(&w, 0, "later");
        expect(&w, 1, "first");
        assert_int_equal(count_events(&w, 0, A3M_EVENT_METADATA), 1);
        assert_int_equal(a3m_link_metadata(joined, got, sizeof(got)), 5);
        (void)count_events(&w, 1, A3M_EVENT_UP);
        (void)ask(&w, 0, false, "newest"); /* under another name */
        settle(&w);
        expect(&w, 1, "newest");
        expect(&w, 0, "later");
        assert_int_equal(count_events(&w, 1, A3M_EVENT_METADATA), 1);
        end(&w);
    }
}

static void test_metadata_stay_when_what_joins_has_none(void **arg)
{
    (void)arg;
    struct world w;
    a3m_link again;
    const a3m_link_options options = {.size = sizeof(options), .metadata = "x", .metadata_size = 1};
    make(&w, true);
    (void)ask(&w, 0, true, "first");
    settle(&w);
    (void)count_events(&w, 1, A3M_EVENT_UP);
    (void)ask(&w, 0, false, NULL);
    settle(&w);
    expect(&w, 1, "first");
    assert_int_equal(count_events(&w, 1, A3M_EVENT_METADATA), 0);
    /* Under the same name it is known at once; the rule is the same. */
    assert_int_equal(a3m_socket_link(w.ends[0].socket, w.ends[0].by_id, &again), A3M_EEXIST);
    settle(&w);
    expect(&w, 1, "first");
    assert_int_equal(a3m_socket_link_with(w.ends[0].socket, w.ends[0].by_id, &options, &again), A3M_EEXIST);
    settle(&w);
    expect(&w, 1, "x");
    assert_int_equal(count_events(&w, 1, A3M_EVENT_METADATA), 1);
    end(&w);
}

/* What joins a link that is asked for goes with its next request, or behind its acceptance. */
static void test_metadata_of_a_link_that_joins_one_that_is_asked_for(void **arg)
{
    (void)arg;
    for (int heard = 0; heard < 2; heard++) {
        struct world w;
        make(&w, true);
        a3m_socket warm = test_socket(w.ends[0].node, &a3m_push, "warm");
        assert_int_equal(a3m_socket_link(warm, w.ends[0].by_address, NULL), A3M_OK);
        settle(&w); /* the nodes know each other */
        (void)ask(&w, 0, true, NULL);
        turn(&w, 0, 0);
        if (heard != 0) {
            turn(&w, 1, A3MI_TURN_RECEIVE);
        }
        (void)ask(&w, 0, false, "later");
        settle(&w);
        expect(&w, 0, "");
        a3m_link links[2];
        char got[8] = "";
        assert_int_equal(a3m_socket_links(w.ends[1].socket, links, 2), 2);
        assert_int_equal(a3m_link_metadata(links[1], got, sizeof(got)), 5);
        assert_memory_equal(got, "later", 5);
        end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metadata_of_both_reach_both_when_requests_cross),
        cmocka_unit_test(test_metadata_of_a_link_that_joins_one_that_is_up_are_told_by_an_event),
        cmocka_unit_test(test_metadata_stay_when_what_joins_has_none),
        cmocka_unit_test(test_metadata_of_a_link_that_joins_one_that_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
