/* SPDX-License-Identifier: Apache-2.0 */
/* What actors of the credit stress do with messages, and with credit for them. */
#include "credit_arena.h"

#include <sched.h>

#include "verdict.h"

enum { MANY = 6 };

/* ---- Now --------------------------------------------------------------------------------------- */

int credit_act_send(struct actor *self)
{
    a3m_socket socket = credit_any_push(self);
    struct credit_written it = credit_write(self, socket, credit_any_size(self));
    int result;
    switch (actor_draw(self, 3)) {
    case 0: result = a3m_send_until(socket, it.msg, credit_deadline(self)); break;
    case 1: result = a3m_send_or_none(socket, it.msg, credit_deadline(self)); break;
    default: result = a3m_link_send(credit_any_link(self, socket), it.msg, credit_deadline(self)); break;
    }
    credit_wrote(self, &it, result == A3M_OK);
    return result;
}

int credit_act_send_many(struct actor *self)
{
    a3m_msg *msgs[MANY];
    struct credit_written written[MANY];
    uint32_t n = 1 + actor_draw(self, MANY);
    a3m_socket socket = credit_any_push(self);
    for (uint32_t i = 0; i < n; i++) {
        written[i] = credit_write(self, socket, credit_any_size(self));
        msgs[i] = written[i].msg;
    }
    int result = a3m_send_many(socket, msgs, n, credit_deadline(self));
    for (uint32_t i = 0; i < n; i++) {
        credit_wrote(self, &written[i], (int)i < result);
    }
    return result;
}

int credit_act_recv(struct actor *self)
{
    a3m_msg *msg = NULL;
    a3m_socket socket = credit_any_pull(self);
    int result;
    switch (actor_draw(self, 3)) {
    case 0: result = a3m_recv_until(socket, &msg, credit_deadline(self)); break;
    case 1: result = a3m_recv_or_none(socket, &msg, credit_deadline(self)); break;
    default: result = a3m_link_recv(credit_any_link(self, socket), &msg, credit_deadline(self)); break;
    }
    if (result == A3M_OK) {
        credit_read(credit_arena_of(self), msg);
    }
    return result;
}

int credit_act_recv_many(struct actor *self)
{
    a3m_msg *msgs[MANY];
    int n = a3m_recv_many(credit_any_pull(self), msgs, 1 + actor_draw(self, MANY), credit_deadline(self));
    for (int i = 0; i < n; i++) {
        credit_read(credit_arena_of(self), msgs[i]);
    }
    return n;
}

/* ---- Reservations ------------------------------------------------------------------------------- */

/* Into a free slot, or none. */
static bool hold(struct credit_arena *arena, const struct held *held)
{
    bool found = false;
    pthread_mutex_lock(&arena->lock);
    for (size_t i = 0; i < CREDIT_SLOTS && !found; i++) {
        if (arena->held[i].credit.v == 0) {
            arena->held[i] = *held;
            found = true;
        }
    }
    pthread_mutex_unlock(&arena->lock);
    return found;
}

static struct held take_held(struct actor *self)
{
    struct credit_arena *arena = credit_arena_of(self);
    struct held *slot = &arena->held[actor_draw(self, CREDIT_SLOTS)];
    pthread_mutex_lock(&arena->lock);
    struct held held = *slot;
    slot->credit.v = 0;
    pthread_mutex_unlock(&arena->lock);
    return held;
}

/* Nothing that is over can be used or given back. */
static void check_over(const struct held *held)
{
    int result = a3m_release(held->socket, held->credit);
    CHECK(result == A3M_ENOENT || result == A3M_EHANDLE || result == A3M_ECLOSED);
}

int credit_act_reserve(struct actor *self)
{
    struct held held = {.socket = credit_any_push(self), .size = credit_any_size(self)};
    a3m_time deadline = credit_deadline(self);
    int result;
    switch (actor_draw(self, 3)) {
    case 0: result = a3m_socket_reserve(held.socket, held.size, &held.credit, &held.link, deadline); break;
    case 1:
        result = a3m_socket_reserve_or_none(held.socket, held.size, &held.credit, &held.link, deadline);
        break;
    default:
        held.link = credit_any_link(self, held.socket);
        result = a3m_link_reserve(held.link, held.size, &held.credit, deadline);
        break;
    }
    held.link = credit_same_link(held.link); /* it may have become another one while this waited */
    if (result == A3M_OK && !hold(credit_arena_of(self), &held)) {
        result = a3m_release(held.socket, held.credit);
        check_over(&held);
    }
    return result;
}

int credit_act_use(struct actor *self)
{
    struct credit_arena *arena = credit_arena_of(self);
    struct held held = take_held(self);
    if (held.credit.v == 0) {
        return A3M_OK;
    }
    bool larger = actor_draw(self, 8) == 0;
    size_t size = larger ? held.size + 1 : actor_draw(self, (uint32_t)held.size + 1);
    struct credit_written it = credit_write(self, held.socket, size);
    int result = a3m_send_reserved(held.socket, held.credit, it.msg);
    CHECK(result != A3M_OK || !larger);
    credit_wrote(self, &it, result == A3M_OK);
    if (result == A3M_EMSGSIZE && !hold(arena, &held)) {
        result = a3m_release(held.socket, held.credit);
    }
    if (result != A3M_EMSGSIZE) {
        check_over(&held);
    }
    return result;
}

int credit_act_release(struct actor *self)
{
    struct held held = take_held(self);
    if (held.credit.v == 0) {
        return A3M_OK;
    }
    int result = a3m_release(held.socket, held.credit);
    check_over(&held);
    return result;
}

/* ---- Later ---------------------------------------------------------------------------------------- */

/* One that was put off before, and its place. */
static a3m_scheduled replace_later(struct actor *self, a3m_scheduled with)
{
    struct credit_arena *arena = credit_arena_of(self);
    a3m_scheduled *slot = &arena->laters[actor_draw(self, CREDIT_LATERS)];
    pthread_mutex_lock(&arena->lock);
    a3m_scheduled before = *slot;
    *slot = with;
    pthread_mutex_unlock(&arena->lock);
    return before;
}

int credit_take_back(struct credit_arena *arena, a3m_scheduled later)
{
    a3m_msg *msg = NULL;
    if (later.v == 0) {
        return A3M_OK;
    }
    int result;
    while ((result = a3m_scheduled_cancel(later, &msg)) == A3M_ESTATE) {
        (void)sched_yield(); /* it is being sent: it may wait for credit again in a moment */
    }
    CHECK((result == A3M_OK) == (msg != NULL));
    if (result == A3M_OK) {
        credit_unwrite(arena, msg);
        arena->taken_back++;
    }
    return result;
}

/* No more of them than there are places: the one before it is taken back, if it was not sent. */
int credit_act_later(struct actor *self)
{
    struct credit_arena *arena = credit_arena_of(self);
    a3m_socket socket = credit_any_push(self);
    a3m_time at = actor_draw(self, 3) == 0 ? A3M_NOW : a3m_in(a3m_us(actor_draw(self, 2000)));
    a3m_scheduled later = {0};
    struct credit_written it = credit_write(self, socket, credit_any_size(self));
    int result = actor_draw(self, 2) == 0
                     ? a3m_send_at(socket, it.msg, at, &later)
                     : a3m_link_send_at(credit_any_link(self, socket), it.msg, at, &later);
    if (result != A3M_OK) {
        credit_unwrite(arena, it.msg);
        return result;
    }
    credit_put_off(arena, &it);
    return credit_take_back(arena, replace_later(self, later));
}

int credit_act_take_back(struct actor *self)
{
    return credit_take_back(credit_arena_of(self), replace_later(self, (a3m_scheduled){0}));
}
