/* SPDX-License-Identifier: Apache-2.0 */
/* The doubly linked list (base/list.h). */
#include "test_base_random.h"

#include <string.h>

#include "base/list.h"

struct item {
    int value;
    struct a3mi_list node;
};

static struct item *item_of(struct a3mi_list *node)
{
    return a3mi_container_of(node, struct item, node);
}

/* Asserts on the values in both directions, given as a text of one-digit numbers. */
static void assert_values(struct a3mi_list *l, const char *expected)
{
    size_t n = strlen(expected), i = 0;

    A3MI_LIST_FOREACH (it, l) {
        assert_true(i < n);
        assert_int_equal(item_of(it)->value, expected[i++] - '0');
    }
    assert_int_equal(i, n);
    for (struct a3mi_list *it = l->prev; it != l; it = it->prev) {
        assert_int_equal(item_of(it)->value, expected[--i] - '0');
    }
    assert_int_equal(i, 0);
}

static void make_items(struct item *items, int n)
{
    for (int i = 0; i < n; i++) {
        items[i].value = i;
        a3mi_list_init(&items[i].node);
    }
}

static void test_list_fresh_is_empty(void **state)
{
    (void)state;
    struct a3mi_list l;

    a3mi_list_init(&l);
    assert_true(a3mi_list_empty(&l));
    assert_null(a3mi_list_first(&l));
    assert_null(a3mi_list_pop_front(&l));
    assert_values(&l, "");
}

static void test_list_push_at_both_ends_keeps_order(void **state)
{
    (void)state;
    struct a3mi_list l;
    struct item items[4];

    a3mi_list_init(&l);
    make_items(items, 4);
    a3mi_list_push_back(&l, &items[1].node);
    a3mi_list_push_back(&l, &items[2].node);
    a3mi_list_push_front(&l, &items[0].node);
    a3mi_list_push_back(&l, &items[3].node);
    assert_values(&l, "0123");
    assert_ptr_equal(a3mi_list_first(&l), &items[0].node);
    assert_ptr_equal(a3mi_list_pop_front(&l), &items[0].node);
    assert_false(a3mi_list_linked(&items[0].node));
    assert_values(&l, "123");
}

static void test_list_remove_twice_is_harmless(void **state)
{
    (void)state;
    struct a3mi_list l;
    struct item items[3];

    a3mi_list_init(&l);
    make_items(items, 3);
    for (int i = 0; i < 3; i++) {
        a3mi_list_push_back(&l, &items[i].node);
    }
    assert_true(a3mi_list_linked(&items[1].node));
    a3mi_list_remove(&items[1].node);
    a3mi_list_remove(&items[1].node);
    assert_false(a3mi_list_linked(&items[1].node));
    assert_values(&l, "02");
    a3mi_list_push_front(&l, &items[1].node);
    assert_values(&l, "102");
}

static void test_list_foreach_safe_removes_all(void **state)
{
    (void)state;
    struct a3mi_list l;
    struct item items[5];
    int seen = 0;

    a3mi_list_init(&l);
    make_items(items, 5);
    for (int i = 0; i < 5; i++) {
        a3mi_list_push_back(&l, &items[i].node);
    }
    A3MI_LIST_FOREACH_SAFE (it, tmp, &l) {
        assert_int_equal(item_of(it)->value, seen++);
        a3mi_list_remove(it);
    }
    assert_int_equal(seen, 5);
    assert_true(a3mi_list_empty(&l));
}

static void test_list_splice_moves_all_and_empties_source(void **state)
{
    (void)state;
    struct a3mi_list a, b;
    struct item items[5];

    a3mi_list_init(&a);
    a3mi_list_init(&b);
    make_items(items, 5);
    a3mi_list_splice_back(&a, &b);
    assert_values(&a, "");
    for (int i = 0; i < 5; i++) {
        a3mi_list_push_back(i < 2 ? &a : &b, &items[i].node);
    }
    a3mi_list_splice_back(&a, &b);
    assert_values(&a, "01234");
    assert_true(a3mi_list_empty(&b));
    a3mi_list_splice_back(&a, &b);
    assert_values(&a, "01234");
    a3mi_list_splice_back(&b, &a);
    assert_values(&b, "01234");
    assert_true(a3mi_list_empty(&a));
}

/* Against an array of numbers that is shifted about. */
static void test_list_random_operations_match_array(void **state)
{
    (void)state;
    enum { N = 9 };
    struct a3mi_rng r;
    struct a3mi_list l;
    struct item items[N];
    char model[N + 1] = "";

    test_random_init(&r, __func__);
    a3mi_list_init(&l);
    make_items(items, N);
    for (long round = test_rounds(20000); round > 0; round--) {
        unsigned i = (unsigned)a3mi_rng_below(&r, N);
        size_t n = strlen(model);
        char *at = strchr(model, (int)('0' + i));

        assert_int_equal(a3mi_list_linked(&items[i].node), at != NULL);
        if (at != NULL) {
            a3mi_list_remove(&items[i].node);
            memmove(at, at + 1, strlen(at));
        } else if (a3mi_rng_below(&r, 2) == 0) {
            a3mi_list_push_back(&l, &items[i].node);
            model[n] = (char)('0' + i);
            model[n + 1] = '\0';
        } else {
            a3mi_list_push_front(&l, &items[i].node);
            memmove(model + 1, model, n + 1);
            model[0] = (char)('0' + i);
        }
        assert_values(&l, model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_fresh_is_empty),
        cmocka_unit_test(test_list_push_at_both_ends_keeps_order),
        cmocka_unit_test(test_list_remove_twice_is_harmless),
        cmocka_unit_test(test_list_foreach_safe_removes_all),
        cmocka_unit_test(test_list_splice_moves_all_and_empties_source),
        cmocka_unit_test(test_list_random_operations_match_array),
    };

    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
