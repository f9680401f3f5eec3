/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive singly linked queue: one pointer a node, and a count. Links only: it
 * owns nothing, allocates nothing, and has no lock. A queue of all zeros is
 * empty, and may be copied as a value (the copy takes its place). A node is in
 * one queue at most; its link means nothing outside of one.
 */
#ifndef A3MI_FIFO_H
#define A3MI_FIFO_H

#include <stdbool.h>
#include <stddef.h>

struct a3mi_fifo_node {
    struct a3mi_fifo_node *next;
};

struct a3mi_fifo {
    struct a3mi_fifo_node *head; /* NULL: empty */
    struct a3mi_fifo_node *tail; /* the last one; means nothing when empty */
    size_t count;
};

/* Makes it empty; forgets what was there. */
static inline void a3mi_fifo_init(struct a3mi_fifo *f)
{
    f->head = NULL;
    f->tail = NULL;
    f->count = 0;
}

static inline bool a3mi_fifo_empty(const struct a3mi_fifo *f)
{
    return f->head == NULL;
}

/* Appends `node`, which is in no queue. */
static inline void a3mi_fifo_push(struct a3mi_fifo *f, struct a3mi_fifo_node *node)
{
    node->next = NULL;
    if (f->head == NULL) {
        f->head = node;
    } else {
        f->tail->next = node;
    }
    f->tail = node;
    f->count++;
}

/* Puts `node`, which is in no queue, in front of all others. */
static inline void a3mi_fifo_push_front(struct a3mi_fifo *f, struct a3mi_fifo_node *node)
{
    node->next = f->head;
    if (f->head == NULL) {
        f->tail = node;
    }
    f->head = node;
    f->count++;
}

/* The first node, which stays in the queue; NULL when it is empty. */
static inline struct a3mi_fifo_node *a3mi_fifo_peek(const struct a3mi_fifo *f)
{
    return f->head;
}

/* Takes the first node out and returns it; NULL when the queue is empty. */
static inline struct a3mi_fifo_node *a3mi_fifo_pop(struct a3mi_fifo *f)
{
    struct a3mi_fifo_node *node = f->head;

    if (node == NULL) {
        return NULL;
    }
    f->head = node->next;
    node->next = NULL;
    f->count--;
    return node;
}

/* Moves all nodes of `src`, in their order, behind those of `dst`; `src` is empty afterwards. */
static inline void a3mi_fifo_append(struct a3mi_fifo *dst, struct a3mi_fifo *src)
{
    if (src->head == NULL) {
        return;
    }
    if (dst->head == NULL) {
        dst->head = src->head;
    } else {
        dst->tail->next = src->head;
    }
    dst->tail = src->tail;
    dst->count += src->count;
    a3mi_fifo_init(src);
}

/* Puts all of `other`, in their order, in front; it is empty then. */
static inline void a3mi_fifo_splice_front(struct a3mi_fifo *f, struct a3mi_fifo *other)
{
    if (other->head == NULL) {
        return;
    }
    other->tail->next = f->head;
    f->tail = f->head != NULL ? f->tail : other->tail;
    f->head = other->head;
    f->count += other->count;
    a3mi_fifo_init(other);
}

#endif
