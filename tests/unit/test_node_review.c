/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stories that once went wrong, found by reading: data ahead of its acceptance in a link's second life,
 * credit of an earlier life, wakes that were spent on who could not use them, waits that nobody ended, the
 * child of a fork. Where the order of packets matters, the association's events are called by hand, on nodes
 * that are never started. covers L8 L11 S4 S6
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "caller.h"
#include "node/node.h"
#include "node_fixture.h"

#define MS    INT64_C(1000000)
#define START (INT64_C(1000) * MS)

static void *inside(uint64_t handle, enum a3mi_handle_kind kind)
{
    void *obj;
    assert_int_equal(a3mi_registry_get(handle, kind, &obj), A3M_OK);
    a3mi_registry_put(handle);
    return obj;
}

static void begin(struct a3mi_node *node, struct a3mi_turn *turn, int64_t now)
{
    *turn = (struct a3mi_turn){.flags = A3MI_TURN_RECEIVE | A3MI_TURN_FLUSH | A3MI_TURN_EVENTS, .now = now};
    a3mi_wakes_init(&turn->wakes);
    node->turn = turn;
}

static void end(struct a3mi_node *node, struct a3mi_turn *turn)
{
    node->turn = NULL;
    (void)a3mi_wakes_run(&turn->wakes);
}

static void run(struct a3mi_node *node, int64_t now)
{
    struct a3mi_turn turn;
    begin(node, &turn, now);
    a3mi_engine_ops.turn(node, &turn);
    end(node, &turn);
}

/* ---- Lives of a link, in virtual time --------------------------------------------------- */

/* A PULL socket that asked for a link, and the PUSH socket that it asked. */
struct pair {
    a3m_node handles[2];
    struct a3mi_node *pull_node, *push_node;
    a3m_socket pull, push;
    struct a3mi_link *link; /* the PULL socket's */
    int64_t now;
};

static void settle(struct pair *pair)
{
    for (int i = 0; i < 12; i++) {
        run(pair->pull_node, pair->now);
        run(pair->push_node, pair->now);
        pair->now += MS / 100;
    }
}

static void make_pair(struct pair *pair, int64_t credit)
{
    a3m_link link;
    pair->now = START;
    pair->handles[0] = test_node_idle("puller", "inproc://review-puller");
    pair->handles[1] = test_node_idle("pusher", "inproc://review-pusher");
    pair->pull_node = inside(pair->handles[0].v, A3MI_KIND_NODE);
    pair->push_node = inside(pair->handles[1].v, A3MI_KIND_NODE);
    pair->pull = test_socket(pair->handles[0], &a3m_pull, "sink");
    pair->push = test_socket(pair->handles[1], &a3m_push, "source");
    assert_int_equal(a3m_socket_set(pair->pull, A3M_OPT_CREDIT_MESSAGES, credit), A3M_OK);
    assert_int_equal(a3m_socket_link(pair->pull, "inproc://review-pusher/source", &link), A3M_OK);
    pair->link = inside(link.v, A3MI_KIND_LINK);
    settle(pair);
    assert_int_equal(pair->link->state, A3MI_LINK_UP);
}

static void end_pair(struct pair *pair)
{
    (void)a3m_node_close(pair->handles[0], A3M_NOW, NULL);
    (void)a3m_node_close(pair->handles[1], A3M_NOW, NULL);
}

/* The PULL socket's node believes that its peer restarted: the link waits to ask again. */
static void lose_peer(struct pair *pair)
{
    struct a3mi_turn turn;
    begin(pair->pull_node, &turn, pair->now);
    a3mi_engine_hooks.peer_ended(pair->pull_node, pair->link->peer, pair->link->incarnation,
                                 A3MI_PEER_RESTARTED);
    end(pair->pull_node, &turn);
    assert_int_equal(pair->link->state, A3MI_LINK_RETRYING);
}

static void ask_again(struct pair *pair)
{
    pair->now += 100 * MS;
    run(pair->pull_node, pair->now);
    assert_int_equal(pair->link->state, A3MI_LINK_REQUESTING);
}

/* A message arrives on the link's index, whatever the link's state. */
static void arrive(struct pair *pair, const char *text)
{
    struct a3mi_turn turn;
    begin(pair->pull_node, &turn, pair->now);
    a3mi_engine_hooks.message(pair->pull_node, &pair->link->rx, test_msg(text));
    end(pair->pull_node, &turn);
    run(pair->pull_node, pair->now);
}

static size_t queued(const struct pair *pair)
{
    return pair->link->socket->inbox_count;
}

static void test_second_life_data_ahead_of_acceptance_waits_for_it(void **arg)
{
    (void)arg;
    struct pair pair;
    make_pair(&pair, 1);
    lose_peer(&pair);
    ask_again(&pair);
    arrive(&pair, "early");
    assert_int_equal(queued(&pair), 0);
    settle(&pair);
    assert_int_equal(pair.link->state, A3MI_LINK_UP);
    assert_int_equal(queued(&pair), 1);
    test_expect(pair.pull, "early");
    assert_int_equal(pair.link->received, 1);
    assert_int_equal(pair.link->taken, 1); /* its credit counts in this life: the sender is not stuck */
    end_pair(&pair);
}

static void test_attempt_lost_what_arrived_on_it_is_not_of_the_next(void **arg)
{
    (void)arg;
    struct pair pair;
    make_pair(&pair, 10);
    lose_peer(&pair);
    ask_again(&pair);
    arrive(&pair, "of the peer that died");
    lose_peer(&pair);
    assert_false(pair.link->rx_attached); /* it was bound to the incarnation that is over */
    ask_again(&pair);
    settle(&pair);
    assert_int_equal(pair.link->state, A3MI_LINK_UP);
    assert_int_equal(queued(&pair), 0);
    a3m_close_report report = {.size = sizeof(report)};
    (void)a3m_node_close(pair.handles[0], A3M_NOW, &report);
    assert_int_equal(report.unread, 1);
    (void)a3m_node_close(pair.handles[1], A3M_NOW, NULL);
}

static void test_credit_of_an_earlier_life_does_not_widen_the_next(void **arg)
{
    (void)arg;
    struct pair pair;
    make_pair(&pair, 4);
    for (int i = 0; i < 4; i++) {
        arrive(&pair, "old");
    }
    lose_peer(&pair);
    ask_again(&pair);
    settle(&pair);
    assert_int_equal(pair.link->state, A3MI_LINK_UP);
    for (int i = 0; i < 4; i++) {
        test_expect(pair.pull, "old");
    }
    settle(&pair);
    assert_int_equal(pair.link->taken, 0);
    assert_int_equal(pair.link->told_messages, 4);
    end_pair(&pair);
}

/* A peer that sends more than it was granted: its link ends, and memory stays bounded. covers X5 F1 */
static void test_credit_exceeded_link_ends_and_the_rest_is_dropped(void **arg)
{
    (void)arg;
    struct pair pair;
    make_pair(&pair, 4);
    for (int i = 0; i < 4; i++) {
        arrive(&pair, "granted");
    }
    assert_int_equal(pair.link->state, A3MI_LINK_UP);
    for (int i = 0; i < 1000; i++) {
        arrive(&pair, "not granted");
    }
    assert_int_equal(queued(&pair), 4);
    assert_true(pair.link->ended);
    assert_int_equal(pair.link->reason, A3M_EPROTO);
    assert_int_equal(pair.pull_node->credit_violations, 1000);
    for (int i = 0; i < 4; i++) {
        test_expect(pair.pull, "granted");
    }
    end_pair(&pair);
}

/* The same before the link is up: the request named the credit, and the index. covers X5 Y2 */
static void test_credit_exceeded_before_the_link_is_up_is_no_way_round(void **arg)
{
    (void)arg;
    struct pair pair;
    make_pair(&pair, 4);
    lose_peer(&pair);
    ask_again(&pair);
    for (int i = 0; i < 1000; i++) {
        arrive(&pair, "not asked for yet");
    }
    assert_int_equal(pair.link->batch.count, 4);
    assert_int_equal(pair.pull_node->credit_violations, 996);
    a3mi_link_ref(pair.link);
    settle(&pair);
    assert_true(pair.link->ended);
    assert_int_equal(pair.link->reason, A3M_EPROTO);
    a3mi_link_unref(pair.link);
    end_pair(&pair);
}

/* A peer asks on and on, and takes no answer: what waits for it is bounded. covers Y2 */
static void test_requests_of_who_takes_no_answers_are_left_unanswered(void **arg)
{
    (void)arg;
    struct pair pair;
    struct a3mi_turn turn;
    struct a3mi_control request = {.kind = A3MI_CONTROL_REQUEST,
                                   .type = "PUSH",
                                   .index = 77,
                                   .credit_messages = 1,
                                   .credit_bytes = 1,
                                   .max_message = 1};
    uint8_t bytes[A3MI_CONTROL_MAX];
    make_pair(&pair, 4);
    (void)a3mi_name_set(&request.author_tag, "x", 1);
    (void)a3mi_name_set(&request.addressee_tag, "nobody", 6);
    begin(pair.pull_node, &turn, pair.now);
    for (uint64_t i = 0; i < 5000; i++) {
        request.author_link = 1000 + i;
        size_t size = a3mi_control_encode(&request, bytes, sizeof(bytes));
        a3mi_engine_hooks.control(pair.pull_node, pair.link->peer, pair.link->incarnation, bytes, size);
    }
    end(pair.pull_node, &turn);
    assert_int_equal(a3mi_peer_control_waiting(pair.link->peer, pair.link->incarnation), 1024);
    assert_int_equal(pair.pull_node->requests_unanswered, 5000 - 1024);
    end_pair(&pair);
}

static void test_replaced_link_what_arrived_before_is_delivered_once(void **arg)
{
    (void)arg;
    struct pair pair;
    struct a3mi_turn turn;
    uint8_t bytes[A3MI_CONTROL_MAX];
    struct a3mi_control request = {.kind = A3MI_CONTROL_REQUEST, .author_link = 99, .index = 7};
    make_pair(&pair, 4);
    strcpy(request.type, "PUSH");
    assert_int_equal(a3mi_name_set(&request.author_tag, "source", 6), A3M_OK);
    assert_int_equal(a3mi_name_set(&request.addressee_tag, "sink", 4), A3M_OK);
    size_t size = a3mi_control_encode(&request, bytes, sizeof(bytes));
    /* In one turn: data of the old link, then the request that replaces it. */
    begin(pair.pull_node, &turn, pair.now);
    a3mi_engine_hooks.message(pair.pull_node, &pair.link->rx, test_msg("old"));
    a3mi_engine_hooks.control(pair.pull_node, pair.link->peer, pair.link->incarnation, bytes, size);
    end(pair.pull_node, &turn);
    assert_int_equal(pair.link->state, A3MI_LINK_UP);
    assert_int_equal(pair.link->peer_number, 99);
    assert_int_equal(queued(&pair), 1);
    assert_int_equal(pair.link->received, 0); /* in this life */
    test_expect(pair.pull, "old");
    end_pair(&pair);
}

static void refuse(void *arg, const a3m_link_request *request, a3m_link_answer *answer)
{
    ++*(int *)arg;
    assert_string_equal(request->peer_node, "puller");
    answer->accept = A3M_REFUSE;
}

/* The peer lost a link that it had asked for, and asks again: that is a new link, and the application is asked. */
static void test_replaced_link_is_accepted_anew(void **arg)
{
    (void)arg;
    struct pair pair;
    int asked = 0;
    make_pair(&pair, 4);
    assert_int_equal(a3m_socket_set_accept(pair.push, refuse, &asked), A3M_OK);
    lose_peer(&pair);
    ask_again(&pair);
    settle(&pair);
    assert_int_equal(asked, 1);
    assert_true(pair.link->ended);
    assert_int_equal(pair.link->reason, A3M_EREFUSED);
    assert_int_equal(a3m_socket_links(pair.push, NULL, 0), 0);
    end_pair(&pair);
}

static void test_joined_link_is_no_sign_of_a_bad_peer(void **arg)
{
    (void)arg;
    struct pair pair;
    a3m_link twin;
    make_pair(&pair, 4);
    assert_int_equal(a3m_socket_link(pair.pull, "pusher/source", &twin), A3M_OK);
    settle(&pair);
    assert_int_equal(a3m_link_wait(twin, A3M_NOW), A3M_OK);
    assert_int_equal(pair.pull_node->odd_controls, 0);
    end_pair(&pair);
}

/* ---- Waits ---------------------------------------------------------------------------------- */

struct wait {
    a3m_socket socket;
    size_t size;
};

static int wait_link_or_none(void *arg)
{
    return a3m_socket_wait_link_or_none(((struct wait *)arg)->socket, NULL, A3M_FOREVER);
}

static int send_size(void *arg)
{
    static const uint8_t bytes[100];
    const struct wait *wait = arg;
    return a3m_send_bytes(wait->socket, bytes, wait->size, A3M_FOREVER);
}

static void test_wait_or_none_link_to_a_silent_peer_is_cancelled_returns(void **arg)
{
    (void)arg;
    struct caller caller;
    a3m_link link;
    a3m_node idle = test_node_idle("idle", "udp://127.0.0.1:0");
    a3m_node node = test_node("node");
    struct wait wait = {.socket = test_socket(node, &a3m_push, NULL)};
    assert_int_equal(a3m_socket_link(wait.socket, test_url(idle, "sink"), &link), A3M_OK);
    caller_start(&caller, wait_link_or_none, &wait);
    caller_await_sleep(&caller);
    assert_int_equal(a3m_link_end(link), A3M_OK);
    assert_int_equal(caller_join(&caller), A3M_ENOLINK);
    (void)a3m_node_close(node, A3M_NOW, NULL);
    test_close(idle);
}

static void test_wait_or_none_silent_peer_and_no_attempts_left_returns(void **arg)
{
    (void)arg;
    a3m_node idle = test_node_idle("idle", "udp://127.0.0.1:0");
    a3m_node node = test_node("node");
    a3m_socket push = test_socket(node, &a3m_push, NULL);
    assert_int_equal(a3m_socket_set(push, A3M_OPT_LINK_RETRY_MIN, MS), A3M_OK);
    assert_int_equal(a3m_socket_set(push, A3M_OPT_LINK_ATTEMPTS, 2), A3M_OK);
    assert_int_equal(a3m_socket_link(push, test_url(idle, "sink"), NULL), A3M_OK);
    assert_int_equal(a3m_socket_wait_link_or_none(push, NULL, SOON), A3M_ENOLINK);
    (void)a3m_node_close(node, A3M_NOW, NULL);
    test_close(idle);
}

static void test_send_wake_spent_on_a_message_too_large_goes_on(void **arg)
{
    (void)arg;
    struct caller large, small;
    a3m_node server = test_node("server");
    a3m_node client = test_node("client");
    a3m_socket pull = test_socket(server, &a3m_pull, "sink");
    struct wait first = {test_socket(client, &a3m_push, NULL), 100};
    struct wait second = {first.socket, 1};
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_MAX_MESSAGE, 10), A3M_OK);
    caller_start(&large, send_size, &first);
    caller_await_sleep(&large);
    caller_start(&small, send_size, &second);
    caller_await_sleep(&small);
    assert_int_equal(a3m_socket_link(first.socket, test_url(server, "sink"), NULL), A3M_OK);
    assert_int_equal(caller_join(&large), A3M_EMSGSIZE);
    assert_int_equal(caller_join(&small), A3M_OK);
    a3m_msg *msg;
    assert_int_equal(a3m_recv_until(pull, &msg, SOON), A3M_OK);
    a3m_msg_free(msg);
    test_close(client);
    test_close(server);
}

static void test_send_too_large_says_so_without_credit(void **arg)
{
    (void)arg;
    static const uint8_t bytes[100];
    a3m_node server = test_node("server");
    a3m_node client = test_node("client");
    a3m_socket pull = test_socket(server, &a3m_pull, "sink");
    a3m_socket push = test_socket(client, &a3m_push, NULL);
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
    assert_int_equal(a3m_socket_set(pull, A3M_OPT_MAX_MESSAGE, 10), A3M_OK);
    test_link(push, test_url(server, "sink"));
    assert_int_equal(a3m_send_bytes(push, bytes, 1, SOON), A3M_OK);
    assert_int_equal(a3m_send_bytes(push, bytes, 1, A3M_NOW), A3M_ENOCREDIT);
    assert_int_equal(a3m_send_bytes(push, bytes, 100, A3M_NOW), A3M_EMSGSIZE);
    test_close(client);
    test_close(server);
}

/* ---- The rest ------------------------------------------------------------------------------- */

static void test_reply_request_of_another_socket_is_told(void **arg)
{
    (void)arg;
    a3m_msg *request;
    a3m_msg *reply = test_msg("!");
    a3m_node node = test_node("node");
    a3m_socket rep = test_socket(node, &a3m_rep, "one");
    a3m_socket other = test_socket(node, &a3m_rep, "two");
    a3m_socket req = test_socket(node, &a3m_req, NULL);
    test_link(req, "node/one");
    assert_int_equal(a3m_send_until(req, test_msg("?"), SOON), A3M_OK);
    assert_int_equal(a3m_recv_until(rep, &request, SOON), A3M_OK);
    assert_int_equal(a3m_reply(other, request, reply, SOON), A3M_ESTATE);
    assert_int_equal(a3m_reply(rep, request, reply, SOON), A3M_OK);
    a3m_msg_free(request);
    test_expect(req, "!");
    test_close(node);
}

static bool child_lives(a3m_node parents)
{
    a3m_node node;
    a3m_socket pull, push;
    a3m_link link;
    a3m_msg *msg;
    return a3m_node_new(&node, "child", "udp://127.0.0.1:0", NULL) == A3M_OK &&
           a3m_node_start(node) == A3M_OK && a3m_socket_open(&pull, node, &a3m_pull, "sink") == A3M_OK &&
           a3m_socket_open(&push, node, &a3m_push, NULL) == A3M_OK &&
           a3m_socket_link(push, "child/sink", &link) == A3M_OK &&
           a3m_send_bytes(push, "m", 1, SOON) == A3M_OK && a3m_recv_until(pull, &msg, SOON) == A3M_OK &&
           a3m_node_start(parents) == A3M_EFORKED && a3m_node_close(node, SOON, NULL) == A3M_OK;
}

static void test_fork_child_makes_nodes_of_its_own(void **arg)
{
    (void)arg;
#if defined(__SANITIZE_THREAD__) || defined(A3M_TSAN)
    skip(); /* ThreadSanitizer lets no child of a process with threads make threads */
#endif
    a3m_node node = test_node("parent");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(child_lives(node) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    test_close(node);
}

/* Whether a port can be had again while a child lives that was forked when a node was bound to it. */
static bool port_is_free(void)
{
    char address[A3M_LINK_ADDRESS_SIZE];
    int hold[2], status;
    a3m_node node = test_node("parent");
    assert_int_equal(a3m_node_address(node, address, sizeof(address)), A3M_OK);
    assert_int_equal(pipe(hold), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char byte;
        (void)close(hold[1]);
        _exit(read(hold[0], &byte, 1) == 0 ? 0 : 1); /* lives until the parent lets go */
    }
    (void)close(hold[0]);
    test_close(node);
    bool is_free = a3m_node_new(&node, "again", address, NULL) == A3M_OK;
    if (is_free) {
        test_close(node);
    }
    (void)close(hold[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return is_free;
}

/* The child holds no descriptor of the parent's node. Another process may take the port meanwhile, but not each time. */
static void test_fork_port_is_free_when_the_parent_closes(void **arg)
{
    (void)arg;
    bool is_free = false;
    for (int i = 0; i < 5 && !is_free; i++) {
        is_free = port_is_free();
    }
    assert_true(is_free);
}

/* Closing without a deadline must not wait for a peer that never was. */
static void test_close_for_ever_peer_that_never_was_returns(void **arg)
{
    (void)arg;
    a3m_link link;
    a3m_close_report report = {.size = sizeof(report)};
    a3m_node nowhere = test_node("nowhere");
    const char *url = test_url(nowhere, "sink");
    test_close(nowhere);
    a3m_node node = test_node("node");
    a3m_socket push = test_socket(node, &a3m_push, NULL);
    assert_int_equal(a3m_socket_link(push, url, &link), A3M_OK);
    assert_int_equal(a3m_socket_link(push, "unknown/sink", &link), A3M_OK);
    assert_int_equal(a3m_socket_link(push, "node/none", &link), A3M_OK);
    assert_int_equal(a3m_node_close(node, A3M_FOREVER, &report), A3M_OK);
    assert_int_equal(report.links_unfinished, 0);
}

/* Calls leave while the node closes: the last one wakes who closes, who then frees what the wake needs. */
static int get_info(void *arg)
{
    a3m_link link = *(const a3m_link *)arg;
    a3m_link_info info = {.size = sizeof(info)};
    int result;
    while ((result = a3m_link_get_info(link, &info)) == A3M_OK) {}
    return result;
}

static void test_close_calls_leave_as_the_node_goes(void **arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        struct caller callers[2];
        a3m_node node = test_node("node");
        test_socket(node, &a3m_pull, "sink");
        a3m_link link = test_link(test_socket(node, &a3m_push, NULL), "node/sink");
        for (int c = 0; c < 2; c++) {
            caller_start(&callers[c], get_info, &link);
        }
        test_close(node);
        for (int c = 0; c < 2; c++) {
            assert_int_equal(caller_join(&callers[c]), A3M_EHANDLE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_second_life_data_ahead_of_acceptance_waits_for_it),
        cmocka_unit_test(test_attempt_lost_what_arrived_on_it_is_not_of_the_next),
        cmocka_unit_test(test_credit_of_an_earlier_life_does_not_widen_the_next),
        cmocka_unit_test(test_credit_exceeded_link_ends_and_the_rest_is_dropped),
        cmocka_unit_test(test_credit_exceeded_before_the_link_is_up_is_no_way_round),
        cmocka_unit_test(test_requests_of_who_takes_no_answers_are_left_unanswered),
        cmocka_unit_test(test_replaced_link_what_arrived_before_is_delivered_once),
        cmocka_unit_test(test_replaced_link_is_accepted_anew),
        cmocka_unit_test(test_joined_link_is_no_sign_of_a_bad_peer),
        cmocka_unit_test(test_wait_or_none_link_to_a_silent_peer_is_cancelled_returns),
        cmocka_unit_test(test_wait_or_none_silent_peer_and_no_attempts_left_returns),
        cmocka_unit_test(test_send_wake_spent_on_a_message_too_large_goes_on),
        cmocka_unit_test(test_send_too_large_says_so_without_credit),
        cmocka_unit_test(test_reply_request_of_another_socket_is_told),
        cmocka_unit_test(test_fork_child_makes_nodes_of_its_own),
        cmocka_unit_test(test_fork_port_is_free_when_the_parent_closes),
        cmocka_unit_test(test_close_for_ever_peer_that_never_was_returns),
        cmocka_unit_test(test_close_calls_leave_as_the_node_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
