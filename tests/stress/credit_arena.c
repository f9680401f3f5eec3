/* SPDX-License-Identifier: Apache-2.0 */
#include "credit_arena.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "node_fixture.h"
#include "unit/test_base_random.h"
#include "verdict.h"

const char *const credit_nodes[CREDIT_NODES] = {"from", "to"};
const char *const credit_push_tags[CREDIT_PUSHES] = {"p0", "p1", "p2"};
const char *const credit_pull_tags[CREDIT_PULLS] = {"q0", "q1", "q2", "q3"};
const uint32_t credit_push_node[CREDIT_PUSHES] = {0, 0, 1};
const uint32_t credit_pull_node[CREDIT_PULLS] = {1, 1, 1, 0};

/* ---- Anything of it ------------------------------------------------------------------------- */

struct credit_arena *credit_arena_of(struct actor *self)
{
    return a3mi_container_of(self, struct credit_actor, actor)->arena;
}

a3m_socket credit_any_push(struct actor *self)
{
    return (a3m_socket){atomic_load(&credit_arena_of(self)->pushes[actor_draw(self, CREDIT_PUSHES)])};
}

a3m_socket credit_any_pull(struct actor *self)
{
    return (a3m_socket){atomic_load(&credit_arena_of(self)->pulls[actor_draw(self, CREDIT_PULLS)])};
}

a3m_socket credit_any_socket(struct actor *self)
{
    return actor_draw(self, 2) == 0 ? credit_any_push(self) : credit_any_pull(self);
}

a3m_link credit_any_link(struct actor *self, a3m_socket socket)
{
    a3m_link links[CREDIT_LINKS];
    int n = a3m_socket_links(socket, links, CREDIT_LINKS);
    CHECK(n <= CREDIT_LINKS);
    return n > 0 ? links[actor_draw(self, (uint32_t)(n < CREDIT_LINKS ? n : CREDIT_LINKS))] : (a3m_link){0};
}

size_t credit_any_size(struct actor *self)
{
    return actor_draw(self, 10) == 0 ? actor_draw(self, 5000) : actor_draw(self, 64);
}

a3m_time credit_deadline(struct actor *self)
{
    return actor_deadline(self, a3m_ms(2));
}

/* ---- Opening ---------------------------------------------------------------------------------- */

int credit_reopen(struct credit_arena *arena, bool push, uint32_t i)
{
    a3m_socket socket;
    a3m_node node = arena->nodes[push ? credit_push_node[i] : credit_pull_node[i]];
    int result = push ? a3m_socket_open(&socket, node, &a3m_push, credit_push_tags[i])
                      : a3m_socket_open(&socket, node, &a3m_pull, credit_pull_tags[i]);
    if (result == A3M_OK) {
        (void)a3m_socket_set(socket, A3M_OPT_LINK_RETRY_MIN, a3m_ms(1).ns);
        (void)a3m_socket_set(socket, A3M_OPT_LINK_RETRY_MAX, a3m_ms(8).ns);
        (void)a3m_socket_set(socket, A3M_OPT_CREDIT_MESSAGES, 5);
        (void)a3m_socket_set(socket, A3M_OPT_CREDIT_BATCH, arena->exact ? 1 : 25);
        if (push && i >= CREDIT_FIRST_KEPT) {
            (void)a3m_socket_set(socket, A3M_OPT_EVENTS, CREDIT_EVENTS);
        }
        atomic_store(push ? &arena->pushes[i] : &arena->pulls[i], socket.v);
    }
    return result;
}

static void on_signal(int number)
{
    (void)number;
}

/* Signals end waits, where a socket asks for it, and nothing else. */
static void take_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
}

void credit_open(struct credit_arena *arena, const char *const addresses[CREDIT_NODES], bool exact,
                 struct a3mi_rng *rng)
{
    memset(arena, 0, sizeof(*arena));
    arena->exact = exact;
    take_signals();
    assert_int_equal(pthread_mutex_init(&arena->lock, NULL), 0);
    for (uint32_t i = 0; i < CREDIT_NODES; i++) {
        arena->nodes[i] = test_node_at(credit_nodes[i], addresses[i]);
        assert_int_equal(a3m_node_address(arena->nodes[i], arena->addresses[i], sizeof(arena->addresses[i])),
                         A3M_OK);
    }
    for (uint32_t i = 0; i < CREDIT_NODES; i++) {
        uint32_t peer = (i + 1) % CREDIT_NODES;
        assert_int_equal(a3m_node_set_peer(arena->nodes[i], credit_nodes[peer], arena->addresses[peer]),
                         A3M_OK);
    }
    for (uint32_t i = 0; i < CREDIT_PULLS; i++) {
        assert_int_equal(credit_reopen(arena, false, i), A3M_OK);
    }
    for (uint32_t i = 0; i < CREDIT_PUSHES; i++) {
        assert_int_equal(credit_reopen(arena, true, i), A3M_OK);
    }
    for (uint32_t i = 0; i < CREDIT_POLLERS; i++) {
        a3m_poller poller;
        assert_int_equal(a3m_poller_new(&poller, 0), A3M_OK);
        atomic_store(&arena->pollers[i], poller.v);
    }
    for (uint32_t i = 0; i < CREDIT_ACTORS; i++) {
        arena->actors[i].arena = arena;
        arena->told[i % CREDIT_NODES].arena = arena;
        actor_init(&arena->actors[i].actor, &credit_actions, rng);
    }
}

/* ---- Closing ------------------------------------------------------------------------------------ */

static void print_sums(const struct credit_arena *arena, uint64_t sent, const a3m_close_report *lost)
{
    (void)printf("%" PRIu64 " messages sent (%" PRIu64 " of them put off), %" PRIu64 " taken, %" PRIu64
                 " unread, %" PRIu64 " undelivered, %" PRIu64 " unknown; %" PRIu64 " rounds, %" PRIu64
                 " links checked, %u requests decided by a hook\n",
                 sent, arena->put_off - arena->taken_back, arena->taken, lost->unread, lost->undelivered,
                 lost->unknown, arena->rounds, arena->links_checked, (unsigned)arena->asked);
}

void credit_close(struct credit_arena *arena)
{
    a3m_close_report lost = {0};
    uint64_t sent = arena->sent + arena->put_off - arena->taken_back;
    for (uint32_t i = 0; i < CREDIT_POLLERS; i++) {
        assert_int_equal(a3m_poller_close((a3m_poller){arena->pollers[i]}), A3M_OK);
    }
    for (uint32_t i = 0; i < CREDIT_NODES; i++) {
        sent -= test_stats(arena->nodes[i]).scheduled_dropped;
    }
    for (uint32_t i = 0; i < CREDIT_NODES; i++) {
        a3m_close_report report = {.size = sizeof(report)};
        CHECK(a3m_node_close(arena->nodes[i], SOON, &report) == A3M_OK);
        CHECK(report.links_unfinished == 0);
        lost.undelivered += report.undelivered;
        lost.unknown += report.unknown;
        lost.unread += report.unread;
    }
    print_sums(arena, sent, &lost);
    credit_receipts_end(arena);
    (void)pthread_mutex_destroy(&arena->lock);
    assert_int_equal(verdict_failures(), 0);
    assert_true(arena->links_checked > 0);
    assert_true(arena->taken + lost.unread + lost.undelivered <= sent);
    assert_true(arena->taken + lost.unread + lost.undelivered + lost.unknown >= sent);
}
