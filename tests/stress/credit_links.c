/* SPDX-License-Identifier: Apache-2.0 */
/* What actors of the credit stress do to links and sockets. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "credit_arena.h"
#include "verdict.h"

/* ---- Asking ------------------------------------------------------------------------------------ */

/* "to/q1", or by the address of the node; now and then of a socket that is not there. */
static void any_peer(struct actor *self, bool pull, char *out, size_t size)
{
    struct credit_arena *arena = credit_arena_of(self);
    uint32_t i = actor_draw(self, pull ? CREDIT_PULLS : CREDIT_PUSHES);
    uint32_t node = pull ? credit_pull_node[i] : credit_push_node[i];
    const char *tag = pull ? credit_pull_tags[i] : credit_push_tags[i];
    const char *where = actor_draw(self, 2) == 0 ? credit_nodes[node] : arena->addresses[node];
    (void)snprintf(out, size, "%s/%s", where, actor_draw(self, 12) == 0 ? "absent" : tag);
}

/* PUSH asks mostly; when PULL does as well requests may cross. */
static int ask(struct actor *self, a3m_link *link)
{
    static const char words[] = "metadata of the one who asks";
    a3m_link_options options = {.size = sizeof(options)};
    bool push = actor_draw(self, 4) != 0;
    char peer[192];
    any_peer(self, push, peer, sizeof(peer));
    if (actor_draw(self, 4) == 0) {
        options.metadata = words;
        options.metadata_size = actor_draw(self, sizeof(words));
    }
    return a3m_socket_link_with(push ? credit_any_push(self) : credit_any_pull(self), peer, &options, link);
}

int credit_act_link(struct actor *self)
{
    return ask(self, NULL);
}

/* Asks, and thinks better of it: before the request went, while it is under way, or later. */
int credit_act_cancel(struct actor *self)
{
    a3m_link link = {0};
    int result = ask(self, &link);
    if (result != A3M_OK) {
        return result;
    }
    switch (actor_draw(self, 4)) {
    case 0: (void)a3m_link_wait(link, credit_deadline(self)); break;
    case 1: return a3m_link_abort(link, NULL);
    default: break;
    }
    return a3m_link_end(link);
}

int credit_act_end(struct actor *self)
{
    return a3m_link_end(credit_any_link(self, credit_any_socket(self)));
}

int credit_act_abort(struct actor *self)
{
    a3m_abort_report report = {.size = sizeof(report)};
    return a3m_link_abort(credit_any_link(self, credit_any_socket(self)), &report);
}

/* ---- Waiting ----------------------------------------------------------------------------------- */

int credit_act_wait(struct actor *self)
{
    a3m_socket socket = credit_any_socket(self);
    switch (actor_draw(self, 5)) {
    case 0: return a3m_socket_wait_links(socket, 1 + actor_draw(self, 3), credit_deadline(self));
    case 1: return a3m_socket_wait_links_or_none(socket, 1 + actor_draw(self, 3), credit_deadline(self));
    case 2: return a3m_socket_wait_link(socket, NULL, credit_deadline(self));
    case 3: return a3m_socket_wait_link_or_none(socket, NULL, credit_deadline(self));
    default: return a3m_link_wait(credit_any_link(self, socket), credit_deadline(self));
    }
}

/* Ends somebody's wait, if that is on a socket that asks for it. */
int credit_act_signal(struct actor *self)
{
    struct credit_arena *arena = credit_arena_of(self);
    (void)pthread_kill(arena->actors[actor_draw(self, CREDIT_ACTORS)].actor.thread, SIGUSR1);
    return A3M_OK;
}

int credit_act_drain(struct actor *self)
{
    return a3m_socket_drain(credit_any_push(self), credit_deadline(self));
}

/* ---- Options ------------------------------------------------------------------------------------- */

int credit_act_capacity(struct actor *self)
{
    static const int64_t bytes[] = {1, 10, 100, 1000, 10000, 100000};
    a3m_socket socket = credit_any_pull(self);
    switch (actor_draw(self, 3)) {
    case 0: return a3m_socket_set(socket, A3M_OPT_CREDIT_MESSAGES, 1 + actor_draw(self, 20));
    case 1: return a3m_socket_set(socket, A3M_OPT_CREDIT_BYTES, bytes[actor_draw(self, 6)]);
    default:
        return a3m_link_set_credit(credit_any_link(self, socket), 1 + actor_draw(self, 20),
                                   (uint64_t)bytes[actor_draw(self, 6)]);
    }
}

static int any_room_for_events(struct actor *self, a3m_socket socket)
{
    return credit_keeps_events(credit_arena_of(self), socket)
               ? A3M_OK
               : a3m_socket_set(socket, A3M_OPT_EVENTS, actor_draw(self, 2) * actor_draw(self, 8));
}

int credit_act_option(struct actor *self)
{
    a3m_socket socket = credit_any_socket(self);
    switch (actor_draw(self, 8)) {
    case 0: return a3m_socket_set(socket, A3M_OPT_FAIR, actor_draw(self, 2));
    case 1: return a3m_socket_set(socket, A3M_OPT_ORDERED, actor_draw(self, 2));
    case 2: return a3m_socket_set(socket, A3M_OPT_EINTR, actor_draw(self, 2));
    case 3: return any_room_for_events(self, socket);
    case 4: return a3m_socket_set(socket, A3M_OPT_LINK_ATTEMPTS, actor_draw(self, 4) * actor_draw(self, 4));
    case 5: return a3m_socket_set(socket, A3M_OPT_INCOMING, actor_draw(self, 4) != 0);
    case 6: return a3m_socket_set(socket, A3M_OPT_MAX_LINKS, actor_draw(self, 2) * actor_draw(self, 8));
    default:
        return credit_arena_of(self)->exact
                   ? A3M_OK
                   : a3m_socket_set(socket, A3M_OPT_CREDIT_BATCH, 1 + actor_draw(self, 100));
    }
}

/* In a turn of the engine. One in eight is refused for good, two for now. */
static void decide(void *arg, const a3m_link_request *request, a3m_link_answer *answer)
{
    static const char words[] = "metadata of the one who answers";
    struct credit_arena *arena = arg;
    uint32_t n = atomic_fetch_add(&arena->asked, 1);
    CHECK(request->size == sizeof(*request) && request->peer_node != NULL && request->peer_tag != NULL);
    answer->accept = n % 8 == 0 ? A3M_REFUSE : n % 8 < 3 ? A3M_REFUSE_FOR_NOW : A3M_ACCEPT;
    if (answer->accept == A3M_ACCEPT) {
        answer->metadata = words;
        answer->metadata_size = n % sizeof(words);
    } else {
        (void)snprintf(answer->text, sizeof(answer->text), "request %u", n);
    }
}

int credit_act_accept(struct actor *self)
{
    return a3m_socket_set_accept(credit_any_socket(self), actor_draw(self, 2) == 0 ? decide : NULL,
                                 credit_arena_of(self));
}

/* ---- Closing, looking on --------------------------------------------------------------------------- */

int credit_act_close(struct actor *self)
{
    struct credit_arena *arena = credit_arena_of(self);
    bool push = actor_draw(self, 2) == 0;
    uint32_t i = actor_draw(self, push ? CREDIT_PUSHES : CREDIT_PULLS);
    a3m_socket socket = {atomic_load(push ? &arena->pushes[i] : &arena->pulls[i])};
    int result = a3m_socket_close(socket);
    return result == A3M_OK ? credit_reopen(arena, push, i) : result;
}

static int look_at_link(struct actor *self, a3m_socket socket)
{
    a3m_link_info info = {.size = sizeof(info)};
    a3m_link link = credit_any_link(self, socket);
    uint8_t metadata[64];
    int result = a3m_link_get_info(link, &info);
    if (result == A3M_OK) {
        CHECK(info.taken <= info.received && info.acknowledged <= info.sent);
        (void)a3m_link_metadata(link, metadata, sizeof(metadata));
    }
    return result;
}

static int look_at_event(struct actor *self, a3m_socket socket)
{
    a3m_socket_event event = {.size = sizeof(event)};
    int result = a3m_socket_next_event(socket, &event, credit_deadline(self));
    if (result == A3M_OK) {
        credit_on_event(credit_arena_of(self), &event);
    }
    return result;
}

int credit_act_look(struct actor *self)
{
    a3m_node_stats stats = {.size = sizeof(stats)};
    a3m_socket socket = credit_any_socket(self);
    switch (actor_draw(self, 4)) {
    case 0: return a3m_node_get_stats(credit_arena_of(self)->nodes[actor_draw(self, CREDIT_NODES)], &stats);
    case 1: return look_at_event(self, socket);
    default: return look_at_link(self, socket);
    }
}
