/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads with requests on one socket, several threads that answer: every request is taken once, and each
 * thread gets the reply to its own. A3M_LONG has more of them. covers N5 N8 F6 F10 S1 S2 S6
 */
#include <stdatomic.h>

#include "ledger.h"
#include "node_fixture.h"
#include "threads.h"
#include "unit/test_base_random.h"
#include "verdict.h"

enum { MEMBERS = 8 };

enum { SERVERS = 3, REQUESTS = 240, AT_ONCE = 4 };

struct echo {
    a3m_socket req, rep;
    struct ledger ledger;
    uint32_t requests;
    bool one_by_one; /* each member has one request outstanding, never more */
};

struct member {
    struct echo *echo;
    uint32_t number;
};

static void ask_and_wait(const struct member *self, uint32_t number)
{
    a3m_msg *request = ledger_message(self->number, number);
    a3m_msg *reply = NULL;
    if (CHECK(a3m_request_reply(self->echo->req, request, &reply, SOON, NULL) == A3M_OK)) {
        struct head head = ledger_read(reply);
        CHECK(head.member == self->number && head.number == number);
        a3m_msg_free(reply);
    }
}

/* Several outstanding at once, waited for in another order. */
static void ask_some(const struct member *self, uint32_t first)
{
    a3m_request requests[AT_ONCE];
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        a3m_msg *msg = ledger_message(self->number, first + i);
        CHECK(a3m_request_send(self->echo->req, msg, &requests[i], SOON) == A3M_OK);
    }
    for (uint32_t i = AT_ONCE; i-- > 0;) {
        a3m_msg *reply = NULL;
        if (CHECK(a3m_request_wait(self->echo->req, requests[i], &reply, SOON) == A3M_OK)) {
            struct head head = ledger_read(reply);
            CHECK(head.member == self->number && head.number == first + i);
            a3m_msg_free(reply);
        }
    }
}

static void *requester_main(void *arg)
{
    const struct member *self = arg;
    for (uint32_t i = 0; i < self->echo->requests && verdict_failures() == 0; i += AT_ONCE) {
        if (!self->echo->one_by_one && i / AT_ONCE % 2 == 0) {
            ask_some(self, i);
            continue;
        }
        for (uint32_t k = 0; k < AT_ONCE; k++) {
            ask_and_wait(self, i + k);
        }
    }
    return NULL;
}

/* Serves until the socket closes. */
static void *server_main(void *arg)
{
    struct echo *echo = arg;
    a3m_msg *request = NULL;
    int result;
    while ((result = a3m_recv(echo->rep, &request)) == A3M_OK) {
        ledger_note(&echo->ledger, ledger_read(request));
        CHECK(a3m_reply(echo->rep, request, a3m_msg_dup(request), SOON) == A3M_OK);
        a3m_msg_free(request);
    }
    CHECK(result == A3M_ECLOSED || result == A3M_EHANDLE);
    return NULL;
}

/*
 * With less credit than there are requests outstanding, members wait for each
 * reply before they ask again: replies that nobody takes would stop the servers.
 */
static void request_by_many(a3m_node server, a3m_node client, const char *url, int64_t credit)
{
    struct echo echo = {.requests = (uint32_t)test_rounds(REQUESTS),
                        .one_by_one = credit < MEMBERS * AT_ONCE};
    struct member members[MEMBERS];
    pthread_t requesters[MEMBERS], servers[SERVERS];
    ledger_open(&echo.ledger, MEMBERS, echo.requests);
    echo.rep = test_socket(server, &a3m_rep, "echo");
    echo.req = test_socket(client, &a3m_req, NULL);
    assert_int_equal(a3m_socket_set(echo.rep, A3M_OPT_CREDIT_MESSAGES, credit), A3M_OK);
    assert_int_equal(a3m_socket_set(echo.req, A3M_OPT_CREDIT_MESSAGES, credit), A3M_OK);
    test_link(echo.req, url);
    for (uint32_t i = 0; i < SERVERS; i++) {
        threads_start(&servers[i], server_main, &echo);
    }
    for (uint32_t i = 0; i < MEMBERS; i++) {
        members[i] = (struct member){.echo = &echo, .number = i};
        threads_start(&requesters[i], requester_main, &members[i]);
    }
    threads_join(requesters, MEMBERS);
    assert_int_equal(a3m_socket_close(echo.rep), A3M_OK);
    threads_join(servers, SERVERS);
    assert_int_equal(a3m_socket_close(echo.req), A3M_OK);
    assert_int_equal(verdict_failures(), 0);
    assert_int_equal(ledger_close(&echo.ledger), (size_t)MEMBERS * echo.requests);
}

static void test_requests_by_many_threads_each_gets_its_own_reply(void **arg)
{
    (void)arg;
    a3m_node server = test_node("server");
    a3m_node client = test_node("client");
    request_by_many(server, client, test_url(server, "echo"), 1000);
    test_close(client);
    test_close(server);
}

static void test_requests_with_little_credit_each_gets_its_own_reply(void **arg)
{
    (void)arg;
    a3m_node server = test_node("server");
    a3m_node client = test_node("client");
    request_by_many(server, client, test_url(server, "echo"), 3);
    test_close(client);
    test_close(server);
}

static void test_requests_within_one_node_each_gets_its_own_reply(void **arg)
{
    (void)arg;
    a3m_node node = test_node("alone");
    request_by_many(node, node, "alone/echo", 1000);
    test_close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_requests_by_many_threads_each_gets_its_own_reply, verdict_forget),
        cmocka_unit_test_setup(test_requests_with_little_credit_each_gets_its_own_reply, verdict_forget),
        cmocka_unit_test_setup(test_requests_within_one_node_each_gets_its_own_reply, verdict_forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
