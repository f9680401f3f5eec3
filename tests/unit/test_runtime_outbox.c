/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox, and what a holder of the engine lock sees of it while a push is under way. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/list.h"
#include "runtime/outbox.h"
#include "runtime/turnlock.h"

static void test_outbox_pushed_nodes_come_in_order(void **state)
{
    struct a3mi_outbox q;
    struct a3mi_outbox_node n[3];

    (void)state;
    a3mi_outbox_init(&q);
    assert_null(a3mi_outbox_pop(&q));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            a3mi_outbox_push(&q, &n[i]);
        }
        for (int i = 0; i < 3; i++) {
            assert_ptr_equal(a3mi_outbox_pop(&q), &n[i]);
        }
        assert_null(a3mi_outbox_pop(&q));
        assert_null(a3mi_outbox_pop(&q));
    }
}

static void test_outbox_drained_holder_looks_at_the_stub(void **state)
{
    struct a3mi_outbox q;
    struct a3mi_outbox_node n;

    (void)state;
    a3mi_outbox_init(&q);
    a3mi_outbox_push(&q, &n);
    (void)a3mi_outbox_pop(&q);
    enum a3mi_outbox_look where = a3mi_outbox_settle(&q);
    assert_int_equal(where, A3MI_OUTBOX_LOOK_STUB);
    assert_false(a3mi_outbox_look(&q, where));
    a3mi_outbox_push(&q, &n);
    assert_true(a3mi_outbox_look(&q, where));
    assert_ptr_equal(a3mi_outbox_pop(&q), &n);
}

static void test_outbox_nodes_left_by_the_budget_are_seen(void **state)
{
    struct a3mi_outbox q;
    struct a3mi_outbox_node n[3];

    (void)state;
    a3mi_outbox_init(&q);
    for (int i = 0; i < 3; i++) {
        a3mi_outbox_push(&q, &n[i]);
    }
    assert_true(a3mi_outbox_look(&q, a3mi_outbox_settle(&q)));
    (void)a3mi_outbox_pop(&q);
    assert_int_equal(a3mi_outbox_settle(&q), A3MI_OUTBOX_NOT_EMPTY);
    (void)a3mi_outbox_pop(&q);
    assert_int_equal(a3mi_outbox_settle(&q), A3MI_OUTBOX_NOT_EMPTY);
    (void)a3mi_outbox_pop(&q);
    assert_int_equal(a3mi_outbox_settle(&q), A3MI_OUTBOX_LOOK_STUB);
}

/* A pusher between its exchange and its store. */
static struct a3mi_outbox_node *half_push(struct a3mi_outbox *q, struct a3mi_outbox_node *node)
{
    atomic_store(&node->next, NULL);
    return atomic_exchange(&q->head, node);
}

static void finish_push(struct a3mi_outbox *q, struct a3mi_outbox_node *prev, struct a3mi_outbox_node *node)
{
    atomic_store(&prev->next, node);
    atomic_store(&q->linked, 1);
}

static void test_outbox_half_pushed_behind_the_stub_counts_as_empty(void **state)
{
    struct a3mi_outbox q;
    struct a3mi_outbox_node a, b;

    (void)state;
    a3mi_outbox_init(&q);
    struct a3mi_outbox_node *prev = half_push(&q, &a);
    a3mi_outbox_push(&q, &b); /* complete, but cannot be reached */
    assert_null(a3mi_outbox_pop(&q));
    enum a3mi_outbox_look where = a3mi_outbox_settle(&q);
    assert_int_equal(where, A3MI_OUTBOX_LOOK_STUB);
    assert_false(a3mi_outbox_look(&q, where));
    finish_push(&q, prev, &a);
    assert_true(a3mi_outbox_look(&q, where));
    assert_ptr_equal(a3mi_outbox_pop(&q), &a);
    assert_ptr_equal(a3mi_outbox_pop(&q), &b);
    assert_null(a3mi_outbox_pop(&q));
}

static void test_outbox_half_pushed_behind_a_node_is_seen_once_linked(void **state)
{
    struct a3mi_outbox q;
    struct a3mi_outbox_node a, b, c;

    (void)state;
    a3mi_outbox_init(&q);
    a3mi_outbox_push(&q, &a);
    struct a3mi_outbox_node *prev = half_push(&q, &b);
    assert_null(a3mi_outbox_pop(&q)); /* `a` cannot leave without knowing what follows */
    enum a3mi_outbox_look where = a3mi_outbox_settle(&q);
    assert_int_equal(where, A3MI_OUTBOX_LOOK_LINKED);
    assert_false(a3mi_outbox_look(&q, where));

    a3mi_outbox_push(&q, &c); /* another pusher: one look in vain, and then quiet again */
    assert_true(a3mi_outbox_look(&q, where));
    assert_null(a3mi_outbox_pop(&q));
    assert_int_equal(a3mi_outbox_settle(&q), A3MI_OUTBOX_LOOK_LINKED);
    assert_false(a3mi_outbox_look(&q, where));

    finish_push(&q, prev, &b);
    assert_true(a3mi_outbox_look(&q, where));
    assert_ptr_equal(a3mi_outbox_pop(&q), &a);
    assert_ptr_equal(a3mi_outbox_pop(&q), &b);
    assert_ptr_equal(a3mi_outbox_pop(&q), &c);
    assert_int_equal(a3mi_outbox_settle(&q), A3MI_OUTBOX_LOOK_STUB);
}

/* ---- Many pushers ------------------------------------------------------------- */

enum { PUSHERS = 4, EACH = 20000 };

struct item {
    struct a3mi_outbox_node node;
    uint32_t pusher, number;
};

struct shared {
    struct a3mi_outbox outbox;
    struct a3mi_turnlock lock;
    uint32_t next[PUSHERS]; /* [lock] expected */
    uint64_t out_of_order;  /* [lock] */
};

struct pusher {
    struct shared *shared;
    struct item *items;
};

static void drain(struct shared *s)
{
    struct a3mi_outbox_node *node;

    while ((node = a3mi_outbox_pop(&s->outbox)) != NULL) {
        struct item *item = a3mi_container_of(node, struct item, node);
        s->out_of_order += item->number != s->next[item->pusher] ? 1 : 0;
        s->next[item->pusher] = item->number + 1;
    }
}

static void kick(struct shared *s)
{
    enum a3mi_outbox_look where;

    a3mi_fence_pusher();
    while (a3mi_turnlock_try(&s->lock)) {
        drain(s);
        where = a3mi_outbox_settle(&s->outbox);
        a3mi_turnlock_unlock(&s->lock);
        if (!a3mi_outbox_look(&s->outbox, where)) {
            break;
        }
    }
}

static void *push_all(void *arg)
{
    struct pusher *p = arg;

    for (uint32_t i = 0; i < EACH; i++) {
        a3mi_outbox_push(&p->shared->outbox, &p->items[i].node);
        kick(p->shared);
    }
    return NULL;
}

static void test_outbox_many_pushers_each_in_order_none_stranded(void **state)
{
    static struct shared s;
    struct pusher pushers[PUSHERS];
    pthread_t threads[PUSHERS];

    (void)state;
    a3mi_outbox_init(&s.outbox);
    a3mi_turnlock_init(&s.lock);
    for (uint32_t p = 0; p < PUSHERS; p++) {
        pushers[p] = (struct pusher){.shared = &s, .items = calloc(EACH, sizeof(struct item))};
        assert_non_null(pushers[p].items);
        for (uint32_t i = 0; i < EACH; i++) {
            pushers[p].items[i].pusher = p;
            pushers[p].items[i].number = i;
        }
    }
    for (int p = 0; p < PUSHERS; p++) {
        assert_int_equal(pthread_create(&threads[p], NULL, push_all, &pushers[p]), 0);
    }
    for (int p = 0; p < PUSHERS; p++) {
        (void)pthread_join(threads[p], NULL);
    }
    for (int p = 0; p < PUSHERS; p++) {
        assert_int_equal(s.next[p], EACH); /* nobody drains after the last kick */
        free(pushers[p].items);
    }
    assert_int_equal(s.out_of_order, 0);
}

/* ---- The lock ------------------------------------------------------------------ */

struct counted {
    struct a3mi_turnlock lock;
    uint64_t n; /* [lock] */
};

static void *count(void *arg)
{
    struct counted *c = arg;

    for (int i = 0; i < 20000; i++) {
        a3mi_turnlock_take(&c->lock);
        c->n++;
        if (i % 512 == 0) {
            /* Held for long, so that others go to sleep on it. */
            for (int y = 0; y < 200; y++) {
                (void)sched_yield();
            }
        }
        a3mi_turnlock_unlock(&c->lock);
    }
    return NULL;
}

static void test_turnlock_takers_exclude_each_other_and_all_get_it(void **state)
{
    struct counted c = {.n = 0};
    pthread_t threads[4];

    (void)state;
    a3mi_turnlock_init(&c.lock);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count, &c), 0);
    }
    for (int i = 0; i < 4; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    assert_int_equal(c.n, 80000);
    assert_true(a3mi_turnlock_try(&c.lock));
    assert_false(a3mi_turnlock_try(&c.lock));
    a3mi_turnlock_unlock(&c.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outbox_pushed_nodes_come_in_order),
        cmocka_unit_test(test_outbox_drained_holder_looks_at_the_stub),
        cmocka_unit_test(test_outbox_nodes_left_by_the_budget_are_seen),
        cmocka_unit_test(test_outbox_half_pushed_behind_the_stub_counts_as_empty),
        cmocka_unit_test(test_outbox_half_pushed_behind_a_node_is_seen_once_linked),
        cmocka_unit_test(test_outbox_many_pushers_each_in_order_none_stranded),
        cmocka_unit_test(test_turnlock_takers_exclude_each_other_and_all_get_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
