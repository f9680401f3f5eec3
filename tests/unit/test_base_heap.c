/* SPDX-License-Identifier: Apache-2.0 */
/* The timer heap (base/heap.h), with an allocator that can be told to fail. */
#include "test_base_random.h"

#include <stdbool.h>
#include <string.h>

static bool no_memory;

static void *failing_reallocarray(void *p, size_t n, size_t size)
{
    return no_memory ? NULL : reallocarray(p, n, size);
}

#define reallocarray failing_reallocarray
#include "base/heap.c" /* NOLINT(bugprone-suspicious-include) */
#undef reallocarray

static struct a3mi_timer_node *pop(struct a3mi_heap *h)
{
    struct a3mi_timer_node *node = a3mi_heap_min(h);

    if (node != NULL) {
        a3mi_heap_cancel(h, node);
    }
    return node;
}

static void test_heap_fresh_is_empty(void **state)
{
    (void)state;
    struct a3mi_heap h;
    struct a3mi_timer_node node = {0};

    a3mi_heap_init(&h);
    assert_null(a3mi_heap_min(&h));
    assert_false(a3mi_timer_armed(&node));
    a3mi_heap_cancel(&h, &node);
    a3mi_heap_fini(&h);
}

static void test_heap_gives_nodes_in_order_of_time(void **state)
{
    (void)state;
    static const int64_t at[] = {5, INT64_MAX, -3, INT64_MIN, 0, 4, 6, 7, 1, 2, 3};
    enum { N = sizeof at / sizeof at[0] };
    struct a3mi_timer_node nodes[N] = {0};
    struct a3mi_heap h;
    int64_t before = INT64_MIN;

    a3mi_heap_init(&h);
    for (int i = 0; i < N; i++) {
        assert_int_equal(a3mi_heap_set(&h, &nodes[i], at[i]), 0);
        assert_true(a3mi_timer_armed(&nodes[i]));
        assert_int_equal(nodes[i].at, at[i]);
    }
    for (int i = 0; i < N; i++) {
        struct a3mi_timer_node *node = pop(&h);

        assert_true(node->at >= before);
        assert_false(a3mi_timer_armed(node));
        before = node->at;
    }
    assert_null(a3mi_heap_min(&h));
    a3mi_heap_fini(&h);
}

static void test_heap_ties_come_in_order_of_setting(void **state)
{
    (void)state;
    enum { N = 100 };
    struct a3mi_timer_node nodes[N] = {0};
    struct a3mi_heap h;

    a3mi_heap_init(&h);
    for (int i = 0; i < N; i++) {
        assert_int_equal(a3mi_heap_set(&h, &nodes[i], 10), 0);
    }
    for (int i = 0; i < N; i++) {
        assert_ptr_equal(pop(&h), &nodes[i]);
    }
    a3mi_heap_fini(&h);
}

static void test_heap_move_goes_behind_its_equals_but_same_time_keeps_place(void **state)
{
    (void)state;
    struct a3mi_timer_node a = {0}, b = {0}, c = {0};
    struct a3mi_heap h;

    a3mi_heap_init(&h);
    assert_int_equal(a3mi_heap_set(&h, &a, 1), 0);
    assert_int_equal(a3mi_heap_set(&h, &b, 2), 0);
    assert_int_equal(a3mi_heap_set(&h, &c, 2), 0);
    assert_int_equal(a3mi_heap_set(&h, &b, 2), 0);
    assert_int_equal(a3mi_heap_set(&h, &a, 2), 0);
    assert_ptr_equal(pop(&h), &b);
    assert_ptr_equal(pop(&h), &c);
    assert_ptr_equal(pop(&h), &a);
    a3mi_heap_fini(&h);
}

static void test_heap_no_memory_fails_insert_but_not_move(void **state)
{
    (void)state;
    struct a3mi_timer_node nodes[17] = {0};
    struct a3mi_heap h;

    a3mi_heap_init(&h);
    no_memory = true;
    assert_int_equal(a3mi_heap_set(&h, &nodes[0], 1), A3M_ENOMEM);
    assert_false(a3mi_timer_armed(&nodes[0]));
    no_memory = false;
    for (int i = 0; i < 16; i++) {
        assert_int_equal(a3mi_heap_set(&h, &nodes[i], i), 0);
    }
    no_memory = true;
    assert_int_equal(a3mi_heap_set(&h, &nodes[16], 1), A3M_ENOMEM);
    assert_false(a3mi_timer_armed(&nodes[16]));
    assert_int_equal(a3mi_heap_set(&h, &nodes[15], -1), 0);
    assert_ptr_equal(a3mi_heap_min(&h), &nodes[15]);
    no_memory = false;
    assert_int_equal(a3mi_heap_set(&h, &nodes[16], -2), 0);
    assert_ptr_equal(a3mi_heap_min(&h), &nodes[16]);
    a3mi_heap_fini(&h);
}

static void test_heap_fini_disarms_what_is_left(void **state)
{
    (void)state;
    struct a3mi_timer_node a = {0}, b = {0};
    struct a3mi_heap h;

    a3mi_heap_init(&h);
    assert_int_equal(a3mi_heap_set(&h, &a, 1), 0);
    assert_int_equal(a3mi_heap_set(&h, &b, 2), 0);
    a3mi_heap_fini(&h);
    assert_false(a3mi_timer_armed(&a));
    assert_false(a3mi_timer_armed(&b));
}

/* The earliest by a walk over all, ties by the number of the operation that set it. */
static struct a3mi_timer_node *model_min(struct a3mi_timer_node *nodes, const long *order, size_t n)
{
    struct a3mi_timer_node *best = NULL;

    for (size_t i = 0; i < n; i++) {
        if (!a3mi_timer_armed(&nodes[i])) {
            continue;
        }
        if (best == NULL || nodes[i].at < best->at ||
            (nodes[i].at == best->at && order[i] < order[best - nodes])) {
            best = &nodes[i];
        }
    }
    return best;
}

static void assert_heap_order(const struct a3mi_heap *h)
{
    for (uint32_t i = 0; i < h->count; i++) {
        assert_int_equal(h->entries[i].node->pos, i + 1);
        assert_int_equal(h->entries[i].node->at, h->entries[i].at);
        if (i > 0) {
            assert_false(before(&h->entries[i], &h->entries[(i - 1) / 4]));
        }
    }
}

static void test_heap_random_operations_match_walk(void **state)
{
    (void)state;
    enum { N = 120 };
    struct a3mi_timer_node nodes[N] = {0};
    long order[N] = {0};
    struct a3mi_heap h;
    struct a3mi_rng r;

    test_random_init(&r, __func__);
    a3mi_heap_init(&h);
    for (long round = 0, rounds = test_rounds(100000); round < rounds; round++) {
        size_t i = a3mi_rng_below(&r, N);
        bool flood = (round / 3000) % 2 == 0;

        if (a3mi_rng_below(&r, 8) < (flood ? 6u : 2u)) {
            int64_t at = (int64_t)a3mi_rng_below(&r, 40);

            if (!a3mi_timer_armed(&nodes[i]) || nodes[i].at != at) {
                order[i] = round;
            }
            assert_int_equal(a3mi_heap_set(&h, &nodes[i], at), 0);
        } else {
            a3mi_heap_cancel(&h, &nodes[i]);
            assert_false(a3mi_timer_armed(&nodes[i]));
        }
        assert_ptr_equal(a3mi_heap_min(&h), model_min(nodes, order, N));
        if (round % 16 == 0) {
            assert_heap_order(&h);
        }
    }
    a3mi_heap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_fresh_is_empty),
        cmocka_unit_test(test_heap_gives_nodes_in_order_of_time),
        cmocka_unit_test(test_heap_ties_come_in_order_of_setting),
        cmocka_unit_test(test_heap_move_goes_behind_its_equals_but_same_time_keeps_place),
        cmocka_unit_test(test_heap_no_memory_fails_insert_but_not_move),
        cmocka_unit_test(test_heap_fini_disarms_what_is_left),
        cmocka_unit_test(test_heap_random_operations_match_walk),
    };

    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
