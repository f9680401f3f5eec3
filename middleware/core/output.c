/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets out (core/state.h). First what waits ready, then units, on which
 * acknowledgements ride, then the acknowledgements that found no company: those
 * for which units left no room are the first of the next output, or a peer that
 * is sent to for ever would keep others from hearing anything.
 */
#include "core/output.h"

#include "core/answer.h"
#include "core/gate.h"
#include "core/loopback.h"
#include "core/memory.h"
#include "core/mutation.h"
#include "core/receiver.h"
#include "core/sender.h"

/* Packets of one sender before it is the next one's turn: a super-packet's worth. */
#define BURST 16u
/* When a sender could build nothing although it should: there was no memory. */
#define NO_MEMORY_RETRY INT64_C(10000000)

struct output {
    struct a3mi_assoc *assoc;
    struct a3m_packet_out *out;
    size_t n, max;
};

static void put_answer(struct output *o, struct a3mi_answer *answer, uint64_t acked_r)
{
    o->out[o->n] = (struct a3m_packet_out){.to = &answer->to, .bytes = answer->bytes, .size = answer->size};
    o->assoc->sent[o->n++] = (struct a3mi_sent){.answer = answer, .acked_r = acked_r};
}

static void put_answers(struct output *o)
{
    struct a3mi_fifo_node *node;

    while (o->n < o->max && (node = a3mi_fifo_pop(&o->assoc->answers)) != NULL) {
        a3mi_fifo_push(&o->assoc->spent, node);
        put_answer(o, a3mi_container_of(node, struct a3mi_answer, node), 0);
    }
}

static void put_partings(struct output *o)
{
    while (o->n < o->max && !a3mi_list_empty(&o->assoc->partings_due)) {
        struct a3mi_answer *answer = a3mi_parting_next(o->assoc);

        if (answer != NULL) {
            put_answer(o, answer, 0);
        }
    }
}

static void put_burst(struct output *o, struct a3mi_sender *sender)
{
    struct a3mi_assoc *assoc = o->assoc;
    size_t begin = o->n;

    while (o->n < o->max && o->n - begin < BURST) {
        if (!a3mi_sender_build(assoc, sender, &o->out[o->n], &assoc->sent[o->n])) {
            break;
        }
        o->n++;
    }
    a3mi_list_remove(&sender->active);
    if (o->n == begin) {
        a3mi_alarm_by(assoc, &sender->alarm, assoc->now + NO_MEMORY_RETRY);
        return;
    }
    a3mi_sender_refresh(assoc, sender);
}

static void put_units(struct output *o)
{
    struct a3mi_list *it;

    while (o->n < o->max && (it = a3mi_list_first(&o->assoc->active)) != NULL) {
        put_burst(o, a3mi_container_of(it, struct a3mi_sender, active));
    }
}

static void put_acks(struct output *o, struct a3mi_list *list)
{
    struct a3mi_assoc *assoc = o->assoc;
    struct a3mi_list *it;

    while (o->n < o->max && (it = a3mi_list_first(list)) != NULL) {
        struct a3mi_receiver *receiver = a3mi_container_of(it, struct a3mi_receiver, in_acks);
        struct a3mi_answer *answer = a3mi_answer_new(assoc, &receiver->path.addr);
        struct a3mi_ack ack;

        a3mi_receiver_ack_fill(assoc, receiver, &ack, A3MI_ACK_RANGES);
        if (answer != NULL) {
            a3mi_answer_spend(assoc, answer, A3MI_PACKET_ACK, receiver->s,
                              a3mi_ack_write(answer->bytes + A3MI_PACKET_HEADER, &ack));
            put_answer(o, answer, receiver->r);
        }
    }
}

size_t a3mi_output_build(struct a3mi_assoc *assoc, struct a3m_packet_out *out, size_t max, bool flush)
{
    struct output o = {.assoc = assoc, .out = out, .max = max < A3MI_OUTPUT_MAX ? max : A3MI_OUTPUT_MAX};

    a3mi_answers_free_spent(assoc);
    a3mi_loopback_run(assoc);
    a3mi_memory_relieve(assoc);
    assoc->sent_after = assoc->last_number;
    put_answers(&o);
    if (assoc->leaving || A3MI_MUTATE(CONTROL_LAST, false, assoc->acks_late)) {
        put_acks(&o, &assoc->ack_now); /* leaving: while there is somebody to take them */
    }
    put_partings(&o);
    put_units(&o);
    put_acks(&o, &assoc->ack_now);
    assoc->acks_late = !a3mi_list_empty(&assoc->ack_now);
    if (flush) {
        put_acks(&o, &assoc->ack_wait);
    }
    if (o.n < o.max) {
        a3mi_partings_renew(assoc);
    }
    assoc->sent_count = o.n;
    return o.n;
}

size_t a3mi_assoc_output(struct a3mi_assoc *assoc, struct a3m_packet_out *out, size_t max, bool flush,
                         int64_t now)
{
    assoc->now = now;
    if (assoc->config.gated) {
        a3mi_gate_fill(assoc, flush);
        return a3mi_gate_lend(assoc, out, max);
    }
    return a3mi_output_build(assoc, out, max, flush);
}

/* Undoes one packet. Small ones wait again; what they say is still true. */
static void unsent(struct a3mi_assoc *assoc, const struct a3mi_sent *sent)
{
    struct a3mi_receiver *receiver = sent->acked_r != 0 ? a3mi_map64_get(&assoc->receivers, sent->acked_r)
                                                        : NULL;

    if (receiver != NULL) {
        a3mi_receiver_ack_now(assoc, receiver);
    }
    if (sent->answer == NULL) {
        struct a3mi_sender *sender = a3mi_map64_get(&assoc->senders, sent->s);

        if (sender != NULL) {
            a3mi_sender_unsent(assoc, sender, sent->seq);
        }
    }
}

/* Takes the answers of the packets not sent out of the spent ones and puts them in front of those that wait. */
static void unspend(struct a3mi_assoc *assoc, size_t first)
{
    struct a3mi_fifo spent = assoc->spent;
    struct a3mi_fifo again = {0};
    struct a3mi_fifo_node *node;
    size_t i = 0;

    a3mi_fifo_init(&assoc->spent);
    while ((node = a3mi_fifo_pop(&spent)) != NULL) {
        /* Both are in the order of building. */
        while (i < assoc->sent_count &&
               (assoc->sent[i].answer == NULL || &assoc->sent[i].answer->node != node)) {
            i++;
        }
        bool is_ack = i < assoc->sent_count && assoc->sent[i].acked_r != 0;

        a3mi_fifo_push(i < first || is_ack || i == assoc->sent_count ? &assoc->spent : &again, node);
        i++;
    }
    a3mi_fifo_append(&again, &assoc->answers);
    assoc->answers = again;
}

void a3mi_assoc_refused(struct a3mi_assoc *assoc, const struct a3m_packet_out *packets, size_t n)
{
    (void)packets;
    if (assoc->config.gated) {
        a3mi_gate_return(assoc, n);
        return;
    }
    size_t first = n < assoc->sent_count ? assoc->sent_count - n : 0;

    for (size_t i = assoc->sent_count; i > first; i--) {
        unsent(assoc, &assoc->sent[i - 1]);
    }
    unspend(assoc, first);
    assoc->sent_count = first;
}

static bool has_output(const struct a3mi_assoc *assoc)
{
    return a3mi_memory_eased(assoc) || !a3mi_fifo_empty(&assoc->answers) ||
           !a3mi_list_empty(&assoc->partings_due) || !a3mi_list_empty(&assoc->active) ||
           !a3mi_list_empty(&assoc->ack_now) || a3mi_loopback_pending(assoc);
}

bool a3mi_assoc_pending(const struct a3mi_assoc *assoc)
{
    if (!assoc->config.gated) {
        return has_output(assoc);
    }
    return !a3mi_fifo_empty(&assoc->gate.released) ||
           (has_output(assoc) && assoc->gate.count + A3MI_GATE_SPARE <= A3MI_GATE_PACKETS);
}

bool a3mi_assoc_busy(const struct a3mi_assoc *assoc)
{
    return assoc->unfinished > 0 || has_output(assoc) || assoc->gate.count > 0 ||
           !a3mi_list_empty(&assoc->ack_wait);
}
