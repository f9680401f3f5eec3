/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sockets, one at each of two nodes, and the links between them: the
 * handshake of node/link_control.c, link_request.c and link.c over the table of
 * core/link_machine.c, which print_link_table.c writes into link_table.pml. End 1
 * has the greater name: it answers when requests cross.
 *
 * Control messages arrive exactly once and in order, after any delay, at the
 * incarnation that they are for; that is what half-connections give
 * (half_connection.pml, pair.pml). A sender is bound to one incarnation of the
 * other end, or, when it is not known which one is there, to none until it is
 * accepted: then it learns of the end of the one before, and only then says what
 * waited (a3mi_life_proven, a3mi_link_on_peer_bound). What is bound to an
 * incarnation that is over is lost, and its author learns that: RESTART. What an
 * incarnation said before its end arrives before that, or not at all.
 *
 * An end may give the other one up, though it lives, and owes it that news: until
 * the other one had them (RESET), nothing that it says is heard. FORGETS: end 0,
 * with no link left, forgets what it owes, which this implementation never does
 * (core/life.c) and another one might; end 1 only answers then. Its link may stay up
 * alone, but whatever comes to be afterwards is agreed upon.
 *
 * Applications ask for the link and end it at any time, also by force, at both ends, and ask
 * again at once; a socket is closed, and refuses what it had asked for itself,
 * until it is opened again; a request may be refused, for now or for good; an
 * interval may pass, and be the last. Each of these a bounded number of times.
 *
 * Checked in every state: no end is up with a number that its peer has given up,
 * unless the news is on its way; at most one link is up. In every quiet state
 * (nothing on its way, nothing owed): nobody waits for an answer, and who is up is
 * up with somebody who is up with him.
 *
 * Bounds and broken rules are parameters (parameters.pml).
 */
#include "link_table.pml"

#include "parameters.pml"

hidden byte ASKS = 2;    /* by each end */
hidden byte UNLINKS = 2; /* by both, as the rest */
hidden byte REFUSALS = 1;
hidden byte LASTS = 1;   /* times that an interval is the last one */
hidden byte CLOSES = 0;  /* of sockets */
hidden byte RESTARTS = 0;
hidden byte GIVEUPS = 0;
hidden byte EARLIES = 0; /* times that the other is given up before anybody accepted what waits for it */
hidden byte ABORTS = 0;  /* ends by force */
hidden byte FORGETS = 0; /* of what is owed */
RULE(LINK_BOTH_ANSWER) RULE(LINK_NONE_ANSWERS) RULE(LINK_END_UNKNOWN) RULE(LINK_ACCEPT_UNKNOWN)
RULE(LINK_ANY_NUMBER) RULE(LINK_NO_REPLACE) RULE(LINK_ENDS_ANY) RULE(LINK_LEAVES_CROSSED)
RULE(LINK_ANOTHERS) RULE(LINK_LATE_ANSWER) RULE(LINK_ANSWERS_THE_DEAD) RULE(NOT_OWED) RULE(NOT_AFRESH)

inline read_parameters()
{
    READ(ASKS) READ(UNLINKS) READ(REFUSALS) READ(LASTS) READ(CLOSES) READ(RESTARTS) READ(GIVEUPS) READ(FORGETS) READ(ABORTS) READ(EARLIES)
    READ(MUTATE_LINK_BOTH_ANSWER) READ(MUTATE_LINK_NONE_ANSWERS) READ(MUTATE_LINK_END_UNKNOWN)
    READ(MUTATE_LINK_ACCEPT_UNKNOWN) READ(MUTATE_LINK_ANY_NUMBER) READ(MUTATE_LINK_NO_REPLACE)
    READ(MUTATE_LINK_ENDS_ANY) READ(MUTATE_LINK_LEAVES_CROSSED) READ(MUTATE_LINK_ANOTHERS) READ(MUTATE_LINK_LATE_ANSWER)
    READ(MUTATE_LINK_ANSWERS_THE_DEAD) READ(MUTATE_NOT_OWED) READ(MUTATE_NOT_AFRESH)
    skip
}

#define SLOTS 4 /* links of an end */
#define WAY   12 /* messages on their way in one direction */

/* RESTART: what comes from here on is of another incarnation. RESET: the same one begins with nothing. */
mtype:kind = { REQUEST, ACCEPT, REFUSE, REFUSE_FINAL, END, ENDED, RESTART, RESET };

/* kind, the author's number, the addressee's (0: not known) */
chan way[2] = [WAY] of { mtype:kind, byte, byte }; /* [e]: to end e */

/* Links: [e * SLOTS + i]. Freed ones are all zero but for the state. */
byte state[2 * SLOTS] = CLOSED;
byte number[2 * SLOTS], peer[2 * SLOTS];
bool incoming[2 * SLOTS], attached[2 * SLOTS]; /* asked for by the peer; has a number that is in use */
bool gone[2 * SLOTS];  /* its socket was closed: no request finds it */
bool alone[2 * SLOTS]; /* its peer forgot it */
byte crossed[2 * SLOTS]; /* the other's request that crossed its own, which nobody has answered; 0: none */
byte asked[2 * SLOTS]; /* the incarnation that the request went to; 0: not known yet */

byte last_number[2];
byte inc[2] = 1; /* incarnations */
byte met[2];     /* the other's that was met; 0: none */
byte bound[2];   /* the other's that the sender is bound to; 0: none yet, or there is no sender */
bool owes[2], told[2]; /* gave the other up, who has not heard of it; the news are on their way */
bool closed[2];
byte asks[2];
byte unlinks, refusals, lasts, closes, restarts, giveups, earlies, forgets, aborts;

hidden byte l, i, next, n_up, ended;
hidden short actions;
hidden byte author, addressee, addressed, whom;
mtype:kind kind;
hidden mtype:kind what;

#define NONE     255
#define KNOWN(l_) (state[l_] == UP || state[l_] == ENDING || state[l_] == FINISHING || state[l_] == ABORTING)
#define END_OF(l_) ((l_) / SLOTS)

#define ANY(e_, what_) \
    (state[(e_) * SLOTS] what_ || state[(e_) * SLOTS + 1] what_ || state[(e_) * SLOTS + 2] what_ || \
     state[(e_) * SLOTS + 3] what_)
/* With links that are up the other's incarnation is known (a3mi_life_current). */
#define NAMES_NOBODY(e_) (!ANY(e_, == UP) && !ANY(e_, == ENDING) && !ANY(e_, == FINISHING) && !ANY(e_, == ABORTING))

/* ---- Saying --------------------------------------------------------------------------- */

inline drop_way(to_)
{
    do
    :: len(way[to_]) > 0 -> way[to_]?kind, author, addressee
    :: else -> break
    od;
    kind = 0
}

/* a3mi_sender_name: what waited is for this incarnation now. It is lost when that one is over. */
inline bind(e_, inc_)
{
    bound[e_] = inc_;
    i = (e_) * SLOTS;
    do
    :: i < (e_ + 1) * SLOTS ->
        if
        :: asked[i] == 0 && (state[i] == REQUESTING || state[i] == CANCELLING) -> asked[i] = inc_
        :: else
        fi;
        i++
    :: else -> break
    od
}

/* `inc_`: for this incarnation; 0: for whichever is there, unless one is known. */
inline send(to_, kind_, author_, addressee_, inc_)
{
    if
    :: bound[1 - (to_)] == 0 && (inc_) != 0 -> bind(1 - (to_), inc_)
    :: bound[1 - (to_)] == 0 && (inc_) == 0 && !NAMES_NOBODY(1 - (to_)) -> bind(1 - (to_), met[1 - (to_)])
    :: else
    fi;
    if
    :: owes[1 - (to_)] && !told[1 - (to_)] && !MUTATED(NOT_AFRESH) ->
        assert(nfull(way[to_]));
        way[to_]!RESET, 0, 0;
        told[1 - (to_)] = true
    :: else
    fi;
    if
    :: bound[1 - (to_)] == 0 || bound[1 - (to_)] == inc[to_] ->
        assert(nfull(way[to_]));
        printf("to end %d: %e of %d, for %d\n", to_, kind_, author_, addressee_);
        way[to_]!kind_, author_, addressee_
    :: else /* to an incarnation that is over */
    fi
}

/* One message about a link: `what`. */
inline say(l_)
{
    if
    :: KNOWN(l_) -> addressed = peer[l_]; whom = met[END_OF(l_)]
    :: !KNOWN(l_) && what == REQUEST -> addressed = 0; whom = 0
    :: else -> addressed = 0; whom = asked[l_]
    fi;
    send(1 - END_OF(l_), what, number[l_], addressed, whom);
    if
    :: what == REQUEST -> asked[l_] = bound[END_OF(l_)]
    :: else
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

/* a3mi_link_step; `author` is the number that the peer told. */
inline step(l_, event_)
{
    look_up(state[l_], event_);
    printf("link %d: state %d, event %d: state %d\n", l_, state[l_], event_, next);
    if
    :: actions & DO_ATTACH -> peer[l_] = author; crossed[l_] = 0; asked[l_] = 0; alone[l_] = false
    :: !(actions & DO_ATTACH) && state[l_] != RETRYING && next == RETRYING ->
        attached[l_] = false;
        asked[l_] = 0
    :: else
    fi;
    state[l_] = next;
    if
    :: actions & DO_DETACH -> attached[l_] = false
    :: else
    fi;
    /* between two that keep to the rules nothing odd happens, unless one forgot the other */
    assert(!(actions & DO_COUNT_ODD) || giveups + forgets > 0);
    if
    :: (actions & DO_CLOSE) && crossed[l_] != 0 && !MUTATED(LINK_LEAVES_CROSSED) -> /* a3mi_link_refuse_crossed */
        send(1 - END_OF(l_), REFUSE, 0, crossed[l_], met[END_OF(l_)])
    :: else
    fi;
    if
    :: actions & DO_CLOSE ->
        crossed[l_] = 0;
        number[l_] = 0;
        peer[l_] = 0;
        incoming[l_] = false;
        attached[l_] = false;
        gone[l_] = false;
        alone[l_] = false;
        asked[l_] = 0
    :: else
    fi;
    what = 0;
    if
    :: actions & DO_SEND_REQUEST -> renew(l_); what = REQUEST
    :: actions & DO_SEND_ACCEPT -> what = ACCEPT
    :: actions & DO_SEND_END -> what = END
    :: actions & DO_SEND_ENDED -> what = ENDED
    :: else
    fi;
    if
    :: what != 0 -> say(l_)
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
        :: !gone[i] && (state[i] == REQUESTING || state[i] == RETRYING || state[i] == UP) -> l = i; break
        :: !gone[i] && state[i] == CANCELLING -> l = i
        :: else
        fi;
        i++
    :: else -> break
    od
}

/* ---- Messages in -------------------------------------------------------------------------- */

#define ANSWERS(e_)  (MUTATED(LINK_BOTH_ANSWER) || (!MUTATED(LINK_NONE_ANSWERS) && (e_) == 1))
#define REPLACES(l_) (!MUTATED(LINK_NO_REPLACE) && state[l_] == UP)

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
    :: closed[e_] -> refusals++; send(1 - e_, REFUSE, 0, author, met[e_])
    :: !closed[e_] && CROSSES(e_) -> crossed[l] = author; step(l, ON_CROSSING)
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
            send(1 - e_, refusal_, 0, author, met[e_])
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

#define IS_MEANT(l_) (number[l_] == addressee || (MUTATED(LINK_ANY_NUMBER) && state[l_] == REQUESTING))

/* The link that a message is about. */
inline find_link(e_)
{
    l = e_ * SLOTS;
    do
    :: l == (e_ + 1) * SLOTS -> l = NONE; break
    :: l < (e_ + 1) * SLOTS && state[l] != CLOSED && addressee != 0 && IS_MEANT(l) &&
            (state[l] != RETRYING || MUTATED(LINK_LATE_ANSWER)) -> break /* else its attempt is over */
    :: l < (e_ + 1) * SLOTS && state[l] != CLOSED && addressee == 0 && state[l] != REQUESTING &&
            state[l] != RETRYING && peer[l] == author -> break
    :: else -> l++
    od
}

inline on_answer(e_, event_)
{
    find_link(e_);
    if
    :: l != NONE && author != 0 && KNOWN(l) && peer[l] != author && !MUTATED(LINK_ANOTHERS) -> l = NONE /* it is another's by now */
    :: else
    fi;
    if
    :: l != NONE -> step(l, event_)
    :: l == NONE ->
        if
        :: kind == END && !MUTATED(LINK_END_UNKNOWN) -> send(1 - e_, ENDED, addressee, author, met[e_])
        :: kind == ACCEPT && !MUTATED(LINK_ACCEPT_UNKNOWN) -> send(1 - e_, END, addressee, author, met[e_])
        :: else
        fi
    fi
}

#define ASKED(l_) (asked[l_] == ended || MUTATED(LINK_ENDS_ANY))

/* a3mi_link_on_peer_ended: the other's incarnation `ended` is over, or what was made with it. */
inline on_peer_ended(e_)
{
    l = e_ * SLOTS;
    do
    :: l < (e_ + 1) * SLOTS ->
        if
        :: met[e_] == ended && !MUTATED(LINK_ANSWERS_THE_DEAD) -> crossed[l] = 0 /* who asked is over, and waits for no answer */
        :: else
        fi;
        l++
    :: else -> break
    od;
    l = e_ * SLOTS;
    do
    :: l < (e_ + 1) * SLOTS ->
        if
        :: state[l] == CLOSED || state[l] == RETRYING -> skip
        :: (state[l] == UP && met[e_] == ended) || (state[l] == REQUESTING && ASKED(l)) ->
            if
            :: incoming[l] -> step(l, ON_PEER_GONE)
            :: else -> step(l, ON_PEER_LOST)
            fi
        :: (state[l] == CANCELLING && ASKED(l)) || ((state[l] == ENDING || state[l] == FINISHING || state[l] == ABORTING) && met[e_] == ended) ->
            step(l, ON_PEER_GONE)
        :: else
        fi;
        l++
    :: else -> break
    od
}

/* ---- What ends do by themselves ---------------------------------------------------------------- */

inline ask(e_)
{
    asks[e_]++;
    closed[e_] = false;
    find_pair(e_);
    if
    :: l != NONE && state[l] != CANCELLING -> incoming[l] = false /* its twin: this end wants it as well */
    :: else ->
        make(e_, false);
        step(l, ON_TIMER)
    fi
}

/* Its links end as if each were ended; a new socket knows nothing of them. */
inline close_socket(e_)
{
    closes++;
    closed[e_] = true;
    l = e_ * SLOTS;
    do
    :: l < (e_ + 1) * SLOTS ->
        if
        :: state[l] != CLOSED -> gone[l] = true; step(l, ON_UNLINK)
        :: else
        fi;
        l++
    :: else -> break
    od
}

inline forget_links(e_)
{
    l = e_ * SLOTS;
    do
    :: l < (e_ + 1) * SLOTS ->
        state[l] = CLOSED;
        crossed[l] = 0;
        number[l] = 0;
        peer[l] = 0;
        incoming[l] = false;
        attached[l] = false;
        gone[l] = false;
        alone[l] = false;
        asked[l] = 0;
        l++
    :: else -> break
    od;
    last_number[e_] = 0
}

/* ---- Incarnations, and what is given up ------------------------------------------------------------ */

#define PENDING(e_) (way[e_]??[RESTART, 0, 0] || way[e_]??[RESET, 0, 0])
#define NO_NEWS     (!PENDING(0) && !PENDING(1) && (MUTATED(NOT_AFRESH) || (!owes[0] && !owes[1])))

/* `loses_`: what its last incarnation said does not arrive any more. */
inline restart(e_, loses_)
{
    restarts++;
    inc[e_]++;
    printf("end %d restarts, what it said is lost: %d\n", e_, loses_);
    if
    :: bound[1 - (e_)] != 0 -> drop_way(e_)
    :: else
    fi;
    if
    :: loses_ -> drop_way(1 - (e_))
    :: else
    fi;
    forget_links(e_);
    met[e_] = 0;
    bound[e_] = 0;
    closed[e_] = false;
    assert(nfull(way[1 - (e_)]));
    way[1 - (e_)]!RESTART, 0, 0
}

/* What is known of the incarnation before ends. */
inline learn_of_restart(e_)
{
    ended = (met[e_] != 0 -> met[e_] : bound[e_]);
    if
    :: bound[e_] != inc[1 - (e_)] && bound[e_] != 0 -> bound[e_] = 0
    :: else
    fi;
    if
    :: ended != 0 && ended != inc[1 - (e_)] -> on_peer_ended(e_)
    :: else
    fi;
    met[e_] = inc[1 - (e_)]
}

/* The sender that was for whichever is there is accepted. It proves that others are over, and their last words stray. */
inline accepted(e_)
{
    bind(e_, inc[1 - (e_)]);
    if
    :: way[e_]??[RESTART, 0, 0] ->
        do
        :: true ->
            way[e_]?kind, author, addressee;
            if
            :: kind == RESTART -> break
            :: else
            fi
        od
    :: else
    fi;
    learn_of_restart(e_)
}

/* What was said to the other one arrives, or (`loses_`) does not. */
inline give_up(e_, loses_)
{
    giveups++;
    printf("end %d gives up, what it said is lost: %d\n", e_, loses_);
    if
    :: loses_ -> drop_way(1 - (e_))
    :: else
    fi;
    ended = bound[e_];
    bound[e_] = 0;
    on_peer_ended(e_);
    if
    :: ended != 0 && !MUTATED(NOT_OWED) -> owes[e_] = true
    :: else
    fi
}

/* What waits for whoever accepts it is given up: nothing of it was said, and nobody is owed anything. */
inline give_up_early(e_)
{
    earlies++;
    printf("end %d gives up whoever is there\n", e_);
    drop_way(1 - (e_));
    ended = NONE;
    bind(e_, NONE); /* what is refused meanwhile goes its own way */
    bound[e_] = 0;
    on_peer_ended(e_)
}

inline tell(e_)
{
    assert(nfull(way[1 - (e_)]));
    way[1 - (e_)]!RESET, 0, 0;
    told[e_] = true;
    if
    :: bound[e_] == 0 -> bind(e_, inc[1 - (e_)])
    :: else
    fi
}

inline learn_of_reset(e_)
{
    ended = inc[1 - (e_)];
    if
    :: bound[e_] != 0 -> drop_way(1 - (e_)) /* what is bound to nobody was not said yet */
    :: else
    fi;
    bound[e_] = 0;
    owes[1 - (e_)] = false;
    told[1 - (e_)] = false;
    on_peer_ended(e_)
}

inline forget_debt(e_)
{
    forgets++;
    printf("end %d forgets what it owes\n", e_);
    owes[e_] = false;
    i = (1 - (e_)) * SLOTS;
    do
    :: i < (2 - (e_)) * SLOTS ->
        if
        :: state[i] == UP || state[i] == ENDING || state[i] == FINISHING || state[i] == ABORTING -> alone[i] = true
        :: else
        fi;
        i++
    :: else -> break
    od
}

/* ---- What must hold ------------------------------------------------------------------------------- */

#define IS(m_, l_)    (state[m_] != CLOSED && number[m_] == peer[l_])
#define GOES_BY(l_)   (IS((1 - END_OF(l_)) * SLOTS, l_) || IS((1 - END_OF(l_)) * SLOTS + 1, l_) || \
                     IS((1 - END_OF(l_)) * SLOTS + 2, l_) || IS((1 - END_OF(l_)) * SLOTS + 3, l_))
#define PAIR(m_, l_)  (state[m_] == UP && number[m_] == peer[l_] && peer[m_] == number[l_])
#define IS_PAIRED(l_) (PAIR((1 - END_OF(l_)) * SLOTS, l_) || PAIR((1 - END_OF(l_)) * SLOTS + 1, l_) || \
                       PAIR((1 - END_OF(l_)) * SLOTS + 2, l_) || PAIR((1 - END_OF(l_)) * SLOTS + 3, l_))
/* Its request crossed one that is asked again: that one it will take. */
#define AGAIN(m_, l_)  (state[m_] == RETRYING && crossed[m_] == number[l_])
#define IS_CROSSED(l_) (AGAIN((1 - END_OF(l_)) * SLOTS, l_) || AGAIN((1 - END_OF(l_)) * SLOTS + 1, l_) || \
                        AGAIN((1 - END_OF(l_)) * SLOTS + 2, l_) || AGAIN((1 - END_OF(l_)) * SLOTS + 3, l_))
#define QUIET         (len(way[0]) == 0 && len(way[1]) == 0 && (MUTATED(NOT_AFRESH) || (!owes[0] && !owes[1])))

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
            assert(GOES_BY(l) || alone[l] || way[END_OF(l)]??[END, eval(peer[l]), _] || PENDING(END_OF(l)) ||
                   owes[1 - END_OF(l)] || forgets > 0 ||
                   way[END_OF(l)]??[REQUEST, _, _] || way[1 - END_OF(l)]??[ACCEPT, eval(number[l]), eval(peer[l])]);
            assert(!QUIET || IS_PAIRED(l) || alone[l])
        :: else -> assert(!QUIET || state[l] == CLOSED || state[l] == RETRYING || state[l] == FINISHING || alone[l] ||
                        (state[l] == REQUESTING && IS_CROSSED(l)))
        fi;
        l++
    :: else -> break
    od;
    skip
}

/* ---- All steps ---------------------------------------------------------------------------------------- */

#define LINK(l_)                                                                                         \
    :: d_step { state[l_] == RETRYING && (!closed[1 - END_OF(l_)] || refusals < REFUSALS) ->             \
        step(l_, ON_TIMER); check() }                                                                    \
    :: d_step { (state[l_] == RETRYING || state[l_] == REQUESTING) && lasts < LASTS ->                   \
        lasts++; step(l_, ON_TIMER_LAST); check() }                                                      \
    :: d_step { (state[l_] == RETRYING || state[l_] == REQUESTING || state[l_] == UP) && unlinks < UNLINKS -> \
        unlinks++; step(l_, ON_UNLINK); check() }                                                        \
    :: d_step { state[l_] != CLOSED && state[l_] != CANCELLING && state[l_] != ABORTING && aborts < ABORTS ->    \
        aborts++; step(l_, ON_ABORT); check() }                                                          \
    :: d_step { state[l_] == FINISHING -> step(l_, ON_DRAINED); check() }

/* What its author is bound to is there; while an end owes news, it hears nothing. */
#define NEXT(e_, kind_) nempty(way[e_]) && bound[1 - (e_)] == inc[e_] && !owes[e_] && way[e_]?[kind_, _, _]
#define TAKE(e_)        way[e_]?kind, author, addressee; printf("end %d: %e of %d, for %d\n", e_, kind, author, addressee)
#define MEET(e_)        met[e_] = inc[1 - (e_)]
#define DONE            kind = 0; author = 0; addressee = 0; check()

#define ANSWER(e_, kind_, event_) \
    :: d_step { NEXT(e_, kind_) -> MEET(e_); TAKE(e_); on_answer(e_, event_); DONE }

#define AN_END(e_)                                                                                       \
    :: d_step { asks[e_] < ASKS && (FORGETS == 0 || (e_) == 0) -> ask(e_); check() }                                                    \
    :: d_step { NEXT(e_, REQUEST) -> MEET(e_); TAKE(e_); on_request(e_, REQUEST); DONE }                           \
    :: d_step { NEXT(e_, REQUEST) && refusals < REFUSALS ->                                              \
        MEET(e_); TAKE(e_); refusals++; on_request(e_, REFUSE); DONE }                                             \
    :: d_step { NEXT(e_, REQUEST) && refusals < REFUSALS ->                                              \
        MEET(e_); TAKE(e_); refusals++; on_request(e_, REFUSE_FINAL); DONE }                                       \
    ANSWER(e_, ACCEPT, ON_ACCEPT)                                                                        \
    ANSWER(e_, REFUSE, ON_REFUSE)                                                                        \
    ANSWER(e_, REFUSE, ON_REFUSE_LAST)                                                                   \
    ANSWER(e_, REFUSE_FINAL, ON_REFUSE_FINAL)                                                            \
    ANSWER(e_, END, ON_END)                                                                              \
    ANSWER(e_, ENDED, ON_ENDED)                                                                          \
    :: d_step { closes < CLOSES && !closed[e_] -> close_socket(e_); check() }                            \
    :: d_step { nempty(way[e_]) && way[e_]?[RESTART, _, _] -> TAKE(e_); learn_of_restart(e_); owes[e_] = false; \
        told[e_] = false; DONE }                                                                         \
    :: d_step { nempty(way[e_]) && way[e_]?[RESET, _, _] -> TAKE(e_); learn_of_reset(e_); DONE }         \
    :: d_step { bound[e_] == 0 && !owes[e_] && nempty(way[1 - (e_)]) && !PENDING(1 - (e_)) ->            \
        accepted(e_); DONE }                                                                             \
    :: d_step { bound[e_] == inc[1 - (e_)] && empty(way[1 - (e_)]) && !owes[e_] -> bound[e_] = 0 }       \
    :: d_step { restarts < RESTARTS && NO_NEWS -> restart(e_, false); DONE }                             \
    :: d_step { restarts < RESTARTS && NO_NEWS -> restart(e_, true); DONE }                              \
    :: d_step { giveups < GIVEUPS && NO_NEWS && bound[e_] != 0 && (FORGETS == 0 || (e_) == 0) -> give_up(e_, false); DONE }             \
    :: d_step { giveups < GIVEUPS && NO_NEWS && bound[e_] != 0 && (FORGETS == 0 || (e_) == 0) -> give_up(e_, true); DONE }              \
    :: d_step { earlies < EARLIES && bound[e_] == 0 && nempty(way[1 - (e_)]) && !PENDING(1 - (e_)) -> give_up_early(e_); DONE } \
    :: d_step { owes[e_] && !told[e_] && !MUTATED(NOT_AFRESH) -> tell(e_); DONE }                                                \
    :: d_step { forgets < FORGETS && owes[e_] && !told[e_] && empty(way[e_]) && !ANY(e_, != CLOSED) ->    \
        forget_debt(e_); DONE }

active proctype world()
{
    d_step { fill_table(); read_parameters() };
end:
    do
    AN_END(0)
    AN_END(1)
    LINK(0) LINK(1) LINK(2) LINK(3)
    LINK(4) LINK(5) LINK(6) LINK(7)
    od
}
