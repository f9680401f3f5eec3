/* SPDX-License-Identifier: Apache-2.0 */
#include "lines.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- Calls of actors ---------------------------------------------------------------------------- */

static int name_of(const struct lines_world *w, const struct lines_call *call)
{
    return (int)(call - w->calls);
}

static int call_send(struct lines_call *call)
{
    a3m_msg *msg = a3m_msg_new(call->size);
    int result = call->link.v != 0 ? a3m_link_send(call->link, msg, A3M_FOREVER)
                 : call->or_none   ? a3m_send_or_none(call->handle, msg, A3M_FOREVER)
                                   : a3m_send_until(call->handle, msg, A3M_FOREVER);
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

static int call_reserve(struct lines_call *call)
{
    call->used = call->link;
    return call->link.v != 0 ? a3m_link_reserve(call->link, call->size, &call->credit, A3M_FOREVER)
           : call->or_none
               ? a3m_socket_reserve_or_none(call->handle, call->size, &call->credit, &call->used, A3M_FOREVER)
               : a3m_socket_reserve(call->handle, call->size, &call->credit, &call->used, A3M_FOREVER);
}

static int call_receive(struct lines_call *call)
{
    a3m_msg *msgs[3];
    int n;
    if (call->size > 1 && call->link.v == 0) {
        n = a3m_recv_many(call->handle, msgs, call->size, A3M_FOREVER);
    } else {
        n = call->link.v != 0 ? a3m_link_recv(call->link, msgs, A3M_FOREVER)
            : call->or_none   ? a3m_recv_or_none(call->handle, msgs, A3M_FOREVER)
                              : a3m_recv_until(call->handle, msgs, A3M_FOREVER);
        n = n == A3M_OK ? 1 : n;
    }
    for (int i = 0; i < n; i++) {
        a3m_msg_free(msgs[i]);
    }
    return n > 0 ? A3M_OK : n;
}

static int call_it(void *arg)
{
    struct lines_call *call = arg;
    switch (call->kind) {
    case LINES_SEND: return call_send(call);
    case LINES_RESERVE: return call_reserve(call);
    default: return call_receive(call);
    }
}

static void keep(struct lines_world *w, const struct lines_call *call)
{
    const struct a3mi_link *link = lines_link(call->used);
    if (w->n_held == LINES_HELD || w->closed) {
        (void)a3m_release(call->handle, call->credit);
        return;
    }
    w->held[w->n_held++] = (struct lines_held){call->socket, call->credit, call->used,
                                               link != NULL ? link->life : 0, call->size};
}

/* It sleeps (again), or is over. */
static void note(struct lines_world *w, struct lines_call *call, int why)
{
    if (call->actor.state == STAGE_ASLEEP) {
        call->ticket = call->ticket == 0 ? ++w->last_ticket : call->ticket;
        lines_log(w, ": sleeps");
        if (why != A3M_OK) {
            lines_fault(w, "%d was told \"%s\", and sleeps again", name_of(w, call), a3m_strerror(why));
        }
        return;
    }
    int result = call->actor.result;
    lines_log(w, ": %s", a3m_strerror(result));
    if (result == A3M_OK && call->kind == LINES_RESERVE) {
        keep(w, call);
    }
    bool may = result == A3M_OK || result == A3M_ELINKDOWN || result == A3M_ENOLINK ||
               result == A3M_EHANDLE || result == A3M_EMSGSIZE || (result == why && why != A3M_OK) ||
               (result == A3M_ECLOSED && w->closed);
    if (!may) {
        lines_fault(w, "%d returned %s", name_of(w, call), a3m_strerror(result));
    }
}

void lines_resume(struct lines_world *w, struct lines_call *call, int why)
{
    lines_log(w, " %d goes on (%s)", name_of(w, call), a3m_strerror(why));
    w->acted = call;
    stage_resume(&call->actor, why);
    note(w, call, why);
}

static size_t draw_size(struct lines_world *w)
{
    static const size_t sizes[] = {300, 1, 100, 500, 740, 1200};
    return sizes[lines_draw(w, w->shape.sizes)];
}

static a3m_link draw_receivers_link(struct lines_world *w, uint32_t pull)
{
    a3m_link links[8];
    int n = a3m_socket_links(w->pulls[pull], links, 8);
    return n > 0 ? links[lines_draw(w, (uint32_t)(n < 8 ? n : 8))] : (a3m_link){0};
}

static void step_call(struct lines_world *w)
{
    struct lines_call *call = &w->calls[lines_draw(w, LINES_ACTORS)];
    uint32_t kind = lines_draw(w, 100);
    bool reserves = lines_draw(w, 3) == 0;
    bool specific = lines_draw(w, 2) == 0;
    bool or_none = lines_draw(w, 10) == 0;
    uint32_t other = lines_draw(w, LINES_SOCKETS);
    if (call->actor.state != STAGE_IDLE) {
        return;
    }
    call->kind = kind < w->shape.receives ? LINES_RECEIVE : reserves ? LINES_RESERVE : LINES_SEND;
    bool receives = call->kind == LINES_RECEIVE;
    call->socket = lines_draw(w, receives ? w->shape.pulls : w->shape.pushes);
    call->handle = receives ? w->pulls[call->socket] : w->pushes[call->socket];
    call->link = !specific  ? (a3m_link){0}
                 : receives ? draw_receivers_link(w, call->socket)
                            : w->links[call->socket][other % w->shape.pulls];
    call->size = receives ? 1 + lines_draw(w, 3) : draw_size(w);
    call->or_none = or_none && !specific;
    call->ticket = 0;
    call->used = (a3m_link){0};
    lines_log(w, "%d %s %s %u%s, %zu", name_of(w, call),
              receives                   ? "receives"
              : call->kind == LINES_SEND ? "sends"
                                         : "reserves",
              call->link.v != 0 ? "by a link of" : "by any of", call->socket, call->or_none ? " or none" : "",
              call->size);
    w->acted = call;
    stage_call(&call->actor, call_it, call);
    note(w, call, A3M_OK);
}

/* ---- Of who was woken, and of who gives up ------------------------------------------------------------ */

static struct lines_call *draw_sleeper(struct lines_world *w, bool woken)
{
    uint32_t first = lines_draw(w, LINES_ACTORS);
    for (uint32_t i = 0; i < LINES_ACTORS; i++) {
        struct lines_call *call = &w->calls[(first + i) % LINES_ACTORS];
        if (call->actor.state == STAGE_ASLEEP && (!woken || call->actor.woken)) {
            return call;
        }
    }
    return NULL;
}

static void step_wake(struct lines_world *w)
{
    struct lines_call *call = draw_sleeper(w, true);
    if (call != NULL) {
        lines_resume(w, call, A3M_OK);
    }
}

static void step_give_up(struct lines_world *w)
{
    bool signal = lines_draw(w, 2) == 0;
    struct lines_call *call = draw_sleeper(w, lines_draw(w, 2) == 0);
    if (call != NULL) {
        lines_resume(w, call, signal ? A3M_EINTR : A3M_ETIMEDOUT);
    }
}

/* ---- Of the network ------------------------------------------------------------------------------------- */

static void step_turn(struct lines_world *w)
{
    bool of_receivers = lines_draw(w, 2) == 0;
    lines_log(w, "turn of the %s", of_receivers ? "receivers" : "senders");
    w->receive_turn = of_receivers;
    lines_run_turn(w, of_receivers);
}

static void step_turns(struct lines_world *w)
{
    lines_log(w, "turns");
    for (int i = 0; i < 4; i++) {
        lines_run_turn(w, i % 2 == 0);
    }
}

/* As between two steps. */
static void look_again(struct lines_world *w)
{
    lines_look_after(w);
    w->acted = NULL;
    lines_look_before(w);
}

void lines_rest(struct lines_world *w)
{
    bool more = true;
    while (more) {
        for (int i = 0; i < 80; i++) {
            lines_run_turn(w, i % 2 == 0);
        }
        more = false;
        for (size_t i = 0; i < LINES_ACTORS; i++) {
            struct lines_call *call = &w->calls[i];
            if (call->actor.state == STAGE_ASLEEP && call->actor.woken) {
                look_again(w);
                lines_resume(w, call, A3M_OK);
                look_again(w);
                more = true;
            }
        }
    }
}

static void step_rest(struct lines_world *w)
{
    lines_log(w, "rest");
    lines_rest(w);
    w->at_rest = true;
}

/* ---- Of the main thread ------------------------------------------------------------------------------------ */

static void step_take(struct lines_world *w)
{
    uint32_t pull = lines_draw(w, w->shape.pulls);
    a3m_link link = lines_draw(w, 3) == 0 ? draw_receivers_link(w, pull) : (a3m_link){0};
    a3m_msg *msg = NULL;
    int result = link.v != 0 ? a3m_link_recv(link, &msg, A3M_NOW)
                             : a3m_recv_until(w->pulls[pull], &msg, A3M_NOW);
    lines_log(w, "receive by %s of %u: %s", link.v != 0 ? "a link" : "any", pull, a3m_strerror(result));
    if (result == A3M_OK) {
        a3m_msg_free(msg);
    }
}

static void step_try(struct lines_world *w)
{
    uint32_t push = lines_draw(w, w->shape.pushes);
    a3m_link link = w->links[push][lines_draw(w, w->shape.pulls)];
    bool specific = lines_draw(w, 2) == 0;
    size_t size = draw_size(w);
    a3m_msg *msg = a3m_msg_new(size);
    int result = specific ? a3m_link_send(link, msg, A3M_NOW) : a3m_send_until(w->pushes[push], msg, A3M_NOW);
    lines_log(w, "try %s of %u, %zu: %s", specific ? "a link" : "any", push, size, a3m_strerror(result));
    w->tried = result == A3M_OK;
    w->tried_on = push;
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
}

/* Uses a reservation, for a message of at most its size, or gives it back. */
static void step_held(struct lines_world *w)
{
    bool use = lines_draw(w, 2) == 0;
    uint32_t at = lines_draw(w, LINES_HELD);
    uint32_t part = 1 + lines_draw(w, 3);
    if (w->n_held == 0) {
        return;
    }
    struct lines_held *held = &w->held[at % w->n_held];
    a3m_socket push = w->pushes[held->socket];
    int result;
    if (use) {
        a3m_msg *msg = a3m_msg_new(held->size / part);
        result = a3m_send_reserved(push, held->credit, msg);
        if (result != A3M_OK) {
            a3m_msg_free(msg);
        }
    } else {
        result = a3m_release(push, held->credit);
    }
    lines_log(w, "%s %zu/%u of %u: %s", use ? "use" : "release", held->size, part, held->socket,
              a3m_strerror(result));
    if (result != A3M_OK && !(use && result == A3M_ELINKDOWN)) {
        lines_fault(w, "a reservation is gone: %s", a3m_strerror(result));
    }
    *held = w->held[--w->n_held];
}

static void step_capacity(struct lines_world *w)
{
    static const uint64_t messages[] = {1, 1, 2, 3, 5, 20}, bytes[] = {300, 800, 1000, 1300, 4000};
    a3m_link link = draw_receivers_link(w, lines_draw(w, w->shape.pulls));
    uint64_t m = messages[lines_draw(w, 6)];
    uint64_t b = bytes[lines_draw(w, 5)];
    if (link.v != 0) {
        lines_log(w, "capacity %llu %llu", (unsigned long long)m, (unsigned long long)b);
        assert_int_equal(a3m_link_set_credit(link, m, b), A3M_OK);
    }
}

/* Often one whose credit was given to a call that does not know it yet. */
static a3m_link draw_end(struct lines_world *w, uint32_t push, uint32_t pull)
{
    const struct lines_call *call = draw_sleeper(w, true);
    if (lines_draw(w, 2) == 0 && call != NULL && call->kind != LINES_RECEIVE && lines_wait(call)->served) {
        lines_log(w, "(served) ");
        return (a3m_link){lines_wait(call)->credit->handle};
    }
    return w->links[push][pull];
}

static void step_link(struct lines_world *w)
{
    uint32_t push = lines_draw(w, w->shape.pushes);
    uint32_t pull = lines_draw(w, w->shape.pulls);
    uint32_t what = lines_draw(w, 7);
    if (what < 2) {
        lines_log(w, "end %u-%u", push, pull);
        (void)a3m_link_end(draw_end(w, push, pull));
    } else if (what == 2) {
        lines_log(w, "receiver %u ends a link", pull);
        (void)a3m_link_end(draw_receivers_link(w, pull));
    } else {
        lines_log(w, "ask %u-%u", push, pull);
        lines_ask(w, push, pull);
    }
}

static void step_restart(struct lines_world *w)
{
    lines_log(w, "restart");
    lines_restart(w);
}

static void step_order(struct lines_world *w)
{
    bool push = lines_draw(w, 2) == 0;
    bool fair = lines_draw(w, 2) == 0;
    uint32_t i = lines_draw(w, push ? w->shape.pushes : w->shape.pulls);
    lines_log(w, "%s %u: %s", push ? "PUSH" : "PULL", i, fair ? "fair" : "unfair");
    w->reordered = w->reordered_ever = true;
    assert_int_equal(a3m_socket_set(push ? w->pushes[i] : w->pulls[i], A3M_OPT_FAIR, fair), A3M_OK);
}

/* ---- Steps ------------------------------------------------------------------------------------------------- */

void lines_step(struct lines_world *w, uint32_t step)
{
    static const struct {
        void (*act)(struct lines_world *w);
        uint32_t weight;
    } rows[] = {{step_call, 32},   {step_wake, 14}, {step_turn, 16},  {step_turns, 9},    {step_take, 10},
                {step_try, 6},     {step_held, 7},  {step_rest, 2},   {step_capacity, 5}, {step_link, 8},
                {step_give_up, 5}, {step_order, 1}, {step_restart, 1}};
    uint32_t sum = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sum += rows[i].weight;
    }
    a3mi_rng_init(&w->rng, w->seed * 1000 + step);
    w->step = step;
    w->acted = NULL;
    w->tried = w->reordered = w->receive_turn = w->at_rest = false;
    lines_look_before(w);
    uint32_t at = lines_draw(w, sum);
    size_t row = 0;
    while (at >= rows[row].weight) {
        at -= rows[row++].weight;
    }
    rows[row].act(w);
    lines_look_after(w);
}
