/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that do anything to sockets of all types on three nodes, at random, until the nodes close under them: each
 * call returns, with a code that it may return, and nothing arrives twice. A3M_SEED chooses another run, A3M_LONG
 * more of them. covers N5 N8 L1 F10 S1 S2 S6 S7 X1 X3
 */
#include <stdatomic.h>
#include <string.h>

#include "actor.h"
#include "base/list.h"
#include "ledger.h"
#include "crash.h"
#include "node_fixture.h"
#include "threads.h"
#include "unit/test_base_random.h"
#include "verdict.h"

enum { NODES = 3, SOCKETS = 12, LINKS = 24, PENDINGS = 16, ACTORS = 6, ACTIONS = 1500, BUNDLE = 5 };

/* In a head's member: this is the reply to that message. */
#define REPLY (UINT32_C(1) << 31)

/* Handles that the actors share; 0: none. Stale ones are part of the game. */
struct arena {
    a3m_node nodes[NODES];
    char addresses[NODES][128];
    _Atomic uint64_t sockets[SOCKETS]; /* number i is on node i % NODES, with the tag s<i> */
    _Atomic uint64_t links[LINKS];
    _Atomic uint64_t pendings[PENDINGS], asked_on[PENDINGS];
    struct ledger messages, replies;
};

struct member {
    struct actor actor;
    struct arena *arena;
    uint32_t number, actions, messages;
};

static struct arena *arena_of(struct actor *self)
{
    return a3mi_container_of(self, struct member, actor)->arena;
}

static a3m_time soon_or_now(struct actor *self)
{
    return actor_draw(self, 3) == 0 ? A3M_NOW : a3m_in(a3m_us(actor_draw(self, 1500)));
}

static a3m_socket any_socket(struct actor *self)
{
    return (a3m_socket){atomic_load(&arena_of(self)->sockets[actor_draw(self, SOCKETS)])};
}

static a3m_link any_link(struct actor *self)
{
    return (a3m_link){atomic_load(&arena_of(self)->links[actor_draw(self, LINKS)])};
}

/* NULL when the ledger has no room for another. */
static a3m_msg *any_message(struct actor *self, uint32_t padding)
{
    struct member *member = a3mi_container_of(self, struct member, actor);
    struct head head = {member->number, member->messages};
    uint8_t bytes[2048] = {0};
    if (head.number >= arena_of(self)->messages.numbers) {
        return NULL;
    }
    member->messages++;
    memcpy(bytes, &head, sizeof(head));
    return a3m_msg_copy(bytes, sizeof(head) + padding);
}

/* The head again, with a mark. */
static a3m_msg *reply_to(const a3m_msg *request)
{
    struct head head;
    memcpy(&head, a3m_msg_data(request), sizeof(head));
    head.member |= REPLY;
    return a3m_msg_copy(&head, sizeof(head));
}

/* Notes a message, whatever it is, and frees it. */
static void take(struct actor *self, a3m_msg *msg)
{
    struct head head;
    if (CHECK(a3m_msg_size(msg) >= sizeof(head))) {
        memcpy(&head, a3m_msg_data(msg), sizeof(head));
        bool is_reply = (head.member & REPLY) != 0;
        head.member &= ~REPLY;
        ledger_note(is_reply ? &arena_of(self)->replies : &arena_of(self)->messages, head);
    }
    a3m_msg_free(msg);
}

static int act_open(struct actor *self)
{
    static const a3m_socket_type *const types[] = {&a3m_req, &a3m_rep, &a3m_push, &a3m_pull};
    uint32_t slot = actor_draw(self, SOCKETS);
    char tag[8];
    a3m_socket socket;
    (void)snprintf(tag, sizeof(tag), "s%u", slot);
    /* Mostly such that a socket goes together with the next one, or the one before. */
    uint32_t type = actor_draw(self, 8) == 0 ? actor_draw(self, 4) : slot % 4;
    int result = a3m_socket_open(&socket, arena_of(self)->nodes[slot % NODES], types[type], tag);
    if (result == A3M_OK) {
        (void)a3m_socket_set(socket, A3M_OPT_CREDIT_MESSAGES, 1 + actor_draw(self, 20));
        (void)a3m_socket_set(socket, A3M_OPT_LINK_RETRY_MIN, a3m_ms(1).ns);
        (void)a3m_socket_set(socket, A3M_OPT_LINK_ATTEMPTS, actor_draw(self, 5));
        atomic_store(&arena_of(self)->sockets[slot], socket.v);
    }
    return result;
}

static int act_close(struct actor *self)
{
    return a3m_socket_close(any_socket(self));
}

static int act_link(struct actor *self)
{
    uint32_t slot = actor_draw(self, SOCKETS);
    uint32_t peer = actor_draw(self, 4) == 0 ? actor_draw(self, SOCKETS) : slot ^ 1;
    a3m_socket socket = {atomic_load(&arena_of(self)->sockets[slot])};
    char url[160];
    a3m_link link = {0};
    if (actor_draw(self, 2) == 0) {
        (void)snprintf(url, sizeof(url), "%s/s%u", arena_of(self)->addresses[peer % NODES], peer);
    } else {
        (void)snprintf(url, sizeof(url), "n%u/s%u", peer % NODES, peer);
    }
    int result = a3m_socket_link(socket, url, &link);
    if (result == A3M_OK) {
        atomic_store(&arena_of(self)->links[actor_draw(self, LINKS)], link.v);
    }
    return result == A3M_EINVAL && peer == slot ? A3M_OK : result; /* to itself */
}

static int act_end(struct actor *self)
{
    return a3m_link_end(any_link(self));
}

static int act_wait_link(struct actor *self)
{
    switch (actor_draw(self, 3)) {
    case 0: return a3m_link_wait(any_link(self), soon_or_now(self));
    case 1: return a3m_socket_wait_link(any_socket(self), NULL, soon_or_now(self));
    default: return a3m_socket_wait_link_or_none(any_socket(self), NULL, soon_or_now(self));
    }
}

static int act_send(struct actor *self)
{
    a3m_msg *msg = any_message(self, actor_draw(self, 8) == 0 ? actor_draw(self, 2000) : 0);
    if (msg == NULL) {
        return A3M_OK;
    }
    int result = a3m_send_until(any_socket(self), msg, soon_or_now(self));
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    return result;
}

static int act_send_many(struct actor *self)
{
    a3m_msg *msgs[BUNDLE];
    uint32_t n = 0;
    while (n < BUNDLE && (msgs[n] = any_message(self, 0)) != NULL) {
        n++;
    }
    int result = a3m_send_many(any_socket(self), msgs, n, soon_or_now(self));
    for (uint32_t i = result > 0 ? (uint32_t)result : 0; i < n; i++) {
        a3m_msg_free(msgs[i]);
    }
    return result;
}

/* What is a request is answered, mostly; what is not shows that it cannot be. */
static int act_recv(struct actor *self)
{
    a3m_socket socket = any_socket(self);
    a3m_msg *msg = NULL;
    int result = a3m_recv_until(socket, &msg, soon_or_now(self));
    if (result != A3M_OK) {
        return result;
    }
    if (actor_draw(self, 4) != 0) {
        a3m_msg *reply = reply_to(msg);
        result = a3m_reply(socket, msg, reply, soon_or_now(self));
        if (result != A3M_OK) {
            a3m_msg_free(reply);
        }
    }
    take(self, msg);
    return result;
}

static int act_request_reply(struct actor *self)
{
    a3m_msg *msg = any_message(self, 0);
    a3m_msg *reply = NULL;
    bool sent = false;
    if (msg == NULL) {
        return A3M_OK;
    }
    int result = a3m_request_reply(any_socket(self), msg, &reply, soon_or_now(self), &sent);
    if (!sent) {
        a3m_msg_free(msg);
    }
    if (result == A3M_OK) {
        take(self, reply);
    }
    return result;
}

static int act_request_send(struct actor *self)
{
    uint32_t slot = actor_draw(self, PENDINGS);
    a3m_socket socket = any_socket(self);
    a3m_request request;
    a3m_msg *msg = any_message(self, 0);
    if (msg == NULL) {
        return A3M_OK;
    }
    int result = a3m_request_send(socket, msg, &request, soon_or_now(self));
    if (result != A3M_OK) {
        a3m_msg_free(msg);
        return result;
    }
    atomic_store(&arena_of(self)->asked_on[slot], socket.v);
    atomic_store(&arena_of(self)->pendings[slot], request.v);
    return A3M_OK;
}

static int act_request_wait(struct actor *self)
{
    uint32_t slot = actor_draw(self, PENDINGS);
    a3m_socket socket = {atomic_load(&arena_of(self)->asked_on[slot])};
    a3m_request request = {atomic_load(&arena_of(self)->pendings[slot])};
    a3m_msg *reply = NULL;
    if (actor_draw(self, 4) == 0) {
        return a3m_request_cancel(socket, request);
    }
    int result = a3m_request_wait(socket, request, &reply, soon_or_now(self));
    if (result == A3M_OK) {
        take(self, reply);
    }
    return result;
}

static int act_look(struct actor *self)
{
    a3m_link_info info = {.size = sizeof(info)};
    a3m_node_stats stats = {.size = sizeof(stats)};
    a3m_link links[4];
    char tag[64];
    switch (actor_draw(self, 5)) {
    case 0: return a3m_link_get_info(any_link(self), &info);
    case 1: return a3m_node_get_stats(arena_of(self)->nodes[actor_draw(self, NODES)], &stats);
    case 2: return a3m_socket_links(any_socket(self), links, 4);
    case 3: return a3m_socket_tag(any_socket(self), tag, sizeof(tag));
    default: return a3m_socket_drain(any_socket(self), soon_or_now(self));
    }
}

static const struct action rows[] = {
    {"open", act_open, 12},
    {"close", act_close, 2},
    {"link", act_link, 12},
    {"end", act_end, 2},
    {"wait for a link", act_wait_link, 6},
    {"send", act_send, 14},
    {"send many", act_send_many, 4},
    {"recv", act_recv, 24},
    {"request", act_request_reply, 8},
    {"request_send", act_request_send, 6},
    {"request_wait", act_request_wait, 6},
    {"look", act_look, 6},
};

/* What a call with stale handles, short deadlines and peers that come and go may return. */
static bool may_be(int result)
{
    switch (result) {
    case A3M_EAGAIN:
    case A3M_ENOCREDIT:
    case A3M_ENOLINK:
    case A3M_ELINKDOWN:
    case A3M_EREFUSED:
    case A3M_ECLOSED:
    case A3M_ETIMEDOUT:
    case A3M_ESTATE:
    case A3M_ENOTSUP:
    case A3M_ERESTARTED:
    case A3M_EHANDLE:
    case A3M_EEXIST:
    case A3M_ENOENT:
    case A3M_ECANCELED:
    case A3M_EINCOMPATIBLE:
    case A3M_ENOTREADY:
    case A3M_ESILENT: return true;
    default: return result >= 0;
    }
}

static const struct actions actions = {rows, sizeof(rows) / sizeof(rows[0]), may_be};

static void *member_main(void *arg)
{
    struct member *self = arg;
    actor_act(&self->actor, self->actions);
    return NULL;
}

static void open_arena(struct arena *arena)
{
    *arena = (struct arena){0};
    for (uint32_t i = 0; i < NODES; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "n%u", i);
        arena->nodes[i] = test_node(id);
        assert_int_equal(a3m_node_address(arena->nodes[i], arena->addresses[i], sizeof(arena->addresses[i])),
                         A3M_OK);
    }
    for (uint32_t i = 0; i < NODES * NODES; i++) {
        char id[8];
        (void)snprintf(id, sizeof(id), "n%u", i % NODES);
        if (i / NODES != i % NODES) {
            assert_int_equal(a3m_node_set_peer(arena->nodes[i / NODES], id, arena->addresses[i % NODES]),
                             A3M_OK);
        }
    }
}

/* While some actors go on. The others' nodes may be gone by then, so something can be left unfinished. */
static void close_arena(struct arena *arena)
{
    for (uint32_t i = 0; i < NODES; i++) {
        a3m_close_report report = {.size = sizeof(report)};
        a3m_time begin = a3m_now();
        int result = a3m_node_close(arena->nodes[i], a3m_in(a3m_seconds(2)), &report);
        (void)printf(
            "node %u closed in %lld ms: %s; undelivered %llu, unknown %llu, unread %llu, unfinished %llu\n",
            i, (long long)(a3m_now().ns - begin.ns) / 1000000, a3m_strerror(result),
            (unsigned long long)report.undelivered, (unsigned long long)report.unknown,
            (unsigned long long)report.unread, (unsigned long long)report.links_unfinished);
        assert_true(result == A3M_OK || result == A3M_ETIMEDOUT);
        assert_true(a3m_now().ns - begin.ns < a3m_seconds(20).ns);
    }
}

static void act_at_random(struct a3mi_rng *rng)
{
    struct arena arena;
    struct member members[ACTORS];
    pthread_t threads[ACTORS];
    open_arena(&arena);
    ledger_open(&arena.messages, ACTORS, ACTIONS * BUNDLE);
    ledger_open(&arena.replies, ACTORS, ACTIONS * BUNDLE);
    for (uint32_t i = 0; i < ACTORS; i++) {
        members[i] = (struct member){
            .arena = &arena, .number = i, .actions = i % 2 == 0 ? ACTIONS / 2 : ACTIONS};
        actor_init(&members[i].actor, &actions, rng);
        threads_start(&threads[i], member_main, &members[i]);
    }
    for (uint32_t i = 0; i < ACTORS; i += 2) {
        threads_join(&threads[i], 1);
    }
    close_arena(&arena);
    for (uint32_t i = 1; i < ACTORS; i += 2) {
        threads_join(&threads[i], 1);
    }
    size_t messages = ledger_close(&arena.messages);
    size_t replies = ledger_close(&arena.replies);
    (void)printf("%zu messages and %zu replies arrived\n", messages, replies);
    assert_true(messages > 0);
    assert_int_equal(verdict_failures(), 0);
}

static void test_anything_by_many_threads_nothing_twice_and_no_hang(void **arg)
{
    (void)arg;
    struct a3mi_rng rng;
    crash_tell("anything", test_random_init(&rng, "anything"));
    for (long i = test_rounds(1); i > 0; i--) {
        act_at_random(&rng);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_anything_by_many_threads_nothing_twice_and_no_hang, verdict_forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
