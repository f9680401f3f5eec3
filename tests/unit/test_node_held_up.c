/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that is kept from running in the middle of a push holds up what other threads push behind it: the engine
 * goes on without, and learns of it later. Whatever it hears or is due meanwhile, an end that was asked for counts
 * from then on. The same with requests that cross: test_node_crossing.c. covers L1 L4 L11
 */
#include "crossing_world.h"

/* A's x has asked B for a socket that is not there, and waits to ask again. */
static struct a3mi_link *make_retrying(struct world *world, const char *id)
{
    make(world, id);
    assert_int_equal(a3m_socket_close(world->pull), A3M_OK);
    settle(world);
    (void)ask(world->push, "b/y");
    speak(world, world->in_a);
    turn(world, world->in_b, A3MI_TURN_RECEIVE);
    turn(world, world->in_a, A3MI_TURN_RECEIVE);
    const struct a3mi_peer *b = a3mi_peer_find(world->in_a->assoc, &world->in_b->id);
    assert_non_null(b);
    struct a3mi_link *link = a3mi_container_of(b->links.prev, struct a3mi_link, on_peer);
    assert_int_equal(link->state, A3MI_LINK_RETRYING);
    return link;
}

/*
 * The socket closes, another one takes its name and is asked by the peer; the time at which the closed one would have
 * asked again comes before the engine learns of any of that. Had it asked, by the name that is not its own any
 * more, it would have taken the other one's link away from it.
 */
static void closed_before_its_retry_it_asks_no_more(const char *id)
{
    struct world world;
    (void)make_retrying(&world, id);
    hold_up(&world, true);
    assert_int_equal(a3m_socket_close(world.push), A3M_OK);
    world.push = test_socket(world.a, &a3m_push, "x");
    world.pull = test_socket(world.b, &a3m_pull, "y");
    a3m_link link = ask(world.pull, world.x);
    settle(&world);
    settle(&world); /* more than the first interval, 50 ms, since it was refused */
    settle_late(&world);
    assert_linked(&world);
    assert_int_equal(a3mi_map64_count(&world.in_a->links), 2);
    assert_int_equal(a3mi_map64_count(&world.in_b->links), 2);
    assert_ends(&world, link);
    end(&world);
}

static void test_held_up_closed_before_its_retry_it_asks_no_more(void **arg)
{
    (void)arg;
    closed_before_its_retry_it_asks_no_more("a");
    closed_before_its_retry_it_asks_no_more("c");
}

/* The peer asks the socket whose link was ended: it is a request like any other, and the link is a new one. */
static void test_held_up_ended_before_its_retry_a_request_is_like_any_other(void **arg)
{
    (void)arg;
    struct world world;
    const struct a3mi_link *before = make_retrying(&world, "a");
    a3m_link old = {before->handle};
    hold_up(&world, true);
    assert_int_equal(a3m_link_end(old), A3M_OK);
    world.pull = test_socket(world.b, &a3m_pull, "y");
    a3m_link link = ask(world.pull, world.x);
    settle(&world);
    assert_int_equal(a3m_link_wait(link, A3M_NOW), A3M_OK);
    assert_int_equal(a3m_link_wait(old, A3M_NOW), A3M_EHANDLE);
    settle_late(&world);
    assert_linked(&world);
    assert_ends(&world, link);
    end(&world);
}

/* The answer to a request that was given up comes before the end is carried: the link does not come up first. */
static void test_held_up_ended_before_its_acceptance_it_never_comes_up(void **arg)
{
    (void)arg;
    struct world world;
    a3m_socket_event event = {.size = sizeof(event)};
    make(&world, "a");
    assert_int_equal(a3m_socket_set(world.push, A3M_OPT_EVENTS, 8), A3M_OK);
    a3m_link a1 = ask(world.push, "b/y");
    speak(&world, world.in_a);
    turn(&world, world.in_b, A3MI_TURN_RECEIVE); /* accepted */
    hold_up(&world, true);
    assert_int_equal(a3m_link_end(a1), A3M_OK);
    settle_late(&world);
    assert_int_equal(a3m_socket_next_event(world.push, &event, A3M_NOW), A3M_OK);
    assert_int_equal(event.kind, A3M_EVENT_ENDED);
    assert_int_equal(event.reason, A3M_ECANCELED);
    while (a3m_socket_next_event(world.push, &event, A3M_NOW) == A3M_OK) {
        assert_int_not_equal(event.kind, A3M_EVENT_UP);
    }
    assert_int_equal(a3m_socket_wait_link_or_none(world.pull, NULL, A3M_NOW), A3M_ENOLINK);
    assert_int_equal(a3mi_map64_count(&world.in_a->links), 1);
    assert_int_equal(a3mi_map64_count(&world.in_b->links), 1);
    end(&world);
}

/* What was sent before the end goes, though it is held up longer: the link is ending until then, at both ends. */
static void test_held_up_sent_before_the_end_it_is_delivered(void **arg)
{
    (void)arg;
    struct world world;
    a3m_msg *msg;
    make(&world, "a");
    a3m_link a1 = ask(world.push, "b/y");
    settle(&world);
    hold_up(&world, true);
    assert_int_equal(a3m_try_send(world.push, test_msg("first")), A3M_OK);
    assert_int_equal(a3m_link_end(a1), A3M_OK);
    assert_int_equal(a3m_socket_set(world.pull, A3M_OPT_CREDIT_MESSAGES, 500), A3M_OK); /* B says so */
    settle(&world);
    assert_int_equal(a3m_try_recv(world.pull, &msg), A3M_EAGAIN);
    settle_late(&world);
    assert_int_equal(a3m_try_recv(world.pull, &msg), A3M_OK);
    test_msg_is(msg, "first");
    settle(&world);
    assert_int_equal(a3mi_map64_count(&world.in_a->links), 1);
    assert_int_equal(a3mi_map64_count(&world.in_b->links), 1);
    end(&world);
}

static void reopen_b(struct world *world)
{
    world->b = test_node_idle("b", "inproc://crossing-b");
    world->in_b = node_inside(world->b);
    world->pull = test_socket(world->b, &a3m_pull, "y");
}

/* A message that is held up for longer than its link's life, and the next one's, was given up once. */
static void test_held_up_for_two_lives_of_its_link_a_message_is_given_up_once(void **arg)
{
    (void)arg;
    struct world world;
    a3m_close_report report = {.size = sizeof(report)};
    make(&world, "a");
    assert_int_equal(a3m_socket_close(world.warm), A3M_OK);
    a3m_link link = ask(world.push, "b/y");
    settle(&world);
    hold_up(&world, true);
    assert_int_equal(a3m_try_send(world.push, test_msg("lost")), A3M_OK);
    for (int life = 0; life < 2; life++) {
        assert_int_equal(a3m_link_wait(link, A3M_NOW), A3M_OK);
        (void)a3m_node_close(world.b, A3M_NOW, NULL);
        world.in_b = NULL;
        settle(&world);
        assert_int_equal(a3m_link_wait(link, A3M_NOW), A3M_ETIMEDOUT);
        assert_int_equal(world.in_a->lost_undelivered, 1);
        reopen_b(&world);
        for (int i = 0; i < 5; i++) {
            settle(&world);
        }
    }
    node_release(&world.hold);
    assert_int_equal(a3m_try_send(world.push, test_msg("m")), A3M_OK);
    settle(&world);
    assert_linked(&world);
    assert_int_equal(a3m_socket_drain(world.push, A3M_NOW), A3M_ERESTARTED); /* one was lost: told once */
    assert_int_equal(a3m_socket_drain(world.push, A3M_NOW), A3M_OK);
    assert_int_equal(a3m_node_close(world.a, A3M_NOW, &report), A3M_OK);
    assert_int_equal(report.undelivered + report.unknown, 1);
    (void)a3m_node_close(world.b, A3M_NOW, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_up_closed_before_its_retry_it_asks_no_more),
        cmocka_unit_test(test_held_up_ended_before_its_retry_a_request_is_like_any_other),
        cmocka_unit_test(test_held_up_ended_before_its_acceptance_it_never_comes_up),
        cmocka_unit_test(test_held_up_sent_before_the_end_it_is_delivered),
        cmocka_unit_test(test_held_up_for_two_lives_of_its_link_a_message_is_given_up_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
