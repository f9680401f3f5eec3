/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One engine turn, the same for every thread that runs it: take what
 * applications put into the outbox, receive, run the timers that are due, send,
 * and hand what arrived to its sockets. [engine lock held throughout]
 *
 * A turn groups messages by socket and takes each socket's lock once. Threads
 * to wake are collected in turn->wakes; the reader wakes them when the engine
 * lock is let go.
 */
#include "node/node.h"
#include "node/schedule.h"
#include "node/unheard.h"

#include <limits.h>

/* Whether the link is through with everything is looked at when the turn hands up. */
static void note_finishing(struct a3mi_link *link)
{
    if (link->state == A3MI_LINK_FINISHING && !a3mi_list_linked(&link->in_finishing)) {
        a3mi_link_ref(link);
        a3mi_list_push_back(&link->socket->node->finishing, &link->in_finishing);
    }
}

/* ---- Outbox ------------------------------------------------------------------ */

static void command_message(struct a3mi_node *node, a3m_msg *msg, int64_t now)
{
    struct a3mi_link *link = msg->channel;
    link->drained++;
    if (link->tx.peer != NULL && msg->epoch == link->life) {
        a3mi_heartbeat_arm(link, now);
        a3mi_assoc_send(node->assoc, &link->tx, msg, now);
        return;
    }
    /* Its link ended, or lives another life: it was counted as given up then. */
    a3mi_window_return(node, 1, msg->size);
    a3m_msg_free(msg);
    note_finishing(link);
    if (link->released && link->drained == link->pushed) {
        a3mi_link_unref(link);
    }
}

static void drain_outbox(struct a3mi_node *node, struct a3mi_turn *turn)
{
    for (int i = 0; i < A3MI_TURN_ENTRIES; i++) {
        struct a3mi_outbox_node *entry = a3mi_reader_pop(node->reader);
        if (entry == NULL) {
            return;
        }
        switch ((enum a3mi_command)entry->kind) {
        case A3MI_CMD_MESSAGE:
            command_message(node, a3mi_container_of(entry, a3m_msg, outbox), turn->now);
            break;
        case A3MI_CMD_LINK:
            a3mi_link_begin(a3mi_container_of(entry, struct a3mi_link, command), turn->now);
            break;
        case A3MI_CMD_UNLINK:
            a3mi_link_unlink(a3mi_container_of(entry, struct a3mi_link, unlink), turn->now);
            break;
        case A3MI_CMD_CREDIT:
            a3mi_flow_send_credit(a3mi_container_of(entry, struct a3mi_link, credit), turn->now);
            break;
        case A3MI_CMD_SCHEDULE: a3mi_schedule_on_command(entry, turn->now); break;
        }
    }
    turn->more = true;
}

/* ---- Timed events -------------------------------------------------------------- */

void a3mi_event_set(struct a3mi_node *node, struct a3mi_event *event, int64_t at)
{
    a3mi_agenda_set(&node->events, &event->timer, at);
}

void a3mi_event_cancel(struct a3mi_node *node, struct a3mi_event *event)
{
    a3mi_agenda_cancel(&node->events, &event->timer);
}

static void run_events(struct a3mi_node *node, int64_t now)
{
    struct a3mi_agenda_node *first;
    while ((first = a3mi_agenda_first(&node->events)) != NULL && first->at <= now) {
        a3mi_agenda_cancel(&node->events, first);
        struct a3mi_event *event = a3mi_container_of(first, struct a3mi_event, timer);
        event->fire(event, now);
    }
}

/* ---- The network ----------------------------------------------------------------- */

static void receive(struct a3mi_node *node, struct a3mi_turn *turn)
{
    size_t n = node->transport->receive(node->transport_self, node->in, A3MI_TURN_PACKETS);
    for (size_t i = 0; i < n; i++) {
        a3mi_assoc_input(node->assoc, &node->in[i].from, node->in[i].bytes, node->in[i].size, turn->now);
    }
    turn->received |= n > 0;
    turn->more |= n == A3MI_TURN_PACKETS;
}

static void transmit(struct a3mi_node *node, struct a3mi_turn *turn, bool flush)
{
    node->write_blocked = false;
    for (int batch = 0; batch < 4; batch++) {
        size_t n = a3mi_assoc_output(node->assoc, node->out, A3MI_TURN_PACKETS, flush, turn->now);
        if (n == 0) {
            return;
        }
        size_t taken = node->transport->send(node->transport_self, node->out, n);
        if (taken < n) {
            a3mi_assoc_refused(node->assoc, node->out + taken, n - taken);
            node->write_blocked = true;
            return;
        }
        if (n < A3MI_TURN_PACKETS) {
            return;
        }
    }
    turn->more = true;
}

void a3mi_engine_drain(struct a3mi_node *node, struct a3mi_turn *turn)
{
    do {
        turn->more = false;
        drain_outbox(node, turn);
    } while (turn->more);
}

/* ---- Handing up ------------------------------------------------------------------- */

/* [socket] One message for the type or the queue; returns how many receivers it can serve. */
static size_t hand_up(struct a3mi_socket *socket, struct a3mi_link *link, a3m_msg *msg)
{
    if (!a3mi_flow_arrived(link, msg)) {
        a3mi_identity_unref(link->identity); /* taken for the whole batch */
        a3m_msg_free(msg);
        return 0;
    }
    msg->identity = link->identity;
    msg->channel = link;
    if (socket->closed) {
        socket->unread++;
        socket->node->unread++;
        a3m_msg_free(msg);
        return 0;
    }
    a3m_arrival arrival = A3M_ARRIVAL_QUEUE;
    if (socket->type->arrived != NULL) {
        arrival = socket->type->arrived(socket, socket->state, msg);
    }
    switch (arrival) {
    case A3M_ARRIVAL_TAKEN: return 0;
    case A3M_ARRIVAL_DROP:
        socket->dropped++;
        (void)a3mi_flow_taken(link, msg, false); /* carried by this or the next turn */
        a3m_msg_free(msg);
        return 0;
    case A3M_ARRIVAL_QUEUE: break;
    }
    if (a3mi_fifo_empty(&link->inbox)) {
        a3mi_link_ref(link);
        a3mi_list_push_back(&socket->readable, &link->readable);
    }
    a3mi_fifo_push(&link->inbox, &msg->node);
    socket->inbox_count++;
    return 1;
}

static void deliver_socket(struct a3mi_socket *socket, struct a3mi_turn *turn)
{
    size_t served = 0;
    struct a3mi_list *it;
    a3mi_socket_lock(socket);
    while ((it = a3mi_list_pop_front(&socket->batch)) != NULL) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, in_batch);
        struct a3mi_fifo_node *node;
        size_t before = served;
        a3mi_identity_ref(link->identity, (uint32_t)link->batch.count);
        while ((node = a3mi_fifo_pop(&link->batch)) != NULL) {
            served += hand_up(socket, link, a3mi_container_of(node, a3m_msg, node));
        }
        if (served > before) {
            served -= a3mi_link_wake(link, A3MI_KEY_IN,
                                     served - before); /* who receives from this link alone */
        }
    }
    if (served > 0) {
        a3mi_socket_wake(socket, A3MI_KEY_IN, served);
    }
    a3mi_socket_unlock_turn(socket, turn);
}

/* Hands over what this turn received. A link that is finishing may be finished by it. */
static void deliver(struct a3mi_node *node, struct a3mi_turn *turn)
{
    struct a3mi_list *it;
    while ((it = a3mi_list_pop_front(&node->batch)) != NULL) {
        struct a3mi_socket *socket = a3mi_container_of(it, struct a3m_base, in_batch);
        deliver_socket(socket, turn);
        a3mi_socket_unref(socket);
    }
    while ((it = a3mi_list_pop_front(&node->finishing)) != NULL) {
        struct a3mi_link *link = a3mi_container_of(it, struct a3mi_link, in_finishing);
        a3mi_link_check_finished(link, turn->now);
        a3mi_link_unref(link);
    }
}

void a3mi_engine_flush(struct a3mi_node *node, struct a3mi_turn *turn)
{
    transmit(node, turn, true);
    deliver(node, turn); /* between sockets of this node: nobody may run a turn before it is closed */
}

/* ---- The association's events ------------------------------------------------------- */

/* Not by the identity: a link that comes up again still has that of its earlier life. */
static bool is_attached(const struct a3mi_link *link)
{
    return link->identity != NULL && (link->state == A3MI_LINK_UP || link->state == A3MI_LINK_ENDING ||
                                      link->state == A3MI_LINK_FINISHING);
}

static void on_message(void *arg, struct a3mi_rx *rx, a3m_msg *msg)
{
    struct a3mi_node *node = arg;
    struct a3mi_link *link = a3mi_container_of(rx, struct a3mi_link, rx);
    struct a3mi_socket *socket = link->socket;
    if (!is_attached(link)) { /* data overtook the acceptance that it belongs to: it waits for it */
        if (a3mi_flow_arrived_early(link, msg->size)) {
            a3mi_fifo_push(&link->batch, &msg->node);
        } else {
            a3m_msg_free(msg);
        }
        return;
    }
    a3mi_fifo_push(&link->batch, &msg->node);
    if (!a3mi_list_linked(&link->in_batch)) {
        a3mi_list_push_back(&socket->batch, &link->in_batch);
    }
    if (!a3mi_list_linked(&socket->in_batch)) {
        a3mi_socket_ref(socket);
        a3mi_list_push_back(&node->batch, &socket->in_batch);
    }
    note_finishing(link);
}

static void on_control(void *arg, struct a3mi_peer *peer, uint64_t incarnation, const uint8_t *bytes,
                       size_t size)
{
    struct a3mi_node *node = arg;
    deliver(node, node->turn); /* what arrived before belongs to the link as it was before */
    a3mi_link_on_control(node, peer, incarnation, bytes, size, node->turn->now);
}

static void on_credit(void *arg, struct a3mi_rx *rx, uint32_t epoch, uint64_t messages, uint64_t bytes)
{
    (void)arg;
    a3mi_flow_on_credit(a3mi_container_of(rx, struct a3mi_link, rx), epoch, messages, bytes);
}

static void on_packed(void *arg, struct a3mi_tx *tx, a3m_msg *msg)
{
    (void)tx;
    a3mi_window_return(arg, 1, msg->size);
    a3m_msg_free(msg);
}

static void on_acknowledged(void *arg, struct a3mi_tx *tx, uint64_t n)
{
    struct a3mi_node *node = arg;
    struct a3mi_link *link = a3mi_container_of(tx, struct a3mi_link, tx);
    struct a3mi_socket *socket = link->socket;
    a3mi_socket_lock(socket);
    link->acknowledged += n;
    a3mi_receipts_accept(link, link->acknowledged);
    a3mi_link_settle(link, n, false);
    a3mi_socket_unlock_turn(socket, node->turn);
    note_finishing(link);
}

static void on_peer_ended(void *arg, struct a3mi_peer *peer, uint64_t incarnation, enum a3mi_peer_end why)
{
    struct a3mi_node *node = arg;
    deliver(node, node->turn); /* what arrived before counts as received */
    a3mi_link_on_peer_ended(node, peer, incarnation, why, node->turn->now);
}

static void on_peer_bound(void *arg, struct a3mi_peer *peer, uint64_t incarnation)
{
    (void)arg;
    a3mi_link_on_peer_bound(peer, incarnation);
}

static void on_peer_silent(void *arg, struct a3mi_peer *peer, uint64_t incarnation, int64_t since)
{
    (void)arg;
    a3mi_link_on_peer_silent(peer, incarnation, since);
}

static void on_peer_merged(void *arg, struct a3mi_peer *from, struct a3mi_peer *into)
{
    struct a3mi_node *node = arg;
    a3mi_link_on_peer_merged(node, from, into, node->turn->now);
}

static void on_duplicate_id(void *arg, const struct a3mi_name *id, const struct a3m_addr *where)
{
    a3mi_node_report_duplicate(arg, id, where);
}

const struct a3mi_assoc_hooks a3mi_engine_hooks = {
    .message = on_message,
    .control = on_control,
    .credit = on_credit,
    .packed = on_packed,
    .acknowledged = on_acknowledged,
    .peer_ended = on_peer_ended,
    .peer_silent = on_peer_silent,
    .peer_bound = on_peer_bound,
    .peer_merged = on_peer_merged,
    .duplicate_id = on_duplicate_id,
};

/* ---- The turn --------------------------------------------------------------------------- */

static void engine_turn(void *arg, struct a3mi_turn *turn)
{
    struct a3mi_node *node = arg;
    node->turn = turn;
    drain_outbox(node, turn);
    if ((turn->flags & A3MI_TURN_RECEIVE) != 0) {
        receive(node, turn);
    }
    if (a3mi_assoc_deadline(node->assoc) <= turn->now) {
        a3mi_assoc_tick(node->assoc, turn->now);
    }
    if ((turn->flags & A3MI_TURN_EVENTS) != 0) {
        run_events(node, turn->now);
    }
    deliver(node, turn);
    /* Credit that was returned while handing up, and the like. */
    drain_outbox(node, turn);
    if (!a3mi_list_empty(&node->taken)) {
        a3mi_taken_turn(node, turn->now);
    }
    if (!a3mi_list_empty(&node->unheard)) {
        a3mi_unheard_turn(node, turn->now);
    }
    transmit(node, turn, (turn->flags & A3MI_TURN_FLUSH) != 0);
    deliver(node, turn); /* messages between sockets of this node arrive while sending */
    turn->more |= a3mi_assoc_pending(node->assoc) && !node->write_blocked;
    a3mi_window_units(node, a3mi_assoc_unit_bytes(node->assoc));
    a3mi_window_tell(node, turn);
    a3mi_node_check_closed(node, turn);
    a3mi_tidings_turn(node, turn);
    const struct a3mi_agenda_node *first = a3mi_agenda_first(&node->events);
    turn->want_write = node->write_blocked;
    turn->deadline = a3mi_assoc_true_deadline(node->assoc, turn->now);
    turn->event_deadline = first != NULL ? first->at : INT64_MAX;
    node->turn = NULL;
}

/* Something about this machine's addresses. The next turn's timers say when peers are told. */
static void engine_notice(void *arg, int64_t now)
{
    struct a3mi_node *node = arg;
    if (node->transport->moved(node->transport_self)) {
        a3mi_assoc_moved(node->assoc, now);
    }
}

static void engine_after(void *arg, void *what)
{
    a3mi_node_after(arg, what);
}

const struct a3mi_reader_ops a3mi_engine_ops = {
    .turn = engine_turn, .notice = engine_notice, .after = engine_after};
