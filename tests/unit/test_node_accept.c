/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two applications agree upon when they link: the accept hook, its place
 * among the checks, what it says, and metadata of both ends.
 * covers L7
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node_fixture.h"

/* What a hook shall answer, and what it saw. Written by the hook, read once the link is up or has ended. */
struct door {
    a3m_accept first[4]; /* its first answers; A3M_ACCEPT afterwards */
    const char *text;
    const void *metadata;
    size_t metadata_size;
    _Atomic int asked;
    char peer_node[64], peer_tag[64], peer_type[16];
    uint8_t seen[A3M_LINK_METADATA_MAX];
    size_t seen_size;
};

static void on_request(void *arg, const a3m_link_request *request, a3m_link_answer *answer)
{
    struct door *door = arg;
    int i = door->asked++;
    snprintf(door->peer_node, sizeof(door->peer_node), "%s", request->peer_node);
    snprintf(door->peer_tag, sizeof(door->peer_tag), "%s", request->peer_tag);
    snprintf(door->peer_type, sizeof(door->peer_type), "%s", request->peer_type);
    door->seen_size = request->metadata_size;
    if (request->metadata_size > 0) {
        memcpy(door->seen, request->metadata, request->metadata_size);
    }
    answer->accept = i < 4 ? door->first[i] : A3M_ACCEPT;
    snprintf(answer->text, sizeof(answer->text), "%s", door->text != NULL ? door->text : "");
    answer->metadata = door->metadata;
    answer->metadata_size = door->metadata_size;
}

struct pair {
    a3m_node client, server;
    a3m_socket req, rep;
    struct door door;
};

/* Its requests are answered before their interval passes, however slow the machine. */
static void patient(a3m_socket socket)
{
    assert_int_equal(a3m_socket_set(socket, A3M_OPT_LINK_RETRY_MIN, a3m_seconds(60).ns), A3M_OK);
}

static void make_pair(struct pair *p)
{
    p->client = test_node("client");
    p->server = test_node("server");
    p->req = test_socket(p->client, &a3m_req, "asker");
    p->rep = test_socket(p->server, &a3m_rep, "echo");
    patient(p->req);
    assert_int_equal(a3m_socket_set_accept(p->rep, on_request, &p->door), A3M_OK);
}

static void end_pair(struct pair *p)
{
    test_close(p->client);
    test_close(p->server);
}

static a3m_link ask(struct pair *p)
{
    a3m_link link;
    assert_int_equal(a3m_socket_link(p->req, test_url(p->server, "echo"), &link), A3M_OK);
    return link;
}

static a3m_link_info info_of(a3m_link link)
{
    a3m_link_info info = {.size = sizeof(info)};
    assert_int_equal(a3m_link_get_info(link, &info), A3M_OK);
    return info;
}

static void test_accepted_both_ends_have_the_metadata_of_the_other(void **arg)
{
    (void)arg;
    uint8_t most[A3M_LINK_METADATA_MAX], got[A3M_LINK_METADATA_MAX + 1];
    struct pair p = {.door = {.metadata = "version 2", .metadata_size = 9}};
    a3m_link link, incoming;
    make_pair(&p);
    for (size_t i = 0; i < sizeof(most); i++) {
        most[i] = (uint8_t)(i * 7);
    }
    a3m_link_options options = {.size = sizeof(options), .metadata = most, .metadata_size = sizeof(most)};
    assert_int_equal(a3m_socket_link_with(p.req, test_url(p.server, "echo"), &options, &link), A3M_OK);
    memset(most, 0, sizeof(most)); /* it was copied */
    assert_int_equal(a3m_link_wait(link, SOON), A3M_OK);
    assert_int_equal(p.door.asked, 1);
    assert_string_equal(p.door.peer_node, "client");
    assert_string_equal(p.door.peer_tag, "asker");
    assert_string_equal(p.door.peer_type, "REQ");
    assert_int_equal(p.door.seen_size, sizeof(most));
    assert_int_equal(p.door.seen[1023], (uint8_t)(1023 * 7));

    assert_int_equal(a3m_link_metadata(link, got, sizeof(got)), 9);
    assert_memory_equal(got, "version 2", 9);
    assert_int_equal(a3m_socket_links(p.rep, &incoming, 1), 1);
    assert_int_equal(a3m_link_metadata(incoming, got, 3), sizeof(most));
    assert_int_equal(a3m_link_metadata(incoming, got, sizeof(got)), sizeof(most));
    assert_memory_equal(got, p.door.seen, sizeof(most));
    assert_int_equal(a3m_link_metadata(incoming, NULL, 0), sizeof(most));
    end_pair(&p);
}

static void test_refused_for_now_is_asked_again_and_says_why(void **arg)
{
    (void)arg;
    struct pair p = {.door = {.first = {A3M_REFUSE_FOR_NOW, A3M_REFUSE_FOR_NOW}, .text = "warming up"}};
    a3m_socket_event event = {.size = sizeof(event)};
    make_pair(&p);
    assert_int_equal(a3m_socket_set(p.req, A3M_OPT_EVENTS, 64), A3M_OK);
    assert_int_equal(a3m_socket_set(p.req, A3M_OPT_LINK_RETRY_MIN, a3m_ms(1).ns), A3M_OK);
    a3m_link link = ask(&p);
    do { /* the interval may pass before the answer */
        assert_int_equal(a3m_socket_next_event(p.req, &event, SOON), A3M_OK);
    } while (event.kind == A3M_EVENT_RETRYING && event.reason == A3M_ESILENT);
    assert_int_equal(event.kind, A3M_EVENT_REFUSED);
    assert_int_equal(event.reason, A3M_ENOTREADY);
    assert_string_equal(event.text, "warming up");
    assert_string_equal(event.peer_node, "server");
    assert_string_equal(event.peer_tag, "echo");
    assert_int_equal(a3m_link_wait(link, SOON), A3M_OK);
    assert_int_equal(p.door.asked, 3);
    assert_string_equal(info_of(link).text, "warming up");
    end_pair(&p);
}

static void test_refused_for_good_ends_with_the_text(void **arg)
{
    (void)arg;
    struct pair p = {.door = {.first = {A3M_REFUSE}, .text = "only for members"}};
    make_pair(&p);
    a3m_link link = ask(&p);
    assert_int_equal(a3m_link_wait(link, SOON), A3M_EREFUSED);
    assert_non_null(strstr(a3m_error_detail(), "only for members"));
    assert_string_equal(info_of(link).text, "only for members");
    assert_int_equal(p.door.asked, 1);
    assert_int_equal(a3m_socket_links(p.rep, NULL, 0), 0);
    end_pair(&p);
}

static void test_order_of_checks_the_hook_is_after_final_and_before_temporary_ones(void **arg)
{
    (void)arg;
    struct pair p = {.door = {.first = {A3M_ACCEPT, A3M_REFUSE}}};
    a3m_link link;
    make_pair(&p);
    /* Types that do not go together, and a socket that takes no links: nobody is asked. */
    a3m_socket push = test_socket(p.client, &a3m_push, NULL);
    assert_int_equal(a3m_socket_link(push, test_url(p.server, "echo"), &link), A3M_OK);
    assert_int_equal(a3m_link_wait(link, SOON), A3M_EINCOMPATIBLE);
    assert_int_equal(a3m_socket_set(p.rep, A3M_OPT_INCOMING, 0), A3M_OK);
    assert_int_equal(a3m_link_wait(ask(&p), SOON), A3M_EREFUSED);
    assert_int_equal(p.door.asked, 0);
    /* As many links as it takes: the hook's final answer wins. */
    assert_int_equal(a3m_socket_set(p.rep, A3M_OPT_INCOMING, 1), A3M_OK);
    assert_int_equal(a3m_socket_set(p.rep, A3M_OPT_MAX_LINKS, 1), A3M_OK);
    assert_int_equal(a3m_link_wait(ask(&p), SOON), A3M_OK);
    a3m_socket other = test_socket(p.client, &a3m_req, "other");
    assert_int_equal(a3m_socket_link(other, test_url(p.server, "echo"), &link), A3M_OK);
    assert_int_equal(a3m_link_wait(link, SOON), A3M_EREFUSED);
    assert_int_equal(p.door.asked, 2);
    /* What it accepts the limit still refuses, for now. */
    a3m_socket third = test_socket(p.client, &a3m_req, "third");
    patient(third);
    assert_int_equal(a3m_socket_set(third, A3M_OPT_LINK_ATTEMPTS, 1), A3M_OK);
    assert_int_equal(a3m_socket_link(third, test_url(p.server, "echo"), &link), A3M_OK);
    assert_int_equal(a3m_link_wait(link, SOON), A3M_ENOTREADY);
    assert_int_equal(p.door.asked, 3);
    end_pair(&p);
}

/* The limit is one of links, whoever asked for them, and whether they are up already or not. */
static void test_limit_counts_links_that_this_end_asks_for(void **arg)
{
    (void)arg;
    struct pair p = {0};
    make_pair(&p);
    assert_int_equal(a3m_socket_set(p.rep, A3M_OPT_MAX_LINKS, 1), A3M_OK);
    a3m_link own, link = {0};
    assert_int_equal(a3m_socket_link(p.rep, "nowhere/nobody", &own), A3M_OK);
    assert_int_equal(a3m_socket_set(p.req, A3M_OPT_LINK_ATTEMPTS, 1), A3M_OK);
    link = ask(&p);
    assert_int_equal(a3m_link_wait(link, SOON), A3M_ENOTREADY);
    assert_int_equal(a3m_link_end(own), A3M_OK);
    assert_int_equal(a3m_link_wait(ask(&p), SOON), A3M_OK);
    end_pair(&p);
}

static void test_too_much_metadata_is_an_error_at_either_end(void **arg)
{
    (void)arg;
    static const uint8_t bytes[A3M_LINK_METADATA_MAX + 1];
    struct pair p = {.door = {.metadata = bytes, .metadata_size = sizeof(bytes)}};
    a3m_link_options options = {.size = sizeof(options), .metadata = bytes, .metadata_size = sizeof(bytes)};
    make_pair(&p);
    const char *url = test_url(p.server, "echo");
    assert_int_equal(a3m_socket_link_with(p.req, url, &options, NULL), A3M_EINVAL);
    options.metadata_size = 1;
    options.metadata = NULL;
    assert_int_equal(a3m_socket_link_with(p.req, url, &options, NULL), A3M_EINVAL);
    options.size = 1;
    assert_int_equal(a3m_socket_link_with(p.req, url, &options, NULL), A3M_EINVAL);
    assert_int_equal(a3m_socket_link_with(p.req, url, NULL, NULL), A3M_EINVAL);
    assert_int_equal(a3m_socket_set(p.req, A3M_OPT_LINK_ATTEMPTS, 1), A3M_OK);
    a3m_link link = ask(&p);
    assert_int_equal(a3m_link_wait(link, SOON), A3M_ENOTREADY);
    assert_non_null(strstr(info_of(link).text, "metadata"));
    end_pair(&p);
}

static void test_hook_taken_away_nobody_is_asked(void **arg)
{
    (void)arg;
    struct pair p = {.door = {.first = {A3M_REFUSE, A3M_REFUSE}}};
    uint8_t byte;
    make_pair(&p);
    assert_int_equal(a3m_socket_set_accept(p.rep, NULL, NULL), A3M_OK);
    a3m_link link = ask(&p);
    assert_int_equal(a3m_link_wait(link, SOON), A3M_OK);
    assert_int_equal(a3m_link_metadata(link, &byte, 1), 0);
    assert_int_equal(p.door.asked, 0);
    end_pair(&p);
}

/* What a hook may call, and what it may not, as it would wait for the turn that the hook is in. */
struct calls {
    a3m_node node;
    a3m_socket rep;
    int waits[6], goes[4];
};

static void call_much(void *arg, const a3m_link_request *request, a3m_link_answer *answer)
{
    struct calls *calls = arg;
    a3m_node_stats stats = {.size = sizeof(stats)};
    a3m_poll_item item = {.what = a3m_pollable_socket(calls->rep), .events = A3M_POLL_IN};
    a3m_link own = {0};
    a3m_msg *msg;
    (void)request;
    calls->waits[0] = a3m_node_get_stats(calls->node, &stats);
    calls->waits[1] = a3m_node_set_peer(calls->node, "other", "udp://127.0.0.1:9");
    calls->waits[2] = a3m_node_close(calls->node, A3M_FOREVER, NULL);
    calls->waits[3] = a3m_recv(calls->rep, &msg);
    calls->waits[4] = a3m_poll(&item, 1, A3M_FOREVER);
    calls->goes[0] = a3m_socket_link(calls->rep, "udp://127.0.0.1:9/other", &own);
    calls->waits[5] = a3m_link_abort(own, NULL);
    calls->goes[1] = a3m_link_end(own);
    calls->goes[2] = a3m_socket_links(calls->rep, NULL, 0) >= 0 ? 0 : -1;
    calls->goes[3] = a3m_try_recv(calls->rep, &msg) == A3M_EAGAIN ? 0 : -1;
    answer->accept = A3M_ACCEPT;
}

static void test_hook_that_calls_what_waits_is_told_and_hangs_nobody(void **arg)
{
    (void)arg;
    struct pair p = {0};
    make_pair(&p);
    struct calls calls = {.node = p.server, .rep = p.rep};
    assert_int_equal(a3m_socket_set_accept(p.rep, call_much, &calls), A3M_OK);
    assert_int_equal(a3m_link_wait(ask(&p), SOON), A3M_OK);
    for (size_t i = 0; i < sizeof(calls.waits) / sizeof(calls.waits[0]); i++) {
        assert_int_equal(calls.waits[i], A3M_EDEADLK);
    }
    for (size_t i = 0; i < sizeof(calls.goes) / sizeof(calls.goes[0]); i++) {
        assert_int_equal(calls.goes[i], A3M_OK);
    }
    assert_true(test_stats(p.server).links_now >= 1); /* outside it works */
    end_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted_both_ends_have_the_metadata_of_the_other),
        cmocka_unit_test(test_refused_for_now_is_asked_again_and_says_why),
        cmocka_unit_test(test_refused_for_good_ends_with_the_text),
        cmocka_unit_test(test_order_of_checks_the_hook_is_after_final_and_before_temporary_ones),
        cmocka_unit_test(test_limit_counts_links_that_this_end_asks_for),
        cmocka_unit_test(test_too_much_metadata_is_an_error_at_either_end),
        cmocka_unit_test(test_hook_that_calls_what_waits_is_told_and_hangs_nobody),
        cmocka_unit_test(test_hook_taken_away_nobody_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
