/* SPDX-License-Identifier: Apache-2.0 */
/* What actors of the credit stress do with pollers. Who is told of an event acts on it, as applications do. */
#include "credit_arena.h"
#include "verdict.h"

enum { EVENTS = 4 };

static a3m_pollable any_pollable(struct actor *self)
{
    a3m_socket socket = credit_any_socket(self);
    switch (actor_draw(self, 4)) {
    case 0: return a3m_pollable_link(credit_any_link(self, socket));
    case 1: return a3m_pollable_events(socket);
    default: return a3m_pollable_socket(socket);
    }
}

static uint32_t any_events(struct actor *self)
{
    return (actor_draw(self, 2) * A3M_POLL_IN) | (actor_draw(self, 2) * A3M_POLL_OUT);
}

static a3m_poller any_poller(struct actor *self)
{
    return (a3m_poller){atomic_load(&credit_arena_of(self)->pollers[actor_draw(self, CREDIT_POLLERS)])};
}

/* Takes what is there, or sends what may be sent. */
static void act_on(struct actor *self, a3m_pollable what, uint32_t events)
{
    struct credit_arena *arena = credit_arena_of(self);
    a3m_socket socket = {what.v};
    a3m_msg *msg = NULL;
    if (what.kind != A3M_POLLABLE_SOCKET) {
        return;
    }
    if ((events & A3M_POLL_IN) != 0 && a3m_try_recv(socket, &msg) == A3M_OK) {
        credit_read(arena, msg);
    }
    if ((events & A3M_POLL_OUT) != 0) {
        struct credit_written it = credit_write(self, socket, credit_any_size(self));
        credit_wrote(self, &it, a3m_try_send(socket, it.msg) == A3M_OK);
    }
}

int credit_act_poll(struct actor *self)
{
    a3m_poll_item items[EVENTS];
    uint32_t n = 1 + actor_draw(self, EVENTS);
    for (uint32_t i = 0; i < n; i++) {
        items[i] = (a3m_poll_item){.what = any_pollable(self), .events = any_events(self)};
    }
    int result = a3m_poll(items, n, credit_deadline(self));
    for (uint32_t i = 0; i < n && result > 0; i++) {
        act_on(self, items[i].what, items[i].revents);
    }
    return result;
}

int credit_act_watch(struct actor *self)
{
    static const uint32_t flags[] = {0, A3M_POLL_EDGE, A3M_POLL_ONESHOT, A3M_POLL_EDGE | A3M_POLL_ONESHOT};
    a3m_poller poller = any_poller(self);
    a3m_pollable what = any_pollable(self);
    uint32_t events = any_events(self);
    switch (actor_draw(self, 4)) {
    case 0: return a3m_poller_remove(poller, what);
    case 1: return a3m_poller_modify(poller, what, events | flags[actor_draw(self, 4)], NULL);
    case 2: return a3m_poller_add(poller, what, events | A3M_POLL_EXCLUSIVE, NULL);
    default: return a3m_poller_add(poller, what, events | flags[actor_draw(self, 4)], NULL);
    }
}

int credit_act_poller_wait(struct actor *self)
{
    a3m_poll_event events[EVENTS];
    int n = a3m_poller_wait(any_poller(self), events, 1 + actor_draw(self, EVENTS), credit_deadline(self));
    for (int i = 0; i < n; i++) {
        act_on(self, events[i].what, events[i].events);
    }
    return n;
}

/* Who waits in it is told. */
int credit_act_poller_close(struct actor *self)
{
    a3m_poller fresh;
    int result = a3m_poller_new(&fresh, actor_draw(self, 2) == 0 ? A3M_POLLER_EINTR : 0);
    if (result != A3M_OK) {
        return result;
    }
    _Atomic uint64_t *place = &credit_arena_of(self)->pollers[actor_draw(self, CREDIT_POLLERS)];
    return a3m_poller_close((a3m_poller){atomic_exchange(place, fresh.v)});
}
