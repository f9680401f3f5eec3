/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive doubly linked circular list. A head and a node are the same struct:
 * a head that stands alone is an empty list, a node that stands alone is in no
 * list. Links only: it owns nothing, allocates nothing, and has no lock; whoever
 * guards the head guards its nodes. Everything takes constant time.
 */
#ifndef A3MI_LIST_H
#define A3MI_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct a3mi_list {
    struct a3mi_list *next, *prev;
};

/* The struct of `type` whose `member` is at `ptr` (which is not NULL). */
#define a3mi_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/*
 * Loops over the nodes of a list, front to back; `it` is declared by the loop.
 * The body may not remove nodes, but in the _SAFE form it may remove `it`
 * (and no other).
 */
#define A3MI_LIST_FOREACH(it, head) \
    for (struct a3mi_list *it = (head)->next; (it) != (head); (it) = (it)->next)

#define A3MI_LIST_FOREACH_SAFE(it, tmp, head)                                    \
    for (struct a3mi_list *it = (head)->next, *tmp = (it)->next; (it) != (head); \
         (it) = (tmp), (tmp) = (it)->next)

/* Makes an empty list, or a node that is in no list. Forgets what was there. */
static inline void a3mi_list_init(struct a3mi_list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool a3mi_list_empty(const struct a3mi_list *l)
{
    return l->next == l;
}

/* Whether an initialised node is in a list. */
static inline bool a3mi_list_linked(const struct a3mi_list *node)
{
    return node->next != node;
}

/* Puts `node`, which is in no list, before `at`. */
static inline void a3mi_list_insert_before(struct a3mi_list *at, struct a3mi_list *node)
{
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}

/* Appends `node`, which is in no list. */
static inline void a3mi_list_push_back(struct a3mi_list *l, struct a3mi_list *node)
{
    a3mi_list_insert_before(l, node);
}

/* Prepends `node`, which is in no list. */
static inline void a3mi_list_push_front(struct a3mi_list *l, struct a3mi_list *node)
{
    a3mi_list_insert_before(l->next, node);
}

/* Takes a node out of its list and leaves it initialised. Harmless when it is in none. */
static inline void a3mi_list_remove(struct a3mi_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    a3mi_list_init(node);
}

/* The first node, or NULL when the list is empty. */
static inline struct a3mi_list *a3mi_list_first(const struct a3mi_list *l)
{
    return a3mi_list_empty(l) ? NULL : l->next;
}

/* Takes the first node out and returns it; NULL when the list is empty. */
static inline struct a3mi_list *a3mi_list_pop_front(struct a3mi_list *l)
{
    struct a3mi_list *node = a3mi_list_first(l);

    if (node != NULL) {
        a3mi_list_remove(node);
    }
    return node;
}

/* Moves all nodes of `src`, in their order, behind those of `dst`; `src` is empty afterwards. */
static inline void a3mi_list_splice_back(struct a3mi_list *dst, struct a3mi_list *src)
{
    if (a3mi_list_empty(src)) {
        return;
    }
    src->next->prev = dst->prev;
    dst->prev->next = src->next;
    src->prev->next = dst;
    dst->prev = src->prev;
    a3mi_list_init(src);
}

#endif
