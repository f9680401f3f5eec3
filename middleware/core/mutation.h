/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules that a test may break, one at a time, to see that the simulations
 * notice (tests/sim/mutants.c, docs/models.md). Only the copies of core and node
 * that are compiled with A3MI_MUTATIONS can: everywhere else the preprocessor
 * leaves the genuine expression, and nothing of the other one.
 */
#ifndef A3MI_MUTATION_H
#define A3MI_MUTATION_H

#ifdef A3MI_MUTATIONS

#include <stdint.h>

struct a3mi_assoc;
struct a3mi_peer;
struct a3mi_sender;
struct a3m_addr;

/* X(name, what it does): first those of half-connections, then those of links. */
#define A3MI_MUTATION_LIST(X)                                                              \
    X(NO_DEDUP, "no deduplication")                                                        \
    X(OLD_ID, "numbering from 0 under an old id")                                          \
    X(R_TIMES_OUT, "R deleted on time-out")                                                \
    X(ACK_EARLY, "acknowledged before accepted")                                           \
    X(R_REUSED, "r reused")                                                                \
    X(SAME_CLOCK, "clocks that restart at the same value after a restart")                 \
    X(RESET_FROM_ANYBODY, "RESET without matching author")                                 \
    X(RESET_ANY_R, "RESET without matching r")                                             \
    X(RESET_NEVER_UNKNOWN, "RESET says 'nothing accepted' of records that were dropped")   \
    X(ACK_ANY_ID, "ACK without (s, r)")                                                    \
    X(LOWER_ORDER, "lower order accepted")                                                 \
    X(OPEN_ENDS, "OPEN ends another incarnation's record")                                 \
    X(NO_PING, "no PING when stalled at the limit")                                        \
    X(SAME_S, "reopening with the same s")                                                 \
    X(PROBE_CLOSES, "PROBE answered CLOSE while S lives")                                  \
    X(NO_PROBE, "no PROBE")                                                                \
    X(CLOSE_FROM_STRANGER, "a stranger answers CLOSE in another's place, and is obeyed")   \
    X(OPEN_NAMES_NOBODY, "OPEN names no incarnation")                                      \
    X(PROOF_ENDS_LATER, "proof ends incarnations seen later")                              \
    X(NO_TIMER, "no timer while something is unacknowledged")                              \
    X(NO_OPEN_TIMER, "no timer while opening")                                             \
    X(NOT_OWED, "a peer that lives on is not told that all is ended")                      \
    X(NOT_AFRESH, "no opening afresh to tell it")                                          \
    X(NOT_FOLLOWED, "a record that moved is not followed")                                 \
    X(CONTROL_LAST, "control messages and grants go behind data")                          \
    X(MOVE_UNTOLD, "a node that moved tells nobody")                                       \
    X(LATE_RESPONSE, "a RESPONSE counts though the record is known to be elsewhere since") \
    X(ANY_RESPONSE, "a RESPONSE counts wherever it comes from")                            \
    X(LATE_DUPLICATE, "any OPEN from this node's id tells of a duplicate")                 \
    X(ORDER_OF_ANYBODY, "order counts though nobody proved it")                            \
    X(LINK_BOTH_ANSWER, "both ends take the request that crossed")                         \
    X(LINK_NONE_ANSWERS, "neither end takes the request that crossed")                     \
    X(LINK_END_UNKNOWN, "END of an unknown link ignored")                                  \
    X(LINK_ACCEPT_UNKNOWN, "ACCEPT of a link given up not answered by END")                \
    X(LINK_ANY_NUMBER, "number of an earlier attempt accepted")                            \
    X(LINK_NO_REPLACE, "request for a link that is up ignored")                            \
    X(LINK_ENDS_ANY, "a request is taken for lost whichever incarnation ended")            \
    X(LINK_ANOTHERS, "what is said of another link than the one agreed on is heeded")      \
    X(LINK_LATE_ANSWER, "an answer to a request that was taken for lost not answered")     \
    X(LINK_LEAVES_CROSSED, "a link that ends leaves the request that crossed its own")     \
    X(LINK_FORGETS_CROSSED, "a link that comes up forgets a later request that crossed")   \
    X(LINK_END_WAITS, "an end that was asked for counts only when its command comes")      \
    X(DEBTS_FORGOTTEN, "what is owed to too many peers is forgotten")

enum a3mi_mutation {
    A3MI_MUTATION_NONE,
#define A3MI_MUTATION_ENUM(name, text) A3MI_MUTATION_##name,
    A3MI_MUTATION_LIST(A3MI_MUTATION_ENUM)
#undef A3MI_MUTATION_ENUM
        A3MI_MUTATIONS_END
};

/* The rule that is broken now; the test's. */
extern enum a3mi_mutation a3mi_mutation;

/* A clock value: the first one again when no record of that kind is left. The test's. */
uint64_t a3mi_mutation_first(struct a3mi_assoc *assoc, uint64_t records);
/* The peer with an open sender towards r, and the first open sender with anybody; NULL. The test's. */
struct a3mi_peer *a3mi_mutation_peer(struct a3mi_assoc *assoc, uint64_t r);
struct a3mi_sender *a3mi_mutation_sender(struct a3mi_assoc *assoc, const struct a3m_addr *from);

#define A3MI_MUTATE(name, broken, genuine) (a3mi_mutation == A3MI_MUTATION_##name ? (broken) : (genuine))

#else

#define A3MI_MUTATE(name, broken, genuine) (genuine)

#endif

#endif
