/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doors of simulated sockets (node_sim.h): their accept hooks, what both ends
 * tell each other with a link, and what is left of one that was refused for good.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node_sim.h"

static const char refusal[] = "never by ";

/* Each link that is asked for tells who asks, and which of all questions it is: no two say the same. */
size_t sim_door_question(struct sim_app *app, char *text, size_t size)
{
    int n = snprintf(text, size, "n%u/s%u asks %" PRIu64, app->node->index, app->index,
                     ++app->node->sim->questions);
    return (size_t)n;
}

static bool is_begun(const a3m_link_request *request, const char *with)
{
    return request->metadata_size > strlen(with) && memcmp(request->metadata, with, strlen(with)) == 0;
}

/*
 * Whether who asks is who it says, with what it said. A link that the other end made, and that this one asked for
 * when it was there already, keeps what it had: what it was accepted with, or nothing.
 */
static bool is_genuine(const struct sim_app *app, const a3m_link_request *request)
{
    char begin[40];
    (void)snprintf(begin, sizeof(begin), "%s/%s asks ", request->peer_node, request->peer_tag);
    const char *const *peers = app->base->type->peers;
    bool fits = false;
    for (size_t i = 0; peers != NULL && peers[i] != NULL; i++) {
        fits |= strcmp(peers[i], request->peer_type) == 0;
    }
    return fits && (is_begun(request, begin) || is_begun(request, "answer ") || request->metadata_size == 0);
}

static void on_request(void *arg, const a3m_link_request *request, a3m_link_answer *answer)
{
    struct sim_app *app = arg;
    struct sim *sim = app->node->sim;
    if (!is_genuine(app, request)) {
        sim_fail(sim, "s%u of node %u is asked by a %s '%s/%s', who tells %zu bytes", app->index,
                 app->node->index, request->peer_type, request->peer_node, request->peer_tag,
                 request->metadata_size);
    }
    sim->answers[app->door]++;
    switch (app->door) {
    case SIM_DOOR_NONE:
    case SIM_DOOR_OPEN:
        answer->metadata = app->answer;
        answer->metadata_size = (size_t)snprintf(app->answer, sizeof(app->answer), "answer %" PRIu64,
                                                 ++sim->questions);
        return;
    case SIM_DOOR_LATER: answer->accept = A3M_REFUSE_FOR_NOW; return;
    case SIM_DOOR_SHUT:
        answer->accept = A3M_REFUSE;
        (void)snprintf(answer->text, sizeof(answer->text), "%sn%u/s%u", refusal, app->node->index,
                       app->index);
        return;
    }
}

void sim_door_set(struct sim_app *app)
{
    a3m_accept_fn hook = app->door == SIM_DOOR_NONE ? NULL : on_request;
    if (a3m_socket_set_accept(app->socket, hook, app) != A3M_OK) {
        sim_fail(app->node->sim, "an accept hook cannot be set: %s", a3m_error_detail());
    }
}

void sim_door(struct sim *sim, uint32_t node, uint32_t index, enum sim_door door)
{
    struct sim_app *app = &sim->nodes[node].apps[index];
    app->door = door;
    if (app->open) {
        sim_door_set(app);
    }
}

/* ---- What must hold ------------------------------------------------------------------- */

static bool is_same(const struct a3mi_metadata *a, const struct a3mi_metadata *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
}

bool sim_door_told(const struct a3mi_link *link, const struct a3mi_link *other)
{
    return is_same(&link->peer_metadata, &other->metadata) && is_same(&other->peer_metadata, &link->metadata);
}

void sim_door_check_refused(struct sim *sim, const struct a3mi_link *link)
{
    if (link->state != A3MI_LINK_CLOSED || link->reason != A3M_EREFUSED || link->alias != NULL) {
        return;
    }
    const char *by = link->text != NULL ? link->text : "";
    const char *tag = strchr(by, '/');
    if (strncmp(by, refusal, strlen(refusal)) != 0 || tag == NULL || strcmp(tag + 1, link->peer_tag.s) != 0 ||
        sim->answers[SIM_DOOR_SHUT] == 0) {
        sim_fail(sim, "a link with %s/%s was refused for good by nobody: '%s'", link->peer_node.s,
                 link->peer_tag.s, by);
    }
}

/* Whether the link is with that socket, as far as its node knows who it is with. */
static bool is_with(const struct a3mi_link *link, const struct sim_app *app)
{
    char id[16], tag[16];
    (void)snprintf(id, sizeof(id), "n%u", app->node->index);
    (void)snprintf(tag, sizeof(tag), "s%u", app->index);
    return strcmp(link->peer_tag.s, tag) == 0 &&
           (link->peer_node.len == 0 || strcmp(link->peer_node.s, id) == 0);
}

/* Whether the socket has a link with that one that is not over; *refused: or one that was refused for good. */
static bool has_link(const struct sim_app *app, const struct sim_app *with, bool *refused)
{
    bool has = false;
    *refused = false;
    A3MI_LIST_FOREACH (it, &app->base->links) {
        const struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, on_socket);
        bool over = link->state == A3MI_LINK_CLOSED;
        if (link->alias == NULL && is_with(link, with)) {
            has |= !over;
            *refused |= over && link->reason == A3M_EREFUSED;
        }
    }
    return has;
}

bool sim_door_refused(const struct sim_app *app, const struct sim_wish *wish)
{
    const struct sim_app *peer = &app->node->sim->nodes[wish->node].apps[wish->app];
    bool refused, unused;
    return peer->door == SIM_DOOR_SHUT && peer->open && !has_link(app, peer, &refused) && refused &&
           !has_link(peer, app, &unused);
}
