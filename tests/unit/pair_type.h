/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket type of an application's own, on the public headers alone: PAIR keeps what arrives in its own queue,
 * under its own condition, and sends on the link that came up first; both ways.
 */
#ifndef A3M_TEST_PAIR_TYPE_H
#define A3M_TEST_PAIR_TYPE_H

#include <assert.h>

#include <a3m/socket_type.h>

enum { PAIR_ROOM = 64 };

/* What happened to a PAIR, for the test to see; it outlives the socket. */
struct history {
    unsigned ups, downs, closings, finis;
    a3m_link up, down;
    int reason;
};

struct pair {
    a3m_msg *queue[PAIR_ROOM];
    size_t first, count;
    a3m_cond readable;
    a3m_link link;
    struct history *history;
};

/* Given to the sockets that are opened next. */
static struct history *next_history;
static int open_result;

static inline int pair_open(a3m_base *base, void *state)
{
    struct pair *pair = state;
    (void)base;
    assert(pair->count == 0 && pair->link.v == 0);
    pair->history = next_history;
    return open_result;
}

static inline void pair_closing(a3m_base *base, void *state)
{
    struct pair *pair = state;
    pair->history->closings++;
    a3m_base_wake(base, &pair->readable, UINT32_MAX);
}

static inline void pair_fini(a3m_base *base, void *state)
{
    struct pair *pair = state;
    (void)base;
    pair->history->finis++;
    for (size_t i = 0; i < pair->count; i++) {
        a3m_msg_free(pair->queue[(pair->first + i) % PAIR_ROOM]);
    }
}

static inline void pair_link_up(a3m_base *base, void *state, a3m_link link)
{
    struct pair *pair = state;
    (void)base;
    pair->history->ups++;
    pair->history->up = link;
    if (pair->link.v == 0) {
        pair->link = link;
    }
}

static inline void pair_link_down(a3m_base *base, void *state, a3m_link link, int reason)
{
    struct pair *pair = state;
    (void)base;
    pair->history->downs++;
    pair->history->down = link;
    pair->history->reason = reason;
    if (pair->link.v == link.v) {
        pair->link.v = 0;
    }
}

static inline a3m_arrival pair_arrived(a3m_base *base, void *state, a3m_msg *msg)
{
    struct pair *pair = state;
    assert(pair->count < PAIR_ROOM); /* its credit is less */
    pair->queue[(pair->first + pair->count++) % PAIR_ROOM] = msg;
    a3m_base_wake(base, &pair->readable, 1);
    return A3M_ARRIVAL_TAKEN;
}

static inline int pair_send(a3m_base *base, void *state, a3m_msg *msg, a3m_time deadline)
{
    struct pair *pair = state;
    a3m_base_lock(base);
    a3m_link link = pair->link;
    a3m_base_unlock(base);
    if (link.v == 0) {
        return a3m_base_send_any(base, msg, NULL, true, deadline);
    }
    return a3m_base_send_to(base, link, msg, deadline);
}

static inline int pair_recv(a3m_base *base, void *state, a3m_msg **msg, a3m_time deadline)
{
    struct pair *pair = state;
    int result = A3M_OK;
    a3m_base_lock(base);
    while (pair->count == 0 && result == A3M_OK) {
        result = a3m_base_wait(base, &pair->readable, deadline);
    }
    if (result == A3M_OK) {
        *msg = pair->queue[pair->first];
        pair->first = (pair->first + 1) % PAIR_ROOM;
        pair->count--;
        a3m_base_taken(base, *msg);
    }
    a3m_base_unlock(base);
    return result;
}

static const char *const pair_peers[] = {"PAIR", NULL};

static const a3m_socket_type pair_type = {
    .size = sizeof(pair_type),
    .name = "PAIR",
    .peers = pair_peers,
    .state_size = sizeof(struct pair),
    .open = pair_open,
    .closing = pair_closing,
    .fini = pair_fini,
    .link_up = pair_link_up,
    .link_down = pair_link_down,
    .arrived = pair_arrived,
    .send = pair_send,
    .recv = pair_recv,
};

/* A call that the type adds: how many messages wait. */
static inline int pair_waiting(a3m_socket socket)
{
    a3m_base *base;
    void *state;
    int result = a3m_base_enter(socket, &pair_type, &base, &state);
    if (result != A3M_OK) {
        return result;
    }
    a3m_base_lock(base);
    result = (int)((struct pair *)state)->count;
    a3m_base_unlock(base);
    a3m_base_leave(base);
    return result;
}

#endif
