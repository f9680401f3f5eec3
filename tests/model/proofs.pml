/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of B's incarnations A takes for over (core/life.c), from both directions at
 * once: R is proven by its first DATA, and S, that is opened towards whoever is
 * there, by its ACCEPT. Each says that its author was alive after a value of A's
 * clock was drawn, and ends others that were first seen before.
 *
 * The network keeps every packet for ever. DATA under r is there when its author was
 * alive once r was drawn and told; ACCEPT of s likewise. B restarts; an incarnation
 * that is not over is never taken for one (invariant 4), and once the newest has
 * proven itself by something drawn after it began, no other is left.
 */
#include "parameters.pml"

hidden byte RESTARTS = 2;
hidden byte DRAWS = 4; /* of the clock; DRAWS_MAX at most */
RULE(PROOF_ENDS_LATER) RULE(OPEN_ENDS)

inline read_parameters()
{
    READ(RESTARTS) READ(DRAWS) READ(MUTATE_PROOF_ENDS_LATER) READ(MUTATE_OPEN_ENDS)
    skip
}

#define DRAWS_MAX 5
#define LIVES     3

byte now;                     /* B's incarnation that is there */
byte ck;                      /* A's clock: the value drawn last */
byte kind[DRAWS_MAX + 1];     /* [value] 1: r, for `whom`; 2: s, for whoever is there */
byte whom[DRAWS_MAX + 1];
byte proof[DRAWS_MAX + 1];    /* [value] incarnations whose DATA or ACCEPT is on its way: a set */
byte began[LIVES];            /* A's clock when it began */
byte first[LIVES];            /* A's clock when it was seen first, and 1 */
byte ended;                   /* incarnations taken for over: a set */

hidden byte i;

inline end_others(whom_, since_)
{
    i = 0;
    do
    :: i < LIVES ->
        if
        :: i != whom_ && first[i] != 0 && (first[i] - 1 < since_ || MUTATED(PROOF_ENDS_LATER)) ->
            ended = ended | (1 << i);
            assert(i != now) /* invariant 4 */
        :: else
        fi;
        i++
    :: else -> break
    od
}

/* a3mi_life_note, a3mi_life_proven: whom_ was alive after clock value v_ was drawn. */
inline proven(whom_, v_)
{
    if
    :: (ended >> whom_) & 1 -> skip /* late: it is known to be over */
    :: else ->
        if
        :: first[whom_] == 0 -> first[whom_] = (kind[v_] == 1 -> v_ : ck + 1)
        :: else
        fi;
        end_others(whom_, v_);
        /* and the newest leaves no other that was seen before */
        i = 0;
        do
        :: i < LIVES ->
            assert(i == whom_ || first[i] == 0 || first[i] > v_ || ((ended >> i) & 1));
            i++
        :: else -> break
        od
    fi
}

#define VALUE(v_)                                                                             \
    /* B hears of it while it is there */                                                     \
    :: d_step { ck >= v_ && kind[v_] == 1 && whom[v_] == now -> proof[v_] = proof[v_] | (1 << now) } \
    :: d_step { ck >= v_ && kind[v_] == 2 -> proof[v_] = proof[v_] | (1 << now) }             \
    PROOF(v_, 0) PROOF(v_, 1) PROOF(v_, 2)

#define PROOF(v_, i_) :: d_step { (proof[v_] >> i_) & 1 -> proven(i_, v_); skip }

/* An OPEN of any incarnation that there is, or was, arrives. */
#define OPEN(i_)                                                                              \
    :: d_step {                                                                               \
            ck < DRAWS && now >= i_ && !((ended >> i_) & 1) ->                                \
            ck++;                                                                             \
            kind[ck] = 1;                                                                     \
            whom[ck] = i_;                                                                    \
            if                                                                                \
            :: MUTATED(OPEN_ENDS) -> end_others(i_, ck + 1)                                   \
            :: else                                                                           \
            fi                                                                                \
        }

active proctype world()
{
    d_step { read_parameters() };
end:
    do
    :: d_step { now < RESTARTS -> now++; began[now] = ck }
    :: d_step { ck < DRAWS -> ck++; kind[ck] = 2 }
    OPEN(0) OPEN(1) OPEN(2)
    VALUE(1) VALUE(2) VALUE(3) VALUE(4) VALUE(5)
    od
}
