/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where B believes A to be: core/path.c, and the part of core/receiver_input.c that
 * lets several ask for one record. A moves; a stranger is at address 2, knows A's
 * names and numbers its OPENs as it likes, and hears what is sent to where it is.
 *
 * The network keeps every packet for ever and delivers any of them at any time, as
 * often as it likes. A packet is its number and the address that it came from.
 *
 * Checked: a record is never where A neither answered nor was said to be; a RESPONSE
 * does not move it back when B has since heard A where the record is, or was told.
 * From every state, if what A says now arrives and is answered, the record is where A
 * is (HEAL), and A's next OPEN becomes a proven record, whoever else asked for one.
 *
 * Bounds and broken rules are parameters (parameters.pml).
 */
#include "parameters.pml"

hidden byte MOVES = 2;
hidden byte PACKETS = 3;    /* that A sends, or the stranger repeats as its own; PACKETS_MAX at most */
hidden byte CHALLENGES = 3; /* CHALLENGES_MAX at most */
hidden byte TELLS = 1;      /* times that B is told by other means where A is */
hidden byte OPENS = 2;      /* of the stranger */
RULE(NOT_FOLLOWED) RULE(LATE_RESPONSE) RULE(ANY_RESPONSE) RULE(ORDER_OF_ANYBODY)

inline read_parameters()
{
    READ(MOVES) READ(PACKETS) READ(CHALLENGES) READ(TELLS) READ(OPENS) READ(MUTATE_NOT_FOLLOWED)
    READ(MUTATE_LATE_RESPONSE) READ(MUTATE_ANY_RESPONSE) READ(MUTATE_ORDER_OF_ANYBODY)
    skip
}

#define PACKETS_MAX    4
#define CHALLENGES_MAX 4
#define ADDRESSES      3
#define STRANGER       2
#define TOP            9 /* an order that nothing of A's exceeds */

/* ---- A ---- */
byte a_at;                    /* 0 or 1 */
byte moves, sent, tells;
byte from[PACKETS_MAX + 1];   /* [number] where it was said */

/* ---- B ---- */
byte path, newest;
byte nonce, candidate;        /* nonce 0: nobody is asked */
byte drawn;                   /* nonces */
byte asked_at[CHALLENGES_MAX + 1];  /* [nonce] address */
byte asked_when[CHALLENGES_MAX + 1]; /* and news that B had then */
byte answered;                /* RESPONSEs on their way, a set of nonces */
byte news;                    /* times that B learnt where A is, by a newer packet from there or otherwise */
byte proved = 1;              /* addresses where A answered, or was said to be: a set */

/* ---- Candidates for a record, at B ---- */
byte order[ADDRESSES];        /* [address] of the one that is not proven; 0: none */
byte proven_order = 0;
byte opens, next_order = 1;

hidden byte i;

inline ask(number_)
{
    if
    :: drawn < CHALLENGES && !MUTATED(NOT_FOLLOWED) && !(nonce != 0 && candidate == from[number_]) ->
        drawn++;
        nonce = drawn;
        candidate = from[number_];
        asked_at[drawn] = candidate;
        asked_when[drawn] = news
    :: else
    fi
}

/* a3mi_path_heard */
inline hear(number_)
{
    if
    :: number_ > newest ->
        newest = number_;
        if
        :: from[number_] == path ->
            news++;
            nonce = (MUTATED(LATE_RESPONSE) -> nonce : 0)
        :: else -> ask(number_)
        fi
    :: else
    fi
}

/* a3mi_path_answered; from where it came. */
inline respond(nonce_, from_)
{
    if
    :: nonce == nonce_ && nonce != 0 && (candidate == (from_) || MUTATED(ANY_RESPONSE)) ->
        path = (from_);
        nonce = 0;
        assert((proved >> path) & 1);
        assert(asked_when[nonce_] == news); /* B has heard nothing since it asked */
        news++
    :: else
    fi
}

/* a3mi_receiver_open. `cookie_`: its author shows one, so it is where it says. */
inline open(address_, order_, cookie_)
{
    i = 0;
    if
    :: order_ <= proven_order || (order[address_] != 0 && order_ <= order[address_]) -> i = 9 /* stale */
    :: MUTATED(ORDER_OF_ANYBODY) &&
            (order[0] >= order_ || order[1] >= order_ || order[STRANGER] >= order_) -> i = 9
    :: else
    fi;
    if
    :: i != 9 && !(cookie_) && ((address_ != 0 && order[0] != 0) || (address_ != 1 && order[1] != 0) ||
            (address_ != STRANGER && order[STRANGER] != 0)) -> skip /* RETRY */
    :: i != 9 && ((cookie_) || !((address_ != 0 && order[0] != 0) || (address_ != 1 && order[1] != 0) ||
            (address_ != STRANGER && order[STRANGER] != 0))) -> order[address_] = order_
    :: else
    fi
}

/* The first DATA: others have been finished with. */
inline prove(address_)
{
    proven_order = order[address_];
    order[0] = 0;
    order[1] = 0;
    order[STRANGER] = 0
}

/* What A says from here on arrives, once, and is answered. */
inline heal()
{
    nonce = 0; /* its CHALLENGE is asked again when a newer packet comes (A3MI_CHALLENGE_GAP) */
    if
    :: path != a_at ->
        assert(!MUTATED(NOT_FOLLOWED));
        proved = proved | (1 << a_at);
        path = a_at
    :: else
    fi;
    /* OPEN, RETRY, OPEN with the cookie, ACCEPT, DATA */
    if
    :: proven_order < TOP - 1 ->
        next_order++;
        open(a_at, next_order, false);
        if
        :: order[a_at] != next_order -> open(a_at, next_order, true)
        :: else
        fi;
        assert(order[a_at] == next_order);
        prove(a_at)
    :: else
    fi;
    assert(path == a_at)
}

#define RESPONSE(n_)                                                                                        \
    /* A hears the question where it is asked, and answers from there */                                    \
    :: d_step { drawn >= n_ && asked_at[n_] == a_at -> answered = answered | (1 << n_); proved = proved | (1 << a_at) } \
    :: d_step { (answered >> n_) & 1 -> respond(n_, asked_at[n_]); skip }                                   \
    /* the stranger repeats it as its own */                                                                \
    :: d_step { (answered >> n_) & 1 -> respond(n_, STRANGER); skip }

active proctype world()
{
    d_step { read_parameters() };
end:
    do
    :: d_step { moves < MOVES -> moves++; a_at = 1 - a_at }
    :: d_step { sent < PACKETS -> sent++; from[sent] = a_at }
    /* the stranger repeats a packet of A's as its own */
    :: d_step { sent < PACKETS && sent > 0 && OPENS > 0 -> sent++; from[sent] = STRANGER }
    :: d_step { sent >= 1 -> hear(1); skip }
    :: d_step { sent >= 2 -> hear(2); skip }
    :: d_step { sent >= 3 -> hear(3); skip }
    :: d_step { sent >= 4 -> hear(4); skip }
    :: d_step {
            tells < TELLS ->
            tells++;
            path = a_at;
            nonce = (MUTATED(LATE_RESPONSE) -> nonce : 0);
            news++;
            proved = proved | (1 << a_at)
        }
    RESPONSE(1) RESPONSE(2) RESPONSE(3)
    :: d_step { opens < OPENS -> opens++; open(STRANGER, TOP, false); skip }
    :: d_step { opens < OPENS -> opens++; open(STRANGER, TOP, true); skip }
    :: d_step { next_order < 4 -> next_order++; open(a_at, next_order, false); skip }
    :: d_step { next_order < 4 -> next_order++; open(a_at, next_order, true); skip }
    :: d_step { order[a_at] != 0 -> prove(a_at); skip }
    :: d_step { order[0] != 0 && a_at != 0 -> order[0] = 0 }
    :: d_step { order[STRANGER] != 0 -> order[STRANGER] = 0 } /* it expires */
    :: d_step { heal(); skip } -> break
    od
}
