/* SPDX-License-Identifier: Apache-2.0 */
/* Small packets and partings (core/answer.h). */
#include "core/answer.h"

#include <string.h>

/* How often a parting is said, and how long after the first time again. */
#define PARTING_TIMES 2u
#define GOODBYE_TIMES 3u
#define PARTING_GAP   INT64_C(20000000)

struct parting {
    struct a3mi_list list;
    struct a3mi_alarm alarm;
    struct a3m_addr to;
    bool is_reset;
    uint64_t s, r;
    uint64_t cumulative; /* of a RESET */
    uint32_t left;
};

/* ---- Answers ---------------------------------------------------------------- */

void a3mi_answer_slabs_init(struct a3mi_assoc *assoc)
{
    const size_t head = offsetof(struct a3mi_answer, bytes);

    a3mi_slab_init(&assoc->answer_slab, head + A3MI_CONTROL_PACKET_MAX, 64, 0);
    a3mi_slab_init(&assoc->large_answer_slab, head + A3MI_PACKET_MAX, 1, 0);
}

static struct a3mi_answer *answer_new(struct a3mi_assoc *assoc, const struct a3m_addr *to, bool large)
{
    if (assoc->answers.count >= A3MI_ANSWERS_MAX || to->kind == A3M_ADDR_NONE) {
        return NULL;
    }
    struct a3mi_answer *answer = a3mi_slab_get(large ? &assoc->large_answer_slab : &assoc->answer_slab);

    if (answer != NULL) {
        answer->to = *to;
        answer->large = large;
    }
    return answer;
}

struct a3mi_answer *a3mi_answer_new(struct a3mi_assoc *assoc, const struct a3m_addr *to)
{
    return answer_new(assoc, to, false);
}

struct a3mi_answer *a3mi_answer_new_of(struct a3mi_assoc *assoc, const struct a3m_addr *to, size_t size)
{
    struct a3mi_answer *answer = answer_new(assoc, to, size > A3MI_CONTROL_PACKET_MAX);

    if (answer != NULL) {
        memset(answer->bytes, 0, size);
    }
    return answer;
}

static void seal(struct a3mi_assoc *assoc, struct a3mi_answer *answer, enum a3mi_packet_type type,
                 uint64_t addressee, size_t body_size)
{
    answer->size = A3MI_PACKET_HEADER + body_size;
    a3mi_packet_seal(answer->bytes, answer->size, type, addressee, a3mi_assoc_next_number(assoc));
}

void a3mi_answer_send(struct a3mi_assoc *assoc, struct a3mi_answer *answer, enum a3mi_packet_type type,
                      uint64_t addressee, size_t body_size)
{
    seal(assoc, answer, type, addressee, body_size);
    a3mi_fifo_push(&assoc->answers, &answer->node);
}

void a3mi_answer_spend(struct a3mi_assoc *assoc, struct a3mi_answer *answer, enum a3mi_packet_type type,
                       uint64_t addressee, size_t body_size)
{
    seal(assoc, answer, type, addressee, body_size);
    a3mi_fifo_push(&assoc->spent, &answer->node);
}

void a3mi_answer_reply(struct a3mi_assoc *assoc, struct a3mi_answer *answer, enum a3mi_packet_type type,
                       uint64_t addressee, size_t body_size, size_t asked)
{
    if (A3MI_PACKET_HEADER + body_size > 3 * asked) {
        a3mi_answer_free(assoc, answer);
        return;
    }
    a3mi_answer_send(assoc, answer, type, addressee, body_size);
}

void a3mi_answer_free(struct a3mi_assoc *assoc, struct a3mi_answer *answer)
{
    a3mi_slab_put(answer->large ? &assoc->large_answer_slab : &assoc->answer_slab, answer);
}

void a3mi_answers_free_spent(struct a3mi_assoc *assoc)
{
    struct a3mi_fifo_node *node;

    while ((node = a3mi_fifo_pop(&assoc->spent)) != NULL) {
        a3mi_answer_free(assoc, a3mi_container_of(node, struct a3mi_answer, node));
    }
}

/* ---- Partings --------------------------------------------------------------- */

void a3mi_parting_slab_init(struct a3mi_slab *slab)
{
    a3mi_slab_init(slab, sizeof(struct parting), 16, 0);
}

static void parting_due(struct a3mi_assoc *assoc, struct a3mi_alarm *alarm)
{
    struct parting *parting = a3mi_container_of(alarm, struct parting, alarm);

    a3mi_list_remove(&parting->list);
    a3mi_list_push_back(&assoc->partings_due, &parting->list);
}

/* NULL: no memory, or nowhere to say it. */
static struct parting *parting_new(struct a3mi_assoc *assoc, const struct a3m_addr *to, uint64_t r)
{
    struct parting *parting = a3mi_slab_get(&assoc->parting_slab);

    if (parting == NULL || to->kind == A3M_ADDR_NONE ||
        a3mi_alarm_init(assoc, &parting->alarm, parting_due) != 0) {
        a3mi_slab_put(&assoc->parting_slab, parting);
        return NULL;
    }
    parting->to = *to;
    parting->is_reset = false;
    parting->s = 0;
    parting->r = r;
    parting->cumulative = 0;
    parting->left = assoc->leaving ? GOODBYE_TIMES : PARTING_TIMES;
    a3mi_list_push_back(&assoc->partings_due, &parting->list);
    return parting;
}

void a3mi_parting_close(struct a3mi_assoc *assoc, const struct a3m_addr *to, uint64_t s, uint64_t r)
{
    struct parting *parting = parting_new(assoc, to, r);

    if (parting != NULL) {
        parting->s = s;
    }
}

void a3mi_parting_reset(struct a3mi_assoc *assoc, const struct a3m_addr *to, uint64_t r, uint64_t cumulative)
{
    struct parting *parting = parting_new(assoc, to, r);

    if (parting != NULL) {
        parting->is_reset = true;
        parting->cumulative = cumulative;
    }
}

static void parting_free(struct a3mi_assoc *assoc, struct parting *parting)
{
    a3mi_list_remove(&parting->list);
    a3mi_alarm_fini(assoc, &parting->alarm);
    a3mi_slab_put(&assoc->parting_slab, parting);
}

/* One more was said: again later, or it is done. */
static void parting_said(struct a3mi_assoc *assoc, struct parting *parting)
{
    if (--parting->left == 0) {
        parting_free(assoc, parting);
        return;
    }
    a3mi_list_remove(&parting->list);
    a3mi_list_push_back(&assoc->partings, &parting->list);
    if (!assoc->leaving) {
        (void)a3mi_heap_set(&assoc->alarms, &parting->alarm.node, assoc->now + PARTING_GAP);
    }
}

struct a3mi_answer *a3mi_parting_next(struct a3mi_assoc *assoc)
{
    struct a3mi_list *it = a3mi_list_first(&assoc->partings_due);

    if (it == NULL) {
        return NULL;
    }
    struct parting *parting = a3mi_container_of(it, struct parting, list);
    struct a3mi_answer *answer = a3mi_answer_new(assoc, &parting->to);

    if (answer == NULL) {
        parting_said(assoc, parting);
        return NULL;
    }
    uint8_t *body = answer->bytes + A3MI_PACKET_HEADER;

    if (parting->is_reset) {
        struct a3mi_reset reset = {
            .kind = A3MI_RESET_UNKNOWN,
            .incarnation = assoc->config.incarnation,
            .cumulative = parting->cumulative,
            .author = assoc->config.id,
        };

        a3mi_answer_spend(assoc, answer, A3MI_PACKET_RESET, parting->r, a3mi_reset_write(body, &reset));
    } else {
        struct a3mi_close bye = {
            .s = parting->s, .incarnation = assoc->config.incarnation, .author = assoc->config.id};

        a3mi_answer_spend(assoc, answer, A3MI_PACKET_CLOSE, parting->r, a3mi_close_write(body, &bye));
    }
    parting_said(assoc, parting);
    return answer;
}

void a3mi_partings_renew(struct a3mi_assoc *assoc)
{
    if (assoc->leaving) {
        a3mi_list_splice_back(&assoc->partings_due, &assoc->partings);
    }
}

static void free_list(struct a3mi_assoc *assoc, struct a3mi_list *list)
{
    struct a3mi_list *it;

    while ((it = a3mi_list_first(list)) != NULL) {
        parting_free(assoc, a3mi_container_of(it, struct parting, list));
    }
}

void a3mi_partings_free(struct a3mi_assoc *assoc)
{
    free_list(assoc, &assoc->partings);
    free_list(assoc, &assoc->partings_due);
}
