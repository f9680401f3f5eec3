/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the line for room in the outbox: two nodes that are never started, whose turns the test runs, so that
 * it decides when there is room; and callers that stand in line, in an order that is known.
 */
#ifndef A3M_TEST_ROOM_LINE_H
#define A3M_TEST_ROOM_LINE_H

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asleep.h"
#include "caller.h"
#include "node_fixture.h"
#include "node_turns.h"

enum { MOST = 8, LIMIT = 10000, COST = 4 + A3MI_MESSAGE_COST };

enum kind { SPECIFIC, GENERAL, MIXED, SOCKETS };

static const char *const kind_names[] = {"for one link", "for any", "for both", "of two sockets"};

struct world {
    a3m_node from, to;
    struct a3mi_node *inside;
    a3m_socket push, other, pulls[2];
    a3m_link links[2], other_link;
    int64_t now;
};

struct waiter {
    const struct world *world;
    bool specific, other;
    size_t size;
    a3m_time deadline;
    struct caller caller;
};

static inline int wait_to_send(void *arg)
{
    struct waiter *self = arg;
    const struct world *w = self->world;
    a3m_msg *msg = a3m_msg_new(self->size);
    int result = self->specific
                     ? a3m_link_send(self->other ? w->other_link : w->links[0], msg, self->deadline)
                     : a3m_send_until(self->other ? w->other : w->push, msg, self->deadline);
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

static inline void settle(struct world *w)
{
    for (int i = 0; i < 12; i++) {
        (void)node_turn_all(w->inside, w->now);
        (void)node_turn_all(node_inside(w->to), w->now);
    }
}

static inline void set(a3m_socket socket, a3m_option option, int64_t value)
{
    assert_int_equal(a3m_socket_set(socket, option, value), A3M_OK);
}

static inline struct world make(bool fair)
{
    struct world w = {.to = test_node_idle("to", "inproc://room-to"), .now = a3m_now().ns};
    a3m_node_config config = {.size = sizeof(config), .outbox_bytes = LIMIT};
    assert_int_equal(a3m_node_new(&w.from, "from", "inproc://room-from", &config), A3M_OK);
    w.inside = node_inside(w.from);
    w.push = test_socket(w.from, &a3m_push, "push");
    w.other = test_socket(w.from, &a3m_push, "other");
    w.pulls[0] = test_socket(w.to, &a3m_pull, "a");
    w.pulls[1] = test_socket(w.to, &a3m_pull, "b");
    set(w.push, A3M_OPT_FAIR, fair);
    set(w.other, A3M_OPT_FAIR, fair);
    assert_int_equal(a3m_socket_link(w.push, "inproc://room-to/a", &w.links[0]), A3M_OK);
    assert_int_equal(a3m_socket_link(w.push, "inproc://room-to/b", &w.links[1]), A3M_OK);
    assert_int_equal(a3m_socket_link(w.other, "inproc://room-to/a", &w.other_link), A3M_OK);
    settle(&w);
    return w;
}

/* Nobody stands in line any more, and nobody holds anything back. */
static inline void end(struct world *w)
{
    assert_int_equal(atomic_load(&w->inside->window_line_count), 0);
    assert_true(a3mi_list_empty(&w->inside->window_line));
    (void)a3m_node_close(w->from, A3M_NOW, NULL);
    (void)a3m_node_close(w->to, A3M_NOW, NULL);
}

/* The outbox has as many bytes left; less than none: it is full. Nobody was told yet. */
static inline void leave(struct world *w, int64_t room)
{
    uint64_t target = (uint64_t)(LIMIT - room);
    uint64_t used = atomic_load(&w->inside->outbox_bytes) + atomic_load(&w->inside->unit_bytes);
    if (target > used) {
        a3mi_window_force(w->inside, target - used);
    } else {
        a3mi_window_return(w->inside, 0, used - target);
    }
}

/* What a turn does at its end. Returns how many threads it woke. */
static inline unsigned tell(struct world *w)
{
    struct a3mi_turn turn = {0};
    a3mi_wakes_init(&turn.wakes);
    a3mi_window_tell(w->inside, &turn);
    return a3mi_wakes_run(&turn.wakes);
}

static inline unsigned make_room(struct world *w, int64_t room)
{
    leave(w, room);
    return tell(w);
}

static inline void fill(struct world *w)
{
    leave(w, 0);
    (void)tell(w);
}

static inline void stand(struct world *w, struct waiter *waiter, size_t size, a3m_time deadline)
{
    uint32_t before = atomic_load(&w->inside->window_line_count);
    waiter->world = w;
    waiter->size = size;
    waiter->deadline = deadline;
    caller_start(&waiter->caller, wait_to_send, waiter);
    /* Not before: it might sleep on the socket's lock, and another one get in line first. */
    while (a3mi_window_full(w->inside) && atomic_load(&w->inside->window_line_count) == before) {
        (void)sched_yield();
    }
    caller_await_sleep(&waiter->caller);
}

static inline int returned(struct waiter *waiters, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++) {
        count += caller_returned(&waiters[i].caller);
    }
    return count;
}

/* So many returned, once all is quiet. */
static inline void expect_returned(struct waiter *waiters, int n, int count)
{
    a3m_time deadline = SOON;
    while (returned(waiters, n) < count && a3m_now().ns < deadline.ns) {
        (void)sched_yield();
    }
    await_all_asleep();
    assert_int_equal(returned(waiters, n), count);
}

/* And they are the first ones. */
static inline void expect_first(struct waiter *waiters, int n, int count)
{
    expect_returned(waiters, n, count);
    for (int i = 0; i < n; i++) {
        assert_int_equal(caller_returned(&waiters[i].caller), i < count);
    }
}

static inline void join_all(struct waiter *waiters, int n)
{
    for (int i = 0; i < n; i++) {
        assert_int_equal(caller_join(&waiters[i].caller), A3M_OK);
    }
}

static inline uint64_t reserved(a3m_link link)
{
    a3m_link_info info = {.size = sizeof(info)};
    assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
    return info.reserved_messages;
}

static inline uint64_t reserved_in_all(const struct world *w)
{
    return reserved(w->links[0]) + reserved(w->links[1]) + reserved(w->other_link);
}

static inline struct waiter of_kind(enum kind kind, int i)
{
    return (struct waiter){.specific = kind == SPECIFIC || (kind != GENERAL && i % 2 == 0),
                           .other = kind == SOCKETS && i % 3 == 1};
}

#endif
