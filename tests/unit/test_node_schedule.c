/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that are sent later: at their time, in the order of their times, taken
 * back, dropped with a report.
 * covers N3 N4
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdatomic.h>

#include <pthread.h>

#include "asleep.h"
#include "node/node.h"
#include "node_fixture.h"

struct pair {
    a3m_node from, to;
    a3m_socket push, pull;
    a3m_link link;
};

static _Atomic int reports;
static _Atomic int last_code;

static void on_report(void *arg, int code, const char *text)
{
    (void)arg;
    (void)text;
    atomic_store(&last_code, code);
    atomic_fetch_add(&reports, 1);
}

static a3m_node reporting_node(const char *id)
{
    a3m_node_config config = {.size = sizeof(config), .report = on_report};
    a3m_node node;
    assert_int_equal(a3m_node_new(&node, id, "udp://127.0.0.1:0", &config), A3M_OK);
    assert_int_equal(a3m_node_start(node), A3M_OK);
    return node;
}

static struct pair make_pair(void)
{
    struct pair p = {.from = reporting_node("from"), .to = test_node("to")};
    atomic_store(&reports, 0);
    p.pull = test_socket(p.to, &a3m_pull, "sink");
    p.push = test_socket(p.from, &a3m_push, NULL);
    p.link = test_link(p.push, test_url(p.to, "sink"));
    return p;
}

static void end_pair(struct pair *p)
{
    test_close(p->from);
    test_close(p->to);
}

static void await_reports(int n)
{
    for (a3m_time until = SOON; atomic_load(&reports) < n && a3m_now().ns < until.ns;) {
        (void)a3m_poll(NULL, 0, a3m_in(a3m_ms(1)));
    }
    assert_int_equal(atomic_load(&reports), n);
}

static void test_scheduled_message_is_sent_at_its_time_and_not_before(void **state)
{
    (void)state;
    struct pair p = make_pair();
    a3m_time at = a3m_in(a3m_ms(30));
    assert_int_equal(a3m_send_at(p.push, test_msg("later"), at, NULL), A3M_OK);
    assert_int_equal(a3m_send_until(p.push, test_msg("now"), SOON), A3M_OK);
    test_expect(p.pull, "now");
    test_expect(p.pull, "later");
    assert_true(a3m_now().ns >= at.ns);
    end_pair(&p);
}

static void test_scheduled_messages_go_in_the_order_of_their_times(void **state)
{
    (void)state;
    enum { MANY = 500 };
    struct pair p = make_pair();
    a3m_time base = a3m_in(a3m_ms(50));
    for (int i = MANY - 1; i >= 0; i--) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        a3m_time at = {base.ns + i * INT64_C(20000)};
        assert_int_equal(a3m_send_at(p.push, test_msg(text), at, NULL), A3M_OK);
    }
    for (int i = 0; i < MANY; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        test_expect(p.pull, text);
    }
    end_pair(&p);
}

static void test_scheduled_message_taken_back_is_not_sent(void **state)
{
    (void)state;
    struct pair p = make_pair();
    a3m_scheduled scheduled;
    a3m_msg *msg = test_msg("never");
    a3m_msg *again = NULL;
    assert_int_equal(a3m_send_at(p.push, msg, a3m_in(a3m_seconds(3600)), &scheduled), A3M_OK);
    assert_int_equal(a3m_scheduled_cancel(scheduled, &again), A3M_OK);
    assert_ptr_equal(again, msg);
    a3m_msg_free(again);
    assert_int_equal(a3m_scheduled_cancel(scheduled, &again), A3M_EHANDLE);
    assert_int_equal(a3m_send_at(p.push, test_msg("sent"), a3m_now(), &scheduled), A3M_OK);
    test_expect(p.pull, "sent");
    int result = a3m_scheduled_cancel(scheduled, &again); /* its attempt may be ending yet */
    assert_true(result == A3M_EHANDLE || result == A3M_ESTATE);
    end_pair(&p);
}

/* Its time comes, and it is tried, to no avail: then everybody sleeps. */
static void schedule_and_await_try(const struct pair *p, a3m_msg *msg, a3m_scheduled *scheduled)
{
    uint64_t timers = test_stats(p->from).reader_timer_wakeups;
    assert_int_equal(a3m_send_at(p->push, msg, a3m_in(a3m_ms(1)), scheduled), A3M_OK);
    for (a3m_time until = SOON;
         test_stats(p->from).reader_timer_wakeups == timers && a3m_now().ns < until.ns;) {
        (void)a3m_poll(NULL, 0, a3m_in(a3m_ms(1)));
    }
    await_all_asleep();
}

static void test_scheduled_message_takes_its_credit_when_it_is_due(void **state)
{
    (void)state;
    struct pair p = make_pair();
    int sent = 0;
    a3m_scheduled held;
    a3m_msg *back = NULL;
    assert_int_equal(a3m_send_at(p.push, test_msg("due"), a3m_in(a3m_ms(20)), NULL), A3M_OK);
    a3m_msg *msg = test_msg("x");
    while (a3m_try_send(p.push, msg) == A3M_OK) {
        msg = test_msg("x");
        sent++;
    }
    a3m_msg_free(msg);
    assert_in_range(sent, 999, 1000); /* all the credit there is: nothing was set aside before its time */
    /* One that is due, and finds none, can still be taken back. */
    schedule_and_await_try(&p, test_msg("held"), &held);
    assert_int_equal(a3m_scheduled_cancel(held, &back), A3M_OK);
    test_msg_is(back, "held");
    for (int i = 0; i < sent + 1; i++) { /* with the one that was due */
        a3m_msg *got;
        assert_int_equal(a3m_recv_until(p.pull, &got, SOON), A3M_OK);
        a3m_msg_free(got);
    }
    assert_int_equal(atomic_load(&reports), 0);
    end_pair(&p);
}

static void test_scheduled_message_of_a_closed_socket_is_dropped_and_reported(void **state)
{
    (void)state;
    struct pair p = make_pair();
    assert_int_equal(a3m_send_at(p.push, test_msg("lost"), a3m_in(a3m_ms(20)), NULL), A3M_OK);
    assert_int_equal(a3m_socket_close(p.push), A3M_OK);
    await_reports(1);
    assert_int_equal(atomic_load(&last_code), A3M_ECLOSED);
    assert_int_equal(test_stats(p.from).scheduled_dropped, 1);
    end_pair(&p);
}

static void test_scheduled_message_of_a_link_that_ended_is_dropped_and_reported(void **state)
{
    (void)state;
    struct pair p = make_pair();
    assert_int_equal(a3m_link_send_at(p.link, test_msg("lost"), a3m_in(a3m_ms(20)), NULL), A3M_OK);
    assert_int_equal(a3m_link_end(p.link), A3M_OK);
    await_reports(1);
    assert_int_equal(atomic_load(&last_code), A3M_ENOLINK);
    end_pair(&p);
}

static void test_scheduled_message_waits_for_a_link(void **state)
{
    (void)state;
    struct pair p = {.from = reporting_node("from"), .to = test_node("to")};
    p.push = test_socket(p.from, &a3m_push, NULL);
    p.pull = test_socket(p.to, &a3m_pull, "sink");
    assert_int_equal(a3m_send_at(p.push, test_msg("patient"), a3m_now(), NULL), A3M_OK);
    (void)test_link(p.push, test_url(p.to, "sink"));
    test_expect(p.pull, "patient");
    end_pair(&p);
}

static void test_scheduled_message_by_a_link_that_is_not_up_waits_for_it(void **state)
{
    (void)state;
    struct pair p = {.from = reporting_node("from"), .to = test_node("to")};
    atomic_store(&reports, 0);
    p.push = test_socket(p.from, &a3m_push, NULL);
    assert_int_equal(a3m_socket_set(p.push, A3M_OPT_LINK_RETRY_MAX, a3m_ms(50).ns), A3M_OK);
    assert_int_equal(a3m_socket_link(p.push, test_url(p.to, "sink"), &p.link), A3M_OK);
    assert_int_equal(a3m_link_send_at(p.link, test_msg("patient"), a3m_now(), NULL), A3M_OK);
    assert_int_equal(a3m_link_wait(p.link, a3m_in(a3m_ms(20))), A3M_ETIMEDOUT);
    p.pull = test_socket(p.to, &a3m_pull, "sink");
    test_expect(p.pull, "patient");
    assert_int_equal(atomic_load(&reports), 0);
    end_pair(&p);
}

/* There is credit, and too little of it for the message that is due: it waits for more, and the node rests. */
static void test_scheduled_message_larger_than_what_is_left_waits_asleep(void **state)
{
    (void)state;
    struct pair p = {.from = reporting_node("from"), .to = test_node("to")};
    a3m_msg *large = a3m_msg_copy((const uint8_t[700]){0}, 700);
    p.pull = test_socket(p.to, &a3m_pull, "sink");
    p.push = test_socket(p.from, &a3m_push, NULL);
    assert_int_equal(a3m_socket_set(p.pull, A3M_OPT_CREDIT_BYTES, 1000), A3M_OK);
    p.link = test_link(p.push, test_url(p.to, "sink"));
    assert_int_equal(a3m_send_bytes(p.push, (const uint8_t[600]){0}, 600, A3M_NOW), A3M_OK);
    schedule_and_await_try(&p, large, NULL);
    for (size_t size = 600; size <= 700; size += 100) {
        a3m_msg *got;
        assert_int_equal(a3m_recv_until(p.pull, &got, SOON), A3M_OK);
        assert_int_equal(a3m_msg_size(got), size);
        a3m_msg_free(got);
    }
    end_pair(&p);
}

struct churn {
    a3m_socket push;
    _Atomic bool over;
};

/* Takes credit and gives it back: each time those that wait are told, by this thread. */
static void *take_and_give_back(void *arg)
{
    struct churn *churn = arg;
    while (!atomic_load(&churn->over)) {
        a3m_credit credit;
        if (a3m_socket_reserve(churn->push, 1, &credit, NULL, A3M_NOW) == A3M_OK) {
            assert_int_equal(a3m_release(churn->push, credit), A3M_OK);
        }
    }
    return NULL;
}

/* Who tells a message that it may go is another thread than the one that sends it, and frees what stood for it. */
static void test_scheduled_messages_told_by_threads_that_give_credit_back(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    struct pair p = make_pair();
    struct churn churn = {.push = p.push};
    pthread_t threads[2];
    assert_int_equal(a3m_socket_set(p.pull, A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give_back, &churn), 0);
    }
    for (int i = 0; i < MANY; i++) {
        a3m_scheduled scheduled;
        a3m_msg *back = NULL;
        assert_int_equal(a3m_send_at(p.push, test_msg("x"), a3m_now(), &scheduled), A3M_OK);
        if (i % 2 == 0 && a3m_scheduled_cancel(scheduled, &back) == A3M_OK) {
            a3m_msg_free(back);
            continue;
        }
        test_expect(p.pull, "x");
    }
    atomic_store(&churn.over, true);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&reports), 0);
    end_pair(&p);
}

static void test_scheduled_messages_of_a_node_that_closes_are_undelivered(void **state)
{
    (void)state;
    struct pair p = make_pair();
    a3m_close_report report = {.size = sizeof(report)};
    for (int i = 0; i < 10; i++) {
        assert_int_equal(a3m_send_at(p.push, test_msg("x"), a3m_in(a3m_seconds(3600)), NULL), A3M_OK);
    }
    assert_int_equal(a3m_node_close(p.from, SOON, &report), A3M_OK);
    assert_int_equal(report.undelivered, 10);
    test_close(p.to);
}

static void test_scheduled_requests_and_types_that_do_not_send(void **state)
{
    (void)state;
    a3m_node node = test_node("one");
    a3m_socket rep = test_socket(node, &a3m_rep, "echo");
    a3m_socket req = test_socket(node, &a3m_req, NULL);
    (void)test_link(req, "one/echo");
    a3m_msg *msg = test_msg("no");
    assert_int_equal(a3m_send_at(rep, msg, a3m_now(), NULL), A3M_ENOTSUP);
    a3m_msg_free(msg);
    assert_int_equal(a3m_send_at(req, test_msg("question"), a3m_in(a3m_ms(5)), NULL), A3M_OK);
    assert_int_equal(a3m_recv_until(rep, &msg, SOON), A3M_OK);
    assert_int_equal(a3m_reply(rep, msg, test_msg("answer"), SOON), A3M_OK);
    a3m_msg_free(msg);
    test_expect(req, "answer");
    test_close(node);
}

/* ---- Taken back while it is being told ------------------------------------------------------- */

/* In a socket's queue ahead of a scheduled message: when both are told of credit, it takes that message back. */
struct rival {
    struct a3mi_waitq_entry entry;
    struct a3mi_parker parker;
    a3m_scheduled later;
    a3m_msg *taken;
    int result;
};

static bool rival_wake(struct a3mi_waitq_entry *entry, uint32_t keys, struct a3mi_wakes *wakes)
{
    struct rival *rival = a3mi_container_of(entry, struct rival, entry);
    (void)keys;
    a3mi_waitq_remove(entry);
    a3mi_wakes_add(wakes, &rival->parker);
    return true;
}

/* No lock is held; the scheduled message's own wake comes next in the list. */
static void rival_rung(struct a3mi_parker *parker)
{
    struct rival *rival = a3mi_container_of(parker, struct rival, parker);
    rival->result = a3m_scheduled_cancel(rival->later, &rival->taken);
}

static const struct a3mi_waitq_ops rival_ops = {.wake = rival_wake};

static void rival_enter(struct rival *rival, struct a3mi_socket *socket)
{
    a3mi_parker_init(&rival->parker);
    rival->parker.rung = rival_rung;
    rival->entry = (struct a3mi_waitq_entry){.ops = &rival_ops, .keys = A3MI_KEY_OUT};
    a3mi_list_init(&rival->entry.list);
    a3mi_socket_lock(socket);
    a3mi_waitq_add(&socket->pollable.queue, &rival->entry);
    a3mi_socket_unlock(socket);
}

/* It could not be sent, is told that it can be, and is gone before that wake is carried out: nothing of it is touched. */
static void test_scheduled_message_taken_back_while_credit_comes_is_told_nothing(void **state)
{
    (void)state;
    struct pair p = make_pair();
    struct a3mi_socket *socket;
    struct rival rival = {.result = A3M_ESTATE};
    a3m_credit credit;
    assert_int_equal(a3m_socket_set(p.pull, A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
    a3m_link_info info = {.size = sizeof(info)};
    for (a3m_time until = SOON; info.credit_messages != 1 && a3m_now().ns < until.ns;) {
        assert_int_equal(a3m_link_get_info(p.link, &info), A3M_OK);
        (void)a3m_poll(NULL, 0, a3m_in(a3m_ms(1)));
    }
    assert_int_equal(a3m_link_reserve(p.link, 10, &credit, SOON), A3M_OK);
    assert_int_equal(a3mi_socket_enter(p.push, &socket), A3M_OK);
    rival_enter(&rival, socket);
    assert_int_equal(a3m_send_at(p.push, test_msg("later"), a3m_now(), &rival.later), A3M_OK);
    await_all_asleep(); /* it was tried */
    assert_int_equal(a3m_release(p.push, credit), A3M_OK);
    a3mi_parker_fini(&rival.parker);
    a3mi_socket_leave(socket);
    assert_int_equal(rival.result, A3M_OK);
    test_msg_is(rival.taken, "later");
    end_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scheduled_message_is_sent_at_its_time_and_not_before),
        cmocka_unit_test(test_scheduled_messages_go_in_the_order_of_their_times),
        cmocka_unit_test(test_scheduled_message_taken_back_is_not_sent),
        cmocka_unit_test(test_scheduled_message_takes_its_credit_when_it_is_due),
        cmocka_unit_test(test_scheduled_message_of_a_closed_socket_is_dropped_and_reported),
        cmocka_unit_test(test_scheduled_message_of_a_link_that_ended_is_dropped_and_reported),
        cmocka_unit_test(test_scheduled_message_waits_for_a_link),
        cmocka_unit_test(test_scheduled_message_by_a_link_that_is_not_up_waits_for_it),
        cmocka_unit_test(test_scheduled_message_larger_than_what_is_left_waits_asleep),
        cmocka_unit_test(test_scheduled_messages_told_by_threads_that_give_credit_back),
        cmocka_unit_test(test_scheduled_messages_of_a_node_that_closes_are_undelivered),
        cmocka_unit_test(test_scheduled_requests_and_types_that_do_not_send),
        cmocka_unit_test(test_scheduled_message_taken_back_while_credit_comes_is_told_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
