/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sockets, one at each of two nodes, and the links between them: the
 * handshake of node/link_control.c and node/link.c over the table of
 * core/link_machine.c, which print_link_table.c writes into link_table.pml. End 1
 * has the greater name: it answers when requests cross.
 *
 * Control messages arrive exactly once and in order, after any delay; that is what
 * the half-connection gives (half_connection.pml). When an end restarts, or gives
 * the other up by policy, what was on its way to it is lost, and the other end
 * learns of it before anything that is said afterwards: RESET. After a restart what
 * the other end said to whichever incarnation is there may arrive all the same.
 *
 * Applications ask for the link and end it at any time, at both ends, and ask
 * again at once; a request may be refused, for now or for good; an interval may
 * pass, and be the last. Each of these a bounded number of times.
 *
 * Checked in every state: no end is up with a number that its peer has given up,
 * unless the news is on its way; at most one link is up. In every quiet state
 * (nothing on its way): nobody waits for an answer, and who is up is up with
 * somebody who is up with him.
 *
 * -DMUTATE_<NAME> breaks the rule that middleware/core/mutation.h calls NAME.
 */
#include "link_table.pml"

#ifndef ASKS
#define ASKS 2 /* by each end */
#endif
#ifndef UNLINKS
#define UNLINKS 2 /* by both */
#endif
#ifndef REFUSALS
#define REFUSALS 1
#endif
#ifndef LASTS
#define LASTS 1 /* times that an interval is the last one */
#endif
#ifndef RESETS
#define RESETS 1
#endif

#define SLOTS 4 /* links of an end */
#define WAY   12 /* messages on their way in one direction */

mtype:kind = { REQUEST, ACCEPT, REFUSE, REFUSE_FINAL, END, ENDED, RESET };

/* kind, the author's number, the addressee's (0: not known) */
chan way[2] = [WAY] of { mtype:kind, byte, byte }; /* [e]: to end e */

/* Links: [e * SLOTS + i]. Freed ones are all zero but for the state. */
byte state[2 * SLOTS] = CLOSED;
byte number[2 * SLOTS], peer[2 * SLOTS];
bool incoming[2 * SLOTS], attached[2 * SLOTS]; /* asked for by the peer; has a number that is in use */

byte last_number[2];
bool lost[2]; /* [e]: what is said to e is lost, until the other end has learnt of the reset */
byte asks[2];
byte unlinks, refusals, lasts, resets;

hidden byte l, i, next, n_up;
hidden short actions;
hidden byte author, addressee;
mtype:kind kind;

#define NONE     255
#define KNOWN(l_) (state[l_] == UP || state[l_] == ENDING || state[l_] == FINISHING)
#define END_OF(l_) ((l_) / SLOTS)

/* ---- Saying --------------------------------------------------------------------------- */

/* `named`: to the incarnation that the author knows, which is gone when the news of that is on its way to him. */
inline send(to_, kind_, author_, addressee_, named_)
{
    if
    :: !lost[to_] && !(named_ && way[1 - (to_)]??[RESET, 0, 0]) ->
        assert(nfull(way[to_]));
        printf("to end %d: %e of %d, for %d\n", to_, kind_, author_, addressee_);
        way[to_]!kind_, author_, addressee_
    :: else
    fi
}

inline say(l_, kind_)
{
    if
    :: KNOWN(l_) -> send(1 - END_OF(l_), kind_, number[l_], peer[l_], true)
    :: else -> send(1 - END_OF(l_), kind_, number[l_], 0, false)
    fi
}

/* ---- A link ------------------------------------------------------------------------------ */

inline renew(l_)
{
    last_number[END_OF(l_)]++;
    number[l_] = last_number[END_OF(l_)];
    peer[l_] = 0;
    attached[l_] = true
}

#ifndef FORGETS_NUMBER
#define FORGET_NUMBER(l_) skip
#else
#define FORGET_NUMBER(l_) number[l_] = 0
#endif

/* a3mi_link_step; `author` is the number that the peer told. */
inline step(l_, event_)
{
    look_up(state[l_], event_);
    printf("link %d: state %d, event %d: state %d\n", l_, state[l_], event_, next);
    if
    :: actions & DO_ATTACH -> peer[l_] = author
    :: !(actions & DO_ATTACH) && state[l_] != RETRYING && next == RETRYING ->
        attached[l_] = false;
        FORGET_NUMBER(l_)
    :: else
    fi;
    state[l_] = next;
    if
    :: actions & DO_SEND_ACCEPT -> say(l_, ACCEPT)
    :: else
    fi;
    if
    :: actions & DO_SEND_END -> say(l_, END)
    :: else
    fi;
    if
    :: actions & DO_SEND_ENDED -> say(l_, ENDED)
    :: else
    fi;
    if
    :: actions & DO_DETACH -> attached[l_] = false
    :: else
    fi;
    /* between two that keep to the rules nothing odd happens, unless one forgot the other */
    assert(!(actions & DO_COUNT_ODD) || resets > 0);
    if
    :: actions & DO_CLOSE ->
        number[l_] = 0;
        peer[l_] = 0;
        incoming[l_] = false;
        attached[l_] = false
    :: else
    fi;
    if
    :: actions & DO_SEND_REQUEST ->
        renew(l_);
        say(l_, REQUEST)
    :: else
    fi
}

/* A free slot of an end. */
inline make(e_, incoming_)
{
    l = e_ * SLOTS;
    do
    :: l < (e_ + 1) * SLOTS && state[l] != CLOSED -> l++
    :: else -> break
    od;
    assert(l < (e_ + 1) * SLOTS);
    state[l] = RETRYING;
    incoming[l] = incoming_
}

/* The link that is to be or being, or else one that is being cancelled. */
inline find_pair(e_)
{
    l = NONE;
    i = e_ * SLOTS;
    do
    :: i < (e_ + 1) * SLOTS ->
        if
        :: state[i] == REQUESTING || state[i] == RETRYING || state[i] == UP -> l = i; break
        :: state[i] == CANCELLING -> l = i
        :: else
        fi;
        i++
    :: else -> break
    od
}

/* ---- Messages in -------------------------------------------------------------------------- */

#ifdef MUTATE_LINK_BOTH_ANSWER
#define ANSWERS(e_) true
#else
#ifdef MUTATE_LINK_NONE_ANSWERS
#define ANSWERS(e_) false
#else
#define ANSWERS(e_) (e_ == 1)
#endif
#endif

#ifdef MUTATE_LINK_NO_REPLACE
#define REPLACES(l_) false
#else
#define REPLACES(l_) (state[l_] == UP)
#endif

/* Whether the request meets one of this end's own that the other end will answer. */
#define CROSSES(e_) (l != NONE && (state[l] == REQUESTING || state[l] == CANCELLING) && !ANSWERS(e_))

inline replace(e_)
{
    if
    :: incoming[l] -> step(l, ON_PEER_GONE)
    :: else -> step(l, ON_PEER_LOST)
    fi;
    find_pair(e_)
}

/*
 * With a link of its own that is to be, an end refuses for good only (types that do not go together): for
 * now it would have to be without socket, without room or without memory, and has all of them.
 */
#define MAY_REFUSE(refusal_) (l == NONE || state[l] == RETRYING || (refusal_ == REFUSE_FINAL && state[l] == REQUESTING))

/* refusal: REQUEST when it is taken, or what is answered. */
inline on_request(e_, refusal_)
{
    find_pair(e_);
    if
    :: CROSSES(e_) -> step(l, ON_CROSSING)
    :: else ->
        if
        :: l != NONE && state[l] == CANCELLING -> l = NONE
        :: else
        fi;
        if
        :: refusal_ != REQUEST && MAY_REFUSE(refusal_) ->
            if
            :: refusal_ == REFUSE_FINAL && l != NONE && state[l] == REQUESTING -> step(l, ON_REFUSE_FINAL)
            :: else
            fi;
            send(1 - e_, refusal_, 0, author, true)
        :: else ->
            if
            :: l != NONE && REPLACES(l) -> replace(e_)
            :: else
            fi;
            if
            :: l == NONE -> make(e_, true)
            :: else
            fi;
            if
            :: !attached[l] -> renew(l)
            :: else
            fi;
            step(l, ON_REQUEST)
        fi
    fi
}

#ifdef MUTATE_LINK_ANY_NUMBER
#define IS_MEANT(l_) (number[l_] == addressee || state[l_] == REQUESTING)
#else
#define IS_MEANT(l_) (number[l_] == addressee)
#endif

/* The link that a message is about. */
inline find_link(e_)
{
    l = e_ * SLOTS;
    do
    :: l == (e_ + 1) * SLOTS -> l = NONE; break
    :: l < (e_ + 1) * SLOTS && state[l] != CLOSED && addressee != 0 && IS_MEANT(l) -> break
    :: l < (e_ + 1) * SLOTS && state[l] != CLOSED && addressee == 0 && state[l] != REQUESTING &&
            state[l] != RETRYING && peer[l] == author -> break
    :: else -> l++
    od
}

inline on_answer(e_, event_)
{
    find_link(e_);
    if
    :: l != NONE -> step(l, event_)
    :: l == NONE ->
        if
#ifndef MUTATE_LINK_END_UNKNOWN
        :: kind == END -> send(1 - e_, ENDED, addressee, author, true)
#endif
#ifndef MUTATE_LINK_ACCEPT_UNKNOWN
        :: kind == ACCEPT -> send(1 - e_, END, addressee, author, true)
#endif
        :: else
        fi
    fi
}

/* a3mi_link_on_peer_ended: every link that the other end may have known. */
inline on_peer_ended(e_)
{
    l = e_ * SLOTS;
    do
    :: l < (e_ + 1) * SLOTS ->
        if
        :: state[l] == CLOSED || state[l] == RETRYING -> skip
        :: state[l] == UP || state[l] == REQUESTING ->
            if
            :: incoming[l] -> step(l, ON_PEER_GONE)
            :: else -> step(l, ON_PEER_LOST)
            fi
        :: else -> step(l, ON_PEER_GONE)
        fi;
        l++
    :: else -> break
    od
}

/* ---- What ends do by themselves ---------------------------------------------------------------- */

inline ask(e_)
{
    asks[e_]++;
    find_pair(e_);
    if
    :: l != NONE && state[l] != CANCELLING -> incoming[l] = false /* its twin: this end wants it as well */
    :: else ->
        make(e_, false);
        step(l, ON_TIMER)
    fi
}

inline drop_way(to_)
{
    do
    :: len(way[to_]) > 0 -> way[to_]?kind, author, addressee
    :: else -> break
    od
}

/* What end e made is gone at e. `keeps_`: what is said to whichever incarnation is there arrives. */
inline reset(e_, keeps_)
{
    resets++;
    printf("end %d is reset, keeps %d\n", e_, keeps_);
    if
    :: !(keeps_) ->
        drop_way(e_);
        lost[e_] = true
    :: else
    fi;
    assert(nfull(way[1 - e_]));
    way[1 - e_]!RESET, 0, 0;
    kind = 0;
    author = 0;
    addressee = 0
}

inline forget_links(e_)
{
    l = e_ * SLOTS;
    do
    :: l < (e_ + 1) * SLOTS ->
        state[l] = CLOSED;
        number[l] = 0;
        peer[l] = 0;
        incoming[l] = false;
        attached[l] = false;
        l++
    :: else -> break
    od;
    last_number[e_] = 0
}

#define ANY(e_, what_) \
    (state[(e_) * SLOTS] what_ || state[(e_) * SLOTS + 1] what_ || state[(e_) * SLOTS + 2] what_ || \
     state[(e_) * SLOTS + 3] what_)
/* What end e says now is for no incarnation in particular. */
#define NAMES_NOBODY(e_) (!ANY(e_, == UP) && !ANY(e_, == ENDING) && !ANY(e_, == FINISHING))
#define NO_RESET         (!way[0]??[RESET, 0, 0] && !way[1]??[RESET, 0, 0])

/* ---- What must hold ------------------------------------------------------------------------------- */

#define IS(m_, l_)    (state[m_] != CLOSED && number[m_] == peer[l_])
#define GOES_BY(l_)   (IS((1 - END_OF(l_)) * SLOTS, l_) || IS((1 - END_OF(l_)) * SLOTS + 1, l_) || \
                     IS((1 - END_OF(l_)) * SLOTS + 2, l_) || IS((1 - END_OF(l_)) * SLOTS + 3, l_))
#define PAIR(m_, l_)  (state[m_] == UP && number[m_] == peer[l_] && peer[m_] == number[l_])
#define IS_PAIRED(l_) (PAIR((1 - END_OF(l_)) * SLOTS, l_) || PAIR((1 - END_OF(l_)) * SLOTS + 1, l_) || \
                       PAIR((1 - END_OF(l_)) * SLOTS + 2, l_) || PAIR((1 - END_OF(l_)) * SLOTS + 3, l_))
#define QUIET         (len(way[0]) == 0 && len(way[1]) == 0)

inline check()
{
    l = 0;
    n_up = 0;
    do
    :: l < 2 * SLOTS ->
        if
        :: l == SLOTS -> n_up = 0
        :: else
        fi;
        if
        :: state[l] == UP ->
            n_up++;
            assert(n_up == 1);
            assert(number[l] != 0 && peer[l] != 0);
            /* the peer's number is the peer's, or the news of its end is on its way, or an ACCEPT that will be answered so */
            assert(GOES_BY(l) || way[END_OF(l)]??[END, eval(peer[l]), _] || way[END_OF(l)]??[RESET, 0, 0] ||
                   way[END_OF(l)]??[REQUEST, _, _] || way[1 - END_OF(l)]??[ACCEPT, eval(number[l]), eval(peer[l])]);
            assert(!QUIET || IS_PAIRED(l))
        :: else -> assert(!QUIET || state[l] == CLOSED || state[l] == RETRYING || state[l] == FINISHING)
        fi;
        l++
    :: else -> break
    od;
    skip
}

/* ---- All steps ---------------------------------------------------------------------------------------- */

#define LINK(l_)                                                                                         \
    :: d_step { state[l_] == RETRYING -> step(l_, ON_TIMER); check() }                                   \
    :: d_step { (state[l_] == RETRYING || state[l_] == REQUESTING) && lasts < LASTS ->                   \
        lasts++; step(l_, ON_TIMER_LAST); check() }                                                      \
    :: d_step { (state[l_] == RETRYING || state[l_] == REQUESTING || state[l_] == UP) && unlinks < UNLINKS -> \
        unlinks++; step(l_, ON_UNLINK); check() }                                                        \
    :: d_step { state[l_] == FINISHING -> step(l_, ON_DRAINED); check() }

#define NEXT(e_, kind_) nempty(way[e_]) && way[e_]?[kind_, _, _]
#define TAKE(e_)        way[e_]?kind, author, addressee; printf("end %d: %e of %d, for %d\n", e_, kind, author, addressee)
#define DONE            kind = 0; author = 0; addressee = 0; check()

#define ANSWER(e_, kind_, event_) \
    :: d_step { NEXT(e_, kind_) -> TAKE(e_); on_answer(e_, event_); DONE }

#ifdef KEEPS
#define AND_KEEPS(e_) \
    :: d_step { resets < RESETS && NO_RESET && NAMES_NOBODY(1 - e_) -> forget_links(e_); reset(e_, true); check() }
#else
#define AND_KEEPS(e_)
#endif

#define AN_END(e_)                                                                                       \
    :: d_step { asks[e_] < ASKS -> ask(e_); check() }                                                    \
    :: d_step { NEXT(e_, REQUEST) -> TAKE(e_); on_request(e_, REQUEST); DONE }                           \
    :: d_step { NEXT(e_, REQUEST) && refusals < REFUSALS ->                                              \
        TAKE(e_); refusals++; on_request(e_, REFUSE); DONE }                                             \
    :: d_step { NEXT(e_, REQUEST) && refusals < REFUSALS ->                                              \
        TAKE(e_); refusals++; on_request(e_, REFUSE_FINAL); DONE }                                       \
    ANSWER(e_, ACCEPT, ON_ACCEPT)                                                                        \
    ANSWER(e_, REFUSE, ON_REFUSE)                                                                        \
    ANSWER(e_, REFUSE, ON_REFUSE_LAST)                                                                   \
    ANSWER(e_, REFUSE_FINAL, ON_REFUSE_FINAL)                                                            \
    ANSWER(e_, END, ON_END)                                                                              \
    ANSWER(e_, ENDED, ON_ENDED)                                                                          \
    :: d_step { NEXT(e_, RESET) -> TAKE(e_); on_peer_ended(e_); lost[1 - e_] = false; DONE }             \
    :: d_step { resets < RESETS && NO_RESET -> on_peer_ended(e_); reset(e_, false); check() }            \
    :: d_step { resets < RESETS && NO_RESET -> forget_links(e_); reset(e_, false); check() }             \
    AND_KEEPS(e_)

active proctype world()
{
    d_step { fill_table() };
end:
    do
    AN_END(0)
    AN_END(1)
    LINK(0) LINK(1) LINK(2) LINK(3)
    LINK(4) LINK(5) LINK(6) LINK(7)
    od
}
