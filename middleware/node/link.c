/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link: carries out what the machine (core/link_machine.h) says. Everything
 * here runs with the engine lock held; what applications see changes with the
 * socket's lock held as well.
 */
#include "node/node.h"

#include <stdlib.h>

#include "core/mutation.h"
#include "node/credit.h"

/* ---- Life ---------------------------------------------------------------------- */

static void on_retry_event(struct a3mi_event *event, int64_t now);

struct a3mi_link *a3mi_link_new(struct a3mi_socket *socket, bool incoming)
{
    struct a3mi_link *link = calloc(1, sizeof(*link));
    if (link == NULL) {
        return NULL;
    }
    atomic_init(&link->refs, 3); /* the handle, the socket's list, the engine */
    link->handle = a3mi_registry_add(link, A3MI_KIND_LINK);
    if (link->handle == 0) {
        free(link);
        return NULL;
    }
    a3mi_node_handle_made(socket->node);
    a3mi_socket_ref(socket);
    link->socket = socket;
    link->incoming = incoming;
    link->state = A3MI_LINK_RETRYING;
    link->retry.fire = on_retry_event;
    a3mi_list_init(&link->on_peer);
    a3mi_list_init(&link->in_batch);
    a3mi_list_init(&link->in_finishing);
    a3mi_list_init(&link->on_socket);
    a3mi_list_init(&link->by_wish.list);
    a3mi_list_init(&link->by_pair.list);
    a3mi_list_init(&link->drains);
    a3mi_list_init(&link->scheduled);
    a3mi_receipts_init(&link->receipts);
    a3mi_list_init(&link->taken_unsaid.in_line);
    a3mi_list_init(&link->credit_line);
    a3mi_list_init(&link->room_line);
    a3mi_list_init(&link->sendable);
    a3mi_list_init(&link->readable);
    a3mi_fifo_init(&link->batch);
    a3mi_fifo_init(&link->inbox);
    a3mi_link_pollable_init(link);
    a3mi_backoff_init(&link->backoff, a3mi_socket_option(socket, A3M_OPT_LINK_RETRY_MIN),
                      a3mi_socket_option(socket, A3M_OPT_LINK_RETRY_MAX),
                      (uint32_t)a3mi_socket_option(socket, A3M_OPT_LINK_ATTEMPTS));
    link->capacity_messages = (uint64_t)a3mi_socket_option(socket, A3M_OPT_CREDIT_MESSAGES);
    link->capacity_bytes = (uint64_t)a3mi_socket_option(socket, A3M_OPT_CREDIT_BYTES);
    return link;
}

void a3mi_link_ref(struct a3mi_link *link)
{
    atomic_fetch_add_explicit(&link->refs, 1, memory_order_relaxed);
}

void a3mi_link_unref(struct a3mi_link *link)
{
    if (atomic_fetch_sub_explicit(&link->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    struct a3mi_fifo_node *node;
    while ((node = a3mi_fifo_pop(&link->inbox)) != NULL) {
        a3m_msg_free(a3mi_container_of(node, a3m_msg, node));
    }
    if (link->alias != NULL) {
        a3mi_link_unref(link->alias);
    }
    a3mi_identity_unref(link->identity);
    free(link->next_identity);
    a3mi_link_free_metadata(link);
    a3mi_receipts_fini(&link->receipts);
    a3mi_taken_clear(&link->taken_unsaid);
    a3mi_socket_unref(link->socket);
    free(link);
}

static void handle_last(void *obj)
{
    struct a3mi_link *link = obj;
    struct a3mi_node *node = link->socket->node;
    atomic_fetch_add(&node->refs, 1);
    a3mi_link_unref(link);
    a3mi_node_handle_retired(node);
    a3mi_node_unref(node);
}

/* [socket] No call finds the link any more. */
void a3mi_link_retire(struct a3mi_link *link)
{
    if (!link->retired) {
        link->retired = true;
        a3mi_registry_retire(link->handle, handle_last);
    }
}

/* [socket] It is over, and nobody asks why: its handle is good until all that came by it was taken. */
static void dismiss(struct a3mi_link *link)
{
    link->dismissed = true;
    a3mi_link_emptied(link);
}

void a3mi_link_emptied(struct a3mi_link *link)
{
    if (link->dismissed && a3mi_fifo_empty(&link->inbox)) {
        a3mi_link_leave_socket(link);
    }
}

/* ---- What the socket counts ------------------------------------------------------- */

static bool is_coming(const struct a3mi_link *link)
{
    return !link->ended && (link->state == A3MI_LINK_REQUESTING || link->state == A3MI_LINK_RETRYING);
}

/* [socket] A link is up for applications until it is told to end. */
static bool is_up(const struct a3mi_link *link)
{
    return !link->ended && link->state == A3MI_LINK_UP;
}

/* [socket] Changes what applications see, keeping the socket's counts. */
static void change(struct a3mi_link *link, enum a3mi_link_state state, bool ended)
{
    struct a3mi_socket *socket = link->socket;
    bool was_up = is_up(link);
    bool was_coming = link->counted && is_coming(link);
    if (link->state != state) {
        link->unanswered = false;
        link->state = state; /* not written without the engine lock, where only `ended` changes */
    }
    /* One that the peer asked for, and that did not come to be, is nobody's concern; nor is one that is another. */
    bool ends = ended && !link->ended && link->counted && link->alias == NULL;
    link->ended = ended;
    link->counted = true;
    socket->links_up += (size_t)is_up(link) - (size_t)was_up;
    socket->links_coming += (size_t)is_coming(link) - (size_t)was_coming;
    if (is_up(link) && !was_up) {
        atomic_fetch_add_explicit(&socket->node->links_up, 1, memory_order_relaxed);
    } else if (was_up && !is_up(link)) {
        atomic_fetch_sub_explicit(&socket->node->links_up, 1, memory_order_relaxed);
    }
    if (ends) {
        a3mi_event_log_add(link, A3M_EVENT_ENDED, link->reason, NULL);
    }
    /* Who waits for links "or none" learns it here: one that is being cancelled may stay for long. */
    if ((was_up || was_coming) && !is_up(link) && !is_coming(link)) {
        bool none = socket->links_up == 0 && socket->links_coming == 0;
        a3mi_socket_wake(socket, A3MI_KEY_LINK | (none ? A3MI_KEY_NONE : 0u), SIZE_MAX);
        if (none) {
            a3mi_event_log_no_links(socket);
        }
    }
    if (was_up && is_coming(link)) { /* it is asked for again, by another life */
        a3mi_link_wake(link, A3MI_KEY_NONE, SIZE_MAX);
    }
    a3mi_flow_refresh(link);
    if (was_up != is_up(link) || was_coming != is_coming(link)) {
        a3mi_credit_link_changed(link);
    }
    a3mi_link_lowered(link);
}

/* [socket] Counts a link that applications just made. */
void a3mi_link_count(struct a3mi_link *link)
{
    change(link, link->state, false);
}

/* ---- Actions ------------------------------------------------------------------------ */

static void arm(struct a3mi_link *link, int64_t now)
{
    struct a3mi_node *node = link->socket->node;
    unsigned percent = (unsigned)a3mi_socket_option(link->socket, A3M_OPT_LINK_RETRY_JITTER);
    link->next_attempt = now + a3mi_backoff_jitter(link->armed_interval, percent, &node->rng);
    a3mi_event_set(node, &link->retry, link->next_attempt);
}

static void send_request(struct a3mi_link *link, int64_t now)
{
    struct a3mi_control control = {.kind = A3MI_CONTROL_REQUEST};
    link->backoff_before = link->backoff;
    link->armed_interval = a3mi_backoff_attempt(&link->backoff);
    link->attempts = link->backoff.attempts;
    a3mi_link_ask_resolver(link);
    int result = a3mi_link_renew(link);
    if (result == A3M_OK) {
        a3mi_link_describe(link, &control);
        result = a3mi_link_say(link, &control, now) ? A3M_OK : A3M_ENOADDR;
    }
    if (result != A3M_OK) {
        link->reason = result;
        a3mi_link_step(link, a3mi_backoff_exhausted(&link->backoff) ? A3MI_ON_REFUSE_LAST : A3MI_ON_REFUSE,
                       NULL, now);
        return;
    }
    arm(link, now);
}

/* [socket] Tells everybody who waits that the link is up. */
static void tell_up(struct a3mi_link *link)
{
    struct a3mi_socket *socket = link->socket;
    link->told_up = true;
    a3mi_event_log_add(link, A3M_EVENT_UP, A3M_OK, NULL);
    if (socket->type->link_up != NULL) {
        socket->type->link_up(socket, socket->state, (a3m_link){link->handle});
    }
    a3mi_link_wake(link, A3MI_KEY_STATE, SIZE_MAX);
    a3mi_socket_wake(socket, A3MI_KEY_LINK, SIZE_MAX);
}

/* [socket] Nothing can be sent any more: who waits for credit, or for any link, learns it. */
static void tell_down(struct a3mi_link *link)
{
    a3mi_credit_link_changed(link);
}

/* [socket] The link is over: it leaves the engine. Its handle stays while its maker may ask why. */
static void close_link(struct a3mi_link *link, int64_t now)
{
    struct a3mi_socket *socket = link->socket;
    struct a3mi_node *node = socket->node;
    a3mi_event_cancel(node, &link->retry);
    a3mi_link_refuse_crossed(link, now);
    if (link->number != 0) {
        a3mi_map64_del(&node->links, link->number);
        link->number = 0;
    }
    a3mi_link_drop_attempt(link);
    if (link->peer != NULL) {
        struct a3mi_peer *peer = link->peer;
        a3mi_link_set_peer(link, NULL);
        a3mi_peer_release(node->assoc, peer);
    }
    a3mi_link_wake(link, A3MI_KEY_HUP, SIZE_MAX);
    a3mi_socket_wake(socket, A3MI_KEY_LINK, SIZE_MAX);
    if (a3mi_link_is_theirs(link) || link->unlinking || socket->closed) {
        dismiss(link);
    }
    link->released = true;
    if (link->drained == link->pushed) {
        a3mi_link_unref(link); /* the engine's count; the caller of the step holds another */
    }
}

static void send_end(struct a3mi_link *link, enum a3mi_control_kind kind, int64_t now)
{
    struct a3mi_control control = {.kind = kind};
    if (link->state !=
        A3MI_LINK_CANCELLING) { /* it still has the counts of its last life, nothing in this one */
        /* Aborting, before the channels are cut off: what is in units will come. */
        control.count = link->state == A3MI_LINK_ABORTING ? link->tx.packed : link->sent;
        control.received = link->received;
    }
    if (kind == A3MI_CONTROL_END && link->reason == A3M_ECLOSED) {
        control.refusal = A3MI_REFUSAL_CLOSED;
    }
    (void)a3mi_link_say(link, &control, now);
}

/* ---- The machine ----------------------------------------------------------------------- */

/* [engine] [socket] The actions that concern messages on the wire and timers. */
static void act_outside(struct a3mi_link *link, uint32_t actions, const struct a3mi_control *info,
                        int64_t now)
{
    struct a3mi_node *node = link->socket->node;
    if ((actions & A3MI_DO_SEND_ACCEPT) != 0) {
        struct a3mi_control control = {.kind = A3MI_CONTROL_ACCEPT};
        a3mi_link_describe(link, &control);
        (void)a3mi_link_say(link, &control, now);
    }
    if ((actions & A3MI_DO_ARM_TIMER) != 0) {
        if (link->armed_interval == 0) {
            link->armed_interval = link->backoff.min_ns;
        }
        arm(link, now);
        if (link->reason != A3M_OK) { /* else it goes on at once, at a peer that turned out to be another */
            a3mi_event_log_add(link, A3M_EVENT_RETRYING, link->reason, NULL);
        }
    }
    if ((actions & A3MI_DO_COUNT) != 0) {
        link->armed_interval = a3mi_backoff_attempt(&link->backoff);
        link->attempts = link->backoff.attempts;
        a3mi_link_ask_resolver(link);
        arm(link, now);
        link->unanswered = true;
        a3mi_blocked_note(link);
        a3mi_event_log_add(link, A3M_EVENT_RETRYING, A3M_ESILENT, NULL);
    }
    if ((actions & A3MI_DO_CANCEL_TIMER) != 0) {
        a3mi_event_cancel(node, &link->retry);
    }
    if ((actions & A3MI_DO_SEND_END) != 0) {
        send_end(link, A3MI_CONTROL_END, now);
    }
    if ((actions & A3MI_DO_SEND_ENDED) != 0) {
        send_end(link, A3MI_CONTROL_ENDED, now);
    }
    if ((actions & A3MI_DO_FINISH) != 0 && info != NULL) {
        link->end_count = info->count;
        if (!a3mi_list_linked(&link->in_finishing)) {
            a3mi_link_ref(link);
            a3mi_list_push_back(&node->finishing, &link->in_finishing);
        }
    }
    if ((actions & A3MI_DO_COUNT_ODD) != 0) {
        node->odd_controls++;
    }
}

void a3mi_link_carry_end(struct a3mi_link *link, int64_t now)
{
    bool due = link->ended && (link->state == A3MI_LINK_REQUESTING || link->state == A3MI_LINK_RETRYING ||
                               link->state == A3MI_LINK_UP);
    if (A3MI_MUTATE(LINK_END_WAITS, false, due)) {
        a3mi_link_step(link, A3MI_ON_UNLINK, NULL, now);
    }
}

/* What is over at the peer needs no END: the command finds what this leaves. */
static bool comes_after_end(enum a3mi_link_event event)
{
    return event != A3MI_ON_UNLINK && event != A3MI_ON_ABORT && event != A3MI_ON_PEER_LOST &&
           event != A3MI_ON_PEER_GONE;
}

void a3mi_link_step(struct a3mi_link *link, enum a3mi_link_event event, const struct a3mi_control *info,
                    int64_t now)
{
    a3mi_link_ref(link); /* the last action may drop the engine's */
    if (comes_after_end(event)) {
        a3mi_link_carry_end(link, now);
    }
    struct a3mi_link_step step = a3mi_link_machine(link->state, event);
    uint32_t actions = step.actions;
    bool ended = link->ended || step.next == A3MI_LINK_CANCELLING || step.next == A3MI_LINK_CLOSED ||
                 step.next == A3MI_LINK_ENDING || step.next == A3MI_LINK_FINISHING ||
                 step.next == A3MI_LINK_ABORTING;
    if ((actions & A3MI_DO_ATTACH) != 0 && info != NULL) { /* REQUEST and ACCEPT have it */
        a3mi_link_attach(link, info, now);
    } else if (link->state == A3MI_LINK_REQUESTING && step.next == A3MI_LINK_RETRYING) {
        a3mi_link_drop_attempt(link);
    }
    change(link, step.next, ended);
    if ((actions & A3MI_DO_ATTACH) != 0) {
        tell_up(link);
    }
    act_outside(link, actions, info, now);
    a3mi_link_tell_metadata(link, now);
    if ((actions & A3MI_DO_DETACH) != 0) {
        a3mi_link_detach(link);
    }
    if ((actions & A3MI_DO_TELL_DOWN) != 0) {
        tell_down(link);
    }
    if (ended && (actions & (A3MI_DO_CLOSE | A3MI_DO_SEND_END | A3MI_DO_FINISH)) != 0) {
        a3mi_link_wake(link, A3MI_KEY_HUP, SIZE_MAX);
    }
    if ((actions & A3MI_DO_CLOSE) != 0) {
        close_link(link, now);
    }
    if ((actions & A3MI_DO_SEND_REQUEST) != 0) {
        send_request(link, now);
    }
    a3mi_link_unref(link);
}

void a3mi_link_event(struct a3mi_link *link, enum a3mi_link_event event, const struct a3mi_control *info,
                     int64_t now)
{
    struct a3mi_socket *socket = link->socket;
    a3mi_socket_ref(socket);
    a3mi_socket_lock(socket);
    a3mi_link_step(link, event, info, now);
    a3mi_socket_unlock_turn(socket, socket->node->turn);
    a3mi_socket_unref(socket);
}

/* The LinkRetryEvent: checks that the link still waits for it, on the reader thread. */
static void on_retry_event(struct a3mi_event *event, int64_t now)
{
    struct a3mi_link *link = a3mi_container_of(event, struct a3mi_link, retry);
    bool last = a3mi_backoff_exhausted(&link->backoff);
    if (link->state != A3MI_LINK_REQUESTING && link->state != A3MI_LINK_RETRYING) {
        return;
    }
    struct a3mi_socket *socket = link->socket;
    a3mi_socket_ref(socket);
    a3mi_socket_lock(socket);
    if (last && link->state == A3MI_LINK_REQUESTING) {
        link->reason = A3M_ESILENT;
    }
    a3mi_link_step(link, last ? A3MI_ON_TIMER_LAST : A3MI_ON_TIMER, NULL, now);
    a3mi_socket_unlock_turn(socket, socket->node->turn);
    a3mi_socket_unref(socket);
}

bool a3mi_link_request_end(struct a3mi_link *link, int reason)
{
    if (link->unlinking) {
        return false;
    }
    link->unlinking = true;
    if (link->reason == A3M_OK || !link->ended) {
        link->reason = reason;
    }
    if (link->state == A3MI_LINK_CLOSED) {
        a3mi_link_leave_socket(link);
        return false;
    }
    change(link, link->state, true);
    a3mi_link_wake(link, A3MI_KEY_HUP, SIZE_MAX);
    a3mi_link_ref(link);
    link->unlink.kind = A3MI_CMD_UNLINK;
    a3mi_reader_push(link->socket->node->reader, &link->unlink);
    return true;
}

void a3mi_link_check_finished(struct a3mi_link *link, int64_t now)
{
    if (link->state == A3MI_LINK_FINISHING && (!link->rx_attached || link->rx.up.next >= link->end_count) &&
        link->drained == link->pushed && link->acknowledged >= link->sent) {
        a3mi_link_event(link, A3MI_ON_DRAINED, NULL, now);
    }
}
