/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credit, by many threads at random: links asked for, ended and cancelled, sends and receives of every form,
 * reservations made, used, and given back, capacity changed up and down, the discipline changed, sockets closed.
 * Whenever all threads rest, what was sent is what was accepted is what was taken and what is queued; the limit is
 * what was taken and the capacity; what is left of it is what is available and what is reserved. Nothing is ever
 * taken for a violation. A3M_SEED chooses another run, A3M_LONG more than a million actions.
 * covers F1 F3 F4 F8 F10 L14
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "node/node.h"
#include "node_fixture.h"
#include "unit/test_base_random.h"

enum { PUSHES = 2, PULLS = 3, SLOTS = 24, ACTORS = 6, ROUNDS = 100, ACTIONS = 60 };

static const char *const push_tags[PUSHES] = {"p0", "p1"};
static const char *const pull_tags[PULLS] = {"q0", "q1", "q2"};

static _Atomic unsigned failures;

static bool check(bool good, const char *what, int line)
{
    if (!good && atomic_fetch_add(&failures, 1) < 20) {
        (void)fprintf(stderr, "line %d: not %s (%s)\n", line, what, a3m_error_detail());
    }
    return good;
}

#define CHECK(good) check((good), #good, __LINE__)

/* A reservation that is nobody's at the moment. */
struct held {
    a3m_socket socket;
    a3m_credit credit; /* 0: the slot is free */
    a3m_link link;
    size_t size;
};

struct arena {
    a3m_node from, to;
    char address[128]; /* of `to` */
    _Atomic uint64_t pushes[PUSHES], pulls[PULLS];
    pthread_mutex_t lock;
    struct held held[SLOTS]; /* [lock] */
    pthread_barrier_t begin, end;
    bool over;
    _Atomic uint64_t done, sent, taken;
};

struct actor {
    struct arena *arena;
    struct a3mi_rng rng;
    pthread_t thread;
};

static uint32_t draw(struct actor *self, uint32_t n)
{
    return (uint32_t)(a3mi_rng_u64(&self->rng) % n);
}

static a3m_time soon_or_now(struct actor *self)
{
    return draw(self, 2) == 0 ? A3M_NOW : a3m_in(a3m_us(draw(self, 2000)));
}

static a3m_socket any_push(struct actor *self)
{
    return (a3m_socket){atomic_load(&self->arena->pushes[draw(self, PUSHES)])};
}

static a3m_socket any_pull(struct actor *self)
{
    return (a3m_socket){atomic_load(&self->arena->pulls[draw(self, PULLS)])};
}

static a3m_link any_link(struct actor *self, a3m_socket socket)
{
    a3m_link links[8];
    int n = a3m_socket_links(socket, links, 8);
    return n > 0 ? links[draw(self, (uint32_t)(n < 8 ? n : 8))] : (a3m_link){0};
}

static size_t any_size(struct actor *self)
{
    return draw(self, 10) == 0 ? draw(self, 5000) : draw(self, 64);
}

/* ---- What the actors do ---------------------------------------------------------------------- */

static int act_link(struct actor *self)
{
    char peer[160];
    (void)snprintf(peer, sizeof(peer), "%s/%s", self->arena->address, pull_tags[draw(self, PULLS)]);
    return a3m_socket_link(any_push(self), peer, NULL);
}

static int act_link_by_name(struct actor *self)
{
    char peer[32];
    (void)snprintf(peer, sizeof(peer), "to/%s", pull_tags[draw(self, PULLS)]);
    return a3m_socket_link(any_push(self), peer, NULL);
}

static int act_end(struct actor *self)
{
    return a3m_link_end(any_link(self, draw(self, 2) == 0 ? any_push(self) : any_pull(self)));
}

static int act_wait(struct actor *self)
{
    switch (draw(self, 3)) {
    case 0: return a3m_socket_wait_links(any_push(self), 1 + draw(self, 3), soon_or_now(self));
    case 1: return a3m_socket_wait_links_or_none(any_push(self), 1 + draw(self, 3), soon_or_now(self));
    default: return a3m_link_wait(any_link(self, any_push(self)), soon_or_now(self));
    }
}

static int act_send(struct actor *self)
{
    a3m_msg *msg = a3m_msg_new(any_size(self));
    a3m_socket socket = any_push(self);
    int result;
    switch (draw(self, 3)) {
    case 0: result = a3m_send_until(socket, msg, soon_or_now(self)); break;
    case 1: result = a3m_send_or_none(socket, msg, soon_or_now(self)); break;
    default: result = a3m_link_send(any_link(self, socket), msg, soon_or_now(self)); break;
    }
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    self->arena->sent += result == A3M_OK;
    return result;
}

static int act_recv(struct actor *self)
{
    a3m_msg *msg = NULL;
    a3m_socket socket = any_pull(self);
    int result;
    switch (draw(self, 3)) {
    case 0: result = a3m_recv_until(socket, &msg, soon_or_now(self)); break;
    case 1: result = a3m_recv_or_none(socket, &msg, soon_or_now(self)); break;
    default: result = a3m_link_recv(any_link(self, socket), &msg, soon_or_now(self)); break;
    }
    if (result == A3M_OK) {
        a3m_msg_free(msg);
        self->arena->taken++;
    }
    return result;
}

/* Into a free slot, or none. */
static bool hold(struct arena *arena, const struct held *held)
{
    bool found = false;
    pthread_mutex_lock(&arena->lock);
    for (size_t i = 0; i < SLOTS && !found; i++) {
        if (arena->held[i].credit.v == 0) {
            arena->held[i] = *held;
            found = true;
        }
    }
    pthread_mutex_unlock(&arena->lock);
    return found;
}

static struct held take_held(struct actor *self)
{
    struct arena *arena = self->arena;
    struct held *slot = &arena->held[draw(self, SLOTS)];
    pthread_mutex_lock(&arena->lock);
    struct held held = *slot;
    slot->credit.v = 0;
    pthread_mutex_unlock(&arena->lock);
    return held;
}

/* Nothing that is over can be used or given back. */
static void check_over(const struct held *held)
{
    int result = a3m_release(held->socket, held->credit);
    CHECK(result == A3M_ENOENT || result == A3M_EHANDLE || result == A3M_ECLOSED);
}

static int act_reserve(struct actor *self)
{
    struct held held = {.socket = any_push(self), .size = any_size(self)};
    int result;
    switch (draw(self, 3)) {
    case 0:
        result = a3m_socket_reserve(held.socket, held.size, &held.credit, &held.link, soon_or_now(self));
        break;
    case 1:
        result = a3m_socket_reserve_or_none(held.socket, held.size, &held.credit, &held.link,
                                            soon_or_now(self));
        break;
    default:
        held.link = any_link(self, held.socket);
        result = a3m_link_reserve(held.link, held.size, &held.credit, soon_or_now(self));
        break;
    }
    if (result == A3M_OK && !hold(self->arena, &held)) {
        result = a3m_release(held.socket, held.credit);
        check_over(&held);
    }
    return result;
}

static int act_use(struct actor *self)
{
    struct held held = take_held(self);
    if (held.credit.v == 0) {
        return A3M_OK;
    }
    bool larger = draw(self, 8) == 0;
    a3m_msg *msg = a3m_msg_new(larger ? held.size + 1 : draw(self, (uint32_t)held.size + 1));
    int result = a3m_send_reserved(held.socket, held.credit, msg);
    CHECK(result != A3M_OK || !larger);
    if (result != A3M_OK) {
        a3m_msg_free(msg);
    }
    self->arena->sent += result == A3M_OK;
    if (result == A3M_EMSGSIZE && !hold(self->arena, &held)) {
        result = a3m_release(held.socket, held.credit);
    }
    if (result != A3M_EMSGSIZE) {
        check_over(&held);
    }
    return result;
}

static int act_release(struct actor *self)
{
    struct held held = take_held(self);
    if (held.credit.v == 0) {
        return A3M_OK;
    }
    int result = a3m_release(held.socket, held.credit);
    check_over(&held);
    return result;
}

static int act_capacity(struct actor *self)
{
    static const int64_t bytes[] = {1, 10, 100, 1000, 10000, 100000};
    a3m_socket socket = any_pull(self);
    switch (draw(self, 4)) {
    case 0: return a3m_socket_set(socket, A3M_OPT_CREDIT_MESSAGES, 1 + draw(self, 20));
    case 1: return a3m_socket_set(socket, A3M_OPT_CREDIT_BYTES, bytes[draw(self, 6)]);
    case 2: return a3m_socket_set(socket, A3M_OPT_CREDIT_BATCH, 1 + draw(self, 100));
    default:
        return a3m_link_set_credit(any_link(self, socket), 1 + draw(self, 20),
                                   (uint64_t)bytes[draw(self, 6)]);
    }
}

static int act_discipline(struct actor *self)
{
    return a3m_socket_set(any_push(self), A3M_OPT_FAIR, draw(self, 2));
}

static int reopen(struct arena *arena, bool push, uint32_t i)
{
    a3m_socket socket;
    int result = push ? a3m_socket_open(&socket, arena->from, &a3m_push, push_tags[i])
                      : a3m_socket_open(&socket, arena->to, &a3m_pull, pull_tags[i]);
    if (result == A3M_OK) {
        (void)a3m_socket_set(socket, A3M_OPT_LINK_RETRY_MIN, a3m_ms(1).ns);
        (void)a3m_socket_set(socket, A3M_OPT_CREDIT_MESSAGES, 5);
        atomic_store(push ? &arena->pushes[i] : &arena->pulls[i], socket.v);
    }
    return result;
}

static int act_close(struct actor *self)
{
    bool push = draw(self, 2) == 0;
    uint32_t i = draw(self, push ? PUSHES : PULLS);
    a3m_socket socket = {atomic_load(push ? &self->arena->pushes[i] : &self->arena->pulls[i])};
    int result = a3m_socket_close(socket);
    return result == A3M_OK ? reopen(self->arena, push, i) : result;
}

static const struct action {
    const char *name;
    int (*act)(struct actor *self);
    uint32_t weight;
} actions[] = {
    {"link", act_link, 60},
    {"link by name", act_link_by_name, 20},
    {"end", act_end, 3},
    {"wait", act_wait, 30},
    {"send", act_send, 300},
    {"recv", act_recv, 300},
    {"reserve", act_reserve, 100},
    {"use", act_use, 80},
    {"release", act_release, 30},
    {"capacity", act_capacity, 50},
    {"discipline", act_discipline, 10},
    {"close", act_close, 1},
};

static const struct action *any_action(struct actor *self)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        sum += actions[i].weight;
    }
    uint32_t at = draw(self, sum);
    const struct action *it = actions;
    while (at >= it->weight) {
        at -= it->weight;
        it++;
    }
    return it;
}

static bool may_be(int result)
{
    switch (result) {
    case A3M_OK:
    case A3M_EAGAIN:
    case A3M_ENOCREDIT:
    case A3M_ENOLINK:
    case A3M_ENOWINDOW:
    case A3M_EREFUSED:
    case A3M_ECLOSED:
    case A3M_ETIMEDOUT:
    case A3M_EMSGSIZE:
    case A3M_EHANDLE:
    case A3M_EEXIST:
    case A3M_ENOENT:
    case A3M_ECANCELED:
    case A3M_ENOTREADY:
    case A3M_ELINKDOWN: return true;
    default: return false;
    }
}

static void *actor_main(void *arg)
{
    struct actor *self = arg;
    for (;;) {
        (void)pthread_barrier_wait(&self->arena->begin);
        if (self->arena->over) {
            return NULL;
        }
        for (int i = 0; i < ACTIONS; i++) {
            const struct action *action = any_action(self);
            int result = action->act(self);
            if (!CHECK(may_be(result))) {
                (void)fprintf(stderr, "%s: %d\n", action->name, result);
            }
            self->arena->done++;
        }
        (void)pthread_barrier_wait(&self->arena->end);
    }
}

/* ---- Conservation ------------------------------------------------------------------------------- */

/* What one end of a link has, read under its socket's lock. */
struct end {
    bool up;
    uint64_t sent, acknowledged, received, taken, queued, reserved, reserved_bytes;
    uint64_t limit, limit_bytes, told, told_bytes, due, due_bytes;
    bool line; /* somebody waits, and nobody should */
    char peer[256];
};

static void look(a3m_link handle, struct end *end)
{
    void *obj;
    memset(end, 0, sizeof(*end));
    if (a3mi_registry_get(handle.v, A3MI_KIND_LINK, &obj) != A3M_OK) {
        return;
    }
    struct a3mi_link *link = obj;
    a3mi_socket_lock(link->socket);
    end->up = link->state == A3MI_LINK_UP && !link->ended;
    end->sent = link->sent;
    end->acknowledged = link->acknowledged;
    end->received = link->received;
    end->taken = link->taken;
    end->queued = link->inbox.count;
    end->reserved = link->reserved;
    end->reserved_bytes = link->reserved_bytes;
    end->limit = link->limit_messages;
    end->limit_bytes = link->limit_bytes;
    end->told = link->told_messages;
    end->told_bytes = link->told_bytes;
    end->due = link->taken + link->capacity_messages;
    end->due_bytes = link->taken_bytes + link->capacity_bytes;
    end->line = !a3mi_list_empty(&link->credit_line) || !a3mi_list_empty(&link->socket->credit_line);
    (void)snprintf(end->peer, sizeof(end->peer), "%s", link->peer_tag.s);
    a3mi_socket_unlock(link->socket);
    a3mi_registry_put(handle.v);
}

/* The other end of push `i`'s link with this peer. */
static a3m_link other_end(const struct arena *arena, uint32_t i, const char *peer)
{
    for (uint32_t k = 0; k < PULLS; k++) {
        a3m_link links[8];
        int n = strcmp(peer, pull_tags[k]) == 0
                    ? a3m_socket_links((a3m_socket){atomic_load(&arena->pulls[k])}, links, 8)
                    : 0;
        for (int m = 0; m < n && m < 8; m++) {
            struct end end;
            look(links[m], &end);
            if (end.up && strcmp(end.peer, push_tags[i]) == 0) {
                return links[m];
            }
        }
    }
    return (a3m_link){0};
}

static bool settled(const struct end *s, const struct end *r)
{
    return s->sent == s->acknowledged && s->sent == r->received && r->received == r->taken + r->queued &&
           s->limit == r->told && s->limit_bytes == r->told_bytes && r->told <= r->due &&
           r->told_bytes <= r->due_bytes;
}

static void check_reserved(struct arena *arena, a3m_link link, const struct end *end)
{
    uint64_t n = 0, bytes = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        if (arena->held[i].credit.v != 0 && arena->held[i].link.v == link.v) {
            n++;
            bytes += arena->held[i].size;
        }
    }
    if (!CHECK(end->reserved == n && end->reserved_bytes == bytes)) {
        (void)fprintf(stderr, "%llu of %llu bytes are reserved; held are %llu of %llu\n",
                      (unsigned long long)end->reserved, (unsigned long long)end->reserved_bytes,
                      (unsigned long long)n, (unsigned long long)bytes);
    }
}

/* Once nothing is under way any more. Whether there was such a link. */
static bool check_link(struct arena *arena, uint32_t i, a3m_link link)
{
    a3m_time deadline = SOON;
    struct end s, r;
    for (;;) {
        look(link, &s);
        if (!s.up) {
            return false;
        }
        look(other_end(arena, i, s.peer), &r);
        if ((r.up && settled(&s, &r)) || a3m_now().ns > deadline.ns) {
            break;
        }
        (void)sched_yield();
    }
    if (!CHECK(r.up && settled(&s, &r))) {
        (void)fprintf(
            stderr,
            "sent %llu acknowledged %llu received %llu taken %llu queued %llu limit %llu told %llu due "
            "%llu bytes: limit %llu told %llu due %llu\n",
            (unsigned long long)s.sent, (unsigned long long)s.acknowledged, (unsigned long long)r.received,
            (unsigned long long)r.taken, (unsigned long long)r.queued, (unsigned long long)s.limit,
            (unsigned long long)r.told, (unsigned long long)r.due, (unsigned long long)s.limit_bytes,
            (unsigned long long)r.told_bytes, (unsigned long long)r.due_bytes);
    }
    CHECK(!s.line);
    check_reserved(arena, link, &s);
    return true;
}

static unsigned check_all(struct arena *arena)
{
    unsigned links_checked = 0;
    for (uint32_t i = 0; i < PUSHES; i++) {
        a3m_socket push = {atomic_load(&arena->pushes[i])};
        a3m_link links[8];
        CHECK(a3m_socket_drain(push, SOON) != A3M_ETIMEDOUT);
        int n = a3m_socket_links(push, links, 8);
        for (int k = 0; k < n && k < 8; k++) {
            links_checked += check_link(arena, i, links[k]);
        }
    }
    CHECK(test_stats(arena->to).bad_credit == 0);
    return links_checked;
}

static void act_at_random(struct a3mi_rng *rng, bool inproc)
{
    static struct arena arena;
    struct actor actors[ACTORS];
    unsigned links_checked = 0;
    memset(&arena, 0, sizeof(arena));
    arena.from = inproc ? test_node_at("from", "inproc://credit-from") : test_node("from");
    arena.to = inproc ? test_node_at("to", "inproc://credit-to") : test_node("to");
    assert_int_equal(a3m_node_address(arena.to, arena.address, sizeof(arena.address)), A3M_OK);
    assert_int_equal(a3m_node_set_peer(arena.from, "to", arena.address), A3M_OK);
    assert_int_equal(pthread_mutex_init(&arena.lock, NULL), 0);
    assert_int_equal(pthread_barrier_init(&arena.begin, NULL, ACTORS + 1), 0);
    assert_int_equal(pthread_barrier_init(&arena.end, NULL, ACTORS + 1), 0);
    for (uint32_t i = 0; i < PULLS; i++) {
        assert_int_equal(reopen(&arena, false, i), A3M_OK);
    }
    for (uint32_t i = 0; i < PUSHES; i++) {
        assert_int_equal(reopen(&arena, true, i), A3M_OK);
    }
    for (int i = 0; i < ACTORS; i++) {
        actors[i].arena = &arena;
        a3mi_rng_init(&actors[i].rng, a3mi_rng_u64(rng));
        assert_int_equal(pthread_create(&actors[i].thread, NULL, actor_main, &actors[i]), 0);
    }
    for (long round = test_rounds(ROUNDS); round > 0 && atomic_load(&failures) == 0; round--) {
        (void)pthread_barrier_wait(&arena.begin);
        (void)pthread_barrier_wait(&arena.end);
        links_checked += check_all(&arena);
    }
    arena.over = true;
    (void)pthread_barrier_wait(&arena.begin);
    for (int i = 0; i < ACTORS; i++) {
        (void)pthread_join(actors[i].thread, NULL);
    }
    (void)printf("%llu actions, %llu messages sent, %llu taken, %u links checked\n",
                 (unsigned long long)arena.done, (unsigned long long)arena.sent,
                 (unsigned long long)arena.taken, links_checked);
    (void)a3m_node_close(arena.from, SOON, NULL);
    (void)a3m_node_close(arena.to, SOON, NULL);
    (void)pthread_barrier_destroy(&arena.begin);
    (void)pthread_barrier_destroy(&arena.end);
    assert_int_equal(failures, 0);
    assert_true(links_checked > 0);
}

static void test_credit_by_many_threads_over_udp_is_conserved(void **arg)
{
    (void)arg;
    struct a3mi_rng rng;
    test_random_init(&rng, "udp");
    act_at_random(&rng, false);
}

static void test_credit_by_many_threads_inproc_is_conserved(void **arg)
{
    (void)arg;
    struct a3mi_rng rng;
    test_random_init(&rng, "inproc");
    act_at_random(&rng, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credit_by_many_threads_over_udp_is_conserved),
        cmocka_unit_test(test_credit_by_many_threads_inproc_is_conserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
