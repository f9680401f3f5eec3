/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold of lines. Who waits, for what and since when is what the test itself knows of its actors; what there
 * is of credit, room and messages is read from inside the nodes.
 */
#include "lines.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- What there is --------------------------------------------------------------------------------- */

static bool is_fair(const struct a3m_base *socket)
{
    return socket->options.values[A3M_OPT_FAIR] != 0;
}

static bool is_up(const struct a3mi_link *link)
{
    return link != NULL && link->state == A3MI_LINK_UP && !link->ended;
}

/* Whether a link has credit for a message. */
static bool has_credit(const struct a3mi_link *link, size_t size)
{
    uint64_t enough = link->peer_capacity_bytes - link->peer_capacity_bytes / 4;
    uint64_t used = link->sent_bytes + link->reserved_bytes;
    uint64_t need = size < enough ? size : enough;
    return link->sent + link->reserved < link->limit_messages && used < link->limit_bytes &&
           used + need <= link->limit_bytes;
}

static bool is_receive(const struct lines_call *call)
{
    return call->kind == LINES_RECEIVE;
}

static bool is_asleep(const struct lines_call *call)
{
    return call->actor.state == STAGE_ASLEEP;
}

/* Asleep in line for credit, or for room; not served. */
static bool stands(const struct lines_call *call)
{
    return is_asleep(call) && !is_receive(call) && !call->actor.woken && !lines_wait(call)->given;
}

static bool waits_for_room(const struct lines_call *call)
{
    return is_asleep(call) && !is_receive(call) && !call->actor.woken && lines_wait(call)->given;
}

/* Whether this link would do for a call that sends. */
static bool would_do(const struct lines_world *w, const struct lines_call *call, const struct a3mi_link *link)
{
    return w->in_pushes[call->socket] == link->socket &&
           (call->link.v == 0 || call->link.v == link->handle) && call->size <= link->peer_max_message;
}

static bool has_source(const struct lines_world *w, const struct lines_call *call)
{
    const struct a3mi_link *link = lines_link(call->link);
    return call->link.v == 0 ? w->in_pulls[call->socket]->inbox_count > 0
                             : link != NULL && !a3mi_fifo_empty(&link->inbox);
}

/* ---- Before a step ------------------------------------------------------------------------------------ */

static size_t room_place(const struct lines_world *w, const struct a3mi_credit_wait *wait)
{
    size_t at = 0;
    A3MI_LIST_FOREACH (it, &w->in_from->window_line) {
        if (it == &wait->room.in_line) {
            break;
        }
        at++;
    }
    return at;
}

/* Whether all receives of a socket that were woken were so for a message; others learn that a link ends. */
static bool all_promised(const struct lines_world *w, uint32_t pull)
{
    size_t woken = 0;
    for (size_t i = 0; i < LINES_ACTORS; i++) {
        const struct lines_call *call = &w->calls[i];
        woken += is_asleep(call) && is_receive(call) && call->socket == pull && call->actor.woken;
    }
    return woken == w->in_pulls[pull]->inbox_promised;
}

static void see_call(struct lines_world *w, size_t i)
{
    const struct lines_call *call = &w->calls[i];
    struct lines_seen_call *seen = &w->before.calls[i];
    *seen = (struct lines_seen_call){.stands = stands(call),
                                     .waits_room = waits_for_room(call),
                                     .woken = is_asleep(call) && call->actor.woken,
                                     .ticket = call->ticket};
    if (seen->waits_room) {
        seen->room_at = room_place(w, lines_wait(call));
        seen->room_link = lines_wait(call)->credit->handle;
    }
    if (seen->woken && !is_receive(call)) {
        const struct a3mi_credit_wait *wait = lines_wait(call);
        seen->valid = !wait->served || a3mi_credit_valid(wait->credit);
    }
    if (seen->woken && is_receive(call)) {
        seen->promised = all_promised(w, call->socket);
        seen->source = has_source(w, call);
    }
}

void lines_look_before(struct lines_world *w)
{
    for (uint32_t p = 0; p < w->shape.pushes; p++) {
        w->before.fair[p] = is_fair(w->in_pushes[p]);
        for (uint32_t k = 0; k < w->shape.pulls; k++) {
            const struct a3mi_link *link = lines_link(w->links[p][k]);
            w->before.links[p][k] = link == NULL
                                        ? (struct lines_seen_link){0}
                                        : (struct lines_seen_link){link->handle, link->life, is_up(link),
                                                                   link->sent + link->reserved};
        }
    }
    for (uint32_t k = 0; k < w->shape.pulls; k++) {
        w->before.pulls[k].inbox = w->in_pulls[k]->inbox_count;
        w->before.pulls[k].promised = w->in_pulls[k]->inbox_promised;
    }
    for (size_t i = 0; i < LINES_ACTORS; i++) {
        see_call(w, i);
    }
}

/* ---- Nobody sleeps who could be served ------------------------------------------------------------------- */

/* Who of a link's two lines is the first: by the lowest ticket, or the highest. -1: nobody. */
static int first_at(const struct lines_world *w, const struct a3mi_link *link, bool specific, bool last)
{
    int first = -1;
    for (int i = 0; i < LINES_ACTORS; i++) {
        const struct lines_call *call = &w->calls[i];
        if (stands(call) && (call->link.v != 0) == specific && would_do(w, call, link) &&
            (first < 0 || (call->ticket > w->calls[first].ticket) == last)) {
            first = i;
        }
    }
    return first;
}

static void check_credit_line(struct lines_world *w, const struct a3mi_link *link)
{
    bool fair = is_fair(link->socket);
    int specific = first_at(w, link, true, !fair);
    int general = first_at(w, link, false, !fair);
    if (fair && specific >= 0 && general >= 0) {
        *(w->calls[specific].ticket < w->calls[general].ticket ? &general : &specific) = -1;
    }
    for (int i = 0; i < 2; i++) {
        int who = i == 0 ? specific : general;
        if (who >= 0 && has_credit(link, w->calls[who].size)) {
            lines_fault(w, "%d sleeps, and there is credit for it", who);
        }
    }
}

static void check_room_line(struct lines_world *w)
{
    uint32_t n = 0;
    for (size_t i = 0; i < LINES_ACTORS; i++) {
        n += waits_for_room(&w->calls[i]);
    }
    if (n > 0 && !a3mi_window_full(w->in_from)) {
        lines_fault(w, "%u sleep, and there is room", n);
    }
    if (n != atomic_load(&w->in_from->window_line_count)) {
        lines_fault(w, "%u wait for room, the line has %u", n, atomic_load(&w->in_from->window_line_count));
    }
}

/*
 * A message that nobody was woken for is for whoever would take it. While some were woken, it may be one of theirs that
 * lies at a link where somebody waits.
 */
static void check_receivers(struct lines_world *w)
{
    for (int i = 0; i < LINES_ACTORS; i++) {
        const struct lines_call *call = &w->calls[i];
        if (!is_asleep(call) || !is_receive(call) || call->actor.woken || !has_source(w, call)) {
            continue;
        }
        const struct a3m_base *pull = w->in_pulls[call->socket];
        bool free = call->link.v == 0 ? pull->inbox_count > pull->inbox_promised : pull->inbox_promised == 0;
        if (free) {
            lines_fault(w, "%d sleeps, and there is a message for it", i);
        }
    }
}

/* ---- Who was woken is served, and goes on ------------------------------------------------------------------ */

static void check_woken(struct lines_world *w)
{
    for (int i = 0; i < LINES_ACTORS; i++) {
        const struct lines_call *call = &w->calls[i];
        if (!is_asleep(call) || is_receive(call)) {
            continue;
        }
        const struct a3mi_credit_wait *wait = lines_wait(call);
        bool over = wait->served || wait->code != A3M_OK;
        if (over != call->actor.woken && !w->closed) {
            lines_fault(w, "%d was %s", i, over ? "served, and not woken" : "woken, and not served");
        }
    }
}

/* One that went on and sleeps again: only what it was woken for can be gone. */
static void check_went_on(struct lines_world *w)
{
    if (w->acted == NULL || !is_asleep(w->acted)) {
        return;
    }
    int i = (int)(w->acted - w->calls);
    const struct lines_seen_call *seen = &w->before.calls[i];
    if (!seen->woken) {
        return;
    }
    if (!is_receive(w->acted) && seen->valid) {
        lines_fault(w, "%d woke, and sleeps again", i);
    }
    if (seen->promised && seen->source) {
        lines_fault(w, "%d woke for a message that is there, and sleeps again", i);
    }
    if (seen->promised && w->acted->link.v == 0 && w->shape.fair_pull && !w->reordered_ever) {
        lines_fault(w, "%d woke for a message of a fair socket that is gone, and sleeps again", i);
    }
}

/* No more receives are woken than messages came. */
static void check_arrivals(struct lines_world *w)
{
    for (uint32_t k = 0; w->receive_turn && k < w->shape.pulls; k++) {
        size_t came = w->in_pulls[k]->inbox_count - w->before.pulls[k].inbox;
        size_t woken = w->in_pulls[k]->inbox_promised - w->before.pulls[k].promised;
        if (woken > came) {
            lines_fault(w, "%zu messages came, %zu receives were woken", came, woken);
        }
    }
}

/* ---- The order ------------------------------------------------------------------------------------------------ */

/* A link of this PUSH went down in this step: who stands may have had its credit in between. */
static bool lost_link(const struct lines_world *w, uint32_t p)
{
    bool lost = false;
    for (uint32_t k = 0; k < w->shape.pulls; k++) {
        const struct lines_seen_link *seen = &w->before.links[p][k];
        const struct a3mi_link *link = lines_link(w->links[p][k]);
        lost |= seen->up && (!is_up(link) || seen->handle != link->handle || seen->life != link->life);
    }
    return lost;
}

/* It got credit of the link: nobody stood before it in line, nor does now, who would take that. */
static void check_passed(struct lines_world *w, const struct a3mi_link *link, int who, uint64_t ticket)
{
    for (int i = 0; i < LINES_ACTORS; i++) {
        const struct lines_call *call = &w->calls[i];
        if (i != who && stands(call) && w->before.calls[i].stands &&
            w->before.calls[i].ticket == call->ticket && call->ticket < ticket && would_do(w, call, link) &&
            !lost_link(w, call->socket)) {
            lines_fault(w, "%d passed %d in the fair order", who, i);
        }
    }
}

/* Of one link: who got its credit in this step. */
struct served {
    int specific, general; /* how many, from its lines */
    size_t size;           /* of the last one */
    uint64_t others;       /* how many of what it gave went to calls that did not stand there */
};

static const struct a3mi_link *given_by(const struct lines_call *call)
{
    const struct a3mi_credit_wait *wait = lines_wait(call);
    return wait->served || wait->given ? wait->credit->link : NULL;
}

/* Whether it got its credit in this step, asleep. */
static bool got_credit(const struct lines_world *w, int i)
{
    const struct lines_call *call = &w->calls[i];
    const struct lines_seen_call *seen = &w->before.calls[i];
    return is_asleep(call) && !is_receive(call) && given_by(call) != NULL && !seen->waits_room &&
           (!seen->woken || call == w->acted);
}

static struct served look_at_served(struct lines_world *w, const struct a3mi_link *link, uint64_t used_before)
{
    struct served served = {0};
    uint64_t n = 0;
    for (int i = 0; i < LINES_ACTORS; i++) {
        const struct lines_call *call = &w->calls[i];
        if (!got_credit(w, i) || given_by(call) != link) {
            continue;
        }
        n++;
        if (w->before.calls[i].stands) {
            *(call->link.v != 0 ? &served.specific : &served.general) += 1;
            served.size = call->size;
        }
        if (w->before.fair[call->socket] && !w->reordered) {
            check_passed(w, link, i, call->ticket);
        }
    }
    uint64_t used = link->sent + link->reserved;
    served.others = used > used_before + n ? used - used_before - n : 0;
    return served;
}

/* Somebody had credit of this link who did not sleep for it. */
static void check_newcomer(struct lines_world *w, uint32_t p, const struct a3mi_link *link)
{
    bool acted = w->acted != NULL && !is_receive(w->acted) && w->acted->socket == p && !is_asleep(w->acted) &&
                 w->acted->actor.result == A3M_OK;
    if ((acted || (w->tried && w->tried_on == p)) && w->before.fair[p] && !w->reordered) {
        check_passed(w, link, acted ? (int)(w->acted - w->calls) : -1,
                     acted && w->acted->ticket != 0 ? w->acted->ticket : UINT64_MAX);
    }
}

/* Whether it was the last of its kind at the link before the step, too. */
static bool was_last(const struct lines_world *w, const struct a3mi_link *link, int who)
{
    bool last = w->before.calls[who].stands;
    for (int i = 0; i < LINES_ACTORS; i++) {
        const struct lines_call *call = &w->calls[i];
        last &= !(w->before.calls[i].stands && w->before.calls[i].ticket > w->calls[who].ticket &&
                  would_do(w, call, link) && (call->link.v != 0) == (w->calls[who].link.v != 0));
    }
    return last;
}

/* In the unfair order kinds take turns: not the same one twice, while the other one's next would have done. */
static void check_turns(struct lines_world *w, enum lines_turn *turn, const struct a3mi_link *link,
                        const struct served *served)
{
    int n = served->specific + served->general;
    enum lines_turn kind = served->specific > 0 ? LINES_SPECIFIC : LINES_GENERAL;
    if (n == 0) {
        return;
    }
    if (n == 1 && kind == *turn && !is_fair(link->socket) && !w->reordered) {
        int other = first_at(w, link, kind == LINES_GENERAL, true);
        if (other >= 0 && was_last(w, link, other) && w->calls[other].size <= served->size) {
            lines_fault(w, "calls for %s were served twice, and %d stands there",
                        kind == LINES_SPECIFIC ? "one link" : "any link", other);
        }
    }
    *turn = n == 1 && !is_fair(link->socket) && !w->reordered ? kind : LINES_NOBODY;
}

static void check_order(struct lines_world *w, uint32_t p, uint32_t k, const struct a3mi_link *link)
{
    const struct lines_seen_link *seen = &w->before.links[p][k];
    bool same = seen->up && seen->handle == link->handle && seen->life == link->life;
    if (!same) {
        w->turns[p][k] = LINES_NOBODY;
        return;
    }
    struct served served = look_at_served(w, link, seen->used);
    if (served.others > 0) {
        check_newcomer(w, p, link);
    }
    check_turns(w, &w->turns[p][k], link, &served);
}

/* Those who got room stood before all who still wait for it. */
static void check_room_order(struct lines_world *w)
{
    for (int i = 0; i < LINES_ACTORS; i++) {
        const struct lines_seen_call *seen = &w->before.calls[i];
        const struct lines_call *call = &w->calls[i];
        bool served = seen->waits_room && is_asleep(call) && call->actor.woken && lines_wait(call)->served;
        for (int j = 0; served && j < LINES_ACTORS; j++) {
            if (w->before.calls[j].waits_room && waits_for_room(&w->calls[j]) &&
                lines_wait(&w->calls[j])->credit->handle == w->before.calls[j].room_link &&
                w->before.calls[j].room_at < seen->room_at) {
                lines_fault(w, "%d passed %d in the line for room", i, j);
            }
        }
    }
}

/* ---- Conservation ------------------------------------------------------------------------------------------------ */

static void check_reserved(struct lines_world *w, const struct a3mi_link *link)
{
    uint64_t n = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < w->n_held; i++) {
        if (w->held[i].link.v == link->handle && w->held[i].life == link->life) {
            n++;
            bytes += w->held[i].size;
        }
    }
    for (size_t i = 0; i < LINES_ACTORS; i++) {
        const struct lines_call *call = &w->calls[i];
        if (is_asleep(call) && !is_receive(call) && given_by(call) == link &&
            lines_wait(call)->credit->life == link->life) {
            n++;
            bytes += call->size;
        }
    }
    if (n != link->reserved || bytes != link->reserved_bytes) {
        lines_fault(w, "%llu credits of %llu bytes are reserved, and %llu of %llu are held",
                    (unsigned long long)link->reserved, (unsigned long long)link->reserved_bytes,
                    (unsigned long long)n, (unsigned long long)bytes);
    }
    a3m_link_info info = {.size = sizeof(info)};
    if (a3m_link_get_info((a3m_link){link->handle}, &info) != A3M_OK ||
        info.credit_messages != (int64_t)(link->limit_messages - link->sent - n) ||
        info.credit_bytes != (int64_t)(link->limit_bytes - link->sent_bytes - bytes)) {
        lines_fault(w, "a link's credit is not its limit less what was sent and is reserved");
    }
}

/* Nothing is under way, and nobody on the way. */
static void check_rest(struct lines_world *w)
{
    uint64_t used = atomic_load(&w->in_from->outbox_bytes) + atomic_load(&w->in_from->unit_bytes);
    if (used != 0) {
        lines_fault(w, "%llu bytes of the outbox are taken by nothing", (unsigned long long)used);
    }
    for (uint32_t k = 0; k < w->shape.pulls; k++) {
        if (w->in_pulls[k]->inbox_promised != 0 || w->in_pulls[k]->receives_behind > LINES_ACTORS) {
            lines_fault(w, "messages are promised to nobody");
        }
    }
}

/* ---- Pollers ----------------------------------------------------------------------------------------- */

/* What the poller of the run says. */
struct told {
    a3m_poll_event events[32];
    int n;
};

static void check_told(struct lines_world *w, const struct told *told, a3m_pollable what)
{
    a3m_poll_item item = {.what = what, .events = A3M_POLL_OUT};
    bool shown = a3m_poll(&item, 1, A3M_NOW) == 1 && (item.revents & A3M_POLL_OUT) != 0;
    bool is_told = false;
    for (int i = 0; i < told->n; i++) {
        const a3m_poll_event *event = &told->events[i];
        is_told |= event->what.kind == what.kind && event->what.v == what.v &&
                   (event->events & A3M_POLL_OUT) != 0;
    }
    if (is_told != shown) {
        lines_fault(w, "a poller was told of OUT: %d, and it is shown: %d", is_told, shown);
    }
}

/* What is shown is what a try would get: credit for a byte, which is given back, and room. */
static void check_try(struct lines_world *w, uint32_t p, a3m_pollable what)
{
    a3m_poll_item item = {.what = what, .events = A3M_POLL_OUT};
    bool shown = a3m_poll(&item, 1, A3M_NOW) == 1 && (item.revents & A3M_POLL_OUT) != 0;
    a3m_credit credit;
    int result = what.kind == A3M_POLLABLE_LINK ? a3m_link_reserve((a3m_link){what.v}, 1, &credit, A3M_NOW)
                                                : a3m_socket_reserve(w->pushes[p], 1, &credit, NULL, A3M_NOW);
    if (result == A3M_OK) {
        (void)a3m_release(w->pushes[p], credit);
    }
    bool can = result == A3M_OK && a3mi_window_open(w->in_pushes[p]);
    if (shown != can) {
        lines_fault(w, "OUT is shown: %d, and a try would get: %d", shown, can);
    }
}

/* First what was told: what is tried is told, too. */
static void check_pollers(struct lines_world *w)
{
    a3m_pollable all[LINES_SOCKETS * (LINES_SOCKETS + 1)];
    uint32_t of[LINES_SOCKETS * (LINES_SOCKETS + 1)];
    size_t n = 0;
    struct told told;
    for (uint32_t p = 0; p < w->shape.pushes; p++) {
        of[n] = p;
        all[n++] = a3m_pollable_socket(w->pushes[p]);
        for (uint32_t k = 0; k < w->shape.pulls; k++) {
            if (is_up(lines_link(w->links[p][k]))) {
                of[n] = p;
                all[n++] = a3m_pollable_link(w->links[p][k]);
            }
        }
    }
    struct pollfd ready = {.events = POLLIN};
    assert_int_equal(a3m_poller_fd(w->poller, &ready.fd), A3M_OK);
    bool readable = poll(&ready, 1, 0) == 1;
    told.n = a3m_poller_wait(w->poller, told.events, 32, A3M_NOW);
    bool untold = atomic_load(&w->in_from->window_filled) !=
                  0; /* that the outbox is full: by the next turn */
    if (readable != (told.n > 0) && !untold) {
        lines_fault(w, "a poller's descriptor is readable: %d, and it has %d", readable, told.n);
    }
    for (size_t i = 0; i < n; i++) {
        check_told(w, &told, all[i]);
    }
    for (size_t i = 0; i < n; i++) {
        check_try(w, of[i], all[i]);
    }
}

/* ---- All of it ----------------------------------------------------------------------------------------------------------- */

void lines_look_after(struct lines_world *w)
{
    for (uint32_t p = 0; p < w->shape.pushes; p++) {
        for (uint32_t k = 0; k < w->shape.pulls; k++) {
            const struct a3mi_link *link = lines_link(w->links[p][k]);
            if (!is_up(link)) {
                w->turns[p][k] = LINES_NOBODY;
                continue;
            }
            check_credit_line(w, link);
            check_order(w, p, k, link);
            check_reserved(w, link);
        }
    }
    check_room_line(w);
    check_room_order(w);
    check_receivers(w);
    check_woken(w);
    check_went_on(w);
    check_arrivals(w);
    if (w->at_rest) {
        check_rest(w);
    }
    check_pollers(w);
}
