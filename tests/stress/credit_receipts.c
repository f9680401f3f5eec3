/* SPDX-License-Identifier: Apache-2.0 */
#include "credit_receipts.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/message.h"
#include "credit_arena.h"
#include "node_fixture.h"
#include "verdict.h"

enum {
    MANY = 16,
    TRIES = 4, /* slots looked at for a free one */
};

/* Of a slot's state. What was asked: A3M_RECEIPT_ACCEPTED, A3M_RECEIPT_TAKEN. */
enum {
    ASKED = A3M_RECEIPT_ACCEPTED | A3M_RECEIPT_TAKEN,
    BY_EVENT = 1 << 2,
    KEPT = 1 << 3, /* by events, none of which is lost */
    SENT = 1 << 4,
    BACK = 1 << 5, /* it was not sent */
    TOLD_ACCEPTED = 1 << 6,
    TOLD_TAKEN = 1 << 7,
    TOLD_UNDELIVERED = 1 << 8,
    OVER = 1 << 9,    /* the last was told, or none will be */
    SEALED = 1 << 10, /* the message says its number */
    READ = 1 << 11,
    FORGOTTEN = 1 << 12, /* its events may be lost: the last may be told or not */
    NUMBER_AT = 16,      /* how often the slot was used: above */
};

/* Who acts on this thread, if it is an actor. */
static _Thread_local struct actor *acting;

/* ---- Slots ------------------------------------------------------------------------------------- */

static struct credit_receipt *slot_of(struct credit_arena *arena, uint64_t id)
{
    uint64_t i = id & ((1u << NUMBER_AT) - 1);
    return &arena->actors[i / CREDIT_RECEIPTS].receipts.slots[i % CREDIT_RECEIPTS];
}

static bool is_of(uint64_t state, uint64_t id)
{
    return id >> NUMBER_AT == state >> NUMBER_AT;
}

static bool is_free(uint64_t state)
{
    return state == 0 || ((state & (OVER | FORGOTTEN)) != 0 && (state & (SENT | BACK)) != 0);
}

/* One that is free, with its next number; NULL: those that are next are in use. */
static struct credit_receipt *next_slot(struct actor *self, uint64_t *id)
{
    struct credit_receipts *receipts = &a3mi_container_of(self, struct credit_actor, actor)->receipts;
    uint64_t actor = (uint64_t)(a3mi_container_of(self, struct credit_actor, actor) -
                                credit_arena_of(self)->actors);
    for (int i = 0; i < TRIES; i++) {
        uint32_t at = receipts->next++ % CREDIT_RECEIPTS;
        uint64_t state = atomic_load(&receipts->slots[at].state);
        if (is_free(state)) {
            *id = ((state >> NUMBER_AT) + 1) << NUMBER_AT | (actor * CREDIT_RECEIPTS + at);
            return &receipts->slots[at];
        }
    }
    return NULL;
}

static bool is_kept(uint64_t state)
{
    return (state & BY_EVENT) == 0 || (state & KEPT) != 0;
}

bool credit_keeps_events(const struct credit_arena *arena, a3m_socket socket)
{
    for (uint32_t i = CREDIT_FIRST_KEPT; i < CREDIT_PUSHES; i++) {
        if (atomic_load(&arena->pushes[i]) == socket.v) {
            return true;
        }
    }
    return false;
}

/* ---- Telling ----------------------------------------------------------------------------------- */

/*
 * Whether this may be told of it, of which `state` was known before. Events are read by many: what they tell of a
 * message may be heard in another order.
 */
static bool is_true(const a3m_receipt *told, uint64_t state)
{
    bool heard = (state & TOLD_ACCEPTED) != 0, by_event = (state & BY_EVENT) != 0;
    bool wanted = ((unsigned)told->kind & state & ASKED) != 0;
    switch (told->kind) {
    case A3M_RECEIPT_ACCEPTED:
        return wanted && !heard && told->accepted && told->last == ((state & A3M_RECEIPT_TAKEN) == 0);
    case A3M_RECEIPT_TAKEN:
        return wanted && told->last && told->accepted &&
               (by_event || heard == ((state & A3M_RECEIPT_ACCEPTED) != 0));
    case A3M_RECEIPT_UNDELIVERED:
        return told->last && !told->accepted && told->reason != A3M_OK && !heard && (state & READ) == 0;
    case A3M_RECEIPT_UNKNOWN:
        return told->last && told->reason != A3M_OK && (!heard || told->accepted) &&
               (by_event || heard == (told->accepted && (state & A3M_RECEIPT_ACCEPTED) != 0));
    }
    return false;
}

static uint64_t bits_of(const a3m_receipt *told)
{
    uint64_t bits = told->last ? OVER : 0;
    switch (told->kind) {
    case A3M_RECEIPT_ACCEPTED: return bits | TOLD_ACCEPTED;
    case A3M_RECEIPT_TAKEN: return bits | TOLD_TAKEN;
    case A3M_RECEIPT_UNDELIVERED: return bits | TOLD_UNDELIVERED;
    default: return bits;
    }
}

static void count(struct credit_receipt_sums *sums, const a3m_receipt *told, bool by_event)
{
    sums->by_event += by_event;
    sums->accepted += told->kind == A3M_RECEIPT_ACCEPTED;
    sums->taken += told->kind == A3M_RECEIPT_TAKEN;
    sums->undelivered += told->kind == A3M_RECEIPT_UNDELIVERED;
    sums->unknown += told->kind == A3M_RECEIPT_UNKNOWN;
}

static void hear(struct credit_arena *arena, const a3m_receipt *told, bool by_event)
{
    struct credit_receipt *slot = slot_of(arena, told->id);
    uint64_t bits = bits_of(told);
    uint64_t state = atomic_fetch_or(&slot->state, bits);
    bool good = CHECK(told->size == sizeof(*told) && is_of(state, told->id)) && CHECK((state & BACK) == 0) &&
                CHECK((state & bits) == 0 && ((state & BY_EVENT) != 0) == by_event) &&
                CHECK(by_event || (state & OVER) == 0) && CHECK(is_true(told, state));
    if (!good) {
        (void)fprintf(stderr,
                      "message %" PRIx64 ", state %" PRIx64 ": told %d, last %d, accepted %d, reason %d\n",
                      told->id, state, (int)told->kind, told->last, told->accepted, told->reason);
    }
    count(&arena->receipts, told, by_event);
    arena->receipts.over += told->last && !by_event;
}

/* What callbacks may do, and what they may not: wait on their node. */
static void act(struct actor *self, uint32_t node)
{
    struct credit_arena *arena = credit_arena_of(self);
    uint32_t i = actor_draw(self, CREDIT_PULLS);
    a3m_socket pull = {atomic_load(&arena->pulls[i])};
    a3m_time deadline = credit_pull_node[i] == node && actor_draw(self, 2) == 0 ? SOON : A3M_NOW;
    a3m_msg *msg = NULL;
    int result;
    if (actor_draw(self, 2) == 0) {
        a3m_socket push = credit_any_push(self);
        struct credit_written written = credit_write(self, push, credit_any_size(self));
        result = a3m_try_send(push, written.msg);
        credit_wrote(self, &written, result == A3M_OK);
    } else if ((result = a3m_recv_until(pull, &msg, deadline)) == A3M_OK) {
        credit_read(arena, msg);
    }
    CHECK(result == A3M_EDEADLK || (result != A3M_ETIMEDOUT && self->actions->may_be(result)));
    arena->receipts.acted++;
}

static void on_receipt(void *arg, const a3m_receipt *told)
{
    struct credit_told *by = arg;
    by->calls++;
    hear(by->arena, told, false);
    if (acting != NULL && actor_draw(acting, 8) == 0) {
        act(acting, (uint32_t)(by - by->arena->told));
    }
}

void credit_on_event(struct credit_arena *arena, const a3m_socket_event *event)
{
    if (event->kind == A3M_EVENT_RECEIPT) {
        hear(arena, &event->receipt, true);
    }
}

/* ---- Messages ---------------------------------------------------------------------------------- */

/* Of a message for push number `i`. */
static uint64_t ask(struct actor *self, a3m_socket socket, uint32_t i, a3m_msg *msg)
{
    struct credit_arena *arena = credit_arena_of(self);
    uint64_t id = 0;
    struct credit_receipt *slot = next_slot(self, &id);
    if (slot == NULL) {
        return 0;
    }
    uint64_t kinds = 1 + actor_draw(self, ASKED);
    bool by_event = actor_draw(self, 3) == 0;
    uint64_t state = id >> NUMBER_AT << NUMBER_AT | kinds;
    state |= by_event ? BY_EVENT | (i >= CREDIT_FIRST_KEPT ? KEPT : 0) : 0;
    state |= a3m_msg_size(msg) >= sizeof(id) ? SEALED : 0;
    slot->socket = socket;
    atomic_store(&slot->state, state);
    if (actor_draw(self, 8) == 0) { /* thinks better of it */
        CHECK(a3m_msg_set_receipt(msg, ASKED, 0, on_receipt, &arena->told[0]) == A3M_OK);
        CHECK(a3m_msg_set_receipt(msg, 0, 0, NULL, NULL) == A3M_OK);
    }
    CHECK(a3m_msg_set_receipt(msg, (unsigned)kinds, id, by_event ? NULL : on_receipt,
                              &arena->told[credit_push_node[i]]) == A3M_OK);
    return id;
}

struct credit_written credit_write(struct actor *self, a3m_socket socket, size_t size)
{
    struct credit_arena *arena = credit_arena_of(self);
    struct credit_written written = {.msg = a3m_msg_new(size)};
    uint32_t i = 0;
    acting = self;
    while (i < CREDIT_PUSHES && atomic_load(&arena->pushes[i]) != socket.v) {
        i++;
    }
    if (i < CREDIT_PUSHES && actor_draw(self, 3) == 0) {
        written.id = ask(self, socket, i, written.msg);
    }
    if (size >= sizeof(written.id)) {
        memcpy(a3m_msg_data(written.msg), &written.id, sizeof(written.id));
    }
    return written;
}

static void note_sent(struct credit_arena *arena, const struct credit_written *written)
{
    if (written->id != 0) {
        uint64_t state = atomic_fetch_or(&slot_of(arena, written->id)->state, SENT);
        arena->receipts.asked += (state & BY_EVENT) == 0;
    }
}

void credit_wrote(struct actor *self, const struct credit_written *written, bool sent)
{
    struct credit_arena *arena = credit_arena_of(self);
    if (sent) {
        arena->sent++;
        note_sent(arena, written);
    } else {
        credit_unwrite(arena, written->msg);
    }
}

void credit_put_off(struct credit_arena *arena, const struct credit_written *written)
{
    arena->put_off++;
    note_sent(arena, written);
}

void credit_unwrite(struct credit_arena *arena, a3m_msg *msg)
{
    if (msg->receipt != NULL) {
        uint64_t id = msg->receipt->id;
        uint64_t state = atomic_fetch_or(&slot_of(arena, id)->state, BACK | OVER);
        CHECK(is_of(state, id) && (state & (OVER | TOLD_ACCEPTED | READ)) == 0);
        arena->receipts.asked -= (state & SENT) != 0 && (state & BY_EVENT) == 0;
    }
    a3m_msg_free(msg);
}

void credit_read(struct credit_arena *arena, a3m_msg *msg)
{
    uint64_t id = 0;
    if (a3m_msg_size(msg) >= sizeof(id)) {
        memcpy(&id, a3m_msg_data(msg), sizeof(id));
    }
    if (id != 0 && is_of(atomic_load(&slot_of(arena, id)->state), id)) {
        CHECK((atomic_fetch_or(&slot_of(arena, id)->state, READ) & (READ | BACK | TOLD_UNDELIVERED)) == 0);
    }
    a3m_msg_free(msg);
    arena->taken++;
}

/* ---- Looking on -------------------------------------------------------------------------------- */

static void take_all(struct credit_arena *arena)
{
    for (uint32_t i = 0; i < CREDIT_PULLS; i++) {
        a3m_msg *msgs[MANY];
        int n;
        while ((n = a3m_recv_many((a3m_socket){arena->pulls[i]}, msgs, MANY, A3M_NOW)) > 0) {
            for (int k = 0; k < n; k++) {
                credit_read(arena, msgs[k]);
            }
        }
    }
}

static void read_events(struct credit_arena *arena)
{
    for (uint32_t i = 0; i < CREDIT_PUSHES; i++) {
        a3m_socket_event event = {.size = sizeof(event)};
        while (a3m_socket_next_event((a3m_socket){arena->pushes[i]}, &event, A3M_NOW) == A3M_OK) {
            CHECK(event.lost == 0 || i < CREDIT_FIRST_KEPT);
            credit_on_event(arena, &event);
        }
    }
}

/* Whether something is still to be told of it. Events of a socket that was closed, or that keeps few, may be lost. */
static bool is_missing(const struct credit_arena *arena, const struct credit_receipt *slot, uint64_t state)
{
    return !is_free(state) && is_kept(state) &&
           ((state & BY_EVENT) == 0 || credit_keeps_events(arena, slot->socket));
}

/* How many messages have no last word yet. */
static uint64_t missing(struct credit_arena *arena)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < (uint64_t)CREDIT_ACTORS * CREDIT_RECEIPTS; i++) {
        struct credit_receipt *slot = slot_of(arena, i);
        n += is_missing(arena, slot, atomic_load(&slot->state));
    }
    return n;
}

/* Everything is told: what is said to be taken was, and events that were lost are forgotten. */
static void check_slot(struct credit_arena *arena, struct credit_receipt *slot)
{
    uint64_t state = atomic_load(&slot->state);
    if (!CHECK(!is_missing(arena, slot, state)) ||
        !CHECK((state & SEALED) == 0 || (state & TOLD_TAKEN) == 0 || (state & READ) != 0)) {
        (void)fprintf(stderr, "a message by %" PRIx64 ", state %" PRIx64 "\n", slot->socket.v, state);
    }
    if (!is_free(state)) {
        (void)atomic_fetch_or(&slot->state, FORGOTTEN);
    }
}

static void check_slots(struct credit_arena *arena)
{
    for (uint64_t i = 0; i < (uint64_t)CREDIT_ACTORS * CREDIT_RECEIPTS; i++) {
        check_slot(arena, slot_of(arena, i));
    }
    CHECK(arena->receipts.asked == arena->receipts.over);
}

void credit_look_at_receipts(struct credit_arena *arena)
{
    a3m_time deadline = SOON;
    take_all(arena);
    read_events(arena);
    while (missing(arena) > 0 && a3m_now().ns < deadline.ns) {
        (void)sched_yield();
        read_events(arena);
    }
    check_slots(arena);
}

/* Nobody reads events of what is closed. */
static void forget_events(struct credit_arena *arena)
{
    for (uint64_t i = 0; i < (uint64_t)CREDIT_ACTORS * CREDIT_RECEIPTS; i++) {
        struct credit_receipt *slot = slot_of(arena, i);
        if ((atomic_load(&slot->state) & BY_EVENT) != 0) {
            (void)atomic_fetch_or(&slot->state, FORGOTTEN);
        }
    }
}

void credit_receipts_end(struct credit_arena *arena)
{
    struct credit_receipt_sums *sums = &arena->receipts;
    forget_events(arena);
    check_slots(arena);
    CHECK(arena->told[0].calls + arena->told[1].calls + sums->by_event ==
          sums->accepted + sums->taken + sums->undelivered + sums->unknown);
    (void)printf("%" PRIu64 " of them asked callbacks for receipts, which were told %" PRIu64
                 " times and acted %" PRIu64 " times; told, %" PRIu64 " of it by events: %" PRIu64
                 " accepted, %" PRIu64 " taken, %" PRIu64 " undelivered, %" PRIu64 " unknown\n",
                 sums->asked, arena->told[0].calls + arena->told[1].calls, sums->acted, sums->by_event,
                 sums->accepted, sums->taken, sums->undelivered, sums->unknown);
}
