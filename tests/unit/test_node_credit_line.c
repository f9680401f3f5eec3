/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls in line for credit. With k credits for w calls, min(k, w) return, in the order of their tickets where the
 * discipline is fair-ish, and no other thread wakes: in every discipline, for calls for one link, for any, and
 * for both. Also while some time out or their link ends. And who leaves a line unserved holds up nobody.
 * covers F5 F6 F7 F9 L14 P10
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sched.h>

#include <a3m/socket_type.h>

#include <cmocka.h>

#include "asleep.h"
#include "caller.h"
#include "node_fixture.h"

enum { MOST = 8, LINKS = 2 };

enum kind { SPECIFIC, GENERAL, MIXED };

static const char *const kind_names[] = {"specific", "general", "mixed"};

struct line {
    a3m_node from, to;
    a3m_socket push, idle, pulls[LINKS];
    a3m_link links[LINKS];
    struct caller leader; /* waits for nothing, and reads the network for all */
};

struct waiter {
    struct line *line;
    bool specific; /* the first link, else any */
    size_t size;
    a3m_time deadline;
    struct caller caller;
};

static int lead(void *arg)
{
    a3m_msg *msg;
    return a3m_recv(((struct line *)arg)->idle, &msg);
}

static int wait_to_send(void *arg)
{
    struct waiter *self = arg;
    struct line *line = self->line;
    a3m_msg *msg = a3m_msg_new(self->size);
    int result = self->specific ? a3m_link_send(line->links[0], msg, self->deadline)
                                : a3m_send_until(line->push, msg, self->deadline);
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

static void set(a3m_socket socket, a3m_option option, int64_t value)
{
    assert_int_equal(a3m_socket_set(socket, option, value), A3M_OK);
}

/* Links whose one credit is used up; the sender's node has somebody else who reads its network. */
static void open_line(struct line *line, bool fair, int64_t bytes)
{
    static const char *const tags[LINKS] = {"a", "b"};
    line->from = test_node("from");
    line->to = test_node("to");
    line->push = test_socket(line->from, &a3m_push, NULL);
    line->idle = test_socket(line->from, &a3m_pull, NULL);
    set(line->push, A3M_OPT_FAIR, fair);
    for (int i = 0; i < LINKS; i++) {
        line->pulls[i] = test_socket(line->to, &a3m_pull, tags[i]);
        set(line->pulls[i], A3M_OPT_CREDIT_MESSAGES, 1);
        set(line->pulls[i], A3M_OPT_CREDIT_BYTES, bytes);
        line->links[i] = test_link(line->push, test_url(line->to, tags[i]));
        assert_int_equal(a3m_link_send(line->links[i], test_msg("first"), SOON), A3M_OK);
    }
    caller_start(&line->leader, lead, line);
    caller_await_sleep(&line->leader);
}

static void close_line(struct line *line)
{
    assert_int_equal(a3m_socket_close(line->idle), A3M_OK);
    assert_int_equal(caller_join(&line->leader), A3M_ECLOSED);
    assert_int_equal(test_stats(line->to).bad_credit, 0);
    test_close(line->from);
    (void)a3m_node_close(line->to, SOON, NULL); /* with messages that nobody took */
}

static void stand(struct line *line, struct waiter *waiter, bool specific, size_t size, a3m_time deadline)
{
    *waiter = (struct waiter){.line = line, .specific = specific, .size = size, .deadline = deadline};
    caller_start(&waiter->caller, wait_to_send, waiter);
    caller_await_sleep(&waiter->caller);
}

static int returned(struct waiter *waiters, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++) {
        count += caller_returned(&waiters[i].caller);
    }
    return count;
}

static void await_returned(struct waiter *waiters, int n, int count)
{
    a3m_time deadline = SOON;
    while (returned(waiters, n) < count && a3m_now().ns < deadline.ns) {
        (void)sched_yield();
    }
    await_all_asleep();
    assert_int_equal(returned(waiters, n), count);
}

static int64_t credit_of(a3m_link link)
{
    a3m_link_info info = {.size = sizeof(info)};
    assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
    assert_int_equal(info.reserved_messages, 0);
    return info.credit_messages;
}

/* ---- k credits, w calls ------------------------------------------------------------------ */

static void serve_some(bool fair, enum kind kind, int w, int k)
{
    struct line line;
    struct waiter waiters[MOST];
    int served = k < w ? k : w;
    open_line(&line, fair, 1 << 20);
    for (int i = 0; i < w; i++) {
        stand(&line, &waiters[i], kind == MIXED ? i % 2 == 0 : kind == SPECIFIC, 4, A3M_FOREVER);
    }
    await_all_asleep();
    a3m_node_stats before = test_stats(line.from);
    set(line.pulls[0], A3M_OPT_CREDIT_MESSAGES, 1 + k);
    await_returned(waiters, w, served);
    a3m_node_stats after = test_stats(line.from);
    (void)printf("%s, %s, %d for %d: %d returned, %d woken\n", fair ? "fair" : "unfair", kind_names[kind], k,
                 w, served, (int)(after.wakes - before.wakes));
    assert_true(after.wakes - before.wakes <= (uint64_t)served);
    assert_int_equal(after.waiter_sleeps, before.waiter_sleeps); /* nobody that woke went back to sleep */
    assert_int_equal(credit_of(line.links[0]), k - served);
    for (int i = 0; i < w; i++) {
        assert_true(!fair || caller_returned(&waiters[i].caller) == (i < served));
    }
    set(line.pulls[0], A3M_OPT_CREDIT_MESSAGES, 1 + k + w);
    for (int i = 0; i < w; i++) {
        assert_int_equal(caller_join(&waiters[i].caller), A3M_OK);
    }
    close_line(&line);
}

static void test_line_as_many_return_as_there_is_credit_and_nobody_else_wakes(void **arg)
{
    static const int cases[][2] = {{1, 3}, {3, 3}, {5, 8}, {8, 5}};
    (void)arg;
    for (unsigned fair = 0; fair < 2; fair++) {
        for (enum kind kind = SPECIFIC; kind <= MIXED; kind++) {
            for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                serve_some(fair != 0, kind, cases[i][1], cases[i][0]);
            }
        }
    }
}

/* Where nobody is fair, the last of a kind is served first, and the kinds by turns: neither starves the other. */
static void test_line_unfair_serves_the_last_of_each_kind_by_turns(void **arg)
{
    (void)arg;
    struct line line;
    struct waiter waiters[MOST];
    open_line(&line, false, 1 << 20);
    for (int i = 0; i < MOST; i++) {
        stand(&line, &waiters[i], i < MOST / 2, 4, A3M_FOREVER);
    }
    for (int served = 2; served <= MOST; served += 2) { /* one credit of each two is for each kind */
        set(line.pulls[0], A3M_OPT_CREDIT_MESSAGES, 1 + served);
        await_returned(waiters, MOST, served);
        for (int i = 0; i < MOST / 2; i++) {
            bool want = i >= MOST / 2 - served / 2;
            assert_int_equal(caller_returned(&waiters[i].caller), want);
            assert_int_equal(caller_returned(&waiters[MOST / 2 + i].caller), want);
        }
    }
    for (int i = 0; i < MOST; i++) {
        assert_int_equal(caller_join(&waiters[i].caller), A3M_OK);
    }
    close_line(&line);
}

/* Credit comes about when the first half of the calls gives up: each is served or not, and no credit is lost. */
static void serve_while_some_give_up(bool fair, int64_t patience_us)
{
    struct line line;
    struct waiter waiters[MOST];
    int ok = 0;
    open_line(&line, fair, 1 << 20);
    struct waiter hasty[3];
    for (int i = 0; i < MOST; i++) {
        stand(&line, &waiters[i], i % 2 == 0, 4, A3M_FOREVER);
    }
    a3m_time deadline = a3m_in(a3m_ms(5));
    for (int i = 0; i < 3; i++) {
        hasty[i] = (struct waiter){.line = &line, .specific = i == 0, .size = 4, .deadline = deadline};
        caller_start(&hasty[i].caller, wait_to_send, &hasty[i]);
    }
    while (a3m_now().ns < deadline.ns + patience_us * 1000) {}
    set(line.pulls[0], A3M_OPT_CREDIT_MESSAGES, 1 + 4);
    for (int i = 0; i < 3; i++) {
        int result = caller_join(&hasty[i].caller);
        assert_true(result == A3M_OK || result == A3M_ETIMEDOUT);
        ok += result == A3M_OK;
    }
    await_returned(waiters, MOST, 4 - ok);
    assert_int_equal(credit_of(line.links[0]), 0);
    set(line.pulls[0], A3M_OPT_CREDIT_MESSAGES, 100);
    for (int i = 0; i < MOST; i++) {
        assert_int_equal(caller_join(&waiters[i].caller), A3M_OK);
    }
    close_line(&line);
}

static void test_line_credit_while_calls_time_out_none_is_lost(void **arg)
{
    static const int64_t patience[] = {-300, -100, -50, 0, 50};
    (void)arg;
    for (size_t i = 0; i < sizeof(patience) / sizeof(patience[0]); i++) {
        serve_while_some_give_up(i % 2 != 0, patience[i]);
        serve_while_some_give_up(i % 2 == 0, patience[i]);
    }
}

/* Those for it learn that; those for any go on with the other link. */
static void credit_and_end(bool fair)
{
    struct line line;
    struct waiter waiters[MOST];
    int ended = 0, ok = 0;
    open_line(&line, fair, 1 << 20);
    for (int i = 0; i < MOST; i++) {
        stand(&line, &waiters[i], i % 2 == 0, 4, A3M_FOREVER);
    }
    set(line.pulls[0], A3M_OPT_CREDIT_MESSAGES, 1 + 3);
    assert_int_equal(a3m_link_end(line.links[0]), A3M_OK);
    await_all_asleep();
    assert_true(returned(waiters, MOST) >= MOST / 2);
    set(line.pulls[1], A3M_OPT_CREDIT_MESSAGES, 100);
    for (int i = 0; i < MOST; i++) {
        int result = caller_join(&waiters[i].caller);
        assert_true(result == A3M_OK || (result == A3M_ELINKDOWN && waiters[i].specific));
        ended += result == A3M_ELINKDOWN;
        ok += result == A3M_OK;
    }
    (void)printf("%s: %d ended with the link, %d sent\n", fair ? "fair" : "unfair", ended, ok);
    close_line(&line);
}

static void test_line_credit_while_the_link_ends_each_call_has_one_or_the_other(void **arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        credit_and_end(i % 2 != 0);
    }
}

/* ---- Who holds up whom --------------------------------------------------------------------- */

/* A call that needs more bytes than there are stands first (last, where the last is served first), and gives up. */
static void large_one_gives_up(bool fair, bool specific)
{
    struct line line;
    struct waiter large, small;
    open_line(&line, fair, 1000);
    set(line.pulls[0], A3M_OPT_CREDIT_MESSAGES, 10);
    assert_int_equal(a3m_send_bytes(line.push, "0123456789", 10, SOON), A3M_OK);
    a3m_msg *msg = a3m_msg_new(385); /* 600 are left; a large one needs 750 */
    assert_int_equal(a3m_link_send(line.links[0], msg, SOON), A3M_OK);
    a3m_time deadline = a3m_in(a3m_ms(300));
    if (fair) {
        stand(&line, &large, specific, 900, deadline);
        stand(&line, &small, true, 10, SOON);
        assert_false(caller_returned(&small.caller)); /* its ticket is the later one */
        assert_int_equal(caller_join(&large.caller), A3M_ETIMEDOUT);
    } else {
        struct waiter first;
        stand(&line, &first, specific, 700, SOON);
        stand(&line, &large, specific, 900, deadline);
        set(line.pulls[0], A3M_OPT_CREDIT_BYTES, 1130); /* 730 are left; the larger one needs 848 */
        await_all_asleep();
        assert_int_equal(caller_join(&large.caller), A3M_ETIMEDOUT);
        assert_int_equal(caller_join(&first.caller), A3M_OK);
        close_line(&line);
        return;
    }
    assert_int_equal(caller_join(&small.caller), A3M_OK);
    close_line(&line);
}

static void test_line_who_gives_up_lets_those_behind_have_what_it_left(void **arg)
{
    (void)arg;
    large_one_gives_up(true, true);
    large_one_gives_up(true, false);
    large_one_gives_up(false, true);
    large_one_gives_up(false, false);
}

/* Of a line, and with `specific` for the large one's kind: credit comes, too little for the first, enough for the second. */
static void smaller_one_behind(bool fair, bool specific)
{
    struct line line;
    struct waiter large, small;
    a3m_credit credit, none;
    a3m_msg *msg = a3m_msg_copy((const uint8_t[400]){0}, 400);
    open_line(&line, fair, 1000);
    set(line.pulls[0], A3M_OPT_CREDIT_MESSAGES, 10);
    assert_int_equal(a3m_link_send(line.links[0], msg, SOON), A3M_OK);
    assert_int_equal(a3m_link_reserve(line.links[0], 200, &credit, SOON), A3M_OK);
    stand(&line, &large, specific, 700, A3M_FOREVER); /* 395 are left, and 595 when those are given back */
    stand(&line, &small, !specific, 500, A3M_FOREVER);
    if (fair) { /* nor does who comes now, for any link or for this one, though there is enough for it */
        assert_int_equal(a3m_send_bytes(line.push, "tiny", 4, A3M_NOW), A3M_ENOCREDIT);
        assert_int_equal(a3m_link_reserve(line.links[0], 4, &none, A3M_NOW), A3M_ENOCREDIT);
    }
    assert_int_equal(a3m_release(line.push, credit), A3M_OK);
    await_returned(&small, 1, fair ? 0 : 1);
    assert_false(caller_returned(&large.caller));
    const size_t sizes[] = {5, 400, fair ? 700 : 500, fair ? 500 : 700};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(a3m_recv_until(line.pulls[0], &msg, SOON), A3M_OK);
        assert_int_equal(a3m_msg_size(msg), sizes[i]);
        a3m_msg_free(msg);
    }
    assert_int_equal(caller_join(&small.caller), A3M_OK);
    assert_int_equal(caller_join(&large.caller), A3M_OK);
    close_line(&line);
}

static void test_line_fair_nobody_passes_who_needs_more_than_there_is(void **arg)
{
    (void)arg;
    for (int i = 0; i < 4; i++) {
        smaller_one_behind(i % 2 == 0, i / 2 == 0);
    }
}

/* A message that only the stopped link takes waits for it, and others go by the other link. */
static void too_large_for_one(bool fair)
{
    struct line line;
    struct waiter large, small;
    open_line(&line, fair, 1 << 20);
    a3m_socket narrow = test_socket(line.to, &a3m_pull, "narrow");
    set(narrow, A3M_OPT_MAX_MESSAGE, 100);
    set(narrow, A3M_OPT_CREDIT_MESSAGES, 1);
    a3m_link link = test_link(line.push, test_url(line.to, "narrow"));
    assert_int_equal(a3m_link_send(link, test_msg("first"), SOON), A3M_OK);
    stand(&line, &small, false, 4, A3M_FOREVER);
    stand(&line, &large, false, 1000, A3M_FOREVER);
    test_expect(narrow, "first");
    assert_int_equal(caller_join(&small.caller), A3M_OK);
    a3m_msg *msg;
    assert_int_equal(a3m_recv_until(narrow, &msg, SOON), A3M_OK);
    a3m_msg_free(msg);
    assert_int_equal(a3m_send_until(line.push, test_msg("passes"), SOON), A3M_OK);
    test_expect(narrow, "passes");
    assert_false(caller_returned(&large.caller));
    set(line.pulls[1], A3M_OPT_CREDIT_MESSAGES, 10);
    assert_int_equal(caller_join(&large.caller), A3M_OK);
    close_line(&line);
}

static void test_line_message_too_large_for_a_link_holds_up_nobody_there(void **arg)
{
    (void)arg;
    too_large_for_one(false);
    too_large_for_one(true);
}

/* A type that has an error to tell wakes everybody: who waits for credit goes on waiting, and keeps its place. */
static void test_line_error_of_the_socket_ends_no_wait(void **arg)
{
    (void)arg;
    struct line line;
    struct waiter waiters[3];
    a3m_socket_type type = a3m_push;
    a3m_base *base;
    void *state;
    open_line(&line, true, 1 << 20);
    line.push = test_socket(line.from, &type, NULL);
    set(line.push, A3M_OPT_FAIR, 1);
    line.links[0] = test_link(line.push, test_url(line.to, "a"));
    assert_int_equal(a3m_link_send(line.links[0], test_msg("first"), SOON), A3M_OK);
    for (int i = 0; i < 3; i++) {
        stand(&line, &waiters[i], i == 1, 4, A3M_FOREVER);
    }
    assert_int_equal(a3m_base_enter(line.push, &type, &base, &state), A3M_OK);
    for (int i = 0; i < 100; i++) {
        a3m_base_lock(base);
        a3m_base_raise(base, A3M_POLL_ERR, 1);
        a3m_base_unlock(base);
    }
    a3m_base_leave(base);
    await_all_asleep();
    assert_int_equal(returned(waiters, 3), 0);
    set(line.pulls[0], A3M_OPT_CREDIT_MESSAGES, 3);
    await_returned(waiters, 3, 2);
    assert_false(caller_returned(&waiters[2].caller));
    set(line.pulls[0], A3M_OPT_CREDIT_MESSAGES, 4);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(caller_join(&waiters[i].caller), A3M_OK);
    }
    close_line(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_as_many_return_as_there_is_credit_and_nobody_else_wakes),
        cmocka_unit_test(test_line_unfair_serves_the_last_of_each_kind_by_turns),
        cmocka_unit_test(test_line_fair_nobody_passes_who_needs_more_than_there_is),
        cmocka_unit_test(test_line_credit_while_calls_time_out_none_is_lost),
        cmocka_unit_test(test_line_credit_while_the_link_ends_each_call_has_one_or_the_other),
        cmocka_unit_test(test_line_who_gives_up_lets_those_behind_have_what_it_left),
        cmocka_unit_test(test_line_error_of_the_socket_ends_no_wait),
        cmocka_unit_test(test_line_message_too_large_for_a_link_holds_up_nobody_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
