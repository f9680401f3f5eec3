/* SPDX-License-Identifier: Apache-2.0 */
#include "base/agenda.h"

#include <stddef.h>

static bool earlier(const struct a3mi_agenda_node *a, const struct a3mi_agenda_node *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

/* Two roots, or NULL, become one. */
static struct a3mi_agenda_node *meld(struct a3mi_agenda_node *a, struct a3mi_agenda_node *b)
{
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    struct a3mi_agenda_node *root = earlier(a, b) ? a : b;
    struct a3mi_agenda_node *child = root == a ? b : a;

    child->next = root->child;
    if (child->next != NULL) {
        child->next->before = child;
    }
    child->before = root;
    root->child = child;
    return root;
}

/* Makes a node a root by itself, and returns what was its sibling. */
static struct a3mi_agenda_node *detach(struct a3mi_agenda_node *node)
{
    struct a3mi_agenda_node *next = node->next;

    node->next = node->before = NULL;
    return next;
}

/* The children of a node that is taken out become one: in pairs from the left, and these from the right. */
static struct a3mi_agenda_node *join_children(struct a3mi_agenda_node *it)
{
    struct a3mi_agenda_node *pairs = NULL;
    struct a3mi_agenda_node *root = NULL;

    while (it != NULL) {
        struct a3mi_agenda_node *a = it;
        struct a3mi_agenda_node *b = detach(a);

        it = b != NULL ? detach(b) : NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs != NULL) {
        struct a3mi_agenda_node *pair = pairs;

        pairs = detach(pair);
        root = meld(root, pair);
    }
    return root;
}

void a3mi_agenda_cancel(struct a3mi_agenda *agenda, struct a3mi_agenda_node *node)
{
    if (!node->in) {
        return;
    }
    struct a3mi_agenda_node *rest = join_children(node->child);

    if (node == agenda->first) {
        agenda->first = rest;
    } else {
        if (node->before->child == node) {
            node->before->child = node->next;
        } else {
            node->before->next = node->next;
        }
        if (node->next != NULL) {
            node->next->before = node->before;
        }
        agenda->first = meld(agenda->first, rest);
    }
    node->child = node->next = node->before = NULL;
    node->in = false;
}

void a3mi_agenda_set(struct a3mi_agenda *agenda, struct a3mi_agenda_node *node, int64_t at)
{
    if (node->in && node->at == at) {
        return;
    }
    a3mi_agenda_cancel(agenda, node);
    node->at = at;
    node->seq = agenda->next_seq++;
    node->in = true;
    agenda->first = meld(agenda->first, node);
}

void a3mi_agenda_clear(struct a3mi_agenda *agenda)
{
    while (agenda->first != NULL) {
        a3mi_agenda_cancel(agenda, agenda->first);
    }
}
