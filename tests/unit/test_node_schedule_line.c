/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages whose time has come, and that find nothing to be sent on: they go in the order of their times, at a cost
 * that does not depend on how many they are, and one that waits for its link holds nobody up. Two nodes
 * that are never started, whose turns this test runs. covers N4 F6 F7
 */
#include <stdio.h>

#include "node_pair.h"

enum { MANY = 300 };

/* ---- A PUSH that counts its attempts, and one that chooses the link by the message's first byte -------------- */

static unsigned attempts;

static int counted_send(a3m_base *base, void *state, a3m_msg *msg, a3m_time deadline)
{
    attempts++;
    return a3m_push.send(base, state, msg, deadline);
}

struct router {
    a3m_link links[8]; /* by their order of coming up */
    size_t count;
};

static void router_up(a3m_base *base, void *state, a3m_link link)
{
    struct router *router = state;
    (void)base;
    router->links[router->count++] = link;
}

static int routed_send(a3m_base *base, void *state, a3m_msg *msg, a3m_time deadline)
{
    const struct router *router = state;
    const char *bytes = a3m_msg_data(msg);
    attempts++;
    return a3m_base_send_to(base, router->links[bytes[0] - '0'], msg, deadline);
}

static const char *const pull_alone[] = {"PULL", NULL};
static const a3m_socket_type router_type = {.size = sizeof(router_type),
                                            .name = "PUSH",
                                            .peers = pull_alone,
                                            .state_size = sizeof(struct router),
                                            .link_up = router_up,
                                            .send = routed_send};

/* ---- The scene ------------------------------------------------------------------------------------- */

/* A sends by a socket of this type; B takes one message at a time, and grants no more. */
static void make(struct node_pair *pair, const a3m_socket_type *type)
{
    node_pair_make(pair);
    assert_int_equal(a3m_socket_close(pair->push), A3M_OK);
    node_pair_settle(pair);
    pair->push = test_socket(pair->a, type, "push");
    assert_int_equal(a3m_socket_set(pair->pull, A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
    node_pair_link(pair);
    attempts = 0;
}

static a3m_socket_type counted_push(void)
{
    a3m_socket_type type = a3m_push;
    type.send = counted_send;
    return type;
}

static a3m_scheduled later(const struct node_pair *pair, const char *text)
{
    a3m_scheduled scheduled;
    assert_int_equal(a3m_send_at(pair->push, test_msg(text), (a3m_time){pair->now}, &scheduled), A3M_OK);
    return scheduled;
}

static void expect(struct node_pair *pair, a3m_socket pull, const char *text)
{
    a3m_msg *msg;
    assert_int_equal(a3m_try_recv(pull, &msg), A3M_OK);
    test_msg_is(msg, text);
    node_pair_run(pair, 10);
}

/* ---- Tests ------------------------------------------------------------------------------------------- */

static void test_many_wait_for_credit_each_that_comes_costs_no_more_than_two_attempts(void **state)
{
    (void)state;
    a3m_socket_type type = counted_push();
    struct node_pair pair;
    char text[16];
    make(&pair, &type);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        (void)later(&pair, text);
    }
    node_pair_settle(&pair);
    assert_int_equal(attempts, 2); /* the first goes, the second does not, the others stand behind it */
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        expect(&pair, pair.pull, text);
    }
    assert_true(attempts <= 2 * MANY + 2);
    node_pair_end(&pair);
}

static void test_first_in_line_taken_back_the_next_one_goes(void **state)
{
    (void)state;
    struct node_pair pair;
    a3m_msg *msg;
    a3m_scheduled ids[4];
    const char *const texts[4] = {"goes", "waits", "is next", "is last"};
    make(&pair, &a3m_push);
    for (int i = 0; i < 4; i++) {
        ids[i] = later(&pair, texts[i]);
    }
    node_pair_settle(&pair);
    assert_int_equal(a3m_scheduled_cancel(ids[1], &msg), A3M_OK);
    test_msg_is(msg, "waits");
    assert_int_equal(a3m_scheduled_cancel(ids[3], &msg), A3M_OK); /* from the middle, or the end */
    test_msg_is(msg, "is last");
    node_pair_settle(&pair);
    expect(&pair, pair.pull, "goes");
    expect(&pair, pair.pull, "is next");
    assert_int_equal(a3m_try_recv(pair.pull, &msg), A3M_EAGAIN);
    /* Nobody waits: what comes is tried at once. */
    (void)later(&pair, "alone");
    node_pair_settle(&pair);
    expect(&pair, pair.pull, "alone");
    node_pair_end(&pair);
}

/* A large one at the head needs more than there is: those behind it do not starve it. */
static void test_large_one_first_in_line_it_is_not_overtaken(void **state)
{
    (void)state;
    struct node_pair pair;
    char large[81];
    memset(large, 'x', 80);
    large[80] = '\0';
    node_pair_make(&pair);
    assert_int_equal(a3m_socket_set(pair.pull, A3M_OPT_CREDIT_BYTES, 100), A3M_OK);
    node_pair_link(&pair);
    assert_int_equal(a3m_try_send(pair.push, test_msg("of thirty bytes, which are gone")), A3M_OK);
    assert_int_equal(a3m_try_send(pair.push, test_msg("of thirty bytes, which are gone")), A3M_OK);
    (void)later(&pair, large);
    for (int i = 0; i < 5; i++) {
        (void)later(&pair, "small");
    }
    node_pair_settle(&pair);
    expect(&pair, pair.pull, "of thirty bytes, which are gone");
    expect(&pair, pair.pull, "of thirty bytes, which are gone");
    expect(&pair, pair.pull, large);
    for (int i = 0; i < 5; i++) {
        expect(&pair, pair.pull, "small");
    }
    node_pair_end(&pair);
}

/* The type says where each goes: those for a link without credit are passed by those for another. */
static void test_one_waits_for_its_link_those_for_another_link_go(void **state)
{
    (void)state;
    struct node_pair pair;
    a3m_link link;
    make(&pair, &router_type);
    a3m_socket other = test_socket(pair.b, &a3m_pull, "other");
    assert_int_equal(a3m_socket_link(pair.push, NODE_PAIR_B "/other", &link), A3M_OK);
    node_pair_settle(&pair);
    assert_int_equal(a3m_link_wait(link, A3M_NOW), A3M_OK);
    (void)later(&pair, "0 first");
    (void)later(&pair, "0 second");
    (void)later(&pair, "1 first");
    (void)later(&pair, "0 third");
    (void)later(&pair, "1 second");
    node_pair_settle(&pair);
    expect(&pair, other, "1 first");
    expect(&pair, other, "1 second");
    expect(&pair, pair.pull, "0 first");
    expect(&pair, pair.pull, "0 second");
    expect(&pair, pair.pull, "0 third");
    node_pair_end(&pair);
}

static void test_line_of_a_link_that_ends_everybody_in_it_is_dropped(void **state)
{
    (void)state;
    struct node_pair pair;
    a3m_node_stats stats = {.size = sizeof(stats)};
    make(&pair, &a3m_push);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(a3m_link_send_at(pair.link, test_msg("by this link"), (a3m_time){pair.now}, NULL),
                         A3M_OK);
    }
    node_pair_settle(&pair);
    assert_int_equal(a3m_link_end(pair.link), A3M_OK);
    node_pair_settle(&pair);
    assert_int_equal(a3m_node_get_stats(pair.a, &stats), A3M_OK);
    assert_int_equal(stats.scheduled_dropped, 4); /* one had gone */
    expect(&pair, pair.pull, "by this link");
    node_pair_end(&pair);
}

static void test_line_of_a_socket_that_closes_everybody_in_it_is_dropped(void **state)
{
    (void)state;
    struct node_pair pair;
    a3m_node_stats stats = {.size = sizeof(stats)};
    make(&pair, &a3m_push);
    for (int i = 0; i < 5; i++) {
        (void)later(&pair, "by this socket");
    }
    node_pair_settle(&pair);
    assert_int_equal(a3m_socket_close(pair.push), A3M_OK);
    node_pair_settle(&pair);
    assert_int_equal(a3m_node_get_stats(pair.a, &stats), A3M_OK);
    assert_int_equal(stats.scheduled_dropped, 4);
    node_pair_end(&pair);
}

/* The line waits for a link: all of it goes when one comes up, in order. */
static void test_line_that_waits_for_a_link_goes_when_one_comes_up(void **state)
{
    (void)state;
    struct node_pair pair;
    char text[16];
    node_pair_make(&pair);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        (void)later(&pair, text);
    }
    node_pair_settle(&pair);
    node_pair_link(&pair);
    node_pair_settle(&pair);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        expect(&pair, pair.pull, text);
    }
    node_pair_end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_wait_for_credit_each_that_comes_costs_no_more_than_two_attempts),
        cmocka_unit_test(test_first_in_line_taken_back_the_next_one_goes),
        cmocka_unit_test(test_large_one_first_in_line_it_is_not_overtaken),
        cmocka_unit_test(test_one_waits_for_its_link_those_for_another_link_go),
        cmocka_unit_test(test_line_of_a_link_that_ends_everybody_in_it_is_dropped),
        cmocka_unit_test(test_line_of_a_socket_that_closes_everybody_in_it_is_dropped),
        cmocka_unit_test(test_line_that_waits_for_a_link_goes_when_one_comes_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
