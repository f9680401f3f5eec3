/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every call that blocks, and everything that ends it: one table. Each says with a code of its own that there is
 * no link, that the link ended, that the socket or the node closed, that the deadline passed, that it would wait
 * for its own thread, or that its type has no such thing. docs/blocking.md has the same table: this test compares.
 * covers L8 L9 L10 L14 F9 F10 N8 P7 P9
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <a3m/socket_type.h>

#include <cmocka.h>

#include <a3m/receipt.h>
#include <a3m/socket_event.h>

#include "blocking_calls.h"
#include "caller.h"
#include "node_turns.h"

/* ---- The table ------------------------------------------------------------------------------- */

enum setting {
    SENDS, /* links without credit */
    RECEIVES,
    COMES,   /* links that are asked for and do not come up */
    ASKS,    /* links of a REQ without credit */
    AWAITS,  /* of a REQ: a request is not answered */
    REPLIES, /* links of a REP to REQs that gave it credit for one reply, which do not take it */
    DRAINS,  /* what was sent is not acknowledged */
    EVENTS,  /* all that were there have been read */
};

/* What happens while the call waits. */
enum happening {
    TRIED,   /* nothing: it does not wait, its deadline is A3M_NOW */
    NOTHING, /* until its deadline */
    LINK_ENDS,
    ALL_END,
    SOCKET_CLOSES,
    NODE_CLOSES,
    OWN_THREAD,  /* it is called where it would wait for itself */
    NO_LINK,     /* there is none from the start */
    TYPE_CANNOT, /* it is called on a socket of the opposite type */
    HAPPENINGS
};

static const char *const happening_names[HAPPENINGS] = {"tried",         "deadline",      "link ends",
                                                        "all links end", "socket closes", "node closes",
                                                        "own thread",    "no link",       "type cannot"};

enum { STAYS = 1, /* goes on waiting */ NOT_ASKED = 3 /* makes no sense */ };

#define STAY  STAYS
#define HUP   HUNG_UP
#define NONE  NOT_ASKED
#define OK    A3M_OK
#define CRED  A3M_ENOCREDIT
#define AGAIN A3M_EAGAIN
#define TIME  A3M_ETIMEDOUT
#define NOLNK A3M_ENOLINK
#define DOWN  A3M_ELINKDOWN
#define CLOSD A3M_ECLOSED
#define CANC  A3M_ECANCELED
#define DEAD  A3M_EDEADLK
#define HNDL  A3M_EHANDLE
#define NOSUP A3M_ENOTSUP

/* clang-format off */
static const struct row {
    const char *name;
    int (*call)(const struct scene *scene);
    enum setting setting;
    int codes[HAPPENINGS];
} rows[] = {
    /*                                                                 tried  deadl. link   all    socket node   own    no     type */
    {"a3m_send_until", call_send, SENDS,                               {CRED,  TIME,  STAY,  STAY,  CLOSD, CLOSD, DEAD,  STAY,  NOSUP}},
    {"a3m_send_many", call_send_many, SENDS,                           {CRED,  TIME,  STAY,  STAY,  CLOSD, CLOSD, DEAD,  STAY,  NOSUP}},
    {"a3m_send_bytes", call_send_bytes, SENDS,                         {CRED,  TIME,  STAY,  STAY,  CLOSD, CLOSD, DEAD,  STAY,  NOSUP}},
    {"a3m_send_or_none", call_send_or_none, SENDS,                     {CRED,  TIME,  STAY,  NOLNK, CLOSD, CLOSD, DEAD,  NOLNK, NOSUP}},
    {"a3m_link_send", call_link_send, SENDS,                           {CRED,  TIME,  DOWN,  DOWN,  CLOSD, CLOSD, DEAD,  HNDL,  NOSUP}},
    {"a3m_socket_reserve", call_reserve, SENDS,                        {CRED,  TIME,  STAY,  STAY,  CLOSD, CLOSD, DEAD,  STAY,  NOSUP}},
    {"a3m_socket_reserve_or_none", call_reserve_or_none, SENDS,        {CRED,  TIME,  STAY,  NOLNK, CLOSD, CLOSD, DEAD,  NOLNK, NOSUP}},
    {"a3m_link_reserve", call_link_reserve, SENDS,                     {CRED,  TIME,  DOWN,  DOWN,  CLOSD, CLOSD, DEAD,  HNDL,  NOSUP}},
    {"a3m_recv_until", call_recv, RECEIVES,                            {AGAIN, TIME,  STAY,  STAY,  CLOSD, CLOSD, DEAD,  STAY,  NOSUP}},
    {"a3m_recv_many", call_recv_many, RECEIVES,                        {AGAIN, TIME,  STAY,  STAY,  CLOSD, CLOSD, DEAD,  STAY,  NOSUP}},
    {"a3m_recv_or_none", call_recv_or_none, RECEIVES,                  {AGAIN, TIME,  STAY,  NOLNK, CLOSD, CLOSD, DEAD,  NOLNK, NOSUP}},
    {"a3m_link_recv", call_link_recv, RECEIVES,                        {AGAIN, TIME,  DOWN,  DOWN,  CLOSD, CLOSD, DEAD,  HNDL,  NOSUP}},
    {"a3m_socket_wait_links", call_wait_links, SENDS,                  {TIME,  TIME,  STAY,  STAY,  CLOSD, CLOSD, DEAD,  STAY,  NONE}},
    {"a3m_socket_wait_links_or_none", call_wait_links_or_none, COMES,  {TIME,  TIME,  NOLNK, NOLNK, CLOSD, CLOSD, DEAD,  NOLNK, NONE}},
    {"a3m_socket_wait_link", call_wait_link, COMES,                    {TIME,  TIME,  STAY,  STAY,  CLOSD, CLOSD, DEAD,  STAY,  NONE}},
    {"a3m_socket_wait_link_or_none", call_wait_link_or_none, COMES,    {TIME,  TIME,  STAY,  NOLNK, CLOSD, CLOSD, DEAD,  NOLNK, NONE}},
    {"a3m_link_wait", call_link_wait, COMES,                           {TIME,  TIME,  CANC,  CANC,  CLOSD, CLOSD, DEAD,  HNDL,  NONE}},
    {"a3m_request_reply", call_request, ASKS,                          {CRED,  TIME,  STAY,  STAY,  CLOSD, CLOSD, DEAD,  STAY,  NOSUP}},
    {"a3m_request_send", call_request_send, ASKS,                      {CRED,  TIME,  STAY,  STAY,  CLOSD, CLOSD, DEAD,  STAY,  NOSUP}},
    {"a3m_request_wait", call_request_wait, AWAITS,                    {TIME,  TIME,  CANC,  CANC,  CLOSD, CLOSD, DEAD,  NONE,  NOSUP}},
    {"a3m_reply", call_reply, REPLIES,                                 {CRED,  TIME,  DOWN,  DOWN,  CLOSD, CLOSD, DEAD,  NONE,  NOSUP}},
    {"a3m_socket_next_event", call_next_event, EVENTS,                 {AGAIN, TIME,  OK,    OK,    CLOSD, CLOSD, DEAD,  STAY,  NONE}},
    {"a3m_socket_drain", call_drain, DRAINS,                           {TIME,  TIME,  CANC,  CANC,  CLOSD, CLOSD, DEAD,  OK,    NONE}},
    {"a3m_node_close", call_node_close, DRAINS,                        {TIME,  TIME,  NONE,  NONE,  NONE,  NONE,  DEAD,  OK,    NONE}},
    {"a3m_poll, of a socket", call_poll, RECEIVES,                     {TIME,  TIME,  STAY,  STAY,  HUP,   HUP,   DEAD,  STAY,  NONE}},
    {"a3m_poll, of a link", call_poll_link, RECEIVES,                  {TIME,  TIME,  HUP,   HUP,   HUP,   HUP,   DEAD,  HNDL,  NONE}},
    {"a3m_poller_wait, of a socket", call_poller_wait, RECEIVES,       {TIME,  TIME,  STAY,  STAY,  HUP,   HUP,   DEAD,  STAY,  NONE}},
    {"a3m_poller_wait, of a link", call_poller_wait_link, RECEIVES,    {TIME,  TIME,  HUP,   HUP,   HUP,   HUP,   DEAD,  HNDL,  NONE}},
};
/* clang-format on */

/* ---- Scenes ----------------------------------------------------------------------------------- */

/* One message for the credit of each link. */
static void use_up_credit(const struct scene *scene, enum setting setting)
{
    for (int i = 0; i < 2; i++) {
        a3m_request request;
        int result = setting == ASKS ? a3m_request_send(scene->socket, test_msg("x"), &request, SOON)
                                     : a3m_link_send(scene->links[i], test_msg("x"), SOON);
        assert_int_equal(result, A3M_OK);
    }
}

/* Each asks twice, and is answered once. */
static void answer_some(struct scene *scene)
{
    bool answered[2] = {false, false};
    for (int i = 0; i < 4; i++) {
        a3m_request request;
        assert_int_equal(a3m_request_send(scene->peers[i / 2], test_msg("x"), &request, SOON), A3M_OK);
    }
    for (int i = 0; i < 4; i++) {
        a3m_msg *asked;
        assert_int_equal(a3m_recv_until(scene->socket, &asked, SOON), A3M_OK);
        int by = a3m_msg_link(asked).v == scene->links[1].v;
        if (!answered[by]) {
            answered[by] = true;
            assert_int_equal(a3m_reply(scene->socket, asked, test_msg("x"), SOON), A3M_OK);
        } else if (by == 0) {
            scene->asked = asked;
            continue;
        }
        a3m_msg_free(asked);
    }
}

static const a3m_socket_type *const types[][2] = {
    [SENDS] = {&a3m_push, &a3m_pull},  [RECEIVES] = {&a3m_pull, &a3m_push}, [COMES] = {&a3m_push, &a3m_pull},
    [ASKS] = {&a3m_req, &a3m_rep},     [AWAITS] = {&a3m_req, &a3m_rep},     [REPLIES] = {&a3m_rep, &a3m_req},
    [DRAINS] = {&a3m_push, &a3m_pull}, [EVENTS] = {&a3m_pull, &a3m_push}};

/* Of a node that is not started: this test runs its turns, until the link is up, and then no more. */
static a3m_link link_to_idle(const struct scene *scene, const char *url)
{
    a3m_link link;
    assert_int_equal(a3m_socket_link(scene->socket, url, &link), A3M_OK);
    while (a3m_link_wait(link, a3m_in(a3m_ms(1))) != A3M_OK) {
        (void)node_turn_all(node_inside(scene->peer), a3m_now().ns);
    }
    return link;
}

static void open_links(struct scene *scene, enum setting setting, const a3m_socket_type *peer_type)
{
    static const char *const tags[] = {"a", "b"};
    static const char *const idle[] = {"inproc://blocking-peer/a", "inproc://blocking-peer/b"};
    for (int i = 0; i < 2; i++) {
        if (setting == COMES) {
            assert_int_equal(a3m_socket_link(scene->socket, test_url(scene->peer, tags[i]), &scene->links[i]),
                             A3M_OK);
            continue;
        }
        scene->peers[i] = test_socket(scene->peer, peer_type, tags[i]);
        assert_int_equal(a3m_socket_set(scene->peers[i], A3M_OPT_CREDIT_MESSAGES, 1), A3M_OK);
        scene->links[i] = setting == DRAINS ? link_to_idle(scene, idle[i])
                                            : test_link(scene->socket, test_url(scene->peer, tags[i]));
    }
}

static void prepare(struct scene *scene, enum setting setting)
{
    a3m_socket_event event = {.size = sizeof(event)};
    switch (setting) {
    case SENDS:
    case ASKS: use_up_credit(scene, setting); break;
    case AWAITS:
        assert_int_equal(a3m_request_send(scene->socket, test_msg("x"), &scene->request, SOON), A3M_OK);
        break;
    case REPLIES: answer_some(scene); break;
    case DRAINS: assert_int_equal(a3m_link_send(scene->links[0], test_msg("x"), SOON), A3M_OK); break;
    case EVENTS:
        while (a3m_socket_next_event(scene->socket, &event, A3M_NOW) == A3M_OK) {}
        break;
    case RECEIVES:
    case COMES: break;
    }
}

static void open_scene(struct scene *scene, enum setting setting, enum happening what)
{
    bool swapped = what == TYPE_CANNOT;
    *scene = (struct scene){.deadline = SOON};
    scene->node = setting == DRAINS ? test_node_at("node", "inproc://blocking-node") : test_node("node");
    scene->peer = setting == DRAINS ? test_node_idle("peer", "inproc://blocking-peer") : test_node("peer");
    scene->socket = test_socket(scene->node, types[setting][swapped], NULL);
    assert_int_equal(a3m_socket_set(scene->socket, A3M_OPT_EVENTS, 16), A3M_OK);
    if (what != NO_LINK) {
        open_links(scene, setting, types[setting][!swapped]);
    }
    if (what != NO_LINK && !swapped) {
        prepare(scene, setting);
    }
}

static void close_scene(const struct scene *scene, enum setting setting)
{
    a3m_time deadline = setting == DRAINS ? A3M_NOW : SOON;
    (void)a3m_node_close(scene->node, deadline, NULL);
    (void)a3m_node_close(scene->peer, deadline, NULL);
    a3m_msg_free(scene->asked);
}

static void end_link(const struct scene *scene, enum setting setting, int i)
{
    switch (setting) {
    case COMES:
    case ASKS:
    case AWAITS: assert_int_equal(a3m_link_end(scene->links[i]), A3M_OK); break;
    case DRAINS: assert_int_equal(a3m_link_abort(scene->links[i], NULL), A3M_OK); break;
    case SENDS:
    case RECEIVES:
    case REPLIES:
    case EVENTS: assert_int_equal(a3m_socket_close(scene->peers[i]), A3M_OK); break;
    }
}

static void happen(struct scene *scene, enum setting setting, enum happening what)
{
    switch (what) {
    case LINK_ENDS:
    case ALL_END:
        for (int i = 0; i < (what == ALL_END ? 2 : 1); i++) {
            end_link(scene, setting, i);
        }
        break;
    case SOCKET_CLOSES: assert_int_equal(a3m_socket_close(scene->socket), A3M_OK); break;
    case NODE_CLOSES: (void)a3m_node_close(scene->node, setting == DRAINS ? A3M_NOW : SOON, NULL); break;
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

struct visit {
    struct run *run;
    int result;
    _Atomic bool over;
};

static void visit(void *arg, const a3m_receipt *receipt)
{
    struct visit *self = arg;
    (void)receipt;
    self->result = run_main(self->run);
    atomic_store(&self->over, true);
}

/* In a callback of its node, which that node's traffic waits for. */
static int call_on_own_thread(struct run *run)
{
    struct visit self = {.run = run};
    a3m_socket push = test_socket(run->scene.node, &a3m_push, NULL);
    (void)test_socket(run->scene.node, &a3m_pull, "own");
    (void)test_link(push, "node/own");
    a3m_msg *msg = test_msg("x");
    assert_int_equal(a3m_msg_set_receipt(msg, A3M_RECEIPT_ACCEPTED, 1, visit, &self), A3M_OK);
    assert_int_equal(a3m_send(push, msg), A3M_OK);
    a3m_time deadline = SOON;
    while (!atomic_load(&self.over) && a3m_now().ns < deadline.ns) {
        (void)sched_yield();
    }
    assert_true(self.over);
    return self.result;
}

/* Ends the wait of a call that went on. */
static int end_wait(struct run *run, enum happening what)
{
    caller_await_sleep(&run->caller);
    assert_false(caller_returned(&run->caller));
    assert_int_equal(a3m_socket_close(run->scene.socket), A3M_OK);
    int result = caller_join(&run->caller);
    if (result != run->row->codes[SOCKET_CLOSES]) {
        fail_msg("%s, %s, then closed: %s", run->row->name, happening_names[what], a3m_strerror(result));
    }
    return STAYS;
}

static void run_one(const struct row *row, enum happening what)
{
    struct run run = {.row = row};
    int result;
    int want = row->codes[what];
    if (want == NOT_ASKED) {
        return;
    }
    open_scene(&run.scene, row->setting, what);
    if (what == OWN_THREAD) {
        result = call_on_own_thread(&run);
    } else if (what == TRIED || what == NOTHING || what == TYPE_CANNOT ||
               (what == NO_LINK && want != STAYS)) {
        run.scene.deadline = what == TRIED ? A3M_NOW : what == NOTHING ? a3m_in(a3m_ms(5)) : SOON;
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
    close_scene(&run.scene, row->setting);
}

static void test_blocked_calls_each_end_with_its_own_code(void **arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (enum happening what = TRIED; what < HAPPENINGS; what++) {
            run_one(&rows[i], what);
        }
    }
}

/* ---- The table as people read it ------------------------------------------------------------------ */

static const char *code_name(int code)
{
    static const struct {
        int code;
        const char *name;
    } names[] = {{STAYS, "waits on"},
                 {HUNG_UP, "HUP"},
                 {NOT_ASKED, "–"},
                 {A3M_OK, "0"},
                 {A3M_ENOCREDIT, "ENOCREDIT"},
                 {A3M_EAGAIN, "EAGAIN"},
                 {A3M_ETIMEDOUT, "ETIMEDOUT"},
                 {A3M_ENOLINK, "ENOLINK"},
                 {A3M_ELINKDOWN, "ELINKDOWN"},
                 {A3M_ECLOSED, "ECLOSED"},
                 {A3M_ECANCELED, "ECANCELED"},
                 {A3M_EDEADLK, "EDEADLK"},
                 {A3M_EHANDLE, "EHANDLE"},
                 {A3M_ENOTSUP, "ENOTSUP"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].code == code) {
            return names[i].name;
        }
    }
    return "?";
}

/* Each row is a line of docs/blocking.md; printed, so that the page can be made from it. */
static void test_the_page_has_the_same_table(void **arg)
{
    (void)arg;
    static char page[65536];
    char path[4096], line[512];
    (void)snprintf(path, sizeof(path), "%.*s/../../docs/blocking.md",
                   (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
    (void)fclose(file);
    bool same = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int n = snprintf(line, sizeof(line), "| `%s` |", rows[i].name);
        for (enum happening what = TRIED; what < HAPPENINGS; what++) {
            n += snprintf(line + n, sizeof(line) - (size_t)n, " %s |", code_name(rows[i].codes[what]));
        }
        (void)printf("%s\n", line);
        same &= strstr(page, line) != NULL;
    }
    assert_true(same);
}

/* ---- Links that are not up, used directly -------------------------------------------------------- */

static const struct row link_recv_row = {.call = call_link_recv};

/* The handle that is received by stands for another link when both ends asked. */
static void test_link_recv_on_a_link_that_becomes_another(void **arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        struct run run = {.row = &link_recv_row};
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
        close_scene(scene, RECEIVES);
    }
}

/* What came by a link that ended is received first. */
static void test_link_recv_after_the_end_gives_what_came_before(void **arg)
{
    (void)arg;
    struct scene scene;
    a3m_msg *msg = NULL;
    open_scene(&scene, RECEIVES, NOTHING);
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
    close_scene(&scene, RECEIVES);
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
        cmocka_unit_test(test_the_page_has_the_same_table),
        cmocka_unit_test(test_link_recv_on_a_link_that_becomes_another),
        cmocka_unit_test(test_link_recv_after_the_end_gives_what_came_before),
        cmocka_unit_test(test_types_that_do_not_offer_it_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
