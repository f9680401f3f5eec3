/* SPDX-License-Identifier: Apache-2.0 */
#include "lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node_fixture.h"
#include "node_turns.h"

void lines_fault(struct lines_world *w, const char *format, ...)
{
    va_list args;
    if (w->fault[0] != '\0') {
        return;
    }
    int n = snprintf(w->fault, sizeof(w->fault), "step %u: ", w->step);
    va_start(args, format);
    (void)vsnprintf(w->fault + n, sizeof(w->fault) - (size_t)n, format, args);
    va_end(args);
}

void lines_log(struct lines_world *w, const char *format, ...)
{
    va_list args;
    char *text = w->log[w->step];
    size_t used = strlen(text);
    va_start(args, format);
    (void)vsnprintf(text + used, LINES_TEXT - used, format, args);
    va_end(args);
}

uint32_t lines_draw(struct lines_world *w, uint32_t n)
{
    return (uint32_t)a3mi_rng_below(&w->rng, n);
}

struct a3mi_link *lines_link(a3m_link handle)
{
    void *obj;
    if (handle.v == 0 || a3mi_registry_get(handle.v, A3MI_KIND_LINK, &obj) != A3M_OK) {
        return NULL;
    }
    a3mi_registry_put(handle.v);
    return obj;
}

struct a3mi_credit_wait *lines_wait(const struct lines_call *call)
{
    struct a3mi_waiter *waiter = a3mi_container_of(call->actor.parker, struct a3mi_waiter, parker);
    return a3mi_container_of(waiter, struct a3mi_credit_wait, waiter);
}

void lines_run_turn(struct lines_world *w, bool of_receivers)
{
    w->now += 1000000;
    (void)node_turn_all(of_receivers ? w->in_to : w->in_from, w->now);
}

static struct a3m_base *socket_inside(a3m_socket socket)
{
    void *obj;
    assert_int_equal(a3mi_registry_get(socket.v, A3MI_KIND_SOCKET, &obj), A3M_OK);
    a3mi_registry_put(socket.v);
    return obj;
}

static void set(a3m_socket socket, a3m_option option, int64_t value)
{
    assert_int_equal(a3m_socket_set(socket, option, value), A3M_OK);
}

void lines_ask(struct lines_world *w, uint32_t push, uint32_t pull)
{
    static const char *const urls[LINES_SOCKETS] = {"inproc://lines-to/0", "inproc://lines-to/1"};
    a3m_link *link = &w->links[push][pull];
    int result = a3m_socket_link(w->pushes[push], urls[pull % LINES_SOCKETS], link);
    assert_true(result == A3M_OK || result == A3M_EEXIST);
    if (result == A3M_OK) {
        assert_int_equal(a3m_poller_add(w->poller, a3m_pollable_link(*link), A3M_POLL_OUT, NULL), A3M_OK);
    }
}

static struct lines_shape draw_shape(struct lines_world *w)
{
    static const int64_t messages[] = {1, 2, 4, 20}, bytes[] = {1000, 1000, 4000};
    static const uint32_t receives[] = {4, 4, 4, 20, 60};
    static const uint64_t outboxes[] = {1500, 4000, 1 << 20, 1 << 20};
    uint32_t percent = receives[lines_draw(w, 5)];
    return (struct lines_shape){
        .pushes = percent > 5 ? 2 : 1 + lines_draw(w, 4) / 3,
        .pulls = percent > 20 ? 1 : 1 + (lines_draw(w, 4) + 2) / 3,
        .sizes = lines_draw(w, 2) == 0 ? 1 : 6,
        .receives = percent,
        .fair_push = lines_draw(w, 2) == 0,
        .fair_pull = lines_draw(w, 2) == 0,
        .credit_messages = messages[lines_draw(w, 4)],
        .credit_bytes = bytes[lines_draw(w, 3)],
        .batch = lines_draw(w, 2) == 0 ? 1 : 25,
        .outbox = outboxes[lines_draw(w, 4)],
        .largest = lines_draw(w, 4) == 0 ? 600 : 1 << 20,
    };
}

static void open_pull(struct lines_world *w, uint32_t i)
{
    static const char *const tags[LINES_SOCKETS] = {"0", "1"};
    a3m_socket pull = test_socket(w->to, &a3m_pull, tags[i % LINES_SOCKETS]);
    set(pull, A3M_OPT_FAIR, w->shape.fair_pull);
    set(pull, A3M_OPT_EINTR, 1);
    set(pull, A3M_OPT_CREDIT_MESSAGES, w->shape.credit_messages);
    set(pull, A3M_OPT_CREDIT_BYTES, w->shape.credit_bytes);
    set(pull, A3M_OPT_CREDIT_BATCH, w->shape.batch);
    if (i == 0) {
        set(pull, A3M_OPT_MAX_MESSAGE, w->shape.largest);
    }
    w->pulls[i] = pull;
    w->in_pulls[i] = socket_inside(pull);
}

static void open_receivers(struct lines_world *w)
{
    w->to = test_node_idle("to", "inproc://lines-to");
    w->in_to = node_inside(w->to);
    for (uint32_t i = 0; i < w->shape.pulls; i++) {
        open_pull(w, i);
    }
}

static void open_push(struct lines_world *w, uint32_t i)
{
    static const char *const tags[LINES_SOCKETS] = {"0", "1"};
    a3m_socket push = test_socket(w->from, &a3m_push, tags[i % LINES_SOCKETS]);
    set(push, A3M_OPT_FAIR, w->shape.fair_push);
    set(push, A3M_OPT_EINTR, 1);
    w->pushes[i] = push;
    w->in_pushes[i] = socket_inside(push);
    assert_int_equal(a3m_poller_add(w->poller, a3m_pollable_socket(push), A3M_POLL_OUT, NULL), A3M_OK);
}

void lines_make(struct lines_world *w, uint64_t seed)
{
    a3m_node_config config = {.size = sizeof(config)};
    w->seed = seed;
    w->now = INT64_C(1000000000);
    a3mi_rng_init(&w->rng, seed);
    w->shape = draw_shape(w);
    config.outbox_bytes = w->shape.outbox;
    assert_int_equal(a3m_node_new(&w->from, "from", "inproc://lines-from", &config), A3M_OK);
    w->in_from = node_inside(w->from);
    assert_int_equal(a3m_poller_new(&w->poller, 0), A3M_OK);
    open_receivers(w);
    for (uint32_t i = 0; i < w->shape.pushes; i++) {
        open_push(w, i);
        for (uint32_t k = 0; k < w->shape.pulls; k++) {
            lines_ask(w, i, k);
        }
    }
    lines_log(w, "%u PUSH %s, %u PULL %s, credit %lld %lld, batch %lld, outbox %llu, largest %lld",
              w->shape.pushes, w->shape.fair_push ? "fair" : "unfair", w->shape.pulls,
              w->shape.fair_pull ? "fair" : "unfair", (long long)w->shape.credit_messages,
              (long long)w->shape.credit_bytes, (long long)w->shape.batch,
              (unsigned long long)w->shape.outbox, (long long)w->shape.largest);
    lines_rest(w);
}

/* Of a socket that closed: who slept there is told. */
static void dismiss(struct lines_world *w, bool receives)
{
    w->closed = true;
    for (size_t i = 0; i < LINES_ACTORS; i++) {
        struct lines_call *call = &w->calls[i];
        while (call->actor.state == STAGE_ASLEEP && (call->kind == LINES_RECEIVE) == receives) {
            if (!call->actor.woken) {
                lines_fault(w, "%zu sleeps on at a socket that is closed", i);
            }
            lines_resume(w, call, call->actor.woken ? A3M_OK : A3M_ETIMEDOUT);
        }
    }
}

static void close_receivers(struct lines_world *w)
{
    for (uint32_t i = 0; i < w->shape.pulls; i++) {
        (void)a3m_socket_close(w->pulls[i]);
    }
    dismiss(w, true);
    (void)a3m_node_close(w->to, A3M_NOW, NULL);
}

void lines_restart(struct lines_world *w)
{
    close_receivers(w);
    open_receivers(w);
    w->closed = false;
    lines_look_before(w); /* other sockets: there is nothing to compare */
}

void lines_end(struct lines_world *w)
{
    close_receivers(w);
    for (uint32_t i = 0; i < w->shape.pushes; i++) {
        (void)a3m_socket_close(w->pushes[i]);
    }
    dismiss(w, false);
    (void)a3m_poller_close(w->poller);
    (void)a3m_node_close(w->from, A3M_NOW, NULL);
}
