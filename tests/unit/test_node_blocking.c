/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every call that blocks, and everything that ends it: one table. Each says with a code of its own that there is
 * no link, that the link ended, that the socket or the node closed, that the deadline passed, that it would wait
 * for its own thread. covers L8 L9 L14 F9 F10 N8
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <a3m/socket_type.h>

#include <cmocka.h>

#include "caller.h"
#include "node/node.h"
#include "node_fixture.h"
#include "runtime/reader_parts.h"

/* The socket of the calls, with two links to sockets of another node; what it sends there nobody takes. */
struct scene {
    a3m_node node, peer;
    a3m_socket socket, peers[2];
    a3m_link links[2];
    a3m_time deadline;
};

/* ---- The calls ----------------------------------------------------------------------------- */

static int give(a3m_msg *msg, int result)
{
    if (result < 0) {
        a3m_msg_free(msg);
    }
    return result;
}

static int got(a3m_msg *msg, int result)
{
    if (result >= 0) {
        a3m_msg_free(msg);
    }
    return result;
}

static int call_send(const struct scene *scene)
{
    a3m_msg *msg = a3m_msg_new(1);
    return give(msg, a3m_send_until(scene->socket, msg, scene->deadline));
}

static int call_send_many(const struct scene *scene)
{
    a3m_msg *msg = a3m_msg_new(1);
    return give(msg, a3m_send_many(scene->socket, &msg, 1, scene->deadline));
}

static int call_send_bytes(const struct scene *scene)
{
    return a3m_send_bytes(scene->socket, "x", 1, scene->deadline);
}

static int call_send_or_none(const struct scene *scene)
{
    a3m_msg *msg = a3m_msg_new(1);
    return give(msg, a3m_send_or_none(scene->socket, msg, scene->deadline));
}

static int call_link_send(const struct scene *scene)
{
    a3m_msg *msg = a3m_msg_new(1);
    return give(msg, a3m_link_send(scene->links[0], msg, scene->deadline));
}

static int call_reserve(const struct scene *scene)
{
    a3m_credit credit;
    return a3m_socket_reserve(scene->socket, 1, &credit, NULL, scene->deadline);
}

static int call_reserve_or_none(const struct scene *scene)
{
    a3m_credit credit;
    return a3m_socket_reserve_or_none(scene->socket, 1, &credit, NULL, scene->deadline);
}

static int call_link_reserve(const struct scene *scene)
{
    a3m_credit credit;
    return a3m_link_reserve(scene->links[0], 1, &credit, scene->deadline);
}

static int call_recv(const struct scene *scene)
{
    a3m_msg *msg = NULL;
    int result = a3m_recv_until(scene->socket, &msg, scene->deadline);
    return got(msg, result);
}

static int call_recv_many(const struct scene *scene)
{
    a3m_msg *msg = NULL;
    int result = a3m_recv_many(scene->socket, &msg, 1, scene->deadline);
    return got(msg, result);
}

static int call_recv_or_none(const struct scene *scene)
{
    a3m_msg *msg = NULL;
    int result = a3m_recv_or_none(scene->socket, &msg, scene->deadline);
    return got(msg, result);
}

static int call_link_recv(const struct scene *scene)
{
    a3m_msg *msg = NULL;
    int result = a3m_link_recv(scene->links[0], &msg, scene->deadline);
    return got(msg, result);
}

static int call_wait_links(const struct scene *scene)
{
    return a3m_socket_wait_links(scene->socket, 3, scene->deadline);
}

static int call_wait_links_or_none(const struct scene *scene)
{
    return a3m_socket_wait_links_or_none(scene->socket, 2, scene->deadline);
}

static int call_wait_link(const struct scene *scene)
{
    return a3m_socket_wait_link(scene->socket, NULL, scene->deadline);
}

static int call_wait_link_or_none(const struct scene *scene)
{
    return a3m_socket_wait_link_or_none(scene->socket, NULL, scene->deadline);
}

static int call_link_wait(const struct scene *scene)
{
    return a3m_link_wait(scene->links[0], scene->deadline);
}

static int call_request(const struct scene *scene)
{
    a3m_msg *reply;
    bool sent;
    a3m_msg *msg = a3m_msg_new(1);
    int result = a3m_request_reply(scene->socket, msg, &reply, scene->deadline, &sent);
    if (!sent) {
        a3m_msg_free(msg);
    }
    return result;
}

static int call_request_send(const struct scene *scene)
{
    a3m_request request;
    a3m_msg *msg = a3m_msg_new(1);
    return give(msg, a3m_request_send(scene->socket, msg, &request, scene->deadline));
}

/* ---- The table ------------------------------------------------------------------------------- */

enum setting {
    SENDS, /* links without credit */
    RECEIVES,
    COMES, /* links that are asked for and do not come up */
    ASKS,  /* links of a REQ without credit */
};

/* What happens while the call waits. */
enum happening {
    NOTHING, /* until its deadline */
    LINK_ENDS,
    ALL_END,
    SOCKET_CLOSES,
    NODE_CLOSES,
    OWN_THREAD, /* it is called where it would wait for itself */
    NO_LINK,    /* there is none from the start */
    HAPPENINGS
};

/* Goes on waiting. */
#define STAYS 1

static const struct row {
    const char *name;
    int (*call)(const struct scene *scene);
    enum setting setting;
    int link_ends, all_end, no_link;
} rows[] = {
    {"a3m_send_until", call_send, SENDS, STAYS, STAYS, STAYS},
    {"a3m_send_many", call_send_many, SENDS, STAYS, STAYS, STAYS},
    {"a3m_send_bytes", call_send_bytes, SENDS, STAYS, STAYS, STAYS},
    {"a3m_send_or_none", call_send_or_none, SENDS, STAYS, A3M_ENOLINK, A3M_ENOLINK},
    {"a3m_link_send", call_link_send, SENDS, A3M_ELINKDOWN, A3M_ELINKDOWN, A3M_EHANDLE},
    {"a3m_socket_reserve", call_reserve, SENDS, STAYS, STAYS, STAYS},
    {"a3m_socket_reserve_or_none", call_reserve_or_none, SENDS, STAYS, A3M_ENOLINK, A3M_ENOLINK},
    {"a3m_link_reserve", call_link_reserve, SENDS, A3M_ELINKDOWN, A3M_ELINKDOWN, A3M_EHANDLE},
    {"a3m_recv_until", call_recv, RECEIVES, STAYS, STAYS, STAYS},
    {"a3m_recv_many", call_recv_many, RECEIVES, STAYS, STAYS, STAYS},
    {"a3m_recv_or_none", call_recv_or_none, RECEIVES, STAYS, A3M_ENOLINK, A3M_ENOLINK},
    {"a3m_link_recv", call_link_recv, RECEIVES, A3M_ELINKDOWN, A3M_ELINKDOWN, A3M_EHANDLE},
    {"a3m_socket_wait_links", call_wait_links, SENDS, STAYS, STAYS, STAYS},
    {"a3m_socket_wait_links_or_none", call_wait_links_or_none, COMES, A3M_ENOLINK, A3M_ENOLINK, A3M_ENOLINK},
    {"a3m_socket_wait_link", call_wait_link, COMES, STAYS, STAYS, STAYS},
    {"a3m_socket_wait_link_or_none", call_wait_link_or_none, COMES, STAYS, A3M_ENOLINK, A3M_ENOLINK},
    {"a3m_link_wait", call_link_wait, COMES, A3M_ECANCELED, A3M_ECANCELED, A3M_EHANDLE},
    {"a3m_request_reply", call_request, ASKS, STAYS, STAYS, STAYS},
    {"a3m_request_send", call_request_send, ASKS, STAYS, STAYS, STAYS},
};

static const char *const happening_names[HAPPENINGS] = {
    "deadline", "link ends", "all links end", "socket closes", "node closes", "own thread", "no link"};

static int expected(const struct row *row, enum happening what)
{
    switch (what) {
    case NOTHING: return A3M_ETIMEDOUT;
    case LINK_ENDS: return row->link_ends;
    case ALL_END: return row->all_end;
    case OWN_THREAD: return A3M_EDEADLK;
    case NO_LINK: return row->no_link;
    default: return A3M_ECLOSED;
    }
}

/* ---- Scenes ----------------------------------------------------------------------------------- */

static void use_up_credit(const struct scene *scene, enum setting setting)
{
    for (int i = 0; i < 2; i++) {
        a3m_request request;
        int result = setting == ASKS ? a3m_request_send(scene->socket, test_msg("x"), &request, SOON)
                                     : a3m_link_send(scene->links[i], test_msg("x"), SOON);
        assert_int_equal(result, A3M_OK);
    }
}

static void open_scene(struct scene *scene, enum setting setting, bool linked)
{
    static const a3m_socket_type *const types[][2] = {
        [SENDS] = {&a3m_push, &a3m_pull},
        [RECEIVES] = {&a3m_pull, &a3m_push},
        [COMES] = {&a3m_push, &a3m_pull},
        [ASKS] = {&a3m_req, &a3m_rep},
    };
    static const char *const tags[] = {"a", "b"};
    *scene = (struct scene){.node = test_node("node"), .peer = test_node("peer"), .deadline = SOON};
    scene->socket = test_socket(scene->node, types[setting][0], NULL);
    for (int i = 0; i < 2 && linked; i++) {
        if (setting == COMES) {
            assert_int_equal(a3m_socket_link(scene->socket, test_url(scene->peer, tags[i]), &scene->links[i]),
                             A3M_OK);
            continue;
        }
        scene->peers[i] = test_socket(scene->peer, types[setting][1], tags[i]);
        assert_int_equal(a3m_socket_set(scene->peers[i], A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
        scene->links[i] = test_link(scene->socket, test_url(scene->peer, tags[i]));
    }
    if (linked && (setting == SENDS || setting == ASKS)) {
        use_up_credit(scene, setting);
    }
}

static void close_scene(struct scene *scene)
{
    (void)a3m_node_close(scene->node, SOON, NULL);
    (void)a3m_node_close(scene->peer, SOON, NULL);
}

static void happen(struct scene *scene, enum setting setting, enum happening what)
{
    switch (what) {
    case LINK_ENDS:
    case ALL_END:
        for (int i = 0; i < (what == ALL_END ? 2 : 1); i++) {
            if (setting == COMES || setting == ASKS) {
                assert_int_equal(a3m_link_end(scene->links[i]), A3M_OK);
            } else {
                assert_int_equal(a3m_socket_close(scene->peers[i]), A3M_OK);
            }
        }
        break;
    case SOCKET_CLOSES: assert_int_equal(a3m_socket_close(scene->socket), A3M_OK); break;
    case NODE_CLOSES: (void)a3m_node_close(scene->node, SOON, NULL); break;
    default: break;
    }
}

struct run {
    const struct row *row;
    struct scene scene;
    struct caller caller;
};

static int run_main(void *arg)
{
    struct run *run = arg;
    return run->row->call(&run->scene);
}

/* As if this thread were the one that reads. */
static int call_on_own_thread(struct run *run)
{
    void *obj;
    assert_int_equal(a3mi_registry_get(run->scene.node.v, A3MI_KIND_NODE, &obj), A3M_OK);
    struct a3mi_node *node = obj;
    uintptr_t before = atomic_exchange(&node->reader->thread_id, (uintptr_t)pthread_self());
    int result = run->row->call(&run->scene);
    atomic_store(&node->reader->thread_id, before);
    a3mi_registry_put(run->scene.node.v);
    return result;
}

/* Ends the wait of a call that went on. */
static int end_wait(struct run *run, enum happening what)
{
    caller_await_sleep(&run->caller);
    assert_false(caller_returned(&run->caller));
    assert_int_equal(a3m_socket_close(run->scene.socket), A3M_OK);
    int result = caller_join(&run->caller);
    if (result != A3M_ECLOSED) {
        fail_msg("%s, %s, then closed: %s", run->row->name, happening_names[what], a3m_strerror(result));
    }
    return STAYS;
}

static void run_one(const struct row *row, enum happening what)
{
    struct run run = {.row = row};
    int result;
    int want = expected(row, what);
    open_scene(&run.scene, row->setting, what != NO_LINK);
    if (what == OWN_THREAD) {
        result = call_on_own_thread(&run);
    } else if (what == NOTHING || (what == NO_LINK && want != STAYS)) {
        run.scene.deadline = what == NOTHING ? a3m_in(a3m_ms(5)) : SOON;
        result = row->call(&run.scene);
    } else {
        caller_start(&run.caller, run_main, &run);
        caller_await_sleep(&run.caller);
        happen(&run.scene, row->setting, what);
        result = want == STAYS ? end_wait(&run, what) : caller_join(&run.caller);
    }
    if (result != want) {
        fail_msg("%s, %s: %s (%d)", row->name, happening_names[what], a3m_strerror(result), result);
    }
    close_scene(&run.scene);
}

static void test_blocked_calls_each_end_with_its_own_code(void **arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (enum happening what = NOTHING; what < HAPPENINGS; what++) {
            run_one(&rows[i], what);
        }
    }
}

/* ---- The same without waiting ------------------------------------------------------------------- */

static void test_try_forms_say_what_they_would_wait_for(void **arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static const int codes[] = {[SENDS] = A3M_ENOCREDIT,
                                    [RECEIVES] = A3M_EAGAIN,
                                    [COMES] = A3M_ETIMEDOUT,
                                    [ASKS] = A3M_ENOCREDIT};
        struct scene scene;
        open_scene(&scene, rows[i].setting, true);
        scene.deadline = A3M_NOW;
        int want = rows[i].call == call_wait_links ? A3M_ETIMEDOUT : codes[rows[i].setting];
        int result = rows[i].call(&scene);
        if (result != want) {
            fail_msg("%s: %s", rows[i].name, a3m_strerror(result));
        }
        close_scene(&scene);
    }
}

/* ---- Links that are not up, used directly -------------------------------------------------------- */

/* The handle that is received by stands for another link when both ends asked. */
static void test_link_recv_on_a_link_that_becomes_another(void **arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        struct run run = {.row = &rows[11]};
        struct scene *scene = &run.scene;
        *scene = (struct scene){
            .node = test_node("node"), .peer = test_node_idle("peer", "udp://127.0.0.1:0"), .deadline = SOON};
        scene->socket = test_socket(scene->node, &a3m_pull, "sink");
        scene->peers[0] = test_socket(scene->peer, &a3m_push, "source");
        assert_int_equal(a3m_socket_set(scene->socket, A3M_OPT_LINK_RETRY_MIN, a3m_ms(5).ns), A3M_OK);
        assert_int_equal(a3m_socket_link(scene->socket, test_url(scene->peer, "source"), &scene->links[0]),
                         A3M_OK);
        caller_start(&run.caller, run_main, &run);
        caller_await_sleep(&run.caller);
        assert_int_equal(a3m_socket_link(scene->peers[0], test_url(scene->node, "sink"), NULL), A3M_OK);
        assert_int_equal(a3m_node_start(scene->peer), A3M_OK);
        assert_int_equal(a3m_send_bytes(scene->peers[0], "x", 1, SOON), A3M_OK);
        assert_int_equal(caller_join(&run.caller), A3M_OK);
        close_scene(scene);
    }
}

/* What came by a link that ended is received first. */
static void test_link_recv_after_the_end_gives_what_came_before(void **arg)
{
    (void)arg;
    struct scene scene;
    a3m_msg *msg = NULL;
    open_scene(&scene, RECEIVES, true);
    a3m_socket_set(scene.socket, A3M_OPT_CREDIT_MESSAGES, 10);
    assert_int_equal(a3m_send_bytes(scene.peers[0], "one", 3, SOON), A3M_OK);
    assert_int_equal(a3m_send_bytes(scene.peers[0], "two", 3, SOON), A3M_OK);
    assert_int_equal(a3m_send_bytes(scene.peers[1], "other", 5, SOON), A3M_OK);
    assert_int_equal(a3m_socket_close(scene.peers[0]), A3M_OK);
    assert_int_equal(a3m_link_recv(scene.links[0], &msg, SOON), A3M_OK);
    test_msg_is(msg, "one");
    assert_int_equal(a3m_link_recv(scene.links[0], &msg, SOON), A3M_OK);
    test_msg_is(msg, "two");
    assert_int_equal(a3m_link_recv(scene.links[0], &msg, SOON), A3M_ELINKDOWN);
    assert_int_equal(a3m_link_recv(scene.links[1], &msg, SOON), A3M_OK);
    test_msg_is(msg, "other");
    close_scene(&scene);
}

static void test_types_that_do_not_offer_it_say_so(void **arg)
{
    (void)arg;
    a3m_node node = test_node("node");
    a3m_socket push = test_socket(node, &a3m_push, "push");
    a3m_socket pull = test_socket(node, &a3m_pull, "pull");
    a3m_link link = test_link(push, "node/pull");
    a3m_link back;
    a3m_msg *msg = test_msg("x");
    assert_int_equal(a3m_socket_wait_link(pull, &back, SOON), A3M_OK);
    assert_int_equal(a3m_link_recv(link, &msg, A3M_NOW), A3M_ENOTSUP);
    assert_int_equal(a3m_link_send(back, msg, A3M_NOW), A3M_ENOTSUP);
    assert_int_equal(a3m_recv_or_none(push, &msg, A3M_NOW), A3M_ENOTSUP);
    assert_int_equal(a3m_send_or_none(pull, msg, A3M_NOW), A3M_ENOTSUP);
    a3m_msg_free(msg);
    test_close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocked_calls_each_end_with_its_own_code),
        cmocka_unit_test(test_try_forms_say_what_they_would_wait_for),
        cmocka_unit_test(test_link_recv_on_a_link_that_becomes_another),
        cmocka_unit_test(test_link_recv_after_the_end_gives_what_came_before),
        cmocka_unit_test(test_types_that_do_not_offer_it_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
