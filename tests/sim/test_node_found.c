/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the campaign found: a test for each failure, with its shortest plan as
 * sim_campaign --shrink prints it, and what went wrong above it.
 * covers X1 X2 L11
 */
#include "node_scenario.h"

/*
 * A's request was under way to B's new incarnation when A learned that the old one was over, and A forgot it:
 * B took it, and A took B's request, as two links; then A ended the one that it did not know, and was left with an
 * end of the other.
 */
static void test_request_under_way_when_the_old_incarnation_ends_it_is_not_forgotten(void **arg)
{
    (void)arg;
    play("plan 21 2 0 100 0 0 500\n"
         "0 open 0 2 2 100 100\n"
         "0 open 1 3 3 0 2000\n"
         "0 link 0 2 1 3 0\n"
         "0 link 1 3 0 2 0\n"
         "310364 leave 1 53\n"
         "1233084 cut 0 1 1\n");
    play("plan 15 2 100 100 1 0 100\n"
         "0 open 1 0 3 0 0\n"
         "0 link 1 0 0 0 0\n"
         "5438630 leave 1 221\n"
         "5838154 delay 1 0 50 28\n");
}

/* B asked by address for a link that it was ending: its request came before its END, and A dropped what was under way. */
static void test_link_asked_for_again_while_it_is_ended_what_was_sent_arrives(void **arg)
{
    (void)arg;
    play("plan 8149 2 100 500 0 1200 0\n"
         "0 open 1 3 2 2 20000\n"
         "0 open 0 1 3 1 0\n"
         "0 link 0 1 1 3 0\n"
         "714312 send 1 3 1 10000\n"
         "714312 nat 0 1\n"
         "13339406 link 1 3 0 1 1\n"
         "13339406 unlink 1 3 0 1\n");
}

/* The END of a request that was cancelled spoke of messages of the link's earlier life: B waited for them for ever. */
static void test_request_of_a_second_life_cancelled_the_peer_waits_for_nothing(void **arg)
{
    (void)arg;
    play("plan 42757 2 0 500 1 1200 500\n"
         "0 open 0 3 0 1 0\n"
         "0 open 1 1 1 100 100\n"
         "0 link 0 3 1 1 0\n"
         "3418 nat 0 1\n"
         "10442 leave 1 119\n"
         "46117 send 0 3 1 1\n"
         "1121691 unlink 0 3 1 1\n");
}

/*
 * A cancelled a request that B's old incarnation had; the END went to the new one, whose own request A held for one
 * that crossed, and ignored: B asked for ever.
 */
static void test_request_cancelled_while_the_peer_restarts_the_peers_own_is_heard(void **arg)
{
    (void)arg;
    play("plan 75238 2 0 20 0 0 100\n"
         "0 open 0 3 0 100 2000\n"
         "0 open 1 1 1 0 20000\n"
         "0 link 0 3 1 1 0\n"
         "0 link 1 1 0 3 1\n"
         "0 move 0\n"
         "19296 cut 1 0 1\n"
         "4419968 unlink 0 3 1 1\n"
         "8590884 kill 1\n");
}

/* A's socket closed while both asked: its refusal met a link that was up by then, and was counted as a violation. */
static void test_crossing_request_refused_by_a_closed_socket_is_no_violation(void **arg)
{
    (void)arg;
    play("plan 45292 3 0 20 0 0 0\n"
         "0 open 2 1 0 5 100\n"
         "0 open 0 3 1 5 20000\n"
         "0 link 2 1 0 3 1\n"
         "0 link 0 3 2 1 0\n"
         "292 send 2 1 1 1\n"
         "292 close 0 3\n"
         "13490870 loss 2 0 600\n");
}

/*
 * The answer to B's question at A's new address was held up until A was back at its old one, and B had been told so:
 * it moved B's records to where nobody was any more, for good, as A had nothing to say.
 */
static void test_response_from_an_address_that_was_left_since_moves_nothing(void **arg)
{
    (void)arg;
    play("plan 221619 3 1 2000 0 0 0\n"
         "0 open 1 1 2 2 0\n"
         "0 open 0 1 3 0 0\n"
         "0 link 1 1 0 1 0\n"
         "1289992 delay 0 1 50000 29470\n"
         "1320822 send 1 1 1 1\n"
         "1391849 move 0\n"
         "1535977 loss 0 1 300\n");
    play("plan 626883 2 0 100 0 0 0\n"
         "0 open 0 3 0 100 0\n"
         "0 open 1 0 1 2 100\n"
         "0 link 1 0 0 3 0\n"
         "15929807 delay 1 0 50000 21863\n"
         "21594479 send 0 3 47 64\n"
         "21982392 send 0 3 12 64\n"
         "22297626 kill 1\n"
         "25030594 start 1\n"
         "25046881 truncate 0 1 10\n"
         "28150262 move 1\n"
         "28269826 rate 1 0 100000000 5673\n");
}

/*
 * Each end asked, and A, whose request B was to answer, took no notice of B's. A's never arrived, A gave B up and
 * then ended its own wish without a word: B asked for ever.
 */
static void test_crossing_request_of_one_that_gave_up_and_unlinked_is_refused(void **arg)
{
    (void)arg;
    play("plan 2066252 2 20 20 1 0 0 200000 3000\n"
         "0 open 1 3 0 5 0\n"
         "0 open 0 3 1 0 100\n"
         "0 link 1 3 0 3 1\n"
         "0 link 0 3 1 3 0\n"
         "0 loss 1 0 600\n"
         "364931 cut 1 0 1\n"
         "373031 send 1 3 1 1\n"
         "13821172 unlink 0 3 1 3\n");
}

/*
 * A asked by address, where B was not yet, and then by name, which B accepted elsewhere. B came to the address, and took
 * A's OPEN there for a late one, as it was older than the one that it had accepted: as long as the two had anything
 * to say to each other, A's request was not heard, and A's hook refused B's own, which it would have met.
 */
static void test_request_by_address_from_before_the_peer_was_there_is_heard(void **arg)
{
    (void)arg;
    play("plan 4000940 2 8 2000 1 0 500 0 0\n"
         "0 open 0 2 0 1 2000\n"
         "0 open 1 1 1 0 0\n"
         "274269 kill 0\n"
         "737922 move 1\n"
         "1104315 start 0\n"
         "7005377 send 0 2 1 1\n"
         "7074801 link 0 2 1 1 1\n"
         "7075177 link 1 1 0 2 0\n"
         "7075177 door 0 2 3\n");
}

/*
 * A's socket closed while its link waited to ask again, and another took its name, with a link that B asked for. The
 * command lay behind a push under way (stall), and the closed socket's link asked: B took that for a sign that its link
 * was lost, then saw the end of it, and A's new socket was left with a link that B did not have.
 */
static void test_close_held_up_behind_a_push_the_link_asks_no_more(void **arg)
{
    (void)arg;
    play("plan 40160932 2 100 500 0 0 0 0 0\n"
         "0 open 1 2 2 100 2000\n"
         "0 link 1 2 0 2 0\n"
         "0 open 1 3 0 0 0\n"
         "0 open 0 1 1 2 100\n"
         "0 link 0 1 1 3 0\n"
         "301 kill 1\n"
         "5226845 start 1\n"
         "5227228 stall 0 115994\n"
         "5227228 close 0 1\n"
         "5227228 open 0 1 1 0 0\n"
         "5227228 link 1 3 0 1 0\n"
         "5302908 freeze 1 19722\n");
    play("plan 40049993 2 2 500 1 0 0 0 0\n"
         "0 open 0 0 0 100 0\n"
         "0 open 1 3 1 0 0\n"
         "0 link 1 3 0 0 0\n"
         "0 stall 1 853\n"
         "358 door 0 0 2\n"
         "47749 stall 1 118521\n"
         "47749 close 1 3\n"
         "47749 open 1 3 1 0 0\n"
         "49692 link 0 0 1 3 0\n"
         "341256 receipts 0 0 1\n");
    play("plan 40154456 2 0 2000 0 0 500 0 0\n"
         "0 open 0 1 2 0 0\n"
         "0 open 1 1 3 2 2000\n"
         "0 link 0 1 1 1 1\n"
         "0 link 0 2 1 2 0\n"
         "235160 kill 1\n"
         "257924 open 0 2 0 0 0\n"
         "257924 start 1\n"
         "269133 stall 0 100091\n"
         "269133 close 0 1\n"
         "269133 open 0 1 2 0 0\n"
         "269133 link 1 1 0 1 0\n"
         "473986 credit 0 3 0 0\n");
}

/* A message of a link's earlier life was held up until its later one was ending: nobody looked whether it was through. */
static void test_message_of_an_earlier_life_held_up_the_link_ends(void **arg)
{
    (void)arg;
    play("plan 40033204 4 100 2000 1 0 0 0 0\n"
         "0 open 3 1 2 5 2000\n"
         "0 open 2 1 3 0 0\n"
         "0 link 3 1 2 1 0\n"
         "9985370 kill 2\n"
         "10043830 link 2 1 3 1 0\n"
         "14110501 stall 3 1095339\n"
         "14110501 send 3 1 1 1\n"
         "14186875 start 2\n"
         "14187893 close 3 1\n"
         "14187893 link 2 1 3 1 0\n"
         "25180126 reserve 0 2 1 20\n");
}

/* The same, and each life that ended counted it among what was given up. */
static void test_message_of_an_earlier_life_held_up_is_given_up_once(void **arg)
{
    (void)arg;
    play("plan 42360918 2 100 100 1 1200 100 0 0\n"
         "0 open 1 2 0 0 2000\n"
         "0 open 0 0 1 0 2000\n"
         "0 link 1 2 0 0 0\n"
         "0 open 0 1 1 100 0\n"
         "478285 link 0 1 1 0 0\n"
         "512973 kill 0\n"
         "512973 send 1 2 1 1\n"
         "512973 stall 1 1437670\n"
         "512973 start 0\n"
         "733735 leave 0 423\n"
         "4598129 unlink 0 2 1 1\n");
    play("plan 42733758 2 8 20 0 1200 500 10000 0\n"
         "0 open 0 3 0 2 0\n"
         "0 open 1 3 1 0 2000\n"
         "0 link 0 3 1 3 1\n"
         "0 link 1 3 0 3 0\n"
         "8380 kill 1\n"
         "8895 start 1\n"
         "8895 stall 0 782238\n"
         "8895 send 0 3 1 1\n"
         "21249 leave 1 154\n"
         "404760 stall 1 89077\n");
}

/* Between sockets of one node: what came for a link that its receiver had ended by force was counted by nobody. */
static void test_message_to_oneself_behind_an_abort_is_unread(void **arg)
{
    (void)arg;
    play("plan 40017704 2 3 100 1 0 500 0 0\n"
         "0 open 0 0 2 100 100\n"
         "0 open 0 2 3 1 0\n"
         "0 link 0 0 0 2 1\n"
         "600267 stall 0 10562\n"
         "600267 send 0 0 1 1\n"
         "600606 abort 0 2 0 0\n");
}

/* An abort settled another link of the node as well, which was to be looked at in the next turn: there was none. */
static void test_abort_and_close_without_a_turn_between_the_node_is_gone(void **arg)
{
    (void)arg;
    play("plan 42446436 2 0 100 1 0 100 0 0\n"
         "0 open 1 1 0 0 20000\n"
         "0 open 1 2 1 100 20000\n"
         "0 link 1 1 1 2 0\n"
         "0 open 1 3 0 100 100\n"
         "0 open 0 3 1 1 2000\n"
         "0 link 0 3 1 3 0\n"
         "0 open 1 0 3 0 0\n"
         "0 link 1 0 0 0 1\n"
         "148795 freeze 1 16641\n"
         "162640 unlink 1 2 1 1\n"
         "197611 abort 1 0 0 0\n"
         "197912 abort 1 3 0 3\n"
         "198133 leave 1 458\n");
}

/*
 * Both gave the other up, which was silent. A's request came through all the same, but A, which was told that all it had
 * with B was over, took it for lost: B's acceptance, then its END, met a link that waited to ask again, and nobody
 * answered them.
 */
static void test_request_taken_for_lost_that_was_accepted_is_ended(void **arg)
{
    (void)arg;
    play("plan 43103712 2 3 500 0 1200 0 0 3000\n"
         "0 open 1 2 0 0 20000\n"
         "0 open 0 1 1 0 0\n"
         "0 link 1 2 0 1 0\n"
         "0 open 0 3 0 2 2000\n"
         "0 link 0 3 1 3 1\n"
         "56 drop 1 0 20112\n"
         "56 delay 0 1 300000 95112\n"
         "165384 truncate 0 1 10\n"
         "179814 rate 1 0 200000 44031\n"
         "179814 close 0 3\n"
         "179814 open 0 3 0 0 0\n"
         "179814 burst 1 0 21 66\n"
         "186886 loss 0 1 300\n"
         "186886 drop 1 0 18039\n"
         "7718617 unlink 0 1 1 2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_under_way_when_the_old_incarnation_ends_it_is_not_forgotten),
        cmocka_unit_test(test_link_asked_for_again_while_it_is_ended_what_was_sent_arrives),
        cmocka_unit_test(test_request_of_a_second_life_cancelled_the_peer_waits_for_nothing),
        cmocka_unit_test(test_request_cancelled_while_the_peer_restarts_the_peers_own_is_heard),
        cmocka_unit_test(test_crossing_request_refused_by_a_closed_socket_is_no_violation),
        cmocka_unit_test(test_response_from_an_address_that_was_left_since_moves_nothing),
        cmocka_unit_test(test_crossing_request_of_one_that_gave_up_and_unlinked_is_refused),
        cmocka_unit_test(test_request_by_address_from_before_the_peer_was_there_is_heard),
        cmocka_unit_test(test_close_held_up_behind_a_push_the_link_asks_no_more),
        cmocka_unit_test(test_message_of_an_earlier_life_held_up_the_link_ends),
        cmocka_unit_test(test_message_of_an_earlier_life_held_up_is_given_up_once),
        cmocka_unit_test(test_message_to_oneself_behind_an_abort_is_unread),
        cmocka_unit_test(test_abort_and_close_without_a_turn_between_the_node_is_gone),
        cmocka_unit_test(test_request_taken_for_lost_that_was_accepted_is_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
