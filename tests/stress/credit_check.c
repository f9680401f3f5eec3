/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conservation, while the actors rest. Once what is under way has arrived, of each link that is up: sent = accepted
 * = taken + queued; limit = taken + capacity (less what a batch may hold back); limit - sent = available + reserved,
 * and reserved is what the actors hold. No link is up at one end only, none is ending for ever, nobody waits in a
 * line for credit, and nothing was ever taken for a violation.
 */
#include "credit_arena.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "node/node.h"
#include "node_fixture.h"
#include "verdict.h"

/* Rounds from one in which everything is taken to the next. */
enum { FULL_ROUNDS = 8 };

/* What one end of a link has, read under its socket's lock. */
struct end {
    enum a3mi_link_state state;
    bool up;
    uint64_t sent, sent_bytes, acknowledged, received, taken, queued, reserved, reserved_bytes;
    uint64_t limit, limit_bytes, told, told_bytes, due, due_bytes;
    uint64_t capacity, capacity_bytes;
    bool line; /* somebody waits for credit, and nobody should */
    char peer[256];
};

/* A link that is gone is all zero. */
static void look(a3m_link handle, struct end *end)
{
    void *obj;
    memset(end, 0, sizeof(*end));
    end->state = A3MI_LINK_CLOSED;
    if (a3mi_registry_get(handle.v, A3MI_KIND_LINK, &obj) != A3M_OK) {
        return;
    }
    struct a3mi_link *link = obj;
    a3mi_socket_lock(link->socket);
    end->state = link->state;
    end->up = link->state == A3MI_LINK_UP && !link->ended;
    end->sent = link->sent;
    end->sent_bytes = link->sent_bytes;
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
    end->capacity = link->capacity_messages;
    end->capacity_bytes = link->capacity_bytes;
    end->due = link->taken + link->capacity_messages;
    end->due_bytes = link->taken_bytes + link->capacity_bytes;
    end->line = !a3mi_list_empty(&link->credit_line) || !a3mi_list_empty(&link->socket->credit_line);
    (void)snprintf(end->peer, sizeof(end->peer), "%s", link->peer_tag.s);
    a3mi_socket_unlock(link->socket);
    a3mi_registry_put(handle.v);
}

a3m_link credit_same_link(a3m_link link)
{
    void *obj;
    a3m_link same = link;
    if (a3mi_registry_get(link.v, A3MI_KIND_LINK, &obj) == A3M_OK) {
        const struct a3mi_link *it = obj;
        a3mi_socket_lock(it->socket);
        same.v = it->alias != NULL ? it->alias->handle : link.v;
        a3mi_socket_unlock(it->socket);
        a3mi_registry_put(link.v);
    }
    return same;
}

static a3m_socket socket_at(const struct credit_arena *arena, bool push, uint32_t i)
{
    return (a3m_socket){atomic_load(push ? &arena->pushes[i] : &arena->pulls[i])};
}

static int links_of(a3m_socket socket, a3m_link links[CREDIT_LINKS])
{
    int n = a3m_socket_links(socket, links, CREDIT_LINKS);
    CHECK(n <= CREDIT_LINKS);
    return n < CREDIT_LINKS ? n : CREDIT_LINKS;
}

/* Of the socket with tag `peer`: its link with the socket `tag`, that is up. All zero: there is none. */
static void look_at_other(const struct credit_arena *arena, bool push, const char *peer, const char *tag,
                          struct end *end)
{
    const char *const *tags = push ? credit_push_tags : credit_pull_tags;
    uint32_t n_tags = push ? CREDIT_PUSHES : CREDIT_PULLS;
    for (uint32_t i = 0; i < n_tags; i++) {
        a3m_link links[CREDIT_LINKS];
        int n = strcmp(peer, tags[i]) == 0 ? links_of(socket_at(arena, push, i), links) : 0;
        for (int k = 0; k < n; k++) {
            look(links[k], end);
            if (end->up && strcmp(end->peer, tag) == 0) {
                return;
            }
        }
    }
    memset(end, 0, sizeof(*end));
}

/* ---- One link ------------------------------------------------------------------------------------- */

/* What a batch may hold back of what is due. */
static bool granted(bool exact, uint64_t told, uint64_t due, uint64_t batch)
{
    return told <= due && (exact ? told == due : due - told < (batch > 0 ? batch : 1));
}

static bool settled(bool exact, const struct end *s, const struct end *r)
{
    return s->up && r->up && s->sent == s->acknowledged && s->sent == r->received &&
           r->received == r->taken + r->queued && s->limit == r->told && s->limit_bytes == r->told_bytes &&
           granted(exact, r->told, r->due, r->capacity) &&
           granted(exact, r->told_bytes, r->due_bytes, r->capacity_bytes / 4);
}

static void print_ends(const struct end *s, const struct end *r)
{
    (void)fprintf(stderr,
                  "sender: state %d up %d sent %" PRIu64 " acknowledged %" PRIu64 " limit %" PRIu64
                  " bytes %" PRIu64 "; ",
                  s->state, s->up, s->sent, s->acknowledged, s->limit, s->limit_bytes);
    (void)fprintf(stderr,
                  "receiver: state %d up %d received %" PRIu64 " taken %" PRIu64 " queued %" PRIu64
                  " told %" PRIu64 " of %" PRIu64 " bytes %" PRIu64 " of %" PRIu64 "\n",
                  r->state, r->up, r->received, r->taken, r->queued, r->told, r->due, r->told_bytes,
                  r->due_bytes);
}

static void check_reserved(const struct credit_arena *arena, a3m_link link, const struct end *end)
{
    uint64_t n = 0, bytes = 0;
    for (size_t i = 0; i < CREDIT_SLOTS; i++) {
        if (arena->held[i].credit.v != 0 && arena->held[i].link.v == link.v) {
            n++;
            bytes += arena->held[i].size;
        }
    }
    if (!CHECK(end->reserved == n && end->reserved_bytes == bytes)) {
        (void)fprintf(stderr,
                      "%" PRIu64 " of %" PRIu64 " bytes are reserved; held are %" PRIu64 " of %" PRIu64 "\n",
                      end->reserved, end->reserved_bytes, n, bytes);
    }
}

/* What applications are told is the same. */
static void check_available(a3m_link link, const struct end *end)
{
    a3m_link_info info = {.size = sizeof(info)};
    if (CHECK(a3m_link_get_info(link, &info) == A3M_OK)) {
        CHECK(info.sent == end->sent);
        CHECK((int64_t)(end->limit - end->sent) == info.credit_messages + (int64_t)info.reserved_messages);
        CHECK((int64_t)(end->limit_bytes - end->sent_bytes) ==
              info.credit_bytes + (int64_t)info.reserved_bytes);
    }
}

/* Once nothing is under way any more; unless it ends meanwhile. */
static void check_sender(struct credit_arena *arena, const char *tag, a3m_link link)
{
    a3m_time deadline = SOON;
    struct end s, r;
    for (;;) {
        look(link, &s);
        if (!s.up) {
            return;
        }
        look_at_other(arena, false, s.peer, tag, &r);
        if (settled(arena->exact, &s, &r) || a3m_now().ns > deadline.ns) {
            break;
        }
        (void)sched_yield();
    }
    if (!CHECK(settled(arena->exact, &s, &r))) {
        print_ends(&s, &r);
    }
    CHECK(!s.line);
    check_reserved(arena, link, &s);
    check_available(link, &s);
    arena->links_checked++;
}

static bool is_passing(enum a3mi_link_state state)
{
    return state == A3MI_LINK_ENDING || state == A3MI_LINK_FINISHING || state == A3MI_LINK_ABORTING ||
           state == A3MI_LINK_CANCELLING;
}

/* Neither up alone for ever, nor ending for ever. */
static void check_ends(const struct credit_arena *arena, bool push, const char *tag, a3m_link link)
{
    a3m_time deadline = SOON;
    struct end own, other;
    bool good;
    do {
        look(link, &own);
        good = !is_passing(own.state);
        if (good && own.up) {
            look_at_other(arena, !push, own.peer, tag, &other);
            good = other.up;
        }
        if (!good) {
            (void)sched_yield();
        }
    } while (!good && a3m_now().ns < deadline.ns);
    if (!CHECK(good)) {
        (void)fprintf(stderr, "%s with %s: in state %d\n", tag, own.peer, own.state);
    }
}

/* ---- All of them ------------------------------------------------------------------------------------ */

static void check_links(struct credit_arena *arena, bool push, uint32_t i)
{
    const char *tag = push ? credit_push_tags[i] : credit_pull_tags[i];
    a3m_link links[CREDIT_LINKS];
    int n = links_of(socket_at(arena, push, i), links);
    for (int k = 0; k < n; k++) {
        check_ends(arena, push, tag, links[k]);
        if (push) {
            check_sender(arena, tag, links[k]);
        }
    }
}

static void take_all_back(struct credit_arena *arena)
{
    for (size_t i = 0; i < CREDIT_LATERS; i++) {
        (void)credit_take_back(arena, arena->laters[i]);
        arena->laters[i].v = 0;
    }
}

bool credit_look(void *arg)
{
    struct credit_arena *arena = arg;
    take_all_back(arena);
    for (uint32_t i = 0; i < CREDIT_PUSHES; i++) {
        CHECK(a3m_socket_drain(socket_at(arena, true, i), SOON) != A3M_ETIMEDOUT);
    }
    for (uint32_t i = 0; i < CREDIT_PUSHES; i++) {
        check_links(arena, true, i);
    }
    for (uint32_t i = 0; i < CREDIT_PULLS; i++) {
        check_links(arena, false, i);
    }
    for (uint32_t i = 0; i < CREDIT_NODES; i++) {
        a3m_node_stats stats = test_stats(arena->nodes[i]);
        CHECK(stats.bad_credit == 0);
        CHECK(stats.bad_frame == 0);
        CHECK(stats.bad_control == 0);
    }
    if (++arena->rounds % FULL_ROUNDS == 0) {
        credit_look_at_receipts(arena);
    }
    return verdict_failures() == 0;
}
