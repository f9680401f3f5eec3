/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests for one link that cross on the way while one end changes its mind:
 * two nodes that are never started, whose turns this test runs itself, so that
 * it decides who has heard what. Whatever crossed, both ends agree in the end,
 * and the link that remains carries messages. covers L1 L11
 *
 * The case that asks most: A asks (a1), gives up, and asks again (a2), while B asks
 * (b1) and has heard of none of that. Nobody may take b1 for the answer to a2 when
 * it was one to a1:
 *
 *     A  REQUEST a1 ──╲ ╱── REQUEST b1  B
 *     A  END a1 ─────╲ ╳
 *     A  REQUEST a2 ──╳ ╲──►            B
 *     A  ◄───────────╱
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/peer.h"
#include "core/state.h"
#include "node_fixture.h"
#include "node_turns.h"

struct world {
    a3m_node a, b;
    struct a3mi_node *in_a, *in_b;
    a3m_socket warm; /* A's, of the first link */
    a3m_socket push; /* A's */
    a3m_socket pull; /* B's */
    char x[16];      /* push, as B names it */
    int64_t now;
};

static void turn(struct world *world, struct a3mi_node *node, unsigned flags)
{
    (void)node_turn(node, flags | A3MI_TURN_FLUSH | A3MI_TURN_EVENTS, world->now);
}

/* What a node has to say goes out; what was said to it stays on the way. */
static void speak(struct world *world, struct a3mi_node *node)
{
    turn(world, node, 0);
}

/* Both hear and answer until there is nothing more to say; a while passes. */
static void settle(struct world *world)
{
    for (int i = 0; i < 40; i++) {
        turn(world, world->in_b, A3MI_TURN_RECEIVE);
        turn(world, world->in_a, A3MI_TURN_RECEIVE);
        world->now += 1000000;
    }
}

/* Sockets x of A and y of B; the nodes know each other already. */
static void make(struct world *world, const char *id)
{
    a3m_link link;
    world->a = test_node_idle(id, "inproc://crossing-a");
    (void)snprintf(world->x, sizeof(world->x), "%s/x", id);
    world->b = test_node_idle("b", "inproc://crossing-b");
    world->in_a = node_inside(world->a);
    world->in_b = node_inside(world->b);
    world->now = INT64_C(1000000000);
    world->warm = test_socket(world->a, &a3m_push, "warm");
    test_socket(world->b, &a3m_pull, "warm");
    assert_int_equal(a3m_socket_link(world->warm, "inproc://crossing-b/warm", &link), A3M_OK);
    settle(world);
    assert_int_equal(a3m_link_wait(link, A3M_NOW), A3M_OK);
    world->push = test_socket(world->a, &a3m_push, "x");
    world->pull = test_socket(world->b, &a3m_pull, "y");
}

static void end(struct world *world)
{
    (void)a3m_node_close(world->a, A3M_NOW, NULL);
    (void)a3m_node_close(world->b, A3M_NOW, NULL);
}

static a3m_link ask(a3m_socket socket, const char *peer)
{
    a3m_link link;
    assert_int_equal(a3m_socket_link(socket, peer, &link), A3M_OK);
    return link;
}

/* One link at each end, and a message gets through. */
static void assert_linked(struct world *world)
{
    a3m_msg *msg;
    assert_int_equal(a3m_socket_wait_link(world->push, NULL, A3M_NOW), A3M_OK);
    assert_int_equal(a3m_socket_wait_link(world->pull, NULL, A3M_NOW), A3M_OK);
    assert_int_equal(a3m_try_send(world->push, test_msg("m")), A3M_OK);
    settle(world);
    assert_int_equal(a3m_try_recv(world->pull, &msg), A3M_OK);
    test_msg_is(msg, "m");
}

/* And it ends at both. */
static void assert_ends(struct world *world, a3m_link link)
{
    assert_int_equal(a3m_link_end(link), A3M_OK);
    settle(world);
    assert_int_equal(a3m_socket_wait_link_or_none(world->push, NULL, A3M_NOW), A3M_ENOLINK);
    assert_int_equal(a3m_socket_wait_link_or_none(world->pull, NULL, A3M_NOW), A3M_ENOLINK);
    assert_int_equal(a3mi_map64_count(&world->in_a->links), 1); /* the one that is warm */
    assert_int_equal(a3mi_map64_count(&world->in_b->links), 1);
}

static void both_asked_one_link(const char *id)
{
    struct world world;
    make(&world, id);
    a3m_link a1 = ask(world.push, "b/y");
    speak(&world, world.in_a);
    (void)ask(world.pull, world.x);
    speak(&world, world.in_b);
    settle(&world);
    assert_linked(&world);
    assert_ends(&world, a1);
    end(&world);
}

static void asked_again_the_second_link_is_up_at_both(const char *id)
{
    struct world world;
    make(&world, id);
    a3m_link a1 = ask(world.push, "b/y");
    speak(&world, world.in_a);
    (void)ask(world.pull, world.x);
    speak(&world, world.in_b);
    assert_int_equal(a3m_link_end(a1), A3M_OK);
    a3m_link a2 = ask(world.push, "b/y");
    speak(&world, world.in_a);
    settle(&world);
    assert_linked(&world);
    assert_ends(&world, a2);
    end(&world);
}

/* The same, but that the socket closed, and another took its name. */
static void socket_opened_again_the_second_link_is_up_at_both(const char *id)
{
    struct world world;
    make(&world, id);
    (void)ask(world.push, "b/y");
    speak(&world, world.in_a);
    (void)ask(world.pull, world.x);
    speak(&world, world.in_b);
    assert_int_equal(a3m_socket_close(world.push), A3M_OK);
    world.push = test_socket(world.a, &a3m_push, "x");
    a3m_link a2 = ask(world.push, "b/y");
    speak(&world, world.in_a);
    settle(&world);
    assert_linked(&world);
    assert_ends(&world, a2);
    end(&world);
}

/*
 * A's socket closed, and another took its name, which asks for nothing, and hears of b1. Where B answers, b1 is
 * settled by a1, and ends with it, though not at once: a message is under way. Had A's new socket taken b1 as well,
 * its link would be one that B does not have.
 */
static void socket_opened_again_that_is_asked_both_agree(const char *id)
{
    struct world world;
    char in[16];
    make(&world, id);
    (void)snprintf(in, sizeof(in), "%s/in", id);
    a3m_socket pull = test_socket(world.a, &a3m_pull, "in");
    a3m_socket push = test_socket(world.b, &a3m_push, "out");
    (void)ask(pull, "b/out");
    speak(&world, world.in_a);
    a3m_link b1 = ask(push, in);
    speak(&world, world.in_b);
    turn(&world, world.in_b, A3MI_TURN_RECEIVE);
    bool answers = a3m_link_wait(b1, A3M_NOW) == A3M_OK;
    assert_int_equal(answers, strcmp(id, "b") < 0);
    if (answers) {
        assert_int_equal(a3m_try_send(push, test_msg("m")), A3M_OK);
    }
    assert_int_equal(a3m_socket_close(pull), A3M_OK);
    pull = test_socket(world.a, &a3m_pull, "in");
    turn(&world, world.in_a, A3MI_TURN_RECEIVE);
    settle(&world);
    assert_int_equal(a3m_link_wait(b1, A3M_NOW), answers ? A3M_ECLOSED : A3M_OK);
    assert_int_equal(a3m_socket_wait_link_or_none(pull, NULL, A3M_NOW), answers ? A3M_ENOLINK : A3M_OK);
    assert_int_equal(a3mi_map64_count(&world.in_a->links), a3mi_map64_count(&world.in_b->links));
    assert_int_equal(world.in_a->odd_controls + world.in_b->odd_controls, 0);
    end(&world);
}

/* A does not ask again. Where B answers, its wish met a1, and ended with it; where A answers, it is a request like any other. */
static void given_up_both_agree(const char *id)
{
    struct world world;
    make(&world, id);
    a3m_link a1 = ask(world.push, "b/y");
    speak(&world, world.in_a);
    a3m_link b1 = ask(world.pull, world.x);
    speak(&world, world.in_b);
    assert_int_equal(a3m_link_end(a1), A3M_OK);
    speak(&world, world.in_a);
    settle(&world);
    if (strcmp(id, "b") < 0) {
        assert_int_equal(a3m_link_wait(b1, A3M_NOW), A3M_ECANCELED);
    } else {
        assert_linked(&world);
        assert_int_equal(a3m_link_end(b1), A3M_OK);
        settle(&world);
    }
    assert_int_equal(a3m_socket_wait_link_or_none(world.push, NULL, A3M_NOW), A3M_ENOLINK);
    assert_int_equal(a3mi_map64_count(&world.in_a->links), 1);
    assert_int_equal(a3mi_map64_count(&world.in_b->links), 1);
    end(&world);
}

static void refuse(void *arg, const a3m_link_request *request, a3m_link_answer *answer)
{
    (void)request;
    ++*(int *)arg;
    answer->accept = A3M_REFUSE;
}

/* What B wants itself it takes from A, though it takes nothing else: neither option nor hook is about its own wishes. */
static void wanted_by_both_nobody_is_asked(const char *id)
{
    struct world world;
    int asked = 0;
    make(&world, id);
    assert_int_equal(a3m_socket_set(world.pull, A3M_OPT_INCOMING, 0), A3M_OK);
    assert_int_equal(a3m_socket_set_accept(world.pull, refuse, &asked), A3M_OK);
    assert_int_equal(a3m_socket_set(world.push, A3M_OPT_INCOMING, 0), A3M_OK);
    assert_int_equal(a3m_socket_set_accept(world.push, refuse, &asked), A3M_OK);
    a3m_link a1 = ask(world.push, "b/y");
    speak(&world, world.in_a);
    (void)ask(world.pull, world.x);
    speak(&world, world.in_b);
    settle(&world);
    assert_linked(&world);
    assert_int_equal(asked, 0);
    assert_ends(&world, a1);
    end(&world);
}

/* Two PUSH sockets: who answers the one request answers both. */
static void incompatible_both_learn_it_at_once(const char *id)
{
    struct world world;
    make(&world, id);
    a3m_socket other = test_socket(world.b, &a3m_push, "z");
    a3m_link a1 = ask(world.push, "b/z");
    speak(&world, world.in_a);
    a3m_link b1 = ask(other, world.x);
    speak(&world, world.in_b);
    settle(&world); /* less than the interval after which either would ask again */
    assert_int_equal(a3m_link_wait(a1, A3M_NOW), A3M_EINCOMPATIBLE);
    assert_int_equal(a3m_link_wait(b1, A3M_NOW), A3M_EINCOMPATIBLE);
    assert_int_equal(a3mi_map64_count(&world.in_a->links), 1);
    assert_int_equal(a3mi_map64_count(&world.in_b->links), 1);
    end(&world);
}

/*
 * A asked, and asks again under the peer's other name; then it ends its first link, which the engine learns after
 * the second request. B has taken a1 by then: END a1 goes before a2, or B would take a2 for a sign that A lost a1's
 * link, and give up what it had sent there.
 */
static void test_link_ended_while_another_name_is_asked_for_ends_first(void **arg)
{
    (void)arg;
    struct world world;
    a3m_socket_event event = {.size = sizeof(event)};
    make(&world, "a");
    assert_int_equal(a3m_socket_set(world.pull, A3M_OPT_EVENTS, 8), A3M_OK);
    a3m_link a1 = ask(world.push, "b/y");
    speak(&world, world.in_a);
    turn(&world, world.in_b, A3MI_TURN_RECEIVE);
    (void)ask(world.push, "inproc://crossing-b/y");
    assert_int_equal(a3m_link_end(a1), A3M_OK);
    speak(&world, world.in_a);
    settle(&world);
    assert_linked(&world);
    assert_int_equal(a3m_socket_next_event(world.pull, &event, A3M_NOW), A3M_OK);
    assert_int_equal(event.kind, A3M_EVENT_UP);
    assert_int_equal(a3m_socket_next_event(world.pull, &event, A3M_NOW), A3M_OK);
    assert_int_equal(event.kind, A3M_EVENT_ENDED);
    assert_int_equal(event.reason, A3M_ECANCELED);
    end(&world);
}

/*
 * The engine takes commands out up to a push that is under way: an abort may come before the link's own beginning,
 * which then finds a link that is over.
 */
static void test_link_aborted_before_its_beginning_asks_for_nothing(void **arg)
{
    (void)arg;
    struct world world;
    void *obj;
    make(&world, "a");
    a3m_link a1 = ask(world.push, "b/y");
    assert_int_equal(a3mi_registry_get(a1.v, A3MI_KIND_LINK, &obj), A3M_OK);
    struct a3mi_link *link = obj;
    a3mi_link_ref(link);
    a3mi_link_ref(link); /* the command's, which comes late */
    a3mi_registry_put(a1.v);
    assert_int_equal(a3m_link_abort(a1, NULL), A3M_OK);
    settle(&world);
    assert_int_equal(link->state, A3MI_LINK_CLOSED);
    a3mi_link_begin(link, world.now);
    assert_null(link->peer);
    assert_int_equal(a3mi_map64_count(&world.in_a->links), 1);
    a3mi_link_unref(link);
    end(&world);
}

/* ---- An end that gave the other up ----------------------------------------------------------- */

/* Nothing is said for longer than half-connections last: what comes next opens new ones. */
static void idle(struct world *world)
{
    settle(world);
    world->now += INT64_C(5000000000);
    settle(world);
    assert_int_equal(world->in_a->assoc->stats.senders + world->in_b->assoc->stats.senders, 0);
}

/* A gives B up, as when it was silent for too long. */
static void give_up(struct world *world)
{
    struct a3mi_assoc *assoc = world->in_a->assoc;
    struct a3mi_peer *peer = a3mi_peer_find(assoc, &world->in_b->id);
    struct a3mi_turn turn = {.now = world->now};
    a3mi_wakes_init(&turn.wakes);
    assert_non_null(peer);
    world->in_a->turn = &turn;
    assoc->now = world->now;
    a3mi_peer_hold(peer);
    a3mi_life_end(assoc, peer, world->in_b->incarnation, A3MI_PEER_SILENT);
    a3mi_peer_release(assoc, peer);
    world->in_a->turn = NULL;
    (void)a3mi_wakes_run(&turn.wakes);
}

/* The same, and it forgets that it owes B the news. No node of this library does; what others do is not known. */
static void give_up_and_forget(struct world *world)
{
    give_up(world);
    struct a3mi_peer *peer = a3mi_peer_find(world->in_a->assoc, &world->in_b->id);
    assert_non_null(peer);
    a3mi_life_find(peer, world->in_b->incarnation)->owed = false;
}

/* As many others are owed news as A can remember: nothing reminds it of B. */
static void owe_many(struct world *world)
{
    struct a3mi_assoc *assoc = world->in_a->assoc;
    for (unsigned i = 0; i < A3MI_DEBTORS_MAX; i++) {
        struct a3mi_name name;
        char text[16];
        (void)snprintf(text, sizeof(text), "n%u", i);
        assert_int_equal(a3mi_name_set(&name, text, strlen(text)), 0);
        struct a3mi_peer *peer = a3mi_assoc_peer(assoc, &name);
        assert_non_null(peer);
        a3mi_life_note(assoc, peer, i + 1, assoc->ck)->owed = true;
        a3mi_peer_release(assoc, peer);
    }
    assert_null(a3mi_peer_find(assoc, &world->in_b->id));
}

/* B's link is over, and A does not remember what it owes B: B learns it all the same, and links anew. */
static void test_given_up_and_owed_to_too_many_the_peer_learns_it_all_the_same(void **arg)
{
    (void)arg;
    struct world world;
    a3m_msg *msg;
    make(&world, "a");
    a3m_socket pull = test_socket(world.a, &a3m_pull, "in");
    a3m_socket push = test_socket(world.b, &a3m_push, "out");
    (void)ask(push, "a/in");
    settle(&world);
    assert_int_equal(a3m_socket_wait_link(push, NULL, A3M_NOW), A3M_OK);
    assert_int_equal(a3m_socket_close(world.warm), A3M_OK);
    idle(&world);
    give_up(&world);
    owe_many(&world);
    assert_int_equal(a3m_try_send(push, test_msg("nobody knows of this link")), A3M_OK);
    for (int i = 0; i < 5; i++) {
        world.now += INT64_C(5000000000);
        settle(&world);
    }
    assert_int_equal(a3m_try_send(push, test_msg("m")), A3M_OK);
    settle(&world);
    assert_int_equal(a3m_try_recv(pull, &msg), A3M_OK);
    test_msg_is(msg, "m");
    end(&world);
}

/*
 * B restarted, and A asks it for a link before it has heard of that: it learns that B's earlier incarnation is over
 * from the acceptance that its request waits for, and does not take the request for lost.
 */
static void test_request_that_meets_a_new_incarnation_is_the_one_that_is_accepted(void **arg)
{
    (void)arg;
    struct world world;
    a3m_msg *msg;
    make(&world, "a");
    assert_int_equal(a3m_socket_close(world.warm), A3M_OK);
    struct a3mi_peer *b = a3mi_peer_find(world.in_a->assoc, &world.in_b->id);
    assert_non_null(b);
    a3mi_peer_hold(b); /* A remembers which incarnation it knew, as when it still has a link to come */
    idle(&world);
    (void)a3m_node_close(world.b, A3M_NOW, NULL);
    world.b = test_node_idle("b", "inproc://crossing-b");
    world.in_b = node_inside(world.b);
    world.pull = test_socket(world.b, &a3m_pull, "y");
    a3m_link link = ask(world.push, "b/y");
    settle(&world);
    assert_int_equal(a3m_link_wait(link, A3M_NOW), A3M_OK);
    assert_int_equal(a3m_try_send(world.push, test_msg("m")), A3M_OK);
    settle(&world);
    assert_int_equal(a3m_try_recv(world.pull, &msg), A3M_OK);
    test_msg_is(msg, "m");
    a3mi_peer_release(world.in_a->assoc, b);
    end(&world);
}

/* B takes a request that A has given up, and forgotten: it is told that there is no such link. */
static void test_forgotten_request_that_is_accepted_is_ended(void **arg)
{
    (void)arg;
    struct world world;
    make(&world, "a");
    idle(&world);
    a3m_link a1 = ask(world.push, "b/y");
    speak(&world, world.in_a);
    turn(&world, world.in_b, A3MI_TURN_RECEIVE);
    turn(&world, world.in_a, A3MI_TURN_RECEIVE); /* accepted: the request is on the way */
    give_up_and_forget(&world);
    assert_int_equal(a3m_link_end(a1), A3M_OK);
    speak(&world, world.in_a);
    settle(&world);
    assert_int_equal(a3m_socket_wait_link_or_none(world.push, NULL, A3M_NOW), A3M_ENOLINK);
    assert_int_equal(a3m_socket_wait_link_or_none(world.pull, NULL, A3M_NOW), A3M_ENOLINK);
    end(&world);
}

/* A asks for a link that it has lost, and B knows nothing of that: the new one takes the place of the old. */
static void test_forgotten_link_asked_for_again_takes_the_place_of_the_old(void **arg)
{
    (void)arg;
    struct world world;
    make(&world, "a");
    (void)ask(world.push, "b/y");
    settle(&world);
    assert_linked(&world);
    idle(&world);
    give_up_and_forget(&world);
    world.now += INT64_C(5000000000); /* the time of its next attempt comes */
    settle(&world);
    assert_linked(&world);
    end(&world);
}

/*
 * A gave up what B's request had met, and took the request, which was late, for a new one: its acceptance names another
 * link than the one that B has, which may be ending, and B says that there is none.
 */
static void test_acceptance_of_a_request_that_was_settled_otherwise_is_ended(void **arg)
{
    (void)arg;
    struct world world;
    uint8_t bytes[A3MI_CONTROL_MAX];
    make(&world, "a");
    (void)ask(world.push, "b/y");
    (void)ask(world.pull, world.x);
    settle(&world);
    assert_linked(&world);
    struct a3mi_peer *a = a3mi_peer_find(world.in_b->assoc, &world.in_a->id);
    struct a3mi_link *link = a3mi_container_of(a3mi_peer_links(a)->prev, struct a3mi_link, on_peer);
    const struct a3mi_control late = {.kind = A3MI_CONTROL_ACCEPT,
                                      .author_link = link->peer_number + 1,
                                      .addressee_link = link->number,
                                      .author_tag = link->peer_tag,
                                      .type = "PUSH",
                                      .index = 99};
    size_t size = a3mi_control_encode(&late, bytes, sizeof(bytes));
    assert_true(size > 0);
    uint64_t incarnation = world.in_a->incarnation;
    struct a3mi_turn turn = {.now = world.now};
    a3mi_wakes_init(&turn.wakes);
    world.in_b->turn = &turn;
    a3mi_link_on_control(world.in_b, a, incarnation, bytes, size, world.now);
    world.in_b->turn = NULL;
    (void)a3mi_wakes_run(&turn.wakes);
    assert_int_equal(a3mi_peer_control_waiting(a, incarnation), 1); /* END */
    assert_int_equal(world.in_b->odd_controls, 0);
    settle(&world);
    assert_linked(&world);
    end(&world);
}

/* Of two ends that ask at once the one with the greater name answers: A once, B once. */
static void test_crossing_both_asked_one_link(void **arg)
{
    (void)arg;
    both_asked_one_link("a");
    both_asked_one_link("c");
}

static void test_crossing_asked_again_the_second_link_is_up_at_both(void **arg)
{
    (void)arg;
    asked_again_the_second_link_is_up_at_both("a");
    asked_again_the_second_link_is_up_at_both("c");
}

static void test_crossing_socket_opened_again_the_second_link_is_up_at_both(void **arg)
{
    (void)arg;
    socket_opened_again_the_second_link_is_up_at_both("a");
    socket_opened_again_the_second_link_is_up_at_both("c");
}

static void test_crossing_socket_opened_again_that_is_asked_both_agree(void **arg)
{
    (void)arg;
    socket_opened_again_that_is_asked_both_agree("a");
    socket_opened_again_that_is_asked_both_agree("c");
}

static void test_crossing_given_up_both_agree(void **arg)
{
    (void)arg;
    given_up_both_agree("a");
    given_up_both_agree("c");
}

static void test_crossing_wanted_by_both_nobody_is_asked(void **arg)
{
    (void)arg;
    wanted_by_both_nobody_is_asked("a");
    wanted_by_both_nobody_is_asked("c");
}

static void test_crossing_incompatible_both_learn_it_at_once(void **arg)
{
    (void)arg;
    incompatible_both_learn_it_at_once("a");
    incompatible_both_learn_it_at_once("c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acceptance_of_a_request_that_was_settled_otherwise_is_ended),
        cmocka_unit_test(test_crossing_both_asked_one_link),
        cmocka_unit_test(test_crossing_asked_again_the_second_link_is_up_at_both),
        cmocka_unit_test(test_crossing_socket_opened_again_the_second_link_is_up_at_both),
        cmocka_unit_test(test_crossing_socket_opened_again_that_is_asked_both_agree),
        cmocka_unit_test(test_crossing_given_up_both_agree),
        cmocka_unit_test(test_link_ended_while_another_name_is_asked_for_ends_first),
        cmocka_unit_test(test_link_aborted_before_its_beginning_asks_for_nothing),
        cmocka_unit_test(test_crossing_wanted_by_both_nobody_is_asked),
        cmocka_unit_test(test_crossing_incompatible_both_learn_it_at_once),
        cmocka_unit_test(test_given_up_and_owed_to_too_many_the_peer_learns_it_all_the_same),
        cmocka_unit_test(test_request_that_meets_a_new_incarnation_is_the_one_that_is_accepted),
        cmocka_unit_test(test_forgotten_request_that_is_accepted_is_ended),
        cmocka_unit_test(test_forgotten_link_asked_for_again_takes_the_place_of_the_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
