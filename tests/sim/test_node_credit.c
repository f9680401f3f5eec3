/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credit in simulated nodes: capacity that changes at awkward moments, and reservations. The plans of the campaign
 * have both as well ("credit", "reserve"). covers F3 F8 L11
 */
#include "node_scenario.h"

/* B granted less, then more, when its acceptance was under way yet: the grant arrived first, and was forgotten. */
static void test_grant_that_overtakes_its_acceptance_counts(void **arg)
{
    (void)arg;
    play("plan 12 2 20 20 1 0 100 200000 0\n"
         "0 open 0 0 0 5 20000\n"
         "0 open 1 3 1 1 100\n"
         "0 link 0 0 1 3 1\n"
         "0 link 1 3 0 0 1\n"
         "251 cut 0 1 1\n"
         "251 cut 1 0 1\n"
         "292532 send 0 0 1 162\n"
         "292532 credit 1 3 20 0\n"
         "10525283 credit 1 3 1 20000\n");
}

/* Set aside, then the capacity is cut, and cut again while what was reserved is on its way. */
static void test_reservations_and_cuts_under_loss(void **arg)
{
    (void)arg;
    play("plan 7 2 0 100 1 0 0 0 0\n"
         "0 open 0 0 0 0 0\n"
         "0 open 1 0 1 20 20000\n"
         "0 link 0 0 1 0 0\n"
         "0 loss 0 1 300\n"
         "0 loss 1 0 300\n"
         "1000000 reserve 0 0 2 64\n"
         "1000000 reserve 0 0 4 20000\n"
         "1100000 credit 1 0 1 1\n"
         "1100100 send 0 0 3 5000\n"
         "1100100 send 0 0 8 64\n"
         "1200000 credit 1 0 50 100\n"
         "1200000 pause 1 0 1\n"
         "1300000 reserve 0 0 3 500\n"
         "1400000 credit 1 0 2 2000\n"
         "1500000 send 0 0 20 500\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grant_that_overtakes_its_acceptance_counts),
        cmocka_unit_test(test_reservations_and_cuts_under_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
