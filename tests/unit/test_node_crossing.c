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
#include "crossing_world.h"

#include "core/state.h"
#include "node_pair.h"

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

static void asked_again_the_second_link_is_up_at_both(const char *id, bool held)
{
    struct world world;
    make(&world, id);
    a3m_link a1 = ask(world.push, "b/y");
    speak(&world, world.in_a);
    (void)ask(world.pull, world.x);
    speak(&world, world.in_b);
    hold_up(&world, held);
    assert_int_equal(a3m_link_end(a1), A3M_OK);
    a3m_link a2 = ask(world.push, "b/y");
    speak(&world, world.in_a);
    settle_late(&world);
    assert_linked(&world);
    assert_ends(&world, a2);
    end(&world);
}

/* The same, but that the socket closed, and another took its name. */
static void socket_opened_again_the_second_link_is_up_at_both(const char *id, bool held)
{
    struct world world;
    make(&world, id);
    (void)ask(world.push, "b/y");
    speak(&world, world.in_a);
    (void)ask(world.pull, world.x);
    speak(&world, world.in_b);
    hold_up(&world, held);
    assert_int_equal(a3m_socket_close(world.push), A3M_OK);
    world.push = test_socket(world.a, &a3m_push, "x");
    a3m_link a2 = ask(world.push, "b/y");
    speak(&world, world.in_a);
    settle_late(&world);
    assert_linked(&world);
    assert_ends(&world, a2);
    end(&world);
}

/*
 * A's socket closed, and another took its name, which asks for nothing, and hears of b1. Where B answers, b1 is
 * settled by a1, and ends with it, though not at once: a message is under way. Had A's new socket taken b1 as well,
 * its link would be one that B does not have.
 */
static void socket_opened_again_that_is_asked_both_agree(const char *id, bool held)
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
    hold_up(&world, held);
    assert_int_equal(a3m_socket_close(pull), A3M_OK);
    pull = test_socket(world.a, &a3m_pull, "in");
    turn(&world, world.in_a, A3MI_TURN_RECEIVE);
    settle_late(&world);
    assert_int_equal(a3m_link_wait(b1, A3M_NOW), answers ? A3M_ECLOSED : A3M_OK);
    assert_int_equal(a3m_socket_wait_link_or_none(pull, NULL, A3M_NOW), answers ? A3M_ENOLINK : A3M_OK);
    assert_int_equal(a3mi_map64_count(&world.in_a->links), a3mi_map64_count(&world.in_b->links));
    assert_int_equal(world.in_a->odd_controls + world.in_b->odd_controls, 0);
    end(&world);
}

/* A does not ask again. Where B answers, its wish met a1, and ended with it; where A answers, it is a request like any other. */
static void given_up_both_agree(const char *id, bool held)
{
    struct world world;
    make(&world, id);
    a3m_link a1 = ask(world.push, "b/y");
    speak(&world, world.in_a);
    a3m_link b1 = ask(world.pull, world.x);
    speak(&world, world.in_b);
    hold_up(&world, held);
    assert_int_equal(a3m_link_end(a1), A3M_OK);
    speak(&world, world.in_a);
    settle_late(&world);
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
    hold_up(&world, true);
    a3m_link a1 = ask(world.push, "b/y");
    assert_int_equal(a3mi_registry_get(a1.v, A3MI_KIND_LINK, &obj), A3M_OK);
    struct a3mi_link *link = obj;
    a3mi_link_ref(link);
    a3mi_registry_put(a1.v);
    assert_int_equal(a3m_link_abort(a1, NULL), A3M_OK);
    assert_int_equal(link->state, A3MI_LINK_CLOSED);
    settle_late(&world);
    assert_int_equal(link->state, A3MI_LINK_CLOSED);
    assert_null(link->peer);
    assert_int_equal(a3mi_map64_count(&world.in_a->links), 1);
    assert_int_equal(a3mi_map64_count(&world.in_b->links), 1);
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

/* B hears of a link control as if from A. */
static void hear(struct world *world, const struct a3mi_link *link, const struct a3mi_control *control)
{
    node_hear(world->in_b, link, control, world->now);
    assert_int_equal(world->in_b->odd_controls, 0);
}

/* B's link with A's socket, be it up or asked for. */
static struct a3mi_link *link_of_b(struct world *world, struct a3mi_peer **a)
{
    *a = a3mi_peer_find(world->in_b->assoc, &world->in_a->id);
    assert_non_null(*a);
    return a3mi_container_of(a3mi_peer_links(*a)->prev, struct a3mi_link, on_peer);
}

/*
 * A gave up what B's request had met, and took the request, which was late, for a new one: what it says names another
 * link than the one that B has, which may be ending. Its acceptance is answered by an END, its END as of a link that
 * B does not have, and the rest by nothing: the link that there is goes on.
 */
static void test_what_is_said_of_another_link_than_the_one_agreed_on_changes_nothing(void **arg)
{
    (void)arg;
    static const struct {
        enum a3mi_control_kind said;
        size_t answers;
    } cases[] = {{A3MI_CONTROL_ACCEPT, 1},   {A3MI_CONTROL_END, 1},   {A3MI_CONTROL_ENDED, 0},
                 {A3MI_CONTROL_CAPACITY, 0}, {A3MI_CONTROL_TAKEN, 0}, {A3MI_CONTROL_METADATA, 0}};
    struct world world;
    struct a3mi_peer *a;
    make(&world, "a");
    (void)ask(world.push, "b/y");
    (void)ask(world.pull, world.x);
    settle(&world);
    assert_linked(&world);
    const struct a3mi_link *link = link_of_b(&world, &a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct a3mi_control late = {.kind = cases[i].said,
                                    .author_link = link->peer_number + 1,
                                    .addressee_link = link->number,
                                    .credit_messages = 1,
                                    .credit_bytes = 1,
                                    .ranges = {{0, 1}},
                                    .range_count = cases[i].said == A3MI_CONTROL_TAKEN};
        if (late.kind == A3MI_CONTROL_ACCEPT) {
            late.author_tag = link->peer_tag;
            late.index = 99;
            (void)snprintf(late.type, sizeof(late.type), "PUSH");
        }
        hear(&world, link, &late);
        assert_int_equal(a3mi_peer_control_waiting(a, world.in_a->incarnation), cases[i].answers);
        assert_int_equal(link->state, A3MI_LINK_UP);
        settle(&world);
    }
    assert_linked(&world);
    end(&world);
}

/* Two requests crossed B's, and A takes B's for the first: B's link comes up, and the second is refused for now. */
static void test_crossed_twice_and_accepted_for_the_first_the_second_is_refused(void **arg)
{
    (void)arg;
    struct world world;
    struct a3mi_peer *a;
    make(&world, "c"); /* A answers */
    (void)ask(world.pull, world.x);
    speak(&world, world.in_b);
    const struct a3mi_link *link = link_of_b(&world, &a);
    struct a3mi_control request = {.kind = A3MI_CONTROL_REQUEST,
                                   .author_link = 1000,
                                   .author_tag = link->peer_tag,
                                   .addressee_tag = link->socket->tag,
                                   .type = "PUSH",
                                   .index = 99};
    hear(&world, link, &request);
    request.author_link = 1001;
    hear(&world, link, &request);
    assert_int_equal(link->state, A3MI_LINK_REQUESTING);
    size_t before = a3mi_peer_control_waiting(a, world.in_a->incarnation);
    struct a3mi_control accept = request;
    accept.kind = A3MI_CONTROL_ACCEPT;
    accept.author_link = 1000;
    accept.addressee_link = link->number;
    hear(&world, link, &accept);
    assert_int_equal(link->state, A3MI_LINK_UP);
    assert_int_equal(link->peer_number, 1000);
    assert_int_equal(a3mi_peer_control_waiting(a, world.in_a->incarnation), before + 1);
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
    for (int held = 0; held < 2; held++) {
        asked_again_the_second_link_is_up_at_both("a", held != 0);
        asked_again_the_second_link_is_up_at_both("c", held != 0);
    }
}

static void test_crossing_socket_opened_again_the_second_link_is_up_at_both(void **arg)
{
    (void)arg;
    for (int held = 0; held < 2; held++) {
        socket_opened_again_the_second_link_is_up_at_both("a", held != 0);
        socket_opened_again_the_second_link_is_up_at_both("c", held != 0);
    }
}

static void test_crossing_socket_opened_again_that_is_asked_both_agree(void **arg)
{
    (void)arg;
    for (int held = 0; held < 2; held++) {
        socket_opened_again_that_is_asked_both_agree("a", held != 0);
        socket_opened_again_that_is_asked_both_agree("c", held != 0);
    }
}

static void test_crossing_given_up_both_agree(void **arg)
{
    (void)arg;
    for (int held = 0; held < 2; held++) {
        given_up_both_agree("a", held != 0);
        given_up_both_agree("c", held != 0);
    }
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
        cmocka_unit_test(test_what_is_said_of_another_link_than_the_one_agreed_on_changes_nothing),
        cmocka_unit_test(test_crossed_twice_and_accepted_for_the_first_the_second_is_refused),
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
