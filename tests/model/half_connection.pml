/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The half-connection A→B of docs/wire.md as middleware/core carries it out: S at
 * A, records R at B, units, acknowledgements, incarnations, policy. One process
 * that takes any step that may come next; every step is one transition.
 *
 * The network keeps every packet for ever and delivers any of them at any time,
 * as often as it likes or never: a set of bits. That is loss, duplication,
 * reordering and delay in one.
 *
 * Invariants 1, 3, 4 and 5 are assertions where the thing happens. Invariants 6 and
 * 7 are checked from every state by HEAL: the packets on their way are lost, from
 * then on everything is delivered and timers fire; the assertions after it say
 * what must be left.
 *
 * Not here, and why: RETRY (to B it is an OPEN lost, to A a cookie), CHALLENGE and
 * addresses, OPEN afresh (links of both directions; the simulator has them),
 * ALIVE (it moves a timer), frames and ranges (a unit is a message, an
 * acknowledgement a set).
 *
 * Draws never recur: s and r count on over restarts, as the permutation with a
 * key of the incarnation makes them. Bounds, but for M, and broken rules are
 * parameters (parameters.pml).
 */

#ifndef M
#define M 2 /* messages */
#endif

#include "parameters.pml"

hidden byte W = 1;          /* units that a proven record grants */
hidden byte RESTARTS_A = 1;
hidden byte RESTARTS_B = 1;
hidden byte POLICY = 1;     /* times a record is given up by policy, at either side */
hidden byte DRAWS = 3;      /* of s, and of r, before HEAL; DRAWS_MAX at most */
hidden byte LATER = 0;      /* the limit is raised when messages are taken, after the acknowledgement */
RULE(NO_DEDUP) RULE(OLD_ID) RULE(R_TIMES_OUT) RULE(ACK_EARLY) RULE(R_REUSED) RULE(SAME_CLOCK) RULE(RESET_FROM_ANYBODY)
RULE(RESET_ANY_R) RULE(RESET_NEVER_UNKNOWN) RULE(ACK_ANY_ID) RULE(LOWER_ORDER) RULE(OPEN_ENDS) RULE(NO_PING)
RULE(SAME_S) RULE(PROBE_CLOSES) RULE(NO_PROBE) RULE(CLOSE_FROM_STRANGER) RULE(OPEN_NAMES_NOBODY) RULE(NO_TIMER)
RULE(NO_OPEN_TIMER)

inline read_parameters()
{
    READ(W) READ(RESTARTS_A) READ(RESTARTS_B) READ(POLICY) READ(DRAWS) READ(LATER)
    READ(MUTATE_NO_DEDUP) READ(MUTATE_OLD_ID) READ(MUTATE_R_TIMES_OUT) READ(MUTATE_ACK_EARLY) READ(MUTATE_R_REUSED)
    READ(MUTATE_SAME_CLOCK) READ(MUTATE_RESET_FROM_ANYBODY) READ(MUTATE_RESET_ANY_R)
    READ(MUTATE_RESET_NEVER_UNKNOWN) READ(MUTATE_ACK_ANY_ID) READ(MUTATE_LOWER_ORDER) READ(MUTATE_OPEN_ENDS)
    READ(MUTATE_NO_PING) READ(MUTATE_SAME_S) READ(MUTATE_PROBE_CLOSES) READ(MUTATE_NO_PROBE)
    READ(MUTATE_CLOSE_FROM_STRANGER) READ(MUTATE_OPEN_NAMES_NOBODY) READ(MUTATE_NO_TIMER)
    READ(MUTATE_NO_OPEN_TIMER)
    skip
}

#define DRAWS_MAX 3
#define NOBODY 3 /* an incarnation not known; there are 0, 1 and 2 */
#define HEALS  3 /* draws that HEAL may need */
#define IDS    (DRAWS_MAX + HEALS + 1)
#define ROUNDS (8 + 4 * M)

#define BIT(n)      (1 << (n))
#define HAS(set, n) (((set) >> (n)) & 1)
#define BELOW(n)    (BIT(n) - 1)

/* ---- Rules that can be broken in an expression ------------------------------------------ */

#define DEDUP          (!MUTATED(NO_DEDUP))
#define NAMES          (!MUTATED(OPEN_NAMES_NOBODY))
#define SEEN_BEFORE(first_, since_) ((first_) < (since_))
#define ACK_FITS(r_)   (MUTATED(ACK_ANY_ID) || (S_r == (r_) && S_s == r_s[r_]))
#define RESET_FITS(r_) (MUTATED(RESET_ANY_R) || S_r == (r_))

/* ---- The network: who is addressed by s or by r follows from the number ------------- */

short n_open;              /* OPEN(s) */
short n_refuse[3];         /* [incarnation of B] REFUSE(s) */
short n_accept;            /* ACCEPT(s, r), by r */
byte n_data[IDS];          /* [r] DATA, by message */
byte n_ack[IDS * (M + 1)];  /* [r, limit] ACK, by the set acknowledged */
short n_ping, n_probe;     /* by r */
short n_close[3];          /* [incarnation of A] CLOSE(s, r), by r */
short n_reset[6];          /* [incarnation of B, unknown?] RESET, by r */

/* What was said when a number was drawn: part of every packet that has it. */
byte s_inc[IDS], s_dst[IDS]; /* A's incarnation; B's that OPEN names */
byte r_s[IDS], r_inc[IDS];   /* the sender's s; B's incarnation */

/* ---- A -------------------------------------------------------------------------------- */

mtype:sender = { NONE, OPENING, OPEN };

byte ai;                       /* A's incarnation */
byte next_s = 1;               /* clock */
mtype:sender S = NONE;
byte S_s, S_r, S_inc, S_base;  /* S_base: the message that is unit 0 */
byte S_next, S_acked, S_limit; /* S_acked: set of units */
bool S_any;                    /* something was acknowledged */
byte a_current = NOBODY;       /* the incarnation that what is sent next is meant for */
byte a_noted, a_ended;         /* sets of B's incarnations */
byte a_first[3];

/* ---- B -------------------------------------------------------------------------------- */

byte bi;
byte next_r = 1, first_r = 1; /* clock; where this incarnation began */
byte dropped;
/* [2 i] the unproven record of A's incarnation i, [2 i + 1] the proven one: its r, or 0 */
byte R[6];
byte R_have[3], R_limit[3], R_taken[3];
byte b_noted, b_ended, b_first[3];

/* ---- The book ---------------------------------------------------------------------------- */

byte given;                              /* messages handed to A: 0 … given - 1 */
byte seq_of[M], meant[M];
byte accepted, acked, unknown, undelivered, orphaned; /* sets of messages */
byte policies;
bool healed;

/* Scratch: no part of the state. */
hidden byte k, j, x, y, set_, cum, rounds;

/* ---- A's records ------------------------------------------------------------------------- */

#define UNFINISHED (S_base + S_next < given || S_acked != BELOW(S_next))
#define MAY_DRAW_S (next_s <= DRAWS || healed)
#define MAY_DRAW_R (next_r <= DRAWS || healed)

inline close_out(r_)
{
    n_close[ai] = n_close[ai] | BIT(r_)
}

inline draw_s()
{
    S_s = next_s;
    next_s++;
    s_inc[S_s] = ai;
    s_dst[S_s] = (NAMES -> S_inc : NOBODY);
    S = OPENING;
    S_r = 0;
    S_limit = 0
}

/* Rule 6. What was numbered keeps its number. */
inline reopen()
{
    if
    :: MUTATED(SAME_S) ->
        S = OPENING;
        S_r = 0;
        S_limit = 0
    :: else -> draw_s()
    fi
}

/* S is over: what was transmitted has an unknown outcome, what was not was certainly not delivered. */
inline end_sender()
{
    x = S_base;
    do
    :: x < given ->
        if
        :: x >= S_base + S_next ->
            assert(!HAS(accepted, x)); /* invariant 1 */
            undelivered = undelivered | BIT(x)
        :: x < S_base + S_next && !HAS(S_acked, x - S_base) -> unknown = unknown | BIT(x)
        :: else
        fi;
        x++
    :: else -> break
    od;
    forget_sender();
    a_current = NOBODY
}

inline forget_sender()
{
    S = NONE;
    S_s = 0;
    S_r = 0;
    S_inc = NOBODY;
    S_base = given;
    S_next = 0;
    S_acked = 0;
    S_limit = 0;
    S_any = false
}

inline note_b(inc_)
{
    if
    :: !HAS(a_noted, inc_) ->
        a_noted = a_noted | BIT(inc_);
        a_first[inc_] = next_s - 1
    :: else
    fi
}

/* Incarnations other than this one that were seen before `since` are over. */
inline proven_b(inc_, since_)
{
    y = 0;
    do
    :: y <= RESTARTS_B ->
        if
        :: y != inc_ && HAS(a_noted, y) && !HAS(a_ended, y) && SEEN_BEFORE(a_first[y], since_) ->
            assert(y != bi); /* invariant 4 */
            a_ended = a_ended | BIT(y)
        :: else
        fi;
        y++
    :: else -> break
    od
}

/* ---- B's records ---------------------------------------------------------------------------- */

/* The slot of r; 6: none. */
inline find_r(r_)
{
    k = 0;
    do
    :: k < 6 && R[k] != r_ -> k++
    :: else -> break
    od
}

/* Whether the record in slot k is in use by an S that lives. */
#define IN_USE(k_) (S == OPEN && S_r == R[k_] && ai == (k_) / 2 && S_inc == bi)

inline free_record(k_, done_)
{
    if
    :: !(done_) && ((k_) & 1) && R[k_] > dropped -> dropped = R[k_]
    :: else
    fi;
    R[k_] = 0;
    if
    :: (k_) & 1 ->
        R_have[(k_) / 2] = 0;
        R_limit[(k_) / 2] = 0;
        R_taken[(k_) / 2] = 0
    :: else
    fi
}

inline end_a(inc_)
{
    assert((inc_) != ai); /* invariant 4 */
    b_ended = b_ended | BIT(inc_);
    if
    :: R[2 * (inc_)] != 0 -> free_record(2 * (inc_), false)
    :: else
    fi;
    if
    :: R[2 * (inc_) + 1] != 0 -> free_record(2 * (inc_) + 1, false)
    :: else
    fi
}

inline note_a(inc_, first_)
{
    if
    :: !HAS(b_noted, inc_) ->
        b_noted = b_noted | BIT(inc_);
        b_first[inc_] = first_
    :: else
    fi
}

inline proven_a(inc_, since_)
{
    y = 0;
    do
    :: y <= RESTARTS_A ->
        if
        :: y != inc_ && HAS(b_noted, y) && !HAS(b_ended, y) && SEEN_BEFORE(b_first[y], since_) -> end_a(y)
        :: else
        fi;
        if
        :: y != inc_ && R[2 * y] != 0 && R[2 * y] < since_ ->
            assert(y != ai);
            free_record(2 * y, false)
        :: else
        fi;
        y++
    :: else -> break
    od
}

/* Rule 9: the first DATA under the r in slot 2 j. */
inline prove()
{
    note_a(j, R[2 * j] - 1);
    assert(!HAS(b_ended, j)); /* nobody uses an id twice here */
    if
    :: R[2 * j + 1] != 0 ->
        assert(!IN_USE(2 * j + 1)); /* invariant 4 */
        free_record(2 * j + 1, true)
    :: else
    fi;
    R[2 * j + 1] = R[2 * j];
    R[2 * j] = 0;
    R_limit[j] = (W < M -> W : M);
    proven_a(j, R[2 * j + 1])
}

inline ack_out()
{
    n_ack[R[2 * j + 1] * (M + 1) + R_limit[j]] =
        n_ack[R[2 * j + 1] * (M + 1) + R_limit[j]] | BIT(R_have[j])
}

/* What is taken out of the record makes room: at once in the code, at some time with LATER. */
inline raise_limit(taken_)
{
    if
    :: taken_ + W > R_limit[j] -> R_limit[j] = (taken_ + W < M -> taken_ + W : M)
    :: else
    fi
}

inline count_cumulative(have_)
{
    cum = 0;
    do
    :: cum < M && HAS(have_, cum) -> cum++
    :: else -> break
    od
}

inline accept(m_)
{
    if
    :: HAS(R_have[j], seq_of[m_]) && DEDUP -> ack_out()
    :: else ->
        assert(!HAS(accepted, m_)); /* invariant 1 */
        assert(!HAS(undelivered, m_));
        assert(meant[m_] == bi); /* invariant 3 */
        assert(seq_of[m_] < R_limit[j]); /* invariant 5 */
        accepted = accepted | BIT(m_);
        R_have[j] = R_have[j] | BIT(seq_of[m_]);
        if
        :: LATER == 0 ->
            count_cumulative(R_have[j]);
            raise_limit(cum)
        :: else
        fi;
        ack_out()
    fi
}

inline reset_out(r_)
{
    x = ((r_ >= first_r && r_ > dropped) || MUTATED(RESET_NEVER_UNKNOWN) -> 0 : 1);
    n_reset[2 * bi + x] = n_reset[2 * bi + x] | BIT(r_)
}

/* ---- Packets in ------------------------------------------------------------------------------- */

inline draw_r(s_)
{
    /* what was said of the old one is lost, but for its DATA */
    if
    :: MUTATED(R_REUSED) && next_r > 1 && R[0] == 0 && R[1] == 0 && R[2] == 0 && R[3] == 0 && R[4] == 0 && R[5] == 0 ->
        next_r--;
        n_accept = n_accept & ~BIT(next_r);
        n_ping = n_ping & ~BIT(next_r);
        n_probe = n_probe & ~BIT(next_r);
        n_close[0] = n_close[0] & ~BIT(next_r);
        n_close[1] = n_close[1] & ~BIT(next_r);
        n_close[2] = n_close[2] & ~BIT(next_r)
    :: else
    fi;
    y = next_r;
    next_r++;
    r_s[y] = s_;
    r_inc[y] = bi
}

inline open_in(s_)
{
    j = s_inc[s_];
    if
    :: s_dst[s_] != NOBODY && s_dst[s_] != bi -> n_refuse[bi] = n_refuse[bi] | BIT(s_)
    :: else ->
        if
        :: R[2 * j] != 0 && r_s[R[2 * j]] == s_ -> n_accept = n_accept | BIT(R[2 * j])
        :: R[2 * j + 1] != 0 && r_s[R[2 * j + 1]] == s_ -> n_accept = n_accept | BIT(R[2 * j + 1])
        :: !MUTATED(LOWER_ORDER) && R[2 * j] != 0 && r_s[R[2 * j]] > s_ -> skip
        :: !MUTATED(LOWER_ORDER) && R[2 * j + 1] != 0 && r_s[R[2 * j + 1]] > s_ -> skip
        :: else ->
            if
            :: MAY_DRAW_R ->
                if
                :: R[2 * j] != 0 ->
                    assert(!IN_USE(2 * j)); /* invariant 4 */
                    free_record(2 * j, false)
                :: else
                fi;
                if
                :: MUTATED(OPEN_ENDS) -> proven_a(j, next_r + 1)
                :: else
                fi;
                draw_r(s_);
                R[2 * j] = y;
                n_accept = n_accept | BIT(y)
            :: else
            fi
        fi
    fi
}

inline begin(r_)
{
    S = OPEN;
    S_r = r_;
    S_inc = r_inc[r_];
    S_limit = 1;
    a_current = S_inc;
    x = S_base;
    do
    :: x < given ->
        if
        :: meant[x] == NOBODY -> meant[x] = S_inc
        :: else
        fi;
        x++
    :: else -> break
    od;
    note_b(S_inc);
    proven_b(S_inc, S_s)
}

inline accept_in(r_)
{
    if
    :: S == OPENING && S_s == r_s[r_] && s_inc[S_s] == ai ->
        if
        :: HAS(a_ended, r_inc[r_]) || (NAMES && S_inc != NOBODY && S_inc != r_inc[r_]) ->
            if
            :: MAY_DRAW_S ->
                close_out(r_);
                reopen()
            :: else
            fi
        :: else -> begin(r_)
        fi
    :: S == OPEN && S_s == r_s[r_] && S_r == r_ -> skip
    :: else -> close_out(r_)
    fi
}

inline refuse_in(s_, inc_)
{
    if
    :: S == OPENING && S_s == s_ && S_inc != NOBODY && s_dst[s_] == S_inc && inc_ != S_inc ->
        assert(S_inc != bi); /* invariant 4 */
        note_b(inc_);
        a_ended = a_ended | BIT(S_inc);
        end_sender()
    :: else
    fi
}

inline data_in(r_, m_)
{
    find_r(r_);
    j = k / 2;
    if
    :: k == 6 -> reset_out(r_)
    :: k < 6 && !(k & 1) && seq_of[m_] < 1 ->
        prove();
        if
        :: MUTATED(ACK_EARLY) ->
            n_ack[r_ * (M + 1) + R_limit[j]] = n_ack[r_ * (M + 1) + R_limit[j]] | BIT(R_have[j] | 1)
        :: else
        fi;
        accept(m_)
    :: k < 6 && (k & 1) && seq_of[m_] < R_limit[j] ->
        if
        :: MUTATED(ACK_EARLY) ->
            n_ack[r_ * (M + 1) + R_limit[j]] =
                n_ack[r_ * (M + 1) + R_limit[j]] | BIT(BELOW(seq_of[m_] + 2 > M -> M : seq_of[m_] + 2))
        :: else
        fi;
        accept(m_)
    :: else
    fi
}

inline ack_in(r_, limit_, have_)
{
    if
    :: S == OPEN && ACK_FITS(r_) && have_ <= BELOW(S_next) ->
        /* invariant 1: acknowledged implies accepted */
        assert(((have_ << S_base) & ~accepted) == 0);
        S_acked = S_acked | have_;
        acked = acked | (have_ << S_base);
        S_any = S_any || have_ != 0;
        if
        :: limit_ > S_limit -> S_limit = limit_
        :: else
        fi
    :: else
    fi
}

inline ping_in(r_)
{
    find_r(r_);
    j = k / 2;
    if
    :: k == 6 -> reset_out(r_)
    :: k < 6 && (k & 1) -> ack_out()
    :: else
    fi
}

inline probe_in(r_)
{
    if
    :: !MUTATED(PROBE_CLOSES) && S == OPENING && S_s == r_s[r_] -> skip
    :: !MUTATED(PROBE_CLOSES) && S == OPEN && S_s == r_s[r_] && S_r == r_ -> skip
    :: else -> close_out(r_)
    fi
}

inline close_in(r_, inc_)
{
    find_r(r_);
    if
    :: k < 6 && inc_ == k / 2 ->
        assert(!IN_USE(k)); /* invariant 4 */
        free_record(k, true)
    :: k < 6 && inc_ != k / 2 ->
        j = k / 2;
        note_a(inc_, next_r - 1);
        end_a(j)
    :: else
    fi
}

inline reset_in(r_, inc_, unknown_)
{
    if
    :: S == OPEN && RESET_FITS(r_) ->
        if
        :: inc_ != S_inc ->
            assert(S_inc != bi); /* invariant 4 */
            note_b(inc_);
            a_ended = a_ended | BIT(S_inc);
            end_sender()
        :: inc_ == S_inc && unknown_ == 0 && !S_any ->
            if
            :: MAY_DRAW_S -> reopen()
            :: else
            fi
        :: else ->
            find_r(S_r);
            assert(k == 6); /* invariant 4: it is gone */
            close_out(S_r);
            end_sender()
        fi
    :: else
    fi
}

/* ---- What nodes do by themselves ---------------------------------------------------------------- */

inline give()
{
    meant[given] = (S == NONE -> a_current : S_inc);
    given++;
    if
    :: S == NONE ->
        S_inc = a_current;
        S_base = given - 1;
        if
        :: MUTATED(OLD_ID) && next_s > 1 && s_inc[next_s - 1] == ai && s_dst[next_s - 1] == S_inc -> next_s--
        :: else
        fi;
        draw_s()
    :: else
    fi
}

inline transmit(m_)
{
    if
    :: m_ == S_base + S_next ->
        seq_of[m_] = S_next;
        S_next++
    :: else
    fi;
    assert(seq_of[m_] < S_limit); /* invariant 5 */
    n_data[S_r] = n_data[S_r] | BIT(m_)
}

#define MAY_TRANSMIT(m_)                                                                 \
    (S == OPEN && (m_) >= S_base && (m_) < given &&                                      \
     (((m_) < S_base + S_next && !HAS(S_acked, (m_) - S_base)) ||                        \
      ((m_) == S_base + S_next && S_next < S_limit)))

/* Rule 5: messages wait, nothing is in flight, the limit is reached. */
#define STALLED \
    (!MUTATED(NO_PING) && S == OPEN && S_acked == BELOW(S_next) && S_base + S_next < given && S_next >= S_limit)

inline close_sender()
{
    close_out(S_r);
    forget_sender()
}

inline restart_a()
{
    orphaned = orphaned | (BELOW(given) & ~BELOW(S_base));
    ai++;
    forget_sender();
    a_current = NOBODY;
    a_noted = 0;
    a_ended = 0;
    a_first[0] = 0;
    a_first[1] = 0;
    a_first[2] = 0
}

inline restart_b()
{
    k = 0;
    do
    :: k < 6 -> R[k] = 0; k++
    :: else -> break
    od;
    j = 0;
    do
    :: j < 3 ->
        R_have[j] = 0;
        R_limit[j] = 0;
        R_taken[j] = 0;
        b_first[j] = 0;
        j++
    :: else -> break
    od;
    b_noted = 0;
    b_ended = 0;
    dropped = 0;
    next_r = (MUTATED(SAME_CLOCK) -> 1 : next_r);
    first_r = next_r;
    bi++
}

/* The node says goodbye before it goes: RESET of what it receives, CLOSE of what it sends. */
inline goodbye_b()
{
    k = 1;
    do
    :: k < 6 ->
        if
        :: R[k] != 0 -> n_reset[2 * bi + 1] = n_reset[2 * bi + 1] | BIT(R[k])
        :: else
        fi;
        k = k + 2
    :: else -> break
    od
}

inline take(j_)
{
    j = j_;
    R_taken[j]++;
    raise_limit(R_taken[j]);
    ack_out()
}

#define MAY_TAKE(j_) \
    (LATER != 0 && R[2 * (j_) + 1] != 0 && R_taken[j_] < M && HAS(R_have[j_], R_taken[j_]))

/* ---- HEAL: from here on everything arrives --------------------------------------------------------- */

inline lose_everything()
{
    n_open = 0;
    n_accept = 0;
    n_ping = 0;
    n_probe = 0;
    x = 0;
    do
    :: x < 3 -> n_refuse[x] = 0; n_close[x] = 0; x++
    :: else -> break
    od;
    x = 0;
    do
    :: x < 6 -> n_reset[x] = 0; x++
    :: else -> break
    od;
    x = 0;
    do
    :: x < IDS -> n_data[x] = 0; x++
    :: else -> break
    od;
    x = 0;
    do
    :: x < IDS * (M + 1) -> n_ack[x] = 0; x++
    :: else -> break
    od
}

hidden byte h, g;

/* Timers of both ends. */
inline fire_timers()
{
    if
    :: S == OPENING && !MUTATED(NO_OPEN_TIMER) -> n_open = n_open | BIT(S_s)
    :: S == OPEN && UNFINISHED ->
        h = 0;
        do
        :: h < M ->
            if
            :: MAY_TRANSMIT(h) && (!MUTATED(NO_TIMER) || h == S_base + S_next) -> transmit(h)
            :: else
            fi;
            h++
        :: else -> break
        od;
        if
        :: STALLED -> n_ping = n_ping | BIT(S_r)
        :: else
        fi
    :: S == OPEN && !UNFINISHED -> close_sender()
    :: else
    fi;
    h = 0;
    do
    :: h < 3 ->
        do
        :: MAY_TAKE(h) -> take(h)
        :: else -> break
        od;
        if
        :: R[2 * h] != 0 && S == NONE -> free_record(2 * h, false)
        :: else
        fi;
        if
        :: R[2 * h + 1] != 0 && !MUTATED(NO_PROBE) -> n_probe = n_probe | BIT(R[2 * h + 1])
        :: else
        fi;
        h++
    :: else -> break
    od
}

/* Each packet once, what comes of it as well. */
inline deliver_all()
{
    h = 1;
    do
    :: h < IDS ->
        if
        :: HAS(n_open, h) -> n_open = n_open & ~BIT(h); open_in(h)
        :: else
        fi;
        h++
    :: else -> break
    od;
    h = 1;
    do
    :: h < IDS ->
        if
        :: HAS(n_accept, h) -> n_accept = n_accept & ~BIT(h); accept_in(h)
        :: else
        fi;
        g = 0;
        do
        :: g < 3 ->
            if
            :: HAS(n_refuse[g], h) -> n_refuse[g] = n_refuse[g] & ~BIT(h); refuse_in(h, g)
            :: else
            fi;
            g++
        :: else -> break
        od;
        g = 0;
        do
        :: g < M ->
            if
            :: HAS(n_data[h], g) -> n_data[h] = n_data[h] & ~BIT(g); data_in(h, g)
            :: else
            fi;
            g++
        :: else -> break
        od;
        if
        :: HAS(n_ping, h) -> n_ping = n_ping & ~BIT(h); ping_in(h)
        :: else
        fi;
        g = 0;
        do
        :: g <= M ->
            set_ = 0;
            do
            :: n_ack[h * (M + 1) + g] == 0 -> break
            :: else ->
                if
                :: HAS(n_ack[h * (M + 1) + g], set_) ->
                    n_ack[h * (M + 1) + g] = n_ack[h * (M + 1) + g] & ~BIT(set_);
                    ack_in(h, g, set_)
                :: else
                fi;
                set_++
            od;
            g++
        :: else -> break
        od;
        g = 0;
        do
        :: g < 6 ->
            if
            :: HAS(n_reset[g], h) -> n_reset[g] = n_reset[g] & ~BIT(h); reset_in(h, g / 2, g % 2)
            :: else
            fi;
            g++
        :: else -> break
        od;
        if
        :: HAS(n_probe, h) -> n_probe = n_probe & ~BIT(h); probe_in(h)
        :: else
        fi;
        h++
    :: else -> break
    od;
    h = 1;
    do
    :: h < IDS ->
        g = 0;
        do
        :: g < 3 ->
            if
            :: HAS(n_close[g], h) -> n_close[g] = n_close[g] & ~BIT(h); close_in(h, g)
            :: else
            fi;
            g++
        :: else -> break
        od;
        h++
    :: else -> break
    od
}

#define NO_RECORD \
    (S == NONE && R[0] == 0 && R[1] == 0 && R[2] == 0 && R[3] == 0 && R[4] == 0 && R[5] == 0)

inline heal()
{
    healed = true;
    lose_everything();
    rounds = 0;
    do
    :: rounds == ROUNDS || NO_RECORD -> break
    :: else ->
        fire_timers();
        deliver_all();
        rounds++
    od;
    /* invariant 6: nothing is left but clocks and `dropped`, and every message is delivered or reported */
    assert(NO_RECORD);
    assert((acked | unknown | undelivered | orphaned) == BELOW(given));
    /* invariant 7 */
    assert(ai + bi + policies > 0 || (accepted == BELOW(given) && acked == accepted))
}

/* ---- All steps ---------------------------------------------------------------------------------------- */

#define ON_S(s_)                                                                 \
    :: d_step { HAS(n_open, s_) -> open_in(s_); skip }                           \
    :: d_step { HAS(n_refuse[0], s_) -> refuse_in(s_, 0); skip }                 \
    :: d_step { HAS(n_refuse[1], s_) -> refuse_in(s_, 1); skip }                 \
    :: d_step { HAS(n_refuse[2], s_) -> refuse_in(s_, 2); skip }
#define ON_ACK(r_, limit_, have_) \
    :: d_step { HAS(n_ack[r_ * (M + 1) + limit_], have_) -> ack_in(r_, limit_, have_); skip }
#define ON_ACKS(r_, limit_)                                                      \
    ON_ACK(r_, limit_, 0) ON_ACK(r_, limit_, 1) ON_ACK(r_, limit_, 2) ON_ACK(r_, limit_, 3)
#define ON_MORE_ACKS(r_, limit_)                                                 \
    ON_ACK(r_, limit_, 4) ON_ACK(r_, limit_, 5) ON_ACK(r_, limit_, 6) ON_ACK(r_, limit_, 7)
#define ON_DATA(r_, m_) \
    :: d_step { HAS(n_data[r_], m_) -> data_in(r_, m_); skip }
#define ON_RESET(r_, inc_)                                                       \
    :: d_step { HAS(n_reset[2 * inc_], r_) -> reset_in(r_, inc_, 0); skip }      \
    :: d_step { HAS(n_reset[2 * inc_ + 1], r_) -> reset_in(r_, inc_, 1); skip }
#define ON_CLOSE(r_, inc_) \
    :: d_step { HAS(n_close[inc_], r_) -> close_in(r_, inc_); skip }
#define ON_R(r_)                                                                 \
    :: d_step { HAS(n_accept, r_) -> accept_in(r_); skip }                       \
    :: d_step { HAS(n_ping, r_) -> ping_in(r_); skip }                           \
    :: d_step { HAS(n_probe, r_) -> probe_in(r_); skip }                         \
    ON_DATA(r_, 0) ON_DATA(r_, 1) ON_ACKS(r_, 1) ON_ACKS(r_, 2)                  \
    ON_RESET(r_, 0) ON_RESET(r_, 1) ON_RESET(r_, 2)                              \
    ON_CLOSE(r_, 0) ON_CLOSE(r_, 1) ON_CLOSE(r_, 2)
#define ON_R3(r_) \
    ON_DATA(r_, 2) ON_MORE_ACKS(r_, 1) ON_MORE_ACKS(r_, 2) ON_ACKS(r_, 3) ON_MORE_ACKS(r_, 3)

#define RECORD(k_)                                                                                  \
    :: d_step { R[k_] != 0 && !((k_) & 1) -> free_record(k_, false); skip }                         \
    :: R[k_] != 0 && ((k_) & 1) -> n_probe = n_probe | BIT(R[k_])                                   \
    :: d_step { R[k_] != 0 && ((k_) & 1) && policies < POLICY -> policies++; free_record(k_, false); skip }

active proctype world()
{
    d_step { read_parameters() };
    S_inc = NOBODY;
end:
    do
    :: d_step { given < M && (S != NONE || MAY_DRAW_S) -> give(); skip }
    :: S == OPENING -> n_open = n_open | BIT(S_s)
    :: d_step { MAY_TRANSMIT(0) -> transmit(0); skip }
    :: d_step { MAY_TRANSMIT(1) -> transmit(1); skip }
#if M > 2
    :: d_step { MAY_TRANSMIT(2) -> transmit(2); skip }
#endif
    :: STALLED -> n_ping = n_ping | BIT(S_r)
    :: d_step { S == OPEN && !UNFINISHED -> close_sender(); skip }
    :: d_step {
            S != NONE && policies < POLICY ->
            policies++;
            if
            :: S == OPEN -> close_out(S_r)
            :: else
            fi;
            end_sender()
        }
    :: d_step { ai < RESTARTS_A -> restart_a(); skip }
    :: d_step { ai < RESTARTS_A && S == OPEN -> close_out(S_r); restart_a(); skip }
    :: d_step { bi < RESTARTS_B -> restart_b(); skip }
    :: d_step { bi < RESTARTS_B -> goodbye_b(); restart_b(); skip }
    RECORD(0) RECORD(1) RECORD(2) RECORD(3) RECORD(4) RECORD(5)
    :: d_step { MUTATED(R_TIMES_OUT) && R[1] != 0 -> free_record(1, true); skip }
    :: d_step { MAY_TAKE(0) -> take(0); skip }
    :: d_step { MAY_TAKE(1) -> take(1); skip }
    :: d_step { MAY_TAKE(2) -> take(2); skip }
    ON_S(1) ON_S(2) ON_S(3)
    ON_R(1) ON_R(2) ON_R(3)
#if M > 2
    ON_R3(1) ON_R3(2) ON_R3(3)
#endif
    /* a stranger at B's old address has no record either: its RESET names another incarnation */
    :: d_step { MUTATED(RESET_FROM_ANYBODY) && S == OPEN && n_data[S_r] != 0 -> reset_in(S_r, NOBODY, 1); skip }
    /* a stranger at A's old address is asked in its place */
    :: d_step {
            MUTATED(CLOSE_FROM_STRANGER) && S == OPEN && HAS(n_accept | n_probe, S_r) && r_inc[S_r] == bi ->
            close_in(S_r, ai);
            skip
        }
    :: d_step { heal(); skip } -> break
    od
}
