/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "backend.h"
#include "support/node_fixture.h"

static a3m_node node;
static a3m_poller pollers[POLLERS];
static bool closed[POLLERS];
static unsigned rows;

/* A thing is one end of a link between two sockets of the node. */
static struct {
    a3m_socket self, other;
    bool over;
} things[THINGS];

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* Waits until the thing itself shows an event; disturbs nobody. */
static void await_event(int thing, uint32_t events)
{
    a3m_poll_item item = {.what = a3m_pollable_socket(things[thing].self), .events = events};
    must(a3m_poll(&item, 1, SOON) == 1);
}

static void begin(const char *kinds)
{
    char tag[32];
    char url[64];
    node = test_node_at("self", "inproc://poll-table");
    for (int i = 0; i < POLLERS; i++) {
        must(a3m_poller_new(&pollers[i], 0) == A3M_OK);
        closed[i] = false;
    }
    for (int i = 0; i < THINGS; i++) {
        things[i].over = true;
    }
    for (int i = 0; kinds[i] != '\0'; i++) {
        (void)snprintf(tag, sizeof tag, "sink%u", rows++);
        (void)snprintf(url, sizeof url, "self/%s", tag);
        a3m_socket pull = test_socket(node, &a3m_pull, tag);
        a3m_socket push = test_socket(node, &a3m_push, NULL);
        if (kinds[i] == 'o') {
            must(a3m_socket_set(pull, A3M_OPT_CREDIT_MESSAGES, 1) == A3M_OK);
        }
        (void)test_link(push, url);
        things[i].self = kinds[i] == 'o' ? push : pull;
        things[i].other = kinds[i] == 'o' ? pull : push;
        things[i].over = false;
        if (kinds[i] == 'o') {
            await_event(i, A3M_POLL_OUT);
        }
    }
}

static void end(void)
{
    for (int i = 0; i < POLLERS; i++) {
        must(closed[i]);
    }
    (void)a3m_node_close(node, SOON, NULL);
}

static enum outcome outcome_of(int result)
{
    switch (result) {
    case A3M_OK: return DONE;
    case A3M_EEXIST: return EXISTS;
    case A3M_ENOENT: return ABSENT;
    case A3M_EINVAL: return INVALID;
    case A3M_ECLOSED:
    case A3M_EHANDLE: return GONE;
    default: return OTHER;
    }
}

/* User data says which thing it is. */
static void *user_of(int thing)
{
    return &things[thing];
}

static enum outcome add(int poller, int thing, uint32_t events)
{
    return outcome_of(
        a3m_poller_add(pollers[poller], a3m_pollable_socket(things[thing].self), events, user_of(thing)));
}

static enum outcome modify(int poller, int thing, uint32_t events)
{
    return outcome_of(
        a3m_poller_modify(pollers[poller], a3m_pollable_socket(things[thing].self), events, user_of(thing)));
}

static enum outcome take_out(int poller, int thing)
{
    return outcome_of(a3m_poller_remove(pollers[poller], a3m_pollable_socket(things[thing].self)));
}

static int thing_of(const void *user)
{
    for (int i = 0; i < THINGS; i++) {
        if (user == &things[i]) {
            return i;
        }
    }
    abort();
}

static int wait_in(int poller, struct report *reports, int max, bool forever)
{
    a3m_poll_event events[REPORTS];
    int n = a3m_poller_wait(pollers[poller], events, (size_t)max, forever ? A3M_FOREVER : A3M_NOW);
    for (int i = 0; i < n; i++) {
        reports[i] = (struct report){thing_of(events[i].user), events[i].events};
    }
    return n < 0 ? -1 : n;
}

static void quit(int poller)
{
    must(a3m_poller_close(pollers[poller]) == A3M_OK);
    closed[poller] = true;
}

static void raise_in(int thing)
{
    must(a3m_send_until(things[thing].other, test_msg("x"), SOON) == A3M_OK);
    await_event(thing, A3M_POLL_IN);
}

static void take(int thing)
{
    a3m_msg *msg;
    if (a3m_try_recv(things[thing].self, &msg) == A3M_OK) {
        a3m_msg_free(msg);
    }
}

static void fill(int thing)
{
    a3m_msg *msg = test_msg("x");
    while (a3m_try_send(things[thing].self, msg) == A3M_OK) {
        msg = test_msg("x");
    }
    a3m_msg_free(msg);
}

static void drain(int thing)
{
    a3m_msg *msg;
    must(a3m_recv_until(things[thing].other, &msg, SOON) == A3M_OK);
    a3m_msg_free(msg);
    await_event(thing, A3M_POLL_OUT);
}

static void end_thing(int thing)
{
    must(a3m_socket_close(things[thing].self) == A3M_OK);
    things[thing].over = true;
}

const struct backend backend_node = {
    "a3m", begin, end, add, modify, take_out, wait_in, quit, raise_in, take, fill, drain, end_thing,
};
